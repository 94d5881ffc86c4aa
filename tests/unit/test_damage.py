"""A damaged folder affects only itself: it is reported with the reason, and everything else keeps working."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_core.cli import main
from recsys_core.data import dataset_from_frames
from recsys_core.data.summaries import summary
from recsys_core.data.workspace import Workspace
from recsys_core.engine import Engine
from recsys_core.engine.presence import EngineFolder
from recsys_core.engine.queue import JobQueue
from recsys_core.engine.speeds import Speeds
from recsys_core.errors import Damaged, RecscopeError, StoreError
from recsys_core.experiments.analysis import compare_run
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from recsys_core.profiles.stored import derived, read_frame, write_frame
from recsys_core.serving.uploads import Draft, Intake, remove_left_over
from tests.engine.support import Memory, little_data, spec_of
from tests.records import as_before_checksums, flip_bit
from tests.tunings import created, tuning_spec


def wrong(values: dict[str, object]) -> dict[str, object]:
    """Return a record with lists replaced by texts, and everything else by a text."""
    return {name: [1] if isinstance(value, str) else "x" for name, value in values.items()}


RECORDS: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(b"\0" * 4096),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x80"),
    "a list": lambda path: path.write_text("[1, 2, 3]"),
    "null": lambda path: path.write_text("null"),
    "nothing in it": lambda path: path.write_text("{}"),
    "wrong types": lambda path: path.write_text(
        json.dumps(
            {name: [1] if isinstance(value, str) else "x" for name, value in json.loads(path.read_text()).items()}
        )
    ),
    "edited": lambda path: path.write_text(path.read_text().replace("1", "2", 1)),
    "missing": Path.unlink,
    "a folder": lambda path: path.mkdir() if path.unlink() is None else None,
    "a loop": lambda path: path.symlink_to(path) if path.unlink() is None else None,
}
TABLES: dict[str, Callable[[Path], None]] = {
    "empty": RECORDS["empty"],
    "half": RECORDS["half"],
    "missing": RECORDS["missing"],
    "a folder": RECORDS["a folder"],
    "a loop": RECORDS["a loop"],
    "a flipped bit": flip_bit,
    "a flipped bit in the head": lambda path: flip_bit(path, 0.0),
    "a flipped bit at the end": lambda path: flip_bit(path, 0.97),
}


def films(name: str, seed: int = 1) -> object:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"user": rng.integers(0, 9, 60), "item": rng.integers(0, 7, 60), "rating": rng.integers(1, 6, 60) * 1.0}
    )
    return dataset_from_frames(
        frame, name=name, user_ids=[f"u{n}" for n in range(9)], items=pd.DataFrame({"title": list("abcdefg")})
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "workspace")
    workspace.store(films("whole", 1))
    workspace.store(films("broken", 2))
    return workspace


def folder_of(workspace: Workspace, name: str) -> Path:
    return workspace.folder(name)


@pytest.mark.parametrize("kind", RECORDS)
def test_a_data_set_with_damaged_facts_is_set_apart_and_the_other_one_works(workspace: Workspace, kind: str) -> None:
    folder = folder_of(workspace, "broken")
    RECORDS[kind](folder / "meta.json")
    for opened in (workspace, Workspace(workspace.root)):
        assert [card.name for card in opened.datasets()] == ["whole"]
        assert opened.open("whole").n_interactions == 60
        (damaged,) = opened.damaged()
        assert damaged.kind == "data set"
        assert damaged.reason
        with pytest.raises(StoreError):
            opened.open(folder.name)
    opened.remove_damaged(damaged.key)
    assert opened.damaged() == []
    assert [card.name for card in opened.datasets()] == ["whole"]


@pytest.mark.parametrize("table", ["interactions", "users", "items"])
@pytest.mark.parametrize("kind", TABLES)
def test_a_data_set_with_a_damaged_table_is_not_opened_and_then_set_apart(
    workspace: Workspace, kind: str, table: str
) -> None:
    opened = workspace.open("broken")
    TABLES[kind](opened.folder / f"{table}.parquet")
    with pytest.raises(Damaged, match=rf"'broken' is damaged: '{table}\.parquet'.* Upload the same files again"):
        workspace.open("broken")
    with pytest.raises(Damaged):
        summary(opened)  # opened before it was damaged
    with pytest.raises(Damaged):
        _ = opened.interactions if table == "interactions" else summary(opened)
    (damaged,) = workspace.damaged()
    assert damaged.name == "broken"
    assert f"'{table}.parquet'" in damaged.reason
    assert [card.name for card in workspace.datasets()] == ["whole"]


@pytest.mark.parametrize("kind", ["empty", "half", "missing", "a folder", "a flipped bit"])
def test_taking_the_same_data_in_again_replaces_what_is_damaged(workspace: Workspace, kind: str) -> None:
    folder = folder_of(workspace, "broken")
    before = workspace.open("broken").interactions
    TABLES[kind](folder / "interactions.parquet")
    again = workspace.store(films("broken", 2))
    pd.testing.assert_frame_equal(again.interactions, before)
    assert sorted(card.name for card in workspace.datasets()) == ["broken", "whole"]
    (kept,) = workspace.damaged()
    assert kept.path.parent.name == "set_aside"
    assert "interactions.parquet" in kept.reason
    assert "stored again" in kept.reason


def test_verify_reads_everything_and_finds_a_bit_that_nobody_has_opened(workspace: Workspace) -> None:
    assert workspace.verify() == []
    flip_bit(folder_of(workspace, "broken") / "interactions.parquet")
    assert [one.name for one in workspace.verify()] == ["broken"]


def test_data_of_an_earlier_version_open_unverified_and_can_be_renamed(workspace: Workspace) -> None:
    as_before_checksums(folder_of(workspace, "broken"))
    opened = Workspace(workspace.root)
    opened.rename("broken", "old")
    assert opened.open("old").n_interactions == 60
    assert opened.damaged() == []
    (opened.folder("old") / "interactions.parquet").write_bytes(b"PAR1 and then nothing")
    assert [card.name for card in opened.datasets()] == ["whole"]


def test_a_copied_folder_is_named_and_does_not_stand_twice_in_the_list(workspace: Workspace) -> None:
    folder = folder_of(workspace, "broken")
    shutil.copytree(folder, folder.with_name(folder.name + " copy"))
    assert len(workspace.datasets()) == 2
    assert "is a copy of the data set" in workspace.damaged()[0].reason


def test_only_damaged_folders_can_be_removed_as_damaged(workspace: Workspace) -> None:
    whole = folder_of(workspace, "whole")
    for key in (f"datasets/{whole.name}", "datasets/../../etc", "set_aside/x", ""):
        with pytest.raises(StoreError, match="is not a damaged folder"):
            workspace.remove_damaged(key)
    assert whole.is_dir()


def test_a_full_disk_keeps_nobody_from_opening_a_workspace_with_a_half_written_folder(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.root / "datasets" / "half").mkdir()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_text", full)
        opened = Workspace(workspace.root)
        assert len(opened.datasets()) == 2
    assert [one.reason for one in opened.damaged()] == ["It was set aside without a note."]


def test_data_that_are_queued_or_trained_on_are_not_deleted(workspace: Workspace) -> None:
    whole = workspace.card("whole").fingerprint
    store = ResultStore(workspace.root)
    run = store.create(spec_of(data=whole), "whole", name="evening")
    with pytest.raises(StoreError, match=r"'evening' is queued or being trained on it\. Cancel that first"):
        workspace.delete("whole")
    assert workspace.open("whole").n_interactions == 60
    for model_id in run.model_ids:
        run.cancel(model_id)
    workspace.delete("whole")
    assert [card.name for card in workspace.datasets()] == ["broken"]


def test_data_used_as_test_part_are_in_use_but_not_for_a_job_whose_process_is_gone(workspace: Workspace) -> None:
    whole, other = workspace.card("whole").fingerprint, workspace.card("broken").fingerprint
    store = ResultStore(workspace.root)
    split = {"kind": "uploaded", "test_data": other}
    run = store.create(spec_of(data=whole, split=split), "whole", name="evening")
    with pytest.raises(StoreError, match="'evening'"):
        workspace.delete("broken")
    for model_id in run.model_ids:
        run.job(model_id).change({JobState.QUEUED}, state=JobState.RUNNING, started=1.0)
    workspace.delete("broken")  # RUNNING without a process: no worker has it


# ------------------------------------------------------------------------------ experiments


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "workspace")


def finished(store: ResultStore, *models: str, seed: int = 1) -> Run:
    """Return a finished experiment; the first one in a store is a copy of one that is trained once."""
    if store.root.exists():
        return trained(store, models, seed)
    template, run_id = trained_once(models, seed)
    shutil.copytree(template.name, store.root)
    return store.open(run_id)


def trained(store: ResultStore, models: tuple[str, ...], seed: int) -> Run:
    run = store.create(spec_of(*models, seed=seed), "little")
    for model_id in run.model_ids:
        execute(store, run.id, model_id, Memory(little_data()), 1)
    return run


@cache
def trained_once(models: tuple[str, ...], seed: int) -> tuple[tempfile.TemporaryDirectory[str], str]:
    folder = tempfile.TemporaryDirectory()
    return folder, trained(ResultStore(Path(folder.name)), models, seed).id


def of(run: Run, key: str) -> str:
    return next(model_id for model_id in run.model_ids if model_id.startswith(f"{key}-"))


@pytest.mark.parametrize("name", ["spec.json", "summary.json"])
@pytest.mark.parametrize("kind", RECORDS)
def test_an_experiment_with_damaged_facts_is_named_and_the_other_one_works(
    store: ResultStore, kind: str, name: str
) -> None:
    whole, broken = finished(store, seed=1), store.create(spec_of(seed=2), "little")
    store.runs()
    RECORDS[kind](broken.path / name)
    for opened in (store, ResultStore(store.root)):
        assert [card.id for card in opened.runs()] == [whole.id]
        (damaged,) = opened.damaged()
        assert damaged.kind == "experiment"
        assert name in damaged.reason
        with pytest.raises(StoreError):
            _ = opened.open(broken.id).name
    (moved,) = store.set_apart()
    assert name in (moved / "note.txt").read_text()
    (damaged,) = store.damaged()
    store.remove_damaged(damaged.key)
    assert store.damaged() == []
    assert [card.id for card in store.runs()] == [whole.id]


def test_an_experiment_that_is_asked_for_again_is_made_anew_where_its_facts_are_damaged(store: ResultStore) -> None:
    run = finished(store)
    (run.path / "spec.json").write_bytes(b"")
    again = store.create(spec_of(seed=1), "little")
    assert {status.state for status in again.statuses()} == {JobState.QUEUED}
    (kept,) = store.damaged()
    assert (kept.path / "jobs").is_dir()


@pytest.mark.parametrize("kind", RECORDS)
@pytest.mark.parametrize("name", ["status.json", "result.json"])
def test_a_damaged_model_fails_alone_and_can_be_started_again(store: ResultStore, kind: str, name: str) -> None:
    run = finished(store, "ease")
    ease, popular = of(run, "ease"), of(run, "popular")
    store.runs()
    RECORDS[kind](run.job(ease).path / name)
    for opened in (store, ResultStore(store.root)):
        (card,) = opened.runs()
        assert (card.done, list(card.states.values()).count(JobState.FAILED)) == (2, 1)
        status = opened.open(run.id).status(ease)
        assert (status.state, status.cause, status.key) == (JobState.FAILED, "damaged", "ease")
        assert name in status.reason
    assert popular in run.finished()
    assert ease not in run.finished()
    assert set(run.results()) == set(run.per_user()) == set(run.finished())
    again = store.create(spec_of("ease", seed=1), "little")
    assert again.status(popular).state is JobState.DONE
    assert execute(store, run.id, ease, Memory(little_data()), 1).state is JobState.DONE
    assert store.verify() == []


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("name", ["per_user.parquet", "lists.parquet", "model.safetensors", "history.parquet"])
def test_damage_in_what_a_model_left_is_found_on_opening_and_known_to_every_process(
    store: ResultStore, kind: str, name: str
) -> None:
    run = finished(store, "ease")
    ease = of(run, "ease")
    TABLES[kind](run.job(ease).path / name)
    opening = {
        "per_user.parquet": run.per_user_of,
        "lists.parquet": run.lists,
        "history.parquet": run.history,
        "model.safetensors": run.model,
    }
    with pytest.raises(StoreError, match=name):
        opening[name](ease)
    assert run.status(ease).state is JobState.FAILED
    from recsys_core.storage import checksums

    checksums._memory._results.clear()  # as in another process
    status = ResultStore(store.root).open(run.id).status(ease)
    assert (status.state, status.cause) == (JobState.FAILED, "damaged")
    assert f"'{name}'" in status.reason
    run.job(ease).requeue()
    assert execute(store, run.id, ease, Memory(little_data()), 1).state is JobState.DONE
    assert opening[name](ease) is not None


def test_a_file_put_back_from_a_backup_counts_again(store: ResultStore) -> None:
    run = finished(store, "ease")
    path = run.job(of(run, "ease")).path / "model.safetensors"
    kept = path.read_bytes()
    flip_bit(path)
    with pytest.raises(Damaged):
        run.model(of(run, "ease"))
    path.unlink()
    path.write_bytes(kept)
    assert run.status(of(run, "ease")).state is JobState.DONE
    assert run.model(of(run, "ease")).is_fitted


@pytest.mark.parametrize("name", ["split.json", "people.parquet", "hidden.parquet"])
def test_a_damaged_split_is_said_and_written_anew_by_the_next_job(store: ResultStore, name: str) -> None:
    from recsys_core.experiments.held_out_users import evaluated_users, held_out

    run = finished(store, "ease")
    report = run.split_report()
    flip_bit(run.path / name)
    opening = {
        "split.json": run.split_report,
        "people.parquet": lambda: evaluated_users(run),
        "hidden.parquet": lambda: held_out(run, 3),
    }
    with pytest.raises(Damaged, match=name):
        opening[name]()
    run.job(of(run, "ease")).change({JobState.DONE}, state=JobState.FAILED, reason="for this test")
    run.job(of(run, "ease")).requeue()
    assert execute(store, run.id, of(run, "ease"), Memory(little_data()), 1).state is JobState.DONE
    assert run.split_report() == report
    assert opening[name]() is not None


def test_results_of_an_earlier_version_open_unverified(store: ResultStore) -> None:
    run = finished(store, "ease")
    as_before_checksums(store.root)
    again = ResultStore(store.root)
    assert again.runs()[0].done == 3
    assert again.open(run.id).model(of(run, "ease")).is_fitted
    assert compare_run(again.open(run.id)).table.shape[0] == 3
    (run.job(of(run, "ease")).path / "per_user.parquet").write_bytes(b"PAR1 half")
    assert again.open(run.id).status(of(run, "ease")).state is JobState.FAILED


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"this is no database"),
        lambda path: path.write_bytes(b"SQLite format 3\0" + b"\1" * 5000),
        lambda path: path.mkdir(),
        lambda path: __import__("sqlite3").connect(path).execute("CREATE TABLE runs (other TEXT)").connection.close(),
        lambda path: _cards(path, "{}"),
        lambda path: _cards(path, "[1]"),
        lambda path: _cards(path, '{"states": {"a": "ODD"}}'),
    ],
)
def test_a_damaged_index_is_built_anew(store: ResultStore, damage: Callable[[Path], None]) -> None:
    run = finished(store)
    cards = store.runs()
    if "_cards" not in damage.__code__.co_names:
        store.index.path.unlink()
    damage(store.index.path)
    again = ResultStore(store.root)
    assert again.runs() == cards
    assert again.runs() == cards
    assert again.index.read()[run.id][1] == cards[0].to_json()


def _cards(path: Path, card: str) -> None:
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET card = ?", (card,))
    connection.close()


# ------------------------------------------------------------------------------ what lies around them


@pytest.mark.parametrize("kind", [*RECORDS, "no sums"])
def test_what_was_derived_is_computed_again_where_it_is_damaged(tmp_path: Path, kind: str) -> None:
    made: list[int] = []

    def ask() -> pd.DataFrame:
        def make() -> pd.DataFrame:
            made.append(1)
            return pd.DataFrame({"value": [1.0, 2.0]})

        return derived(
            tmp_path,
            "print",
            "table",
            1,
            make=make,
            write=lambda folder, frame: write_frame(folder, "table", frame),
            read=lambda folder: read_frame(folder, "table"),
        )

    ask()
    ask()
    assert len(made) == 1
    folder = tmp_path / "derived" / "print" / "table-v1"
    if kind == "no sums":
        (folder / "sums.json").unlink()
    elif kind in ("edited", "wrong types", "nothing in it"):
        RECORDS[kind](folder / "sums.json")
    elif kind == "null":
        flip_bit(folder / "table.parquet")
    elif kind == "a list":
        shutil.rmtree(folder)
        folder.write_text("a file where a folder should be")
    else:
        RECORDS[kind](folder / "table.parquet")
    assert ask()["value"].tolist() == [1.0, 2.0]
    assert len(made) == 2
    ask()
    assert len(made) == 2


@pytest.mark.parametrize("kind", RECORDS)
def test_a_damaged_intake_is_one_sentence_and_others_go_on(tmp_path: Path, kind: str) -> None:
    broken, whole = Intake.create(tmp_path, name="a"), Intake.create(tmp_path, name="1")
    broken.save(Draft(name="1 film", paths=("x.csv",), changes={"0": {"header": True}}))
    (broken.folder / "status.json").write_text(json.dumps({"state": "RUNNING", "since": 1.0, "process": {"pid": 1}}))
    RECORDS[kind](broken.folder / "draft.json")
    if kind != "edited":
        with pytest.raises(RecscopeError):
            broken.draft()
    assert broken.status().state in ("WAITING", "FAILED")
    RECORDS[kind](broken.folder / "status.json")
    assert broken.status().state in ("WAITING", "FAILED", "RUNNING")
    remove_left_over(tmp_path)
    assert whole.draft().name == "1"


@pytest.mark.parametrize("kind", RECORDS)
def test_damaged_files_of_the_engine_hinder_nobody(tmp_path: Path, kind: str) -> None:
    folder, queue, speeds = EngineFolder(tmp_path), JobQueue(tmp_path), Speeds(tmp_path)
    folder.make()
    queue.add("a" * 16, "popular-1")
    queue.add("a" * 16, "popular-2")
    first = queue.entries()[0].path
    content = json.dumps({"process": {"pid": 1, "started": 1.0, "host": "x"}, "address": "1"})
    for name in ("engine.json", "starting.json", "speeds.json"):
        (folder.path / name).write_text(content)
        RECORDS[kind](folder.path / name)
    RECORDS[kind](first)
    assert folder.presence() is None
    assert folder.is_starting() in (False, True)
    assert speeds.seconds("ease", 1.0, 1.0, 1) > 0
    assert "popular-2" in [ticket.model_id for ticket in queue.entries()]
    assert Engine(tmp_path).presence() is None


def test_the_command_line_names_what_is_damaged_and_removes_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("RECSCOPE_WORKSPACE", str(workspace.root))
    assert main(["workspace"]) == 0
    folder = folder_of(workspace, "broken")
    flip_bit(folder / "interactions.parquet")
    run = finished(ResultStore(workspace.root))
    (run.path / "summary.json").write_bytes(b"")
    tuning = created(workspace.root, tuning_spec(folder.name, trials=1), "Evening")
    (tuning.path / "spec.json").write_bytes(b"")
    capsys.readouterr()
    assert main(["workspace", "--verify"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(one["kind"], one["folder"]) for one in found["damaged"]] == [
        ("data set", f"datasets/{folder.name}"),
        ("experiment", f"runs/{run.id}"),
        ("tuning", f"tunings/{tuning.id}"),
    ]
    assert found["tunings"] == []
    assert [one["name"] for one in found["data_sets"]] == ["whole"]
    words = ["--models", "popular", "--out", str(tmp_path / "out")]
    assert main(["compare", "--data", "whole", *words]) == 0
    said = capsys.readouterr().err
    assert f"workspace --remove datasets/{folder.name}" in said
    assert f"workspace --remove runs/{run.id}" in said
    assert "tuning 'Evening' is damaged: 'spec.json' is empty" in said
    assert main(["compare", "--data", "broken", *words]) == 2
    said = capsys.readouterr().err
    assert "The data set 'broken' is damaged: 'interactions.parquet'" in said
    assert said.count("\n") == 1
    keys = (f"datasets/{folder.name}", f"runs/{run.id}", f"tunings/{tuning.id}")
    assert main(["workspace", *(word for key in keys for word in ("--remove", key))]) == 0
    assert not folder.exists()
    assert not tuning.path.exists()
    assert not run.path.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may look into every folder")
def test_a_folder_that_nobody_may_look_into_is_named(workspace: Workspace) -> None:
    folder = folder_of(workspace, "broken")
    folder.chmod(0)
    try:
        opened = Workspace(workspace.root)
        assert [card.name for card in opened.datasets()] == ["whole"]
        assert "Permission denied" in opened.damaged()[0].reason
    finally:
        folder.chmod(0o700)
