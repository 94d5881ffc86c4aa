"""Draw who watches what and when in a synthetic data set, step by step and vectorized over users."""

from dataclasses import dataclass

import numpy as np

from recsys_core.contracts import PAD, BoolArray, FloatArray, IntArray, RunContext
from recsys_core.data.synthetic.config import WorldConfig
from recsys_core.data.synthetic.truth import WorldTruth

MINUTE = 1 / (24 * 60)
BLOCK = 512
"""Users per block: about six (block, I) arrays are held in memory."""


@dataclass(frozen=True, eq=False)
class Visits:
    """One entry per visit, grouped by user, oldest first.

    Args:
        user: (N,) positions.
        item: (N,) positions; each film at most once per user.
        when: (N,) elapsed share of the period.
        session: (N,) number of the user's session, from 0.
        fit: (N,) fit of the film to the user's taste at that time.
        preference: (N,) true rating at that time, in stars.
    """

    user: IntArray
    item: IntArray
    when: FloatArray
    session: IntArray
    fit: FloatArray
    preference: FloatArray


@dataclass(frozen=True, eq=False)
class _Plan:
    """(B, T) time and session of each user's steps, and whether each step happens."""

    when: FloatArray
    session: IntArray
    happens: BoolArray


def make_visits(config: WorldConfig, truth: WorldTruth, ctx: RunContext) -> Visits:
    """Draw the visits of all users, in blocks with one random stream each.

    Raises:
        Cancelled: The user cancelled the work.
    """
    starts = range(0, config.users, BLOCK)
    parts = [_block(config, truth, start, ctx) for start in ctx.track(starts, stage="simulate visits")]
    names = Visits.__dataclass_fields__
    return Visits(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _block(config: WorldConfig, truth: WorldTruth, start: int, ctx: RunContext) -> Visits:
    rng = ctx.rng("world", "visits", str(start))
    users = np.arange(start, min(start + BLOCK, config.users))
    plan = _plan(config, len(users), rng)
    item, fit, preference = _choose(truth, users, plan, rng)
    happened = item != PAD
    row = np.nonzero(happened)[0]
    return Visits(
        users[row], item[happened], plan.when[happened], plan.session[happened], fit[happened], preference[happened]
    )


def _plan(config: WorldConfig, users: int, rng: np.random.Generator) -> _Plan:
    """Draw how much each user watches and when: sessions at random times of a user's active span, steps minutes apart.

    Users arrive during the first 60 % of the period and stay for at least 30 % of it, capped at its end.
    """
    spread = 0.6  # standard deviation of log activity
    wanted = config.visits_per_user * np.exp(spread * rng.normal(size=users) - spread**2 / 2)
    amount = np.clip(wanted, 3, min(5 * config.visits_per_user, 0.6 * config.items)).astype(np.int64)
    steps = int(amount.max())
    opens = rng.random((users, steps)) < 1 / config.session_length
    opens[:, 0] = True
    session = np.cumsum(opens, axis=1) - 1
    comes = 0.6 * rng.random(users)
    leaves = np.minimum(comes + rng.uniform(0.3, 1.0, size=users), 0.98)
    happens = np.arange(steps)[None, :] < amount[:, None]
    moments = np.where(opens & happens, rng.random((users, steps)), np.inf)
    moments = np.take_along_axis(np.sort(moments, axis=1), session, axis=1)  # the s-th session at the s-th moment
    moments = comes[:, None] + np.where(happens, moments, 0) * (leaves - comes)[:, None]
    pace = rng.uniform(2, 20, size=(users, steps)) * MINUTE / config.days
    passed = np.cumsum(np.where(opens, 0, pace), axis=1)
    before = np.maximum.accumulate(np.where(opens, passed, 0), axis=1)
    return _Plan(np.minimum(moments + passed - before, 1.0), session, happens)


def _choose(
    truth: WorldTruth, users: IntArray, plan: _Plan, rng: np.random.Generator
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return (B, T) films, fits and preferences; `PAD` where a step does not happen or no film is left."""
    people, steps = plan.when.shape
    chosen = np.full((people, steps), PAD, dtype=np.int64)
    fits, preferences = np.zeros((people, steps)), np.zeros((people, steps))
    unseen = np.ones((people, len(truth.quality)), dtype=np.bool_)
    start, turn = truth.taste_start[users] @ truth.features.T, truth.taste_turn[users] @ truth.features.T  # (B, I)
    for step in range(steps):
        rows = np.flatnonzero(plan.happens[:, step])
        when = plan.when[rows, step][:, None]
        angle = truth.drift * when * np.pi / 2
        fit = np.cos(angle) * start[rows] + np.sin(angle) * turn[rows]
        appeal = truth.taste_strength * fit + truth.popularity + truth.trend * (when - 0.5)
        possible = unseen[rows] & (truth.born <= when)
        item = np.argmax(np.where(possible, appeal + rng.gumbel(size=appeal.shape), -np.inf), axis=1)
        if step:
            same = plan.session[rows, step] == plan.session[rows, step - 1]
            item = _follow(truth, item, np.where(same, chosen[rows, step - 1], PAD), possible, rng)
        here = np.arange(len(rows))
        item = np.where(possible[here, item], item, PAD)
        chosen[rows, step], fits[rows, step] = item, fit[here, item]
        preferences[rows, step] = truth.stars(users[rows], item, fit[here, item])
        unseen[rows[item != PAD], item[item != PAD]] = False
    return chosen, fits, preferences


def _follow(
    truth: WorldTruth, item: IntArray, previous: IntArray, possible: BoolArray, rng: np.random.Generator
) -> IntArray:
    """Return the previous film's successor where the order effect applies and it is available, else `item`."""
    drawn = rng.random((2, len(item)))
    place = np.searchsorted(np.cumsum(truth.successor_weight)[:-1], drawn[1], side="right")
    successor = truth.successor[previous, place]
    follows = (drawn[0] < truth.order) & (previous != PAD) & possible[np.arange(len(item)), successor]
    return np.where(follows, successor, item)
