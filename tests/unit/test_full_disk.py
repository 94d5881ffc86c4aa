"""A full disk: an experiment is queued completely or not at all; queued jobs start once there is space."""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recsys_core.data.workspace import Workspace
from recsys_core.engine import Engine
from recsys_core.engine import dispatcher as dispatching
from recsys_core.engine.cluster import Cluster
from recsys_core.engine.dispatcher import Dispatcher
from recsys_core.engine.process import EngineProcess
from recsys_core.engine.settings import EngineSettings
from recsys_core.errors import DiskFull, StoreError
from recsys_core.experiments.jobs import JobState, JobStatus
from recsys_core.experiments.store import ResultStore
from recsys_core.serving.upload_tables import Reading, inspected
from recsys_core.serving.uploads import Draft, Intake
from recsys_core.storage import space
from tests import disks
from tests.engine.support import little_data, spec_of

SIZE_KIB = 2048


class AtOnce:
    """A cluster that runs jobs synchronously in this process; `refuse` makes its workers die."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.threads = 1
        self.died = 0
        self.refuse: Callable[[], BaseException | None] = lambda: None
        self.why_killed = Cluster(None, settings).why_killed

    def submit(self, function: Callable[..., Any], *arguments: Any, priority: int = 0) -> Any:
        error = self.refuse()
        if error is None:
            try:
                function(*arguments)
            except StoreError as raised:
                error = raised
        return SimpleNamespace(
            done=lambda: True,
            status="error" if error else "finished",
            exception=lambda: error,
            release=lambda: None,
        )


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Mount a separate disk of two megabytes."""
    with disks.small_disk(SIZE_KIB) as mounted:
        yield mounted


@pytest.fixture
def engine(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(Engine, "ensure_started", lambda _: None)
    root = small_disk / "workspace"
    Workspace(root).store(little_data())
    return Engine(root)


def data_of(engine: Engine) -> str:
    return Workspace(engine.root).datasets()[0].fingerprint


def fill(folder: Path, leave: int = 0) -> Path:
    """Fill the disk except for a number of bytes; return the file that takes the space."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    os.truncate(ballast, max(0, ballast.stat().st_size - leave))
    return ballast


def files(root: Path) -> dict[str, bytes]:
    names = ("runs", "queue")
    return {
        str(path.relative_to(root)): path.read_bytes()
        for name in names
        for path in sorted((root / name).rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.parametrize("leave", range(0, 120, 8))
def test_an_experiment_is_queued_whole_or_not_at_all_however_little_room_is_left(
    engine: Engine, small_disk: Path, leave: int
) -> None:
    spec = spec_of("ease", "item_knn", data=data_of(engine))
    ballast = fill(small_disk, leave * 1024)
    try:
        run_id = engine.submit(spec)
    except DiskFull:
        assert files(engine.root) == {}
        assert engine.store.runs() == []
    else:
        assert [ticket.run_id for ticket in engine.queue.entries()] == [run_id] * 4
        assert {status.state for status in engine.store.open(run_id).statuses()} == {JobState.QUEUED}
    ballast.unlink()
    run_id = engine.submit(spec)
    assert len(engine.queue.entries()) == 4
    assert engine.store.open(run_id).is_live


@pytest.mark.parametrize("leave", range(0, 120, 8))
def test_starting_again_changes_everything_or_nothing(engine: Engine, small_disk: Path, leave: int) -> None:
    spec = spec_of("ease", "item_knn", data=data_of(engine))
    run = engine.store.create(spec, "little")
    for model_id in run.model_ids:
        run.job(model_id).change({JobState.QUEUED}, state=JobState.FAILED, ended=1.0, reason="for this test")
    before = files(engine.root)
    fill(small_disk, leave * 1024)
    try:
        engine.submit(spec)
    except DiskFull:
        assert files(engine.root) == before
    else:
        assert len(engine.queue.entries()) == 4
    with contextlib.suppress(DiskFull):
        engine.start_again(run.id, run.model_ids[0])
    waiting = [model_id for model_id in run.model_ids if run.status(model_id).state is JobState.QUEUED]
    assert sorted(ticket.model_id for ticket in engine.queue.entries()) == sorted(waiting)


def test_what_waits_says_so_and_goes_on_by_itself_once_there_is_space(
    engine: Engine, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = engine.submit(spec_of("ease", data=data_of(engine)))
    ballast = fill(small_disk)
    cluster = AtOnce(EngineSettings.from_environment({"RECSCOPE_WARM_UP": "0", "RECSCOPE_JOBS": "1"}))
    dispatcher = Dispatcher(engine.root, cluster)  # type: ignore[arg-type]
    monkeypatch.setattr(dispatching, "FULL_SECONDS", 0.0)
    for _ in range(8):
        dispatcher.step()
    for status in engine.store.open(run_id).statuses():
        assert status.state is JobState.QUEUED
        assert status.reason.startswith("The disk is full, so this model stays queued")
    assert len(engine.queue.entries()) == 3
    ballast.unlink()
    for _ in range(8):
        dispatcher.step()
    assert {status.state for status in engine.store.open(run_id).statuses()} == {JobState.DONE}
    assert engine.queue.entries() == []
    assert engine.store.verify() == []


def test_workers_that_die_for_want_of_space_cost_a_job_no_attempt(
    engine: Engine, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A nanny cannot start its worker without space: no 'process None was killed', the job stays queued."""
    from distributed.scheduler import KilledWorker

    run_id = engine.submit(spec_of("ease", data=data_of(engine)))
    cluster = AtOnce(EngineSettings.from_environment({"RECSCOPE_WARM_UP": "0", "RECSCOPE_JOBS": "1"}))
    dispatcher = Dispatcher(engine.root, cluster)  # type: ignore[arg-type]
    monkeypatch.setattr(dispatching, "FULL_SECONDS", 0.0)
    full = iter([True] * 12)
    monkeypatch.setattr(dispatching, "is_full", lambda _: next(full, False))
    monkeypatch.setattr(Dispatcher, "_has_space", lambda *_: True)
    cluster.refuse = lambda: KilledWorker("task", "worker", 1) if next(full, False) else None
    for _ in range(30):
        dispatcher.step()
    assert {status.state for status in engine.store.open(run_id).statuses()} == {JobState.DONE}


def test_a_job_whose_workers_die_before_it_begins_names_no_process(engine: Engine) -> None:
    from distributed.scheduler import KilledWorker

    run_id = engine.submit(spec_of(data=data_of(engine)))
    cluster = AtOnce(EngineSettings.from_environment({"RECSCOPE_WARM_UP": "0", "RECSCOPE_JOBS": "1"}))
    cluster.refuse = lambda: KilledWorker("task", "worker", 1)
    dispatcher = Dispatcher(engine.root, cluster)  # type: ignore[arg-type]
    for _ in range(30):
        dispatcher.step()
    for status in engine.store.open(run_id).statuses():
        assert (status.state, status.cause) == (JobState.FAILED, "killed")
        assert "None" not in status.reason
        assert "ended repeatedly before the training started" in status.reason


def test_a_ticket_that_got_lost_is_made_again(engine: Engine) -> None:
    run_id = engine.submit(spec_of(data=data_of(engine)))
    for ticket in engine.queue.entries():
        engine.queue.remove(ticket)
    cluster = AtOnce(EngineSettings.from_environment({"RECSCOPE_WARM_UP": "0"}))
    Dispatcher(engine.root, cluster).step()  # type: ignore[arg-type]
    assert [ticket.run_id for ticket in engine.queue.entries()] == [run_id] * 2


def test_the_engine_gives_no_waiting_job_up_that_it_could_say_nothing_to(engine: Engine, small_disk: Path) -> None:
    run_id = engine.submit(spec_of(data=data_of(engine)))
    ballast = fill(small_disk)
    process = EngineProcess(engine.root, EngineSettings.from_environment({}))
    process._fail_queued("The cluster cannot be reached.")
    assert len(engine.queue.entries()) == 2
    ballast.unlink()
    process._fail_queued("The cluster cannot be reached.")
    assert engine.queue.entries() == []
    assert {status.reason for status in engine.store.open(run_id).statuses()} == {"The cluster cannot be reached."}


def test_reading_and_deleting_work_on_a_full_disk(engine: Engine, small_disk: Path) -> None:
    from tests.unit.test_store import GONE

    run_id = engine.submit(spec_of(data=data_of(engine)))
    run = engine.store.open(run_id)
    run.job(run.model_ids[0]).change({JobState.QUEUED}, state=JobState.RUNNING, process=GONE, started=1.0)
    fill(small_disk)
    assert run.status(run.model_ids[0]).state is JobState.FAILED
    assert list(ResultStore(engine.root).runs()[0].states.values()).count(JobState.FAILED) == 1
    with pytest.raises(StoreError, match="is queued"):
        Workspace(engine.root).delete(data_of(engine))
    engine.store.delete(run_id)
    assert engine.store.runs() == []
    Workspace(engine.root).delete(data_of(engine))
    assert Workspace(engine.root).datasets() == []


def test_an_ingest_on_a_full_disk_leaves_nothing_and_says_so(engine: Engine, small_disk: Path) -> None:
    workspace = Workspace(engine.root)
    made = little_data(users=400, items=300, rows=60_000, fingerprint="e" * 16)
    fill(small_disk, 90_000)
    with pytest.raises(DiskFull, match=r"the disk is full; free some space"):
        workspace.store(made)
    assert len(workspace.datasets()) == 1
    assert list((engine.root / "staging").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("leave", [180, 208, 220, 250, 280, 400])
def test_a_check_on_a_full_disk_says_so_or_shows_its_counts(small_disk: Path, tmp_path: Path, leave: int) -> None:
    """Whatever space is left: a message that names the disk, or the report; a whole data set or none."""
    path = tmp_path / "ratings.csv"
    rows = "".join(f"u{n % 997},m{n * 31 % 1009},{1 + n % 5},{10**9 + n * 7919 % 10**6}\n" for n in range(40_000))
    path.write_text("user,item,rating,timestamp\n" + rows)
    taking = Intake.create(small_disk / "workspace")
    taking.save(Draft(paths=(str(path),)))
    inspected(taking, taking.draft())
    ballast = fill(small_disk, leave * 1024)
    reading = Reading(taking, taking.draft())
    reading.run()
    status, report = reading.status(), reading.report()
    if status.state == "DONE":
        assert (report.rows_read, report.rows_accepted) == (40_000, 40_000)
    else:
        assert "disk is full" in status.reason
        assert not reading.dataset.exists()
    ballast.unlink()
    if reading.dataset.exists():
        Workspace(taking.root).take_over(reading.dataset, "little")
        assert Workspace(taking.root).verify() == []


def test_only_a_disk_that_says_so_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not space.is_full(tmp_path)
    monkeypatch.setattr(space.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    assert space.is_full(tmp_path)

    def refuse(_: Path) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(space, "sync", refuse)
    with pytest.raises(OSError, match="quota"):
        space.make_sure_of_room(tmp_path, 1000)
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_never_began_and_one_without_a_process_are_said_in_words(tmp_path: Path) -> None:
    from tests.unit.test_store import GONE

    store = ResultStore(tmp_path)
    run = store.create(spec_of("ease"), "little", owner=GONE)
    for status in run.statuses():
        assert status.reason.startswith(f"The training never started: process {GONE.pid} on ")
    job = run.job(run.model_ids[0])
    job.change({JobState.FAILED}, state=JobState.RUNNING, process=None, started=time.time())
    assert job.status().reason.startswith("The training ended unexpectedly: its process is gone.")
    assert "None" not in str([status.reason for status in run.statuses()])
    assert isinstance(job.status(), JobStatus)
