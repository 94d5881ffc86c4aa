"""Planning, replaying and reading A/B tests, by hand and against published examples."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from recsys_core.errors import ConfigError, DataError
from recsys_core.evaluation.ab_test.planner import Design, cuped, detectable, plan, users_needed
from recsys_core.evaluation.ab_test.reading import mean, proportion, read_test, sample_ratio
from recsys_core.evaluation.ab_test.replay import p_of_assignments, replay
from recsys_core.evaluation.intervals import score_interval
from recsys_core.viz.ab_test import replay_sentence


def test_users_needed_follows_the_rule_of_sixteen() -> None:
    """16 s^2 / d^2 per group for 80 % power at 5 % (van Belle): (1.96 + 0.8416)^2 * 2 = 15.7."""
    needed = users_needed(1.0, 0.1, Design())
    assert needed == math.ceil(4 * (1.959964 + 0.841621) ** 2 * 100)
    assert 0.97 < needed / (2 * 16 * 100) < 1
    assert users_needed(1.0, 0.1, Design(treatment=0.1)) == pytest.approx(needed * 0.25 / 0.09, rel=0.001)
    assert detectable(1.0, needed, Design()) == pytest.approx(0.1, rel=1e-3)
    with pytest.raises(ConfigError, match="must not be 0"):
        users_needed(1.0, 0.0, Design())
    with pytest.raises(ConfigError, match="power must be between 0 and 1"):
        Design(power=1.0)


def test_planned_power_is_reached() -> None:
    rng = np.random.default_rng(4)
    design = Design()
    users = users_needed(2.0, 0.5, design)
    half = users // 2
    one, two = rng.normal(0.0, 2.0, (600, half)), rng.normal(0.5, 2.0, (600, half))
    wins = (stats.ttest_ind(one, two, axis=1).pvalue < 0.05).mean()
    assert abs(wins - 0.8) < 4 * math.sqrt(0.8 * 0.2 / 600)


def test_cuped_by_hand() -> None:
    """x = 0, 2; y = 1, 5: theta = 2, so both adjusted values are the mean 3. An unknown x counts as the mean."""
    assert_allclose(cuped(np.array([1.0, 5.0]), np.array([0.0, 2.0])), [3.0, 3.0])
    adjusted = cuped(np.array([1.0, 5.0, 4.0]), np.array([0.0, 2.0, np.nan]))
    assert_allclose(adjusted, [3.0, 3.0, 4.0])
    assert_allclose(cuped(np.array([1.0, 5.0]), np.array([np.nan, np.nan])), [1.0, 5.0])


def test_cuped_saves_the_squared_correlation() -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(size=20_000)
    values = 0.6 * before + 0.8 * rng.normal(size=20_000) + 10
    made = plan(values, difference=0.1, covariate=before)
    assert made.saved == pytest.approx(0.36, abs=0.02)
    assert made.needed_cuped / made.needed == pytest.approx(0.64, abs=0.02)
    assert made.detectable_cuped / made.detectable == pytest.approx(0.8, abs=0.02)
    assert plan(values, relative=0.01).difference == pytest.approx(0.1, rel=0.01)
    with pytest.raises(ConfigError, match="either"):
        plan(values)
    with pytest.raises(DataError, match="Only 3 users"):
        plan(values[:3], difference=1.0)
    with pytest.raises(DataError, match="same value"):
        plan(np.ones(50), difference=1.0)


def test_p_values_of_assignments_are_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    values, treated = rng.exponential(size=50), rng.random((5, 50)) < 0.4
    expected = [stats.ttest_ind(values[row], values[~row], equal_var=False).pvalue for row in treated]
    assert_allclose(p_of_assignments(values, treated), expected)
    assert p_of_assignments(values, np.zeros((1, 50), dtype=bool)) == 1.0


@pytest.mark.parametrize("adjusted", [False, True])
def test_a_a_replays_win_in_five_percent(adjusted: bool) -> None:
    rng = np.random.default_rng(5)
    values = rng.beta(1, 4, 400) * (rng.random(400) < 0.5)
    found = replay(values, covariate=values + rng.normal(size=400) if adjusted else None, replays=2000)
    assert 0.035 < found.wins < 0.065
    assert found.sound
    assert abs(found.p.mean() - 0.5) < 0.03
    again = replay(values, covariate=None, replays=50, seed=3)
    assert_allclose(again.p, replay(values, replays=50, seed=3).p)


def test_few_sound_tests_are_called_unsound() -> None:
    """A 95% interval would miss the level in one of twenty sound tests."""
    values = np.random.default_rng(0).normal(size=60)
    assert all(replay(values, seed=seed, replays=500).sound for seed in range(100))


def test_too_few_false_wins_are_no_reason_against_a_test() -> None:
    rare = np.zeros(300)
    rare[:3] = [1.0, 5.0, 30.0]
    again = replay(rare, replays=500)
    assert again.high < again.level
    assert "fewer than the 5% level: on these values the test is conservative" in str(replay_sentence(again))
    many = replace(again, wins=0.2, low=0.15, high=0.25)
    assert "more than the 5% level: do not use this test" in str(replay_sentence(many))


def test_proportions_by_newcombes_published_example() -> None:
    """Newcombe 1998, table II, method 10: 56 of 70 against 48 of 80 has the interval 0.0524 to 0.3339."""
    (effect,) = read_test([proportion("old", 80, 48), proportion("new", 70, 56)]).effects
    assert_allclose([effect.difference, effect.low, effect.high], [0.2, 0.0524, 0.3339], atol=5e-5)
    assert effect.p == pytest.approx(stats.chi2_contingency([[56, 14], [48, 32]], correction=False).pvalue)
    assert effect.significant
    assert not effect.exact


def test_small_counts_use_the_exact_test() -> None:
    (effect,) = read_test([proportion("old", 10, 0), proportion("new", 10, 4)]).effects
    assert effect.exact
    assert effect.p == pytest.approx(stats.fisher_exact([[4, 6], [0, 10]]).pvalue)
    (same,) = read_test([proportion("old", 10, 0), proportion("new", 10, 0)]).effects
    assert same.p == 1
    assert same.low < 0 < same.high


def test_means_are_welchs_test() -> None:
    (effect,) = read_test([mean("old", 50, 10.0, 2.0), mean("new", 40, 11.0, 3.0)]).effects
    expected = stats.ttest_ind_from_stats(11.0, 3.0, 40, 10.0, 2.0, 50, equal_var=False)
    ends = expected.pvalue
    assert effect.p == pytest.approx(ends)
    half = stats.t.isf(0.025, 65.04) * math.sqrt(9 / 40 + 4 / 50)
    assert_allclose([effect.low, effect.high], [1 - half, 1 + half], rtol=1e-3)
    assert_allclose(effect.relative, 0.1)
    assert effect.relative_low < 0.1 < effect.relative_high


def test_a_significant_relative_change_never_reads_as_zero_percent() -> None:
    for users, control, treatment, words in (
        (1_000_000, 50_000, 50_610, "changes by +1.2% (+0.008% to +2.4%;"),
        (1_000_000, 50_610, 50_000, "changes by -1.2% (-2.4% to -0.008%;"),
        (1_000_000_000, 50_000_000, 50_025_000, "changes by +0.05% (+0.01% to +0.09%;"),
    ):
        reading = read_test([proportion("old", users, control), proportion("new", users, treatment)])
        assert reading.effects[0].significant
        assert words in str(reading.sentences[-1])


def test_several_treatments_are_corrected_by_holm() -> None:
    arms = [proportion("old", 1000, 100), proportion("b", 1000, 130), proportion("c", 1000, 128)]
    alone = [read_test([arms[0], arm]).effects[0] for arm in arms[1:]]
    first, second = read_test(arms).effects
    assert first.p == pytest.approx(2 * alone[0].p)
    assert second.p == pytest.approx(max(alone[1].p, first.p))
    assert first.low < alone[0].low


def test_a_sample_ratio_mismatch_is_said_first() -> None:
    """821,588 against 815,482 users (Kohavi and Longbotham 2017): p = 1.8e-6."""
    assert sample_ratio([821_588, 815_482], [1, 1]) == pytest.approx(1.8e-6, rel=0.05)
    told = read_test([proportion("old", 821_588, 80_000), proportion("new", 815_482, 81_000)])
    assert told.mismatch
    assert str(told.sentences[0]).startswith("Sample-ratio mismatch: the groups have 821,588 / 815,482 users")
    planned = read_test([proportion("old", 900, 90), proportion("new", 100, 12)], [0.9, 0.1])
    assert not planned.mismatch


def test_sentences_claim_no_more_than_the_test_shows() -> None:
    weak = read_test([proportion("old", 500, 50), proportion("new", 500, 55)]).sentences
    assert "No significant difference between new and old (p = 0.6" in str(weak[1])
    assert len(weak) == 2
    strong = [str(one) for one in read_test([proportion("old", 5000, 500), proportion("new", 5000, 400)]).sentences]
    assert strong[1].startswith("new is lower than old by 0.020 (-0.031 to -0.009; 95%, p < 0.001)")
    assert "changes by -20.0%" in strong[2]


def test_where_test_and_interval_disagree_both_are_said() -> None:
    """Holm's p of the weaker treatment is that of a single test, its interval that of two (Bonferroni)."""
    arms = [proportion("old", 1000, 100), proportion("b", 1000, 200), proportion("c", 1000, 129)]
    reading = read_test(arms)
    weak = reading.effects[1]
    assert weak.p < 0.05
    assert weak.low < 0 < weak.high
    assert (weak.significant, weak.undecided) == (False, True)
    said = str(reading.sentences[-1])
    assert said.startswith("Whether c differs from old is open: the test finds a difference of +0.029 (p = 0.0")
    assert said.endswith("(95%), contains 0.")
    (exact,) = (fisher := read_test([proportion("old", 10, 0), proportion("new", 10, 4)])).effects
    assert exact.p > 0.05
    assert exact.low > 0
    assert (exact.significant, exact.undecided) == (False, True)
    assert "no significant difference (p = 0.087)" in str(fisher.sentences[1])
    assert str(fisher.sentences[1]).endswith("does not contain 0.")


@pytest.mark.parametrize(("level", "words"), [(0.025, "97.5%"), (0.001, "99.9%"), (0.05, "95%")])
def test_levels_are_not_rounded(level: float, words: str) -> None:
    told = read_test([proportion("old", 500, 50), proportion("new", 500, 55)], level=level).sentences
    assert f"({words})" in str(told[1])
    again = replay(np.arange(60.0), replays=20, design=Design(level=level))
    assert f"{100 * level:.4g}%" in str(replay_sentence(again)).replace(f"{again.wins:.1%}", "")


def test_the_interval_from_counts_is_that_of_a_value_per_user() -> None:
    (effect,) = read_test([proportion("old", 40, 0), proportion("new", 30, 12)]).effects
    ends = [score_interval((np.arange(users) < wins)[:, None].astype(float)) for users, wins in ((40, 0), (30, 12))]
    (old, new) = [(float(low[0]), float(high[0])) for low, high in ends]
    assert effect.low == pytest.approx(0.4 - math.hypot(0.4 - new[0], old[1]))
    assert effect.high == pytest.approx(0.4 + math.hypot(new[1] - 0.4, 0.0 - old[0]))


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(DataError, match="12 of 10 users is impossible"):
        proportion("new", 10, 12)
    with pytest.raises(DataError, match="at least two users"):
        mean("new", 1, 0.0, 1.0)
    with pytest.raises(DataError, match="at least one treatment"):
        read_test([proportion("new", 10, 1)])
    with pytest.raises(DataError, match="all of them means"):
        read_test([proportion("old", 10, 1), mean("new", 10, 1.0, 1.0)])
    with pytest.raises(DataError, match="the name 'new'"):
        read_test([proportion("old", 10, 1), proportion("new", 10, 1), proportion("new ", 10, 2)])


def test_values_that_do_not_vary_allow_no_test() -> None:
    """Two users with 1 and two with 2 are no evidence of p < 0.001."""
    with pytest.raises(DataError, match="standard deviation of 0"):
        read_test([mean("A", 2, 1.0, 0.0), mean("B", 2, 2.0, 0.0)])
    assert read_test([mean("A", 2, 1.0, 0.0), mean("B", 2, 2.0, 1.0)]).effects[0].p > 0.05
