"""`interest_attention` on ML-100K with and without its local and global updates.

Each variant is trained with three seeds, and a user's metric is the mean over them, which reduces seed variance. The
interval is a paired bootstrap over users.
"""

from typing import Any

import pandas as pd

from benchmarks.deep import END, LAST_OUT, METRIC, SEED, Task, gain_over, train
from benchmarks.table import Row

DATA = "ML-100K"
SEEDS = (SEED, SEED + 1, SEED + 2)
KEY, OFF = "interest_attention", "both off"
SWITCHED_OFF: dict[str, Any] = {"local_update": "none", "global_update": False}
MOST_SECONDS = 600


def run() -> list[Row]:
    """Train both variants alternately."""
    per_user: dict[str, list[pd.DataFrame]] = {KEY: [], OFF: []}
    seconds: dict[str, list[float]] = {KEY: [], OFF: []}
    for seed in SEEDS:
        for name, config in ((KEY, {}), (OFF, SWITCHED_OFF)):
            trained = train(Task(DATA, LAST_OUT, KEY, config, seed=seed, limit=MOST_SECONDS))
            per_user[name].append(trained.per_user[END])
            seconds[name].append(trained.seconds)
    frames = {
        name: pd.concat(parts).groupby("user", as_index=False)[[METRIC]].mean() for name, parts in per_user.items()
    }
    words, _, high = gain_over(OFF, frames, KEY)
    return [
        Row(
            f"{KEY} on {DATA}, leave-last-out, NDCG@10, local and global update on; means of {len(SEEDS)} "
            f"seeds, trained in {min(seconds[KEY]) / 60:.1f} to {max(seconds[KEY]) / 60:.1f} minutes",
            f"not worse than with both off, {frames[OFF][METRIC].mean():.4f}",
            f"{frames[KEY][METRIC].mean():.4f}: {words}, {len(frames[KEY])} users",
            high > 0,
        )
    ]
