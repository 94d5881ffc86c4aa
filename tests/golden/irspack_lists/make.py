"""Lists of irspack's SLIM, RP3beta and P3alpha for a small matrix: `python make.py` in an environment of irspack 0.5.2.

Writes `irspack.json` beside this file: `histories`, the items of each user, and by case the settings, the ten best
unseen items of each user and their scores. The tolerance of SLIM is 1e-7 with up to 10,000 iterations instead of 1e-4
and 100. irspack applies alpha before it normalizes, so with alpha = 1 alone its walks are those of the papers.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parent
USERS, ITEMS, K, SEED = 80, 40, 10, 16
EXACT = {"tol": 1e-7, "n_iter": 10_000}
CASES: dict[str, dict[str, Any]] = {
    "slim": {"alpha": 0.05, "l1_ratio": 0.1},
    "slim_weak": {"alpha": 0.01, "l1_ratio": 0.5},
    "slim_signed": {"alpha": 0.05, "l1_ratio": 0.1, "positive_only": False},
    "rp3beta": {"alpha": 1.0, "beta": 0.6},
    "p3alpha": {"alpha": 1.0, "beta": 0.0},
}


def make_histories() -> list[list[int]]:
    """Return the items of each user: four groups of users and items, which overlap, and few popular items."""
    rng = np.random.default_rng(SEED)
    group = (np.arange(USERS)[:, None] % 4) == (np.arange(ITEMS)[None, :] % 4)
    popular = np.arange(ITEMS)[None, :] < 5
    seen = rng.random((USERS, ITEMS)) < np.where(group, 0.5, 0.08) + 0.3 * popular
    return [np.flatnonzero(row).tolist() for row in seen]


def main() -> None:
    from irspack.recommenders import RP3betaRecommender, SLIMRecommender
    from scipy.sparse import csr_matrix

    histories = make_histories()
    user = np.repeat(np.arange(USERS), [len(row) for row in histories])
    matrix = csr_matrix((np.ones(len(user)), (user, np.concatenate(histories))), shape=(USERS, ITEMS))
    content: dict[str, Any] = {"irspack": version("irspack"), "histories": histories, "cases": {}}
    for name, settings in CASES.items():
        kind = SLIMRecommender if name.startswith("slim") else RP3betaRecommender
        model = kind(matrix, n_threads=1, **settings, **(EXACT if kind is SLIMRecommender else {}))
        model.learn()
        scores = model.get_score_remove_seen(np.arange(USERS))
        lists = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        best = np.take_along_axis(scores, lists, axis=1)
        content["cases"][name] = {
            "settings": settings,
            "lists": lists.tolist(),
            "scores": [[float(f"{score:.7g}") for score in row] for row in best],
        }
    (FOLDER / "irspack.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
