"""Topic LFM and content-based models against popularity on MovieLens, for known and for cold-start items.

Settings are the defaults, which were tuned on validation data taken from the training data. Every test rating counts as
relevant; the interval of a difference is a paired bootstrap over users.
"""

import tempfile
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.movielens import PUBLIC_DATA, THREADS, seconds_of
from benchmarks.table import Row
from recsys_core.contracts import RunContext
from recsys_core.data import Dataset
from recsys_core.data.ingest import ingest, inspect_files, suggest_rules
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.data.workspace import Workspace
from recsys_core.evaluation.comparison import compare
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.models.registry import make_model

SEED = 42
METRIC = "ndcg@10"
FILES = {
    "ML-1M": ("ml-1m", "ratings.dat", "movies.dat"),
    "ml-latest-small": ("ml-latest-small", "ratings.csv", "movies.csv"),
}
KNOWN_ITEMS: dict[str, dict[str, Any]] = {"popular": {}, "lfm": {}, "content_mean": {"form": "content"}}
NEW_ITEMS: dict[str, dict[str, Any]] = {"popular": {}, "content_features": {}, "lfm": {}, "item_knn": {}}
CANNOT_SCORE = "item_knn"


def run() -> list[Row]:
    """Evaluate all models on both data sets: 20 % of each user's ratings held out, then 20 % of the items."""
    rows = []
    for name in FILES:
        rows += _of_known_items(name) + _of_new_items(name)
    return rows


@cache
def with_items(name: str) -> Dataset:
    """Return ratings with the item table."""
    folder, *files = FILES[name]
    with tempfile.TemporaryDirectory() as workspace:
        guesses = inspect_files([PUBLIC_DATA / folder / file for file in files])
        data = ingest(guesses, suggest_rules(guesses), Workspace(Path(workspace)), name)[0]
        interactions, items = data.interactions, data.items  # read before the folder is deleted
    assert items is not None
    return replace(data, load_interactions=lambda: interactions, load_items=lambda: items)


def _of_known_items(name: str) -> list[Row]:
    frames, seconds = _evaluated(name, SplitSpec(), KNOWN_ITEMS)
    return [
        _against_popular(f"{key} on {name}, NDCG@10; trained in {seconds[key]:.1f} s", frames, key)
        for key in KNOWN_ITEMS
        if key != "popular"
    ]


def _of_new_items(name: str) -> list[Row]:
    frames, _ = _evaluated(name, SplitSpec(kind="item_holdout"), NEW_ITEMS)
    unscored = float(frames[CANNOT_SCORE][METRIC].mean())
    return [
        *(
            _against_popular(f"{key} on cold-start items of {name}, NDCG@10 among these", frames, key)
            for key in NEW_ITEMS
            if key not in ("popular", CANNOT_SCORE)
        ),
        Row(
            f"{CANNOT_SCORE} on cold-start items of {name}, NDCG@10",
            "0: it cannot score them",
            f"{unscored:.4f}",
            unscored == 0.0,
        ),
    ]


def _evaluated(
    name: str, spec: SplitSpec, models: dict[str, dict[str, Any]]
) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """Return per-user metrics and training time in seconds of each model."""
    split = make_splits(with_items(name), spec, SEED)[0]
    frames, seconds = {}, {}
    for key, config in models.items():
        model = make_model(key, config)
        seconds[key] = seconds_of(partial(model.fit, split.train, RunContext(seed=SEED, threads=THREADS)))
        frames[key] = evaluate(model, split, cutoffs=(10,), ctx=RunContext(seed=SEED)).per_user
    return frames, seconds


def _against_popular(what: str, frames: dict[str, pd.DataFrame], key: str) -> Row:
    comparison = compare(frames, metric=METRIC, seed=SEED)
    means = comparison.table.set_index("model")["mean"]
    gain = comparison.against("popular").set_index("model").loc[key]
    interval = f"{gain['difference']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]"
    return Row(
        what,
        f"above popularity, {means['popular']:.4f}",
        f"{means[key]:.4f}: {interval}, {len(comparison.users)} users",
        bool(gain["low"] > 0),
    )
