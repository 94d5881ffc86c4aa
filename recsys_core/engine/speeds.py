"""How fast training was on this machine: what estimates of time are made from."""

import logging
from pathlib import Path
from typing import Any

from recsys_core.errors import StoreError
from recsys_core.experiments.durable import disk_errors_in_words, read_json, write_json
from recsys_core.experiments.jobs import JobFolder, JobStatus
from recsys_core.experiments.saving import load_result

logger = logging.getLogger(__name__)
FIRST_GUESS = 1e9
"""Floating point operations a second and core, before anything was measured."""
SECONDS_AROUND = 1.0
"""Loading, parting and judging before anything was measured."""
WEIGHT = 0.5
"""Of the latest measurement against all earlier ones."""


class Speeds:
    """Measured speeds by algorithm, kept in the workspace.

    Args:
        root: The workspace's folder.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / "engine" / "speeds.json"

    def read(self) -> dict[str, dict[str, float]]:
        """Return for each algorithm the `rate` (operations a second) and `around` (seconds beside the training)."""
        try:
            values: dict[str, dict[str, float]] = read_json(self._path)
        except StoreError:
            return {}
        return values

    def seconds(self, key: str, work: float, threads: int) -> float:
        """Return how long a job will take, judged by earlier ones of the same algorithm."""
        known = self.read().get(key, {})
        rate = known.get("rate", FIRST_GUESS * max(1, threads))
        return work / rate + known.get("around", SECONDS_AROUND)

    def learn(self, job: JobFolder, status: JobStatus) -> None:
        """Take over how long a finished job took; a disk that refuses is ignored, since this is no result."""
        try:
            result = load_result(job.path)
            measured = {
                "rate": result.work / max(result.fit_seconds, 1e-3),
                "around": max(0.0, (status.seconds() or 0.0) - result.fit_seconds),
            }
            values: dict[str, Any] = self.read()
            before = values.get(result.key, measured)
            mixed = {name: WEIGHT * measured[name] + (1 - WEIGHT) * before[name] for name in measured}
            with disk_errors_in_words(self._path):
                self._path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._path, values | {result.key: mixed})
        except (StoreError, KeyError) as error:
            logger.info("The speed of %s was not kept: %s", job.path.name, error)
