"""Store adopts the data set built by the check; if it is not usable, the files are read again."""

import errno
import io
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from recsys_core.data.ingest import ingest, pipeline, suggest_rules
from recsys_core.data.ingest.inspection import readable
from recsys_core.data.meta import META, DatasetCard
from recsys_core.data.workspace import Workspace
from recsys_core.errors import Damaged
from recsys_core.serving import upload_tables
from recsys_core.serving.upload_process import run
from recsys_core.serving.upload_tables import Reading, inspected, remove_older
from recsys_core.serving.uploads import Intake

HEAD = "user,item,rating\n"
RATINGS = HEAD + "".join(f"u{user},m{item},{1 + item % 5}\n" for user in range(30) for item in range(10))
MOVIES = "item,title,genres\n" + "".join(f"m{item},Film {item},Drama|War\n" for item in range(10))


@pytest.fixture
def taking(tmp_path: Path) -> Intake:
    made = Intake.create(tmp_path / "workspace", name="Mine")
    texts = {"ratings.csv": RATINGS + "u1,m1,eleven\nu1\n", "movies.csv": MOVIES}
    paths = [str(made.add(name, io.BytesIO(text.encode()))) for name, text in texts.items()]
    made.save(replace(made.draft(), paths=tuple(paths)))
    return made


def checked(taking: Intake) -> Reading:
    """Return a finished reading of the files, in this process."""
    reading = Reading(taking, taking.draft())
    reading.run()
    assert reading.status().state == "DONE", reading.status()
    return reading


def stored(taking: Intake) -> Path:
    """Store the files in this process; return the folder of the data set."""
    run(taking, "store")
    status = taking.status()
    assert status.state == "DONE", status
    workspace = Workspace(taking.root)
    assert workspace.verify() == []
    assert list((taking.root / "staging").iterdir()) == []
    return workspace.folder(status.fingerprint)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the name of each data set that is built."""
    seen: list[str] = []
    whole = pipeline.build

    def build(*arguments: object, name: str, **named: object) -> object:
        seen.append(name)
        return whole(*arguments, name=name, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "build", build)
    return seen


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != META}


def test_the_checked_data_set_is_stored_and_equals_a_direct_ingest(
    taking: Intake, builds: list[str], tmp_path: Path
) -> None:
    reading = checked(taking)
    taking.save(replace(taking.draft(), name="Another name"))
    folder = stored(taking)
    assert builds == ["check"]
    assert not reading.dataset.exists()
    tables = readable(inspected(taking, taking.draft()))
    other = Workspace(tmp_path / "other")
    direct, report = ingest(tables, suggest_rules(tables), other, "Another name")
    assert direct.fingerprint == folder.name
    assert contents(folder) == contents(other.folder(direct.fingerprint))
    assert set(contents(folder)) > {"interactions.parquet", "items.parquet", "rejected.parquet", "report.json"}
    there, here = DatasetCard.read(other.folder(direct.fingerprint)), DatasetCard.read(folder)
    assert replace(here, created="") == replace(there, created="")
    assert Workspace(taking.root).report(folder.name) == report
    assert report.rows_rejected == 2


def flip_bit(folder: Path) -> None:
    path = folder / "interactions.parquet"
    before, facts = bytearray(path.read_bytes()), path.stat()
    before[len(before) // 2] ^= 1
    path.write_bytes(before)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def unseal(folder: Path) -> None:
    replace(DatasetCard.read(folder), files=None).write(folder)


HARM: dict[str, Callable[[Path], object]] = {
    "gone": shutil.rmtree,
    "a flipped bit": flip_bit,
    "half a table": lambda folder: os.truncate(folder / "interactions.parquet", 100),
    "no items": lambda folder: (folder / "items.parquet").unlink(),
    "no report": lambda folder: (folder / "report.json").unlink(),
    "no metadata": lambda folder: (folder / META).unlink(),
    "half the metadata": lambda folder: os.truncate(folder / META, 100),
    "no checksums": unseal,
}


@pytest.mark.parametrize("harm", HARM)
def test_files_are_read_again_if_the_checked_data_set_is_damaged(taking: Intake, builds: list[str], harm: str) -> None:
    reading = checked(taking)
    whole = contents(reading.dataset)
    HARM[harm](reading.dataset)
    folder = stored(taking)
    assert builds == ["check", "Mine"]
    assert contents(folder) == whole
    assert Workspace(taking.root).damaged() == []


def test_files_are_read_again_if_they_or_the_settings_changed(
    taking: Intake, builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked(taking)
    with monkeypatch.context() as held:
        held.setattr("recsys_core.data.ingest.build.READER_VERSION", 99)
        first = stored(taking)
    taking.save(replace(taking.draft(), rules={"min_user": 3}))
    second = stored(taking)
    with Path(taking.draft().paths[0]).open("a") as file:
        file.write("u1,m77,5\n")
    third = stored(taking)
    assert builds == ["check", "Mine", "Mine", "Mine"]
    assert len({first, second, third}) == 3
    assert Workspace(taking.root).open(third.name).n_items == 11


def test_a_file_that_changes_while_it_is_read_leaves_no_data_set(
    taking: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = upload_tables.rules_of

    def changing(*arguments: object) -> object:
        os.utime(taking.draft().paths[0], (1.0, 1.0))
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(upload_tables, "rules_of", changing)
    reading = checked(taking)
    assert reading.report() is not None
    assert not reading.dataset.exists()


def test_a_stored_data_set_is_kept_and_renamed(taking: Intake) -> None:
    checked(taking)
    first = stored(taking)
    inode = (first / "interactions.parquet").stat().st_ino
    taking.save(replace(taking.draft(), name="Renamed"))
    reading = Reading(taking, taking.draft())
    reading.clear()
    checked(taking)
    second = stored(taking)
    assert (second, (second / "interactions.parquet").stat().st_ino) == (first, inode)
    assert [card.name for card in Workspace(taking.root).datasets()] == ["Renamed"]
    assert Workspace(taking.root).damaged() == []
    assert not reading.dataset.exists()


def test_files_on_another_disk_are_copied(taking: Intake, builds: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.rename

    def rename(source: Path, target: Path) -> None:
        if "readings" in str(source) and "readings" not in str(target):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        whole(source, target)

    reading = checked(taking)
    before = contents(reading.dataset)
    monkeypatch.setattr(os, "rename", rename)
    folder = stored(taking)
    assert (contents(folder), builds) == (before, ["check"])


def test_only_the_latest_reading_keeps_its_data_set(taking: Intake) -> None:
    first = checked(taking)
    taking.save(replace(taking.draft(), rules={"min_user": 3}))
    remove_older(taking)
    second = checked(taking)
    assert (first.dataset.exists(), second.dataset.exists()) == (False, True)
    assert first.report() is not None


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["data.ingest.pipeline.seal", "serving.upload_tables.make_sure_of_room"])
def test_on_a_full_disk_the_counts_are_shown_and_the_data_set_gives_way(
    taking: Intake, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with monkeypatch.context() as held:
        held.setattr(f"recsys_core.{where}", full)
        reading = checked(taking)
    assert reading.report() is not None
    assert not reading.dataset.exists()
    assert not reading.temporary.exists()
    assert Workspace(taking.root).report(stored(taking).name) is not None


def test_a_cancelled_store_leaves_the_checked_data_set(taking: Intake, builds: list[str]) -> None:
    checked(taking)
    taking.cancel()
    run(taking, "store")
    assert taking.status().state == "CANCELLED"
    (taking.folder / "cancel").unlink()
    stored(taking)
    assert builds == ["check"]


def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "workspace")
    with pytest.raises(Damaged, match="missing"):
        workspace.take_over(tmp_path / "nothing", "x")
    assert workspace.datasets() == []
