"""Lists of LensKit for a small matrix: `python make.py` in an environment of lenskit 2025.8.1 and torch 2.13.0.

2025.8.1 is the last release of LensKit that runs on Python 3.11; later ones need 3.12.

Writes `lenskit.json` beside this file: `histories`, the items of each user, and by case the settings, the ten best
unseen items of each user and their scores. All cases are implicit feedback. ALS starts from the item factors of
Recscope's `ials` with seed 42 (its named random stream is restated here), multiplied by sqrt(C / (C - 1)) for the
confidence C = 1 + weight of an interaction, as the scores of both differ by C / (C - 1); the users are solved first.

What differs by definition:

- kNN with fewer neighbors than there are: LensKit sums the `max_nbrs` largest similarities among the history items of
  the user (item kNN), or among the users who have the item (user kNN). Recscope keeps the most similar items of all, or
  the most similar users of all, and sums those of them that are in the history, or have the item. So Recscope's score
  is at most LensKit's, and both are equal if no neighbor is cut off (`max_nbrs` of at least all items or users).
- kNN with ratings: LensKit compares ratings centered by the item's (item kNN) or user's (user kNN) mean, with the norm
  over all ratings of each; Recscope's Pearson takes means and norms over the common users or items, and its other
  measures do not center in this way. No setting makes the similarities equal, so there is no case with ratings.
- `min_sim`: LensKit leaves out similarities below 1e-6; cosines of these histories are 0 or larger.
- User kNN with a given history: LensKit does not normalize the vector of the history, so its scores are Recscope's
  times sqrt(n_u), the norm of n_u items; the order of a list is the same.
- SLIM: LensKit stops at a tolerance of its own that cannot be set: here after fewer than 100 passes, with weights up to
  1.5e-3 from those of the minimum and an objective of 234.5669 instead of 234.5664. Its objective is that of Recscope.
"""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parent
USERS, ITEMS, K, SEED = 80, 40, 10, 17
FEW = 5
"""Neighbors of the cases in which LensKit and Recscope cut off differently."""
CASES: dict[str, dict[str, Any]] = {
    "item_knn": {"max_nbrs": ITEMS, "feedback": "implicit"},
    "item_knn_few": {"max_nbrs": FEW, "feedback": "implicit"},
    "user_knn": {"max_nbrs": USERS, "feedback": "implicit"},
    "user_knn_few": {"max_nbrs": FEW, "feedback": "implicit"},
    "ease": {"regularization": 20.0},
    "slim": {"l1_reg": 1.0, "l2_reg": 5.0, "max_iters": 1_000},
    "als": {"embedding_size": 6, "epochs": 8, "regularization": 2.0, "weight": 10.0},
}
INIT_STD, ALS_SEED = 0.1, 42


def make_histories() -> list[list[int]]:
    """Return the items of each user: four groups of users and items, which overlap, and few popular items."""
    rng = np.random.default_rng(SEED)
    group = (np.arange(USERS)[:, None] % 4) == (np.arange(ITEMS)[None, :] % 4)
    popular = np.arange(ITEMS)[None, :] < 5
    seen = rng.random((USERS, ITEMS)) < np.where(group, 0.5, 0.08) + 0.3 * popular
    return [np.flatnonzero(row).tolist() for row in seen]


def start_of_items(factors: int, weight: float) -> np.ndarray[Any, Any]:
    """Return (ITEMS, factors) the first item factors of `ials`, scaled for LensKit."""
    digest = hashlib.sha256(b"ials/start").digest()
    stream = np.random.default_rng([ALS_SEED, int.from_bytes(digest[:8], "little")])
    start = stream.standard_normal((ITEMS, factors), dtype=np.float32) * np.float32(INIT_STD / np.sqrt(factors))
    return start * np.float32(np.sqrt((1.0 + weight) / weight))


def main() -> None:
    """Train LensKit's models and write histories, settings, lists and scores."""
    import pandas as pd
    from lenskit.als import ImplicitMFScorer
    from lenskit.data import ItemList, RecQuery, from_interactions_df
    from lenskit.knn import EASEScorer, ItemKNNScorer, SLIMScorer, UserKNNScorer
    from lenskit.training import TrainingOptions

    kinds = {"item": ItemKNNScorer, "user": UserKNNScorer, "ease": EASEScorer, "slim": SLIMScorer}
    histories = make_histories()
    user = np.repeat(np.arange(USERS), [len(row) for row in histories])
    frame = pd.DataFrame({"user_id": user, "item_id": np.concatenate(histories)})
    data = from_interactions_df(frame, users=np.arange(USERS), items=np.arange(ITEMS))
    everything = ItemList(item_ids=np.arange(ITEMS), vocabulary=data.items)
    content: dict[str, Any] = {"lenskit": version("lenskit"), "histories": histories, "cases": {}}
    for name, settings in CASES.items():
        options = TrainingOptions(rng=SEED)
        if name == "als":
            model = ImplicitMFScorer(**settings)
            trainer = model.create_trainer(data, options)
            model.item_embeddings[:] = start_of_items(settings["embedding_size"], settings["weight"])
            model.user_embeddings[:] = 0.0
            for _ in range(settings["epochs"]):
                trainer.train_epoch()
            trainer.finalize()
        else:
            model = kinds[name.partition("_")[0]](**settings)
            model.train(data, options)
        lists, scores = [], []
        for number, history in enumerate(histories):
            query = RecQuery(user_id=number, user_items=ItemList(item_ids=history, vocabulary=data.items))
            found = np.nan_to_num(model(query, everything).scores("numpy").astype(np.float64))
            found[history] = -np.inf
            best = np.argsort(-found, kind="stable")[:K]
            lists.append(best.tolist())
            scores.append([float(f"{score:.7g}") for score in found[best]])
        content["cases"][name] = {"settings": settings, "lists": lists, "scores": scores}
    (FOLDER / "lenskit.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
