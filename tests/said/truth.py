"""What is true of a run: its stored rows, its split, and the numbers computed from them."""

from collections import Counter
from functools import cached_property

import numpy as np
import pandas as pd

from recsys_core.data.splits import Split, make_splits
from recsys_core.evaluation.metric_info import METRICS
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.leaderboard import model_titles
from recsys_core.models.registry import model_class
from tests.said.numbers import Numbers
from tests.said.runs import Case

Pairs = set[tuple[int, int]]


class Truth:
    """A run seen without the functions under test.

    Args:
        case: The experiment.
        run: Its finished run.
        metric: The metric that the sentences are about.
        rows: The stored rows of each model.
    """

    def __init__(self, case: Case, run: Run, metric: str, rows: dict[str, pd.DataFrame]) -> None:
        self.case, self.run, self.metric, self.spec = case, run, metric, run.spec
        self.key = metric.partition("@")[0].partition(":")[0]
        self.info = METRICS[self.key]
        self.rows = rows
        self.titles = model_titles(run.spec.models)
        self.ids = {title: model for model, title in self.titles.items()}
        self.keys = {model.id: model.key for model in run.spec.models}

    @property
    def primary(self) -> bool:
        return self.metric == (self.spec.primary or f"ndcg@{self.spec.k}")

    @cached_property
    def test_users(self) -> set[int]:
        return {user for rows in self.rows.values() for user in rows["user"]}

    @cached_property
    def with_history(self) -> set[int]:
        return {user for rows in self.rows.values() for user in rows.loc[rows["n_history"] > 0, "user"]}

    @property
    def without_history(self) -> set[int]:
        return self.test_users - self.with_history

    @property
    def covered(self) -> set[int]:
        about = {"with_history": self.with_history, "without_history": self.without_history, "all": self.test_users}
        return about[self.spec.users] or self.test_users

    def covered_rows(self, model: str) -> pd.DataFrame:
        rows = self.rows[model]
        rows = rows[rows["user"].isin(self.covered)]
        if self.spec.users == "with_history" and self.with_history:
            rows = rows[rows["n_history"] > 0]  # of users without history in one of the folds, the others
        return rows

    @cached_property
    def models(self) -> list[str]:
        """The models with the metric."""
        return [model for model, rows in self.rows.items() if self.metric in rows]

    def of_training(self, model: str) -> list[dict[int, tuple[float, float]]]:
        """Return value and weight of each user, one dictionary per training."""
        found = []
        for _, rows in self.covered_rows(model).groupby("training"):
            sums: dict[int, list[float]] = {}
            part = self.metric.partition(":")[2]
            count = f"n_ratings:{part}" if part else "n_ratings"
            ratings = rows[count] if self.key in ("rmse", "mae") else [1.0] * len(rows)
            for user, value, weight in zip(rows["user"], rows[self.metric], ratings, strict=True):
                if not np.isnan(value):
                    own = sums.setdefault(user, [0.0, 0.0])
                    own[0] += weight * (value**2 if self.key == "rmse" else value)
                    own[1] += weight
            found.append({user: (total / weight, weight) for user, (total, weight) in sums.items()})
        return found

    @cached_property
    def common(self) -> list[int]:
        sets = [set(own) for model in self.models for own in self.of_training(model)]
        return sorted(set.intersection(*sets)) if sets else []

    @cached_property
    def evaluated(self) -> set[int]:
        return {user for model in self.models for own in self.of_training(model) for user in own}

    @cached_property
    def exploratory(self) -> set[str]:
        """The metrics besides the primary one that a person can view and compare."""
        primary = self.spec.primary or f"ndcg@{self.spec.k}"
        columns = {str(name) for rows in self.rows.values() for name in rows if ":" not in str(name)}
        keys = {name: name.partition("@")[0] for name in columns}
        return {name for name, key in keys.items() if key in METRICS and METRICS[key].direction != "neither"} - {
            primary
        }

    @cached_property
    def numbers(self) -> Numbers:
        trained = [np.array([[own[u][0] for u in self.common] for own in self.of_training(m)]) for m in self.models]
        weighted = self.key in ("rmse", "mae")
        own = self.of_training(self.models[0])[0]
        return Numbers(
            models=self.models,
            trained=trained,
            weights=np.array([own[user][1] if weighted else 1.0 for user in self.common]),
            root=self.key == "rmse",
            share=not self.info.unit,
            lower_is_better=self.info.direction == "lower",
            metrics=1 if self.primary else max(len(self.exploratory), 1),
        )

    @cached_property
    def ranked(self) -> list[str]:
        sign = 1 if self.numbers.lower_is_better else -1
        return sorted(self.models, key=lambda model: sign * self.numbers.means[model])

    def stochastic(self, model: str) -> bool:
        return model_class(self.keys[model]).info.stochastic

    def by_key(self, key: str) -> str | None:
        return next((model for model in self.models if self.keys[model] == key), None)

    @cached_property
    def splits(self) -> tuple[Split, ...]:
        return make_splits(self.case.dataset(), self.spec.split, self.spec.seed, self.case.test_data(), self.spec.task)

    @cached_property
    def test_rows(self) -> int:
        return sum(len(split.test.interactions) for split in self.splits)

    def leaks(self) -> "Counter[str]":
        """Count later, unborn, cold and seen test rows by loops over rows."""
        found: Counter[str] = Counter()
        for split in self.splits:
            train, test = split.train.interactions, split.test.interactions
            timed = "timestamp" in train and "timestamp" in test
            first: dict[int, int] = {}
            times = train["timestamp"] if timed else [0] * len(train)
            for item, moment in zip(train["item"], times, strict=True):
                first[item] = min(first.get(item, moment), moment)
            latest = max(times)
            seen = seen_pairs(split)
            moments = test["timestamp"] if timed else [0] * len(test)
            for user, item, moment in zip(test["user"], test["item"], moments, strict=True):
                known = timed and moment != np.iinfo(np.int64).min
                found["later"] += bool(known and moment < latest)
                found["unborn"] += bool(known and item in first and moment < first[item])
                found["cold"] += item not in first
                found["seen"] += (user, item) in seen
            found["timeless"] += not timed
        return found

    def users_of_data(self, event: bool = False) -> "Counter[int]":
        """Return the number of interactions of each user of the data, of the target events only if `event`."""
        frame = self.case.dataset().interactions
        if self.spec.learn_from:  # other events take no part
            frame = frame[frame["event"].isin([*self.spec.learn_from, *self.spec.target])]
        if event and self.spec.target:
            frame = frame[frame["event"].isin(self.spec.target)]
        return Counter(frame["user"])

    @cached_property
    def in_test(self) -> set[int]:
        return {user for split in self.splits for user in split.test.interactions["user"]}


def seen_pairs(split: Split) -> Pairs:
    """Return the pairs of users and items that a model may not recommend."""
    frame = (split.seen or split.history).interactions
    return set(zip(frame["user"], frame["item"], strict=True))
