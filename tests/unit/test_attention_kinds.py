"""Attention that is no softmax over the items (HSTU, cloze models): shares, their sentences, and files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import AttentionTrace
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.explain.attention import attended, habit, links, mean_weights, shares
from recsys_core.explain.attention_file import Example, read_example, write_example
from recsys_core.viz import attention
from tests.traces import causal_trace

RAW = np.array([[2.0, 0.0, 0.0], [1.0, -1.0, 0.0], [-1.0, 3.0, 4.0]])
OTHER = np.array([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [2.0, 1.0, 1.0]])


def pointwise(mask_weights: np.ndarray | None = None) -> AttentionTrace:
    """Two heads of a model with pointwise attention; the first step of the second one attends to nothing."""
    weights = np.stack([RAW, OTHER])[None].astype(np.float32)
    trace = causal_trace([3, 1, 4], 24, layers=1)
    return replace(trace, weights=weights, softmax=False, mask_weights=mask_weights)


def test_shares_of_pointwise_weights_are_those_of_their_absolute_values() -> None:
    found = shares(pointwise())
    assert_allclose(found[0, 0], [[1, 0, 0], [0.5, 0.5, 0], [1 / 8, 3 / 8, 4 / 8]])
    assert_allclose(found[0, 1], [[0, 0, 0], [0, 1, 0], [0.5, 0.25, 0.25]])
    assert_allclose(mean_weights(pointwise())[2], [5 / 16, 5 / 16, 6 / 16])
    plain = causal_trace([3, 1, 4], 24)
    assert shares(plain) is plain.weights


def test_a_mask_token_has_its_own_share() -> None:
    own = np.array([[[2.0, -2.0, 2.0], [1.0, 0.0, 0.0]]])
    found = shares(pointwise(own))
    assert_allclose(found[0, 0], [[0.5, 0, 0], [0.25, 0.25, 0], [0.1, 0.3, 0.4]])


def test_the_table_has_the_signed_weights_beside_the_shares() -> None:
    table = links(attended(pointwise(), load_sample("tiny")), [(0, 0)])
    last = table[table["step"] == 3].sort_values("place")
    assert_allclose(last["raw_weight"], [-1, 3, 4])
    assert_allclose(last["weight"], [1 / 8, 3 / 8, 4 / 8])
    assert "raw_weight" not in links(attended(causal_trace([3, 1], 24), load_sample("tiny")))


def test_the_lines_show_shares() -> None:
    data = attention.links_data(attended(pointwise(), load_sample("tiny")), {}, "name")
    assert_allclose(data["weights"][0][2], [0.125, 0.375, 0.5])


def test_the_page_says_what_the_weights_are() -> None:
    tiny = load_sample("tiny")
    assert attention.kind_of_weights(attended(causal_trace([3, 1, 4], 24), tiny)) == []
    (one,) = attention.kind_of_weights(attended(pointwise(), tiny))
    assert "not a softmax: they do not sum to 1, and 17% of them are negative" in str(one)  # 2 of 12
    half = replace(causal_trace([3, 1, 4], 24), mask_weights=np.full((2, 2, 3), 0.5, dtype=np.float32))
    half = replace(half, weights=half.weights / 2)
    (one,) = attention.kind_of_weights(attended(half, tiny))
    assert "on average over 3 steps, 50% of its attention is on the mask token itself" in str(one)
    both = attention.kind_of_weights(attended(pointwise(np.ones((1, 2, 3))), tiny))
    assert len(both) == 2


def test_the_habit_of_a_cloze_model_is_that_of_its_attention_to_items() -> None:
    """Six items with uniform attention, half of it on the mask: largest weight 1/8, spread over all visible items."""
    even = np.tril(np.ones((6, 6))) / np.arange(1, 7)[:, None] / 2
    own = np.full((1, 1, 6), 0.5)
    trace = AttentionTrace(
        np.arange(6), even[None, None], True, np.zeros((6, 1), int), np.zeros((6, 1)), mask_weights=own
    )
    found = habit(attended(trace, load_sample("tiny")))
    assert found.weight == pytest.approx(1 / 8)
    assert found.latest == pytest.approx(found.even)
    assert found.spread == pytest.approx(found.seen) == pytest.approx(5.0)


def test_an_example_keeps_the_kind_of_weights(tmp_path: Path) -> None:
    own = np.array([[[2.0, -2.0, 2.0], [1.0, 0.0, 0.0]]])
    found = attended(pointwise(own), load_sample("tiny"))
    write_example(Example("sasrec", "SASRec", "tiny", {"u": found}), tmp_path)
    trace = read_example("sasrec", tmp_path).traces["u"].trace
    assert not trace.softmax
    assert trace.mask_weights is not None
    assert_array_equal(trace.mask_weights, own)
    assert_array_equal(trace.weights, found.trace.weights)
    assert read_example("sasrec").traces.popitem()[1].trace.softmax
