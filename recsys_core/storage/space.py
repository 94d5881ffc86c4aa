"""Check free disk space, and reserve some before operations that must not fail halfway."""

import os
import shutil
from pathlib import Path
from uuid import uuid4

from recsys_core.storage.files import sync

LITTLE_BYTES = 65_536
"""Minimum free space for a job to record its status."""


def is_full(path: Path) -> bool:
    """Return whether the disk of a folder is practically full for this user."""
    try:
        return shutil.disk_usage(path).free < LITTLE_BYTES
    except OSError:
        return False


def make_sure_of_room(folder: Path, amount: int) -> None:
    """Write and delete this number of bytes, the only reliable way to detect a quota.

    Raises:
        OSError: The space is not available.
    """
    path = folder / f".room-{uuid4().hex[:8]}.part"
    try:
        with path.open("wb") as file:
            file.write(os.urandom(amount))
        sync(path)
    finally:
        path.unlink(missing_ok=True)
