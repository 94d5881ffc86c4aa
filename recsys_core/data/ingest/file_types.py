"""Detect file types from the first bytes, never from the name."""

from typing import Literal

Packed = Literal["gzip", "bzip2", "xz", "zip", "tar"]

START_BYTES = 512
"""Number of leading bytes needed for detection."""
_TAR_MAGIC = slice(257, 262)
_TAR_CHECKSUM = slice(148, 156)
_PACKED: tuple[tuple[bytes, Packed], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08", "zip"),
)
_UNPACK = "unpack it first and choose the files in it, or pack them as zip, gzip, bzip2, xz or tar"
_EXPORT = "export the table as CSV or Parquet"
_REFUSED = (
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive (.7z)", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed by Zstandard (.zst)", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive (.rar)", _UNPACK),
    (b"\x04\x22\x4d\x18", "compressed by LZ4 (.lz4)", _UNPACK),
    (b"\x02\x21\x4c\x18", "compressed by LZ4 (.lz4)", _UNPACK),
    (b"LZIP", "compressed by lzip (.lz)", _UNPACK),
    (b"\x1f\x9d", "compressed by compress (.Z)", _UNPACK),
    (b"\x1f\xa0", "compressed by compress (.Z)", _UNPACK),
    (b"\xff\x06\x00\x00sNaPpY", "compressed by Snappy (.sz)", _UNPACK),
    (b"MSCF", "a cabinet archive (.cab)", _UNPACK),
    (b"SQLite format 3\x00", "an SQLite database", _EXPORT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _EXPORT),
    (b"\x93NUMPY", "a NumPy array (.npy)", _EXPORT),
    (b"ARROW1", "an Arrow or Feather file", _EXPORT),
    (b"ORC", "an ORC file", _EXPORT),
    (b"Obj\x01", "an Avro file", _EXPORT),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file (.mat)", _EXPORT),
    (b"RDX2\n", "an R data file", _EXPORT),
    (b"RDX3\n", "an R data file", _EXPORT),
    (b"%PDF-", "a PDF document", _EXPORT),
    (b"\x89PNG\r\n\x1a\n", "a picture", _EXPORT),
    (b"\xff\xd8\xff", "a picture", _EXPORT),
    (b"\x7fELF", "a program", _EXPORT),
)
"""Magic bytes of unsupported formats, with description and advice."""


def packed_as(start: bytes) -> Packed | None:
    """Return the archive or compression type of a file, None for others.

    Args:
        start: Its first `START_BYTES` bytes.
    """
    for magic, kind in _PACKED:
        if start.startswith(magic) and _is_plausible(kind, start):
            return kind
    return "tar" if _is_tar(start) else None


def refusal(start: bytes) -> str | None:
    """Return description and advice for a known but unsupported format, None for others.

    Args:
        start: Its first bytes.
    """
    for magic, what, advice in _REFUSED:
        if start.startswith(magic):
            return f"is {what}, which is not supported; {advice}"
    if _is_pickle(start):
        return f"is a Python pickle, which can run code when opened, and is not supported; {_EXPORT}"
    return None


def _is_plausible(kind: Packed, start: bytes) -> bool:
    """Return whether the bytes after the magic fit too: a text may begin with `BZh`."""
    return kind != "bzip2" or (start[3:4].isdigit() and start[4:10] in {b"1AY&SY", b"\x17rE8P\x90"})


def _is_tar(start: bytes) -> bool:
    if start[_TAR_MAGIC] == b"ustar":
        return True
    field = start[_TAR_CHECKSUM].strip(b" \x00")
    if len(start) < START_BYTES or not field or any(digit not in b"01234567" for digit in field):
        return False
    counted = sum(start) - sum(start[_TAR_CHECKSUM]) + 8 * ord(" ")
    return int(field, 8) == counted


def _is_pickle(start: bytes) -> bool:
    return len(start) > 2 and start[0] == 0x80 and start[1] in (2, 3, 4, 5) and not start[2:3].isalnum()
