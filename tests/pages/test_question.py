"""Train: the question about events, its suggestion, and the spec that is trained."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.data import dataset_from_frames
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
