"""The workspace: data sets on disk, stored atomically.

Folders: `datasets/<fingerprint>` (complete), `staging` (being written), `set_aside` (quarantined: incomplete or
damaged).
"""

import contextlib
import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from recsys_core.data.dataset_folders import (
    OWNER,
    MetaReader,
    check_everything,
    data_sets_aside,
    half_written_apart,
)
from recsys_core.data.dataset_usage import experiments_at_work
from recsys_core.data.meta import META, DatasetCard, now
from recsys_core.data.report import IngestReport
from recsys_core.errors import Damaged, DataError, StoreError
from recsys_core.storage.checksums import FileSums, file_sum, file_sums
from recsys_core.storage.damaged import DamagedFolder, move_aside, remove
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import children, sync, written_aside
from recsys_core.storage.permissions import close, private_folder
from recsys_core.text import _

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.data.dataset import Dataset
    from recsys_core.data.folder import StoredDataset

logger = logging.getLogger(__name__)
REPORT, REJECTED = "report.json", "rejected.parquet"
LONGEST_NAME = 200


class Workspace:
    """Data sets in a folder. Several processes may share one workspace.

    Args:
        root: The folder; created if absent. Incomplete folders of ended processes are quarantined on opening.

    Raises:
        StoreError: The folder cannot be created or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root).resolve()
        with disk_errors_in_words(self.root):
            private_folder(self.root)
            for name in ("datasets", "staging", "set_aside"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
        self._metas = MetaReader()
        self._damaged: list[DamagedFolder] = []
        self.set_apart = half_written_apart(self.root)

    def datasets(self) -> list[DatasetCard]:
        """Return all usable data sets, latest first; see `damaged` for the others."""
        metas, _ = self._scan()
        return sorted(metas, key=lambda meta: (meta.created, meta.name), reverse=True)

    def damaged(self, *, look: bool = True) -> list[DamagedFolder]:
        """Return damaged and quarantined data sets.

        Args:
            look: Whether to scan the folders again; else the result of the last scan is used.
        """
        return (self._scan()[1] if look else self._damaged) + data_sets_aside(self.root)

    def remove_damaged(self, key: str) -> None:
        """Remove a damaged folder permanently.

        Args:
            key: See `DamagedFolder.key`.

        Raises:
            StoreError: There is no such folder, or it is not damaged.
        """
        remove(key, self.damaged())

    def verify(self) -> list[DamagedFolder]:
        """Verify every file of every data set (about a second per gigabyte) and return the damaged ones."""
        for meta in self._scan()[0]:
            with contextlib.suppress(Damaged):  # cached, so `damaged` reports it
                check_everything(self.root / "datasets" / meta.fingerprint, meta)
        return self.damaged()

    def folder(self, key: str) -> Path:
        """Return the folder of a data set, by fingerprint or name (the latest, if several have that name).

        Raises:
            StoreError: There is no such data set, or it is damaged.
        """
        cards = self.datasets()
        found = next((card for card in cards if card.fingerprint == key), None) or next(
            (card for card in cards if card.name == key), None
        )
        if found is None:
            for one in self._scan()[1]:
                if key in (one.path.name, one.name):
                    raise Damaged(one.reason)
            names = ", ".join(card.name for card in cards)
            raise StoreError(
                _("There is no data set '{key}' in the workspace. Stored: {names}.").format(
                    key=key, names=names or "none"
                )
            )
        return self.root / "datasets" / found.fingerprint

    def card(self, key: str) -> DatasetCard:
        """Return the card of a data set."""
        return DatasetCard.read(self.folder(key))

    def open(self, key: str) -> "StoredDataset":
        """Return a data set by fingerprint or name; it is verified here, its tables are loaded lazily.

        Raises:
            StoreError: There is no such data set, or it is damaged.
        """
        from recsys_core.data.folder import open_folder

        return open_folder(self.folder(key))

    def report(self, key: str) -> IngestReport | None:
        """Return the ingest report of a data set; None if it was not read from files."""
        folder = self.folder(key)
        if not self._holds(folder, REPORT):
            return None
        try:
            return IngestReport.from_json(json.loads((folder / REPORT).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise Damaged(
                _("The report of '{key}' cannot be read: {error}; upload its files again.").format(key=key, error=error)
            ) from error

    def rejected(self, key: str, *, limit: int | None = None) -> "pd.DataFrame":
        """Return the rejected lines: `file`, `line`, `column`, `reason`, `text`."""
        from recsys_core.data.folder import read_rejected

        folder = self.folder(key)
        self._holds(folder, REJECTED)
        return read_rejected(folder / REJECTED, limit)

    def _holds(self, folder: Path, name: str) -> bool:
        """Return whether a data set has an additional file.

        Raises:
            Damaged: The file differs from what was written.
        """
        from recsys_core.data.folder import check_file

        meta = self._metas.read(folder)
        if meta.files is None:
            return (folder / name).exists()
        if name in meta.files:
            check_file(folder, meta, name)
        return name in meta.files

    def rename(self, key: str, name: str) -> None:
        """Rename a data set.

        Raises:
            DataError: The name is empty, too long, or another data set has it.
        """
        folder = self.folder(key)
        meta = DatasetCard.read(folder)
        self._refuse_name(name, meta.fingerprint)
        with disk_errors_in_words(folder):
            replace(meta, name=name.strip()).write(folder)

    def delete(self, key: str) -> None:
        """Delete a data set: it becomes invisible atomically, then its files are deleted.

        Raises:
            StoreError: A model on it is queued or running; nothing is changed then.
        """
        folder = self.folder(key)
        self._refuse_in_use(folder)
        doomed = self.root / "staging" / f"deleted-{uuid.uuid4().hex}"
        with disk_errors_in_words(folder):
            folder.rename(doomed)
        try:
            self._refuse_in_use(folder)  # an experiment may have been queued in the meantime
        except StoreError:
            with disk_errors_in_words(folder):
                doomed.rename(folder)
            raise
        shutil.rmtree(doomed, ignore_errors=True)

    def _refuse_in_use(self, folder: Path) -> None:
        if names := experiments_at_work(self.root, folder.name):
            quoted = ", ".join(f"'{name}'" for name in names)
            raise StoreError(
                _("The data set is in use: {quoted} is queued or being trained on it. Cancel that first.").format(
                    quoted=quoted
                )
            )

    def download_archive(self, key: str, target: Path) -> Path:
        """Write a zip of CSV files (interactions, users, items, social, rejected lines) with escaped cells."""
        from recsys_core.data.export import write_archive

        with written_aside(target) as aside:
            write_archive(self.open(key).folder, aside)
        return target

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Yield an empty folder to write a data set into; it is deleted afterwards, unless `adopt` has moved it.

        Raises:
            StoreError: The disk is full or not writable.
        """
        folder = self.root / "staging" / uuid.uuid4().hex
        try:
            with disk_errors_in_words(folder):
                folder.mkdir()
                me = psutil.Process()
                (folder / OWNER).write_text(json.dumps({"pid": me.pid, "started": me.create_time()}), encoding="utf-8")
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def take_over(self, finished: Path, name: str) -> "Dataset":
        """Store a finished data set from another folder; its files are moved, or copied from another disk.

        A process that is killed meanwhile leaves an incomplete `finished`, which is refused from then on.

        Args:
            finished: A folder completed by `seal`; it is removed.
            name: Name of the data set.

        Raises:
            Damaged: The folder is missing, incomplete, or differs from what was written; nothing was stored.
            StoreError: The disk is full or not writable; nothing was stored.
        """
        try:
            meta = DatasetCard.read(finished)
            if meta.files is None:
                raise Damaged(_("'{finished_name}' has no checksums.").format(finished_name=finished.name))
            with self.staging() as folder:
                for file in meta.files:
                    _move(finished / file, folder / file)
                return self.adopt(folder, meta.stored_as(name), written=meta.files)
        finally:
            shutil.rmtree(finished, ignore_errors=True)

    def adopt(self, folder: Path, meta: DatasetCard, *, written: FileSums | None = None) -> "Dataset":
        """Move a complete folder to the data sets: synced, then renamed. Data already stored only get the new name.

        Args:
            folder: The folder, within `staging`.
            meta: Its metadata.
            written: Checksums that its files must have, if they are known.

        Raises:
            Damaged: The files differ from what was written.
            DataError: The name is invalid.
            StoreError: The disk is full or not writable.
        """
        from recsys_core.data.folder import open_folder

        name = self._free_name(meta.name, meta.fingerprint)
        target = self.root / "datasets" / meta.fingerprint
        with disk_errors_in_words(target):
            names = [path.name for path in folder.iterdir() if path.name not in (META, OWNER)]
            with ThreadPoolExecutor(1) as beside:
                sums = beside.submit(file_sums, folder, names)
                for name_of_file in names:
                    sync(folder / name_of_file)
                if written is not None and sums.result() != written:
                    raise Damaged(_("The files of the data set '{name}' are not what was written.").format(name=name))
                replace(meta, name=name, files=sums.result()).write(folder)
            close(folder)
            for path in folder.iterdir():
                if path.name not in names:
                    sync(path)
            sync(folder)
            self._put(folder, target, name)
            (target / OWNER).unlink(missing_ok=True)  # until now it marked the folder as incomplete
            sync(target.parent)
        return open_folder(target, verified=True)

    def _put(self, folder: Path, target: Path, name: str) -> None:
        """Move a complete folder to the data sets; an intact existing one is kept and renamed."""
        if target.exists():
            try:
                known = DatasetCard.read(target)
                check_everything(target, known)
            except Damaged as error:
                move_aside(self.root, target, f"{error} The same data were stored again.")
            else:
                replace(known, name=name).write(target)
                return
        try:
            folder.rename(target)
        except OSError as error:
            if not target.is_dir():
                raise
            logger.info("'%s' was stored by another process meanwhile: %s", name, error)

    def store(self, dataset: "Dataset") -> "Dataset":
        """Store an in-memory data set, such as a synthetic one, and return the stored one."""
        from recsys_core.data.folder import write_tables

        with self.staging() as folder:
            write_tables(folder, dataset)
            meta = DatasetCard.of(dataset, fingerprint=dataset.fingerprint or _digest(folder), created=now())
            return self.adopt(folder, meta)

    def _scan(self) -> tuple[list[DatasetCard], list[DamagedFolder]]:
        """Return the metadata of usable data sets, and the damaged ones; checks existence and size, not checksums."""
        from recsys_core.data.folder import check_folder

        metas, broken = [], []
        for folder in children(self.root / "datasets"):
            name = folder.name
            try:
                meta = self._metas.read(folder)
                name = meta.name
                if meta.fingerprint != folder.name:
                    raise Damaged(
                        _("The folder '{folder_name}' is a copy of the data set '{fingerprint}'.").format(
                            folder_name=folder.name, fingerprint=meta.fingerprint
                        )
                    )
                check_folder(folder, meta, deep=False)
                metas.append(meta)
            except Damaged as error:
                broken.append(DamagedFolder(folder, "data set", name, str(error)))
        self._damaged = broken
        return metas, broken

    def _refuse_name(self, name: str, fingerprint: str) -> None:
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise DataError(
                _("A data set name must have 1 to {longest_name} printable characters.").format(
                    longest_name=LONGEST_NAME
                )
            )
        if any(card.name == name.strip() and card.fingerprint != fingerprint for card in self.datasets()):
            raise DataError(_("Another data set is named '{strip}'; choose another name.").format(strip=name.strip()))

    def _free_name(self, name: str, fingerprint: str) -> str:
        """Return the name, with a number appended if another data set has it."""
        name = (
            "".join(letter if letter.isprintable() else " " for letter in name).strip()[: LONGEST_NAME - 10] or "data"
        )
        taken = {card.name for card in self.datasets() if card.fingerprint != fingerprint}
        numbered = chain([name], (f"{name} ({number})" for number in count(2)))
        return next(free for free in numbered if free not in taken)


def default_workspace() -> Workspace:
    """Return the workspace named by `RECSCOPE_WORKSPACE`, by default `data/workspace`."""
    return Workspace(Path(os.environ.get("RECSCOPE_WORKSPACE") or "data/workspace"))


def _move(source: Path, target: Path) -> None:
    try:
        shutil.move(source, target)
    except FileNotFoundError as error:
        raise Damaged(_("'{source_name}' is missing.").format(source_name=source.name)) from error


def _digest(folder: Path) -> str:
    from hashlib import sha256

    parts = [f"{path.name}={file_sum(path).sha256}" for path in sorted(folder.glob("*.parquet"))]
    return sha256("\n".join(parts).encode()).hexdigest()[:32]
