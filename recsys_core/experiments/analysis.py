"""Analysis of a finished experiment: model comparison, protocol findings, and intervals of all metrics."""

from collections import Counter
from contextlib import suppress
from dataclasses import fields
from typing import Any, Literal

import pandas as pd

from recsys_core.columns import MODEL, USER
from recsys_core.data.leaks import LeakReport
from recsys_core.data.splits import LeftOut
from recsys_core.errors import DataError, StoreError
from recsys_core.evaluation.comparison import Comparison, compare, summarize
from recsys_core.evaluation.estimates import metric_columns
from recsys_core.evaluation.evaluate import N_LISTED, N_RATINGS
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.protocol import SEVERITIES, Finding, JudgedModel, Protocol, check_protocol
from recsys_core.experiments.artifacts import RESULT
from recsys_core.experiments.audience import Audience, audience
from recsys_core.experiments.budgets import unequal
from recsys_core.experiments.experiment import JOBS, SPEC, Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.leaderboard import model_titles
from recsys_core.experiments.list_findings import list_findings
from recsys_core.experiments.spec import BASELINES
from recsys_core.models.registry import is_stochastic, model_class
from recsys_core.storage.checksums import read_record
from recsys_core.text import _

MANY_TRIES = 5
"""Settings of one algorithm from which it counts as tuned on the test set: the best of five equal settings is expected
to be 1.16 standard errors above their mean (expected maximum of five standard normal variables)."""
COUNTED = (N_RATINGS, f"{N_RATINGS}:head", f"{N_RATINGS}:tail")
TEST_PART = ("data", "split", "seed")
"""Fields of the spec that determine the test set."""


def users_of(run: Run) -> Audience:
    """Return the test users of the finished models, averaged over folds: those of the verdict, and the others."""
    return audience(run.per_user(), run.spec.users)


def compare_run(
    run: Run, metric: str | None = None, *, baseline: str | None = None, users: Audience | None = None
) -> Comparison:
    """Compare the finished models of an experiment that have a metric; its primary metric by default.

    The verdict covers the users that the experiment is about; see `Audience`. Metrics other than the primary one are
    exploratory.

    Args:
        run: The experiment.
        metric: The column compared.
        baseline: Id of the baseline model; popularity by default.
        users: Result of `users_of`, if already computed.

    Raises:
        DataError: No finished model has the metric, or the models have no common users.
    """
    metric = metric or run.spec.metric
    found = users or users_of(run)
    judged = {model: frames for model, frames in found.trainings.items() if metric in frames[0]}
    if not judged:
        raise DataError(
            _("No finished model of '{run_name}' has the metric '{metric}'; choose another metric.").format(
                run_name=run.name, metric=metric
            )
        )
    titles = model_titles(run.entries)
    pinned = baseline if baseline in judged else None
    return compare(
        judged,
        metric=metric,
        seed=run.spec.seed,
        titles=titles,
        baseline=pinned,
        metrics=1 if metric == run.spec.metric else exploratory_metrics(found, run.spec.metric),
        varying=[
            model.id
            for model in run.spec.models
            if is_stochastic(model.key, model.config) and model.key not in BASELINES
        ],
        unequal=unequal(run.spec, {model: titles[model] for model in judged}),
    )


def exploratory_metrics(users: Audience, primary: str) -> int:
    """Return the number of metrics that can be viewed besides the primary one, for which their tests are corrected.

    It is fixed, whatever was viewed so far: a correction for the number viewed until now finds some difference between
    two equal models in 8 to 11 % of cases, this one in about 6 % (35 metrics of 200 to 943 users).
    """
    names = {name for frame in users.judged.values() for name in metric_columns(frame)}
    others = map(MetricName.parse, names - {primary})
    return max(1, sum(not name.part and name.info.direction != "neither" for name in others))


def without_history(run: Run, metric: str, users: Audience) -> pd.DataFrame:
    """Return the results on users without training history: as `Comparison.table`, with titles and list coverage.

    Returns:
        Columns `model`, `title`, `mean`, `low`, `high`, `users` (with a value) and `listed`, the share of these users
        with at least one recommendation (NaN in results of earlier versions); best first, empty without such users.
    """
    rows = []
    titles = model_titles(run.entries)
    for model, frame in users.without.items():
        if metric not in frame:
            continue
        found = summarize(frame[[column for column in frame if column in (USER, metric) or column in COUNTED]])[metric]
        listed = float((frame[N_LISTED] > 0).mean()) if N_LISTED in frame else float("nan")
        rows.append({MODEL: model, "title": titles[model], **found, "listed": listed})
    table = pd.DataFrame(rows, columns=[MODEL, "title", "mean", "low", "high", "users", "listed"])
    ascending = MetricName.parse(metric).info.direction == "lower"
    return table.sort_values("mean", ascending=ascending, kind="stable", ignore_index=True)


def findings(
    run: Run, users: Audience, *, metric: str | None = None, comparison: Comparison | None = None
) -> list[Finding]:
    """Return the protocol findings of the comparison of a run's finished models, refusals first.

    Args:
        run: The experiment.
        users: Its test users.
        metric: The column compared; the primary metric by default.
        comparison: Result of `compare` for them, None if it refused.
    """
    metric = metric or run.spec.metric
    judged = {model: frame for model, frame in users.judged.items() if metric in frame}
    found = check_protocol(judged, protocol_of(run, users), metric=metric, comparison=comparison)
    if uploaded := list_findings(run, model_titles(run.entries), metric):
        found = sorted([*found, *uploaded], key=lambda finding: SEVERITIES.index(finding.severity))
    return found


def protocol_of(run: Run, users: Audience | None = None) -> Protocol:
    """Return the protocol of an experiment, the input of `check_protocol`."""
    titles = model_titles(run.entries)
    report = run.split_report() or {}
    folds = report.get("folds", [])
    tries = settings_tried(run)
    models = {
        model_id: JudgedModel(
            title=titles[model_id],
            key=result.key,
            personal=model_class(result.key).info.personal,
            order=result.notes.get("order", "personal"),  # earlier versions did not always store it
            tuned_on=_tuned_on(run, model_id, tries[result.key]),
            given=model_class(result.key).info.lists_only,
            compares_ratings=result.config.get("similarity") in ("pearson", "adjusted_cosine"),
        )
        for model_id, result in run.results().items()
    }
    ended_badly = (JobState.FAILED, JobState.CANCELLED)
    return Protocol(
        models=models,
        leaks=tuple(_made(LeakReport, fold["leaks"]) for fold in folds),
        left_out=tuple(_made(LeftOut, fold["left_out"]) for fold in folds),
        ordered_by_file=any(fold["ordered_by_file"] for fold in folds),
        folds=run.spec.split.folds if run.spec.split.kind == "k_fold" else 1,
        windows=run.spec.split.windows if run.spec.split.kind == "global_time" else 1,
        users=users.users if users else 0,
        users_without_history=users.n_without if users else 0,
        about=run.spec.users,
        only_rating=report.get("only_rating"),
        relevant_from=run.spec.relevant_from,
        without_result=tuple(titles[status.model_id] for status in run.statuses() if status.state in ended_badly),
    )


def _tuned_on(run: Run, model_id: str, tries: int) -> Literal["nothing", "validation", "test"]:
    """Return the set on which the settings of a model were chosen."""
    tuned = run.spec.tuned.get(model_id)
    if tries >= MANY_TRIES or (tuned is not None and tuned.part == "test"):
        return "test"
    return "nothing" if tuned is None else "validation"


def settings_tried(run: Run) -> "Counter[str]":
    """Return the number of settings of each algorithm evaluated on this test set, over all stored experiments."""
    part = read_record(run.path / SPEC)
    tried: set[str] = set()
    for spec in run.path.parent.glob(f"*/{SPEC}"):
        with suppress(StoreError):  # unreadable experiments do not count
            other = read_record(spec)
            if all(other.get(name) == part[name] for name in TEST_PART):
                tried |= {result.parent.name for result in (spec.parent / JOBS).glob(f"*/{RESULT}")}
    return Counter(model_id.rpartition("-")[0] for model_id in tried)


def metric_intervals(run: Run, model_id: str, users: Audience) -> dict[str, dict[str, float | None]]:
    """Return `mean`, `low`, `high` and `users` of each metric of a finished model; None without a value.

    Per-user metrics cover the users of the verdict; per-model metrics cover all lists and have no interval.
    """
    result = run.result(model_id)
    frame = users.judged[model_id]
    found: dict[str, dict[str, float | None]] = {
        name: {part: _finite(value) for part, value in values.items()}
        for name, values in summarize(users.trainings[model_id]).items()
    }
    overall = {
        name: {"mean": value, "low": None, "high": None, "users": len(frame)} for name, value in result.overall.items()
    }
    return found | overall


def intervals_without_history(run: Run, model_id: str, users: Audience) -> dict[str, dict[str, float | None]]:
    """Return the intervals of the per-user metrics over users without training history; empty without such users."""
    if model_id not in users.without:
        return {}
    summary = summarize(users.without[model_id])
    return {name: {part: _finite(value) for part, value in values.items()} for name, values in summary.items()}


def _finite(value: float) -> float | None:
    return value if value == value else None  # noqa: PLR0124 - NaN is the only value that differs from itself


def _made(kind: type[Any], values: dict[str, Any]) -> Any:
    """Return an instance of a class from stored fields, ignoring unknown ones."""
    known = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in known})
