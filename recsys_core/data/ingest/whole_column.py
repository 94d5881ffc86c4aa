"""Resolve formats that a sample leaves ambiguous with all cells of a column, before the file is read."""

import tempfile
from collections.abc import Mapping
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

_NOTES = {"undecided_date_order", "undecided_numbers"}


def settle_forms(guess: TableGuess, limits: Limits) -> TableGuess:
    """Return the guess with the order of day and month, and the meaning of commas, that parse most cells of the file.

    Settings that the user chose or the sample determines stay. If the best candidates parse equally many cells, the
    setting and its warning stay.
    """
    readings = _readings(guess)
    if not readings:
        return guess
    counts = _counted(guess, {name: sql for name, (sql, _) in readings.items()}, limits)
    settled: set[str] = set()
    for group in {name.split(" ")[0] for name in readings}:
        of_group = {name: count for name, count in counts.items() if name.split(" ")[0] == group}
        best = max(of_group, key=lambda name: of_group[name])
        if list(of_group.values()).count(of_group[best]) == 1:
            guess = _with(guess, readings[best][1])
            settled.add("undecided_date_order" if group == TIMESTAMP else f"undecided_numbers {group}")
    return replace(guess, value_notes=tuple(note for note in guess.value_notes if not _is_settled(note.rule, settled)))


def _is_settled(rule: str, settled: set[str]) -> bool:
    return rule in _NOTES and any(name.startswith(rule) for name in settled)


def _with(guess: TableGuess, change: str | dict[str, NumberFormat]) -> TableGuess:
    """Return the guess with an order of day and month, or with the number format of one role."""
    if isinstance(change, str):
        form = guess.time_format
        return replace(guess, timestamp_unit=change, time_format=form and replace(form, undecided=False))
    return replace(guess, number_formats={**guess.number_formats, **change})


def _readings(guess: TableGuess) -> dict[str, tuple[str, str | dict[str, NumberFormat]]]:
    """Return the candidate formats: SQL that is NULL where a cell does not match, and the change to the guess."""
    found: dict[str, tuple[str, str | dict[str, NumberFormat]]] = {}
    form = guess.time_format
    if TIMESTAMP in guess.roles and form is not None and form.undecided and "timestamp_unit" not in guess.chosen:
        orders = [str(guess.timestamp_unit), *(order for order in ORDERS if order != guess.timestamp_unit)]
        for order in orders:
            sql = time_sql(f"c{guess.roles[TIMESTAMP]}", order, form.tried)
            found[f"{TIMESTAMP} {order}"] = (sql, order)
    for role, numbers in guess.number_formats.items():
        if not numbers.undecided or "number_formats" in guess.chosen:
            continue
        swapped = NumberFormat(numbers.thousands or ",", "", numbers.marks, numbers.missing)
        for reading in (replace(numbers, undecided=False), swapped):
            sql = number_sql(f"c{guess.roles[role]}", reading)
            found[f"{role} {reading.name}"] = (sql, {role: reading})
    return found


def _counted(guess: TableGuess, readings: Mapping[str, str], limits: Limits) -> dict[str, int]:
    """Return the number of cells that each candidate parses."""
    with (
        tempfile.TemporaryDirectory(prefix="recscope-forms-") as work,
        connect(Path(work), limits.memory_bytes) as connection,
    ):
        relation = open_source(guess, Path(work), limits).relation
        counts = ", ".join(f"count({sql})" for sql in readings.values())
        found = connection.execute(f"SELECT {counts} FROM {relation}").fetchall()[0]
    return dict(zip(readings, map(int, found), strict=True))
