"""Seed variance of each network: leave-last-out NDCG@10 on ML-100K.

Only the training seed varies; split, test users and settings (defaults) are fixed. There is no validation split, so
early stopping uses validation users from the training data. Each run uses one core.

`python -m benchmarks seeds` trains all networks, fastest first, in one to two hours on one core;
`python -m benchmarks.seeds rnn cnn` trains the given ones. Each value is printed as soon as it is available.

`interest_attention` is also trained without its local and global update. Their effect is the mean over users of the
difference between the seed means of both variants, with a paired bootstrap over users; since seeds vary as well, the
Student's t interval of the five paired differences between runs is also reported.
"""

import sys
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from benchmarks.deep import END, METRIC, Task, gain_over, train
from benchmarks.table import Row

DATA = "ML-100K"
LAST_OUT = {"kind": "leave_last_out"}
SEEDS = (1, 2, 3, 4, 42)
WIDEST = 0.006
"""Maximum difference between the best and the worst seed."""
OFF = "interest_attention, both updates off"
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "mlp": ("mlp", {}),
    "rnn": ("rnn", {}),
    "cnn": ("cnn", {}),
    "recursive": ("recursive", {}),
    OFF: ("interest_attention", {"local_update": "none", "global_update": False}),
    "seq2seq": ("seq2seq", {}),
    "interest_attention": ("interest_attention", {}),
    "sasrec": ("sasrec", {}),
}


def run(names: list[str] | None = None) -> list[Row]:
    """Train the given networks, or all, with each seed."""
    rows, per_user = [], dict[str, list[pd.DataFrame]]()
    for name in names or NETWORKS:
        per_user[name] = [_trained(name, seed) for seed in SEEDS]
        values = [frame[METRIC].mean() for frame in per_user[name]]
        rows.append(
            Row(
                f"{name} on {DATA}, leave-last-out, NDCG@10 with seeds {', '.join(map(str, SEEDS))}",
                f"range of at most {WIDEST}",
                f"{', '.join(f'{value:.4f}' for value in values)}: {max(values) - min(values):.4f}",
                max(values) - min(values) <= WIDEST,
            )
        )
    if OFF in per_user and "interest_attention" in per_user:
        rows.append(_updates(per_user["interest_attention"], per_user[OFF]))
    return rows


def _trained(name: str, seed: int) -> pd.DataFrame:
    """Train once; return the metrics of each user."""
    key, config = NETWORKS[name]
    trained = train(Task(DATA, LAST_OUT, key, config, seed=seed, validated=False, threads=1))
    frame = trained.per_user[END]
    words = f"{frame[METRIC].mean():.4f} after {len(trained.epochs)} epochs, {trained.seconds:.0f} s"
    print(f"{name}, seed {seed}: NDCG@10 {words}", flush=True)
    return frame


def _updates(on: list[pd.DataFrame], off: list[pd.DataFrame]) -> Row:
    """Return the row of the effect of the updates of `interest_attention`."""
    means = {
        name: pd.concat(parts).groupby("user", as_index=False)[[METRIC]].mean()
        for name, parts in (("both on", on), ("both off", off))
    }
    words, _, high = gain_over("both off", means, "both on")
    differences = np.array([a[METRIC].mean() - b[METRIC].mean() for a, b in zip(on, off, strict=True)])
    half = student.ppf(0.975, len(differences) - 1) * differences.std(ddof=1) / np.sqrt(len(differences))
    center = differences.mean()
    return Row(
        f"interest_attention on {DATA}, both updates on against off, means of {len(SEEDS)} seeds",
        "not significantly worse",
        f"{words}, over users; {', '.join(f'{value:+.4f}' for value in differences)} by seed, "
        f"{center:+.4f} [{center - half:+.4f}, {center + half:+.4f}] over seeds",
        high >= 0,
    )


if __name__ == "__main__":
    for row in run(sys.argv[1:] or None):
        print(f"{row.what}: {row.measured}", flush=True)
