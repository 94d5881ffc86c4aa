"""Build one data set from its files: every row is read once and accounted for."""

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from recsys_core.columns import EVENT, INTERACTIONS, ITEM_ID, ITEMS, RATING, SOCIAL, TIMESTAMP, USER_ID, USERS
from recsys_core.contracts import RatingScale, RunContext
from recsys_core.data.folder import write_social, write_vocabulary
from recsys_core.data.ingest.alarms import alarms_of, tables_that_join_nothing
from recsys_core.data.ingest.cleaning import Cleaning, decide, rewrite, settle_order
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.file_shapes import is_pivot
from recsys_core.data.ingest.format_checks import examples_of
from recsys_core.data.ingest.id_encoding import NotWholeNumbers
from recsys_core.data.ingest.interactions import Streamed, stream_interactions
from recsys_core.data.ingest.limits import Limits
from recsys_core.data.ingest.quality_checks import dataset_warnings, kept_row_warnings, tied_interactions
from recsys_core.data.ingest.read_errors import faults_in_words
from recsys_core.data.ingest.reading import Native, NotPlain, Source, open_source
from recsys_core.data.ingest.rejected_rows import Book, close_books
from recsys_core.data.ingest.row_checks import Plan, native_columns
from recsys_core.data.ingest.side_tables import (
    EventAttributes,
    Members,
    TableRead,
    complete,
    has_event_attributes,
    read_attributes,
    read_event_attributes,
    read_links,
    title_warnings,
)
from recsys_core.data.ingest.table_roles import IGNORED, guess_scale
from recsys_core.data.ingest.table_schema import TableGuess, missing_roles
from recsys_core.data.ingest.unread_columns import nested_column
from recsys_core.data.ingest.value_checks import value_warnings
from recsys_core.data.ingest.whole_column import settle_forms
from recsys_core.data.meta import DatasetCard, now
from recsys_core.data.report import DataWarning, IngestReport
from recsys_core.data.sql import connect, file_literal, refusals_in_words
from recsys_core.data.tables import FINER, ROWS_AT_ONCE, PairCache
from recsys_core.errors import DataError
from recsys_core.text import _

_MOST_EVENTS = 100
"""Maximum number of event types listed in a report."""
READER_VERSION = 5
"""Part of every fingerprint: incremented whenever the same files and rules yield different data."""


def build(
    guesses: Sequence[TableGuess], rules: IngestRules, folder: Path, *, name: str, ctx: RunContext, limits: Limits
) -> tuple[DatasetCard, IngestReport]:
    """Write a data set into an empty folder.

    Raises:
        DataError: The files cannot be read with these settings.
        Cancelled: The user cancelled the work.
    """
    used = _with_own_names([guess for guess in guesses if guess.table != IGNORED])
    _refuse_incomplete(used)
    used = [settle_forms(guess, limits) for guess in used]
    careful: frozenset[str] = frozenset()
    numeric = all(guess.whole_numbers and guess.format == "text" for guess in used if guess.table == INTERACTIONS)
    while True:
        with (
            faults_in_words(", ".join(guess.name for guess in used)[:200], writes=True),
            refusals_in_words(folder),
            tempfile.TemporaryDirectory(dir=folder, prefix="reading_") as work,
            connect(Path(work), limits.memory_bytes) as connection,
        ):
            try:
                return _Build(connection, used, rules, folder, Path(work), ctx, limits, careful, numeric=numeric).run(
                    name
                )
            except NotPlain as lost:
                careful |= {str(lost)}
            except NotWholeNumbers:
                numeric = False
            except duckdb.OutOfMemoryException as error:
                raise DataError(
                    _("Applying the rules needs more memory than allowed ({memory_bytes:,} MiB).").format(
                        memory_bytes=limits.memory_bytes // 1024**2
                    )
                ) from error


@dataclass
class _Build:
    """One attempt to build a data set."""

    connection: duckdb.DuckDBPyConnection
    guesses: list[TableGuess]
    rules: IngestRules
    folder: Path
    work: Path
    ctx: RunContext
    limits: Limits
    careful: frozenset[str]
    numeric: bool
    ties: "Future[int] | None" = None
    derived: list[EventAttributes] = field(default_factory=list)
    described: set[str] = field(default_factory=set)

    def run(self, name: str) -> tuple[DatasetCard, IngestReport]:
        with ThreadPoolExecutor(1) as beside:
            streamed, members, cleaning = self._interactions(self._sources(INTERACTIONS), beside)
            tables = self._tables(members)
            books: list[Book] = [*streamed, *chain(*tables.values())]
            meta = self._meta(name, books, members, has_social=bool(tables[SOCIAL]))
            doubts = self._doubts(members, tables[SOCIAL], cleaning, streamed)
        order = [guess.name for guess in self.guesses]
        books.sort(key=lambda book: order.index(book.source.guess.name))
        report = replace(
            close_books(self.connection, books, self.folder / "rejected.parquet", self.limits),
            warnings=tuple(doubts),
            alarms=(*alarms_of(books, self.rules, self.limits), *tables_that_join_nothing(tables, members)),
            events=self._events(),
            users=meta.n_users,
            items=meta.n_items,
            fingerprint=meta.fingerprint,
        )
        (self.folder / "report.json").write_text(json.dumps(report.to_json(), ensure_ascii=False), encoding="utf-8")
        meta.write(self.folder)
        return meta, report

    def _events(self) -> dict[str, dict[str, float]]:
        """Return count and weight of each event type among accepted rows; empty without an event column."""
        if EVENT not in pq.read_schema(self.path).names:
            return {}
        counts = self.connection.execute(
            f"SELECT {EVENT}::VARCHAR, count(*) AS n FROM read_parquet({file_literal(self.path)}) "
            f"GROUP BY ALL ORDER BY n DESC, 1 LIMIT {_MOST_EVENTS}"
        ).fetchall()
        weights = self.rules.event_weights
        return {kind: {"count": count, "weight": weights.get(kind, 1.0)} for kind, count in counts}

    @property
    def path(self) -> Path:
        """The Parquet file of interactions."""
        return self.folder / f"{INTERACTIONS}.parquet"

    def _sources(self, table: str) -> list[Source]:
        """Open the files of one table."""
        return [
            self._opened(guess, native_columns(guess, self.rules)) for guess in self.guesses if guess.table == table
        ]

    def _opened(self, guess: TableGuess, natives: Mapping[int, Native] | None = None) -> Source:
        return open_source(guess, self.work, self.limits, careful=guess.name in self.careful, natives=natives)

    def _interactions(
        self, sources: list[Source], beside: ThreadPoolExecutor
    ) -> tuple[list[Streamed], dict[str, Members], Cleaning]:
        """Stream the interactions, apply the rules, and return file results, remaining identifiers and cleaning."""
        plan = Plan.of([source.guess for source in sources], self.rules, numeric=self.numeric)
        kept = PairCache(ROWS_AT_ONCE, ordered=self.numeric)
        streamed, user_ids, item_ids = stream_interactions(
            self.connection, sources, plan, self.path, ctx=self.ctx, kept=kept
        )
        if not sum(part.accepted for part in streamed):
            raise DataError(_nothing_accepted(streamed, self.rules, self.limits))
        self.ctx.note("apply the rules", 1, 1)
        ties = beside.submit(tied_interactions, self.path, kept) if TIMESTAMP in plan.columns else None
        if FINER in plan.columns:
            wait([ties] if ties is not None else [])
        cleaning = decide(self.connection, self.path, self.rules, (len(user_ids), len(item_ids)), kept)
        if not cleaning.idle:
            wait([ties] if ties is not None else [])
            rewrite(self.path, self.work / "rewritten", cleaning)
            (self.work / "rewritten").replace(self.path)
            _account(streamed, cleaning)
            user_ids = [name for name, stays in zip(user_ids, cleaning.users, strict=True) if stays]
            item_ids = [name for name, stays in zip(item_ids, cleaning.items, strict=True) if stays]
            ties = beside.submit(tied_interactions, self.path, PairCache(0)) if ties is not None else None
        self.ties = ties
        if FINER in plan.columns:
            wait([ties] if ties is not None else [])
            settle_order(self.path, self.work / "settled")
            (self.work / "settled").replace(self.path)
        users = Members(user_ids, closed=self.rules.min_user > 1)
        items = Members(item_ids, closed=self.rules.min_item > 1)
        return streamed, {USERS: users, ITEMS: items}, cleaning

    def _tables(self, members: dict[str, Members]) -> dict[str, list[TableRead]]:
        """Read and write the user, item and link tables."""
        tables = {
            table: [read_attributes(self.connection, source, members[table]) for source in self._sources(table)]
            for table in (USERS, ITEMS)
        }
        tables[SOCIAL] = [read_links(self.connection, source, members[USERS]) for source in self._sources(SOCIAL)]
        for table, id_column in ((USERS, USER_ID), (ITEMS, ITEM_ID)):
            ids = members[table].ids
            frames = [read.frame for read in tables[table]] + [
                told.frame for told in self._event_attributes(table, members)
            ]
            self.described |= {table} if frames else set()
            write_vocabulary(self.folder, table, id_column, ids, complete(frames, len(ids)))
        write_social(self.folder, _joined(tables[SOCIAL]))
        return tables

    def _event_attributes(self, table: str, members: dict[str, Members]) -> list[EventAttributes]:
        """Read user or item attributes from interaction rows; a separate table takes precedence."""
        told = [
            read_event_attributes(self.connection, self._opened(guess), table, members[table])
            for guess in self.guesses
            if guess.table == INTERACTIONS and has_event_attributes(guess, table)
        ]
        self.derived += told
        return told

    def _doubts(
        self, members: dict[str, Members], links: list[TableRead], cleaning: Cleaning, streamed: list[Streamed]
    ) -> list[DataWarning]:
        doubts = dataset_warnings(
            self.connection,
            self.path,
            user_ids=members[USERS].ids,
            item_ids=members[ITEMS].ids,
            social=_joined(links),
            ties=self.ties,
        )
        of_kept_rows = kept_row_warnings(
            repeated=cleaning.repeated,
            unreadable=sum(part.unreadable for part in streamed),
            clipped=sum(part.clipped for part in streamed),
        )
        return [
            *(doubt for guess in self.guesses for doubt in guess.doubts()),
            *title_warnings(self.derived),
            *doubts,
            *of_kept_rows,
            *value_warnings(self.connection, self.path, self.rules, streamed),
        ]

    def _meta(self, name: str, books: list[Book], members: dict[str, Members], *, has_social: bool) -> DatasetCard:
        columns = tuple(pq.read_schema(self.path).names)
        return DatasetCard(
            name=name,
            created=now(),
            fingerprint=self._fingerprint([book.source for book in books]),
            n_users=len(members[USERS].ids),
            n_items=len(members[ITEMS].ids),
            n_interactions=pq.read_metadata(self.path).num_rows,
            columns=columns,
            rating_scale=self._scale() if RATING in columns else None,
            has_users=USERS in self.described,
            has_items=ITEMS in self.described,
            has_social=has_social,
        )

    def _scale(self) -> RatingScale | None:
        """Return the configured rating scale, or the one of all accepted ratings."""
        rules = self.rules
        least, most = rules.ends
        if least is not None and most is not None and rules.out_of_range != "keep":
            return RatingScale(least, most)
        given = f"FROM read_parquet({file_literal(self.path)}) WHERE NOT isnan({RATING})"
        found = self.connection.execute(f"SELECT min({RATING}), max({RATING}), count(*) {given}").fetchall()
        low, high, count = found[0]
        if not count:
            return None
        if count < 1000:
            ratings = self.connection.execute(f"SELECT {RATING} {given}").fetchall()
            scale = guess_scale([value for (value,) in ratings])
            low, high = (min(low, scale.low), max(high, scale.high)) if scale else (low, high)
        return RatingScale(float(least if least is not None else low), float(most if most is not None else high))

    def _fingerprint(self, sources: list[Source]) -> str:
        """Return the hash of file contents, reading settings and rules; names do not enter."""
        parts = [
            {
                "digest": s.digest,
                "roles": dict(s.guess.roles),
                "skip": s.guess.skip_lines,
                "numbers": {role: repr(form) for role, form in s.guess.number_formats.items()},
                "quoted": s.guess.quoted,
                "names": s.guess.column_names,
                "flags": s.guess.category_flags,
                "escape": s.guess.escape,
            }
            | {key: value for key, value in s.guess.to_json().items() if key != "rating_scale"}
            for s in sources
        ]
        text = json.dumps({"reader": READER_VERSION, "rules": self.rules.model_dump(), "files": parts}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def _joined(links: list[TableRead]) -> pd.DataFrame | None:
    return pd.concat([table.frame for table in links], ignore_index=True) if links else None


def _account(streamed: list[Streamed], cleaning: Cleaning) -> None:
    """Record rows removed by rules as rejections of the files they came from."""
    start = 0
    for part in streamed:
        for reason, rows in cleaning.removed:
            first, last = np.searchsorted(rows, [start, start + part.accepted])
            if last > first:
                part.rejections.add(part.lines(rows[first:last] - start), "", reason)
        start += part.accepted


def _with_own_names(guesses: list[TableGuess]) -> list[TableGuess]:
    """Return the guesses with duplicate file names numbered."""
    seen: Counter[str] = Counter()
    named = []
    for guess in guesses:
        seen[guess.name] += 1
        number = seen[guess.name]
        named.append(guess if number == 1 else replace(guess, name=f"{guess.name} ({number})"))
    return named


def _refuse_incomplete(guesses: list[TableGuess]) -> None:
    if not any(guess.table == INTERACTIONS for guess in guesses):
        none = _("No file holds interactions (user-item pairs). Select the interactions file, or add one.")
        pivot = _("If '{file}' has one column per item or month, convert it to one row per interaction.")
        wide = [pivot.format(file=guess.name) for guess in guesses if guess.sample and is_pivot(guess.sample)]
        raise DataError(" ".join([none, *wide]))
    for guess in guesses:
        if missing := missing_roles(guess):
            if (column := nested_column(guess)) is not None:
                raise DataError(
                    _(
                        "'{file}' has no '{missing}' column: each cell of column '{column}' holds several values, such "
                        "as {example}. Write one row per user and item, with each identifier in a column of its own."
                    ).format(
                        file=guess.name,
                        missing=missing[0],
                        column=guess.column_names[column],
                        example=examples_of(guess.sample[column], 1),
                    )
                )
            if guess.table == INTERACTIONS and (joined := _to_join(guess, guesses)):
                raise DataError(joined)
            if guess.table == INTERACTIONS and missing == [USER_ID]:
                raise DataError(
                    _(
                        "No column of '{file}' identifies the user. If one does, give it the user role. If the file is "
                        "the history of a single user, add a column with a name for this user, and upload it together "
                        "with the histories of other users: recommenders compare users. If it holds no interactions, "
                        "ignore it."
                    ).format(file=guess.name)
                )
            raise DataError(
                _(
                    "'{guess_name}' is read as '{table}' but has no '{missing}' column. Choose one, or ignore the file."
                ).format(guess_name=guess.name, table=guess.table, missing=missing[0])
            )
        if TIMESTAMP in guess.roles and guess.timestamp_unit is None:
            shown = examples_of(guess.sample[guess.roles[TIMESTAMP]]) if guess.sample else ""
            raise DataError(
                _(
                    "Column '{column_of}' of '{guess_name}' has the timestamp role, but no timestamp format "
                    "matches half of its cells, for example {shown}. Choose a format or remove the role."
                ).format(column_of=guess.column_of(TIMESTAMP), guess_name=guess.name, shown=shown or "empty cells")
            )


def _to_join(guess: TableGuess, guesses: Sequence[TableGuess]) -> str:
    """Return the remedy if the users are in one file and the items in another, as with orders and their lines.

    Empty if no other file completes this one, or they have no column in common.
    """
    for other in guesses:
        shared = [name for name in guess.column_names if other is not guess and name in other.column_names]
        roles = guess.roles.keys() | other.roles.keys()
        orders = other.column_of(USER_ID) in guess.column_names and USER_ID in guess.roles  # the key of both files
        apart = missing_roles(other) or (orders and other.column_of(USER_ID) != guess.column_of(USER_ID))
        if shared and other.table == INTERACTIONS and apart and {USER_ID, ITEM_ID} <= roles:
            users, items = (guess, other) if USER_ID in guess.roles else (other, guess)
            return _(
                "The users are in '{users}' and the items in '{items}'. Join both files by their common column "
                "'{column}' into one with a row per user and item, and upload it instead."
            ).format(users=users.name, items=items.name, column=shared[0])
    return ""


def _nothing_accepted(streamed: list[Streamed], rules: IngestRules, limits: Limits) -> str:
    reasons = [f"{count:,} rows: {phrase}" for part in streamed for phrase, count in part.rejections.reasons().items()]
    remedies = dict.fromkeys(alarm.remedy for alarm in alarms_of(streamed, rules, limits))
    return " ".join([f"No row was accepted. {'; '.join(reasons[:5]) or 'The files have no rows'}.", *remedies])
