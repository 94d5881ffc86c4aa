"""Top 10 of all users from factors against implicit, and accuracy metrics of lists against ranx, on MovieLens."""

import json
import tempfile

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.movielens import PUBLIC_DATA, ROUNDS, THREADS, movielens_1m, seconds_of
from benchmarks.peers import ask
from benchmarks.table import Row
from recsys_core.contracts import FloatArray, RunContext
from recsys_core.data.ingest import load_file
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.evaluation.evaluate import relevant_items
from recsys_core.evaluation.metrics import ACCURACY, hit_table
from recsys_core.models.registry import make_model

FACTORS = 64
RECOMMEND_TARGET = 1.0
METRICS_TARGET = 0.1
SAME = 1e-9
LISTINGS = 3
"""Runs of each round, of which the shortest counts; those of the peer are in `run_implicit.py`."""


def run() -> list[Row]:
    """Measure both, alternating with the peer."""
    return [recommended(), *evaluated()]


def recommended() -> Row:
    """Time the lists of all users of ML-1M from trained factors; seen items are excluded by both."""
    train = movielens_1m()
    model, queries = make_model("ials", {"factors": FACTORS, "epochs": 1}), train.queries()
    model.fit(train, RunContext(threads=THREADS))
    binary, ours, theirs = train.matrix("binary"), [], []
    settings = json.dumps({"factors": FACTORS, "iterations": 1})
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(THREADS):
        file = f"{folder}/train.npz"
        np.savez(file, data=binary.data, indices=binary.indices, indptr=binary.indptr, shape=binary.shape)
        for _ in range(ROUNDS):
            once = [seconds_of(lambda: model.recommend(queries, 10, threads=THREADS)) for _ in range(LISTINGS)]
            ours.append(min(once))
            answer = ask("implicit", file, f"{folder}/lists.npy", "als", settings, str(THREADS), "1", threads=THREADS)
            theirs.append(float(answer["recommend_seconds"]))
    ratio = min(ours) / min(theirs)
    return Row(
        f"top 10 of all users of ML-1M from {FACTORS} factors (ials) against implicit's recommend",
        f"at most {RECOMMEND_TARGET:.1f} times",
        f"{ratio:.2f} times ({min(ours):.2f} s against {min(theirs):.2f} s)",
        ratio <= RECOMMEND_TARGET,
    )


def evaluated() -> list[Row]:
    """Time eight accuracy metrics at 10 of all users of ML-100K, per user, from lists."""
    split = make_splits(load_file(PUBLIC_DATA / "ml-100k" / "u.data"), SplitSpec(), 42)[0]
    model, users = make_model("popular"), split.test_users()
    model.fit(split.train, RunContext())
    query = split.queries(users)
    lists, (relevant, _) = model.recommend(query, 10), relevant_items(split.test, users, query.seen)

    def metrics() -> dict[str, FloatArray]:
        table = hit_table(lists, relevant)
        return {name: function(table, 10) for name, function in ACCURACY.items()}

    values, ours, theirs = metrics(), [], []
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/lists.npz"
        np.savez(file, lists=lists.item, values=relevant.values, offsets=relevant.offsets)
        for _ in range(ROUNDS):
            ours.append(min(seconds_of(metrics) for _ in range(10)))
            answer = ask("ranx", file, str(THREADS), threads=THREADS)
            theirs.append(float(answer["seconds"]))
    ratio, own = min(ours) / min(theirs), float(np.nanmean(values["ndcg"]))
    return [
        Row(
            f"{len(ACCURACY)} accuracy metrics at 10 for all users of ML-100K from lists, against 8 of ranx, compiled",
            f"at most {METRICS_TARGET:.1f} times",
            f"{ratio:.3f} times ({1e3 * min(ours):.2f} ms against {1e3 * min(theirs):.1f} ms)",
            ratio <= METRICS_TARGET,
        ),
        Row(
            "their mean NDCG@10",
            f"{answer['ndcg']:.6f}",
            f"{own:.6f}",
            abs(own - answer["ndcg"]) < SAME,
        ),
    ]
