"""Which experiments use a data set, read from their files: this layer must not import experiments."""

import contextlib
from pathlib import Path
from typing import Any

from recsys_core.errors import Damaged
from recsys_core.storage.checksums import read_record
from recsys_core.storage.files import children
from recsys_core.storage.processes import ProcessMark

RUNS, JOBS = "runs", "jobs"
SPEC, SUMMARY, STATUS = "spec.json", "summary.json", "status.json"
WAITING, WORKING = "QUEUED", "RUNNING"


def experiments_at_work(root: Path, fingerprint: str) -> list[str]:
    """Return the names of the experiments with queued or running models that use a data set.

    Args:
        root: The workspace folder.
        fingerprint: Fingerprint of the data set, used for training or as uploaded test data.
    """
    found = []
    for folder in children(root / RUNS):
        spec = _record(folder / SPEC)
        split = spec.get("split")
        test_data = split.get("test_data") if isinstance(split, dict) else None
        if fingerprint not in (spec.get("data"), test_data):
            continue
        if any(_is_live(_record(job / STATUS)) for job in children(folder / JOBS)):
            found.append(str(_record(folder / SUMMARY).get("name") or folder.name))
    return found


def _is_live(status: dict[str, Any]) -> bool:
    """Return whether a job is queued or running; a job whose process has ended is neither."""
    process = status.get("process")
    if process is None:
        return status.get("state") == WAITING
    try:
        return status.get("state") in (WAITING, WORKING) and not ProcessMark.from_json(process).is_gone
    except ValueError:
        return False


def _record(path: Path) -> dict[str, Any]:
    """Return a record; an empty one if it cannot be read."""
    with contextlib.suppress(Damaged):
        return read_record(path)
    return {}
