"""Checksums of stored data: written with the data and verified on opening.

Records (JSON) contain a checksum of themselves. The record written last into a folder also lists the other files with
size and SHA-256, so that any damaged bit is detected. Data stored by earlier versions have no checksums and are opened
unverified.

A file is hashed once per process: the result is cached by file identity (device, inode, size, modification time), so
opening it again costs only a stat call.
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
from recsys_core.text import _

CHECKSUM = "checksum"
"""Key of a record's own checksum."""
KIND = "sha256:"
"""Prefix of a checksum, so that it is recognized even if its key is damaged."""
FILES = "files"
"""Key of the list of files in a record's folder."""
PARQUET, PARQUET_MARK = ".parquet", b"PAR1"
SETTLED_SECONDS = 2.0
"""A more recently changed file may change again within the resolution of the file system clock."""
REMEMBERED = 20_000

Identity = tuple[int, int, int, int]


@dataclass(frozen=True)
class FileSum:
    """Expected size and checksum of a file.

    Args:
        bytes: Size in bytes.
        sha256: SHA-256, in hexadecimal.
    """

    bytes: int
    sha256: str


FileSums = Mapping[str, FileSum]
"""File name -> expected size and checksum."""


class _Memory:
    """Cache of verification results in this process, with FIFO eviction."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: OrderedDict[tuple[Identity, str], bool] = OrderedDict()

    def get(self, one: Identity, sha256: str) -> bool | None:
        """Return whether a file has that checksum; None if it was not verified."""
        with self._lock:
            return self._results.get((one, sha256))

    def put(self, one: Identity, sha256: str, *, is_right: bool) -> None:
        """Cache a result, unless it is positive and the file may still be changing."""
        if is_right and not is_settled(one):
            return
        with self._lock:
            self._results[one, sha256] = is_right
            while len(self._results) > REMEMBERED:
                self._results.popitem(last=False)


_memory = _Memory()


def file_sum(path: Path) -> FileSum:
    """Return size and SHA-256 of a file.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileSum(os.fstat(file.fileno()).st_size, digest)


def file_sums(folder: Path, names: Iterable[str]) -> dict[str, FileSum]:
    """Return size and SHA-256 of files in a folder, by name.

    Raises:
        OSError: A file cannot be read.
    """
    return {name: file_sum(folder / name) for name in sorted(names)}


def sums_to_json(sums: FileSums) -> dict[str, dict[str, Any]]:
    """Return plain values."""
    return {name: asdict(one) for name, one in sums.items()}


def sums_from_json(values: Any) -> dict[str, FileSum] | None:
    """Read back what `sums_to_json` returned; None stays None.

    Raises:
        TypeError, AttributeError: The values are invalid.
    """
    return None if values is None else {str(name): FileSum(**one) for name, one in values.items()}


def identity(path: Path) -> Identity:
    """Return device, inode, size and modification time, which change when a file is replaced or written.

    Raises:
        Damaged: The path is not a regular file.
        OSError: The file does not exist or is not accessible.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise Damaged(_("'{path_name}' is not a file").format(path_name=path.name))
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def is_settled(one: Identity) -> bool:
    """Return whether the last change is old enough for any further change to alter the identity."""
    return time.time() - one[3] / 1e9 >= SETTLED_SECONDS


def verify(path: Path, expected: FileSum | None, *, deep: bool = True) -> None:
    """Verify a file.

    Args:
        path: The file.
        expected: Expected size and checksum; None for files of earlier versions, which get basic checks only.
        deep: Whether to compute the checksum; else only the size and cached results are checked.

    Raises:
        Damaged: The file is missing, unreadable, or differs from what was written.
    """
    try:
        found = identity(path)
        if expected is None:
            _verify_frame(path, found)
            return
        if found[2] != expected.bytes:
            raise Damaged(
                _("'{path_name}' has {found:,} bytes instead of {bytes:,}").format(
                    path_name=path.name, found=found[2], bytes=expected.bytes
                )
            )
        is_right = _memory.get(found, expected.sha256)
        if is_right is None and deep:
            is_right = file_sum(path).sha256 == expected.sha256
            _memory.put(found, expected.sha256, is_right=is_right)
    except FileNotFoundError as error:
        raise Damaged(_("'{path_name}' is missing").format(path_name=path.name)) from error
    except OSError as error:
        raise Damaged(
            _("'{path_name}' cannot be read ({strerror})").format(path_name=path.name, strerror=error.strerror or error)
        ) from error
    if is_right is False:
        raise Damaged(_("'{path_name}' is not what was written: its checksum differs").format(path_name=path.name))


def _verify_frame(path: Path, one: Identity) -> None:
    """Check the magic bytes at both ends of a Parquet file, which detects truncated files.

    Raises:
        Damaged: The magic bytes are missing.
        OSError: The file cannot be read.
    """
    if path.suffix != PARQUET or _memory.get(one, PARQUET):
        return
    with path.open("rb") as file:
        first = file.read(len(PARQUET_MARK))
        file.seek(max(0, one[2] - len(PARQUET_MARK)))
        last = file.read()
    if not first == last == PARQUET_MARK:
        raise Damaged(_("'{path_name}' is not a complete Parquet file").format(path_name=path.name))
    _memory.put(one, PARQUET, is_right=True)


def write_record(path: Path, values: Mapping[str, Any]) -> None:
    """Write a record with its checksum atomically; NaN is refused, since it is not valid JSON.

    Raises:
        StoreError: Writing failed.
    """
    plain = json.loads(json.dumps(values, allow_nan=False))  # as a reader will get it: text keys, lists
    kept = {name: value for name, value in plain.items() if name != CHECKSUM}
    text = json.dumps(kept | {CHECKSUM: _checksum(kept)}, ensure_ascii=False, allow_nan=False, indent=1)
    write_text(path, text)


def read_record(path: Path) -> dict[str, Any]:
    """Read a record and remove its checksum; records of earlier versions have none and are not verified.

    Raises:
        Damaged: The record is missing, unreadable, or differs from what was written.
    """
    try:
        return _record(path)
    except Damaged as error:
        raise Damaged(f"{error} (in {path.parent}).") from error


def _record(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        if not text.strip("\0 \n"):
            raise Damaged(_("'{path_name}' is empty").format(path_name=path.name))
        values = json.loads(text)
    except FileNotFoundError as error:
        raise Damaged(_("'{path_name}' is missing").format(path_name=path.name)) from error
    except OSError as error:
        raise Damaged(
            _("'{path_name}' cannot be read ({strerror})").format(path_name=path.name, strerror=error.strerror or error)
        ) from error
    except (ValueError, RecursionError) as error:
        raise Damaged(
            _("'{path_name}' is not valid JSON ({error})").format(path_name=path.name, error=error)
        ) from error
    if not isinstance(values, dict):
        raise Damaged(_("'{path_name}' is not a record").format(path_name=path.name))
    written = values.pop(CHECKSUM, None)
    name_is_damaged = any(isinstance(value, str) and value.startswith(KIND) for value in values.values())
    if (written is not None or name_is_damaged) and written != _checksum(values):
        raise Damaged(_("'{path_name}' is not what was written: its checksum differs").format(path_name=path.name))
    return values


def _checksum(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of values in canonical form: sorted keys, no white space."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return KIND + hashlib.sha256(text.encode()).hexdigest()
