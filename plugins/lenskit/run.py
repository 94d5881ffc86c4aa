"""LensKit as a program of Recscope: reads the request, trains one model, writes the lists. See docs/plugins.md.

Every user is asked for with the history of the request; popularity needs none. Ratings are not used.
"""

import json
import os

import numpy as np
import pandas as pd
from lenskit.als import ImplicitMFScorer
from lenskit.basic import PopScorer
from lenskit.data import ItemList, RecQuery, from_interactions_df
from lenskit.knn import EASEScorer, ItemKNNScorer, SLIMScorer, UserKNNScorer
from lenskit.parallel import initialize
from lenskit.training import TrainingOptions

REPORT_EVERY = 500


def make(settings):
    """Return the untrained model of the settings."""
    kind = settings["model"]
    if kind in ("item_knn", "user_knn"):
        scorer = ItemKNNScorer if kind == "item_knn" else UserKNNScorer
        return scorer(max_nbrs=settings["n_neighbors"], feedback="implicit")
    if kind == "als":
        return ImplicitMFScorer(
            embedding_size=settings["factors"],
            epochs=settings["iterations"],
            regularization=settings["regularization"],
            weight=settings["weight"],
        )
    if kind == "ease":
        return EASEScorer(regularization=settings["ease_regularization"])
    if kind == "slim":
        return SLIMScorer(l1_reg=settings["l1"], l2_reg=settings["l2"])
    return PopScorer(score="count")


def train(model, data, settings, seed):
    """Train the model; ALS reports its passes."""
    options = TrainingOptions(rng=seed)
    if settings["model"] != "als":
        print("recscope: 0/1 train", flush=True)
        model.train(data, options)
        return
    trainer = model.create_trainer(data, options)
    for number in range(1, settings["iterations"] + 1):
        trainer.train_epoch()
        print(f"recscope: {number}/{settings['iterations']} iterations", flush=True)
    trainer.finalize()


def lists_of(model, data, users, histories, seen, k):
    """Yield the best k unseen items of each user, with their scores."""
    catalog = ItemList(item_nums=np.arange(data.item_count), vocabulary=data.items)
    nothing = np.empty(0, dtype=np.int64)
    for number, user in enumerate(users, start=1):
        own = ItemList(item_nums=histories.get(user, nothing), vocabulary=data.items)
        scores = model(RecQuery(user_id=user, user_items=own), catalog).scores("numpy").astype(np.float64)
        scores[seen.get(user, nothing)] = np.nan
        scores = np.where(np.isfinite(scores), scores, -np.inf)
        best = np.argsort(-scores, kind="stable")[:k]
        best = best[np.isfinite(scores[best])]
        yield user, best, scores[best]
        if number % REPORT_EVERY == 0 or number == len(users):
            print(f"recscope: {number}/{len(users)} recommend", flush=True)


def by_user(rows, items):
    """Return the distinct positions of the known items of each user."""
    places = items.get_indexer(rows["item_id"])
    known = pd.DataFrame({"user": rows["user_id"].to_numpy(), "place": places})[places >= 0].drop_duplicates()
    return {user: group.to_numpy() for user, group in known.groupby("user")["place"]}


def main():
    """Answer the request."""
    with open(os.environ["RECSCOPE_REQUEST"], encoding="utf-8") as file:
        request = json.load(file)
    settings = request["settings"]
    initialize(processes=1, threads=request["threads"], backend_threads=request["threads"])
    rows = pd.read_parquet(request["train"])[["user_id", "item_id"]].drop_duplicates(ignore_index=True)
    data = from_interactions_df(rows.copy())
    model = make(settings)
    train(model, data, settings, request["seed"])
    items = pd.Index(data.items.ids())
    histories, seen = (by_user(pd.read_parquet(request[name]), items) for name in ("histories", "seen"))
    users = pd.read_parquet(request["users"])["user_id"]
    parts = [
        pd.DataFrame({"user_id": user, "item_id": items[best], "score": scores, "rank": np.arange(1, len(best) + 1)})
        for user, best, scores in lists_of(model, data, users, histories, seen, request["k"])
    ]
    pd.concat(parts).to_parquet(request["output"], index=False)


if __name__ == "__main__":
    main()
