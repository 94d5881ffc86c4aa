"""Intervals, tests and groups against known answers; and how often the whole procedure is right."""

import itertools
import math
import time

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from recsys_core.contracts import FloatArray, IntArray, Ragged, RunContext, TopK
from recsys_core.data import dataset_from_frames
from recsys_core.data.splits import Split, SplitSpec, make_splits
from recsys_core.evaluation import significance
from recsys_core.evaluation.comparison import compare
from recsys_core.evaluation.evaluate import relevant_items
from recsys_core.evaluation.metrics import hit_table, ndcg
from recsys_core.evaluation.ranking import rank
from recsys_core.models.registry import make_model


def ones(values: FloatArray) -> FloatArray:
    return np.ones(values.shape)


def test_bootstrap_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, (2000, 1))
    low, high = significance.interval(
        significance.bootstrap_means(values, ones(values), rng=np.random.default_rng(1), samples=4000)
    )
    error = values.std(ddof=1) / math.sqrt(2000)
    assert_allclose([low[0], high[0]], values.mean() + np.array([-1.96, 1.96]) * error, atol=0.2 * error)


def test_bootstrap_draws_the_same_users_for_all_columns() -> None:
    first = np.random.default_rng(0).normal(size=300)
    values = np.stack([first, first + 1.0], axis=1)
    means = significance.bootstrap_means(values, ones(values), rng=np.random.default_rng(1), samples=50)
    assert_allclose(means[:, 1] - means[:, 0], 1.0, atol=1e-12)


def test_bootstrap_in_blocks_gives_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(40, 2))
    whole = significance.bootstrap_means(values, ones(values), rng=np.random.default_rng(1), samples=30)
    monkeypatch.setattr(significance, "DRAWS_AT_A_TIME", 40 * 7)
    assert_allclose(
        significance.bootstrap_means(values, ones(values), rng=np.random.default_rng(1), samples=30), whole, atol=1e-12
    )


def test_bootstrap_takes_fewer_samples_of_very_many_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(significance, "MOST_DRAWS", 1000)
    values = np.ones((10, 1))
    means = significance.bootstrap_means(values, ones(values), rng=np.random.default_rng(1), samples=2000)
    assert len(means) == significance.FEWEST_SAMPLES


def test_undefined_values_count_for_nothing_and_nothing_gives_nan() -> None:
    values = np.array([[1.0, math.nan, math.nan], [3.0, 5.0, math.nan]])
    means = significance.bootstrap_means(values, ones(values), rng=np.random.default_rng(1), samples=400)
    assert set(np.unique(means[:, 0])) == {1.0, 2.0, 3.0}
    assert set(np.unique(means[~np.isnan(means[:, 1]), 1])) == {5.0}
    low, high = significance.interval(means)
    assert math.isnan(low[2])
    assert math.isnan(high[2])
    assert high[1] == 5.0


def test_wilcoxon_equals_scipy_and_handles_no_difference_at_all() -> None:
    differences = np.round(np.random.default_rng(2).normal(0.1, 1.0, 300), 1)
    p, sign = significance.wilcoxon(np.append(differences, math.nan))
    assert p == pytest.approx(stats.wilcoxon(differences[differences != 0]).pvalue)
    assert sign == 1.0
    assert significance.wilcoxon(np.zeros(10)) == (1.0, 0.0)
    assert significance.wilcoxon(np.array([math.nan])) == (1.0, 0.0)
    assert significance.wilcoxon(np.full(10, 0.1 + 0.2) - 0.3) == (1.0, 0.0)  # equal on paper


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
    differences = np.random.default_rng(3).normal(0.02, 0.3, 400)
    p, _ = significance.wilcoxon(differences)
    effect = min(abs(differences.mean()) / differences.std(ddof=1), stats.norm.isf(p / 2) / math.sqrt(400))
    expected = ((stats.norm.isf(0.025) + stats.norm.isf(0.2)) / effect) ** 2
    assert significance.users_needed(differences, p) == pytest.approx(expected, abs=1)
    assert significance.users_needed(differences, p, tests=10) > significance.users_needed(differences, p)
    assert math.isinf(significance.users_needed(np.zeros(10), 1.0))


def test_the_users_named_decide_in_four_of_five_cases() -> None:
    """With the number that `users_needed` names for a true effect, about 80 % of new samples find it."""
    rng = np.random.default_rng(4)
    known = rng.normal(0.05, 1.0, 100_000)
    known += 0.05 - known.mean()
    p, _ = significance.wilcoxon(known)
    needed = int(significance.users_needed(known, p))
    found = np.mean([significance.wilcoxon(rng.normal(0.05, 1.0, needed))[0] < 0.05 for _ in range(300)])
    assert 0.73 < found < 0.87


def lots_of_users() -> Split:
    """300 users with 12 of 60 items each, no taste at all."""
    rng = np.random.default_rng(0)
    items = np.concatenate([rng.permutation(60)[:12] for _ in range(300)])
    pairs = pd.DataFrame({"user": np.repeat(np.arange(300), 12), "item": items}).astype("int32")
    return make_splits(dataset_from_frames(pairs), SplitSpec(test_fraction=0.5), 1)[0]


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
    """Two models whose lists agree in 70 % of the places; the second finds `gain` more of what is relevant."""
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


def test_without_an_effect_the_same_data_are_called_different_as_rarely_as_promised() -> None:
    called = [compare(planted(seed, gain=0.0, users=600), metric="ndcg@10", samples=300) for seed in range(200)]
    assert np.mean([comparison.pairs["different"].item() for comparison in called]) <= 0.08


def test_ten_models_of_6040_users_are_compared_in_about_a_second() -> None:
    rng = np.random.default_rng(0)
    frames = {f"m{n}": pd.DataFrame({"user": np.arange(6040), "ndcg@10": rng.random(6040)}) for n in range(10)}
    started = time.perf_counter()
    comparison = compare(frames, metric="ndcg@10", samples=2000)
    assert time.perf_counter() - started < 5  # about 0.4 s on a free machine
    assert len(comparison.pairs) == len(list(itertools.combinations(range(10), 2)))
