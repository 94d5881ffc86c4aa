"""Does order matter in these data? The same model on histories as they are, and on the same histories shuffled.

From each user the last item that they had not had before is held back; a Markov model (`transitions`) learns from what
stands before it in all histories, and ranks all other items for each user. Then the histories are shuffled, each by
itself, those that are learned from as well as those that are asked with; the held-back item stays the same. What the
model loses is what the order told it. In data that were shuffled before they were uploaded the held-back item is any of
the user's, the order tells nothing, and the difference is chance.

Where interactions of a user share a time, their order is only that of the file. A third reading shuffles within such
ties alone: what is left of the difference does not depend on how the file was sorted.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from recsys_core.columns import INTERACTIONS, ITEM, TIMESTAMP, USER
from recsys_core.contracts import FloatArray, IntArray, Ragged, RunContext
from recsys_core.data.queries import Stored, tables_of
from recsys_core.errors import DataError
from recsys_core.evaluation import intervals
from recsys_core.evaluation.transitions import ranks_of_next
from recsys_core.models.compiled import compiled

K = 10
SHUFFLES = 5
CONFIDENCE = 0.95
MOST_INTERACTIONS = 1_000_000
"""Of larger data so many interactions are looked at, of users drawn at random."""
MOST_JUDGED = 2000
"""Of more users so many, drawn at random, are asked for; all are learned from."""
LONGEST = 1000
"""The latest of a longer history."""
FEWEST_USERS = 30
"""With fewer users nothing is called proved."""
CLEAR_GAIN = 0.1
"""A gain of so much over shuffled histories, as a share of what they reach, is more than a little."""
PLACE = "place"


class Matters(StrEnum):
    """What the shuffle test says."""

    YES = "yes"
    A_LITTLE = "a_little"
    FILE_ONLY = "file_only"
    NO = "no"
    TOO_FEW = "too_few"


@dataclass(frozen=True)
class Reading:
    """What the model reaches when it reads the histories in one way.

    Args:
        ndcg: NDCG@10, mean over users.
        low: Lower end of its bootstrap interval over users.
        high: Upper end.
        gain: What it reaches more than on shuffled histories, mean over the same users.
        gain_low: Lower end of the paired interval.
        gain_high: Upper end.
    """

    ndcg: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


@dataclass(frozen=True)
class OrderTest:
    """Whether order matters.

    Args:
        verdict: What follows from the numbers.
        ordered: Histories as they are: by time, and within equal times as in the file.
        untied: Shuffled within equal times; None where there are no times, or no equal ones.
        shuffled: Shuffled altogether, mean over `SHUFFLES` shuffles; its gain is 0.
        shuffles: NDCG@10 of each shuffle.
        users: Users that were judged.
        users_left_out: Users of those drawn who had fewer than two different items.
        is_sample: Whether these are a part of all users.
        has_times: Whether the data know times.
        tied: Share (0..1) of interactions that share user and time with another one; 1 without times.
    """

    verdict: Matters
    ordered: Reading
    untied: Reading | None
    shuffled: Reading
    shuffles: tuple[float, ...]
    users: int
    users_left_out: int
    is_sample: bool
    has_times: bool
    tied: float

    @property
    def readings(self) -> dict[str, Reading]:
        """What was read, by name: `ordered`, `untied` where it was, `shuffled`."""
        named = {"ordered": self.ordered, "untied": self.untied, "shuffled": self.shuffled}
        return {name: reading for name, reading in named.items() if reading is not None}


@dataclass(frozen=True, eq=False)
class _Drawn:
    """The histories looked at, oldest first; `times` (N,) is None without times."""

    histories: Ragged
    times: IntArray | None
    n_items: int
    is_sample: bool


def order_test(data: Stored, ctx: RunContext | None = None) -> OrderTest:
    """Return whether order matters in a data set.

    Args:
        data: A data set, or the folder that it is stored in.
        ctx: Progress, cancelling, and the chance of shuffles and samples.

    Raises:
        DataError: Nobody has two different items.
        Cancelled: The person stopped the work.
    """
    ctx = ctx or RunContext()
    drawn = _drawn(data, ctx)
    last = np.empty(len(drawn.histories), dtype=np.int64)
    _last_new(drawn.histories.values.astype(np.int64), drawn.histories.offsets, np.full(drawn.n_items, -1), last)
    judged = np.flatnonzero(last > drawn.histories.offsets[:-1])
    if len(judged) == 0:
        raise DataError("Nobody in these data has two different items, so there is no order to look at.")
    target = drawn.histories.values[last[judged]].astype(np.int64)
    before, times = _before(drawn, judged, last)
    rows = before.row_numbers()
    has_ties = times is not None and bool((np.diff(rows) + np.abs(np.diff(times)) == 0).any())
    asked = np.sort(ctx.rng("order", "judged").permutation(len(judged))[:MOST_JUDGED])
    ordered = _ndcg(before, target, drawn.n_items, asked)
    shuffled, untied = [], []
    for number in ctx.track(range(SHUFFLES), stage="shuffle the histories"):
        chance = ctx.rng("order", str(number)).random(len(rows))
        shuffled.append(_ndcg(_resorted(before, np.lexsort((chance, rows))), target, drawn.n_items, asked))
        if times is not None and has_ties:
            untied.append(_ndcg(_resorted(before, np.lexsort((chance, times, rows))), target, drawn.n_items, asked))
    readings = _readings(ordered, untied, shuffled, ctx)
    means = tuple(float(values.mean()) for values in shuffled)
    return OrderTest(
        verdict=_verdict(readings, means, len(asked)),
        ordered=readings["ordered"],
        untied=readings.get("untied"),
        shuffled=readings["shuffled"],
        shuffles=means,
        users=len(asked),
        users_left_out=len(drawn.histories) - len(judged),
        is_sample=drawn.is_sample,
        has_times=times is not None,
        tied=_tied(drawn),
    )


def _drawn(data: Stored, ctx: RunContext) -> _Drawn:
    """Read the histories of users drawn at random until there are enough interactions."""
    with tables_of(data) as (connection, dataset):
        counts = connection.execute(
            f"SELECT {USER}, least(count(*), {LONGEST}) AS n FROM {INTERACTIONS} GROUP BY {USER} ORDER BY {USER}"
        ).df()
        order = ctx.rng("order", "users").permutation(len(counts))
        fits = np.cumsum(counts["n"].to_numpy()[order]) <= MOST_INTERACTIONS
        fits[:1] = True
        connection.register("drawn", counts[[USER]].iloc[np.sort(order[fits])])
        time = TIMESTAMP if dataset.has_timestamps else f"0 AS {TIMESTAMP}"
        frame = connection.execute(
            f"SELECT {USER}, {ITEM}, {TIMESTAMP}, {PLACE} FROM "
            f"(SELECT {USER}, {ITEM}, {time}, row_number() OVER () AS {PLACE} FROM {INTERACTIONS}) "
            f"SEMI JOIN drawn USING ({USER}) ORDER BY {USER}, {TIMESTAMP} DESC, {PLACE} DESC"
        ).df()
    user = frame[USER].to_numpy()
    _, first, sizes = np.unique(user, return_index=True, return_counts=True)
    age = np.arange(len(user)) - np.repeat(first, sizes)
    kept = np.flatnonzero(age < LONGEST)[::-1]
    row = len(sizes) - 1 - np.repeat(np.arange(len(sizes)), sizes)
    histories = Ragged.from_keys(row[kept], frame[ITEM].to_numpy()[kept], len(sizes))
    times = Ragged.from_keys(row[kept], frame[TIMESTAMP].to_numpy()[kept], len(sizes)).values
    known = times if dataset.has_timestamps else None
    return _Drawn(histories, known, dataset.n_items, is_sample=not bool(fits.all()))


@compiled
def _last_new(items: IntArray, offsets: IntArray, had_by: IntArray, last: IntArray) -> None:
    """Fill in (R,) the place of the last item of each row that did not stand in the row before."""
    for row in range(len(last)):
        last[row] = offsets[row]
        for place in range(offsets[row], offsets[row + 1]):
            if had_by[items[place]] != row:
                had_by[items[place]] = row
                last[row] = place


def _before(drawn: _Drawn, judged: IntArray, last: IntArray) -> tuple[Ragged, IntArray | None]:
    """Return what stands before the held-back item of each judged user, and its times."""
    rows = drawn.histories.row_numbers()
    kept = (np.arange(len(rows)) < last[rows]) & np.isin(rows, judged)
    number = np.searchsorted(judged, rows[kept])
    histories = Ragged.from_keys(number, drawn.histories.values[kept], len(judged))
    return histories, None if drawn.times is None else drawn.times[kept]


def _resorted(histories: Ragged, order: IntArray) -> Ragged:
    return Ragged(histories.values[order], histories.offsets)


def _ndcg(histories: Ragged, target: IntArray, n_items: int, asked: IntArray) -> FloatArray:
    """Return (A,) NDCG@10 of the rows asked for, with one relevant item each.

    1 / log2(place + 1) within the first ten places, else 0.
    """
    place = ranks_of_next(histories, target, n_items, asked)
    return np.where(place <= K, 1.0 / np.log2(place + 1.0), 0.0)


def _readings(
    ordered: FloatArray, untied: list[FloatArray], shuffled: list[FloatArray], ctx: RunContext
) -> dict[str, Reading]:
    """Return mean and interval of each reading, and of its gain over shuffled histories: all over the same users."""
    values = {"ordered": ordered, "shuffled": np.mean(shuffled, axis=0)}
    if untied:
        values["untied"] = np.mean(untied, axis=0)
    columns = np.stack([*values.values(), *(one - values["shuffled"] for one in values.values())], axis=1)
    draws = intervals.bootstrap_means(columns, np.ones_like(columns), rng=ctx.rng("order", "bootstrap"))
    low, high = intervals.interval(draws, CONFIDENCE)
    mean, half = columns.mean(axis=0), len(values)
    return {
        name: Reading(*(float(end[place]) for place in (at, half + at) for end in (mean, low, high)))
        for at, name in enumerate(values)
    }


def _verdict(readings: dict[str, Reading], shuffles: tuple[float, ...], users: int) -> Matters:
    """Say yes only if the interval lies above 0 and every shuffle was worse: the interval knows the chance of users
    alone, the shuffles that of what is learned from.
    """
    ordered, shuffled = readings["ordered"], readings["shuffled"]
    if users < FEWEST_USERS:
        return Matters.TOO_FEW
    if ordered.gain_low <= 0 or ordered.ndcg <= max(shuffles):
        return Matters.NO
    if "untied" in readings and readings["untied"].gain_low <= 0:
        return Matters.FILE_ONLY
    return Matters.YES if ordered.gain >= CLEAR_GAIN * shuffled.ndcg else Matters.A_LITTLE


def _tied(drawn: _Drawn) -> float:
    """Return the share of interactions that share user and time with another one."""
    if drawn.times is None:
        return 1.0
    frame = pd.DataFrame({USER: drawn.histories.row_numbers(), TIMESTAMP: drawn.times})
    return float(frame.duplicated(keep=False).mean())
