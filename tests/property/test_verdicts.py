"""Sentences of verdicts against the numbers, over varied small runs: every number and every claim is checked."""

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys_core.evaluation.comparison import Comparison, compare
from recsys_core.evaluation.protocol import JudgedModel, Protocol, check_protocol

NUMBER = r"(-?[\d,]*\.?\d+)"


def made_up(seed: int) -> tuple[str, dict[str, pd.DataFrame]]:
    """Return a metric and its values for a few models and users: similar, different, sparse, or without any hit."""
    rng = np.random.default_rng(seed)
    users = int(rng.choice([1, 2, 5, 12, 30, 80, 250]))
    metric = str(rng.choice(["ndcg@10", "hit_rate@10", "precision@10", "rmse", "auc", "novelty@10"]))
    taste = rng.random(users)
    frames = {}
    for model in (
        "popular",
        "random",
        *rng.choice(["ease", "knn", "ials", "mlp", "sasrec"], rng.integers(1, 5), replace=False),
    ):
        quality = rng.choice([0.0, 0.05, 0.3, 0.32, 0.6, 0.9])
        if metric == "hit_rate@10":
            values = (rng.random(users) < quality * 0.7) * 1.0
        elif metric == "precision@10":
            values = rng.binomial(10, quality * 0.5, users) / 10
        else:
            values = np.clip(taste * quality + (rng.random(users) - 0.5) * rng.choice([0.0, 0.02, 0.4]), 0, 1)
        if metric in ("rmse", "novelty@10"):
            values = 3.0 - values
        frames[str(model)] = pd.DataFrame(
            {
                "user": np.arange(users),
                "user_id": [f"u{number}" for number in range(users)],
                metric: values,
                "n_ratings": rng.integers(1, 9, users),
                "n_relevant": 1,
            }
        )
    for frame in frames.values():
        frame["n_ratings"] = frames["popular"]["n_ratings"]
    return metric, frames


@cache
def compared(seed: int) -> tuple[str, dict[str, pd.DataFrame], Comparison]:
    """Return the metric, the values and their comparison, computed once per process; tests must not change them."""
    metric, frames = made_up(seed)
    return metric, frames, compare(frames, metric=metric, samples=999)


def numbers(text: str) -> list[float]:
    return [float(found.replace(",", "")) for found in re.findall(NUMBER, text)]


def near(text: str, value: float) -> bool:
    """Return whether a written number is the value, rounded to its decimals."""
    decimals = len(text.partition(".")[2])
    return abs(float(text.replace(",", "")) - value) <= 0.5 * 10**-decimals + 1e-9


def check_interval(text: str, low: float, high: float) -> None:
    if text == "no interval":
        assert math.isnan(low)
        return
    ends = text.split(" to ")
    assert near(ends[0], low)
    assert near(ends[1], high)
    assert high > low


@pytest.mark.parametrize("seed", range(60))
def test_each_sentence_of_a_verdict_says_what_the_numbers_say(seed: int) -> None:
    metric, frames, comparison = compared(seed)
    table = comparison.table.set_index("model")
    leader = str(comparison.table["model"].iloc[0])
    lower = metric == "rmse"
    means = {model: table.loc[model, "mean"] for model in frames}
    assert means[leader] == (min if lower else max)(means.values())
    first, *rest = comparison.verdict
    assert first.values["model"] == leader
    assert near(first.values["mean"], means[leader])
    check_interval(first.values["interval"], table.loc[leader, "low"], table.loc[leader, "high"])
    pairs = {(pair.first, pair.second): pair for pair in comparison.pairs.itertuples()}
    named = set(re.split(", | and ", first.values["models"])) - {leader}
    assert all(means[model] == pytest.approx(means[leader], abs=1e-12) for model in named)
    assert ("exactly the same mean" in str(first)) == bool(named)
    for sentence in rest:
        text, values = str(sentence), sentence.values
        if text.startswith("No significant difference from"):
            tied = [values["model"]] if "model" in values else re.split(", | and ", values["models"])
            assert not any(pairs[leader, model].different for model in tied)
            assert not named & set(tied)
            named |= set(tied)
            if "model" in values:
                check_power(values, pairs[leader, values["model"]], text)
        elif "is behind by" in text:
            pair = pairs[leader, values["model"]]
            assert pair.different
            assert near(values["difference"], abs(pair.difference))
            check_interval(values["interval"], *sorted((abs(pair.low), abs(pair.high))))
        elif text.endswith("(selection)."):
            assert numbers(text)[-1] == len(named) + 1
        else:
            check_against_baseline(text, values, comparison, leader)
    assert named == {second for (one, second), pair in pairs.items() if one == leader and not pair.different}


def check_power(values: Mapping[str, str], pair: Any, text: str) -> None:
    """The power is stated under a condition that lies in the interval, and for no difference that is mere noise."""
    if "fewest" in values and "takes about" in text:
        assert pair.p <= 0.3
        assert near(values["observed"], abs(pair.difference))
        assert near(values["upper"], max(abs(pair.low), abs(pair.high)))
        assert numbers(values["fewest"])[0] >= pair.users_at_best
        if "needed" in values:
            assert numbers(values["needed"])[0] >= pair.users_needed >= pair.users_at_best
    elif "would have been detected" in text:
        assert near(values["detectable"], pair.detectable)


def check_against_baseline(text: str, values: Mapping[str, str], comparison: Comparison, leader: str) -> None:
    better = set(comparison.better_than("popular"))
    against = comparison.against("popular").set_index("model")
    leading = {leader, *comparison.pairs.query("first == @leader and not different")["second"]}
    if text.startswith("No model is significantly better"):
        assert not better
        assert "popular" in leading
    elif "first" in values:
        assert values["first"] == leader
        assert set(re.split(", | and ", values["models"])) == better
        assert leader not in better
    elif "by at least" in text:
        assert leading <= better
        low = min(min(abs(against.loc[model, "low"]), abs(against.loc[model, "high"])) for model in leading)
        assert 0 < float(values["low"]) <= low + 1e-12  # never more than the lower bound
        assert float(values["low"]) >= 0.5 * low
    else:
        assert text.startswith(f"{leader} beats popular by")
        assert leader in better
        assert near(values["difference"], abs(against.loc[leader, "difference"]))
        check_interval(values["interval"], *sorted(abs(against.loc[leader, ["low", "high"]])))


@pytest.mark.parametrize("seed", range(60))
def test_test_interval_and_letters_never_contradict_each_other(seed: int) -> None:
    metric, _, comparison = compared(seed)
    letters = comparison.table.set_index("model")["letters"]
    for pair in comparison.pairs.itertuples():
        if pair.different:
            assert pair.low >= 0 or pair.high <= 0 or math.isnan(pair.low)
        else:
            assert pair.low <= 0 <= pair.high or math.isnan(pair.low)
        assert pair.different == (not set(letters[pair.first]) & set(letters[pair.second]))
        assert pair.p <= pair.p_holm <= 1
    if metric not in ("novelty@10", "rmse"):
        assert (comparison.table["high"] > comparison.table["low"]).all()
        assert (comparison.table["high"] > 0).all()
        assert (comparison.table["low"] <= comparison.table["mean"]).all()


@pytest.mark.parametrize("seed", range(60))
def test_findings_about_popularity_and_chance_follow_the_test(seed: int) -> None:
    metric, frames, comparison = compared(seed)
    models = {model: JudgedModel(model, model, personal=model != "popular") for model in frames}
    found = {one.rule: one for one in check_protocol(frames, Protocol(models), metric=metric, comparison=comparison)}
    others = set(frames) - {"popular", "random"}
    if metric == "novelty@10":
        assert not set(found) & {"popularity_leads", "no_better_than_random"}
        return
    assert ("popularity_leads" in found) == (not set(comparison.better_than("popular")))
    tied = set(comparison.against("random").query("not different")["model"]) & others
    assert found["no_better_than_random"].count == len(tied) if tied else "no_better_than_random" not in found
    users = len(comparison.users)
    assert ("few_users" in found) == (users < 100)
    if 1 < users < 50:
        assert "trial run" in found["few_users"].message
