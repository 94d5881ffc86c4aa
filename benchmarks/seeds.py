"""How much the quality of each network varies from seed to seed: NDCG@10 on ML-100K, the last item of each user.

Everything but the seed of the training stays the same: split, test users, default settings. There is no validation
part, so early stopping takes its validation users from the training part. Trainings use one core.

`python -m benchmarks seeds` trains all of them, which takes one to two hours on one core, those of the fastest networks
first; `python -m benchmarks.seeds rnn cnn` trains some. Each value is printed as soon as it is there.

For `interest_attention` the same seeds are trained without its local and global update. What the updates add is the
mean over users of the difference between the means of both over seeds, with a paired bootstrap over users; since seeds
vary, too, the interval of the five paired differences between trainings (Student's t) stands beside it.
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
"""Largest difference between the best and the worst of the seeds."""
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
    """Train the named networks, or all, with each seed."""
    rows, found = [], dict[str, list[pd.DataFrame]]()
    for name in names or NETWORKS:
        found[name] = [_judged(name, seed) for seed in SEEDS]
        values = [frame[METRIC].mean() for frame in found[name]]
        rows.append(
            Row(
                f"{name} on {DATA}, last item of each user, NDCG@10 with seeds {', '.join(map(str, SEEDS))}",
                f"within {WIDEST} of each other",
                f"{', '.join(f'{value:.4f}' for value in values)}: {max(values) - min(values):.4f}",
                max(values) - min(values) <= WIDEST,
            )
        )
    if OFF in found and "interest_attention" in found:
        rows.append(_updates(found["interest_attention"], found[OFF]))
    return rows


def _judged(name: str, seed: int) -> pd.DataFrame:
    """Train once; return one value a user."""
    key, config = NETWORKS[name]
    trained = train(Task(DATA, LAST_OUT, key, config, seed=seed, validated=False, threads=1))
    frame = trained.judged[END]
    words = f"{frame[METRIC].mean():.4f} after {len(trained.epochs)} epochs, {trained.seconds:.0f} s"
    print(f"{name}, seed {seed}: NDCG@10 {words}", flush=True)
    return frame


def _updates(on: list[pd.DataFrame], off: list[pd.DataFrame]) -> Row:
    """Return what the updates of `interest_attention` add."""
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
        "not worse, 0 not above the interval",
        f"{words}, over users; {', '.join(f'{value:+.4f}' for value in differences)} by seed, "
        f"{center:+.4f} [{center - half:+.4f}, {center + half:+.4f}] over seeds",
        high >= 0,
    )


if __name__ == "__main__":
    for row in run(sys.argv[1:] or None):
        print(f"{row.what}: {row.measured}", flush=True)
