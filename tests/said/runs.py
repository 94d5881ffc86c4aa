"""Varied small experiments: their data, and how they are run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.store import ResultStore
from tests.engine.support import spec_of

HOUR = 3_600_000
UPLOADED = "uploaded"


@dataclass(frozen=True, eq=False)
class Case:
    """An experiment: data, models, fields of the spec, and a second metric."""

    name: str
    frame: pd.DataFrame
    models: tuple[Any, ...] = ("ease",)
    fields: Mapping[str, Any] = field(default_factory=dict)
    other: str = "hit_rate@5"
    cancelled: tuple[str, ...] = ()
    uploaded: pd.DataFrame | None = None

    def dataset(self) -> Dataset:
        return named(self.frame, self.name)

    def test_data(self) -> Dataset | None:
        return None if self.uploaded is None else named(self.uploaded, UPLOADED)


@dataclass(frozen=True)
class Source:
    """Opens the data of a case."""

    case: Case

    def open(self, name: str, /) -> Dataset:
        return named(self.case.uploaded, UPLOADED) if name == UPLOADED else self.case.dataset()


def named(frame: pd.DataFrame | None, name: str) -> Dataset:
    assert frame is not None
    ids = [[f"{kind}{position}" for position in range(int(frame[kind].max()) + 1)] for kind in ("user", "item")]
    return dataset_from_frames(frame, name=name, fingerprint=name, user_ids=ids[0], item_ids=ids[1])


def run_of(case: Case, store: ResultStore) -> Run:
    """Train all models of a case, except the cancelled ones."""
    fields = {"cutoffs": (5, 10), **case.fields}
    run = store.create(spec_of(*case.models, data=case.name, **fields), case.name)
    for model in run.spec.models:
        if model.key in case.cancelled:
            run.cancel(model.id)
        execute(store, run.id, model.id, Source(case), 1)
    return store.open(run.id)


def taste(
    users: int = 60,
    items: int = 24,
    each: tuple[int, int] = (6, 10),
    *,
    seed: int = 0,
    noise: float = 0.2,
    skew: float = 0.5,
) -> pd.DataFrame:
    """Return ratings of users who prefer every second item; `noise` 1 and `skew` 0 is chance."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        own = np.arange(items) % 2 == user % 2
        weight = np.where(own, 1.0, noise) / (1 + np.arange(items) // 2) ** skew
        size = int(rng.integers(each[0], each[1] + 1))
        for item in rng.choice(items, size, replace=False, p=weight / weight.sum()):
            rows.append((user, item, int(np.clip(rng.normal(4 if own[item] else 2.5, 0.8), 1, 5))))
    frame = pd.DataFrame(rows, columns=["user", "item", "rating"])
    return typed(frame.assign(timestamp=rng.permutation(len(frame)).astype(np.int64) * HOUR))


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    kinds = {"user": np.int32, "item": np.int32, "rating": np.float32, "timestamp": np.int64}
    return frame.astype({name: kind for name, kind in kinds.items() if name in frame}).reset_index(drop=True)


def implicit(frame: pd.DataFrame, *, times: bool = True) -> pd.DataFrame:
    return frame.drop(columns=["rating"] if times else ["rating", "timestamp"])


def only_late_users(frame: pd.DataFrame, first: int) -> pd.DataFrame:
    """Move all interactions of the users from `first` on to one moment behind those of the others."""
    return frame.assign(timestamp=frame["timestamp"].where(frame["user"] < first, len(frame) * HOUR))


def late_users(frame: pd.DataFrame, first: int) -> pd.DataFrame:
    """Move all interactions of the users from `first` on behind those of the others."""
    later = (frame["user"] >= first) * (len(frame) + 1) * HOUR
    return frame.assign(timestamp=frame["timestamp"] + later)


def with_events(frame: pd.DataFrame, *, seed: int = 3, never: int = 5) -> pd.DataFrame:
    """Give each interaction an event; the first `never` users buy nothing."""
    rng = np.random.default_rng(seed)
    buys = (rng.random(len(frame)) < 0.5) & (frame["user"] >= never)
    return implicit(frame).assign(event=np.where(buys, "buy", "view"))


def repeated(frame: pd.DataFrame, *, seed: int = 4) -> pd.DataFrame:
    """Append a second interaction with the same item for a third of the rows, later in time."""
    again = frame.sample(frac=0.4, random_state=seed)
    later = frame["timestamp"].max() + HOUR * (1 + np.arange(len(again)))
    return typed(pd.concat([frame, again.assign(timestamp=later)], ignore_index=True))


def cycle(users: int = 60, items: int = 6) -> pd.DataFrame:
    """Return data whose items are equally popular once each user's last interaction is held out."""
    rows = [(u, (u + step) % items, 4, (u * 3 + step) * HOUR) for u in range(users) for step in range(3)]
    return typed(pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"]))


def against_popularity(users: int = 120, items: int = 40) -> pd.DataFrame:
    """Return data in which each user's last item is one that nobody had before, and the others are common."""
    rows = [(u, (u * 3 + step * (1 + u % 4)) % 17, 4, step * HOUR) for u in range(users) for step in range(5)]
    rows += [(u, 17 + u % (items - 17), 5, 10 * HOUR) for u in range(users)]
    return typed(pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"]))


def one_long_history(users: int = 8) -> pd.DataFrame:
    """Return one user with five interactions, and others with one each."""
    rows = [(0, item, 1 + item, item * HOUR) for item in range(5)]
    rows += [(user, user % 5, 3, user * HOUR) for user in range(1, users)]
    return typed(pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"]))


def whole_catalog(users: int = 30, items: int = 6) -> pd.DataFrame:
    """Return users of whom the first five had every item, and then one of them again."""
    rows = [
        (u, i, 1 + (u + i) % 5, (u * 10 + i) * HOUR) for u in range(users) for i in range(items) if u < 5 or (u + i) % 2
    ]
    rows += [(u, u % items, 5, (u * 10 + 9) * HOUR) for u in range(5)]
    return typed(pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"]))


def unknown_times(frame: pd.DataFrame, users: int) -> pd.DataFrame:
    return frame.assign(timestamp=frame["timestamp"].where(frame["user"] >= users, NO_TIMESTAMP))


def upload(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return training and test data; the latter has three unknown users and two rows of an unknown item."""
    rows = frame.groupby("user").head(2).query("user >= 10").index
    test = frame.loc[rows]
    strange = pd.DataFrame(
        {"user": [90, 91, 92, 3, 4], "item": [0, 1, 2, 77, 77], "rating": 4.0, "timestamp": 5 * HOUR}
    )
    return typed(frame.drop(rows)), typed(pd.concat([test, strange], ignore_index=True))
