"""Alarms for a whole file: more than a tenth of its rows rejected, or no row matches. Each suggests a remedy."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recsys_core.columns import ITEMS, SOCIAL, TIMESTAMP, USERS
from recsys_core.data.ingest.cleaning import LATER, MERGED
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.format_checks import examples_of
from recsys_core.data.ingest.limits import Limits
from recsys_core.data.ingest.number_formats import guess_number_format
from recsys_core.data.ingest.rejected_rows import Book
from recsys_core.data.ingest.sampling import guess_separator, sample_cells
from recsys_core.data.ingest.side_tables import Members, TableRead
from recsys_core.data.ingest.table_schema import NUMERIC_ROLES, TableGuess
from recsys_core.data.ingest.timestamps import guess_time_format
from recsys_core.data.report import Alarm
from recsys_core.text import percent

SHARE = 0.1
"""Share of rejected rows above which a file raises an alarm."""
_ENOUGH = 0.5
Remedy = tuple[str, Mapping[str, Any], Mapping[str, Any]]
"""Message, changes to the table guess, and changed ingest rules."""


def alarms_of(books: Sequence[Book], rules: IngestRules, limits: Limits) -> Iterator[Alarm]:
    """Yield an alarm for each file with more than a tenth of its rows rejected."""
    for book in books:
        rejected = len(book.rejections)
        if not rejected or rejected <= SHARE * book.read:
            continue
        column, reason, count = _main_cause(book)
        words, change, other_rules = _remedy(book, column, reason, rules, limits)
        cause = f"column '{column}': {reason}" if column else reason
        name = book.source.guess.name
        yield Alarm(
            "many_rejected",
            name,
            rejected,
            book.read,
            f"'{name}': {rejected:,} of {book.read:,} rows ({percent(rejected / book.read)}) were rejected, "
            f"{count:,} of them because of: {cause}.",
            words,
            change,
            other_rules,
        )


def tables_that_join_nothing(
    tables: Mapping[str, Sequence[TableRead]], members: Mapping[str, Members]
) -> Iterator[Alarm]:
    """Yield an alarm for each user, item or link table that shares no identifier with the interactions."""
    for table, what in ((USERS, "user"), (ITEMS, "item"), (SOCIAL, "pair of users")):
        for read in tables.get(table, ()):
            if read.matched or not read.examples:
                continue
            name = read.source.guess.name
            met = sorted(members[ITEMS if table == ITEMS else USERS].met)[:3]
            yield Alarm(
                "joins_nothing",
                name,
                read.rows,
                read.rows,
                f"'{name}': 0 of {read.rows:,} rows match a {what} of the interactions. Identifiers in this file: "
                f"{examples_of(read.examples)}; in the interactions: {examples_of(met)}.",
                "Choose another identifier column, in this file or in the interactions, or ignore this file.",
            )


def _main_cause(book: Book) -> tuple[str, str, int]:
    """Return column, reason and row count of the most frequent cause."""
    _, codes = book.rejections.sorted()
    code, count = Counter(codes.tolist()).most_common(1)[0]
    return *book.rejections.causes()[code], count


def _remedy(book: Book, column: str, reason: str, rules: IngestRules, limits: Limits) -> Remedy:
    guess = book.source.guess
    role = next((role for role in guess.roles if guess.column_of(role) == column), "")
    if reason in {LATER, MERGED}:
        return "Keep all rows of each user-item pair, as for clicks or plays.", {}, {"duplicates": "keep"}
    if reason.startswith(("the user has fewer", "the item has fewer")):
        return "Lower the minimum number of interactions.", {}, {"min_user": 0, "min_item": 0}
    if role == TIMESTAMP:
        return _other_times(guess)
    if role in NUMERIC_ROLES:
        return _other_numbers(guess, role, reason, rules)
    if role:
        return f"Check the column roles: '{column}' may not be the {role.removesuffix('_id')} column.", {}, {}
    return _other_separator(book, limits)


def _sample_cells(guess: TableGuess, role: str) -> list[str]:
    """Return the non-empty sample cells of a role."""
    cells = [value.strip() for value in guess.sample[guess.roles[role]] if value.strip()]
    return cells or [""]


def _other_times(guess: TableGuess) -> Remedy:
    cells = _sample_cells(guess, TIMESTAMP)
    found = guess_time_format(cells)
    if found is not None and found.unit != guess.timestamp_unit:
        return (
            f"Set the timestamp format to '{found.unit}', which matches {percent(found.share)} of the cells.",
            {"timestamp_unit": found.unit},
            {},
        )
    if found is not None and found.share >= _ENOUGH:
        return "Keep rows with an unreadable timestamp, without a timestamp.", {}, {"bad_timestamps": "keep"}
    return (
        f"Remove the timestamp role: '{guess.column_of(TIMESTAMP)}' holds no readable timestamps, "
        f"for example {examples_of(cells)}.",
        {"roles": {TIMESTAMP: None}},
        {},
    )


def _other_numbers(guess: TableGuess, role: str, reason: str, rules: IngestRules) -> Remedy:
    column = guess.column_of(role)
    if "scale" in reason or reason.startswith(("below", "above")):
        return "Derive the rating scale from the data.", {}, {"rating_low": None, "rating_high": None}
    found = guess_number_format(_sample_cells(guess, role))
    if found.share >= _ENOUGH and found.name != guess.number_format(role).name:
        return f"Set the number format to {found.name}.", {"number_formats": {role: found.name}}, {}
    return f"Remove the {role} role from column '{column}': it holds no numbers.", {"roles": {role: None}}, {}


def _other_separator(book: Book, limits: Limits) -> Remedy:
    """Suggest another separator, or no quoting, for rows that could not be split into cells."""
    guess = book.source.guess
    if guess.format != "text" or book.source.text_path is None:
        return "Check the file: these rows have a different structure from the rest.", {}, {}
    with book.source.text_path.open(encoding="utf-8", errors="replace") as file:
        lines = [line.rstrip("\r\n") for _, line in zip(range(guess.skip_lines + 2000), file, strict=False)]
    lines = [line for line in lines[guess.skip_lines :] if line.strip()]
    other = guess_separator(lines) if lines else guess.separator
    if other != guess.separator:
        return f"Set the separator to {_word(other)}.", {"separator": other}, {}
    bare = sample_cells(lines, guess.separator, quoted=False)
    if guess.quoted and bare and sum(len(cells) == len(guess.column_names) for cells in bare) > 0.95 * len(bare):
        return "Treat quotes as ordinary characters.", {"quoted": False}, {}
    return "Check separator and encoding: these rows have a different number of columns from the rest.", {}, {}


def _word(separator: str) -> str:
    return {"\t": "tab", " ": "spaces"}.get(separator, f"'{separator}'")
