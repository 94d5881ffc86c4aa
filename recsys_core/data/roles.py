"""Which column is what: by its name first, by its values and its place second."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite
from statistics import median

from recsys_core.columns import (
    CATEGORIES,
    EVENT,
    INTERACTIONS,
    ITEM_ID,
    ITEMS,
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
from recsys_core.data.timestamps import guess_unit

IGNORED = "ignored"
"""Kind of a file that is left out of the data set."""

ROLES: Mapping[str, tuple[str, ...]] = {
    INTERACTIONS: (USER_ID, ITEM_ID, RATING, TIMESTAMP, EVENT, WEIGHT),
    USERS: (USER_ID,),
    ITEMS: (ITEM_ID, TITLE, CATEGORIES),
    SOCIAL: (SOURCE_ID, TARGET_ID, WEIGHT),
    IGNORED: (),
}
"""What a column can be, for each table; the first ones without which the table cannot be read."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    INTERACTIONS: (USER_ID, ITEM_ID),
    USERS: (USER_ID,),
    ITEMS: (ITEM_ID,),
    SOCIAL: (SOURCE_ID, TARGET_ID),
    IGNORED: (),
}

_THINGS = [
    "item",
    "movie",
    "film",
    "artist",
    "product",
    "book",
    "track",
    "song",
    "show",
    "article",
    "video",
    "game",
    "anime",
    "recipe",
    "business",
    "place",
    "venue",
    "news",
    "joke",
    "course",
    "job",
    "ad",
    "isbn",
    "asin",
    "sku",
    "content",
    "document",
    "doc",
    "listing",
    "hotel",
    "restaurant",
    "series",
    "parentasin",
]
_PEOPLE = [
    "user",
    "customer",
    "reviewer",
    "visitor",
    "member",
    "person",
    "viewer",
    "reader",
    "listener",
    "client",
    "profile",
    "session",
    "account",
    "buyer",
]
_NAMES: Mapping[str, frozenset[str]] = {
    USER_ID: frozenset(
        ["userid", "user", "uid", "userno", "usr", *_PEOPLE, *(f"{name}id" for name in _PEOPLE), "userindex"]
    ),
    ITEM_ID: frozenset(["itemid", "item", "iid", *_THINGS, *(f"{name}id" for name in _THINGS), "movieid", "itemindex"]),
    RATING: frozenset(
        [
            "rating",
            "ratings",
            "score",
            "stars",
            "star",
            "overall",
            "rate",
            "ratingvalue",
            "bookrating",
            "grade",
            "preference",
        ]
    ),
    TIMESTAMP: frozenset(
        [
            "timestamp",
            "time",
            "date",
            "datetime",
            "ts",
            "ratedat",
            "createdat",
            "unixreviewtime",
            "reviewtime",
            "eventtime",
            "unixtime",
            "createdtime",
            "timestampms",
            "when",
            "day",
            "tstamp",
            "ratingtimestamp",
        ]
    ),
    EVENT: frozenset(
        [
            "event",
            "eventtype",
            "behavior",
            "behaviour",
            "action",
            "interaction",
            "interactiontype",
            "actiontype",
            "kind",
        ]
    ),
    WEIGHT: frozenset(
        [
            "weight",
            "count",
            "plays",
            "playcount",
            "frequency",
            "quantity",
            "listens",
            "clicks",
            "views",
            "times",
            "trust",
        ]
    ),
    SOURCE_ID: frozenset(
        [
            "sourceid",
            "source",
            "follower",
            "followerid",
            "trustor",
            "trustorid",
            "from",
            "fromid",
            "user1",
            "userid1",
            "usera",
        ]
    ),
    TARGET_ID: frozenset(
        [
            "targetid",
            "target",
            "friend",
            "friendid",
            "followee",
            "followeeid",
            "following",
            "trustee",
            "trusteeid",
            "to",
            "toid",
            "user2",
            "userid2",
            "userb",
            "trusteduser",
        ]
    ),
    TITLE: frozenset(
        [
            "title",
            "name",
            "itemname",
            "movietitle",
            "booktitle",
            "productname",
            "productname",
            "artistname",
            "itemtitle",
        ]
    ),
    CATEGORIES: frozenset(["categories", "category", "genres", "genre", "tags", "class", "types"]),
}
KNOWN_NAMES = frozenset().union(*_NAMES.values()) | frozenset(
    [
        "id",
        "age",
        "gender",
        "sex",
        "occupation",
        "zip",
        "zipcode",
        "price",
        "city",
        "country",
        "text",
        "review",
        "tag",
        "year",
        "url",
        "description",
    ]
)
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
_LOCAL_NAME = re.compile(r"[^0-9a-z一-鿿]+")
_CHINESE = {
    "用户": USER_ID,
    "用户编号": USER_ID,
    "用户id": USER_ID,
    "物品": ITEM_ID,
    "物品id": ITEM_ID,
    "电影": ITEM_ID,
    "电影id": ITEM_ID,
    "商品": ITEM_ID,
    "商品id": ITEM_ID,
    "评分": RATING,
    "时间": TIMESTAMP,
    "时间戳": TIMESTAMP,
    "标题": TITLE,
    "片名": TITLE,
    "类别": CATEGORIES,
    "类型": CATEGORIES,
}


def plain_name(name: str) -> str:
    """Return a column's name in small letters and digits only."""
    return _LOCAL_NAME.sub("", name.lower())


def is_known_name(name: str) -> bool:
    """Return whether a cell reads like the head of a column that files of this kind have."""
    plain = plain_name(name)
    return plain in KNOWN_NAMES or plain in _CHINESE or plain.endswith("id")


def role_of_name(name: str) -> str | None:
    """Return what a column of this name is, None if the name says nothing."""
    plain = plain_name(name)
    if plain in _CHINESE:
        return _CHINESE[plain]
    return next((role for role, names in _NAMES.items() if plain in names), None)


def guess_table_kind(file: str, names: Sequence[str]) -> str:
    """Return which of the four tables a file is, by the names of its columns and its own."""
    roles = {role_of_name(name) for name in names}
    stem = plain_name(file.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    tagged = "tag" in map(plain_name, names)
    if {USER_ID, ITEM_ID} <= roles and not (tagged and RATING not in roles):
        return INTERACTIONS
    links = {SOURCE_ID, TARGET_ID} <= roles or {USER_ID, TARGET_ID} <= roles
    if links or re.search(r"trust|friend|social|follow|contacts|network", stem):
        return SOCIAL
    if USER_ID in roles or re.fullmatch(r"users?|customers?|members?|people|profiles?|uuser", stem):
        return IGNORED if tagged else USERS
    by_name = re.search("|".join(rf"(^|[^a-z]){thing}s?$" for thing in _THINGS), stem)
    things = (ITEM_ID in roles or TITLE in roles or by_name) and RATING not in roles
    return INTERACTIONS if not things else IGNORED if tagged else ITEMS


def guess_roles(table: str, names: Sequence[str], columns: Sequence[Sequence[str]], *, named: bool) -> dict[str, int]:
    """Return the column of each role of a table, as far as it can be told.

    Args:
        table: One of the four tables.
        names: Names of the columns.
        columns: Sample values of each column.
        named: Whether the names come from the file.
    """
    roles: dict[str, int] = {}
    allowed = ROLES[table]
    if named:
        for column, name in enumerate(names):
            role = role_of_name(name)
            if table == SOCIAL and role == USER_ID:
                role = SOURCE_ID if SOURCE_ID not in roles else TARGET_ID
            if role in allowed and role not in roles:
                roles[role] = column
    for role in REQUIRED[table]:
        if role not in roles:
            free = [column for column in range(len(names)) if column not in roles.values()]
            named_id = [column for column in free if named and plain_name(names[column]).endswith("id")]
            if free:
                roles[role] = (named_id or free)[0]
    if table == INTERACTIONS:
        _guess_values(roles, columns, named=named)
    elif table == SOCIAL and WEIGHT not in roles and len(names) == 3 and not named:
        roles[WEIGHT] = 2
    elif table == ITEMS and TITLE not in roles and not named and len(names) > 1:
        roles[TITLE] = 1
    return roles


def _guess_values(roles: dict[str, int], columns: Sequence[Sequence[str]], *, named: bool) -> None:
    """Find rating and time among the columns without a role, by what stands in them."""
    for column in range(len(columns)):
        if column in roles.values():
            continue
        given = [value for value in columns[column] if value.strip()]
        numbers = [number for value in given if (number := as_number(value)) is not None]
        mostly = bool(given) and len(numbers) >= 0.8 * len(given)
        if mostly and RATING not in roles and WEIGHT not in roles and not named and median(map(abs, numbers)) <= 1000:
            roles[RATING] = column
        elif TIMESTAMP not in roles and given and _is_time(given, numbers, mostly=mostly):
            roles[TIMESTAMP] = column


def _is_time(given: list[str], numbers: list[float], *, mostly: bool) -> bool:
    return median(numbers) > 1e8 if mostly else guess_unit(given) is not None


def as_number(value: str) -> float | None:
    """Return a text as a number, a decimal comma allowed; None if it is none."""
    try:
        number = float(value.strip().replace(",", "."))
    except ValueError:
        return None
    return number if isfinite(number) else None


def guess_scale(ratings: Sequence[float]) -> RatingScale | None:
    """Return the scale that people most likely rated on.

    The smallest and largest rating found; but a usual scale (1 to 5, ...) if fewer than one rating in a hundred lies
    outside it and not just one step away; and, where there are few ratings, the smallest usual scale around them.
    """
    if not ratings:
        return None
    ordered = sorted(ratings)
    low, high = ordered[0], ordered[-1]
    inner_low, inner_high = ordered[len(ordered) // 200], ordered[-1 - len(ordered) // 200]
    if _has_gaps(ordered, inner_low, inner_high) and (inner_low, inner_high) in _SCALES:
        return RatingScale(inner_low, inner_high)
    if (low, high) in _SCALES or len(ordered) >= _FEW_RATINGS:
        return RatingScale(low, high)
    halves = any(value % 1 for value in ordered)
    for scale in sorted(_SCALES, key=lambda pair: (pair[1] - pair[0], -pair[0])):
        if scale[0] <= low and high <= scale[1] and not (halves and scale == (1.0, 5.0) and low < 1):
            return RatingScale(*scale)
    return RatingScale(low, high)


def _has_gaps(ordered: Sequence[float], low: float, high: float) -> bool:
    """Return whether ratings beyond `low` and `high` are more than one step away from them or from each other."""
    beyond = sorted({*(value for value in ordered if not low <= value <= high), low, high})
    return any(after - before > 1 for before, after in pairwise(beyond) if (before, after) != (low, high))
