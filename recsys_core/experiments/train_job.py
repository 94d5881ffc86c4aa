"""One job from start to end: load and split the data, train, evaluate, save."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from recsys_core.columns import FOLD, ITEM, RANK, RATING, SCORE, TRAINING, USER, USER_ID
from recsys_core.contracts import PAD, Progress, RunContext
from recsys_core.data import Dataset
from recsys_core.data.leaks import count_leaks
from recsys_core.data.splits import Split, make_splits
from recsys_core.errors import DataError
from recsys_core.evaluation.comparison import summarize
from recsys_core.evaluation.evaluate import N_RATINGS, Evaluation, evaluate
from recsys_core.evaluation.fallback import fallback_scores
from recsys_core.experiments.artifacts import JobResult, JobTables, judging_units, save_job
from recsys_core.experiments.audience import audience, pooled
from recsys_core.experiments.checkpoints import CheckpointFile, remove_checkpoints
from recsys_core.experiments.damage import MARKER, damage_of
from recsys_core.experiments.experiment import LOCK, SPLIT, Run
from recsys_core.experiments.held_out_users import HELD_OUT, USERS, write_held_out
from recsys_core.experiments.jobs import JobFolder, JobState
from recsys_core.experiments.resources import PeakMemory, limited_threads
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.thresholds import threshold_refusal
from recsys_core.experiments.training_part import for_training, trained
from recsys_core.experiments.validation import Validator
from recsys_core.models.base import Recommender
from recsys_core.models.registry import is_stochastic, make_model
from recsys_core.storage.checksums import FILES, file_sums, sums_to_json, write_record
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.locks import locked

HIT = "hit"
MAX_HISTORY = 20_000
"""Maximum number of curve points in a result; longer curves are thinned to every n-th point."""


class DataSource(Protocol):
    """Opens data sets by fingerprint: the workspace, or a table in memory."""

    def open(self, name: str, /) -> Dataset:
        """Return the data set of that fingerprint."""
        ...


@dataclass(frozen=True, eq=False)
class _Fold:
    """Result of one fold or time window, in one of the trainings with different seeds."""

    training: int
    split: Split
    model: Recommender[Any]
    evaluation: Evaluation
    fit_seconds: float
    history: list[dict[str, Any]]


@dataclass(frozen=True)
class _Part:
    """A part of a job: its number and the number of all parts, and the number of the training with its seed."""

    number: int
    total: int
    training: int


def run_job(
    store: ResultStore, spec: ExperimentSpec, model_id: str, workspace: DataSource, ctx: RunContext
) -> JobResult:
    """Train and evaluate one model of an experiment, and save the results in its folder.

    The state of the job is not changed (see `execution`), except for the epoch from which a training resumes.

    Args:
        store: The store of the experiment; see `ResultStore.create`.
        spec: The experiment.
        model_id: One of its models.
        workspace: Opens the data by fingerprint.
        ctx: Progress, cancellation and threads; the seed is that of the spec.

    Raises:
        RecscopeError: Invalid data or settings, or a disk error.
        Cancelled: The job was cancelled; nothing is saved.
    """
    run = store.open(spec.id)
    chosen = run.model_spec(model_id)
    ctx = replace(ctx, seed=spec.seed)
    trainings = spec.seeds if is_stochastic(chosen.key, chosen.config) else 1
    folds: list[_Fold] = []
    with PeakMemory() as memory, limited_threads(ctx.threads):
        dataset, splits = _prepared(spec, workspace, ctx)
        _report_split(run, splits)
        for number, (training, split) in enumerate(product(range(trainings), splits)):
            part = _Part(number, trainings * len(splits), training)
            fold = _run_fold(spec, chosen, split, ctx, _checkpoints(run.job(model_id), number), part)
            fold = replace(fold, model=folds[0].model) if folds else fold  # only the first fold's model is stored
            folds.append(fold)
        first = [fold for fold in folds if fold.training == 0]
        tables = JobTables(
            per_user=pd.concat([_per_user(dataset, fold) for fold in folds], ignore_index=True),
            lists=pd.concat([_lists(fold) for fold in first], ignore_index=True),
            history=_history(folds),
        )
    result = _result(chosen, dataset, folds, tables.per_user, memory.bytes, ctx.threads, spec)
    for _ in ctx.track(range(1), stage="save"):
        save_job(run.job(model_id).path, result, tables, trained(folds[0].model))
        remove_checkpoints(run.job(model_id).path)
    return result


def _prepared(spec: ExperimentSpec, workspace: DataSource, ctx: RunContext) -> tuple[Dataset, tuple[Split, ...]]:
    for _ in ctx.track(range(1), stage="load the data"):
        dataset = workspace.open(spec.data)
        test_data = workspace.open(spec.split.test_data) if spec.split.test_data else None
    for _ in ctx.track(range(1), stage="split the data"):
        if reason := threshold_refusal(dataset, spec.relevant_from):
            raise DataError(reason)
        splits = make_splits(dataset, spec.split, spec.seed, test_data, spec.task)
        for split in splits:
            if reason := threshold_refusal(split.test, spec.relevant_from, part="the test set of "):
                raise DataError(reason)
    return dataset, splits


def _checkpoints(job: JobFolder, number: int) -> CheckpointFile:
    """Return the checkpoint of a part of the job; resuming is recorded in the status of the job."""

    def on_resume(epochs: int) -> None:
        if job.stored_status().resumed != epochs:
            job.change({JobState.RUNNING}, resumed=epochs)

    return CheckpointFile(job.path, number, on_resume)


def _run_fold(
    spec: ExperimentSpec, chosen: ModelSpec, split: Split, ctx: RunContext, checkpoints: CheckpointFile, part: _Part
) -> _Fold:
    """Train and evaluate on one fold; the seed is that of the training."""
    ctx = replace(ctx, seed=spec.seed + part.training)
    recorder = _Recorder(ctx, split, part)
    validate = Validator(split, spec, ctx) if split.validation else None
    ctx = replace(ctx, report=recorder, validate=validate, checkpoints=checkpoints)
    model = for_training(make_model(chosen.key, chosen.config), spec, has_ratings=split.train.has_ratings)
    started = time.perf_counter()
    model.fit(split.train, ctx)
    seconds = time.perf_counter() - started + checkpoints.seconds_before
    model.require_scores(split.train)
    trained(model).require_candidates(split.queries(split.test_users()))
    fallback = fallback_scores(spec.fallback, split.train)
    evaluation = evaluate(
        model, split, cutoffs=spec.cutoffs, relevant_from=spec.relevant_from, ctx=ctx, fallback=fallback
    )
    return _Fold(part.training, split, model, evaluation, seconds, recorder.history)


class _Recorder:
    """Forwards progress with the fold in the name of the stage, and records all values for curves."""

    def __init__(self, ctx: RunContext, split: Split, part: _Part) -> None:
        self._report = ctx.report
        self._fold = split.fold
        self._suffix = f" (training {part.number + 1} of {part.total})" if part.total > 1 else ""
        self.history: list[dict[str, Any]] = []

    def __call__(self, progress: Progress) -> None:
        values = {name: float(value) for name, value in progress.values.items() if math.isfinite(value)}
        if values:
            self.history.append({"stage": progress.stage, "step": progress.step, FOLD: self._fold, **values})
        self._report(replace(progress, stage=progress.stage + self._suffix))


def _per_user(dataset: Dataset, fold: _Fold) -> pd.DataFrame:
    """Return the metrics of each user, with identifier, fold and training as leading columns."""
    frame = fold.evaluation.per_user.copy()
    ids = pd.Series(dataset.user_vocabulary.ids, dtype="str")
    frame.insert(1, USER_ID, ids.iloc[fold.evaluation.users].to_numpy())
    frame.insert(2, FOLD, fold.split.fold)
    frame.insert(3, TRAINING, np.int16(fold.training))
    return frame


def _lists(fold: _Fold) -> pd.DataFrame:
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


def _result(
    chosen: ModelSpec,
    dataset: Dataset,
    folds: list[_Fold],
    per_user: pd.DataFrame,
    peak: int,
    threads: int,
    spec: ExperimentSpec,
) -> JobResult:
    model = trained(folds[0].model)
    size = (dataset.n_users, dataset.n_items, dataset.n_interactions)  # known before training, as an estimate requires
    work = model.work_estimate(model.config, *size)
    users = audience({"": per_user}, spec.users)
    return JobResult(
        key=chosen.key,
        config=chosen.config,
        fit_seconds=sum(fold.fit_seconds for fold in folds),
        recommend_seconds=sum(fold.evaluation.recommend_seconds for fold in folds),
        peak_memory_bytes=peak,
        model_bytes=sum(array.nbytes for array in model.state().values()),
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
    found = summarize([frame[columns] for frame in trainings], seed=spec.seed).get(spec.metric, {})
    return {end: found[end] for end in ("low", "high") if math.isfinite(found.get(end, math.nan))}


def _history(folds: list[_Fold]) -> pd.DataFrame:
    """Return the points of the curves of all folds, thinned to at most `MAX_HISTORY`."""
    points = pd.DataFrame([point for fold in folds if fold.training == 0 for point in fold.history])
    first = ["stage", "step", FOLD]
    columns = [*first, *(name for name in points.columns if name not in first)]
    return points.reindex(columns=columns).iloc[:: max(1, math.ceil(len(points) / MAX_HISTORY))]


def _notes(folds: list[_Fold]) -> dict[str, Any]:
    """Return the input of the protocol check about the lists, combined over folds."""
    evaluations = [fold.evaluation for fold in folds]
    return {
        "order": evaluations[0].order if len({one.order for one in evaluations}) == 1 else "personal",
        "users_without_relevant": sum(one.users_without_relevant for one in evaluations),
        "relevant_seen": sum(one.relevant_seen for one in evaluations),
        "relevant_cold": sum(one.relevant_cold for one in evaluations),
        "head_size": evaluations[0].head_size,
        "diversity_users": evaluations[0].diversity_users,
    }


def _mean_of_folds(values: list[dict[str, float]]) -> dict[str, float | None]:
    frame = pd.DataFrame(values).mean()
    return {str(name): float(value) if math.isfinite(value) else None for name, value in frame.items()}


def _only_rating(train: Dataset) -> float | None:
    """Return the common rating of all training interactions, None if ratings differ or there are none."""
    if not train.has_ratings:
        return None
    ratings = train.interactions[RATING]
    low, high = float(ratings.min()), float(ratings.max())
    return low if low == high else None


def _report_split(run: Run, splits: tuple[Split, ...]) -> None:
    """Write counts and leakage of the split beside the spec, once per run; a damaged report is rewritten."""
    path: Path = run.path / SPLIT
    with locked(run.path / LOCK):
        if path.exists() and damage_of(path, deep=(USERS, HELD_OUT)) is None:
            return
        write_held_out(run.path, splits, run.spec.relevant_from)
        with disk_errors_in_words(path):
            sums = file_sums(run.path, (USERS, HELD_OUT))
        write_record(path, _split_report(splits) | {FILES: sums_to_json(sums)})
        (run.path / MARKER).unlink(missing_ok=True)


def _split_report(splits: tuple[Split, ...]) -> dict[str, Any]:
    folds = [
        {
            FOLD: split.fold,
            "train": split.train.n_interactions,
            "validation": split.validation.n_interactions if split.validation else 0,
            "test": split.test.n_interactions,
            "test_users": len(split.test_users()),
            "border": split.border,
            "ordered_by_file": split.ordered_by_file,
            "left_out": asdict(split.left_out),
            "leaks": asdict(count_leaks(split)),
        }
        for split in splits
    ]
    first = splits[0].train
    counts = {"users": first.n_users, "items": first.n_items, "has_ratings": first.has_ratings}
    return counts | {"only_rating": _only_rating(first), "folds": folds}
