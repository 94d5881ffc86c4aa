"""Inspect uploaded files: which ones there are, how to read each, and suggested ingest rules."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recsys_core.columns import EVENT, INTERACTIONS, RATING
from recsys_core.data.ingest.archives import Member, unpack
from recsys_core.data.ingest.cleaning_rules import IngestRules
from recsys_core.data.ingest.column_names import event_weight
from recsys_core.data.ingest.layouts import Layout, recognise
from recsys_core.data.ingest.limits import DEFAULT_LIMITS, Limits
from recsys_core.data.ingest.read_errors import faults_in_words, is_unexpected
from recsys_core.data.ingest.schema import guess_table
from recsys_core.data.ingest.table_changes import with_roles_of
from recsys_core.data.ingest.table_schema import TableGuess, missing_roles
from recsys_core.data.report import DataWarning
from recsys_core.errors import DataError
from recsys_core.text import Template, _

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inspected:
    """Inspection result of one file or archive member.

    Args:
        guess: How to read it; without columns if there is an error.
        error: Why it cannot be read; empty if it can.
    """

    guess: TableGuess
    error: str = ""


def inspect_files(
    paths: Sequence[Path], *, folder: Path | None = None, limits: Limits = DEFAULT_LIMITS
) -> list[TableGuess]:
    """Return how to read each file; archives are unpacked, and published data sets recognized as a whole.

    Args:
        paths: Files, including archives.
        folder: Where archives are unpacked; by default a temporary folder that lives as long as the guesses.
        limits: Bounds on what is read.

    Raises:
        DataError: A file cannot be read, or there are none.
    """
    return readable(inspect_each(paths, folder=folder, limits=limits))


def readable(inspected: Sequence[Inspected]) -> list[TableGuess]:
    """Return the guesses of all files.

    Raises:
        DataError: A file cannot be read.
    """
    for file in inspected:
        if file.error:
            raise DataError(file.error)
    return [file.guess for file in inspected]


def inspect_each(
    paths: Sequence[Path], *, folder: Path | None = None, limits: Limits = DEFAULT_LIMITS
) -> list[Inspected]:
    """Return how to read each file, or why it cannot be read.

    Args:
        paths: Files, including archives.
        folder: Where archives are unpacked; by default a temporary folder that lives as long as the guesses.
        limits: Bounds on what is read.

    Raises:
        DataError: There are no files.
    """
    found: list[Member | Inspected] = []
    for path in paths:
        try:
            with faults_in_words(path.name):
                found += unpack(path, folder=folder, limits=limits)
        except DataError as error:
            found.append(_unread(path, path.name, error))
    if not found:
        raise DataError(_("There is nothing to read: the archive contains no files."))
    known = recognise({one.base: _first_line(one.path) for one in found if isinstance(one, Member)})
    inspected = [one if isinstance(one, Inspected) else _inspected(one, known, limits) for one in found]
    return inspected if known else _with_file_events(_with_roles_of_parts(inspected))


def _with_roles_of_parts(inspected: list[Inspected]) -> list[Inspected]:
    """Return the files with the roles of another one with the same header, where the cells alone do not tell them.

    In one part of the data, each session may have a single row, so that its column does not look like users.
    """
    headed = [one.guess for one in inspected if one.guess.table == INTERACTIONS and one.guess.header and not one.error]
    whole = {guess.column_names: guess for guess in reversed(headed) if not missing_roles(guess)}
    return [
        replace(one, guess=with_roles_of(one.guess, whole[one.guess.column_names]))
        if one.guess in headed and missing_roles(one.guess) and one.guess.column_names in whole
        else one
        for one in inspected
    ]


def _with_file_events(inspected: list[Inspected]) -> list[Inspected]:
    """Return the files with the events that their names tell apart, as in `views.csv` and `purchases.csv`."""
    mixed = [one for one in inspected if one.guess.table == INTERACTIONS and not one.error]
    own = any({EVENT, RATING} & one.guess.roles.keys() for one in mixed)
    events = {id(one): _event_of_file(one.guess.name) for one in mixed}
    if own or "" in events.values() or len(set(events.values())) < 2:
        return inspected
    return [_as_events(one, events[id(one)]) if id(one) in events else one for one in inspected]


def _event_of_file(name: str) -> str:
    """Return the event type that a file name says, empty if it says none."""
    stem = name.rpartition("/")[2].partition(".")[0].lower()
    words = [form for word in re.split(r"[\W\d_]+", stem) for form in (word.removesuffix("s"), word)]
    return next((word for word in [*words, stem] if event_weight(word) is not None), "")


def _as_events(one: Inspected, event: str) -> Inspected:
    weight = event_weight(event) or 0.0
    note = DataWarning(
        "file_events",
        1,
        Template(
            "'{file}': all rows are read as '{event}' events with weight {weight}, because of the file name."
        ).fill(file=one.guess.name, event=event, weight=f"{weight:g}"),
        Template("Change the event type and weight of the file if this is wrong.").fill(),
    )
    guess = replace(one.guess, event=event, event_weight=weight, notes=(*one.guess.notes, note))
    return replace(one, guess=guess)


def _inspected(member: Member, known: tuple[str, Mapping[str, Layout]] | None, limits: Limits) -> Inspected:
    layout = known[1].get(member.base) if known else None
    if known and layout is None:
        return Inspected(TableGuess(member.path, member.name))
    try:
        with faults_in_words(member.name):
            guess = guess_table(member.path, name=member.name, layout=layout, limits=limits)
    except DataError as error:
        return _unread(member.path, member.name, error, member.keeper)
    return Inspected(replace(guess, keeper=member.keeper))


def _unread(path: Path, name: str, error: DataError, keeper: object = None) -> Inspected:
    """Return why a file cannot be read; a defect of the reader is logged as well."""
    if is_unexpected(error):
        logger.info("%s", error, exc_info=error)
    return Inspected(TableGuess(path, name, table=INTERACTIONS, keeper=keeper), str(error))


def suggest_rules(guesses: Sequence[TableGuess]) -> IngestRules:
    """Return suggested rules: the inferred rating scale, all events kept without ratings, and known event weights."""
    weights = {
        kind: weight
        for guess in guesses
        for kind in guess.event_counts()
        if (weight := event_weight(kind)) is not None and weight != 1.0
    }
    rated = [guess for guess in guesses if guess.table == INTERACTIONS and RATING in guess.roles]
    if not rated:
        return IngestRules(duplicates="keep", event_weights=weights)
    scales = [guess.rating_scale for guess in rated if guess.rating_scale is not None]
    low, high = (min(scale.low for scale in scales), max(scale.high for scale in scales)) if scales else (None, None)
    if low == high:
        return IngestRules(event_weights=weights)
    return IngestRules(event_weights=weights, rating_low=low, rating_high=high)


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        return file.readline(1000).decode("utf-8", errors="replace")
