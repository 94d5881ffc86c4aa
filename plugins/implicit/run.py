"""implicit as a program of Recscope: reads the request, trains one model, writes the lists. See docs/plugins.md."""

import json
import os
import sys

import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from scipy.sparse import csr_matrix

BLOCK = 2_000


def matrix_of(rows, users, items):
    """Return the users x items matrix of distinct pairs; weights add up."""
    places = users.get_indexer(rows["user_id"]), items.get_indexer(rows["item_id"])
    values = rows["weight"] if "weight" in rows else np.ones(len(rows))
    matrix = csr_matrix((np.asarray(values, np.float32), places), shape=(len(users), len(items)))
    matrix.sum_duplicates()
    return matrix


def make(settings, seed, threads):
    """Return the untrained model of the settings."""
    neighbors = {"cosine": CosineRecommender, "tfidf": TFIDFRecommender, "bm25": BM25Recommender}
    if settings["model"] in neighbors:  # the library counts an item among its own neighbors
        return neighbors[settings["model"]](K=settings["n_neighbors"] + 1, num_threads=threads)
    common = {name: settings[name] for name in ("factors", "iterations", "regularization")}
    common |= {"random_state": seed, "num_threads": threads}
    if settings["model"] == "als":
        return AlternatingLeastSquares(alpha=settings["alpha"], **common)
    return BayesianPersonalizedRanking(learning_rate=settings["learning_rate"], **common)


def lists_of(model, users, known, history, k, kind):
    """Return positions and scores of the best k items of each user, and the rows of the users that have a list."""
    able = np.arange(len(known)) if kind != "bpr" else np.flatnonzero(known)
    for start in range(0, len(able), BLOCK):
        rows = able[start : start + BLOCK]
        options = {"recalculate_user": True} if kind == "als" else {}
        ids = users[rows] if kind == "bpr" else np.arange(len(rows))
        found, scores = model.recommend(ids, history[rows], N=k, filter_already_liked_items=True, **options)
        print(f"recscope: {min(start + BLOCK, len(able))}/{len(able)} recommend", flush=True)
        yield rows, found, scores


def main():
    """Answer the request."""
    with open(os.environ["RECSCOPE_REQUEST"], encoding="utf-8") as file:
        request = json.load(file)
    settings, kind = request["settings"], request["settings"]["model"]
    train, asked = pd.read_parquet(request["train"]), pd.read_parquet(request["users"])
    histories = pd.read_parquet(request["histories"])
    users, items = pd.Index(train["user_id"].unique()), pd.Index(train["item_id"].unique())
    matrix = matrix_of(train, users, items)
    model = make(settings, request["seed"], request["threads"])
    total = settings["iterations"]
    if kind == "als":
        done = iter(range(1, total + 1))
        model.fit(
            matrix,
            show_progress=False,
            callback=lambda *_: print(f"recscope: {next(done)}/{total} iterations", flush=True),
        )
    else:
        model.fit(matrix, show_progress=False)
    own = pd.Index(asked["user_id"])
    history = matrix_of(histories[histories["item_id"].isin(items)], own, items)
    parts = []
    places = users.get_indexer(own)
    for rows, found, scores in lists_of(model, places, places >= 0, history, request["k"], kind):
        frame = pd.DataFrame(
            {
                "user_id": np.repeat(own.to_numpy()[rows], found.shape[1]),
                "item_id": items.to_numpy()[np.maximum(found, 0).ravel()],
                "score": scores.ravel(),
                "rank": np.tile(np.arange(1, found.shape[1] + 1), len(rows)),
            }
        )
        valid = (found.ravel() >= 0) & (scores.ravel() > np.finfo(np.float32).min)
        parts.append(frame[valid])
    if not parts:
        sys.exit("BPR knows the users of the training data only, and no test user is among them.")
    pd.concat(parts).to_parquet(request["output"], index=False)


if __name__ == "__main__":
    main()
