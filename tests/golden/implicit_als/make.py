"""Lists and scores of implicit's ALS on a small matrix: `python make.py` in an environment with implicit 0.7.3.

Writes `implicit.json` beside itself. The initial item factors are those of Recscope's `ials` with seed 42 (its named
random stream is restated here), multiplied by sqrt(C / (C - 1)), as the scores of both differ by C / (C - 1); implicit
solves the users first, too. Double precision and the exact solver (`use_cg=False`), so rounding is that of Recscope.
"""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

USERS, ITEMS, FACTORS, ITERATIONS = 40, 30, 6, 8
CONFIDENCE, REGULARIZATION, INIT_STD, SEED = 11.0, 2.0, 0.1, 42


def main() -> None:
    """Fit implicit's ALS and write pairs, settings, lists and scores."""
    rng = np.random.default_rng(7)
    own_half = np.arange(USERS)[:, None] % 2 == np.arange(ITEMS) % 2
    seen = rng.random((USERS, ITEMS)) < np.where(own_half, 0.5, 0.15)
    digest = hashlib.sha256(b"ials/start").digest()
    stream = np.random.default_rng([SEED, int.from_bytes(digest[:8], "little")])
    start = stream.standard_normal((ITEMS, FACTORS), dtype=np.float32) * np.float32(INIT_STD / np.sqrt(FACTORS))
    model = AlternatingLeastSquares(
        FACTORS, REGULARIZATION, iterations=ITERATIONS, use_cg=False, dtype=np.float64, num_threads=1
    )
    model.item_factors = start * np.sqrt(CONFIDENCE / (CONFIDENCE - 1.0))
    model.user_factors = np.zeros((USERS, FACTORS))
    matrix = csr_matrix(seen * CONFIDENCE)
    model.fit(matrix, show_progress=False)
    model.user_factors = model.recalculate_user(np.arange(USERS), matrix)  # after the last update of the items
    items, scores = model.recommend(np.arange(USERS), matrix, N=8, filter_already_liked_items=True)
    users_of, items_of = np.nonzero(seen)
    golden = {
        "implicit": version("implicit"),
        "confidence": CONFIDENCE,
        "regularization": REGULARIZATION,
        "factors": FACTORS,
        "epochs": ITERATIONS,
        "init_std": INIT_STD,
        "user": users_of.tolist(),
        "item": items_of.tolist(),
        "lists": items.tolist(),
        "scores": [[round(float(score), 6) for score in row] for row in scores],
    }
    path = Path(__file__).resolve().parent / "implicit.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
