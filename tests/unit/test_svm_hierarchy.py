"""The hierarchical SVM: its mixture by hand, Platt scaling, and the levels it falls back on."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from recsys_core.contracts import Need, RunContext
from recsys_core.errors import DataError
from recsys_core.models.svm_hierarchy import MOST_OF_USER, SvmHierarchy, mixture, platt
from tests.contract.cases import as_unknown, furnished, tastes, without


def test_the_mixture_by_hand() -> None:
    """The global level gives 0.2, the segment 0.5 on 300 examples, the user 0.9 on 20; with shrinkage 100:

    v_s = 300 / 400 = 3/4,   P_segment = 3/4 * 0.5 + 1/4 * 0.2 = 0.425
    v_u = 20 / 120 = 1/6,    P_user    = 1/6 * 0.9 + 5/6 * 0.425 = 0.504166...
    """
    levels = [(np.array([0.2]), 1000.0), (np.array([0.5]), 300.0), (np.array([0.9]), 20.0)]
    assert_allclose(mixture(levels, 100.0), [0.15 + 5 / 6 * 0.425])


def test_a_level_without_examples_changes_nothing() -> None:
    everybody = (np.array([0.2, 0.6]), 50.0)
    nobody = (np.array([0.9, 0.9]), 0.0)
    assert_allclose(mixture([everybody, nobody, nobody], 0.0), everybody[0])
    assert_allclose(mixture([nobody, nobody, nobody], 10.0), [0.5, 0.5])


def test_platt_recovers_the_sigmoid_that_drew_the_examples() -> None:
    rng = np.random.default_rng(0)
    decisions = rng.normal(size=20_000)
    liked = rng.random(20_000) < 1 / (1 + np.exp(-2.0 * decisions + 0.5))
    assert_allclose(platt(decisions, liked), [-2.0, 0.5], atol=0.1)


def test_platt_gives_no_certainty_to_few_examples_and_no_credit_to_wrong_decisions() -> None:
    """Two of each class, perfectly separated: targets are 3/4 and 1/4, which limits the probability at the examples."""
    decisions, liked = np.array([1.0, 1.0, -1.0, -1.0]), np.array([True, True, False, False])
    slope, offset = platt(decisions, liked)
    assert_allclose(1 / (1 + np.exp(slope * decisions + offset)), [0.75, 0.75, 0.25, 0.25], atol=1e-6)
    assert platt(-decisions, liked) == (0.0, 0.0)


def test_own_taste_is_learned_and_quiet_users_get_their_segment() -> None:
    """A user with fewer than three examples of a class has no SVM; the others get items of their own half."""
    train = tastes()
    frame = train.interactions
    quiet = (frame["user"] == 7) & (frame.groupby("user").cumcount() >= 1)
    train = train.with_interactions(frame[~quiet].reset_index(drop=True))
    model = SvmHierarchy()
    model.fit(train, RunContext())
    assert model.own_numbers[7, 3] == 0
    assert (np.delete(model.own_numbers[:, 3], 7) > 0).all()
    scores = model.score(train.queries())
    assert ((scores > 0) & (scores < 1)).all()
    even = scores[:, ::2].mean(axis=1) > scores[:, 1::2].mean(axis=1)
    assert (even == (np.arange(60) % 2 == 0)).mean() > 0.9


def test_a_training_user_asking_as_unknown_gets_a_machine_of_the_same_examples() -> None:
    """Without a user table only the history is known of any user, so both ways give the same scores."""
    train = without(tastes(), Need.USER_FEATURES)
    model = SvmHierarchy()
    model.fit(train, RunContext())
    query = train.queries(np.arange(5))
    assert_allclose(model.score(as_unknown(query)), model.score(query), rtol=1e-9)


def test_the_examples_of_one_user_are_bounded() -> None:
    train = furnished(tastes(users=4, items=2000))
    model = SvmHierarchy()
    model.fit(train, RunContext())
    assert model.own_numbers[:, 3].max() <= 3 * MOST_OF_USER


def test_data_without_an_item_table_are_refused() -> None:
    with pytest.raises(DataError, match="needs item_features"):
        SvmHierarchy().fit(without(tastes(), Need.ITEM_FEATURES), RunContext())
