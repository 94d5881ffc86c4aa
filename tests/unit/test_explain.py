"""Views of trained models: against manual results where possible, and by the sums that must hold."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import PAD, QueryBatch, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import CannotScore
from recsys_core.explain.content import matched_terms
from recsys_core.explain.deletion import deletion_effects, reads_histories
from recsys_core.explain.factors import space, tastes, topics
from recsys_core.explain.groups import alike_items, alike_users, clustered
from recsys_core.explain.neighbors import around, nearest, shared_items
from recsys_core.explain.registry import VIEWS, views_of
from recsys_core.explain.rules import rules
from recsys_core.explain.score_parts import arithmetic, largest_parts
from recsys_core.explain.social import graph
from recsys_core.explain.training import has_curves, points
from recsys_core.explain.view import ViewData, ViewRequest
from recsys_core.models.registry import MODELS, make_model, model_class
from recsys_core.viz.inside_views import PICTURES
from recsys_core.viz.theme import HEAT_LABEL
from tests.contract.cases import tastes as two_groups

RATINGS = np.array(
    [
        [5, 3, 0, 1, 4, 0],
        [4, 2, 0, 1, 5, 2],
        [1, 1, 5, 5, 0, 4],
        [0, 1, 5, 4, 1, 5],
        [5, 4, 1, 0, 5, 1],
    ],
    dtype=float,
)
"""(U, I) ratings from 1 to 5, 0 where missing: users 0, 1 and 4 are similar, and so are 2 and 3."""


def small() -> Dataset:
    user, item = np.nonzero(RATINGS)
    frame = pd.DataFrame({"user": user, "item": item, "rating": RATINGS[user, item]})
    return dataset_from_frames(frame.astype({"user": "int32", "item": "int32", "rating": "float32"}))


def request(
    key: str, data: Dataset, user: int = 0, item: int = 2, *, known: bool = True, **config: object
) -> ViewRequest:
    choices = config.pop("choices", {})
    model = make_model(key, dict(config))
    model.fit(data, RunContext())
    query = data.queries(np.array([user]))
    if not known:
        query = QueryBatch(np.array([PAD]), query.history, query.values, query.timestamps)
    return ViewRequest(model, data, query, item, choices=choices)  # type: ignore[arg-type]


def test_every_view_belongs_to_an_algorithm_and_can_be_loaded() -> None:
    assert {name for key in MODELS for name in model_class(key).info.views} == set(VIEWS)
    for key in MODELS:
        for view in views_of(model_class(key).info, None):
            assert callable(view.look)


def test_shared_items_make_the_pearson_correlation_by_hand() -> None:
    """Users 0 and 1 share items 0, 1, 3, 4 with ratings (5, 3, 1, 4) and (4, 2, 1, 5).

    Means 3.25 and 3; deviations (1.75, -.25, -2.25, .75) and (1, -1, -2, 2); products (1.75, .25, 4.5, 1.5), sum 8;
    squares 8.75 and 10; 8 / sqrt(87.5) = 0.855236. Item 3 contributes most: 4.5 / 9.354143 = 0.481070.
    """
    view_data = shared_items(request("user_knn", small(), similarity="pearson", choices={"neighbour": "1"}))
    assert view_data.facts["similarity"] == pytest.approx(0.855236, abs=1e-6)
    assert view_data.facts["shares"] == pytest.approx(0.855236, abs=1e-6)
    assert view_data.table["item"].iloc[0] == 3
    assert view_data.table["share"].iloc[0] == pytest.approx(0.481070, abs=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        *({"similarity": name} for name in ("cosine", "adjusted_cosine", "pearson", "jaccard", "dot")),
        {"similarity": "tversky", "tversky_alpha": 0.2},
        {"weighting": "tfidf"},
        {"weighting": "bm25", "similarity": "dot"},
    ],
    ids=str,
)
def test_shares_of_items_sum_to_the_similarity_of_the_model(settings: dict[str, Any]) -> None:
    asked = request("user_knn", two_groups(), **settings)
    view_data = shared_items(asked)
    assert view_data.facts["shares"] == pytest.approx(view_data.facts["similarity"], abs=1e-5)
    assert view_data.facts["neighbour"] == nearest(asked).table["user_id"].iloc[0]


def test_a_measure_that_is_no_sum_says_so() -> None:
    assert np.isnan(shared_items(request("user_knn", small(), similarity="msd")).facts["shares"])


def test_the_shared_items_of_clicks_show_the_overlap() -> None:
    """User 0 has 4 items and user 1 has 5; all 4 are shared, so the union has 5."""
    frame = small().interactions[["user", "item"]]
    clicks = dataset_from_frames(frame, user_ids=list("01234"), item_ids=list("abcdef"))
    view_data = shared_items(request("user_knn", clicks, similarity="jaccard", choices={"neighbour": "1"}))
    assert str(PICTURES["shared"].more(view_data)) == (
        "That is 80% of the 5 items that either of them has: 4 of this user, 5 of user '1'."
    )
    bars = {bar.name: bar.x[0] for bar in PICTURES["shared"].draw(view_data).data[:3]}
    assert bars == {"only this user": 0, "both": 4, "only user 1": 1}


def test_with_ratings_the_shared_items_show_their_agreement() -> None:
    view_data = shared_items(request("user_knn", small(), choices={"neighbour": "1"}))
    assert PICTURES["shared"].more(view_data) is None
    assert [trace.name for trace in PICTURES["shared"].draw(view_data).data] == ["this user", "user 1"]


@pytest.mark.parametrize("members", [alike_users, alike_items])
def test_a_heat_map_leaves_room_for_its_cells_on_a_narrow_screen(members: Callable[[ViewRequest], ViewData]) -> None:
    data = dataset_from_frames(
        small().interactions, items=pd.DataFrame({"title": [f"{n} " + "word " * 9 for n in range(6)]})
    )
    view_data = members(request("user_knn" if members is alike_users else "item_knn", data))
    figure = PICTURES["users" if members is alike_users else "items"].draw(view_data)
    assert figure.data[0].colorbar.orientation == "h"
    assert max(len(label) for label in figure.layout.yaxis.ticktext) <= HEAT_LABEL + len("▶ 1. ")


def test_nearest_counts_shared_items() -> None:
    view_data = nearest(request("user_knn", small()))
    assert view_data.table["user_id"].tolist()[:2] == ["4", "1"]
    assert view_data.table["shared"].tolist()[:2] == [3, 4]
    assert str(PICTURES["nearest"].sentence(view_data)).endswith(" and shares 3 of 4 items.")


def test_those_alike_stand_together() -> None:
    order = clustered(np.kron(np.eye(2), np.ones((3, 3)))[[0, 3, 1, 4, 2, 5]][:, [0, 3, 1, 4, 2, 5]])
    group = np.array([0, 1, 0, 1, 0, 1])[order]
    assert len(set(group[:3])) == len(set(group[3:])) == 1


def test_the_map_of_users_holds_the_similarities_of_the_model() -> None:
    asked = request("user_knn", small(), similarity="cosine")
    table = alike_users(asked).table.set_index(["first", "second"])["similarity"]
    one, two = RATINGS[2], RATINGS[3]
    assert table["2", "3"] == pytest.approx(one @ two / np.linalg.norm(one) / np.linalg.norm(two), abs=1e-6)
    assert table["0", "4"] == table["4", "0"]
    assert np.isnan(table["0", "0"])


@pytest.mark.parametrize("group", ["nearest", "busiest"])
def test_the_map_of_users_holds_the_mean_of_both_directions(group: str) -> None:
    asked = request(
        "user_knn", small(), similarity="tversky", tversky_alpha=2.0, tversky_beta=0.0, choices={"group": group}
    )
    table = alike_users(asked).table.set_index(["first", "second"])["similarity"]
    both, only_0, only_1 = 4, 0, 1  # items in common; of user 0 and of user 1 alone
    means = (both / (both + 2 * only_0) + both / (both + 2 * only_1)) / 2
    assert table["0", "1"] == table["1", "0"] == pytest.approx(means, abs=1e-6)


def test_the_map_of_items_holds_weights_of_both_directions() -> None:
    asked = request("ease", small(), regularization=1.0)
    table = alike_items(asked).table.set_index(["first", "second"])["similarity"]
    weights = asked.model.item_weights  # type: ignore[attr-defined]
    assert table["0", "4"] == pytest.approx((weights[0, 4] + weights[4, 0]) / 2, abs=1e-7)


def test_weights_around_an_item_mark_what_the_person_has() -> None:
    asked = request("ease", small(), item=2, regularization=1.0)
    table = around(asked).table
    weights = asked.model.item_weights  # type: ignore[attr-defined]
    assert_allclose(table["weight"], weights[table["item"], 2], rtol=1e-6)
    assert table["weight"].is_monotonic_decreasing
    assert_array_equal(table["held"], np.isin(table["item"], [0, 1, 3, 4]))


@pytest.mark.parametrize(
    ("key", "config"),
    [
        ("user_knn", {}),
        ("item_knn", {}),
        ("ease", {"regularization": 1.0}),
    ],
)
def test_each_term_is_the_product_of_its_factors(key: str, config: dict[str, object]) -> None:
    view_data = arithmetic(request(key, small(), **config))
    assert_allclose(view_data.table["similarity"] * view_data.table["vote"], view_data.table["weight"], rtol=1e-5)
    assert view_data.table["weight"].sum() + view_data.facts["remainder"] == pytest.approx(
        view_data.facts["score"], abs=1e-6
    )
    assert view_data.facts["parts"]["weight"].sum() == pytest.approx(view_data.facts["score"], abs=1e-6)


def test_parts_left_over_are_joined() -> None:
    asked = request("item_knn", two_groups(), item=1)
    found = asked.model.explain(asked.query, 1)  # type: ignore[attr-defined]
    parts = largest_parts(found, asked.dataset, 3)
    assert parts["title"].iloc[3] == f"{len(found.sources) - 3} other terms"
    assert parts["weight"].sum() == pytest.approx(found.score)


def test_tastes_add_what_the_axis_says() -> None:
    asked = request("biased_mf", two_groups(), factors=6)
    table = space(asked).table
    model = asked.model
    added = model.item_factors @ model.user_factors[0].astype(float)  # type: ignore[attr-defined]
    assert_allclose(table["taste"], added[table["item"]], rtol=1e-5, atol=1e-7)
    assert set(table["role"]) == {"history", "recommended", "rest"}


def test_tastes_come_strongest_first_and_in_full() -> None:
    asked = request("biased_mf", two_groups(), factors=6)
    all_views = [
        tastes(ViewRequest(asked.model, asked.dataset, asked.query, 0, choices={"taste": n})) for n in "123456"
    ]
    strengths = all_views[0].facts["strengths"]
    assert strengths == sorted(strengths, reverse=True)
    model = asked.model
    person, item = model.user_factors[0].astype(float), int(all_views[0].table["item"].iloc[0])  # type: ignore[attr-defined]
    assert np.linalg.norm([view_data.facts["person"] for view_data in all_views]) == pytest.approx(
        np.linalg.norm(person), rel=1e-5
    )
    assert all_views[0].table["taste"].iloc[0] <= np.linalg.norm(model.item_factors[item]) + 1e-6  # type: ignore[attr-defined]


def test_leaving_out_an_item_of_a_sum_takes_its_part_away() -> None:
    """In EASE the score is a sum over the history, so the influence of an item is exactly its contribution."""
    asked = request("ease", small(), regularization=1.0)
    parts = asked.model.explain(asked.query, 2)  # type: ignore[attr-defined]
    found = deletion_effects(asked.model, asked.query, 2)
    effects = dict(zip(found.sources.tolist(), found.effects, strict=True))
    assert found.score == pytest.approx(found.folded)
    for source, weight in zip(parts.sources.tolist(), parts.weights, strict=True):
        assert effects[source] == pytest.approx(weight, abs=1e-6)


def test_effects_begin_with_the_latest_and_change_nothing() -> None:
    asked = request("biased_mf", small(), factors=2)
    before = asked.query.history.values.copy()
    found = deletion_effects(asked.model, asked.query, 2)
    assert_array_equal(found.sources, asked.query.history[0][::-1])
    assert np.all(np.isfinite(found.effects))
    assert np.any(np.abs(found.effects) > 1e-6)
    assert_array_equal(asked.query.history.values, before)


@pytest.mark.parametrize("key", ["popular", "random", "bias"])
def test_models_that_read_no_history_have_no_effects(key: str) -> None:
    asked = request(key, small())
    with pytest.raises(CannotScore, match="does not use the history"):
        deletion_effects(asked.model, asked.query, 2)


def test_curves_hold_what_was_reported_more_than_once() -> None:
    curves = pd.DataFrame(
        {
            "stage": ["epochs", "epochs", "invert", "epochs"],
            "step": [1, 2, 1, 1],
            "fold": [0, 0, 0, 1],
            "rmse": [1.0, 0.9, np.nan, 7.0],
            "once": [np.nan, 3.0, np.nan, np.nan],
        }
    )
    table = points(curves)
    assert table["value"].tolist() == [1.0, 0.9]
    assert has_curves(curves)
    assert not has_curves(curves.iloc[[2]])
    assert not has_curves(None)


def test_topics_are_shares_of_items_and_attributes_that_speak_for_them() -> None:
    asked = request("lfm", two_groups(), topics=6, factors=4, epochs=3)
    view_data = topics(asked)
    affinity = asked.model.affinity  # type: ignore[attr-defined]
    largest = int(np.argmax(affinity.mean(axis=0)))
    assert_allclose(view_data.table["share"], np.sort(affinity[:, largest])[::-1][: len(view_data.table)], rtol=1e-6)
    assert view_data.facts["size"] == pytest.approx(affinity[:, largest].mean(), rel=1e-5)
    assert view_data.facts["for"]


def test_tastes_of_a_person_of_topics_add_what_the_model_adds() -> None:
    """For an item that the user does not have, the score is lambda + b + the coordinate on the axis."""
    asked = request("lfm", two_groups(), topics=6, factors=4, epochs=3)
    table = space(asked).table
    others = table[~table["item"].isin(asked.history)]
    model = asked.model
    scores = model.score(asked.query)[0][others["item"]]
    assert_allclose(others["taste"] + model.base[others["item"]], scores, rtol=1e-5, atol=1e-6)  # type: ignore[attr-defined]


@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_matched_terms_add_up_to_what_the_history_adds(alpha: float) -> None:
    asked = request("content_mean", two_groups(), user=4, item=1, alpha=alpha)
    view_data = matched_terms(asked)
    parts = asked.model.explain(asked.query, 1)  # type: ignore[attr-defined]
    assert view_data.facts["total"] == pytest.approx(parts.weights.sum(), abs=1e-5)
    assert view_data.table["weight"].sum() == pytest.approx(parts.weights.sum(), abs=1e-5)


def test_a_form_without_content_has_no_terms() -> None:
    with pytest.raises(CannotScore, match="uses no content"):
        matched_terms(request("content_mean", two_groups(), form="literal"))


@pytest.mark.parametrize("key", ["social_knn", "trust_svd"])
def test_links_carry_the_parts_of_the_score(key: str) -> None:
    data = two_groups()
    asked = request(key, data, user=4, item=1)
    view_data = graph(asked)
    parts = asked.model.explain(asked.query, 1)  # type: ignore[attr-defined]
    weights = {f"u{user}": weight for user, weight in zip(parts.sources, parts.weights, strict=True)}
    for one in view_data.table.to_dict("records"):
        assert one["carried"] == pytest.approx(weights.get(one["target_id"], 0.0))
    own = view_data.table[view_data.table["hop"] == 1]
    social = data.social
    assert social is not None
    assert set(own["target_id"]) == {f"u{user}" for user in social["target"][social["source"] == 4]} - {"u4"}


def test_an_unknown_user_has_no_links() -> None:
    with pytest.raises(CannotScore, match="has no links"):
        graph(request("social_knn", two_groups(), known=False))


def test_rules_that_fire_are_those_whose_left_side_the_person_has() -> None:
    asked = request("association_rules", two_groups(), user=4, min_support=0.05, min_confidence=0.1)
    every = rules(ViewRequest(asked.model, asked.dataset, asked.query, 1, choices={"rules": "all"}))
    fired = rules(asked)
    model = asked.model
    held = set(asked.history.tolist())
    sides = [set(model.left[[rule]].indices.tolist()) for rule in range(len(model.right))]  # type: ignore[attr-defined]
    count = sum(side <= held and int(end) not in held for side, end in zip(sides, model.right, strict=True))  # type: ignore[attr-defined]
    assert fired.facts["found"] == count
    assert fired.table["fires"].all()
    assert fired.table["confidence"].is_monotonic_decreasing
    assert every.facts["found"] == len(sides)


MANY_RULES = {"association_rules": {"min_support": 0.05, "min_confidence": 0.1}}
"""Settings with which the small data have rules."""


@pytest.mark.slow
@pytest.mark.parametrize("key", MODELS)
def test_every_view_of_a_model_is_drawn_and_said(key: str) -> None:
    data = two_groups()
    model = make_model(key, MANY_RULES.get(key))
    model.fit(data, RunContext())
    query = data.queries(np.array([4]))
    item = int(model.recommend(query, 1).item[0, 0])
    item = int(query.history[0][-1]) if item == PAD else item  # a model that repeats the history
    for view in views_of(model.info, None):
        picture, view_data = PICTURES[view.key], view.look(ViewRequest(model, data, query, item))
        assert picture.draw(view_data).data
        assert "{" not in f"{picture.sentence(view_data)} {picture.more(view_data)}"


def test_a_model_that_reads_histories_but_cannot_explain_is_asked_again() -> None:
    """Models with contributions show them; models that read a history show influence; popularity shows neither."""
    for key in MODELS:
        info = model_class(key).info
        offered = {view.key for view in views_of(info, None)}
        explains = "explains_items" in info.abilities
        assert ("arithmetic" in offered) == explains
        assert ("effects" in offered) == (not explains and reads_histories(info))


@pytest.mark.parametrize("key", ["user_knn", "item_knn", "social_knn"])
def test_shares_of_z_scores_are_in_units_of_the_own_spread(key: str) -> None:
    """sigma s_v d_v / sum s of each voter, and the user's mean as remainder; written with numpy's own functions."""
    config = {"centering": "zscore", "aggregation": "mean"} | ({"graph": "co_rating"} if key == "social_knn" else {})
    data = small()
    model = make_model(key, config)
    model.fit(data, RunContext())
    found = model.explain(data.queries(np.array([0])), 2)
    if key == "item_knn":
        target, sources = RATINGS[:, 2], RATINGS[:, found.sources].T
        given = RATINGS[0, found.sources]
    else:
        target, sources = RATINGS[0], RATINGS[found.sources]
        given = RATINGS[found.sources, 2]
    rated = target[target > 0]
    votes = [(value - row[row > 0].mean()) / row[row > 0].std() for value, row in zip(given, sources, strict=True)]
    shares = found.weights / np.array(votes)  # sigma s_v / sum s: of one size for one voter, sigma in all
    assert shares.sum() == pytest.approx(rated.std())
    assert rated.std() == pytest.approx(1.48 if key != "item_knn" else 1.89, abs=0.01)
    assert found.remainder == pytest.approx(rated.mean())
    assert found.weights.sum() + found.remainder == pytest.approx(found.score)
