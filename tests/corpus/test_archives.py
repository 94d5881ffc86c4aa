"""Archives: supported kinds, kinds refused by name, and decompression bombs."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from recsys_core.data.ingest import check, inspect_files, suggest_rules
from recsys_core.data.ingest.archives import unpack
from recsys_core.data.ingest.limits import MIB, Limits
from recsys_core.errors import DataError

PLAIN = b"user,item,rating\n" + b"".join(b"u%d,m%d,%d\n" % (u, i, 1 + (u + i) % 5) for u in range(20) for i in range(6))
ROWS = 120


def tarred(*members: tuple[str, bytes], mode: str = "w", kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(content), kind, link
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def taken(path: Path, limits: Limits | None = None) -> int:
    guesses = inspect_files([path], limits=limits or Limits())
    return check(guesses, suggest_rules(guesses)).rows_accepted


OPENED = {
    "a.tar": tarred(("data/ratings.csv", PLAIN)),
    "a.tar.gz": tarred(("./data/ratings.csv", PLAIN), ("./README.md", b"x"), mode="w:gz"),
    "a.tgz": tarred(("ratings.csv", PLAIN), mode="w:gz"),
    "a.tar.bz2": tarred(("ratings.csv", PLAIN), mode="w:bz2"),
    "a.tar.xz": tarred(("ratings.csv", PLAIN), mode="w:xz"),
    "ratings.csv.bz2": bz2.compress(PLAIN),
    "ratings.csv.xz": lzma.compress(PLAIN),
    "ratings.csv.gz": gzip.compress(PLAIN),
    "named_wrongly.csv": gzip.compress(PLAIN),
    "no_ending": tarred(("ratings.csv", PLAIN), mode="w:xz"),
    "wrapped.zip": zipped(("ratings.csv.bz2", bz2.compress(PLAIN))),
    "wrapped.tar": tarred(("ratings.csv.xz", lzma.compress(PLAIN))),
    "twice.csv.gz.gz": gzip.compress(gzip.compress(PLAIN)),
    "bzip2_inside.zip": zipped(("ratings.csv", PLAIN), method=zipfile.ZIP_BZIP2),
    "lzma_inside.zip": zipped(("ratings.csv", PLAIN), method=zipfile.ZIP_LZMA),
    "link_that_is_no_table.tar": tarred(("latest", b""), kind=tarfile.SYMTYPE, link="ratings")[:512]
    + tarred(("ratings.csv", PLAIN)),
}


@pytest.mark.parametrize("name", OPENED)
def test_what_the_standard_library_opens_is_opened(name: str, tmp_path: Path) -> None:
    assert taken(put(tmp_path, name, OPENED[name])) == ROWS


REFUSED = {
    "a.7z": (b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(50), "7-Zip .* unpack it first"),
    "a.csv.zst": (b"\x28\xb5\x2f\xfd" + bytes(50), "Zstandard .* unpack it first"),
    "a.rar": (b"Rar!\x1a\x07\x01\x00" + bytes(50), "RAR .* unpack it first"),
    "a.csv.lz4": (b"\x04\x22\x4d\x18" + bytes(50), "LZ4 .* unpack it first"),
    "zst_named.csv": (b"\x28\xb5\x2f\xfd" + b"plain text" * 9, "Zstandard"),
    "a.sqlite": (b"SQLite format 3\x00" + bytes(100), "SQLite .* export the table"),
    "a.pkl": (b"\x80\x04\x95\x10\x00\x00" + bytes(50), "pickle, .* export the table"),
    "a.npy": (b"\x93NUMPY\x01\x00v\x00" + bytes(50), "NumPy"),
    "a.RData": (gzip.compress(b"RDX3\nX\n" + bytes(50)), "R data"),
    "in.zip": (zipped(("a.csv", b"7z\xbc\xaf\x27\x1c" + bytes(50))), "7-Zip"),
    "cut.tar.gz": (tarred(("ratings.csv", PLAIN * 99), mode="w:gz")[:-400], "broken"),
    "cut.csv.bz2": (bz2.compress(PLAIN)[:-40], "broken bzip2"),
    "cut.csv.xz": (lzma.compress(PLAIN)[:-40], "broken xz"),
    "nested.tar": (tarred(("inner.tar", tarred(("ratings.csv", PLAIN)))), "nested archive"),
    "nested.zip": (zipped(("inner.csv", zipped(("ratings.csv", PLAIN)))), "nested archive"),
    "wrapped.csv.gz": (gzip.compress(gzip.compress(gzip.compress(PLAIN))), "more than 2 times"),
    "outside.tar": (tarred(("../../outside.csv", PLAIN)), "outside"),
    "absolute.tar": (tarred(("/etc/outside.csv", PLAIN)), "outside"),
    "link.tar": (tarred(("ratings.csv", b""), kind=tarfile.SYMTYPE, link="/etc/passwd"), "link or device"),
    "hard_link.tar": (tarred(("ratings.csv", b""), kind=tarfile.LNKTYPE, link="/etc/passwd"), "link or device"),
    "device.tar": (tarred(("ratings.csv", b""), kind=tarfile.CHRTYPE), "link or device"),
    "pipe.tar": (tarred(("ratings.csv", b""), kind=tarfile.FIFOTYPE), "link or device"),
    "no_table.tar": (tarred(("picture.png", b"x")), "no table"),
    "many.tar": (tarred(*((f"{n}.md", b"a") for n in range(30))), "too many files"),
    "many.zip": (zipped(*((f"{n}.csv", PLAIN) for n in range(11))), "too many tables"),
    "many_tables.tar": (tarred(*((f"{n}.csv", PLAIN) for n in range(11))), "too many tables"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_opened_is_refused_by_name(name: str, tmp_path: Path) -> None:
    content, words = REFUSED[name]
    with pytest.raises(DataError, match=words):
        taken(put(tmp_path, name, content), replace(Limits(), members=20, tables=10))
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def overlapping(members: int, size: int) -> bytes:
    """Return a zip archive all of whose members share the same bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = packer.compress(bytes(size)) + packer.flush()
    crc = zlib.crc32(bytes(size))
    numbers = struct.pack("<HHHHHLLL", 20, 0, 8, 0, 33, crc, len(kernel), size)
    body = b"PK\x03\x04" + numbers + struct.pack("<HH", 5, 0) + b"a.csv" + kernel
    central = b"".join(
        b"PK\x01\x02"
        + struct.pack("<H", 20)
        + numbers
        + struct.pack("<HHHHHLL", 9, 0, 0, 0, 0, 0, 0)
        + b"%05d.csv" % number
        for number in range(members)
    )
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, members, members, len(central), len(body), 0)
    return body + central + end


def test_members_that_share_their_bytes_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = put(tmp_path, "bomb.zip", overlapping(100, 1000))
    with pytest.raises(DataError, match="contains overlapping files"):
        unpack(path, folder=tmp_path / "unpacked")
    assert not list((tmp_path / "unpacked").rglob("*.*"))


NOISY = bytes(range(256)) * 1000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sum.zip", zipped(*((f"{n}.csv", bytes(2 * MIB)) for n in range(20)))),
        ("sum.tar.gz", tarred(*((f"{n}.csv", bytes(2 * MIB)) for n in range(20)), mode="w:gz")),
        ("skipped.tar.bz2", tarred(("junk.bin", bytes(40 * MIB)), ("a.csv", PLAIN), mode="w:bz2")),
        ("twice.gz.gz", gzip.compress(gzip.compress(bytes(40 * MIB)))),
        ("inner.zip", zipped(("a.csv.gz", gzip.compress(bytes(40 * MIB))))),
        ("a.xz", lzma.compress(bytes(40 * MIB))),
    ],
)
def test_growth_is_bounded_over_the_whole_archive(name: str, content: bytes, tmp_path: Path) -> None:
    path = put(tmp_path, name, content)
    with pytest.raises(DataError, match="zip bomb"):
        unpack(path, folder=tmp_path / "unpacked")
    with pytest.raises(DataError, match="unpacks to more than 5,000,000 bytes"):
        unpack(path, folder=tmp_path / "unpacked", limits=replace(Limits(), unpack_ratio=1e9, unpacked_bytes=5_000_000))
    assert not list((tmp_path / "unpacked").rglob("*.*"))


def test_a_header_of_a_tar_archive_does_not_fill_the_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, (8 << 30) - 1
    path = put(tmp_path, "a.tar", info.tobuf(tarfile.USTAR_FORMAT) + bytes(4096))
    with pytest.raises(DataError, match="header larger than 1 MiB"):
        unpack(path, folder=tmp_path / "unpacked")


def test_an_archive_is_unpacked_once(tmp_path: Path) -> None:
    path = put(tmp_path, "a.tar.gz", OPENED["a.tar.gz"])
    first = unpack(path, folder=tmp_path / "unpacked")
    facts = first[0].path.stat()
    assert unpack(path, folder=tmp_path / "unpacked")[0] == first[0]
    assert first[0].path.stat().st_mtime_ns == facts.st_mtime_ns
    assert first[0].name == "a.tar.gz/./data/ratings.csv"
