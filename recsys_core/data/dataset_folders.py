"""Data set folders of a workspace: existing, incomplete, and quarantined ones."""

import contextlib
import json
import shutil
import time
from pathlib import Path

import psutil

from recsys_core.data.meta import META, DatasetCard
from recsys_core.errors import Damaged
from recsys_core.storage.checksums import Identity, identity, is_settled
from recsys_core.storage.damaged import DamagedFolder, move_aside, note_of, set_aside
from recsys_core.storage.files import children

OWNER = "owner.json"
RUN_PREFIX, STRATEGY_PREFIX, TUNING_PREFIX = "run-", "strategy-", "tuning-"
"""Name prefixes of what is quarantined beside data sets."""
YOUNG_SECONDS = 60.0
"""A younger folder may not name its writing process yet."""


class MetaReader:
    """Reads data set metadata, caching each file until it changes."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Identity, DatasetCard]] = {}

    def read(self, folder: Path) -> DatasetCard:
        """Return the metadata of a data set.

        Raises:
            Damaged: The metadata cannot be read.
        """
        found: Identity | None = None
        with contextlib.suppress(OSError, Damaged):  # DatasetCard.read reports the problem
            found = identity(folder / META)
        known = self._known.get(folder)
        if known is not None and known[0] == found:
            return known[1]
        meta = DatasetCard.read(folder)
        if found is not None and is_settled(found):
            self._known[folder] = found, meta
        return meta


def check_everything(folder: Path, meta: DatasetCard) -> None:
    """Read every file of a data set and verify its checksum.

    Raises:
        Damaged: A file is missing, or differs from what was written.
    """
    from recsys_core.data.folder import check_file, check_folder

    check_folder(folder, meta, deep=True)
    for name in meta.files or {}:
        if name != META:  # listed by earlier versions, before it was written for the last time
            check_file(folder, meta, name)


def data_sets_aside(root: Path) -> list[DamagedFolder]:
    """Return the quarantined data sets, latest first."""
    found = []
    for path in set_aside(root):
        if path.name.startswith((RUN_PREFIX, STRATEGY_PREFIX, TUNING_PREFIX)):
            continue
        name = path.name
        with contextlib.suppress(Damaged):
            name = DatasetCard.read(path).name
        found.append(DamagedFolder(path, "data set", name, note_of(path)))
    return found


def half_written_apart(root: Path) -> list[str]:
    """Move incomplete folders to `set_aside`, each with a note, and return the notes.

    A folder that cannot be moved stays in place: it is not a data set, and nothing depends on it.
    """
    notes = []
    abandoned = [folder for folder in children(root / "staging") if not _owner_lives(folder)]
    for folder in [*abandoned, *_without_facts(root)]:
        if folder.name.startswith("deleted-"):
            shutil.rmtree(folder, ignore_errors=True)
            continue
        note = f"'{folder.name}' was half-written when its process ended. It can be deleted."
        with contextlib.suppress(OSError):
            move_aside(root, folder, note)
            notes.append(note)
    return notes


def _without_facts(root: Path) -> list[Path]:
    """Return the data set folders without metadata, which is written last."""
    found = []
    for folder in children(root / "datasets"):
        with contextlib.suppress(OSError):  # an unreadable folder is damaged, not incomplete
            if META not in {path.name for path in folder.iterdir()}:
                found.append(folder)
    return found


def _owner_lives(folder: Path) -> bool:
    """Return whether the process that writes a folder is alive."""
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        return abs(psutil.Process(int(owner["pid"])).create_time() - float(owner["started"])) < 1.0
    except (OSError, ValueError, KeyError, TypeError):
        try:
            return time.time() - folder.stat().st_mtime < YOUNG_SECONDS
        except OSError:
            return True
    except psutil.Error:
        return False
