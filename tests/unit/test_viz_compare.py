"""Figures that compare models have the given numbers, correct sentences, and no markup from data."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from recsys_core.viz import theme
from recsys_core.viz.compare import (
    dots_with_intervals,
    pareto_front,
    precision_recall,
    quality_against_time,
    slice_differences,
)
from recsys_core.viz.compare_sentences import quality_against_time as front_sentence
from recsys_core.viz.compare_sentences import slices
from recsys_core.viz.progress import training_curve
from recsys_core.viz.recommend import contributions


@pytest.fixture
def board() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "title": ["Popularity", "EASE", "<b>bold</b>"],
            "family": ["baselines", "linear", "nearest neighbors"],
            "mean": [0.1, 0.3, 0.2],
            "low": [0.09, 0.28, 0.18],
            "high": [0.11, 0.32, 0.22],
            "users": [50, 50, 50],
            "seconds": [0.01, 2.0, 3.0],
        }
    )


def test_dots_stand_best_on_top_in_the_colour_of_their_family(board: pd.DataFrame) -> None:
    figure = dots_with_intervals(board.sort_values("mean", ascending=False), metric="NDCG@10", baseline=0.1)
    assert list(figure.layout.yaxis.ticktext) == ["Popularity", "&lt;b&gt;bold&lt;/b&gt;", "EASE"]
    ease = next(trace for trace in figure.data if trace.name == "linear")
    assert (ease.x[0], ease.y[0], ease.marker.color) == (0.3, 2, theme.GREEN)
    assert ease.error_x.array[0] == pytest.approx(0.02)
    assert "NDCG@10" in figure.layout.xaxis.title.text


def test_titles_of_several_lines_do_not_touch_each_other(board: pd.DataFrame) -> None:
    board["title"] = [f"Multilayer perceptron {number} (score dot, embedding dim 64)" for number in range(len(board))]
    figure = dots_with_intervals(board, metric="NDCG@10")
    margins, line = 90, 16  # pixels; plotly writes at 12 with a third more between lines
    lines = [text.count("<br>") + 1 for text in figure.layout.yaxis.ticktext]
    assert max(lines) == 4
    assert figure.layout.height - margins > max(lines) * line * len(board)


def test_a_long_title_of_a_horizontal_axis_has_lines_that_fit_a_narrow_screen() -> None:
    long = theme.dressed(go.Figure(), x="Recall@k: share of a user's relevant items that are in the list", y="x" * 60)
    assert [len(line) <= 45 for line in long.layout.xaxis.title.text.split("<br>")] == [True, True]
    assert long.layout.yaxis.title.text == "x" * 60
    made = theme.dressed(go.Figure(), x="Item<br>of several words that were already broken into lines", y="")
    assert made.layout.xaxis.title.text.count("<br>") == 1


def test_pareto_front_keeps_what_nothing_beats() -> None:
    cost = np.array([1.0, 2.0, 3.0, 2.0, np.nan])
    quality = np.array([0.1, 0.3, 0.2, 0.3, 0.9])
    assert pareto_front(cost, quality).tolist() == [True, True, False, True, False]


def test_the_pareto_line_leaves_out_a_model_that_is_slower_and_worse(board: pd.DataFrame) -> None:
    line, dots = quality_against_time(board, metric="NDCG@10").data
    assert list(line.y) == [0.1, 0.3]
    assert sorted(dots.y) == [0.1, 0.2, 0.3]
    assert "<b>" not in "".join(dots.text)
    assert list(quality_against_time(board, metric="RMSE", higher_is_better=False).data[0].y) == [0.1]


def test_the_sentence_on_the_front_names_the_models_of_its_picture() -> None:
    """Times below a millisecond are equal in both; longer ones are written without an exponent."""
    table = pd.DataFrame(
        {
            "title": ["Random", "Popularity", "EASE"],
            "family": ["baselines", "baselines", "linear"],
            "seconds": [0.0002, 0.0008, 126.4],
            "mean": [0.1, 0.2, 0.3],
        }
    ).assign(low=lambda rows: rows["mean"] - 0.01, high=lambda rows: rows["mean"] + 0.01)
    assert str(front_sentence(table, metric="NDCG@10")) == (
        "2 of 3 models are on the Pareto front of training time and NDCG@10: Popularity (0.001 s, 0.20) and EASE "
        "(126 s, 0.30)."
    )
    assert list(quality_against_time(table, metric="NDCG@10").data[0].y) == [0.2, 0.3]


def test_groups_without_a_contrast_are_not_ranked() -> None:
    rows = [("A", "all", 0.0, -0.1, 0.1), ("A", "new", 0.0, -0.2, 0.2), ("A", "head", 0.0, -0.3, 0.3)]
    table = pd.DataFrame(rows, columns=["title", "slice", "difference", "low", "high"])
    assert str(slices(table, baseline="Bias", metric="NDCG@10")) == (
        "A against Bias: the difference in NDCG@10 is 0.0 (95% interval -0.1 to 0.1), the same in all groups."
    )
    assert str(slices(table[:2], baseline="Bias", metric="NDCG@10")) == (
        "A against Bias: the difference in NDCG@10 is 0.0 (95% interval -0.1 to 0.1)."
    )


def test_precision_recall_draws_a_line_a_model_and_greys_the_rest() -> None:
    rows = [
        {"title": title, "family": "linear", "k": k, "precision": 1 / k, "recall": k / 10}
        for title in ("EASE", "SLIM")
        for k in (5, 1)
    ]
    figure = precision_recall(pd.DataFrame(rows), highlighted=["EASE"])
    ease, slim = figure.data
    assert list(ease.x) == [0.1, 0.5]
    assert ease.line.color == theme.GREEN
    assert slim.line.color == theme.REST


def test_a_sentence_on_groups_states_intervals_and_takes_the_best_model() -> None:
    """With RMSE the better model is the one with the lower difference."""
    rows = [("A", "all", -0.2, -0.3, -0.1), ("A", "new", -0.3, -0.5, -0.1), ("A", "active", -0.0001, -0.2, 0.2)]
    rows += [("B", "all", 0.1, 0.0, 0.2), ("B", "new", 0.1, np.nan, np.nan)]
    table = pd.DataFrame(rows, columns=["title", "slice", "difference", "low", "high"])
    assert str(slices(table, baseline="Bias", metric="RMSE", higher_is_better=False)) == (
        "A against Bias: the difference in RMSE is largest for active, 0.0 (95% interval -0.2 to 0.2), and "
        "smallest for new, -0.3 (95% interval -0.5 to -0.1). Whether the groups differ from each other is not "
        "tested."
    )
    assert str(slices(table[table["slice"] == "all"], baseline="Bias", metric="NDCG@10")) == (
        "B against Bias: the difference in NDCG@10 is +0.1 (95% interval 0.0 to 0.2)."
    )


def test_slices_mark_differences_that_may_be_zero() -> None:
    table = pd.DataFrame(
        {
            "title": ["EASE"] * 4,
            "group": ["All", "New", "Head", "Tail"],
            "difference": [0.2, 0.01, 0.15, -0.001],
            "low": [0.1, -0.05, np.nan, -0.002],
            "high": [0.3, 0.07, np.nan, -0.0005],
            "users": [100, 9, 1, 100],
        }
    )
    heat = slice_differences(table, metric="NDCG@10", baseline="Popularity").data[0]
    assert list(heat.text[0]) == ["+0.20", "+0.01<br>~", "+0.15<br>~", "0.00"]
    assert (heat.zmin, heat.zmax) == (-0.2, 0.2)


def test_the_largest_and_the_smallest_difference_have_intervals() -> None:
    table = pd.DataFrame(
        {
            "title": "EASE",
            "slice": ["all users", "short", "head", "tail"],
            "difference": [0.2, 0.012, 0.5, 0.3],
            "low": [0.1, -0.05, np.nan, 0.1],
            "high": [0.3, 0.07, np.nan, 0.5],
        }
    )
    said = str(slices(table, baseline="Popularity", metric="NDCG@10"))
    assert "largest for head, +0.500 (no interval), and smallest for short, +0.01 (95% interval -0.05 to 0.07)." in said
    assert "NDCG@10 is +0.2 (95% interval 0.1 to 0.3)." in str(
        slices(table.head(1), baseline="Popularity", metric="NDCG@10")
    )


def test_the_bars_of_an_explanation_end_at_the_score() -> None:
    parts = pd.DataFrame({"title": ["Alien", "x" * 80, "Rest"], "weight": [0.5, -0.2, 0.1]})
    bars = contributions(parts, score=0.4).data[0]
    assert list(bars.measure) == ["relative", "relative", "relative", "total"]
    assert sum(bars.x[:-1]) == pytest.approx(bars.x[-1])
    assert bars.cliponaxis is False, "the numbers beside the bars are not cut off"


def test_a_training_curve_names_its_axes() -> None:
    curve = pd.DataFrame({"step": [1, 2], "value": [0.9, 0.5]})
    figure = training_curve(curve, name="loss", step="Epoch")
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("Epoch", "loss")


@pytest.mark.parametrize(("steps", "ends"), [([1], (0.5, 1.5)), ([1, 2, 3], (0.5, 3.5))])
def test_few_steps_stand_each_at_its_number(steps: list[int], ends: tuple[float, float]) -> None:
    axis = training_curve(pd.DataFrame({"step": steps, "value": 0.5}), name="loss").layout.xaxis
    assert (axis.dtick, tuple(axis.range)) == (1, ends)


@pytest.mark.parametrize(
    ("ends", "named"),
    [((1, 46), {"1", "2", "5", "10", "20", "50"}), ((8, 12), {"10"}), ((1, 9000), {"1", "10", "1,000"})],
)
def test_a_logarithmic_axis_names_whole_numbers(ends: tuple[float, float], named: set[str]) -> None:
    axis = theme.log_axis(*ends)
    assert named <= set(axis["ticktext"])
    assert all(
        float(text.replace(",", "")) == tick for text, tick in zip(axis["ticktext"], axis["tickvals"], strict=True)
    )
    assert ("2" in axis["ticktext"]) == (ends[1] < 100)


def test_algorithms_of_one_family_share_a_colour_and_differ_in_symbol() -> None:
    symbols = theme.family_symbols(["baselines", "baselines", "linear", "baselines"])
    assert len({symbols[0], symbols[1], symbols[3]}) == 3
    assert theme.family_color("baselines") == theme.family_color("unheard of")
