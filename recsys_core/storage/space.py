"""Room on the disk: whether there is any, and taking some before something is begun that must not be left half-done."""

import os
import shutil
from pathlib import Path
from uuid import uuid4

from recsys_core.storage.files import sync

LITTLE_BYTES = 65_536
"""With less than this a job cannot even note that it began and how it ended."""


def is_full(path: Path) -> bool:
    """Return whether the disk that holds a folder has next to no room left for this user."""
    try:
        return shutil.disk_usage(path).free < LITTLE_BYTES
    except OSError:
        return False


def make_sure_of_room(folder: Path, amount: int) -> None:
    """Take that many bytes and give them back, since a quota shows in no other way.

    Raises:
        OSError: They are not there.
    """
    path = folder / f".room-{uuid4().hex[:8]}.part"
    try:
        with path.open("wb") as file:
            file.write(os.urandom(amount))
        sync(path)
    finally:
        path.unlink(missing_ok=True)
