"""Checks of the tables in a run card: columns, types, number of rows, and positions within the data set."""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys_core.columns import FOLD, ITEM, RANK, SCORE, USER, USER_ID
from recsys_core.errors import DataError
from recsys_core.experiments.artifacts import HISTORY, LISTS, PER_USER
from recsys_core.experiments.experiment import JOBS, SPLIT
from recsys_core.experiments.held_out_users import HELD_OUT, HIT, KNOWN, N_HISTORY, RELEVANT, TASTE, USERS
from recsys_core.storage.checksums import read_record
from recsys_core.text import _

ROWS = 50_000_000
COLUMNS = 500
TABLE_BYTES = 4 * 2**30
TEXT_BYTES = 2**30
"""Limits of one table: rows, columns, its declared size, and texts if the longest one stood in every row."""
REQUIRED = {
    PER_USER: (USER, USER_ID, FOLD),
    LISTS: (USER, FOLD, RANK, ITEM, SCORE, HIT),
    HISTORY: ("stage", "step", FOLD),
    USERS: (USER, USER_ID, FOLD, N_HISTORY, TASTE, KNOWN),
    HELD_OUT: (USER, FOLD, ITEM, RELEVANT),
}
TEXTS = (USER_ID, "stage")
WHOLE = (USER, ITEM, FOLD, RANK)
UNDERSTOOD = b"pandas"
"""Metadata of a table that may be present; others could select a conversion."""


def check_tables(folder: Path, models: Collection[str]) -> None:
    """Check all tables of an unpacked card.

    Raises:
        DataError: A table is not what a run stores.
        Damaged: The record of the split cannot be read.
    """
    report = read_record(folder / SPLIT)
    limits = {}
    for column, name in ((USER, "users"), (ITEM, "items")):
        count = report.get(name)
        if not isinstance(count, int) or not 0 < count < 2**31:
            raise DataError(_("The run card cannot be opened: its split does not count users and items."))
        limits[column] = count
    for name in (USERS, HELD_OUT):
        _check_table(folder / name, name, limits)
    for model in models:
        for name in (PER_USER, LISTS, HISTORY):
            _check_table(folder / JOBS / model / name, f"{JOBS}/{model}/{name}", limits)


def _check_table(path: Path, shown: str, limits: dict[str, int]) -> None:
    try:
        texts = [column for column in TEXTS if column in REQUIRED[path.name]]
        with pq.ParquetFile(path) as reader:
            _check_frame(reader, path.name, shown)
            if reader.metadata.num_rows == 0:  # an empty table has no types
                return
        with pq.ParquetFile(path, read_dictionary=texts) as reader:
            for column in texts:
                _check_texts(reader, column, shown)
            for column in (one for one in WHOLE if one in REQUIRED[path.name]):
                _check_positions(reader, column, limits.get(column, 2**15), shown)
    except (pa.ArrowException, OSError, OverflowError, MemoryError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            _("'{shown}' in the run card cannot be read as a table: {first}").format(shown=shown, first=first[:200])
        ) from error


def _check_frame(reader: pq.ParquetFile, name: str, shown: str) -> None:
    """Check size, columns and types."""
    facts, schema = reader.metadata, reader.schema_arrow
    declared = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
    if facts.num_rows > ROWS or facts.num_columns > COLUMNS or declared > TABLE_BYTES:
        raise DataError(
            _(
                "'{shown}' in the run card has {num_rows:,} rows, {num_columns:,} columns and "
                "{declared:,} bytes; at most {rows:,}, {columns:,} and {table_bytes:,} are read."
            ).format(
                shown=shown,
                num_rows=facts.num_rows,
                num_columns=facts.num_columns,
                declared=declared,
                rows=ROWS,
                columns=COLUMNS,
                table_bytes=TABLE_BYTES,
            )
        )
    if set(schema.metadata or {}) - {UNDERSTOOD} or any(field.metadata for field in schema if _is_extended(field)):
        raise DataError(_("'{shown}' in the run card has unknown metadata.").format(shown=shown))
    missing = [column for column in REQUIRED[name] if column not in schema.names]
    if missing or len(set(schema.names)) < len(schema.names):
        raise DataError(
            _("'{shown}' in the run card lacks {missing}.").format(
                shown=shown, missing=", ".join(missing) or "distinct column names"
            )
        )
    for field in schema:
        if facts.num_rows and not _fits(field.name, field.type):
            raise DataError(
                _("'{shown}' in the run card: the column '{field_name}' has the type {type}.").format(
                    shown=shown, field_name=field.name[:60], type=field.type
                )
            )


def _is_extended(field: pa.Field) -> bool:
    return any(key.startswith(b"ARROW:extension") for key in field.metadata or {})


def _fits(name: str, kind: pa.DataType) -> bool:
    if name in TEXTS:
        texts = kind.value_type if pa.types.is_dictionary(kind) else kind
        return bool(pa.types.is_string(texts) or pa.types.is_large_string(texts))
    if name in WHOLE:
        return bool(pa.types.is_integer(kind))
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _check_texts(reader: pq.ParquetFile, column: str, shown: str) -> None:
    """Check that texts, which repeat in few bytes, do not fill the memory when they are written out."""
    for number in range(reader.num_row_groups):
        for chunk in reader.read_row_group(number, columns=[column]).column(column).chunks:
            texts = chunk.dictionary if isinstance(chunk, pa.DictionaryArray) else chunk
            longest = pc.max(pc.binary_length(texts)).as_py() or 0
            if longest * reader.metadata.num_rows > TEXT_BYTES:
                raise DataError(
                    _("'{shown}' in the run card has texts of {longest:,} bytes in '{column}'.").format(
                        shown=shown, longest=longest, column=column
                    )
                )


def _check_positions(reader: pq.ParquetFile, column: str, limit: int, shown: str) -> None:
    """Check that positions lie within the data set and have no gaps."""
    for number in range(reader.num_row_groups):
        values = reader.read_row_group(number, columns=[column]).column(column)
        if values.null_count:
            raise DataError(
                _("'{shown}' in the run card has rows without '{column}'.").format(shown=shown, column=column)
            )
        ends = pc.min_max(values).as_py()
        if ends["min"] is not None and not 0 <= ends["min"] <= ends["max"] < limit:
            raise DataError(
                _("'{shown}' in the run card: '{column}' is from {low} to {high}.").format(
                    shown=shown, column=column, low=ends["min"], high=ends["max"]
                )
            )
