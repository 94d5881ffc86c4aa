"""Time of an attention trace for a user with 200 items in the history, with the model loaded."""

import dataclasses
import statistics
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.deep import LAST_OUT, SEED, data_named, split_of
from benchmarks.movielens import THREADS, seconds_of
from benchmarks.table import Row
from recsys_core.contracts import Ragged, RunContext, TracesAttention
from recsys_core.models.registry import make_model

DATA = "ML-1M"
ITEMS = 200
MOST_SECONDS = 0.5
MODELS = ("sasrec", "interest_attention", "seq2seq")
REPEATS = 5


def run() -> list[Row]:
    """Train each model for one epoch on the first 600 users, load its state into a new instance, and time traces."""
    data = data_named(DATA)
    first = data.subset(data.interactions["user"].to_numpy() < 600)
    query = split_of(DATA, LAST_OUT).history.queries()
    user = query.take(np.flatnonzero(query.history.lengths >= ITEMS)[:1])
    cut = Ragged.from_rows([user.history[0][-ITEMS:]])
    times = None if user.timestamps is None else user.timestamps[-ITEMS:]
    user = dataclasses.replace(user, history=cut, values=user.values[-ITEMS:], timestamps=times)
    rows = []
    for key in MODELS:
        trained = make_model(key, {"epochs": 1})
        trained.fit(first, RunContext(seed=SEED, threads=THREADS))
        model = make_model(key, {"epochs": 1})
        model.load_state(trained.state())
        assert isinstance(model, TracesAttention)
        with threadpool_limits(THREADS):
            seconds = [seconds_of(partial(model.trace, user)) for _ in range(REPEATS)]
        rows.append(
            Row(
                f"{key}: attention trace of a user with {ITEMS} items of {DATA}, model loaded",
                f"under {MOST_SECONDS:g} s",
                f"{seconds[0]:.3f} s the first time, {statistics.median(seconds):.3f} s median of {REPEATS}",
                max(seconds) < MOST_SECONDS,
            )
        )
    return rows
