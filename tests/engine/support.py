"""Common parts of the tests of store and engine: small data, a source in memory, waiting, and processes to kill."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.engine import Engine
from recsys_core.experiments.jobs import JobStatus
from recsys_core.experiments.spec import ExperimentSpec

ROOT = Path(__file__).resolve().parents[2]


def little_data(users: int = 40, items: int = 30, rows: int = 700, fingerprint: str = "f" * 16) -> Dataset:
    """Return random ratings with timestamps."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "user": rng.integers(0, users, rows).astype(np.int32),
            "item": rng.integers(0, items, rows).astype(np.int32),
            "rating": rng.integers(1, 6, rows).astype(np.float32),
            "timestamp": np.sort(rng.integers(0, 10**6, rows)),
        }
    ).drop_duplicates(["user", "item"], ignore_index=True)
    names = [f"u{position}" for position in range(users)]
    return dataset_from_frames(frame, name="little", fingerprint=fingerprint, user_ids=names)


class Memory:
    """Opens its only data set."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def open(self, name: str, /) -> Dataset:
        assert name == self.dataset.fingerprint
        return self.dataset


def spec_of(*models: str | tuple[str, Mapping[str, Any]], data: str = "f" * 16, **fields: Any) -> ExperimentSpec:
    """Return an experiment with these models; a pair contains settings."""
    asked = [{"key": one} if isinstance(one, str) else {"key": one[0], "config": dict(one[1])} for one in models]
    return ExperimentSpec.model_validate({"data": data, "models": asked} | fields)


def eventually(condition: Callable[[], Any], seconds: float = 120.0, what: str = "") -> Any:
    """Wait until a condition holds and return its value; the timeout is for conditions that never hold."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"after {seconds} seconds it is still not so: {what or condition}")


def end(process: "subprocess.Popen[bytes]", seconds: float = 60.0) -> None:
    """Wait for a process that was asked to end, and kill it after a timeout, so that none outlives its test."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def job(engine: Engine, run_id: str, key: str) -> JobStatus:
    """Return the status of the job of an algorithm."""
    return next(status for status in engine.store.open(run_id).statuses() if status.key == key)


def ended(engine: Engine, run_id: str, seconds: float = 120.0) -> dict[str, JobStatus]:
    """Wait until all jobs have ended and return their statuses by algorithm."""
    eventually(lambda: all(one.state.is_final for one in engine.status(run_id)), seconds, "all jobs ended")
    return {one.key: one for one in engine.status(run_id)}


def launch_engine(root: Path, **environment: str) -> "subprocess.Popen[bytes]":
    """Start an engine process with the odd models and the gate, without waiting for it."""
    (root / "engine").mkdir(parents=True, exist_ok=True)
    quick = {"RECSCOPE_WARM_UP": "0", "RECSCOPE_ENGINE_IDLE": "3600", "RECSCOPE_CANCEL_GRACE": "1"}
    with (root / "engine" / "engine.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.engine.served", str(root)],
            cwd=ROOT,
            env=os.environ | quick | environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def start_engine(root: Path, **environment: str) -> "subprocess.Popen[bytes]":
    """Start such an engine process and wait until it is ready."""
    process = launch_engine(root, **environment)
    eventually(lambda: (presence := Engine(root).presence()) and presence.address, what="the engine works")
    return process
