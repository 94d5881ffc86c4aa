"""A model file: the lists of the page in a fresh process, and a sentence for every file that is not one."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import DataError, StoreError
from recsys_core.experiments.card_reader import open_card
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.held_out_users import history_of, is_known
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.model_export import export_model
from recsys_core.experiments.run_card import export_card
from recsys_core.experiments.store import ResultStore
from recsys_core.models.portable import FACTS, load_model
from recsys_core.serving.recommendations import query_of, top_list
from recsys_core.storage.checksums import FILES, read_record, write_record
from tests.engine.support import ROOT, Memory, little_data, spec_of

K = 5
EVERY = 5
"""Every fifth user is compared."""
FRESH = """
import sys
from recsys_core.models.portable import load_model
load_model(sys.argv[1]).recommend(sys.argv[2].split(","), k=5).to_parquet(sys.argv[3])
"""


def visits() -> Dataset:
    """Views and purchases without ratings, with many equal timestamps."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "user": rng.integers(0, 30, 900).astype(np.int32),
            "item": rng.integers(0, 25, 900).astype(np.int32),
            "timestamp": rng.integers(0, 40, 900),
            "event": rng.choice(["view", "buy"], 900, p=[0.7, 0.3]),
        }
    )
    return dataset_from_frames(frame, name="visits", fingerprint="e" * 16, user_ids=[f"v{user}" for user in range(30)])


def trained(folder: Path, dataset: Dataset, spec: object) -> Run:
    store = ResultStore(folder)
    run = store.create(spec, dataset.name)
    for model_id in run.model_ids:
        status = execute(store, run.id, model_id, Memory(dataset), 1)
        assert status.state is JobState.DONE, status.reason
    return run


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Dataset]:
    """Ratings of which models read the high ones; some users are held out and unknown to the models."""
    data = little_data()
    spec = spec_of(
        "ease",
        ("biased_mf", {"epochs": 2}),
        ("sasrec", {"epochs": 1, "embedding_dim": 8}),
        split={"kind": "user_holdout"},
        relevant_from=4,
        train_on="relevant",
    )
    return trained(tmp_path_factory.mktemp("rated"), data, spec), data


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Dataset]:
    """Views and purchases with their weights, of which purchases are predicted."""
    data = visits()
    spec = spec_of("item_knn", data="e" * 16, target=("buy",), learn_from={"view": 1.0, "buy": 5.0})
    return trained(tmp_path_factory.mktemp("bought"), data, spec), data


def id_of(run: Run, key: str) -> str:
    return next(one for one in run.model_ids if one.startswith(key))


def as_on_the_page(run: Run, dataset: Dataset, key: str) -> pd.DataFrame:
    """The lists that the page Recommend shows, with outside identifiers."""
    model, task, tables = run.model(id_of(run, key)), run.spec.task, []
    for user, user_id in list(enumerate(dataset.user_vocabulary.ids))[::EVERY]:
        rows = history_of(dataset, user)
        seen = task.targets(rows)["item"].to_numpy() if task.target else None
        top = top_list(model, query_of(user, task.history(rows), known=is_known(run, user), seen=seen), K)
        ids = [dataset.item_vocabulary.ids[item] for item in top["item"]]
        tables.append(pd.DataFrame({"user_id": user_id, "item_id": ids, "rank": top["rank"], "score": top["score"]}))
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("key", ["ease", "biased_mf", "popular"])
def test_a_loaded_model_recommends_what_the_page_shows(rated: tuple[Run, Dataset], key: str, tmp_path: Path) -> None:
    run, data = rated
    path = export_model(run, id_of(run, key), data, tmp_path / "model.zip")
    model = load_model(path)
    expected = as_on_the_page(run, data, key)
    pd.testing.assert_frame_equal(
        model.recommend(model.user_ids[::EVERY], k=K), expected, check_dtype=False, rtol=1e-6
    )  # a batch is summed in another order than a single user


def test_events_that_are_predicted_and_weighed_are_read_as_on_the_page(
    bought: tuple[Run, Dataset], tmp_path: Path
) -> None:
    run, data = bought
    model = load_model(export_model(run, id_of(run, "item_knn"), data, tmp_path / "model.zip"))
    expected = as_on_the_page(run, data, "item_knn")
    pd.testing.assert_frame_equal(model.recommend(model.user_ids[::EVERY], k=K), expected, check_dtype=False, rtol=1e-6)


@pytest.mark.slow
def test_a_fresh_process_gives_the_same_lists(rated: tuple[Run, Dataset], tmp_path: Path) -> None:
    """Also of a model of torch, which reads the order of the history."""
    run, data = rated
    path = export_model(run, id_of(run, "sasrec"), data, tmp_path / "model.zip")
    users = data.user_vocabulary.ids[::EVERY]
    command = [sys.executable, "-c", FRESH, str(path), ",".join(users), str(tmp_path / "lists.parquet")]
    subprocess.run(command, check=True, cwd=ROOT)
    found = pd.read_parquet(tmp_path / "lists.parquet")
    pd.testing.assert_frame_equal(found, as_on_the_page(run, data, "sasrec"), check_dtype=False, rtol=1e-4)


def test_a_history_of_anybody_is_answered(rated: tuple[Run, Dataset], tmp_path: Path) -> None:
    run, data = rated
    model = load_model(export_model(run, id_of(run, "ease"), data, tmp_path / "model.zip"))
    history = ["3", "7", "11"]
    found = model.recommend(history=history, k=4)
    assert list(found["rank"]) == [1, 2, 3, 4]
    assert not set(found["item_id"]) & set(history)
    again = model.recommend(history=history, ratings=[5, 5, 5], k=4)
    pd.testing.assert_frame_equal(found, again)
    low = model.recommend(history=history, ratings=[5, 1, 5], k=30)  # trained on ratings from 4
    without = model.recommend(history=["3", "11"], k=30)
    assert list(low["item_id"]) == [item for item in without["item_id"] if item != "7"]
    assert set(model.recommend(history=history, k=30, exclude_seen=False)["item_id"]) & set(history)


@pytest.mark.parametrize("kind", [np.array, pd.Series, pd.Index, tuple, iter])
def test_identifiers_come_in_any_container(
    kind: Callable[[list[str]], Any], rated: tuple[Run, Dataset], written: Path
) -> None:
    """Columns of a table and arrays are what Python users have."""
    model = load_model(written)
    users, history = rated[1].user_vocabulary.ids[:3], rated[1].item_vocabulary.ids[:3]
    pd.testing.assert_frame_equal(model.recommend(kind(users), k=4), model.recommend(users, k=4))
    found = model.recommend(history=kind(history), ratings=kind([5, 4, 5]), k=4)
    pd.testing.assert_frame_equal(found, model.recommend(history=history, ratings=[5, 4, 5], k=4))


def test_ratings_that_would_do_nothing_are_refused(written: Path) -> None:
    model = load_model(written)
    with pytest.raises(DataError, match=r"ratings belong to a history"):
        model.recommend(model.user_ids[:1], ratings=[5])
    with pytest.raises(DataError, match=r"The rating 'good' is not a number"):
        model.recommend(history=model.item_ids[:2], ratings=[5, "good"])


def test_unknown_identifiers_are_named(rated: tuple[Run, Dataset], tmp_path: Path) -> None:
    run, data = rated
    model = load_model(export_model(run, id_of(run, "popular"), data, tmp_path / "model.zip"))
    with pytest.raises(DataError, match="does not know the user 'nobody' and 1 other:"):
        model.recommend(["u1", "nobody", "neither"])
    with pytest.raises(DataError, match="'nobody' and 2 others:"):
        model.recommend(["nobody", "neither", "other"])
    with pytest.raises(DataError, match="does not know the item 'x'"):
        model.recommend(history=["x"])
    with pytest.raises(DataError, match="either user identifiers or a history"):
        model.recommend()
    with pytest.raises(DataError, match="2 ratings for a history of 1 items"):
        model.recommend(history=["3"], ratings=[1, 2])
    assert "Popularity" in repr(model)


@pytest.fixture(scope="module")
def written(rated: tuple[Run, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Path:
    run, data = rated
    return export_model(run, id_of(run, "ease"), data, tmp_path_factory.mktemp("written") / "model.zip")


def test_equal_models_give_equal_files(written: Path, rated: tuple[Run, Dataset], tmp_path: Path) -> None:
    run, data = rated
    again = export_model(run, id_of(run, "ease"), data, tmp_path / "model.zip")
    assert again.read_bytes() == written.read_bytes()


def changed(written: Path, folder: Path, change: Callable[[Path], None]) -> Path:
    """Return a file whose members were changed."""
    parts = folder / "parts"
    with zipfile.ZipFile(written) as archive:
        archive.extractall(parts)
    change(parts)
    target = folder / "changed.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(parts.iterdir()):
            archive.write(path, path.name)
    return target


def facts(**values: object) -> Callable[[Path], None]:
    def change(parts: Path) -> None:
        write_record(parts / FACTS, read_record(parts / FACTS) | values)

    return change


def flipped(parts: Path) -> None:
    content = bytearray((parts / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (parts / "model.safetensors").write_bytes(content)


def forged(parts: Path) -> None:
    """List the members that are there, with their checksums."""
    from recsys_core.storage.checksums import file_sums, sums_to_json

    members = [path.name for path in parts.iterdir() if path.name != FACTS]
    facts(**{FILES: sums_to_json(file_sums(parts, members))})(parts)


def listed_as_another(parts: Path) -> None:
    pd.DataFrame({"user_id": ["only"], "known": [True]}).to_parquet(parts / "users.parquet")
    forged(parts)


def forged_histories(**values: object) -> Callable[[Path], None]:
    def change(parts: Path) -> None:
        pd.read_parquet(parts / "histories.parquet").assign(**values).to_parquet(parts / "histories.parquet")
        forged(parts)

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda parts: (parts / FACTS).unlink(), "is not a model file of Recscope: it has no 'model.json'"),
        (lambda parts: (parts / "items.parquet").unlink(), "is damaged: 'items.parquet' is missing"),
        (lambda parts: (parts / "items.parquet").write_bytes(b"x"), "is damaged: 'items.parquet' has 1 bytes"),
        (lambda parts: (parts / FACTS).write_text("{}"), "has another format"),
        (lambda parts: (parts / FACTS).write_text("[1]"), "is damaged: 'model.json' is not a record"),
        (facts(format=2, recscope="9.9"), "has another format .* version 9.9"),
        (facts(key="of_the_future"), "cannot be used with this version: There is no algorithm 'of_the_future'"),
        (facts(config={"nonsense": 1}), "cannot be used with this version"),
        (facts(files={}), "it lists no 'model.safetensors'"),
        (facts(files=[1]), "does not describe a model"),
        (facts(key="biased_mf", config={}), "is damaged: The stored model of 'biased_mf' lacks"),
        (flipped, "'model.safetensors' is not what was written: its checksum differs"),
        (listed_as_another, "trained with other users or items than it lists"),
        (forged_histories(item=10_000), "a history has a position outside"),
        (forged_histories(item=-1), "a history has a position outside"),
        (forged_histories(user=10_000), "a history has a position outside"),
        (forged_histories(user=-1), "a history has a position outside"),
    ],
)
def test_damaged_and_foreign_files_are_refused(
    change: Callable[[Path], None], sentence: str, written: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=sentence):
        load_model(changed(written, tmp_path, change))


def test_each_changed_byte_of_the_arrays_is_noticed(written: Path, tmp_path: Path) -> None:
    content = bytearray(written.read_bytes())
    place = content.find(b"model.safetensors") + 400
    content[place] ^= 1
    path = tmp_path / "flipped.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"'flipped.zip' is damaged"):
        load_model(path)


@pytest.mark.parametrize("content", [b"", b"user,item\n1,2\n", b"PK\x03\x04 and no more"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"'other.zip' (is not a model file|is damaged)|The model file 'other.zip'"):
        load_model(path)
    with pytest.raises(DataError, match="There is no file"):
        load_model(tmp_path / "missing.zip")


def test_a_truncated_file_is_refused(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.zip"
    path.write_bytes(written.read_bytes()[:-100])
    with pytest.raises(DataError, match="damaged"):
        load_model(path)


def test_members_are_not_unpacked_beyond_their_listed_size(written: Path, tmp_path: Path) -> None:
    def inflate(parts: Path) -> None:
        (parts / "items.parquet").write_bytes(bytes(50_000_000))

    with pytest.raises(DataError, match=r"'items\.parquet' has"):
        load_model(changed(written, tmp_path, inflate))


def test_a_bomb_with_truthful_sizes_is_not_unpacked(written: Path, tmp_path: Path) -> None:
    def inflate(parts: Path) -> None:
        (parts / "items.parquet").write_bytes(bytes(20_000_000))
        forged(parts)

    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(changed(written, tmp_path, inflate)) as source, zipfile.ZipFile(bomb, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name), zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match=r"would unpack to 20,[0-9,]+ bytes, like a bomb"):
        load_model(bomb)


def test_an_experiment_from_a_run_card_has_no_models(rated: tuple[Run, Dataset], tmp_path: Path) -> None:
    run, data = rated
    opened = open_card(export_card(run, tmp_path / "a.runcard.zip"), ResultStore(tmp_path / "other"))
    with pytest.raises(StoreError, match="no trained models"):
        export_model(opened, id_of(opened, "ease"), data, tmp_path / "model.zip")


def test_a_model_file_holds_no_code(written: Path) -> None:
    with zipfile.ZipFile(written) as archive:
        names = archive.namelist()
        assert json.loads(archive.read(FACTS))["key"] == "ease"
    assert {Path(name).suffix for name in names} == {".json", ".safetensors", ".parquet"}
