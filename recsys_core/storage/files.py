"""Writing a file so that it is either whole or not there, and waiting until it is on the disk itself."""

import os
from pathlib import Path
from uuid import uuid4

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


def replace_text(path: Path, text: str) -> None:
    """Write a text file in one step: aside, synced, renamed. A reader sees the old one or the whole new one.

    Raises:
        OSError: The disk refused; what stood at `path` before is still there.
    """
    aside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        aside.write_text(text, encoding="utf-8")
        sync(aside)
        os.replace(aside, path)
        sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)
