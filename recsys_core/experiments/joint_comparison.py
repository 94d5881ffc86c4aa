"""Compare models of several experiments, where their data, split and target are the same.

Results are comparable if every model was evaluated on the same test interactions with the same relevance. The stored
test interactions decide that, not the settings: another version can draw others from the same settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from recsys_core.errors import DataError, StoreError
from recsys_core.evaluation.comparison import Comparison, compare
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.sentences import interval_text
from recsys_core.experiments.analysis import exploratory_metrics, users_of
from recsys_core.experiments.artifacts import load_table
from recsys_core.experiments.audience import Audience
from recsys_core.experiments.budgets import unequal_terms
from recsys_core.experiments.experiment import SPLIT, Run
from recsys_core.experiments.held_out_users import HELD_OUT
from recsys_core.experiments.leaderboard import contenders, metric_names, model_titles
from recsys_core.experiments.spec import BASELINES
from recsys_core.experiments.titles import split_text
from recsys_core.models.registry import is_stochastic
from recsys_core.text import Sentence, Template, _, later, percent

BLOCKING = {
    "data": later("Data set"),
    "split": later("Train/test split"),
    "seed": later("Seed of the split"),
    "relevant_from": later("Relevance threshold"),
    "target": later("Target events"),
    "users": later("Test users that the verdict is about"),
    "test": later("Test interactions"),
}
"""Titles of what must be equal; differences in the others are conditions of the verdict."""
CONDITIONS = {
    "validation": later("Validation share"),
    "learn_from": later("Events to learn from"),
    "train_on": later("Training interactions"),
    "fallback": later("Fallback"),
    "versions": later("Recscope version"),
}
USERS_TITLES = {
    "with_history": later("with history"),
    "without_history": later("without history"),
    "all": later("all users"),
}
OTHER_METRIC = Template(
    "The experiments have different primary metrics, so this comparison is exploratory: its tests are corrected for "
    "{metrics} metrics."
)
SAME_MODEL = Template(
    "{count} model has identical results in several experiments and is listed once.",
    "{count} models have identical results in several experiments and are listed once each.",
)


@dataclass(frozen=True)
class Contrast:
    """A setting that differs between experiments.

    Args:
        name: Key of `BLOCKING` or `CONDITIONS`.
        values: Its value in each experiment, in their order.
    """

    name: str
    values: tuple[str, ...]

    @property
    def title(self) -> str:
        """Display name of the setting."""
        return _((BLOCKING | CONDITIONS)[self.name])


@dataclass(frozen=True)
class Comparability:
    """Whether experiments can be compared.

    Args:
        differences: What makes their results incomparable; empty if they can be compared.
        conditions: Differences in how the models were trained, which the reader of a verdict must know.
    """

    differences: tuple[Contrast, ...]
    conditions: tuple[Contrast, ...]

    @property
    def allowed(self) -> bool:
        """Whether a common verdict is possible."""
        return not self.differences


@dataclass(frozen=True, eq=False)
class JointComparison:
    """Comparison of the models of several experiments.

    Args:
        comparison: The comparison, paired by user; its models are named `<experiment id>/<model id>`.
        titles: Title of each model, with the name of its experiment where titles would be equal.
        models: Title of each model.
        runs: Name of the experiment of each model.
        notes: Sentences about the comparison.
    """

    comparison: Comparison
    titles: Mapping[str, str]
    models: Mapping[str, str]
    runs: Mapping[str, str]
    notes: tuple[Sentence, ...]


def comparability(runs: Sequence[Run]) -> Comparability:
    """Return what differs between experiments.

    Raises:
        StoreError: A file of an experiment is damaged.
    """
    facts = [_facts(run) for run in runs]
    found = {name: tuple(fact[name] for fact in facts) for name in facts[0]}
    contrasts = [Contrast(name, values) for name, values in found.items() if len(set(values)) > 1]
    blocking = [one for one in contrasts if one.name in BLOCKING and one.name != "seed"]
    same_test = _same_test_interactions(runs) if not blocking else None
    if same_test is None or not same_test:
        blocking += [one for one in contrasts if one.name == "seed"]
    if same_test is False and not blocking:
        blocking = [Contrast("test", tuple(_test_size(run) for run in runs))]
    return Comparability(tuple(blocking), tuple(one for one in contrasts if one.name in CONDITIONS))


def compare_jointly(runs: Sequence[Run], metric: str | None = None) -> JointComparison:
    """Compare all finished models of several experiments on their common users.

    Args:
        runs: The experiments; `comparability` must allow it.
        metric: The column compared; by default the primary metric of the first experiment.

    Raises:
        DataError: They cannot be compared, or no model has the metric.
        StoreError: A file of an experiment is damaged.
    """
    if different := comparability(runs).differences:
        listed = ", ".join(one.title for one in different)
        raise DataError(_("These experiments cannot be compared, since they differ in: {what}.").format(what=listed))
    metric = metric or runs[0].spec.metric
    audiences = {run.id: users_of(run) for run in runs}
    chosen, repeated = _distinct_models(runs, audiences, metric)
    if not chosen:
        raise DataError(_("No finished model of these experiments has the metric {metric}.").format(metric=metric))
    titles, models = _titles(runs, chosen)
    primaries = {run.spec.metric for run in runs}
    metrics = 1 if primaries == {metric} else exploratory_metrics(audiences[runs[0].id], runs[0].spec.metric)
    trainings = {key: audiences[run.id].trainings[model] for key, (run, model) in chosen.items()}
    comparison = compare(
        trainings,
        metric=metric,
        seed=runs[0].spec.seed,
        titles=titles,
        baseline=next((key for key, (_run, model) in chosen.items() if model.startswith("popular-")), None),
        metrics=metrics,
        varying=[key for key, (run, model) in chosen.items() if _varies(run, model)],
        unequal=unequal_terms({key: (run.spec, model) for key, (run, model) in chosen.items()}, titles),
    )
    notes = [OTHER_METRIC.fill(metrics=str(metrics))] if len(primaries) > 1 else []
    notes += [SAME_MODEL.fill(repeated)] if repeated else []
    return JointComparison(
        comparison, titles, models, {key: run.name for key, (run, _model) in chosen.items()}, tuple(notes)
    )


def common_metrics(runs: Sequence[Run]) -> list[str]:
    """Return the primary metrics of experiments, then the other metrics that all of them rank models by."""
    primary = list(dict.fromkeys(run.spec.metric for run in runs))
    of_runs = [metric_names(contenders(run)) for run in runs]
    common = [name for name in of_runs[0] if all(name in names for names in of_runs)]
    ranked = [name for name in common if (info := MetricName.parse(name).info).per_user and info.direction != "neither"]
    return [*(name for name in primary if name in common), *(name for name in ranked if name not in primary)]


def _facts(run: Run) -> dict[str, str]:
    """Return the settings of an experiment that matter for a comparison, as text."""
    spec = run.spec
    versions = {str(run.environment(model).get("recscope", _("unknown"))) for model in run.finished()}
    return {
        "data": f"{run.data_name} ({spec.data[:8]})",
        "split": split_text(spec.split),
        "seed": str(spec.seed),
        "relevant_from": _("none") if spec.relevant_from is None else f"{spec.relevant_from:g}",
        "target": ", ".join(sorted(spec.target)) or _("all"),
        "users": _(USERS_TITLES[spec.users]),
        "validation": percent(spec.split.validation_fraction),
        "learn_from": ", ".join(f"{name} {weight:g}" for name, weight in sorted(spec.learn_from.items())) or _("all"),
        "train_on": _("all interactions") if spec.train_on == "all" else _("relevant interactions only"),
        "fallback": spec.fallback.replace("_", " "),
        "versions": ", ".join(sorted(versions)) or _("unknown"),
    }


def _same_test_interactions(runs: Sequence[Run]) -> bool | None:
    """Return whether all experiments have the same test interactions; None if one has not stored them."""
    tables = []
    for run in runs:
        try:
            tables.append(load_table(run.path / HELD_OUT, SPLIT))
        except StoreError:
            return None
    order = list(tables[0].columns)
    first, *others = (table[order].sort_values(order, ignore_index=True) for table in tables)
    return all(first.equals(other) for other in others)


def _test_size(run: Run) -> str:
    folds = (run.split_report() or {}).get("folds", [])
    return f"{sum(fold['test'] for fold in folds):,}"


def _distinct_models(
    runs: Sequence[Run], audiences: Mapping[str, Audience], metric: str
) -> tuple[dict[str, tuple[Run, str]], int]:
    """Return the models with a metric, each result once, and the number of models left out for that reason."""
    chosen: dict[str, tuple[Run, str]] = {}
    repeated = set()
    for run in runs:
        for model, frame in audiences[run.id].judged.items():
            if metric not in frame:
                continue
            same = [one for one, name in chosen.values() if name == model]
            if any(_equal(audiences[one.id].judged[model], frame, metric) for one in same):
                repeated.add(model)
            else:
                chosen[f"{run.id}/{model}"] = run, model
    return chosen, len(repeated)


def _equal(first: pd.DataFrame, second: pd.DataFrame, metric: str) -> bool:
    columns = ["user", metric]
    return first[columns].reset_index(drop=True).equals(second[columns].reset_index(drop=True))


def _titles(runs: Sequence[Run], chosen: Mapping[str, tuple[Run, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """Return titles with the name of the experiment where two would be equal, and titles without it."""
    every = {model.id: model for run in runs for model in run.entries}
    plain = model_titles(every.values())
    counts = pd.Series([plain[model] for _run, model in chosen.values()]).value_counts()
    names = pd.Series([run.name for run in runs]).value_counts()
    titles = {}
    for key, (run, model) in chosen.items():
        name = run.name if names[run.name] == 1 else f"{run.name}, {run.created:%Y-%m-%d %H:%M}"
        titles[key] = plain[model] if counts[plain[model]] == 1 else f"{plain[model]} · {name}"
    return titles, {key: plain[model] for key, (_run, model) in chosen.items()}


def _varies(run: Run, model: str) -> bool:
    chosen = run.model_spec(model)
    return is_stochastic(chosen.key, chosen.config) and chosen.key not in BASELINES


def board(joint: JointComparison) -> pd.DataFrame:
    """Return one row per model, best first: `title`, `experiment`, `tied`, `mean`, `interval` (as text), `users`."""
    rows = joint.comparison.table
    return pd.DataFrame(
        {
            "title": rows["model"].map(dict(joint.models)),
            "experiment": rows["model"].map(dict(joint.runs)),
            "tied": rows["letters"],
            "mean": rows["mean"],
            "interval": [interval_text(low, high) for low, high in zip(rows["low"], rows["high"], strict=True)],
            "users": rows["users"],
        }
    )


def contrast_table(runs: Sequence[Run], contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """Return one row per experiment: its name and creation time, and its value of each setting that differs."""
    names = {_("Experiment"): [f"{run.name}, {run.created:%Y-%m-%d %H:%M}" for run in runs]}
    return pd.DataFrame(names | {one.title: list(one.values) for one in contrasts})
