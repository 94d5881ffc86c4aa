"""Train: search, filters and presets of the list of models."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import on_the_way
from tests.pages.finished import (
    Finished,
    finished,
    finished_template,
    no_engine_process,
    no_exception,
    open_page,
    words,
)

__all__ = ["finished", "finished_template", "no_engine_process", "open_page"]
Open = Callable[..., AppTest]


def test_search_and_filters_hide_rows_but_what_is_selected_is_named_and_counts(
    open_page: Open, finished: Finished
) -> None:
    app = open_page("train", data=finished.data)
    app = no_exception(app.text_input(key="model_search").set_value("gradient").run())
    assert app.checkbox(key="algorithm_biased_mf_use").value
    assert not [box for box in app.checkbox if box.key == "algorithm_ease_use"]
    assert "Selected, but hidden by the filter: Random, Popularity, Item kNN, EASE." in words(app)
    assert "5 models, about" in words(app)
    app = no_exception(app.text_input(key="model_search").set_value("teapot").run())
    assert "No model matches. Clear the search or a filter." in words(app)
    app = no_exception(app.text_input(key="model_search").set_value("").run())
    assert app.checkbox(key="algorithm_mlp_use")
    app.session_state["model_filters"] = ["interactions", "explains"]
    app = no_exception(app.run())
    drawn_rows = {str(box.key) for box in app.checkbox}
    assert "algorithm_ease_use" in drawn_rows
    assert not {"algorithm_biased_mf_use", "algorithm_mlp_use"} & drawn_rows


def test_presets_select_exactly_their_models_that_the_data_suit(
    open_page: Open, finished: Finished, no_engine_process: None, caplog: pytest.LogCaptureFixture
) -> None:
    app = open_page("train", data=finished.data)
    app = no_exception(app.button(key="model_preset_strong").click().run())
    assert chosen(app) == {"random", "popular", "user_knn", "item_knn", "rp3beta", "ease", "slim", "ials"}
    app = no_exception(app.button(key="model_preset_sequences").click().run())
    networks = {"sasrec", "rnn", "cnn", "recursive", "seq2seq", "interest_attention"}
    assert chosen(app) == {"random", "popular", "markov", "session_knn", *networks}
    app = no_exception(app.button(key="model_preset_source").click().run())
    assert {"lfm", "mlp"} < chosen(app)
    assert not {"ease", "sasrec", "social_mf"} & chosen(app)
    app = no_exception(app.button(key="model_preset_none").click().run())
    assert chosen(app) == {"random", "popular"}
    assert "created with a default value" not in caplog.text


def test_a_click_before_the_browser_has_drawn_a_preset_is_added_to_it(
    open_page: Open, finished: Finished, no_engine_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The browser sends the states from before the preset, besides the checkbox that was clicked."""
    app = open_page("train", data=finished.data)
    drawn = states(app)
    clicked = {"algorithm_lfm_use": True, "algorithm_slim_use": True, "algorithm_ease_use": False}
    strong = {"random", "popular", "user_knn", "item_knn", "rp3beta", "ease", "slim", "ials"}
    for (box, value), models in zip(clicked.items(), (strong | {"lfm"}, strong, strong - {"ease"}), strict=True):
        app = no_exception(app.button(key="model_preset_strong").click().run())
        assert chosen(put(app, drawn | {box: value})) == models
        with monkeypatch.context() as later:
            later.setattr(on_the_way, "SECONDS", 0.0)
            assert chosen(put(app, drawn)) == {"random", "popular", "item_knn", "ease", "biased_mf"}, "by hand"
    app = no_exception(app.button(key="model_preset_strong").click().run())
    assert chosen(put(app, states(app) | {"algorithm_slim_use": False})) == strong - {"slim"}, "was drawn"


def states(app: AppTest) -> dict[str, bool]:
    """States of the checkboxes of algorithms that can be selected."""
    return {str(box.key): box.value for box in app.checkbox if str(box.key).endswith("_use") and not box.disabled}


def put(app: AppTest, states: dict[str, bool]) -> AppTest:
    """Send these states of checkboxes."""
    for key, state in states.items():
        app.checkbox(key=key).set_value(state)
    return no_exception(app.run())


def chosen(app: AppTest) -> set[str]:
    """Keys of the selected algorithms."""
    boxes = [box for box in app.checkbox if str(box.key).startswith("algorithm_") and str(box.key).endswith("_use")]
    return {str(box.key).removeprefix("algorithm_").removesuffix("_use") for box in boxes if box.value}
