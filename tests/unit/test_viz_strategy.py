"""Sentences and figures of a strategy: each says what its numbers say, no more."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys_core.evaluation.list_metrics import EXPOSURE
from recsys_core.strategy.cards import Boost, Condition, Mmr, Strategy
from recsys_core.strategy.frontier import Frontier
from recsys_core.strategy.prices import AFFECTED, TAGS, WHOLE, Prices
from recsys_core.strategy.rank_change import RankChange
from recsys_core.viz import strategy as pictures
from recsys_core.viz.strategy_list import list_html

CARDS = (Mmr(), Boost(when=Condition(field="popularity", op=">", value=3.0)))


def prices_with(low: float, high: float, **metrics: tuple[float, float]) -> Prices:
    values = metrics or {"ndcg@10": (0.5, 0.5 + (low + high) / 2)}
    rows = [
        (view, card, metric, before, after, after - before, low, high, 40)
        for view, card in (("whole", WHOLE), ("in_order", 0), ("in_order", 1))
        for metric, (before, after) in values.items()
    ]
    affected = [("whole", WHOLE, 0.25, 0.1, 0.4, 0.5, 0.3, 0.7, 0.9, 0.0, 40)]
    return Prices(
        Strategy(cards=CARDS), pd.DataFrame(rows, columns=TAGS), pd.DataFrame(affected, columns=AFFECTED), 0.95
    )


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.03, "raises NDCG@10 by 0.010 to 0.030 (95% interval), from 0.500 to 0.520"),
        (-0.03, -0.01, "lowers NDCG@10 by 0.010 to 0.030 (95% interval), from 0.500 to 0.480"),
        (0.0002, 0.03, "raises NDCG@10 by 0.0002 to 0.030 (95% interval)"),
        (-0.03, -0.0002, "lowers NDCG@10 by 0.0002 to 0.030 (95% interval)"),
        (-0.01, 0.03, "is open: it goes from 0.500 to 0.510, a difference of -0.010 to 0.030"),
        (-0.0002, 0.03, "a difference of 0.000 to 0.030"),
        (0.0, 0.0, "leaves NDCG@10 at 0.500"),
        (np.nan, np.nan, "This difference has no interval"),
    ],
)
def test_a_change_is_claimed_only_where_the_interval_excludes_zero(low: float, high: float, words: str) -> None:
    assert words in str(pictures.price_sentence(prices_with(low, high), "ndcg@10"))


def test_users_who_are_worse_off_are_counted() -> None:
    sentence = str(pictures.affected_sentence(prices_with(0, 0)))
    assert sentence == "NDCG falls for 25.0% of 40 users (10.0% to 40.0%) and rises for 50.0%."


def test_lists_that_stay_leave_no_share_open() -> None:
    prices = prices_with(0, 0)
    same = Prices(prices.strategy, prices.table, prices.affected.assign(changed=0.0, worse=0.0, better=0.0), 0.95)
    assert str(pictures.affected_sentence(same)).startswith("The lists of all test users stay as they are")


def test_without_users_nothing_is_said_of_them() -> None:
    prices = prices_with(np.nan, np.nan)
    nobody = Prices(prices.strategy, prices.table.assign(users=0), prices.affected.assign(users=0), 0.95)
    assert str(pictures.price_sentence(nobody, "ndcg@10")) == (
        "No test user has a value of NDCG@10, so its change is unknown."
    )
    assert str(pictures.affected_sentence(nobody)).startswith("No test user has relevant items")


def test_differences_are_read_with_their_interval_or_without_one() -> None:
    rows = prices_with(-0.01, 0.03).table.head(2)
    rows.loc[1, ["low", "high"]] = np.nan
    table = pictures.differences_table(rows, before="A", after="B")
    assert table.columns.tolist() == ["Metric", "A", "B", "Change", "95% interval"]
    assert table["Metric"].tolist() == ["NDCG@10"] * 2
    assert table[["A", "B"]].to_numpy().tolist() == [[0.5, 0.51]] * 2
    assert table["95% interval"].tolist() == ["-0.0100 … +0.0300", ""]
    open_ended = prices_with(np.nan, np.nan, **{"ndcg@10": (0.5, 0.6)})
    assert "nan" not in str(pictures.price_tags(open_ended, "ndcg@10", "alone").data[0].customdata)


def test_a_small_interval_does_not_read_as_0() -> None:
    rows = prices_with(-0.00002, 0.000004).table.head(1)
    assert pictures.differences_table(rows, before="A", after="B")["95% interval"].tolist() == ["-0.00002 … +0.000004"]
    same = prices_with(0.0, 0.0).table.head(1)
    assert pictures.differences_table(same, before="A", after="B")["95% interval"].tolist() == ["0 … 0"]


def test_price_tags_have_a_row_per_card_and_the_whole_last() -> None:
    figure = pictures.price_tags(prices_with(-0.01, 0.03), "ndcg@10", "in_order")
    names = list(figure.layout.yaxis.ticktext)
    assert names == ["1. Diversity (MMR)", "2. Boost or bury", "Whole strategy"]
    assert len(figure.data[0].x) == 3


@pytest.mark.parametrize(
    ("median", "words"),
    [(2.0, "rise by 2 places"), (-1.5, "fall by 1.5 places"), (0.0, "keep their place"), (np.nan, "no candidate")],
)
def test_rank_changes(median: float, words: str) -> None:
    sentence = str(pictures.rank_change_sentence(prices_with(0, 0), 1, RankChange(median, 7, 5)))
    assert sentence.startswith("Card 2 (Boost or bury)")
    assert words in sentence


def test_exposure_shows_the_groups_largest_first_without_the_name_of_the_field() -> None:
    shares = {f"{EXPOSURE}@10:brand=A": (0.2, 0.3), f"{EXPOSURE}@10:brand=B": (0.8, 0.7), "ndcg@10": (0.5, 0.5)}
    prices = prices_with(0, 0, **shares)
    assert pictures.exposure_rows(prices)["before"].tolist() == [0.8, 0.2]
    assert list(pictures.exposure_shares(prices).layout.yaxis.ticktext) == ["B", "A"]


def frontier_with(states: list[str]) -> Frontier:
    settings = [np.nan, 0.3, 0.6]
    points = pd.DataFrame(
        {
            "model": "EASE", "setting": settings, "strategy": "{}", "x": [0.5, 0.49, 0.4], "x_low": 0.3, "x_high": 0.6,
            "y": [0.1, 0.2, 0.4], "y_low": 0.0, "y_high": 0.5, "kept": [1.0, 0.98, 0.8], "kept_low": 0.7,
            "kept_high": 1.0, "state": states, "pareto": True,
        }
    )  # fmt: skip
    return Frontier("ndcg@10", "diversity@10", points, (0.5, 0.1), lower_is_better=False)


def test_the_frontier_names_the_farthest_setting_that_keeps_the_guardrail() -> None:
    sentence = str(pictures.frontier_sentence(frontier_with(["kept", "kept", "broken"]), 0.9))
    assert "0.3 of EASE changes Diversity@10 most: from 0.100 to 0.200, keeping 98.0% of NDCG@10" in sentence
    nothing = str(pictures.frontier_sentence(frontier_with(["kept", "undecided", "broken"]), 0.9))
    assert nothing.startswith("There is no setting")


def test_the_frontier_claims_no_change_where_there_is_none() -> None:
    """Relevance alone keeps every guardrail, and changes nothing."""
    frontier = frontier_with(["kept", "kept", "broken"])
    frontier.points.loc[1, "y"] = 0.1
    sentence = str(pictures.frontier_sentence(frontier, 0.9))
    assert sentence.endswith("90% of the raw lists raises Diversity@10 (raw: 0.100).")
    falling = str(pictures.frontier_sentence(replace(frontier, lower_is_better=True), 0.9))
    assert "lowers Diversity@10" in falling


def test_the_line_of_a_frontier_joins_the_settings_only() -> None:
    lines, alone = pictures.frontier_chart(frontier_with(["kept", "kept", "broken"]), 0.9).data
    assert (lines.mode, list(lines.y), [row[0] for row in lines.customdata]) == ("lines+markers", [0.49, 0.4], [1, 2])
    assert (alone.mode, list(alone.y), list(alone.customdata[0])) == ("markers", [0.5], [0, "model alone"])


def test_groups_are_named_by_their_verdicts() -> None:
    rows = pd.DataFrame(
        {
            "kind": ["all", "history", "items"], "slice": ["all", "new", "tail"], "border": [np.nan, 5.5, np.nan],
            "users": 40, "difference": 0.0, "low": -0.1, "high": 0.1, "verdict": ["none", "worse", "better"],
        }
    )  # fmt: skip
    sentence = str(pictures.groups_sentence(rows))
    assert sentence == ("Significantly better: tail items. Significantly worse: short history (at most 5).")
    assert str(pictures.groups_sentence(rows.assign(verdict="none"))) == (
        "None of 2 groups differs significantly from the raw lists."
    )
    assert len(pictures.group_differences(rows).data[0].x) == 3


def test_titles_in_the_list_are_no_markup() -> None:
    rows = pd.DataFrame({"place": [1], "title": ["<b>evil</b>"], "trail": ["model 2 → Pin 1"], "hit": [True]})
    html = list_html(rows, "List")
    assert "<b>" not in html
    assert "&lt;b&gt;evil" in html
