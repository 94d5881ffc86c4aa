"""Write files and folders atomically: to a temporary name, synced, then renamed."""

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
from recsys_core.text import _

IS_WINDOWS = os.name == "nt"


def sync(path: Path) -> None:
    """Flush a file or folder to disk.

    Windows cannot sync folders, and requires files to be open for writing.

    Raises:
        OSError: Syncing failed.
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
    """Yield a temporary path next to `path`; on success it is synced and replaces `path`.

    Symbolic links are preserved: the target file is replaced.

    Raises:
        StoreError: Writing failed, or `path` is not a regular file; the previous content of `path` is unchanged.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path  # in a loop of links, the link itself
    if path.exists() and not path.is_file():
        raise StoreError(
            _("Cannot write '{path}': it is a folder, a pipe or a device. Choose another name.").format(path=path)
        )
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
    """Write a text file atomically: readers see either the old or the complete new file.

    Raises:
        StoreError: Writing failed.
    """
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON atomically; NaN is refused, since it is not valid JSON.

    Raises:
        StoreError: Writing failed.
    """
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1))


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        StoreError: The file is missing or invalid.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(
            _("'{path_name}' is missing in {parent}.").format(path_name=path.name, parent=path.parent)
        ) from error
    except (OSError, ValueError, RecursionError) as error:  # the last one: nested too deeply
        raise StoreError(
            _("'{path_name}' in {parent} cannot be read: {error}.").format(
                path_name=path.name, parent=path.parent, error=error
            )
        ) from error


def children(folder: Path) -> list[Path]:
    """Return the subfolders of a folder, by name; empty if it does not exist or cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []


@contextlib.contextmanager
def folder_written_aside(path: Path, staging: Path) -> Iterator[Path]:
    """Yield an empty folder in `staging`; on success it is synced and renamed to `path`.

    If another process has created `path` in the meantime, that folder is kept and the new one discarded.

    Raises:
        StoreError: Writing failed; `path` was not created.
    """
    aside = staging / f"aside-{path.name}-{uuid4().hex[:8]}"
    try:
        with disk_errors_in_words(path):
            aside.mkdir(parents=True)
            yield aside
            take_place(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def take_place(aside: Path, path: Path) -> None:
    """Rename a complete folder to `path` after syncing it; an existing folder is kept, and the new one stays aside.

    Raises:
        StoreError: A disk error.
    """
    with disk_errors_in_words(path):
        close(aside)
        for folder, _, names in os.walk(aside):
            for name in names:
                sync(Path(folder, name))
            sync(Path(folder))
        path.parent.mkdir(parents=True, exist_ok=True)
        _rename_folder(aside, path)


def _rename_folder(aside: Path, path: Path) -> None:
    try:
        os.rename(aside, path)
    except OSError as error:
        if not path.is_dir() or error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES):
            raise  # EACCES: Windows' error for an existing folder
    sync(path.parent)
