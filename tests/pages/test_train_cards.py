"""The page Train: the cards of algorithms, their forms, and what competes with which settings."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.train_parts.algorithm_list import FAMILIES
from pages.ui import services
from recsys_core.configs import field_specs
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.store import ResultStore
from recsys_core.models.registry import model_class
from recsys_core.serving.background import Ticket
from tests.pages.finished import (
    PATIENCE_SECONDS,
    Finished,
    finished,
    finished_template,
    no_engine_process,
    no_exception,
    open_page,
    two_tastes,
    until,
    words,
)

__all__ = ["finished", "finished_template", "no_engine_process", "open_page"]
Open = Callable[..., AppTest]
FORMS = {"algorithm_ease_regularization", "algorithm_ease_2_regularization"}
"""Keys of the field in both forms of EASE."""


def test_a_card_opens_its_formula_and_its_form_with_help_and_bounds(open_page: Open, finished: Finished) -> None:
    app = open_page("train", ["ease", "item_knn", "biased_mf"], data=finished.data)
    assert model_class("ease").info.formula in "".join(element.value for element in app.markdown)
    for key in ("ease", "item_knn", "biased_mf"):
        for spec in field_specs(model_class(key).config_type):
            if spec.kind in ("int", "float") and not spec.optional:
                widget = app.number_input(key=f"algorithm_{key}_{spec.name}")
                assert widget.value == spec.default
                assert spec.help in widget.proto.help
                assert spec.maximum is None or widget.max == spec.maximum
                assert spec.minimum is None or widget.min >= spec.minimum


def path_to(block: Any, key: str) -> tuple[int, ...] | None:
    """Return the number of each container around a widget, and its own; a change draws it anew in the browser."""
    for number, child in block.children.items():
        if getattr(child, "key", None) == key and child.type not in ("container", "vertical"):
            return (number,)
        if hasattr(child, "children") and (rest := path_to(child, key)) is not None:
            return (number, *rest)
    return None


def test_inputs_stay_in_their_place_when_the_list_of_models_grows(open_page: Open, finished: Finished) -> None:
    """Else the browser draws them anew, and what is being typed is lost."""
    app = open_page("train", data=finished.data, view="parts")
    inputs = ("protocol_test", "protocol_k", "tuning_trials")
    before, drawn = [path_to(app.main, key) for key in inputs], len(app.checkbox)
    for number in range(len(FAMILIES)):
        app.session_state[f"near_family_{number}"] = True
    app = no_exception(app.run())
    assert len(app.checkbox) > drawn
    assert None not in before
    assert [path_to(app.main, key) for key in inputs] == before


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
    assert "Needs ratings, which this data set does not have" in words(app)


def test_a_card_says_what_the_model_makes_of_event_weights(open_page: Open, own_workspace: object) -> None:
    dataset = two_tastes()
    bought = dataset.interactions.drop(columns=["rating"]).assign(event="buy", weight=np.float32(4.0))
    weighted = Workspace(own_workspace).store(  # type: ignore[arg-type]
        type(dataset)(
            "Purchases",
            "",
            dataset.user_vocabulary,
            dataset.item_vocabulary,
            lambda: bought,
            columns=frozenset(bought.columns),
        )
    )
    app = open_page("train", data=weighted.fingerprint)
    assert "Event weights: An item's popularity is the sum of the weights" in words(app)
    app = opened(app, "association_rules", True)
    assert "Event weights: ignored by this model." in words(app)


def test_the_formula_on_a_card_follows_the_form(open_page: Open, finished: Finished) -> None:
    app = opened(open_page("train", data=finished.data), "user_knn", True)
    assert r"\sum_{v \in N_k(u)} s_{uv} \, r_{vi}" in formulas(app)
    app = no_exception(app.selectbox(key="algorithm_user_knn_centering").set_value("mean").run())
    assert r"\sum_{v \in N_k(u)} s_{uv} \, (r_{vi} - \bar{r}_v)" in formulas(app)
    assert r"s_{uv} \, r_{vi}" not in formulas(app)


def test_before_models_of_order_it_says_whether_order_matters(open_page: Open, finished: Finished) -> None:
    app = open_page("train", data=finished.data)
    until(app, lambda: "Does order matter in your data?" in words(app))
    [said] = [info.value for info in app.info if "Does order matter in your data?" in info.value]
    assert "on ordered histories" in said
    shown = [element.value for element in app.main if element.type in ("info", "subheader")]
    assert shown[shown.index(said) + 1] == "Sequential"


def test_the_cards_do_not_wait_for_what_is_said_about_order(
    open_page: Open, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = threading.Event()
    pool = ThreadPoolExecutor(1)
    monkeypatch.setattr(services, "answer", lambda name, data: Ticket(lambda ctx: never.wait(PATIENCE_SECONDS), pool))
    app = open_page("train", data=finished.data)
    assert "Does order matter" not in words(app)
    assert app.checkbox(key="algorithm_sasrec_use")
    assert app.button(key="train_start")
    never.set()


def test_settings_that_the_data_do_not_suit_say_which_would(open_page: Open, finished: Finished) -> None:
    app = open_page("train", ["social_knn", "social_mf", "trust_svd"], data=finished.data)
    refused = (
        "need social links between users, which this data set does not have. With *Social graph* set to *co rating*"
    )
    assert refused in words(app)
    for key in ("social_knn", "social_mf", "trust_svd"):
        app.selectbox(key=f"algorithm_{key}_graph").set_value("co_rating")
    app = no_exception(app.run())
    assert "need social links between users" not in words(app)


def test_cards_that_nobody_has_come_near_to_count_all_the_same(
    open_page: Open, finished: Finished, no_engine_process: None
) -> None:
    app = open_page("train", data=finished.data, view="")
    assert [box for box in app.checkbox if str(box.key).startswith("algorithm_")] == []
    assert "5 models, about" in words(app)
    come_near(app)
    app = no_exception(app.run())
    app.checkbox(key="algorithm_biased_mf_use").uncheck()
    app.checkbox(key="algorithm_mlp_use").check()
    app = no_exception(app.run())
    app.checkbox(key="algorithm_mlp_beside").uncheck()
    app = no_exception(app.run())
    assert "5 models, about" in words(app)
    app = no_exception(app.switch_page("pages/data.py").run())
    app = no_exception(app.switch_page("pages/train.py").run())
    app = no_exception(app.run())  # once more: nothing of it is drawn for the second time
    assert [box for box in app.checkbox if str(box.key).startswith("algorithm_")] == []
    app = no_exception(app.button(key="train_start").click().run())
    run = stored_run(app, finished)
    assert {model.key for model in run.spec.models} == {"popular", "random", "item_knn", "ease", "mlp"}


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
    run = stored_run(app, finished)
    assert {model.key: model.config for model in run.spec.models}["ease"] == {"regularization": 50.0, "max_items": None}


def test_what_is_changed_in_the_moment_of_closing_counts(open_page: Open, finished: Finished) -> None:
    app = opened(open_page("train", data=finished.data, view=""), "ease", True)
    field = app.number_input(key="algorithm_ease_regularization")
    app = opened(app, "ease", False)
    app = no_exception(field.set_value(50.0).run())
    assert app.session_state["settings"]["algorithm_ease"] == {"regularization": 50.0}


def stored_run(app: AppTest, finished: Finished) -> Run:
    named = app.query_params["run"]
    return ResultStore(finished.root).open(named if isinstance(named, str) else named[0])


def settings_of(run: Run, key: str, name: str) -> list[object]:
    return [model.config[name] for model in run.spec.models if model.key == key]


def test_a_second_setting_of_a_model_competes_and_is_told_apart(
    open_page: Open, finished: Finished, no_engine_process: None
) -> None:
    app = open_page("train", ["ease"], data=finished.data)
    assert "5 models, about" in words(app)
    app.number_input(key="algorithm_ease_regularization").set_value(50.0)
    app = no_exception(app.button(key="algorithm_ease_add").click().run())
    assert app.number_input(key="algorithm_ease_2_regularization").value == 50.0  # it begins as the last one
    assert "Configuration 2 is identical to configuration 1: change one of its settings" in words(app)
    assert "5 models, about" in words(app)
    app = no_exception(app.number_input(key="algorithm_ease_2_regularization").set_value(5.0).run())
    text = words(app)
    assert "is identical to" not in text
    assert "6 models, about" in text
    assert "EASE (regularization 50) · EASE (regularization 5)" in text
    assert "Trained as:\n- EASE (regularization 50)\n- EASE (regularization 5)" in text
    app = no_exception(app.button(key="train_start").click().run())
    run = stored_run(app, finished)
    assert settings_of(run, "ease", "regularization") == [50.0, 5.0]
    assert run.name == "Two tastes: random, popular, item_knn, biased_mf, ease × 2"
    live = [element.value for element in app.markdown if "queued" in element.value]
    assert [text for text in live if "EASE (regularization 5)" in text.replace("\\", "")]
    assert [text for text in live if "EASE (regularization 50)" in text.replace("\\", "")]


def test_a_further_setting_can_be_removed_and_another_one_added(open_page: Open, finished: Finished) -> None:
    app = open_page("train", ["ease"], data=finished.data)
    for number, value in ((2, 50.0), (3, 5.0)):
        app = no_exception(app.button(key="algorithm_ease_add").click().run())
        app = no_exception(app.number_input(key=f"algorithm_ease_{number}_regularization").set_value(value).run())
    assert "7 models, about" in words(app)
    assert not [one for one in app.button if one.key == "algorithm_ease_remove"]  # the first one stays
    app = no_exception(app.button(key="algorithm_ease_2_remove").click().run())
    assert "6 models, about" in words(app)
    assert "EASE (regularization 500) · EASE (regularization 5)" in words(app)
    assert "algorithm_ease_2_regularization" not in drawn(app)
    app = no_exception(opened(app, "ease", True).button(key="algorithm_ease_add").click().run())
    assert app.number_input(key="algorithm_ease_2_regularization").value == 5.0  # as the last one, not as it was
    app = no_exception(app.button(key="algorithm_ease_3_remove").click().run())
    app = no_exception(opened(app, "ease", True).button(key="algorithm_ease_2_remove").click().run())
    assert "5 models, about" in words(app)
    assert "Trained as" not in words(app)


def test_what_was_set_in_a_second_form_counts_while_it_is_closed(
    open_page: Open, finished: Finished, no_engine_process: None
) -> None:
    app = opened(open_page("train", data=finished.data, view=""), "ease", True)
    app = no_exception(app.button(key="algorithm_ease_add").click().run())
    assert drawn(app) & FORMS == {"algorithm_ease_2_regularization"}  # one form at a time, first the one just added
    app = no_exception(app.number_input(key="algorithm_ease_2_regularization").set_value(50.0).run())
    app = no_exception(opened(app, "ease", False).run())
    assert not FORMS & drawn(app)
    app = no_exception(app.switch_page("pages/data.py").run())
    app = no_exception(app.switch_page("pages/train.py").run())
    assert "6 models, about" in words(app)
    app = opened(app, "ease", True)
    assert drawn(app) & FORMS == {"algorithm_ease_regularization"}
    app = no_exception(app.radio(key="algorithm_ease_shown").set_value("algorithm_ease_2").run())
    assert drawn(app) & FORMS == {"algorithm_ease_2_regularization"}
    assert app.number_input(key="algorithm_ease_2_regularization").value == 50.0
    app = no_exception(opened(app, "ease", False).run())
    app = no_exception(app.button(key="train_start").click().run())
    assert settings_of(stored_run(app, finished), "ease", "regularization") == [500.0, 50.0]


def test_of_two_settings_the_one_that_the_data_do_not_suit_is_left_out(open_page: Open, finished: Finished) -> None:
    app = open_page("train", ["sasrec"], data=finished.data)
    app = no_exception(app.button(key="algorithm_sasrec_add").click().run())
    app = no_exception(app.number_input(key="algorithm_sasrec_2_n_heads").set_value(3).run())
    assert "5 models, about" in words(app)
    assert "Select the model to include its configurations." in words(app)
    app = no_exception(app.checkbox(key="algorithm_sasrec_use").check().run())
    assert "Select the model" not in words(app)
    assert "6 models, about" in words(app)
    assert "Not trained with these settings" in words(app)


def test_beside_layers_stands_the_dot_product_of_the_same_size(
    open_page: Open, finished: Finished, no_engine_process: None
) -> None:
    app = open_page("train", ["mlp"], data=finished.data)
    assert not [box for box in app.checkbox if box.key == "algorithm_mlp_beside"]
    app = no_exception(app.checkbox(key="algorithm_mlp_use").check().run())
    assert app.checkbox(key="algorithm_mlp_beside").value
    assert "7 models, about" in words(app)
    app = no_exception(app.number_input(key="algorithm_mlp_embedding_dim").set_value(16).run())
    assert "; scoring function MLP)" in words(app)
    assert "; scoring function dot)" in words(app)
    app = no_exception(app.checkbox(key="algorithm_mlp_beside").uncheck().run())
    assert "6 models, about" in words(app)
    app = no_exception(app.checkbox(key="algorithm_mlp_beside").check().run())
    run = stored_run(no_exception(app.button(key="train_start").click().run()), finished)
    assert settings_of(run, "mlp", "score") == ["mlp", "dot"]
    assert settings_of(run, "mlp", "embedding_dim") == [16, 16]


def test_no_dot_product_competes_twice(open_page: Open, finished: Finished) -> None:
    app = open_page("train", ["mlp"], data=finished.data)
    app = no_exception(app.checkbox(key="algorithm_mlp_use").check().run())
    app = no_exception(app.button(key="algorithm_mlp_add").click().run())
    app = no_exception(app.number_input(key="algorithm_mlp_2_n_layers").set_value(1).run())
    assert "8 models, about" in words(app)  # two with layers, and one product: layers count for nothing in it
    app = no_exception(app.number_input(key="algorithm_mlp_2_embedding_dim").set_value(16).run())
    assert "9 models, about" in words(app)  # a product of each size
    app = no_exception(app.selectbox(key="algorithm_mlp_2_score").set_value("dot").run())
    assert "8 models, about" in words(app)
    app = no_exception(app.number_input(key="algorithm_mlp_2_embedding_dim").set_value(64).run())
    assert "7 models, about" in words(app)


def form_of_something_optional() -> None:
    """Script: the form of a setting that may be empty, with what is kept of it."""
    from typing import Annotated

    import streamlit as st
    from pydantic import Field

    from pages.ui import forms
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
    app = open_page("train", ["sasrec"], data=finished.data)
    app.checkbox(key="algorithm_sasrec_use").check()
    app = no_exception(app.run())
    assert "5 models, about" not in words(app)
    app = no_exception(app.number_input(key="algorithm_sasrec_n_heads").set_value(3).run())
    assert "Settings of SasRecConfig: embedding_dim 128 is not divisible by 3 heads" in words(app)
    assert "Not trained with these settings" in words(app)


def formulas(app: AppTest) -> str:
    """Everything in Markdown with a formula."""
    return "".join(element.value for element in app.markdown if "displaystyle" in element.value)


def opened(app: AppTest, key: str, is_open: bool) -> AppTest:
    """Open or close the form of a model, as a click on its button does."""
    come_near(app)
    app.session_state[f"algorithm_{key}_open"] = is_open
    return no_exception(app.run())


def come_near(app: AppTest) -> None:
    """Have the cards of all families drawn from now on."""
    for number in range(len(FAMILIES)):
        app.session_state[f"near_family_{number}"] = True


def drawn(app: AppTest) -> set[str]:
    """Keys of all fields that take a number."""
    return {str(field.key) for field in app.number_input}
