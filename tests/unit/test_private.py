"""Only the owner can access the workspace, whatever the umask of the process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys_core.data.workspace import Workspace
from recsys_core.engine.presence import EngineFolder
from recsys_core.storage.permissions import private_folder
from tests.engine.support import little_data


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): f"{path.lstat().st_mode & 0o777:o}" for path in [folder, *folder.rglob("*")]}


def test_a_new_workspace_and_what_is_stored_in_it_are_closed(own_workspace: Path) -> None:
    dataset = Workspace(own_workspace).store(little_data())
    found = modes(own_workspace / "datasets" / dataset.fingerprint)
    assert found.pop(".") == "700"
    assert set(found.values()) == {"600"}
    assert modes(own_workspace)["."] == "700"


def test_the_engine_makes_no_open_workspace(own_workspace: Path) -> None:
    EngineFolder(own_workspace).make()
    assert modes(own_workspace)["."] == "700"


def test_an_open_workspace_of_before_is_closed_and_still_works(own_workspace: Path, tmp_path: Path) -> None:
    dataset = Workspace(own_workspace).store(little_data())
    outside = tmp_path / "outside"
    outside.write_text("not ours")
    (own_workspace / "link").symlink_to(outside)
    (own_workspace / "script").touch(0o755)
    for path in [own_workspace, *own_workspace.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)
    assert Workspace(own_workspace).open(dataset.fingerprint).n_users == dataset.n_users
    found = modes(own_workspace)
    link = found.pop("link")
    assert set(found.values()) == {"700", "600"}
    assert link == "777"
    assert f"{outside.stat().st_mode & 0o777:o}" == "666", "what a link leads to is not ours"


def test_a_folder_that_everybody_shares_is_left_alone(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "theirs").touch(0o644)
    Workspace(shared)
    assert f"{shared.stat().st_mode & 0o7777:o}" == "1777"
    assert modes(shared)["theirs"] == "644"


def test_a_closed_workspace_is_not_walked_again(own_workspace: Path) -> None:
    private_folder(own_workspace)
    (own_workspace / "kept").touch(0o644)
    private_folder(own_workspace)
    assert modes(own_workspace)["kept"] == "644"
