"""The Optuna study of one model: its storage, sampler, pruner, and the meaning of its trials.

Trials of one model are proposed in rounds (`rounds.py`), so the same seed gives the same trials on any number of
workers; up to a round of them, and all models, may run at the same time. Trials are proposed by TPE
(Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization"), after the defaults and some random draws; a model
that reports validation values after its epochs is stopped early by asynchronous successive halving (Li et al. 2020, "A
System for Massively Parallel Hyperparameter Tuning").

A study is stored in SQLite beside its model, or in PostgreSQL if `RECSCOPE_TUNING_STORAGE` is an address.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_core.errors import ConfigError, StoreError
from recsys_core.experiments.tuning.rounds import (
    ATTEMPT,
    CAUSE,
    FAILED,
    HELPER,
    INTERRUPTED,
    INVALID,
    PLACE,
    OpenTrial,
    Places,
    helper_of,
    known_study,
    parameters_of,
)
from recsys_core.experiments.tuning.space import Dimension, draw, first_parameters
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.storage.processes import ProcessMark
from recsys_core.text import _

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

SETTING = "RECSCOPE_TUNING_STORAGE"
STUDY = "study.sqlite"
DRIVER = "postgresql+psycopg"
WAIT_SECONDS = 60.0
"""How long a write to SQLite waits for another process."""
RANDOM_SHARE, FEWEST_RANDOM, MOST_RANDOM = 3, 3, 10
"""Random trials at the start: one in three of the budget within these bounds; 10 is Optuna's default."""
FIRST_RUNG_EPOCHS, REDUCTION = 4, 3
"""Successive halving: the first decision is made after this number of epochs, and one in three trials goes on."""
CONFIG, SECONDS, REASON = "config", "seconds", "reason"
"""Names of attributes of a trial, see also `rounds`."""
ATTEMPTS = 2
"""Trainings of the same settings whose process was killed; after the last one they count as failed."""


def storage_address(folder: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Return the database address of the study in a folder.

    Raises:
        ConfigError: The address of the setting is not one of PostgreSQL.
    """
    address = environment.get(SETTING, "").strip()
    if not address:
        return f"sqlite:///{folder / STUDY}"
    scheme, sign, rest = address.partition("://")
    if scheme not in ("postgres", "postgresql", DRIVER) or not sign or not rest:
        raise ConfigError(
            _("{setting} is not a PostgreSQL address; write postgresql://user:password@host:5432/database.").format(
                setting=SETTING
            )
        )
    return f"{DRIVER}://{rest}"


def study_name(folder: Path, spec: TuningSpec, key: str, created: float) -> str:
    """Return the name of the study of a model.

    In a database that several workspaces share, the time of creation tells equal tunings apart: none goes on with the
    trials of another one.

    Args:
        folder: The folder of the model.
        spec: The tuning.
        key: The model.
        created: When the tuning was created, in Unix seconds.
    """
    is_shared = storage_address(folder) != storage_address(folder, {})
    return f"{spec.id}/{key}/{created:.6f}" if is_shared else f"{spec.id}/{key}"


def open_storage(folder: Path, environment: Mapping[str, str] = os.environ) -> "RDBStorage":
    """Open the storage of the study in a folder; close it with `close_storage`.

    Raises:
        ConfigError: The driver of PostgreSQL is not installed.
        StoreError: The database cannot be opened.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    address = storage_address(folder, environment)
    options = {"timeout": WAIT_SECONDS} if address.startswith("sqlite") else {}
    with storage_errors():
        try:
            return optuna.storages.RDBStorage(address, engine_kwargs={"connect_args": options})
        except ImportError as error:
            raise ConfigError(
                _(
                    "{setting} is a PostgreSQL address, which needs a driver that is not installed: run "
                    "pip install 'psycopg[binary]', or remove the setting to store studies in the "
                    "workspace."
                ).format(setting=SETTING)
            ) from error


def close_storage(storage: "RDBStorage") -> None:
    """Close all connections of a storage."""
    storage.remove_session()
    storage.engine.dispose()


@contextlib.contextmanager
def storage_errors() -> Iterator[None]:
    """Convert errors of the database to `StoreError`.

    Raises:
        StoreError: The database cannot be opened, read or written.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise StoreError(
            _("The study of this tuning cannot be opened, read or written: {first}").format(first=first)
        ) from error


@dataclass(frozen=True)
class Used:
    """The used part of a budget.

    Args:
        trials: Number of counted trials.
        seconds: Seconds of all trials.
        completed: Number of trials with a value.
        failed: Number of counted trials that failed.
    """

    trials: int
    seconds: float
    completed: int
    failed: int

    def exceeds(self, spec: TuningSpec) -> bool:
        """Return whether the budget is used up."""
        if spec.budget.trials is not None:
            return self.trials >= spec.budget.trials
        return self.seconds >= (spec.budget.seconds or 0.0) and self.trials > 0


class ModelStudy:
    """The study of one model of a tuning, in an open storage. Several processes may run its trials.

    Args:
        storage: See `open_storage`.
        spec: The tuning.
        key: The model.
        space: The search space of the model.
        name: See `study_name`.

    `on_start` is called when a trial with valid settings starts. `alone` is held while a trial is drawn, so that no two
    processes draw the same one. `is_gone` tells whether the process of a helper has ended.
    """

    def __init__(
        self, storage: "RDBStorage", spec: TuningSpec, key: str, space: tuple[Dimension, ...], name: str
    ) -> None:
        import optuna

        self.storage = storage
        self._spec = spec
        self._key = key
        self.space = space
        self.on_start: Callable[[], None] = lambda: None
        self.is_gone: Callable[[ProcessMark], bool] = lambda mark: mark.is_gone
        self.alone: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
        self.optuna = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="minimize" if spec.lower_is_better else "maximize",
            sampler=optuna.samplers.RandomSampler(seed=0),  # all parameters are fixed by `ask`
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=FIRST_RUNG_EPOCHS, reduction_factor=REDUCTION),
            load_if_exists=True,
        )

    def trials(self) -> "list[FrozenTrial]":
        """Return all trials, in the order of their numbers."""
        return self.optuna.get_trials(deepcopy=False)

    def used(self) -> Used:
        """Return how much of the budget is used."""
        from optuna.trial import TrialState

        ended = [trial for trial in self.trials() if trial.state.is_finished()]
        counted = [trial for trial in ended if trial.user_attrs.get(CAUSE) not in (INTERRUPTED, INVALID)]
        return Used(
            trials=len(counted),
            seconds=sum(float(trial.user_attrs.get(SECONDS, 0.0)) for trial in ended),
            completed=sum(trial.state is TrialState.COMPLETE for trial in counted),
            failed=sum(trial.state is TrialState.FAIL for trial in counted),
        )

    def next_place(self) -> int | None:
        """Return the place of the budget whose trial may start now; None if the round must end first."""
        return Places.of(self.trials()).next(self._spec.budget.trials)

    def ask(self, helper: ProcessMark | None = None) -> "tuple[OpenTrial, dict[str, Any]] | None":
        """Start the next trial; return it and its settings, or None if no trial may start now, see `next_place`.

        Args:
            helper: The process of a trial that runs beside the job of its model; None for the process of the job.
        """
        places = Places.of(self.trials())
        place = places.next(self._spec.budget.trials)
        if place is None:
            return None
        queued = self._waiting()
        fixed, attempt = self._fixed(places, place, queued)
        study = known_study(places.before(place), self.optuna, self._seed(places, place), _random_trials(self._spec))
        if fixed:
            study.enqueue_trial(fixed)
        known = study.ask()
        settings = draw(known, self.space)
        told = {PLACE: place, ATTEMPT: attempt, HELPER: helper and helper.to_json()}
        if queued is None:
            self.optuna.enqueue_trial(known.params, user_attrs=told)
        stored = self.optuna.ask()
        for name, value in told.items() if queued is not None else ():
            stored.set_user_attr(name, value)
        draw(stored, self.space)
        keep = partial(self.storage.set_trial_system_attr, self._trial_id(stored.number))
        return OpenTrial(stored, known, keep), settings

    def _fixed(self, places: Places, place: int, queued: "FrozenTrial | None") -> tuple[dict[str, Any], int]:
        """Return the parameters that are not drawn, and the number of the attempt: repeated trials and the defaults."""
        earlier = queued or places.interrupted(place)
        if earlier is not None:
            return parameters_of(earlier), int(earlier.user_attrs.get(ATTEMPT, 1))
        return (first_parameters(self.space) if place == 0 and not places.redrawn[0] else {}), 1

    def _waiting(self) -> "FrozenTrial | None":
        """Return a trial that was queued by a process that ended before it started it, or by an earlier version."""
        return next((trial for trial in self.trials() if trial.state.name == "WAITING"), None)

    def _seed(self, places: Places, place: int) -> int:
        """Return a seed of its own for each draw, since any process may do it."""
        again = f"/{places.redrawn[place]}" if places.redrawn[place] else ""
        text = f"{self._spec.experiment.seed}/{self._key}/{place}{again}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")

    def complete(self, trial: OpenTrial, value: float, seconds: float) -> None:
        """End a trial with its validation value."""
        trial.set_user_attr(SECONDS, seconds)
        self.optuna.tell(trial.number, value)

    def prune(self, trial: OpenTrial, reason: str, seconds: float) -> None:
        """End a trial that successive halving stopped."""
        from optuna.trial import TrialState

        trial.set_user_attr(SECONDS, seconds)
        trial.set_user_attr(REASON, reason)
        self.optuna.tell(trial.number, state=TrialState.PRUNED)

    def end(self, number: int, cause: str, reason: str, seconds: float) -> None:
        """End a trial without a value.

        Args:
            number: Number of the trial.
            cause: `INTERRUPTED`, `INVALID` or `FAILED`.
            reason: Sentence for users.
            seconds: Seconds that it took.
        """
        from optuna.trial import TrialState

        trial = self._trial_id(number)
        for name, value in ((CAUSE, cause), (REASON, reason), (SECONDS, seconds)):
            self.storage.set_trial_user_attr(trial, name, value)
        self.optuna.tell(number, state=TrialState.FAIL)

    def interrupt(self, number: int, reason: str, seconds: float, *, killed: bool = False) -> None:
        """End a trial that was interrupted; its settings are tried once more.

        Args:
            number: Number of the trial.
            reason: Sentence about what happened.
            seconds: Seconds that it took.
            killed: Its process ended unexpectedly; settings whose process ended twice count as a failed trial.
        """
        trial = self.trials()[number]
        attempt = int(trial.user_attrs.get(ATTEMPT, 1)) + killed
        if attempt > ATTEMPTS:
            self.end(number, FAILED, reason, seconds)
            return
        self.storage.set_trial_user_attr(self._trial_id(number), ATTEMPT, attempt)
        self.end(number, INTERRUPTED, reason, seconds)

    def close_unfinished(self, reason: str, seconds: float = 0.0) -> int:
        """End the trials of a job that has just been claimed, and those of helpers that are gone; return their number.

        Args:
            reason: Sentence about what happened.
            seconds: Seconds that the trial of the job is known to have used.
        """
        left = [trial for trial in self._running() if helper_of(trial) is None]
        for trial in left:
            self.interrupt(trial.number, reason, seconds, killed=True)
        return len(left) + self.close_helpers(reason)

    def close_helpers(self, reason: str) -> int:
        """End the trials of helpers that are gone, with the seconds until they were last seen; return their number."""
        left = [trial for trial in self._running() if (mark := helper_of(trial)) and self.is_gone(mark)]
        for trial in left:
            self.interrupt(trial.number, reason, 0.0, killed=True)
        return len(left)

    def _trial_id(self, number: int) -> int:
        study = self.storage.get_study_id_from_name(self.optuna.study_name)
        return self.storage.get_trial_id_from_study_id_trial_number(study, number)

    def _running(self) -> "list[FrozenTrial]":
        return [trial for trial in self.trials() if trial.state.name == "RUNNING"]


def _random_trials(spec: TuningSpec) -> int:
    trials = spec.budget.trials
    return MOST_RANDOM if trials is None else min(MOST_RANDOM, max(FEWEST_RANDOM, trials // RANDOM_SHARE))
