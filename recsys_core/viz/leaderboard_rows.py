"""The leaderboard as plain values for the script that draws its rows: texts, sort values, and interval bars."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import MODEL
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.sentences import metric_text
from recsys_core.experiments.leaderboard import TITLE, TUNING, metric_title, shown_board
from recsys_core.text import _

DIGITS = 3


@dataclass(frozen=True)
class Column:
    """A column of the leaderboard.

    Args:
        name: Column of the shown board; empty for the interval bar.
        title: Its head.
        help: Explanation.
        digits: Decimals of its numbers, None for text.
        signed: Whether numbers have their sign: differences.
        opens: Whether a number opens its definition.
    """

    name: str
    title: str
    help: str = ""
    digits: int | None = None
    signed: bool = False
    opens: bool = False

    def plain(self) -> dict[str, Any]:
        """Return what the script needs."""
        return {
            "title": self.title,
            "help": self.help,
            "text": self.name in ("tied", TUNING),
            "bar": not self.name,
            "opens": self.name if self.opens else None,
            "sorts": self.digits is not None,
        }


def leaderboard_rows(
    board: pd.DataFrame,
    metric: str,
    others: Sequence[str],
    *,
    baseline: str,
    differences: bool,
    costs: Mapping[str, str],
    caption: str,
) -> dict[str, Any]:
    """Return what the script draws: `columns`, `rows` (best model first), `caption` and `texts`.

    Args:
        board: Result of `leaderboard.leaderboard`.
        metric: The compared metric, shown with its interval.
        others: Further metrics.
        baseline: Id of the pinned model.
        differences: Show metrics as differences to the baseline.
        costs: Title of each further column, by name.
        caption: What the table is, for screen readers.
    """
    frame = shown_board(board, metric, others, baseline=baseline, differences=differences)
    columns = _columns(metric, others, differences, costs, is_tuned=TUNING in board)
    bars = _bars(board)
    rows = [
        {
            "id": model,
            "cells": [_text(column, row.get(column.name)) for column in columns],
            "values": [_value(column, row.get(column.name)) for column in columns],
            "bar": bar,
        }
        for model, row, bar in zip(board[MODEL], frame.to_dict("records"), bars, strict=True)
    ]
    texts = {"select": _("Select"), "selects": _("Select {model}")}
    return {"columns": [one.plain() for one in columns], "rows": rows, "caption": caption, "texts": texts}


def _columns(
    metric: str, others: Sequence[str], differences: bool, costs: Mapping[str, str], *, is_tuned: bool
) -> tuple[Column, ...]:
    interval = [
        Column(
            "interval",
            _("95% interval"),
            _("95% confidence interval of the mean over users; with several trainings per model, over them as well."),
        ),
        Column("", ""),
    ]
    tied = Column(
        "tied",
        _("Tied"),
        _("Models that share a letter do not differ significantly (95%, sign-flip test, Holm)."),
    )
    numbers = [
        Column(name, metric_title(name), _(MetricName.parse(name).info.idea), DIGITS, differences, True)
        for name in (metric, *others)
    ]
    digits = {"memory": 0, "users": 0}
    further = [Column(name, title, digits=digits.get(name, 2)) for name, title in costs.items()]
    budget = Column(
        TUNING,
        _("Tuning"),
        _("Budget of the tuning on validation data. If budget, data or metric differ, no model is called best."),
    )
    first = (Column(TITLE, _("Model")), *([budget] if is_tuned else []))
    return (*first, tied, numbers[0], *([] if differences else interval), *numbers[1:], *further)


def _bars(board: pd.DataFrame) -> list[list[float | None]]:
    """Return start, end and mean of each interval on the scale of all rows (0..1), None for what is unknown."""
    ends = board[["low", "high", "mean"]].to_numpy(np.float64)
    low, high = np.fmin.reduce(ends, axis=None, initial=0.0), np.fmax.reduce(ends, axis=None, initial=1e-12)
    places = (ends - low) / (high - low)
    known = [[None if math.isnan(one) else float(one) for one in row] for row in places]
    return [
        [start, end, mean] if start is not None and end is not None else [None, None, mean]
        for start, end, mean in known
    ]


def _text(column: Column, value: Any) -> str:
    if column.digits is None:
        return "" if value is None else str(value)
    if value is None or math.isnan(value):
        return ""
    if column.opens:  # a metric; seconds and bytes may read as 0
        return metric_text(value, decimals=column.digits, sign=column.signed)
    return f"{value:,.{column.digits}f}"


def _value(column: Column, value: Any) -> float | None:
    """Return the number that the column is sorted by."""
    return None if column.digits is None or value is None or math.isnan(value) else float(value)
