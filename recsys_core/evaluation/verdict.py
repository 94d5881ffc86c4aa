"""The verdict of a comparison as sentences, with numbers rounded to what the intervals support."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from recsys_core.columns import MODEL
from recsys_core.evaluation import sentences
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.sentences import about, at_least, decimals_for, first_decimal, interval_text, rounded
from recsys_core.text import Sentence, Template, whole

MOST_USERS = 10_000_000
"""Above this the number of users needed is given as a lower bound."""
NOISE = 0.3
"""Above this uncorrected p-value an observed difference is treated as noise: it is no basis for a number of users."""
FEWEST_USERS = 6
"""With fewer users no sign-flip test is significant at 5%, so nothing is stated about power and selection."""
NAMED_TIES = 3
"""Models tied with the leader that get a sentence each; the others share one."""


@dataclass(frozen=True)
class Pair:
    """Two models, the better one first: a row of `Comparison.pairs`."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    different: bool
    users_needed: float
    users_at_best: float
    detectable: float
    identical: bool


@dataclass(frozen=True)
class Scope:
    """What a verdict covers.

    Args:
        confidence: Confidence level of the intervals; 1 minus the significance level of the tests.
        users: Number of users compared.
        metrics: Number of exploratory metrics for which the tests are corrected; 1 for the primary metric.
        one_training: Whether a model whose trainings vary was trained once only.
        unequal: Titles of the models that were not tuned like the others; with any, no model is called best.
    """

    confidence: float = 0.95
    users: int = 0
    metrics: int = 1
    one_training: bool = False
    unequal: tuple[str, ...] = ()


def verdict_of(
    name: MetricName,
    table: pd.DataFrame,
    pairs: pd.DataFrame,
    baseline: str | None,
    titles: Mapping[str, str],
    scope: Scope,
) -> tuple[Sentence, ...]:
    """State the leader, the models not significantly different from it, the next best, and the gain over the baseline.

    With unequal tuning no sentence calls a model best or the leader.

    Args:
        name: The metric.
        table: As in `Comparison`, best model first.
        pairs: As in `Comparison`, with model names.
        baseline: Name of the baseline among the models, None if there is none.
        titles: Model -> name in sentences.
        scope: What the verdict covers.
    """
    level = level_text(scope.confidence)
    rows = table.to_dict("records")
    leader = rows[0]
    low, high = leader["low"], leader["high"]
    values = {"model": titles.get(leader[MODEL], leader[MODEL]), "metric": name.title}
    values |= {"mean": rounded(leader["mean"], low, high), "interval": interval_text(low, high)}
    if len(rows) == 1:
        return (sentences.ONLY_ONE.fill(**values),)
    everything = [Pair(*row) for row in pairs.itertuples(index=False, name=None)]
    of_leader = [pair for pair in everything if pair.first == leader[MODEL]]
    tied = [pair for pair in of_leader if not pair.different]
    alike = [titles.get(pair.second, pair.second) for pair in tied if pair.difference == 0]
    values["models"] = sentences.listed([values["model"], *alike])
    verdict = [_opening(name, scope, several=bool(alike)).fill(**values)]
    verdict += _ties([pair for pair in tied if pair.difference], titles, level, scope.users)
    if scope.users >= FEWEST_USERS and not all(pair.identical for pair in tied):
        selected = sentences.FIRST_OF_TIED if scope.unequal else sentences.SELECTED
        verdict.append(selected.fill(len(tied) + 1, model=values["model"]))
    runner_up = of_leader[0]
    if runner_up.different and not _is_baseline(runner_up.second, baseline):
        behind = titles.get(runner_up.second, runner_up.second)
        verdict.append(sentences.NEXT_BEST.fill(model=behind, **_difference(runner_up)))
    if baseline is not None and name.info.direction != "neither":
        verdict += _over_baseline(leader[MODEL], tied, everything, baseline, titles, level)
    if scope.unequal:
        verdict.append(sentences.UNEQUAL_BUDGETS.fill(len(scope.unequal), models=sentences.listed(scope.unequal)))
    if scope.metrics > 1:
        verdict.append(sentences.EXPLORATORY.fill(scope.metrics))
    if scope.one_training:
        verdict.append(sentences.ONE_TRAINING.fill())
    return tuple(verdict)


def _opening(name: MetricName, scope: Scope, *, several: bool) -> Template:
    """Return the sentence about the first model, or about several with exactly the same mean: none of them leads."""
    if name.info.direction == "neither":
        return sentences.SAME_HIGHEST if several else sentences.HIGHEST
    if several:
        return sentences.SAME_FIRST
    return sentences.RANKS_FIRST if scope.unequal else sentences.LEADS


def level_text(confidence: float) -> str:
    """Format the confidence level for sentences: `95%`."""
    return f"{100 * confidence:g}%"


def _is_baseline(model: str, baseline: str | None) -> bool:
    """Return whether this model is the baseline or random; across experiments, ids begin with the experiment."""
    return model == baseline or model.rpartition("/")[2].startswith("random")


def _ties(pairs: list[Pair], titles: Mapping[str, str], level: str, users: int) -> list[Sentence]:
    """State which models do not differ significantly from the leader: a sentence each, and one for the rest."""
    said = [_tie(pair, titles, level, users) for pair in pairs[:NAMED_TIES]]
    if more := [titles.get(pair.second, pair.second) for pair in pairs[NAMED_TIES:]]:
        said.append(sentences.TIED_MORE.fill(len(more), models=sentences.listed(more)))
    return said


def _tie(pair: Pair, titles: Mapping[str, str], level: str, users: int) -> Sentence:
    """State a difference that is not significant, and which true differences would have been detected."""
    values = {"model": titles.get(pair.second, pair.second), "level": level, "users": whole(users)}
    if pair.identical or not math.isfinite(pair.detectable) or pair.detectable == 0 or users < FEWEST_USERS:
        return sentences.TIED_PLAIN.fill(**values)
    far = max(abs(pair.low), abs(pair.high))
    decimals = max(decimals_for(pair.low, pair.high), first_decimal(pair.detectable))
    if pair.p > NOISE or not (math.isfinite(far) and math.isfinite(pair.users_at_best)):
        return sentences.TIED_NOISE.fill(detectable=f"{pair.detectable:.{decimals}f}", **values)
    observed = abs(pair.difference)
    decimals = max(decimals, first_decimal(observed))  # no number of users is needed for a difference that reads as 0
    values |= {"observed": f"{observed:.{decimals}f}", "upper": f"{far:.{decimals}f}"}
    values["fewest"] = about(pair.users_at_best)
    if pair.users_needed > MOST_USERS:
        return sentences.TIED_FAR.fill(**values)
    return sentences.TIED.fill(needed=about(pair.users_needed), **values)


def _difference(pair: Pair) -> dict[str, str]:
    """Format a significant difference and its interval as positive numbers, the smaller end first."""
    difference = abs(pair.difference)
    decimals = max(decimals_for(pair.low, pair.high), first_decimal(difference))
    low, high = sorted((abs(pair.low), abs(pair.high)))
    return {"difference": f"{difference:.{decimals}f}", "interval": interval_text(low, high, decimals)}


def _over_baseline(
    leader: str, tied: list[Pair], pairs: list[Pair], baseline: str, titles: Mapping[str, str], level: str
) -> list[Sentence]:
    """State what the leading models gain over the baseline, or that no model beats it."""
    base, title = titles.get(baseline, baseline), titles.get(leader, leader)
    leading = [leader, *(pair.second for pair in tied)]
    gains = [pair for pair in pairs if pair.second == baseline and pair.different]
    if baseline in leading:
        if better := [titles.get(pair.first, pair.first) for pair in gains]:
            names = sentences.listed(better)
            values = {"models": names, "first": title, "baseline": base, "level": level}
            return [sentences.OTHERS_BEAT_BASELINE.fill(len(better), **values)]
        return [sentences.NOTHING_BEATS_BASELINE.fill(baseline=base, level=level)]
    gains = [pair for pair in gains if pair.first in leading]
    lowest = min(gains, key=lambda pair: min(abs(pair.low), abs(pair.high)), default=None)
    bound = min(abs(lowest.low), abs(lowest.high)) if lowest else 0.0
    if lowest and len(gains) == len(leading) > 1 and 0 < bound < math.inf:
        low = at_least(bound, decimals_for(lowest.low, lowest.high))
        template = sentences.BOTH_BEAT_BASELINE if len(gains) == 2 else sentences.ALL_BEAT_BASELINE
        return [template.fill(len(gains), leader=title, baseline=base, low=low, level=level)]
    template = sentences.BEATS_BASELINE
    return [template.fill(leader=title, baseline=base, **_difference(pair)) for pair in gains if pair.first == leader]
