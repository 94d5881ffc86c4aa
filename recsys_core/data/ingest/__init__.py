"""From uploaded files to a `Dataset` and its `IngestReport`: archives, schema, column roles, cleaning, checks."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recsys_core.data.ingest.inspection import inspect_files, suggest_rules
    from recsys_core.data.ingest.pipeline import check, ingest, load_file, load_with_report, with_interaction_columns

__all__ = [
    "check",
    "ingest",
    "inspect_files",
    "load_file",
    "load_with_report",
    "suggest_rules",
    "with_interaction_columns",
]


def __getattr__(name: str) -> Any:
    """Load DuckDB only when a file is read; listing stored data sets does not need it."""
    if name not in __all__:
        raise AttributeError(name)
    from recsys_core.data.ingest import pipeline

    return getattr(pipeline, name)
