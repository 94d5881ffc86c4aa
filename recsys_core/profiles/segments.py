"""Segments of similar users, and the traits that distinguish each."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.contracts import BoolArray, FloatArray, IntArray, RunContext
from recsys_core.profiles.behavior import HABITS
from recsys_core.profiles.features import Features
from recsys_core.profiles.phrases import Words, amount
from recsys_core.text import later, percent

FEWEST, MOST = 2, 9
"""Range of the number of segments."""
SAMPLED = 2000
"""Number of users in the sample for the silhouette."""
FITTED_ON = 10_000
"""Number of users in the sample for k-means; all others are assigned to the nearest center."""
STARTS = 4
CLEAR = 0.2
"""Minimum difference, in standard deviations, of a reported trait."""
TRAITS = 8
LEAST_SHARE = 0.01
"""Minimum share of a reported category, in the segment or overall."""
SEED = 42
ENDS = " ⟷ "
"""Separator of the two ends in the name of a direction."""
_HABIT = {habit.label: habit for habit in HABITS}


@dataclass(frozen=True)
class Trait:
    """A distinguishing trait of a segment.

    Args:
        part: Part of the feature vector.
        name: Column of the part.
        here: Mean in the segment in original units (for log-scaled features the geometric mean of 1 + x, minus 1).
        everybody: The same over all users.
        effect: Difference of the means in standard deviations over all users.
        words: Description with numbers.
        short: Description in two or three words.
    """

    part: str
    name: str
    here: float
    everybody: float
    effect: float
    words: Words
    short: Words


@dataclass(frozen=True)
class Segment:
    """A group of similar users.

    Args:
        number: 1 for the largest segment.
        size: Number of users.
        share: Share of the users with interactions.
        traits: Distinguishing traits, strongest first; empty without clear differences.
    """

    number: int
    size: int
    share: float
    traits: tuple[Trait, ...]

    @property
    def title(self) -> tuple[Words, ...]:
        """Short descriptions of the two strongest traits."""
        plain = [trait for trait in self.traits if trait.part not in {"directions", "topics"}] or list(self.traits)
        return tuple(trait.short for trait in plain[:2]) or (Words("close to average"),)

    @property
    def description(self) -> tuple[Words, ...]:
        """Descriptions of the four strongest traits, with numbers."""
        return tuple(trait.words for trait in self.traits[:4]) or (Words("no distinguishing trait"),)


@dataclass(frozen=True, eq=False)
class Grouping:
    """An assignment of users to segments.

    Args:
        number: (N,) segment of each user, from 1 for the largest; 0 for users without interactions.
        silhouettes: Numbers of `segments` tried and the `silhouette` (-1 to 1) of each.
    """

    number: IntArray
    silhouettes: pd.DataFrame


def group(places: FloatArray, known: BoolArray, ctx: RunContext) -> Grouping:
    """Return k-means clusters of the known rows, with the number of clusters that maximizes the silhouette.

    The silhouette of a user is (b - a) / max(a, b), with a the mean distance to their own cluster and b to the nearest
    other one. It is measured on a fixed sample of at most 2000 users. Ties: fewer clusters.

    Args:
        places: (N, D) rows, usually their first principal components.
        known: (N,) rows to be clustered.
        ctx: Receives progress and can cancel the work; its seed is not used.

    Raises:
        Cancelled: The work was cancelled.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

    rows = np.ascontiguousarray(places[known], dtype=np.float64)
    number = np.zeros(len(places), dtype=np.int64)
    number[known] = 1
    nothing = Grouping(number, pd.DataFrame({"segments": np.empty(0, np.int64), "silhouette": np.empty(0)}))
    distinct = len(np.unique(rows[:FITTED_ON], axis=0))
    tried = range(FEWEST, min(MOST, distinct - 1, len(rows) // 3) + 1)
    if not tried:
        return nothing
    rng = np.random.default_rng(SEED)
    fitted_on = rows if len(rows) <= FITTED_ON else rows[rng.choice(len(rows), FITTED_ON, replace=False)]
    seen = fitted_on if len(fitted_on) <= SAMPLED else fitted_on[rng.choice(len(fitted_on), SAMPLED, replace=False)]
    fits = []
    with threadpool_limits(1):  # for small data, thread synchronization costs more than it saves
        for count in ctx.track(tried, stage="find segments"):
            fit = KMeans(count, n_init=STARTS, random_state=SEED).fit(fitted_on)
            labels = fit.predict(seen)
            score = silhouette_score(seen, labels) if 1 < len(np.unique(labels)) < len(seen) else -1.0
            fits.append((float(score), fit))
        scores = [score for score, _ in fits]
        labels = fits[int(np.argmax(scores))][1].predict(rows)
    sizes = np.bincount(labels)
    order = np.argsort(-sizes, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(1, len(order) + 1)
    number[known] = place[labels]
    return Grouping(number, pd.DataFrame({"segments": list(tried), "silhouette": scores}))


def describe(number: IntArray, features: Features, raw: pd.DataFrame) -> tuple[Segment, ...]:
    """Return the segments with their distinguishing traits.

    Args:
        number: (N,) segment of each user, 0 for none.
        features: Features of the same N users.
        raw: Values in original units by column name; other columns are taken from the features.
    """
    known = number > 0
    if not known.any():
        return ()
    matrix = features.matrix[known]
    mean = np.asarray(matrix.mean(axis=0)).ravel()
    square = np.asarray(matrix.multiply(matrix).mean(axis=0)).ravel()
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    found = []
    for one in range(1, int(number.max(initial=0)) + 1):
        inside = number == one
        here = np.asarray(features.matrix[inside].mean(axis=0)).ravel()
        effect = np.divide(here - mean, deviation, out=np.zeros(len(mean)), where=deviation > 1e-9)
        order = np.argsort(-np.abs(effect), kind="stable")
        clear = [int(column) for column in order[: 4 * TRAITS] if abs(effect[column]) >= CLEAR]
        found_here = [_trait(column, float(effect[column]), features, raw, (inside, known)) for column in clear]
        traits = tuple(trait for trait in found_here if _is_worth_a_word(trait))[:TRAITS]
        found.append(Segment(one, int(inside.sum()), float(inside.sum() / max(1, known.sum())), traits))
    return tuple(found)


def _is_worth_a_word(trait: Trait) -> bool:
    """Return whether a trait is reported: categories with a tiny share in the segment and overall are not."""
    return trait.part != "categories" or max(trait.here, trait.everybody) >= LEAST_SHARE


def _trait(
    column: int, effect: float, features: Features, raw: pd.DataFrame, groups: tuple[BoolArray, BoolArray]
) -> Trait:
    part, name = features.part_of(column), features.names[column]
    values = raw[name].to_numpy(np.float64) if name in raw else features.matrix[:, [column]].toarray().ravel()
    as_log = part == "behavior" and _HABIT[name].log
    here, everybody = (_mean(values[group], as_log=as_log) for group in groups)
    words, short = _words(part, name, effect, here, everybody, shares=name not in raw)
    return Trait(part, name, here, everybody, effect, words, short)


def _mean(values: FloatArray, *, as_log: bool) -> float:
    """Return the mean without NaN (of log(1 + x), transformed back, if `as_log`); NaN for no values."""
    given = values[~np.isnan(values)]
    if not len(given):
        return float("nan")
    return float(np.expm1(np.log1p(given.clip(min=0)).mean()) if as_log else given.mean())


def _words(part: str, name: str, effect: float, here: float, everybody: float, *, shares: bool) -> tuple[Words, Words]:
    """Return the long and the short description of a trait."""
    more, plain = effect > 0, name.partition(": ")[2] or name
    values = {"here": amount(here), "everybody": amount(everybody), "name": plain, "column": name}
    if part == "behavior":
        habit = _HABIT[name]
        said = habit.more if more else habit.less
        return Words(_MEANS[habit.unit], values, lead=said), Words(said)
    if part == "directions":
        ends = plain.split(ENDS)
        values = {"first": ends[0 if more else -1], "second": ends[-1 if more else 0]}
        return Words("prefer {first} to {second}", values), Words("prefer {first}", values)
    if part == "categories" or (part == "attributes" and shares):
        values |= {"here": percent(here), "everybody": percent(everybody)}
    sentence = _SENTENCES["flags" if part == "attributes" and shares else part]
    return Words(sentence[not more], values), Words(sentence[2 + (not more)], values)


_MEANS = {
    "": later("({here}, overall {everybody})"),
    "days": later("({here} days, overall {everybody})"),
    "bits": later("({here} bits, overall {everybody})"),
}
"""Unit of a behavior feature -> its means in a segment and overall."""
_HIGHER = (
    later("higher {column}: mean {here}, overall {everybody}"),
    later("lower {column}: mean {here}, overall {everybody}"),
    later("higher {column}"),
    later("lower {column}"),
)
_SENTENCES = {
    "categories": (
        later("more {name}: {here} of relevant items, overall {everybody}"),
        later("less {name}: {here} of relevant items, overall {everybody}"),
        later("more {name}"),
        later("less {name}"),
    ),
    "flags": (
        later("more often {column}: {here} of users, overall {everybody}"),
        later("less often {column}: {here} of users, overall {everybody}"),
        later("more often {name}"),
        later("less often {name}"),
    ),
    "attributes": _HIGHER,
    "numbers": _HIGHER,
    "topics": (later("more texts about {name}"), later("fewer texts about {name}")) * 2,
}
"""Part -> long description for higher and lower values, then short descriptions for both."""
