"""The topic LFM: one score by hand, the gradient against finite differences, folding in, and new items."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from recsys_core.contracts import Explanation, RatingScale, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import ConfigError
from recsys_core.models.adam import Adam
from recsys_core.models.compiled import sparse
from recsys_core.models.lfm import Lfm, LfmConfig
from recsys_core.models.lfm_descent import Known, Parameters, Visits, affinities, gradient
from tests.contract.cases import as_unknown, asking, fitted, recording, tastes

SMALL = {"topics": 4, "factors": 3, "epochs": 5}


def by_hand() -> Lfm:
    """Two topics with one factor, three items, all numbers chosen."""
    model = Lfm(LfmConfig(topics=2, factors=1, unrated_per_rating=3, unrated_gap=1.0))
    model.load_state(
        {
            "n_users": np.array(1),
            "n_items": np.array(3),
            "topic_factors": np.array([[2.0], [-1.0]]),
            "affinity": np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]),
            "attribute_topics": np.zeros((0, 2)),
            "expected": np.array([0.1, 0.2, 0.3]),
            "item_bias": np.array([0.0, 0.05, -0.1]),
            "scale_width": np.array(4.0),
        }
    )
    return model


def test_one_score_by_hand() -> None:
    """Ratings 5 and 3 of items 0 and 1, on a scale from 1 to 5; three unrated items a rating, one width below.

    p = (1 * 2 + 0 * -1, 0.5 * 2 - 0.5 * 1, -1) = (2, 0.5, -1).
    m = 4; in widths of the scale r - m = +0.25, -0.25; mu = m - 3/4, so w = 0.25 + 0.75 = 1 and -0.25 + 0.75 = 0.5.
    Item 2: 0.3 - 0.1 + (1 * 2 * -1 + 0.5 * 0.5 * -1) / sqrt(2) = 0.2 - 2.25 / sqrt(2).
    Item 0: its own rating is left out: 0.1 + 0 + 0.5 * 0.5 * 2 / sqrt(2) = 0.1 + 0.5 / sqrt(2).
    """
    query = asking([[0, 1]])
    query.values[:] = [5.0, 3.0]
    scores = by_hand().score(query)[0]
    assert_allclose(scores[[2, 0]], [0.2 - 2.25 / np.sqrt(2), 0.1 + 0.5 / np.sqrt(2)], rtol=1e-12)
    parts = by_hand().explain(query, 2)
    assert_allclose(parts.weights, [-2 / np.sqrt(2), -0.25 / np.sqrt(2)], rtol=1e-12)
    assert_array_equal(parts.sources, [0, 1])
    assert parts.remainder == pytest.approx(0.2)


def small_step() -> tuple[Parameters, Known, Visits]:
    """Five users, six items, two attributes, three topics with two factors; item 5 has no rating."""
    rng = np.random.default_rng(3)
    ratings = np.where(rng.random((5, 6)) < 0.5, rng.normal(0.5, 0.4, (5, 6)), 0.0)
    ratings[:, 5] = 0.0
    held = sparse(csr_array(ratings))
    parameters = Parameters(
        rng.normal(size=(3, 2)), rng.normal(size=(6, 3)), rng.normal(size=(2, 3)), rng.normal(size=6) * 0.1
    )
    known = Known(rng.normal(size=6) * 0.1, csr_array(rng.normal(size=(6, 2))), np.arange(6) < 5, 0.03)
    drawn = rng.integers(0, 5, 2 * len(held.column)).astype(np.int32)
    return parameters, known, Visits(held, drawn, -0.25)


def loss(parameters: Parameters, known: Known, visits: Visits, people: np.ndarray) -> float:
    """J in plain Python, pair by pair, as in the docstring of `gradient`."""
    phi = affinities(parameters, known.attributes)
    factors, bias = phi @ parameters.topics, parameters.item_bias
    start, column, value = visits.ratings
    each = len(visits.drawn) // len(column)
    total, pairs = 0.0, 0
    for person in people:
        places = range(start[person], start[person + 1])
        mine = {int(column[place]): value[place] for place in places}
        pairs_of = list(mine.items())
        for place in range(each * start[person], each * start[person + 1]):
            if int(visits.drawn[place]) not in mine:
                pairs_of.append((int(visits.drawn[place]), visits.unrated))
        for item, target in pairs_of:
            taste = sum((w * factors[j] for j, w in mine.items() if j != item), np.zeros(2)) / np.sqrt(len(mine))
            score = known.expected[item] + bias[item] + taste @ factors[item]
            total += (score - target) ** 2 + known.regularization * (bias[item] ** 2 + factors[item] @ factors[item])
            pairs += 1
    return total / pairs / 2


def test_the_gradient_of_one_step_equals_finite_differences() -> None:
    """Each number of each parameter is moved by +-1e-6; (J(x + h) - J(x - h)) / 2h must equal the gradient used.

    The chain under test: J -> p_i (each as the scored item and as part of the user's sum) -> theta and phi
    -> the softmax -> f_i and, through x_i, W; and J -> b_i. The free part of an item without ratings stays.
    """
    parameters, known, visits = small_step()
    people = np.array([4, 0, 2])
    squared, pairs, found = gradient(parameters, known, visits, people)
    pull = 2 * loss(parameters, known, visits, people) - squared / pairs
    without = known._replace(regularization=0.0)
    assert squared / pairs == pytest.approx(2 * loss(parameters, without, visits, people))
    assert pull > 0
    for part, (values, slopes) in enumerate(zip(parameters, found, strict=True)):
        expected = np.zeros_like(values)
        for place in np.ndindex(values.shape):
            sides = []
            for step in (1e-6, -1e-6):
                moved = [np.copy(one) for one in parameters]
                moved[part][place] += step
                sides.append(loss(Parameters(*moved), known, visits, people))
            expected[place] = (sides[0] - sides[1]) / 2e-6
        if part == 1:
            expected[~known.rated] = 0.0
        assert np.abs(slopes).max() > 1e-3
        assert_allclose(slopes, expected, rtol=1e-5, atol=1e-8)


def test_affinities_are_shares() -> None:
    model = fitted("lfm", tastes(), SMALL)
    assert (model.affinity >= 0).all()
    assert_allclose(model.affinity.sum(axis=1), 1.0, rtol=1e-5)
    assert_allclose(model.item_factors, model.affinity.astype(np.float64) @ model.topic_factors)


def test_adam_steps_by_the_formula() -> None:
    """Gradients 2, then -1, at learning rate 0.1: m' = 2 and v' = 4 give a first step of 0.1.

    Then m = 0.9 * 0.2 - 0.1 = 0.08, m' = 0.08 / 0.19; v = 0.999 * 0.004 + 0.001 = 0.004996, v' = 0.004996 / 0.001999.
    """
    values = np.array([1.0])
    adam = Adam([values])
    adam.step([np.array([2.0])], 0.1)
    assert values[0] == pytest.approx(0.9, rel=1e-6)
    adam.step([np.array([-1.0])], 0.1)
    assert values[0] == pytest.approx(0.9 - 0.1 * (0.08 / 0.19) / np.sqrt(0.004996 / 0.001999), rel=1e-6)


@pytest.mark.parametrize("rated", [True, False])
def test_a_training_user_asking_as_unknown_gets_exactly_the_same_scores(rated: bool) -> None:
    train = tastes(rated=rated)
    model = fitted("lfm", train, SMALL)
    assert_array_equal(model.score(as_unknown(train.queries())), model.score(train.queries()))


def test_the_reported_error_falls() -> None:
    ctx, reports = recording()
    fitted("lfm", tastes(), {"epochs": 10}, ctx=ctx)
    curve = [report.values["rmse"] for report in reports[1:]]
    assert len(curve) == 10
    assert curve[-1] < 0.95 * curve[0]


def test_validation_sees_a_model_that_answers_after_each_epoch() -> None:
    train = tastes()
    spreads: list[float] = []

    def validate(model: Lfm) -> dict[str, float]:
        spreads.append(float(model.score(train.queries()).std()))
        return {"spread": spreads[-1]}

    fitted("lfm", train, SMALL, ctx=RunContext(validate=validate))
    assert len(set(spreads)) == SMALL["epochs"]


def test_without_unrated_items_it_learns_from_the_given_ratings_alone() -> None:
    """With n = 0 the weights are r - m_u, and a user whose ratings are all equal has none."""
    train = tastes()
    model = fitted("lfm", train, SMALL | {"unrated_per_rating": 0})
    flat = asking([[1, 2, 3]], value=4.0)
    assert_allclose(model.score(flat)[0], model.expected + model.item_bias, rtol=1e-9)
    with pytest.raises(ConfigError, match="nothing to learn"):
        fitted("lfm", tastes(rated=False), SMALL | {"unrated_per_rating": 0})


def new_item() -> Dataset:
    """Even users choose drama, odd ones action; items 18 (drama) and 19 (action) are new."""
    user, item = (part.ravel() for part in np.meshgrid(np.arange(40), np.arange(18)))
    chosen = (user % 2 == item % 2) & (np.random.default_rng(1).random(len(user)) < 0.7)
    frame = pd.DataFrame({"user": user[chosen].astype(np.int32), "item": item[chosen].astype(np.int32)})
    frame["rating"] = np.float32(4.0) + (frame["user"] % 3 == 0).astype(np.float32)
    items = pd.DataFrame({"categories": ["drama" if i % 2 == 0 else "action" for i in range(20)]})
    return dataset_from_frames(
        frame, item_ids=[f"i{i}" for i in range(20)], items=items, rating_scale=RatingScale(1, 5)
    )


def test_a_new_item_is_scored_by_its_attributes() -> None:
    train = new_item()
    model = fitted("lfm", train, {"topics": 8, "factors": 4, "epochs": 40})
    assert (model.item_bias[18:] == 0).all()
    scores = model.score(train.queries())
    even = np.arange(train.n_users) % 2 == 0
    assert ((scores[:, 18] > scores[:, 19]) == even).all()
    blind = fitted("lfm", train, {"topics": 8, "factors": 4, "epochs": 40, "use_attributes": False})
    assert_array_equal(*blind.score(train.queries())[:, 18:].T)


def test_contributions_leave_out_the_item_itself() -> None:
    train = tastes()
    model, query = fitted("lfm", train, SMALL), train.queries(np.array([3]))
    item = int(query.history[0][0])
    parts: Explanation = model.explain(query, item)
    assert item not in parts.sources
    assert len(parts.sources) == len(set(query.history[0].tolist())) - 1
    assert parts.weights.sum() + parts.remainder == pytest.approx(parts.score, abs=1e-9)
