"""One training, told as JSON: `python -m benchmarks.deep_child TASK FOLDER`. Started by `benchmarks.deep.train`."""

import json
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.deep import END, METRIC, Task, split_of
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
    """Follows a training: the time of each epoch, and the states that were best on validation at each mark.

    Args:
        task: What was asked for.
        split: Gives the validation part.
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
        """Let the clock begin."""
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
        """Measure, keep the state if it is the best so far; the time that this takes is none of the epoch's."""
        assert self._validator is not None
        began = time.perf_counter()
        values = self._validator(model)
        value = next(iter(values.values()))
        look = {"epoch": len(self.epochs) + 1.0, "seconds": time.perf_counter() - self.started, "validation": value}
        state: State | None = None
        for mark, limit in [*((str(mark), float(mark)) for mark in self._marks), (END, np.inf)]:
            if look["seconds"] <= limit and (mark not in self.best or value > self.best[mark][0]["validation"]):
                state = state or {name: np.array(array) for name, array in model.state().items()}
                self.best[mark] = (look, state)
        self._since += time.perf_counter() - began
        return values


def main(task: Task, folder: Path) -> None:
    """Train, then judge each mark, and write down what came out."""
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
    looks = {}
    if model.is_fitted and END in watch.best:  # not ended by the clock: early stopping has chosen
        watch.best[END] = (watch.best[END][0], dict(model.state()))
    for mark, (look, state) in watch.best.items():
        model.load_state(state)
        looks[mark] = look | (_judged(model, split, folder / f"{mark}.parquet") if task.judged else {})
    if not looks:  # measured at the end only
        looks[END] = {"epoch": float(len(watch.epochs)), "seconds": ended, "validation": float("nan")}
        looks[END] |= _judged(model, split, folder / f"{END}.parquet") if task.judged else {}
    told = {"seconds": ended, "peak": peak, "epochs": watch.epochs, "looks": looks}
    (folder / "told.json").write_text(json.dumps(told))


def _judged(model: Recommender[Any], split: Split, path: Path) -> dict[str, float]:
    """Judge on the test part: one value a user goes to a file, means with seen items as candidates are returned."""
    found = evaluate(model, split, cutoffs=(10,))
    found.per_user[["user", METRIC, "hit_rate@10", "n_history"]].to_parquet(path)
    query = split.queries(found.users)
    relevant, _ = relevant_items(split.test, found.users, query.history)
    table = hit_table(model.recommend(query, 10, exclude_seen=False), relevant)
    return {
        f"{METRIC}_with_seen": float(np.nanmean(ndcg(table, 10))),
        "hit_rate@10_with_seen": float(np.nanmean(hit_rate(table, 10))),
    }


if __name__ == "__main__":
    main(Task(**json.loads(sys.argv[1])), Path(sys.argv[2]))
