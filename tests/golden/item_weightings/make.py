"""TF-IDF and BM25 of implicit for a small matrix: `python make.py`, in an environment with implicit 0.7.3.

Writes `implicit.json` beside itself: `counts` (U, I), the matrix of plays; `tfidf` and `bm25`, the weighted (I, U)
matrices; `tfidf_similarity` and `bm25_similarity`, the (I, I) similarities of `TFIDFRecommender` and `BM25Recommender`
with all items as neighbors. K1 and B are those of `BM25Recommender`: 1.2 and 0.75.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from implicit.nearest_neighbours import BM25Recommender, TFIDFRecommender, bm25_weight, tfidf_weight
from scipy.sparse import csr_matrix

FOLDER = Path(__file__).resolve().parent
USERS, ITEMS, SEED = 12, 8, 3
K1, B = 1.2, 0.75


def main() -> None:
    rng = np.random.default_rng(SEED)
    counts = np.where(rng.random((USERS, ITEMS)) < 0.45, rng.integers(1, 30, (USERS, ITEMS)), 0)
    matrix = csr_matrix(counts.astype(np.float64))
    found = {"implicit": version("implicit"), "k1": K1, "b": B, "counts": counts.tolist()}
    found["tfidf"] = tfidf_weight(matrix.T).toarray().tolist()
    found["bm25"] = bm25_weight(matrix.T, K1, B).toarray().tolist()
    for name, model in (("tfidf", TFIDFRecommender(K=ITEMS)), ("bm25", BM25Recommender(K=ITEMS, K1=K1, B=B))):
        model.fit(matrix, show_progress=False)
        found[f"{name}_similarity"] = model.similarity.toarray().tolist()
    (FOLDER / "implicit.json").write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
