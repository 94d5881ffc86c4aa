"""The workspace keeps data sets intact in every case, and returns them unchanged."""

import io
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from recsys_core.data import dataset_from_frames
from recsys_core.data.dataset import Dataset
from recsys_core.data.ingest import ingest, inspect_files, suggest_rules
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.server_path import resolve_server_path
from recsys_core.data.meta import META, DatasetCard
from recsys_core.data.report import IngestReport
from recsys_core.data.workspace import Workspace, default_workspace
from recsys_core.errors import DataError, StoreError
from recsys_core.storage.checksums import FileSum

TEXT = "user_id,item_id,rating,timestamp\n" + "".join(
    f"u{n % 5},=i{n},{n % 5 + 1},{1_500_000_000 + n}\n" for n in range(30)
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def take(workspace: Workspace, text: str = TEXT, name: str = "films", **rules: object) -> tuple[Dataset, IngestReport]:
    path = workspace.root.parent / "ratings.csv"
    path.write_text(text, encoding="utf-8")
    guesses = inspect_files([path])
    return ingest(guesses, IngestRules.parse(suggest_rules(guesses).model_dump() | rules), workspace, name)


def test_a_stored_data_set_is_there_after_a_restart(workspace: Workspace) -> None:
    stored, report = take(workspace)
    again = Workspace(workspace.root)
    (card,) = again.datasets()
    opened = again.open("films")
    assert (card.name, card.fingerprint, card.n_users, card.n_items, card.n_interactions) == (
        "films",
        stored.fingerprint,
        5,
        30,
        30,
    )
    assert card.has_ratings
    assert card.has_timestamps
    assert not card.has_social
    assert_frame_equal(opened.interactions, stored.interactions)
    assert opened.user_vocabulary.ids == ["u0", "u1", "u2", "u3", "u4"]
    assert opened.rating_scale == stored.rating_scale
    assert again.report(stored.fingerprint) == report


def test_the_same_files_and_rules_have_one_fingerprint_and_other_rules_another(workspace: Workspace) -> None:
    first, second, other = take(workspace), take(workspace, name="renamed"), take(workspace, min_user=2)
    assert first[0].fingerprint == second[0].fingerprint != other[0].fingerprint
    assert sorted(card.name for card in workspace.datasets()) == ["films", "renamed"]
    assert workspace.damaged() == []  # the intact data set was kept


def test_a_data_set_whose_list_of_files_names_the_metadata_is_intact(workspace: Workspace) -> None:
    stored, _ = take(workspace)
    meta = DatasetCard.read(workspace.folder("films"))
    assert META not in (meta.files or {})
    files = {**(meta.files or {}), META: FileSum(356, "0" * 64)}  # as earlier versions wrote it
    replace(meta, files=files).write(workspace.folder("films"))
    again, _ = take(workspace, name="renamed")
    assert again.fingerprint == stored.fingerprint
    assert (workspace.verify(), [card.name for card in workspace.datasets()]) == ([], ["renamed"])


def test_two_data_sets_of_one_name_are_told_apart(workspace: Workspace) -> None:
    take(workspace)
    take(workspace, TEXT.replace("u0", "zoe"))
    assert sorted(card.name for card in workspace.datasets()) == ["films", "films (2)"]


def test_rename_and_delete(workspace: Workspace) -> None:
    stored, _ = take(workspace)
    workspace.rename("films", "cinema")
    assert workspace.open(stored.fingerprint).name == "cinema"
    take(workspace, TEXT.replace("u0", "zoe"))
    with pytest.raises(DataError, match="Another data set"):
        workspace.rename("films", "cinema")
    with pytest.raises(DataError, match="printable"):
        workspace.rename("films", " ")
    workspace.delete("cinema")
    assert [card.name for card in workspace.datasets()] == ["films"]
    assert not (workspace.root / "datasets" / stored.fingerprint).exists()
    with pytest.raises(StoreError, match="no data set 'cinema'"):
        workspace.open("cinema")


def test_the_download_holds_all_tables_with_formulas_made_harmless(workspace: Workspace, tmp_path: Path) -> None:
    take(workspace, TEXT + "u1,=evil(),bad,1500000000\n")
    with zipfile.ZipFile(workspace.download_archive("films", tmp_path / "out.zip")) as archive:
        interactions = pd.read_csv(io.BytesIO(archive.read("interactions.csv")))
        rejected = pd.read_csv(io.BytesIO(archive.read("rejected.csv")))
        assert set(archive.namelist()) == {"interactions.csv", "users.csv", "items.csv", "rejected.csv"}
    assert len(interactions) == 30
    assert list(interactions.columns) == ["user_id", "item_id", "rating", "timestamp"]
    assert interactions["item_id"].iloc[0] == "'=i0"
    assert rejected["line"].tolist() == [32]
    assert workspace.rejected("films")["text"].tolist() == ["u1,=evil(),bad,1500000000"]


def test_a_download_that_fails_leaves_no_half_an_archive(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(workspace)

    def full(folder: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recsys_core.data.export.write_archive", full)
    (tmp_path / "out").mkdir()
    with pytest.raises(StoreError, match="full"):
        workspace.download_archive("films", tmp_path / "out" / "out.zip")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_half_written_folder_is_set_apart_with_a_note(workspace: Workspace) -> None:
    take(workspace)
    lost = workspace.root / "staging" / "lost"
    lost.mkdir()
    (lost / "owner.json").write_text(json.dumps({"pid": 2**22 - 3, "started": 1.0}), encoding="utf-8")
    (lost / "interactions.parquet").write_bytes(b"half")
    torn = workspace.root / "datasets" / "torn"
    torn.mkdir()
    again = Workspace(workspace.root)
    assert len(again.set_apart) == 2
    assert [card.name for card in again.datasets()] == ["films"]
    aside = sorted((workspace.root / "set_aside").iterdir())
    assert all("half-written" in (folder / "note.txt").read_text(encoding="utf-8") for folder in aside)
    assert not lost.exists()


def test_a_folder_that_another_process_writes_is_left_alone(workspace: Workspace) -> None:
    with workspace.staging() as folder:
        assert Workspace(workspace.root).set_apart == []
        assert folder.exists()


def test_a_failed_ingest_leaves_nothing_behind(workspace: Workspace) -> None:
    with pytest.raises(DataError, match="No row"):
        take(workspace, "user_id,item_id,rating\nu1,i1,bad\n")
    assert workspace.datasets() == []
    assert list((workspace.root / "staging").iterdir()) == []


def test_a_full_disk_is_said_in_a_sentence_and_leaves_nothing_behind(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(workspace)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="full"):
        take(workspace, TEXT.replace("u0", "zoe"), "second")
    assert [card.name for card in workspace.datasets()] == ["films"]
    assert list((workspace.root / "staging").iterdir()) == []


def test_a_data_set_made_in_memory_can_be_stored(workspace: Workspace) -> None:
    made = dataset_from_frames(
        pd.DataFrame({"user": [0, 1, 1], "item": [1, 0, 1], "rating": [1.0, 2.0, 5.0]}),
        name="made",
        users=pd.DataFrame({"age": [30, 40]}),
        items=pd.DataFrame({"title": ["One", "Two"]}),
        social=pd.DataFrame({"source": [0], "target": [1], "weight": [1.0]}),
    )
    stored = workspace.store(made)
    opened = Workspace(workspace.root).open("made")
    assert opened.fingerprint == stored.fingerprint != ""
    assert opened.titles() == ["One", "Two"]
    assert opened.n_users == 2
    assert opened.social is not None
    assert_frame_equal(opened.interactions, made.interactions)
    assert workspace.report("made") is None


def test_the_environment_names_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSCOPE_WORKSPACE", str(tmp_path / "elsewhere"))
    assert default_workspace().root == (tmp_path / "elsewhere").resolve()


@pytest.mark.parametrize(
    "text", ["../secret.csv", "/etc/passwd", "link.csv", "folder/../../secret.csv", "linked/secret.csv", "a\x00b"]
)
def test_a_path_that_leaves_the_allowed_folder_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "secret.csv").write_text("1,2,3\n", encoding="utf-8")
    (root / "link.csv").symlink_to(tmp_path / "secret.csv")
    (root / "linked").symlink_to(tmp_path)
    monkeypatch.setenv("RECSCOPE_DATA_ROOT", str(root))
    with pytest.raises(DataError, match="not in the allowed folder"):
        resolve_server_path(text)


def test_a_path_within_the_allowed_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.csv").write_text("1,2,3\n", encoding="utf-8")
    with pytest.raises(DataError, match="RECSCOPE_DATA_ROOT"):
        resolve_server_path("data.csv")
    monkeypatch.setenv("RECSCOPE_DATA_ROOT", str(tmp_path))
    assert resolve_server_path("data.csv") == (tmp_path / "data.csv").resolve()
    assert resolve_server_path(str(tmp_path / "data.csv")) == (tmp_path / "data.csv").resolve()
    with pytest.raises(DataError, match="There is no file"):
        resolve_server_path("other.csv")
