"""The figure of a replay and its sentences, from tables by hand: they state the numbers, and no more."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys_core.experiments.update_replay import REFIT, STALE, UPDATED, Replay, ReplaySettings
from recsys_core.viz import theme
from recsys_core.viz.update_replay import at_step, over_time, replay_figure, step_table

DAY = 24 * 60 * 60 * 1000


def made(*, updates: bool = True, seconds: float = 2.0) -> Replay:
    """Return a replay of two steps: the refit is better at step 1; at step 2 nothing differs."""
    versions = [STALE, UPDATED, REFIT] if updates else [STALE, REFIT]
    points = [
        {
            "step": step, "version": name, "mean": 0.2, "low": 0.18, "high": 0.22,
            "seconds": np.nan if name == STALE else seconds if name == REFIT else 0.5,
            "churn": 0.25 if step else np.nan, "churn_low": 0.2 if step else np.nan, "churn_high": 0.3,
        }
        for step in range(3)
        for name in versions
    ]  # fmt: skip
    differences = [
        (1, UPDATED, STALE, -0.05, -0.08, -0.02, True, False),
        (1, REFIT, STALE, 0.1, 0.05, 0.15, True, False),
        (1, UPDATED, REFIT, -0.15, -0.2, -0.1, True, False),
        (2, UPDATED, STALE, 0.0, 0.0, 0.0, False, True),
        (2, REFIT, STALE, 0.01, -0.02, 0.04, False, False),
        (2, UPDATED, REFIT, -0.01, -0.04, 0.02, False, False),
    ]
    columns = ["step", "version", "baseline", "difference", "low", "high", "different", "identical"]
    table = pd.DataFrame(differences, columns=columns)
    if not updates:
        table = table[(table["version"] == REFIT) & (table["baseline"] == STALE)]
    counts = {"fresh": 10, "train": 100, "test": 40, "users": 1200, "panel": 500, "cold_users": 2, "late_users": 3}
    steps = [
        {"step": n, "border": n * DAY, **counts, "cold_items": 1, "late_items": 4, "cold_tests": 5 * n}
        for n in range(3)
    ]
    return Replay(
        model_id="sasrec-1", key="sasrec", metric="ndcg@10", k=10, settings=ReplaySettings(2, 0.3), updates=updates,
        points=pd.DataFrame(points), differences=table, steps=pd.DataFrame(steps), cold=pd.DataFrame(),
    )  # fmt: skip


def test_over_time_counts_the_significant_steps_and_adds_the_costs() -> None:
    updated, refit, both, costs = (str(sentence) for sentence in over_time(made()))
    assert updated.startswith(
        "Over 2 steps, NDCG@10 of the incrementally updated model is significantly higher than that of the stale model "
        "in 0, significantly lower in 1, and not significantly different in 1"
    )
    assert "NDCG@10 of the refit model is significantly higher than that of the stale model in 1, " in refit
    assert "of the incrementally updated model is significantly higher than that of the refit model in 0, " in both
    assert costs == "The 2 full refits took 4 s in total, the 2 incremental updates 1 s."
    equal = made(updates=False)
    equal = replace(equal, differences=equal.differences.assign(different=False))
    assert str(over_time(equal)[0]).startswith(
        "In none of the 2 steps does NDCG@10 differ significantly between the refit model and the stale model (95%"
    )
    never, _costs = over_time(replace(made(), differences=made().differences.assign(different=False)))
    assert str(never).startswith("In none of the 2 steps does NDCG@10 differ significantly between any two versions")
    assert [str(one) for one in over_time(made(updates=False))][-1] == "The 2 full refits took 4 s in total."


def test_a_step_states_each_difference_with_its_interval() -> None:
    text = "\n".join(str(sentence) for sentence in at_step(made(), 1))
    assert (
        "NDCG@10 of the incrementally updated model is lower than that of the stale model by 0.05 (0.02 to 0.08; "
        "1,200 users)." in text
    )
    assert (
        "NDCG@10 of the refit model is higher than that of the stale model by 0.10 (0.05 to 0.15; 1,200 users)." in text
    )
    assert (
        "previous step, mean over 500 users: Stale 25% (20% to 30%), Incremental update 25% (20% to 30%), Full" in text
    )
    assert (
        "5 of 40 test interactions of this step have a user or an item without earlier interactions (cold users: 2, "
        "cold items: 1)." in text
    )
    assert "came after its training: users 3, items 4." in text
    text = "\n".join(str(sentence) for sentence in at_step(made(), 2))
    assert "is the same for each of the 1,200 users" in text
    assert (
        "no significant difference between the refit model and the stale model (0.01; -0.02 to 0.04; 1,200 users)"
        in text
    )


def test_a_step_without_values_says_why() -> None:
    found = replace(made(), differences=made().differences[:0])
    assert "No user of this step has a relevant test item" in str(at_step(found, 1)[0])
    assert "No user" not in str(at_step(found, 0)[0])  # at step 0 there is nothing to compare


def test_the_figure_has_three_rows_and_a_band_for_each_interval() -> None:
    figure = replay_figure(made(), 1)
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    bands = [trace for trace in figure.data if trace.fill == "toself"]
    assert [trace.name for trace in lines if trace.showlegend] == ["Stale", "Incremental update", "Full refit"]
    assert len(bands) == 2 * 3
    assert list(bands[0].y) == [0.22, 0.22, 0.22, 0.18, 0.18, 0.18]
    seconds = [trace for trace in lines if trace.yaxis == "y2"]
    assert [list(trace.y) for trace in seconds] == [[0.5, 0.5], [2.0, 2.0]]
    assert {trace.line.color for trace in lines} == {theme.GREY, theme.BLUE, theme.ORANGE}
    assert figure.layout.yaxis2.type is None
    assert replay_figure(made(seconds=60.0)).layout.yaxis2.type == "log"
    assert len([trace for trace in replay_figure(made(updates=False)).data if trace.mode == "lines+markers"]) == 5


@pytest.mark.parametrize("updates", [True, False])
def test_the_table_of_a_step_has_a_row_a_version(updates: bool) -> None:
    table = step_table(made(updates=updates), 1).set_index("version")
    assert list(table.index) == (["Stale", "Incremental update", "Full refit"] if updates else ["Stale", "Full refit"])
    assert list(table.loc["Full refit"][["mean", "interval", "seconds"]]) == ["0.20", "0.18 to 0.22", "2.00"]
    assert table.loc["Full refit", "difference"] == "0.10 (0.05 to 0.15)"
    assert list(table.loc["Stale"][["difference", "seconds"]]) == ["-", "-"]
    assert list(step_table(made(), 0)["churn"]) == ["-", "-", "-"]
