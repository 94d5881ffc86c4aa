"""Groups of items by the values of a field, whose shares of the exposure a strategy moves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys_core.contracts import FloatArray
from recsys_core.errors import ConfigError
from recsys_core.strategy.bands import entries_of, labels_of
from recsys_core.strategy.facts import Facts
from recsys_core.text import _

MOST_GROUPS = 8


def groups_of(facts: Facts, field: str, exposed: FloatArray, most: int = MOST_GROUPS) -> Mapping[str, FloatArray]:
    """Return the groups with the most exposure: `field=value` -> (I,) share of each item that belongs to it.

    A cell that lists several values belongs to each in equal shares. Numbers with many different values form bands with
    about equally many items. Items without a value belong to no group.

    Args:
        facts: Facts of the data.
        field: A field of the items.
        exposed: (I,) exposure of each item, which decides what groups are returned.
        most: Number of groups returned.

    Raises:
        ConfigError: There is no such field.
    """
    if field not in facts.table:
        raise ConfigError(
            _("There is no item field '{field}'. Known: {columns}.").format(
                field=field, columns=", ".join(map(str, facts.table.columns))
            )
        )
    cells = [entries_of(label) for label in labels_of(facts.table[field])]
    counts = np.array([len(cell) for cell in cells], dtype=np.int64)
    rows = np.repeat(np.arange(len(cells)), counts)
    weights = 1.0 / np.repeat(np.maximum(counts, 1), counts)
    codes, names = pd.factorize(np.array([value for cell in cells for value in cell], dtype=object), sort=True)
    totals = np.bincount(codes, weights=exposed[rows] * weights, minlength=len(names))
    groups = {}
    for code in np.argsort(-totals, kind="stable")[:most]:
        belongs = np.zeros(len(cells))
        own = codes == code
        belongs[rows[own]] = weights[own]
        groups[f"{field}={names[code]}"] = belongs
    return groups
