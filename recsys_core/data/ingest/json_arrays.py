"""JSON files that are one array of objects, the usual answer of a web service: read as one object per line."""

import re
from itertools import chain
from pathlib import Path

import duckdb

from recsys_core.data.ingest.limits import Limits
from recsys_core.data.sql import connect, file_literal
from recsys_core.errors import DataError
from recsys_core.text import _

_BEGINNING = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*\{")
_MALFORMED = re.compile(r"at byte \d+ in record/value \d+: (.+?)\.?\s*$", re.MULTILINE)
_HEAD = 4096
_SAMPLED = 5000
_END = "E'\\x01'"
"""A character that JSON writes as an escape, so that no line is quoted."""


def is_json_array(path: Path) -> bool:
    """Return whether a file begins like an array of objects, in UTF-8."""
    with path.open("rb") as file:
        return _BEGINNING.match(file.read(_HEAD)) is not None


def first_elements(path: Path, name: str, limits: Limits) -> list[str]:
    """Return the first elements of the array, each as a line of JSON.

    Args:
        path: The file.
        name: Its display name.
        limits: Bounds on what is read.

    Raises:
        DataError: The file is not valid JSON, or an element is too long.
    """
    with connect() as connection:
        try:
            rows = connection.execute(f"{_elements(path, limits)} LIMIT {_SAMPLED}").fetchall()
        except duckdb.Error as error:
            raise _refusal(name, error, limits) from error
    return list(chain.from_iterable(rows))


def write_lines(path: Path, name: str, target: Path, limits: Limits) -> None:
    """Write each element of the array as a line of JSON; line numbers are those of the elements.

    Args:
        path: The file.
        name: Its display name.
        target: The file to write, in a folder for temporary files.
        limits: Bounds on what is read.

    Raises:
        DataError: The file is not valid JSON, or an element is too long.
    """
    form = f"FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER {_END}"
    with connect(target.parent, limits.memory_bytes) as connection:
        try:
            connection.execute(f"COPY ({_elements(path, limits)}) TO {file_literal(target)} ({form})")
        except duckdb.IOException:
            raise
        except duckdb.Error as error:
            raise _refusal(name, error, limits) from error


def _elements(path: Path, limits: Limits) -> str:
    """Return the SQL of the elements in file order, without line breaks."""
    source = f"read_json_objects({file_literal(path)}, format = 'array', maximum_object_size = {limits.line_bytes})"
    return f"SELECT json(json) FROM {source}"


def _refusal(name: str, error: duckdb.Error, limits: Limits) -> DataError:
    if found := _MALFORMED.search(str(error)):  # DuckDB's number of the element is not exact
        return DataError(_("'{name}' is not valid JSON: {fault}.").format(name=name, fault=found[1]))
    return DataError(
        _("'{name}' is not an array of JSON objects of at most {size:,} bytes each.").format(
            name=name, size=limits.line_bytes
        )
    )
