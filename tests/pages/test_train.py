"""The page Train in its four states: without data, rules, the start, and the live panel."""

import json
import shutil
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import frame
from recsys_core.contracts import Progress
from recsys_core.data.workspace import Workspace
from recsys_core.engine import Engine
from recsys_core.engine.estimate import Estimate
from recsys_core.errors import StoreError
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.progress import ProgressWriter
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.storage.processes import own_mark
from recsys_core.viz.progress import course, curve_of
from tests.pages.finished import (
    Finished,
    finished,
    finished_template,
    no_engine_process,
    no_exception,
    open_page,
    small_spec,
    spoil,
    two_tastes,
    until,
    words,
)
from tests.programs import offer, put
from tests.records import rewrite

__all__ = ["finished", "finished_template", "no_engine_process", "open_page"]
Open = Callable[..., AppTest]


def test_without_data_it_says_what_to_do(open_page: Open) -> None:
    app = open_page("train")
    assert "No data yet" in words(app)
    assert app.button(key="empty_go_data").label


def test_the_rules_say_in_numbers_what_the_split_leaks(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    until(app, lambda: "No temporal leakage" in words(app))
    app = no_exception(app.selectbox(key="protocol_split").set_value("ratio").run())
    until(app, lambda: "are earlier than some training interaction" in words(app))
    app = no_exception(app.selectbox(key="protocol_split").set_value("global_time").run())
    until(app, lambda: "No temporal leakage: no training interaction is later than" in words(app))


def test_new_items_can_be_held_out_and_the_rules_say_who_can_rank_them(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    app = no_exception(app.selectbox(key="protocol_split").set_value("item_holdout").run())
    assert "Only models that use item features can rank them." in words(app)
    assert app.number_input(key="protocol_test").value == 20
    until(app, lambda: "no training interactions; most models cannot recommend" in words(app))


def test_a_split_that_cannot_be_made_is_a_sentence(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    app.selectbox(key="protocol_split").set_value("leave_last_out").run()
    app = no_exception(app.number_input(key="protocol_last").set_value(100).run())
    assert "hold out fewer" in words(app)


def test_start_submits_what_the_form_says_and_the_address_names_it(
    open_page: Open, finished: Finished, no_engine_process: None
) -> None:
    app = open_page("train", ["ease"], data=finished.data)
    app.checkbox(key="algorithm_biased_mf_use").uncheck()
    app.number_input(key="algorithm_ease_regularization").set_value(50.0)
    app.number_input(key="protocol_seed").set_value(7)
    app = no_exception(app.run())
    assert "4 models, about" in words(app)
    app = no_exception(app.button(key="train_start").click().run())
    named = app.query_params["run"]
    run = ResultStore(finished.root).open(named if isinstance(named, str) else named[0])
    assert run.spec.seed == 7
    assert {model.key: model.config for model in run.spec.models}["ease"] == {"regularization": 50.0, "max_items": None}
    assert [model.key for model in run.spec.models if model.key == "biased_mf"] == []
    assert "4 models: 4 queued" in words(app)


def test_too_much_memory_is_refused_with_a_number_and_an_alternative(
    open_page: Open, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Estimate(10.0, 10**12, "EASE would need 932 GiB of memory.", "Keep the 5,000 most used items.", ())
    monkeypatch.setattr(Engine, "estimate", lambda self, spec: refused)
    app = open_page("train", data=finished.data)
    assert app.button(key="train_start").disabled
    assert "EASE would need 932 GiB of memory. Keep the 5,000 most used items." in words(app)


@pytest.fixture
def running(finished: Finished) -> Finished:
    """One model runs and has reported three epochs, the others wait."""
    run = ResultStore(finished.root).create(small_spec(finished.data, seed=9), "Two tastes")
    model_id = next(one for one in run.model_ids if one.startswith("biased_mf"))
    run.job(model_id).change([JobState.QUEUED], state=JobState.RUNNING, started=1.0, process=own_mark())
    writer = ProgressWriter(run.job(model_id).progress_path)
    for epoch, loss in enumerate((0.9, 0.7, 0.6), start=1):
        writer(Progress("train", epoch, 20, {"loss": loss, "validation ndcg@5": 0.1 * epoch}))
    writer.flush()
    return Finished(finished.root, finished.data, run.id)


def test_the_panel_shows_state_curve_and_cancel_of_each_model(open_page: Open, running: Finished) -> None:
    app = open_page("train", **running.address())
    text = words(app)
    assert "5 models: 4 queued, 1 running" in text
    assert "loss changed from 0.9 to 0.6" in text
    assert "validation NDCG@5 changed from 0.1 to 0.3" in text
    assert len([button for button in app.button if str(button.key).startswith("cancel_")]) == 5
    assert not [box for box in app.checkbox if str(box.key).endswith("_use")]  # the form waits


def test_a_live_experiment_of_the_data_appears_without_its_address(open_page: Open, running: Finished) -> None:
    app = open_page("train", data=running.data)
    assert "Current training" in words(app)
    assert "5 models: 4 queued, 1 running" in words(app)
    names = [element.value for element in app.markdown if element.value.startswith(":material/")]
    assert names[0].startswith(":material/progress_activity: **MF with biases")


def test_folds_are_drawn_apart_and_the_sentence_names_them(open_page: Open, running: Finished) -> None:
    run = running.opened()
    model_id = next(one for one in run.model_ids if one.startswith("biased_mf"))
    run.job(model_id).progress_path.unlink()
    writer = ProgressWriter(run.job(model_id).progress_path)
    for fold, losses in enumerate(((0.9, 0.7, 0.6), (0.8, 0.5, 0.4), (0.7, 0.65)), start=1):
        for epoch, loss in enumerate(losses, start=1):
            writer(Progress(f"epochs (training {fold} of 5)", epoch, 20, {"loss": loss}))
    writer.flush()
    app = open_page("train", **running.address())
    assert "Training 3 of 5: loss changed from 0.7 to 0.65. The 2 previous ones ended between 0.4 and 0.6." in words(
        app
    )
    [chart] = app.get("plotly_chart")
    lines = json.loads(chart.proto.spec)["data"]
    assert [line["name"] for line in lines] == ["Previous trainings", "Previous trainings", "Training 3"]
    places = [np.frombuffer(b64decode(line["x"]["bdata"]), line["x"]["dtype"]).tolist() for line in lines]
    assert places == [[1, 2, 3], [1, 2, 3], [1, 2]]
    run.job(model_id).change([JobState.RUNNING], started=time.time() - 60)
    app = no_exception(app.run())
    assert [bar for bar in app.get("progress") if "left in this stage of the training" in bar.proto.text]
    assert 'alt="loss so far"' in "".join(str(element.proto.body) for element in app.get("html"))


def test_a_last_word_under_another_stage_is_no_point_of_the_curve() -> None:
    told = pd.DataFrame({"stage": ["rounds", "rounds", "even after 2"], "step": [1, 2, 0], "change": [0.5, 0.1, 0.1]})
    curve = curve_of(told, "change")
    assert list(curve["step"]) == [1, 2]
    assert str(course(curve, name="change")) == "change changed from 0.5 to 0.1."
    assert str(course(curve.head(1), name="change")) == "change is 0.5."


def test_a_model_that_cannot_start_again_says_why(
    open_page: Open, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = ["The disk is full; free some space.", ""]

    def refuse_once(self: Engine, run_id: str, model_id: str) -> None:
        if reason := full.pop(0):
            raise StoreError(reason)

    monkeypatch.setattr(Engine, "start_again", refuse_once)
    model_id = spoil(finished, "ease", JobState.FAILED, "It was killed.")
    app = open_page("train", **finished.address())
    app = no_exception(app.button(key=f"again_{model_id}").click().run())
    assert "The disk is full; free some space." in words(app)
    assert app.button(key=f"again_{model_id}").label == "Train again"
    app = no_exception(app.button(key=f"again_{model_id}").click().run())
    assert "The disk is full" not in words(app)


def test_a_model_that_cannot_be_stopped_says_why(
    open_page: Open, running: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Engine, run_id: str, model_id: str) -> None:
        raise StoreError("The disk is full; free some space.")

    monkeypatch.setattr(Engine, "cancel", refuse)
    model_id = running.opened().model_ids[0]
    app = open_page("train", **running.address())
    app = no_exception(app.button(key=f"cancel_{model_id}").click().run())
    assert "The disk is full; free some space." in words(app)


def test_an_experiment_with_two_settings_of_one_model_shows_both_titles_and_one_without_none(
    open_page: Open, finished: Finished
) -> None:
    assert "EASE (" not in words(open_page("train", **finished.address()))
    spec = small_spec(finished.data).model_dump()
    spec["models"] = [{"key": "ease", "config": {"regularization": value}} for value in (5.0, 50.0)]
    run = ResultStore(finished.root).create(ExperimentSpec.model_validate(spec), "Two tastes")
    text = words(open_page("train", data=finished.data, run=run.id))
    assert "EASE (regularization 5)" in text
    assert "EASE (regularization 50)" in text


def test_cancel_stops_one_model_and_leaves_the_others(open_page: Open, running: Finished) -> None:
    app = open_page("train", **running.address())
    run = running.opened()
    model_id = next(one for one in run.model_ids if one.startswith("ease"))
    no_exception(app.button(key=f"cancel_{model_id}").click().run())
    assert run.status(model_id).state is JobState.CANCELLED
    assert sum(status.is_live for status in run.statuses()) == 4


def test_a_failed_model_says_why_and_the_comparison_is_one_click_away(open_page: Open, finished: Finished) -> None:
    spoil(finished, "ease", JobState.FAILED, "It ran out of memory. Choose a smaller model.")
    app = open_page("train", **finished.address())
    assert "5 models: 4 done, 1 failed" in words(app)
    assert "It ran out of memory" in words(app)
    assert app.button(key="train_compare").label == "Open the comparison"
    assert app.button(key="train_start")


def test_a_press_leads_on_though_the_page_before_is_asked_for_once_more(
    open_page: Open, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "ON_THE_WAY_SECONDS", 3600.0)
    app = open_page("train", **finished.address())
    app = no_exception(app.button(key="train_compare").click().run())
    assert app.title[0].value == "Compare"
    late = no_exception(app.switch_page("pages/train.py").run())  # as a timer of Train does that ticks just then
    assert late.title[0].value == "Compare"
    monkeypatch.setattr(frame, "ON_THE_WAY_SECONDS", 0.0)
    assert no_exception(app.switch_page("pages/train.py").run()).title[0].value == "Train"


def test_a_program_of_the_operator_is_trained_like_a_model(
    open_page: Open, finished: Finished, no_engine_process: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(tmp_path / "programs", monkeypatch)
    put(tmp_path / "programs", "counter", title="Counting program")
    (put(tmp_path / "programs", "broken") / "recscope.toml").write_text("[")
    app = open_page("train", ["program_counter"], data=finished.data)
    assert "Counting program" in " ".join(box.label for box in app.checkbox)
    assert "is not valid TOML" in words(app)
    app.checkbox(key="algorithm_program_counter_use").check()
    app = no_exception(app.run())
    assert app.selectbox(key="algorithm_program_counter_order").value == "descending"
    app = no_exception(app.button(key="train_start").click().run())
    run = ResultStore(finished.root).open(str(app.query_params["run"]))
    [chosen] = [model for model in run.spec.models if model.key == "program_counter"]
    assert len(chosen.config["checksum"]) == 64


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ({"run": "0" * 16}, "There is no experiment '0000000000000000' in this workspace. It was deleted"),
        ({"run": "../../etc"}, "in this workspace. It was deleted"),
        ({"tuning": "0" * 16}, "There is no tuning '0000000000000000' in this workspace. It was deleted"),
    ],
)
def test_a_dead_link_is_explained_above_the_form(
    open_page: Open, finished: Finished, link: dict[str, str], says: str
) -> None:
    text = words(open_page("train", data=finished.data, **link))
    assert says in text
    assert "1. Evaluation protocol" in text


def test_an_experiment_without_its_data_and_a_damaged_one_are_named(open_page: Open, finished: Finished) -> None:
    other = Workspace(finished.root).store(two_tastes(seed=9)).fingerprint
    shutil.rmtree(finished.root / "datasets" / finished.data)
    assert "belongs to a data set that is not in this workspace" in words(
        open_page("train", run=finished.run, data=other)
    )
    unknown = [{"key": "of_tomorrow", "config": {}}]
    rewrite(finished.root / "runs" / finished.run / "spec.json", lambda values: values | {"models": unknown})
    later = words(open_page("train", run=finished.run, data=other))
    assert "cannot be opened by this version" in later
    assert "was deleted" not in later
    (finished.root / "runs" / finished.run / "spec.json").write_bytes(b"")
    assert "'spec.json' is empty" in words(open_page("train", run=finished.run, data=other))
