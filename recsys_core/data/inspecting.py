"""What a person brought: which files there are, how each is to be read, and the rules that suit them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recsys_core.columns import INTERACTIONS, RATING
from recsys_core.data.archives import unpack
from recsys_core.data.column_names import event_weight
from recsys_core.data.guessing import TableGuess, guess_table
from recsys_core.data.layouts import recognise
from recsys_core.data.limits import DEFAULT_LIMITS, Limits
from recsys_core.data.roles import IGNORED
from recsys_core.data.rules import IngestRules
from recsys_core.errors import DataError


def inspect_files(
    paths: Sequence[Path], *, folder: Path | None = None, limits: Limits = DEFAULT_LIMITS
) -> list[TableGuess]:
    """Return how each file is to be read; archives are opened member by member, published data sets recognised whole.

    Args:
        paths: Files; gzip and zip archives among them.
        folder: Where archives are unpacked; a temporary one by default, which lives as long as the guesses.
        limits: Bounds of what is read.

    Raises:
        DataError: A file that cannot be taken at all, or none that holds interactions.
    """
    members = [member for path in paths for member in unpack(path, folder=folder, limits=limits)]
    known = recognise({member.base: _first_line(member.path) for member in members})
    guesses = []
    for member in members:
        layout = known[1].get(member.base) if known else None
        if known and layout is None:
            guesses.append(_left_aside(member.path, member.name))
            continue
        guess = guess_table(member.path, name=member.name, layout=layout, limits=limits)
        guesses.append(replace(guess, keeper=member.keeper))
    if not guesses:
        raise DataError("There is nothing to read: the archive holds no files.")
    return guesses


def suggest_rules(guesses: Sequence[TableGuess]) -> IngestRules:
    """Return rules that suit these files.

    These are the guessed scale, all events kept where there are no ratings, and weights for known kinds of events.
    """
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


def _left_aside(path: Path, name: str) -> TableGuess:
    return TableGuess(path=path, name=name, format="text", table=IGNORED, column_names=(), roles={})
