"""What the engine exposes and how it connects to a cluster: no HTTP, TLS with certificates, no plain text."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from distributed.security import Security

from recsys_core.data import Dataset
from recsys_core.data.workspace import Workspace
from recsys_core.engine import Engine
from recsys_core.experiments.jobs import JobState
from tests.engine.support import ROOT, end, ended, eventually, little_data, spec_of, start_engine


@pytest.fixture
def own(own_workspace: Path) -> tuple[Engine, Dataset]:
    data = Workspace(own_workspace).store(little_data())
    return Engine(own_workspace), data


def listening(pid: int) -> set[tuple[str, int]]:
    """Return the addresses on which a process and its children listen."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return {
        (one.laddr.ip, one.laddr.port)
        for process in family
        for one in process.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN
    }


def plain_answer(place: tuple[str, int]) -> bytes:
    """Return the response of a port to a web browser."""
    with socket.create_connection(place, timeout=10) as connection:
        connection.settimeout(10)
        try:
            connection.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(100)
        except ConnectionError:
            return b""


def test_scheduler_and_workers_serve_no_http(own: tuple[Engine, Dataset]) -> None:
    engine, data = own
    process = start_engine(engine.root, RECSCOPE_JOBS="2")
    assert ended(engine, engine.submit(spec_of("popular", data=data.fingerprint)))["popular"].state is JobState.DONE
    places = eventually(lambda: (found := listening(process.pid)) and len(found) >= 5 and found, what="2 workers")
    assert {address for address, _ in places} == {"127.0.0.1"}
    assert len(places) == 5, "a scheduler, and for each of two workers itself and its nanny"
    for place in places:
        assert not plain_answer(place).startswith(b"HTTP"), place
    process.terminate()
    assert process.wait(60) == 0


def test_what_the_engine_and_its_workers_write_is_its_owners_alone(
    own: tuple[Engine, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, data = own
    monkeypatch.setattr("recsys_core.engine.client.Engine.ensure_started", lambda _: None)
    before = os.umask(0o022)
    try:
        run_id = engine.submit(spec_of("ease", data=data.fingerprint))
        command = [sys.executable, "-m", "recsys_core.engine", "--workspace", str(engine.root)]
        environment = os.environ | {"RECSCOPE_ENGINE_IDLE": "0.1", "RECSCOPE_WARM_UP": "0"}
        subprocess.run(command, cwd=ROOT, env=environment, timeout=120, check=True, capture_output=True)
    finally:
        os.umask(before)
    assert ended(engine, run_id)["ease"].state is JobState.DONE
    written = [path for path in (engine.root / "runs" / run_id / "jobs").rglob("*") if path.is_file()]
    assert len(written) > 5
    assert {f"{path.stat().st_mode & 0o777:o}" for path in written} == {"600"}
    assert f"{engine.root.stat().st_mode & 0o777:o}" == "700"


def test_a_plain_cluster_on_another_machine_is_refused_in_words(
    own: tuple[Engine, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, data = own
    monkeypatch.setattr("recsys_core.engine.client.Engine.ensure_started", lambda _: None)
    run_id = engine.submit(spec_of("popular", data=data.fingerprint))
    command = [sys.executable, "-m", "recsys_core.engine", "--workspace", str(engine.root)]
    environment = os.environ | {"RECSCOPE_SCHEDULER": "tcp://192.0.2.7:8786", "RECSCOPE_CONNECT": "1"}
    outcome = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False)
    assert outcome.returncode == 1
    for status in engine.status(run_id):
        assert status.state is JobState.FAILED
        assert "would send data and code to another machine unencrypted" in status.reason


def test_jobs_run_on_a_cluster_behind_tls_with_certificates_from_the_settings(
    own: tuple[Engine, Dataset], tmp_path: Path
) -> None:
    engine, data = own
    made = Security.temporary()
    files = {"ca": made.tls_ca_file, "cert": made.tls_client_cert, "key": made.tls_client_key}
    for name, text in files.items():
        (tmp_path / f"{name}.pem").write_text(text)
    ca, cert, key = (str(tmp_path / f"{name}.pem") for name in files)
    tls = ["--tls-ca-file", ca, "--tls-cert", cert, "--tls-key", key, "--no-dashboard"]
    address_file = tmp_path / "scheduler.json"
    quiet = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(ROOT)}, "stdout": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", "tls://127.0.0.1:0", "--scheduler-file", str(address_file), *tls]
    worker = [*dask, "worker", "--scheduler-file", str(address_file), "--nthreads", "1", "--no-nanny", *tls]
    with (tmp_path / "cluster.log").open("wb") as log:
        cluster = [subprocess.Popen(scheduler, stderr=log, **quiet)]  # type: ignore[call-overload]
        try:
            eventually(lambda: address_file.exists() and address_file.read_bytes().rstrip().endswith(b"}"))
            cluster.append(subprocess.Popen(worker, stderr=log, **quiet))  # type: ignore[call-overload]
            address = json.loads(address_file.read_text(encoding="utf-8"))["address"]
            assert address.startswith("tls://")
            names = {"RECSCOPE_TLS_CA": ca, "RECSCOPE_TLS_CERT": cert, "RECSCOPE_TLS_KEY": key}
            process = start_engine(engine.root, RECSCOPE_SCHEDULER=address, **names)
            states = ended(engine, engine.submit(spec_of("ease", data=data.fingerprint)))
            assert {status.state for status in states.values()} == {JobState.DONE}
            process.terminate()
            assert process.wait(60) == 0
        finally:
            for one in reversed(cluster):
                one.terminate()
                end(one)
