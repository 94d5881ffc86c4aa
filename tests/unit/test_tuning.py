"""Tuning: the space comes from the knobs, budgets are equal, the test part stays sealed, and it can be resumed."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from optuna.storages import RDBStorage
from pydantic import Field

from recsys_core.contracts import Knob, ModelConfig, RunContext
from recsys_core.data import dataset_from_frames
from recsys_core.data.workspace import Workspace
from recsys_core.errors import Cancelled, ConfigError, Damaged, StoreError, TestPartSealed
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.tuning import execution, studies, trial
from recsys_core.experiments.tuning.execution import Bench
from recsys_core.experiments.tuning.guard import SealedPart
from recsys_core.experiments.tuning.results import curve_of, importance, standings
from recsys_core.experiments.tuning.rows import TrialRow, best_row
from recsys_core.experiments.tuning.space import Dimension, first_parameters, search_space, settings_of
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.experiments.tuning.store import Tuning, TuningStore
from recsys_core.experiments.tuning.studies import ModelStudy, open_storage, storage_address
from recsys_core.experiments.tuning.trial import Limits, Pruned, PruningValidator, run_trial
from recsys_core.models.registry import MODELS, make_model, model_class
from recsys_core.viz.tuning import best_so_far
from tests.engine.support import ROOT, Memory
from tests.pages.finished import two_tastes
from tests.records import flip_bit
from tests.tunings import FAST, Study, created, run_to_the_end, tuning_spec

TRIALS = 4


class OddConfig(ModelConfig):
    factors: Annotated[int, Field(ge=1), Knob(8, 64, scale="log")] = 100
    shrinkage: Annotated[float, Knob(0, 10)] = 2.0
    kind: Annotated[Literal["a", "b"], Knob()] = "b"
    bound: Annotated[float, Knob(0.5, 4)] | None = None
    title: str = "x"


def test_the_space_follows_the_knobs_and_holds_the_defaults() -> None:
    space = search_space(OddConfig)
    assert space == (
        Dimension("factors", low=8, high=100, is_whole=True, is_log=True, default=100),
        Dimension("shrinkage", low=0, high=10, default=2.0),
        Dimension("kind", choices=("a", "b"), default="b"),
        Dimension("bound", low=0.5, high=4, default=None, is_optional=True),
    )
    first = {"factors": 100, "shrinkage": 2.0, "kind": "b", "bound?": False}
    assert first_parameters(space) == first
    assert settings_of(first, space) == {"factors": 100, "shrinkage": 2.0, "kind": "b", "bound": None}
    assert settings_of(first | {"bound?": True, "bound": 3.0}, space)["bound"] == 3.0


@pytest.mark.parametrize("key", MODELS)
def test_the_first_trial_of_every_model_is_its_defaults(key: str) -> None:
    space = search_space(model_class(key).config_type)
    assert make_model(key, settings_of(first_parameters(space), space)).config == make_model(key).config
    for one in space:
        limits, first = one.distribution(), first_parameters(space).get(one.name)
        assert first is None or limits._contains(limits.to_internal_repr(first)), one.name


@pytest.mark.parametrize(
    ("fields", "models", "budget", "reason"),
    [
        ({}, ("ease", "ease"), {"trials": 3}, "Name each model once"),
        ({}, ("popular",), {"trials": 3}, "no settings to tune: popular"),
        ({"split": {"validation_fraction": 0}}, ("ease",), {"trials": 3}, "validation share above 0"),
        ({"split": {"kind": "k_fold", "validation_fraction": 0.1}}, ("ease",), {"trials": 3}, "Choose another split"),
        ({}, ("ease",), {"trials": 3, "seconds": 4}, "one of the two"),
        ({}, ("ease",), {}, "one of the two"),
    ],
)
def test_what_cannot_be_tuned_is_refused(
    fields: dict[str, Any], models: tuple[str, ...], budget: dict[str, Any], reason: str
) -> None:
    base = {"data": "f" * 16, "split": {"validation_fraction": 0.1}} | fields
    with pytest.raises(ConfigError, match=reason):
        TuningSpec.of(base, models, budget)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Tuning:
    """A finished tuning of two fast models; a test must not change it."""
    data = two_tastes()
    tuning = created(tmp_path_factory.mktemp("tuned"), tuning_spec(data, trials=TRIALS))
    assert {status.state for status in run_to_the_end(Bench(tuning, Memory(data)))} == {JobState.DONE}
    return tuning


def test_every_model_has_the_same_budget_and_starts_with_the_defaults(done: Tuning) -> None:
    for key in FAST:
        rows = done.trials(key)
        assert sum(row.is_counted for row in rows) == TRIALS
        assert rows[0].config == make_model(key).config.model_dump(mode="json")
    for one in standings(done):
        assert one.used == TRIALS
        assert one.best is not None
        assert one.first == done.trials(one.key)[0].value
        assert (one.best.value or 0.0) >= (one.first or 1.0)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_trials_in_any_order_of_models(done: Tuning, tmp_path: Path) -> None:
    data = two_tastes()
    again = created(tmp_path, done.spec)
    for key in FAST[::-1]:  # one model after the other, each trial by another process
        for _ in range(TRIALS):
            bench = Bench(again, Memory(data))
            bench.run_next(key)
            bench.close()
    for key in FAST:
        told = [[(row.number, row.settings, row.value) for row in one.trials(key)] for one in (done, again)]
        assert told[0] == told[1]


def test_the_test_part_is_read_once_and_then_the_tuning_is_closed(tmp_path: Path) -> None:
    data = two_tastes()
    tuning = created(tmp_path, tuning_spec(data, "bias", trials=1))
    with pytest.raises(ConfigError, match="still running"):
        tuning.read_test_part()
    run_to_the_end(Bench(tuning, Memory(data)))
    assert tuning.guard.reading() is None
    spec = tuning.read_test_part()
    assert tuning.read_test_part() == spec  # the same experiment, as after a press on the button twice
    reading = tuning.guard.reading()
    assert reading is not None
    assert reading.by == spec.id
    with pytest.raises(TestPartSealed, match="read once"):
        tuning.guard.read("another")
    with pytest.raises(TestPartSealed, match="cannot go on"):
        _ = Bench(tuning, Memory(data)).split
    tuning.job("bias").change({JobState.DONE}, state=JobState.QUEUED)
    status = Bench(tuning, Memory(data)).run_next("bias")
    assert status.state is JobState.FAILED
    assert "cannot go on" in (status.reason or "")


def test_a_trial_that_reads_the_test_part_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = two_tastes()
    tuning = created(tmp_path, tuning_spec(data, "bias", trials=3))
    bench = Bench(tuning, Memory(data))
    assert isinstance(bench.split.test, SealedPart)
    with pytest.raises(TestPartSealed, match="'interactions'"):
        bench.split.test_users()
    honest = trial.evaluate
    monkeypatch.setattr(trial, "evaluate", lambda *args, part, **more: honest(*args, part="test", **more))
    [status] = run_to_the_end(bench)
    assert status.state is JobState.FAILED
    assert "All 3 trials failed" in (status.reason or "")
    assert {row.ending for row in tuning.trials("bias")} == {"failed"}
    assert "requested during tuning" in tuning.trials("bias")[0].reason


def test_the_tuned_experiment_records_tuning_and_budget(done: Tuning) -> None:
    spec = done.spec.tuned_experiment(done.tuned_configs())
    by_key = {model.key: model for model in spec.models}
    assert set(by_key) == {*FAST, "popular", "random"}
    for key in FAST:
        best = best_row(done.trials(key), lower=False)
        assert best is not None
        assert by_key[key].config == best.config
        assert spec.tuned[by_key[key].id] == done.spec.tuned_by()
    assert spec.tuned[by_key["ease"].id].budget.trials == TRIALS
    assert spec.id != done.spec.experiment.id


def validated(study: ModelStudy, tuning: Tuning, values: list[float]) -> int:
    """Run a trial that reports these values after its epochs; return the number of epochs it was given."""
    at = iter(values)

    def validator(_: Any) -> Mapping[str, float]:
        return {"validation ndcg@5": next(at)}

    drawn = study.ask()
    assert drawn is not None
    asked = drawn[0]
    validate = PruningValidator(validator, asked, tuning.spec)  # type: ignore[arg-type]
    for epoch in range(1, len(values) + 1):
        try:
            validate(None)  # type: ignore[arg-type]
        except Pruned as error:
            study.prune(asked, str(error), 1.0)
            return epoch
    study.complete(asked, values[-1], 1.0)
    return len(values)


def test_successive_halving_stops_the_worse_trial_at_the_first_rung(tmp_path: Path) -> None:
    tuning = created(tmp_path, tuning_spec("f" * 16, "ease", trials=9))
    with Study(tmp_path, tuning, "ease") as study:
        for slope in (0.1, 0.09, 0.08, 0.07):  # the first round has nothing to be compared with
            assert validated(study, tuning, [slope * epoch for epoch in range(1, 10)]) == 9
        assert validated(study, tuning, [0.05 * epoch for epoch in range(1, 10)]) == 4
        assert validated(study, tuning, [0.2 * epoch for epoch in range(1, 10)]) == 9
        assert study.used().trials == 6
        assert study.used().completed == 5


@pytest.mark.slow
def test_a_killed_process_leaves_a_marked_trial_and_the_study_goes_on(done: Tuning, tmp_path: Path) -> None:
    data = two_tastes()
    tuning = created(tmp_path, done.spec)
    killed = f"""
import os
from pathlib import Path
from recsys_core.experiments.tuning import trial
from recsys_core.experiments.tuning.execution import Bench
from recsys_core.experiments.tuning.store import TuningStore
from tests.engine.support import Memory
from tests.pages.finished import two_tastes
bench = Bench(TuningStore(Path({str(tmp_path)!r})).open({tuning.id!r}), Memory(two_tastes()))
bench.run_next("ease")
trial.validation_value = lambda *_: os._exit(9)
bench.run_next("ease")
"""
    assert subprocess.run([sys.executable, "-c", killed], cwd=ROOT, check=False).returncode == 9
    assert tuning.trials("ease")[1].ending == "running"
    status = tuning.job("ease").status()
    assert status.state is JobState.QUEUED
    assert "ended during a trial" in (status.reason or "")
    run_to_the_end(Bench(tuning, Memory(data)))
    rows = tuning.trials("ease")
    assert [row.ending for row in rows] == ["complete", "interrupted", *["complete"] * (TRIALS - 1)]
    assert "killed" in rows[1].reason
    assert rows[2].settings == rows[1].settings
    counted = [(row.settings, row.value) for row in rows if row.is_counted]
    assert counted == [(row.settings, row.value) for row in done.trials("ease")]  # as without the interruption


def test_settings_whose_process_ends_twice_count_as_failed(tmp_path: Path, done: Tuning) -> None:
    with Study(tmp_path, done, "ease") as study:
        for _ in range(2):
            study.ask()
            assert study.close_unfinished("Killed.", 2.0) == 1
        assert study.used().trials == study.used().failed == 1
        assert study.used().seconds == 4.0
        drawn = study.ask()
        assert drawn is not None
        study.interrupt(drawn[0].number, "Cancelled.", 1.0)
        assert study.used().trials == 1


def test_cancel_stops_a_trial_which_is_repeated_after_resuming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = two_tastes()
    tuning = created(tmp_path, tuning_spec(data, "ease", trials=2))
    bench = Bench(tuning, Memory(data))
    honest = trial.validation_value

    def cancelled_meanwhile(*arguments: Any) -> float | None:
        tuning.cancel()
        return honest(*arguments)

    monkeypatch.setattr(trial, "validation_value", cancelled_meanwhile)
    status = bench.run_next("ease")
    assert status.state is JobState.CANCELLED
    assert [row.ending for row in tuning.trials("ease")] == ["interrupted"]
    monkeypatch.setattr(trial, "validation_value", honest)
    tuning.job("ease").requeue()
    run_to_the_end(bench)
    assert [row.ending for row in tuning.trials("ease")] == ["interrupted", "complete", "complete"]
    assert tuning.trials("ease")[1].settings == tuning.trials("ease")[0].settings


def test_a_budget_of_seconds_ends_the_last_trial_but_not_the_first(tmp_path: Path) -> None:
    data = two_tastes()
    tuning = created(tmp_path, tuning_spec(data, "ease", seconds=1e-6))
    [status] = run_to_the_end(Bench(tuning, Memory(data)))
    assert status.state is JobState.DONE
    assert [row.ending for row in tuning.trials("ease")] == ["complete"]
    with Study(tuning.job("ease").path, tuning, "ease") as study:
        split = Bench(tuning, Memory(data)).split
        limits = Limits(cancelled=lambda: False, seconds=0.0)
        run_trial(study, "ease", tuning.spec, split, RunContext(), limits, lambda _: None)
        last = study.trials()[-1]
        assert last.state.name == "PRUNED"
        assert "used up" in last.user_attrs["reason"]


def test_settings_that_are_refused_are_drawn_anew_and_use_no_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "MOST_DRAWS", 3)
    data = two_tastes()
    tuning = created(tmp_path, tuning_spec(data, "ease", trials=2))
    refused = iter(["Too large."])
    run_to_the_end(Bench(tuning, Memory(data), refusal=lambda _: next(refused, None)))
    assert [row.ending for row in tuning.trials("ease")] == ["invalid", "complete", "complete"]
    other = created(tmp_path / "other", tuning_spec(data, "ease", trials=2))
    [status] = run_to_the_end(Bench(other, Memory(data), refusal=lambda _: "Too large."))
    assert status.state is JobState.FAILED
    assert "No valid settings were found in 3 draws" in (status.reason or "")


@pytest.mark.parametrize("key", ["user_knn", "item_knn"])
def test_settings_that_the_data_rule_out_are_not_tried(key: str, tmp_path: Path) -> None:
    """Most draws of kNN need ratings: without them, every trial must train all the same."""
    data = dataset_from_frames(two_tastes().interactions[["user", "item"]], name="Clicks")
    fields = tuning_spec(data, key, trials=8).experiment.model_dump() | {"relevant_from": None}
    tuning = created(tmp_path, TuningSpec.of(fields, (key,), {"trials": 8}))
    run_to_the_end(Bench(tuning, Memory(data)))
    trials = tuning.trials(key)
    assert all("No pair has a similarity" in row.reason for row in trials if row.ending != "complete")
    assert len({tuple(row.settings.items()) for row in trials}) == 8
    for row in trials:
        assert row.settings == {name: row.config[name] for name in row.settings}
        assert (row.config["centering"], row.config["aggregation"], row.config["iterations"]) == ("none", "sum", 1)


def test_a_job_runs_once_and_a_second_tuning_of_the_same_spec_is_the_first(tmp_path: Path) -> None:
    data = two_tastes()
    tuning = created(tmp_path, tuning_spec(data, "bias", trials=1))
    run_to_the_end(Bench(tuning, Memory(data)))
    assert created(tmp_path, tuning.spec, "another name").name == tuning.name
    assert Bench(tuning, Memory(data)).run_next("bias").state is JobState.DONE
    assert len(tuning.trials("bias")) == 1
    assert [card.id for card in TuningStore(tmp_path).tunings()] == [tuning.id]


@pytest.mark.parametrize("name", ["spec.json", "summary.json"])
def test_a_damaged_tuning_is_reported_and_replaced_by_the_same_tuning(tmp_path: Path, name: str) -> None:
    store, spec = TuningStore(tmp_path), tuning_spec(two_tastes(), "bias", trials=1)
    tuning = created(tmp_path, spec, "Evening")
    assert store.damaged() == []
    flip_bit(tuning.path / name)
    [found] = store.damaged()
    assert (found.kind, found.key) == ("tuning", f"tunings/{spec.id}")
    assert found.name == ("Evening" if name == "spec.json" else spec.id)
    assert f"'{name}' is not" in found.reason
    assert store.tunings() == []
    (tuning.path / name).write_text("{}", encoding="utf-8")
    assert "lacks" in store.damaged()[0].reason
    with pytest.raises(Damaged, match=name):
        store.open(spec.id)
    assert created(tmp_path, spec, "Morning").name == "Morning"
    [aside] = store.damaged()
    assert aside.path.parent.name == "set_aside"
    assert f"'{name}' in" in aside.reason
    assert Workspace(tmp_path).damaged() == []  # it is no data set
    store.remove_damaged(aside.key)
    assert store.damaged() == []
    with pytest.raises(StoreError, match="not a damaged folder"):
        store.remove_damaged(f"tunings/{spec.id}")
    assert [card.name for card in store.tunings()] == ["Morning"]


def test_studies_are_stored_beside_the_model_or_in_postgresql(tmp_path: Path) -> None:
    assert storage_address(tmp_path, {}) == f"sqlite:///{tmp_path}/study.sqlite"
    setting = {"RECSCOPE_TUNING_STORAGE": "postgresql://me@host/db"}
    assert storage_address(tmp_path, setting) == "postgresql+psycopg://me@host/db"
    with pytest.raises(ConfigError, match="not a PostgreSQL address"):
        storage_address(tmp_path, {"RECSCOPE_TUNING_STORAGE": "mysql://me@host/db"})


def test_equal_tunings_in_one_database_do_not_share_their_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An SQLite file stands for the database of two workspaces; the models of a tuning share a connection."""
    shared, opened = f"sqlite:///{tmp_path}/shared.sqlite", []

    def address(folder: Path, environment: Mapping[str, str] | None = None) -> str:
        return storage_address(folder, environment) if environment == {} else shared

    def opening(folder: Path) -> RDBStorage:
        opened.append(folder)
        return open_storage(folder)

    for module in (studies, execution):
        monkeypatch.setattr(module, "storage_address", address)
    monkeypatch.setattr(execution, "open_storage", opening)
    data = two_tastes()
    for name in ("one", "other"):
        tuning = created(tmp_path / name, tuning_spec(data, "ease", "bias", trials=2))
        run_to_the_end(Bench(tuning, Memory(data)))
        assert {len(tuning.trials(key)) for key in tuning.spec.models} == {2}
        with Study(tuning.job("ease").path, tuning, "ease") as study:
            started = [one.datetime_start for one in study.trials()]
        assert len(started) == 2
        assert all(time is not None and time.timestamp() >= tuning.created for time in started)
    assert len(opened) == 2
    assert not list(tmp_path.rglob("study.sqlite"))


def test_a_missing_driver_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"pip install 'psycopg\[binary\]'"):
        open_storage(tmp_path, {"RECSCOPE_TUNING_STORAGE": "postgresql://me@host/db"})


def row(number: int, ending: Any, value: float | None, **settings: Any) -> TrialRow:
    return TrialRow(number, ending, value, 2.0, settings)


def test_the_curve_keeps_the_best_value_and_counts_all_seconds() -> None:
    rows = [row(0, "complete", 0.3), row(1, "interrupted", None), row(2, "pruned", None), row(3, "complete", 0.5)]
    curve = curve_of("ease", [*rows, row(4, "complete", 0.4)], lower=False)
    assert list(curve["trial"]) == [1, 2, 3, 4]
    assert list(curve["seconds"]) == [2.0, 6.0, 8.0, 10.0]
    assert list(curve["best"]) == [0.3, 0.3, 0.5, 0.5]
    assert list(curve_of("ease", [row(0, "complete", 0.3), row(1, "complete", 0.2)], lower=True)["best"]) == [0.3, 0.2]
    assert best_row([row(0, "complete", 0.3), row(1, "complete", 0.3)], lower=False) == row(0, "complete", 0.3)


def test_a_curve_without_progress_has_no_axis_below_0() -> None:
    """A constant value gets an axis from 1 below to 1 above it: NDCG from -0.5."""
    curve = curve_of("ease", [row(0, "complete", 0.3), row(1, "complete", 0.2)], lower=False)
    figure = best_so_far(curve, titles={"ease": "EASE"}, families={"ease": "linear"}, metric="NDCG", in_seconds=False)
    assert figure.layout.yaxis.rangemode == "nonnegative"


def test_importance_names_the_setting_that_decides() -> None:
    space = search_space(model_class("bias").config_type)
    assert [one.name for one in space] == ["terms", "shrinkage"]
    rows = [
        row(number, "complete", float(number % 25), terms=("global", "item")[number % 2], shrinkage=4.0 * (number % 25))
        for number in range(50)
    ]
    shares = importance("bias", rows)
    assert next(iter(shares)) == "shrinkage"
    assert shares["shrinkage"] > 0.9
    assert sum(shares.values()) == pytest.approx(1.0)
    assert importance("bias", rows[:3]) == {}
    assert importance("bias", [row(n, "complete", 1.0, terms="item", shrinkage=1.0 * n) for n in range(9)]) == {}


def test_cancelled_between_two_trials(tmp_path: Path) -> None:
    data = two_tastes()
    tuning = created(tmp_path, tuning_spec(data, "bias", trials=2))
    tuning.job("bias").change({JobState.QUEUED}, state=JobState.RUNNING)
    tuning.cancel()
    tuning.job("bias").change({JobState.RUNNING}, state=JobState.QUEUED, process=None)
    status = Bench(tuning, Memory(data)).run_next("bias")
    assert status.state is JobState.CANCELLED
    assert status.reason == "Cancelled between two trials."
    assert execution.MANY_FAILURES > 1
    assert issubclass(Pruned, Cancelled)
