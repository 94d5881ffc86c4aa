"""The results of a run as files: its comparison as one self-contained HTML page, and all numbers as CSV files."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from recsys_core.columns import MODEL
from recsys_core.evaluation.comparison import Comparison
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.sentences import interval_text, metric_text, rounded
from recsys_core.evaluation.slices import border_text, slice_differences, user_slices
from recsys_core.experiments import leaderboard
from recsys_core.experiments.analysis import compare_run, findings, users_of, without_history
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.held_out_users import evaluated_users
from recsys_core.experiments.leaderboard import FAMILY, TITLE, Contender, metric_title
from recsys_core.experiments.question_text import question_sentences
from recsys_core.storage.files import write_text
from recsys_core.text import Sentence, Template, _, later, percent
from recsys_core.viz import compare as figures
from recsys_core.viz import compare_sentences as sentences
from recsys_core.viz.export import csv_bytes
from recsys_core.viz.report_html import ReportContent, ReportFigure, report_html

SLICES = {
    "all": (later("All"), later("all users")),
    "new": (later("Short history"), later("users with a short history")),
    "active": (later("Long history"), later("users with a long history")),
    "mainstream": (later("Mainstream"), later("users of mainstream taste")),
    "niche": (later("Niche"), later("users of niche taste")),
    "head": (later("Head"), later("popular items (head)")),
    "tail": (later("Tail"), later("rare items (tail)")),
}
"""Slice key -> its name in a figure and in a sentence."""
SLICES_EXPLAINED = Template(
    "Users with a short history have at most {border} item in it, the others more. Mainstream users have more popular "
    "items in their history than the median user, niche users less popular ones. The head consists of the most "
    "popular items with 80% of all interactions, the tail of the others.",
    "Users with a short history have at most {border} items in it, the others more. Mainstream users have more popular "
    "items in their history than the median user, niche users less popular ones. The head consists of the most "
    "popular items with 80% of all interactions, the tail of the others.",
)


@dataclass(frozen=True)
class Cover:
    """What its author adds to a report: a title of their own, a name, and a note in paragraphs; all may be empty."""

    title: str = ""
    author: str = ""
    note: str = ""


def write_report(
    run: Run, path: Path, *, metric: str | None = None, baseline: str | None = None, cover: Cover | None = None
) -> Path:
    """Write the report of a run's finished models in one step.

    Args:
        run: At least one of its models has finished.
        path: The HTML file.
        metric: Metric of the comparison; NDCG at the run's list length by default.
        baseline: Id of the baseline; popularity by default.
        cover: Title, author and note.

    Raises:
        StoreError: The file cannot be written, or a file of the run is missing.
        DataError: No model has finished, or no user can be compared.
    """
    write_text(path, report_html(report_content(run, metric=metric, baseline=baseline, cover=cover)))
    return path


def report_content(
    run: Run, *, metric: str | None = None, baseline: str | None = None, cover: Cover | None = None
) -> ReportContent:
    """Return the content of the report of a run; see `write_report`."""
    cover = cover or Cover()
    metric = metric or run.spec.metric
    users = users_of(run)
    models = leaderboard.contenders(run, users)
    judged = {model: frame for model, frame in users.judged.items() if metric in frame}
    comparison = compare_run(run, metric, baseline=baseline, users=users)
    table = leaderboard.leaderboard(models, comparison)
    found = findings(run, users, metric=metric, comparison=comparison)
    return ReportContent(
        title=cover.title.strip() or _("Comparison: {name}").format(name=run.name),
        context=_context(run, comparison),
        verdict=[str(sentence) for sentence in comparison.verdict],
        findings=[(finding.severity, finding.message) for finding in found],
        leaderboard=_leaderboard(table, metric, models, run.spec.k),
        costs=_costs(table, models, run.spec.k),
        without_history=_without_history(without_history(run, metric, users), metric),
        figures=_figures(run, models, judged, comparison, table),
        settings=_settings(run),
        models={model.title: json.dumps(model.result.config, indent=1) for model in models},
        environment=_environment(run, models),
        question=[str(sentence) for sentence in question_sentences(run.spec)],
        author=cover.author.strip(),
        note=cover.note,
    )


def slice_table(
    run: Run, models: tuple[Contender, ...], per_user: Mapping[str, pd.DataFrame], *, metric: str, baseline: str
) -> pd.DataFrame:
    """Return differences to a baseline by groups of users and items.

    Returns:
        Columns `model`, `title`, `key`, `group` (short name) and `slice` (name in a sentence), `difference`, `low`,
        `high`, `users`.
    """
    users = {
        "all": None,
        **{part.key: part.users for part in user_slices(evaluated_users(run))},
        "head": None,
        "tail": None,
    }
    names = {key: f"{metric}:{key}" if key in ("head", "tail") else metric for key in users}
    found = slice_differences(per_user, users, metrics=names, baseline=baseline).rename(columns={"slice": "key"})
    titles = {model.id: model.title for model in models}
    return found.assign(
        title=found["model"].map(titles),
        group=found["key"].map({key: _(short) for key, (short, _name) in SLICES.items()}),
        slice=found["key"].map({key: _(name) for key, (_short, name) in SLICES.items()}),
    )


def slices_explained(run: Run) -> Sentence:
    """Return the definition of the slices."""
    new = next(part for part in user_slices(evaluated_users(run)) if part.key == "new")
    border = border_text(new.border)
    return SLICES_EXPLAINED.fill(1 if border == "1" else 2, border=border)


def _figures(
    run: Run,
    models: tuple[Contender, ...],
    per_user: Mapping[str, pd.DataFrame],
    comparison: Comparison,
    table: pd.DataFrame,
) -> list[ReportFigure]:
    name = metric_title(comparison.metric)
    direction = MetricName.parse(comparison.metric).info.direction
    better = direction != "lower"
    curves = leaderboard.precision_recall(models, run.spec.cutoffs)
    costs = table.assign(seconds=table["fit_seconds"]).dropna(subset=["seconds"])  # lists have none
    shown = [
        ReportFigure(
            _("Quality against time"),
            str(sentences.quality_against_time(costs, metric=name, higher_is_better=better)),
            figures.quality_against_time(costs, metric=name, higher_is_better=better),
        ),
        ReportFigure(
            _("Precision against recall"),
            str(sentences.precision_recall(curves, title=str(table[TITLE].iloc[0]))),
            figures.precision_recall(curves),
        ),
    ]
    if comparison.baseline is None:
        return shown
    row = table[table["model"] == comparison.baseline].iloc[0]
    dots = ReportFigure(
        _("Metric with 95% intervals"),
        str(
            sentences.dots(
                table,
                metric=name,
                baseline=comparison.baseline,
                better=comparison.better_than(comparison.baseline),
                more_is_no_merit=direction == "neither",
            )
        ),
        figures.dots_with_intervals(table, metric=name, baseline=float(row["mean"])),
    )
    return [dots, *shown, *_for_whom(run, models, per_user, comparison, str(row[TITLE]))]


def _for_whom(
    run: Run,
    models: tuple[Contender, ...],
    per_user: Mapping[str, pd.DataFrame],
    comparison: Comparison,
    baseline: str,
) -> list[ReportFigure]:
    """Return the figure of differences by slice; empty without any."""
    name = metric_title(comparison.metric)
    parts = slice_table(run, models, per_user, metric=comparison.metric, baseline=comparison.baseline or "")
    if parts.empty:
        return []
    better = MetricName.parse(comparison.metric).info.direction != "lower"
    said = sentences.slices(parts, baseline=baseline, metric=name, higher_is_better=better)
    sentence = f"{said} {slices_explained(run)} {sentences.MAYBE_ZERO.fill()}"
    return [
        ReportFigure(
            _("Differences by user and item group"),
            sentence,
            figures.slice_differences(parts, metric=name, baseline=baseline),
        )
    ]


def _leaderboard(table: pd.DataFrame, metric: str, models: tuple[Contender, ...], k: int) -> pd.DataFrame:
    """Return the compared metric and the other accuracy metrics as text, rounded to the precision of the interval."""
    shown = _with_intervals(table, metric)
    shown.insert(1, _("Tied"), table["tied"])
    if leaderboard.TUNING in table:
        shown.insert(1, _("Tuning"), table[leaderboard.TUNING])
    for name in leaderboard.leading_metrics(models, k):
        if name != metric and MetricName.parse(name).info.kind == "accuracy":
            shown[metric_title(name)] = _metrics(table[name])
    return shown


def _without_history(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the results on users without training history as text; no rows without such users."""
    shown = _with_intervals(table, metric)
    shown[_("Users")] = [f"{users:,}" for users in table["users"]]
    shown[_("Users with recommendations")] = ["" if pd.isna(share) else percent(share) for share in table["listed"]]
    return shown


def _with_intervals(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return models with their mean and interval as text."""
    rows = table[["mean", "low", "high"]].to_dict("records")
    means = [rounded(row["mean"], row["low"], row["high"]) for row in rows]
    intervals = [interval_text(row["low"], row["high"]) for row in rows]
    return pd.DataFrame({_("Model"): table[TITLE], metric_title(metric): means, _("95% interval"): intervals})


def _costs(table: pd.DataFrame, models: tuple[Contender, ...], k: int) -> pd.DataFrame:
    """Return beyond-accuracy metrics, times and memory as text."""
    shown = pd.DataFrame({_("Model"): table[TITLE], _("Family"): table[FAMILY].map(_)})
    for name in leaderboard.leading_metrics(models, k):
        if MetricName.parse(name).info.kind != "accuracy":
            shown[MetricName.parse(name).title] = _metrics(table[name])
    shown[_("Training time, s")] = _numbers(table["fit_seconds"], 2)
    shown[_("Recommendation time, s")] = _numbers(table["recommend_seconds"], 2)
    shown[_("Memory, MiB")] = _numbers(table["peak_memory_bytes"] / 2**20, 0)
    return shown


def _metrics(column: "pd.Series[float]") -> list[str]:
    """Return metrics as text, as on the leaderboard of the page; empty for NaN."""
    return ["" if pd.isna(value) else metric_text(value) for value in column]


def _numbers(column: "pd.Series[float]", decimals: int) -> list[str]:
    """Return numbers as text, empty for NaN."""
    return ["" if pd.isna(value) else f"{value:,.{decimals}f}" for value in column]


def _context(run: Run, comparison: Comparison) -> str:
    return _("{data}; {users} users compared; {date}; experiment {id}").format(
        data=run.data_name,
        users=f"{len(comparison.users):,}",
        date=f"{run.created:%Y-%m-%d %H:%M}",
        id=run.id,
    )


def _settings(run: Run) -> dict[str, object]:
    values: dict[str, Any] = run.spec.model_dump(mode="json", exclude={"models", "split"})
    split = run.spec.split.model_dump(mode="json", exclude_none=True)
    return {
        _("experiment"): run.id,
        _("data set"): run.data_name,
        **{f"split: {key}": split[key] for key in split},
        **values,
    }


def _environment(run: Run, models: tuple[Contender, ...]) -> dict[str, object]:
    found = run.environment(models[0].id)
    packages = found.pop("packages", {})
    found.pop("host", None)
    return {**found, **packages}


def run_archive(run: Run, comparison: Comparison) -> bytes:
    """Return a zip file of CSV tables and the spec (JSON).

    The tables: leaderboard, pairwise tests, per-user values, results on users without training history, settings,
    protocol findings.

    Args:
        run: At least one of its models has finished.
        comparison: Comparison of these models by one metric.
    """
    users = users_of(run)
    models = leaderboard.contenders(run, users)
    groups = {"with": users.judged, "without": users.without}
    if users.no_user_has_history:
        groups = {"without": users.judged}
    joined = pd.concat(
        [frame.assign(model=model, history=group) for group, part in groups.items() for model, frame in part.items()],
        ignore_index=True,
    )
    found = findings(run, users, metric=comparison.metric, comparison=comparison)
    tables = {
        "leaderboard.csv": leaderboard.leaderboard(models, comparison),
        "pairs.csv": comparison.pairs,
        "per_user.csv": joined[[MODEL, *(name for name in joined.columns if name != MODEL)]],
        "without_history.csv": without_history(run, comparison.metric, users),
        "settings.csv": leaderboard.settings_of(models),
        "protocol.csv": pd.DataFrame(
            [finding.to_json() for finding in found], columns=["severity", "rule", "count", "message"]
        ),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, frame in tables.items():
            archive.writestr(name, csv_bytes(frame))
        archive.writestr("spec.json", run.spec.model_dump_json(indent=1))
    return packed.getvalue()
