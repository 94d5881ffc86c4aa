"""Limits on what is read, in one place so that operators and tests can change them."""

from dataclasses import dataclass

MIB = 1024**2
GIB = 1024**3


@dataclass(frozen=True)
class Limits:
    """Limits on what is read.

    Args:
        line_bytes: Maximum line length; longer lines are rejected, and the file is refused if it is the first line.
        unpacked_bytes: Maximum total size that one archive may unpack to, nested compressed files included.
        unpack_ratio: Maximum compression ratio of an archive, checked after the first 10 MiB.
        members: Maximum number of entries in an archive.
        tables: Maximum number of tables in an archive.
        columns: Maximum number of columns.
        excel_bytes: Maximum size of an Excel file, whose sheet is held in memory.
        excel_unpacked_bytes: Maximum total size that an Excel file unpacks to.
        excel_cells: Maximum number of cells in a sheet's used range.
        row_group_bytes: Maximum uncompressed size of a Parquet row group, which is held in memory.
        parquet_bytes: Maximum uncompressed size that a Parquet file declares.
        parquet_ratio: Maximum compression ratio of Parquet files that hold more than `row_group_bytes`.
        memory_bytes: Memory that DuckDB may use before it spills to its temporary folder.
        kept_rejections: Maximum number of rejected lines in a report; the full list is stored with the data set.
    """

    line_bytes: int = 1 * MIB
    unpacked_bytes: int = 16 * GIB
    unpack_ratio: float = 200.0
    members: int = 2000
    tables: int = 200
    columns: int = 2000
    excel_bytes: int = 200 * MIB
    excel_unpacked_bytes: int = 4 * GIB
    excel_cells: int = 50_000_000
    row_group_bytes: int = 2 * GIB
    parquet_bytes: int = 64 * GIB
    parquet_ratio: float = 1000.0
    memory_bytes: int = 2 * GIB
    kept_rejections: int = 1000


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class ProcessLimits:
    """Limits of a process that reads untrusted files.

    Args:
        memory_bytes: Maximum memory.
        seconds: Maximum wall-clock time, and maximum CPU time per core.
        disk_bytes: Maximum number of bytes written, temporary files included.
    """

    memory_bytes: int = 6 * GIB
    seconds: float = 1800.0
    disk_bytes: int = 64 * GIB


READERS = 8
"""Maximum number of concurrent reader processes; further files are queued."""
