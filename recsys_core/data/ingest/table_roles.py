"""Tables of a data set, the roles of their columns, and inference of table kind and rating scale."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from recsys_core.columns import (
    CATEGORIES,
    EVENT,
    INTERACTION_ROLES,
    INTERACTIONS,
    ITEM_ID,
    ITEMS,
    PRICE,
    RATING,
    SOCIAL,
    SOURCE_ID,
    TARGET_ID,
    TIMESTAMP,
    TITLE,
    USER_ID,
    USERS,
    WEIGHT,
)
from recsys_core.contracts import RatingScale
from recsys_core.data.ingest.column_cells import ColumnFacts
from recsys_core.data.ingest.column_names import LIKELY, evidence_of_name, words_of
from recsys_core.data.ingest.column_words import Word

IGNORED = "ignored"
"""Kind of a file that is not part of the data set."""

ROLES: Mapping[str, tuple[str, ...]] = {
    INTERACTIONS: INTERACTION_ROLES,
    USERS: (USER_ID,),
    ITEMS: (ITEM_ID, TITLE, CATEGORIES, PRICE),
    SOCIAL: (SOURCE_ID, TARGET_ID, WEIGHT),
    IGNORED: (),
}
"""Possible column roles by table."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    INTERACTIONS: (USER_ID, ITEM_ID),
    USERS: (USER_ID,),
    ITEMS: (ITEM_ID,),
    SOCIAL: (SOURCE_ID, TARGET_ID),
    IGNORED: (),
}

_SCALES = (
    (1.0, 5.0),
    (0.5, 5.0),
    (0.0, 5.0),
    (1.0, 10.0),
    (0.0, 10.0),
    (0.0, 1.0),
    (-1.0, 1.0),
    (1.0, 7.0),
    (0.0, 100.0),
    (-10.0, 10.0),
)
_FEW_RATINGS = 200
_ENOUGH = 5
"""Fewest identifiers that show whether they repeat."""
_TABLE_NAMES = (
    (SOCIAL, re.compile(r"trust|friend|social|follow|contacts|network|edges")),
    (USERS, re.compile(r"(users?|customers?|members?|people|profiles?|kunden|clients?|clientes|usuarios|uuser)$")),
    (
        ITEMS,
        re.compile(
            r"(items?|movies?|films?|artists?|products?|books?|tracks?|songs?|shows?|articles?|videos?|games?|anime|"
            r"recipes?|business(es)?|places?|venues?|news|jokes?|courses?|jobs?|ads?|listings?|hotels?|restaurants?|series|"
            r"catalog(ue)?|artikel|produkte|produits|productos|libros|livres|uitem)$"
        ),
    ),
)


def plain_name(name: str) -> str:
    """Return a name as lower-case letters and digits only."""
    return re.sub(r"[\W_]+", "", name.lower())


def role_of_name(name: str) -> str | None:
    """Return the role of a column with this name, None if the name is not conclusive."""
    evidence = evidence_of_name(name)
    best = max(evidence, key=lambda role: evidence[role], default=None)
    return best if best is not None and evidence[best] >= LIKELY else None


def guess_table_kind(file: str, names: Sequence[str], columns: Sequence[Sequence[str]]) -> str:
    """Return which table a file holds, from column names, cells and the file name.

    Args:
        file: Name of the file.
        names: Column names, empty if the file has no header.
        columns: Sample values of each column.
    """
    roles = {role: column for column, name in reversed(list(enumerate(names))) if (role := role_of_name(name))}
    tagged = "tag" in map(plain_name, names)
    stem = plain_name(file.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    named = next((table for table, pattern in _TABLE_NAMES if pattern.search(stem)), None)
    if {USER_ID, ITEM_ID} <= roles.keys() and not (tagged and RATING not in roles):
        return _side_table(named, names, columns, roles) or INTERACTIONS
    listed = TARGET_ID in roles and ColumnFacts.of(columns[roles[TARGET_ID]]).lists  # the friends of a user in one cell
    if (TARGET_ID in roles and not listed and {SOURCE_ID, USER_ID} & roles.keys()) or named == SOCIAL:
        return SOCIAL
    if USER_ID in roles or (named == USERS and RATING not in roles):
        own = roles.get(USER_ID)
        one_each = own is None or _one_row_each(columns[own])
        return IGNORED if tagged else USERS if one_each else INTERACTIONS
    if ITEM_ID in roles or TITLE in roles or named == ITEMS:
        own = roles.get(ITEM_ID)
        one_each = _one_row_each(columns[own]) if own is not None else not {RATING, TIMESTAMP} & roles.keys()
        return IGNORED if tagged else ITEMS if one_each else INTERACTIONS
    return INTERACTIONS


def _side_table(
    named: str | None, names: Sequence[str], columns: Sequence[Sequence[str]], roles: Mapping[str, int]
) -> str | None:
    """Return which of both a table with a user and an item column describes, None if it holds interactions.

    Users may have a location, and books an author.
    """
    if {RATING, EVENT, WEIGHT, TIMESTAMP} & roles.keys():
        return None
    users, items = columns[roles[USER_ID]], columns[roles[ITEM_ID]]
    words = words_of(names[roles[USER_ID]])
    if _never_repeat(items) and (named == ITEMS or (Word.AUTHOR in words and Word.ID not in words)):
        return ITEMS
    return USERS if named == USERS and _never_repeat(users) else None


def _never_repeat(values: Sequence[str]) -> bool:
    given = [value.strip() for value in values if value.strip()]
    return len(given) >= _ENOUGH and len(set(given)) == len(given)


def _one_row_each(values: Sequence[str]) -> bool:
    """Return whether most identifiers occur in a single row, as in a user or item table."""
    given = [value.strip() for value in values if value.strip()]
    return len(set(given)) >= 0.6 * len(given)


def guess_own_roles(
    table: str, names: Sequence[str], columns: Sequence[Sequence[str]], *, named: bool
) -> dict[str, int]:
    """Return the likely column of each role of a user, item or link table.

    Args:
        table: One of these tables.
        names: Column names.
        columns: Sample values of each column.
        named: Whether the names come from the file.
    """
    roles: dict[str, int] = {}
    allowed = ROLES[table]
    for column, name in enumerate(names if named else ()):
        role = role_of_name(name)
        if table == SOCIAL and role == USER_ID:
            role = SOURCE_ID if SOURCE_ID not in roles else TARGET_ID
        if role in allowed and role not in roles:
            roles[role] = column
    for role in REQUIRED[table]:
        free = [column for column in range(len(names)) if column not in roles.values()]
        if role in roles or not free:
            continue
        own = [column for column in free if named and Word.ID in words_of(names[column])]
        own += [column for column in free if table != SOCIAL and _one_row_each(columns[column])]
        roles[role] = (own or free)[0]
    if table == SOCIAL and WEIGHT not in roles and len(names) == 3 and not named:
        roles[WEIGHT] = 2
    elif table == ITEMS and TITLE not in roles and not named and len(names) > 1:
        roles[TITLE] = 1
    return roles


def guess_scale(ratings: Sequence[float]) -> RatingScale | None:
    """Return the most likely rating scale.

    This is the range of the data, with two exceptions: a usual scale (1 to 5, ...) if fewer than 1 % of the ratings
    are outside it and more than one step away; and, for few ratings, the smallest usual scale that contains them.
    Counts, whose frequencies decrease with a long tail, keep their full range: large counts are not outliers.
    """
    if not ratings:
        return None
    ordered = sorted(ratings)
    low, high = ordered[0], ordered[-1]
    inner_low, inner_high = ordered[len(ordered) // 200], ordered[-1 - len(ordered) // 200]
    if (
        not _are_counts(ordered, inner_high)
        and _has_gaps(ordered, inner_low, inner_high)
        and (inner_low, inner_high) in _SCALES
    ):
        return RatingScale(inner_low, inner_high)
    if (low, high) in _SCALES or len(ordered) >= _FEW_RATINGS:
        return RatingScale(low, high)
    halves = any(value % 1 for value in ordered)
    for scale in sorted(_SCALES, key=lambda pair: (pair[1] - pair[0], -pair[0])):
        if scale[0] <= low and high <= scale[1] and not (halves and scale == (1.0, 5.0) and low < 1):
            return RatingScale(*scale)
    return RatingScale(low, high)


def _are_counts(ordered: Sequence[float], inner_high: float) -> bool:
    """Return whether frequencies decrease from the smallest number on, with a long tail, as for plays or clicks."""
    counts = Counter(ordered)
    inner = [counts[value] for value in sorted(counts) if value <= inner_high]
    tail = [value for value in counts if value > inner_high]
    whole = all(value % 1 == 0 and value >= 0 for value in counts)
    return whole and len(tail) >= 3 and all(before >= after for before, after in pairwise(inner))


def _has_gaps(ordered: Sequence[float], low: float, high: float) -> bool:
    """Return whether ratings outside [low, high] are more than one step away from the range or from each other."""
    beyond = sorted({*(value for value in ordered if not low <= value <= high), low, high})
    return any(after - before > 1 for before, after in pairwise(beyond) if (before, after) != (low, high))
