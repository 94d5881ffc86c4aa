"""Both nearest-neighbor models against dense matrices and plain loops."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from recsys_core.contracts import FloatArray, QueryBatch, Ragged, RatingScale, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import DataError
from recsys_core.experiments.spec import ModelSpec
from recsys_core.models.knn_config import KnnConfig
from recsys_core.models.registry import make_model
from recsys_core.models.similarity import KINDS, Measure
from tests.contract.cases import as_unknown, asking, fitted, tastes, with_ratings
from tests.unit.test_similarity import all_pairs


def small() -> Dataset:
    """14 users and 18 items; about half of the cells are rated, without ties, and every row and column has several."""
    rng = np.random.default_rng(4)
    user, item = np.nonzero(rng.random((14, 18)) < 0.5)
    frame = pd.DataFrame({"user": user.astype(np.int32), "item": item.astype(np.int32)})
    frame["rating"] = rng.uniform(1, 5, len(user)).astype(np.float32)
    frame["timestamp"] = rng.permutation(len(user)).astype(np.int64)
    return dataset_from_frames(frame, rating_scale=RatingScale(1, 5))


SETTINGS: list[dict[str, Any]] = [
    {"similarity": similarity, "centering": centering, "neighbors": 4}
    for similarity in KINDS
    for centering in ("none", "mean", "zscore")
] + [
    {"similarity": "tversky", "tversky_alpha": 0.2, "tversky_beta": 1.5, "centering": "none", "neighbors": 4},
    {"similarity": "cosine", "weighting": "tfidf", "centering": "none", "neighbors": 4},
    {"similarity": "dot", "weighting": "bm25", "bm25_k1": 2.0, "bm25_b": 0.4, "centering": "mean", "neighbors": 4},
]


@pytest.mark.parametrize("config", SETTINGS, ids=lambda config: "-".join(map(str, config.values())))
@pytest.mark.parametrize("key", ["user_knn", "item_knn"])
def test_equals_the_formulas(key: str, config: dict[str, Any]) -> None:
    train = small()
    ratings = dense_ratings(train)
    for aggregation in ("sum", "mean"):
        scores = fitted(key, train, config | {"aggregation": aggregation}).score(train.queries())
        if key == "user_knn":
            expected = _slow_scores(ratings, config, aggregation)
        else:
            expected = _slow_scores_of_items(ratings, config, aggregation)
        np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("key", ["user_knn", "item_knn"])
def test_predictions_fall_back_to_the_mean_of_all_or_to_the_own_mean(key: str) -> None:
    train = small()
    everything = train.interactions["rating"].mean()
    nobody_alike = {"min_overlap": 500}
    raw = fitted(key, train, nobody_alike).predict_ratings(train.queries())
    np.testing.assert_allclose(raw, everything, rtol=1e-6)
    centred = fitted(key, train, nobody_alike | {"centering": "mean"}).predict_ratings(train.queries())
    axis = 1 if key == "user_knn" else 0
    np.testing.assert_allclose(
        centred, np.broadcast_to(np.nanmean(dense_ratings(train), axis, keepdims=True), centred.shape)
    )


@pytest.mark.parametrize("key", ["user_knn", "item_knn"])
@pytest.mark.parametrize("config", [{"similarity": "msd"}, {"centering": "mean"}, {"aggregation": "mean"}])
def test_settings_that_compare_ratings_are_refused_where_there_are_none(key: str, config: dict[str, Any]) -> None:
    setting, value = next(iter(config.items()))
    with pytest.raises(DataError, match=f"{setting}={value} needs ratings, which 'tastes' does not have; use"):
        make_model(key, config).fit(tastes(rated=False), RunContext())


def test_a_twin_is_no_neighbour_but_one_who_rated_otherwise_is() -> None:
    train = small()
    model = fitted("user_knn", train, {"similarity": "msd", "aggregation": "mean", "neighbors": 1})
    query = train.queries(np.array([2]))
    seen = query.history[0]
    twin = model.score(as_unknown(query))[0, seen]
    np.testing.assert_array_equal(twin, model.score(query)[0, seen])
    other = as_unknown(query)
    other.values[0] += 0.25
    assert not np.array_equal(model.score(other)[0, seen], twin)
    np.testing.assert_allclose(model.score(other)[0, seen[1:]], query.values[1:], rtol=1e-6)


def test_known_people_are_not_their_own_neighbours_even_when_they_show_a_part_of_their_history() -> None:
    train = small()
    model = fitted("user_knn", train, {"similarity": "jaccard", "neighbors": 13})
    whole = train.queries(np.array([2]))
    part = QueryBatch(whole.user, Ragged.from_rows([whole.history[0][1:]]), whole.values[1:])
    known, stranger = model.score(part)[0], model.score(as_unknown(part))[0]
    voters = model.explain(part, int(np.flatnonzero(~np.isnan(known))[0])).sources
    assert 2 not in voters
    assert np.nansum(stranger - known) > 0


def test_item_predictions_do_not_depend_on_how_many_similarities_fit_into_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train = tastes()
    model = fitted("item_knn", train)
    expected = model.predict_ratings(train.queries())
    monkeypatch.setattr("recsys_core.models.item_knn.SIMILARITY_BYTES", 16 * train.n_items * 40)
    np.testing.assert_array_equal(model.predict_ratings(train.queries()), expected)


def test_the_latest_of_repeated_ratings_counts_in_training_and_in_the_history() -> None:
    train = small()
    frame = train.interactions
    earlier = frame.assign(rating=0.0, timestamp=frame["timestamp"] - 10**9).astype({"rating": "float32"})
    repeated = train.with_interactions(pd.concat([frame, earlier], ignore_index=True))
    for key in ("user_knn", "item_knn"):
        config = {"similarity": "pearson", "centering": "mean"}
        once, twice = (fitted(key, data, config).score(data.queries()) for data in (train, repeated))
        np.testing.assert_array_equal(twice, once)


def test_an_asymmetric_similarity_is_the_same_from_history_items_and_from_items_to_score() -> None:
    """One user has fewer items than the catalog, so similarities are computed from the history items."""
    train, config = small(), {"similarity": "tversky", "tversky_alpha": 0.2, "tversky_beta": 1.5, "neighbors": 3}
    model = fitted("item_knn", train, config | {"aggregation": "mean"})
    alone = np.concatenate([model.score(train.queries(np.array([user]))) for user in range(train.n_users)])
    np.testing.assert_allclose(alone, model.score(train.queries()), rtol=1e-12)


@pytest.mark.parametrize("key", ["user_knn", "item_knn"])
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"weighting": "bm25", "similarity": "pearson"}, "weighting=bm25 needs similarity=cosine or dot, not pearson"),
        ({"weighting": "tfidf", "iterations": 2}, "weighting=tfidf cannot compare imputed ratings"),
        ({"similarity": "tversky", "iterations": 2}, "similarity=tversky ignores rating values"),
    ],
)
def test_a_weighting_that_cannot_be_used_is_refused(key: str, config: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fitted(key, tastes(), config)


@pytest.mark.parametrize("key", ["user_knn", "item_knn"])
def test_negative_ratings_are_not_weighted(key: str) -> None:
    ratings = np.linspace(-1, 1, tastes().n_interactions)
    train = with_ratings(tastes(), ratings, RatingScale(-1, 1))
    with pytest.raises(DataError, match="needs values of at least 0, but the lowest is -1"):
        fitted(key, train, {"weighting": "tfidf"})


@pytest.mark.parametrize("key", ["user_knn", "item_knn", "social_knn"])
def test_settings_added_later_are_not_part_of_the_id_at_their_defaults(key: str) -> None:
    config = make_model(key).config.model_dump(mode="json")
    added = set(KnnConfig.added)
    assert added < set(config)
    assert make_model(key).config.without_added(config) == {n: v for n, v in config.items() if n not in added}
    assert ModelSpec(key=key, config={"weighting": "bm25"}).id != ModelSpec(key=key).id


def test_nobody_alike_means_no_score_rather_than_zero() -> None:
    train = with_ratings(tastes(), np.ones(tastes().n_interactions), tastes().rating_scale)
    scores = fitted("user_knn", train, {"similarity": "pearson"}).score(asking([[1, 2, 3]]))
    assert np.isnan(scores).all()


def _slow_scores(ratings: FloatArray, config: dict[str, Any], aggregation: str) -> FloatArray:
    """(U, I) user kNN scores, from (U, I) ratings with NaN for none."""
    compared = ratings - np.nanmean(ratings, axis=0) if config["similarity"] == "adjusted_cosine" else ratings
    similarity = all_pairs(slowly_weighted(compared, config), slow_measure(config))
    mean, spread = slow_level(ratings, config["centering"])
    deviation = (ratings - mean[:, None]) / spread[:, None]
    scores = np.full(ratings.shape, np.nan)
    for user in range(len(ratings)):
        others = [v for v in _by_similarity(similarity[user]) if v != user]
        for item in range(ratings.shape[1]):
            asked = others[: config["neighbors"]] if aggregation == "sum" else others
            voters = [v for v in asked if not np.isnan(ratings[v, item])][: config["neighbors"]]
            if not voters:
                continue
            votes = sum(similarity[user, v] * deviation[v, item] for v in voters)
            weights = sum(similarity[user, v] for v in voters)
            scores[user, item] = votes if aggregation == "sum" else mean[user] + spread[user] * votes / weights
    return scores


def _slow_scores_of_items(ratings: FloatArray, config: dict[str, Any], aggregation: str) -> FloatArray:
    """(U, I) item kNN scores."""
    adjusted = config["similarity"] == "adjusted_cosine"
    compared = ratings - np.nanmean(ratings, axis=1, keepdims=True) if adjusted else ratings
    similarity = all_pairs(slowly_weighted(compared.T, config), slow_measure(config))
    mean, spread = slow_level(ratings.T, config["centering"])
    deviation = (ratings - mean) / spread
    scores = np.full(ratings.shape, np.nan)
    for item in range(ratings.shape[1]):
        others = [j for j in _by_similarity(similarity[item]) if j != item]
        for user in range(len(ratings)):
            asked = others[: config["neighbors"]] if aggregation == "sum" else others
            sources = [j for j in asked if not np.isnan(ratings[user, j])][: config["neighbors"]]
            if not sources:
                continue
            support = sum(similarity[item, j] * deviation[user, j] for j in sources)
            weights = sum(similarity[item, j] for j in sources)
            scores[user, item] = support if aggregation == "sum" else mean[item] + spread[item] * support / weights
    return scores


def slow_measure(config: dict[str, Any]) -> Measure:
    alpha, beta = config.get("tversky_alpha", 0.5), config.get("tversky_beta", 0.5)
    return Measure(KINDS[config["similarity"]], 0.0, False, 1, alpha, beta)


def slowly_weighted(rows: FloatArray, config: dict[str, Any]) -> FloatArray:
    """(R, C) TF-IDF or BM25 of a dense matrix with NaN for no entry."""
    if "weighting" not in config:
        return rows
    rarity = np.log(len(rows) / (1 + (~np.isnan(rows)).sum(axis=0)))
    if config["weighting"] == "tfidf":
        return np.sqrt(rows) * rarity
    sums, k1, b = np.nansum(rows, axis=1, keepdims=True), config["bm25_k1"], config["bm25_b"]
    return rows * (k1 + 1) / (k1 * (1 - b + b * sums / sums.mean()) + rows) * rarity


def _by_similarity(similarity: FloatArray) -> list[int]:
    return [int(p) for p in np.argsort(-similarity, kind="stable") if similarity[p] > 0]


def slow_level(rows: FloatArray, centering: str) -> tuple[FloatArray, FloatArray]:
    if centering == "none":
        return np.zeros(len(rows)), np.ones(len(rows))
    mean = np.nanmean(rows, axis=1)
    return mean, np.nanstd(rows, axis=1) if centering == "zscore" else np.ones(len(rows))


def dense_ratings(data: Dataset) -> FloatArray:
    """(U, I) ratings, NaN where there is none."""
    ratings = np.full((data.n_users, data.n_items), np.nan)
    frame = data.interactions
    ratings[frame["user"], frame["item"]] = frame["rating"]
    return ratings


def test_equally_similar_items_come_in_the_order_of_their_positions() -> None:
    """Items 1 to 30 are equally similar to item 0, 1 / sqrt(2), which single precision rounds down."""
    pairs = [(0, 0), (1, 0), *((0, item) for item in range(1, 31))]
    frame = pd.DataFrame(pairs, columns=["user", "item"]).astype(np.int32)
    model = fitted("item_knn", dataset_from_frames(frame), {"neighbors": 5})
    speaks_for_0 = np.flatnonzero(model.item_weights.toarray()[:, 0])
    assert_array_equal(speaks_for_0, [1, 2, 3, 4, 5])


def test_shrinkage_in_the_denominator_is_that_of_other_libraries() -> None:
    """Items 0 and 1 share two users of two and three: 2 / (sqrt(2) sqrt(3) + 5)."""
    pairs = [(0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (2, 2)]
    frame = pd.DataFrame(pairs, columns=["user", "item"]).astype(np.int32)
    config = {"shrinkage": 5.0, "shrinkage_form": "denominator"}
    weights = fitted("item_knn", dataset_from_frames(frame), config).item_weights.toarray()
    assert weights[0, 1] == pytest.approx(2 / (6**0.5 + 5))
    assert weights[1, 2] == pytest.approx(1 / (3**0.5 + 5))
    assert weights[0, 2] == 0.0
