"""Uploads: a separate process stores or downloads files, and reports the result."""

import io
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recsys_core.data.ingest.inspection import readable
from recsys_core.data.workspace import Workspace
from recsys_core.errors import StoreError
from recsys_core.serving import uploads as module
from recsys_core.serving.process_limits import process_limits, watch
from recsys_core.serving.upload_process import run
from recsys_core.serving.upload_tables import applied, inspected, rules_of
from recsys_core.serving.uploads import Draft, Intake, remove_left_over, server_files
from recsys_core.serving.work_status import WorkStatus, has_ended
from recsys_core.storage.files import write_json
from recsys_core.storage.processes import own_mark, start_python
from tests.engine.support import eventually

ROWS = "".join(f"u{user},m{item},{1 + item % 5}\n" for user in range(30) for item in range(10))


@pytest.fixture
def taking(tmp_path: Path) -> Intake:
    made = Intake.create(tmp_path / "workspace", name="Mine")
    path = made.add("ratings.csv", io.BytesIO(b"user,item,rating\n" + ROWS.encode()))
    made.save(replace(made.draft(), paths=(str(path),)))
    return made


def ended(taking: Intake, seconds: float = 120.0) -> WorkStatus:
    deadline = time.monotonic() + seconds
    while taking.status().is_live and time.monotonic() < deadline:
        time.sleep(0.05)
    return taking.status()


def test_a_process_stores_what_the_draft_says(taking: Intake) -> None:
    taking.save(replace(taking.draft(), changes={"0": {"roles": {"rating": None}}}))
    taking.start("store")
    status = ended(taking)
    assert status.state == "DONE", (status.reason, (taking.folder / "log.txt").read_text())
    card = Workspace(taking.root).card(status.fingerprint)
    assert (card.name, card.n_users, card.n_items, card.has_ratings) == ("Mine", 30, 10, False)


def test_what_cannot_be_stored_is_said_in_a_sentence(taking: Intake) -> None:
    taking.save(replace(taking.draft(), paths=(str(taking.folder / "gone.csv"),)))
    taking.start("store")
    status = ended(taking)
    assert status.state == "FAILED"
    assert "gone.csv" in status.reason


def test_a_wish_to_stop_ends_it_without_storing(taking: Intake) -> None:
    taking.cancel()
    run(taking, "store")
    assert taking.status().state == "CANCELLED"
    assert Workspace(taking.root).datasets() == []


def test_a_killed_process_is_known_to_be_gone(taking: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start_idle(command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        """Start a process that does nothing until it is killed, in place of the storing one."""
        started.append(start_python(["-c", "import time; time.sleep(600)"], **options))
        return started[0]

    with monkeypatch.context() as held:
        held.setattr(module, "start_python", start_idle)
        taking.start("store")
    started[0].kill()
    started[0].wait()
    eventually(lambda: has_ended(taking.folder), what="how it ended is noted")
    status = taking.status()
    assert status.state == "FAILED"
    assert "was killed" in status.reason


def test_a_process_that_ended_before_it_was_watched_is_reported_all_the_same() -> None:
    process = start_python(["-c", "import time; time.sleep(600)"])
    process.kill()
    process.wait()
    assert "was killed" in watch(process, process_limits())


def test_a_process_that_is_gone_without_a_word_has_failed(taking: Intake) -> None:
    write_json(taking.folder / "status.json", {"state": "RUNNING", "work": "store", "since": 0.0})
    assert "ended unexpectedly" in taking.status().reason


@pytest.mark.parametrize("name", ["../../etc", "", "0123456789ag", "0123456789ab/..", "ABCDEF012345"])
def test_a_name_that_is_none_opens_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError):
        Intake(tmp_path, name)


def test_a_role_that_moved_and_a_kind_that_changed_are_applied_in_order(taking: Intake) -> None:
    draft = Draft(
        paths=taking.draft().paths,
        changes={"0": {"separator": ",", "table": "items", "roles": {"item_id": 1, "title": 0}}},
    )
    table = applied(inspected(taking, draft), draft)[0].guess
    assert table.table == "items"
    assert dict(table.roles) == {"item_id": 1, "title": 0}


def test_rules_suit_the_files_unless_they_were_changed(taking: Intake) -> None:
    tables = readable(inspected(taking, taking.draft()))
    assert (rules_of(Draft(), tables).rating_low, rules_of(Draft(), tables).rating_high) == (1.0, 5.0)
    assert rules_of(Draft(rules={"min_user": 3}), tables).min_user == 3


def test_left_files_go_after_a_day_and_running_ones_stay(taking: Intake) -> None:
    long_ago = time.time() - module.KEPT_SECONDS - 60
    other = Intake.create(taking.root)
    write_json(other.folder / "status.json", {"state": "RUNNING", "process": own_mark().to_json()})
    for folder in (taking.folder, other.folder):
        os.utime(folder, (long_ago, long_ago))
    remove_left_over(taking.root)
    assert not taking.folder.exists()
    assert other.folder.exists()


def test_only_files_inside_the_opened_folder_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = tmp_path / "opened"
    (opened / "a").mkdir(parents=True)
    (opened / "a" / "x.csv").write_text("1")
    (opened / ".hidden").write_text("1")
    (tmp_path / "secret").write_text("1")
    (opened / "link").symlink_to(tmp_path / "secret")
    assert server_files() == []
    monkeypatch.setenv("RECSCOPE_DATA_ROOT", str(opened))
    assert server_files() == ["a/x.csv"]
