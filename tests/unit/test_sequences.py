"""Histories as sequences: inputs, targets, and batches."""

import numpy as np
import torch
from numpy.testing import assert_array_equal

from recsys_core.contracts import PAD, Ragged
from recsys_core.training.sequences import BUCKET_BATCHES, Sequences, query_batch
from tests.contract.cases import asking

ITEMS = 10


def sequences(rows: list[list[int]], max_length: int = 4, **others: np.ndarray) -> Sequences:
    return Sequences(Ragged.from_rows(rows), ITEMS, max_length, **others)


def test_each_place_predicts_the_item_that_follows() -> None:
    batch = sequences([[1, 2, 3], [4, 5]]).batch(np.array([0, 1]))
    assert_array_equal(batch.tokens, [[1, 2], [4, ITEMS]])
    assert_array_equal(batch.targets, [[2, 3], [5, PAD]])
    assert_array_equal(batch.lengths, [2, 1])


def test_a_long_history_is_read_with_its_latest_part() -> None:
    batch = sequences([[1, 2, 3, 4, 5, 6, 7]], max_length=3).batch(np.array([0]))
    assert_array_equal(batch.tokens, [[4, 5, 6]])
    assert_array_equal(batch.targets, [[5, 6, 7]])


def test_times_go_with_the_items_read() -> None:
    batch = sequences([[1, 2, 3], [4, 5]], times=np.array([10, 20, 30, 40, 50])).batch(np.array([1, 0]))
    assert batch.times is not None
    assert_array_equal(batch.times, [[40, 0], [10, 20]])


def test_what_is_not_to_be_learned_is_no_target() -> None:
    learn = np.array([True, False, True, True, False])
    some = sequences([[1, 2, 3], [4, 5]], learn=learn)
    assert_array_equal(some.batch(np.array([0, 1])).targets, [[PAD, 3], [PAD, PAD]])
    assert_array_equal(some.trainable(), [0])
    assert_array_equal(sequences([[1, 2], [3], []]).trainable(), [0])


def test_an_epoch_visits_every_sequence_once_with_little_padding() -> None:
    rng = np.random.default_rng(0)
    rows = [list(rng.integers(0, ITEMS, length)) for length in rng.integers(2, 100, 500)]
    some = sequences(rows, max_length=100)
    batches = list(some.batches(some.trainable(), 8, np.random.default_rng(1)))
    assert_array_equal(np.sort(np.concatenate([batch.rows for batch in batches])), np.arange(500))
    places = sum(batch.tokens.numel() for batch in batches)
    assert sum(int(batch.mask.sum()) for batch in batches) > (1 - 1 / BUCKET_BATCHES - 0.05) * places
    other = list(some.batches(some.trainable(), 8, np.random.default_rng(2)))
    assert not torch.equal(batches[0].rows, other[0].rows)


def test_a_question_is_read_up_to_its_last_item() -> None:
    batch = query_batch(asking([[1, 2, 3], [4], [5, 6]]), ITEMS, 2, np.array([0, 1, 2]))
    assert_array_equal(batch.tokens, [[2, 3], [4, ITEMS], [5, 6]])
    assert_array_equal(batch.lengths, [2, 1, 2])
    assert not batch.mask.any()
