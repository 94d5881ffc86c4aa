"""Reported training progress: the loss and other quantities per step."""

import pandas as pd

from recsys_core.columns import FOLD
from recsys_core.explain.view import ViewData, ViewRequest

STAGE, STEP, NAME, VALUE = "stage", "step", "name", "value"
NOT_VALUES = (STAGE, STEP, FOLD, "time", "total")


def has_curves(curves: pd.DataFrame | None) -> bool:
    """Return whether any quantity was reported at two or more steps."""
    return curves is not None and not points(curves).empty


def points(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the reported quantities of the first fold as rows `stage`, `step`, `name`, `value`, without single
    reports.

    Args:
        curves: `stage`, `step`, `fold` and one column per quantity.
    """
    names = [name for name in curves.columns if name not in NOT_VALUES]
    first = curves[curves[FOLD] == curves[FOLD].min()] if FOLD in curves and len(curves) else curves
    table = first.melt([STAGE, STEP], names, NAME, VALUE).dropna(subset=[VALUE])
    several = table.groupby([STAGE, NAME])[VALUE].transform("size") > 1
    return table[several].reset_index(drop=True)


def loss(request: ViewRequest) -> ViewData:
    """Return the training curves as `points`; facts of the first curve: `name`, `stage`, `steps`, `first`, `last`."""
    assert request.curves is not None
    table = points(request.curves)
    name, stage = table[NAME].iloc[0], table[STAGE].iloc[0]
    leading = table[(table[NAME] == name) & (table[STAGE] == stage)]
    facts = {
        "name": name,
        "stage": stage,
        "steps": len(leading),
        "first": float(leading[VALUE].iloc[0]),
        "last": float(leading[VALUE].iloc[-1]),
    }
    return ViewData(table, facts)
