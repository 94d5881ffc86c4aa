"""The process that keeps models loaded: equal answers, and no harm when it ends or hangs."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from recsys_core.contracts import Progress, QueryBatch, Ragged, RunContext
from recsys_core.data.workspace import Workspace
from recsys_core.errors import Cancelled, CannotScore, ConfigError, NoAnswer, StoreError
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from recsys_core.serving.messages import Connection, packed
from recsys_core.serving.model_process import serve
from recsys_core.serving.model_server import Answers
from recsys_core.serving.requests import QUESTIONS, ModelCache, Priority, Question, question
from tests.engine.answering_served import ODD_QUESTIONS
from tests.engine.support import ROOT, eventually, little_data, spec_of

ODD = ("-m", "tests.engine.answering_served")
QUERY = QueryBatch(np.array([3]), Ragged.from_rows([[1, 5, 2]]), np.array([5.0, 4.0, 2.0], dtype=np.float32))


@pytest.fixture(autouse=True)
def odd_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, odd in ODD_QUESTIONS.items():
        monkeypatch.setitem(QUESTIONS, name, odd)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A workspace with a finished model: its folder, the experiment and the model."""
    root = tmp_path_factory.mktemp("trained")
    workspace = Workspace(root)
    data = workspace.store(little_data())
    store = ResultStore(root)
    run = store.create(spec_of("ease", data=data.fingerprint), "little")
    model_id = run.model_ids[0]
    assert execute(store, run.id, model_id, workspace, 1).state is JobState.DONE
    return root, run.id, model_id


@pytest.fixture(scope="module")
def shared() -> Iterator[Answers]:
    """One process for all tests; a test that ends it leaves the restart to the next one."""
    answers = Answers(ODD)
    yield answers
    answers.close()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("top", {"k": 5}),
        ("reason", {"item": 4}),
        ("effects", {"item": 4}),
        ("deletion", {"item": 4}),
        ("why_not", {"item": 7, "k": 5}),
        ("look", {"view": "around", "item": 4, "choices": {}}),
    ],
)
def test_another_process_answers_as_this_one_does(
    shared: Answers, trained: tuple[Path, str, str], name: str, arguments: dict[str, Any]
) -> None:
    there = shared.ask(*trained, name, query=QUERY, **arguments)
    here = question(name).answer(ModelCache().get(*trained), RunContext(), query=QUERY, **arguments)
    assert_equal(there, here)


def assert_equal(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
    else:
        for name, value in vars(one).items():
            if isinstance(value, pd.DataFrame | np.ndarray):
                assert_equal(value, getattr(other, name))
            else:
                assert value == getattr(other, name)


def test_what_the_model_cannot_do_is_said_in_its_own_words(shared: Answers, trained: tuple[Path, str, str]) -> None:
    with pytest.raises(CannotScore, match="EASE has no attention weights"):
        shared.ask(*trained, "trace", query=QUERY)
    with pytest.raises(StoreError, match="There is no experiment 'ffffffffffffffff'"):
        shared.ask(trained[0], "f" * 16, trained[2], "top", query=QUERY, k=5)
    with pytest.raises(StoreError, match="has no model 'gone'"):
        shared.ask(trained[0], trained[1], "gone", "top", query=QUERY, k=5)
    with pytest.raises(ConfigError, match=r"There is no question 'os\.system'"):
        shared.ask(*trained, "os.system", command="true")
    with pytest.raises(NoAnswer, match=r"unexpected error \(ZeroDivisionError: a test divides by zero\)"):
        shared.ask(*trained, "fail")


def test_objects_of_torch_do_not_travel(shared: Answers, trained: tuple[Path, str, str]) -> None:
    with pytest.raises(NoAnswer, match="an answer contains a torch Tensor"):
        shared.ask(*trained, "tensor")
    assert packed({"plain": [np.zeros(2)]})


def test_one_process_is_kept_and_progress_comes_along(shared: Answers, trained: tuple[Path, str, str]) -> None:
    heard: list[Progress] = []
    pid = shared.ask(*trained, "dawdle", steps=8, ctx=RunContext(report=heard.append))
    assert pid == shared.pid
    assert {progress.stage for progress in heard} == {"dawdle"}
    assert all(progress.total == 8 for progress in heard)
    assert psutil.Process(pid).nice() >= 5
    assert not psutil.Process(pid).net_connections("inet")


def test_a_study_holds_up_no_question_about_one_person_and_no_short_one(
    shared: Answers, trained: tuple[Path, str, str]
) -> None:
    shared.ask(*trained, "top", query=QUERY, k=5)
    stop = threading.Event()
    long = threading.Thread(target=_until_stopped, args=(shared, trained, stop))
    long.start()
    shared.ask(*trained, "top", query=QUERY, k=5)
    shared.ask(*trained, "linger", steps=1)
    assert long.is_alive()
    stop.set()
    long.join(60)
    assert not long.is_alive()
    assert isinstance(shared.ask(*trained, "dawdle", steps=1), int)  # the long request has ended


def _until_stopped(answers: Answers, trained: tuple[Path, str, str], stop: threading.Event) -> None:
    with pytest.raises(Cancelled):
        answers.ask(*trained, "dawdle", steps=10_000, ctx=RunContext(stop_requested=stop.is_set))


def test_a_process_that_is_killed_is_started_anew_and_asked_again(
    shared: Answers, trained: tuple[Path, str, str], tmp_path: Path
) -> None:
    found: list[int] = []
    first = shared.ask(*trained, "dawdle", steps=1)
    thread = threading.Thread(target=lambda: found.append(shared.ask(*trained, "stand", folder=str(tmp_path))))
    thread.start()
    eventually((tmp_path / str(first)).exists, what="the question is being answered")
    os.kill(first, signal.SIGKILL)
    (tmp_path / "open").touch()
    thread.join(120)
    assert found == [shared.pid]
    assert found != [first]


def test_a_question_that_ends_the_process_twice_says_so_and_the_next_is_answered(
    shared: Answers, trained: tuple[Path, str, str]
) -> None:
    with pytest.raises(NoAnswer, match=r"was killed from outside \(SIGSEGV; .* and again after a restart"):
        shared.ask(*trained, "crash")
    assert len(shared.ask(*trained, "top", query=QUERY, k=5)) == 5


def test_a_deaf_process_is_ended(
    shared: Answers, trained: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = shared.ask(*trained, "dawdle", steps=1)
    with monkeypatch.context() as hurried:
        hurried.setattr(shared, "_patience", 1.0)
        with pytest.raises(NoAnswer, match="gave no answer for 1 seconds, so its process was restarted"):
            shared.ask(*trained, "be_deaf")
    assert not psutil.pid_exists(pid)
    assert shared.ask(*trained, "dawdle", steps=1) != pid


PATIENCE = 4.0
TOILS = """
import time
from recsys_core.serving.model_process import main
from recsys_core.serving.requests import QUESTIONS, Priority, Question

def toil(trained, ctx, *, seconds):
    ctx.note("getting ready", 1, 1)
    ctx.note("one long step", 0, 1)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        ctx.stop_if_requested("in the middle of a step")
        time.sleep(0.02)
    return "done"

QUESTIONS["toil"] = Question(toil, priority=Priority.BATCH)
main()
"""
"""A request of one long step that polls for cancellation."""


@pytest.fixture
def toiling(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    monkeypatch.setitem(QUESTIONS, "toil", Question(lambda *_, **__: None, priority=Priority.BATCH))
    answers = Answers(("-c", TOILS), patience=PATIENCE)
    yield answers
    answers.close()


def test_work_that_asks_whether_it_should_stop_is_alive_however_long_a_step_takes(
    toiling: Answers, trained: tuple[Path, str, str]
) -> None:
    heard: list[Progress] = []
    assert toiling.ask(*trained, "toil", seconds=2 * PATIENCE, ctx=RunContext(report=heard.append)) == "done"
    assert heard[-1].stage == "one long step"  # sent although another note has just been sent


def test_long_work_stops_in_the_middle_of_a_step(toiling: Answers, trained: tuple[Path, str, str]) -> None:
    stop = threading.Event()

    def hear(progress: Progress) -> None:
        if progress.stage == "one long step":
            stop.set()

    with pytest.raises(Cancelled):
        toiling.ask(*trained, "toil", seconds=600, ctx=RunContext(report=hear, stop_requested=stop.is_set))
    assert toiling.ask(*trained, "toil", seconds=0) == "done"  # the long request has ended


def test_long_work_that_stands_still_is_ended_and_the_words_fit(
    shared: Answers, trained: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = shared.ask(*trained, "dawdle", steps=1)
    monkeypatch.setattr(shared, "_patience", 1.0)
    with pytest.raises(
        NoAnswer, match=r"The computation made no progress for 1 seconds, so its process was ended"
    ) as told:
        shared.ask(*trained, "dawdle", steps=1, seconds=60)
    assert "history" not in str(told.value)
    assert not psutil.pid_exists(pid)


PARENT = """
import sys, threading, time
from recsys_core.serving.model_server import Answers
from recsys_core.serving.requests import QUESTIONS
from tests.engine.answering_served import ODD_QUESTIONS
QUESTIONS.update(ODD_QUESTIONS)
answers = Answers(("-m", "tests.engine.answering_served"))
print(answers.ask(*sys.argv[1:4], "dawdle", steps=1), flush=True)
threading.Thread(
    target=answers.ask, args=(*sys.argv[1:4], "stand"), kwargs={"folder": sys.argv[4]}, daemon=True
).start()
time.sleep(600)
"""


def test_it_ends_with_the_web_process_even_while_it_computes(trained: tuple[Path, str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, *map(str, trained), str(tmp_path)]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    eventually((tmp_path / str(pid)).exists, what="it computes")
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not psutil.pid_exists(pid), what="the child went with its parent")


def test_an_idle_process_ends_itself() -> None:
    ours, theirs = Pipe()
    with ours:
        serve(Connection(theirs), idle_seconds=0.05)


def test_a_model_that_was_trained_again_is_read_anew(trained: tuple[Path, str, str], tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(trained[0], root)
    models = ModelCache(max_models=1)
    first = models.get(root, *trained[1:])
    assert models.get(root, *trained[1:]) is first
    result = ResultStore(root).open(trained[1]).job(trained[2]).path / "result.json"
    os.utime(result, ns=(1, 1))
    assert models.get(root, *trained[1:]) is not first
