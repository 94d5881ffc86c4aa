"""Result tables of a finished experiment for pages, reports and figures; nothing is trained here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from recsys_core.columns import MODEL
from recsys_core.configs import choice_name, field_specs
from recsys_core.evaluation.comparison import Comparison
from recsys_core.evaluation.metric_info import METRICS, MetricName
from recsys_core.evaluation.sentences import interval_text
from recsys_core.experiments.artifacts import JobResult
from recsys_core.experiments.audience import Audience, audience, pooled
from recsys_core.experiments.budgets import tuning_words
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.spec import ModelSpec
from recsys_core.models.external import LIST
from recsys_core.models.registry import model_class
from recsys_core.text import _

TITLE, FAMILY, TUNING = "title", "family", "tuning"
COSTS = ("fit_seconds", "recommend_seconds", "peak_memory_bytes")
"""Fields of a result."""
LEADING = ("ndcg", "recall", "precision", "hit_rate", "mrr", "coverage", "novelty", "rmse")
"""Default metrics of the leaderboard; cells of metrics that a model does not have are empty."""


@dataclass(frozen=True)
class Contender:
    """A finished model of an experiment.

    Args:
        id: Id of its job.
        key: Its algorithm.
        title: Display name; includes the settings in which models of the same algorithm differ.
        family: Family of the algorithm.
        result: Its stored result.
        metrics: Mean of each metric over the users that the verdict covers; see `Audience`.
        tuning: Its tuning budget in words, "unknown" for an uploaded list; empty if no model is tuned.
    """

    id: str
    key: str
    title: str
    family: str
    result: JobResult
    metrics: Mapping[str, float | None]
    tuning: str = ""


def contenders(run: Run, users: Audience | None = None) -> tuple[Contender, ...]:
    """Return the finished models of an experiment, in the order of its spec.

    Args:
        run: The experiment.
        users: Its test users, if already loaded.
    """
    titles = model_titles(run.entries)
    judged = (users or audience(run.per_user(), run.spec.users)).judged
    families = {model.key: model_class(model.key).info.family for model in run.entries}
    tuned = tuning_words(run.spec)
    return tuple(
        Contender(
            model_id,
            result.key,
            titles[model_id],
            families[result.key],
            result,
            pooled(judged[model_id]),
            tuned.get(model_id, _("unknown") if tuned else ""),
        )
        for model_id, result in run.results().items()
        if model_id in judged  # more jobs may have finished meanwhile
    )


def model_titles(models: Iterable[ModelSpec]) -> dict[str, str]:
    """Return a title for each job, including the settings in which models of the same algorithm differ."""
    models = tuple(models)
    titles = {}
    for model in models:
        title = _title_of(model)
        if model.key == LIST:
            titles[model.id] = _with_settings(title, _("uploaded list"))
            continue
        twins = [other for other in models if other.key == model.key]
        differing = [name for name in model.config if len({str(twin.config.get(name)) for twin in twins}) > 1]
        labels = {spec.name: _in_sentence(_(spec.label)) for spec in field_specs(model_class(model.key).config_type)}
        settings = ", ".join(f"{labels.get(name, name)} {_shown(model.config[name])}" for name in differing)
        titles[model.id] = _with_settings(title, settings) if settings else title
    return titles


def _title_of(model: ModelSpec) -> str:
    kind = model_class(model.key)
    title = kind.title_of(kind.config_type.parse(model.config)) if kind.info.lists_only else kind.info.title
    return title if model.key == LIST else _(title)


def _in_sentence(label: str) -> str:
    """Return a label without its capital, unless that is part of an abbreviation or a name (`gBCE`, `L2`)."""
    return label[:1].lower() + label[1:] if label[1:2].islower() or label[1:2] == " " else label


def _with_settings(title: str, settings: str) -> str:
    """Append the settings in parentheses, merged into those at the end of the title if there are any."""
    return f"{title[:-1]}; {settings})" if title.endswith(")") else f"{title} ({settings})"


def metric_names(models: Sequence[Contender]) -> list[str]:
    """Return the metrics over all items (no head or tail) that at least one model has, in the order of `METRICS`."""
    found = {name for model in models for name, value in _numbers(model).items() if value is not None}
    parsed = [MetricName.parse(name) for name in found]
    order = list(METRICS)
    return [str(name) for name in sorted(parsed, key=lambda one: (order.index(one.key), one.k or 0)) if not name.part]


def leading_metrics(models: Sequence[Contender], k: int) -> list[str]:
    """Return the default metrics of a leaderboard at cut-off `k`."""
    wanted = [str(MetricName(key, k if METRICS[key].at_cutoff else None)) for key in LEADING]
    present = set(metric_names(models))
    return [name for name in wanted if name in present]


def metric_title(name: str) -> str:
    """Return the display name of a metric, with its unit if it has one."""
    metric = MetricName.parse(name)
    return f"{metric.title} ({_(metric.info.unit)})" if metric.info.unit else metric.title


def leaderboard(models: Sequence[Contender], comparison: Comparison) -> pd.DataFrame:
    """Return one row per model, best first: the compared metric with its interval, costs, and all other metrics.

    Args:
        models: The finished models.
        comparison: Comparison of these models by one metric.

    Returns:
        Columns `model`, `title`, `family`, `tied` (letters: models that share one do not differ significantly), `mean`,
        `low`, `high`, `users`, `fit_seconds`, `recommend_seconds`, `peak_memory_bytes`, then all metrics by name; if a
        model is tuned, also `tuning`, the budget of each model in words.
    """
    by_id = {model.id: model for model in models}
    names = metric_names(models)
    rows = []
    for row in comparison.table.to_dict("records"):
        model = by_id[row[MODEL]]
        rows.append(
            {MODEL: model.id, TITLE: model.title, FAMILY: model.family, "tied": row["letters"]}
            | {name: row[name] for name in ("mean", "low", "high", "users")}
            | {name: getattr(model.result, name) for name in COSTS}
            | ({TUNING: model.tuning} if model.tuning else {})
            | {name: _numbers(model).get(name) for name in names}
        )
    return pd.DataFrame(rows).astype(dict.fromkeys(names, "float64")).copy()  # `astype` makes a block of each column


def precision_recall(models: Sequence[Contender], cutoffs: Sequence[int]) -> pd.DataFrame:
    """Return `title`, `family`, `k`, `precision` and `recall`, one row per model and cut-off."""
    rows = [
        {
            TITLE: model.title,
            FAMILY: model.family,
            "k": k,
            "precision": model.metrics.get(f"precision@{k}"),
            "recall": model.metrics.get(f"recall@{k}"),
        }
        for model in models
        for k in cutoffs
    ]
    return pd.DataFrame(rows).dropna()


def settings_of(models: Sequence[Contender]) -> pd.DataFrame:
    """Return `title`, `setting` and `value`, one row per model and setting."""
    rows = [
        {TITLE: model.title, "setting": name, "value": str(value)}
        for model in models
        for name, value in model.result.config.items()
    ]
    return pd.DataFrame(rows, columns=[TITLE, "setting", "value"])


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else _(choice_name(value))


def _numbers(model: Contender) -> Mapping[str, float | None]:
    """Return all metrics of a model: means over users, and per-model metrics."""
    known = {**model.metrics, **model.result.overall}
    return {name: value for name, value in known.items() if name.partition("@")[0].partition(":")[0] in METRICS}


def shown_board(
    board: pd.DataFrame, metric: str, others: Sequence[str], *, baseline: str, differences: bool = False
) -> pd.DataFrame:
    """Return a leaderboard for display, with the baseline marked, intervals as text, and memory in MiB.

    Args:
        board: Result of `leaderboard`.
        metric: The compared metric; its values are those of the comparison.
        others: Further metrics to show.
        baseline: Id of the pinned model.
        differences: Show metrics as differences to the baseline.
    """
    frame = board[["model", TITLE, "tied", "users", "fit_seconds", "recommend_seconds"]].copy()
    frame[TITLE] = board[TITLE].where(board[MODEL] != baseline, board[TITLE] + " " + _("(baseline)"))
    frame[metric] = board["mean"]
    frame["interval"] = [interval_text(low, high) for low, high in zip(board["low"], board["high"], strict=True)]
    frame["memory"] = board["peak_memory_bytes"] / 2**20
    frame = pd.concat([frame, board[[*others, *([TUNING] if TUNING in board else [])]]], axis=1)
    if differences:
        shown = [metric, *others]
        base = frame.loc[board[MODEL] == baseline, shown]
        frame[shown] = frame[shown] - base.iloc[0] if len(base) else frame[shown]
        frame["interval"] = ""
    return frame.drop(columns="model")
