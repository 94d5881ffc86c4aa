"""What each figure of a comparison shows, in one sentence with its numbers."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from recsys_core.columns import MODEL
from recsys_core.evaluation.sentences import Sentence, Template, listed, percent, rounded
from recsys_core.viz.compare import TITLE, pareto_front

ONLY_BASELINE = Template("Only {baseline} has been trained: {metric} {mean}.")
NONE_BETTER = Template("No model is significantly better than {baseline} ({metric} {mean}).")
BETTER = Template(
    "{count} of {others} models is significantly better than {baseline} ({metric} {mean}): {models}.",
    "{count} of {others} models are significantly better than {baseline} ({metric} {mean}): {models}.",
)
NONE_HIGHER = Template("No model is significantly higher than {baseline} ({metric} {mean}).")
HIGHER = Template(
    "{count} of {others} models is significantly higher than {baseline} ({metric} {mean}): {models}.",
    "{count} of {others} models are significantly higher than {baseline} ({metric} {mean}): {models}.",
)
NO_PRECISION = Template("Precision and recall are undefined: nobody liked any test item.")
LONGER_LISTS = Template(
    "{model}: with lists of {short}, {short_precision} of what is shown is liked and {short_recall} of what a person "
    "likes is found; with lists of {long} it is {long_precision} and {long_recall}."
)
FRONT = Template(
    "For {count} of {all} models nothing else is both faster to train and better on {metric}: {models}.",
    "For {count} of {all} models nothing else is both faster to train and better on {metric}: {models}.",
)
LETTERS = Template("Models that share a letter under 'Tied' do not differ significantly (95 %, Holm).")
WITHOUT_HISTORY = Template(
    "The verdict and the leaderboard leave these users out: nothing is known about them before the test, so a model "
    "can only recommend what it would recommend to anybody, or nothing at all."
)
MAYBE_ZERO = Template(
    "~ marks a difference whose 95 % interval holds zero. With this number of cells some intervals miss zero by "
    "chance; for all users together the letters of the leaderboard decide."
)
WITHOUT_VALUE = Template("{models} has no {metric}.", "{count} models have no {metric}: {models}.")
NO_SLICES = Template("There is nothing to compare with {baseline}.")
EVERYBODY_ONLY = Template("{model} differs from {baseline} by {difference} on {metric}.")
SLICES = Template(
    "{model} against {baseline}: the difference in {metric} is largest for {most} ({largest}) and smallest for {least} "
    "({smallest})."
)


def dots(
    table: pd.DataFrame, *, metric: str, baseline: str, better: Collection[str], more_is_no_merit: bool = False
) -> Sentence:
    """Say which models are better than the baseline.

    Args:
        table: Columns `model`, `title`, `mean`, `low`, `high`.
        metric: Name of the metric as people read it.
        baseline: The pinned baseline, one of the models.
        better: The models that `Comparison.better_than` names for it; intervals alone would be another rule.
        more_is_no_merit: The metric is neither good nor bad, such as popularity: models with more are no better.
    """
    base = table[table[MODEL] == baseline].iloc[0]
    others = table[table[MODEL] != baseline]
    found = others[others[MODEL].isin(better)]
    values = {"baseline": base[TITLE], "metric": metric, "mean": rounded(base["mean"], base["low"], base["high"])}
    if others.empty:
        return ONLY_BASELINE.fill(**values)
    none, some = (NONE_HIGHER, HIGHER) if more_is_no_merit else (NONE_BETTER, BETTER)
    if found.empty:
        return none.fill(**values)
    return some.fill(len(found), others=str(len(others)), models=listed(found[TITLE]), **values)


def without_value(models: Collection[str], *, metric: str) -> Sentence:
    """Say which models (titles, at least one) cannot be judged by a metric."""
    return WITHOUT_VALUE.fill(len(models), models=listed(models), metric=metric)


def precision_recall(table: pd.DataFrame, *, title: str) -> Sentence:
    """Say what longer lists bring and cost for one model.

    Args:
        table: Columns `title`, `k`, `precision`, `recall`.
        title: The model.
    """
    rows = table[table[TITLE] == title].sort_values("k").to_dict("records")
    if not rows:
        return NO_PRECISION.fill()
    ends = {"short": rows[0], "long": rows[-1]}
    values = {name: str(row["k"]) for name, row in ends.items()}
    values |= {f"{name}_{key}": percent(row[key]) for name, row in ends.items() for key in ("precision", "recall")}
    return LONGER_LISTS.fill(model=title, **values)


def quality_against_time(table: pd.DataFrame, *, metric: str, higher_is_better: bool = True) -> Sentence:
    """Say which models no other one beats on both quality and time, fastest first.

    Args:
        table: Columns `title`, `seconds`, `mean`, `low`, `high`.
        metric: Name of the metric as people read it.
        higher_is_better: Which values of the metric are better.
    """
    rows = table.sort_values("seconds", kind="stable")
    means = rows["mean"].to_numpy(np.float64)
    front = rows[pareto_front(rows["seconds"].to_numpy(np.float64), means if higher_is_better else -means)]
    named = [
        f"{row[TITLE]} ({max(row['seconds'], 0.001):.2g} s, {rounded(row['mean'], row['low'], row['high'])})"
        for row in front.to_dict("records")
    ]
    return FRONT.fill(len(front), all=str(len(rows)), metric=metric, models=listed(named))


def slices(table: pd.DataFrame, *, baseline: str, metric: str) -> Sentence:
    """Say where the model that gains most over the baseline gains most and least.

    Args:
        table: Columns `title`, `slice`, `difference`, with the slice of everybody first.
        baseline: Title of the model that differences are taken to.
        metric: Name of the metric as people read it.
    """
    known = table.dropna(subset=["difference"])
    first = table["slice"].iloc[0] if len(table) else ""
    everybody = known[known["slice"] == first].sort_values("difference", ascending=False, kind="stable")
    if everybody.empty:
        return NO_SLICES.fill(baseline=baseline)
    title = everybody[TITLE].iloc[0]
    parts = known[(known[TITLE] == title) & (known["slice"] != first)].sort_values("difference", kind="stable")
    values = {"model": title, "baseline": baseline, "metric": metric}
    if parts.empty:
        return EVERYBODY_ONLY.fill(difference=f"{everybody['difference'].iloc[0]:+.3f}", **values)
    least, most = parts.iloc[0], parts.iloc[-1]
    return SLICES.fill(
        most=str(most["slice"]),
        largest=f"{most['difference']:+.3f}",
        least=str(least["slice"]),
        smallest=f"{least['difference']:+.3f}",
        **values,
    )
