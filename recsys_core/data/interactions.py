"""Interactions from files to one Parquet file of positions, streamed: only the identifiers stay in memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from recsys_core.columns import EVENT, INTERACTIONS, ITEM, ITEM_ID, RATING, TIMESTAMP, USER, USER_ID, WEIGHT
from recsys_core.contracts import IntArray, RunContext
from recsys_core.data.coding import NotWholeNumbers, NumberCoder, TextCoder
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.guessing import TableGuess
from recsys_core.data.reading import Native, Source
from recsys_core.data.rejections import LineMap, Rejections, skip_missing
from recsys_core.data.rules import IngestRules
from recsys_core.data.sql import text_literal
from recsys_core.data.tables import Kept, WriterBeside
from recsys_core.data.timestamps import NUMBERS, milliseconds_sql, raw_time_sql

BATCH_ROWS = 1_000_000
_NO_NUMBER = "not a number"
Coders = dict[str, NumberCoder | TextCoder]
KIND_OF_COLUMN = {
    USER: pa.int32(),
    ITEM: pa.int32(),
    RATING: pa.float32(),
    TIMESTAMP: pa.int64(),
    EVENT: pa.dictionary(pa.int32(), pa.string()),
    WEIGHT: pa.float32(),
}


@dataclass
class Streamed:
    """What is known of one file of interactions once it was read.

    Args:
        source: The file.
        rows: Number of rows that could be parted into cells.
        accepted: Number of rows that are in the Parquet file.
        rejections: All rejected lines.
        refused: Rows, among `rows`, that were rejected for what stands in them; increasing.
        line_map: From a row, among `rows`, to its line.
        unreadable: Rows kept without a time, because theirs could not be read.
        clipped: Rows whose rating was moved to the end of the scale.
    """

    source: Source
    rows: int = 0
    accepted: int = 0
    rejections: Rejections = field(default_factory=Rejections)
    refused: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    line_map: LineMap = field(default_factory=LineMap)
    unreadable: int = 0
    clipped: int = 0

    def lines(self, rows: IntArray) -> IntArray:
        """Return the line numbers of accepted rows, numbered from 0 within this file."""
        return self._lines_of_read(skip_missing(rows, self.refused))

    def _lines_of_read(self, rows: IntArray) -> IntArray:
        if self.source.has_lines:
            return self.line_map.lines(rows)
        before = self.source.structural - self.source.skip - 1
        return np.asarray(skip_missing(rows, before) + self.source.skip + 1, dtype=np.int64)


@dataclass(frozen=True)
class Plan:
    """Which columns the interactions have, taken over all files.

    Args:
        columns: Names, in order, of the Parquet file's columns.
        numeric: Whether identifiers are read as whole numbers.
        rules: The person's rules.
    """

    columns: tuple[str, ...]
    numeric: bool
    rules: IngestRules

    @classmethod
    def of(cls, guesses: Sequence[TableGuess], rules: IngestRules, *, numeric: bool) -> "Plan":
        """Return the plan for some files of interactions."""
        roles = {role for guess in guesses for role in guess.roles}
        kinds = {guess.event for guess in guesses}
        events = (
            EVENT in roles or WEIGHT in roles or len(kinds) > 1 or any(guess.event_weight != 1 for guess in guesses)
        )
        columns = [
            USER,
            ITEM,
            *(role for role in (RATING, TIMESTAMP) if role in roles),
            *((EVENT, WEIGHT) if events else ()),
        ]
        return cls(tuple(columns), numeric, rules)

    @property
    def schema(self) -> pa.Schema:
        """Types of the Parquet file."""
        return pa.schema([(name, KIND_OF_COLUMN[name]) for name in self.columns])


@dataclass(frozen=True)
class Fault:
    """A reason to reject a row: an SQL condition, the column at fault, and the reason in words."""

    condition: str
    column: str
    reason: str


def stream_interactions(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    plan: Plan,
    target: Path,
    *,
    ctx: RunContext,
    kept: Kept,
) -> tuple[list[Streamed], list[str], list[str]]:
    """Write the accepted rows of all files, in the order of the files and their lines.

    Args:
        connection: Where the relations are read.
        sources: Files of interactions.
        plan: Which columns to write.
        target: Parquet file to write.
        ctx: Progress and the wish to stop.
        kept: Where to keep what later steps look at again.

    Returns:
        For each file what became of it; identifiers of users and of items, by position.

    Raises:
        NotWholeNumbers: The plan reads numbers, and some identifier is none; nothing that was written counts.
        reading.NotPlain: The fast reader lost a line.
    """
    coder = NumberCoder if plan.numeric else TextCoder
    coders: Coders = {USER_ID: coder(), ITEM_ID: coder()}
    done = []
    with WriterBeside(target, plan.schema) as writer:
        for source in sources:
            streamed = Streamed(source)
            for table in _batches(connection, streamed, plan, coders, ctx=ctx, kept=kept):
                writer.write(table)
            if plan.numeric and source.scan is not None and source.scan.result().lettered:
                raise NotWholeNumbers
            done.append(streamed)
    return done, coders[USER_ID].ids(), coders[ITEM_ID].ids()


def _batches(
    connection: duckdb.DuckDBPyConnection,
    streamed: Streamed,
    plan: Plan,
    coders: Coders,
    *,
    ctx: RunContext,
    kept: Kept,
) -> Iterator[pa.Table]:
    """Yield accepted rows as tables of positions, and keep the books in `streamed`."""
    source = streamed.source
    faults = faults_of(source.guess, plan.rules)
    reader = connection.sql(select_sql(source, plan, faults)).to_arrow_reader(BATCH_ROWS)
    refused: list[tuple[IntArray, IntArray]] = []
    for batch in ctx.track(reader, stage=f"read {source.guess.name}"):
        fault = batch.column("fault").to_numpy(zero_copy_only=False)
        if source.has_lines:
            streamed.line_map.add(batch.column("line").to_numpy())
        rows = streamed.rows + np.flatnonzero(fault)
        if len(rows):
            refused.append((rows, fault[fault > 0]))
            batch = batch.filter(pa.array(fault == 0))  # noqa: PLW2901
        streamed.rows += len(fault)
        streamed.accepted += len(batch)
        if "clipped" in batch.schema.names:
            streamed.clipped += batch.column("clipped").true_count
        if plan.numeric:
            kept.look_at_order(batch.column(USER_ID).to_numpy(), batch.column(ITEM_ID).to_numpy())
        table = _positions(batch, streamed, plan, coders)
        kept.add(table)
        yield table
    source.settle(connection, streamed.rows)
    _keep_books(streamed, refused, faults)


def _positions(batch: pa.RecordBatch, streamed: Streamed, plan: Plan, coders: Coders) -> pa.Table:
    columns = {}
    for name, identifier in ((USER, USER_ID), (ITEM, ITEM_ID)):
        columns[name] = pa.array(_codes(batch, identifier, coders[identifier]))
    for name in plan.columns[2:]:
        column = batch.column(name)
        columns[name] = column.dictionary_encode() if name == EVENT else column
    if TIMESTAMP in columns and plan.rules.bad_timestamps == "keep":
        streamed.unreadable += columns[TIMESTAMP].null_count
        columns[TIMESTAMP] = columns[TIMESTAMP].fill_null(int(NO_TIMESTAMP))
    return pa.table([columns[name] for name in plan.columns], schema=plan.schema)


def _codes(batch: pa.RecordBatch, identifier: str, coder: NumberCoder | TextCoder) -> IntArray:
    ids = batch.column(identifier)
    if isinstance(coder, TextCoder):
        return coder.code(ids)
    return coder.code(ids.to_numpy(), batch.column(f"{identifier}_length").to_numpy())


def _keep_books(streamed: Streamed, refused: list[tuple[IntArray, IntArray]], faults: Sequence[Fault]) -> None:
    streamed.rejections = streamed.source.rejections
    if not refused:
        return
    rows = np.concatenate([part for part, _ in refused])
    codes = np.concatenate([part for _, part in refused])
    lines = streamed._lines_of_read(rows)
    streamed.refused = rows
    for number, fault in enumerate(faults, start=1):
        if (chosen := codes == number).any():
            streamed.rejections.add(lines[chosen], fault.column, fault.reason)


def native_columns(guess: TableGuess, rules: IngestRules) -> dict[int, Native]:
    """Return the columns of interactions that may be read as numbers at once: those where no number means rejection."""
    if guess.table != INTERACTIONS:
        return {}
    roles = [] if guess.decimal_comma else [role for role in (RATING, WEIGHT) if role in guess.roles]
    found = {guess.roles[role]: Native("FLOAT", _NO_NUMBER) for role in roles}
    if TIMESTAMP in guess.roles and guess.timestamp_unit in NUMBERS and rules.bad_timestamps == "reject":
        found[guess.roles[TIMESTAMP]] = Native("DOUBLE", _no_time(guess))
    return found


def faults_of(guess: TableGuess, rules: IngestRules) -> list[Fault]:
    """Return what makes a row of interactions unacceptable, most basic first, in terms of the columns that
    `select_sql` makes.
    """
    faults = [_empty(guess, role) for role in (USER_ID, ITEM_ID)]
    for role in (RATING, WEIGHT):
        if role in guess.roles:
            faults.append(_empty(guess, role))
            faults.append(
                Fault(f"{role}_number IS NULL OR NOT isfinite({role}_number)", guess.column_of(role), _NO_NUMBER)
            )
    if RATING in guess.roles and rules.out_of_range == "reject" and (outside := _outside(rules)):
        faults.append(Fault(outside.condition, guess.column_of(RATING), outside.reason))
    if TIMESTAMP in guess.roles and rules.bad_timestamps == "reject":
        faults.append(Fault("time_number IS NULL", guess.column_of(TIMESTAMP), _no_time(guess)))
    if EVENT in guess.roles:
        faults.append(_empty(guess, EVENT))
    return faults


def select_sql(source: Source, plan: Plan, faults: Sequence[Fault]) -> str:
    """Return the query that gives identifiers, values and the number of the fault (0: none) of each row of a file.

    Each cell is converted once, in the inner query. The faults are looked for one by one only in rows that a quick
    condition does not clear.
    """
    guess = source.guess
    cells = sorted({f"c{column}" for column in guess.roles.values()})
    inner = [*cells, *(["line"] if source.has_lines else []), *_conversions(guess, plan)]
    cases = " ".join(f"WHEN {fault.condition} THEN {number}" for number, fault in enumerate(faults, start=1))
    outer = [f"(CASE WHEN {_clear(guess, plan)} THEN 0 ELSE (CASE {cases} ELSE 0 END) END)::UTINYINT AS fault"]
    outer += ["line"] if source.has_lines else []
    if RATING in guess.roles and plan.rules.out_of_range == "clip" and (outside := _outside(plan.rules)):
        outer.append(f"coalesce({outside.condition}, false) AS clipped")
    for role in (USER_ID, ITEM_ID):
        outer.append(f"coalesce({role}_number, -1) AS {role}" if plan.numeric else f"{_cell(guess, role)} AS {role}")
        outer += (
            [f"coalesce(least(strlen({_cell(guess, role)}), 255), 0)::UTINYINT AS {role}_length"]
            if plan.numeric
            else []
        )
    time = (
        f", {milliseconds_sql('raw_time', str(guess.timestamp_unit))} AS time_number"
        if TIMESTAMP in guess.roles
        else ""
    )
    converted = f"SELECT *{time} FROM (SELECT {', '.join(inner)} FROM {source.relation})"
    return f"SELECT {', '.join([*outer, *_values(guess, plan)])} FROM ({converted})"


def _conversions(guess: TableGuess, plan: Plan) -> Iterator[str]:
    if plan.numeric:
        for role in (USER_ID, ITEM_ID):
            yield f"try_cast({_cell(guess, role)} AS INTEGER) AS {role}_number"
    for role in (RATING, WEIGHT):
        if role in guess.roles:
            yield f"{_number(guess, role)} AS {role}_number"
    if TIMESTAMP in guess.roles:
        yield f"{raw_time_sql(_cell(guess, TIMESTAMP), str(guess.timestamp_unit))} AS raw_time"


def _clear(guess: TableGuess, plan: Plan) -> str:
    """Return a condition, quick to test, under which a row has no fault."""
    parts = [
        f"{role}_number IS NOT NULL" if plan.numeric else f"ascii({_cell(guess, role)}) > 32"
        for role in (USER_ID, ITEM_ID)
    ]
    parts += [f"isfinite({role}_number)" for role in (RATING, WEIGHT) if role in guess.roles]
    rules = plan.rules
    if RATING in guess.roles and rules.out_of_range == "reject" and (outside := _outside(rules)):
        parts.append(f"NOT ({outside.condition})")
    if TIMESTAMP in guess.roles:
        parts.append("time_number IS NOT NULL")
    parts += [f"ascii({_cell(guess, EVENT)}) > 32"] if EVENT in guess.roles else []
    return " AND ".join(parts)


def _values(guess: TableGuess, plan: Plan) -> Iterator[str]:
    for name in plan.columns[2:]:
        if name == RATING:
            yield f"{_rating(guess, plan.rules)} AS {RATING}"
        elif name == TIMESTAMP:
            yield f"{'time_number' if TIMESTAMP in guess.roles else f'{NO_TIMESTAMP}::BIGINT'} AS {TIMESTAMP}"
        elif name == EVENT:
            kind = text_literal(guess.event or ("rating" if RATING in guess.roles else "interaction"))
            yield f"{f'trim({_cell(guess, EVENT)})' if EVENT in guess.roles else kind} AS {EVENT}"
        else:
            yield f"({_weight(guess, plan.rules.event_weights)})::FLOAT AS {WEIGHT}"


def _weight(guess: TableGuess, weights: Mapping[str, float]) -> str:
    own = f"{WEIGHT}_number" if WEIGHT in guess.roles else f"{float(guess.event_weight)}"
    if EVENT not in guess.roles or not weights:
        return own
    cases = " ".join(f"WHEN {text_literal(kind)} THEN {float(weight)}" for kind, weight in weights.items())
    return f"({own}) * CASE trim({_cell(guess, EVENT)}) {cases} ELSE 1 END"


def _rating(guess: TableGuess, rules: IngestRules) -> str:
    if RATING not in guess.roles:
        return "'nan'::FLOAT"
    number = f"{RATING}_number"
    if rules.out_of_range == "clip":
        number = number if rules.rating_low is None else f"greatest({number}, {rules.rating_low}::FLOAT)"
        number = number if rules.rating_high is None else f"least({number}, {rules.rating_high}::FLOAT)"
    return number


def _outside(rules: IngestRules) -> Fault | None:
    """Return the fault of a rating outside the scale; None if the scale has no ends."""
    low, high = rules.rating_low, rules.rating_high
    bounds = [f"{RATING}_number < {low}::FLOAT"] if low is not None else []
    bounds += [f"{RATING}_number > {high}::FLOAT"] if high is not None else []
    if not bounds:
        return None
    words = "below" if high is None else "above" if low is None else "outside the scale"
    ends = " to ".join(f"{end:g}" for end in (low, high) if end is not None)
    return Fault(" OR ".join(bounds), "", f"{words} {ends}")


def _no_time(guess: TableGuess) -> str:
    return f"not a time in the unit '{guess.timestamp_unit}'"


def _empty(guess: TableGuess, role: str) -> Fault:
    return Fault(f"trim(coalesce({_cell(guess, role)}::VARCHAR, '')) = ''", guess.column_of(role), "empty")


def _cell(guess: TableGuess, role: str) -> str:
    return f"c{int(guess.roles[role])}"


def _number(guess: TableGuess, role: str) -> str:
    cell = _cell(guess, role)
    return f"try_cast(replace({cell}, ',', '.') AS FLOAT)" if guess.decimal_comma else f"try_cast({cell} AS FLOAT)"
