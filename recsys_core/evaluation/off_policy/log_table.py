"""A log as a table of named columns, before it is checked; which column has which role."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from recsys_core.errors import DataError
from recsys_core.text import _, later

USER, ITEM, POSITION, REWARD, PROPENSITY, IMPRESSION, TARGET = (
    "user", "item", "position", "reward", "propensity", "impression", "target",
)  # fmt: skip
ROLES = (USER, ITEM, POSITION, REWARD, PROPENSITY, IMPRESSION, TARGET)
REQUIRED = (USER, ITEM, REWARD)
"""Roles without which a log cannot be read; the doctor refuses one without propensities, and says what to log."""
NUMBERS = (POSITION, REWARD, PROPENSITY, TARGET)

NAMES: Mapping[str, tuple[str, ...]] = {
    USER: ("user", "userid", "visitor", "visitorid", "customer", "customerid", "uid", "sessionid", "session"),
    ITEM: ("item", "itemid", "action", "actionid", "product", "productid", "article", "articleid", "shownitem"),
    POSITION: ("position", "pos", "place", "slot", "rank"),
    REWARD: ("reward", "click", "clicked", "clicks", "purchase", "purchased", "conversion", "label", "revenue"),
    PROPENSITY: ("propensity", "propensityscore", "pscore", "loggingprobability", "behaviorprobability", "actionprob"),
    IMPRESSION: ("impression", "impressionid", "request", "requestid", "slate", "slateid", "query", "queryid"),
    TARGET: ("target", "targetprobability", "evaluationprobability", "targetpropensity"),
}
"""Names of columns by role, in the order of preference, without case, spaces and underscores."""

ABOUT = {
    USER: later("who saw it; users are the independent units of the intervals"),
    ITEM: later("the item shown"),
    POSITION: later("its position in the list, from 1"),
    REWARD: later("what followed, such as 1 for a click, or the revenue"),
    PROPENSITY: later("the probability with which the logging policy shows this item at this position"),
    IMPRESSION: later("the list that the item was part of"),
    TARGET: later("optional: the probability with which the policy to evaluate shows this item at this position"),
}


@dataclass(frozen=True, eq=False)
class LogTable:
    """A log as it was read.

    Args:
        frame: One column per role that was found: text for `user`, `item` and `impression`, numbers otherwise (NaN
            where a cell is no number).
        columns: Name of the column in the file, by role.
        unsplit: Number of lines that could not be split into cells.
        unreadable: Number of cells that are neither empty nor a number, by role.
    """

    frame: pd.DataFrame
    columns: Mapping[str, str]
    unsplit: int = 0
    unreadable: Mapping[str, int] = field(default_factory=dict)


def find_columns(
    names: Sequence[str],
    chosen: Mapping[str, str] | None = None,
    *,
    roles: Sequence[str] = ROLES,
    required: Sequence[str] = REQUIRED,
) -> dict[str, str]:
    """Return the column of each role: those chosen, then by name.

    Args:
        names: Columns of the file.
        chosen: Column by role; an empty name means that no column has the role.
        roles: Roles of the table; by default those of a log.
        required: Roles that must have a column.

    Raises:
        DataError: A chosen column or role does not exist, or a required role has no column.
    """
    chosen = chosen or {}
    for role, name in chosen.items():
        if role not in roles:
            raise DataError(
                _("There is no role '{role}' in this table. Roles: {roles}.").format(role=role, roles=", ".join(roles))
            )
        if name and name not in names:
            raise DataError(
                _("The table has no column '{name}'. It has: {names}.").format(name=name, names=", ".join(names))
            )
    found = {role: name for role, name in chosen.items() if name}
    plain = {re.sub(r"[\W_]", "", name.casefold()): name for name in reversed(names)}
    for role in roles:
        if role not in chosen:
            free = [plain[word] for word in NAMES[role] if word in plain and plain[word] not in found.values()]
            if free:
                found[role] = free[0]
    if missing := [role for role in required if role not in found]:
        raise DataError(
            _(
                "The table has no column for {missing}. It has: {names}. Name the column of each, such as {first}=NAME."
            ).format(missing=", ".join(missing), names=", ".join(names), first=missing[0])
        )
    return found


def table_of(frame: pd.DataFrame, chosen: Mapping[str, str] | None = None) -> LogTable:
    """Return a frame in memory as a log table.

    Raises:
        DataError: A role has no column.
    """
    columns = find_columns([str(name) for name in frame], chosen)
    parts: dict[str, pd.Series] = {}
    unreadable: dict[str, int] = {}
    for role, name in columns.items():
        cells = frame[name]
        if role in NUMBERS:
            parts[role] = pd.to_numeric(cells, errors="coerce").astype("float64")
            unreadable[role] = int((parts[role].isna() & cells.notna() & (cells.astype("str") != "")).sum())
        else:
            parts[role] = cells.astype("str").where(cells.notna(), "")
    return LogTable(pd.DataFrame(parts), columns, 0, {role: count for role, count in unreadable.items() if count})
