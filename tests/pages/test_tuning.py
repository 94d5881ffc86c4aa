"""Tuning on the page Train: the form, the live panel, cancel and resume, the tuned experiment, and presets."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import on_the_way
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.tuning.execution import Bench
from recsys_core.experiments.tuning.presets import PresetStore, presets_of
from recsys_core.experiments.tuning.store import Tuning, TuningStore
from tests.pages.finished import (
    Finished,
    finished,
    finished_template,
    leaderboard,
    no_engine_process,
    no_exception,
    open_page,
    two_tastes,
    until,
    words,
)
from tests.programs import offer, put
from tests.tunings import FAST, created, run_to_the_end, tuning_spec

__all__ = ["finished", "finished_template", "no_engine_process", "open_page"]
Open = Callable[..., AppTest]
TRIALS = 4
pytestmark = pytest.mark.usefixtures("no_engine_process")


@pytest.fixture(scope="module")
def tuned_template(finished_template: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a finished tuning and its presets."""
    root = tmp_path_factory.mktemp("tuned") / "workspace"
    shutil.copytree(finished_template.root, root)
    tuning = created(root, tuning_spec(finished_template.data, trials=TRIALS), "Evening")
    run_to_the_end(Bench(tuning, Workspace(root)))
    for key in FAST:
        for preset in presets_of(tuning, key):
            PresetStore(root).save(preset)
    return root


@pytest.fixture
def tuned(tuned_template: Path, finished: Finished) -> Tuning:
    for name in ("tunings", "presets"):
        shutil.copytree(tuned_template / name, finished.root / name)
    [card] = TuningStore(finished.root).tunings()
    return TuningStore(finished.root).open(card.id)


def test_the_form_starts_a_tuning_of_the_selected_models(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    assert "Every model gets the same budget" in words(app)
    [chosen] = [one for one in app.multiselect if str(one.key).startswith("tuning_models_")]
    assert chosen.value == ["item_knn", "biased_mf", "ease"]
    assert "popular" not in chosen.options
    chosen.set_value(["ease", "bias"])
    app.number_input(key="tuning_trials").set_value(3)
    app.text_input(key="tuning_name").set_value("Morning")
    app = no_exception(app.button(key="tuning_start").click().run())  # as when typing and pressing in quick succession
    [card] = TuningStore(finished.root).tunings()
    tuning = TuningStore(finished.root).open(card.id)
    assert (tuning.name, tuning.spec.models) == ("Morning", ("ease", "bias"))
    assert tuning.spec.budget.trials == 3
    assert tuning.spec.metric == "ndcg@10"
    assert app.query_params["tuning"] in (card.id, [card.id])
    assert "2 models: 2 queued" in words(app)
    assert "Current tuning" in words(app)


def test_programs_of_the_server_can_be_tuned(
    open_page: Open, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(tmp_path / "programs", monkeypatch)
    put(tmp_path / "programs", "counter")
    app = open_page("train", data=finished.data)
    [chosen] = [one for one in app.multiselect if str(one.key).startswith("tuning_models_")]
    app = no_exception(chosen.set_value(["program_counter"]).run())
    no_exception(app.button(key="tuning_start").click().run())
    [card] = TuningStore(finished.root).tunings()
    assert set(card.states) == {"program_counter"}


def test_without_a_validation_share_the_form_says_why_it_cannot_start(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    app = no_exception(app.number_input(key="protocol_validation").set_value(0).run())
    assert "choose a validation share above 0" in words(app)
    assert app.button(key="tuning_start").disabled


def test_a_live_tuning_shows_budget_and_curve_and_can_be_cancelled_and_resumed(
    open_page: Open, finished: Finished
) -> None:
    tuning = created(finished.root, tuning_spec(finished.data, trials=TRIALS))
    bench = Bench(tuning, Workspace(finished.root))
    for key in FAST:
        bench.run_next(key)
    bench.close()
    app = open_page("train", data=finished.data)
    text = words(app)
    assert "NDCG@5, 4 trials per model. 2 models: 2 queued" in text
    assert "Highest validation NDCG@5 so far:" in text
    assert [bar for bar in app.get("progress") if bar.proto.text.startswith("1 trial ·")]
    assert "is shown when this model has used its budget" in text
    app = no_exception(app.button(key="tuning_cancel").click().run())
    assert {status.state for status in tuning.statuses()} == {JobState.CANCELLED}
    assert "2 models: 2 cancelled" in words(app)
    app = no_exception(app.button(key="tuning_resume").click().run())
    assert {status.state for status in tuning.statuses()} == {JobState.QUEUED}
    assert len(tuning.trials("ease")) == 1


def test_the_tuned_models_become_one_experiment_and_the_tuning_is_closed(
    open_page: Open, finished: Finished, tuned: Tuning
) -> None:
    app = open_page("train", data=finished.data, tuning=tuned.id)
    text = words(app)
    assert "Latest tuning" in text
    assert "2 models: 2 done" in text
    assert "which is read once: afterwards this tuning cannot be resumed" in text
    until(app, lambda: "of the variance of the validation metric" in words(app) or "Too few trials" in words(app))
    app = no_exception(app.button(key="tuning_train").click().run())
    reading = tuned.guard.reading()
    assert reading is not None
    run = ResultStore(finished.root).open(reading.by)
    assert app.query_params["run"] in (run.id, [run.id])
    assert {run.model_spec(model).key for model in run.spec.tuned} == set(FAST)
    assert not [one for one in app.button if one.key in ("tuning_train", "tuning_resume")]
    assert app.button(key="tuning_open").label == "Open the experiment of the tuned models"


def test_a_preset_fills_the_form_and_the_experiment_records_its_tuning(
    open_page: Open, finished: Finished, tuned: Tuning
) -> None:
    app = open_page("train", ["ease"], data=finished.data)
    choice = app.selectbox(key="algorithm_ease_preset")
    [preset] = PresetStore(finished.root).presets("ease")
    assert choice.options == ["Choose a preset", f"Evening · ndcg@5 {preset.value:.4f}"]
    app = no_exception(choice.set_value(preset.id).run())
    value = preset.model.config["regularization"]
    assert app.number_input(key="algorithm_ease_regularization").value == pytest.approx(value)
    for key in ("item_knn", "biased_mf"):
        app.checkbox(key=f"algorithm_{key}_use").uncheck()
    app = no_exception(app.run())
    no_exception(app.button(key="train_start").click().run())
    [run] = [
        run
        for card in ResultStore(finished.root).runs()
        if (run := ResultStore(finished.root).open(card.id)).spec.tuned
    ]
    [(model, record)] = run.spec.tuned.items()
    assert run.model_spec(model).config["regularization"] == pytest.approx(value)
    assert record.tuning == tuned.id
    assert record.part == "test"  # the form has another split of the same data than the tuning
    app = open_page("train", ["ease"], **finished.address())
    app = no_exception(app.selectbox(key="algorithm_ease_preset").set_value(preset.id).run())
    no_exception(app.button(key="algorithm_ease_preset_delete").click().run())
    assert [one.model.key for one in PresetStore(finished.root).presets()] == ["bias"]


@pytest.mark.parametrize(("model", "own"), [("ease", {"regularization": 7.0}), ("bias", {"shrinkage": 9.0})])
def test_a_field_changed_before_the_browser_has_drawn_a_preset_is_added_to_it(
    open_page: Open, finished: Finished, tuned: Tuning, monkeypatch: pytest.MonkeyPatch, model: str, own: dict[str, Any]
) -> None:
    """The browser sends the fields from before the preset, besides the one that was changed."""
    [preset] = PresetStore(finished.root).presets(model)
    app = open_page("train", [model], data=finished.data)
    drawn, choice = fields(app, model), f"algorithm_{model}_preset"
    app = no_exception(app.selectbox(key=choice).set_value(preset.id).run())
    filled = fields(app, model)
    assert sum(value != filled[name] for name, value in drawn.items()) == 2
    cases = {"early": (drawn | own, filled | own), "beside the form": (drawn, filled), "drawn": (filled | own,) * 2}
    for name, (sent, expected) in cases.items():
        with monkeypatch.context() as later:
            later.setattr(on_the_way, "SECONDS", 0.0)
            app.selectbox(key=choice).set_value("")
            assert fields(send(app, model, drawn), model) == drawn, "by hand"
        app = no_exception(app.selectbox(key=choice).set_value(preset.id).run())
        assert fields(send(app, model, sent), model) == expected, name


def fields(app: AppTest, model: str) -> dict[str, Any]:
    """Return the values of the form of a model."""
    start = f"algorithm_{model}_"
    every = [*app.number_input, *app.toggle, *app.selectbox]
    return {
        str(one.key).removeprefix(start): one.value
        for one in every
        if str(one.key).startswith(start) and not str(one.key).endswith("_preset")
    }


def send(app: AppTest, model: str, values: dict[str, Any]) -> AppTest:
    """Send these values of the form of a model in one event."""
    for one in [*app.number_input, *app.toggle, *app.selectbox]:
        name = str(one.key).removeprefix(f"algorithm_{model}_")
        if name in values:
            one.set_value(values[name])
    return no_exception(app.run())


def test_a_preset_is_renamed_and_shown_letter_by_letter_unless_another_user_was_first(
    open_page: Open, finished: Finished, tuned: Tuning
) -> None:
    store = PresetStore(finished.root)
    [preset] = store.presets("ease")
    app = open_page("train", ["ease"], data=finished.data)
    app = no_exception(app.selectbox(key="algorithm_ease_preset").set_value(preset.id).run())
    app.text_input(key=f"algorithm_ease_preset_name_{preset.id}").set_value("**bold** :red[x] $y$")
    app = no_exception(app.button(key="algorithm_ease_preset_renamed").click().run())
    value = f"ndcg@5 {preset.value:.4f}"
    assert app.selectbox(key="algorithm_ease_preset").options[1] == f"**bold** :red[x] $y$ · {value}"
    app = no_exception(app.selectbox(key="algorithm_ease_preset").set_value(preset.id).run())
    store.rename(preset.id, "Hers", before="**bold** :red[x] $y$")
    app.text_input(key=f"algorithm_ease_preset_name_{preset.id}").set_value("His")
    app = no_exception(app.button(key="algorithm_ease_preset_renamed").click().run())
    assert "was renamed to 'Hers' meanwhile; nothing was changed" in words(app)
    assert [one.name for one in store.presets("ease")] == ["Hers"]
    app = open_page("train", ["ease"], data=finished.data)
    app = no_exception(app.selectbox(key="algorithm_ease_preset").set_value(preset.id).run())
    app.text_input(key=f"algorithm_ease_preset_name_{preset.id}").set_value("  ")
    app = no_exception(app.button(key="algorithm_ease_preset_renamed").click().run())
    assert "The name of a preset must have 1 to 200 printable characters" in words(app)


def test_the_comparison_of_tuned_models_shows_their_budget(open_page: Open, finished: Finished, tuned: Tuning) -> None:
    store, workspace = ResultStore(finished.root), Workspace(finished.root)
    run = store.create(tuned.read_test_part(), "Two tastes")
    for model_id in run.model_ids:
        execute(store, run.id, model_id, workspace, 1)
    app = open_page("compare", data=finished.data, run=run.id)
    board = leaderboard(app).set_index("Model")
    assert dict(board["Tuning"]) == {
        "EASE": "4 trials",
        "User and item biases": "4 trials",
        "Popularity (baseline)": "nothing to tune",
        "Random": "nothing to tune",
    }
    assert "leads on NDCG@5" in words(app)


def test_a_link_to_a_tuning_brings_its_data_or_says_that_it_is_of_others(open_page: Open, tuned: Tuning) -> None:
    root = tuned.path.parents[1]
    other = Workspace(root).store(two_tastes(seed=9)).fingerprint  # the newest: shown where a link names nothing
    app = open_page("train", tuning=tuned.id)
    assert app.query_params["data"] in (tuned.spec.experiment.data, [tuned.spec.experiment.data])
    assert "belongs to another data set" in words(open_page("train", tuning=tuned.id, data=other))
