"""Accepted Dask clusters: nothing is sent to another machine in plain text unless explicitly allowed."""

import socket
from pathlib import Path

import psutil
import pytest

from recsys_core.engine.scheduler import SchedulerAccess
from recsys_core.engine.settings import EngineSettings
from recsys_core.errors import ConfigError


def access(address: str, **settings: str) -> SchedulerAccess:
    found = SchedulerAccess.from_environment({"RECSCOPE_SCHEDULER": address} | settings)
    assert found is not None
    return found


def own_addresses() -> list[str]:
    entries = [entry for entries in psutil.net_if_addrs().values() for entry in entries]
    return [entry.address for entry in entries if entry.family == socket.AF_INET]


@pytest.mark.parametrize(
    "address",
    [
        "tcp://cluster.example.org:8786",
        "cluster.example.org:8786",
        "TCP://192.0.2.7:8786",
        "ws://192.0.2.7:8786",
        "tcp://[2001:db8::1]:8786",
        "tcp://localhost.example.org:8786",
        "tcp://127.0.0.1.example.org:8786",
    ],
)
def test_plain_connections_to_other_machines_are_refused_unless_asked_for(address: str) -> None:
    with pytest.raises(ConfigError, match=r"unencrypted.*RECSCOPE_INSECURE_SCHEDULER=1"):
        access(address).check()
    with pytest.raises(ConfigError, match="unencrypted"):
        access(address, RECSCOPE_INSECURE_SCHEDULER="0").security()
    assert access(address, RECSCOPE_INSECURE_SCHEDULER="1").security() is None


@pytest.mark.parametrize(
    "address",
    [
        "tcp://127.0.0.1:8786",
        "tcp://127.1.2.3:1",
        "tcp://localhost:8786",
        "tcp://[::1]:8786",
        "127.0.0.1:8786",
        f"tcp://{socket.gethostname()}:8786",
        *(f"tcp://{own}:8786" for own in own_addresses()),
    ],
)
def test_plain_connections_within_this_machine_are_taken(address: str) -> None:
    assert access(address).security() is None


def test_tls_wants_certificates_and_hands_them_to_dask(tmp_path: Path) -> None:
    address = "tls://cluster.example.org:8786"
    with pytest.raises(ConfigError, match="set RECSCOPE_TLS_CA to its file"):
        access(address).check()
    files = {name: tmp_path / name for name in ("RECSCOPE_TLS_CA", "RECSCOPE_TLS_CERT", "RECSCOPE_TLS_KEY")}
    settings = {name: str(path) for name, path in files.items()}
    with pytest.raises(ConfigError, match=r"RECSCOPE_TLS_CA is '.*', which is not a file"):
        access(address, **settings).check()
    for path in files.values():
        path.touch()
    with pytest.raises(ConfigError, match="set RECSCOPE_TLS_CERT"):
        access(address, RECSCOPE_TLS_CA=settings["RECSCOPE_TLS_CA"]).check()
    security = access(address, **settings).security()
    assert security.require_encryption
    assert (security.tls_ca_file, security.tls_client_cert, security.tls_client_key) == tuple(settings.values())
    in_one_file = access(address, **{name: settings[name] for name in list(settings)[:2]})
    assert in_one_file.security().tls_client_key is None


@pytest.mark.parametrize("address", ["inproc://x", "ucx://127.0.0.1:1", "http://127.0.0.1:8786", "://x"])
def test_what_is_no_scheduler_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="not a scheduler address"):
        access(address).check()


def test_without_the_setting_the_engine_has_processes_of_its_own() -> None:
    assert EngineSettings.from_environment({}).access is None
    assert EngineSettings.from_environment({"RECSCOPE_SCHEDULER": "tcp://h:1"}).access == SchedulerAccess("tcp://h:1")
