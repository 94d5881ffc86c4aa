"""Update replay, on Experiments: estimated before it starts, three versions over time, and a model that is kept."""

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.contracts import RunContext
from recsys_core.data.workspace import Workspace
from recsys_core.experiments import stored_replays
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.update_replay import ReplaySettings
from recsys_core.serving.model_server import Answers
from recsys_core.serving.requests import ModelCache, question
from tests.engine.support import little_data, spec_of
from tests.pages.finished import (
    PATIENCE_SECONDS,
    Finished,
    finished,
    finished_template,
    no_engine_process,
    no_exception,
    open_page,
    until,
    words,
)
from tests.unit.test_update_replay import NET

__all__ = ["finished", "finished_template", "no_engine_process", "open_page"]
Open = Callable[..., AppTest]


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """That another process gives the same answers is tested elsewhere."""

    def ask(
        _: Answers, root: str, run_id: str, model_id: str, name: str, *, ctx: object, **arguments: object
    ) -> object:
        return question(name).answer(ModelCache().get(Path(root), run_id, model_id), ctx, **arguments)

    monkeypatch.setattr(Answers, "ask", ask)


def chosen(app: AppTest, run: Run, *keys: str, steps: int = 2) -> AppTest:
    """Choose models and the number of steps."""
    ids = [one for one in run.model_ids if one.rpartition("-")[0] in keys]
    app.multiselect(key=f"replay_models_{run.id}").set_value(ids)
    app.number_input(key="replay_steps").set_value(steps)
    return no_exception(app.run())


def test_a_replay_is_estimated_started_and_shown_step_by_step(
    open_page: Open, finished: Finished, in_this_process: None
) -> None:
    run = finished.opened()
    app = chosen(open_page("experiments", runs=run.id), run, "popular", "item_knn")
    assert "2 models, 3 trainings each: about" in words(app)
    app = no_exception(app.button(key="replay_start").click().run())
    app = until(app, lambda: len(app.radio) and len(app.radio(key=f"replay_shown_{run.id}").options) == 2)
    assert "Holm over the pairs, corrected for the steps" in words(app)
    assert "has no incremental update here" in words(app)
    assert "Step 2, from" in words(app)
    table = next(one.value for one in app.dataframe if "version" in one.value)
    assert list(table["version"]) == ["Stale", "Full refit"]
    app = no_exception(app.slider[0].set_value(0).run())
    assert "Step 0, from" in words(app)
    assert "Start the replay" not in [button.label for button in app.button]
    again = chosen(open_page("experiments", runs=run.id), run, "popular", "item_knn")
    assert "Holm over the pairs, corrected for the steps" in words(
        again
    )  # stored: another session sees it without computing anything


def test_a_replay_is_cancelled(
    open_page: Open, finished: Finished, hasty_pages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts, ended = threading.Semaphore(0), threading.Event()

    def toil(_: Answers, root: str, run_id: str, model_id: str, name: str, *, ctx: RunContext, **more: object) -> None:
        starts.release()
        try:
            for _step in ctx.track(itertools.count(), stage="full refit"):  # until it is told to stop
                time.sleep(0.01)
        finally:
            ended.set()

    monkeypatch.setattr(Answers, "ask", toil)
    run = finished.opened()
    app = chosen(open_page("experiments", runs=run.id), run, "ease")
    app = no_exception(app.button(key="replay_start").click().run())
    assert starts.acquire(timeout=PATIENCE_SECONDS)
    app = no_exception(app.button(key="replay_stop").click().run())
    assert ended.wait(PATIENCE_SECONDS)
    assert "Nothing of the cancelled replay was stored" in words(app)
    assert "Start the replay" in [button.label for button in app.button]


def test_data_without_timestamps_are_not_replayed(open_page: Open, own_workspace: Path) -> None:
    from recsys_core.data import dataset_from_frames

    frame = little_data().interactions.drop(columns=["timestamp"])
    data = Workspace(own_workspace).store(dataset_from_frames(frame, name="timeless"))
    store = ResultStore(own_workspace)
    run = store.create(spec_of("popular", data=data.fingerprint), "timeless")
    execute(store, run.id, run.model_ids[0], Workspace(own_workspace), 1)
    app = open_page("experiments", runs=run.id)
    assert "A replay needs timestamps, which these data do not have." in words(app)
    assert not [button for button in app.button if button.key == "replay_start"]


def test_an_updated_model_is_kept_offered_on_recommend_and_removed(
    open_page: Open, own_workspace: Path, in_this_process: None
) -> None:
    workspace, store = Workspace(own_workspace), ResultStore(own_workspace)
    data = workspace.store(little_data())
    run = store.create(spec_of(("sasrec", NET), data=data.fingerprint, k=5, cutoffs=(5,)), "little")
    for model_id in run.model_ids:
        execute(store, run.id, model_id, workspace, 1)
    settings = ReplaySettings(2, 0.3)
    stored_replays.replay_and_store(run, run.model_ids[0], workspace.open(data.fingerprint), settings, RunContext())
    app = chosen(open_page("experiments", runs=run.id), run, "sasrec")
    assert "the 2 incremental updates" in words(app)
    app = no_exception(app.button(key="replay_keep").click().run())
    (kept,) = stored_replays.kept_models(run)
    assert f"SASRec: {kept.interactions} interactions before" in words(app)
    assert not [button for button in app.button if button.key == "replay_keep"]
    other = open_page("recommend", data=data.fingerprint, run=run.id)
    models = next(one for one in other.multiselect if one.label == "Models")
    assert any("SASRec, updated to" in option for option in models.options)
    other = no_exception(models.set_value([kept.id]).run())
    other = until(other, lambda: any(str(button.key).startswith(f"item_{kept.id}") for button in other.button))
    app = no_exception(app.button(key=f"discard_{kept.id}").click().run())
    assert stored_replays.kept_models(run) == ()
