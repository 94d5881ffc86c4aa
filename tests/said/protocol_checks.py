"""Checks of the findings about a comparison's protocol."""

import itertools
import json
import math
from collections.abc import Set

import numpy as np
import pandas as pd

from recsys_core.experiments.spec import BASELINES
from tests.said.reading import Said, checks, count_of, models_in, per_cent, whole_number
from tests.said.truth import Truth
from tests.said.verdict_checks import nothing_beats

CAUSES = {
    "TOO_FEW": ("ratio", "leave_last_out", "user_holdout"),
    "NOT_IN_PERIOD": ("global_time",),
    "UNKNOWN_TIME": ("global_time",),
    "NOT_HELD_OUT": ("user_holdout",),
    "NO_HELD_ITEM": ("item_holdout",),
    "NOT_UPLOADED": ("uploaded",),
    "UNKNOWN_ITEMS_ONLY": ("uploaded",),
}
LEAKS = {"LATER_TRAINING": "later", "UNBORN_ITEMS": "unborn", "COLD_ITEMS": "cold", "SEEN_IN_TRAINING": "seen"}


@checks(*LEAKS)
def check_leak(said: Said) -> None:
    count_of(said, said.truth.leaks()[LEAKS[said.name]], said.truth.test_rows)


@checks("TIME_UNKNOWN")
def check_time_unknown(said: Said) -> None:
    assert "timestamp" not in said.truth.case.frame


@checks("ORDER_OF_FILE")
def check_order_of_file(said: Said) -> None:
    frame = said.truth.case.frame
    assert "timestamp" not in frame
    assert said.truth.spec.split.kind == "leave_last_out"
    last = frame.groupby("user").tail(said.truth.spec.split.last)
    test = said.truth.splits[0].test.interactions
    assert set(zip(test["user"], test["item"], strict=True)) == set(zip(last["user"], last["item"], strict=True))


@checks("UNKNOWN_TEST_USERS", "UNKNOWN_TEST_ITEMS")
def check_unknown_rows(said: Said) -> None:
    data, test = said.truth.case.dataset(), said.truth.case.test_data()
    assert test is not None
    trained = {data.user_vocabulary.ids[user] for user in data.interactions["user"]}
    rows = [(test.user_vocabulary.ids[u], test.item_vocabulary.ids[i]) for u, i in pairs(test.interactions)]
    users = sum(user not in trained for user, _ in rows)
    items = sum(user in trained and item not in set(data.item_vocabulary.ids) for user, item in rows)
    assert said.count == (users if said.name == "UNKNOWN_TEST_USERS" else items) > 0


def pairs(frame: pd.DataFrame) -> list[tuple[int, int]]:
    return list(zip(frame["user"].tolist(), frame["item"].tolist(), strict=True))


@checks("NO_HISTORY", "ABOUT_NEW_USERS", "ABOUT_ALL_USERS")
def check_history(said: Said) -> None:
    truth = said.truth
    count_of(said, len(truth.without_history), len(truth.test_users))
    about = {"NO_HISTORY": "with_history", "ABOUT_NEW_USERS": "without_history", "ABOUT_ALL_USERS": "all"}
    assert truth.spec.users == about[said.name]
    if said.name == "NO_HISTORY":
        whole_number(said["judged"], len(truth.with_history))
        assert truth.evaluated <= truth.with_history


@checks("NO_USER_HAS_HISTORY")
def check_no_history(said: Said) -> None:
    assert not said.truth.with_history
    assert said.count == len(said.truth.test_users)


@checks("NO_NEW_USERS")
def check_no_new_users(said: Said) -> None:
    assert said.truth.spec.users == "without_history"
    assert not said.truth.without_history
    assert said.count == len(said.truth.test_users)


@checks("BY_FALLBACK")
def check_fallback(said: Said) -> None:
    truth = said.truth
    rows = truth.covered_rows(said.model())
    rows = rows[rows["n_relevant"] > 0]
    served = rows.groupby("user")["by_fallback"].max()
    count_of(said, int(served.sum()), len(served))
    assert truth.spec.fallback != "none"
    assert (rows["n_listed"] > 0).all()


@checks("EMPTY_LISTS", "EMPTY_LISTS_ONE_RATING", "EMPTY_LISTS_UNCOUNTED")
def check_empty_lists(said: Said) -> None:
    truth = said.truth
    rows = truth.covered_rows(said.model())
    longest = rows[rows["n_relevant"] > 0].groupby("user")["n_listed"].max()
    empty = set(longest.index[longest == 0])
    count_of(said, len(empty), len(longest))
    listed = truth.run.lists(said.model())
    assert not set(listed["user"]) & empty
    left = {user for user in empty if not candidates_left(truth, user)}
    assert not left, f"users {left} had every item, so there is none to list"
    values = [v for own in truth.of_training(said.model()) for user, (v, _) in own.items() if user in empty]
    counted = truth.info.kind == "accuracy" and truth.key != "auc"
    assert counted == (said.name != "EMPTY_LISTS_UNCOUNTED")
    assert not counted or all(value == 0 for value in values)
    if said.name == "EMPTY_LISTS_ONE_RATING":
        ratings = {rating for split in truth.splits for rating in split.train.interactions["rating"]}
        assert ratings == {float(said["rating"])}
        config = truth.run.model_spec(said.model()).config
        assert config.get("similarity") in ("pearson", "adjusted_cosine"), "the ratings are not the cause"


def candidates_left(truth: Truth, user: int) -> bool:
    """Return whether there is an item that a user may be recommended, in some split in which the user is tested."""
    for split in truth.splits:
        if user in set(split.test.interactions["user"]):
            history = (split.seen or split.history).interactions
            seen = set(history.loc[history["user"] == user, "item"])
            items = set(range(split.train.n_items)) if split.candidates() is None else set(split.candidates())  # type: ignore[arg-type]
            if items - seen:
                return True
    return False


@checks("NO_COMMON_USERS")
def check_no_common_users(said: Said) -> None:
    assert not said.truth.common
    assert said.count == len(said.truth.evaluated)


@checks("DIFFERENT_USERS")
def check_different_users(said: Said) -> None:
    assert said.count == len(said.truth.evaluated - set(said.truth.common)) > 0
    whole_number(said["common"], len(said.truth.common))


@checks("USERS_LEFT_OUT", "BELOW_THRESHOLD", "ALL_SEEN")
def check_without_relevant(said: Said) -> None:
    truth, spec = said.truth, said.truth.spec
    below, seen = without_relevant(truth)
    count_of(said, len(seen if said.name == "ALL_SEEN" else below), len(truth.covered))
    assert not truth.evaluated & (below | seen)
    if said.name == "BELOW_THRESHOLD":
        assert float(said["threshold"]) == spec.relevant_from


def without_relevant(truth: Truth) -> tuple[set[int], set[int]]:
    """Return the users none of whose test items reaches the threshold, and those who had all that do."""
    relevant: dict[int, int] = dict.fromkeys(truth.covered, 0)
    fresh: dict[int, int] = dict.fromkeys(truth.covered, 0)
    threshold = truth.spec.relevant_from
    for split in truth.splits:
        test = split.test.interactions
        if threshold is not None and "rating" in test:
            test = test[test["rating"] >= threshold]
        history = (split.seen or split.history).interactions
        seen = set(pairs(history))
        for user, item in set(pairs(test)):
            if user in relevant:
                relevant[user] += 1
                fresh[user] += (user, item) not in seen
    below = {user for user, count in relevant.items() if count == 0}
    return below, {user for user, count in fresh.items() if count == 0} - below


@checks("TUNED_ON_TEST")
def check_tuned(said: Said) -> None:
    named = models_in(said["models"], said.truth)
    tried: dict[str, set[str]] = {}
    own = said.truth.spec
    for path in said.truth.run.path.parent.glob("*/spec.json"):
        spec = json.loads(path.read_text(encoding="utf-8"))
        if spec["data"] == own.data and spec["seed"] == own.seed and spec["split"]["kind"] == own.split.kind:
            for job in (path.parent / "jobs").iterdir():
                if (job / "result.json").exists():
                    tried.setdefault(job.name.rpartition("-")[0], set()).add(job.name)
    assert named == {model for model in said.truth.rows if len(tried[said.truth.keys[model]]) >= 5}
    assert said.count == len(named)


@checks("WITHOUT_RESULT")
def check_without_result(said: Said) -> None:
    named = models_in(said["models"], said.truth)
    assert named == set(said.truth.run.model_ids) - set(said.truth.rows)
    assert said.count == len(named)


@checks("NO_BASELINE")
def check_no_baseline(said: Said) -> None:
    assert "popular" not in {said.truth.keys[model] for model in said.truth.rows}


@checks("SAME_FOR_ALL_USERS")
def check_same_for_all(said: Said) -> None:
    named = models_in(said["models"], said.truth)
    assert said.count == len(named)
    for model in named:
        lists = said.truth.run.lists(model)
        for _, rows in lists.groupby("fold"):
            orders = [list(own["item"]) for _, own in rows.groupby("user")][:40]
            assert all(agree(first, other) for first, other in itertools.combinations(orders, 2))


def agree(first: list[int], other: list[int]) -> bool:
    common = set(first) & set(other)
    return [item for item in first if item in common] == [item for item in other if item in common]


@checks("CONSTANT_SCORES")
def check_constant(said: Said) -> None:
    named = models_in(said["models"], said.truth)
    assert said.count == len(named)
    for model in named:
        spread = said.truth.run.lists(model).groupby("user")["score"].agg(np.ptp)
        assert spread.max() < 1e-5


@checks("FOLDS_SHARE", "WINDOWS_SHARE")
def check_folds(said: Said) -> None:
    split = said.truth.spec.split
    expected = split.folds if said.name == "FOLDS_SHARE" else split.windows
    assert said.count == expected == len({fold for rows in said.truth.rows.values() for fold in rows["fold"]})
    earlier, later = said.truth.splits[0].test.interactions, said.truth.splits[-1].train.interactions
    assert set(pairs(earlier)) & set(pairs(later)), "the last training has no test case of the first part"


@checks(
    "TOO_FEW",
    "NOT_IN_PERIOD",
    "UNKNOWN_TIME",
    "NOT_HELD_OUT",
    "NO_HELD_ITEM",
    "NOT_UPLOADED",
    "UNKNOWN_ITEMS_ONLY",
    "NO_TARGET",
)
def check_without_test(said: Said) -> None:
    truth = said.truth
    users = set(truth.users_of_data()) - truth.in_test
    able = set(truth.users_of_data(event=True))
    expected = users - able if said.name == "NO_TARGET" else of_cause(said, users & able)
    assert said.count == len(expected) > 0, f"{said.count} is not {len(expected)}"
    whole_number(said["count"], len(expected))


def of_cause(said: Said, users: Set[int]) -> Set[int]:
    """Return the users without a test case for the named cause."""
    truth = said.truth
    kind, counts = truth.spec.split.kind, truth.users_of_data()
    assert kind in CAUSES[said.name]
    frame = truth.case.frame
    if kind == "user_holdout":
        return {user for user in users if (counts[user] == 1) == (said.name == "TOO_FEW")}
    if kind == "global_time":
        timed = set(frame.loc[frame["timestamp"] > np.iinfo(np.int64).min, "user"])
        return users & timed if said.name == "NOT_IN_PERIOD" else users - timed
    if kind == "uploaded":
        assert truth.case.uploaded is not None
        there = set(truth.case.uploaded["user"])
        return users - there if said.name == "NOT_UPLOADED" else users & there
    return users


@checks("FEW_USERS", "VERY_FEW_USERS", "FEW_USERS_ALONE", "VERY_FEW_USERS_ALONE")
def check_few(said: Said) -> None:
    numbers, users = said.truth.numbers, len(said.truth.common)
    assert said.count == users < (50 if said.name.startswith("VERY") else 100)
    whole_number(said["count"], users)
    found = [numbers.detectable(*pair) for pair in itertools.combinations(numbers.models, 2)]
    middle = float(np.median(found)) if found else 0.0
    if said.name.endswith("ALONE"):
        assert middle < 1e-12
        return
    if users > 1:
        assert middle > 0
        shown = float(said["difference"])
        assert abs(shown - middle) <= 0.5 * 10.0 ** math.floor(math.log10(middle)) + 0.05 * middle


@checks("NOTHING_SIGNIFICANT")
def check_nothing_significant(said: Said) -> None:
    numbers, users = said.truth.numbers, len(said.truth.common)
    assert said.count == users > 1
    whole_number(said["count"], users)
    assert said["level"] == "95%"
    signs = list(itertools.product((-1, 1), repeat=users))
    extreme = sum(abs(sum(one)) == users for one in signs)  # as far from 0 as differences of one sign are
    assert extreme / len(signs) > 0.05
    assert all(numbers.p(*pair) > 0.05 for pair in itertools.combinations(numbers.models, 2))


@checks("POPULARITY_CLOSE")
def check_close(said: Said) -> None:
    truth, means = said.truth, said.truth.numbers.means
    popular = said.model("baseline")
    best = next(model for model in truth.ranked if truth.keys[model] not in BASELINES)
    assert said.model("best") == best
    share = means[popular] / means[best]
    assert 0.9 <= share <= 1
    per_cent(said["share"], share)


@checks("POPULARITY_LEADS")
def check_popularity_leads(said: Said) -> None:
    assert said.truth.keys[said.model("baseline")] == "popular"
    nothing_beats(said, said.model("baseline"))
    whole_number(said["users"], len(said.truth.common))


@checks("IDENTICAL")
def check_identical(said: Said) -> None:
    numbers = said.truth.numbers
    first, second = (numbers.models.index(said.model(name)) for name in ("first", "second"))
    assert np.abs(numbers.values[:, first] - numbers.values[:, second]).max() < 1e-9


@checks("NO_BETTER_THAN_RANDOM")
def check_no_better(said: Said) -> None:
    truth, random = said.truth, said.truth.by_key("random")
    assert random is not None
    named = models_in(said["models"], truth)
    assert said.count == len(named)
    for model in truth.models:
        if truth.keys[model] not in BASELINES:
            assert truth.numbers.differ(model, random) is not (model in named)
