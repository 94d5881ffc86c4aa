"""The decision card: promote, hold or reject a strategy, with the evidence in sentences.

- Reject: a guardrail is broken, or the goal moves the wrong way (its whole interval does).
- Promote: every guardrail is kept, and the whole interval of the goal's change lies beyond the smallest that counts.
- Hold: everything else. The data do not decide, and the evidence says what is open.

The evidence is from held-out interactions under earlier lists. It cannot show how users react to lists that they were
never shown, so 'promote' means: worth a test with users.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from recsys_core.contracts import FloatArray
from recsys_core.evaluation.list_metrics import ListMetrics
from recsys_core.evaluation.paired import Paired
from recsys_core.evaluation.sentences import about, decimals_for, interval_text, signed, significant
from recsys_core.evaluation.significance import Design
from recsys_core.evaluation.verdict import FEWEST_USERS, NOISE
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.guardrails import Guardrail, GuardrailCheck, check, full_name
from recsys_core.strategy.metric_titles import metric_title
from recsys_core.strategy.prices import Pricing, difference_of
from recsys_core.text import Sentence, Template, later, whole

Recommendation = Literal["promote", "hold", "reject"]
RECOMMENDATIONS = {"promote": later("Promote"), "hold": later("Hold"), "reject": later("Reject")}
PROMOTE = Template("Promote: the goal is reached and every guardrail is kept.")
PROMOTE_FREE = Template("Promote: the goal is reached. There is no guardrail.")
REJECT_RAIL = Template("Reject: a guardrail is broken.", "Reject: {count} guardrails are broken.")
REJECT_GOAL = Template("Reject: the goal moves the wrong way.")
HOLD_GOAL = Template("Hold: the goal is not reached on these data.")
HOLD_RAIL = Template(
    "Hold: these data do not decide whether a guardrail is kept.",
    "Hold: these data do not decide whether {count} guardrails are kept.",
)
NOTHING = Template("No card is on: the lists are the raw ones.")
CHANGE = Template("{metric} changes by {difference} ({interval}), from {before} to {after}, over {users} users.")
NO_INTERVAL = Template("{metric} changes by {difference}, from {before} to {after}; the change has no interval.")
ENOUGH = Template("The smallest change that counts is {least}.")
NEEDED = Template(
    "Detecting a change with 80% power takes about {fewest} to {needed} users, if the true change is between {upper}, "
    "the end of its interval, and the observed {observed}."
)
DETECTABLE = Template(
    "A true change of {detectable} would have been detected with 80% power, a smaller one less often."
)
SCOPE = Template(
    "The evidence is the held-out interactions of {count} test user ({relevant} with relevant items) under the lists "
    "shown then. How users react to the new lists takes a test with users.",
    "The evidence is the held-out interactions of {count} test users ({relevant} with relevant items) under the lists "
    "they were shown then. How users react to the new lists takes a test with users.",
)


class Goal(BaseModel):
    """What a strategy is meant to change."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    metric: str = "diversity"
    """A metric of price tags, with or without `@k`."""
    direction: Literal["raise", "lower"] = "raise"
    least: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """The smallest change that counts, in units of the metric."""


@dataclass(frozen=True)
class Decision:
    """A decision about a strategy.

    Args:
        recommendation: Promote, hold or reject.
        goal: The change of the goal's metric.
        checks: The guardrails.
        evidence: Sentences: the decision with its reason, the goal, each guardrail, and what the evidence covers.
    """

    recommendation: Recommendation
    goal: Paired
    checks: tuple[GuardrailCheck, ...]
    evidence: tuple[Sentence, ...]


def decide(
    pricing: Pricing,
    strategy: Strategy,
    goal: Goal,
    guardrails: Sequence[Guardrail] = (),
    confidence: float = 0.95,
) -> Decision:
    """Return the decision about a strategy.

    Args:
        pricing: Prices strategies over the candidates.
        strategy: The strategy.
        goal: What it is meant to change.
        guardrails: What it must not break.
        confidence: Nominal coverage of every interval.

    Raises:
        ConfigError: A metric is missing, or a card does not fit the data.
    """
    before, after = pricing.raw(strategy)[1], pricing.judged(strategy)[1]
    checks = tuple(check(one, before, after, confidence) for one in guardrails)
    name = full_name(goal.metric, after)
    change = difference_of(before, after, name, confidence)
    reached = _reached(goal, change)
    recommendation, reason = _decided(reached, checks)
    with_relevant = int((pricing.candidates.relevant.lengths > 0).sum())
    scope = SCOPE.fill(len(pricing.candidates.users), relevant=whole(with_relevant))
    if before is after:
        return Decision("hold", change, checks, (NOTHING.fill(), scope))
    evidence = [reason, *_of_goal(goal, name, change, before, after, confidence)]
    return Decision(recommendation, change, checks, (*evidence, *(one.sentence for one in checks), scope))


def _reached(goal: Goal, change: Paired) -> Literal["yes", "no", "open"]:
    """Return whether the goal is reached, missed in the wrong direction, or open."""
    low, high = (change.low, change.high) if goal.direction == "raise" else (-change.high, -change.low)
    if low > goal.least or (low == goal.least > 0):
        return "yes"
    return "no" if high < 0 else "open"  # NaN compares false: open


def _decided(reached: str, checks: Sequence[GuardrailCheck]) -> tuple[Recommendation, Sentence]:
    states = [one.state for one in checks]
    if broken := states.count("broken"):
        return "reject", REJECT_RAIL.fill(broken)
    if reached == "no":
        return "reject", REJECT_GOAL.fill()
    if undecided := states.count("undecided"):
        return "hold", HOLD_RAIL.fill(undecided)
    if reached == "open":
        return "hold", HOLD_GOAL.fill()
    return "promote", (PROMOTE if checks else PROMOTE_FREE).fill()


def _of_goal(
    goal: Goal, name: str, change: Paired, before: ListMetrics, after: ListMetrics, confidence: float
) -> list[Sentence]:
    """State the change, the smallest one that counts, and how many users detect the observed one if it is open."""
    decimals = decimals_for(change.low, change.high)
    values = {
        "metric": metric_title(name),
        "difference": signed(change.difference, decimals),
        "before": f"{change.before:.{decimals}f}",
        "after": f"{change.after:.{decimals}f}",
        "interval": interval_text(change.low, change.high, decimals),
        "users": whole(change.users),
    }
    found = [(CHANGE if np.isfinite(change.low) else NO_INTERVAL).fill(change.users, **values)]
    if goal.least > 0:
        found.append(ENOUGH.fill(least=f"{goal.least:g}"))
    if change.low <= 0 <= change.high:
        found += power_of(after.values[name] - before.values[name], change, confidence)
    return found


def power_of(differences: FloatArray, change: Paired, confidence: float = 0.95) -> list[Sentence]:
    """State how many users detect a change that is open; for noise, which change these users would have shown.

    As in the verdict of a comparison, an observed change that is noise is no basis for a number of users.

    Args:
        differences: (U,) change of each user, NaN where it is unknown.
        change: Their mean with its interval.
        confidence: Nominal coverage of the interval.
    """
    if change.users < FEWEST_USERS:
        return []
    error = float(np.nanstd(differences, ddof=1)) / change.users**0.5
    design = Design(users=change.users, user_error=error, confidence=confidence)
    if error == 0:
        return []
    if 2 * NormalDist().cdf(-abs(change.difference) / error) > NOISE:
        return [DETECTABLE.fill(detectable=significant(design.detectable))]
    decimals = decimals_for(change.low, change.high) + 1
    far = max(abs(change.low), abs(change.high))
    values = {"upper": f"{far:.{decimals}f}", "observed": f"{abs(change.difference):.{decimals}f}"}
    values |= {
        "fewest": about(design.users_needed(far)),
        "needed": about(design.users_needed(change.difference)),
    }
    return [NEEDED.fill(**values)]
