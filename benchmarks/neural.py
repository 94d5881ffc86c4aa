"""`mult_vae` and `lightgcn` against RecBole on ML-1M: seconds of an epoch with equal sizes and threads.

Both train on the same interactions, alternately, without validation. Batches hold as many users (Mult-VAE) or
interactions (LightGCN) in both. The allocator is that of an engine worker for both.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.deep import SEED, Task, train
from benchmarks.movielens import THREADS, split_1m
from benchmarks.peers import ask
from benchmarks.table import Row
from recsys_core.engine.cluster import MALLOC

TARGET = 0.7
ROUNDS = 2
SIZES: dict[str, dict[str, Any]] = {
    "mult_vae": {"embedding_dim": 200, "hidden": 600, "dropout": 0.5, "batch_size": 500, "learning_rate": 1e-3},
    "lightgcn": {"embedding_dim": 64, "n_layers": 3, "batch_size": 2048, "learning_rate": 1e-3},
}
THEIRS: dict[str, tuple[str, dict[str, Any]]] = {
    "mult_vae": (
        "MultiVAE",  # half of `latent_dimension` is the mean, half the variance
        {"latent_dimension": 400, "mlp_hidden_size": [600], "dropout_prob": 0.5, "train_batch_size": 500},
    ),
    "lightgcn": ("LightGCN", {"embedding_size": 64, "n_layers": 3, "train_batch_size": 2048, "reg_weight": 1e-4}),
}
EPOCHS = {"mult_vae": 2, "lightgcn": 1}
DATA = "ML-1M"


def run() -> list[Row]:
    """Measure both models."""
    return [_row(key) for key in SIZES]


def _row(key: str) -> Row:
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        config = SIZES[key] | {"epochs": EPOCHS[key], "patience": 0}
        split = {"kind": "ratio", "validation_fraction": 0.0}
        ours += train(Task(DATA, split, key, config, SEED, validated=False, tested=False)).epochs
        theirs += _recbole(key)
    ratio = min(ours) / min(theirs)
    sizes = ", ".join(f"{name} {value}" for name, value in SIZES[key].items())
    return Row(
        f"{key} epoch on {DATA} against RecBole's {THEIRS[key][0]} ({sizes}), {THREADS} threads",
        f"at most {TARGET:.1f} times",
        f"{ratio:.2f} times ({min(ours):.2f} s against {min(theirs):.2f} s; medians {np.median(ours):.2f} s and "
        f"{np.median(theirs):.2f} s)",
        ratio <= TARGET,
    )


def _recbole(key: str) -> list[float]:
    """Return the seconds of RecBole's epochs."""
    name, settings = THEIRS[key]
    frame = split_1m().train.interactions
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "data.npz")
        np.savez(data, user=frame["user"].to_numpy(), item=frame["item"].to_numpy())
        asked = {"model": name, "epochs": EPOCHS[key], "settings": settings | {"learning_rate": 1e-3, "seed": SEED}}
        answer = ask("recbole", data, json.dumps(asked), threads=THREADS, environment=MALLOC)
    seconds: list[float] = answer["seconds"]
    return seconds
