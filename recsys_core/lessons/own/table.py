"""A small rating matrix from a file or from pasted text, and its code for links.

Two forms are read, with any separator and encoding that uploads may have:

    one rating per line     user, item, rating; with or without a header, further columns are ignored
    one user per line       the header has the items, the first column the users; an empty cell is not rated

Every refusal says what is wrong, where, and what to do.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal
from unicodedata import category
from urllib.parse import unquote

from recsys_core.errors import DataError
from recsys_core.lessons.controls import Matrix
from recsys_core.lessons.worlds import Cells, RatedWorld
from recsys_core.text import _, later

FEWEST, MOST = 3, 8
"""Limits of the number of users and of items: lessons need three of each, and more than eight do not fit a screen."""
MOST_BYTES = 20_000
MOST_LETTERS = 24
"""Longest name of a user or an item, in characters."""
SMALL, LARGE = 5, 9
"""Ratings are whole numbers from 1 to 5, or to 9 if one is above 5."""
Form = Literal["auto", "long", "wide"]
BETWEEN, AMONG = ";", ","
"""Separators of a code: between users, items and ratings; among names."""
UNRATED = {"", "-", "–", "na", "n/a", "nan", "null", "none", "?"}
"""Cells of a matrix that mean 'not rated', in lower case."""


def read_table(content: bytes, form: Form = "auto") -> RatedWorld:
    """Return the rating matrix in a small text file.

    Args:
        content: The file.
        form: How it is laid out; `auto` decides by header and cells.

    Raises:
        DataError: It is no table that lessons can use; the message says where and what to do.
    """
    if len(content) > MOST_BYTES:
        raise DataError(
            _("The table has {n} bytes; a lesson takes at most {most}. Keep a few users and items.").format(
                n=f"{len(content):,}", most=f"{MOST_BYTES:,}"
            )
        )
    rows = _rows(content)
    if form == "long" or (form == "auto" and not _is_wide(rows)):
        return _long(rows)
    return _wide(rows)


Rows = Sequence[tuple[int, Sequence[str]]]
"""Number of the line, counted from 1, and cells."""


def _rows(content: bytes) -> Rows:
    from recsys_core.data.ingest.encodings import byte_order_mark, guess_encoding
    from recsys_core.data.ingest.sampling import guess_separator, sample_records

    text = content[len(byte_order_mark(content)) :].decode(guess_encoding(content), errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    full = [line for line in lines if line.strip()]
    if len(full) < 2:
        raise DataError(
            _("The table has {n} lines. Give a header and the users, or one line per rating.").format(n=len(full))
        )
    records = sample_records(lines, guess_separator(full))
    rows = [(at + 1, [cell.strip() for cell in cells]) for at, cells in records]
    return [(line, cells) for line, cells in rows if any(cells)]


def _is_wide(rows: Rows) -> bool:
    """Return whether the table has one user per line: titles above at least three columns of numbers and gaps."""
    _line, head, body = _headed(rows)
    width = len(head)
    users = [cells[0] for _number, cells in body]
    values = [cell for _number, cells in body for cell in cells[1:]]
    return (
        width > FEWEST
        and (len(set(users)) == len(users) or all(_is_gap(cell) or _is_rating(cell) for cell in values))
        and sum(_number_of(cell) is None for cell in head[1:]) > (width - 1) / 2
        and sum(_number_of(cell) is None and not _is_gap(cell) for cell in values) <= len(values) / 4
        and not _long_header(head)
    )


def _headed(rows: Rows) -> tuple[int, Sequence[str], Rows]:
    """Return line and cells of the header, and the rows below; R writes no name above the names of the rows."""
    from recsys_core.data.ingest.sampling import most_common_width

    (line, head), *body = rows
    if body and most_common_width([cells for _number, cells in body]) == len(head) + 1:
        head = ["", *head]
    return line, head, body


def _long_header(head: Sequence[str]) -> bool:
    """Return whether a header names columns for users and for ratings, and a single one for items.

    Several, such as 'Film 1' and 'Film 2', are the items themselves.
    """
    from recsys_core.columns import ITEM_ID, RATING, USER_ID
    from recsys_core.data.ingest.column_names import evidence_of_name

    told = [evidence_of_name(name) for name in head]
    named = {role: sum(one.get(role, 0) > 0 for one in told) for role in (USER_ID, ITEM_ID, RATING)}
    return named[USER_ID] > 0 and named[ITEM_ID] == 1 and named[RATING] > 0


def _wide(rows: Rows) -> RatedWorld:
    line, head, body = _headed(rows)
    items = head[1:]
    for number, cells in body:
        if len(cells) > len(head) and any(cells[len(head) :]):
            message = _("Line {line} has {n} cells, the header has {width}. Quote a name that contains the separator.")
            raise DataError(message.format(line=number, n=len(cells), width=len(head)))
    users = [cells[0] for _number, cells in body]
    _check_names(users, _("user"), [number for number, _cells in body])
    _check_names(items, _("item"), [line] * len(items))
    ratings = [
        [_rating(cells[at + 1] if at + 1 < len(cells) else "", number, item) for at, item in enumerate(items)]
        for number, cells in body
    ]
    return _world(users, items, ratings)


def _long(rows: Rows) -> RatedWorld:
    columns, body = _columns(rows)
    cells: dict[tuple[str, str], int | None] = {}
    lines: dict[tuple[str, str], int] = {}
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    for number, row in body:
        if len(row) <= max(columns):
            raise DataError(
                _("Line {line} has {n} cells; user, item and rating are needed.").format(line=number, n=len(row))
            )
        user, item, text = (row[column] for column in columns)
        if (user, item) in cells:
            raise DataError(
                _("Lines {first} and {line} rate '{item}' for '{user}'. Keep one of them.").format(
                    first=lines[user, item], line=number, item=item, user=user
                )
            )
        cells[user, item], lines[user, item] = _rating(text, number, item), number
        users.setdefault(user, number)
        items.setdefault(item, number)
    _check_names(list(users), _("user"), list(users.values()))
    _check_names(list(items), _("item"), list(items.values()))
    return _world(list(users), list(items), [[cells.get((user, item)) for item in items] for user in users])


def _columns(rows: Rows) -> tuple[tuple[int, int, int], Rows]:
    """Return the columns of user, item and rating, and the rows below the header, by the rules of uploads."""
    from recsys_core.columns import ITEM_ID, RATING, USER_ID
    from recsys_core.data.ingest.column_roles import assign
    from recsys_core.data.ingest.header import find_head
    from recsys_core.data.ingest.sampling import most_common_width

    cells = [row for _number, row in rows]
    width = most_common_width(cells)
    if width < 3:
        raise DataError(
            _("Line {line} has {n} columns; user, item and rating are needed.").format(line=rows[0][0], n=width)
        )
    head = find_head(cells, width)
    body = rows[head.above + head.named :]
    names = head.cells if head.named else [f"column_{place}" for place in range(1, width + 1)]
    sample = [row for _number, row in body if len(row) == width]
    if not sample:
        raise DataError(_("There are no ratings below the header. Give one line per rating: user, item, rating."))
    roles = assign(names, list(zip(*sample, strict=True)), named=head.named).roles
    if not {USER_ID, ITEM_ID, RATING} <= roles.keys() and width == 3:
        return (0, 1, 2), body
    missing = [role for role in (USER_ID, ITEM_ID, RATING) if role not in roles]
    if missing:
        raise DataError(
            _("No column for {roles} was found among {names}. Name the columns user_id, item_id and rating.").format(
                roles=", ".join(missing), names=", ".join(names)
            )
        )
    return (roles[USER_ID], roles[ITEM_ID], roles[RATING]), body


def _number_of(cell: str) -> float | None:
    from recsys_core.data.ingest.number_formats import as_number

    return as_number(cell)


def _is_gap(cell: str) -> bool:
    return cell.strip().lower() in UNRATED


def _is_rating(cell: str) -> bool:
    number = _number_of(cell)
    return number is not None and number.is_integer() and 1 <= number <= LARGE


def _rating(text: str, line: int, item: str) -> int | None:
    """Return the rating in a cell, None for a gap."""
    if _is_gap(text):
        return None
    if not _is_rating(text):
        raise DataError(
            _(
                "Line {line}, '{item}': '{text}' is not a rating. Lessons take whole numbers from 1 to {most}, or an "
                "empty cell; double half stars, or round them."
            ).format(line=line, item=item, text=text, most=LARGE)
        )
    return int(_number_of(text) or 0)


TOO_FEW = later("The table has {n} {kind}; a lesson needs at least {fewest}. Add some.")
TOO_MANY = later("The table has {n} {kind}; a lesson shows at most {most}. Keep a few.")


def _world(users: Sequence[str], items: Sequence[str], ratings: Cells) -> RatedWorld:
    for kind, names in ((_("users"), users), (_("items"), items)):
        if not FEWEST <= len(names) <= MOST:
            message = _(TOO_FEW) if len(names) < FEWEST else _(TOO_MANY)
            raise DataError(message.format(n=len(names), kind=kind, fewest=FEWEST, most=MOST))
    given = [cell for row in ratings for cell in row if cell is not None]
    if not given:
        raise DataError(_("The table has no rating at all. Fill some cells with whole numbers."))
    high = SMALL if max(given) <= SMALL else LARGE
    return RatedWorld(tuple(users), tuple(items), tuple(map(tuple, ratings)), high, own=True)


def _check_names(names: Sequence[str], kind: str, lines: Sequence[int]) -> None:
    """Refuse names that are empty, too long, unprintable or given twice."""
    first: dict[str, int] = {}
    for place, (name, line) in enumerate(zip(names, lines, strict=True), start=1):
        where = {"line": line, "kind": kind, "place": place, "name": name[:MOST_LETTERS]}
        if not name:
            raise DataError(_("Line {line}: {kind} number {place} has no name. Give it one.").format(**where))
        if len(name) > MOST_LETTERS:
            raise DataError(
                _("Line {line}: the {kind} '{name}…' has a name of {n} characters; shorten it to {most}.").format(
                    **where, n=len(name), most=MOST_LETTERS
                )
            )
        if any(category(letter).startswith("C") for letter in name):
            raise DataError(
                _("Line {line}: the name of {kind} number {place} has invisible characters. Type it again.").format(
                    **where
                )
            )
        if name in first:
            raise DataError(
                _("The {kind} '{name}' stands in the table twice. Merge them, or rename one.").format(**where)
            )
        first[name] = line


# ------------------------------------------------------------------------------------------------- code for links


def encode_table(world: RatedWorld) -> str:
    """Return a matrix as text for a link: users, items and ratings by row."""
    names = [AMONG.join(_quoted(name) for name in part) for part in (world.users, world.items)]
    return BETWEEN.join((*names, _control(world).encode(world.ratings)))


def decode_table(code: str) -> RatedWorld:
    """Return the matrix of a code of `encode_table`.

    Raises:
        DataError: It is not such a code; the limits of `read_table` hold.
    """
    parts = code.split(BETWEEN)
    if len(parts) != 3 or len(code) > MOST_BYTES:
        raise DataError(_("The link has no complete matrix. Ask for it again, or upload the table."))
    users, items = ([unquote(name) for name in part.split(AMONG)] for part in parts[:2])
    cells = parts[2]
    if len(cells) != len(users) * len(items) or not re.fullmatch(r"[1-9-]+", cells):
        raise DataError(_("The link has a damaged matrix. Ask for it again, or upload the table."))
    _check_names(users, _("user"), [1] * len(users))
    _check_names(items, _("item"), [1] * len(items))
    numbers = [None if cell == "-" else int(cell) for cell in cells]
    return _world(users, items, [numbers[at : at + len(items)] for at in range(0, len(numbers), len(items))])


ESCAPED: Mapping[int, str] = str.maketrans({"%": "%25", BETWEEN: "%3B", AMONG: "%2C"})


def _quoted(name: str) -> str:
    return name.translate(ESCAPED)


def _control(world: RatedWorld) -> Matrix:
    return Matrix("ratings", later("Ratings"), world.ratings, high=world.high)
