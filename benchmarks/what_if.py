"""Response time of a what-if on ML-1M: an edited history of one user, answered by eight trained models.

Models of arrays answer in this process, those of torch in the model process, as on the page Recommend. Networks are
trained for one epoch on few users, since the response time does not depend on the weights.
"""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.movielens import THREADS, movielens_1m, seconds_of
from benchmarks.table import Row
from recsys_core.contracts import QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.data.workspace import Workspace
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.models.registry import make_model, model_class
from recsys_core.serving.edited_history import BaseHistory, EditedHistory
from recsys_core.serving.model_server import Answers
from recsys_core.serving.what_if import ranked

ONE_EPOCH = {"epochs": 1, "patience": 0}
MODELS: dict[str, dict[str, Any]] = {
    "popular": {},
    "ease": {},
    "item_knn": {},
    "user_knn": {},
    "biased_mf": {"epochs": 2},
    "lfm": {"epochs": 1},
    "sasrec": ONE_EPOCH,
    "rnn": ONE_EPOCH,
}
TRAINED_USERS = 500
"""Users that the networks are trained on; their response time depends on the number of items alone."""
EDITS = 60
WARM_UP = 5
K = 10
ALL_SECONDS, FAST_SECONDS, NETWORK_SECONDS = 0.5, 0.15, 0.4


def run() -> list[Row]:
    """Edit histories of random users and time the answers of all models together and of each alone."""
    with tempfile.TemporaryDirectory() as folder, trained_models(Path(folder)) as ask:
        queries = [query for query, _ in zip(edits(), range(WARM_UP + EDITS), strict=False)]
        with ThreadPoolExecutor(len(MODELS)) as pool:
            together = [seconds_of(partial(_all, pool, ask, query)) for query in queries]
        alone = {key: [seconds_of(partial(ask, key, query)) for query in queries][WARM_UP:] for key in MODELS}
    rows = [_row("what-if of 8 models on ML-1M", together[WARM_UP:], ALL_SECONDS)]
    for key, times in alone.items():
        limit = NETWORK_SECONDS if _is_network(key) else FAST_SECONDS
        rows.append(_row(f"what-if of {key} on ML-1M", times, limit))
    return rows


def _all(pool: ThreadPoolExecutor, ask: Callable[..., Any], query: QueryBatch) -> None:
    """Wait for the lists of all models."""
    list(pool.map(partial(ask, query=query), MODELS))


@contextmanager
def trained_models(folder: Path) -> "Iterator[Callable[[str, QueryBatch], Any]]":
    """Train the models; yield a function of key and query that returns the list."""
    data = movielens_1m()
    here = {key: make_model(key, config) for key, config in MODELS.items() if not _is_network(key)}
    for model in here.values():
        model.fit(data, RunContext(threads=THREADS))
    run, ids = _networks(folder, data)
    answers = Answers()

    def ask(key: str, query: QueryBatch) -> Any:
        if key in here:
            return ranked(here[key], query, K)
        return answers.ask(folder, run, ids[key], "ranked", query=query, k=K)

    try:
        yield ask
    finally:
        answers.close()


def _is_network(key: str) -> bool:
    return model_class(key).info.runtime == "torch"


def _networks(folder: Path, data: Dataset) -> tuple[str, dict[str, str]]:
    """Train the networks on the first users, with all items, in a workspace; return the experiment and its jobs."""
    workspace, store = Workspace(folder), ResultStore(folder)
    part = workspace.store(data.subset(data.interactions["user"].to_numpy() < TRAINED_USERS)).fingerprint
    specs = [{"key": key, "config": config} for key, config in MODELS.items() if _is_network(key)]
    run = store.create(ExperimentSpec.model_validate({"data": part, "models": specs, "k": K}), "what-if")
    ids = {model_id.rpartition("-")[0]: model_id for model_id in run.model_ids}
    for spec in specs:
        status = execute(store, run.id, ids[str(spec["key"])], workspace, THREADS)
        if status.state is not JobState.DONE:
            raise RuntimeError(f"{spec['key']} was not trained: {status.reason}")
    return run.id, ids


def edits() -> Iterator[QueryBatch]:
    """Yield the histories of random users after one more edit each: an item added, dropped, rated again or moved."""
    data, rng = movielens_1m(), np.random.default_rng(7)
    while True:
        history = EditedHistory.unedited(BaseHistory(data.queries(rng.integers(data.n_users, size=1))))
        place, other = rng.integers(len(history), size=2)
        for edited in (
            history.added(int(rng.integers(data.n_items)), 5.0),
            history.dropped(int(place)),
            history.rated(int(place), 1.0),
            history.moved(int(place), int(other)),
        ):
            yield edited.query()


def _row(what: str, times: list[float], limit: float) -> Row:
    p95 = float(np.percentile(times, 95))
    return Row(
        what,
        f"p95 under {limit:g} s",
        f"p95 {p95:.3f} s, median {np.median(times):.3f} s ({len(times)} edits)",
        p95 < limit,
    )
