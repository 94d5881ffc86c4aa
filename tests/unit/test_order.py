"""Whether order matters: known worlds say yes and no, a shuffled upload says no, and ties are not order."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys_core.contracts import Ragged, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.errors import DataError
from recsys_core.evaluation.order import Matters, order_test
from recsys_core.evaluation.transitions import ranks_of_next
from recsys_core.viz.questions import order_sentences
from tests.worlds import checkerboard, markov_chain


def shuffled_upload(data: Dataset, seed: int) -> Dataset:
    """The same users with the same items and timestamps, each user's items in random order."""
    frame = data.interactions.sort_values(["user", "timestamp"], kind="stable").reset_index(drop=True)
    chance = np.random.default_rng(seed).random(len(frame))
    items = frame["item"].to_numpy()[np.lexsort((chance, frame["user"].to_numpy()))]
    return data.with_interactions(frame.assign(item=items))


@pytest.mark.parametrize("loyalty", [1.0, 0.6, 0.3])
def test_a_markov_chain_says_yes(loyalty: float) -> None:
    assert order_test(markov_chain(200, 40, 12, loyalty=loyalty).train).verdict == Matters.YES


def test_a_loyal_chain_is_read_without_a_fault() -> None:
    assert order_test(markov_chain(200, 40, 12).train).ordered.ndcg == 1.0


def test_independent_data_say_no() -> None:
    assert order_test(checkerboard(100, 100).train).verdict == Matters.NO
    said = [order_test(markov_chain(200, 40, 12, loyalty=0.0, seed=seed).train).verdict for seed in range(1, 21)]
    assert said.count(Matters.NO) >= 18  # one in forty by chance


def test_a_world_of_strong_order_says_yes_and_its_shuffled_upload_no() -> None:
    world = load_sample("ordered")
    assert order_test(world).verdict == Matters.YES
    said = [order_test(shuffled_upload(world, seed)).verdict for seed in range(5)]
    assert said.count(Matters.NO) >= 4


def test_order_that_is_only_that_of_the_file_is_called_so() -> None:
    """All of a user's interactions share one timestamp: the chain is in the file order alone."""
    frame = markov_chain(200, 40, 12).train.interactions.sort_values(["user", "timestamp"]).assign(timestamp=1000)
    found = order_test(dataset_from_frames(frame.reset_index(drop=True)))
    assert found.tied == 1.0
    assert found.verdict == Matters.FILE_ONLY


def test_without_times_it_says_so_and_reads_the_file() -> None:
    frame = markov_chain(200, 40, 12).train.interactions.sort_values(["user", "timestamp"]).drop(columns="timestamp")
    found = order_test(dataset_from_frames(frame.reset_index(drop=True)))
    assert not found.has_times
    assert found.untied is None
    assert found.verdict == Matters.YES
    said = " ".join(map(str, order_sentences(found)))
    assert said.startswith("The order of the file matters, but it may be that of items or of ratings")
    assert "Yes, order matters" not in said


def test_places_by_hand() -> None:
    """After item 0 came 1 twice and 2 once, so 1 ranks first, then 2; items in the row are not candidates."""
    histories = Ragged.from_rows([[0, 1], [0, 1], [0, 2], [3, 0]])
    for target, place in ((1, 1), (2, 2)):
        found = ranks_of_next(histories, np.array([9, 9, 9, target]), 10, np.array([3]))
        assert found.tolist() == [place]


def test_same_seed_same_answer_and_nothing_to_look_at_is_refused() -> None:
    data = markov_chain(50, 20, 8, loyalty=0.5).train
    assert order_test(data, RunContext(3)) == order_test(data, RunContext(3))
    with pytest.raises(DataError, match="two different items"):
        order_test(dataset_from_frames(pd.DataFrame({"user": [0, 1], "item": [0, 0]}, dtype="int32")))


def test_a_gain_whose_interval_excludes_zero_does_not_read_as_if_it_had_it() -> None:
    found = order_test(markov_chain(200, 40, 12).train)
    barely = replace(found.ordered, gain=0.06, gain_low=0.0004, gain_high=0.12)
    said = " ".join(map(str, order_sentences(replace(found, ordered=barely))))
    assert "a difference of 0.06 (0.0004 to 0.12)" in said
