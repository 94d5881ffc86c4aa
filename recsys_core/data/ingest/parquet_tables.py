"""Sample Parquet files, within limits that are checked in the footer before any data are read."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.data.ingest.limits import Limits
from recsys_core.data.ingest.record_reader import TEXT_KEPT
from recsys_core.data.sql import connect, parquet_names, parquet_relation
from recsys_core.errors import DataError
from recsys_core.text import _

_ROWS, SAMPLE_CELLS = 5000, 500_000
"""Maximum number of rows and of cells in a sample."""


def sample_parquet(path: Path, name: str, limits: Limits) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the column names of a Parquet file and the cells of its first rows, as text.

    Raises:
        DataError: The file is not Parquet, has no rows, or exceeds a limit.
    """
    _refuse_large(path, name, limits)
    try:
        names = parquet_names(path)
        cells = ", ".join(f"left(coalesce(c{column}, ''), {TEXT_KEPT})" for column in range(len(names)))
        most = max(100, min(_ROWS, SAMPLE_CELLS // max(1, len(names))))
        with connect() as connection:
            rows = connection.execute(f"SELECT {cells} FROM {parquet_relation(path)} LIMIT {most}").fetchall()
    except duckdb.Error as error:
        raise DataError(
            _("'{name}' cannot be read as Parquet: {splitlines}").format(
                name=name, splitlines=str(error).splitlines()[0]
            )
        ) from error
    if not rows:
        raise DataError(_("'{name}' has columns but no rows.").format(name=name))
    return names, rows


def _refuse_large(path: Path, name: str, limits: Limits) -> None:
    """Refuse a Parquet file with too many columns, a row group too large for memory, or an absurd compression ratio.

    Raises:
        DataError: The file exceeds a limit, or its footer is broken.
    """
    try:
        found = pq.read_metadata(path)
        groups = [found.row_group(number).total_byte_size for number in range(found.num_row_groups)]
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            _("'{name}' cannot be read as Parquet: {splitlines}").format(
                name=name, splitlines=str(error).splitlines()[0]
            )
        ) from error
    if found.num_columns > limits.columns:
        raise DataError(
            _("'{name}' has {num_columns:,} columns; at most {columns:,} are read.").format(
                name=name, num_columns=found.num_columns, columns=limits.columns
            )
        )
    largest, total = max(groups, default=0), sum(groups)
    if largest > limits.row_group_bytes:
        raise DataError(
            _(
                "'{name}' has a row group of {largest:,} bytes; at most {row_group_bytes:,} are "
                "supported. Write the file with smaller row groups, such as 1 million rows."
            ).format(name=name, largest=largest, row_group_bytes=limits.row_group_bytes)
        )
    bomb = total > limits.row_group_bytes and total > limits.parquet_ratio * path.stat().st_size
    if total > limits.parquet_bytes or bomb:
        raise DataError(
            _(
                "'{name}' has {st_size:,} bytes and holds {total:,} uncompressed, like a "
                "decompression bomb, and was refused."
            ).format(name=name, st_size=path.stat().st_size, total=total)
        )
