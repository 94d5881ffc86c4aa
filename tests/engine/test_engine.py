"""The engine: jobs in separate processes, each of which may crash, starve or be cancelled without affecting others."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from recsys_core.data import Dataset
from recsys_core.data.workspace import Workspace
from recsys_core.engine import Engine
from recsys_core.engine.speeds import LONG_ENOUGH, Speeds
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState, JobStatus
from recsys_core.experiments.store import ResultStore
from recsys_core.models.registry import MODELS
from tests.engine.gate import Gate
from tests.engine.odd_models import ODD_MODELS
from tests.engine.support import ROOT, end, ended, eventually, job, launch_engine, little_data, spec_of, start_engine

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(autouse=True)
def odd_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, place in ODD_MODELS.items():
        monkeypatch.setitem(MODELS, key, place)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Dataset]]:
    """One engine with 1200 MiB per job for all tests that do not end it."""
    root = tmp_path_factory.mktemp("served")
    data = Workspace(root).store(little_data())
    process = start_engine(root, RECSCOPE_JOB_MEMORY="1200MiB", **Gate(root / "gate").environment)
    yield Engine(root), data
    process.terminate()
    assert process.wait(60) == 0


@pytest.fixture
def gate(served: tuple[Engine, Dataset]) -> Iterator[Gate]:
    """The gate in the jobs of the shared engine, open again after the test."""
    gate = Gate(served[0].root / "gate")
    yield gate
    gate.open()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Engine, Dataset]]:
    """A separate workspace, whose engine is ended afterwards."""
    data = Workspace(tmp_path).store(little_data())
    engine = Engine(tmp_path)
    yield engine, data
    engine.stop()


def run(engine: Engine, data: Dataset, *models: object, **fields: object) -> str:
    return engine.submit(spec_of(*models, data=data.fingerprint, **fields))  # type: ignore[arg-type]


def running(engine: Engine, run_id: str, key: str, stage: str = "") -> bool:
    status = job(engine, run_id, key)
    return status.state is JobState.RUNNING and (not stage or status.stage == stage)


def held(gate: Gate, engine: Engine, run_id: str, key: str) -> JobStatus:
    """Wait until a job is held at the closed gate, and return its status."""
    eventually(gate.arrived, what=f"{key} stands before the gate")
    status = job(engine, run_id, key)
    assert status.state is JobState.RUNNING
    return status


def test_models_that_fail_in_every_way_leave_the_others_alone(served: tuple[Engine, Dataset]) -> None:
    engine, data = served
    states = ended(engine, run(engine, data, "broken", "crasher", "greedy", "ease"))
    assert {key: status.state.value for key, status in states.items()} == {
        "broken": "FAILED",
        "crasher": "FAILED",
        "greedy": "FAILED",
        "ease": "DONE",
        "popular": "DONE",
        "random": "DONE",
    }
    assert states["broken"].reason.startswith("It stopped with an unexpected error (ZeroDivisionError: a test divides")
    assert states["crasher"].reason.startswith("Its process (id ")
    assert "crashed or was killed from outside" in states["crasher"].reason
    words = r"It ran out of memory: it used [\d.]+ [MG]iB of the 1\.2 GiB that a job may use and was stopped"
    assert re.match(words, states["greedy"].reason)
    assert [states[key].cause for key in ("broken", "crasher", "greedy")] == ["error", "killed", "memory"]


def test_a_job_is_cancelled_within_one_step_and_the_next_one_runs(served: tuple[Engine, Dataset], gate: Gate) -> None:
    engine, data = served
    gate.close("dawdle", 2)
    run_id = run(engine, data, ("slow", {"steps": 1000, "seconds": 0.1}), seed=1)
    status = held(gate, engine, run_id, "slow")
    assert (status.step, status.total) == (2, 1000)
    assert status.seconds_left() > 10
    engine.cancel(run_id, status.model_id)
    states = ended(engine, run_id)
    assert states["slow"].state is JobState.CANCELLED
    assert states["slow"].step == 2
    assert states["popular"].state is JobState.DONE


def test_a_job_that_does_not_listen_is_ended_after_the_grace(served: tuple[Engine, Dataset]) -> None:
    engine, data = served
    run_id = run(engine, data, "stubborn", seed=2)
    status = eventually(lambda: running(engine, run_id, "stubborn", "deaf") and job(engine, run_id, "stubborn"))
    engine.cancel(run_id, status.model_id)
    states = ended(engine, run_id)
    assert states["stubborn"].state is JobState.CANCELLED
    assert "did not stop within 1 seconds" in states["stubborn"].reason
    assert states["random"].state is JobState.DONE
    eventually(lambda: not psutil.pid_exists(status.pid), what="the deaf process is gone")


def test_kill_9_of_a_worker_fails_its_job_in_words_and_nothing_else(served: tuple[Engine, Dataset], gate: Gate) -> None:
    engine, data = served
    first = run(engine, data, "ease", seed=3)
    ended(engine, first)
    before = engine.store.open(first).per_user()
    gate.close("dawdle")
    run_id = run(engine, data, "slow", seed=3)
    os.kill(held(gate, engine, run_id, "slow").pid, signal.SIGKILL)
    states = ended(engine, run_id)
    assert states["slow"].state is JobState.FAILED
    eventually(lambda: "was killed from outside" in job(engine, run_id, "slow").reason, what="the engine says why")
    assert states["popular"].state is JobState.DONE
    for model_id, frame in engine.store.open(first).per_user().items():
        assert frame.equals(before[model_id])


def test_a_network_whose_worker_was_killed_goes_on_where_it_was(served: tuple[Engine, Dataset], gate: Gate) -> None:
    engine, data = served
    net = {"embedding_dim": 8, "max_length": 10, "n_layers": 1, "n_heads": 1, "epochs": 60, "patience": 0}
    gate.close("epochs", 4)
    run_id = run(engine, data, ("sasrec", net), seed=3)
    status = held(gate, engine, run_id, "sasrec")
    os.kill(status.pid, signal.SIGKILL)
    killed = ended(engine, run_id)["sasrec"]
    assert (killed.state, killed.kept) == (JobState.FAILED, 4)
    gate.open()
    engine.start_again(run_id, status.model_id)
    again = ended(engine, run_id)["sasrec"]
    assert (again.state, again.resumed, again.kept) == (JobState.DONE, killed.kept, 0)
    assert list(engine.store.open(run_id).history(status.model_id)["step"]) == list(range(1, 61))


def test_waiting_jobs_run_one_after_the_other_and_can_be_cancelled(served: tuple[Engine, Dataset], gate: Gate) -> None:
    engine, data = served
    gate.close("dawdle")
    run_id = run(engine, data, ("slow", {"steps": 2}), seed=4)
    held(gate, engine, run_id, "slow")
    waiting = [status for status in engine.status(run_id) if status.state is JobState.QUEUED]
    assert [status.key for status in waiting] == ["popular", "random"]
    assert [entry.job for entry in engine.queue.entries()].index((run_id, waiting[1].model_id)) == 2
    engine.cancel(run_id, waiting[0].model_id)
    assert job(engine, run_id, "popular").state is JobState.CANCELLED
    gate.open()
    states = ended(engine, run_id)
    assert states["random"].started >= states["slow"].ended
    assert engine.submit(engine.store.open(run_id).spec) == run_id
    assert {status.state for status in ended(engine, run_id).values()} == {JobState.DONE}


def test_a_job_over_the_memory_is_refused_with_number_and_alternative(served: tuple[Engine, Dataset]) -> None:
    engine, data = served
    run_id = run(engine, data, "huge", seed=5)
    status = job(engine, run_id, "huge")
    assert (status.state, status.cause) == (JobState.FAILED, "refused")
    assert "would need 1048576.0 TiB of memory; a job may use" in status.reason
    assert "keep the 10 most popular items" in status.reason
    assert ended(engine, run_id)["popular"].state is JobState.DONE


def test_a_second_engine_on_the_same_workspace_ends_at_once(served: tuple[Engine, Dataset]) -> None:
    engine, _ = served
    command = [sys.executable, "-m", "recsys_core.engine", "--workspace", str(engine.root)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert second.returncode == 0
    assert b"Another engine is already running" in second.stderr


def test_only_the_engine_itself_can_send_work_to_its_processes(served: tuple[Engine, Dataset]) -> None:
    """Another user of the machine, without the engine's key, is refused."""
    script = "import sys; from distributed import Client; Client(sys.argv[1], timeout=3).submit(len, '').result()"
    address = served[0].wait_until_ready().address
    assert address.startswith("tls://")
    for tried in (address, address.replace("tls", "tcp")):
        stranger = subprocess.run([sys.executable, "-c", script, tried], check=False, timeout=120)
        assert stranger.returncode != 0


def test_kill_9_of_the_engine_fails_what_ran_and_another_engine_takes_what_waits(own: tuple[Engine, Dataset]) -> None:
    engine, data = own
    gate = Gate(engine.root / "gate")
    process = start_engine(engine.root, **gate.environment)
    first = run(engine, data, "ease")
    ended(engine, first)
    gate.close("dawdle")
    run_id = run(engine, data, "slow", seed=1)
    pid = held(gate, engine, run_id, "slow").pid
    process.kill()
    process.wait()
    assert engine.presence() is None
    eventually(lambda: not psutil.pid_exists(pid), what="the worker went with its engine")
    assert job(engine, run_id, "slow").state is JobState.FAILED
    assert "is gone" in job(engine, run_id, "slow").reason
    assert job(engine, run_id, "popular").state is JobState.QUEUED
    assert {status.state for status in engine.store.open(first).statuses()} == {JobState.DONE}
    again = start_engine(engine.root)
    states = ended(engine, run_id)
    assert (states["popular"].state, states["random"].state) == (JobState.DONE, JobState.DONE)
    again.terminate()
    assert again.wait(60) == 0


WEB_SERVER = """
import sys, time
from recsys_core.engine import Engine
from tests.engine.odd_models import register
from tests.engine.support import spec_of
register()
engine = Engine(sys.argv[1])
print(engine.submit(spec_of(("slow", {"steps": 2}), data=sys.argv[2])), flush=True)
time.sleep(600)
"""


def test_kill_9_of_the_web_server_leaves_the_jobs_running(own: tuple[Engine, Dataset]) -> None:
    engine, data = own
    gate = Gate(engine.root / "gate")
    gate.close("dawdle")
    process = start_engine(engine.root, **gate.environment)
    command = [sys.executable, "-c", WEB_SERVER, str(engine.root), data.fingerprint]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    run_id = server.stdout.readline().strip()
    held(gate, engine, run_id, "slow")
    server.kill()
    server.wait()
    server.stdout.close()
    gate.open()
    assert {status.state for status in ended(engine, run_id).values()} == {JobState.DONE}
    process.terminate()
    assert process.wait(60) == 0


def test_an_idle_engine_ends_itself(own: tuple[Engine, Dataset]) -> None:
    engine, _ = own
    process = launch_engine(engine.root, RECSCOPE_ENGINE_IDLE="0.5")
    assert process.wait(120) == 0
    assert engine.presence() is None


def test_a_job_of_an_algorithm_that_the_engine_does_not_know_is_given_up(own: tuple[Engine, Dataset]) -> None:
    engine, data = own
    run_id = run(engine, data, "slow")  # starts the product's engine, without the odd models
    states = ended(engine, run_id)
    assert {status.state for status in states.values()} == {JobState.FAILED}
    assert "cannot be opened by this version" in states["slow"].reason


STARTER = """
import signal, subprocess, sys, time
from recsys_core.engine import Engine

class Stopped(subprocess.Popen):
    def __init__(self, *command, **options):
        super().__init__(*command, **options)
        self.send_signal(signal.SIGSTOP)
        print(self.pid, flush=True)

subprocess.Popen = Stopped
Engine(sys.argv[1]).ensure_started()
print("started", flush=True)
time.sleep(600)
"""
"""Starts an engine that hangs, so that waiting for it would never end."""


def test_the_engine_starts_at_once_in_a_session_of_its_own_and_outlives_the_server(own: tuple[Engine, Dataset]) -> None:
    engine, data = own
    command = [sys.executable, "-c", STARTER, str(engine.root)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    pid = int(server.stdout.readline())
    assert server.stdout.readline() == "started\n"
    assert engine.presence() is None
    server.stdout.close()
    os.kill(pid, signal.SIGCONT)
    engine.ensure_started()  # one is running already
    presence = engine.wait_until_ready(120)
    process = psutil.Process(presence.process.pid)
    assert process.ppid() == server.pid
    assert os.getsid(process.pid) == process.pid
    workers = [child for child in process.children(recursive=True) if "spawn_main" in str(child.cmdline())]
    assert [one.nice() for one in [process, *workers]] == [10, 10]
    server.kill()
    server.wait()
    states = ended(engine, run(engine, data, "ease"))
    assert states["ease"].state is JobState.DONE
    assert engine.presence() == presence
    process.kill()
    eventually(lambda: engine.presence() is None)
    assert ended(engine, run(engine, data, "ease", seed=1))["ease"].state is JobState.DONE


def test_an_engine_that_is_told_to_end_says_so_to_its_job_and_keeps_the_queue(own: tuple[Engine, Dataset]) -> None:
    engine, data = own
    gate = Gate(engine.root / "gate")
    gate.close("dawdle")
    process = start_engine(engine.root, **gate.environment)
    run_id = run(engine, data, "slow")
    held(gate, engine, run_id, "slow")
    process.terminate()
    assert process.wait(60) == 0
    assert (
        job(engine, run_id, "slow").reason
        == "The engine was stopped while this model was being trained. Start it again."
    )
    assert job(engine, run_id, "popular").state is JobState.QUEUED
    assert engine.presence() is None


def test_the_engine_gives_up_jobs_if_the_cluster_cannot_be_reached(
    own: tuple[Engine, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, data = own
    monkeypatch.setattr("recsys_core.engine.client.Engine.ensure_started", lambda _: None)
    run_id = run(engine, data, "ease")
    command = [sys.executable, "-m", "recsys_core.engine", "--workspace", str(engine.root)]
    environment = os.environ | {"RECSCOPE_SCHEDULER": "tcp://127.0.0.1:1", "RECSCOPE_CONNECT": "1"}
    outcome = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=120, check=False)
    assert outcome.returncode == 1
    for status in engine.status(run_id):
        assert status.state is JobState.FAILED
        assert "The Dask cluster at tcp://127.0.0.1:1 (RECSCOPE_SCHEDULER) cannot be reached" in status.reason


def test_the_same_jobs_run_on_an_external_dask_cluster(own: tuple[Engine, Dataset], tmp_path: Path) -> None:
    engine, data = own
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    quiet = {"cwd": tmp_path, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    address_file = tmp_path / "scheduler.json"
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = [*dask, "worker", "--scheduler-file", str(address_file), "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    cluster = [subprocess.Popen([*scheduler, "--scheduler-file", str(address_file)], **quiet)]  # type: ignore[call-overload]
    try:
        eventually(address_file.exists)
        cluster += [subprocess.Popen([*worker, "--name", name], **quiet) for name in ("one", "two")]  # type: ignore[call-overload]
        address = json.loads(address_file.read_text(encoding="utf-8"))["address"]
        process = start_engine(engine.root, RECSCOPE_SCHEDULER=address)
        assert engine.presence().cluster
        run_id = run(engine, data, ("biased_mf", {"epochs": 300}), ("biased_mf", {"epochs": 299}), "ease")
        states = ended(engine, run_id)
        assert {status.state for status in states.values()} == {JobState.DONE}
        statuses = engine.status(run_id)
        assert len({status.pid for status in statuses}) == 2
        family = {child.pid for one in cluster[1:] for child in psutil.Process(one.pid).children(recursive=True)}
        assert {status.pid for status in statuses} <= family | {one.pid for one in cluster}
        process.terminate()
        assert process.wait(60) == 0
    finally:
        for one in reversed(cluster):
            one.terminate()
        for one in cluster:
            end(one)


def test_submitting_needs_no_dask(tmp_path: Path) -> None:
    code = (
        "import sys; from recsys_core.engine import Engine; Engine(sys.argv[1]).presence();"
        "sys.exit('distributed' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False).returncode == 0


def test_estimates_follow_what_was_measured_but_not_what_was_too_short(own: tuple[Engine, Dataset]) -> None:
    engine, data = own
    spec = spec_of("ease", ("slow", {"steps": 6}), data=data.fingerprint)
    store, workspace, speeds = ResultStore(engine.root), Workspace(engine.root), Speeds(engine.root)
    first = {one.key: one.seconds for one in engine.estimate(spec).models}
    stored = store.create(spec, "little")
    for model_id in stored.model_ids:
        status = execute(store, stored.id, model_id, workspace, 1)
        speeds.learn(stored.job(model_id), replace(status, ended=status.ended + 5))  # evaluation took 5 seconds more
    again = engine.estimate(spec)
    assert again.refused is None
    assert again.bytes > 0
    learned = {one.key: one.seconds for one in again.models}
    for model_id in stored.model_ids:
        result, status = stored.result(model_id), stored.status(model_id)
        if result.key == "slow":
            assert learned[result.key] == pytest.approx(status.seconds() + 5, rel=0.05)
        else:
            assert result.fit_seconds > LONG_ENOUGH or "fit" not in speeds.read()[result.key]
            assert first[result.key] < learned[result.key]
