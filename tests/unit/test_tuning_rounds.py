"""Rounds of trials: several trials of a model may be open at once, and the search is the same as one by one."""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from recsys_core.engine.dispatcher import Dispatcher
from recsys_core.engine.queue import TUNE, JobQueue
from recsys_core.engine.settings import EngineSettings
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.tuning import trial
from recsys_core.experiments.tuning.execution import Bench
from recsys_core.experiments.tuning.job import Helpers
from recsys_core.experiments.tuning.rounds import (
    CAUSE,
    HELPER,
    INTERRUPTED,
    INVALID,
    PLACE,
    ROUND,
    OpenTrial,
    Places,
)
from recsys_core.experiments.tuning.space import search_space
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.experiments.tuning.store import Tuning
from recsys_core.experiments.tuning.studies import ModelStudy
from recsys_core.models.registry import model_class
from recsys_core.storage.processes import ProcessMark, own_mark
from tests.engine.support import Memory
from tests.pages.finished import two_tastes
from tests.tunings import Study, created, run_to_the_end, tuning_spec

KEY = "item_knn"
"""A model with several searched settings of each kind; it is never trained here."""
GONE = ProcessMark(2**22 - 3, 0.0, own_mark().host)


def at(place: int | None, state: str = "COMPLETE", cause: str | None = None) -> FrozenTrial:
    """Return a trial at a place of the budget."""
    told = {name: value for name, value in ((PLACE, place), (CAUSE, cause)) if value is not None}
    value = {"value": 0.5} if state == "COMPLETE" else {}
    return create_trial(state=TrialState[state], user_attrs=told, **value)


@pytest.mark.parametrize(
    ("trials", "following"),
    [
        ([], 0),
        ([at(0), at(1, "RUNNING")], 2),
        ([at(0), at(1), at(2, "RUNNING"), at(3)], None),  # the next round needs all trials of this one
        ([at(0), at(1), at(2), at(3)], 4),
        ([at(0), at(1, "FAIL", INTERRUPTED), at(2)], 1),
        ([at(0), at(1, "FAIL", INTERRUPTED), at(2), at(1, "RUNNING")], 3),
        ([at(0), at(1, "FAIL", INVALID)], 1),
        ([at(0), at(1, "FAIL", "failed"), at(2, "PRUNED"), at(3), at(4), at(5), at(6)], None),  # 7 are the budget
        ([at(None), at(None, "FAIL", INVALID), at(None), at(None, "WAITING")], 2),  # of an earlier version
    ],
)
def test_places_are_filled_in_order_and_rounds_one_after_the_other(
    trials: list[FrozenTrial], following: int | None
) -> None:
    assert ROUND == 4
    assert Places.of(trials).next(7) == following


class Searched:
    """The search of a model whose trials are run by a function instead of trainings, up to `width` at the same time."""

    def __init__(self, spec: TuningSpec, width: int) -> None:
        storage: Any = InMemoryStorage()  # faster than a file, and no process of its own is needed
        self.study = ModelStudy(storage, spec, KEY, search_space(model_class(KEY).config_type), "study")
        open_trials: deque[tuple[OpenTrial, dict[str, Any]]] = deque()
        while True:
            while len(open_trials) < width and (asked := self.study.ask()) is not None:
                open_trials.append(asked)
            if not open_trials:
                break
            self.finish(*open_trials.pop())  # the last one that began ends first
        self.places = Places.of(self.study.trials())

    def finish(self, asked: OpenTrial, settings: Mapping[str, Any]) -> None:
        """Let every other trial report values after its epochs."""
        value = 1.0 / (1.0 + abs(settings["neighbors"] - 90))
        if settings["neighbors"] % 2:
            for epoch in range(1, 10):
                asked.report(value * epoch, epoch)
                if asked.should_prune():
                    self.study.prune(asked, f"Stopped after epoch {epoch}.", 1.0)
                    return
        self.study.complete(asked, value, 1.0)

    def told(self) -> list[tuple[Any, ...]]:
        return [
            (place, one.params, one.state, one.value, len(one.intermediate_values))
            for place, one in sorted(self.places.trials.items())
        ]


def test_trials_that_overlap_are_those_that_run_one_by_one() -> None:
    spec = tuning_spec("f" * 16, KEY, trials=22)
    alone, pairs, whole = (Searched(spec, width) for width in (1, 2, 2 * ROUND))
    assert len(alone.told()) == 22
    assert alone.told() == pairs.told() == whole.told()
    assert {one[2].name for one in alone.told()} == {"COMPLETE", "PRUNED"}
    assert len({str(one[1]) for one in alone.told()}) == 22
    assert [one.number for one in alone.places.trials.values()] == list(range(22))


class Helping:
    """Lets another process help while the first `times` trials of the job are evaluated."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tuning: Tuning, times: int = 1) -> None:
        self._honest, self._tuning, self._left = trial.validation_value, tuning, times
        self._inside = False
        monkeypatch.setattr(trial, "validation_value", self)

    def __call__(self, *arguments: Any) -> float | None:
        if self._left and not self._inside:
            self._left, self._inside = self._left - 1, True
            other = Bench(self._tuning, Memory(two_tastes()))
            other.help_with("ease")
            other.close()
            self._inside = False
        return self._honest(*arguments)


def counted(tuning: Tuning) -> list[tuple[Any, ...]]:
    return [(str(row.settings), row.value) for row in tuning.trials("ease") if row.is_counted]


@pytest.mark.slow
def test_a_helper_runs_a_trial_of_the_round_and_leaves_the_job_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = two_tastes()
    spec = tuning_spec(data, "ease", trials=7)
    alone = created(tmp_path / "1", spec)
    run_to_the_end(Bench(alone, Memory(data)))
    helped = created(tmp_path / "2", spec)
    Helping(monkeypatch, helped, times=3)
    [status] = run_to_the_end(Bench(helped, Memory(data)))
    assert status.state is JobState.DONE
    assert counted(helped) == counted(alone)
    with Study(helped.job("ease").path, helped, "ease") as study:
        assert sum(one.user_attrs[HELPER] is not None for one in study.trials()) == 3


def test_a_helper_does_nothing_without_a_running_job(tmp_path: Path) -> None:
    data = two_tastes()
    tuning = created(tmp_path, tuning_spec(data, "ease", trials=2))
    bench = Bench(tuning, Memory(data))
    bench.help_with("ease")
    assert tuning.trials("ease") == []
    bench.run_next("ease")
    bench.help_with("ease")
    assert len(tuning.trials("ease")) == 1
    bench.close()


def test_a_helper_stops_when_the_tuning_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = two_tastes()
    tuning = created(tmp_path, tuning_spec(data, "ease", trials=3))
    helping = Helping(monkeypatch, tuning)

    def cancelling(*arguments: Any) -> float | None:
        if helping._inside:
            tuning.cancel()
        return helping(*arguments)

    monkeypatch.setattr(trial, "validation_value", cancelling)
    bench = Bench(tuning, Memory(data))
    assert bench.run_next("ease").state is JobState.CANCELLED
    assert [row.ending for row in tuning.trials("ease")] == ["interrupted", "interrupted"]
    tuning.job("ease").requeue()
    monkeypatch.undo()
    assert run_to_the_end(bench)[0].state is JobState.DONE
    rows = tuning.trials("ease")
    assert [row.settings for row in rows[2:4]] == [row.settings for row in rows[:2]]
    assert [row.ending for row in rows[2:]] == ["complete"] * 3


def test_the_trial_of_a_helper_whose_process_is_gone_is_repeated(tmp_path: Path) -> None:
    data = two_tastes()
    tuning = created(tmp_path, tuning_spec(data, "ease", trials=3))
    with Study(tuning.job("ease").path, tuning, "ease") as study:
        for helper in (own_mark(), GONE):
            assert study.ask(helper) is not None
        assert study.close_helpers("Killed.") == 1  # the process of this test is alive
        study.end(0, INTERRUPTED, "Cancelled.", 0.0)
    assert run_to_the_end(Bench(tuning, Memory(data)))[0].state is JobState.DONE
    rows = tuning.trials("ease")
    assert [row.ending for row in rows] == ["interrupted"] * 2 + ["complete"] * 3
    assert [row.settings for row in rows[2:4]] == [row.settings for row in rows[:2]]


def test_a_silent_helper_on_another_machine_counts_as_gone(tmp_path: Path) -> None:
    elsewhere = ProcessMark(7, 0.0, "another-host")
    helpers = Helpers(tmp_path)
    assert helpers.is_gone(elsewhere)
    helpers.folder_of(elsewhere).beat()
    assert not helpers.is_gone(elsewhere)
    assert helpers.is_gone(GONE)


class Submitted:
    """A cluster that keeps what is submitted; nothing runs and nothing ends."""

    threads = 1

    def __init__(self, jobs: int) -> None:
        self.settings = EngineSettings.from_environment({"RECSCOPE_WARM_UP": "0", "RECSCOPE_JOBS": str(jobs)})
        self.tasks: list[str] = []

    def submit(self, function: Any, *arguments: Any, priority: int = 0) -> "Submitted":
        self.tasks.append(f"{function.__name__} {arguments[2]}")
        return self

    def done(self) -> bool:
        return False


def test_only_workers_that_no_job_waits_for_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dispatcher, "_requeue_orphans", lambda _: None)
    tuning = created(tmp_path, tuning_spec("f" * 16, "ease", "bias", trials=9))
    queue, cluster = JobQueue(tmp_path), Submitted(jobs=7)
    queue.add(tuning.id, "ease", TUNE)
    dispatcher = Dispatcher(tmp_path, cluster)  # type: ignore[arg-type]
    dispatcher.step()
    assert cluster.tasks == ["run_queued_trial ease"]
    dispatcher.step()
    assert len(cluster.tasks) == 1  # the job has not been claimed yet
    tuning.job("ease").change({JobState.QUEUED}, state=JobState.RUNNING, process=own_mark())
    dispatcher.step()
    queue.add(tuning.id, "bias", TUNE)
    for _ in range(9):
        dispatcher.step()
    others = ["run_queued_trial bias", *["help_with_trials ease"] * (ROUND - 2)]
    assert cluster.tasks == ["run_queued_trial ease", "help_with_trials ease", *others]
    small = Submitted(jobs=1)
    Dispatcher(tmp_path, small).step()  # type: ignore[arg-type]
    assert small.tasks == ["run_queued_trial bias"]
