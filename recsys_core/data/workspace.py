"""The workspace: data sets on disk, each complete or not there at all.

Folders: `datasets/<fingerprint>` (finished ones), `staging` (being written), `set_aside` (found half-written),
`uploads`.
"""

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psutil

from recsys_core.columns import EVENT, RATING, TIMESTAMP
from recsys_core.data.disk import storing
from recsys_core.data.meta import META, Meta
from recsys_core.data.private import close, private_folder
from recsys_core.data.report import IngestReport
from recsys_core.errors import DataError, RecscopeError, StoreError
from recsys_core.storage.files import sync

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.data.dataset import Dataset

_OWNER = "owner.json"
_NOTE = "note.txt"
LONGEST_NAME = 200


@dataclass(frozen=True)
class DatasetCard:
    """What a list of data sets shows of each."""

    fingerprint: str
    name: str
    created: str
    n_users: int
    n_items: int
    n_interactions: int
    has_ratings: bool
    has_timestamps: bool
    has_events: bool
    has_users: bool
    has_items: bool
    has_social: bool


class Workspace:
    """Data sets in a folder. Several processes may use one workspace.

    Args:
        root: The folder; made if it is not there. Half-written folders of processes that are gone are set apart at
            once.

    Raises:
        StoreError: The folder cannot be made or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root).resolve()
        with storing(self.root):
            private_folder(self.root)
            for name in ("datasets", "staging", "set_aside", "uploads"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            self.set_apart = self._set_half_written_apart()

    def datasets(self) -> list[DatasetCard]:
        """Return all data sets, the latest first."""
        metas = [Meta.read(folder) for folder in self._folders()]
        return [_card(meta) for meta in sorted(metas, key=lambda meta: (meta.created, meta.name), reverse=True)]

    def folder(self, key: str) -> Path:
        """Return the folder of a data set, by fingerprint or name (the latest, if several have it).

        Raises:
            StoreError: There is none.
        """
        cards = self.datasets()
        found = next((card for card in cards if card.fingerprint == key), None) or next(
            (card for card in cards if card.name == key), None
        )
        if found is None:
            names = ", ".join(card.name for card in cards)
            raise StoreError(f"There is no data set '{key}' in the workspace. There are: {names or 'none'}.")
        return self.root / "datasets" / found.fingerprint

    def card(self, key: str) -> DatasetCard:
        """Return what a list shows of one data set."""
        return _card(Meta.read(self.folder(key)))

    def open(self, key: str) -> "Dataset":
        """Return a data set by fingerprint or name; its tables are read when they are asked for."""
        from recsys_core.data.folder import open_folder

        return open_folder(self.folder(key))

    def report(self, key: str) -> IngestReport | None:
        """Return the report of the ingest that made a data set; None for data that came from no file."""
        path = self.folder(key) / "report.json"
        if not path.exists():
            return None
        try:
            return IngestReport.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise StoreError(f"The report of '{key}' cannot be read: {error}.") from error

    def rejected(self, key: str, *, limit: int | None = None) -> "pd.DataFrame":
        """Return the rejected lines: `file`, `line`, `column`, `reason`, `text`."""
        from recsys_core.data.folder import read_rejected

        return read_rejected(self.folder(key) / "rejected.parquet", limit)

    def rename(self, key: str, name: str) -> None:
        """Give a data set another name.

        Raises:
            DataError: The name is empty, too long, or another data set has it.
        """
        folder = self.folder(key)
        meta = Meta.read(folder)
        self._refuse_name(name, meta.fingerprint)
        with storing(folder):
            replace(meta, name=name.strip()).write(folder)

    def delete(self, key: str) -> None:
        """Delete a data set: it disappears at once, then its files go."""
        folder = self.folder(key)
        doomed = self.root / "staging" / f"deleted-{uuid.uuid4().hex}"
        with storing(folder):
            folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def download_archive(self, key: str, target: Path) -> Path:
        """Write a zip of CSV files (interactions, users, items, social, rejected lines), dangerous cells escaped."""
        from recsys_core.data.export import write_archive

        folder, aside = self.folder(key), target.with_name(f"{target.name}.{uuid.uuid4().hex}")
        try:
            with storing(target):
                write_archive(folder, aside)
                aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
        return target

    def accept_upload(self, name: str, stream: IO[bytes]) -> Path:
        """Write what a browser sent to a file of its own in the workspace and return its path; see `forget_upload`.

        The file keeps the harmless part of its name, so that guesses by name work; its folder is of our own making.
        """
        harmless = "".join(
            letter if letter.isalnum() or letter in "._- " else "_" for letter in Path(name).name
        ).lstrip(".")[-120:]
        folder = self.root / "uploads" / uuid.uuid4().hex
        try:
            with storing(folder):
                folder.mkdir()
                with (folder / (harmless or "file")).open("wb") as file:
                    shutil.copyfileobj(stream, file, 1 << 20)
        except RecscopeError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder / (harmless or "file")

    def forget_upload(self, path: Path) -> None:
        """Delete an uploaded file; a path that is no upload is left alone."""
        folder = Path(path).resolve().parent
        if folder.parent == self.root / "uploads":
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Give an empty folder to write a data set into; it is gone afterwards, unless `adopt` has taken it.

        Raises:
            StoreError: The disk is full or cannot be written.
        """
        folder = self.root / "staging" / uuid.uuid4().hex
        try:
            with storing(folder):
                folder.mkdir()
                me = psutil.Process()
                (folder / _OWNER).write_text(json.dumps({"pid": me.pid, "started": me.create_time()}), encoding="utf-8")
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def adopt(self, folder: Path, meta: Meta) -> "Dataset":
        """Make a finished folder a data set: synced, then renamed. Data that are stored already only get the name.

        Raises:
            DataError: The name cannot be used.
            StoreError: The disk is full or cannot be written.
        """
        from recsys_core.data.folder import open_folder

        name = self._free_name(meta.name, meta.fingerprint)
        target = self.root / "datasets" / meta.fingerprint
        with storing(target):
            (folder / _OWNER).unlink(missing_ok=True)
            replace(meta, name=name).write(folder)
            close(folder)
            for path in folder.iterdir():
                sync(path)
            sync(folder)
            try:
                folder.rename(target)
            except OSError as error:
                if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
                    raise
                replace(Meta.read(target), name=name).write(target)
            sync(target.parent)
        return open_folder(target)

    def store(self, dataset: "Dataset") -> "Dataset":
        """Write a data set that was made in memory, such as a generated world, and return the stored one."""
        from recsys_core.data.folder import write_tables

        with self.staging() as folder:
            write_tables(folder, dataset)
            meta = Meta.fresh(
                name=dataset.name,
                fingerprint=dataset.fingerprint or _digest(folder),
                n_users=dataset.n_users,
                n_items=dataset.n_items,
                n_interactions=dataset.n_interactions,
                columns=tuple(dataset.interactions.columns),
                rating_scale=dataset.rating_scale,
                has_users=dataset.load_users is not None,
                has_items=dataset.load_items is not None,
                has_social=dataset.load_social is not None,
            )
            return self.adopt(folder, meta)

    def _folders(self) -> list[Path]:
        return [folder for folder in (self.root / "datasets").iterdir() if (folder / META).exists()]

    def _refuse_name(self, name: str, fingerprint: str) -> None:
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise DataError(f"A data set's name has 1 to {LONGEST_NAME} printable characters.")
        if any(card.name == name.strip() and card.fingerprint != fingerprint for card in self.datasets()):
            raise DataError(f"Another data set is called '{name.strip()}'; choose another name.")

    def _free_name(self, name: str, fingerprint: str) -> str:
        """Return the name, with a number behind it if another data set has it."""
        name = (
            "".join(letter if letter.isprintable() else " " for letter in name).strip()[: LONGEST_NAME - 10] or "data"
        )
        taken = {card.name for card in self.datasets() if card.fingerprint != fingerprint}
        number = 2
        free = name
        while free in taken:
            free, number = f"{name} ({number})", number + 1
        return free

    def _set_half_written_apart(self) -> list[str]:
        """Move half-written folders to `set_aside`, each with a note, and return the notes."""
        notes = []
        suspects = [
            folder for folder in (self.root / "staging").iterdir() if folder.is_dir() and not _owner_lives(folder)
        ]
        suspects += [
            folder for folder in (self.root / "datasets").iterdir() if folder.is_dir() and not (folder / META).exists()
        ]
        for folder in suspects:
            if folder.name.startswith("deleted-"):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            target = self.root / "set_aside" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{folder.name}"
            try:
                folder.rename(target)
            except FileNotFoundError:
                continue
            found = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
            note = f"'{folder.name}' was half-written when its process ended; found {found}. It can be deleted."
            (target / _NOTE).write_text(note + "\n", encoding="utf-8")
            notes.append(note)
        return notes


def default_workspace() -> Workspace:
    """Return the workspace that `RECSCOPE_WORKSPACE` names, by default `data/workspace`."""
    return Workspace(Path(os.environ.get("RECSCOPE_WORKSPACE") or "data/workspace"))


def _card(meta: Meta) -> DatasetCard:
    return DatasetCard(
        fingerprint=meta.fingerprint,
        name=meta.name,
        created=meta.created,
        n_users=meta.n_users,
        n_items=meta.n_items,
        n_interactions=meta.n_interactions,
        has_ratings=RATING in meta.columns,
        has_timestamps=TIMESTAMP in meta.columns,
        has_events=EVENT in meta.columns,
        has_users=meta.has_users,
        has_items=meta.has_items,
        has_social=meta.has_social,
    )


def _owner_lives(folder: Path) -> bool:
    """Return whether the process that writes a folder is there; one younger than a minute may not say yet."""
    try:
        owner = json.loads((folder / _OWNER).read_text(encoding="utf-8"))
        return abs(psutil.Process(int(owner["pid"])).create_time() - float(owner["started"])) < 1.0
    except (OSError, ValueError, KeyError):
        try:
            return datetime.now(UTC).timestamp() - folder.stat().st_mtime < 60
        except OSError:
            return True
    except psutil.Error:
        return False


def _digest(folder: Path) -> str:
    from hashlib import sha256

    from recsys_core.data.scan import file_digest

    parts = [f"{path.name}={file_digest(path)}" for path in sorted(folder.glob("*.parquet"))]
    return sha256("\n".join(parts).encode()).hexdigest()[:32]
