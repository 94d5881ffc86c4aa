"""Deleted experiments: kept in a folder beside the store for 30 days, from which they can be restored."""

import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from recsys_core.errors import Damaged, StoreError
from recsys_core.experiments.experiment import read_summary
from recsys_core.experiments.store import ResultStore
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import children
from recsys_core.text import _

FOLDER = "deleted-runs"
KEPT_DAYS = 30
STAMP = "%Y%m%dT%H%M%S%f"
KEY = re.compile(r"([0-9a-f]{16})-(\d{8}T\d{12})")


@dataclass(frozen=True)
class DeletedRun:
    """A deleted experiment.

    Args:
        key: Name of its folder.
        run_id: Its id.
        name: Its display name; the id if that cannot be read.
        deleted: When it was deleted, in local time.
    """

    key: str
    run_id: str
    name: str
    deleted: datetime


def discard(store: ResultStore, run_id: str) -> DeletedRun:
    """Delete an experiment so that it can be restored; remove those that were deleted over 30 days ago.

    Raises:
        StoreError: The experiment does not exist, or one of its jobs is queued or running; nothing is changed.
    """
    run = store.open(run_id)
    if run.is_live:
        raise StoreError(_("'{run_name}' is queued or being trained; cancel that first.").format(run_name=run.name))
    remove(store, [one.key for one in deleted_runs(store) if _is_old(one)])
    key = f"{run_id}-{datetime.now(UTC):{STAMP}}"
    store.move_out(run_id, store.root / FOLDER / key)
    return _described(store, key)


def deleted_runs(store: ResultStore) -> list[DeletedRun]:
    """Return the deleted experiments, latest first."""
    keys = [path.name for path in children(store.root / FOLDER) if KEY.fullmatch(path.name)]
    return sorted((_described(store, key) for key in keys), key=lambda one: one.deleted, reverse=True)


def restore(store: ResultStore, key: str) -> str:
    """Undo the deletion of an experiment and return its id.

    Raises:
        StoreError: It is not among the deleted ones, the same experiment was trained again meanwhile, or a disk error.
    """
    found = _matched(key)
    source, target = store.root / FOLDER / key, store.folder / found
    if not source.is_dir():
        raise StoreError(_("This experiment is no longer among the deleted ones."))
    if target.exists():
        raise StoreError(_("The same experiment was trained again after it was deleted; delete that one first."))
    with disk_errors_in_words(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(source, target)
    return found


def remove(store: ResultStore, keys: list[str]) -> None:
    """Remove deleted experiments permanently; works on a full disk."""
    for key in keys:
        _matched(key)
        shutil.rmtree(store.root / FOLDER / key, ignore_errors=True)


def _matched(key: str) -> str:
    matched = KEY.fullmatch(key)
    if matched is None:
        raise StoreError(_("'{key}' is not a deleted experiment.").format(key=key))
    return matched[1]


def _described(store: ResultStore, key: str) -> DeletedRun:
    run_id, stamp = key.split("-")
    try:
        name = read_summary(store.root / FOLDER / key).name
    except Damaged:
        name = run_id
    deleted = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC).astimezone()
    return DeletedRun(key, run_id, name, deleted)


def _is_old(one: DeletedRun) -> bool:
    return datetime.now(UTC) - one.deleted > timedelta(days=KEPT_DAYS)
