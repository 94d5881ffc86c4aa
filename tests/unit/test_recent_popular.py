"""Recent popularity by hand: exponential decay, window, both, weights, and missing timestamps."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from recsys_core.contracts import RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.errors import DataError
from recsys_core.models.popular import Popular
from recsys_core.models.recent_popular import RecentPopular, RecentPopularConfig
from tests.contract.cases import tastes

DAY = 86_400_000
ROWS = [(0, 0, 100), (1, 0, 90), (2, 1, 100), (0, 2, 40), (1, 2, 70), (0, 1, 60), (0, 1, 80)]
"""User, item, day: user 0 has item 1 twice."""


def data(rows: list[tuple[int, int, int]] = ROWS, **columns: np.ndarray) -> Dataset:
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"]).astype({"user": "int32", "item": "int32"})
    frame["timestamp"] = frame["timestamp"].astype("int64") * DAY
    return dataset_from_frames(frame.assign(**columns), user_ids=list("abc"), item_ids=list("xyz"))


def popularity(train: Dataset, **config: object) -> np.ndarray:
    model = RecentPopular(RecentPopularConfig.model_validate(config))
    model.fit(train, RunContext())
    return model.popularity


def test_an_interaction_counts_half_after_each_half_life() -> None:
    """With a half-life of 10 days: item 0: 1 + 1/2; item 1: 1 + 1/4 (the latest of user 0); item 2: 2^-6 + 2^-3."""
    assert_allclose(popularity(data(), half_life=10), [1.5, 1.25, 2**-6 + 2**-3])


def test_a_window_counts_what_is_inside_it() -> None:
    """Ages 0, 10, 0, 60, 30, 20: a window of 30 days holds the one of exactly 30."""
    assert_allclose(popularity(data(), weighting="window", max_age=30), [2, 2, 1])


def test_both_count_only_what_is_inside_the_window_and_decay_it() -> None:
    found = popularity(data(), weighting="decay_in_window", max_age=20, half_life=10)
    assert_allclose(found, [1.5, 1.25, 0])


def test_weights_are_summed_over_all_interactions() -> None:
    """Item 1 has weights 3 (day 100), 6 (60) and 7 (80): 3 + 6/16 + 7/4."""
    found = popularity(data(weight=np.array([1, 2, 3, 4, 5, 6, 7], dtype=np.float32)), half_life=10)
    assert_allclose(found, [2.0, 3 + 6 / 16 + 7 / 4, 4 / 64 + 5 / 8])


def test_with_a_long_half_life_it_is_popularity() -> None:
    train = tastes()
    plain = Popular()
    plain.fit(train, RunContext())
    assert_allclose(popularity(train, half_life=100_000), plain.popularity, rtol=1e-3)


def test_interactions_without_a_timestamp_do_not_count() -> None:
    train = data()
    frame = train.interactions.copy()
    frame.loc[1, "timestamp"] = NO_TIMESTAMP
    assert_allclose(popularity(train.with_interactions(frame), half_life=10)[0], 1.0)
    with pytest.raises(DataError, match="every timestamp"):
        popularity(train.with_interactions(frame.assign(timestamp=NO_TIMESTAMP)))
