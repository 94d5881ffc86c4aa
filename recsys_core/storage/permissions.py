"""Files of the workspace are their owner's alone: folders 0700, files 0600.

Processes of the product set `OTHERS` as their umask, so whatever they write is private. A notebook or the command line
keeps its own umask; there the workspace's folder lets nobody else in, and finished data sets and runs are closed.
"""

import logging
import os
import stat
from pathlib import Path

logger = logging.getLogger(__name__)
OTHERS = 0o077
"""What others may not do; as a umask, and as the part of a mode that is taken away."""


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter; one that others could enter is closed with all that is in it.

    A folder that everybody shares by intention, such as `/tmp`, is left as it is.

    Raises:
        OSError: The disk refused.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if _is_open(folder) and not folder.stat().st_mode & stat.S_ISVTX:
        close(folder)


def close(folder: Path) -> None:
    """Take a folder and all that is in it away from others, as far as it is ours; links are not followed."""
    _close_one(folder)  # first: from here on nobody else gets in
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
        return  # another process took it away meanwhile
    except PermissionError:
        logger.warning("'%s' belongs to somebody else, who decides who may read it.", path)
