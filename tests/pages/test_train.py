"""The page Train in its four states: rules, cards and forms, the start, and the live panel."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import services
from recsys_core.configs import field_specs
from recsys_core.contracts import Progress
from recsys_core.data.workspace import Workspace
from recsys_core.engine import Engine
from recsys_core.engine.background import Ticket
from recsys_core.engine.estimate import Estimate
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.processes import own_mark
from recsys_core.experiments.progress import ProgressWriter
from recsys_core.experiments.store import ResultStore
from recsys_core.models.registry import model_class
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
    words,
)

__all__ = ["finished", "finished_template", "no_engine_process", "open_page"]
Open = Callable[..., AppTest]


def test_without_data_it_says_what_to_do(open_page: Open) -> None:
    app = open_page("train")
    assert "No data yet" in words(app)
    assert app.button(key="empty_go_data").label


def test_the_rules_say_in_numbers_what_the_split_leaks(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    assert "lie before something that models learn from" in words(app)
    app = no_exception(app.selectbox(key="protocol_split").set_value("global_time").run())
    assert "No model learns from anything later than a test case" in words(app)


def test_new_items_can_be_held_out_and_the_rules_say_who_can_rank_them(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    app = no_exception(app.selectbox(key="protocol_split").set_value("item_holdout").run())
    assert "Only models that read what is known about items can tell." in words(app)
    assert app.number_input(key="protocol_test").value == 20
    assert "of items without any training" in words(app)


def test_a_split_that_cannot_be_made_is_a_sentence(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    app.selectbox(key="protocol_split").set_value("leave_last_out").run()
    app = no_exception(app.number_input(key="protocol_last").set_value(100).run())
    assert "hold back fewer" in words(app)


def test_a_card_opens_its_formula_and_its_form_with_help_and_bounds(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    assert model_class("ease").info.formula in [element.value.strip("$\n ") for element in app.latex]
    for key in ("ease", "item_knn", "biased_mf"):
        for spec in field_specs(model_class(key).config_type):
            if spec.kind in ("int", "float") and not spec.optional:
                widget = app.number_input(key=f"algorithm_{key}_{spec.name}")
                assert widget.value == spec.default
                assert spec.help in widget.proto.help
                assert spec.maximum is None or widget.max == spec.maximum
                assert spec.minimum is None or widget.min >= spec.minimum


def test_what_the_data_lack_cannot_be_chosen_and_says_why(open_page: Open, own_workspace: object) -> None:
    dataset = two_tastes()
    clicks = dataset.interactions.drop(columns=["rating"])
    implicit = Workspace(own_workspace).store(  # type: ignore[arg-type]
        type(dataset)(
            "Clicks",
            "",
            dataset.user_vocabulary,
            dataset.item_vocabulary,
            lambda: clicks,
            columns=frozenset(clicks.columns),
        )
    )
    app = open_page("train", data=implicit.fingerprint)
    assert app.checkbox(key="algorithm_biased_mf_use").disabled
    assert not app.checkbox(key="algorithm_ease_use").disabled
    assert "Needs ratings, which these data do not have" in words(app)


def test_before_models_of_order_it_says_whether_order_matters(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    for _ in range(60):
        if "Does order matter in your data?" in words(app):
            break
        time.sleep(0.2)
        app = no_exception(app.run())
    [said] = [info.value for info in app.info if "Does order matter in your data?" in info.value]
    assert "on histories in their order" in said
    shown = [element.value for element in app.main if element.type in ("info", "subheader")]
    assert shown[shown.index(said) + 1] == "Deep: layers of neurons"


def test_the_cards_do_not_wait_for_what_is_said_about_order(
    open_page: Open, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = threading.Event()
    pool = ThreadPoolExecutor(1)
    monkeypatch.setattr(services, "answer", lambda name, data: Ticket(lambda ctx: never.wait(60), pool))
    app = open_page("train", data=finished.data)
    assert "Does order matter" not in words(app)
    assert app.checkbox(key="algorithm_sasrec_use")
    assert app.button(key="train_start")
    never.set()


def test_settings_that_the_data_do_not_suit_say_which_would(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    assert "need links between users, which these data do not have. With graph = co_rating an implicit graph" in words(
        app
    )
    for key in ("social_knn", "social_mf", "trust_svd"):
        app.selectbox(key=f"algorithm_{key}_graph").set_value("co_rating")
    app = no_exception(app.run())
    assert "need links between users" not in words(app)


def test_start_submits_what_the_form_says_and_the_address_names_it(
    open_page: Open, finished: Finished, no_engine_process: None
) -> None:
    app = open_page("train", data=finished.data)
    app.checkbox(key="algorithm_biased_mf_use").uncheck()
    app.number_input(key="algorithm_ease_regularization").set_value(50.0)
    app.number_input(key="protocol_seed").set_value(7)
    app = no_exception(app.run())
    assert "4 models, about" in words(app)
    app = no_exception(app.button(key="train_start").click().run())
    named = app.query_params["run"]
    run = ResultStore(finished.root).open(named if isinstance(named, str) else named[0])
    assert run.spec.seed == 7
    assert {model.key: model.config for model in run.spec.models}["ease"] == {"regularization": 50.0}
    assert [model.key for model in run.spec.models if model.key == "biased_mf"] == []
    assert "4 models: 4 waiting" in words(app)


def test_what_was_set_counts_while_the_form_is_closed_and_stands_there_when_it_opens_again(
    open_page: Open, finished: Finished, no_engine_process: None
) -> None:
    app = open_page("train", data=finished.data, view="")
    assert not app.number_input(key="protocol_seed").disabled
    assert "algorithm_ease_regularization" not in drawn(app)
    app = opened(app, "ease", True)
    assert "algorithm_ease_regularization" in drawn(app)
    app = no_exception(app.number_input(key="algorithm_ease_regularization").set_value(50.0).run())
    app = no_exception(opened(app, "ease", False).run())
    assert "algorithm_ease_regularization" not in drawn(app)
    app = no_exception(app.switch_page("pages/data.py").run())
    app = no_exception(app.switch_page("pages/train.py").run())
    app = opened(app, "ease", True)
    assert app.number_input(key="algorithm_ease_regularization").value == 50.0
    app = no_exception(opened(app, "ease", False).run())
    app = no_exception(app.button(key="train_start").click().run())
    named = app.query_params["run"]
    run = ResultStore(finished.root).open(named if isinstance(named, str) else named[0])
    assert {model.key: model.config for model in run.spec.models}["ease"] == {"regularization": 50.0}


def test_what_is_changed_in_the_moment_of_closing_counts(open_page: Open, finished: Finished) -> None:
    app = opened(open_page("train", data=finished.data, view=""), "ease", True)
    field = app.number_input(key="algorithm_ease_regularization")
    app = opened(app, "ease", False)
    app = no_exception(field.set_value(50.0).run())
    assert app.session_state["settings"]["algorithm_ease"] == {"regularization": 50.0}


def form_of_something_optional() -> None:
    """Script: the form of a setting that may be empty, with what is kept of it."""
    from typing import Annotated

    import streamlit as st
    from pydantic import Field

    from pages.shared import forms
    from recsys_core.configs import Knob, ModelConfig

    class Config(ModelConfig):
        """Settings."""

        limit: Annotated[float | None, Field(gt=0, le=10), Knob(2.0, 8.0)] = None
        """The most."""

    forms.settings(Config, "own")
    st.text(str(forms.changed(Config, "own")))


def test_a_setting_that_may_be_empty_is_set_and_emptied_again() -> None:
    app = AppTest.from_function(form_of_something_optional).run()
    assert (drawn(app), app.text[0].value) == (set(), "{}")
    app = no_exception(app.toggle(key="own_limit_set").set_value(True).run())
    assert (app.number_input(key="own_limit").value, app.text[0].value) == (2.0, "{'limit': 2.0}")
    app = no_exception(app.number_input(key="own_limit").set_value(3.0).run())
    assert app.text[0].value == "{'limit': 3.0}"
    app = no_exception(app.toggle(key="own_limit_set").set_value(False).run())
    assert (drawn(app), app.text[0].value) == (set(), "{}")


def test_settings_that_do_not_fit_together_are_a_sentence_on_the_card(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    app.checkbox(key="algorithm_sasrec_use").check()
    app = no_exception(app.run())
    assert "5 models, about" not in words(app)
    app = no_exception(app.number_input(key="algorithm_sasrec_heads").set_value(3).run())
    assert "Settings of SasRecConfig: width 128 cannot be parted among 3 heads" in words(app)
    assert "Not trained with these settings" in words(app)


def opened(app: AppTest, key: str, is_open: bool) -> AppTest:
    """Open or close the form of a model, as a click on its button does."""
    app.session_state[f"algorithm_{key}_open"] = is_open
    return no_exception(app.run())


def drawn(app: AppTest) -> set[str]:
    """Keys of all fields that take a number."""
    return {str(field.key) for field in app.number_input}


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
    assert "5 models: 4 waiting, 1 training" in text
    assert "loss went from 0.9 to 0.6" in text
    assert "validation ndcg@5 went from 0.1 to 0.3" in text
    assert len([button for button in app.button if str(button.key).startswith("cancel_")]) == 5
    assert not [box for box in app.checkbox if str(box.key).endswith("_use")]  # the form waits


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
