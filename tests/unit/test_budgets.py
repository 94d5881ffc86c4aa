"""Equal and unequal tuning budgets: what the leaderboard marks, what the verdict says, and what presets record."""

from pathlib import Path

import pytest

from recsys_core.experiments import leaderboard
from recsys_core.experiments.analysis import compare_run, findings, users_of
from recsys_core.experiments.budgets import same_budget, tuning_words, unequal
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.leaderboard import TUNING
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.tuned_by import Budget, TunedBy
from recsys_core.experiments.tuning.presets import Preset, with_tunings
from recsys_core.viz.leaderboard_html import leaderboard_html
from recsys_core.viz.leaderboard_rows import leaderboard_rows
from tests.engine.support import Memory, spec_of
from tests.pages.finished import two_tastes
from tests.programs import offer, put
from tests.tunings import tuning_spec

EASE, BIAS = ModelSpec(key="ease"), ModelSpec(key="bias")


def tuned(trials: int = 20, **fields: str) -> TunedBy:
    return TunedBy.model_validate({"tuning": "1" * 16, "budget": Budget(trials=trials), "metric": "ndcg@10"} | fields)


def spec(**records: TunedBy) -> ExperimentSpec:
    ids = {"ease": EASE.id, "bias": BIAS.id}
    return spec_of("ease", "bias", tuned={ids[key]: one for key, one in records.items()})


def test_models_without_settings_have_any_budget() -> None:
    titles = {EASE.id: "EASE", BIAS.id: "Biases", "popular-44136fa3": "Popularity"}
    for equal in (spec(), spec(ease=tuned(), bias=tuned())):
        assert unequal(equal, titles) == []
        assert same_budget(equal, titles)
    assert unequal(spec(ease=tuned()), titles) == ["Biases"]
    assert unequal(spec(ease=tuned(), bias=tuned(30)), titles) == ["Biases"]
    assert unequal(spec(ease=tuned(), bias=tuned(part="other_data")), titles) == ["Biases"]
    assert unequal(spec(ease=tuned(), bias=tuned(metric="rmse")), titles) == ["Biases"]
    assert unequal(spec(ease=tuned()), {EASE.id: "EASE"}) == []


def test_the_budget_of_each_model_in_words() -> None:
    assert tuning_words(spec()) == {}
    words = tuning_words(spec(ease=tuned(1, part="other_data")))
    assert words[EASE.id] == "1 trial, on other data"
    assert words[BIAS.id] == "not tuned"
    assert words["popular-44136fa3"] == "nothing to tune"
    assert tuning_words(spec(ease=tuned(metric="rmse")))[EASE.id] == "20 trials, by RMSE"
    assert Budget(seconds=90).words == "90 s"


def test_a_program_that_is_gone_keeps_its_tuning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a run card was opened, for example. Its settings are unknown there, but its budget is not."""
    offer(tmp_path, monkeypatch)
    put(tmp_path, "counter")
    program = ModelSpec(key="program_counter")
    stored = spec_of("ease", "program_counter", tuned={program.id: tuned(30), EASE.id: tuned()})
    plain = spec_of("ease", "program_counter", tuned={EASE.id: tuned()})
    titles = {EASE.id: "EASE", program.id: "Counter"}
    for _gone in (False, True):
        assert tuning_words(stored)[program.id] == "30 trials"
        assert unequal(stored, titles) == ["Counter"]
        assert tuning_words(plain)[program.id] == "not tuned"
        assert unequal(plain, titles) == ["Counter"]
        monkeypatch.delenv("RECSCOPE_PLUGINS", raising=False)


def test_records_of_tunings_leave_ids_of_untuned_experiments_as_they_are() -> None:
    assert spec().id == spec_of("ease", "bias").id
    assert spec(ease=tuned()).id != spec().id


def test_settings_of_a_preset_are_recorded_with_the_data_of_its_tuning() -> None:
    tuning = tuning_spec("f" * 16, "ease", trials=5)
    model = ModelSpec(key="ease", config={"regularization": 20.0})
    preset = Preset(name="Evening", model=model, tuning=tuning, value=0.4, created=0.0)
    fields = tuning.experiment.model_dump() | {"models": [model, BIAS]}
    same = with_tunings(ExperimentSpec.model_validate(fields), [preset])
    assert same.tuned == {model.id: tuning.tuned_by()}
    assert with_tunings(ExperimentSpec.model_validate(fields | {"seed": 7}), [preset]).tuned[model.id].part == "test"
    other = with_tunings(ExperimentSpec.model_validate(fields | {"data": "e" * 16}), [preset])
    assert other.tuned[model.id].part == "other_data"
    assert with_tunings(spec(), [preset]).tuned == {}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished experiment in which EASE is tuned, on the test part of another split, and the biases are not."""
    root: Path = tmp_path_factory.mktemp("runs")
    data, store = two_tastes(), ResultStore(root)
    record = {EASE.id: tuned(part="test")}
    run = store.create(spec_of("ease", "bias", data=data.fingerprint, tuned=record, cutoffs=(5, 10)), "Two tastes")
    for model_id in run.model_ids:
        execute(store, run.id, model_id, Memory(data), 1)
    return run


def test_the_leaderboard_marks_the_untuned_model(run: Run) -> None:
    board = leaderboard.leaderboard(leaderboard.contenders(run), compare_run(run))
    words = dict(zip(board["title"], board[TUNING], strict=True))
    assert words["User and item biases"] == "not tuned"
    assert words["EASE"] == "20 trials"
    rows = leaderboard_rows(board, "ndcg@10", [], baseline="", differences=False, costs={}, caption="")
    assert [column["title"] for column in rows["columns"]][:3] == ["Model", "Tuning", "Tied"]
    assert "not tuned" in [cell for row in rows["rows"] for cell in row["cells"]]
    html = leaderboard_html(board, "ndcg@10", [], baseline="", costs={}, caption="")
    assert "User and item biases (not tuned)" in html


def test_the_verdict_calls_no_model_best_and_says_why(run: Run) -> None:
    verdict = " ".join(str(sentence) for sentence in compare_run(run).verdict)
    assert "is first on NDCG@10, with unequal tuning" in verdict
    assert "User and item biases was not tuned like the other models, as far as is known (budget" in verdict
    assert "best" not in verdict
    assert "leads" not in verdict


def test_a_preset_of_another_split_of_the_same_data_counts_as_tuned_on_the_test_set(run: Run) -> None:
    found = {one.rule: one for one in findings(run, users_of(run))}
    assert found["tuned_on_test"].message.startswith("EASE was tuned on this same test set")
