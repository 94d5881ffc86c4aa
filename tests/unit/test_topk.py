"""Top-k lists equal sorting, for any scores."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_array_equal

from recsys_core.contracts import PAD, FloatArray, Ragged
from recsys_core.models.topk import top_k

SCORES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, max_side=7),
    elements=st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0, np.inf, np.nan]),
)


@given(scores=SCORES, k=st.integers(1, 9), data=st.data())
def test_equals_a_stable_sort_of_what_can_be_scored(scores: FloatArray, k: int, data: st.DataObject) -> None:
    items = scores.shape[1]
    hidden = [data.draw(st.lists(st.integers(0, items - 1), max_size=items)) for _ in scores]
    found = top_k(scores, k, exclude=Ragged.from_rows(hidden))
    for row, values in enumerate(scores):
        allowed = [i for i in range(items) if i not in hidden[row] and values[i] > -np.inf]
        expected = sorted(allowed, key=lambda i: (-values[i], i))[:k]
        padding = k - len(expected)
        assert_array_equal(found.item[row], expected + [PAD] * padding)
        assert_array_equal(found.score[row], [*values[expected], *[np.nan] * padding])
