"""Effect of social links: each social model with and without its social term, on public data.

Settings are the defaults, which were tuned on validation data (10 % of each training set); for `social_mf` and
`social_knn` they were also the best ones without the social term. Both models of a pair have the same settings and
seed; the interval of their difference is a paired bootstrap over users. `trust_svd` has no target.
"""

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.movielens import PUBLIC_DATA
from benchmarks.table import Row
from recsys_core.columns import ITEM, RATING, USER
from recsys_core.contracts import RunContext
from recsys_core.data import Dataset
from recsys_core.data.ingest import ingest, inspect_files, suggest_rules
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.data.workspace import Workspace
from recsys_core.evaluation.comparison import compare
from recsys_core.evaluation.evaluate import N_RATINGS, evaluate
from recsys_core.models.registry import make_model

SEED, FOLDS = 42, 5
FILES = {
    "filmtrust": ("ratings.txt", "trust.txt"),
    "lastfm-2k": ("artists.dat", "user_artists.dat", "user_friends.dat"),
}
WITHOUT = "without links"
EXPECTED = "better than without links, interval excludes 0"
NO_TARGET = "no target"


def run() -> list[Row]:
    """Compare the three pairs."""
    return [
        _of_ratings("social_mf", {"social": 0.0}),
        replace(_of_ratings("trust_svd", {"trust": False}), target=NO_TARGET, reached=True),
        _of_lists("social_knn", {"mix": 0.0}),
    ]


@cache
def with_links(name: str) -> Dataset:
    """Return a public data set with its social table."""
    with tempfile.TemporaryDirectory() as folder:
        guesses = inspect_files([PUBLIC_DATA / name / file for file in FILES[name]])
        data = ingest(guesses, suggest_rules(guesses), Workspace(Path(folder)), name)[0]
        interactions, social = data.interactions, data.social  # read before the folder is deleted
    assert social is not None
    return replace(data, load_interactions=lambda: interactions, load_social=lambda: social, load_items=None)


def _of_ratings(key: str, without_links: dict[str, Any]) -> Row:
    """Cross-validate on FilmTrust; a user's errors are pooled over the folds."""
    splits = make_splits(with_links("filmtrust"), SplitSpec(kind="k_fold", folds=FOLDS), SEED)
    names = {f"{key}": {}, WITHOUT: without_links}
    return _row(
        f"{key} on FilmTrust, RMSE of {FOLDS} folds",
        "rmse",
        {name: _errors([_predicted(key, config, split) for split in splits]) for name, config in names.items()},
        key,
    )


def _predicted(key: str, config: dict[str, Any], split: Split) -> pd.DataFrame:
    """Return `user` and the squared `error` of each test rating."""
    model = make_model(key, config)
    model.fit(split.train, RunContext(seed=SEED))
    test = split.test.interactions
    ratings = model.predict_ratings(split.queries(np.arange(split.train.n_users)))  # type: ignore[attr-defined]
    errors = ratings[test[USER], test[ITEM]] - test[RATING].to_numpy(np.float64)
    return pd.DataFrame({USER: test[USER].to_numpy(), "error": errors**2})


def _errors(folds: list[pd.DataFrame]) -> pd.DataFrame:
    """Return `user`, `rmse` and the number of ratings, one row per user."""
    errors = pd.concat(folds).groupby(USER)["error"].agg(["mean", "size"]).reset_index()
    return pd.DataFrame({USER: errors[USER], "rmse": np.sqrt(errors["mean"]), N_RATINGS: errors["size"]})


def _of_lists(key: str, without_links: dict[str, Any]) -> Row:
    """Evaluate lists on lastfm-2k with a random 20 % of each user's artists held out."""
    split = make_splits(with_links("lastfm-2k"), SplitSpec(), SEED)[0]
    frames = {}
    for name, config in {key: {}, WITHOUT: without_links}.items():
        model = make_model(key, config)
        model.fit(split.train, RunContext(seed=SEED))
        frames[name] = evaluate(model, split, cutoffs=(10,)).per_user
    return _row(f"{key} on lastfm-2k, NDCG@10", "ndcg@10", frames, key)


def _row(what: str, metric: str, frames: dict[str, pd.DataFrame], key: str) -> Row:
    comparison = compare(frames, metric=metric, seed=SEED)
    means = comparison.table.set_index("model")["mean"]
    gain = comparison.against(WITHOUT).iloc[0]
    better = gain["high"] < 0 if metric == "rmse" else gain["low"] > 0
    return Row(
        what,
        EXPECTED,
        f"{means[key]:.4f} against {means[WITHOUT]:.4f}: {gain['difference']:+.5f} "
        f"[{gain['low']:+.5f}, {gain['high']:+.5f}], {len(comparison.users)} users",
        bool(better),
    )
