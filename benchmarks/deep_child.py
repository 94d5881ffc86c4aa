"""Child process of `benchmarks.deep.train`: `python -m benchmarks.deep_child TASK FOLDER`, with the task as JSON."""

import json
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.deep import END, METRIC, RESULT, Task, split_of
from recsys_core.contracts import Progress, RunContext
from recsys_core.data.splits import Split
from recsys_core.errors import Cancelled
from recsys_core.evaluation.evaluate import evaluate, relevant_items
from recsys_core.evaluation.metrics import hit_rate, hit_table, ndcg
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.validation import Validator
from recsys_core.models.base import Recommender
from recsys_core.models.registry import make_model

State = dict[str, np.ndarray]


class Watch:
    """Records the time of each epoch and, for each mark, the best checkpoint on the validation data.

    Args:
        task: The training run.
        split: Contains the validation data.
    """

    def __init__(self, task: Task, split: Split) -> None:
        self._limit, self._marks = task.limit, task.marks
        spec = ExperimentSpec.model_validate({"data": "0" * 64, "models": [{"key": task.model}]})
        self._validator = Validator(split, spec, RunContext(seed=task.seed)) if task.validated else None
        self.epochs: list[float] = []
        self.best: dict[str, tuple[dict[str, float], State]] = {}
        self.ctx = RunContext(
            seed=task.seed,
            report=self._report,
            stop_requested=self._is_over,
            threads=task.threads,
            validate=self._validate if task.validated else None,
        )
        self.started = self._since = time.perf_counter()

    def start(self) -> None:
        """Start the clock."""
        self.started = self._since = time.perf_counter()

    def _is_over(self) -> bool:
        return bool(self._limit) and time.perf_counter() - self.started > self._limit

    def _report(self, progress: Progress) -> None:
        now = time.perf_counter()
        if progress.step > len(self.epochs) and progress.values:
            self.epochs.append(now - self._since)
            values = ", ".join(f"{name} {value:.4f}" for name, value in progress.values.items())
            print(f"{now - self.started:7.1f} s, epoch {progress.step}: {values}", file=sys.stderr, flush=True)
        self._since = now

    def _validate(self, model: Recommender[Any]) -> Mapping[str, float]:
        """Evaluate on the validation data, keep the best checkpoint, and exclude the time from the epoch's."""
        assert self._validator is not None
        began = time.perf_counter()
        values = self._validator(model)
        value = next(iter(values.values()))
        checkpoint = {
            "epoch": len(self.epochs) + 1.0,
            "seconds": time.perf_counter() - self.started,
            "validation": value,
        }
        state: State | None = None
        for mark, limit in [*((str(mark), float(mark)) for mark in self._marks), (END, np.inf)]:
            if checkpoint["seconds"] <= limit and (mark not in self.best or value > self.best[mark][0]["validation"]):
                state = state or {name: np.array(array) for name, array in model.state().items()}
                self.best[mark] = (checkpoint, state)
        self._since += time.perf_counter() - began
        return values


def main(task: Task, folder: Path) -> None:
    """Train, evaluate each checkpoint on the test data, and write the result."""
    split = split_of(task.data, task.split)
    model = make_model(task.model, task.config)
    watch = Watch(task, split)
    watch.start()
    try:
        model.fit(split.train, watch.ctx)
        ended = time.perf_counter() - watch.started
    except Cancelled:
        ended = float(task.limit)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    checkpoints = {}
    if model.is_fitted and END in watch.best:  # not stopped by the time limit: early stopping has restored the best
        watch.best[END] = (watch.best[END][0], dict(model.state()))
    for mark, (checkpoint, state) in watch.best.items():
        model.load_state(state)
        checkpoints[mark] = checkpoint | (_tested(model, split, folder / f"{mark}.parquet") if task.tested else {})
    if not checkpoints:  # not validated
        checkpoints[END] = {"epoch": float(len(watch.epochs)), "seconds": ended, "validation": float("nan")}
        checkpoints[END] |= _tested(model, split, folder / f"{END}.parquet") if task.tested else {}
    result = {"seconds": ended, "peak": peak, "epochs": watch.epochs, "checkpoints": checkpoints}
    (folder / RESULT).write_text(json.dumps(result))


def _tested(model: Recommender[Any], split: Split, path: Path) -> dict[str, float]:
    """Write the test metrics of each user to a file; return their means with seen items among the candidates."""
    evaluation = evaluate(model, split, cutoffs=(10,))
    evaluation.per_user[["user", METRIC, "hit_rate@10", "n_history"]].to_parquet(path)
    query = split.queries(evaluation.users)
    relevant, _ = relevant_items(split.test, evaluation.users, query.history)
    table = hit_table(model.recommend(query, 10, exclude_seen=False), relevant)
    return {
        f"{METRIC}_with_seen": float(np.nanmean(ndcg(table, 10))),
        "hit_rate@10_with_seen": float(np.nanmean(hit_rate(table, 10))),
    }


if __name__ == "__main__":
    main(Task(**json.loads(sys.argv[1])), Path(sys.argv[2]))
