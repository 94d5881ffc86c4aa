"""Memory estimates of all models against the measured peak of training, on three sizes of synthetic data.

Each training runs in a child process with the environment of an engine worker, after a first small training that loads
libraries and compiles loops. The peak is the largest resident memory during `fit` less the resident memory before it,
with the data in memory. Networks train for one epoch; a training is stopped after `SECONDS`, and counts until then.

`python -m benchmarks memory` for all models, `python -m benchmarks memory ease item_knn` for some.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.movielens import THREADS
from benchmarks.table import Row, print_table
from recsys_core.engine.cluster import MALLOC
from recsys_core.engine.settings import in_words
from recsys_core.models.registry import MODELS, make_model, model_class

FACTOR = 1.5
NOISE = 24 * 2**20
"""Bytes by which estimate and peak may differ in any case: the allocator keeps 64 MiB at a time."""
SECONDS = 20.0
SIZES = ((3_000, 1_500, 100_000), (6_000, 3_700, 1_000_000), (40_000, 9_000, 2_500_000))
"""Users, items and interactions."""
SIZES_OF_NETWORKS = ((1_000, 1_500, 50_000), (3_000, 3_700, 200_000), (6_000, 9_000, 600_000))
SIZES_OF = {"svm_hierarchy": ((200, 1_500, 10_000), (600, 3_000, 50_000), (1_500, 6_000, 150_000))}
"""Sizes of models that take minutes on the usual ones."""
UNRATED = ("social_mf", "trust_svd")
"""Models that need more memory without ratings, for sampled items; their estimates are for that case."""


@dataclass(frozen=True)
class Case:
    """A training to measure.

    Args:
        key: The algorithm.
        users: Number of users.
        items: Number of items.
        interactions: Number of interactions.
        config: Settings that differ from the defaults.
        rated: Whether the data have ratings.
        threads: Number of cores.
        seconds: The training is stopped after this time.
    """

    key: str
    users: int
    items: int
    interactions: int
    config: dict[str, Any] = field(default_factory=dict)
    rated: bool = True
    threads: int = THREADS
    seconds: float = SECONDS

    def estimate(self) -> int:
        """Return the estimated bytes of training."""
        model = make_model(self.key, self.config)
        return int(model.memory_estimate(model.config, self.users, self.items, self.interactions))


def run(keys: tuple[str, ...] = ()) -> list[Row]:
    """Measure the named models, all by default."""
    rows = []
    for key in keys or tuple(MODELS):
        for case in cases_of(key):
            rows.append(row_of(case, measured(case)))
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def main(arguments: list[str]) -> int:
    """Measure the named models and print the table."""
    rows = run(tuple(arguments))
    print_table(rows)
    return 0 if all(row.reached for row in rows) else 1


def cases_of(key: str) -> list[Case]:
    """Return the trainings of a model."""
    network = model_class(key).info.runtime == "torch"
    config = {"epochs": 1} if "epochs" in model_class(key).config_type.model_fields else {}
    sizes = SIZES_OF.get(key, SIZES_OF_NETWORKS if network else SIZES)
    return [Case(key, *size, config, rated=key not in UNRATED) for size in sizes]


def measured(case: Case) -> dict[str, Any]:
    """Train in a child process and return what it measured.

    Raises:
        CalledProcessError: The process failed; its messages are on standard error.
    """
    threads = {name: str(case.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.memory_child", json.dumps(asdict(case))]
    done = subprocess.run(command, env=os.environ | threads | MALLOC, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def row_of(case: Case, answer: dict[str, Any]) -> Row:
    """Return the row of a measurement: within `FACTOR`, or by less than `NOISE` apart."""
    peak, estimate = answer["peak"] - answer["before"], case.estimate()
    ratio = estimate / max(1, peak)
    stopped = "" if answer["finished"] else f", stopped after {answer['seconds']:.0f} s"
    return Row(
        f"{case.key}: {case.users:,} users, {case.items:,} items, {case.interactions:,} interactions{stopped}",
        f"estimate within a factor {FACTOR} of the peak, or {in_words(NOISE)}",
        f"{in_words(estimate)} / {in_words(peak)} = {ratio:.2f}",
        1 / FACTOR <= ratio <= FACTOR or abs(estimate - peak) <= NOISE,
    )
