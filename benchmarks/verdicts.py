"""Error rates of verdicts in simulations: false differences, coverage of intervals, power, and the time of a test.

Users differ in how many items they find; two equal models find items at the same rate, each by its own luck. Trainings
of a network shift the quality of all users by a small random factor.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from benchmarks.table import Row
from recsys_core.contracts import FloatArray
from recsys_core.evaluation.comparison import PerUser, compare, summarize
from recsys_core.evaluation.metrics import ACCURACY, HitTable

CUTOFFS = (10, 1, 5, 20, 50)
NAMES = [f"{key}@{k}" for k in CUTOFFS for key in ACCURACY]
PRIMARY = "ndcg@10"
USERS = 6040
SEED_EFFECT = 0.005
"""Standard deviation of a network's quality between trainings, relative to its quality."""
AGREEMENT = 0.7
"""Share of ranks in which two trainings find an item or miss it alike."""


def run() -> list[Row]:
    """Measure all error rates, then the time."""
    rows = [family(users) for users in (50, 200, 943)]
    rows += [coverage(name, users) for name in WORLDS for users in (20, 50, 200)]
    return [*rows, explored(200), explored(943), one_net(), planted(), duration()]


def lists(rng: np.random.Generator, quality: FloatArray, models: int, k: int = 50) -> list[HitTable]:
    """Return the hits of equal models: `quality` (U,) scales the probability of a hit, which falls with the rank."""
    chance = np.minimum(quality[:, None] * np.linspace(1.5, 0.3, k), 1.0)
    relevant = rng.integers(5, 40, len(quality))
    tables = []
    for _ in range(models):
        hits = rng.random(chance.shape) < chance
        tables.append(HitTable(hits, np.maximum(relevant, hits.sum(axis=1))))
    return tables


def frame(table: HitTable, names: Sequence[str] = (PRIMARY,)) -> pd.DataFrame:
    """Return the per-user frame of metrics."""
    values = {name: ACCURACY[name.partition("@")[0]](table, int(name.partition("@")[2])) for name in names}
    return pd.DataFrame({"user": np.arange(len(table.n_relevant))} | values)


def taste(rng: np.random.Generator, users: int) -> FloatArray:
    """Return (U,) the users' qualities."""
    return rng.beta(1, 6, users)


def family(users: int, rounds: int = 300) -> Row:
    """Compare ten equal models."""
    rng = np.random.default_rng(users)
    found = 0
    for _ in range(rounds):
        tables = lists(rng, taste(rng, users), 10, k=10)
        frames = {f"m{number}": frame(table) for number, table in enumerate(tables)}
        found += bool(compare(frames, metric=PRIMARY).pairs["different"].any())
    share = found / rounds
    return Row(
        f"ten equal models, {users} users: some difference is significant ({rounds} rounds)",
        "at most 6 %",
        f"{share:.1%}",
        share <= 0.06,
    )


def _rare_hits(rng: np.random.Generator, users: int) -> pd.DataFrame:
    return pd.DataFrame({"user": np.arange(users), "hit_rate@10": (rng.random(users) < 0.05) * 1.0})


def _sparse_ndcg(rng: np.random.Generator, users: int) -> pd.DataFrame:
    hit = rng.random(users) < 0.1
    return pd.DataFrame({"user": np.arange(users), PRIMARY: hit / np.log2(rng.integers(2, 12, users))})


def _lognormal(rng: np.random.Generator, users: int) -> pd.DataFrame:
    return pd.DataFrame({"user": np.arange(users), "novelty@10": rng.lognormal(0.0, 1.0, users)})


WORLDS: Mapping[str, tuple[Callable[[np.random.Generator, int], pd.DataFrame], str, float]] = {
    "rare hits (5 % of users)": (_rare_hits, "hit_rate@10", 0.05),
    "sparse NDCG (10 % of users)": (_sparse_ndcg, PRIMARY, float(0.1 * np.mean(1 / np.log2(np.arange(2, 12))))),
    "lognormal values": (_lognormal, "novelty@10", float(np.exp(0.5))),
}


def coverage(world: str, users: int, rounds: int = 10_000) -> Row:
    """Count how often the 95 % interval of a mean contains the true mean."""
    draw, metric, true = WORLDS[world]
    rng = np.random.default_rng(users)
    covered = 0
    for _ in range(rounds):
        found = summarize(draw(rng, users))[metric]
        covered += bool(found["low"] <= true <= found["high"])
    share = covered / rounds
    return Row(
        f"coverage of the 95 % interval of a mean: {world}, {users} users ({rounds} rounds)",
        "at least 92 %",
        f"{share:.1%}",
        share >= 0.92,
    )


def explored(users: int, rounds: int = 400) -> Row:
    """View two equal models through 35 numbers: the primary metric, and 34 exploratory ones."""
    rng = np.random.default_rng(users + 1)
    found = 0
    for _ in range(rounds):
        one, other = (frame(table, NAMES) for table in lists(rng, taste(rng, users), 2))
        for name in NAMES:
            number = 1 if name == PRIMARY else len(NAMES) - 1
            if (
                compare({"one": one, "other": other}, metric=name, metrics=number, samples=1999)
                .pairs["different"]
                .item()
            ):
                found += 1
                break
    share = found / rounds
    return Row(
        f"two equal models, {users} users, viewed through {len(NAMES)} numbers: some difference ({rounds} rounds)",
        "at most 6 %",
        f"{share:.1%}",
        share <= 0.06,
    )


def trained(rng: np.random.Generator, quality: FloatArray, luck: FloatArray, trainings: int) -> list[pd.DataFrame]:
    """Return one frame per training of a network; its hits agree with `luck` (U, 10) in `AGREEMENT` of the ranks."""
    frames = []
    for effect in rng.normal(1.0, SEED_EFFECT, trainings):
        chance = np.minimum(quality[:, None] * effect * np.linspace(1.2, 0.8, 10), 1.0)
        own = np.where(rng.random(luck.shape) < AGREEMENT, luck, rng.random(luck.shape))
        frames.append(frame(HitTable(own < chance, np.full(len(quality), 10))))
    return frames


def one_net(rounds: int = 300, users: int = 943) -> Row:
    """Compare two groups of five trainings of one network."""
    rng = np.random.default_rng(7)
    called = []
    for _ in range(rounds):
        quality, luck = rng.beta(2, 4, users), rng.random((users, 10))
        frames: PerUser = {name: trained(rng, quality, luck, 5) for name in ("one", "other")}
        called.append(bool(compare(frames, metric=PRIMARY, samples=1999).pairs["different"].item()))
    share = float(np.mean(called))
    return Row(
        f"five trainings against five others of one network, {users} users: called different ({rounds} rounds)",
        "at most 6 %",
        f"{share:.1%}",
        share <= 0.06,
    )


def planted(rounds: int = 40) -> Row:
    """Compare networks with five trainings each, the second with 2 % more hits."""
    rng = np.random.default_rng(8)
    found = []
    for _ in range(rounds):
        quality, luck = rng.beta(2, 4, USERS), rng.random((USERS, 10))
        frames: PerUser = {
            "base": trained(rng, quality, luck, 5),
            "better": trained(rng, quality * 1.02, luck, 5),
        }
        comparison = compare(frames, metric=PRIMARY, samples=1999)
        found.append(bool(comparison.pairs["different"].item()) and comparison.table["model"].iloc[0] == "better")
    share = float(np.mean(found))
    return Row(
        f"2 % more hits on {USERS:,} users, five trainings each (standard deviation between trainings "
        f"{SEED_EFFECT:.1%}): found ({rounds} rounds)",
        "at least 95 %",
        f"{share:.0%}",
        share >= 0.95,
    )


def duration() -> Row:
    """Time a comparison of 20 models with five trainings each."""
    rng = np.random.default_rng(9)
    users = np.arange(USERS)
    frames: PerUser = {
        f"m{number}": [pd.DataFrame({"user": users, PRIMARY: rng.random(USERS)}) for _ in range(5)]
        for number in range(20)
    }
    times = []
    for _ in range(3):
        started = time.perf_counter()
        compare(frames, metric=PRIMARY, samples=10_000)
        times.append(time.perf_counter() - started)
    return Row(
        f"comparison of 20 models with 5 trainings on {USERS:,} users, at least 10,000 permutations",
        "less than 3 s",
        f"{min(times):.2f} s",
        min(times) < 3.0,
    )
