"""The verdict of a comparison in sentences, each with its numbers, rounded to what the intervals support."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from recsys_core.columns import MODEL
from recsys_core.evaluation import sentences
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.sentences import Sentence, about, decimals_for, rounded

MOST_USERS = 10_000_000
"""Above so many users the number needed is not worth naming."""
NAMED_TIES = 3
"""Of so many models of the leading group each has a sentence of its own; the others share one."""


@dataclass(frozen=True)
class Pair:
    """Two models, the better one first; the fields are the columns of `Comparison.pairs`."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    different: bool
    users_needed: float


def verdict_of(
    name: MetricName, table: pd.DataFrame, pairs: pd.DataFrame, baseline: str | None, titles: Mapping[str, str]
) -> tuple[Sentence, ...]:
    """Say who leads, who cannot be told apart from it, who is next, and what is gained over the baseline.

    Args:
        name: The metric.
        table: As in `Comparison`, best model first.
        pairs: As in `Comparison`, with names of models.
        baseline: Name of the baseline among the models, None if there is none.
        titles: Model -> name in sentences.
    """
    rows = table.to_dict("records")
    leader = rows[0]
    low, high = leader["low"], leader["high"]
    values = {"model": titles.get(leader[MODEL], leader[MODEL]), "metric": name.title}
    values |= {key: rounded(leader[key], low, high) for key in ("mean", "low", "high")}
    if len(rows) == 1:
        return (sentences.ONLY_ONE.fill(**values),)
    opening = sentences.HIGHEST if name.info.direction == "neither" else sentences.LEADS
    everything = [Pair(*row) for row in pairs.itertuples(index=False, name=None)]
    of_leader = [pair for pair in everything if pair.first == leader[MODEL]]
    tied = [pair for pair in of_leader if not pair.different]
    said = [opening.fill(**values)]
    said += [_tie(pair, titles) for pair in tied[:NAMED_TIES]]
    if more := [titles.get(pair.second, pair.second) for pair in tied[NAMED_TIES:]]:
        said.append(sentences.TIED_MORE.fill(len(more), models=sentences.listed(more)))
    runner_up = of_leader[0]
    if runner_up.different and not _is_floor(runner_up.second, baseline):
        behind = titles.get(runner_up.second, runner_up.second)
        said.append(sentences.NEXT_BEST.fill(model=behind, **_difference(runner_up)))
    if baseline is not None and name.info.direction != "neither":
        said += _over_baseline(leader[MODEL], tied, everything, baseline, titles)
    return tuple(said)


def _is_floor(model: str, baseline: str | None) -> bool:
    """Return whether being better than this model says nothing."""
    return model == baseline or model.startswith("random")


def _tie(pair: Pair, titles: Mapping[str, str]) -> Sentence:
    model = titles.get(pair.second, pair.second)
    if math.isinf(pair.users_needed):
        if pair.difference == 0:
            return sentences.TIED_ALIKE.fill(model=model)
        mixed = pair.p_holm < 0.5  # only then the tests found something, on two sides
        return (sentences.TIED_MIXED if mixed else sentences.TIED_PLAIN).fill(model=model)
    if pair.users_needed > MOST_USERS:
        return sentences.TIED_FAR.fill(model=model, needed=about(MOST_USERS))
    return sentences.TIED.fill(model=model, needed=about(pair.users_needed))


def _difference(pair: Pair) -> dict[str, str]:
    """Return the size of a difference and its interval, as positive numbers, the smaller one first."""
    decimals = decimals_for(pair.low, pair.high)
    low, high = sorted((abs(pair.low), abs(pair.high)))
    size = {"difference": abs(pair.difference), "low": low, "high": high}
    return {key: f"{value:.{decimals}f}" for key, value in size.items()}


def _over_baseline(
    leader: str, tied: list[Pair], pairs: list[Pair], baseline: str, titles: Mapping[str, str]
) -> list[Sentence]:
    """Say what the leading models gain over the baseline, or that nothing beats it."""
    base = titles.get(baseline, baseline)
    leading = [leader, *(pair.second for pair in tied)]
    if baseline in leading:
        return [sentences.NOTHING_BEATS_BASELINE.fill(baseline=base)]
    gains = [pair for pair in pairs if pair.second == baseline and pair.first in leading and pair.different]
    if len(gains) == len(leading) > 1:
        smallest = min(gains, key=lambda pair: abs(pair.difference))
        gain = _difference(smallest)["difference"]
        said = sentences.BOTH_BEAT_BASELINE if len(gains) == 2 else sentences.ALL_BEAT_BASELINE
        return [said.fill(len(gains), baseline=base, difference=gain)]
    return [sentences.BEATS_BASELINE.fill(baseline=base, **_difference(pair)) for pair in gains if pair.first == leader]
