"""Reading in a separate process: limits, crashes, a slow reader beside a quick one, and what is kept."""

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from recsys_core.contracts import RunContext
from recsys_core.data.ingest import check, inspect_files, suggest_rules
from recsys_core.data.ingest.limits import GIB, MIB, ProcessLimits
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.data.workspace import Workspace
from recsys_core.errors import Cancelled, ConfigError, DataError
from recsys_core.profiles.attach import attach_vectors
from recsys_core.serving.attachments import attach
from recsys_core.serving.process_limits import process_limits, readers_at_once
from recsys_core.serving.reader_pool import Readers
from recsys_core.serving.upload_tables import Reading
from recsys_core.serving.uploads import Intake
from recsys_core.serving.work_status import process_of

ODD = "tests.engine.odd_reader"
ROWS = b"user,item,rating\n" + b"".join(b"u%d,m%d,%d\n" % (u, i, 1 + (u + i) % 5) for u in range(30) for i in range(8))
SECONDS = 120.0


@pytest.fixture
def make_readers() -> Iterator[Callable[..., Readers]]:
    made: list[Readers] = []

    def make(**settings: object) -> Readers:
        made.append(Readers(**settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for readers in made:
        readers.close()


def intake(root: Path, name: str = "good", content: bytes = ROWS, file: str = "ratings.csv") -> Intake:
    made = Intake.create(root, name=name)
    path = made.add(file, io.BytesIO(content))
    made.save(replace(made.draft(), paths=(str(path),)))
    return made


def ended(reading: Reading) -> Reading:
    assert reading.wait(SECONDS), reading.status()
    return reading


def begun(taking: Intake) -> None:
    deadline = time.monotonic() + SECONDS
    while not (taking.folder / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_process_finds_is_what_this_process_would_find(
    own_workspace: Path, make_readers: Callable[..., Readers]
) -> None:
    taking = intake(own_workspace, content=ROWS + b"u1,m1,eleven\nu1\n")
    reading = ended(make_readers().ask(taking, taking.draft()))
    assert reading.status().state == "DONE", reading.status()
    tables = inspect_files([Path(taking.draft().paths[0])])
    assert reading.report() == replace(check(tables, suggest_rules(tables)), guesses=reading.report().guesses)
    assert (reading.report().rows_read, reading.report().rows_rejected) == (242, 2)
    shown = reading.tables()[0].guess
    assert (shown.column_names, dict(shown.roles)) == (tables[0].column_names, dict(tables[0].roles))
    assert shown.preview.equals(tables[0].preview)
    assert not reading.temporary.exists()


def test_what_is_finished_is_used_by_another_server(own_workspace: Path, make_readers: Callable[..., Readers]) -> None:
    taking = intake(own_workspace)
    first = ended(make_readers().ask(taking, taking.draft()))
    another = make_readers(module="no_such_module")
    assert another.ask(taking, taking.draft()).report() == first.report()


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("abort", "aborted (SIGABRT)"),
        ("segfault", "crashed (SIGSEGV)"),
        ("exit", "exit status 3"),
        ("vanish", "ended unexpectedly"),
        ("sleep", "takes longer than allowed (1 seconds)"),
        ("memory", "more memory than allowed (400 MiB)"),
        ("disk", "to the disk than allowed (20 MiB)"),
    ],
)
def test_a_process_that_misbehaves_is_one_sentence_and_is_not_started_again(
    own_workspace: Path, make_readers: Callable[..., Readers], way: str, words: str
) -> None:
    seconds = 1.0 if way == "sleep" else SECONDS
    limits = ProcessLimits(memory_bytes=400 * MIB, seconds=seconds, disk_bytes=20 * MIB if way == "disk" else GIB)
    readers, taking = make_readers(limits=limits, module=ODD), intake(own_workspace, way)
    status = ended(readers.ask(taking, taking.draft())).status()
    assert (status.state, words in status.reason) == ("FAILED", True), status
    another = make_readers(module="no_such_module")
    assert another.ask(taking, taking.draft()).status() == status
    assert another._runs == {}


def test_a_slow_one_delays_nobody_and_beyond_the_bound_they_wait(
    own_workspace: Path, make_readers: Callable[..., Readers]
) -> None:
    readers = make_readers(at_once=2, module=ODD)
    slow, other, third = intake(own_workspace, "held"), intake(own_workspace, "held too"), intake(own_workspace)
    held = readers.ask(slow, slow.draft())
    begun(slow)
    assert ended(readers.ask(third, third.draft())).status().state == "DONE"
    assert held.status().is_live
    readers.ask(other, other.draft())
    begun(other)
    waiting_in_line = intake(own_workspace)
    last = readers.ask(waiting_in_line, waiting_in_line.draft())
    assert not last.wait(0.5)
    assert process_of(last.folder) is None
    (slow.folder / "gate").touch()
    assert ended(last).status().state == "DONE"
    (other.folder / "gate").touch()
    assert [ended(one).status().state for one in (held, readers.ask(other, other.draft()))] == ["DONE", "DONE"]


def test_another_decision_gives_the_older_reading_up(own_workspace: Path, make_readers: Callable[..., Readers]) -> None:
    readers, taking = make_readers(module=ODD), intake(own_workspace, "held")
    old = readers.ask(taking, taking.draft())
    begun(taking)
    process = psutil.Process(process_of(old.folder).pid)
    taking.save(replace(taking.draft(), name="good", changes={"0": {"roles": {"rating": None}}}))
    new = ended(readers.ask(taking, taking.draft()))
    assert new.status().state == "DONE"
    assert "rating" not in new.tables()[0].guess.roles
    assert not process.is_running()
    assert not old.folder.exists()


def test_a_cancelled_reading_stays_cancelled_until_it_is_asked_for_anew(
    own_workspace: Path, make_readers: Callable[..., Readers]
) -> None:
    readers, taking = make_readers(module=ODD), intake(own_workspace, "held")
    reading = readers.ask(taking, taking.draft())
    begun(taking)
    readers.cancel(reading)
    assert readers.ask(taking, taking.draft()).status().state == "CANCELLED"
    (taking.folder / "gate").touch()
    reading.forget()
    assert ended(readers.ask(taking, taking.draft())).status().state == "DONE"


def test_a_restarted_server_goes_on_with_the_process_that_reads(
    own_workspace: Path, make_readers: Callable[..., Readers]
) -> None:
    taking = intake(own_workspace, "held")
    before = make_readers(module=ODD).ask(taking, taking.draft())
    begun(taking)
    after = make_readers(module="no_such_module").ask(taking, taking.draft())
    assert after.status().is_live
    assert process_of(after.folder) == process_of(before.folder)
    (taking.folder / "gate").touch()
    assert ended(after).status().state == "DONE"


def test_a_file_that_does_not_suit_says_so_and_the_others_are_shown(own_workspace: Path) -> None:
    taking = intake(own_workspace)
    other = taking.add("odd.csv", io.BytesIO(b"one\ntwo\nthree\n"))
    taking.save(replace(taking.draft(), paths=(*taking.draft().paths, str(other))))
    reading = Reading(taking, taking.draft())
    reading.run()
    good, bad = reading.tables()
    assert (good.error, "a single column" in bad.error) == ("", True)
    assert "a single column" in reading.status().reason
    taking.save(replace(taking.draft(), changes={"1": {"table": "ignored"}}))
    reading = Reading(taking, taking.draft())
    reading.run()
    assert reading.report().rows_accepted == 240


def test_a_wrong_separator_can_be_taken_back(own_workspace: Path) -> None:
    taking = intake(own_workspace)
    taking.save(replace(taking.draft(), changes={"0": {"separator": ";"}}))
    reading = Reading(taking, taking.draft())
    reading.run()
    (file,) = reading.tables()
    assert "a single column" in file.error
    assert file.guess.separator == ";"
    taking.save(replace(taking.draft(), changes={"0": {"separator": ","}}))
    reading = Reading(taking, taking.draft())
    reading.run()
    assert reading.report().rows_accepted == 240


def test_any_exception_becomes_a_sentence_and_is_logged(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by design")

    taking = intake(own_workspace)
    caplog.set_level("INFO", logger="recsys_core")
    for where in ("recsys_core.data.ingest.inspection.guess_table", "recsys_core.data.ingest.build.dataset_warnings"):
        with monkeypatch.context() as patch:
            patch.setattr(where, fails)
            reading = Reading(taking, taking.draft())
            reading.run()
        assert reading.status().state == "FAILED"
        assert "cannot be read with these settings (ZeroDivisionError: by design)" in reading.status().reason
        assert reading.tables() is not None
        assert "ZeroDivisionError" in caplog.text
        assert "Traceback" in caplog.text
        caplog.clear()
        for path in (taking.folder / "readings").glob("files-*"):
            path.unlink()
        reading.forget()


def test_settings_of_limits() -> None:
    asked = {"RECSCOPE_READ_MEMORY": "1GiB", "RECSCOPE_READ_DISK": "2GiB", "RECSCOPE_READ_SECONDS": "60"}
    assert process_limits(asked) == ProcessLimits(memory_bytes=GIB, seconds=60.0, disk_bytes=2 * GIB)
    assert readers_at_once({"RECSCOPE_READERS": "3"}) == 3
    with pytest.raises(ConfigError, match="RECSCOPE_READERS"):
        readers_at_once({"RECSCOPE_READERS": "none"})


def test_what_is_added_to_items_is_opened_by_a_process_within_limits(own_workspace: Path, tmp_path: Path) -> None:
    workspace = Workspace(own_workspace)
    data = workspace.store(load_sample("tiny"))
    vectors = np.arange(data.n_items * 3, dtype=np.float32).reshape(-1, 3)

    def brought() -> Path:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        np.save(folder / "vectors.npy", vectors)
        return folder / "vectors.npy"

    attached = attach(own_workspace, data.fingerprint, brought(), RunContext())
    assert attached == replace(attach_vectors(workspace, data.fingerprint, brought()), dataset=attached.dataset)
    assert attached.found == data.n_items
    with pytest.raises(DataError, match="more memory than allowed"):
        attach(own_workspace, data.fingerprint, brought(), RunContext(), ProcessLimits(memory_bytes=40 * MIB))
    with pytest.raises(Cancelled):
        attach(own_workspace, data.fingerprint, brought(), RunContext(stop_requested=lambda: True))
    (tmp_path / "broken.npy").write_bytes(b"x")
    with pytest.raises(DataError, match="cannot be read"):
        attach(own_workspace, data.fingerprint, tmp_path / "broken.npy", RunContext())
