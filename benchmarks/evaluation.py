"""Time of evaluating EASE on ML-1M against a matrix product with `argpartition`; reliability of model comparisons."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.movielens import PUBLIC_DATA, THREADS
from benchmarks.table import Row
from recsys_core.contracts import FloatArray, IntArray, Ragged, RunContext, TopK
from recsys_core.data import dataset_from_frames
from recsys_core.data.ingest import load_file
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.evaluation.comparison import Comparison, compare
from recsys_core.evaluation.evaluate import evaluate, relevant_items
from recsys_core.evaluation.metrics import hit_table, ndcg
from recsys_core.evaluation.ranking import rank
from recsys_core.models.ease import Ease
from recsys_core.models.registry import make_model

TARGET = 1.5
REPEATS = 3
PAIRS = 200


def run() -> list[Row]:
    """Measure speed and reliability."""
    return [speed(), false_positives(), power(), comparison_time()]


def speed() -> Row:
    """Time `evaluate` (top-10, all metrics; all, head and tail items) against the fastest plain top-10 computation."""
    data = load_file(PUBLIC_DATA / "ml-1m" / "ratings.dat")
    split = make_splits(data, SplitSpec(), 42)[0]
    model = make_model("ease")
    assert isinstance(model, Ease)
    model.fit(split.train, RunContext(42))
    sparse, weights = split.history.matrix("binary"), model.item_weights
    dense: FloatArray = sparse.toarray()

    def ranked(product: Callable[[], FloatArray]) -> Callable[[], IntArray]:
        return lambda: np.argpartition(-product(), 10, axis=1)[:, :10]

    works: dict[str, Callable[[], object]] = {
        "dense product": ranked(lambda: dense @ weights),
        "sparse product": ranked(lambda: sparse @ weights),
        "evaluate": lambda: evaluate(model, split, cutoffs=(10,), relevant_from=4, ctx=RunContext(threads=THREADS)),
    }
    for work in works.values():  # compiles the loops, warms the caches
        work()
    rounds = [{name: _seconds(work) for name, work in works.items()} for _ in range(REPEATS)]  # alternately
    best = {name: min(one[name] for one in rounds) for name in works}
    baseline = min("dense product", "sparse product", key=lambda name: best[name])
    ratio = best["evaluate"] / best[baseline]
    return Row(
        "top-10 for all users plus all metrics on ML-1M, fitted ease, against matrix product and argpartition",
        f"at most {TARGET:.1f} times",
        f"{ratio:.2f} times ({best['evaluate']:.2f} s against {best[baseline]:.2f} s, {baseline})",
        ratio <= TARGET,
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def false_positives() -> Row:
    """Compare `random` with itself under pairs of seeds, on 1,000 users with random interactions."""
    rng = np.random.default_rng(0)
    items = np.concatenate([rng.permutation(60)[:12] for _ in range(1000)])
    pairs = pd.DataFrame({"user": np.repeat(np.arange(1000), 12), "item": items}).astype("int32")
    split = make_splits(dataset_from_frames(pairs), SplitSpec(test_fraction=0.5), 1)[0]
    users = split.test_users()
    query = split.queries(users)
    relevant, _ = relevant_items(split.test, users, query.history)

    def metrics(seed: int) -> pd.DataFrame:
        model = make_model("random")
        model.fit(split.train, RunContext(seed))
        lists = rank(model.score(query), query.history, relevant, 10).lists
        return pd.DataFrame({"user": users, "ndcg@10": ndcg(hit_table(lists, relevant), 10)})

    significant = [
        compare({"one": metrics(2 * pair), "other": metrics(2 * pair + 1)}, metric="ndcg@10").pairs["different"].item()
        for pair in range(PAIRS)
    ]
    share = float(np.mean(significant))
    return Row(
        f"significant differences between two seeds of random, {PAIRS} pairs",
        "about 5 %, at most 8 %",
        f"{share:.1%}",
        share <= 0.08,
    )


def power() -> Row:
    """Compare two models on 6,040 users, the second of which has 2 % more hits."""
    significant = [_planted(seed).pairs["different"].item() for seed in range(20)]
    return Row(
        "a true 2 % difference on 6,040 users is significant",
        "always",
        f"{sum(significant)} of {len(significant)} times",
        all(significant),
    )


def _planted(seed: int) -> Comparison:
    rng = np.random.default_rng(seed)
    quality = rng.beta(2, 4, (6040, 1)) * np.linspace(1.2, 0.8, 10)
    noise = rng.random((6040, 10))
    other_noise = np.where(rng.random((6040, 10)) < 0.7, noise, rng.random((6040, 10)))
    relevant = Ragged.from_rows([range(10)] * 6040)
    frames = {}
    for name, hits in (("base", noise < quality), ("better", other_noise < quality * 1.02)):
        item = np.where(hits, np.arange(10), 20 + np.arange(10))
        values = ndcg(hit_table(TopK(item, np.zeros(item.shape)), relevant), 10)
        frames[name] = pd.DataFrame({"user": np.arange(6040), "ndcg@10": values})
    return compare(frames, metric="ndcg@10")


def comparison_time() -> Row:
    """Time a comparison of ten models on 6,040 users with at least 9,999 permutations."""
    rng = np.random.default_rng(0)
    frames = {f"m{n}": pd.DataFrame({"user": np.arange(6040), "ndcg@10": rng.random(6040)}) for n in range(10)}
    seconds = min(_seconds(lambda: compare(frames, metric="ndcg@10")) for _ in range(REPEATS))
    return Row(
        "comparison of 10 models on 6,040 users, at least 9,999 permutations",
        "about 1 s",
        f"{seconds:.2f} s",
        seconds < 1.5,
    )
