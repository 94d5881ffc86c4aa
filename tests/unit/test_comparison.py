"""Comparisons: common users, order, groups, and sentences with the right numbers."""

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from recsys_core.errors import ConfigError, DataError
from recsys_core.evaluation import sentences
from recsys_core.evaluation.comparison import Comparison, compare, summarize
from recsys_core.evaluation.estimates import metric_columns
from recsys_core.text import Template


def judged(values: np.ndarray, users: np.ndarray | None = None, metric: str = "ndcg@10") -> pd.DataFrame:
    return pd.DataFrame({"user": np.arange(len(values)) if users is None else users, metric: values})


def leaderboard(metric: str = "ndcg@10", sign: float = 1.0) -> Comparison:
    """EASE and iALS almost equal, popularity far behind, random last."""
    rng = np.random.default_rng(0)
    taste = rng.beta(2, 3, 1500)
    values = {
        "random": taste * 0.02 + rng.normal(0, 0.01, 1500),
        "popular": taste * 0.5 + rng.normal(0, 0.05, 1500),
        "ials-1": taste * 0.9 + rng.normal(0, 0.1, 1500),
        "ease-1": taste * 0.9 + rng.normal(0.004, 0.1, 1500),
    }
    titles = {"ease-1": "EASE", "ials-1": "iALS", "popular": "popularity", "random": "Random"}
    frames = {model: judged(sign * value, metric=metric) for model, value in values.items()}
    return compare(frames, metric=metric, seed=7, titles=titles)


def test_table_is_sorted_best_first_with_the_means_of_the_users() -> None:
    comparison = leaderboard()
    assert comparison.table["model"].tolist() == ["ease-1", "ials-1", "popular", "random"]
    assert (comparison.table["low"] < comparison.table["mean"]).all()
    assert (comparison.table["mean"] < comparison.table["high"]).all()
    assert comparison.table["users"].tolist() == [1500] * 4
    assert comparison.table["letters"].tolist() == ["a", "a", "b", "c"]
    assert comparison.ties == (("ease-1", "ials-1"),)
    assert comparison.baseline == "popular"


@pytest.mark.parametrize("run", ["", "0123abcd/"])
def test_random_is_no_runner_up_across_experiments_either(run: str) -> None:
    frames = {f"{run}random": judged(np.linspace(0.0, 0.01, 200)), f"{run}a": judged(np.linspace(0.5, 0.6, 200))}
    assert not any("behind" in str(sentence) for sentence in compare(frames, metric="ndcg@10").verdict)


def test_the_verdict_says_who_leads_who_is_tied_and_what_is_gained() -> None:
    comparison = leaderboard()
    best, pair = comparison.table.iloc[0], comparison.pairs.iloc[0]
    said = [str(sentence) for sentence in comparison.verdict]
    assert said[0] == f"EASE leads on NDCG@10: {best['mean']:.2f} ({best['low']:.2f} to {best['high']:.2f})."
    assert said[1] == (
        "No significant difference from iALS (95%, sign-flip test, Holm). Detecting one with 80% power takes about "
        f"{sentences.about(pair['users_at_best'])} to {sentences.about(pair['users_needed'])} users, if the true "
        f"difference is between {pair['high']:.3f}, the end of its interval, and the observed "
        f"{pair['difference']:.3f}."
    )
    assert said[2] == (
        "EASE has the best mean of 2 models that do not differ significantly, so its mean is probably overestimated "
        "(selection)."
    )
    low = comparison.against("popular").set_index("model").loc[["ease-1", "ials-1"], "low"].min()
    assert said[3] == (
        f"Both beat popularity by at least {math.floor(low * 1000) / 1000:.3f}, the lower end of the 95% intervals."
    )
    assert len(said) == 4


def test_every_model_of_the_leading_group_is_named() -> None:
    rng = np.random.default_rng(0)
    taste = rng.beta(2, 3, 200)
    frames = {f"twin-{number}": judged(taste + rng.normal(0, 0.1, 200)) for number in range(6)}
    comparison = compare(frames, metric="ndcg@10", seed=7)
    words = " ".join(str(sentence) for sentence in comparison.verdict)
    assert all(model in words for model in frames)
    assert "No significant difference from 2 more models either: twin-" in words
    assert comparison.better_than("twin-0") == ()
    assert leaderboard().better_than("popular") == ("ease-1", "ials-1")


def test_the_verdict_names_the_next_best_when_the_leader_stands_alone() -> None:
    comparison = compare(
        {
            "popular": judged(np.linspace(0.1, 0.2, 200)),
            "random": judged(np.linspace(0.0, 0.01, 200)),
            "a": judged(np.linspace(0.5, 0.6, 200)),
            "b": judged(np.linspace(0.3, 0.5, 200)),
        },
        metric="ndcg@10",
    )
    said = [str(sentence) for sentence in comparison.verdict]
    assert said[0].startswith("a leads on NDCG@10: 0.550 (")
    assert said[1].startswith("b is behind by 0.150 (")
    assert said[2].startswith("a beats popular by 0.40 (")


def test_lower_is_better_for_errors() -> None:
    rng = np.random.default_rng(1)
    frames = {
        model: pd.DataFrame({"user": np.arange(300), "rmse": 1.0 + shift + rng.random(300), "n_ratings": 5})
        for model, shift in {"worse": 0.5, "better": 0.0}.items()
    }
    comparison = compare(frames, metric="rmse")
    assert comparison.table["model"].tolist() == ["better", "worse"]
    assert comparison.pairs["difference"].item() < 0
    assert str(comparison.verdict[1]).startswith("worse is behind by 0.49 (0.44 to 0.53)")


def test_rmse_is_over_all_ratings_and_not_the_mean_of_users() -> None:
    frame = pd.DataFrame({"user": [0, 1], "rmse": [1.0, 3.0], "mae": [1.0, 2.0], "n_ratings": [9, 1]})
    summary = summarize(frame)
    assert summary["rmse"]["mean"] == pytest.approx(math.sqrt((9 * 1 + 9) / 10))
    assert summary["mae"]["mean"] == pytest.approx((9 * 1 + 1 * 2) / 10)
    comparison = compare({"one": frame}, metric="rmse")
    assert comparison.table["mean"].item() == pytest.approx(math.sqrt(1.8))
    assert str(comparison.verdict[0]).startswith("one is the only model with a value of RMSE")


def test_only_common_users_are_compared() -> None:
    first = judged(np.array([0.1, 0.2, math.nan, 0.4]), np.array([0, 1, 2, 3]))
    second = judged(np.array([0.9, 0.8, 0.7, 0.3]), np.array([5, 3, 2, 1]))
    comparison = compare({"first": first, "second": second}, metric="ndcg@10")
    assert comparison.users.tolist() == [1, 3]
    assert comparison.left_out == 3  # users 0, 2 and 5
    assert_allclose(comparison.table.set_index("model").loc[["first", "second"], "mean"], [0.3, 0.55])


def test_equal_models_are_tied_and_no_number_of_users_would_decide() -> None:
    values = np.random.default_rng(0).random(50)
    comparison = compare({"one": judged(values), "other": judged(values)}, metric="ndcg@10")
    assert comparison.pairs["p_holm"].item() == 1.0
    assert math.isinf(comparison.pairs["users_needed"].item())
    assert comparison.pairs["identical"].item()
    assert str(comparison.verdict[0]).startswith("one and other are first on NDCG@10, with exactly the same mean: 0.")
    assert "leads" not in " ".join(map(str, comparison.verdict))
    assert comparison.pairs["low"].item() < 0 < comparison.pairs["high"].item()  # other users may differ


def test_a_few_large_losses_outweigh_many_small_gains() -> None:
    """Most users gain a little, a few lose much more: test and interval both follow the mean."""
    base = np.full(1000, 0.5)
    changed = base + np.where(np.arange(1000) < 800, 0.01, -0.3)
    comparison = compare({"base": judged(base), "changed": judged(changed)}, metric="ndcg@10")
    pair = comparison.pairs.iloc[0]
    assert (pair["first"], pair["different"]) == ("base", True)
    assert 0 < pair["low"] < 0.052 < pair["high"]
    assert str(comparison.verdict[1]) == "changed is behind by 0.052 (0.044 to 0.060)."


def test_a_leader_that_is_tied_with_the_baseline_takes_nothing_from_those_that_beat_it() -> None:
    """The leader varies much between users; the next one is slightly but consistently above the baseline."""
    rng = np.random.default_rng(0)
    base = rng.random(100) * 0.2 + 0.3
    wild = np.clip(base + 0.03 + rng.normal(0, 0.3, 100), 0, 1)
    frames = {"popular": judged(base), "steady": judged(base + 0.01), "wild": judged(wild)}
    said = [str(sentence) for sentence in compare(frames, metric="ndcg@10").verdict]
    assert said[0].startswith("wild leads")
    assert said[-1] == "steady is significantly better than popular (95%, sign-flip test, Holm); wild is not."


@pytest.mark.parametrize("seed", range(12))
def test_with_unequal_tuning_budgets_no_sentence_claims_a_leader(seed: int) -> None:
    """Of the wild model that is tied with the baseline, of ties, of a clear first, and of an unbeaten baseline."""
    rng = np.random.default_rng(seed)
    base = rng.random(100) * 0.2 + 0.3
    wild = np.clip(base + 0.03 + rng.normal(0, (0.3, 0.01)[seed % 2], 100), 0, 1)
    frames = {"popular": judged(base), "steady": judged(base + (-0.01, 0.0, 0.01, 0.2)[seed % 4]), "wild": judged(wild)}
    verdict = compare(frames, metric="ndcg@10", unequal=["steady"]).verdict
    assert "with unequal tuning" in str(verdict[0])
    words = {word.strip(".,;:()").casefold() for sentence in verdict for word in str(sentence).split()}
    assert not words & {"best", "leader", "leads", "leading", "wins", "winner", "winning"}


def test_a_model_without_a_hit_has_an_upper_bound() -> None:
    nothing, something = np.zeros(301), np.where(np.arange(301) < 30, 0.4, 0.0)
    table = compare({"none": judged(nothing), "some": judged(something)}, metric="ndcg@10").table.set_index("model")
    assert table.loc["none", "low"] == 0.0
    assert table.loc["none", "high"] == pytest.approx(0.0126, abs=1e-4)  # Wilson, 0 of 301
    assert sentences.interval_text(table.loc["none", "low"], table.loc["none", "high"]) == "0.000 to 0.013"


@pytest.mark.parametrize("metric", ["rmse", "novelty@10"])
def test_where_nothing_bounds_a_metric_no_spread_means_no_interval(metric: str) -> None:
    frame = judged(np.full(30, 2.0), metric=metric).assign(n_ratings=3)
    comparison = compare({"one": frame}, metric=metric)
    assert comparison.table[["low", "high"]].isna().all(axis=None)
    assert "2.000 (no interval)" in str(comparison.verdict[0])


def test_the_order_of_the_rows_changes_no_number() -> None:
    rng = np.random.default_rng(0)
    ids = np.array([f"u{number}" for number in rng.permutation(200)])
    values = {model: rng.random(200) for model in ("one", "other", "third")}
    orders = [np.arange(200), rng.permutation(200)]
    found = [
        compare(
            {model: judged(value[order]).assign(user_id=ids[order]) for model, value in values.items()},
            metric="ndcg@10",
        )
        for order in orders
    ]
    pd.testing.assert_frame_equal(found[0].table, found[1].table, check_exact=True)
    pd.testing.assert_frame_equal(found[0].pairs, found[1].pairs, check_exact=True)


def test_a_single_user_decides_nothing() -> None:
    comparison = compare({"one": judged(np.array([0.5])), "other": judged(np.array([0.1]))}, metric="ndcg@10")
    assert [str(sentence) for sentence in comparison.verdict] == [
        "one leads on NDCG@10: 0.5 (0.1 to 0.9).",
        "No significant difference from other (95%, sign-flip test, Holm).",
    ]


def test_differences_to_a_baseline_are_signed_and_all_there() -> None:
    against = leaderboard().against("popular").set_index("model")
    assert set(against.index) == {"ease-1", "ials-1", "random"}
    assert against.loc["ease-1", "difference"] > 0
    assert against.loc["random", "difference"] < 0
    assert (against["low"] < against["difference"]).all()
    assert (against["difference"] < against["high"]).all()


def test_what_is_neither_good_nor_bad_has_no_winner() -> None:
    said = [str(sentence) for sentence in leaderboard(metric="novelty@10").verdict]
    assert said[0].startswith("EASE has the highest Novelty@10")
    assert not any("beat" in sentence for sentence in said)


def test_popularity_that_leads_is_said_to_be_unbeaten() -> None:
    rng = np.random.default_rng(0)
    frames = {"popular": judged(rng.random(80) + 0.2), "knn": judged(rng.random(80))}
    said = [str(sentence) for sentence in compare(frames, metric="ndcg@10").verdict]
    assert "No model is significantly better than popular (95%, sign-flip test, Holm)." in said


def test_the_same_seed_gives_the_same_comparison() -> None:
    pd.testing.assert_frame_equal(leaderboard().pairs, leaderboard().pairs)


def test_summary_covers_every_metric_and_nothing_else() -> None:
    frame = pd.DataFrame(
        {
            "user": [0, 1],
            "user_id": ["a", "b"],
            "ndcg@10:tail": [math.nan, 0.5],
            "auc": [0.1, 0.2],
            "n_relevant": [1, 2],
        }
    )
    assert metric_columns(frame) == ["ndcg@10:tail", "auc"]
    summary = summarize(frame)
    assert set(summary) == {"ndcg@10:tail", "auc"}
    tail = summary["ndcg@10:tail"]
    assert (tail["mean"], tail["users"]) == (0.5, 1)
    assert 0.0 < tail["low"] < 0.2
    assert 0.8 < tail["high"] < 1.0


def test_refuses_in_a_sentence_what_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="at least one model"):
        compare({}, metric="ndcg@10")
    with pytest.raises(ConfigError, match=r"'a' has no values of 'recall@5'; it has ndcg@10"):
        compare({"a": judged(np.ones(3))}, metric="recall@5")
    with pytest.raises(DataError, match="No user has a value for every model"):
        compare({"a": judged(np.ones(2)), "b": judged(np.ones(2), np.array([7, 8]))}, metric="ndcg@10")
    with pytest.raises(ConfigError, match="not among the models"):
        leaderboard().against("svd")


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0.366, 0.378, "0.372"), (0.31, 0.43, "0.37"), (0.3720, 0.3721, "0.37200"), (0.372, 0.372, "0.372")],
)
def test_numbers_are_rounded_to_what_the_interval_supports(low: float, high: float, text: str) -> None:
    assert sentences.rounded(0.372, low, high) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.04, 0.009, 0.24, "0.04"),
        (-0.04, -0.24, -0.009, "-0.04"),
        (0.04, -0.01, 0.24, "0.0"),
        (-0.04, -0.24, 0.01, "0.0"),
        (0.0, 0.0, 0.24, "0.0"),
        (0.0003, float("nan"), float("nan"), "0.0003"),
    ],
)
def test_a_mean_does_not_read_as_0_where_its_interval_excludes_it(
    value: float, low: float, high: float, text: str
) -> None:
    assert sentences.rounded(value, low, high) == text


def test_users_are_needed_for_a_difference_that_does_not_read_as_0() -> None:
    """The interval supports one decimal, and the observed difference is below 0.05."""
    rng = np.random.default_rng(5)
    base = rng.random(40) * 0.4
    noise = rng.normal(0, 0.3, 40)
    frames = {"a": judged(base + noise - noise.mean() + 0.0499), "b": judged(base), "c": judged(base - 0.2)}
    compared = compare(frames, metric="ndcg@10")
    tie = next(one for one in compared.verdict if "observed" in one.values)
    pair = compared.pairs.iloc[0]
    assert sentences.decimals_for(pair["low"], pair["high"]) == 1
    assert tie.values["observed"] == "0.05"
    assert_allclose(float(str(tie.values["upper"])), pair["high"], atol=0.005)


@pytest.mark.parametrize(
    ("low", "high", "decimals", "text"),
    [
        (0.412, 0.437, None, "0.41 to 0.44"),
        (0.0004, 0.03, None, "0.0004 to 0.03"),
        (-0.03, -0.0004, None, "-0.03 to -0.0004"),
        (-0.03, 0.0004, None, "-0.03 to 0.00"),
        (-0.0004, 0.03, None, "0.00 to 0.03"),
        (0.0, 0.03, None, "0.00 to 0.03"),
        (1e-9, 0.2, 3, "0.000000001 to 0.200"),
        (float("nan"), 0.03, None, "no interval"),
    ],
)
def test_an_interval_without_zero_does_not_read_as_if_it_had_it(
    low: float, high: float, decimals: int | None, text: str
) -> None:
    assert sentences.interval_text(low, high, decimals) == text


@pytest.mark.parametrize(
    ("low", "decimals", "text"), [(0.0149, 2, "0.01"), (0.0199, 3, "0.019"), (0.0004, 2, "0.0004"), (1.0, 1, "1.0")]
)
def test_a_lower_bound_is_never_rounded_up(low: float, decimals: int, text: str) -> None:
    assert sentences.at_least(low, decimals) == text


@pytest.mark.parametrize(("users", "text"), [(412.0, "412"), (1234.0, "1,240"), (48_051.0, "48,100"), (7.0, "7")])
def test_numbers_of_users_have_three_digits(users: float, text: str) -> None:
    assert sentences.about(users) == text


def test_every_template_is_filled_by_name() -> None:
    found = [value for value in vars(sentences).values() if isinstance(value, Template)]
    assert len(found) > 20
    for template in found:
        for text in (template.one, template.many):
            assert "{}" not in text
            assert not text or text.rstrip().endswith(".")


def test_a_difference_that_only_many_tests_make_likely_is_a_tie() -> None:
    """Some pair of eight equal models has p below 5%, and Holm's correction removes the significance."""
    rng = np.random.default_rng(14)
    frames = {f"m{number}": judged(rng.normal(size=200)) for number in range(8)}
    pairs = compare(frames, metric="ndcg@10", samples=500).pairs
    tempting = pairs[pairs["p"] < 0.05]
    assert len(tempting) > 0
    assert not tempting["different"].any()
    assert ((tempting["low"] < 0) & (tempting["high"] > 0)).all()  # the intervals are simultaneous
    assert (pairs["p_holm"] >= pairs["p"]).all()


def test_where_only_the_steps_of_holm_decide_the_interval_ends_at_zero() -> None:
    """Two obvious pairs leave the third its whole 5 %, which the simultaneous interval does not have."""
    rng = np.random.default_rng(0)
    base = rng.random(400)
    noise = rng.normal(0, 0.1, 400)
    frames = {
        "low": judged(base - 1.0),
        "next": judged(base),
        "best": judged(base + noise - noise.mean() + 2.2 * 0.1 / 400**0.5),  # p about 0.028: above 0.05 / 3
    }
    pair = compare(frames, metric="ndcg@10").pairs.iloc[0]
    assert (pair["first"], pair["second"], pair["different"]) == ("best", "next", True)
    assert 0.05 / 3 < pair["p"] < 0.05
    assert (pair["low"], pair["high"] > pair["difference"]) == (0.0, True)


def trained(rng: np.random.Generator, mean: float, std: float, trainings: int) -> list[pd.DataFrame]:
    """Return one frame per training of a model, 900 users; the trainings' means vary by `std`."""
    taste = np.random.default_rng(99).random(900) * 0.1
    return [judged(taste + mean + rng.normal(0, std) + rng.normal(0, 0.01, 900)) for _ in range(trainings)]


def test_trainings_are_averaged_for_each_user_and_their_variation_is_reported() -> None:
    frames = {
        "net": trained(np.random.default_rng(1), 0.3, 0.01, 5),
        "ease": trained(np.random.default_rng(2), 0.2, 0, 1),
    }
    table = compare(frames, metric="ndcg@10").table.set_index("model")
    means = [frame["ndcg@10"].mean() for frame in frames["net"]]
    assert table.loc["net", "mean"] == pytest.approx(np.mean(means))
    assert table.loc["net", "training_std"] == pytest.approx(np.std(means, ddof=1))
    assert table["trainings"].to_dict() == {"net": 5, "ease": 1}
    assert math.isnan(table.loc["ease", "training_std"])
    half = stats.t.isf(0.025, 4) * np.std(means, ddof=1) / 5**0.5
    assert table.loc["net", "high"] - table.loc["net", "mean"] > half  # the trainings', and that of the users


@pytest.mark.slow
@pytest.mark.parametrize("trainings", [3, 5])
def test_trainings_of_one_net_differ_as_rarely_as_promised(trainings: int) -> None:
    """Trainings vary much more than users: without their variation almost every pair would be called different."""
    rng = np.random.default_rng(trainings)
    called = [
        compare({name: trained(rng, 0.3, 0.02, trainings) for name in ("one", "other")}, metric="ndcg@10", samples=999)
        .pairs["different"]
        .item()
        for _ in range(150)
    ]
    assert np.mean(called) <= 0.08


def test_a_difference_larger_than_the_variation_between_trainings_is_found() -> None:
    rng = np.random.default_rng(5)
    called = [
        compare(
            {"one": trained(rng, 0.30, 0.002, 5), "other": trained(rng, 0.32, 0.002, 5)}, metric="ndcg@10", samples=999
        )
        .pairs["different"]
        .item()
        for _ in range(10)
    ]
    assert all(called)


def test_more_users_do_not_help_where_the_trainings_hide_the_difference() -> None:
    rng = np.random.default_rng(6)
    frames = {"one": trained(rng, 0.3, 0.05, 3), "other": trained(rng, 0.31, 0.05, 3)}
    assert math.isinf(compare(frames, metric="ndcg@10").pairs["users_needed"].item())


def test_a_single_training_of_a_net_is_stated() -> None:
    rng = np.random.default_rng(7)
    frames = {"net": trained(rng, 0.3, 0, 1), "ease": trained(rng, 0.2, 0, 1)}
    said = "One training per model: variation between trainings is not included."
    assert str(compare(frames, metric="ndcg@10", varying=["net"]).verdict[-1]) == said
    assert said not in map(str, compare(frames, metric="ndcg@10").verdict)
    frames["net"] = trained(rng, 0.3, 0.01, 3)
    assert said not in map(str, compare(frames, metric="ndcg@10", varying=["net"]).verdict)


def test_exploratory_metrics_are_corrected_for_their_number() -> None:
    rng = np.random.default_rng(8)
    values, noise = rng.random(400), rng.normal(0, 0.1, 400)
    frames = {"one": judged(values), "other": judged(values - 0.0125 + noise - noise.mean())}  # p is about 0.012
    primary, explored = (compare(frames, metric="ndcg@10", metrics=number) for number in (1, 35))
    one, other = primary.pairs.iloc[0], explored.pairs.iloc[0]
    assert one["different"]
    assert not other["different"]
    assert other["p_holm"] == pytest.approx(35 * other["p"], rel=1e-9)
    assert other["low"] < one["low"] < one["high"] < other["high"]
    assert "35 exploratory metrics" in str(explored.verdict[-1])


def test_the_interval_of_a_share_ends_at_zero_and_one_however_trainings_vary() -> None:
    rng = np.random.default_rng(0)

    def trainings(level: float) -> list[pd.DataFrame]:
        values = [np.clip(rng.normal(level + shift, 0.01, 60), 0, 1) for shift in (-0.02, 0.02)]
        return [pd.DataFrame({"user": range(60), "ndcg@10": value}) for value in values]

    table = compare({"rare": trainings(0.03), "sure": trainings(0.97)}, metric="ndcg@10").table.set_index("model")
    assert table.loc["rare", "low"] == 0.0
    assert table.loc["sure", "high"] == 1.0
    found = summarize(trainings(0.03))["ndcg@10"]
    assert found["low"] == 0.0 < found["mean"] < found["high"]


@pytest.mark.parametrize(("value", "words"), [(0.004, "0.00"), (-0.004, "0.00"), (-0.006, "-0.01"), (0.3, "+0.30")])
def test_a_change_that_reads_as_0_has_no_sign(value: float, words: str) -> None:
    assert sentences.signed(value, 2) == words


def test_an_interval_of_very_many_users_does_not_read_as_one_number() -> None:
    assert sentences.interval_text(4.98e-5, 5.02e-5) == "0.0000498 to 0.0000502"
