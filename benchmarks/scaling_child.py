"""Child process of `benchmarks.scaling`: `python -m benchmarks.scaling_child FILE FOLDER MODELS`; prints JSON."""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.memory_child import live_memory, peak_memory
from benchmarks.movielens import THREADS
from recsys_core.contracts import RunContext
from recsys_core.data import Dataset
from recsys_core.data.ingest import ingest, inspect_files, suggest_rules
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.data.workspace import Workspace
from recsys_core.engine.warmup import warm_up_model
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.experiments.resources import limited_threads
from recsys_core.models.registry import make_model

LISTS_OF = "item_knn"
"""Model whose lists are measured."""
MOST_WORK = 1e11
"""Steps of training, see `Recommender.work_estimate`, above which a model is left out."""


def main(path: Path, folder: Path, keys: list[str]) -> dict[str, dict[str, float]]:
    """Return CPU seconds and peak bytes of every step."""
    found: dict[str, dict[str, float]] = {}
    ctx = RunContext(threads=THREADS)
    for key in keys:
        warm_up_model(key)  # loads libraries, compiles loops

    def step(name: str, work: Callable[[], Any]) -> Any:
        before, started = live_memory(), time.process_time()
        result = work()
        found[name] = {"seconds": time.process_time() - started, "bytes": peak_memory() - before}
        return result

    data = step("ingest", lambda: _ingested(path, folder))
    data.interactions  # noqa: B018  # loads the table
    split = step("split", lambda: make_splits(data, SplitSpec(), 42)[0])
    train, queries = split.train, split.queries(split.test_users())
    with limited_threads(THREADS):
        for key in keys:
            model = make_model(key)
            if model.work_estimate(model.config, train.n_users, train.n_items, train.n_interactions) > MOST_WORK:
                continue
            step(f"fit {key}", partial(model.fit, train, ctx))
            if key == LISTS_OF:
                step(f"recommend top 10 for all, {key}", partial(model.recommend, queries, 10))
                step(f"evaluate {key}", partial(evaluate, model, split, cutoffs=(10,), ctx=ctx))
    return found


def _ingested(path: Path, folder: Path) -> Dataset:
    guesses = inspect_files([path])
    return ingest(guesses, suggest_rules(guesses), Workspace(folder / "workspace"), "streamed")[0]


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(","))))
