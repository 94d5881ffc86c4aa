"""One sentence per figure of a comparison that states the finding with its numbers."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from recsys_core.columns import MODEL
from recsys_core.evaluation.sentences import decimals_for, interval_text, listed, rounded, signed
from recsys_core.text import Sentence, Template, percent
from recsys_core.viz.compare import LEAST_SECONDS, TITLE, pareto_front

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
NO_PRECISION = Template("Precision and recall are undefined: no user has a relevant test item.")
LONGER_LISTS = Template(
    "{model}: at k = {short}, precision is {short_precision} and recall {short_recall}; at k = {long}, precision is "
    "{long_precision} and recall {long_recall}."
)
FRONT = Template(
    "{count} of {all} models is on the Pareto front of training time and {metric}: {models}.",
    "{count} of {all} models are on the Pareto front of training time and {metric}: {models}.",
)
LETTERS = Template("Models that share a letter under 'Tied' do not differ significantly (95%, sign-flip test, Holm).")
WITHOUT_HISTORY = Template(
    "The verdict and the leaderboard exclude these users: they have no training interactions, so a model can only "
    "give non-personalized recommendations, or none."
)
MAYBE_ZERO = Template(
    "~ marks a difference whose 95% interval contains zero, or that has no interval. The intervals are not corrected "
    "for the number of cells, so some exclude zero by chance; over all users, the letters of the leaderboard apply."
)
WITHOUT_VALUE = Template("{models} has no {metric}.", "{count} models have no {metric}: {models}.")
NO_SLICES = Template("No other model can be compared with {baseline}.")
EVERYBODY_ONLY = Template("{model} against {baseline}: the difference in {metric} is {difference}.")
SLICES = Template(
    "{model} against {baseline}: the difference in {metric} is largest for {most}, {largest}, and smallest for "
    "{least}, {smallest}. Whether the groups differ from each other is not tested."
)
SAME_IN_SLICES = Template(
    "{model} against {baseline}: the difference in {metric} is {difference}, the same in all groups."
)
WITH_INTERVAL = Template("{difference} (95% interval {interval})")
WITHOUT_INTERVAL = Template("{difference} (no interval)")


def dots(
    table: pd.DataFrame, *, metric: str, baseline: str, better: Collection[str], more_is_no_merit: bool = False
) -> Sentence:
    """State which models are significantly better than the baseline.

    Args:
        table: Columns `model`, `title`, `mean`, `low`, `high`.
        metric: Display name of the metric.
        baseline: Id of the pinned baseline, one of the models.
        better: Result of `Comparison.better_than` for the baseline; comparing intervals would be a different test.
        more_is_no_merit: The metric has no better direction, such as popularity: models are 'higher', not 'better'.
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
    """State which models (titles, at least one) have no value of a metric."""
    return WITHOUT_VALUE.fill(len(models), models=listed(models), metric=metric)


def precision_recall(table: pd.DataFrame, *, title: str) -> Sentence:
    """State precision and recall of one model at the smallest and the largest list length.

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
    """State which models are on the Pareto front of quality and time, fastest first.

    Args:
        table: Columns `title`, `seconds`, `mean`, `low`, `high`.
        metric: Display name of the metric.
        higher_is_better: Whether larger values of the metric are better.
    """
    rows = table.assign(seconds=table["seconds"].clip(lower=LEAST_SECONDS)).sort_values("seconds", kind="stable")
    means = rows["mean"].to_numpy(np.float64)
    front = rows[pareto_front(rows["seconds"].to_numpy(np.float64), means if higher_is_better else -means)]
    named = [
        f"{row[TITLE]} ({_time(row['seconds'])} s, {rounded(row['mean'], row['low'], row['high'])})"
        for row in front.to_dict("records")
    ]
    return FRONT.fill(len(front), all=str(len(rows)), metric=metric, models=listed(named))


def slices(table: pd.DataFrame, *, baseline: str, metric: str, higher_is_better: bool = True) -> Sentence:
    """State in which slices the model with the largest gain over the baseline differs most and least from it.

    Args:
        table: Columns `title`, `slice`, `difference`, `low`, `high`, with the slice of all users first.
        baseline: Title of the baseline.
        metric: Display name of the metric.
        higher_is_better: Whether larger values of the metric are better.
    """
    known = table.dropna(subset=["difference"])
    first = table["slice"].iloc[0] if len(table) else ""
    everybody = known[known["slice"] == first].sort_values("difference", ascending=not higher_is_better, kind="stable")
    if everybody.empty:
        return NO_SLICES.fill(baseline=baseline)
    title = everybody[TITLE].iloc[0]
    parts = known[(known[TITLE] == title) & (known["slice"] != first)].sort_values("difference", kind="stable")
    values = {"model": title, "baseline": baseline, "metric": metric}
    if len(parts) < 2:  # nothing to compare: all users are in the only group, or no group has a value
        return EVERYBODY_ONLY.fill(difference=_with_interval(everybody.iloc[0]), **values)
    least, most = parts.iloc[0], parts.iloc[-1]
    if least["difference"] == most["difference"] == everybody["difference"].iloc[0]:
        return SAME_IN_SLICES.fill(difference=_with_interval(everybody.iloc[0]), **values)
    return SLICES.fill(
        most=str(most["slice"]),
        largest=_with_interval(most),
        least=str(least["slice"]),
        smallest=_with_interval(least),
        **values,
    )


def _time(seconds: float) -> str:
    """Format seconds with two significant digits, or all of the whole part: 0.0012; 1.3; 130; 4,210."""
    return f"{seconds:,.0f}" if seconds >= 99.5 else f"{seconds:.2g}"


def _with_interval(row: "pd.Series") -> Sentence:
    low, high = float(row["low"]), float(row["high"])
    difference = signed(float(row["difference"]), decimals_for(low, high))
    template = WITH_INTERVAL if np.isfinite([low, high]).all() else WITHOUT_INTERVAL
    return template.fill(difference=difference, interval=interval_text(low, high))
