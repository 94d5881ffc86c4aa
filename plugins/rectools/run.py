"""RecTools as a program of Recscope: reads the request, trains one model, writes the lists. See docs/plugins.md.

The models used here know the users of the training data only, so others get no list.
"""

import json
import os
import sys

import pandas as pd
from implicit.nearest_neighbours import CosineRecommender
from rectools.dataset import Dataset
from rectools.models import EASEModel, ImplicitItemKNNWrapperModel, PopularModel, PureSVDModel


def make(settings, seed, threads):
    """Return the untrained model of the settings."""
    kind = settings["model"]
    if kind == "ease":
        return EASEModel(regularization=settings["regularization"])
    if kind == "pure_svd":
        return PureSVDModel(factors=settings["factors"], random_state=seed)
    if kind == "item_knn":  # the library counts an item among its own neighbors
        return ImplicitItemKNNWrapperModel(CosineRecommender(K=settings["n_neighbors"] + 1, num_threads=threads))
    return PopularModel()


def main():
    """Answer the request."""
    with open(os.environ["RECSCOPE_REQUEST"], encoding="utf-8") as file:
        request = json.load(file)
    train, asked = pd.read_parquet(request["train"]), pd.read_parquet(request["users"])
    times = pd.to_datetime(train["timestamp"].fillna(0), unit="ms") if "timestamp" in train else pd.Timestamp(0)
    rows = pd.DataFrame(
        {
            "user_id": train["user_id"],
            "item_id": train["item_id"],
            "weight": train.get("weight", 1.0),
            "datetime": times,
        }
    )
    dataset = Dataset.construct(rows)
    print("recscope: 0/2 train", flush=True)
    model = make(request["settings"], request["seed"], request["threads"]).fit(dataset)
    print("recscope: 1/2 train", flush=True)
    users = asked["user_id"][asked["user_id"].isin(set(rows["user_id"]))].to_numpy()
    if not len(users):
        sys.exit("These models know the users of the training data only, and no test user is among them.")
    lists = model.recommend(users=users, dataset=dataset, k=request["k"], filter_viewed=True)
    lists[["user_id", "item_id", "score", "rank"]].to_parquet(request["output"], index=False)


if __name__ == "__main__":
    main()
