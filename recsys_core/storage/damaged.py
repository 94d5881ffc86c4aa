"""Folders of a workspace that cannot be used: each is set apart and named, and nobody removes it but a person."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from recsys_core.errors import StoreError

SET_ASIDE = "set_aside"
NOTE = "note.txt"
Kind = Literal["data set", "experiment", "model"]


@dataclass(frozen=True)
class DamagedFolder:
    """A folder that cannot be used.

    Args:
        path: Where it is.
        kind: What it was to be.
        name: What people call it, as far as that can still be read.
        reason: Why it cannot be used, and since when.
    """

    path: Path
    kind: Kind
    name: str
    reason: str

    @property
    def key(self) -> str:
        """What names it inside the workspace: the folder it lies in and its own name."""
        return f"{self.path.parent.name}/{self.path.name}"


def move_aside(root: Path, folder: Path, reason: str, name: str = "") -> Path:
    """Move a folder out of the way with a note about why; return where it is now.

    A note that the disk refuses is left out: the folder itself is what must not get lost.

    Raises:
        OSError: It cannot be moved.
    """
    now = datetime.now(UTC)
    target = root / SET_ASIDE / f"{name or folder.name}-{now:%Y%m%dT%H%M%S%f}"
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(target)
    try:
        (target / NOTE).write_text(f"{reason} Set aside {now:%Y-%m-%d %H:%M} UTC.\n", encoding="utf-8")
    except OSError:
        return target
    return target


def note_of(folder: Path) -> str:
    """Return the note about a folder that was set aside."""
    try:
        return (folder / NOTE).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return "It was set aside without a note."


def set_aside(root: Path) -> list[Path]:
    """Return the folders that were set aside in a workspace, the latest first."""
    try:
        return sorted((path for path in (root / SET_ASIDE).iterdir() if path.is_dir()), reverse=True)
    except OSError:
        return []


def remove(key: str, damaged: Iterable[DamagedFolder]) -> None:
    """Remove a folder for good, if it is one of those that are damaged.

    Raises:
        StoreError: It is none of them, or the disk refused.
    """
    found = next((one for one in damaged if one.key == key), None)
    if found is None:
        raise StoreError(f"'{key}' is no damaged folder of this workspace; nothing was removed.")
    try:
        shutil.rmtree(found.path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"'{found.path}' cannot be removed: {error.strerror or error}; remove it by hand.") from error
