"""Checkpoints are complete or absent, valid only for the code that wrote them; a killed job resumes exactly."""

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from recsys_core.data.workspace import Workspace
from recsys_core.errors import StoreError
from recsys_core.experiments import checkpoints
from recsys_core.experiments.checkpoints import LIBRARIES, TRAINED_BY, CheckpointFile, epochs_kept
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from tests.engine.support import ROOT, eventually, little_data, spec_of

ARRAYS = {
    "weight.0": np.arange(6.0, dtype=np.float32).reshape(2, 3).T,
    "best": np.array(0.5),
    "place": np.array([1, 2]),
}


def kept(folder: Path, times: int = 1) -> CheckpointFile:
    store = CheckpointFile(folder)
    for _ in range(times):
        store.save(ARRAYS)
    return store


def test_what_is_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    kept(tmp_path, times=3)
    told: list[int] = []
    again = CheckpointFile(tmp_path, on_resume=told.append)
    found = again.load()
    assert found is not None
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
    assert told == [3]
    assert (again.epochs_before, epochs_kept(tmp_path)) == (3, 3)
    assert again.seconds_before > 0
    again.save(ARRAYS)
    assert epochs_kept(tmp_path) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-0.safetensors"]


def test_nothing_kept_is_nothing(tmp_path: Path) -> None:
    told: list[int] = []
    assert CheckpointFile(tmp_path, on_resume=told.append).load() is None
    assert told == [0]
    assert epochs_kept(tmp_path) == 0


@pytest.mark.parametrize("harm", ["truncated", "one bit", "no head", "empty"])
def test_a_broken_file_is_set_aside_with_a_note(tmp_path: Path, harm: str) -> None:
    path = kept(tmp_path).path
    content = bytearray(path.read_bytes())
    if harm == "one bit":
        content[-5] ^= 1
    spoilt = {"truncated": content[:-9], "one bit": content, "no head": b"\xff" * 40, "empty": b""}[harm]
    path.write_bytes(spoilt)
    assert CheckpointFile(tmp_path).load() is None
    assert not path.exists()
    assert (tmp_path / "checkpoint-0.broken").read_bytes() == bytes(spoilt)
    assert "could not be read" in (tmp_path / "checkpoint-0.txt").read_text(encoding="utf-8")


def test_a_file_of_other_code_is_not_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(tmp_path)
    monkeypatch.setattr(checkpoints, "code_version", lambda: "other")
    assert CheckpointFile(tmp_path).load() is None
    assert epochs_kept(tmp_path) == 0


BESIDE = {"experiments/tuned_by"}
"""How settings were chosen; the settings themselves are part of the spec."""
IMPORTED = """
import sys
import recsys_core.experiments.validation
from recsys_core.models.registry import MODELS, model_class
from tests.contract.cases import fitted, tastes
for key in MODELS:
    if model_class(key).info.runtime == "torch":
        fitted(key, tastes(users=10, items=20))
libraries = {"numpy", "scipy", "pandas", "sklearn", "torch"} & sys.modules.keys()
print(*libraries, *(name for name in sys.modules if name.startswith("recsys_core.")))
"""


@pytest.mark.slow
def test_the_version_of_the_code_hangs_on_all_that_a_training_uses(tmp_path: Path) -> None:
    """All modules loaded when every network is trained once are part of the hash, except all texts."""
    found = subprocess.run([sys.executable, "-c", IMPORTED], cwd=ROOT, capture_output=True, text=True, check=True)
    sources = {name.removeprefix("recsys_core.").replace(".", "/") for name in found.stdout.split()}
    left_out = {
        source
        for source in sources
        if not any(source == part.removesuffix(".py") or source.startswith(f"{part}/") for part in TRAINED_BY)
    }
    assert left_out == {"numpy", "scipy", "pandas", "sklearn", "torch", "errors", "experiments", "text", *BESIDE}
    assert set(LIBRARIES) == {"numpy", "scipy", "pandas", "scikit-learn", "torch"}


def test_a_full_disk_is_said_in_words_and_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = kept(tmp_path)
    before = store.path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(StoreError, match=r"Cannot write 'checkpoint-0.safetensors': the disk is full; free some space"):
        store.save(ARRAYS)
    assert store.path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


EPOCHS, HELD = 12, 3
NET = {
    "embedding_dim": 8,
    "max_length": 10,
    "n_layers": 1,
    "n_heads": 1,
    "epochs": EPOCHS,
    "patience": 0,
    "dropout": 0.3,
}
TRAINING = """
import sys, time
from pathlib import Path
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.checkpoints import CheckpointFile
from recsys_core.experiments.execution import execute
from recsys_core.experiments.store import ResultStore
save = CheckpointFile.save
def held(self, arrays):
    save(self, arrays)
    while self._mark.epochs == int(sys.argv[4]):  # until it is killed
        time.sleep(1)
CheckpointFile.save = held
root = Path(sys.argv[1])
execute(ResultStore(root), sys.argv[2], sys.argv[3], Workspace(root), 1)
"""


def experiment() -> ExperimentSpec:
    validated = {"kind": "ratio", "validation_fraction": 0.1}
    return spec_of(("sasrec", NET), data=little_data().fingerprint, split=validated, k=5, cutoffs=(5,))


def trained(root: Path, *, kill: bool) -> Run:
    """Train here; with `kill`, after a process that started was killed in the middle of an epoch."""
    Workspace(root).store(little_data())
    store, spec = ResultStore(root), experiment()
    model_id = next(model.id for model in spec.models if model.key == "sasrec")
    store.create(spec, "little")
    job = store.open(spec.id).job(model_id)
    if kill:
        command = [sys.executable, "-c", TRAINING, str(root), spec.id, model_id, str(HELD)]
        process = subprocess.Popen(command, cwd=ROOT)
        eventually(lambda: epochs_kept(job.path) == HELD, what="the last epoch before it is held")
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        status = job.status()
        assert (status.state, status.cause) == (JobState.FAILED, "lost")
        assert (status.is_live, status.may_change) == (False, True)  # an engine would still report why
        assert not replace(status, ended=time.time() - 11.0).may_change
        assert status.kept == HELD
        run = store.create(spec, "little")  # start again
        assert (run.status(model_id).state, run.status(model_id).kept) == (JobState.QUEUED, status.kept)
    assert execute(store, spec.id, model_id, Workspace(root), 1).state is JobState.DONE
    return store.open(spec.id)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_killed_training_goes_on_and_ends_with_the_weights_of_an_undisturbed_one(tmp_path: Path) -> None:
    whole, killed = trained(tmp_path / "whole", kill=False), trained(tmp_path / "killed", kill=True)
    model_id = next(one for one in whole.model_ids if one.startswith("sasrec"))
    first, second = (run.job(model_id).status() for run in (whole, killed))
    assert (first.state, second.state) == (JobState.DONE, JobState.DONE)
    assert (first.resumed, second.resumed > 0) == (0, True)
    arrays, others = (load_file(run.job(model_id).path / "model.safetensors") for run in (whole, killed))
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        assert array.tobytes() == others[name].tobytes(), name
    assert whole.history(model_id).equals(killed.history(model_id))
    assert list(killed.progress(model_id).dropna(subset="loss")["step"]) == list(range(1, EPOCHS + 1))
    assert not list(killed.job(model_id).path.glob("*checkpoint*"))
    assert killed.result(model_id).metrics == whole.result(model_id).metrics


def test_the_state_of_a_job_says_what_is_kept_and_a_start_anew_keeps_it(tmp_path: Path) -> None:
    Workspace(tmp_path).store(little_data())
    store = ResultStore(tmp_path)
    run = store.create(spec_of("popular", data=little_data().fingerprint), "little")
    job = run.job(run.model_ids[0])
    kept(job.path, times=2)
    (job.path / "progress.jsonl").touch()
    job.ask_to_cancel()
    assert job.status().kept == 2
    job.requeue()
    assert job.status().state is JobState.QUEUED
    assert job.status().kept == 2
    assert not job.cancel_requested()
    assert not job.progress_path.exists()
    done = execute(store, run.id, run.model_ids[0], Workspace(tmp_path), 1)
    assert (done.state, done.kept, epochs_kept(job.path)) == (JobState.DONE, 0, 0)
