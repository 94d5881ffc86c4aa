"""cornac as a program of Recscope: reads the request, trains one model, writes the lists. See docs/plugins.md.

cornac knows the users of the training data only, so others get no list.
"""

import json
import os
import sys

import numpy as np
import pandas as pd
from cornac.data import Dataset
from cornac.models import BPR, EASE, MF, NMF


def make(settings, seed, threads):
    """Return the untrained model of the settings."""
    kind = settings["model"]
    if kind == "ease":
        return EASE(lamb=settings["ease_regularization"], posB=False, seed=seed, verbose=False)
    common = {"k": settings["factors"], "max_iter": settings["epochs"], "learning_rate": settings["learning_rate"]}
    common |= {"lambda_reg": settings["regularization"], "num_threads": threads, "seed": seed, "verbose": False}
    return {"bpr": BPR, "mf": MF, "nmf": NMF}[kind](**common)


def main():
    """Answer the request."""
    with open(os.environ["RECSCOPE_REQUEST"], encoding="utf-8") as file:
        request = json.load(file)
    train, asked = pd.read_parquet(request["train"]), pd.read_parquet(request["users"])
    seen = pd.read_parquet(request["seen"]).groupby("user_id")["item_id"].agg(list)
    rating = next((train[name] for name in ("rating", "weight") if name in train), pd.Series(1.0, train.index))
    rows = pd.DataFrame({"user_id": train["user_id"], "item_id": train["item_id"], "rating": rating})
    rows = rows.dropna().drop_duplicates(["user_id", "item_id"], keep="last")
    data = Dataset.from_uir(list(rows.itertuples(index=False, name=None)), seed=request["seed"])
    print("recscope: 0/2 train", flush=True)
    model = make(request["settings"], request["seed"], request["threads"]).fit(data)
    print("recscope: 1/2 train", flush=True)
    items = np.array(list(data.iid_map), dtype=object)
    k, parts = min(request["k"], len(items)), []
    able = [user for user in asked["user_id"] if user in data.uid_map]
    if not able:
        sys.exit("cornac knows the users of the training data only, and no test user is among them.")
    for number, user in enumerate(able):
        scores = np.array(model.score(data.uid_map[user]), dtype=np.float64).ravel()[: len(items)]
        scores[[data.iid_map[item] for item in seen.get(user, []) if item in data.iid_map]] = -np.inf
        best = np.argpartition(-scores, k - 1)[:k]
        best = best[np.isfinite(scores[best])]
        parts.append(pd.DataFrame({"user_id": user, "item_id": items[best], "score": scores[best]}))
        if number % 500 == 0:
            print(f"recscope: {number}/{len(able)} recommend", flush=True)
    pd.concat(parts).to_parquet(request["output"], index=False)


if __name__ == "__main__":
    main()
