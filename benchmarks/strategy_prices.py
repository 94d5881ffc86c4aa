"""Time of the price tags of a strategy of six cards on ML-1M, and their equality with an evaluation from scratch."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.movielens import PUBLIC_DATA, THREADS
from benchmarks.table import Row
from recsys_core.contracts import FloatArray, IntArray, QueryBatch, RunContext, TopK
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.ingest import load_file
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.evaluation.evaluate import evaluate, relevant_items
from recsys_core.models.popular import Popular
from recsys_core.models.registry import make_model
from recsys_core.strategy.candidates import Candidates
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import Facts
from recsys_core.strategy.frontier import frontier, grid_of
from recsys_core.strategy.prices import Pricing
from recsys_core.strategy.slices import strategy_slices

K, POOL = 10, 200
SECONDS, SLIDER_SECONDS = 2.0, 2.0
ROUNDS = 3
CARDS = [
    {"kind": "filter", "when": {"field": "price", "op": "<", "value": 35.0}},
    {"kind": "boost", "when": {"field": "price", "op": ">", "value": 20.0}, "places": 3},
    {"kind": "decay", "by": "popularity", "half_life": 2000.0},
    {"kind": "mmr", "weight": 0.7},
    {"kind": "calibration", "weight": 0.3},
    {"kind": "cap", "field": "brand", "most": 2},
]


class _Fixed(Popular):
    """Recommends given lists."""

    def __init__(self, users: IntArray, lists: TopK) -> None:
        super().__init__()
        self._row_of = dict(zip(users.tolist(), lists.item, strict=True))

    def _score(self, query: QueryBatch) -> FloatArray:
        scores = np.full((len(query), self.n_items), np.nan)
        for row, user in enumerate(query.user):
            own = self._row_of[int(user)]
            scores[row, own[own >= 0]] = -np.arange((own >= 0).sum())
        return scores


def run() -> list[Row]:
    """Measure the price tags, one moved slider, a frontier and the slices, and compare with an evaluation."""
    split = make_splits(_movies(), SplitSpec(), 42)[0]
    own = _candidates(split)
    strategy = Strategy.model_validate({"cards": CARDS, "k": K, "pool": POOL})

    def fresh() -> Pricing:
        return Pricing(own, k=K, exposure_of="brand", ctx=RunContext(threads=THREADS))

    fresh().price(strategy)  # compiles the loops, computes the facts of the items
    pricings = [fresh() for _ in range(ROUNDS)]
    whole, work = _best([partial(pricing.price, strategy) for pricing in pricings])
    moved = [_with_weight(strategy, weight) for weight in (0.61, 0.62, 0.63)]
    slider, _work = _best([partial(pricings[0].price, other) for other in moved])
    grid, _work = _best([lambda: frontier({"ease": pricings[1]}, grid_of(strategy, 3))])
    slices, _work = _best([lambda: strategy_slices(pricings[0], {"ours": strategy})])
    wrong = _differences(pricings[0], strategy, split)
    what = f"6 cards, {len(own.users):,} users, top {POOL} of ML-1M"
    return [
        Row(
            f"price tags of a strategy: {what}",
            f"under {SECONDS:g} s",
            f"{whole:.2f} s (CPU: {work:.2f} s)",
            whole < SECONDS,
        ),
        Row(
            f"price tags after one setting of the fourth card: {what}",
            f"under {SLIDER_SECONDS:g} s",
            f"{slider:.2f} s",
            slider < SLIDER_SECONDS,
        ),
        Row("per-user metrics equal to an evaluation of the final lists", "all", f"{wrong} differ", wrong == 0),
        Row("frontier of 11 settings of MMR within the six cards", "under 5 s", f"{grid:.2f} s", grid < 5),
        Row("who wins, who loses: 7 slices with tests", "under 2 s", f"{slices:.2f} s", slices < 2),
    ]


def _best(works: list[Callable[[], object]]) -> tuple[float, float]:
    """Return the smallest wall time, as the machine may be shared, and the smallest CPU time of all threads."""
    walls, busy = [], []
    for work in works:
        started, used = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - started)
        busy.append(time.process_time() - used)
    return min(walls), min(busy)


def _with_weight(strategy: Strategy, weight: float) -> Strategy:
    cards = [card.model_dump() for card in strategy.cards]
    cards[3]["weight"] = weight
    return Strategy.model_validate(strategy.model_dump() | {"cards": cards})


def _movies() -> Dataset:
    """Return ML-1M with genres as categories, and prices and brands drawn at random."""
    data = load_file(PUBLIC_DATA / "ml-1m" / "ratings.dat")
    ids = list(data.item_vocabulary.ids)
    names = ["id", "title", "categories"]
    path = PUBLIC_DATA / "ml-1m" / "movies.dat"
    movies = pd.read_csv(path, sep="::", engine="python", encoding="latin-1", names=names, dtype=str)
    items = movies.set_index("id").reindex(ids).reset_index(drop=True)
    rng = np.random.default_rng(0)
    items["price"] = rng.integers(1, 40, len(ids)).astype(float)
    items["brand"] = [f"b{number}" for number in rng.integers(0, 12, len(ids))]
    users = list(data.user_vocabulary.ids)
    return dataset_from_frames(data.interactions, name="ML-1M", items=items, item_ids=ids, user_ids=users)


def _candidates(split: Split) -> Candidates:
    model = make_model("ease")
    model.fit(split.train, RunContext(42, threads=THREADS))
    users = split.test_users()
    query = split.queries(users)
    relevant, _seen = relevant_items(split.test, users, query.seen, 4.0)
    lists = model.recommend(query, POOL)
    return Candidates(users, lists, relevant, query.history, split.train, split.test, Facts(split.train), name="ease")


def _differences(pricing: Pricing, strategy: Strategy, split: Split) -> int:
    """Return how many metrics differ from those of `evaluate` for some user."""
    lists, metrics = pricing.judged(strategy)
    model = _Fixed(pricing.candidates.users, lists)
    model.fit(split.train, RunContext())
    expected = evaluate(model, split, cutoffs=(K,), relevant_from=4.0).per_user
    names = [name for name in metrics.values if name in expected]
    return sum(not np.array_equal(metrics.values[name], expected[name], equal_nan=True) for name in names)
