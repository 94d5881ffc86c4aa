"""The run store: one atomically created folder per experiment, and an index that is rebuilt from the folders.

Contents of `runs/<experiment id>`:

- `spec.json`: the spec of the experiment;
- `summary.json`: name, time, name of the data set;
- `split.json`: counts and leakage of the split, once a job has made it;
- `jobs/<model id>/...`: see `jobs` and `artifacts`.
"""

import logging
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from recsys_core.errors import Damaged, Missing, StoreError
from recsys_core.experiments.annotations import valid_name
from recsys_core.experiments.experiment import JOBS, LOCK, SPEC, SUMMARY, Run, read_summary
from recsys_core.experiments.experiment_cards import RunCard, local_time, read_card, stamp_of
from recsys_core.experiments.index import RunIndex
from recsys_core.experiments.jobs import DAMAGED, STATUS, JobFolder, JobState, JobStatus
from recsys_core.storage.checksums import read_record, write_record
from recsys_core.storage.damaged import DamagedFolder, move_aside, note_of, remove, set_aside
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import IS_WINDOWS, children, folder_written_aside, take_place
from recsys_core.storage.locks import locked
from recsys_core.storage.processes import ProcessMark
from recsys_core.storage.space import make_sure_of_room
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.experiments.spec import ExperimentSpec, ModelSpec

__all__ = ["ID", "ResultStore", "RunCard", "local_time", "read_card"]

logger = logging.getLogger(__name__)
ID = re.compile(r"[0-9a-f]{16}")
STATUS_BYTES = 8_192
"""Upper bound of the disk space of an old and a new status file."""
RUN_PREFIX = "run-"
LEFTOVER_SECONDS = 600.0
"""A staging folder that was not modified for this long belongs to a process that has ended."""


class ResultStore:
    """All experiments of a workspace. Safe for concurrent use by several processes.

    Args:
        root: The workspace's folder; created on first write.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.index = RunIndex(self.root / "runs.sqlite")
        self._damaged: list[DamagedFolder] = []
        self._cards: dict[str, tuple[str, RunCard]] = {}

    @property
    def folder(self) -> Path:
        """The folder of all runs."""
        return self.root / "runs"

    @property
    def _staging(self) -> Path:
        return self.root / "staging-runs"

    def create(
        self,
        spec: "ExperimentSpec",
        data_name: str,
        *,
        name: str | None = None,
        owner: ProcessMark | None = None,
        refused: Mapping[str, str] | None = None,
    ) -> Run:
        """Create the folder of an experiment with all its jobs QUEUED.

        An existing experiment is reused: finished jobs stay; failed, cancelled and damaged ones are QUEUED again. An
        experiment whose own files are damaged is set aside and created anew.

        Args:
            spec: Spec of the experiment.
            data_name: Display name of the data set.
            name: Display name of the experiment; defaults to the data set and the models.
            owner: The process that will run the jobs itself; None leaves them to the engine.
            refused: Jobs that must not run, with the reason; they are FAILED from the start.

        Raises:
            StoreError: A disk error; the experiment is unchanged.
        """
        now = time.time()
        refused = refused or {}
        path = self.folder / spec.id
        if path.exists() and (damage := _damage(path)) is not None:
            self._set_aside(spec.id, damage)
        if not path.exists():
            summary = {"name": name or _default_name(spec, data_name), "created": now, "data_name": data_name}
            with folder_written_aside(path, self._staging) as aside:
                write_record(aside / SPEC, spec.model_dump(mode="json"))
                write_record(aside / SUMMARY, summary)
                (aside / LOCK).touch()
                for model in spec.models:
                    job = aside / JOBS / model.id
                    job.mkdir(parents=True)
                    write_record(job / STATUS, _first_status(model, now, owner, refused.get(model.id)).to_json())
        run = self.open(spec.id)
        _requeue(run, owner, refused)
        return run

    def runs(self) -> list[RunCard]:
        """Return the cards of all readable experiments, newest first; see `damaged` for the others."""
        return sorted(self._scan()[0], key=lambda card: card.created, reverse=True)

    def damaged(self, *, look: bool = True) -> list[DamagedFolder]:
        """Return the damaged experiments, and those that were set aside before.

        Args:
            look: Scan the folders again; otherwise return the result of the last scan.
        """
        found = list(self._scan()[1] if look else self._damaged)
        for path in set_aside(self.root):
            if path.name.startswith(RUN_PREFIX):
                found.append(DamagedFolder(path, "experiment", _name_in(path), note_of(path)))
        return found

    def remove_damaged(self, key: str) -> None:
        """Delete a damaged folder.

        Args:
            key: See `DamagedFolder.key`.

        Raises:
            StoreError: The folder does not exist or is not damaged.
        """
        remove(key, self.damaged())

    def verify(self) -> list[DamagedFolder]:
        """Verify the checksums of all files of all experiments; return the damaged experiments and models.

        Takes about one second per gigabyte.
        """
        found = []
        for run_id in self._ids():
            for folder in children(self.folder / run_id / JOBS):
                job = JobFolder(folder)
                job.read_through()
                status = job.status()
                if status.cause == DAMAGED:
                    name = f"{_name_in(self.folder / run_id)}: {folder.name}"
                    found.append(DamagedFolder(folder, "model", name, status.reason or ""))
        return self.damaged() + found

    def _scan(self) -> tuple[list[RunCard], list[DamagedFolder]]:
        """Return the cards of experiments and the unreadable ones; unchanged cards come from the index."""
        known = self.index.read()
        cards: list[RunCard] = []
        broken: list[DamagedFolder] = []
        changed: dict[str, tuple[str, str]] = {}
        present = self._ids()
        for run_id in present:
            path = self.folder / run_id
            stamp = stamp_of(path)
            card = self._from_index(run_id, known.get(run_id), stamp)
            if card is None or card.running:
                try:
                    card = read_card(path)
                except Damaged as error:
                    broken.append(DamagedFolder(path, "experiment", _name_in(path), str(error)))
                    continue
                changed[run_id] = (stamp, card.to_json())
            cards.append(card)
        self.index.update(
            {run: entry for run, entry in changed.items() if known.get(run) != entry}, frozenset(known) - set(present)
        )
        self._damaged = broken
        return cards, broken

    def _from_index(self, run_id: str, entry: tuple[str, str] | None, stamp: str) -> RunCard | None:
        """Return the card in the index, None if it is missing, outdated or unreadable."""
        if entry is None or entry[0] != stamp:
            return None
        seen, card = self._cards.get(run_id, ("", None))
        if card is None or seen != entry[1]:
            try:
                card = RunCard.from_json(entry[1])
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
                logger.warning("A card in the index of runs cannot be read (%s) and is read from its folder.", error)
                return None
            self._cards[run_id] = entry[1], card
        return card

    def open(self, run_id: str) -> Run:
        """Return an experiment.

        Raises:
            StoreError: The experiment does not exist, or its folder is incomplete.
        """
        if not ID.fullmatch(run_id) or not (self.folder / run_id).is_dir():
            raise Missing(_("There is no experiment '{run_id}' in this workspace.").format(run_id=run_id))
        return Run(self.folder / run_id)

    @contextmanager
    def receiving(self) -> Iterator[Path]:
        """Yield an empty folder for an experiment from elsewhere, which `take_in` stores; otherwise it is removed.

        Raises:
            StoreError: A disk error.
        """
        aside = self._staging / f"received-{uuid4().hex}"
        try:
            with disk_errors_in_words(aside):
                aside.mkdir(parents=True)
                yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def take_in(self, received: Path, run_id: str) -> None:
        """Store a complete folder of an experiment; if it exists by now, the stored one is kept.

        Raises:
            StoreError: A disk error.
        """
        take_place(received, self.folder / run_id)

    def rename(self, run_id: str, name: str, *, before: str | None = None) -> None:
        """Rename an experiment.

        Args:
            run_id: The experiment.
            name: Its name: 1 to 200 printable characters.
            before: The name that the user saw; another stored name is not overwritten.

        Raises:
            ConfigError: The name is invalid.
            StoreError: The experiment does not exist or was renamed meanwhile, or a disk error.
        """
        name = valid_name(name)
        run = self.open(run_id)
        with locked(run.path / LOCK):
            summary = read_record(run.path / SUMMARY)
            if before is not None and summary["name"] not in (before, name):
                raise StoreError(
                    _("Experiment '{before}' was renamed to '{summary}' meanwhile; nothing was changed.").format(
                        before=before, summary=summary["name"]
                    )
                )
            write_record(run.path / SUMMARY, summary | {"name": name})

    def delete(self, run_id: str) -> None:
        """Delete an experiment with all its results and queued jobs; works on a full disk.

        Raises:
            StoreError: The experiment does not exist, or one of its jobs is running; nothing is changed.
        """
        target = self._staging / f"deleted-{run_id}-{uuid4().hex[:8]}"
        self.move_out(run_id, target)
        shutil.rmtree(target, ignore_errors=True)

    def move_out(self, run_id: str, target: Path) -> None:
        """Move the folder of an experiment elsewhere, so that it is no longer part of the store.

        Raises:
            StoreError: The experiment does not exist, or one of its jobs is running; nothing is changed.
        """
        run = self.open(run_id)
        with ExitStack() as held:
            held.enter_context(locked(run.path / LOCK))  # no job can start meanwhile, and nothing is written
            _refuse_running(run)
            if IS_WINDOWS:
                held.close()  # Windows cannot move a folder with an open file
            self._move_away(run.path, target)
        self.index.update({}, frozenset({run_id}))

    def set_apart(self) -> list[Path]:
        """Move damaged runs aside, each with a note, and remove partial files of dead processes.

        Returns:
            New paths of the damaged folders; those that cannot be moved stay in place.
        """
        moved = []
        for run_id in self._ids():
            reason = _damage(self.folder / run_id)
            if reason is None:
                continue
            try:
                moved.append(self._set_aside(run_id, reason))
            except StoreError as error:
                logger.warning("Experiment %s is damaged (%s) and cannot be set aside: %s", run_id, reason, error)
        parts = [*self.folder.glob("*/.*.part"), *self.folder.glob(f"*/{JOBS}/*/.*.part")]
        for leftover in [*children(self._staging), *parts]:
            _remove_if_old(leftover)
        return moved

    def _set_aside(self, run_id: str, reason: str) -> Path:
        """Move a damaged run aside and return its new path.

        Raises:
            StoreError: A disk error.
        """
        path = self.folder / run_id
        with disk_errors_in_words(path):
            target = move_aside(self.root, path, reason, RUN_PREFIX + run_id)
        logger.warning("Experiment %s was set aside in %s: %s", run_id, target, reason)
        return target

    def _ids(self) -> list[str]:
        return [path.name for path in children(self.folder) if ID.fullmatch(path.name)]

    def _move_away(self, path: Path, target: Path) -> None:
        with disk_errors_in_words(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(path, target)


def _requeue(run: Run, owner: ProcessMark | None, refused: Mapping[str, str]) -> None:
    """Queue all failed, cancelled and damaged jobs of a run again: all of them, or none.

    Raises:
        StoreError: A disk error.
    """
    requeued: list[tuple[JobFolder, JobStatus]] = []
    for model_id in run.model_ids:
        job = run.job(model_id)
        job.read_through()
        status = job.status()
        if status.state in (JobState.FAILED, JobState.CANCELLED) and model_id not in refused:
            requeued.append((job, status))
    if not requeued:
        return
    with disk_errors_in_words(run.path):
        make_sure_of_room(run.path, len(requeued) * STATUS_BYTES)
    for number, (job, _unused) in enumerate(requeued):
        try:
            job.requeue(owner)
        except StoreError:
            for earlier, before in requeued[:number]:
                earlier.take_back(before)
            raise


def _first_status(model: "ModelSpec", now: float, owner: ProcessMark | None, refused: str | None) -> JobStatus:
    if refused is None:
        return JobStatus(model.id, model.key, JobState.QUEUED, now, process=owner)
    return JobStatus(model.id, model.key, JobState.FAILED, now, ended=now, cause="refused", reason=refused)


def _name_in(path: Path) -> str:
    """Return the name of an experiment, or its id if the name is unreadable."""
    try:
        return read_summary(path).name
    except Damaged:
        return path.name


def _damage(path: Path) -> str | None:
    """Return the damage of the folder of a run, None if it is readable; its jobs are checked elsewhere."""
    try:
        read_card(path)
    except Damaged as error:
        return str(error)
    return None


def _remove_if_old(path: Path) -> None:
    """Remove a partial file or folder that has not been modified for `LEFTOVER_SECONDS`."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime <= LEFTOVER_SECONDS:
            return
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _refuse_running(run: Run) -> None:
    jobs = [run.job(model_id) for model_id in run.model_ids]
    if running := [job.stored_status().key for job in jobs if job.is_running()]:
        raise StoreError(
            _("'{run_name}' is being trained ({running}); cancel that first.").format(
                run_name=run.name, running=", ".join(running)
            )
        )


def _default_name(spec: "ExperimentSpec", data_name: str) -> str:
    counts = Counter(model.key for model in spec.models)
    named = (key if number == 1 else f"{key} × {number}" for key, number in counts.items())
    return f"{data_name}: {', '.join(named)}"
