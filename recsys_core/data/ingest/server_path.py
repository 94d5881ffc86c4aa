"""The server folder that the Data page may read, if the operator allows one."""

import os
from pathlib import Path

from recsys_core.errors import DataError
from recsys_core.text import _


def data_root() -> Path | None:
    """Return the folder named by `RECSCOPE_DATA_ROOT`, None if no folder is allowed."""
    named = os.environ.get("RECSCOPE_DATA_ROOT")
    return Path(named).resolve() if named else None


def resolve_server_path(text: str) -> Path:
    """Return the file or folder at a path relative to the allowed folder, or absolute within it.

    Links are resolved first, so a link out of the folder is refused.

    Raises:
        DataError: No folder is allowed, or the path is outside of it or does not exist.
    """
    root = data_root()
    if root is None:
        raise DataError(_("Files on the server cannot be read: RECSCOPE_DATA_ROOT is not set."))
    outside = DataError(_("'{path}' is not in the allowed folder.").format(path=text))
    if "\x00" in text:
        raise outside
    try:
        path = (root / text.strip()).resolve()
        inside = path.is_relative_to(root)
        present = inside and path.exists()
    except (OSError, RuntimeError) as error:
        raise outside from error
    if not inside:
        raise outside
    if not present:
        raise DataError(_("There is no file '{text}' in the allowed folder.").format(text=text))
    if not (path.is_file() or path.is_dir()):
        raise DataError(_("'{text}' is a device, pipe or socket, not a file.").format(text=text))
    return path
