"""How much is taken in before a sentence says no: every bound in one place, so that an operator or a test can change
it.
"""

from dataclasses import dataclass

MIB = 1024**2
GIB = 1024**3


@dataclass(frozen=True)
class Limits:
    """Bounds of what is read.

    Args:
        line_bytes: Longest line that is read; a longer one is rejected, or refused if it is the first.
        unpacked_bytes: Largest sum of what an archive may unpack to.
        unpack_ratio: Largest growth of a member of an archive over its packed size, once it is over 10 MiB.
        members: Largest number of members of an archive.
        columns: Largest number of columns.
        excel_bytes: Largest Excel file; it is held in memory.
        memory_bytes: What DuckDB may use before it writes to its temporary folder.
        kept_rejections: Rejected lines held in a report; the full list is in the file beside the data.
    """

    line_bytes: int = 1 * MIB
    unpacked_bytes: int = 64 * GIB
    unpack_ratio: float = 200.0
    members: int = 2000
    columns: int = 2000
    excel_bytes: int = 200 * MIB
    memory_bytes: int = 2 * GIB
    kept_rejections: int = 1000


DEFAULT_LIMITS = Limits()
