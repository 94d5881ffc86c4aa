"""What each figure of a comparison shows, in one sentence with its numbers."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from recsys_core.evaluation.sentences import Sentence, Template, percent, rounded
from recsys_core.viz.compare import TITLE, pareto_front

ONLY_BASELINE = Template("Only {baseline} has been trained: {metric} {mean}.")
NONE_BETTER = Template("No model is better than {baseline} ({metric} {mean}) with its whole interval.")
BETTER = Template(
    "{count} of {others} models is better than {baseline} ({metric} {mean}) with its whole interval: {models}.",
    "{count} of {others} models are better than {baseline} ({metric} {mean}) with their whole interval: {models}.",
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
NO_SLICES = Template("There is nothing to compare with {baseline}.")
EVERYBODY_ONLY = Template("{model} differs from {baseline} by {difference} on {metric}.")
SLICES = Template(
    "{model} against {baseline}: the difference in {metric} is largest for {most} ({largest}) and smallest for {least} "
    "({smallest})."
)


def dots(table: pd.DataFrame, *, metric: str, baseline: str, higher_is_better: bool = True) -> Sentence:
    """Say which models lie beyond the baseline with their whole interval.

    Args:
        table: Columns `title`, `mean`, `low`, `high`.
        metric: Name of the metric as people read it.
        baseline: Title of the pinned baseline, one of the rows.
        higher_is_better: Which side of the baseline is better.
    """
    base = table[table[TITLE] == baseline].iloc[0]
    others = table[table[TITLE] != baseline]
    better = others[others["low"] > base["high"]] if higher_is_better else others[others["high"] < base["low"]]
    values = {"baseline": baseline, "metric": metric, "mean": rounded(base["mean"], base["low"], base["high"])}
    if others.empty:
        return ONLY_BASELINE.fill(**values)
    if better.empty:
        return NONE_BETTER.fill(**values)
    return BETTER.fill(len(better), others=str(len(others)), models=_listed(better[TITLE]), **values)


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
    return FRONT.fill(len(front), all=str(len(rows)), metric=metric, models=_listed(named))


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


def _listed(names: Iterable[object]) -> str:
    words = [str(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
