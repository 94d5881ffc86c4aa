"""Data sets of the catalog arrive in the workspace as documented: rows, users, tables. No test here needs a network."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys_core.contracts import Progress, RunContext
from recsys_core.data.catalogue import CatalogueEntry, catalogue
from recsys_core.data.workspace import Workspace
from recsys_core.errors import DataError
from tests.fixtures.fetched import downloads_folder, fetch_dataset

HELD = ["ml-latest-small", "ml-100k", "ml-1m", "lastfm-2k", "filmtrust", "movietweetings-100k"]


def already_fetched(entry: CatalogueEntry, workspace: Workspace, members: dict[str, bytes]) -> CatalogueEntry:
    """Put an archive where a download would leave it, and return the entry without the checks that it would fail."""
    folder = downloads_folder(workspace)
    folder.mkdir()
    with zipfile.ZipFile(folder / entry.download_name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    files = tuple(file.model_copy(update={"md5": None, "size_is_exact": False}) for file in entry.files)
    return entry.model_copy(update={"files": files})


@pytest.mark.slow
@pytest.mark.public_data
@pytest.mark.parametrize("key", HELD)
def test_a_public_data_set_is_taken_in_whole(key: str, public_data: Callable[[str], Path], tmp_path: Path) -> None:
    entry, workspace = catalogue()[key], Workspace(tmp_path / "workspace")
    members = {hint.file: public_data(f"{key}/{Path(hint.file).name}").read_bytes() for hint in entry.tables}
    seen: list[Progress] = []
    data, report = fetch_dataset(already_fetched(entry, workspace, members), workspace, RunContext(report=seen.append))
    tables = {hint.table for hint in entry.tables}
    roles = entry.tables[0].columns
    assert data.name == entry.title
    assert report.rows_accepted + report.rows_rejected == report.rows_read
    assert 0.995 * entry.rows <= data.n_interactions <= entry.rows  # a pair rated twice counts once
    assert len(set(data.interactions["user"])) == entry.users
    assert data.has_ratings == ("rating" in roles)
    assert data.has_timestamps == ("timestamp" in roles)
    assert (data.items is not None) == ("items" in tables)
    assert (data.users is not None) == ("users" in tables)
    assert (data.social is not None) == ("social" in tables)
    assert list(downloads_folder(workspace).iterdir()) == []
    assert workspace.open(entry.title).n_interactions == data.n_interactions


def test_what_is_no_data_set_is_refused_and_fetched_anew_the_next_time(tmp_path: Path) -> None:
    entry, workspace = catalogue()["ml-1m"], Workspace(tmp_path / "workspace")
    fetched = already_fetched(entry, workspace, {"README": b"moved\n"})
    with pytest.raises(DataError):
        fetch_dataset(fetched, workspace, RunContext())
    assert workspace.datasets() == []
    assert list(downloads_folder(workspace).iterdir()) == []
