"""Synthetic data sets: simulated users watch films, and their true preferences are known.

In each step of a session a user chooses an unseen film:

    P(i | u, t)  ~  exp(strength * fit(u, i, t) + popularity(i) + trend(i, t))

or, with probability `order`, a successor of the previous film. Fit is the scaled cosine between taste and film traits:
its categories, which the item table contains, and latent traits, which only behavior reveals. A rating is the true
preference plus noise, rounded to whole stars; a view may lead to a click and a purchase, more likely for a better fit
and, for purchases, a lower price.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from recsys_core.columns import EVENT, ITEM, PRICE, RATING, TIMESTAMP, USER, WEIGHT
from recsys_core.contracts import FloatArray, IntArray, RatingScale, RunContext
from recsys_core.data.dataset import Dataset, dataset_from_frames
from recsys_core.data.synthetic.config import WorldConfig
from recsys_core.data.synthetic.films import Films, make_films
from recsys_core.data.synthetic.people import make_friends, make_people, unit_rows
from recsys_core.data.synthetic.truth import HIGH, LOW, WorldTruth
from recsys_core.data.synthetic.visits import Visits, make_visits

__all__ = ["World", "WorldConfig", "WorldTruth", "make_world"]

EVENT_WEIGHTS = {"view": 1.0, "click": 2.0, "purchase": 4.0}
"""Weight of each event type, weakest first; a visit is recorded as its strongest event."""
FIRST_DAY = pd.Timestamp("2024-01-01", tz="UTC")
DAY = 86_400_000


@dataclass(frozen=True, eq=False)
class World:
    """A synthetic data set with its true parameters.

    Args:
        dataset: The observable data: interactions, users, items, friendships.
        truth: The parameters that generated the interactions.
        visits: Every visit: `user`, `item`, `timestamp`, `session`, `event` (the strongest one), `rating` (NaN if not
            rated).
    """

    dataset: Dataset
    truth: WorldTruth
    visits: pd.DataFrame


def make_world(config: WorldConfig, seed: int, name: str = "synthetic world", ctx: RunContext | None = None) -> World:
    """Generate a synthetic data set; the same config and seed give the same data.

    Args:
        config: The settings.
        seed: Random seed.
        name: Name of the data set.
        ctx: Progress and cancellation; its seed is not used.

    Raises:
        Cancelled: The user cancelled the work.
    """
    ctx = replace(ctx or RunContext(), seed=seed)
    films = make_films(config.items, ctx.rng("world", "films"))
    people = make_people(config.users, config.hidden_traits, config.attribute_signal, ctx.rng("world", "people"))
    truth = _truth(config, films, people.taste, ctx.rng("world", "truth"))
    visits = _observed(config, films, truth, make_visits(config, truth, ctx), ctx.rng("world", "feedback"))
    social = None
    if config.friends_per_user > 0:
        social = make_friends(people.taste, config.friends_per_user, config.homophily, ctx.rng("world", "friends"))
    dataset = dataset_from_frames(
        _interactions(config, visits),
        name=name,
        user_ids=_ids("u", config.users),
        item_ids=_ids("f", config.items),
        users=people.table,
        items=films.table,
        social=social,
        rating_scale=RatingScale(LOW, HIGH),
    )
    return World(dataset, truth, visits)


def _truth(config: WorldConfig, films: Films, taste: FloatArray, rng: np.random.Generator) -> WorldTruth:
    """Draw all remaining parameters."""
    items = config.items
    traits = np.hstack(
        [films.genres - films.genres.mean(axis=0), 0.25 * rng.normal(size=(items, config.hidden_traits))]
    )
    other = rng.normal(size=taste.shape)
    other -= (other * taste).sum(axis=1, keepdims=True) * taste
    rank = np.empty(items)
    rank[np.argsort(-(films.quality + rng.normal(size=items)))] = np.arange(1, items + 1)
    late = rng.random(items) < config.late_items
    return WorldTruth(
        taste_start=taste,
        taste_turn=unit_rows(other),
        features=unit_rows(traits) * np.sqrt(traits.shape[1]),
        quality=films.quality,
        popularity=-config.popularity_bias * np.log(rank),
        trend=2.0 * config.drift * rng.normal(size=items),
        user_mean=np.clip(1.9 + 0.4 * rng.normal(size=config.users), 1, 4),
        born=np.where(late, rng.uniform(0.05, 0.9, size=items), 0.0),
        successor=_successors(items, rng),
        successor_weight=np.array([0.7, 0.2, 0.1]),
        drift=config.drift,
        taste_strength=config.taste_strength,
        order=config.order,
    )


def _successors(items: int, rng: np.random.Generator) -> IntArray:
    """(I, 3) successors of each film: the next three on a random ring of all films."""
    ring = rng.permutation(items)
    successor = np.empty((items, 3), dtype=np.int64)
    for place in range(3):
        successor[ring, place] = np.roll(ring, -1 - place)
    return successor


def _observed(
    config: WorldConfig, films: Films, truth: WorldTruth, visits: Visits, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the visits in time order with their events and ratings."""
    cheapness = -(films.table[PRICE].to_numpy() - 7.5) / 5
    clicks = rng.random(len(visits.user)) < _logistic(0.4 + 1.2 * visits.fit)
    buys = clicks & (rng.random(len(visits.user)) < _logistic(-0.6 + visits.fit + cheapness[visits.item]))
    stars = np.clip(np.rint(visits.preference + config.rating_noise * rng.normal(size=len(visits.user))), LOW, HIGH)
    rated = rng.random(len(visits.user)) < config.rating_share
    frame = pd.DataFrame(
        {
            USER: visits.user.astype(np.int32),
            ITEM: visits.item.astype(np.int32),
            TIMESTAMP: (FIRST_DAY.value // 10**6 + np.rint(visits.when * config.days * DAY / 1000) * 1000).astype(
                np.int64
            ),
            "session": visits.session,
            EVENT: np.select([buys, clicks], ["purchase", "click"], "view"),
            RATING: np.where(rated, stars, np.nan).astype(np.float32),
        }
    )
    return frame.sort_values([TIMESTAMP, USER, "session"], kind="stable").reset_index(drop=True)


def _interactions(config: WorldConfig, visits: pd.DataFrame) -> pd.DataFrame:
    if config.feedback == "ratings":
        rated = visits[visits[RATING].notna()]
        return rated[[USER, ITEM, RATING, TIMESTAMP]].reset_index(drop=True)
    weights = visits[EVENT].map(EVENT_WEIGHTS).astype(np.float32)
    return visits[[USER, ITEM, TIMESTAMP, EVENT]].assign(**{WEIGHT: weights})


def _logistic(value: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-value))


def _ids(prefix: str, count: int) -> list[str]:
    width = len(str(count))
    return [f"{prefix}{number:0{width}d}" for number in range(1, count + 1)]
