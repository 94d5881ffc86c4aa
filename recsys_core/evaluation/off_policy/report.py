"""One policy on one log: estimates, diagnostics and warnings; and lists of identifiers as a policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recsys_core.contracts import PAD, FloatArray, IntArray
from recsys_core.errors import DataError
from recsys_core.evaluation.off_policy import overlap
from recsys_core.evaluation.off_policy.estimators import (
    CLIP,
    TITLES,
    Terms,
    covered_rows,
    evaluate_policy,
    terms_of,
)
from recsys_core.evaluation.off_policy.feedback import LoggedFeedback
from recsys_core.evaluation.off_policy.policy import Policy, PolicyKind, policy_of
from recsys_core.evaluation.off_policy.uncertainty import Interval, ratio, studentized
from recsys_core.evaluation.protocol import Finding
from recsys_core.evaluation.sentences import decimals_for, interval_text
from recsys_core.text import Sentence, Template, _

PER_IMPRESSION = Template(
    "{estimator}: the policy earns {value} per impression ({interval}; 95%); the logging policy earned {logged}."
)
PER_ITEM = Template(
    "{estimator}: the policy earns {value} per item shown ({interval}; 95%); the logging policy earned {logged}."
)
MORE = Template("That is {difference} more than the logging policy (difference {interval}; 95%).")
LESS = Template("That is {difference} less than the logging policy (difference {interval}; 95%).")
NO_DIFFERENCE = Template(
    "No significant difference to the logging policy: the true difference may be anywhere from {interval} (95%)."
)
UNKNOWN = Template(
    "The difference to the logging policy has no interval: there are too few users, their values do not vary, or too "
    "few rows have a weight above 0."
)


@dataclass(frozen=True, eq=False)
class PolicyReport:
    """A target policy on a log.

    Args:
        estimates: Value per impression (per item shown without impressions) by estimator.
        logged: Mean reward of the logging policy on the same rows, in the same unit.
        gain: Estimate of the target policy minus that of the logging policy, by the method `best`.
        best: Doubly robust; IPS where there is no reward model.
        support: Diagnostics of the weights.
        findings: Warnings that follow from them.
        impressions: Number of impressions that were used.
        users: Number of users, likewise.
        listed: Whether values are per impression.
    """

    estimates: Mapping[str, Interval]
    logged: Interval
    gain: Interval
    best: str
    support: overlap.Support
    findings: tuple[Finding, ...]
    impressions: int
    users: int
    listed: bool

    def to_json(self) -> dict[str, Any]:
        """Return all numbers as JSON values; undefined ones are null."""
        shares = {name: _finite(value) for name, value in vars(self.support).items() if not isinstance(value, Interval)}
        return {
            "unit": "impression" if self.listed else "item shown",
            "impressions": self.impressions,
            "users": self.users,
            "logging_policy": _numbers(self.logged),
            "gain": _numbers(self.gain) | {"estimator": self.best},
            "estimates": {name: _numbers(found) for name, found in self.estimates.items()},
            "diagnostics": shares | {"mean_weight": _numbers(self.support.mean)},
            "findings": [one.to_json() for one in self.findings],
        }


def _numbers(interval: Interval) -> dict[str, float | None]:
    return {name: _finite(value) for name, value in vars(interval).items()}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def report(log: LoggedFeedback, policy: Policy | None, *, clip: float = CLIP, seed: int = 0) -> PolicyReport:
    """Evaluate a target policy on a log.

    Args:
        log: The log.
        policy: The policy; None for the target column of the log.
        clip: Largest weight of the clipped estimator.
        seed: Seed of folds and bootstrap.

    Raises:
        DataError: The policy has no list for any user of the log.
    """
    rows = covered_rows(log, policy)
    terms = terms_of(log, policy, seed=seed)
    unseen = float("nan") if policy is None else _unseen(log.only(rows), policy)
    found = overlap.support(terms, clip=clip, covered=float(rows.mean()), unseen=unseen, seed=seed)
    return PolicyReport(
        estimates=evaluate_policy(log, policy, clip=clip, seed=seed),
        logged=_mean_of(terms, terms.reward, seed),
        gain=_mean_of(terms, _best_terms(terms) - terms.reward, seed),
        best="ips" if terms.direct is None else "dr",
        support=found,
        findings=tuple(overlap.findings(found)),
        impressions=int(terms.impressions.sum()),
        users=len(terms.impressions),
        listed=log.listed,
    )


def _mean_of(terms: Terms, values: FloatArray, seed: int) -> Interval:
    return studentized(terms.per_cluster(values), ratio, seed=seed)


def _best_terms(terms: Terms) -> FloatArray:
    """Return (N,) the terms of the doubly robust estimate, or of IPS without a reward model."""
    if terms.direct is None or terms.modelled is None:
        return terms.weight * terms.reward
    return terms.direct + terms.weight * (terms.reward - terms.modelled)


def report_sentences(told: PolicyReport) -> list[Sentence]:
    """Return what the estimates say about the target and the logging policy."""
    value, gain = told.estimates[told.best], told.gain
    unit = PER_IMPRESSION if told.listed else PER_ITEM
    decimals = decimals_for(value.low, value.high) + 1
    first = unit.fill(
        estimator=_(TITLES[told.best]),
        value=f"{value.value:z.{decimals}f}",
        interval=interval_text(value.low, value.high, decimals),
        logged=f"{told.logged.value:z.{decimals}f}",
    )
    if not np.isfinite(gain.low):
        return [first, UNKNOWN.fill()]
    values = {
        "difference": f"{abs(gain.value):.{decimals}f}",
        "interval": interval_text(gain.low, gain.high, decimals),
    }
    compared = NO_DIFFERENCE if gain.low <= 0 <= gain.high else MORE if gain.value > 0 else LESS
    return [first, compared.fill(**values)]


def _unseen(log: LoggedFeedback, policy: Policy) -> float:
    """Return the share of the target probability on items that no row shows, over the users of the log."""
    users = policy.rows(np.unique(log.user))
    shown = np.zeros(max(len(log.item_ids), int(policy.item.max(initial=0)) + 1), dtype=np.bool_)
    shown[log.item] = True
    mass = policy.probability.sum(axis=1)[users]
    never = ~shown[np.maximum(policy.item[users], 0)]
    total = float(mass.sum())
    return float((mass * never).sum()) / total if total else float("nan")


def uniform_policy(log: LoggedFeedback) -> Policy:
    """Return the policy that shows the items of the log in a uniformly random order to everyone.

    Raises:
        DataError: There are too many items and positions; see `policy_of`.
    """
    items = np.arange(len(log.item_ids))[None]
    row = np.zeros(len(log.user_ids), dtype=np.int64)
    return policy_of(items, "epsilon", log.places, strength=1.0, row=row)


def policy_from_lists(
    log: LoggedFeedback,
    users: Sequence[str],
    lists: Sequence[Sequence[str]],
    kind: PolicyKind,
    *,
    strength: float = 0.1,
) -> tuple[LoggedFeedback, Policy]:
    """Return the policy of lists of identifiers, and the log with codes for all their items.

    Lists of users who are not in the log are left out.

    Args:
        log: The log.
        users: User of each list, each at most once.
        lists: Item identifiers, best first, no item twice.
        kind: How the lists are shown.
        strength: epsilon or temperature; see `policy_of`.

    Raises:
        DataError: A user has two lists, a list has an item twice, no user with a list is in the log, or there are too
            many lists, positions and candidates; see `policy_of`.
        ConfigError: The strength is out of bounds.
    """
    if len(set(users)) != len(users):
        raise DataError(_("A user has more than one list."))
    if any(len(set(one)) != len(one) for one in lists):
        raise DataError(_("A list has the same item more than once."))
    known = set(log.user_ids)
    kept = {user: one for user, one in zip(users, lists, strict=True) if user in known}
    if not kept:
        raise DataError(
            _(
                "None of the {n_users:,} users with a list is in the log; its users are named like '{user_ids}'. "
                "Evaluate lists for these users, such as those of a model of their data, or items in random order."
            ).format(n_users=len(users), user_ids=log.user_ids[0])
        )
    item_ids = tuple(dict.fromkeys([*log.item_ids, *(item for one in kept.values() for item in one)]))
    code = {item: number for number, item in enumerate(item_ids)}
    item = np.full((len(kept), max(map(len, kept.values()))), PAD, dtype=np.int64)
    for number, one in enumerate(kept.values()):
        item[number, : len(one)] = [code[name] for name in one]
    place = {user: number for number, user in enumerate(kept)}
    row: IntArray = np.array([place.get(user, PAD) for user in log.user_ids], dtype=np.int64)
    extended = replace(log, item_ids=item_ids)
    return extended, policy_of(item, kind, log.places, strength=strength, row=row)
