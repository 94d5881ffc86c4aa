"""A process killed between any two steps of storing leaves no partial state: held at a gate, then SIGKILL."""

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from recsys_core.data.workspace import Workspace
from recsys_core.experiments.artifacts import FILES
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from recsys_core.serving.upload_process import run
from recsys_core.serving.upload_tables import Reading
from recsys_core.serving.uploads import Intake
from tests.engine.support import ROOT, Memory, little_data, spec_of

GATE = """
import os, sys, time
from pathlib import Path
left = [int(sys.argv[2])]
def gated(whole):
    def gate(source, *more, **named):
        if {condition}:
            left[0] -= 1
            if left[0] < 0:
                print("at the gate", flush=True)
                time.sleep(600)
        return whole(source, *more, **named)
    return gate
os.replace, os.rename = gated(os.replace), gated(os.rename)
"""
TRAIN = (
    GATE.replace("{condition}", '"aside-" in str(source)')
    + """
from recsys_core.experiments.execution import execute
from recsys_core.experiments.store import ResultStore
from tests.engine.support import Memory, little_data
execute(ResultStore(sys.argv[1]), sys.argv[3], sys.argv[4], Memory(little_data()), 1)
"""
)
CREATE = (
    GATE.replace("{condition}", '".part" in str(source) or "staging" in str(source)')
    + """
from recsys_core.experiments.store import ResultStore
from tests.engine.support import spec_of
ResultStore(sys.argv[1]).create(spec_of("ease", seed=7), "little")
"""
)
STORE = (
    GATE.replace("{condition}", '".part" in str(source) or "staging" in str(source)')
    + """
from recsys_core.data.workspace import Workspace
from tests.engine.support import little_data
Workspace(Path(sys.argv[1])).store(little_data())
"""
)
TAKE_OVER = (
    GATE.replace("{condition}", '"/dataset/" in str(source) or "staging" in str(source)')
    + """
from recsys_core.serving.upload_process import run
from recsys_core.serving.uploads import Intake
run(Intake(Path(sys.argv[1]), sys.argv[3]), "store")
"""
)


def killed_at_the_gate(script: str, *words: object) -> None:
    command = [sys.executable, "-c", script, *(str(word) for word in words)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == "at the gate"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("moved", range(len(FILES)))
def test_a_worker_killed_while_it_saves_fails_in_words_and_its_model_can_be_started_again(
    tmp_path: Path, moved: int
) -> None:
    """`moved` files of the result are in place when the process dies; the one with the metrics comes last."""
    store = ResultStore(tmp_path)
    run = store.create(spec_of("ease"), "little")
    ease, popular, _ = run.model_ids
    execute(store, run.id, popular, Memory(little_data()), 1)
    table = run.per_user_of(popular)
    killed_at_the_gate(TRAIN, tmp_path, moved, run.id, ease)
    status = run.status(ease)
    assert (status.state, status.cause) == (JobState.FAILED, "lost")
    assert store.verify() == []
    assert run.finished() == (popular,)
    pd.testing.assert_frame_equal(run.per_user_of(popular), table)
    run.job(ease).requeue()
    assert execute(store, run.id, ease, Memory(little_data()), 1).state is JobState.DONE
    assert store.verify() == []
    assert not list(run.path.rglob("aside-*"))


@pytest.mark.parametrize(
    ("script", "steps"),
    [(CREATE, 0), (CREATE, 3), (CREATE, 5), (STORE, 0), (STORE, 1)],
    ids=["create-0", "create-3", "create-5", "store-0", "store-1"],
)
def test_what_was_killed_before_its_folder_was_whole_is_not_there_and_can_be_made_again(
    tmp_path: Path, script: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_at_the_gate(script, tmp_path, steps)
    store, workspace = ResultStore(tmp_path), Workspace(tmp_path)
    assert (store.runs(), workspace.datasets()) == ([], [])
    monkeypatch.setattr("recsys_core.experiments.store.LEFTOVER_SECONDS", -1.0)
    store.set_apart()
    assert not list(tmp_path.glob("staging*/*"))
    again: dict[str, Callable[[], object]] = {
        CREATE: lambda: store.create(spec_of("ease", seed=7), "little"),
        STORE: lambda: workspace.store(little_data()),
    }
    again[script]()
    assert len(store.runs()) + len(workspace.datasets()) == 1
    assert workspace.verify() + store.verify() == [one for one in workspace.damaged() if "half-written" in one.reason]


@pytest.mark.parametrize("steps", [0, 2, 5, 6], ids=["no file moved", "half moved", "all moved", "metadata written"])
def test_a_store_killed_while_it_takes_over_the_checked_data_set_can_be_repeated(tmp_path: Path, steps: int) -> None:
    """Five files are moved, then the metadata are replaced, then the folder is renamed."""
    taking = Intake.create(tmp_path, name="little")
    rows = "".join(f"u{n % 7},m{n % 11},{1 + n % 5}\n" for n in range(60))
    path = taking.add("ratings.csv", io.BytesIO(f"user,item,rating\n{rows}".encode()))
    taking.save(replace(taking.draft(), paths=(str(path),)))
    reading = Reading(taking, taking.draft())
    reading.run()
    fingerprint = reading.report().fingerprint
    assert len(list(reading.dataset.iterdir())) == 6
    killed_at_the_gate(TAKE_OVER, tmp_path, steps, taking.id)
    workspace = Workspace(tmp_path)
    assert workspace.datasets() == []
    assert not list(tmp_path.glob("staging/*"))
    assert taking.status().state == "FAILED"
    run(taking, "store")
    assert taking.status().fingerprint == fingerprint
    assert [card.fingerprint for card in workspace.datasets()] == [fingerprint]
    assert all("half-written" in one.reason for one in workspace.verify())
