"""Alarms for a whole file: more than a tenth of its rows rejected, or no row matches. Each suggests a remedy."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recsys_core.columns import ITEMS, RATING, SOCIAL, TIMESTAMP, USERS
from recsys_core.data.ingest.cleaning import LATER, MERGED
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.format_checks import examples_of
from recsys_core.data.ingest.limits import Limits
from recsys_core.data.ingest.number_formats import guess_number_format
from recsys_core.data.ingest.reasons import EMPTY, INVALID_BYTES, reason_sentence
from recsys_core.data.ingest.rejected_rows import Book
from recsys_core.data.ingest.sampling import guess_separator, sample_cells
from recsys_core.data.ingest.side_tables import Members, TableRead
from recsys_core.data.ingest.table_schema import NUMERIC_ROLES, TableGuess
from recsys_core.data.ingest.timestamps import guess_time_format
from recsys_core.data.report import Alarm
from recsys_core.text import Sentence, Template, percent, whole

SHARE = 0.1
"""Share of rejected rows above which a file raises an alarm."""
_ENOUGH = 0.5
Remedy = tuple[Sentence, Mapping[str, Any], Mapping[str, Any]]
"""Message, changes to the table guess, and changed ingest rules."""
_NO_USER = Template(
    "'{file}': 0 of {rows} rows match a user of the interactions. Identifiers in this file: {examples}; in the "
    "interactions: {met}."
)
_NO_ITEM = Template(
    "'{file}': 0 of {rows} rows match an item of the interactions. Identifiers in this file: {examples}; in the "
    "interactions: {met}."
)
_NO_LINK = Template(
    "'{file}': 0 of {rows} rows match a pair of users of the interactions. Identifiers in this file: {examples}; in "
    "the interactions: {met}."
)
_ENCODING = Template(
    "Choose another encoding. If parts of the file have different encodings, as in joined exports, convert them to "
    "UTF-8 before joining them."
)
_OTHER_IDS = Template("Check the column roles: '{column}' may not be the {role} column.")
_EMPTY_IDS = Template(
    "Check the column roles: '{column}' may not be the {role} column. If an empty cell stands for the value above it, "
    "as in receipts with several lines, fill it in the file."
)
_SEPARATORS = {"\t": Template("Set the separator to tab."), " ": Template("Set the separator to spaces.")}


def alarms_of(books: Sequence[Book], rules: IngestRules, limits: Limits) -> Iterator[Alarm]:
    """Yield an alarm for each file with more than a tenth of its rows rejected."""
    for book in books:
        rejected = len(book.rejections)
        if not rejected or rejected <= SHARE * book.read:
            continue
        column, reason, count = _main_cause(book)
        action, change, other_rules = _remedy(book, column, reason, rules, limits)
        cause = reason_sentence(reason)
        in_column = Template("column '{column}': {reason}").fill(column=column, reason=cause)
        name = book.source.guess.name
        finding = Template(
            "'{file}': {count} of {rows} rows ({share}) was rejected because of: {cause}.",
            "'{file}': {count} of {rows} rows ({share}) were rejected, {caused} of them because of: {cause}.",
        ).fill(
            rejected,
            file=name,
            rows=whole(book.read),
            share=percent(rejected / book.read),
            caused=whole(count),
            cause=in_column if column else cause,
        )
        yield Alarm("many_rejected", name, rejected, book.read, finding, action, change, other_rules)


def tables_that_join_nothing(
    tables: Mapping[str, Sequence[TableRead]], members: Mapping[str, Members]
) -> Iterator[Alarm]:
    """Yield an alarm for each user, item or link table that shares no identifier with the interactions."""
    for table, finding in ((USERS, _NO_USER), (ITEMS, _NO_ITEM), (SOCIAL, _NO_LINK)):
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
                finding.fill(
                    file=name, rows=whole(read.rows), examples=examples_of(read.examples), met=examples_of(met)
                ),
                Template(
                    "Choose another identifier column, in this file or in the interactions, or ignore this file."
                ).fill(),
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
        kept = Template("Keep all rows of each user-item pair, as for clicks or plays.").fill()
        return kept, {}, {"duplicates": "keep"}
    if reason.startswith(("the user has fewer", "the item has fewer")):
        return Template("Lower the minimum number of interactions.").fill(), {}, {"min_user": 0, "min_item": 0}
    if reason == INVALID_BYTES:
        return _ENCODING.fill(), {}, {}
    return _other_column(guess, role, reason, rules) if role else _other_separator(book, limits)


def _other_column(guess: TableGuess, role: str, reason: str, rules: IngestRules) -> Remedy:
    """Suggest another format of a column, or another column for its role."""
    if role == TIMESTAMP:
        return _other_times(guess)
    if role in NUMERIC_ROLES:
        return _other_numbers(guess, role, reason, rules)
    doubt = _EMPTY_IDS if reason == EMPTY else _OTHER_IDS
    return doubt.fill(column=guess.column_of(role), role=Template(role.removesuffix("_id")).fill()), {}, {}


def _sample_cells(guess: TableGuess, role: str) -> list[str]:
    """Return the non-empty sample cells of a role."""
    cells = [value.strip() for value in guess.sample[guess.roles[role]] if value.strip()]
    return cells or [""]


def _other_times(guess: TableGuess) -> Remedy:
    cells = _sample_cells(guess, TIMESTAMP)
    found = guess_time_format(cells)
    if found is not None and found.unit != guess.timestamp_unit:
        other = Template("Set the timestamp format to '{unit}', which matches {share} of the cells.")
        return other.fill(unit=found.unit, share=percent(found.share)), {"timestamp_unit": found.unit}, {}
    if found is not None and found.share >= _ENOUGH:
        kept = Template("Keep rows with an unreadable timestamp, without a timestamp.").fill()
        return kept, {}, {"bad_timestamps": "keep"}
    removed = Template(
        "Remove the timestamp role: no timestamp format matches half of the sampled cells of '{column}', for example "
        "{examples}."
    ).fill(column=guess.column_of(TIMESTAMP), examples=examples_of(cells))
    return removed, {"roles": {TIMESTAMP: None}}, {}


_NO_NUMBERS = Template("Remove the {role} role from column '{column}': it holds no numbers.")
_NO_RATINGS = Template(
    "Remove the {role} role from column '{column}': it holds no numbers. To keep the ratings, write them in the file "
    "as 4, 4.5, 4/5, 4 out of 5 stars or ★★★★."
)


def _other_numbers(guess: TableGuess, role: str, reason: str, rules: IngestRules) -> Remedy:
    column = guess.column_of(role)
    if "scale" in reason or reason.startswith(("below", "above")):
        derived = Template("Derive the rating scale from the data.").fill()
        return derived, {}, {"rating_low": None, "rating_high": None}
    found = guess_number_format(_sample_cells(guess, role))
    if found.share >= _ENOUGH and found.name != guess.number_format(role).name:
        other = Template("Set the number format to {format}.").fill(format=found.name)
        return other, {"number_formats": {role: found.name}}, {}
    if found.share >= _ENOUGH:
        corrected = Template(
            "Most cells of column '{column}' are numbers: correct the others in the file, or store the data without "
            "these rows."
        )
        return corrected.fill(column=column), {}, {}
    removed = Template(
        "Remove the {role} role from column '{column}', or correct the file: {share} of its sampled cells are numbers."
    )
    if not found.share:
        removed = _NO_RATINGS if role == RATING else _NO_NUMBERS
    filled = removed.fill(role=Template(role).fill(), column=column, share=percent(found.share))
    return filled, {"roles": {role: None}}, {}


def _other_separator(book: Book, limits: Limits) -> Remedy:
    """Suggest another separator, or no quoting, for rows that could not be split into cells."""
    guess = book.source.guess
    if guess.format != "text" or book.source.text_path is None:
        return Template("Check the file: these rows have a different structure from the rest.").fill(), {}, {}
    with book.source.text_path.open(encoding="utf-8", errors="replace") as file:
        lines = [line.rstrip("\r\n") for _, line in zip(range(guess.skip_lines + 2000), file, strict=False)]
    lines = [line for line in lines[guess.skip_lines :] if line.strip()]
    other = guess_separator(lines) if lines else guess.separator
    if other != guess.separator:
        change = _SEPARATORS.get(other, Template("Set the separator to '{separator}'.")).fill(separator=other)
        return change, {"separator": other}, {}
    bare = sample_cells(lines, guess.separator, quoted=False)
    if guess.quoted and bare and sum(len(cells) == len(guess.column_names) for cells in bare) > 0.95 * len(bare):
        return Template("Treat quotes as ordinary characters.").fill(), {"quoted": False}, {}
    checked = Template("Check separator and encoding: these rows have a different number of columns from the rest.")
    return checked.fill(), {}, {}
