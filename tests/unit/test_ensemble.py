"""Ensembles: members as text, fusion by hand, learned weights, and members that are trained as on their own."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import FloatArray, Ragged, RunContext
from recsys_core.errors import ConfigError, DataError
from recsys_core.models.ensemble import Ensemble, EnsembleConfig, fitted_weights, on_one_scale
from recsys_core.models.members import Member, members_of
from recsys_core.models.rank_fusion import places_among_unseen, reciprocal_rank
from recsys_core.models.registry import is_stochastic, make_model
from tests.contract.cases import of_items, recording, tastes
from tests.worlds import checkerboard

NAN = np.nan
NOBODY = Ragged.from_rows([[]])


def fitted(ctx: RunContext | None = None, **config: Any) -> Ensemble:
    model = Ensemble(EnsembleConfig.model_validate(config))
    model.fit(tastes(), ctx or RunContext())
    return model


def test_members_are_read_with_weights_and_settings() -> None:
    text = " 2 * ease(regularization=300)+item_knn ( neighbors = 5, similarity=cosine ) + sasrec(width=16)"
    assert members_of(text) == (
        Member("ease", 2.0, {"regularization": 300}),
        Member("item_knn", 1.0, {"neighbors": 5, "similarity": "cosine"}),
        Member("sasrec", 1.0, {"embedding_dim": 16}),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ease", "at least two"),
        ("ease + wings", "no algorithm 'wings'"),
        ("ease + item_knn(wings=2)", "no setting of item_knn"),
        ("ease + item_knn(neighbors=-1)", "neighbors"),
        ("0 * ease + item_knn", "above 0"),
        ("ease + item_knn)", "write members like"),
        ("ease + ensemble", "cannot be a member"),
        ("ease + ", "write members like"),
    ],
)
def test_other_texts_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        make_model("ensemble", {"members": text})


def test_places_are_those_among_unseen_items() -> None:
    """Unseen: 5, 3, 3, 1. Equal scores share places 2 and 3; the seen 4 would be second and the seen 3 tied."""
    scores = np.array([[5.0, 3.0, 3.0, 1.0, 4.0, NAN, 3.0]])
    found = places_among_unseen(scores, Ragged.from_rows([[4, 6]]))
    assert_allclose(found, [[1, 2.5, 2.5, 4, 2, NAN, 3]])
    assert_allclose(reciprocal_rank(found[0, :2], 60.0, 2.0), [2 / 61, 2 / 62.5])


def test_scores_on_one_scale_by_hand() -> None:
    """Unseen 1, 3, 5: mean 3, deviation sqrt(8/3); the seen 9 and the missing one are on their scale."""
    scores = np.array([[1.0, 3.0, 5.0, 9.0, NAN]])
    seen = Ragged.from_rows([[3]])
    assert_allclose(on_one_scale(scores, seen, "minmax"), [[0, 0.5, 1, 2, 0]])
    z = np.array([-2, 0, 2, 6, -2]) / np.sqrt(8 / 3)
    assert_allclose(on_one_scale(scores, seen, "z"), [z])
    assert_array_equal(on_one_scale(np.array([[2.0, 2.0, NAN]]), NOBODY, "z"), [[0, 0, 0]])
    assert_array_equal(on_one_scale(np.array([[NAN, NAN]]), NOBODY, "minmax"), [[0, 0]])


@pytest.mark.parametrize("method", ["rrf", "weighted"])
def test_the_score_combines_the_members_as_they_are_on_their_own(method: str) -> None:
    train = tastes()
    model = fitted(members="2 * ease + item_knn(neighbors=5)", method=method, constant=10.0)
    query = train.queries()
    scores = []
    for key, config in (("ease", {}), ("item_knn", {"neighbors": 5})):
        one = make_model(key, config)
        one.fit(train, RunContext())
        scores.append(one.score(query))
    if method == "rrf":
        gains = [np.nan_to_num(1 / (10 + places_among_unseen(one, query.seen))) for one in scores]
    else:
        gains = [on_one_scale(one, query.seen, "z") for one in scores]
    expected = 2 * gains[0] + gains[1]
    expected[np.isnan(scores[0]) & np.isnan(scores[1])] = NAN
    assert_allclose(model.score(query), expected, rtol=1e-9)
    found = model.explain(query.take(np.array([3])), 8)
    assert_allclose(found.weights, [2 * gains[0][3, 8], gains[1][3, 8]])
    assert found.labels == ("1. EASE", "2. Item kNN")


def test_learned_weights_are_where_the_penalized_likelihood_is_flat_or_at_zero() -> None:
    """Gradient by central differences: 0 for positive weights, not rising for a weight of 0."""
    rng = np.random.default_rng(3)
    owner = np.repeat(np.arange(40), 6)
    features = rng.normal(size=(3, 240))
    best = np.array([6 * user + int(np.argmax(features[0, 6 * user : 6 * user + 6])) for user in range(40)])
    noisy = np.where(rng.random(40) < 0.7, best, 6 * np.arange(40) + rng.integers(0, 6, 40))
    positive = features[:, noisy]
    features[2] = -features[0] + 0.3 * features[2]
    positive = features[:, noisy]
    weights = fitted_weights(features, positive, owner, 0.05)

    def value(w: FloatArray) -> float:
        logs = (w @ features).reshape(40, 6)
        return float(np.mean(w @ positive - np.log(np.exp(logs).sum(axis=1))) - 0.05 / 2 * w @ w)

    for one in range(3):
        step = np.eye(3)[one] * 1e-5
        slope = (value(weights + step) - value(weights - step)) / 2e-5
        assert abs(slope) < 1e-4 if weights[one] > 0 else slope < 1e-4
    assert weights[0] > 0.5
    assert weights[2] == 0.0


def test_stacking_prefers_the_member_that_knows_over_the_one_that_draws() -> None:
    model = Ensemble(EnsembleConfig(members="random + ease", method="stacked"))
    model.fit(checkerboard(40, 40).train, RunContext())
    assert model.member_weights[1] > 3 * model.member_weights[0]


def test_the_held_out_item_competes_with_all_unseen_items() -> None:
    """Against the best items of the members alone, items that no member ranks high would draw all weights to zero."""
    model = fitted(members="ease + popular", method="stacked")
    held_out = model._held_out(tastes(), RunContext())
    query = held_out.rest.queries(held_out.users)
    gains = []
    for key in ("ease", "popular"):
        one = make_model(key)
        one.fit(held_out.rest, RunContext())
        gains.append(on_one_scale(one.score(query), query.seen, "z"))
    unseen = [np.setdiff1d(np.arange(150), query.history[row]) for row in range(len(query))]
    features = np.array([np.concatenate([gain[row, items] for row, items in enumerate(unseen)]) for gain in gains])
    owner = np.repeat(np.arange(len(query)), [len(items) for items in unseen])
    positive = np.array([gain[np.arange(len(query)), held_out.items] for gain in gains])
    assert_allclose(model.member_weights, fitted_weights(features, positive, owner, 0.01), atol=1e-4)


def test_stacking_trains_on_the_rest_and_then_on_all() -> None:
    ctx, reports = recording()
    model = fitted(ctx, members="popular + item_knn", method="stacked")
    popular = make_model("popular")
    popular.fit(tastes(), RunContext())
    assert_array_equal(model.members[0].score(tastes().queries()), popular.score(tastes().queries()))
    held_out = model._held_out(tastes(), RunContext())
    history = tastes().histories()
    assert held_out.items.tolist() == [history[user][-1] for user in held_out.users]
    assert held_out.rest.n_interactions == tastes().n_interactions - len(held_out.users)
    stages = list(dict.fromkeys(report.stage for report in reports))
    assert stages[0] == "count interactions (for stacking, member 1 of 2)"
    assert stages[-1].endswith("(member 2 of 2)")


def test_networks_train_like_on_their_own_and_share_no_checkpoint() -> None:
    class Refused:
        def save(self, arrays: object) -> None:
            raise AssertionError("saved")

        def load(self) -> None:
            raise AssertionError("loaded")

    settings = {"embedding_dim": 4, "hidden": 4, "epochs": 1, "patience": 0}
    text = ", ".join(f"{name}={value}" for name, value in settings.items())
    model = fitted(RunContext(checkpoints=Refused()), members=f"popular + mult_vae({text})")
    alone = make_model("mult_vae", settings)
    alone.fit(tastes(), RunContext())
    query = tastes().queries()
    assert_array_equal(model.members[1].score(query), alone.score(query))
    again = make_model("ensemble", model.config.model_dump())
    again.load_state(model.state())
    assert_allclose(again.score(query), model.score(query))


def test_stacking_needs_users_with_two_items() -> None:
    model = Ensemble(EnsembleConfig(method="stacked"))
    with pytest.raises(DataError, match="at least 20 users"):
        model.fit(of_items(tastes(), np.array([0])), RunContext())


def test_what_depends_on_the_seed_follows_from_the_members() -> None:
    assert not is_stochastic("ensemble", {"members": "ease + popular"})
    assert is_stochastic("ensemble", {"members": "ease + random"})
    assert is_stochastic("mlp", {})
    assert not is_stochastic("ease", {})
