"""The run store: one folder an experiment, whole or not there, and an index that is rebuilt from the folders.

In `runs/<experiment id>` stand

- `spec.json`: what was asked for;
- `summary.json`: name, time, name of the data;
- `split.json`: counts and leaks of the split, once a job has made it;
- `jobs/<model id>/...`: see `jobs` and `saving`.
"""

import json
import logging
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from recsys_core.errors import StoreError
from recsys_core.experiments.durable import disk_errors_in_words, folder_written_aside, read_json, write_json
from recsys_core.experiments.index import RunIndex
from recsys_core.experiments.jobs import JobFolder, JobState, JobStatus
from recsys_core.experiments.run import JOBS, SPEC, SUMMARY, Run
from recsys_core.storage.processes import ProcessMark

if TYPE_CHECKING:
    from recsys_core.experiments.spec import ExperimentSpec

logger = logging.getLogger(__name__)
ID = re.compile(r"[0-9a-f]{16}")
LEFTOVER_SECONDS = 600.0
"""A folder in staging that nobody touched for so long belongs to a process that is gone."""


@dataclass(frozen=True)
class RunCard:
    """What a list of experiments shows of one.

    Args:
        id: Its id.
        name: What people call it.
        created: When it was asked for, in local time.
        data: Fingerprint of the data set.
        data_name: Name of the data set at that time.
        split: Kind of split.
        k: Length of list that its leaderboard is sorted by.
        states: State of each job by model id, in the order of the spec.
        best: Model id of the finished model with the highest NDCG at `k`, None if there is none.
        best_value: That value.
    """

    id: str
    name: str
    created: datetime
    data: str
    data_name: str
    split: str
    k: int
    states: dict[str, JobState]
    best: str | None = None
    best_value: float | None = None

    @property
    def running(self) -> int:
        """Number of jobs that run."""
        return self._count(JobState.RUNNING)

    @property
    def queued(self) -> int:
        """Number of jobs that wait."""
        return self._count(JobState.QUEUED)

    @property
    def done(self) -> int:
        """Number of jobs that ended well."""
        return self._count(JobState.DONE)

    @property
    def failed(self) -> int:
        """Number of jobs that failed."""
        return self._count(JobState.FAILED)

    @property
    def cancelled(self) -> int:
        """Number of jobs that were stopped on request."""
        return self._count(JobState.CANCELLED)

    @property
    def is_live(self) -> bool:
        """Whether a job waits or runs."""
        return self.running + self.queued > 0

    def _count(self, state: JobState) -> int:
        return sum(found is state for found in self.states.values())

    def to_json(self) -> str:
        """Return the card as text for the index."""
        return json.dumps(asdict(self) | {"created": self.created.timestamp()})

    @classmethod
    def from_json(cls, text: str) -> "RunCard":
        """Read a card back."""
        values = json.loads(text)
        states = {model: JobState(state) for model, state in values["states"].items()}
        return cls(**values | {"created": local_time(values["created"]), "states": states})


def local_time(seconds: float) -> datetime:
    """Return Unix seconds as a local date and time that knows its zone."""
    return datetime.fromtimestamp(seconds).astimezone()


class ResultStore:
    """All experiments of a workspace. Any number of processes may use it at the same time.

    Args:
        root: The workspace's folder; it is made on first writing.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.index = RunIndex(self.root / "runs.sqlite")

    @property
    def folder(self) -> Path:
        """Where the folders of runs are."""
        return self.root / "runs"

    @property
    def _staging(self) -> Path:
        return self.root / "staging-runs"

    def create(
        self, spec: "ExperimentSpec", data_name: str, *, name: str | None = None, owner: ProcessMark | None = None
    ) -> Run:
        """Make the folder of an experiment with all its jobs QUEUED.

        An experiment that exists is reused: what is finished stays, what failed or was stopped is QUEUED again.

        Args:
            spec: What is to be run.
            data_name: What people call the data set.
            name: What people call the experiment; by default the data and the models.
            owner: The process that will run the jobs itself; None leaves them to the engine.

        Raises:
            StoreError: The disk refused.
        """
        now = time.time()
        path = self.folder / spec.id
        if not path.exists():
            summary = {"name": name or _default_name(spec, data_name), "created": now, "data_name": data_name}
            with folder_written_aside(path, self._staging) as aside:
                write_json(aside / SPEC, spec.model_dump(mode="json"))
                write_json(aside / SUMMARY, summary)
                (aside / ".lock").touch()
                for model in spec.models:
                    job = aside / JOBS / model.id
                    job.mkdir(parents=True)
                    status = JobStatus(model.id, model.key, JobState.QUEUED, now, process=owner)
                    write_json(job / "status.json", status.to_json())
        run = self.open(spec.id)
        for model_id in run.model_ids:
            if run.status(model_id).state in (JobState.FAILED, JobState.CANCELLED):
                run.job(model_id).requeue(owner)
        return run

    def runs(self) -> list[RunCard]:
        """Return a card of each experiment, newest first; folders that cannot be read are left out, with a warning."""
        known = self.index.read()
        cards: list[RunCard] = []
        changed: dict[str, tuple[str, str]] = {}
        present = self._ids()
        for run_id in present:
            stamp = _stamp(self.folder / run_id)
            card = RunCard.from_json(known[run_id][1]) if run_id in known and known[run_id][0] == stamp else None
            if card is None or card.running:
                card = self._read_card(run_id)
                if card is None:
                    continue
                changed[run_id] = (stamp, card.to_json())
            cards.append(card)
        self.index.update(
            {run: entry for run, entry in changed.items() if known.get(run) != entry}, frozenset(known) - set(present)
        )
        return sorted(cards, key=lambda card: card.created, reverse=True)

    def open(self, run_id: str) -> Run:
        """Return an experiment.

        Raises:
            StoreError: There is no such experiment, or its folder is not whole.
        """
        if not ID.fullmatch(run_id) or not (self.folder / run_id).is_dir():
            raise StoreError(f"There is no experiment '{run_id}' in this workspace.")
        return Run(self.folder / run_id)

    def rename(self, run_id: str, name: str) -> None:
        """Call an experiment by another name.

        Raises:
            StoreError: There is no such experiment, or the disk refused.
        """
        path = self.open(run_id).path / SUMMARY
        write_json(path, read_json(path) | {"name": name})

    def delete(self, run_id: str) -> None:
        """Delete an experiment with all its results; jobs that wait are cancelled first.

        Raises:
            StoreError: There is no such experiment, or one of its jobs is running; nothing is changed then.
        """
        run = self.open(run_id)
        _refuse_running(run)
        for model_id in run.model_ids:
            if run.status(model_id).state is JobState.QUEUED:
                run.job(model_id).ask_to_cancel()
        _refuse_running(run)  # one that waited may have begun just now
        self._move_away(run.path, self._staging / f"deleted-{run_id}-{uuid4().hex[:8]}", keep=False)
        self.index.update({}, frozenset({run_id}))

    def set_apart(self) -> list[Path]:
        """Move half-written runs out of the way, each with a note, and clear what dead processes left in staging.

        Returns:
            Where the half-written folders are now.

        Raises:
            StoreError: The disk refused.
        """
        moved = []
        for run_id in self._ids():
            reason = _incomplete(self.folder / run_id)
            if reason is None:
                continue
            target = self.root / "set_aside" / f"run-{run_id}-{time.time_ns()}"
            self._move_away(self.folder / run_id, target, keep=True)
            note = f"This experiment was set apart at {local_time(time.time()):%Y-%m-%d %H:%M}: {reason}\n"
            (target / "note.txt").write_text(note, encoding="utf-8")
            logger.warning("Experiment %s was set apart in %s: %s", run_id, target, reason)
            moved.append(target)
        for leftover in _children(self._staging):
            if time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)
        return moved

    def _ids(self) -> list[str]:
        return [path.name for path in _children(self.folder) if ID.fullmatch(path.name)]

    def _move_away(self, path: Path, target: Path, *, keep: bool) -> None:
        with disk_errors_in_words(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(path, target)
        if not keep:
            shutil.rmtree(target, ignore_errors=True)

    def _read_card(self, run_id: str) -> RunCard | None:
        try:
            return read_card(self.folder / run_id)
        except (StoreError, KeyError, TypeError) as error:
            logger.warning("Experiment %s cannot be listed: %s", run_id, error)
            return None


def read_card(path: Path) -> RunCard:
    """Read the card of a run from its folder, without loading any algorithm.

    Raises:
        StoreError: A file is missing or broken.
    """
    spec, summary = read_json(path / SPEC), read_json(path / SUMMARY)
    statuses = [JobFolder(folder).status() for folder in _children(path / JOBS)]
    statuses.sort(key=lambda status: _place(spec["models"], status.key))
    values: dict[str, float] = {}
    for status in statuses:
        if status.state is JobState.DONE:
            value = read_json(path / JOBS / status.model_id / "result.json")["metrics"].get(f"ndcg@{spec['k']}")
            values |= {} if value is None else {status.model_id: value}
    best = max(values, key=lambda model: values[model], default=None)
    return RunCard(
        id=path.name,
        name=summary["name"],
        created=local_time(summary["created"]),
        data=spec["data"],
        data_name=summary["data_name"],
        split=spec["split"]["kind"],
        k=spec["k"],
        states={status.model_id: status.state for status in statuses},
        best=best,
        best_value=values[best] if best else None,
    )


def _place(models: list[dict[str, Any]], key: str) -> int:
    return next((place for place, model in enumerate(models) if model["key"] == key), len(models))


def _stamp(path: Path) -> str:
    """Return what changes whenever the name or the state of a job changes."""
    stamps = [_modified(path / SUMMARY), *(_modified(folder / "status.json") for folder in _children(path / JOBS))]
    return ".".join(str(stamp) for stamp in stamps)


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []


def _incomplete(path: Path) -> str | None:
    """Return what is missing in the folder of a run, None if it is whole."""
    wanted: Iterable[Path] = [path / SPEC, path / SUMMARY]
    wanted = [*wanted, *(folder / "status.json" for folder in _children(path / JOBS))]
    for file in wanted:
        try:
            read_json(file)
        except StoreError as error:
            return str(error)
    return None


def _refuse_running(run: Run) -> None:
    statuses = [run.status(model_id) for model_id in run.model_ids]
    if running := [status.key for status in statuses if status.state is JobState.RUNNING]:
        raise StoreError(f"'{run.name}' is being trained ({', '.join(running)}); cancel that first.")


def _default_name(spec: "ExperimentSpec", data_name: str) -> str:
    counts = Counter(model.key for model in spec.models)
    named = (key if number == 1 else f"{key} × {number}" for key, number in counts.items())
    return f"{data_name}: {', '.join(named)}"
