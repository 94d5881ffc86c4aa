"""One job from start to end: load and split the data, train, evaluate, save."""

import math
import time
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from recsys_core.columns import FOLD, RATING
from recsys_core.contracts import Progress, RunContext
from recsys_core.data import Dataset
from recsys_core.data.leaks import count_leaks
from recsys_core.data.splits import Split, make_splits
from recsys_core.errors import DataError
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.evaluation.fallback import fallback_scores
from recsys_core.experiments.artifacts import JobResult, JobTables, save_job
from recsys_core.experiments.checkpoints import CheckpointFile, remove_checkpoints
from recsys_core.experiments.damage import MARKER, damage_of
from recsys_core.experiments.experiment import LOCK, SPLIT, Run
from recsys_core.experiments.held_out_users import HELD_OUT, USERS, write_held_out
from recsys_core.experiments.jobs import JobFolder, JobState
from recsys_core.experiments.judged_folds import JudgedFold, history_of_folds, list_rows, result_of, user_rows
from recsys_core.experiments.program_fold import run_program
from recsys_core.experiments.resources import PeakMemory, limited_threads
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.thresholds import threshold_refusal
from recsys_core.experiments.training_part import for_training, trained
from recsys_core.experiments.validation import Validator
from recsys_core.models.programs import PREFIX
from recsys_core.models.registry import is_stochastic, make_model
from recsys_core.storage.checksums import FILES, file_sums, sums_to_json, write_record
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.locks import locked


class DataSource(Protocol):
    """Opens data sets by fingerprint: the workspace, or a table in memory."""

    def open(self, name: str, /) -> Dataset:
        """Return the data set of that fingerprint."""
        ...


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
    folds: list[JudgedFold] = []
    with PeakMemory() as memory, limited_threads(ctx.threads):
        dataset, splits = _prepared(spec, workspace, ctx)
        _report_split(run, splits)
        for number, (training, split) in enumerate(product(range(trainings), splits)):
            part = _Part(number, trainings * len(splits), training)
            fold = (
                _run_program(spec, chosen, split, ctx, (run.job(model_id).path, store.root), part)
                if chosen.key.startswith(PREFIX)
                else _run_fold(spec, chosen, split, ctx, _checkpoints(run.job(model_id), number), part)
            )
            fold = replace(fold, model=folds[0].model) if folds else fold  # only the first fold's model is stored
            folds.append(fold)
        first = [fold for fold in folds if fold.training == 0]
        tables = JobTables(
            per_user=pd.concat([user_rows(dataset, fold) for fold in folds], ignore_index=True),
            lists=pd.concat([list_rows(fold) for fold in first], ignore_index=True),
            history=history_of_folds(folds),
        )
    result = result_of(chosen, dataset, folds, tables.per_user, memory.bytes, ctx.threads, spec)
    for _ in ctx.track(range(1), stage="save"):
        model = folds[0].model
        save_job(run.job(model_id).path, result, tables, None if model is None else trained(model))
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
) -> JudgedFold:
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
    return JudgedFold(part.training, split, model, evaluation, seconds, recorder.history)


def _run_program(
    spec: ExperimentSpec, chosen: ModelSpec, split: Split, ctx: RunContext, folders: tuple[Path, Path], part: _Part
) -> JudgedFold:
    """Run a program on one fold and judge its lists; the folders are those of the job and the workspace."""
    ctx = replace(ctx, seed=spec.seed + part.training)
    recorder = _Recorder(ctx, split, part)
    found = run_program(spec, chosen, split, replace(ctx, report=recorder), *folders)
    return JudgedFold(part.training, split, None, found.evaluation, found.seconds, recorder.history, found)


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
