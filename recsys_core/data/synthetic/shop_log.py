"""Visits to a synthetic shop under its logging policy: sessions, impressions, propensities, clicks and purchases."""

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, TIMESTAMP, USER
from recsys_core.contracts import FloatArray, IntArray
from recsys_core.data.plackett_luce import draw
from recsys_core.data.synthetic.shop_truth import ShopTruth

VISITOR, SESSION, IMPRESSION, POSITION = "visitor", "session", "impression", "position"
PROPENSITY, CLICK, PURCHASE = "propensity", "click", "purchase"
FIRST_DAY_MS = int(pd.Timestamp("2025-03-01", tz="UTC").value // 10**6)
DAY_MS, MINUTE_MS = 86_400_000, 60_000


def sample_log(
    truth: ShopTruth,
    visitors: int,
    rng: np.random.Generator,
    *,
    impressions: float = 4.0,
    population: IntArray | None = None,
) -> pd.DataFrame:
    """Return the log of visitors drawn with replacement from a population of users of the shop.

    `ShopTruth.value` over the population is what the log estimates. Each visitor has one session.

    Args:
        truth: The shop.
        visitors: Number of visitors.
        rng: Random number generator.
        impressions: Mean number of impressions of a visitor of average activity. Some have none, so that the expected
            number is proportional to the activity.
        population: Users to draw from; all by default.
    """
    drawn = rng.integers(len(truth.activity) if population is None else len(population), size=visitors)
    users = drawn if population is None else population[drawn]
    counts = rng.poisson(impressions * truth.activity[users])
    return impressions_of(truth, users, np.arange(visitors), counts, rng)


def impressions_of(
    truth: ShopTruth, users: IntArray, sessions: IntArray, counts: IntArray, rng: np.random.Generator
) -> pd.DataFrame:
    """Return one row per item shown: `visitor` (row of `users`), `user`, `session`, `impression`, `position` (from 1),
    `item`, `propensity` of the item at its position, `click`, `purchase`.

    Args:
        truth: The shop.
        users: (V,) user of each session or visitor.
        sessions: (V,) number of the session.
        counts: (V,) number of impressions.
        rng: Random number generator.
    """
    rows = np.repeat(np.arange(len(users)), counts)
    user, places = users[rows], truth.places
    segment = truth.segment[user]
    items = draw(truth.logits[segment], places, rng) if len(rows) else np.empty((0, places), np.int64)
    propensity = truth.logging_policy()[segment[:, None], np.arange(places), items]
    click = rng.random(items.shape) < truth.examination * truth.click[user[:, None], items]
    purchase = click & (rng.random(items.shape) < truth.purchase[user[:, None], items])

    def each(values: IntArray) -> IntArray:
        return np.repeat(values, places)

    return pd.DataFrame(
        {
            VISITOR: each(rows),
            USER: each(user),
            SESSION: each(sessions[rows]),
            IMPRESSION: each(np.arange(len(rows))),
            POSITION: np.tile(np.arange(1, places + 1), len(rows)),
            ITEM: items.ravel(),
            PROPENSITY: propensity.ravel(),
            CLICK: click.ravel().astype(np.int8),
            PURCHASE: purchase.ravel().astype(np.int8),
        }
    )


def session_starts(count: int, days: int, rng: np.random.Generator) -> FloatArray:
    """Return times of sessions in milliseconds since the epoch, increasing, most of them in the evening."""
    hour = np.clip(rng.normal(18.5, 3.5, count), 0, 23.9)
    return np.sort(FIRST_DAY_MS + rng.integers(days, size=count) * DAY_MS + hour * 60 * MINUTE_MS)


def stamped(log: pd.DataFrame, starts: FloatArray, rng: np.random.Generator) -> pd.DataFrame:
    """Return the log with `timestamp` (milliseconds): impressions of a session follow each other by about a minute.

    Args:
        log: As `impressions_of` returns it.
        starts: (V,) start of each session.
        rng: Random number generator.
    """
    number = log.groupby(VISITOR)[IMPRESSION].transform(lambda one: one - one.min()).to_numpy()
    jitter = rng.integers(20_000, size=len(log))
    times = starts[log[VISITOR].to_numpy()] + number * MINUTE_MS + log[POSITION].to_numpy() * 1000 + jitter
    return log.assign(**{TIMESTAMP: times.astype(np.int64) // 1000 * 1000})
