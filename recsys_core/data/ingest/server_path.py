"""The one folder on the server that the Data page may read, if the operator allows one."""

import os
from pathlib import Path

from recsys_core.errors import DataError


def data_root() -> Path | None:
    """Return the folder that `RECSCOPE_DATA_ROOT` names, None if no folder is allowed."""
    named = os.environ.get("RECSCOPE_DATA_ROOT")
    return Path(named).resolve() if named else None


def resolve_server_path(text: str) -> Path:
    """Return the file or folder that a person named, relative to the allowed folder or absolute within it.

    Links are followed first: what counts is where the file really lies.

    Raises:
        DataError: No folder is allowed, the path leads out of it, or there is nothing.
    """
    root = data_root()
    if root is None:
        raise DataError("Files on the server cannot be read: the operator has set no RECSCOPE_DATA_ROOT.")
    outside = DataError(f"'{text}' is not in the folder that may be read.")
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
        raise DataError(f"There is no file '{text}' in the folder that may be read.")
    if not (path.is_file() or path.is_dir()):
        raise DataError(f"'{text}' is a device, a pipe or a socket in place of a file; it is not opened.")
    return path
