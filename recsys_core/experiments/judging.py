"""What a finished experiment proves: its comparison, the protocol's findings, and intervals of every metric."""

from dataclasses import fields
from typing import Any

import pandas as pd

from recsys_core.data.leaks import LeakReport
from recsys_core.data.splits import LeftOut
from recsys_core.errors import DataError
from recsys_core.evaluation.comparison import Comparison, compare, summarize
from recsys_core.evaluation.protocol import Finding, JudgedModel, Protocol, check_protocol
from recsys_core.experiments.board import model_titles
from recsys_core.experiments.pooling import one_row_a_user
from recsys_core.experiments.run import Run
from recsys_core.models.registry import model_class


def judged_users(run: Run) -> dict[str, pd.DataFrame]:
    """Return one row a user for each finished model, folds joined."""
    return {model: one_row_a_user(frame) for model, frame in run.per_user().items()}


def compare_run(run: Run, metric: str | None = None, *, baseline: str | None = None) -> Comparison:
    """Compare the finished models of an experiment that have a metric; NDCG at the experiment's `k` by default.

    Raises:
        DataError: No finished model has the metric, or their users have nobody in common.
    """
    metric = metric or f"ndcg@{run.spec.k}"
    judged = {model: frame for model, frame in judged_users(run).items() if metric in frame}
    if not judged:
        raise DataError(f"No finished model of '{run.name}' was judged by '{metric}'.")
    titles = model_titles(run.spec.models)
    return compare(judged, metric=metric, seed=run.spec.seed, titles=titles, baseline=baseline)


def check_run(run: Run, metric: str | None = None, comparison: Comparison | None = None) -> list[Finding]:
    """Return what is wrong with an experiment's comparison, or should be known of it: refusals first.

    Raises:
        StoreError: A file of a finished job is missing or broken.
    """
    metric = metric or f"ndcg@{run.spec.k}"
    judged = {model: frame for model, frame in judged_users(run).items() if metric in frame}
    return check_protocol(judged, protocol_of(run), metric=metric, comparison=comparison)


def protocol_of(run: Run) -> Protocol:
    """Return how an experiment was made, as the check of protocols wants to know it."""
    titles = model_titles(run.spec.models)
    results = run.results()
    report = run.split_report() or {"folds": []}
    models = {}
    for model_id, result in results.items():
        info = model_class(result.key).info
        models[model_id] = JudgedModel(
            titles[model_id], result.key, info.personal, same_order=bool(result.notes.get("same_order"))
        )
    return Protocol(
        models=models,
        leaks=tuple(_made(LeakReport, fold["leaks"]) for fold in report["folds"]),
        left_out=tuple(_made(LeftOut, fold["left_out"]) for fold in report["folds"]),
        ordered_by_file=any(fold["ordered_by_file"] for fold in report["folds"]),
        without_result=tuple(titles[model_id] for model_id in run.model_ids if model_id not in results),
    )


def metric_intervals(run: Run, model_id: str) -> dict[str, dict[str, float | None]]:
    """Return `mean`, `low`, `high` and `users` of each metric of a finished model; None where nobody has a value.

    Metrics that are not a mean over users have no interval.
    """
    result = run.result(model_id)
    frame = one_row_a_user(run.per_user_of(model_id))
    found: dict[str, dict[str, float | None]] = {
        name: {part: _finite(value) for part, value in values.items()}
        for name, values in summarize(frame, seed=run.spec.seed).items()
    }
    overall = {
        name: {"mean": value, "low": None, "high": None, "users": len(frame)} for name, value in result.overall.items()
    }
    return found | overall


def _finite(value: float) -> float | None:
    return value if value == value else None  # noqa: PLR0124 - NaN is the only value that differs from itself


def _made(kind: type[Any], values: dict[str, Any]) -> Any:
    """Return a value of that class from what was stored, without fields that it does not know."""
    known = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in known})
