"""The judged folds of one contender, and the result, tables and notes that are stored from them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import FOLD, ITEM, RANK, SCORE, TRAINING, USER, USER_ID
from recsys_core.contracts import PAD
from recsys_core.data import Dataset
from recsys_core.data.splits import Split
from recsys_core.evaluation.comparison import summarize
from recsys_core.evaluation.evaluate import N_RATINGS, Evaluation
from recsys_core.experiments.artifacts import JobResult, judging_units
from recsys_core.experiments.audience import audience, pooled
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.training_part import trained
from recsys_core.models.base import Recommender
from recsys_core.models.registry import model_class

HIT = "hit"
ACCOUNT = "uploaded"
"""Key of the account of given lists in the notes of a result."""
MAX_HISTORY = 20_000
"""Maximum number of curve points in a result; longer curves are thinned to every n-th point."""


@dataclass(frozen=True, eq=False)
class ProgramFold:
    """The judged lists of a program.

    Args:
        evaluation: Their metrics.
        account: Number of its rows by what became of them; see `uploaded_lists.ListAccount`.
        seconds: Wall-clock time of the program.
        peak_bytes: Largest memory of its processes that was seen.
    """

    evaluation: Evaluation
    account: Mapping[str, Any]
    seconds: float
    peak_bytes: int


@dataclass(frozen=True, eq=False)
class JudgedFold:
    """Result of one fold or time window, in one of the trainings with different seeds; `model` is None for lists."""

    training: int
    split: Split
    model: Recommender[Any] | None
    evaluation: Evaluation
    fit_seconds: float
    history: list[dict[str, Any]]
    program: "ProgramFold | None" = None


def user_rows(dataset: Dataset, fold: JudgedFold) -> pd.DataFrame:
    """Return the metrics of each user, with identifier, fold and training as leading columns."""
    frame = fold.evaluation.per_user.copy()
    ids = pd.Series(dataset.user_vocabulary.ids, dtype="str")
    frame.insert(1, USER_ID, ids.iloc[fold.evaluation.users].to_numpy())
    frame.insert(2, FOLD, fold.split.fold)
    frame.insert(3, TRAINING, np.int16(fold.training))
    return frame


def list_rows(fold: JudgedFold) -> pd.DataFrame:
    """Return one row per recommendation: user, fold, rank from 1, item, score, and whether it is relevant."""
    evaluation, n_items = fold.evaluation, fold.split.train.n_items
    item, score = evaluation.lists.item, evaluation.lists.score
    rows, places = np.nonzero(item != PAD)
    relevant = evaluation.relevant.row_numbers() * n_items + evaluation.relevant.values
    return pd.DataFrame(
        {
            USER: evaluation.users[rows],
            FOLD: np.int16(fold.split.fold),
            RANK: (places + 1).astype(np.int16),
            ITEM: item[rows, places].astype(np.int32),
            SCORE: score[rows, places].astype(np.float32),
            HIT: np.isin(rows * n_items + item[rows, places], relevant),
        }
    )


def result_of(
    chosen: ModelSpec,
    dataset: Dataset,
    folds: list[JudgedFold],
    per_user: pd.DataFrame,
    peak: float,
    threads: int,
    spec: ExperimentSpec,
) -> JobResult:
    """Return the result of all folds of a contender.

    Args:
        chosen: Its algorithm and settings.
        dataset: The data of the experiment.
        folds: Its folds.
        per_user: The joined `user_rows` of all folds.
        peak: Peak memory in bytes.
        threads: Number of cores that it was allowed to use.
        spec: The experiment.
    """
    model = None if folds[0].model is None else trained(folds[0].model)
    size = (dataset.n_users, dataset.n_items, dataset.n_interactions)  # known before training, as an estimate requires
    kind = model_class(chosen.key)
    work = kind.work_estimate(kind.config_type.parse(chosen.config), *size)
    users = audience({"": per_user}, spec.users)
    return JobResult(
        key=chosen.key,
        config=chosen.config,
        fit_seconds=sum(fold.fit_seconds for fold in folds),
        recommend_seconds=sum(fold.evaluation.recommend_seconds for fold in folds),
        peak_memory_bytes=max([fold.program.peak_bytes for fold in folds if fold.program], default=peak),
        model_bytes=0 if model is None else sum(array.nbytes for array in model.state().values()),
        work=len(folds) * work,
        judging_units=len(folds) * judging_units(*size),
        folds=len({fold.split.fold for fold in folds}),
        users=int((per_user[TRAINING] == 0).sum()),
        metrics=pooled(users.judged[""]),
        overall=_mean_of_folds([fold.evaluation.overall for fold in folds]),
        threads=threads,
        notes=_notes(folds),
        interval=_interval(users.trainings[""], spec),
    )


def _interval(trainings: Sequence[pd.DataFrame], spec: ExperimentSpec) -> dict[str, float]:
    """Return the ends of the interval of the primary metric, as in the comparison; empty without an interval."""
    columns = [USER, spec.metric, *(name for name in trainings[0] if str(name).startswith(N_RATINGS))]
    if spec.metric not in trainings[0]:
        return {}
    found = summarize([frame[columns] for frame in trainings]).get(spec.metric, {})
    return {end: found[end] for end in ("low", "high") if math.isfinite(found.get(end, math.nan))}


def history_of_folds(folds: list[JudgedFold]) -> pd.DataFrame:
    """Return the points of the curves of all folds, thinned to at most `MAX_HISTORY`."""
    points = pd.DataFrame([point for fold in folds if fold.training == 0 for point in fold.history])
    first = ["stage", "step", FOLD]
    columns = [*first, *(name for name in points.columns if name not in first)]
    return points.reindex(columns=columns).iloc[:: max(1, math.ceil(len(points) / MAX_HISTORY))]


def _notes(folds: list[JudgedFold]) -> dict[str, Any]:
    """Return the input of the protocol check about the lists, combined over folds."""
    evaluations = [fold.evaluation for fold in folds]
    return {
        "order": evaluations[0].order if len({one.order for one in evaluations}) == 1 else "personal",
        "users_without_relevant": sum(one.users_without_relevant for one in evaluations),
        "relevant_seen": sum(one.relevant_seen for one in evaluations),
        "relevant_cold": sum(one.relevant_cold for one in evaluations),
        "head_size": evaluations[0].head_size,
        "diversity_users": evaluations[0].diversity_users,
        **({ACCOUNT: _joined(accounts)} if (accounts := [one.program.account for one in folds if one.program]) else {}),
    }


def _joined(accounts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums of the numbers of several accounts."""
    numbers = [name for name, value in accounts[0].items() if isinstance(value, int)]
    return dict(accounts[0]) | {name: sum(one[name] for one in accounts) for name in numbers}


def _mean_of_folds(values: list[dict[str, float]]) -> dict[str, float | None]:
    frame = pd.DataFrame(values).mean()
    return {str(name): float(value) if math.isfinite(value) else None for name, value in frame.items()}
