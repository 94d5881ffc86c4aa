"""Shared cases of the sweep over all models: small data of each kind, and models fitted to them.

Models with special requirements have an entry in the tables below. `tastes` has ratings, timestamps, item and user
tables, and links; `furnished` adds these to other worlds.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import (
    PAD,
    FloatArray,
    FoldIn,
    IntArray,
    Need,
    Progress,
    QueryBatch,
    Ragged,
    RatingScale,
    RunContext,
)
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.models.base import Recommender
from recsys_core.models.registry import MODELS, make_model, model_class


def models_under_test() -> tuple[str, ...]:
    """Return the keys of all models; those of the first model per family with RECSCOPE_TEST_MATRIX=small."""
    if os.environ.get("RECSCOPE_TEST_MATRIX", "full") == "full":
        return tuple(MODELS)
    first = {model_class(key).info.family: key for key in reversed(MODELS)}
    return tuple(key for key in MODELS if key in first.values())


KEYS = models_under_test()
USERS, ITEMS = 60, 150
MINUTE = 60_000

SMALL_NET: dict[str, Any] = {"embedding_dim": 8, "epochs": 2, "patience": 0, "batch_size": 16, "learning_rate": 0.01}
QUICK: dict[str, dict[str, Any]] = {
    "sasrec": SMALL_NET | {"n_layers": 1},
    "rnn": SMALL_NET,
    "cnn": SMALL_NET,
    "interest_attention": SMALL_NET | {"points": 2, "memory": 10},
    "mlp": SMALL_NET | {"hidden": 8, "batch_size": 256},
    "recursive": SMALL_NET,
    "mult_vae": SMALL_NET | {"hidden": 8},
    "lightgcn": SMALL_NET | {"batch_size": 256},
    "two_tower": SMALL_NET | {"hidden": 8, "batch_size": 64},
    "seq2seq": SMALL_NET | {"steps": 2},
}
"""Settings with which a network trains quickly; tests override what they are about."""

BESIDE: dict[str, dict[str, Any]] = {
    "negatives": {"loss": "bce"},
    "calibration": {"loss": "gbce", "negatives": 8},
    "patience": {"epochs": 12},
    "sasrec.mask_share": {"mask": "cloze"},
    "rnn.popularity_exponent": {"loss": "bpr_max"},
    "rnn.score_regularization": {"loss": "bpr_max"},
    "seq2seq.scheduled_sampling": {"steps": 3, "share": 1.0},
    "seq2seq.share": {"steps": 3},
    "seq2seq.beam_width": {"decoding": "beam"},
    "shrinkage_form": {"shrinkage": 30.0},
    "tolerance": {"iterations": 10},
    "bm25_k1": {"weighting": "bm25"},
    "bm25_b": {"weighting": "bm25"},
    "tversky_alpha": {"similarity": "tversky"},
    "tversky_beta": {"similarity": "tversky"},
    "association_rules.max_length": {"min_support": 0.15},
    "association_rules.session_gap": {"baskets": "session", "min_support": 0.005, "min_confidence": 0.05},
    "social_knn.decay": {"hops": 3},
    "recent_popular.weighting": {"max_age": 1.0},
    "recent_popular.max_age": {"weighting": "window"},
    "session_knn.candidates": {"sessions": "gap", "session_gap": 120.0, "neighbors": 1000},
    "session_knn.item_decay": {"recency": "exponential"},
    "session_knn.session_gap": {"sessions": "gap"},
    "mult_vae.kl_weight": {"anneal_epochs": 0},
    "ensemble.scaling": {"method": "weighted"},
    "ensemble.regularization": {"method": "stacked"},
    "markov.decay": {"last_items": 5},
    "slim.nonnegative": {"l1_regularization": 0.5, "l2_regularization": 10.0},
}
"""Settings that have an effect only with others, which the test sets; named `setting` or `key.setting`."""

TEXTS: dict[str, tuple[str, ...]] = {
    "ensemble.members": ("ease + popular", "3 * ease + popular", "ease(regularization=5) + popular"),
}
"""Values of settings that are texts, of which no two give the same answers; named `key.setting`."""

NUMBERS: dict[str, tuple[float, ...]] = {"patience": (0, 1)}
"""Values of settings whose typical range would take long training; named `setting`."""

FITTING: dict[str, dict[str, Any]] = {
    "pure_svd": {"factors": 2},
    "nmf": {"factors": 2},
    "content_features": {"attribute_weight": 0.5},
    "biased_mf": {"factors": 8, "epochs": 200, "learning_rate": 0.02},
    "social_mf": {"factors": 8, "epochs": 200, "learning_rate": 0.02, "graph": "co_rating"},
    "trust_svd": {"factors": 8, "epochs": 200, "learning_rate": 0.02, "regularization": 0.1, "graph": "co_rating"},
    "social_knn": {"graph": "co_rating"},
    "markov": {"last_items": 100, "decay": 1.0},
    "sasrec": {"embedding_dim": 32, "epochs": 20, "dropout": 0.3, "learning_rate": 0.003},
    "rnn": {"embedding_dim": 16, "epochs": 15, "dropout": 0.0},
    "cnn": {"embedding_dim": 16, "epochs": 15, "dropout": 0.0},
    "interest_attention": {"embedding_dim": 32, "epochs": 15, "dropout": 0.3, "learning_rate": 0.01},
    "mlp": {"embedding_dim": 16, "epochs": 10},
    "recursive": {"embedding_dim": 16, "epochs": 15, "dropout": 0.0},
    "two_tower": {"embedding_dim": 16, "hidden": 32, "epochs": 10, "batch_size": 1024},
    "lightgcn": {"embedding_dim": 16, "epochs": 60, "batch_size": 256, "learning_rate": 0.01},
    "mult_vae": {"embedding_dim": 16, "hidden": 32, "epochs": 60, "learning_rate": 0.01},
    "seq2seq": {"embedding_dim": 16, "epochs": 15, "dropout": 0.0},
}
"""Settings for worlds much smaller than the defaults are tuned for."""

CENTRED: dict[str, Any] = {"similarity": "pearson", "centering": "mean"}
SOCIAL_CENTRED = CENTRED | FITTING["social_knn"]
RATING_PREDICTION = FITTING | {"user_knn": CENTRED, "item_knn": CENTRED, "social_knn": SOCIAL_CENTRED}
"""Settings for rating prediction."""


@cache
def tastes(users: int = USERS, items: int = ITEMS, *, rated: bool = True, seed: int = 0) -> Dataset:
    """Two groups of users, each preferring one half of the items; ratings from 0 to 5 without ties.

    One interaction per minute. Item and user tables and links correlate with halves and groups, but not perfectly, and
    have missing values.
    """
    rng = np.random.default_rng(seed)
    likes = (np.arange(users)[:, None] % 2) == (np.arange(items)[None, :] % 2)
    seen = rng.random((users, items)) < np.where(likes, 0.4, 0.15)
    user, item = np.nonzero(seen)
    order = rng.permutation(len(user))
    user, item = user[order], item[order]
    frame = pd.DataFrame({"user": user.astype(np.int32), "item": item.astype(np.int32)})
    if rated:
        frame["rating"] = (1 + 2 * likes[user, item] + 2 * rng.random(len(user))).astype(np.float32)
    frame["timestamp"] = np.arange(len(user), dtype=np.int64) * MINUTE
    frame["event"] = "view"
    data = dataset_from_frames(
        frame,
        name="tastes",
        user_ids=[f"u{u}" for u in range(users)],
        item_ids=[f"i{i}" for i in range(items)],
        rating_scale=RatingScale(0, 5) if rated else None,
    )
    return replace(
        data,
        load_items=lambda: item_table(items, seed),
        load_users=lambda: user_table(users, seed),
        load_social=lambda: links(users, seed),
    )


def item_table(items: int, seed: int = 0, *, blurred: float = 0.2) -> pd.DataFrame:
    """Titles, categories, prices and dates; even and odd items differ in their words and in frequent values. A share of
    the items, `blurred`, has a category of the other half.
    """
    rng = np.random.default_rng([seed, 1])
    half = np.arange(items) % 2
    words = np.array([["river", "forest", "meadow", "summer"], ["engine", "rocket", "planet", "robot"]])
    common = np.array(["night", "story", "return", "house", "letter"])
    kinds = np.array([["romance", "drama"], ["action", "thriller"]])
    rows = []
    for one in half:
        own, side = rng.permutation(words[one]), 1 - one if rng.random() < blurred else one
        rows.append(
            {
                "title": f"{rng.choice(common)} {own[0]} {own[1]}",
                "categories": "|".join([rng.choice(kinds[side]), *rng.choice(["comedy", "short", "classic"], 1)]),
                "price": round(float(rng.lognormal(2.0 + one, 0.5)), 2) if rng.random() < 0.9 else np.nan,
                "released": f"{rng.integers(1980, 2020)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}",
            }
        )
    return pd.DataFrame(rows)


def user_table(users: int, seed: int = 0) -> pd.DataFrame:
    """Age, sex and city; even and odd users differ in ages and cities; some ages are missing."""
    rng = np.random.default_rng([seed, 2])
    group = np.arange(users) % 2
    age = pd.array(rng.normal(28 + 14 * group, 6).round().astype(np.int64), dtype="Int64")
    age[rng.random(users) < 0.1] = pd.NA
    cities = np.array([["Kyoto", "Oslo", "Quito"], ["Lagos", "Turin", "Quito"]])
    city = [str(rng.choice(cities[one])) for one in group]
    return pd.DataFrame({"age": age, "sex": rng.choice(["f", "m"], users), "city": city})


def links(users: int, seed: int = 0) -> pd.DataFrame:
    """Weighted links, six per user, three in four of them within the own group; every tenth user has none."""
    rng = np.random.default_rng([seed, 3])
    source = np.repeat(np.arange(users), 6)
    own = rng.random(len(source)) < 0.75
    target = (source + 2 * rng.integers(1, max(2, users // 2), len(source)) + ~own) % users
    frame = pd.DataFrame({"source": source.astype(np.int32), "target": target.astype(np.int32)})
    frame["weight"] = rng.uniform(0.5, 2.0, len(source)).astype(np.float32)
    alone = (frame["source"] % 10 == 9) | (frame["target"] % 10 == 9)
    frame = frame[(frame["source"] != frame["target"]) & ~alone]
    return frame.drop_duplicates(["source", "target"]).reset_index(drop=True)


def furnished(data: Dataset) -> Dataset:
    """Return the data with missing tables, links and timestamps added; ratings are not.

    The tables are those of `tastes`: even and odd users and items differ, and categories follow the halves.
    """
    missing = set(data.lacks(frozenset(Need)))
    if Need.TIMESTAMPS in missing:
        times = np.arange(data.n_interactions, dtype=np.int64) * MINUTE
        data = _of_frame(data, data.interactions.assign(timestamp=times))
    if Need.EVENTS in missing:
        data = _of_frame(data, data.interactions.assign(event="view"))
    return replace(
        data,
        load_items=data.load_items or (lambda: item_table(data.n_items, blurred=0.0)),
        load_users=data.load_users or (lambda: user_table(data.n_users)),
        load_social=data.load_social or (lambda: links(data.n_users)),
    )


def without(data: Dataset, need: Need) -> Dataset:
    """Return the data without what satisfies `need`."""
    if need is Need.ITEM_FEATURES:
        return replace(data, load_items=None)
    if need is Need.USER_FEATURES:
        return replace(data, load_users=None)
    if need is Need.SOCIAL:
        return replace(data, load_social=None)
    column = {Need.RATINGS: "rating", Need.TIMESTAMPS: "timestamp", Need.EVENTS: "event"}[need]
    data = _of_frame(data, data.interactions.drop(columns=column))
    return replace(data, rating_scale=None) if need is Need.RATINGS else data


def of_items(data: Dataset, items: IntArray) -> Dataset:
    """Return the data of the given items only, (K,) distinct positions, in the given order."""
    place = np.full(data.n_items, PAD)
    place[items] = np.arange(len(items))
    frame = data.interactions.assign(item=place[data.interactions["item"]].astype(np.int32))
    frame = frame[frame["item"] != PAD].reset_index(drop=True)
    ids = list(data.item_vocabulary.ids)
    return dataset_from_frames(
        frame,
        user_ids=list(data.user_vocabulary.ids),
        item_ids=[ids[item] for item in items],
        users=data.users,
        items=None if data.items is None else data.items.iloc[items].reset_index(drop=True),
        social=data.social,
        rating_scale=data.rating_scale,
    )


def with_ratings(data: Dataset, rating: FloatArray, scale: RatingScale) -> Dataset:
    """Return the same interactions with ratings."""
    frame = data.interactions.assign(rating=np.asarray(rating, dtype=np.float32))
    return replace(_of_frame(data, frame), rating_scale=scale)


def _of_frame(data: Dataset, frame: pd.DataFrame) -> Dataset:
    return replace(data, load_interactions=lambda: frame, columns=frozenset(frame.columns), fingerprint="")


def needs_ratings(key: str) -> bool:
    return Need.RATINGS in model_class(key).info.needs


def by_history(key: str) -> bool:
    """Return whether a model declares that its scores depend on the history alone, not on the user."""
    return model_class(key).info.fold_in in (FoldIn.EXACT, FoldIn.SEQUENCE)


def fitted(
    key: str, train: Dataset, config: dict[str, Any] | None = None, *, ctx: RunContext | None = None
) -> Recommender[Any]:
    model = make_model(key, QUICK.get(key, {}) | (config or {}))
    model.fit(train, ctx or RunContext())
    return model


def trained(key: str) -> Recommender[Any]:
    """Return the model with quick settings, fitted to `tastes()` once per process; tests must not change it."""
    return trained_with_reports(key)[0]


@cache
def trained_with_reports(key: str) -> tuple[Recommender[Any], tuple[Progress, ...]]:
    """Return the model of `trained` and the progress reported by its training."""
    ctx, reports = recording()
    model = fitted(key, tastes(), ctx=ctx)
    return model, tuple(reports)


def is_network(key: str) -> bool:
    """Return whether sums are computed by torch, whose last digits depend on the batch size."""
    return model_class(key).info.runtime == "torch" and key != "ensemble"  # its default members are arrays


def assert_same_scores(key: str, found: FloatArray, expected: FloatArray) -> None:
    if is_network(key):
        assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    else:
        assert_array_equal(found, expected)


def asking(
    histories: Sequence[Sequence[int]], *, users: Sequence[int] | None = None, value: float | Sequence[float] = 3.0
) -> QueryBatch:
    """Return the query of users with these histories; unknown users by default.

    value: Rating of every entry, or (N,) ratings of all entries.
    """
    rows = Ragged.from_rows(histories)
    positions = np.full(len(histories), PAD) if users is None else np.asarray(users)
    return QueryBatch(positions, rows, np.full(len(rows.values), value, dtype=np.float32))


def as_unknown(query: QueryBatch) -> QueryBatch:
    """Return the same histories as queries of unknown users."""
    return QueryBatch(np.full(len(query), PAD), query.history, query.values, query.timestamps)


def recording(stop: Callable[[list[Progress]], bool] = lambda reports: False) -> tuple[RunContext, list[Progress]]:
    """Return a context that records progress and requests cancellation when `stop` returns True."""
    reports: list[Progress] = []
    return RunContext(report=reports.append, stop_requested=lambda: stop(reports)), reports
