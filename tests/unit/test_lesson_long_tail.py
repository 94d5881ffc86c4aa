"""Lesson 2: counts, Gini coefficient and head by hand, and the recall of popularity recomputed from the split."""

import numpy as np
import pytest

from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import make_splits
from recsys_core.lessons.long_tail import log
from tests.lessons import numbers_of, scene_of


def test_head_and_gini_of_the_counts() -> None:
    """Gini: mean absolute difference of all pairs over twice the mean."""
    numbers = numbers_of("long_tail", "tail")
    counts = np.array(numbers.counts, dtype=float)
    assert sorted(counts, reverse=True) == counts.tolist()
    assert counts.sum() == 150 * 8
    assert numbers.gini == pytest.approx(np.abs(counts[:, None] - counts).mean() / (2 * counts.mean()))
    assert counts[: numbers.head].sum() >= 0.8 * counts.sum() > counts[: numbers.head - 1].sum()


def test_the_recall_of_popularity_by_hand() -> None:
    """The most popular items of the training data that a user has not seen there; ties count as whole items here."""
    split = make_splits(log(1.0), SplitSpec.parse("ratio:0.25"), seed=1)[0]
    train, test = (np.asarray(part.matrix("binary").toarray()) > 0 for part in (split.train, split.test))
    popularity = train.sum(axis=0)
    low, high = [], []
    for user in np.flatnonzero(test.any(axis=1)):
        unseen = np.flatnonzero(~train[user])
        hits = test[user, unseen]
        best = np.lexsort((~hits, -popularity[unseen]))[:5]  # ties resolved for the hit, then against it
        worst = np.lexsort((hits, -popularity[unseen]))[:5]
        high.append(hits[best].sum() / test[user].sum())
        low.append(hits[worst].sum() / test[user].sum())
    assert np.mean(low) - 1e-9 <= numbers_of("long_tail", "recall").recall["popular"][5] <= np.mean(high) + 1e-9
    assert np.mean(high) - np.mean(low) < 0.1


def test_without_a_tail_popularity_is_no_better_than_chance() -> None:
    """At an exponent of 0 its recall@5 is near 5 / 24, at 2 it is high, with about a dozen distinct items."""
    equal = numbers_of("long_tail", "random", exponent=0)
    assert equal.recall["popular"][5] == pytest.approx(5 / 24, abs=0.05)
    assert scene_of("long_tail", "random", exponent=0).answer == "low"
    steep = numbers_of("long_tail", "same", exponent=2.0)
    assert steep.recall["popular"][5] > 0.7
    assert steep.lists["popular"] < 15 < steep.lists["random"]
