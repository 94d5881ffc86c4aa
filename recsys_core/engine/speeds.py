"""How fast training was on this machine: what estimates of time are made from."""

import logging
import math
from pathlib import Path
from typing import Any

from recsys_core.errors import StoreError
from recsys_core.experiments.artifacts import load_result
from recsys_core.experiments.jobs import JobFolder, JobStatus
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import read_json, write_json

logger = logging.getLogger(__name__)
FIRST_GUESS = 1e9
"""Floating point operations a second and core, before anything was measured."""
FIRST_JUDGING = 3e7
"""Units of judging (see `judging_units`) a second, before anything was measured."""
START_SECONDS = 0.3
"""What every job takes, however small."""
LONG_ENOUGH = 0.2
"""Seconds below which a measurement says nothing about larger data."""
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
        """Return for each algorithm the `fit` rate (operations a second) and the `judging` rate (units a second)."""
        try:
            values = read_json(self._path)
        except StoreError:
            return {}
        if not isinstance(values, dict):
            return {}
        return {str(key): _rates(known) for key, known in values.items()}

    def seconds(self, key: str, work: float, units: float, threads: int) -> float:
        """Return how long a job will take, judged by earlier ones of the same algorithm.

        Args:
            key: The algorithm.
            work: Operations of training.
            units: Of loading, parting and judging.
            threads: Cores that it may use.
        """
        known = self.read().get(key, {})
        fit = known.get("fit", FIRST_GUESS * max(1, threads))
        return START_SECONDS + work / fit + units / known.get("judging", FIRST_JUDGING)

    def learn(self, job: JobFolder, status: JobStatus) -> None:
        """Take over how long a finished job took; a disk that refuses is ignored, since this is no result."""
        try:
            result = load_result(job.path)
            around = (status.seconds() or 0.0) - result.fit_seconds - START_SECONDS
            measured = {}
            if result.fit_seconds >= LONG_ENOUGH:
                measured["fit"] = result.work / result.fit_seconds
            if around >= LONG_ENOUGH:
                measured["judging"] = result.judging_units / around
            if not measured:
                return
            values = self.read()
            before = values.get(result.key, {})
            mixed = {name: WEIGHT * value + (1 - WEIGHT) * before.get(name, value) for name, value in measured.items()}
            with disk_errors_in_words(self._path):
                self._path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._path, values | {result.key: before | mixed})
        except StoreError as error:
            logger.info("The speed of %s was not kept: %s", job.path.name, error)


def _rates(values: Any) -> dict[str, float]:
    """Return those rates that are positive numbers; whatever else a damaged file holds counts as not measured."""
    if not isinstance(values, dict):
        return {}
    return {
        str(name): float(rate) for name, rate in values.items() if isinstance(rate, int | float) and 0 < rate < math.inf
    }
