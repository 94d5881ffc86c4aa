"""Check the size declared in a Parquet footer before anything is decompressed."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsys_core.data.ingest.limits import Limits
from recsys_core.errors import DataError


def refuse_large_parquet(path: Path, name: str, limits: Limits) -> None:
    """Refuse a Parquet file with too many columns, a row group too large for memory, or an absurd compression ratio.

    Raises:
        DataError: The file exceeds a limit, or its footer is broken.
    """
    try:
        found = pq.read_metadata(path)
        groups = [found.row_group(number).total_byte_size for number in range(found.num_row_groups)]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"'{name}' cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    if found.num_columns > limits.columns:
        raise DataError(f"'{name}' has {found.num_columns:,} columns; at most {limits.columns:,} are read.")
    largest, total = max(groups, default=0), sum(groups)
    if largest > limits.row_group_bytes:
        raise DataError(
            f"'{name}' has a row group of {largest:,} bytes; at most {limits.row_group_bytes:,} are supported. "
            "Write the file with smaller row groups, such as 1 million rows."
        )
    bomb = total > limits.row_group_bytes and total > limits.parquet_ratio * path.stat().st_size
    if total > limits.parquet_bytes or bomb:
        raise DataError(
            f"'{name}' has {path.stat().st_size:,} bytes and holds {total:,} uncompressed, "
            "like a decompression bomb, and was refused."
        )
