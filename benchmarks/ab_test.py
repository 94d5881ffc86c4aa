"""False wins of A/A replays of the planner, and the power that it promises."""

import numpy as np

from benchmarks.table import Row
from recsys_core.contracts import FloatArray
from recsys_core.evaluation.ab_test.planner import Design, users_needed
from recsys_core.evaluation.ab_test.replay import p_of_assignments, replay

REPLAYS = 2000


def run() -> list[Row]:
    """Measure false wins with and without CUPED, and power."""
    return [
        *(false_wins(name, adjusted) for name in ("sparse NDCG", "lognormal") for adjusted in (False, True)),
        power(),
    ]


def _values(name: str, rng: np.random.Generator, users: int = 943) -> FloatArray:
    if name == "lognormal":
        return rng.lognormal(0.0, 1.0, users)
    return (rng.random(users) < 0.2) / np.log2(rng.integers(2, 12, users))


def false_wins(name: str, adjusted: bool) -> Row:
    """Replay equal groups of the same users."""
    rng = np.random.default_rng(21)
    values = _values(name, rng)
    covariate = values + values.std() * rng.normal(size=len(values)) if adjusted else None
    share = replay(values, covariate=covariate, replays=REPLAYS, seed=1).wins
    return Row(
        f"A/A replays won at the 5 % level: {name}, 943 users{', CUPED' if adjusted else ''} ({REPLAYS:,} replays)",
        "4 to 6 %",
        f"{share:.1%}",
        0.04 <= share <= 0.06,
    )


def power(rounds: int = 2000) -> Row:
    """Test a planted difference with as many users as the planner asks for."""
    rng = np.random.default_rng(22)
    pool = _values("sparse NDCG", rng, 20_000)
    gain = 0.25 * float(pool.mean())
    users = users_needed(float(pool.std(ddof=1)), gain, Design())
    wins = 0
    for _ in range(rounds):
        values = rng.choice(pool, users)
        treated = rng.random((1, users)) < 0.5
        wins += int(p_of_assignments(values + gain * treated[0], treated)[0] < 0.05)
    share = wins / rounds
    return Row(
        f"planned power of 80 % on sparse NDCG, {users:,} users ({rounds:,} rounds)",
        "77 to 83 %",
        f"{share:.1%}",
        0.77 <= share <= 0.83,
    )
