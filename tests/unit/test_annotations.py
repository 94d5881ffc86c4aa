"""Tags, notes, names and marks of experiments, by two users at once; deletion with undo."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recsys_core.errors import ConfigError, StoreError
from recsys_core.experiments import deleted_runs
from recsys_core.experiments.annotations import ANNOTATIONS, annotate, read_annotations, write_note
from recsys_core.experiments.deleted_runs import deleted_runs as listed
from recsys_core.experiments.deleted_runs import discard, remove, restore
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.store import ResultStore
from tests.engine.support import spec_of


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path)


@pytest.fixture
def run(store: ResultStore) -> Run:
    run = store.create(spec_of("ease"), "little", name="First")
    for model_id in run.model_ids:
        run.cancel(model_id)
    return run


def test_annotations_appear_in_the_list_of_experiments(store: ResultStore, run: Run) -> None:
    annotate(run.path, add_tags=["slow", "Baseline"], favorite=True)
    write_note(run.path, "Two\nlines", before="")
    (card,) = ResultStore(store.root).runs()
    assert (card.tags, card.note, card.favorite, card.archived) == (("Baseline", "slow"), "Two\nlines", True, False)
    annotate(run.path, remove_tags=["slow"], archived=True)
    (card,) = store.runs()
    assert (card.tags, card.note, card.favorite, card.archived) == (("Baseline",), "Two\nlines", True, True)


def test_two_users_who_tag_at_once_lose_nothing(run: Run) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: annotate(run.path, add_tags=[f"tag {number}"]), range(16)))
    assert len(read_annotations(run.path).tags) == 16


def test_a_note_or_name_that_was_changed_meanwhile_is_not_overwritten(store: ResultStore, run: Run) -> None:
    write_note(run.path, "by Ada", before="")
    with pytest.raises(StoreError, match="by Ada"):
        write_note(run.path, "by Ben", before="")
    write_note(run.path, "by both", before="by Ada")
    store.rename(run.id, "Ada's", before="First")
    with pytest.raises(StoreError, match="renamed to 'Ada's' meanwhile"):
        store.rename(run.id, "Ben's", before="First")
    assert (store.runs()[0].name, store.runs()[0].note) == ("Ada's", "by both")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, "a\0"])
def test_names_that_cannot_be_shown_are_refused(store: ResultStore, run: Run, name: str) -> None:
    with pytest.raises(ConfigError, match="printable"):
        store.rename(run.id, name)
    assert store.runs()[0].name == "First"


def test_invalid_tags_and_notes_are_refused(run: Run) -> None:
    for tags in (["a,b"], [""], ["x" * 41], [f"t{number}" for number in range(21)]):
        with pytest.raises(ConfigError):
            annotate(run.path, add_tags=tags)
    with pytest.raises(ConfigError, match="10,000"):
        write_note(run.path, "x" * 10_001, before="")
    assert not (run.path / ANNOTATIONS).exists()


def test_damaged_annotations_do_not_hide_an_experiment(store: ResultStore, run: Run) -> None:
    annotate(run.path, add_tags=["a"])
    (run.path / ANNOTATIONS).write_text('{"tags": 1', encoding="utf-8")
    (card,) = store.runs()
    assert card.tags == ()


def test_a_deleted_experiment_can_be_restored_with_everything(store: ResultStore, run: Run) -> None:
    annotate(run.path, add_tags=["kept"])
    before = store.runs()
    gone = discard(store, run.id)
    assert store.runs() == []
    assert [(one.key, one.name) for one in listed(store)] == [(gone.key, "First")]
    assert restore(store, gone.key) == run.id
    assert ResultStore(store.root).runs() == before
    assert listed(store) == []


def test_what_another_window_deleted_is_not_annotated_and_can_be_restored(store: ResultStore, run: Run) -> None:
    gone = discard(store, run.id)
    for change in (lambda: annotate(run.path, favorite=True), lambda: write_note(run.path, "late", before="")):
        with pytest.raises(StoreError, match="deleted meanwhile"):
            change()
    assert not run.path.exists()
    assert restore(store, gone.key) == run.id
    assert [card.favorite for card in store.runs()] == [False]


def test_an_experiment_that_was_trained_again_is_not_overwritten_by_undo(store: ResultStore, run: Run) -> None:
    gone = discard(store, run.id)
    store.create(spec_of("ease"), "little", name="Second")
    with pytest.raises(StoreError, match="trained again"):
        restore(store, gone.key)
    assert [card.name for card in store.runs()] == ["Second"]
    assert [one.name for one in listed(store)] == ["First"]


def test_a_live_experiment_is_not_deleted(store: ResultStore, run: Run) -> None:
    run.job(run.model_ids[0]).change(list(JobState), state=JobState.QUEUED, ended=None)
    with pytest.raises(StoreError, match="cancel that first"):
        discard(store, run.id)
    assert len(store.runs()) == 1


def test_deleted_experiments_are_removed_on_request_and_after_30_days(
    store: ResultStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = discard(store, run.id)
    second = store.create(spec_of("bias"), "little")
    for model_id in second.model_ids:
        second.cancel(model_id)
    monkeypatch.setattr(deleted_runs, "KEPT_DAYS", -1)
    kept = discard(store, second.id)
    assert [one.key for one in listed(store)] == [kept.key]
    assert first.key != kept.key
    remove(store, [kept.key])
    assert listed(store) == []


@pytest.mark.parametrize("key", ["../runs", "0" * 16, "0" * 16 + "-x", ""])
def test_keys_that_are_not_deleted_experiments_are_refused(store: ResultStore, run: Run, key: str) -> None:
    with pytest.raises(StoreError):
        restore(store, key)
    with pytest.raises(StoreError):
        remove(store, [key])
    assert len(store.runs()) == 1
