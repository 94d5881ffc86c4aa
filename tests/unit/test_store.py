"""The run store: complete or absent, equal for every process, and readable without training."""

import contextlib
import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_core.contracts import Progress
from recsys_core.errors import StoreError
from recsys_core.experiments.analysis import compare_run
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.progress import ProgressWriter
from recsys_core.experiments.store import ResultStore
from recsys_core.storage import files
from recsys_core.storage.processes import ProcessMark, own_mark
from tests.disks import small_disk
from tests.engine.support import ROOT, Memory, little_data, spec_of
from tests.records import as_before_checksums

GONE = ProcessMark(pid=2**22 - 3, started=1.0, host=own_mark().host)


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path)


def run_all(store: ResultStore, run: Run) -> None:
    for model_id in run.model_ids:
        execute(store, run.id, model_id, Memory(little_data()), 1)


def test_a_finished_run_is_read_back_without_training(store: ResultStore, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.create(spec_of("ease"), "little")
    run_all(store, run)
    monkeypatch.setattr("recsys_core.models.base.Recommender.fit", None)
    again = ResultStore(store.root).open(run.id)
    assert {status.state for status in again.statuses()} == {JobState.DONE}
    ease = again.model_ids[0]
    query = little_data().queries(np.array([3, 4]))
    assert again.model(ease).recommend(query, 5).item.shape == (2, 5)
    assert again.per_user()[ease]["user_id"].str.startswith("u").all()
    assert set(again.lists(ease, user=3)["user"]) == {3}
    assert again.result(ease).peak_memory_bytes >= 0
    assert again.environment(ease)["packages"]["numpy"]


def test_two_runs_of_one_spec_give_identical_numbers(tmp_path: Path) -> None:
    spec = spec_of("ease", ("biased_mf", {"epochs": 2}), "item_knn", split={"validation_fraction": 0.2})
    frames = []
    for name in ("first", "second"):
        store = ResultStore(tmp_path / name)
        run = store.create(spec, "little")
        run_all(store, run)
        frames.append((run.per_user(), {one: run.lists(one) for one in run.model_ids}, run.history(run.model_ids[1])))
    for first, second in zip(*(frame[:2] for frame in frames), strict=True):
        for model_id in first:
            pd.testing.assert_frame_equal(first[model_id], second[model_id], check_exact=True)
    pd.testing.assert_frame_equal(frames[0][2], frames[1][2], check_exact=True)


def test_an_experiment_without_a_name_is_called_after_its_data_and_models(store: ResultStore) -> None:
    store.create(spec_of("mlp", ("mlp", {"score": "dot"}), "ease"), "little")
    assert store.runs()[0].name.startswith("little: mlp × 2, ease")


def test_a_finished_run_is_reused_and_a_failed_model_runs_again(store: ResultStore) -> None:
    run = store.create(spec_of("ease"), "little")
    run_all(store, run)
    ease, popular, _ = run.model_ids
    before = run.status(ease)
    run.job(popular).change({JobState.DONE}, state=JobState.FAILED, reason="for this test")
    again = store.create(spec_of("ease"), "little")
    assert again.id == run.id
    assert again.status(ease) == before
    assert again.status(popular).state is JobState.QUEUED
    assert not (again.job(popular).path / "result.json").exists()


def test_the_history_of_an_iterative_model_keeps_every_epoch(store: ResultStore) -> None:
    run = store.create(spec_of(("biased_mf", {"epochs": 30}), split={"validation_fraction": 0.2}), "little")
    run_all(store, run)
    history = run.history(run.model_ids[0])
    assert history["step"].tolist() == list(range(1, 31))
    assert history["rmse"].notna().all()
    assert history["validation ndcg@10"].between(0, 1).all()
    live = run.progress(run.model_ids[0])
    points = live.loc[live["stage"] == "epochs", "rmse"].dropna()  # a slow machine also records the start
    assert points.tolist() == history["rmse"].tolist()


def test_folds_are_judged_each_and_joined(store: ResultStore) -> None:
    run = store.create(spec_of("bias", split={"kind": "k_fold", "folds": 3}), "little")
    run_all(store, run)
    frame = run.per_user()[run.model_ids[0]]
    assert set(frame["fold"]) == {0, 1, 2}
    result = run.result(run.model_ids[0])
    assert result.folds == 3
    every_rating = np.sqrt(np.average(frame["rmse"] ** 2, weights=frame["n_ratings"]))
    assert result.metrics["rmse"] == pytest.approx(every_rating)
    assert len(run.split_report()["folds"]) == 3
    assert compare_run(run).table["users"].max() <= 40


def test_training_on_liked_items_sees_only_those(store: ResultStore) -> None:
    run = store.create(spec_of("popular", relevant_from=4, train_on="relevant"), "little")
    run_all(store, run)
    model = run.model(run.model_ids[0])
    everything = store.create(spec_of("popular", relevant_from=4), "little")
    run_all(store, everything)
    data = little_data()
    scores = [
        one.score(data.queries(np.array([0]))).sum() for one in (model, everything.model(everything.model_ids[0]))
    ]
    assert scores[0] < scores[1]


def test_names_from_outside_never_become_paths(store: ResultStore) -> None:
    for name in ("../../etc", "/etc", "0" * 15, "0" * 16, ""):
        with pytest.raises(StoreError, match="no experiment"):
            store.open(name)
    run = store.create(spec_of(), "little")
    with pytest.raises(StoreError, match="has no model"):
        run.status("../popular-44136fa3")


def test_a_half_written_run_is_set_apart_with_a_note(store: ResultStore) -> None:
    whole = store.create(spec_of(), "little")
    half = store.folder / ("a" * 16)
    half.mkdir()
    (half / "spec.json").write_text('{"data": "x", ', encoding="utf-8")
    assert [card.id for card in store.runs()] == [whole.id]
    (moved,) = store.set_apart()
    assert "is not valid JSON" in (moved / "note.txt").read_text(encoding="utf-8")
    assert not half.exists()
    assert store.open(whole.id).name.startswith("little")


def test_the_index_is_rebuilt_from_the_folders(store: ResultStore) -> None:
    run = store.create(spec_of("ease"), "little")
    run_all(store, run)
    cards = store.runs()
    assert cards[0].best in run.model_ids
    for damage in (None, b"this is no database"):
        store.index.path.unlink()
        if damage:
            store.index.path.write_bytes(damage)
        assert ResultStore(store.root).runs() == cards
    assert ResultStore(store.root).runs() == cards


def test_the_list_follows_every_change_without_being_told(store: ResultStore) -> None:
    run = store.create(spec_of(), "little")
    (card,) = store.runs()
    assert (card.queued, card.done, card.is_live) == (2, 0, True)
    run_all(ResultStore(store.root), run)
    (card,) = store.runs()
    assert (card.queued, card.done, card.is_live) == (0, 2, False)
    store.rename(run.id, "Überschrift")
    assert store.runs()[0].name == "Überschrift"
    store.delete(run.id)
    assert store.runs() == []


def test_a_run_in_training_is_not_deleted_and_what_waits_goes_on_waiting(store: ResultStore) -> None:
    run = store.create(spec_of(), "little")
    run.job(run.model_ids[0]).change({JobState.QUEUED}, state=JobState.RUNNING, process=own_mark(), started=time.time())
    with pytest.raises(StoreError, match="cancel that first"):
        store.delete(run.id)
    assert store.open(run.id).status(run.model_ids[1]).state is JobState.QUEUED


def test_a_pipe_is_not_replaced_and_a_link_stays_a_link(tmp_path: Path) -> None:
    pipe, link, target = tmp_path / "pipe", tmp_path / "link", tmp_path / "there"
    os.mkfifo(pipe)
    with pytest.raises(StoreError, match="a pipe or a device"):
        files.write_text(pipe, "words")
    assert pipe.is_fifo()
    link.symlink_to(target)
    files.write_text(link, "words")
    assert link.is_symlink()
    assert target.read_text() == "words"


def test_a_job_whose_process_is_gone_has_failed_and_others_stay(store: ResultStore) -> None:
    run = store.create(spec_of("ease"), "little")
    ease, popular, _ = run.model_ids
    execute(store, run.id, ease, Memory(little_data()), 1)
    run.job(popular).change({JobState.QUEUED}, state=JobState.RUNNING, process=GONE, started=1.0)
    status = run.status(popular)
    assert status.state is JobState.FAILED
    assert "is gone" in status.reason
    assert run.job(popular).stored_status().state is JobState.FAILED
    assert run.finished() == (ease,)


def test_a_process_number_that_was_given_to_another_process_counts_as_gone(store: ResultStore) -> None:
    mark = own_mark()
    assert not mark.is_gone
    assert ProcessMark(mark.pid, mark.started - 100, mark.host).is_gone
    assert not ProcessMark(mark.pid, mark.started - 100, "another-host").is_gone


def test_a_silent_job_on_another_machine_has_failed(store: ResultStore) -> None:
    run = store.create(spec_of(), "little")
    job = run.job(run.model_ids[0])
    away = ProcessMark(1, 1.0, "another-host")
    job.change({JobState.QUEUED}, state=JobState.RUNNING, process=away, started=time.time())
    assert job.status().state is JobState.RUNNING
    job.beat(memory=1.0)
    os.utime(job.path / "heartbeat", (1.0, 1.0))
    assert job.status().state is JobState.FAILED


def test_an_unexpected_error_fails_one_model_with_its_reason(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.create(spec_of(), "little")
    popular, random = run.model_ids

    def divide(*_: object) -> None:
        raise ZeroDivisionError("no")

    with monkeypatch.context() as broken:
        broken.setattr("recsys_core.models.popular.Popular._fit", divide)
        status = execute(store, run.id, popular, Memory(little_data()), 1)
    assert status.state is JobState.FAILED
    assert "ZeroDivisionError: no" in status.reason
    assert "in divide" in (run.job(popular).path / "error.txt").read_text(encoding="utf-8")
    assert execute(store, run.id, random, Memory(little_data()), 1).state is JobState.DONE


def test_cancel_is_seen_within_one_step(store: ResultStore) -> None:
    run = store.create(spec_of(("biased_mf", {"epochs": 1000})), "little")
    job = run.job(run.model_ids[0])
    seen: list[int] = []

    class CancelAtThird(Memory):
        def open(self, name: str, /):  # type: ignore[no-untyped-def]
            return super().open(name)

    original = ProgressWriter.__call__

    def watch(writer: ProgressWriter, progress: Progress) -> None:
        original(writer, progress)
        if progress.stage == "epochs":
            seen.append(progress.step)
            if progress.step == 3:
                (job.path / "cancel").touch()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ProgressWriter, "__call__", watch)
        status = execute(store, run.id, run.model_ids[0], CancelAtThird(little_data()), 1)
    assert status.state is JobState.CANCELLED
    assert seen[-1] == 3


def test_a_waiting_job_is_cancelled_at_once(store: ResultStore) -> None:
    run = store.create(spec_of(), "little")
    run.cancel(run.model_ids[0])
    status = execute(store, run.id, run.model_ids[0], Memory(little_data()), 1)
    assert status.state is JobState.CANCELLED
    assert status.reason == "Cancelled before it started."


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "permission denied")],
)
def test_a_disk_that_refuses_is_named_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    path = tmp_path / "status.json"
    files.write_json(path, {"state": "old"})

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "sync", refuse)
    with pytest.raises(StoreError, match=words):
        files.write_json(path, {"state": "new"})
    assert files.read_json(path) == {"state": "old"}
    assert [file.name for file in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize("place", ["per_user.parquet", "result.json", "model.safetensors"])
def test_a_disk_that_fills_up_while_saving_fails_the_job_only(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    run = store.create(spec_of("ease"), "little")
    ease, popular, _ = run.model_ids
    execute(store, run.id, popular, Memory(little_data()), 1)
    whole = files.sync

    def full(path: Path) -> None:
        if path.name == place:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(path)

    with monkeypatch.context() as disk:
        disk.setattr("recsys_core.experiments.artifacts.sync", full)
        status = execute(store, run.id, ease, Memory(little_data()), 1)
    assert (status.state, status.cause) == (JobState.FAILED, "disk")
    assert "the disk is full; free some space" in status.reason
    assert not [path for path in run.job(ease).path.iterdir() if path.name.startswith("aside") or path.name == place]
    assert run.per_user()[popular].shape[0] > 0
    again = store.create(spec_of("ease"), "little")
    assert execute(store, again.id, ease, Memory(little_data()), 1).state is JobState.DONE


def test_a_full_tmpfs_fails_the_job_with_the_reason_and_keeps_what_is_stored() -> None:
    with small_disk(1536) as mounted:
        store = ResultStore(mounted)
        run = store.create(spec_of("ease"), "little")
        ease, popular, _ = run.model_ids
        assert execute(store, run.id, popular, Memory(little_data()), 1).state is JobState.DONE
        table = run.per_user()[popular]
        ballast = mounted / "ballast"

        class Filling(Memory):
            def open(self, name: str, /):  # type: ignore[no-untyped-def]
                with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                    while file.write(b"x" * 4096):
                        pass
                return super().open(name)

        status = execute(store, run.id, ease, Filling(little_data()), 1)
        assert (status.state, status.cause) == (JobState.FAILED, "disk")
        assert "the disk is full" in status.reason
        pd.testing.assert_frame_equal(run.per_user()[popular], table)
        assert [list(card.states.values()).count(JobState.FAILED) for card in store.runs()] == [1]
        ballast.unlink()
        again = store.create(spec_of("ease"), "little")
        assert execute(store, again.id, ease, Memory(little_data()), 1).state is JobState.DONE


TWO_PROCESSES = """
import sys
from recsys_core.experiments.execution import execute
from recsys_core.experiments.store import ResultStore
from tests.engine.support import Memory, little_data, spec_of
store = ResultStore(sys.argv[1])
for seed in range(6):
    run = store.create(spec_of(seed=seed), "little")
    for model_id in run.model_ids:
        execute(store, run.id, model_id, Memory(little_data()), 1)
    store.runs()
"""


@pytest.mark.slow
def test_two_processes_on_one_workspace_run_each_job_once_and_corrupt_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TWO_PROCESSES, str(tmp_path)]
    both = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    cards = ResultStore(tmp_path).runs()
    assert len(cards) == 6
    for card in cards:
        run = ResultStore(tmp_path).open(card.id)
        run_states = {status.state for status in run.statuses()}
        assert run_states == {JobState.DONE}
        assert len(run.per_user()) == 2
    assert ResultStore(tmp_path).set_apart() == []
    assert list((tmp_path / "staging-runs").iterdir()) == []


def test_an_experiment_of_an_older_version_opens_though_a_model_has_one_setting_more_by_now(store: ResultStore) -> None:
    """The older version had no setting of EASE: its job is named by the hash of none, and is in the spec that way."""
    run = store.create(spec_of("ease"), "little")
    run_all(store, run)
    as_before_checksums(run.path)
    ease = next(model_id for model_id in run.model_ids if model_id.startswith("ease-"))
    popular = next(model_id for model_id in run.model_ids if model_id.startswith("popular-"))
    old = popular.replace("popular", "ease")
    folder = run.job(ease).path
    status = json.loads((folder / "status.json").read_text(encoding="utf-8")) | {"model_id": old}
    (folder / "status.json").write_text(json.dumps(status), encoding="utf-8")
    spec = json.loads((run.path / "spec.json").read_text(encoding="utf-8"))
    spec["models"] = [model | {"config": {}} for model in spec["models"]]
    (run.path / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    os.rename(folder, folder.with_name(old))
    again = store.open(run.id)
    assert old in again.model_ids
    assert again.result(old).key == "ease"
    assert again.model_spec(old).config == {"regularization": 500.0, "max_items": None}
