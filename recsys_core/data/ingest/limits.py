"""How much is read before a sentence says no: every bound in one place, so that an operator or a test can change it."""

from dataclasses import dataclass

MIB = 1024**2
GIB = 1024**3


@dataclass(frozen=True)
class Limits:
    """Bounds of what is read.

    Args:
        line_bytes: Longest line that is read; a longer one is rejected, or refused if it is the first.
        unpacked_bytes: Largest sum of bytes that one archive may unpack to, archives within it included.
        unpack_ratio: Largest growth of an archive over its packed size, once more than 10 MiB were written.
        members: Largest number of entries of an archive.
        tables: Largest number of tables in an archive.
        columns: Largest number of columns.
        excel_bytes: Largest Excel file; its sheet is held in memory.
        excel_unpacked_bytes: Largest sum of bytes that an Excel file unpacks to.
        excel_cells: Largest number of cells in the rectangle that the used cells of a sheet span.
        row_group_bytes: Largest row group of a Parquet file, uncompressed: a reader holds one in memory.
        parquet_bytes: Largest sum of bytes that a Parquet file says it holds uncompressed.
        parquet_ratio: Largest growth of a Parquet file, once it holds more than `row_group_bytes`.
        memory_bytes: What DuckDB may use before it writes to its temporary folder.
        kept_rejections: Rejected lines held in a report; the full list is in the file beside the data.
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
    """Bounds of a process that reads what came from outside.

    Args:
        memory_bytes: Most memory that it may use.
        seconds: Longest time that it may take; of processor time it may take as much on each core.
        disk_bytes: Most bytes that it may write, temporary files included.
    """

    memory_bytes: int = 6 * GIB
    seconds: float = 1800.0
    disk_bytes: int = 64 * GIB


READERS = 8
"""Processes that read at the same time; further files wait for one of them to end."""
