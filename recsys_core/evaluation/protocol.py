"""Checks of a comparison's protocol: refusals, warnings and remarks, each with its count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from recsys_core.columns import USER
from recsys_core.data.leaks import LeakReport
from recsys_core.data.splits import LeftOut, NoTest
from recsys_core.evaluation import sentences
from recsys_core.evaluation.comparison import Comparison
from recsys_core.evaluation.evaluate import BY_FALLBACK, N_LISTED, N_RELEVANT, N_RELEVANT_SEEN
from recsys_core.evaluation.full_ranking import Order
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.verdict import level_text
from recsys_core.text import Sentence, Template, percent, whole

Severity = Literal["refusal", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("refusal", "warning", "info")
FEW_USERS = 100
"""Fewer common users than this give a warning."""
VERY_FEW_USERS = 50
"""Below this number the warning also states the consequences."""
CLOSE = 0.9
"""If popularity reaches this share of the best model's metric, there is a warning."""
MANY = 0.1
"""Share of test cases (cold items) or users (no history) above which a remark becomes a warning."""


WITHOUT_TEST: Mapping[NoTest, Template] = {
    "too_few": sentences.TOO_FEW,
    "not_in_period": sentences.NOT_IN_PERIOD,
    "unknown_time": sentences.UNKNOWN_TIME,
    "not_held_out": sentences.NOT_HELD_OUT,
    "no_held_item": sentences.NO_HELD_ITEM,
    "not_uploaded": sentences.NOT_UPLOADED,
    "unknown_items": sentences.UNKNOWN_ITEMS_ONLY,
    "no_target": sentences.NO_TARGET,
}
"""Sentence for each cause of a missing test case. Users of other folds are evaluated there and need no sentence."""


@dataclass(frozen=True)
class Finding:
    """Result of one protocol check.

    Args:
        severity: `refusal`: the numbers must not be compared; `warning`: they say less than they seem to.
        rule: Language-neutral name of the check.
        count: Number of cases.
        sentence: The message.
    """

    severity: Severity
    rule: str
    count: int
    sentence: Sentence

    @property
    def message(self) -> str:
        """The sentence in the current language."""
        return str(self.sentence)

    def to_json(self) -> dict[str, Any]:
        """Return `severity`, `rule`, `count` and `message`."""
        return {"severity": self.severity, "rule": self.rule, "count": self.count, "message": self.message}


@dataclass(frozen=True)
class JudgedModel:
    """What the checks need to know about a model besides its metrics.

    Args:
        title: Name in sentences.
        key: Its algorithm; `popular` and `random` are the baselines.
        personal: False if all users get the same order of items by design.
        order: How the scores differ between users.
        tuned_on: The set on which its settings were chosen.
        compares_ratings: Whether its similarity is based on differences between ratings.
        given: Whether it is an uploaded list, whose findings are made elsewhere.
    """

    title: str
    key: str
    personal: bool = True
    order: Order = "personal"
    tuned_on: Literal["nothing", "validation", "test"] = "nothing"
    compares_ratings: bool = False
    given: bool = False


@dataclass(frozen=True, eq=False)
class Protocol:
    """How a comparison was made.

    Args:
        models: Models by their names in `per_user`.
        leaks: One report per fold.
        left_out: One per fold.
        ordered_by_file: Whether 'last' means last in the file.
        without_result: Titles of requested models that failed or were cancelled.
        folds: Number of folds of k-fold cross-validation, else 1.
        users: Number of test users, including those without training history; 0 if unknown.
        users_without_history: Number of test users without training history. They are compared only if no test user has
            a history.
        relevant_from: Smallest rating that makes a test item relevant; None: all are relevant.
        about: The users that the verdict is about.
        windows: Number of time windows.
        only_rating: The common rating of all training interactions; None if ratings differ or there are none.
    """

    models: Mapping[str, JudgedModel] = field(default_factory=dict)
    leaks: Sequence[LeakReport] = ()
    left_out: Sequence[LeftOut] = ()
    ordered_by_file: bool = False
    without_result: Sequence[str] = ()
    folds: int = 1
    users: int = 0
    users_without_history: int = 0
    only_rating: float | None = None
    relevant_from: float | None = None
    about: Literal["with_history", "without_history", "all"] = "with_history"
    windows: int = 1


def check_protocol(
    per_user: Mapping[str, pd.DataFrame], protocol: Protocol, *, metric: str, comparison: Comparison | None = None
) -> list[Finding]:
    """Check a comparison and return the findings: refusals first, then warnings, then remarks.

    Args:
        per_user: Model -> per-user frame of `evaluate`.
        protocol: How the comparison was made.
        metric: The column compared.
        comparison: Result of `compare`; None if it refused or was not run.
    """
    found = [
        *_of_history(protocol),
        *_of_lists(per_user, protocol, MetricName.parse(metric)),
        *_of_users(per_user, metric, protocol.relevant_from),
        *_of_models(protocol),
        *_of_split(protocol),
    ]
    if comparison is not None:
        found += _of_results(comparison, protocol)
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def _of_history(protocol: Protocol) -> list[Finding]:
    """State how many test users have no training history, and which users the verdict covers."""
    without, users = protocol.users_without_history, protocol.users
    if not without:
        asked = users > 0 and protocol.about == "without_history"
        return [_finding("warning", "no_new_users", sentences.NO_NEW_USERS, users)] if asked else []
    if without == users:
        return [_finding("warning", "no_history", sentences.NO_USER_HAS_HISTORY, users)]
    if protocol.about != "with_history":
        only = protocol.about == "without_history"
        words = sentences.ABOUT_NEW_USERS if only else sentences.ABOUT_ALL_USERS
        return [_finding("info", "no_history", words, without, **_of(without, users))]
    severity: Severity = "warning" if without > MANY * users else "info"
    values = {"judged": whole(users - without), **_of(without, users)}
    return [_finding(severity, "no_history", sentences.NO_HISTORY, without, **values)]


def _of_lists(per_user: Mapping[str, pd.DataFrame], protocol: Protocol, metric: MetricName) -> list[Finding]:
    """Name the models that cannot score any item for some users, with the cause if it is known.

    Users without a relevant item are not counted: their lists may be empty because they have seen all items.
    """
    found = []
    for name, frame in per_user.items():
        rows = frame[frame[N_RELEVANT] > 0] if N_RELEVANT in frame else frame
        replaced = int((rows[BY_FALLBACK] > 0).sum()) if BY_FALLBACK in rows else 0
        if replaced and name in protocol.models:
            values = {"model": protocol.models[name].title, **_of(replaced, len(rows))}
            found.append(_finding("info", "by_fallback", sentences.BY_FALLBACK, replaced, **values))
        empty = int((rows[N_LISTED] == 0).sum()) if N_LISTED in rows else 0
        if not empty or name not in protocol.models or protocol.models[name].given:
            continue
        model, rating = protocol.models[name], protocol.only_rating
        values = {"model": model.title, **_of(empty, len(rows))}
        if metric.info.kind != "accuracy" or metric.key == "auc":  # of an empty list they are undefined, or not 0
            words = sentences.EMPTY_LISTS_UNCOUNTED
        elif rating is not None and model.compares_ratings:
            words, values["rating"] = sentences.EMPTY_LISTS_ONE_RATING, f"{rating:g}"
        else:
            words = sentences.EMPTY_LISTS
        found.append(_finding("warning", "empty_lists", words, empty, **values))
    return found


def _of_users(per_user: Mapping[str, pd.DataFrame], metric: str, relevant_from: float | None) -> list[Finding]:
    """Check the users on whom the models were evaluated."""
    frames = [frame for frame in per_user.values() if metric in frame]
    if not frames:
        return []
    found = []
    users, times = np.unique(
        np.concatenate([frame.loc[frame[metric].notna(), USER].unique() for frame in frames]), return_counts=True
    )
    common = int((times == len(frames)).sum())
    if common == 0:
        found.append(_finding("refusal", "no_common_users", sentences.NO_COMMON_USERS, len(users)))
    elif common < len(users):
        missing = len(users) - common
        found.append(_finding("warning", "different_users", sentences.DIFFERENT_USERS, missing, common=whole(common)))
    if N_RELEVANT in frames[0] and MetricName.parse(metric).info.kind == "accuracy":
        found += _without_relevant(frames[0], relevant_from)
    return found


def _without_relevant(frame: pd.DataFrame, relevant_from: float | None) -> list[Finding]:
    """State how many test users have no relevant test item, with the cause if it was stored."""
    columns = [name for name in (N_RELEVANT, N_RELEVANT_SEEN) if name in frame]
    counts = frame.groupby(USER)[columns].sum()
    without = counts[N_RELEVANT] == 0
    if N_RELEVANT_SEEN not in frame:
        groups = [("users_left_out", sentences.USERS_LEFT_OUT, without)]
    else:
        seen = counts[N_RELEVANT_SEEN] > 0
        below = sentences.USERS_LEFT_OUT if relevant_from is None else sentences.BELOW_THRESHOLD
        groups = [("users_left_out", below, without & ~seen), ("all_seen", sentences.ALL_SEEN, without & seen)]
    found = []
    for rule, template, who in groups:
        if number := int(who.sum()):
            severity: Severity = "warning" if number > len(counts) / 2 else "info"
            values = _of(number, len(counts)) | {"threshold": f"{relevant_from:g}" if relevant_from is not None else ""}
            found.append(_finding(severity, rule, template, number, **values))
    return found


def _of_models(protocol: Protocol) -> list[Finding]:
    """Check how the models were tuned, and whether their lists are personalized as intended."""
    models = protocol.models.values()
    tuned = [model.title for model in models if model.tuned_on == "test"]
    alike = [model.title for model in models if model.personal and model.order == "same"]
    constant = [model.title for model in models if model.order == "constant"]
    checks: tuple[tuple[Severity, str, Template, Sequence[str]], ...] = (
        ("refusal", "tuned_on_test", sentences.TUNED_ON_TEST, tuned),
        ("warning", "identical_lists", sentences.SAME_FOR_ALL_USERS, alike),
        ("warning", "constant_scores", sentences.CONSTANT_SCORES, constant),
        ("warning", "without_result", sentences.WITHOUT_RESULT, protocol.without_result),
    )
    found = [
        _finding(severity, rule, template, len(titles), models=", ".join(titles))
        for severity, rule, template, titles in checks
        if titles
    ]
    if protocol.models and not any(model.key == "popular" for model in models):
        found.append(_finding("warning", "no_baseline", sentences.NO_BASELINE, 1))
    return found


def _of_split(protocol: Protocol) -> list[Finding]:
    """Check the split for leakage and excluded rows, summed over folds."""
    leaks, left = protocol.leaks, protocol.left_out
    total = sum(leak.test_rows for leak in leaks)
    cold = sum(leak.tests_of_unseen_items for leak in leaks)
    checks: tuple[tuple[Severity, str, Template, int], ...] = (
        (
            "warning",
            "later_training",
            sentences.LATER_TRAINING,
            sum(leak.tests_with_later_training or 0 for leak in leaks),
        ),
        ("warning", "unborn_items", sentences.UNBORN_ITEMS, sum(leak.tests_of_unborn_items or 0 for leak in leaks)),
        ("warning" if cold > MANY * total else "info", "cold_items", sentences.COLD_ITEMS, cold),
        ("info", "seen_in_training", sentences.SEEN_IN_TRAINING, sum(leak.tests_seen_in_training for leak in leaks)),
        (
            "warning",
            "unknown_test_users",
            sentences.UNKNOWN_TEST_USERS,
            sum(part.test_rows_of_unknown_users for part in left),
        ),
        (
            "warning",
            "unknown_test_items",
            sentences.UNKNOWN_TEST_ITEMS,
            sum(part.test_rows_of_unknown_items for part in left),
        ),
        *(
            (
                "info",
                f"users_without_test:{cause}",
                template,
                max((part.causes.get(cause, 0) for part in left), default=0),
            )
            for cause, template in WITHOUT_TEST.items()
        ),
        (
            "info",
            "users_without_test",
            sentences.USERS_WITHOUT_TEST,
            sum(part.users_without_test for part in left if not part.causes) if len(left) == 1 else 0,
        ),
    )
    found = [
        _finding(severity, rule, template, count, **_of(count, total))
        for severity, rule, template, count in checks
        if count
    ]
    if any(leak.tests_with_later_training is None for leak in leaks):
        found.append(_finding("info", "time_unknown", sentences.TIME_UNKNOWN, total))
    if protocol.folds > 1:
        found.append(_finding("info", "folds", sentences.FOLDS_SHARE, protocol.folds))
    if protocol.windows > 1:
        found.append(_finding("info", "windows", sentences.WINDOWS_SHARE, protocol.windows))
    if protocol.ordered_by_file:
        found.append(_finding("info", "ordered_by_file", sentences.ORDER_OF_FILE, total))
    return found


def _of_results(comparison: Comparison, protocol: Protocol) -> list[Finding]:
    """Check the metric values: few users, identical models, baselines that are not beaten."""
    found = []
    if len(comparison.users) < FEW_USERS:
        found.append(_few_users(comparison))
    pairs = comparison.pairs
    for pair in pairs[pairs["identical"]].itertuples():
        names = {"first": _title(str(pair.first), protocol), "second": _title(str(pair.second), protocol)}
        found.append(_finding("info", "identical_models", sentences.IDENTICAL, 1, **names))
    if MetricName.parse(comparison.metric).info.direction != "neither":
        found += _against_popularity(comparison, protocol) + _against_random(comparison, protocol)
    return found


def _few_users(comparison: Comparison) -> Finding:
    """State that few users are compared, and which differences they detect if there is any to detect."""
    users, smallest = len(comparison.users), _smallest_difference(comparison)
    very = users < VERY_FEW_USERS
    if smallest > 0 and 2.0 ** (1 - users) > 1 - comparison.confidence:  # all signs alike: the smallest p-value
        level = level_text(comparison.confidence)
        return _finding("warning", "few_users", sentences.NOTHING_SIGNIFICANT, users, level=level)
    if users == 1 or smallest > 0:
        words = sentences.VERY_FEW_USERS if very else sentences.FEW_USERS
        return _finding("warning", "few_users", words, users, difference=sentences.significant(smallest))
    words = sentences.VERY_FEW_USERS_ALONE if very else sentences.FEW_USERS_ALONE
    return _finding("warning", "few_users", words, users)


def _smallest_difference(comparison: Comparison) -> float:
    """Return the true difference between two models that is detected with a power of 80%; NaN without pairs."""
    if comparison.pairs.empty:
        return float("nan")
    return float(comparison.pairs["detectable"].median())


def _baseline(comparison: Comparison, protocol: Protocol, key: str) -> str | None:
    """Return the name of the compared model of that algorithm, or None."""
    compared = set(comparison.table["model"])
    return next((name for name, model in protocol.models.items() if model.key == key and name in compared), None)


def _personal(comparison: Comparison, protocol: Protocol) -> list[str]:
    """Return the compared models other than popularity and random, best first."""
    baselines = [name for name, model in protocol.models.items() if model.key in ("popular", "random")]
    return [str(name) for name in comparison.table["model"] if name not in baselines]


def _against_popularity(comparison: Comparison, protocol: Protocol) -> list[Finding]:
    popular, others = _baseline(comparison, protocol, "popular"), _personal(comparison, protocol)
    if popular is None or not others:
        return []
    base = _title(popular, protocol)
    better = set(comparison.better_than(popular))
    if not better & set(others):
        if better:
            return []  # random recommendations are better: the verdict states it
        if 0 < protocol.users == protocol.users_without_history:
            return []  # without any user history no model can personalize: not a finding about the models
        values = {"baseline": base, "level": level_text(comparison.confidence), "users": whole(len(comparison.users))}
        return [_finding("warning", "popularity_leads", sentences.POPULARITY_LEADS, len(others), **values)]
    means = comparison.table.set_index("model")["mean"]
    share = float(means[popular] / means[others[0]])
    if MetricName.parse(comparison.metric).info.direction == "higher" and share >= CLOSE:
        values = {"baseline": base, "share": percent(share), "best": _title(others[0], protocol)}
        return [_finding("warning", "popularity_close", sentences.POPULARITY_CLOSE, 1, **values)]
    return []


def _against_random(comparison: Comparison, protocol: Protocol) -> list[Finding]:
    random, others = _baseline(comparison, protocol, "random"), _personal(comparison, protocol)
    if random is None or not others:
        return []
    tied = comparison.against(random).set_index("model").loc[others]
    titles = [_title(str(name), protocol) for name in tied.index[~tied["different"].to_numpy(np.bool_)]]
    if not titles:
        return []
    return [
        _finding(
            "warning", "no_better_than_random", sentences.NO_BETTER_THAN_RANDOM, len(titles), models=", ".join(titles)
        )
    ]


def _title(name: str, protocol: Protocol) -> str:
    return protocol.models[name].title if name in protocol.models else name


def _of(count: int, total: int) -> dict[str, str]:
    return {"total": whole(total), "share": percent(count / max(total, 1))}


def _finding(severity: Severity, rule: str, template: Template, count: int, **values: str) -> Finding:
    return Finding(severity, rule, count, template.fill(count, **values))
