"""Tuning of five models with 20 trials each on two outside Dask workers, against one.

Models are tuned at the same time, and workers without a model help with the trials of one that is running, up to a
round of them (`experiments/tuning/rounds.py`). The trials are the same with any number of workers.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.table import Row
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.data.workspace import Workspace
from recsys_core.engine import Engine
from recsys_core.engine.tunings import Tunings
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.tuning.spec import TuningSpec

MODELS = ("item_knn", "user_knn", "ease", "biased_mf", "bias")
SAMPLE = "small"
TRIALS = int(os.environ.get("RECSCOPE_BENCH_TRIALS", "20"))
"""Trials of each model; fewer for a quick look."""
SPEED_UP = 1.8
LOOK_SECONDS = 0.1
START_SECONDS = 120


def run() -> list[Row]:
    """Measure both, one after the other, on a sample with the same seed: the trials are the same."""
    seconds = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory(prefix="recscope-tuning-") as folder, cluster(workers) as address:
            seconds[workers] = tuned(Path(folder), address)
    ratio = seconds[1] / seconds[2]
    what = f"tuning {len(MODELS)} models x {TRIALS} trials, sample, two outside Dask workers against one"
    measured = f"{ratio:.2f}x ({seconds[1]:.1f} s and {seconds[2]:.1f} s)"
    return [Row(what, f"at least {SPEED_UP:g}x", measured, ratio >= SPEED_UP)]


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """Start a scheduler and workers of one thread each, as an operator would; yield the scheduler's address."""
    with tempfile.TemporaryDirectory(prefix="recscope-dask-") as folder, ExitStack() as ends:
        place = Path(folder) / "scheduler.json"
        dask = [sys.executable, "-m", "dask"]
        scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(place)]
        worker = [*dask, "worker", "--scheduler-file", str(place), "--nthreads", "1", "--local-directory", folder]
        environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        for command in (scheduler, *[worker] * workers):
            process = subprocess.Popen(
                [*command, "--no-dashboard"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            ends.callback(process.wait)
            ends.callback(process.terminate)
        yield ready(place, workers)


def ready(place: Path, workers: int) -> str:
    """Wait until all workers have joined, let each compile the loops of the models, and return the address."""
    from distributed import Client

    from recsys_core.engine.warmup import warm_up_model

    deadline = time.monotonic() + START_SECONDS
    while not place.exists():
        assert time.monotonic() < deadline, "the scheduler did not start"
        time.sleep(LOOK_SECONDS)
    with Client(scheduler_file=str(place), timeout=START_SECONDS, set_as_default=False) as client:  # type: ignore[no-untyped-call]
        client.wait_for_workers(workers, timeout=START_SECONDS)
        for key in MODELS:
            client.run(warm_up_model, key)
        return str(client.scheduler.address)


def tuned(root: Path, address: str) -> float:
    """Tune on the cluster; return the seconds from the first to the last status of its models."""
    workspace = Workspace(root)
    data = workspace.store(load_sample(SAMPLE))
    os.environ["RECSCOPE_SCHEDULER"] = address
    try:
        engine = Engine(workspace)
        engine.ensure_started()
        engine.wait_until_ready(120)
        tunings = Tunings(engine, workspace)
        fields = {"data": data.fingerprint, "split": {"validation_fraction": 0.1}, "cutoffs": (10,)}
        began = time.perf_counter()
        tuning_id = tunings.start(TuningSpec.of(fields, MODELS, {"trials": TRIALS}))
        while any(status.is_live for status in tunings.status(tuning_id)):
            time.sleep(LOOK_SECONDS)
        seconds = time.perf_counter() - began
        states = {status.key: status.state for status in tunings.status(tuning_id)}
        assert set(states.values()) == {JobState.DONE}, states
        engine.stop()
    finally:
        del os.environ["RECSCOPE_SCHEDULER"]
    return seconds
