"""The same as `deep_sequence`, on ML-1M."""

from benchmarks.deep_sequence import rows_on
from benchmarks.table import Row


def run() -> list[Row]:
    """Measure on the large data."""
    return rows_on("ML-1M")
