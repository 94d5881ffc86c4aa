"""Measured training speeds of this machine, the basis of time estimates."""

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
"""Initial guess: floating point operations per second and core."""
FIRST_JUDGING = 3e7
"""Initial guess: units of `judging_units` per second."""
START_SECONDS = 0.3
"""Constant time per job."""
LONG_ENOUGH = 0.2
"""Measurements below this time, in seconds, are ignored: they do not extrapolate to larger data."""
WEIGHT = 0.5
"""Weight of the latest measurement in the moving average."""


class Speeds:
    """Measured speeds by algorithm, stored in the workspace.

    Args:
        root: The workspace's folder.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / "engine" / "speeds.json"

    def read(self) -> dict[str, dict[str, float]]:
        """Return the `fit` rate (operations per second) and the `judging` rate (units per second) of each algorithm."""
        try:
            values = read_json(self._path)
        except StoreError:
            return {}
        if not isinstance(values, dict):
            return {}
        return {str(key): _rates(known) for key, known in values.items()}

    def seconds(self, key: str, work: float, units: float, threads: int) -> float:
        """Return the estimated time of a job, based on earlier jobs of the same algorithm.

        Args:
            key: The algorithm.
            work: Operations of training.
            units: Units of loading, splitting and evaluating, see `judging_units`.
            threads: Cores that it may use.
        """
        known = self.read().get(key, {})
        fit = known.get("fit", FIRST_GUESS * max(1, threads))
        return START_SECONDS + work / fit + units / known.get("judging", FIRST_JUDGING)

    def learn(self, job: JobFolder, status: JobStatus) -> None:
        """Update the speeds with a finished job; disk errors are ignored."""
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
            logger.info("The speed of %s was not stored: %s", job.path.name, error)


def _rates(values: Any) -> dict[str, float]:
    """Return the rates that are positive numbers; other values of a damaged file are ignored."""
    if not isinstance(values, dict):
        return {}
    return {
        str(name): float(rate) for name, rate in values.items() if isinstance(rate, int | float) and 0 < rate < math.inf
    }
