"""Checks of a log before anything is estimated: refusals say what to log, warnings what an estimate does not tell."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_core.contracts import IntArray
from recsys_core.evaluation.off_policy import log_table as roles
from recsys_core.evaluation.off_policy.feedback import LoggedFeedback
from recsys_core.evaluation.off_policy.log_table import LogTable
from recsys_core.evaluation.protocol import Finding, Severity
from recsys_core.text import Template, percent, whole

TOLERANCE = 1e-6
LIST = [roles.USER, roles.IMPRESSION]
"""Columns that identify an impression: its id may repeat between users."""
FEW_CLUSTERS = 50
"""Below this number of users, intervals are unreliable."""

NO_PROPENSITIES = Template(
    "The log has no propensities, so it cannot tell what another policy would earn. Log, for every item shown, the "
    "probability with which the policy shows this item at this position, computed when the list is made."
)
OUT_OF_BOUNDS = Template(
    "{count} propensity is not above 0 and at most 1 ({example}). A propensity is the probability of what was shown; "
    "log it unrounded, not as a score or a logarithm.",
    "{count} propensities are not above 0 and at most 1, such as {example}. A propensity is the probability of what "
    "was shown; log it unrounded, not as a score or a logarithm.",
)
TARGET_OUT_OF_BOUNDS = Template(
    "{count} target probability is not between 0 and 1 ({example}). A target probability is the probability with which "
    "the policy to evaluate shows this item at this position.",
    "{count} target probabilities are not between 0 and 1, such as {example}. A target probability is the probability "
    "with which the policy to evaluate shows this item at this position.",
)
DETERMINISTIC = Template(
    "All propensities are 1: the logging policy always shows the same list, so the log says nothing about other items. "
    "Show a random item or order to a share of the users, and log its probability."
)
SUMS_IN_IMPRESSION = Template(
    "In {count} impression, the propensities of different items at one position sum to more than 1 (largest sum "
    "{largest}), so they are no probabilities of one policy.",
    "In {count} impressions, the propensities of different items at one position sum to more than 1 (largest sum "
    "{largest}), so they are no probabilities of one policy.",
)
SUMS_OF_USER = Template(
    "For {count} user, the propensities of the different items seen at one position sum to more than 1 (largest sum "
    "{largest}). That is possible only if the logging policy changed in between.",
    "For {count} users, the propensities of the different items seen at one position sum to more than 1 (largest sum "
    "{largest}). That is possible only if the logging policy changed in between.",
)
NO_POSITIONS = Template(
    "The log has no positions: every item counts as shown at position 1, and lists are not compared by position."
)
NO_IMPRESSIONS = Template(
    "The log has no impressions, so values are per item shown, not per list. To get values per list, log the id of the "
    "list that an item was part of."
)
GAPS = Template(
    "{count} impression lacks a position below its last one: items that were shown are missing from the log.",
    "{count} impressions lack a position below their last one: items that were shown are missing from the log.",
)
REPEATED = Template(
    "{count} row repeats the user, impression, position and item of an earlier row, so an item would be evaluated more "
    "often than it was shown. Log one row for each item shown, with the sum of its rewards.",
    "{count} rows repeat the user, impression, position and item of an earlier row, so items would be evaluated more "
    "often than they were shown. Log one row for each item shown, with the sum of its rewards.",
)
INCOMPLETE = Template(
    "{count} row lacks a user, item, position, reward or propensity and is left out ({share}). If rows are missing "
    "because of what was clicked, estimates are biased.",
    "{count} rows lack a user, item, position, reward or propensity and are left out ({share}). If rows are missing "
    "because of what was clicked, estimates are biased.",
)
UNSPLIT = Template(
    "{count} line could not be split into cells and is left out.",
    "{count} lines could not be split into cells and are left out.",
)
UNREADABLE = Template(
    "{count} cell of column '{column}' is not a number.", "{count} cells of column '{column}' are not numbers."
)
FEW = Template(
    "The log has {count} user. Intervals treat users as independent and are unreliable below {least}.",
    "The log has {count} users. Intervals treat users as independent and are unreliable below {least}.",
)
NO_REWARD = Template("No reward differs from 0, so nothing can be estimated.")
EMPTY = Template("The log has no complete row.")


@dataclass(frozen=True, eq=False)
class Examination:
    """Result of the checks.

    Args:
        findings: Refusals first.
        log: The log; None if it was refused.
        rows: Number of rows read.
    """

    findings: tuple[Finding, ...]
    log: LoggedFeedback | None
    rows: int


def examine(table: LogTable) -> Examination:
    """Check a log, and return it as arrays unless it is refused."""
    frame = table.frame
    found = [*_of_reading(table)]
    if roles.PROPENSITY not in frame:
        return _examined([_finding("refusal", "no_propensities", NO_PROPENSITIES), *found], None, len(frame))
    complete = _complete(frame)
    if missing := int((~complete).sum()):
        share = percent(missing / len(frame))
        found.append(_finding("warning", "incomplete", INCOMPLETE, missing, share=share))
    frame = frame[complete].reset_index(drop=True)
    if not len(frame):
        return _examined([_finding("refusal", "empty", EMPTY), *found], None, len(table.frame))
    found += _of_propensities(frame) or _of_sums(frame)
    found += [*_of_target(frame), *_of_repetitions(frame), *_of_positions(frame)]
    if not (frame[roles.REWARD] != 0).any():
        found.append(_finding("refusal", "no_reward", NO_REWARD))
    users = int(frame[roles.USER].nunique())
    if users < FEW_CLUSTERS:
        found.append(_finding("warning", "few_users", FEW, users, least=whole(FEW_CLUSTERS)))
    refused = any(one.severity == "refusal" for one in found)
    return _examined(found, None if refused else _feedback(frame), len(table.frame))


def _examined(findings: list[Finding], log: LoggedFeedback | None, rows: int) -> Examination:
    return Examination(tuple(sorted(findings, key=lambda one: one.severity != "refusal")), log, rows)


def _finding(severity: Severity, rule: str, template: Template, count: int = 1, **values: str) -> Finding:
    return Finding(severity, rule, count, template.fill(count, **values))


def _of_reading(table: LogTable) -> list[Finding]:
    found = [
        _finding("warning", f"unreadable_{role}", UNREADABLE, count, column=table.columns[role])
        for role, count in table.unreadable.items()
    ]
    if table.unsplit:
        found.append(_finding("warning", "unsplit", UNSPLIT, table.unsplit))
    return found


def _complete(frame: pd.DataFrame) -> pd.Series:
    """Return whether each row has all that is needed; a position is a whole number from 0 on."""
    complete = (frame[roles.USER] != "") & (frame[roles.ITEM] != "")
    for role in (roles.REWARD, roles.PROPENSITY, roles.TARGET):
        if role in frame:
            complete &= np.isfinite(frame[role])
    if roles.POSITION in frame:
        place = frame[roles.POSITION]
        complete &= np.isfinite(place) & (place >= 0) & (place == np.floor(place)) & (place <= 1000)
    if roles.IMPRESSION in frame:
        complete &= frame[roles.IMPRESSION] != ""
    return complete


def _of_propensities(frame: pd.DataFrame) -> list[Finding]:
    values = frame[roles.PROPENSITY].to_numpy()
    wrong = ~((values > 0) & (values <= 1 + TOLERANCE))
    if wrong.any():
        example = f"{values[wrong][0]:g}"
        return [_finding("refusal", "out_of_bounds", OUT_OF_BOUNDS, int(wrong.sum()), example=example)]
    if (values >= 1 - TOLERANCE).all():
        return [_finding("refusal", "deterministic", DETERMINISTIC)]
    return []


def _of_target(frame: pd.DataFrame) -> list[Finding]:
    if roles.TARGET not in frame:
        return []
    values = frame[roles.TARGET].to_numpy()
    wrong = ~((values >= 0) & (values <= 1 + TOLERANCE))
    if not wrong.any():
        return []
    example = f"{values[wrong][0]:g}"
    return [_finding("refusal", "target_out_of_bounds", TARGET_OUT_OF_BOUNDS, int(wrong.sum()), example=example)]


def _of_sums(frame: pd.DataFrame) -> list[Finding]:
    found = []
    position = [roles.POSITION] if roles.POSITION in frame else []
    parts: list[tuple[Severity, str, list[str], Template]] = [("warning", "sums_of_user", [roles.USER], SUMS_OF_USER)]
    if roles.IMPRESSION in frame and position:
        parts.append(("refusal", "sums_in_impression", LIST, SUMS_IN_IMPRESSION))
    for severity, rule, unit, template in parts:
        keys = [*unit, *position]
        each = frame.groupby([*keys, roles.ITEM], sort=False)[roles.PROPENSITY].min()
        sums = each.groupby(level=list(range(len(keys)))).sum()
        beyond = sums[sums > 1 + 1e-3]
        if len(beyond):
            number = beyond.groupby(level=list(range(len(unit)))).ngroups
            found.append(_finding(severity, rule, template, number, largest=f"{beyond.max():.2f}"))
    return found


def _of_repetitions(frame: pd.DataFrame) -> list[Finding]:
    """Return a refusal of rows of one item shown, such as one for the view and one for the click."""
    if roles.IMPRESSION not in frame:
        return []
    position = [roles.POSITION] if roles.POSITION in frame else []
    count = int(frame.duplicated([*LIST, *position, roles.ITEM]).sum())
    return [_finding("refusal", "repeated", REPEATED, count)] if count else []


def _of_positions(frame: pd.DataFrame) -> list[Finding]:
    found = []
    if roles.POSITION not in frame:
        found.append(_finding("warning", "no_positions", NO_POSITIONS))
    if roles.IMPRESSION not in frame:
        found.append(_finding("warning", "no_impressions", NO_IMPRESSIONS))
    if roles.POSITION in frame and roles.IMPRESSION in frame:
        first = frame[roles.POSITION].min()
        groups = frame.groupby(LIST, sort=False)[roles.POSITION]
        gaps = int((groups.max() - min(first, 1.0) + 1 != groups.nunique()).sum())
        if gaps:
            found.append(_finding("warning", "gaps", GAPS, gaps))
    return found


def _feedback(frame: pd.DataFrame) -> LoggedFeedback:
    user, user_ids = pd.factorize(frame[roles.USER], sort=True)
    item, item_ids = pd.factorize(frame[roles.ITEM], sort=True)
    place = np.zeros(len(frame), dtype=np.int64)
    if roles.POSITION in frame:
        place = frame[roles.POSITION].to_numpy().astype(np.int64)
        place = place - min(int(place.min()), 1)
    listed = roles.IMPRESSION in frame
    impression: IntArray = np.arange(len(frame))
    if listed:
        impression = frame.groupby(LIST, sort=False).ngroup().to_numpy()
    target = frame[roles.TARGET].to_numpy(np.float64) if roles.TARGET in frame else None
    return LoggedFeedback(
        user=user.astype(np.int64),
        item=item.astype(np.int64),
        place=place,
        reward=frame[roles.REWARD].to_numpy(np.float64),
        propensity=np.minimum(frame[roles.PROPENSITY].to_numpy(np.float64), 1.0),
        impression=impression,
        cluster=user.astype(np.int64),
        user_ids=tuple(str(one) for one in user_ids),
        item_ids=tuple(str(one) for one in item_ids),
        listed=listed,
        target=target,
    )
