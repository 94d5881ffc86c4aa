"""Rounds of trials: which trial of a model is next, what it is proposed from, and what it is compared with.

The places of a budget are numbered from 0 and filled in order; `ROUND` of them form a round. A trial is proposed from
the trials of all earlier rounds, and is pruned by comparison with them. So up to `ROUND` trials of a model may run at
the same time, and they are the same whether they do or run one after the other, in whatever order they end. Trials of
the same round at earlier places count as running, which TPE takes for poor ones, so that a round does not try the same
settings twice (the constant liar of Ginsbourger et al. 2010, "Kriging Is Well-Suited to Parallelize Optimization").

An interrupted trial is repeated at its place; an invalid draw is replaced by another one at the same place.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recsys_core.storage.processes import ProcessMark

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

ROUND = 4
"""Trials of a model that may run at the same time. It does not depend on the number of workers: the trials would."""
PLACE, ATTEMPT, CAUSE, HELPER = "place", "attempt", "cause", "helper"
"""Names of attributes of a trial. `helper` is the process of a trial that runs beside the job of its model."""
INTERRUPTED, INVALID, FAILED = "interrupted", "invalid", "failed"
"""Causes of trials without a value. Interrupted ones (cancelled, or their process ended) are tried once more, and
invalid draws (settings that contradict each other, or that the data do not allow) are replaced: neither uses the budget
of trials."""
RUNG = "completed_rung_"
"""Start of the attributes that successive halving compares."""


@dataclass(frozen=True)
class Places:
    """The places of a budget.

    Args:
        trials: Place -> its last trial, if it was drawn: finished, running or interrupted.
        redrawn: Place -> number of its invalid draws.
    """

    trials: "dict[int, FrozenTrial]" = field(default_factory=dict)
    redrawn: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, trials: "Sequence[FrozenTrial]") -> "Places":
        """Return the places of trials in the order of their numbers; those without a place were run one by one."""
        places, counted = cls(), 0
        for trial in trials:
            if trial.state.name == "WAITING":
                continue
            place, cause = int(trial.user_attrs.get(PLACE, counted)), trial.user_attrs.get(CAUSE)
            if cause == INVALID:
                places.redrawn[place] += 1
                continue
            places.trials[place] = trial
            counted += trial.state.is_finished() and cause != INTERRUPTED
        return places

    def next(self, most: int | None) -> int | None:
        """Return the first place whose trial may start; None if there is none before the round has ended.

        Args:
            most: Number of places; None without a limit.
        """
        place = 0
        while not self.is_open(place):
            place += 1
        ended = all(self.trials[earlier].state.is_finished() for earlier in range(place - place % ROUND))
        return place if ended and (most is None or place < most) else None

    def is_open(self, place: int) -> bool:
        """Return whether no trial has filled a place, and none is running there."""
        return place not in self.trials or self.trials[place].user_attrs.get(CAUSE) == INTERRUPTED

    def before(self, place: int) -> "tuple[list[FrozenTrial], list[FrozenTrial]]":
        """Return the trials of all earlier rounds, and those of the same round at earlier places."""
        first = place - place % ROUND
        return [self.trials[one] for one in range(first)], [self.trials[one] for one in range(first, place)]

    def interrupted(self, place: int) -> "FrozenTrial | None":
        """Return the interrupted trial that is repeated at an open place."""
        return self.trials.get(place)


def known_study(known: "tuple[list[FrozenTrial], list[FrozenTrial]]", like: "Study", seed: int, random: int) -> "Study":
    """Return a study in memory that holds what a trial may know.

    Args:
        known: See `Places.before`.
        like: Gives direction and pruner.
        seed: Seed of the sampler.
        random: Number of random trials at the start.
    """
    import optuna
    from optuna.trial import TrialState, create_trial

    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=random, constant_liar=True)
    study = optuna.create_study(sampler=sampler, pruner=like.pruner, direction=like.direction)
    study.add_trials(known[0])
    for trial in known[1]:
        drawn, spaces = trial.params, trial.distributions
        study.add_trial(create_trial(state=TrialState.RUNNING, params=drawn, distributions=spaces))
    return study


def parameters_of(trial: "FrozenTrial") -> dict[str, Any]:
    """Return the parameters of a trial, also of one that ended before it drew them."""
    return dict(trial.params) or dict(trial.system_attrs.get("fixed_params", {}))


class OpenTrial:
    """A trial that is running, in the stored study and in the one that holds what it may know.

    Args:
        stored: The trial in the stored study.
        known: The same trial beside those that it is compared with.
        keep: Stores an attribute of the first that later trials are compared by.
    """

    def __init__(self, stored: "Trial", known: "Trial", keep: Callable[[str, Any], None]) -> None:
        self.number = stored.number
        self._stored, self._known, self._keep = stored, known, keep

    def set_user_attr(self, name: str, value: Any) -> None:
        """Store an attribute."""
        self._stored.set_user_attr(name, value)

    def report(self, value: float, step: int) -> None:
        """Report a value after a step."""
        self._stored.report(value, step)
        self._known.report(value, step)

    def should_prune(self) -> bool:
        """Return whether the pruner stops the trial; what later trials are compared with is stored."""
        decision = self._known.should_prune()
        frozen = self._known.study.get_trials(deepcopy=False)[self._known.number]
        for name, value in frozen.system_attrs.items():
            if name.startswith(RUNG):
                self._keep(name, value)
        return decision


def helper_of(trial: "FrozenTrial") -> ProcessMark | None:
    """Return the process of a trial that runs beside the job of its model; None for the trial of the job."""
    told = trial.user_attrs.get(HELPER)
    return None if told is None else ProcessMark.from_json(told)
