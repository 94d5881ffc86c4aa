"""What a finished experiment proves: its comparison, the protocol's findings, and intervals of every metric."""

from collections import Counter
from contextlib import suppress
from dataclasses import fields
from typing import Any

import pandas as pd

from recsys_core.data.leaks import LeakReport
from recsys_core.data.splits import LeftOut
from recsys_core.errors import DataError, StoreError
from recsys_core.evaluation.comparison import Comparison, compare, summarize
from recsys_core.evaluation.protocol import Finding, JudgedModel, Protocol, check_protocol
from recsys_core.experiments.board import model_titles
from recsys_core.experiments.durable import read_json
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.pooling import one_row_a_user
from recsys_core.experiments.run import JOBS, SPEC, Run
from recsys_core.experiments.saving import RESULT
from recsys_core.models.registry import model_class

MANY_TRIES = 5
"""The best of five settings that differ by chance only looks better than the middle one by more than a standard error
(the expected maximum of five normal numbers is 1.16)."""
TEST_PART = ("data", "split", "seed")
"""What two experiments must share to be judged by the same interactions."""


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
    return findings(run, judged, metric=metric, comparison=comparison)


def findings(
    run: Run, per_user: dict[str, pd.DataFrame], *, metric: str, comparison: Comparison | None
) -> list[Finding]:
    """Return what is wrong with the comparison of a run's finished models, refusals first.

    Args:
        run: The experiment.
        per_user: Its tables, one row a user.
        metric: The column compared.
        comparison: What `compare` gave for them, None where it refused.
    """
    return check_protocol(per_user, protocol_of(run), metric=metric, comparison=comparison)


def protocol_of(run: Run) -> Protocol:
    """Return how an experiment was made, as the check of protocols wants to know it."""
    titles = model_titles(run.spec.models)
    folds = (run.split_report() or {"folds": []})["folds"]
    tries = settings_tried(run)
    models = {
        model_id: JudgedModel(
            title=titles[model_id],
            key=result.key,
            personal=model_class(result.key).info.personal,
            same_order=bool(result.notes.get("same_order")),
            tuned_on="test" if tries[result.key] >= MANY_TRIES else "nothing",
        )
        for model_id, result in run.results().items()
    }
    ended_badly = (JobState.FAILED, JobState.CANCELLED)
    return Protocol(
        models=models,
        leaks=tuple(_made(LeakReport, fold["leaks"]) for fold in folds),
        left_out=tuple(_made(LeftOut, fold["left_out"]) for fold in folds),
        ordered_by_file=any(fold["ordered_by_file"] for fold in folds),
        without_result=tuple(titles[status.model_id] for status in run.statuses() if status.state in ended_badly),
    )


def settings_tried(run: Run) -> "Counter[str]":
    """Return with how many settings each algorithm was judged on this very test part, by all experiments stored."""
    part = read_json(run.path / SPEC)
    tried: set[str] = set()
    for spec in run.path.parent.glob(f"*/{SPEC}"):
        with suppress(StoreError):  # an experiment that cannot be read has judged nothing
            other = read_json(spec)
            if all(other.get(name) == part[name] for name in TEST_PART):
                tried |= {result.parent.name for result in (spec.parent / JOBS).glob(f"*/{RESULT}")}
    return Counter(model_id.rpartition("-")[0] for model_id in tried)


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
