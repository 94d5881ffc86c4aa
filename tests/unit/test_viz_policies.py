"""Figures of off-policy evaluation and A/B tests: what they draw, and that names are no markup."""

import numpy as np
import pandas as pd
import pytest

from recsys_core.data.synthetic.shop import make_truth
from recsys_core.data.synthetic.shop_config import ShopConfig
from recsys_core.evaluation.ab_test.planner import Design, plan
from recsys_core.evaluation.ab_test.reading import proportion, read_test
from recsys_core.evaluation.ab_test.replay import replay
from recsys_core.evaluation.off_policy.exploration import Exploration
from recsys_core.evaluation.off_policy.report import report, report_sentences
from recsys_core.evaluation.off_policy.truth import truth_table
from recsys_core.viz import ab_test, off_policy
from tests.unit.test_off_policy import five_rows

EVIL = "<b>Evil</b>"


def test_estimates_are_dots_with_their_intervals() -> None:
    told = report(five_rows(), None)
    figure, table = off_policy.estimates_figure(told), off_policy.estimates_table(told)
    assert list(figure.layout.yaxis.ticktext) == ["IPS", "SNIPS", "Clipped IPS"]
    assert figure.data[0].x[0] == told.estimates["ips"].value
    assert figure.layout.shapes[0].x0 == told.logged.value
    assert list(table["Estimator"]) == ["IPS", "SNIPS", "Clipped IPS"]
    assert str(report_sentences(told)[0]).startswith("IPS: the policy earns 2")


def test_truth_draws_estimate_and_true_value_of_each_policy() -> None:
    truth = make_truth(ShopConfig(users=20, items=20, places=2), 1)
    made = truth_table(truth, {EVIL: (np.arange(20), np.tile([1, 2], (20, 1)))}, visitors=100)
    table = made.table.assign(offline=[0.1, *[np.nan] * 3], offline_low=0.05, offline_high=0.2)
    figure = off_policy.truth_figure(table, "dr")
    assert "&lt;b&gt;Evil&lt;/b&gt;" in figure.layout.yaxis.ticktext
    assert len(figure.data[0].x) == 1  # references have no estimate
    assert list(figure.data[1].x) == sorted(made.table["true"], reverse=True)
    assert off_policy.offline_figure(table, "NDCG@10").data[0].text == ("&lt;b&gt;Evil&lt;/b&gt;",)


def test_regret_names_the_policy_with_the_lowest_mean() -> None:
    steps = np.array([1, 2])
    curves = {
        "epsilon": Exploration(steps, np.array([[1.0, 2.0], [1.0, 4.0]]), np.ones((2, 2))),
        "thompson": Exploration(steps, np.array([[1.0, 1.5], [1.0, 2.5]]), np.ones((2, 2))),
    }
    assert "Thompson sampling has the lowest mean regret: 2" in str(off_policy.regret_sentence(curves))
    figure = off_policy.regret_figure(curves)
    assert [trace.name for trace in figure.data if trace.name] == ["epsilon-greedy", "Thompson sampling"]


def test_the_plan_is_on_its_curve() -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(size=300)
    made = plan(before + rng.normal(size=300) + 5, relative=0.05, covariate=before, design=Design())
    table = ab_test.needed_table(made)
    near = table.iloc[(table["users"] - made.needed).abs().argmin()]
    assert near["difference"] == pytest.approx(made.difference, rel=0.1)
    assert (table["with_cuped"] < table["difference"]).all()
    assert ab_test.needed_figure(made).data[-1].x == (made.needed,)
    assert "With CUPED" in str(ab_test.plan_sentences(made)[2])
    again = replay(before, replays=100)
    assert sum(ab_test.replay_figure(again).data[0].y) == 100
    assert "of 100 A/A replays are false wins" in str(ab_test.replay_sentence(again))


def test_effects_have_intervals_and_plain_names() -> None:
    reading = read_test([proportion("old", 100, 10), proportion(EVIL, 100, 30)])
    figure = ab_test.effects_figure(reading)
    assert figure.layout.yaxis.ticktext == ("&lt;b&gt;Evil&lt;/b&gt;",)
    assert isinstance(ab_test.effects_table(reading), pd.DataFrame)
    assert figure.data[0].x == (pytest.approx(0.2),)
