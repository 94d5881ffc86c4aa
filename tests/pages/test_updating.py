"""Update with newer data, on Train: offered where a model can learn on, with what it gained and forgot in words."""

import itertools
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.contracts import RunContext
from recsys_core.data import Dataset
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from recsys_core.serving.incremental_updates import UpdateReport
from recsys_core.serving.model_server import Answers
from recsys_core.serving.requests import ModelCache, question
from tests.engine.support import spec_of
from tests.pages.finished import PATIENCE_SECONDS, no_engine_process, no_exception, open_page, until, words
from tests.unit.test_updating import NET, NEWER, OLD

__all__ = ["no_engine_process", "open_page"]
Open = Callable[..., AppTest]


@pytest.fixture(scope="module")
def trained_template(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("updating") / "workspace"
    workspace, store = Workspace(root), ResultStore(root)
    data = workspace.store(OLD)
    spec = spec_of(("sasrec", NET), data=data.fingerprint, split={"kind": "leave_last_out"}, k=5, cutoffs=(5,))
    run = store.create(spec, "old")
    for model_id in run.model_ids:
        assert execute(store, run.id, model_id, workspace, 1).state is JobState.DONE
    return run


@pytest.fixture
def run(trained_template: Run, own_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A finished network, asked in this process: that another one gives the same answers is tested elsewhere."""

    def ask(
        _: Answers, root: str, run_id: str, model_id: str, name: str, *, ctx: object, **arguments: object
    ) -> object:
        return question(name).answer(ModelCache().get(Path(root), run_id, model_id), ctx, **arguments)

    monkeypatch.setattr(Answers, "ask", ask)
    shutil.copytree(trained_template.path.parents[1], own_workspace)
    return ResultStore(own_workspace).open(trained_template.id)


def address(run: Run) -> dict[str, str]:
    return {"data": run.spec.data, "run": run.id}


def test_without_newer_data_it_says_where_to_bring_them(open_page: Open, run: Run) -> None:
    assert "There is no newer data set yet." in words(open_page("train", **address(run)))


def settled(app: AppTest, *, told: str = "new interactions were used for training") -> AppTest:
    """Look at the page again until it says so."""
    return until(app, lambda: told in words(app))


def numbers(app: AppTest) -> dict[str, list[float]]:
    [table] = [element.value for element in app.dataframe if "before" in element.value]
    return {name: list(table[name]) for name in ("before", "after")}


def test_known_items_can_be_left_as_they_are_and_the_result_is_another_one(
    open_page: Open, run: Run, own_workspace: Path
) -> None:
    Workspace(own_workspace).store(NEWER)
    app = open_page("train", **address(run))
    whole = numbers(settled(no_exception(app.button(key="update_start").click().run())))
    app = no_exception(app.toggle(key="update_freeze").set_value(True).run())
    assert "new interactions were used for training" not in words(app)  # what stands there is of what is chosen
    frozen = numbers(settled(no_exception(app.button(key="update_start").click().run())))
    assert frozen["before"] == whole["before"]
    assert frozen["after"] != whole["after"]


def test_it_says_that_the_copy_is_not_kept_and_leads_to_where_one_is_made(
    open_page: Open, run: Run, own_workspace: Path
) -> None:
    Workspace(own_workspace).store(NEWER)
    app = open_page("train", **address(run))
    assert "The copy is evaluated and discarded" in words(app)
    app = settled(no_exception(app.button(key="update_start").click().run()))
    assert "upload all rows, old and new, as one data set and train on it" in words(app)
    app = no_exception(app.button(key="update_to_data").click().run())
    assert [title.value for title in app.title] == ["Data"]
    assert "Check these files" in [button.label for button in app.button]


def test_what_was_chosen_outlives_a_look_at_another_page(open_page: Open, run: Run, own_workspace: Path) -> None:
    Workspace(own_workspace).store(NEWER)
    app = open_page("train", **address(run))
    app.toggle(key="update_freeze").set_value(True)
    app = settled(no_exception(app.button(key="update_start").click().run()))
    app = no_exception(app.switch_page("pages/data.py").run())
    app = no_exception(app.switch_page("pages/train.py").run())
    assert app.toggle(key="update_freeze").value
    assert "new interactions were used for training" in words(app)


def test_an_update_is_stopped_and_begins_anew(
    open_page: Open, run: Run, own_workspace: Path, hasty_pages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    starts, ended = threading.Semaphore(0), threading.Event()

    def toil(_: Answers, root: str, run_id: str, model_id: str, name: str, *, ctx: RunContext, **more: object) -> None:
        begun.append(name)
        starts.release()
        try:
            for _ in ctx.track(itertools.count(), stage="epochs"):  # until it is told to stop
                time.sleep(0.01)
        finally:
            ended.set()

    monkeypatch.setattr(Answers, "ask", toil)
    Workspace(own_workspace).store(NEWER)
    app = open_page("train", **address(run))
    assert not [button for button in app.button if button.key == "update_stop"]
    app = no_exception(app.button(key="update_start").click().run())
    assert starts.acquire(timeout=PATIENCE_SECONDS)
    assert begun == ["incremental_update"]
    app = no_exception(app.button(key="update_stop").click().run())
    assert ended.wait(PATIENCE_SECONDS)
    assert "Cancelled. Nothing was changed" in words(app)
    assert not [button for button in app.button if button.key == "update_stop"]
    app = no_exception(app.button(key="update_start").click().run())
    assert starts.acquire(timeout=PATIENCE_SECONDS)
    assert begun == ["incremental_update"] * 2
    assert "Cancelled." not in words(app)
    no_exception(app.button(key="update_stop").click().run())


def test_where_nothing_changed_at_all_that_is_said_without_an_interval(
    open_page: Open, run: Run, own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = {
        "users": 60,
        "before": 0.25,
        "after": 0.25,
        "difference": -0.0,
        "low": -0.0,
        "high": 0.0,
        "different": False,
    }
    report = UpdateReport("ndcg@5", 10, 3, 0, 0, pd.DataFrame([{"part": part} | same for part in ("old", "new")]))
    monkeypatch.setattr(Answers, "ask", lambda *_, **__: report)
    Workspace(own_workspace).store(NEWER)
    app = open_page("train", **address(run))
    app = settled(no_exception(app.button(key="update_start").click().run()))
    assert "3 new interactions were left out because they belong to the original test set." in words(app)
    assert "Test set of the original data: NDCG@5 stays at 0.250, unchanged for each of the 60 users." in words(app)
    [table] = [element.value for element in app.dataframe if "before" in element.value]
    assert "-" not in str(table[["difference", "low"]].to_csv())


def test_what_was_gained_and_forgotten_is_said(open_page: Open, run: Run, own_workspace: Path) -> None:
    stored: Dataset = Workspace(own_workspace).store(NEWER)
    app = open_page("train", **address(run))
    assert app.selectbox(key="update_newer").options == [stored.name]
    app = settled(no_exception(app.button(key="update_start").click().run()))
    text = words(app)
    assert "0 users and 0 items were new" in text
    assert "Last new interaction of each user: NDCG@5 increased from" in text
    assert "a gain of" in text
    assert "Test set of the original data: NDCG@5" in text
