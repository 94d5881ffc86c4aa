"""`deep_sequence` on ML-1M."""

from benchmarks.deep_sequence import rows_on
from benchmarks.table import Row


def run() -> list[Row]:
    """Run on ML-1M."""
    return rows_on("ML-1M")
