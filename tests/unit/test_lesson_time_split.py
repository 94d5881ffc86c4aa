"""Lesson 14: leaks counted by hand on the same split, and the order of two models that turns over."""

import pytest

from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.lessons.time_split import SPLITS, log
from tests.lessons import numbers_of, scene_of


@pytest.mark.parametrize("kind", SPLITS)
def test_leaks_are_test_rows_before_the_last_training_row(kind: str) -> None:
    own = numbers_of("time_split", "leaks", split=kind).own
    split = make_splits(log(0.5), SplitSpec.parse(kind), seed=1)[0]
    latest = max(split.train.interactions["timestamp"])
    assert own.tests == len(split.test.interactions)
    assert own.later == sum(time < latest for time in split.test.interactions["timestamp"])
    assert (own.later == 0) == (kind == "global_time")


def test_the_time_line_shows_all_rows_of_the_first_users() -> None:
    own = numbers_of("time_split", "timeline").own
    rows = log(0.5).interactions
    assert len(own.train[0]) + len(own.test[0]) == (rows["user"] < 8).sum()


def test_most_random_tests_leak_and_none_by_time() -> None:
    assert scene_of("time_split", "leaks").answer == "most"
    assert scene_of("time_split", "leaks", split="global_time").answer == "few"


def test_the_leader_of_the_random_split_does_not_lead_by_time() -> None:
    every = numbers_of("time_split", "leader").every
    random, time = every["ratio"], every["global_time"]
    assert random.means["item_knn"] > random.means["popular"]
    assert random.different
    assert time.means["item_knn"] < time.means["popular"]
    assert not time.different
    assert scene_of("time_split", "leader").answer == "no"


def test_fads_cannot_be_known_before() -> None:
    assert scene_of("time_split", "lies", fads=0.7).answer == "few"
    assert scene_of("time_split", "lies", fads=0.5).answer == "some"
