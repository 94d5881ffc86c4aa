"""Archives, opened member by member within limits; nothing is written outside the folder given."""

import gzip
import hashlib
import json
import shutil
import tempfile
import weakref
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from recsys_core.data.limits import DEFAULT_LIMITS, MIB, Limits
from recsys_core.errors import DataError

_BLOCK = 1 << 20
_DONE = "members.json"
_UNPACKED = (".gz", ".zip")
_TABLES = frozenset(
    [
        ".csv",
        ".tsv",
        ".txt",
        ".dat",
        ".data",
        ".item",
        ".user",
        ".base",
        ".test",
        ".parquet",
        ".pq",
        ".jsonl",
        ".ndjson",
        ".json",
        ".xlsx",
        ".xls",
        ".xlsb",
        ".ods",
        ".inter",
        ".tab",
        ".psv",
        ".gz",
    ]
)
_PROSE = ("readme", "license", "licence", "copying", "changelog")


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""
        ...


class TemporaryFolder:
    """A folder that is deleted with the last object that refers to it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="recscope-unpacked-"))
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class Member:
    """A file that is ready to be read.

    Args:
        path: Where it is.
        name: What the person knows it by: `archive.zip/folder/file.csv`, or the file's own name.
        keeper: What keeps it on disk; None for a file of the person's.
    """

    path: Path
    name: str
    keeper: object = None

    @property
    def base(self) -> str:
        """Its name without folders."""
        return PurePosixPath(self.name).name


def unpack(path: Path, *, folder: Path | None = None, limits: Limits = DEFAULT_LIMITS) -> list[Member]:
    """Return the files in an archive, unpacked, or the file itself if it is none.

    Args:
        path: Any file.
        folder: Where to unpack; a temporary folder by default.
        limits: Bounds of size, growth and number of members.

    Raises:
        DataError: A broken or encrypted archive, or one beyond the limits.
    """
    if not path.is_file():
        raise DataError(f"'{path.name}' is a folder." if path.is_dir() else f"There is no file '{path.name}'.")
    with path.open("rb") as file:
        start = file.read(4)
    packed = (
        start.startswith(b"\x1f\x8b") or (start == b"PK\x03\x04" and not _is_workbook(path)) or start == b"PK\x05\x06"
    )
    if not packed:
        return [Member(path, path.name)]
    keeper = TemporaryFolder() if folder is None else None
    target = keeper.path if keeper is not None else _folder_of(path, Path(folder or "."))
    if (target / _DONE).exists():
        return [Member(target / file, name) for file, name in json.loads((target / _DONE).read_text(encoding="utf-8"))]
    gzipped = start.startswith(b"\x1f\x8b")
    found = [_gunzip(path, path.name, target, limits, keeper)] if gzipped else _unzip(path, target, limits, keeper)
    (target / _DONE).write_text(json.dumps([(member.path.name, member.name) for member in found]), encoding="utf-8")
    return found


def _folder_of(path: Path, folder: Path) -> Path:
    """Return the folder for the members of an archive, named by what the archive is: asked again, nothing is unpacked
    twice.
    """
    facts = path.stat()
    name = hashlib.sha256(f"{path.resolve()} {facts.st_size} {facts.st_mtime_ns}".encode()).hexdigest()[:16]
    target = folder / name
    if target.exists() and not (target / _DONE).exists():
        shutil.rmtree(target)
    target.mkdir(parents=True, exist_ok=True)
    return target


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False
    return "[Content_Types].xml" in names or {"mimetype", "content.xml"} <= names


def _gunzip(path: Path, name: str, folder: Path, limits: Limits, keeper: object) -> Member:
    inner = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    target = _place(folder, inner)
    try:
        with gzip.open(path) as packed:
            _copy(packed, target, name, packed_size=path.stat().st_size, left=limits.unpacked_bytes, limits=limits)
    except (OSError, EOFError, zlib.error) as error:
        target.unlink(missing_ok=True)
        raise DataError(f"'{name}' is a broken gzip file: {error}.") from error
    return Member(target, f"{name}/{inner}" if inner != path.name else name, keeper)


def _unzip(path: Path, folder: Path, limits: Limits, keeper: object) -> list[Member]:
    found: list[Member] = []
    left = limits.unpacked_bytes
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if len(infos) > limits.members:
                raise DataError(f"'{path.name}' holds {len(infos):,} files; at most {limits.members:,} are opened.")
            for info in infos:
                _refuse_strange(path.name, info)
                if not _is_table(info.filename):
                    continue
                name = f"{path.name}/{info.filename}"
                target = _place(folder, PurePosixPath(info.filename).name)
                with archive.open(info) as packed:
                    left -= _copy(packed, target, name, packed_size=info.compress_size, left=left, limits=limits)
                found.append(_inner(target, name, folder, limits, keeper))
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError, OSError) as error:
        raise DataError(f"'{path.name}' is a broken or protected zip archive: {error}.") from error
    if not found:
        raise DataError(f"'{path.name}' holds no table: no CSV, Parquet, JSON lines or Excel file.")
    return found


def _inner(target: Path, name: str, folder: Path, limits: Limits, keeper: object) -> Member:
    """Return a member; one that is itself packed by gzip is unpacked once more, a zip within a zip is refused."""
    with target.open("rb") as file:
        start = file.read(4)
    if start.startswith(b"\x1f\x8b"):
        return _gunzip(target, name, folder, limits, keeper)
    if start == b"PK\x03\x04" and not _is_workbook(target):
        raise DataError(f"'{name}' is an archive within an archive; unpack it first.")
    return Member(target, name, keeper)


def _refuse_strange(archive: str, info: zipfile.ZipInfo) -> None:
    name = info.filename.replace("\\", "/")
    if name.startswith("/") or ".." in PurePosixPath(name).parts or ":" in name.split("/")[0]:
        raise DataError(
            f"'{archive}' holds a file that wants to lie outside of it ('{info.filename}'); it is not opened."
        )
    if info.flag_bits & 0x1:
        raise DataError(f"'{archive}' is protected by a password; unpack it first.")
    if (info.external_attr >> 16) & 0o170000 == 0o120000:
        raise DataError(f"'{archive}' holds a link ('{info.filename}') in place of a file; it is not opened.")


def _is_table(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__")) for part in path.parts)
    return not hidden and path.suffix.lower() in _TABLES and not path.name.lower().startswith(_PROSE)


def _place(folder: Path, name: str) -> Path:
    """Return a path of our own making in the folder: a number, and of the name only what is harmless."""
    number = sum(1 for _ in folder.iterdir())
    harmless = "".join(
        letter if (letter.isalnum() and letter.isascii()) or letter in "._-" else "_" for letter in name
    )[-80:]
    return folder / f"{number:04d}_{harmless.lstrip('.')}"


def _copy(packed: Readable, target: Path, name: str, *, packed_size: int, left: int, limits: Limits) -> int:
    """Unpack to `target` and return the size, stopping as soon as it goes beyond the limits."""
    size = 0
    with target.open("wb") as file:
        while block := packed.read(_BLOCK):
            size += len(block)
            if size > left:
                raise DataError(f"'{name}' unpacks to more than {limits.unpacked_bytes:,} bytes; it was not taken.")
            if size > 10 * MIB and size > limits.unpack_ratio * max(packed_size, 1):
                raise DataError(
                    f"'{name}' grows more than {limits.unpack_ratio:.0f} times when unpacked, "
                    "as a zip bomb does; it was not taken."
                )
            file.write(block)
    return size
