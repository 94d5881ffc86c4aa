"""Stream interactions from files to one Parquet file of positions; only the identifiers stay in memory."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from recsys_core.columns import EVENT, ITEM, ITEM_ID, RATING, TIMESTAMP, USER, USER_ID, WEIGHT
from recsys_core.contracts import IntArray, RunContext
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.ingest.id_encoding import NotWholeNumbers, NumberCoder, TextCoder
from recsys_core.data.ingest.reading import Source
from recsys_core.data.ingest.rejected_rows import Book
from recsys_core.data.ingest.rejection_buffer import LineMap, skip_missing
from recsys_core.data.ingest.row_checks import Fault, Plan, faults_of, select_sql
from recsys_core.data.tables import FINER, PairCache, background_writer

BATCH_ROWS = 1_000_000
Coders = dict[str, NumberCoder | TextCoder]
KIND_OF_COLUMN = {
    USER: pa.int32(),
    ITEM: pa.int32(),
    RATING: pa.float32(),
    TIMESTAMP: pa.int64(),
    FINER: pa.int32(),
    EVENT: pa.dictionary(pa.int32(), pa.string()),
    WEIGHT: pa.float32(),
}


@dataclass
class Streamed(Book):
    """Result of reading one interactions file.

    Args:
        accepted: Number of rows written to the Parquet file.
        refused: Rows, among `rows`, that were rejected for their content; increasing.
        line_map: Maps rows, among `rows`, to line numbers.
        unreadable: Rows kept without a timestamp, because it is empty or unreadable.
        clipped: Rows whose rating was clipped to the scale.
        unknown: Number of kept rows with an empty cell, by column.
        not_rated: Rows whose rating value means 'not rated'.
        time_forms: Number of rows by timestamp format, if there are several formats.
    """

    accepted: int = 0
    refused: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    line_map: LineMap = field(default_factory=LineMap)
    unreadable: int = 0
    clipped: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    not_rated: int = 0
    time_forms: Counter[str] = field(default_factory=Counter)

    def lines(self, rows: IntArray) -> IntArray:
        """Return the line numbers of accepted rows, which are numbered from 0 within this file."""
        return self._lines_of_read(skip_missing(rows, self.refused))

    def _lines_of_read(self, rows: IntArray) -> IntArray:
        if self.source.has_lines:
            return self.line_map.lines(rows)
        return self.source.lines(rows)


def stream_interactions(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    plan: Plan,
    target: Path,
    *,
    ctx: RunContext,
    kept: PairCache,
) -> tuple[list[Streamed], list[str], list[str]]:
    """Write the accepted rows of all files, in file and line order.

    Args:
        connection: DuckDB connection that reads the sources.
        sources: Interactions files.
        plan: Columns to write.
        target: Parquet file to write.
        ctx: Progress and cancellation.
        kept: Cache for columns that later steps read again.

    Returns:
        Result of each file; user identifiers and item identifiers, by position.

    Raises:
        NotWholeNumbers: The plan expects integer identifiers, and some are not; the output must be discarded.
        reading.NotPlain: The fast reader lost a line.
    """
    coder = NumberCoder if plan.numeric else TextCoder
    coders: Coders = {USER_ID: coder(), ITEM_ID: coder()}
    done = []
    with background_writer(target, _schema(plan)) as write:
        for source in sources:
            streamed = Streamed(source)
            for table in _batches(connection, streamed, plan, coders, ctx=ctx, kept=kept):
                write(table)
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
    kept: PairCache,
) -> Iterator[pa.Table]:
    """Yield accepted rows as tables of positions, and record counts and rejections in `streamed`."""
    source = streamed.source
    faults = faults_of(source.guess, plan)
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
        _count(streamed, batch)
        if plan.numeric:
            kept.check_order(batch.column(USER_ID).to_numpy(), batch.column(ITEM_ID).to_numpy())
        table = _positions(batch, streamed, plan, coders)
        kept.add(table)
        yield table
    source.settle(connection, streamed.rows)
    _keep_books(streamed, refused, faults)


def _count(streamed: Streamed, batch: pa.RecordBatch) -> None:
    """Count missing and changed values in accepted rows."""
    names, guess = set(batch.schema.names), streamed.source.guess
    if "clipped" in names:
        streamed.clipped += batch.column("clipped").true_count
    if "not_rated" in names:
        streamed.not_rated += batch.column("not_rated").true_count
    for flag, role in (("no_weight", WEIGHT), ("no_event", EVENT)):
        if flag in names:
            streamed.unknown[guess.column_of(role)] += batch.column(flag).true_count
    if RATING in names and RATING in guess.roles:
        streamed.unknown[guess.column_of(RATING)] += int(np.isnan(batch.column(RATING).to_numpy()).sum())
    if "time_form" in names:
        counts = np.bincount(batch.column("time_form").to_numpy(), minlength=len(guess.time_forms) + 1)
        streamed.time_forms.update(dict(zip(("other", *guess.time_forms), counts.tolist(), strict=True)))


def _positions(batch: pa.RecordBatch, streamed: Streamed, plan: Plan, coders: Coders) -> pa.Table:
    columns = {}
    for name, identifier in ((USER, USER_ID), (ITEM, ITEM_ID)):
        columns[name] = pa.array(_codes(batch, identifier, coders[identifier]))
    for name in plan.values:
        column = batch.column(name)
        columns[name] = column.dictionary_encode() if name == EVENT else column
    if TIMESTAMP in columns:
        without = TIMESTAMP not in streamed.source.guess.roles
        streamed.unreadable += len(batch) if without else 0
        streamed.unreadable += columns[TIMESTAMP].null_count
        if columns[TIMESTAMP].null_count:
            columns[TIMESTAMP] = columns[TIMESTAMP].fill_null(int(NO_TIMESTAMP))
    return pa.table([columns[name] for name in plan.columns], schema=_schema(plan))


def _schema(plan: Plan) -> pa.Schema:
    return pa.schema([(name, KIND_OF_COLUMN[name]) for name in plan.columns])


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
