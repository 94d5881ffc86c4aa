"""irspack as a program of Recscope: reads the request, trains one model, writes the lists. See docs/plugins.md."""

import json
import os

import numpy as np
import pandas as pd
from irspack.recommenders import (
    DenseSLIMRecommender,
    IALSRecommender,
    P3alphaRecommender,
    RP3betaRecommender,
    SLIMRecommender,
)
from scipy.sparse import csr_matrix

SCORES_AT_ONCE = 20_000_000


def matrix_of(rows, users, items):
    """Return the users x items matrix of distinct pairs; weights add up."""
    places = users.get_indexer(rows["user_id"]), items.get_indexer(rows["item_id"])
    values = rows["weight"] if "weight" in rows else np.ones(len(rows))
    matrix = csr_matrix((np.asarray(values, np.float64), places), shape=(len(users), len(items)))
    matrix.sum_duplicates()
    return matrix


def make(matrix, settings, seed, threads):
    """Return the untrained model of the settings."""
    kind = settings["model"]
    if kind == "ials":
        return IALSRecommender(
            matrix,
            n_components=settings["factors"],
            alpha0=settings["alpha0"],
            reg=settings["regularization"],
            train_epochs=settings["epochs"],
            random_seed=seed,
            n_threads=threads,
        )
    if kind == "ease":
        return DenseSLIMRecommender(matrix, reg=settings["ease_regularization"])
    if kind == "slim":
        penalty = {"alpha": settings["slim_penalty"], "l1_ratio": settings["slim_l1_ratio"]}
        return SLIMRecommender(matrix, **penalty, n_threads=threads)
    graph = {"alpha": settings["alpha"], "top_k": settings["n_neighbors"], "n_threads": threads}
    if kind == "rp3beta":
        return RP3betaRecommender(matrix, beta=settings["beta"], **graph)
    return P3alphaRecommender(matrix, **graph)


def main():
    """Answer the request."""
    with open(os.environ["RECSCOPE_REQUEST"], encoding="utf-8") as file:
        request = json.load(file)
    train, asked = pd.read_parquet(request["train"]), pd.read_parquet(request["users"])
    histories = pd.read_parquet(request["histories"])
    users, items = pd.Index(train["user_id"].unique()), pd.Index(train["item_id"].unique())
    print("recscope: 0/2 train", flush=True)
    model = make(matrix_of(train, users, items), request["settings"], request["seed"], request["threads"]).learn()
    print("recscope: 1/2 train", flush=True)
    own = pd.Index(asked["user_id"])
    history = matrix_of(histories[histories["item_id"].isin(items)], own, items)
    k, parts = min(request["k"], len(items)), []
    block = max(1, SCORES_AT_ONCE // len(items))
    for start in range(0, len(own), block):
        some = history[start : start + block]
        scores = np.array(model.get_score_cold_user(some), dtype=np.float64)
        scores[some.nonzero()] = -np.inf
        scores[np.diff(some.indptr) == 0] = -np.inf  # nothing is known about these users
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        values = np.take_along_axis(scores, best, axis=1)
        frame = pd.DataFrame(
            {
                "user_id": np.repeat(own.to_numpy()[start : start + block], k),
                "item_id": items.to_numpy()[best.ravel()],
                "score": values.ravel(),
            }
        )
        parts.append(frame[np.isfinite(values.ravel())])
    pd.concat(parts).to_parquet(request["output"], index=False)


if __name__ == "__main__":
    main()
