"""Off-policy estimators on rows whose values are worked out by hand, and their intervals on a known world."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from recsys_core.data.synthetic.shop import make_truth
from recsys_core.data.synthetic.shop_config import ShopConfig
from recsys_core.data.synthetic.shop_log import sample_log
from recsys_core.errors import ConfigError, DataError
from recsys_core.evaluation.off_policy import estimators, overlap
from recsys_core.evaluation.off_policy import policy as policies
from recsys_core.evaluation.off_policy.estimators import Terms, estimate, evaluate_policy, terms_of
from recsys_core.evaluation.off_policy.feedback import LoggedFeedback
from recsys_core.evaluation.off_policy.policy import PolicyKind, policy_of
from recsys_core.evaluation.off_policy.report import policy_from_lists, report, uniform_policy
from recsys_core.evaluation.off_policy.reward_model import PRIOR_ROWS, direct_values, fit_rewards, folds_of
from recsys_core.evaluation.off_policy.shop_feedback import feedback_of
from recsys_core.evaluation.off_policy.uncertainty import Interval, ratio, self_normalized, studentized

A, B = 0, 1
SHOP = ShopConfig(users=200, items=20, places=2)


def five_rows() -> LoggedFeedback:
    """Three users with one impression each: weights 2, 2, 0, 4 and 1.25, rewards 1, 0, 1, 1 and 0."""
    return LoggedFeedback(
        user=np.array([0, 0, 1, 1, 2]),
        item=np.array([A, B, B, A, A]),
        place=np.array([0, 1, 0, 1, 0]),
        reward=np.array([1.0, 0.0, 1.0, 1.0, 0.0]),
        propensity=np.array([0.5, 0.25, 0.5, 0.25, 0.8]),
        impression=np.array([0, 0, 1, 1, 2]),
        cluster=np.array([0, 0, 1, 1, 2]),
        user_ids=("x", "y", "z"),
        item_ids=("a", "b"),
        target=np.array([1.0, 0.5, 0.0, 1.0, 1.0]),
    )


def test_the_logging_policy_itself_earns_the_mean_reward() -> None:
    log = LoggedFeedback(**vars(five_rows()) | {"target": five_rows().propensity})
    found = evaluate_policy(log, None)
    assert_allclose([found[name].value for name in ("ips", "snips", "clipped")], 3 / 3)
    assert set(found) == {"ips", "snips", "clipped"}  # no candidates, so no reward model
    told = report(log, None)
    assert_allclose([told.gain.value, told.logged.value], [0.0, 1.0])


def test_weights_are_target_over_logged_probability() -> None:
    assert_allclose(terms_of(five_rows(), None).weight, [2, 2, 0, 4, 1.25])


def test_ips_by_hand() -> None:
    """(2 * 1 + 0 + 0 + 4 * 1 + 0) / 3; the users' sums are 2, 4 and 0, with standard deviation 2."""
    found = estimate(terms_of(five_rows(), None))["ips"]
    assert_allclose([found.value, found.error], [6 / 3, 2 / math.sqrt(3)])


def test_clipped_ips_by_hand() -> None:
    assert_allclose(estimate(terms_of(five_rows(), None), clip=3.0)["clipped"].value, (2 + 3) / 3)


def test_snips_by_hand() -> None:
    """Position 1: 2 / 3.25 in 3 of 3 impressions; position 2: 4 / 6 in 2 of 3."""
    assert_allclose(estimate(terms_of(five_rows(), None))["snips"].value, 2 / 3.25 + 4 / 6 * 2 / 3)


def test_doubly_robust_by_hand() -> None:
    """Direct 0.3, 0.1, 0.3, 0.1, 0.3; residuals 1 - 0.6, 0 - 0.2, 1 - 0.5, 1 - 0.4, 0 - 0.6, times the weights."""
    logged = terms_of(five_rows(), None)
    terms = Terms(
        logged.weight, logged.reward, logged.place, logged.cluster, logged.mass, logged.impressions,
        direct=np.array([0.3, 0.1, 0.3, 0.1, 0.3]), modelled=np.array([0.6, 0.2, 0.5, 0.4, 0.6]),
    )  # fmt: skip
    found = estimate(terms)
    assert_allclose(found["dm"].value, 1.1 / 3)
    assert_allclose(found["dr"].value, (1.1 + 2 * 0.4 - 2 * 0.2 + 0 + 4 * 0.6 - 1.25 * 0.6) / 3)


def test_reward_model_by_hand() -> None:
    """Mean m = 0.6; position rates (2 + 20 m) / 23 and (1 + 20 m) / 22 relative to m, then item rates, same prior."""
    model = fit_rewards(five_rows(), 2)
    effect = np.array([(2 + 12) / 23 / 0.6, (1 + 12) / 22 / 0.6])
    assert_allclose(model.effect, effect)
    exposure_a, exposure_b = 2 * effect[0] + effect[1], effect[0] + effect[1]
    assert_allclose(model.rate, [(2 + 12) / (exposure_a + 20), (1 + 12) / (exposure_b + 20)])
    assert PRIOR_ROWS == 20
    policy = policy_of(np.array([[A, B]] * 3), "epsilon", 2, strength=0.5)
    first = 0.75 * model.rate[A] + 0.25 * model.rate[B]
    assert_allclose(direct_values(model, policy, np.array([0]), np.array([0])), first * effect[0])


def test_policies_by_hand() -> None:
    lists = np.array([[3, 1, -1], [2, -1, -1]])
    exact = policy_of(lists, "deterministic", 2)
    user, item, place = np.array([0, 0, 0, 1, 1, 0]), np.array([3, 1, 3, 2, 2, -1]), np.array([0, 1, 1, 0, 1, 0])
    assert_allclose(exact.of(user, item, place), [1, 1, 0, 1, 0, 0])
    assert_allclose(exact.mass(np.array([1, 1]), np.array([0, 1])), [1, 0])
    mixed = policy_of(lists, "epsilon", 2, strength=0.2)
    assert_allclose(mixed.of(user, item, place), [0.9, 0.9, 0.1, 1, 0, 0])
    soft = policy_of(lists, "softmax", 2, strength=1.0)
    assert_allclose(soft.of(user, item, place), [1 / (1 + math.exp(-1))] * 2 + [1 / (1 + math.e), 1, 0, 0], atol=1e-9)
    shared = policy_of(lists[:1], "deterministic", 2, row=np.array([0, 0, -1]))
    assert shared.covered.tolist() == [True, True, False]
    assert_allclose(shared.of(np.array([1]), np.array([1]), np.array([1])), [1])
    with pytest.raises(ConfigError, match="epsilon must be between 0 and 1"):
        policy_of(lists, "epsilon", 2, strength=1.5)
    with pytest.raises(ConfigError, match="temperature must be above 0"):
        policy_of(lists, "softmax", 2, strength=0.0)


def test_gradients_are_those_of_finite_differences() -> None:
    totals = np.array([3.0, 2.0, 5.0, 4.0, 6.0, 5.0, 7.0])
    for function, at in ((ratio, totals[:2]), (self_normalized, totals)):
        value, gradient = function(at)
        numeric = [(function(at + step)[0] - value) / 1e-7 for step in 1e-7 * np.eye(len(at))]
        assert_allclose(gradient, numeric, rtol=1e-5)
        assert_allclose(gradient @ at, 0.0, atol=1e-12)  # scale does not matter


def test_an_estimate_without_variance_has_no_interval() -> None:
    found = studentized(np.ones((5, 2)), ratio, seed=1)
    assert found.value == 1
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_very_many_users_are_combined_into_groups_without_changing_the_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sums = np.stack([np.random.default_rng(2).exponential(size=4000), np.ones(4000)], axis=1)
    whole = studentized(sums, ratio, seed=1)
    monkeypatch.setattr("recsys_core.evaluation.off_policy.uncertainty.MOST_CLUSTERS", 1000)
    grouped = studentized(sums, ratio, seed=1)
    assert grouped.value == whole.value
    assert_allclose([grouped.error, grouped.low, grouped.high], [whole.error, whole.low, whole.high], rtol=0.08)


def test_rows_of_a_user_are_in_one_fold() -> None:
    cluster = np.repeat(np.arange(50), 3)
    fold = folds_of(cluster, 7)
    assert (fold.reshape(50, 3) == fold[::3, None]).all()
    assert (np.bincount(fold[::3]) == 10).all()


def test_repeating_each_user_narrows_the_interval_but_repeating_rows_of_users_does_not() -> None:
    """Clusters are what is independent: ten copies of each row of the same users add nothing."""
    rng = np.random.default_rng(2)
    sums = np.stack([rng.random(80), np.ones(80)], axis=1)
    once, copied = studentized(sums, ratio, seed=1), studentized(10 * sums, ratio, seed=1)
    assert_allclose([once.low, once.high], [copied.low, copied.high])
    more = studentized(np.tile(sums, (10, 1)), ratio, seed=1)
    assert_allclose(more.error, once.error / math.sqrt(10), rtol=0.01)


@pytest.mark.parametrize("kind", ["deterministic", "softmax"])
def test_intervals_cover_the_true_value_and_the_direct_method_does_not(kind: str) -> None:
    """30 logs: at 95 % coverage fewer than 25 hits have a probability of 0.1 %; the bench has 500."""
    truth = make_truth(SHOP, 11)
    noise = np.random.default_rng(5).normal(size=truth.click.shape)
    top = np.argsort(-(np.log(truth.click) + 0.5 * noise), axis=1)[:, :10]
    policy = policy_of(top, kind, 2, strength=3.0)  # type: ignore[arg-type]
    true = truth.value(np.arange(200), policy.item, policy.probability, "click")
    inside = dict.fromkeys(("ips", "snips", "clipped", "dm", "dr"), 0)
    for seed in range(30):
        log = feedback_of(sample_log(truth, 300, np.random.default_rng([7, seed])), truth, "click")
        for name, found in evaluate_policy(log, policy, seed=seed, replicates=200).items():
            inside[name] += found.low <= true <= found.high
    assert min(inside["ips"], inside["snips"], inside["dr"]) >= 25
    assert inside["dm"] < 10


def test_diagnostics_by_hand() -> None:
    """Weights 2, 2, 0, 4, 1.25: sum 9.25, squares 25.5625; clipping at 3 cuts 1 of 6 weighted rewards."""
    found = overlap.support(terms_of(five_rows(), None), clip=3.0)
    assert_allclose(found.effective, 9.25**2 / 25.5625)
    assert_allclose([found.largest, found.largest_share, found.clipped, found.mean.value], [4, 4 / 9.25, 1 / 6, 1.85])
    assert found.used == 4
    refunds = LoggedFeedback(**vars(five_rows()) | {"reward": np.array([1.0, 0.0, 1.0, -1.0, 0.0])})
    assert_allclose(overlap.support(terms_of(refunds, None), clip=3.0).clipped, 1 / 6)  # with signs -1 / 2
    assert [one.rule for one in overlap.findings(found)][:2] == ["few_effective", "dominated"]


def test_a_policy_beyond_the_support_of_the_log_is_noticed() -> None:
    truth = make_truth(SHOP, 11)
    log = feedback_of(sample_log(truth, 800, np.random.default_rng(1)), truth, "click")
    log = log.only(log.item < 10)  # items 10 to 19 are never shown
    lists = np.argsort(np.random.default_rng(0).random((200, 20)), axis=1)
    told = report(log, policy_of(lists, "softmax", 2, strength=3.0))
    rules = {one.rule for one in told.findings}
    assert "never_shown" in rules
    assert 0.4 < told.support.unseen < 0.6
    clean = report(feedback_of(sample_log(truth, 800, np.random.default_rng(1)), truth, "click"), uniform_policy(log))
    assert not {"no_support", "mean_above_one", "never_shown"} & {one.rule for one in clean.findings}


def test_wrong_propensities_are_noticed_by_the_mean_weight() -> None:
    truth = make_truth(SHOP, 11)
    log = feedback_of(sample_log(truth, 800, np.random.default_rng(1)), truth, "click")
    wrong = LoggedFeedback(**vars(log) | {"propensity": log.propensity / 2})
    told = report(wrong, uniform_policy(log))
    assert "mean_above_one" in {one.rule for one in told.findings}
    assert_allclose(told.support.mean.value, 2.0, rtol=0.05)


def test_lists_of_identifiers_become_a_policy() -> None:
    log, policy = policy_from_lists(five_rows(), ["y", "unknown"], [["b", "new"], ["a"]], "deterministic")
    assert log.item_ids == ("a", "b", "new")
    assert policy.covered.tolist() == [False, True, False]
    told = report(log, policy)
    assert (told.users, told.impressions, told.support.rows) == (1, 1, 2)
    assert_allclose(told.support.covered, 2 / 5)
    assert_allclose(told.support.unseen, 0.5)
    assert_allclose(told.estimates["ips"].value, 1 / 0.5)
    assert told.to_json()["unit"] == "impression"
    with pytest.raises(DataError, match=r"is in the log; .* Evaluate lists for these users"):
        policy_from_lists(five_rows(), ["q"], [["a"]], "deterministic")
    with pytest.raises(DataError, match="same item more than once"):
        policy_from_lists(five_rows(), ["x"], [["a", "a"]], "deterministic")
    with pytest.raises(DataError, match="more than one list"):
        policy_from_lists(five_rows(), ["x", "x"], [["a"], ["b"]], "deterministic")


def at_position_1000() -> LoggedFeedback:
    """The five rows, the last one at position 1000."""
    return LoggedFeedback(**vars(five_rows()) | {"place": np.array([0, 1, 0, 1, 999])})


@pytest.mark.parametrize("kind", ["deterministic", "epsilon", "softmax"])
def test_a_policy_has_probabilities_only_where_it_shows_something(kind: PolicyKind) -> None:
    _, policy = policy_from_lists(at_position_1000(), ["x", "q", "r"], [["a", "b"], ["c", "d", "e"], []], kind)
    assert policy.probability.shape == (1, 2, 2)
    assert policy.of(np.array([0]), np.array([A]), np.array([999])) == 0
    assert policy.mass(np.array([0]), np.array([999])) == 0


def test_a_deterministic_policy_keeps_what_is_shown() -> None:
    log, policy = policy_from_lists(five_rows(), ["x"], [["a", "b", "c", "d"]], "deterministic")
    assert policy.item.tolist() == [[A, B]]
    assert policy.probability.tolist() == [[[1, 0], [0, 1]]]
    assert report(log, policy).support.unseen == 0


def test_a_policy_with_too_many_probabilities_is_refused_before_they_are_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lists = np.broadcast_to(np.arange(1000), (160_000, 1000))
    with pytest.raises(
        DataError, match=r"160,000,000,000 probabilities \(160,000 lists x 1,000 positions x 1,000 cand"
    ):
        policy_of(lists, "epsilon", 1001)
    monkeypatch.setattr(policies, "MOST_CELLS", 8)
    assert policy_of(np.array([[0, 1], [1, 0]]), "softmax", 2).probability.size == 8
    with pytest.raises(DataError, match="leave out the rows of the log with the highest positions"):
        uniform_policy(LoggedFeedback(**vars(at_position_1000()) | {"item_ids": ("a", "b", "c")}))


def test_one_row_at_a_high_position_adds_no_columns_for_the_positions_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    widths = []
    monkeypatch.setattr(
        estimators, "studentized", lambda sums, *_, **__: widths.append(sums.shape) or Interval(0.0, 0.0, 0.0, 0.0)
    )
    estimate(terms_of(at_position_1000(), None))
    assert (3, 3 * 3 + 1) in widths
    assert max(width for _, width in widths) == 3 * 3 + 1
