"""Restrict workspace files to their owner: folders 0700, files 0600.

Server processes set `OTHERS` as their umask, so everything they write is private. Notebooks and the command line keep
their umask; there the workspace folder is private, and complete data sets and runs are made private.
"""

import logging
import os
import stat
from pathlib import Path

logger = logging.getLogger(__name__)
OTHERS = 0o077
"""Permission bits of group and others, as a umask and to clear from modes."""


def private_folder(folder: Path) -> None:
    """Create a private folder; an existing one that others can access is made private recursively.

    Shared folders with the sticky bit, such as `/tmp`, are left unchanged.

    Raises:
        OSError: The folder cannot be created.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if _is_open(folder) and not folder.stat().st_mode & stat.S_ISVTX:
        close(folder)


def close(folder: Path) -> None:
    """Remove all permissions of others from a folder and its content, where we own it; links are not followed."""
    _close_one(folder)  # first, so that no other user can enter from here on
    for base, folders, files in os.walk(folder):
        for name in (*folders, *files):
            _close_one(Path(base, name))


def _is_open(path: Path) -> bool:
    return os.name == "posix" and bool(path.stat().st_mode & OTHERS)


def _close_one(path: Path) -> None:
    try:
        if not path.is_symlink() and _is_open(path):
            path.chmod(path.stat().st_mode & 0o777 & ~OTHERS)
    except FileNotFoundError:
        return  # removed by another process in the meantime
    except PermissionError:
        logger.warning("'%s' belongs to another user; its permissions were not changed.", path)
