"""A workspace with a small data set and one finished experiment, trained once a session and copied for each test."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from recsys_core.contracts import RatingScale
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.workspace import Workspace
from recsys_core.engine import Engine
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore

EVIL = "<b>Evil</b> [link](http://evil.example) $x$"
"""A title that must be shown letter by letter."""
PATIENCE_SECONDS = 180.0
"""For what never comes; a slow machine needs less."""
APP = Path(__file__).resolve().parents[2] / "app.py"
MODELS = ("ease", "item_knn", "biased_mf")


@dataclass(frozen=True)
class Finished:
    """The workspace of a test: the data set's fingerprint and the finished experiment's id."""

    root: Path
    data: str
    run: str

    def opened(self) -> Run:
        return ResultStore(self.root).open(self.run)

    def address(self, **more: str) -> dict[str, str]:
        return {"data": self.data, "run": self.run, **more}


def two_tastes(users: int = 40, items: int = 30, seed: int = 3) -> Dataset:
    """Even users like even items, odd users odd ones, with a few slips; ratings, times and titles."""
    rng = np.random.default_rng(seed)
    rows = [
        (user, item, 5.0 if user % 2 == item % 2 else 2.0, 1_000 * int(rng.integers(1, 10_000)))
        for user in range(users)
        for item in rng.choice(items, size=12, replace=False, p=np.where(np.arange(items) % 2 == user % 2, 9, 1) / 150)
    ]
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
    frame = frame.astype({"user": "int32", "item": "int32", "rating": "float32"})
    titles = [EVIL, *(f"Film {item}" for item in range(1, items))]
    return dataset_from_frames(
        frame,
        name="Two tastes",
        user_ids=[f"person-{user}" for user in range(users)],
        item_ids=[f"film-{item}" for item in range(items)],
        items=pd.DataFrame({"title": titles}),
        rating_scale=RatingScale(1.0, 5.0),
    )


def small_spec(data: str, *, models: tuple[str, ...] = MODELS, seed: int = 42) -> ExperimentSpec:
    return ExperimentSpec(
        data=data,
        models=[{"key": key} for key in models],
        split={"kind": "ratio", "validation_fraction": 0.1},
        relevant_from=4.0,
        k=5,
        cutoffs=(1, 5),
        seed=seed,
    )


@pytest.fixture(scope="session")
def finished_template(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    root = tmp_path_factory.mktemp("finished") / "workspace"
    workspace = Workspace(root)
    data = workspace.store(two_tastes()).fingerprint
    store = ResultStore(root)
    run = store.create(small_spec(data), "Two tastes")
    for model_id in run.model_ids:
        status = execute(store, run.id, model_id, workspace, 1)
        assert status.state is JobState.DONE, status.reason
    return Finished(root, data, run.id)


@pytest.fixture
def finished(finished_template: Finished, own_workspace: Path) -> Finished:
    shutil.copytree(finished_template.root, own_workspace, dirs_exist_ok=True)  # a thread may have made a folder
    return Finished(own_workspace, finished_template.data, finished_template.run)


def looking_at(template: Finished, monkeypatch: pytest.MonkeyPatch) -> Iterator[Finished]:
    """Show the common workspace itself, so that what the app computed for it is reused; a test must not change it."""
    monkeypatch.setenv("RECSCOPE_WORKSPACE", str(template.root))
    before = stored_files(template.root)
    yield template
    assert stored_files(template.root) == before, "this test changes the workspace: it needs a copy of its own"


def stored_files(root: Path) -> dict[Path, tuple[int, int]]:
    """Return size and time of change of every stored file."""
    files = [path for folder in ("datasets", "runs") for path in (root / folder).rglob("*") if path.is_file()]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def finished_shared(
    finished_template: Finished, own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Finished]:
    """The finished experiment for tests that only look at it."""
    yield from looking_at(finished_template, monkeypatch)


def in_this_process(monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
    """Have the work of a module that starts itself as a process done here, from the same request to the same answer."""
    monkeypatch.setattr(module, "start_python", lambda command: module.main(*map(Path, command[2:])))
    monkeypatch.setattr(module, "watch", lambda *_: "")


@pytest.fixture
def no_engine_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that are submitted stay in the queue: no process is started."""
    monkeypatch.setattr(Engine, "ensure_started", lambda self: None)


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """Open a page of the app at an address, whole: no browser tells which part of it is in sight.

    On Train, with the settings of some models open.
    """

    def opened(name: str, settings_of: Sequence[str] = (), **address: str) -> AppTest:
        address = {"view": "whole"} | address
        app = AppTest.from_file(APP, default_timeout=PATIENCE_SECONDS)
        for model in settings_of:
            app.session_state[f"algorithm_{model}_open"] = True
        for key, value in address.items():
            app.query_params[key] = value
        app.switch_page(f"pages/{name}.py")
        return no_exception(app.run())

    return opened


def until(app: AppTest, done: Callable[[], object]) -> AppTest:
    """Draw the page anew until something holds, which is worked on beside it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, words(app)
        time.sleep(0.1)
        no_exception(app.run())
    return app


def no_exception(app: AppTest) -> AppTest:
    assert not app.exception, app.exception[0].stack_trace or app.exception[0].message
    return app


def words(app: AppTest) -> str:
    """All that a person reads on the page, in one text, without what keeps Markdown from reading it as markup."""
    kinds = ("title", "header", "subheader", "markdown", "error", "warning", "info", "success", "caption")
    text = "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))
    return text.replace("\\", "").replace("\u200b", "")


def leaderboard(app: AppTest) -> pd.DataFrame:
    """The rows of the leaderboard as its script gets them: numbers as numbers, metrics under their names."""
    [element] = [one for one in app.get("bidi_component") if one.proto.component_name == "recscope_leaderboard"]
    data = json.loads(element.proto.json)
    names = [column["opens"] or column["title"] for column in data["columns"]]
    rows = [
        [cell if value is None else value for cell, value in zip(row["cells"], row["values"], strict=True)]
        for row in data["rows"]
    ]
    return pd.DataFrame(rows, columns=names)


def spoil(finished: Finished, model: str, state: JobState, reason: str | None = None) -> str:
    """Put one job of the finished experiment into another state; return its id."""
    run = finished.opened()
    model_id = next(one for one in run.model_ids if one.startswith(model))
    folder = run.job(model_id)
    run.job(model_id).change(list(JobState), state=state, reason=reason, ended=None if state == "RUNNING" else 1.0)
    assert folder.stored_status().state is state
    return model_id
