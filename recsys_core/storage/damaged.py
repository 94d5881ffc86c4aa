"""Damaged folders of a workspace: they are quarantined and reported; only the user removes them."""

import contextlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from recsys_core.errors import StoreError
from recsys_core.storage.files import children
from recsys_core.text import _

SET_ASIDE = "set_aside"
NOTE = "note.txt"
Kind = Literal["data set", "experiment", "model", "strategy", "tuning"]


@dataclass(frozen=True)
class DamagedFolder:
    """A damaged folder.

    Args:
        path: Its location.
        kind: What it was.
        name: Its display name, if that is still readable, else the folder name.
        reason: What is wrong.
    """

    path: Path
    kind: Kind
    name: str
    reason: str

    @property
    def key(self) -> str:
        """Identifier within the workspace: parent folder and name."""
        return f"{self.path.parent.name}/{self.path.name}"


def move_aside(root: Path, folder: Path, reason: str, name: str = "") -> Path:
    """Quarantine a folder with a note about the reason; return its new location.

    A note that cannot be written is omitted: preserving the folder matters more.

    Raises:
        OSError: The folder cannot be moved.
    """
    now = datetime.now(UTC)
    target = root / SET_ASIDE / f"{name or folder.name}-{now:%Y%m%dT%H%M%S%f}"
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(target)
    with contextlib.suppress(OSError):
        (target / NOTE).write_text(f"{reason} Set aside {now:%Y-%m-%d %H:%M} UTC.\n", encoding="utf-8")
    return target


def move_file_aside(root: Path, path: Path, reason: str, name: str) -> Path:
    """Quarantine one file in a folder of its own, with a note about the reason; return that folder.

    Raises:
        OSError: The file cannot be moved.
    """
    now = datetime.now(UTC)
    target = root / SET_ASIDE / f"{name}-{now:%Y%m%dT%H%M%S%f}"
    target.mkdir(parents=True)
    path.rename(target / path.name)
    with contextlib.suppress(OSError):
        (target / NOTE).write_text(f"{reason} Set aside {now:%Y-%m-%d %H:%M} UTC.\n", encoding="utf-8")
    return target


def note_of(folder: Path) -> str:
    """Return the note of a quarantined folder."""
    try:
        return (folder / NOTE).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return _("It was set aside without a note.")


def set_aside(root: Path) -> list[Path]:
    """Return the quarantined folders of a workspace, latest first."""
    return children(root / SET_ASIDE)[::-1]


def remove(key: str, damaged: Iterable[DamagedFolder]) -> None:
    """Remove a damaged folder permanently.

    Raises:
        StoreError: The folder is not damaged, or cannot be removed.
    """
    found = next((one for one in damaged if one.key == key), None)
    if found is None:
        raise StoreError(_("'{key}' is not a damaged folder of this workspace; nothing was removed.").format(key=key))
    try:
        shutil.rmtree(found.path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(
            _("'{found_path}' cannot be removed: {strerror}; remove it manually.").format(
                found_path=found.path, strerror=error.strerror or error
            )
        ) from error
