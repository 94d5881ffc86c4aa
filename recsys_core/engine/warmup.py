"""Warm-up: load libraries and compile loops before the first job.

`python -m recsys_core.engine.warmup` compiles everything once, for example when a container image is built.
"""

import logging
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import CATEGORIES, EVENT, ITEM, RATING, SOURCE, TARGET, TIMESTAMP, TITLE, USER, WEIGHT
from recsys_core.contracts import RunContext, TopK
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.errors import RecscopeError
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.experiments.resources import limited_threads
from recsys_core.models.registry import MODELS, make_model, model_class
from recsys_core.strategy.apply import apply
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.facts import POPULARITY, Facts

logger = logging.getLogger(__name__)
USERS, ITEMS, ROWS = 30, 40, 400
EPOCHS = "epochs"
OTHER_LOOPS: dict[str, tuple[dict[str, Any], ...]] = {"item_knn": ({"similarity": "jaccard"},)}
"""Settings whose training has loops that the default settings do not call."""


def warm_up_model(key: str) -> None:
    """Train and evaluate an algorithm on a few synthetic interactions; errors are ignored here.

    A network is trained for one epoch: most of the time is spent on loading torch.
    """
    ctx = RunContext(seed=0)
    split = make_splits(_synthetic(), SplitSpec(), seed=0)[0]
    try:
        with limited_threads(1):
            model = make_model(key, _short_config(key))
            model.fit(split.train, ctx)
            evaluate(model, split, cutoffs=(1, 5), ctx=ctx)
            for settings in OTHER_LOOPS.get(key, ()):
                make_model(key, settings).fit(split.train, ctx)
    except RecscopeError as error:
        logger.info("Warming up '%s' ended early: %s", key, error)


def warm_up_strategies() -> None:
    """Apply every card of strategies that has compiled loops to a few random lists."""
    data = _synthetic()
    lists = {
        name: TopK(order, -np.sort(rng.random(order.shape), axis=1).astype(np.float32))
        for name in ("one", "other")
        for rng in [np.random.default_rng(len(name))]
        for order in [np.argsort(rng.random((USERS, ITEMS)), axis=1)]
    }
    parts = [{"model": name} for name in lists]
    rare = {"field": POPULARITY, "op": "<", "value": ROWS / ITEMS}
    ranked = [{"kind": kind} for kind in ("mmr", "dpp", "calibration", "xquad")]
    rules: list[dict[str, Any]] = [
        {"kind": "fair_ratio", "when": rare},
        {"kind": "exposure", "when": rare, "least": 0.3},
        {"kind": "cap", "field": CATEGORIES, "most": 5},
        {"kind": "quota", "when": rare, "least": 1},
        {"kind": "slots", "when": rare, "first": 2, "last": 2},
        {"kind": "pin", "item": data.item_vocabulary.ids[0]},
    ]
    for mix, explore in (("rrf", "epsilon"), ("weighted", "softmax"), ("interleave", "thompson")):
        first = {"kind": "mix", "method": mix, "models": parts}
        last = {"kind": "explore", "method": explore, "relevant_from": 3}
        strategy = Strategy.model_validate({"cards": [first, *ranked, *rules, last], "pool": ITEMS})
        _ = apply(strategy, lists, np.arange(USERS), Facts(data)).shortfalls


def _short_config(key: str) -> dict[str, Any]:
    """Return settings for a single epoch of a network; empty for other algorithms."""
    model = model_class(key)
    return {EPOCHS: 1} if model.info.runtime == "torch" and EPOCHS in model.config_type.model_fields else {}


def _synthetic() -> Dataset:
    """Return a small data set with ratings, timestamps, attributes and links."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            USER: rng.integers(0, USERS, ROWS, dtype=np.int32),
            ITEM: rng.integers(0, ITEMS, ROWS, dtype=np.int32),
            RATING: rng.integers(1, 6, ROWS).astype(np.float32),
            TIMESTAMP: np.arange(ROWS, dtype=np.int64) * 1000,
            EVENT: "view",
        }
    ).drop_duplicates([USER, ITEM], ignore_index=True)
    user_numbers, item_numbers = np.arange(USERS), np.arange(ITEMS)
    users = pd.DataFrame({"age": 20.0 + user_numbers, "sex": np.where(user_numbers % 2, "f", "m")})
    items = pd.DataFrame(
        {TITLE: [f"film {item}" for item in item_numbers], CATEGORIES: np.where(item_numbers % 3, "A|B", "B")}
    )
    social = pd.DataFrame({SOURCE: user_numbers, TARGET: (user_numbers + 1) % USERS, WEIGHT: 1.0})
    return dataset_from_frames(frame, name="warm-up", users=users, items=items, social=social)


if __name__ == "__main__":
    for name in MODELS:
        warm_up_model(name)
    warm_up_strategies()
