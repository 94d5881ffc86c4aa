"""Train: the question about events, its suggestion, and the spec that is trained."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.train_parts.split_preview import leak_sentences, user_sentences
from recsys_core.data import dataset_from_frames
from recsys_core.data.leaks import LeakReport
from recsys_core.data.split_preview import SplitPreview
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.store import ResultStore
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
NO_LEAKS = LeakReport(158, 45, 0, 0, 0, 0, 0)


@pytest.fixture
def shop(own_workspace: Path) -> str:
    """Store 60 users with views and purchases over time; return the fingerprint."""
    rng = np.random.default_rng(3)
    users, items = rng.integers(0, 60, 2400), rng.integers(0, 40, 2400)
    event = np.where(rng.random(2400) < 0.3, "purchase", "view")
    frame = pd.DataFrame({"user": users, "item": items, "event": event, "timestamp": rng.integers(0, 10**11, 2400)})
    frame = frame.astype({"user": "int32", "item": "int32"})
    frame["weight"] = np.where(event == "purchase", 5.0, 1.0).astype("float32")
    return Workspace(own_workspace).store(dataset_from_frames(frame, name="shop", fingerprint="shop")).fingerprint


def test_the_suggestion_is_the_default_and_is_trained(
    open_page: Open, shop: str, own_workspace: Path, no_engine_process: None, caplog: pytest.LogCaptureFixture
) -> None:
    app = no_exception(open_page("train", data=shop))
    assert "'purchase' is predicted" in words(app)
    assert "nothing is learned from the future" in words(app)
    assert "Set by default for these data" in words(app)
    assert app.multiselect(key=f"question_target_{shop}").value == ["purchase"]
    assert app.selectbox(key="protocol_split").value == "global_time"
    app = no_exception(app.selectbox(key="protocol_split").set_value("leave_last_out").run())
    app = no_exception(app.multiselect(key=f"question_target_{shop}").set_value([]).run())
    assert app.selectbox(key="protocol_split").value == "leave_last_out"
    app = no_exception(app.button(key="question_use").click().run())
    assert app.multiselect(key=f"question_target_{shop}").value == ["purchase"]
    assert app.selectbox(key="protocol_split").value == "global_time"
    assert app.number_input(key=f"question_weight_{shop}_purchase").value == 5.0
    assert "created with a default value" not in caplog.text
    app.number_input(key="protocol_windows").set_value(2)
    app.number_input(key="question_seeds").set_value(3)
    no_exception(app.button(key="train_start").click().run())
    store = ResultStore(own_workspace)
    spec = store.open(next(iter(store.runs())).id).spec
    assert (spec.target, spec.learn_from) == (("purchase",), {"view": 1.0, "purchase": 5.0})
    assert (spec.split.kind, spec.split.windows, spec.seeds) == ("global_time", 2, 3)


def test_data_of_one_kind_ask_nothing_about_events(open_page: Open, finished: Finished) -> None:
    app = no_exception(open_page("train", data=finished.data))
    assert not [one for one in app.multiselect if one.key.startswith("question_target")]
    assert "Set by default for these data" in words(app)
    assert app.selectbox(key="protocol_split").value == "global_time"


def test_another_data_set_has_its_own_events(open_page: Open, shop: str, own_workspace: Path) -> None:
    frame = Workspace(own_workspace).open(shop).interactions
    other = frame.assign(event=frame["event"].astype(str).replace({"view": "play", "purchase": "like"}))
    stored = Workspace(own_workspace).store(dataset_from_frames(other, name="radio", fingerprint="radio")).fingerprint
    app = no_exception(open_page("train", data=shop))
    app.query_params["data"] = stored
    app = no_exception(app.run())
    if not [one for one in app.multiselect if one.key == f"question_target_{stored}"]:
        app = no_exception(app.selectbox(key="train_dataset").set_value(stored).run())
    counts = other["event"].value_counts()
    offered = [f"{name} ({counts[name]:,})" for name in ("play", "like")]
    assert app.multiselect(key=f"question_target_{stored}").options == offered
    assert app.multiselect(key=f"question_target_{stored}").value == ["like"]


def test_a_split_chosen_by_hand_outlives_a_change_of_the_data(open_page: Open, shop: str, own_workspace: Path) -> None:
    frame = Workspace(own_workspace).open(shop).interactions[["user", "item", "timestamp"]]
    other = Workspace(own_workspace).store(dataset_from_frames(frame, name="plain", fingerprint="plain")).fingerprint
    app = no_exception(open_page("train", data=shop))
    app = no_exception(app.selectbox(key="protocol_split").set_value("leave_last_out").run())
    app.query_params["data"] = other
    app = no_exception(app.run())
    assert not [one for one in app.multiselect if one.key.startswith("question_target")]
    assert app.selectbox(key="protocol_split").value == "leave_last_out"
    assert "Suggested for these data" in words(app)


@pytest.mark.parametrize(
    ("without_history", "about", "words"),
    [
        (0, "with_history", "9 test users."),
        (0, "without_history", "9 test users. All of them have training history, so the verdict covers all of them."),
        (4, "with_history", "cannot personalize for these users. They are reported separately."),
        (4, "without_history", "cannot personalize for these users. The verdict is about them alone."),
        (4, "all", "cannot personalize for these users. The verdict is about all test users."),
        (9, "with_history", "the verdict is about recommendations without any user history."),
    ],
)
def test_the_preview_says_whom_the_verdict_covers(without_history: int, about: str, words: str) -> None:
    shown = SplitPreview(NO_LEAKS, 9, without_history, None)
    [said] = user_sentences(shown, about)
    assert said.endswith(words)


def test_the_preview_counts_repeats_that_do_not_count() -> None:
    """In a shop most test interactions can be with items that the user has seen already."""
    said = leak_sentences(replace(NO_LEAKS, tests_seen_in_training=41))
    assert said[-1].startswith("41 test interactions repeat an item of the user's training history and are excluded")
    assert len(leak_sentences(NO_LEAKS)) == len(said) - 1
