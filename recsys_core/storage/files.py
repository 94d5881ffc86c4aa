"""Writing files and folders that are either whole or not there: written aside, synced, renamed."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from recsys_core.errors import StoreError
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.permissions import close

IS_WINDOWS = os.name == "nt"


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk itself.

    Windows knows no such wait for folders, and wants the file open for writing.

    Raises:
        OSError: The disk refused.
    """
    if IS_WINDOWS and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if IS_WINDOWS else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; it takes the place of `path`, synced, when the block ends well.

    A symbolic link stays one: the file that it leads to is replaced.

    Raises:
        StoreError: The disk refused, or what stands there is no file; what stood at `path` before is still there.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path  # of a loop of links, the link itself
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


@contextlib.contextmanager
def folder_written_aside(path: Path, staging: Path) -> Iterator[Path]:
    """Give an empty folder in `staging` to fill; it becomes `path`, synced, when the block ends well.

    If `path` exists by then, because another process was faster, that one stays and the new one is dropped.

    Raises:
        StoreError: The disk refused; nothing stands at `path` then.
    """
    aside = staging / f"aside-{path.name}-{uuid4().hex[:8]}"
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
