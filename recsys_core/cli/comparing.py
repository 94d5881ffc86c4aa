"""`compare`: train models on one split in this process and compare them with confidence intervals and tests."""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from recsys_core.cli.arguments import parse_columns, parse_weights, positive
from recsys_core.cli.lists import NamedList, judge_lists, label, read_lists
from recsys_core.cli.output import make_folder
from recsys_core.cli.pricing import price, price_stored, require_priceable
from recsys_core.cli.settings import settings_by_model
from recsys_core.cli.sources import Sources, is_file
from recsys_core.columns import MODEL, USER_ID
from recsys_core.configs import problems
from recsys_core.data.dataset import Dataset
from recsys_core.data.split_spec import SplitSpec
from recsys_core.engine.settings import usable_cores
from recsys_core.errors import ConfigError, DataError, StoreError
from recsys_core.evaluation.comparison import Comparison
from recsys_core.evaluation.estimates import metric_columns
from recsys_core.evaluation.evaluate import N_HISTORY
from recsys_core.evaluation.sentences import interval_text, rounded
from recsys_core.experiments import analysis
from recsys_core.experiments.audience import Audience, by_training, mean_of_trainings, one_row_a_user
from recsys_core.experiments.budgets import tuning_words
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.jobs import JobState, JobStatus
from recsys_core.experiments.leaderboard import COSTS
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.experiments.suggestion import suggest
from recsys_core.experiments.thresholds import threshold_refusal
from recsys_core.storage.files import write_json, written_aside
from recsys_core.storage.processes import own_mark
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.files import read_strategy
from recsys_core.text import _, percent

LOOK_SECONDS = 0.5
ALL_EVENTS = ("all",)
"""Value of `--target` for all interactions."""


def compare(arguments: argparse.Namespace) -> int:
    """Train and evaluate; write `results.json` and `per_user.parquet`, and print the leaderboard.

    With a strategy, its price tags on each requested model follow. With a stored experiment, nothing is trained.

    Experiments on stored data and samples are stored in the workspace, where the pages show them; experiments on files
    are not.

    Returns:
        0 if at least one requested model has a comparable result and every list is judged, else 1.

    Raises:
        RecscopeError: An argument or a file is invalid.
    """
    if arguments.run is not None:
        return price_stored(arguments)
    if missing := [name for name in ("data", "models", "out") if getattr(arguments, name) is None]:
        names = ", ".join(f"--{name}" for name in missing)
        raise ConfigError(_("The following arguments are required: {names}. See --help.").format(names=names))
    strategy = read_strategy(arguments.strategy) if arguments.strategy is not None else None
    if strategy is None and (arguments.exposure_of or arguments.value or arguments.price):
        raise ConfigError(_("--exposure-of, --value and --price need --strategy."))
    lists = read_lists(arguments.list)
    sources = Sources(parse_columns(arguments.columns))
    dataset = sources.open(arguments.data)
    spec, reasons = experiment_spec(arguments, dataset, sources)
    sources.refuse_idle_columns()
    if reason := threshold_refusal(dataset, spec.relevant_from):
        raise ConfigError(_("--relevant-from: {reason}").format(reason=reason))
    spec.task.check(dataset)
    if strategy is not None:
        require_priceable(strategy, dataset, arguments)
    make_folder(arguments.out)
    say_reasons(reasons)
    if is_file(arguments.data):
        with tempfile.TemporaryDirectory(prefix="recscope-run-") as folder:
            return train_and_report(ResultStore(folder), spec, dataset.name, sources, arguments, strategy, lists)
    from recsys_core.data.workspace import default_workspace

    workspace = default_workspace()
    if all(card.fingerprint != dataset.fingerprint for card in workspace.datasets()):
        workspace.store(dataset)  # a sample: the pages need it with its experiment
    return train_and_report(ResultStore(workspace.root), spec, dataset.name, sources, arguments, strategy, lists)


def train_and_report(
    store: ResultStore,
    spec: ExperimentSpec,
    data_name: str,
    sources: Sources,
    arguments: argparse.Namespace,
    strategy: Strategy | None = None,
    lists: Sequence[NamedList] = (),
) -> int:
    """Train and evaluate the models of an experiment, write the results, and print the leaderboard.

    Args:
        store: Where the experiment is stored.
        spec: The experiment.
        data_name: Name of its data.
        sources: Opens its data.
        arguments: `models` and `out`; with a strategy, those of its prices.
        strategy: Its price tags follow.
        lists: Uploaded lists that compete.

    Returns:
        0 if at least one requested model has a comparable result and every list is judged, else 1.
    """
    run = store.create(spec, data_name, owner=own_mark())
    try:
        statuses = [_finish(store, run, model_id, sources) for model_id in run.model_ids]
    except (KeyboardInterrupt, StoreError):
        _cancel_waiting(run)
        raise
    for status in statuses:
        if status.state is not JobState.DONE:
            reason = status.reason or "no reason given."
            sys.stderr.write(f"recscope: {status.key} {status.state.value}: {reason}\n")
    refused = judge_lists(run, lists, sources) if run.finished() else []
    for reason in refused:
        sys.stderr.write(f"recscope: {' '.join(reason.split())}\n")
    users = analysis.users_of(run)
    comparison = _comparison(run, users)
    write_json(arguments.out / "results.json", results(run, statuses, comparison, users))
    _write_per_user(run, arguments.out / "per_user.parquet")
    sys.stdout.write(leaderboard(run, comparison, users))
    asked = {key.strip() for key in arguments.models.split(",")}
    done = [one.model_id for one in statuses if one.state is JobState.DONE and one.key in asked]
    if strategy is not None:
        price(run, done, strategy, sources, arguments)
    return 0 if done and comparison is not None and not refused else 1


def _cancel_waiting(run: Run) -> None:
    """Cancel the queued jobs of this process; finished jobs and those of other processes stay unchanged."""
    for model_id in run.model_ids:
        status = run.status(model_id)
        if status.state is JobState.QUEUED and status.process == own_mark():
            with suppress(StoreError):  # disk full: readers will see that this process has ended
                run.job(model_id).ask_to_cancel()


def _finish(store: ResultStore, run: Run, model_id: str, sources: Sources) -> JobStatus:
    """Run a job in this process, or wait for the process that is already running it."""
    status = execute(store, run.id, model_id, sources, usable_cores())
    while status.is_live:
        time.sleep(LOOK_SECONDS)
        status = execute(store, run.id, model_id, sources, usable_cores())
    return status


def experiment_spec(
    arguments: argparse.Namespace, dataset: Dataset, sources: Sources
) -> tuple[ExperimentSpec, tuple[str, ...]]:
    """Return the experiment that the arguments describe, and the reasons of what the data suggest.

    Raises:
        ConfigError: An argument is invalid.
    """
    keys = [key.strip() for key in arguments.models.split(",") if key.strip()]
    if not keys or len(set(keys)) < len(keys):
        raise ConfigError(
            _("--models '{models}': name each model once, separated by commas.").format(models=arguments.models)
        )
    settings = settings_by_model(keys, arguments.set)
    question = _question(arguments, dataset)
    split = question.split
    if split.test_data:
        split = split.model_copy(update={"test_data": sources.open(split.test_data).fingerprint})
    windows = ("windows", "window_training", "gap_days")
    if split.kind != "global_time" and any(getattr(arguments, name) != getattr(split, name) for name in windows):
        raise ConfigError(_("--windows, --window-training and --gap-days need --split global_time."))
    values = {
        "data": dataset.fingerprint,
        "split": split.model_dump()
        | {"validation_fraction": arguments.validation}
        | {name: getattr(arguments, name) for name in windows},
        "models": [{"key": key, "config": config} for key, config in settings.items()],
        "k": positive(arguments.k, "--k"),
        "relevant_from": arguments.relevant_from,
        "train_on": arguments.train_on,
        "seed": arguments.seed,
        "target": question.target,
        "learn_from": question.learn_from,
        "users": arguments.users.replace("-", "_"),
        "primary": arguments.primary,
        "fallback": arguments.fallback.replace("-", "_"),
        "seeds": arguments.seeds,
    }
    try:
        spec = ExperimentSpec.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{problems(error)}.") from error
    return spec, question.reasons


def say_reasons(reasons: Sequence[str]) -> None:
    """Print reasons on standard error, one per line; called once nothing is refused, so that an error is one line."""
    for reason in reasons:
        sys.stderr.write(f"recscope: {reason}\n")


@dataclass(frozen=True)
class _Question:
    """Split, target events, events to learn from with their weights, and the reasons for what was not asked for."""

    split: SplitSpec
    target: tuple[str, ...]
    learn_from: Mapping[str, float]
    reasons: tuple[str, ...] = ()


def _question(arguments: argparse.Namespace, dataset: Dataset) -> _Question:
    """Return what the options say; where they say nothing, what the data suggest, with the reason."""
    target = tuple(event.strip() for event in arguments.target.split(",") if event.strip())
    learn_from = parse_weights(arguments.learn_from, "--learn-from")
    split = SplitSpec.parse(arguments.split) if arguments.split else None
    if (target and split is not None) or not dataset.n_interactions:
        return _Question(split or SplitSpec(), () if target == ALL_EVENTS else target, learn_from)
    suggestion, reasons = suggest(dataset), []
    if not target:
        target = suggestion.task.target
        learn_from = learn_from or dict(suggestion.task.learn_from)
        if suggestion.why_task is not None:
            reasons.append(f"{suggestion.why_task} --target chooses others.")
    if split is None:
        split = SplitSpec(kind=suggestion.split)
        reasons.append(f"{suggestion.why_split} --split chooses another split.")
    return _Question(split, () if target == ALL_EVENTS else target, learn_from, tuple(reasons))


def _comparison(run: Run, users: Audience) -> Comparison | None:
    try:
        return analysis.compare_run(run, users=users)
    except DataError as error:
        if run.finished():  # else the models have said why
            sys.stderr.write(f"recscope: {error}\n")
        return None


def results(run: Run, statuses: list[JobStatus], comparison: Comparison | None, users: Audience) -> dict[str, Any]:
    """Return the content of `results.json`: `models`, `ties`, `users`, `protocol`, `spec`, `split` and the verdict."""
    keys = {status.model_id: status.key for status in statuses} | {one: label(run, one) for one in run.uploaded()}
    return {
        "models": [_model(run, status, users) for status in statuses],
        "lists": [{"name": label(run, one), **_result(run, one, users)} for one in run.uploaded()],
        "users": {
            "test": users.users,
            "with_history": users.users - users.n_without,
            "without_history": users.n_without,
            "judged": _judged(users),
        },
        "ties": [[keys[model] for model in group] for group in comparison.ties] if comparison else [],
        "protocol": [finding.to_json() for finding in analysis.findings(run, users, comparison=comparison)],
        "verdict": [str(sentence) for sentence in comparison.verdict] if comparison else [],
        "spec": run.spec.model_dump(mode="json"),
        "split": run.split_report(),
    }


def _judged(users: Audience) -> str:
    """Return which test users the verdict covers: those that the experiment is about, or all if there are none."""
    if users.about == "all" and 0 < users.n_without < users.users:
        return "all"
    alone = users.about == "without_history" and users.n_without > 0
    return "without history" if alone or users.no_user_has_history else "with history"


def _model(run: Run, status: JobStatus, users: Audience) -> dict[str, Any]:
    found: dict[str, Any] = {
        "key": status.key,
        "config": run.model_spec(status.model_id).config,
        "state": status.state.value,
        "reason": status.reason,
        **dict.fromkeys(COSTS),
        "metrics": {},
        "metrics_without_history": {},
    }
    if status.state is JobState.DONE:
        result = run.result(status.model_id)
        found |= {name: None if math.isnan(cost := getattr(result, name)) else cost for name in COSTS}
        found |= _result(run, status.model_id, users)
    return found


def _result(run: Run, model_id: str, users: Audience) -> dict[str, Any]:
    return {
        "metrics": analysis.metric_intervals(run, model_id, users),
        "metrics_without_history": analysis.intervals_without_history(run, model_id, users),
    }


def _write_per_user(run: Run, path: Path) -> None:
    """Write `model`, `user_id`, `n_history` and one column per metric, with one row per user and model."""
    tables = []
    for model_id, rows in run.per_user().items():
        frame = mean_of_trainings([one_row_a_user(part) for part in by_training(rows)])
        counted = [name for name in (N_HISTORY,) if name in frame]
        table = frame[[USER_ID, *counted, *metric_columns(frame)]].copy()
        table.insert(0, MODEL, label(run, model_id))
        tables.append(table)
    whole = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[MODEL, USER_ID])
    with written_aside(path) as aside:
        whole.to_parquet(aside, index=False)


def leaderboard(run: Run, comparison: Comparison | None, users: Audience) -> str:
    """Return the leaderboard as a text table, best first, followed by the verdict and users without history."""
    found = analysis.findings(run, users, comparison=comparison)
    remarks = [f"{finding.severity}: {finding.message}" for finding in found]
    if comparison is None:
        return "\n".join(["There is nothing to compare.", *remarks]) + "\n"
    tuned = tuning_words(run.spec)
    head = f"{'model':<14}{comparison.metric:>10}  {'95% interval':<20}{'tied':<6}{'users':>7}{'fit, s':>9}"
    lines = [f"{head}  tuning" if tuned else head]
    for row in comparison.table.to_dict("records"):
        low, high = float(row["low"]), float(row["high"])
        interval = interval_text(low, high)
        key = label(run, str(row[MODEL]))
        seconds = run.result(str(row[MODEL])).fit_seconds
        mean = rounded(float(row["mean"]), low, high)
        line = f"{key:<14}{mean:>10}  {interval:<20}{row['letters']:<6}{row['users']:>7}{_shown(seconds):>9}"
        lines.append(f"{line}  {tuned.get(str(row[MODEL]), 'unknown')}" if tuned else line)
    verdict = [str(sentence) for sentence in comparison.verdict]
    return "\n".join([*lines, "", *verdict, "", *remarks, *_without_history(run, comparison.metric, users)]) + "\n"


def _shown(seconds: float) -> str:
    return "?" if math.isnan(seconds) else f"{seconds:.2f}"


def _without_history(run: Run, metric: str, users: Audience) -> list[str]:
    """Return the table of users without training history; empty if there are none."""
    table = analysis.without_history(run, metric, users)
    if table.empty:
        return []
    lines = ["", "Users without training history, excluded from the verdict:"]
    lines.append(f"{'model':<14}{metric:>10}  {'95% interval':<20}{'users':>7}  with a list")
    for row in table.to_dict("records"):
        low, high, listed = (float(row[name]) for name in ("low", "high", "listed"))
        mean = rounded(float(row["mean"]), low, high)
        share = "?" if listed != listed else percent(listed)  # noqa: PLR0124 - NaN is the only such value
        key = label(run, str(row[MODEL]))
        lines.append(f"{key:<14}{mean:>10}  {interval_text(low, high):<20}{row['users']:>7}  {share}")
    return lines
