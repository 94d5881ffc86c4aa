"""Users and items of a time window that a model cannot know, by count and by name."""

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, USER
from recsys_core.contracts import BoolArray, IntArray
from recsys_core.data import Dataset
from recsys_core.data.splits import Split

NAMED = 100
"""Maximum number of cold users, and of cold items, that are named for each step."""
NAMES = ["kind", "id", "title", "tests"]


def newcomers(split: Split, start: Split) -> tuple[dict[str, int], pd.DataFrame]:
    """Return how many users and items of a test window have no training interactions, and the names of some.

    Args:
        split: The window, with all data before it as training data.
        start: The first window.

    Returns:
        Counts: `cold_users`, `cold_items` without interactions before the window, `late_users`, `late_items` with
        interactions before it but none before the first window, and `cold_tests`, the test interactions with a cold
        user or a cold item. And one row per named user or item: `kind` (`user` or `item`), `id`, `title` (of items),
        `tests` (its test interactions), most tests first.
    """
    counts: dict[str, int] = {}
    names = []
    rows = split.test.interactions
    cold_rows: BoolArray = np.zeros(len(rows), dtype=np.bool_)
    for kind, column, size in (("user", USER, split.test.n_users), ("item", ITEM, split.test.n_items)):
        tests = np.bincount(rows[column].to_numpy(), minlength=size)
        known, early = (
            np.bincount(one.train.interactions[column].to_numpy(), minlength=size) > 0 for one in (split, start)
        )
        cold = (tests > 0) & ~known
        counts[f"cold_{kind}s"] = int(cold.sum())
        counts[f"late_{kind}s"] = int(((tests > 0) & known & ~early).sum())
        cold_rows |= cold[rows[column].to_numpy()]
        most: IntArray = np.flatnonzero(cold)
        most = most[np.argsort(-tests[most], kind="stable")][:NAMED]
        names.append(_named(split.test, kind, most, tests[most]))
    return counts | {"cold_tests": int(cold_rows.sum())}, pd.concat(names, ignore_index=True)


def _named(data: Dataset, kind: str, positions: IntArray, tests: IntArray) -> pd.DataFrame:
    ids = data.user_vocabulary.ids if kind == "user" else data.item_vocabulary.ids
    titles = data.titles() if kind == "item" else ids
    rows = [(kind, ids[one], titles[one], int(n)) for one, n in zip(positions, tests, strict=True)]
    return pd.DataFrame(rows, columns=NAMES)
