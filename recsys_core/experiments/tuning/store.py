"""Tunings in a workspace: one folder each, with the state and the trials of every tuned model.

Contents of `tunings/<id>`:

- `spec.json`, `summary.json`: the tuning; its name, the name of its data set, and its time;
- `test-part.json`: the experiment that has read the test part, see `guard`;
- `jobs/<model>/`: `status.json`, `progress.jsonl` and `cancel` as those of a training, see `jobs`; `study.sqlite`, the
  study of Optuna; `trials.json`, its trials as plain values.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recsys_core.data.dataset_folders import TUNING_PREFIX
from recsys_core.errors import ConfigError, Damaged, Missing, RecscopeError, StoreError
from recsys_core.experiments.annotations import valid_name
from recsys_core.experiments.experiment import JOBS, LOCK, SPEC, SUMMARY
from recsys_core.experiments.jobs import JobState, JobStatus
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ID
from recsys_core.experiments.tuning.guard import TestPartGuard
from recsys_core.experiments.tuning.job import TuningJob
from recsys_core.experiments.tuning.rows import TrialRow, best_row, read_rows
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.storage.checksums import read_record, write_record
from recsys_core.storage.damaged import DamagedFolder, move_aside, note_of, remove, set_aside
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import children, folder_written_aside
from recsys_core.text import _

logger = logging.getLogger(__name__)
FIELDS = {SPEC: ("experiment", "models", "budget"), SUMMARY: ("name", "data_name", "created")}
"""What the own files of a tuning contain at least."""


@dataclass(frozen=True)
class TuningCard:
    """A tuning in a list.

    Args:
        id: Its id.
        name: Its name.
        data: Fingerprint of its data set.
        created: When it was created, in Unix seconds.
        states: State of each model.
    """

    id: str
    name: str
    data: str
    created: float
    states: Mapping[str, JobState]

    @property
    def is_live(self) -> bool:
        """Whether a model is queued or running."""
        return any(not state.is_final for state in self.states.values())


class Tuning:
    """A stored tuning.

    Args:
        path: `tunings/<id>`.

    Raises:
        Damaged: Its spec or its summary is missing or damaged.
        StoreError: It is unknown to this version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        try:
            self.spec = TuningSpec.model_validate(_read(path, SPEC))
        except (ValidationError, ConfigError) as error:
            raise StoreError(
                _("Tuning '{id}' cannot be opened by this version: {error}").format(id=self.id, error=error)
            ) from error
        self._summary = _read(path, SUMMARY)

    @property
    def name(self) -> str:
        """Display name, also that of its presets."""
        return str(self._summary["name"])

    @property
    def data_name(self) -> str:
        """Name of the data set."""
        return str(self._summary["data_name"])

    @property
    def created(self) -> float:
        """When it was created, in Unix seconds."""
        return float(self._summary["created"])

    @property
    def guard(self) -> TestPartGuard:
        """The guard of the test part."""
        return TestPartGuard(self.path, self.path / LOCK)

    def job(self, key: str) -> TuningJob:
        """Return the folder of a model.

        Raises:
            StoreError: The tuning has no such model.
        """
        if key not in self.spec.models:
            raise StoreError(
                _("Tuning '{id}' has no model '{key}'. It has: {models}.").format(
                    id=self.id, key=key, models=", ".join(self.spec.models)
                )
            )
        return TuningJob(self.path / JOBS / key)

    def statuses(self) -> list[JobStatus]:
        """Return the status of each model, in the order of the spec."""
        return [self.job(key).status() for key in self.spec.models]

    def trials(self, key: str) -> list[TrialRow]:
        """Return the trials of a model."""
        return read_rows(self.job(key).path)

    def best(self, key: str) -> TrialRow | None:
        """Return the trial of a model with the best validation value; None without one."""
        return best_row(self.trials(key), lower=self.spec.lower_is_better)

    def cancel(self) -> None:
        """Cancel all models: queued ones at once, running ones at their next step."""
        for status in self.statuses():
            if status.is_live:
                self.job(status.model_id).ask_to_cancel()

    def tuned_configs(self) -> dict[str, dict[str, Any]]:
        """Return the best settings of each model that has used its whole budget."""
        done = [status.model_id for status in self.statuses() if status.state is JobState.DONE]
        return {key: best.config for key in done if (best := self.best(key)) is not None}

    def read_test_part(self) -> ExperimentSpec:
        """Return the experiment of the tuned models, the only one that reads the test part; the tuning is then closed.

        A second call returns the same experiment.

        Raises:
            ConfigError: Models are still queued or running, or none has used its budget.
        """
        if any(status.is_live for status in self.statuses()):
            raise ConfigError(_("The tuning is still running: wait for its end, or cancel it."))
        configs = self.tuned_configs()
        if not configs:
            raise ConfigError(_("No model has used its whole budget with a result, so there are no tuned settings."))
        spec = self.spec.tuned_experiment(configs)
        reading = self.guard.reading()
        if reading is None or reading.by != spec.id:
            self.guard.read(spec.id)
        return spec


class TuningStore:
    """All tunings of a workspace. Safe for concurrent use by several processes.

    Args:
        root: The workspace's folder.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    @property
    def folder(self) -> Path:
        """The folder of all tunings."""
        return self.root / "tunings"

    def create(self, spec: TuningSpec, data_name: str, name: str | None = None) -> Tuning:
        """Store a tuning with all its models QUEUED; an existing one is returned unchanged.

        An existing one whose own files are damaged is set aside and created anew.

        Raises:
            ConfigError: The name is invalid.
            StoreError: A disk error.
        """
        path, now = self.folder / spec.id, time.time()
        summary = {
            "name": valid_name(name or default_name(spec, data_name), _("The name of a tuning")),
            "data_name": data_name,
            "created": now,
        }
        if path.exists() and (damage := _damage(path)) is not None:
            with disk_errors_in_words(path):
                target = move_aside(self.root, path, damage, TUNING_PREFIX + spec.id)
            logger.warning("Tuning %s was set aside in %s: %s", spec.id, target, damage)
        if not path.exists():
            with folder_written_aside(path, self.root / "staging-tunings") as aside:
                write_record(aside / SPEC, spec.model_dump(mode="json"))
                write_record(aside / SUMMARY, summary)
                (aside / LOCK).touch()
                for key in spec.models:
                    job = TuningJob(aside / JOBS / key)
                    job.path.mkdir(parents=True)
                    job.store(JobStatus(key, key, JobState.QUEUED, now))
        return self.open(spec.id)

    def open(self, tuning_id: str) -> Tuning:
        """Return a tuning.

        Raises:
            StoreError: It does not exist, or is incomplete.
        """
        if not ID.fullmatch(tuning_id) or not (self.folder / tuning_id).is_dir():
            raise Missing(_("There is no tuning '{tuning_id}' in this workspace.").format(tuning_id=tuning_id))
        return Tuning(self.folder / tuning_id)

    def tunings(self) -> list[TuningCard]:
        """Return all readable tunings, newest first; see `damaged` for the others."""
        found = []
        for path in children(self.folder):
            try:
                tuning = Tuning(path)
                states = {key: tuning.job(key).stored_status().state for key in tuning.spec.models}
                card = TuningCard(tuning.id, tuning.name, tuning.spec.experiment.data, tuning.created, states)
            except Damaged:
                continue
            except RecscopeError as error:  # of another version, or a package is missing: the folder stays in place
                logger.warning("%s", error)
                continue
            found.append(card)
        return sorted(found, key=lambda card: card.created, reverse=True)

    def damaged(self) -> list[DamagedFolder]:
        """Return the tunings whose spec or summary is damaged, and those that were set aside before.

        A damaged status or a damaged table of trials concerns one model, which reports it.
        """
        paths = [path for path in children(self.folder) if ID.fullmatch(path.name)]
        found = [(path, reason) for path in paths if (reason := _damage(path)) is not None]
        found += [(path, note_of(path)) for path in set_aside(self.root) if path.name.startswith(TUNING_PREFIX)]
        return [DamagedFolder(path, "tuning", _name_in(path), reason) for path, reason in found]

    def remove_damaged(self, key: str) -> None:
        """Delete a damaged tuning permanently.

        Args:
            key: See `DamagedFolder.key`.

        Raises:
            StoreError: It does not exist, is not damaged, or cannot be removed.
        """
        remove(key, self.damaged())

    def states(self) -> list[str]:
        """Return the state of every model of every tuning."""
        return [str(state) for card in self.tunings() for state in card.states.values()]


def _read(path: Path, file: str) -> dict[str, Any]:
    """Return one of the own files of the tuning in a folder.

    Raises:
        Damaged: It is missing, damaged or incomplete.
    """
    values = read_record(path / file)
    if missing := [name for name in FIELDS[file] if name not in values]:
        raise Damaged(_("'{file}' in {path} lacks {names}.").format(file=file, path=path, names=", ".join(missing)))
    return values


def _damage(path: Path) -> str | None:
    """Return the damage of the folder of a tuning, None if its own files are what was written."""
    try:
        for file in FIELDS:
            _read(path, file)
    except Damaged as error:
        return str(error)
    return None


def _name_in(path: Path) -> str:
    """Return the name of a tuning, or that of its folder if the name is unreadable."""
    try:
        return str(_read(path, SUMMARY)["name"])
    except Damaged:
        return path.name


def default_name(spec: TuningSpec, data_name: str) -> str:
    """Return the name of a tuning without a given one: data set, metric and budget."""
    return f"{data_name}, {spec.metric}, {spec.budget.words}"
