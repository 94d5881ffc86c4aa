"""Resolve formats that a sample leaves ambiguous with all cells of a column, before the file is read."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recsys_core.columns import TIMESTAMP
from recsys_core.data.ingest.limits import Limits
from recsys_core.data.ingest.number_formats import NumberFormat, number_sql
from recsys_core.data.ingest.reading import open_source
from recsys_core.data.ingest.table_schema import TableGuess
from recsys_core.data.ingest.time_formats import ORDERS
from recsys_core.data.ingest.timestamps import time_sql
from recsys_core.data.sql import connect

Change = str | NumberFormat
"""An order of day and month, or the number format of a role."""


def settle_forms(guess: TableGuess, limits: Limits) -> TableGuess:
    """Return the guess with the order of day and month, and the meaning of commas, that parse most cells of the file.

    Settings that the user chose or the sample determines stay. If the best candidates parse equally many cells, the
    setting and its warning stay.
    """
    candidates = _candidates(guess)
    if not candidates:
        return guess
    counts = _counted(guess, [sql for changes in candidates.values() for sql in changes], limits)
    settled: set[str] = set()
    for role, changes in candidates.items():
        best = max(changes, key=lambda sql: counts[sql])
        if [counts[sql] for sql in changes].count(counts[best]) == 1:
            guess = _with(guess, role, changes[best])
            settled.add("undecided_date_order" if role == TIMESTAMP else "undecided_numbers")
    return replace(guess, value_notes=tuple(note for note in guess.value_notes if note.rule not in settled))


def _with(guess: TableGuess, role: str, change: Change) -> TableGuess:
    if isinstance(change, str):
        form = guess.time_format
        return replace(guess, timestamp_unit=change, time_format=form and replace(form, undecided=False))
    return replace(guess, number_formats={**guess.number_formats, role: change})


def _candidates(guess: TableGuess) -> dict[str, dict[str, Change]]:
    """Return the candidates for each ambiguous role: SQL that is NULL where a cell does not match, and the change."""
    found: dict[str, dict[str, Change]] = {}
    form = guess.time_format
    if TIMESTAMP in guess.roles and form is not None and form.undecided and "timestamp_unit" not in guess.chosen:
        orders = [str(guess.timestamp_unit), *(order for order in ORDERS if order != guess.timestamp_unit)]
        found[TIMESTAMP] = {time_sql(f"c{guess.roles[TIMESTAMP]}", order, form.tried): order for order in orders}
    for role, numbers in guess.number_formats.items():
        if numbers.undecided and "number_formats" not in guess.chosen:
            swapped = NumberFormat(numbers.thousands or ",", "", numbers.marks, numbers.missing)
            readings = (replace(numbers, undecided=False), swapped)
            found[role] = {number_sql(f"c{guess.roles[role]}", reading): reading for reading in readings}
    return found


def _counted(guess: TableGuess, candidates: Sequence[str], limits: Limits) -> dict[str, int]:
    """Return the number of cells that each candidate parses."""
    with (
        tempfile.TemporaryDirectory(prefix="recscope-forms-") as work,
        connect(Path(work), limits.memory_bytes) as connection,
    ):
        relation = open_source(guess, Path(work), limits).relation
        counts = ", ".join(f"count({sql})" for sql in candidates)
        found = connection.execute(f"SELECT {counts} FROM {relation}").fetchall()[0]
    return dict(zip(candidates, map(int, found), strict=True))
