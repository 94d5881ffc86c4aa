"""The run card: opened in an empty workspace, re-run with a difference of 0, and no changed byte unnoticed."""

import hashlib
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys_core.errors import DataError, StoreError
from recsys_core.experiments import card_reader, card_tables
from recsys_core.experiments.artifacts import MODEL
from recsys_core.experiments.card_reader import open_card, verify_card
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.rerun import difference, repetition_of
from recsys_core.experiments.run_card import CARD, SEAL, SEAL_BYTES, digest_before_seal, export_card
from recsys_core.experiments.store import ResultStore
from recsys_core.storage.checksums import FILES
from tests.engine.support import Memory, little_data, spec_of


def trained(store: ResultStore, run: Run) -> Run:
    for model_id in run.model_ids:
        assert execute(store, run.id, model_id, Memory(little_data()), 1).state is JobState.DONE
    return run


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card of an experiment with EASE and a model that depends on the seed."""
    root = tmp_path_factory.mktemp("origin")
    store = ResultStore(root)
    spec = spec_of("ease", ("biased_mf", {"epochs": 2}), relevant_from=4, seeds=2)
    return export_card(trained(store, store.create(spec, "little", name="Original")), root / "a.runcard.zip")


@pytest.fixture
def card(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(exported, tmp_path / "a.runcard.zip"))


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "empty")


def resealed(path: Path) -> Path:
    """Seal a changed card again, as a forger would."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        digest = digest_before_seal(file, size)
        file.seek(size - 64)
        file.write(digest.encode())
    return path


def sum_of(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def forged(card: Path, change: Callable[[dict[str, bytes]], None], *, sums: bool = True) -> Path:
    """Write a card with changed members; checksums and seal are right unless `sums` is False."""
    with zipfile.ZipFile(card) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    facts = json.loads(members[CARD])
    if sums:
        listed = {name: sum_of(content) for name, content in members.items() if name != CARD}
        members[CARD] = json.dumps(facts | {FILES: listed}).encode()
    with zipfile.ZipFile(card, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = SEAL + b"0" * 64
    return resealed(card)


def test_a_card_opens_in_an_empty_workspace_and_a_rerun_of_ease_differs_by_0(card: Path, store: ResultStore) -> None:
    """The promise of the product: exported, opened elsewhere, re-run, difference 0."""
    opened = open_card(card, store)
    assert opened.name == "Original"
    assert opened.imported is not None
    assert {status.state for status in opened.statuses()} == {JobState.DONE}
    again = trained(store, store.create(repetition_of(store, opened.spec), "little"))
    found = difference(opened, again)
    ease = next(model for model in found.models if model.model_id.startswith("ease"))
    assert ease.deterministic
    assert ease.identical
    assert (ease.metrics["difference"] == 0).all()
    assert (ease.lists_differ, ease.score_difference) == (0, 0.0)
    assert ease.lists > 20
    assert found.identical
    assert [card.imported for card in store.runs()] == [False, True]


def test_an_opened_run_is_compared_like_any_other(card: Path, store: ResultStore) -> None:
    opened = open_card(card, store)
    (listed,) = store.runs()
    assert listed.imported
    assert listed.done == 4
    assert len(listed.interval) == 2
    assert set(opened.per_user()) == set(opened.model_ids)
    assert len(opened.lists(opened.model_ids[0]))
    assert not store.verify()


def test_an_opened_run_has_no_models_and_says_how_to_get_them(card: Path, store: ResultStore) -> None:
    opened = open_card(card, store)
    with pytest.raises(StoreError, match="re-run this experiment to use its models"):
        opened.model(opened.model_ids[0])
    assert not list(opened.path.rglob(MODEL))


def test_opening_a_card_twice_stores_it_once(card: Path, store: ResultStore) -> None:
    assert open_card(card, store).id == open_card(card, store).id
    assert len(store.runs()) == 1


def test_a_card_with_other_results_becomes_a_repetition(card: Path, store: ResultStore) -> None:
    own = trained(store, store.create(open_card(card, ResultStore(store.root / "other")).spec, "little"))
    ease = own.job(own.model_ids[0]).path
    frame = pd.read_parquet(ease / "per_user.parquet")
    frame["ndcg@10"] = frame["ndcg@10"] / 2  # as if this machine had found other numbers
    frame.to_parquet(ease / "per_user.parquet")
    opened = open_card(card, store)
    assert opened.id != own.id
    assert opened.spec.repetition == 1
    assert store.open(own.id).imported is None


def test_equal_experiments_give_equal_cards(exported: Path, tmp_path: Path) -> None:
    run = ResultStore(exported.parent).open(ResultStore(exported.parent).runs()[0].id)
    assert export_card(run, tmp_path / "again.zip").read_bytes() == exported.read_bytes()


def test_every_flipped_byte_is_found(card: Path) -> None:
    """Also those that no reader looks at, such as the time of a member: 300 places, both ends included."""
    content = bytearray(card.read_bytes())
    places = random.Random(1).sample(range(len(content)), 300)
    for place in [0, len(content) - 1, len(content) - SEAL_BYTES, len(content) - SEAL_BYTES - 1, *places]:
        content[place] ^= 0x40
        card.write_bytes(content)
        with pytest.raises(DataError):
            verify_card(card)
        content[place] ^= 0x40
    card.write_bytes(content)
    assert verify_card(card).name == "Original"


def test_a_changed_member_under_a_right_seal_is_named(card: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        name = next(name for name in members if name.endswith("per_user.parquet"))
        members[name] = members[name][:-9] + b"X" + members[name][-8:]

    with pytest.raises(DataError, match=r"per_user.parquet' in the run card is not what was written"):
        verify_card(forged(card, change, sums=False))


def test_a_truncated_card_and_other_files_are_refused(card: Path, tmp_path: Path) -> None:
    card.write_bytes(card.read_bytes()[:-1])
    with pytest.raises(DataError, match="not a run card"):
        verify_card(card)
    for name, content in (("empty", b""), ("text", b"user,item\n1,2\n" * 100), ("seal", SEAL + b"0" * 64)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="not a run card"):
            verify_card(tmp_path / name)
    with pytest.raises(DataError, match="There is no file"):
        verify_card(tmp_path / "absent")


NAMES = (
    *("../outside", "/etc/passwd", "jobs/../../x/result.json", "jobs/ease-00000000/model.pkl"),
    *("jobs\\ease-00000000\\result.json", "extra.py", "jobs/"),
)


@pytest.mark.parametrize("name", NAMES)
def test_unexpected_names_are_refused(card: Path, store: ResultStore, name: str) -> None:
    with pytest.raises(DataError, match="run card"):
        open_card(forged(card, lambda members: members.update({name: b"x"})), store)
    assert not store.runs()
    assert not list(store.folder.parent.glob("staging-runs/*"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_occurs_twice_is_refused(card: Path) -> None:
    with zipfile.ZipFile(card, "a") as archive:
        archive.comment = SEAL + b"0" * 64
        archive.writestr("spec.json", b"{}")
    with pytest.raises(DataError, match=r"'spec.json' twice"):
        verify_card(resealed(card))


def replaced(member: str, **values: Any) -> Callable[[dict[str, bytes]], None]:
    """Change values of a record, without its own checksum."""

    def change(members: dict[str, bytes]) -> None:
        for name in [name for name in members if name.endswith(member)]:
            record = json.loads(members[name])
            record.pop("checksum", None)
            members[name] = json.dumps(record | values).encode()

    return change


def without(member: str) -> Callable[[dict[str, bytes]], None]:
    return lambda members: [members.pop(name) for name in [*members] if name.endswith(member)] and None


MALFORMED = {
    "the spec of another experiment": replaced("spec.json", seed=43),
    "a spec with an unknown field": replaced("spec.json", command="rm"),
    "a spec with an unknown model": replaced("spec.json", models=[{"key": "mystery", "config": {}}]),
    "a spec that is a list": lambda members: members.update({"spec.json": b"[]"}),
    "a record of nested lists": lambda members: members.update({"spec.json": b"[" * 100_000}),
    "a summary without a time": replaced("summary.json", created="yesterday"),
    "a split without counts": replaced("split.json", users=-1),
    "a split with malformed folds": replaced("split.json", folds=[{"fold": 0}]),
    "a result of another model": replaced("result.json", key="item_knn"),
    "a result that lists other files": replaced("result.json", files={"per_user.parquet": {"bytes": 1, "sha256": "0"}}),
    "a result that lists a path": replaced("result.json", files={"../../spec.json": {"bytes": 1, "sha256": "0"}}),
    "a result without metrics": replaced("result.json", metrics=[]),
    "a result with an unknown field": replaced("result.json", shell="rm"),
    "an environment without versions": replaced("environment.json", packages=["numpy"]),
    "no models": replaced("card.json", jobs={}),
    "an id that is a path": replaced("card.json", id="../../../0000000"),
    "a later format": replaced("card.json", format=2),
    "no spec": without("spec.json"),
    "a model without lists": without("lists.parquet"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_cards_are_refused_in_a_sentence(card: Path, store: ResultStore, what: str) -> None:
    with pytest.raises(DataError, match=r"run card|format 2"):
        open_card(forged(card, MALFORMED[what]), store)
    assert not store.runs()


def test_limits_on_size_number_and_compression(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, limit, words in (
        ("CARD_BYTES", 1000, "at most 1,000"),
        ("MEMBERS", 3, "too many files"),
        ("UNPACKED_BYTES", 1000, "like a bomb"),
        ("JSON_BYTES", 10, "too many for a record"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(card_reader, name, limit)
            with pytest.raises(DataError, match=words):
                verify_card(card)

    def bomb(members: dict[str, bytes]) -> None:
        members[next(name for name in members if name.endswith("lists.parquet"))] = b"\0" * 50_000_000

    with pytest.raises(DataError, match="like a bomb"):
        verify_card(forged(card, bomb))


def table(change: Callable[[pa.Table], pa.Table], name: str = "lists.parquet") -> Callable[[dict[str, bytes]], None]:
    """Change a table of the first model."""

    def apply(members: dict[str, bytes]) -> None:
        member = next(one for one in members if one.endswith(name))
        sink = pa.BufferOutputStream()
        pq.write_table(change(pq.read_table(pa.BufferReader(members[member]))), sink)
        members[member] = sink.getvalue().to_pybytes()
        job = member.rpartition("/")[0]
        record = json.loads(members[f"{job}/result.json"])
        record.pop("checksum")
        record["files"][name] = sum_of(members[member])
        members[f"{job}/result.json"] = json.dumps(record).encode()

    return apply


def column(name: str, values: Callable[[int], pa.Array]) -> Callable[[pa.Table], pa.Table]:
    return lambda found: found.set_column(found.schema.get_field_index(name), name, values(len(found)))


TABLES = {
    "a position beyond the catalog": table(column("item", lambda n: pa.array([10_000] * n, pa.int32()))),
    "a negative position": table(column("user", lambda n: pa.array([-1] * n, pa.int64()))),
    "a missing position": table(column("item", lambda n: pa.array([None] * n, pa.int32()))),
    "texts in place of numbers": table(column("score", lambda n: pa.array(["x"] * n))),
    "lists in place of numbers": table(column("score", lambda n: pa.array([[1.0]] * n))),
    "a missing column": table(lambda found: found.drop_columns(["hit"])),
    "unknown metadata": table(lambda found: found.replace_schema_metadata({"run": "rm"})),
}


@pytest.mark.parametrize("what", TABLES)
def test_malformed_tables_are_refused(card: Path, store: ResultStore, what: str) -> None:
    with pytest.raises(DataError, match=r"(lists|per_user).parquet' in the run card"):
        open_card(forged(card, TABLES[what]), store)
    assert not store.runs()


def test_a_table_with_too_many_rows_is_refused(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_tables, "ROWS", 10)
    with pytest.raises(DataError, match="at most 10"):
        verify_card(card)


def test_texts_that_would_fill_the_memory_are_refused(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card_tables, "TEXT_BYTES", 10)
    with pytest.raises(DataError, match="texts of 3 bytes"):
        verify_card(card)


def test_an_unfinished_experiment_has_no_card(store: ResultStore, tmp_path: Path) -> None:
    run = store.create(spec_of("ease"), "little")
    with pytest.raises(DataError, match="has not finished"):
        export_card(run, tmp_path / "x.zip")
    for model_id in run.model_ids:
        run.cancel(model_id)
    with pytest.raises(DataError, match="no finished model"):
        export_card(run, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_a_model_that_is_not_in_the_card_can_be_trained(store: ResultStore, tmp_path: Path) -> None:
    origin = ResultStore(tmp_path / "origin")
    run = origin.create(spec_of("ease"), "little")
    run.cancel(run.model_ids[0])
    for model_id in run.model_ids[1:]:
        execute(origin, run.id, model_id, Memory(little_data()), 1)
    opened = open_card(export_card(run, tmp_path / "x.zip"), store)
    lost = opened.status(opened.model_ids[0])
    assert (lost.state, lost.cause) == (JobState.FAILED, "not_in_card")
    assert "does not contain this model" in (lost.reason or "")
    trained(store, store.create(opened.spec, "little"))
