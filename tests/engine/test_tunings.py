"""Tunings in the engine: trials as jobs, a killed worker, cancel and resume, and the experiment of tuned models."""

import os
import signal
from collections.abc import Iterator

import pytest

from recsys_core.data.workspace import Workspace
from recsys_core.engine import Engine
from recsys_core.engine.tunings import Tunings
from recsys_core.errors import TestPartSealed
from recsys_core.experiments.jobs import JobState, JobStatus
from recsys_core.experiments.tuning.presets import PresetStore
from tests.engine.gate import Gate
from tests.engine.support import ended, eventually, start_engine
from tests.pages.finished import two_tastes
from tests.tunings import tuning_spec

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def tunings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tunings]:
    root = tmp_path_factory.mktemp("tuned")
    workspace = Workspace(root)
    workspace.store(two_tastes())
    process = start_engine(root, **Gate(root / "gate").environment)
    yield Tunings(Engine(workspace), workspace)
    process.terminate()
    assert process.wait(60) == 0


@pytest.fixture
def gate(tunings: Tunings) -> Iterator[Gate]:
    gate = Gate(tunings.store.root / "gate")
    yield gate
    gate.open()


def settled(tunings: Tunings, tuning_id: str) -> dict[str, JobStatus]:
    eventually(lambda: all(one.state.is_final for one in tunings.status(tuning_id)), what="the tuning has ended")
    return {one.key: one for one in tunings.status(tuning_id)}


def data_of(tunings: Tunings) -> str:
    return Workspace(tunings.store.root).datasets()[0].fingerprint


def test_trials_run_as_jobs_and_end_in_presets_and_one_experiment(tunings: Tunings) -> None:
    spec = tuning_spec(data_of(tunings), "bias", "ease", trials=3)
    tuning_id = tunings.start(spec, name="Evening")
    assert tunings.start(spec) == tuning_id  # another user presses the same button
    assert {one.state for one in settled(tunings, tuning_id).values()} == {JobState.DONE}
    tuning = tunings.store.open(tuning_id)
    assert [sum(row.is_counted for row in tuning.trials(key)) for key in spec.models] == [3, 3]
    presets = [one for one in PresetStore(tunings.store.root).presets() if one.tuning.id == tuning_id]
    assert {preset.model.key for preset in presets} == {"bias", "ease"}
    assert {preset.name for preset in presets} == {"Evening"}
    engine = Engine(tunings.store.root)
    run_id = tunings.train(tuning_id)
    assert tunings.train(tuning_id) == run_id
    assert {one.state for one in ended(engine, run_id).values()} == {JobState.DONE}
    run = engine.store.open(run_id)
    assert {run.model_spec(model).key for model in run.spec.tuned} == {"bias", "ease"}
    assert {tuned.tuning for tuned in run.spec.tuned.values()} == {tuning_id}


def test_a_worker_that_is_killed_loses_one_trial_only(tunings: Tunings, gate: Gate) -> None:
    gate.close("epochs", 2)
    tuning_id = tunings.start(tuning_spec(data_of(tunings), "biased_mf", trials=2))
    eventually(gate.arrived, what="the first trial stands before the gate")
    [status] = tunings.status(tuning_id)
    assert status.state is JobState.RUNNING
    os.kill(status.pid or 0, signal.SIGKILL)
    gate.open()
    assert settled(tunings, tuning_id)["biased_mf"].state is JobState.DONE
    rows = tunings.store.open(tuning_id).trials("biased_mf")
    assert rows[0].ending == "interrupted"
    assert rows[1].settings == rows[0].settings
    assert sum(row.is_counted for row in rows) == 2


def test_cancel_and_resume_keep_the_trials_and_a_read_test_part_ends_them(tunings: Tunings, gate: Gate) -> None:
    gate.close("epochs", 2)
    tuning_id = tunings.start(tuning_spec(data_of(tunings), "bias", "biased_mf", trials=3))
    eventually(gate.arrived, what="a trial stands before the gate")
    tunings.cancel(tuning_id)
    states = settled(tunings, tuning_id)
    assert {one.state for one in states.values()} == {JobState.CANCELLED}
    tuning = tunings.store.open(tuning_id)
    before = tuning.trials("bias")
    gate.open()
    tunings.resume(tuning_id)
    tunings.resume(tuning_id)  # two people at once
    assert {one.state for one in settled(tunings, tuning_id).values()} == {JobState.DONE}
    assert tuning.trials("bias")[: len(before)] == before
    assert [sum(row.is_counted for row in tuning.trials(key)) for key in tuning.spec.models] == [3, 3]
    tuning.job("bias").change({JobState.DONE}, state=JobState.CANCELLED)
    tuning.read_test_part()
    with pytest.raises(TestPartSealed, match="cannot go on"):
        tunings.resume(tuning_id)
