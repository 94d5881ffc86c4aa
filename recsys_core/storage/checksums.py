"""Checksums of what is stored: written with it, and compared when it is opened.

Records (JSON) carry a checksum of themselves. The record that is written last into a folder also lists its other files,
each with size and SHA-256, so that one damaged bit anywhere is noticed. What an earlier version stored has neither,
and is opened unverified.

A file is hashed once in a process: what was found is remembered by its identity (device, inode, size, time of the last
change), so that opening it again costs one look at the folder.
"""

import hashlib
import json
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recsys_core.errors import Damaged
from recsys_core.storage.files import write_text

CHECKSUM = "checksum"
"""Where a record keeps the checksum of all else in it."""
KIND = "sha256:"
"""What a checksum begins with, so that it is recognized even where its name is damaged."""
FILES = "files"
"""Where a record lists the files beside it."""
PARQUET, PARQUET_MARK = ".parquet", b"PAR1"
SETTLED_SECONDS = 2.0
"""A file that was changed less long ago may change again within the same tick of the file system's clock."""
REMEMBERED = 20_000

Identity = tuple[int, int, int, int]


@dataclass(frozen=True)
class FileSum:
    """What a file must be.

    Args:
        bytes: Its size.
        sha256: Its SHA-256, in hexadecimal.
    """

    bytes: int
    sha256: str


FileSums = Mapping[str, FileSum]
"""Name of a file in a folder -> what it must be."""


class _Memory:
    """What this process has found out about files, the latest first to stay."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[Identity, str], bool] = OrderedDict()

    def get(self, found: Identity, sha256: str) -> bool | None:
        """Return whether a file has that checksum; None if nobody has looked."""
        with self._lock:
            return self._found.get((found, sha256))

    def put(self, found: Identity, sha256: str, *, is_right: bool) -> None:
        """Remember what was found, but of files that may still be changing."""
        if is_right and not is_settled(found):
            return
        with self._lock:
            self._found[found, sha256] = is_right
            while len(self._found) > REMEMBERED:
                self._found.popitem(last=False)


_memory = _Memory()


def file_sum(path: Path) -> FileSum:
    """Return size and SHA-256 of a file.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileSum(os.fstat(file.fileno()).st_size, digest)


def file_sums(folder: Path, names: Iterable[str]) -> dict[str, FileSum]:
    """Return what these files of a folder are, by name.

    Raises:
        OSError: One of them cannot be read.
    """
    return {name: file_sum(folder / name) for name in sorted(names)}


def sums_to_json(sums: FileSums) -> dict[str, dict[str, Any]]:
    """Return plain values."""
    return {name: asdict(one) for name, one in sums.items()}


def sums_from_json(values: Any) -> dict[str, FileSum] | None:
    """Read back what `sums_to_json` gave; None stays None.

    Raises:
        TypeError, AttributeError: It is something else.
    """
    return None if values is None else {str(name): FileSum(**one) for name, one in values.items()}


def identity(path: Path) -> Identity:
    """Return what changes whenever a file is replaced or written to.

    Raises:
        Damaged: It is a folder or something else that holds no bytes.
        OSError: There is no such file, or it may not be looked at.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise Damaged(f"'{path.name}' is no file")
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def is_settled(one: Identity) -> bool:
    """Return whether a file was last changed so long ago that its identity tells of every further change."""
    return time.time() - one[3] / 1e9 >= SETTLED_SECONDS


def verify(path: Path, expected: FileSum | None, *, deep: bool = True) -> None:
    """Compare a file with what it must be.

    Args:
        path: The file.
        expected: What was written; None for files of earlier versions, of which only the existence is looked at.
        deep: Whether to read it; else its size is compared, and what this process knows of it already.

    Raises:
        Damaged: It is missing, cannot be read, or is not what was written.
    """
    try:
        found = identity(path)
        if expected is None:
            _verify_frame(path, found)
            return
        if found[2] != expected.bytes:
            raise Damaged(f"'{path.name}' has {found[2]:,} bytes instead of {expected.bytes:,}")
        is_right = _memory.get(found, expected.sha256)
        if is_right is None and deep:
            is_right = file_sum(path).sha256 == expected.sha256
            _memory.put(found, expected.sha256, is_right=is_right)
    except FileNotFoundError as error:
        raise Damaged(f"'{path.name}' is missing") from error
    except OSError as error:
        raise Damaged(f"'{path.name}' cannot be read ({error.strerror or error})") from error
    if is_right is False:
        raise Damaged(f"'{path.name}' is not what was written: its checksum differs")


def _verify_frame(path: Path, found: Identity) -> None:
    """Look whether a Parquet file of an earlier version begins and ends as one, which no file that was cut off does.

    Raises:
        Damaged: It does not.
        OSError: It cannot be read.
    """
    if path.suffix != PARQUET or _memory.get(found, PARQUET):
        return
    with path.open("rb") as file:
        first = file.read(len(PARQUET_MARK))
        file.seek(max(0, found[2] - len(PARQUET_MARK)))
        last = file.read()
    if not first == last == PARQUET_MARK:
        raise Damaged(f"'{path.name}' is no whole Parquet file")
    _memory.put(found, PARQUET, is_right=True)


def write_record(path: Path, values: Mapping[str, Any]) -> None:
    """Write a record with its checksum, in one step; NaN is refused, since other readers of JSON do not know it.

    Raises:
        StoreError: The disk refused.
    """
    plain = json.loads(json.dumps(values, allow_nan=False))  # what a reader will find: texts as keys, lists
    kept = {name: value for name, value in plain.items() if name != CHECKSUM}
    text = json.dumps(kept | {CHECKSUM: _checksum(kept)}, ensure_ascii=False, allow_nan=False, indent=1)
    write_text(path, text)


def read_record(path: Path) -> dict[str, Any]:
    """Return a record without its checksum; one of an earlier version has none and is not verified.

    Raises:
        Damaged: It is missing, cannot be read, or is not what was written.
    """
    try:
        return _record(path)
    except Damaged as error:
        raise Damaged(f"{error} (in {path.parent}).") from error


def _record(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        if not text.strip("\0 \n"):
            raise Damaged(f"'{path.name}' is empty")
        values = json.loads(text)
    except FileNotFoundError as error:
        raise Damaged(f"'{path.name}' is missing") from error
    except OSError as error:
        raise Damaged(f"'{path.name}' cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise Damaged(f"'{path.name}' is no valid JSON ({error})") from error
    if not isinstance(values, dict):
        raise Damaged(f"'{path.name}' holds no record")
    written = values.pop(CHECKSUM, None)
    name_is_damaged = any(isinstance(value, str) and value.startswith(KIND) for value in values.values())
    if (written is not None or name_is_damaged) and written != _checksum(values):
        raise Damaged(f"'{path.name}' is not what was written: its checksum differs")
    return values


def _checksum(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of values in one form: keys sorted, no blanks."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return KIND + hashlib.sha256(text.encode()).hexdigest()
