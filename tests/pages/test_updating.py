"""Update with newer data, on Train: offered where a model can learn on, with what it gained and forgot in words."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.data import Dataset
from recsys_core.data.workspace import Workspace
from recsys_core.engine.answering import Answers
from recsys_core.engine.questions import Shelf, question
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.run import Run
from recsys_core.experiments.store import ResultStore
from tests.engine.support import spec_of
from tests.pages.finished import no_engine_process, no_exception, open_page, words
from tests.unit.test_updating import NET, NEWER, OLD

__all__ = ["no_engine_process", "open_page"]
Open = Callable[..., AppTest]


@pytest.fixture
def run(own_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A finished network, asked in this process: that another one gives the same answers is tested elsewhere."""

    def ask(
        _: Answers, root: str, run_id: str, model_id: str, name: str, *, ctx: object, **arguments: object
    ) -> object:
        return question(name).answer(Shelf().take(Path(root), run_id, model_id), ctx, **arguments)

    monkeypatch.setattr(Answers, "ask", ask)
    workspace, store = Workspace(own_workspace), ResultStore(own_workspace)
    data = workspace.store(OLD)
    spec = spec_of(("sasrec", NET), data=data.fingerprint, split={"kind": "leave_last_out"}, k=5, cutoffs=(5,))
    run = store.create(spec, "old")
    for model_id in run.model_ids:
        assert execute(store, run.id, model_id, workspace, 1).state is JobState.DONE
    return run


def address(run: Run) -> dict[str, str]:
    return {"data": run.spec.data, "run": run.id}


def test_without_newer_data_it_says_where_to_bring_them(open_page: Open, run: Run) -> None:
    assert "There are no newer data yet." in words(open_page("train", **address(run)))


def test_what_was_gained_and_forgotten_is_said(open_page: Open, run: Run, own_workspace: Path) -> None:
    stored: Dataset = Workspace(own_workspace).store(NEWER)
    app = open_page("train", **address(run))
    assert app.selectbox(key="update_newer").options == [stored.name]
    app = no_exception(app.button(key="update_start").click().run())
    for _ in range(200):
        if "new interactions were learned" in words(app):
            break
        app = no_exception(app.run())
    text = words(app)
    assert "0 people and 0 items were not known before" in text
    assert "The last new step of each person: NDCG@5 went from" in text
    assert "a gain of" in text
    assert "The test part of the old data: NDCG@5" in text
