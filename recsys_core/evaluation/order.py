"""Shuffle test of sequential signal: the same Markov model on ordered and on shuffled histories.

The last item that is new to a user is held out. A Markov model (`transitions`) is trained on the histories before the
held-out items and ranks all other items for each user. Then each history is shuffled, for training and for prediction;
the held-out item stays the same. The loss in NDCG is the information in the order. If the data were shuffled before the
upload, the held-out item is a random item of the user, the order is uninformative, and the difference is noise.

Interactions of a user with equal timestamps are only ordered by the file. A third variant shuffles within such ties
only: what remains of the difference does not depend on the order of the file.
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
from recsys_core.text import _

K = 10
SHUFFLES = 5
CONFIDENCE = 0.95
MOST_INTERACTIONS = 1_000_000
"""Larger data are sampled by user down to this number of interactions."""
MOST_EVALUATED = 2000
"""Users evaluated at most, drawn at random; the model is trained on all users."""
LONGEST = 1000
"""Longer histories are truncated to the latest interactions."""
FEWEST_USERS = 30
"""With fewer users the test gives no verdict."""
CLEAR_GAIN = 0.1
"""Relative gain over shuffled histories from which the verdict is `yes` instead of `a_little`."""
PLACE = "place"


class Matters(StrEnum):
    """Verdict of the shuffle test."""

    YES = "yes"
    A_LITTLE = "a_little"
    FILE_ONLY = "file_only"
    NO = "no"
    TOO_FEW = "too_few"


@dataclass(frozen=True)
class Reading:
    """Result of the model for one order of the histories.

    Args:
        ndcg: NDCG@10, mean over users.
        low: Lower end of its bootstrap interval over users.
        high: Upper end.
        gain: Difference to shuffled histories, mean over the same users.
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
    """Result of the shuffle test.

    Args:
        verdict: Conclusion from the numbers.
        ordered: Original order: by time, and by file order within equal timestamps.
        untied: Shuffled within equal timestamps; None without timestamps or without ties.
        shuffled: Fully shuffled, mean over `SHUFFLES` shuffles; its gain is 0.
        shuffles: NDCG@10 of each shuffle.
        users: Number of users evaluated.
        users_left_out: Number of sampled users with fewer than two distinct items.
        is_sample: Whether the users are a sample.
        has_times: Whether the data have timestamps.
        tied: Share (0..1) of interactions that share user and timestamp with another one; 1 without timestamps.
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
        """Results by name: `ordered`, `untied` (if there is one), `shuffled`."""
        named = {"ordered": self.ordered, "untied": self.untied, "shuffled": self.shuffled}
        return {name: reading for name, reading in named.items() if reading is not None}


@dataclass(frozen=True, eq=False)
class _Drawn:
    """The sampled histories, oldest first; `times` (N,) is None without timestamps."""

    histories: Ragged
    times: IntArray | None
    n_items: int
    is_sample: bool


def order_test(data: Stored, ctx: RunContext | None = None) -> OrderTest:
    """Test whether the order of interactions is informative in a data set.

    Args:
        data: A data set, or the folder in which it is stored.
        ctx: Progress, cancellation, and the random numbers of shuffles and samples.

    Raises:
        DataError: No user has two different items.
        Cancelled: The run was cancelled.
    """
    ctx = ctx or RunContext()
    drawn = _drawn(data, ctx)
    last = np.empty(len(drawn.histories), dtype=np.int64)
    _last_new(drawn.histories.values.astype(np.int64), drawn.histories.offsets, np.full(drawn.n_items, -1), last)
    evaluated = np.flatnonzero(last > drawn.histories.offsets[:-1])
    if len(evaluated) == 0:
        raise DataError(_("No user in these data has two different items, so there is no order to test."))
    target = drawn.histories.values[last[evaluated]].astype(np.int64)
    before, times = _before(drawn, evaluated, last)
    rows = before.row_numbers()
    has_ties = times is not None and bool((np.diff(rows) + np.abs(np.diff(times)) == 0).any())
    sampled = np.sort(ctx.rng("order", "judged").permutation(len(evaluated))[:MOST_EVALUATED])
    ordered = _ndcg(before, target, drawn.n_items, sampled)
    shuffled, untied = [], []
    for number in ctx.track(range(SHUFFLES), stage="shuffle the histories"):
        chance = ctx.rng("order", str(number)).random(len(rows))
        shuffled.append(_ndcg(_resorted(before, np.lexsort((chance, rows))), target, drawn.n_items, sampled))
        if times is not None and has_ties:
            untied.append(_ndcg(_resorted(before, np.lexsort((chance, times, rows))), target, drawn.n_items, sampled))
    readings = _readings(ordered, untied, shuffled, ctx)
    means = tuple(float(values.mean()) for values in shuffled)
    return OrderTest(
        verdict=_verdict(readings, means, len(sampled)),
        ordered=readings["ordered"],
        untied=readings.get("untied"),
        shuffled=readings["shuffled"],
        shuffles=means,
        users=len(sampled),
        users_left_out=len(drawn.histories) - len(evaluated),
        is_sample=drawn.is_sample,
        has_times=times is not None,
        tied=_tied(drawn),
    )


def _drawn(data: Stored, ctx: RunContext) -> _Drawn:
    """Read the histories of randomly drawn users, up to `MOST_INTERACTIONS` interactions."""
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
    """Fill in (R,) the position of the last item of each row that does not occur earlier in the row."""
    for row in range(len(last)):
        last[row] = offsets[row]
        for place in range(offsets[row], offsets[row + 1]):
            if had_by[items[place]] != row:
                had_by[items[place]] = row
                last[row] = place


def _before(drawn: _Drawn, evaluated: IntArray, last: IntArray) -> tuple[Ragged, IntArray | None]:
    """Return the histories before the held-out items of the evaluated users, and their timestamps."""
    rows = drawn.histories.row_numbers()
    kept = (np.arange(len(rows)) < last[rows]) & np.isin(rows, evaluated)
    number = np.searchsorted(evaluated, rows[kept])
    histories = Ragged.from_keys(number, drawn.histories.values[kept], len(evaluated))
    return histories, None if drawn.times is None else drawn.times[kept]


def _resorted(histories: Ragged, order: IntArray) -> Ragged:
    return Ragged(histories.values[order], histories.offsets)


def _ndcg(histories: Ragged, target: IntArray, n_items: int, sampled: IntArray) -> FloatArray:
    """Return (A,) NDCG@10 of the sampled rows with one relevant item each: 1 / log2(rank + 1) if rank <= 10, else 0."""
    place = ranks_of_next(histories, target, n_items, sampled)
    return np.where(place <= K, 1.0 / np.log2(place + 1.0), 0.0)


def _readings(
    ordered: FloatArray, untied: list[FloatArray], shuffled: list[FloatArray], ctx: RunContext
) -> dict[str, Reading]:
    """Return mean and interval of each variant and of its gain over shuffled histories, over the same users."""
    values = {"ordered": ordered, "shuffled": np.mean(shuffled, axis=0)}
    if untied:
        values["untied"] = np.mean(untied, axis=0)
    columns = np.stack([*values.values(), *(one - values["shuffled"] for one in values.values())], axis=1)
    draws = intervals.bootstrap_means(columns, rng=ctx.rng("order", "bootstrap"))
    low, high = intervals.interval(draws, CONFIDENCE)
    mean, half = columns.mean(axis=0), len(values)
    return {
        name: Reading(*(float(end[place]) for place in (at, half + at) for end in (mean, low, high)))
        for at, name in enumerate(values)
    }


def _verdict(readings: dict[str, Reading], shuffles: tuple[float, ...], users: int) -> Matters:
    """Return YES only if the interval of the gain is above 0 and every shuffle was worse.

    The interval covers the variation over users only; the shuffles cover the variation of training.
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
    """Return the share of interactions that share user and timestamp with another one."""
    if drawn.times is None:
        return 1.0
    frame = pd.DataFrame({USER: drawn.histories.row_numbers(), TIMESTAMP: drawn.times})
    return float(frame.duplicated(keep=False).mean())
