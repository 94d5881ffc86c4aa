"""TF-IDF and BM25 give the weights and similarities of implicit; `item_weightings/make.py` wrote its numbers.

Similarities are compared with a tolerance of 1e-6, since ours are sums of products of float32 values.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.explain.neighbors import item_similarities
from recsys_core.models.item_knn import ItemKNN
from recsys_core.models.term_weighting import TermWeighting, WeightingName
from tests.contract.cases import fitted

PATH = Path(__file__).parent / "item_weightings" / "implicit.json"
EXPECTED: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
COUNTS = np.array(EXPECTED["counts"], dtype=np.float64)
SIMILARITY = {"tfidf": "cosine", "bm25": "dot"}


def plays() -> Dataset:
    """The matrix of plays as ratings, so that entries are the counts themselves."""
    user, item = np.nonzero(COUNTS)
    frame = pd.DataFrame({"user": user, "item": item}).astype("int32")
    return dataset_from_frames(frame.assign(rating=COUNTS[user, item].astype(np.float32)))


@pytest.mark.parametrize("name", list(SIMILARITY))
def test_the_weighted_matrix_is_that_of_implicit(name: WeightingName) -> None:
    rows = csr_array(COUNTS.T)
    found = TermWeighting.of(rows, name, EXPECTED["k1"], EXPECTED["b"]).weighted(rows)
    np.testing.assert_allclose(found.toarray(), EXPECTED[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "similarity"), list(SIMILARITY.items()))
def test_the_similarities_are_those_of_implicit(name: str, similarity: str) -> None:
    model = fitted("item_knn", plays(), {"weighting": name, "similarity": similarity, "neighbors": COUNTS.shape[1]})
    assert isinstance(model, ItemKNN)
    found = item_similarities(model, np.arange(model.n_items))
    np.testing.assert_allclose(found, EXPECTED[f"{name}_similarity"], rtol=1e-6, atol=1e-6)
