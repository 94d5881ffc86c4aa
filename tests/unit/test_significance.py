"""Intervals, tests and groups against known answers, and the error rates of the whole procedure."""

import itertools
import math
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from recsys_core.contracts import FloatArray, IntArray, Ragged, RunContext, TopK
from recsys_core.data import dataset_from_frames
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.evaluation import intervals, significance
from recsys_core.evaluation.comparison import compare
from recsys_core.evaluation.evaluate import relevant_items
from recsys_core.evaluation.metrics import hit_table, ndcg
from recsys_core.evaluation.ranking import rank
from recsys_core.models.registry import make_model


def test_bootstrap_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, (2000, 1))
    low, high = intervals.interval(intervals.bootstrap_means(values, rng=np.random.default_rng(1), samples=4000))
    error = values.std(ddof=1) / math.sqrt(2000)
    assert_allclose([low[0], high[0]], values.mean() + np.array([-1.96, 1.96]) * error, atol=0.2 * error)


def test_bootstrap_draws_the_same_users_for_all_columns() -> None:
    first = np.random.default_rng(0).normal(size=300)
    values = np.stack([first, first + 1.0], axis=1)
    means = intervals.bootstrap_means(values, rng=np.random.default_rng(1), samples=50)
    assert_allclose(means[:, 1] - means[:, 0], 1.0, atol=1e-12)


def test_bootstrap_in_blocks_gives_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(40, 2))
    whole = intervals.bootstrap_means(values, rng=np.random.default_rng(1), samples=30)
    monkeypatch.setattr(intervals, "DRAWS_AT_A_TIME", 40 * 7)
    assert_allclose(intervals.bootstrap_means(values, rng=np.random.default_rng(1), samples=30), whole, atol=1e-12)


def test_bootstrap_takes_fewer_samples_of_very_many_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "MOST_DRAWS", 1000)
    values = np.ones((10, 1))
    means = intervals.bootstrap_means(values, rng=np.random.default_rng(1), samples=2000)
    assert len(means) == intervals.FEWEST_SAMPLES


def test_undefined_values_count_for_nothing_and_nothing_gives_nan() -> None:
    values = np.array([[1.0, math.nan, math.nan], [3.0, 5.0, math.nan]])
    means = intervals.bootstrap_means(values, rng=np.random.default_rng(1), samples=400)
    assert set(np.unique(means[:, 0])) == {1.0, 2.0, 3.0}
    assert set(np.unique(means[~np.isnan(means[:, 1]), 1])) == {5.0}
    low, high = intervals.interval(means)
    assert math.isnan(low[2])
    assert math.isnan(high[2])
    assert high[1] == 5.0


def signs(differences: FloatArray, samples: int = 9_999, seed: int = 5) -> FloatArray:
    """Return the mean differences of subsets of the users."""
    columns = np.stack([differences, np.ones(len(differences))], axis=1)
    sums = significance.subset_sums(columns, np.random.default_rng(seed), samples)
    means: FloatArray = np.divide(sums[:, 0], sums[:, 1], out=np.zeros(len(sums)), where=sums[:, 1] > 0)
    return means


def every_flip(differences: FloatArray) -> float:
    """Return the exact two-sided p of the sign-flip test, by enumeration."""
    flips = np.array(list(itertools.product([-1.0, 1.0], repeat=len(differences)))) @ differences
    return float(np.mean(np.abs(flips) >= abs(differences.sum()) - 1e-9))


@pytest.mark.parametrize("seed", range(6))
def test_with_few_users_the_test_is_the_exact_sign_flip_test(seed: int) -> None:
    rng = np.random.default_rng(seed)
    differences = np.round(rng.normal(0.3, 1.0, 5 + seed), seed % 2)  # integers produce ties
    assert significance.sign_flip_p(signs(differences)) == pytest.approx(every_flip(differences))


def test_13_tied_differences_take_no_time_and_are_exact() -> None:
    differences = np.array([0.1] * 9 + [-0.1] * 4)
    expected = stats.binomtest(9, 13).pvalue
    started = time.process_time()
    assert significance.sign_flip_p(signs(differences)) == pytest.approx(expected)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(("users", "shift"), [(60, 0.2), (400, 0.1), (5000, 0.03)])
def test_drawn_subsets_come_near_to_the_permutation_test_of_scipy(users: int, shift: float) -> None:
    differences = np.random.default_rng(users).normal(shift, 1.0, users)
    scipys = stats.permutation_test(
        (differences, np.zeros(users)),
        lambda one, other, axis: (one - other).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=4999,
        batch=500,
        rng=np.random.default_rng(1),
    )
    assert significance.sign_flip_p(signs(differences)) == pytest.approx(scipys.pvalue, abs=0.02)


@pytest.mark.parametrize("users", [4, 8, 13, 14, 40, 300])
def test_the_interval_of_a_difference_holds_zero_exactly_if_the_test_finds_nothing(users: int) -> None:
    decided = set()
    for seed in range(25):
        rng = np.random.default_rng(seed)
        drawn = signs(rng.normal(2.0 / math.sqrt(users), 1.0, users), samples=999, seed=seed)
        low, high = significance.sign_flip_interval(drawn)
        found = significance.sign_flip_p(drawn) < 0.05
        assert found == (low > 0 or high < 0)
        decided.add(found)
    assert decided == ({False} if users == 4 else {False, True})


def test_no_difference_at_all_has_p_1() -> None:
    for users in (3, 100):
        assert significance.sign_flip_p(signs(np.zeros(users))) == 1.0
    assert significance.sign_flip_p(signs(np.full(10, 0.1 + 0.2) - 0.3)) == 1.0  # equal in exact arithmetic


def test_interval_of_a_difference_is_that_of_the_normal_distribution_for_many_users() -> None:
    differences = np.random.default_rng(0).normal(0.3, 2.0, 3000)
    error = differences.std(ddof=1) / math.sqrt(3000)
    expected = differences.mean() + np.array([-1.96, 1.96]) * error
    assert_allclose(significance.sign_flip_interval(signs(differences)), expected, atol=0.2 * error)


def test_very_many_users_are_flipped_in_groups_and_lose_nothing() -> None:
    differences = np.random.default_rng(0).normal(0.01, 1.0, 50_000)
    drawn = signs(differences)
    assert significance.sign_flip_p(drawn) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.01)


@pytest.mark.parametrize(("hits", "users"), [(0, 5), (0, 300), (1, 20), (7, 40), (40, 40), (1, 1)])
def test_the_interval_of_a_hit_rate_is_wilsons(hits: int, users: int) -> None:
    values = np.zeros((users, 1))
    values[:hits] = 1.0
    low, high = intervals.score_interval(values)
    wilson = stats.binomtest(hits, users).proportion_ci(method="wilson")
    assert_allclose([low[0], high[0]], [wilson.low, wilson.high], atol=1e-6)
    assert high[0] > low[0]


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("users", [1, 2, 30, 6000])
def test_equal_values_of_all_users_still_have_an_interval_with_a_width(value: float, users: int) -> None:
    low, high = intervals.score_interval(np.full((users, 1), value))
    assert 0.0 <= low[0] <= value <= high[0] <= 1.0
    assert high[0] - low[0] >= intervals.unseen_share(users) * 0.99


def test_intervals_of_ndcg_keep_their_level_with_few_users_and_rare_hits() -> None:
    """The percentile bootstrap covers the true mean in 43, 66 and 82 % of these samples."""
    rng = np.random.default_rng(0)
    gains = 1.0 / np.log2(np.arange(2, 12))
    for users in (10, 20, 50, 200):
        values = (rng.random((users, 2000)) < 0.05) * rng.choice(gains, (users, 2000))
        low, high = intervals.score_interval(values)
        covered = np.mean((low <= 0.05 * gains.mean()) & (0.05 * gains.mean() <= high))
        assert covered > 0.93
    for users in (10, 30, 200):
        low, high = intervals.score_interval(rng.beta(2, 3, (users, 2000)))
        assert 0.93 < np.mean((low <= 0.4) & (high >= 0.4)) < 0.98


def of_values(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the interval of the mean of each column of (U, M) values."""
    mean = values.mean(axis=0)
    return intervals.skewed_interval(mean, values - mean, np.full(values.shape[1], len(values)))


def test_the_interval_of_symmetric_values_is_students() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    scipys = stats.ttest_1samp(values, 0.0).confidence_interval()
    assert_allclose(np.ravel(of_values(values[:, None])), [scipys.low, scipys.high])


def test_both_ends_of_a_skewed_interval_are_students_quantiles_after_halls_transformation() -> None:
    values = np.random.default_rng(3).lognormal(0, 1, (12, 1))
    w = (values.mean() - np.ravel(of_values(values))) / values.std(ddof=1)
    g = float(stats.skew(values[:, 0], bias=False))
    transformed = w + g * w**2 / 3 + g**2 * w**3 / 27 + g / (6 * 12)
    assert_allclose(transformed, stats.t.ppf([0.975, 0.025], 11) / math.sqrt(12))


def test_skewed_intervals_keep_their_level_with_few_users() -> None:
    """Student's interval covers the true mean in 84 and 90 % of the lognormal samples."""
    rng = np.random.default_rng(0)
    for users in (20, 50):
        low, high = of_values(rng.lognormal(0, 1, (users, 4000)))
        assert np.mean((low <= math.exp(0.5)) & (math.exp(0.5) <= high)) > 0.915
        low, high = of_values(rng.normal(10, 1, (users, 4000)))
        assert 0.94 < np.mean((low <= 10) & (high >= 10)) < 0.96


def test_a_skewed_interval_needs_two_users_who_differ_and_does_not_go_below_zero() -> None:
    low, high = of_values(np.array([[2.0, 55.0, 0.1], [2.0, 56.0, 9.0]]))
    assert math.isnan(low[0])
    assert math.isnan(high[0])
    assert 55.5 - low[1] == pytest.approx(high[1] - 55.5)
    assert low[2] == 0.0
    assert np.isnan(of_values(np.array([[3.0]]))).all()


def test_holm_equals_the_textbook() -> None:
    assert_allclose(significance.holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    assert len(significance.holm(np.array([]))) == 0


@pytest.mark.parametrize(
    ("different", "groups", "letters"),
    [
        ([], ((0, 1, 2),), ["a", "a", "a"]),
        ([(0, 1), (0, 2), (1, 2)], ((0,), (1,), (2,)), ["a", "b", "c"]),
        ([(0, 2)], ((0, 1), (1, 2)), ["a", "ab", "b"]),
        ([(0, 1), (0, 2)], ((0,), (1, 2)), ["a", "b", "b"]),
    ],
)
def test_groups_of_three(
    different: list[tuple[int, int]], groups: tuple[tuple[int, ...], ...], letters: list[str]
) -> None:
    apart = np.zeros((3, 3), dtype=np.bool_)
    for first, second in different:
        apart[first, second] = apart[second, first] = True
    assert significance.tie_groups(apart) == groups
    assert significance.letters(groups, 3) == letters


def test_letters_go_on_after_z() -> None:
    names = significance.letters([(place,) for place in range(28)], 28)
    assert (names[0], names[25], names[26], names[27]) == ("a", "z", "aa", "ab")


def test_users_needed_is_the_sample_size_of_a_paired_test() -> None:
    design = significance.Design(users=400, user_error=0.3 / 20)
    expected = ((stats.norm.isf(0.025) + stats.norm.isf(0.2)) * 0.3 / 0.02) ** 2
    assert design.users_needed(0.02) == pytest.approx(expected, abs=1)
    assert replace(design, tests=10).users_needed(0.02) > design.users_needed(0.02)
    assert replace(design, training_error=0.005).users_needed(0.02) > design.users_needed(0.02)
    assert math.isinf(design.users_needed(0.0))
    assert math.isinf(replace(design, training_error=0.01).users_needed(0.02))  # 2.8 standard errors are needed
    assert design.users_needed(design.detectable) == pytest.approx(400, abs=1)


def test_the_users_named_find_the_difference_in_four_of_five_cases() -> None:
    rng = np.random.default_rng(4)
    needed = int(significance.Design(users=1, user_error=1.0).users_needed(0.05))
    found = [
        significance.sign_flip_p(signs(rng.normal(0.05, 1.0, needed), samples=499, seed=seed)) < 0.05
        for seed in range(300)
    ]
    assert 0.73 < np.mean(found) < 0.87


def lots_of_users() -> Split:
    """300 users with 12 of 60 items each, at random."""
    rng = np.random.default_rng(0)
    items = np.concatenate([rng.permutation(60)[:12] for _ in range(300)])
    pairs = pd.DataFrame({"user": np.repeat(np.arange(300), 12), "item": items}).astype("int32")
    return make_splits(dataset_from_frames(pairs), SplitSpec(test_fraction=0.5), 1)[0]


@pytest.mark.slow
def test_two_models_that_differ_by_their_seed_only_are_called_different_in_about_5_percent() -> None:
    split = lots_of_users()
    users = split.test_users()
    query = split.queries(users)
    relevant, _ = relevant_items(split.test, users, query.history)

    def judged(seed: int) -> pd.DataFrame:
        model = make_model("random")
        model.fit(split.train, RunContext(seed))
        lists = rank(model.score(query), query.history, relevant, 10).lists
        return pd.DataFrame({"user": users, "ndcg@10": ndcg(hit_table(lists, relevant), 10)})

    called = [
        compare({"one": judged(2 * pair), "other": judged(2 * pair + 1)}, metric="ndcg@10", samples=400)
        for pair in range(200)
    ]
    share = np.mean([comparison.pairs["different"].item() for comparison in called])
    assert 0.02 <= share <= 0.08
    by_interval = np.mean([(c.pairs["low"].item() > 0) | (c.pairs["high"].item() < 0) for c in called])
    assert 0.02 <= by_interval <= 0.08


def planted(seed: int, gain: float, users: int = 6040) -> dict[str, pd.DataFrame]:
    """Two models whose lists agree in 70 % of the ranks; the second has `gain` more hits."""
    rng = np.random.default_rng(seed)
    quality = rng.beta(2, 4, (users, 1)) * np.linspace(1.2, 0.8, 10)
    luck = rng.random((users, 10))
    other_luck = np.where(rng.random((users, 10)) < 0.7, luck, rng.random((users, 10)))
    relevant = Ragged.from_rows([range(10)] * users)
    frames = {}
    for name, hits in (("base", luck < quality), ("better", other_luck < quality * (1 + gain))):
        item: IntArray = np.where(hits, np.arange(10), 20 + np.arange(10))
        values = ndcg(hit_table(TopK(item, np.zeros(item.shape)), relevant), 10)
        frames[name] = pd.DataFrame({"user": np.arange(users), "ndcg@10": values})
    return frames


def test_an_effect_of_2_percent_on_the_users_of_ml_1m_is_found() -> None:
    found = [compare(planted(seed, gain=0.02), metric="ndcg@10", samples=300) for seed in range(20)]
    right = [c.pairs["different"].item() and c.table["model"].iloc[0] == "better" for c in found]
    assert np.mean(right) >= 0.9
    assert all(c.verdict[0].values["model"] == "better" for c, ok in zip(found, right, strict=True) if ok)


@pytest.mark.slow
def test_without_an_effect_the_same_data_are_called_different_as_rarely_as_promised() -> None:
    called = [compare(planted(seed, gain=0.0, users=600), metric="ndcg@10", samples=300) for seed in range(200)]
    assert np.mean([comparison.pairs["different"].item() for comparison in called]) <= 0.08


def test_ten_models_of_6040_users_are_compared_in_about_a_second() -> None:
    rng = np.random.default_rng(0)
    frames = {f"m{n}": pd.DataFrame({"user": np.arange(6040), "ndcg@10": rng.random(6040)}) for n in range(10)}
    started = time.process_time()  # CPU time, since other processes do not count
    comparison = compare(frames, metric="ndcg@10", samples=2000)
    assert time.process_time() - started < 10  # about 0.4 s where this was measured
    assert len(comparison.pairs) == len(list(itertools.combinations(range(10), 2)))
