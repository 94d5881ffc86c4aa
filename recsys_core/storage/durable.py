"""Writing to disk so that a file is either whole or not there: aside, synced, renamed. Errors of the disk in words."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from recsys_core.errors import Damaged, DiskFull, StoreError
from recsys_core.storage import checksums, locks
from recsys_core.storage.files import sync
from recsys_core.storage.permissions import close

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK_WORDS = {
    errno.ENOSPC: "the disk is full; free some space and start it again",
    errno.EDQUOT: "the disk quota is used up; free some space and start it again",
    errno.EACCES: "this is not allowed; check who owns the folder",
    errno.EPERM: "this is not allowed; check who owns the folder",
    errno.EROFS: "the disk is read-only",
    errno.EIO: "the disk reports an error of its own; check it before going on",
}
"""What to tell a person when the operating system refuses."""


def store_error(path: Path, error: OSError) -> StoreError:
    """Return what went wrong on disk as a sentence that says what to do."""
    words = DISK_WORDS.get(error.errno or 0, f"the system says: {error.strerror or error}")
    kind = DiskFull if error.errno in FULL else StoreError
    return kind(f"Cannot write '{path.name}': {words}.")


@contextlib.contextmanager
def disk_errors_in_words(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into `StoreError`.

    Raises:
        StoreError: Anything that the operating system refused inside the block.
    """
    try:
        yield
    except OSError as error:
        raise store_error(path, error) from error


@contextlib.contextmanager
def safetensors_errors(path: Path) -> Iterator[None]:
    """Turn what safetensors says about the disk into `StoreError`.

    Raises:
        StoreError: The disk refused inside the block.
    """
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        full = "No space left" in str(error)
        raise store_error(path, OSError(errno.ENOSPC if full else 0, str(error))) from error


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; it takes the place of `path`, synced, when the block ends well.

    A symbolic link stays one: the file that it leads to is replaced.

    Raises:
        StoreError: The disk refused, or what stands there is no file; what stood at `path` before is still there.
    """
    path = path.resolve() if path.is_symlink() else path
    if path.exists() and not path.is_file():
        raise StoreError(f"Cannot write '{path}': it is no file but a folder, a pipe or a device. Choose another name.")
    aside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        with disk_errors_in_words(path):
            yield aside
            sync(aside)
            os.replace(aside, path)
            sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step: a reader sees the old one or the whole new one.

    Raises:
        StoreError: The disk refused.
    """
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON in one step; NaN is refused, since other readers of JSON do not know it.

    Raises:
        StoreError: The disk refused.
    """
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1))


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        StoreError: It is not there, or not whole.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"'{path.name}' is missing in {path.parent}.") from error
    except (OSError, ValueError) as error:
        raise StoreError(f"'{path.name}' in {path.parent} cannot be read: {error}.") from error


def write_record(path: Path, values: Mapping[str, Any]) -> None:
    """Write a record that carries its own checksum, in one step.

    Raises:
        StoreError: The disk refused.
    """
    with disk_errors_in_words(path):
        checksums.write_record(path, values)


def read_record(path: Path) -> dict[str, Any]:
    """Return a record whose checksum is right, or that an earlier version wrote without one.

    Raises:
        Damaged: It is missing, cannot be read, or is not what was written.
    """
    try:
        return checksums.read_record(path)
    except Damaged as error:
        raise Damaged(f"{error} (in {path.parent}).") from error


@contextlib.contextmanager
def folder_written_aside(path: Path, staging: Path) -> Iterator[Path]:
    """Give an empty folder in `staging` to fill; it becomes `path`, synced, when the block ends well.

    If `path` exists by then, because another process was faster, that one stays and the new one is dropped.

    Raises:
        StoreError: The disk refused; nothing stands at `path` then.
    """
    aside = staging / f"{path.name}-{uuid4().hex[:8]}"
    try:
        with disk_errors_in_words(path):
            aside.mkdir(parents=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            yield aside
            close(aside)
            for folder, _, names in os.walk(aside):
                for name in names:
                    sync(Path(folder, name))
                sync(Path(folder))
            _take_place(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _take_place(aside: Path, path: Path) -> None:
    try:
        os.rename(aside, path)
    except OSError as error:
        if not path.is_dir() or error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES):
            raise  # EACCES: what Windows says of a folder that is there
    sync(path.parent)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` (made if it is not there) against all other processes and threads.

    Raises:
        StoreError: The file cannot be opened, for instance because its folder was deleted.
    """
    with contextlib.ExitStack() as stack:
        with disk_errors_in_words(path):
            stack.enter_context(locks.locked(path))
        yield
