"""The Optuna study of one model: its storage, sampler, pruner, and the meaning of its trials.

Trials of one model run one after the other, so each of them is proposed with knowledge of all earlier ones, and the
same seed gives the same trials on any number of workers; models run at the same time. Trials are proposed by TPE
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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_core.errors import ConfigError, StoreError
from recsys_core.experiments.tuning.space import Dimension, draw, first_parameters
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.text import _

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, Trial

SETTING = "RECSCOPE_TUNING_STORAGE"
STUDY = "study.sqlite"
DRIVER = "postgresql+psycopg"
WAIT_SECONDS = 60.0
"""How long a write to SQLite waits for another process."""
RANDOM_SHARE, FEWEST_RANDOM, MOST_RANDOM = 3, 3, 10
"""Random trials at the start: one in three of the budget within these bounds; 10 is Optuna's default."""
FIRST_RUNG_EPOCHS, REDUCTION = 4, 3
"""Successive halving: the first decision is made after this number of epochs, and one in three trials goes on."""
CONFIG, SECONDS, CAUSE, REASON, ATTEMPT = "config", "seconds", "cause", "reason", "attempt"
"""Names of the attributes of a trial."""
INTERRUPTED, INVALID, FAILED = "interrupted", "invalid", "failed"
"""Causes of trials without a value. Interrupted ones (cancelled, or their process ended) are tried once more, and
invalid draws (settings that contradict each other, or that the data do not allow) are replaced: neither uses the budget
of trials."""
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
    """The study of one model of a tuning, in an open storage. One process at a time runs its trials.

    Args:
        storage: See `open_storage`.
        spec: The tuning.
        key: The model.
        space: The search space of the model.

    `on_start` is called when a trial with valid settings starts.
    """

    def __init__(self, storage: "RDBStorage", spec: TuningSpec, key: str, space: tuple[Dimension, ...]) -> None:
        import optuna

        self.storage = storage
        self._spec = spec
        self._key = key
        self.space = space
        self.on_start: Callable[[], None] = lambda: None
        self.optuna = optuna.create_study(
            storage=storage,
            study_name=f"{spec.id}/{key}",
            direction="minimize" if spec.lower_is_better else "maximize",
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=FIRST_RUNG_EPOCHS, reduction_factor=REDUCTION),
            load_if_exists=True,
        )
        if not self.trials():
            self.optuna.enqueue_trial(first_parameters(space))

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

    def ask(self) -> "tuple[Trial, dict[str, Any]]":
        """Start the next trial; return it and its settings.

        A trial gets a sampler with a seed of its own, since any process may run it.
        """
        import optuna

        drawn = sum(trial.state.is_finished() and trial.user_attrs.get(CAUSE) != INTERRUPTED for trial in self.trials())
        digest = hashlib.sha256(f"{self._spec.experiment.seed}/{self._key}/{drawn}".encode()).digest()
        self.optuna.sampler = optuna.samplers.TPESampler(
            seed=int.from_bytes(digest[:4], "little"), n_startup_trials=_random_trials(self._spec)
        )
        trial = self.optuna.ask()
        return trial, draw(trial, self.space)

    def complete(self, trial: "Trial", value: float, seconds: float) -> None:
        """End a trial with its validation value."""
        trial.set_user_attr(SECONDS, seconds)
        self.optuna.tell(trial, value)

    def prune(self, trial: "Trial", reason: str, seconds: float) -> None:
        """End a trial that successive halving stopped."""
        from optuna.trial import TrialState

        trial.set_user_attr(SECONDS, seconds)
        trial.set_user_attr(REASON, reason)
        self.optuna.tell(trial, state=TrialState.PRUNED)

    def end(self, number: int, cause: str, reason: str, seconds: float) -> None:
        """End a trial without a value.

        Args:
            number: Number of the trial.
            cause: `INTERRUPTED`, `INVALID` or `FAILED`.
            reason: Sentence for users.
            seconds: Seconds that it took.
        """
        from optuna.trial import TrialState

        study = self.storage.get_study_id_from_name(self.optuna.study_name)
        trial = self.storage.get_trial_id_from_study_id_trial_number(study, number)
        for name, value in ((CAUSE, cause), (REASON, reason), (SECONDS, seconds)):
            self.storage.set_trial_user_attr(trial, name, value)
        self.optuna.tell(number, state=TrialState.FAIL)

    def interrupt(self, number: int, reason: str, seconds: float, *, killed: bool = False) -> None:
        """End a trial that was interrupted, and queue its settings once more.

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
        self.end(number, INTERRUPTED, reason, seconds)
        fixed = dict(trial.params) or dict(trial.system_attrs.get("fixed_params", {}))
        if fixed:
            self.optuna.enqueue_trial(fixed, user_attrs={ATTEMPT: attempt})

    def close_unfinished(self, reason: str, seconds: float = 0.0) -> int:
        """End the trials whose process is gone; return their number.

        Args:
            reason: Sentence about what happened.
            seconds: Seconds that such a trial is known to have used.
        """
        from optuna.trial import TrialState

        left = [trial.number for trial in self.trials() if trial.state is TrialState.RUNNING]
        for number in left:
            self.interrupt(number, reason, seconds, killed=True)
        return len(left)


def _random_trials(spec: TuningSpec) -> int:
    trials = spec.budget.trials
    return MOST_RANDOM if trials is None else min(MOST_RANDOM, max(FEWEST_RANDOM, trials // RANDOM_SHARE))
