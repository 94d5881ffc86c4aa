"""Values of six libraries for 200 random lists: `python make.py LIBRARY`, once in an environment of each library.

The libraries' installations exclude each other, so each runs in an environment of its own: RecTools 0.19.0,
LensKit 2025.8.1, irspack 0.5.2, recommenders 1.2.1 (Microsoft; only `recommenders.evaluation.python_evaluation`, with
pandas and scikit-learn), RecPack 0.3.6 and ranx 0.3.21 (`NUMBA_DISABLE_JIT=1` saves a minute of compilation). This file
imports nothing else and writes `LIBRARY.json` beside itself: `values` by metric and cut-off, one per user, null where
the library has none for that user, `means` where the library averages over users itself, and `others`, the values of
metrics that Recscope computes in one way only.

All libraries get the same lists and the same relevant items, all of relevance 1, with their default settings.
"""

import json
import math
import random
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
USERS, ITEMS, LENGTH, SEED = 200, 60, 20, 8
CUTOFFS = (5, 20)
PACKAGES = {
    "rectools": "RecTools", "lenskit": "lenskit", "irspack": "irspack", "microsoft": "recommenders",
    "recpack": "recpack", "ranx": "ranx",
}  # fmt: skip
Values = dict[str, list[Any]]


def make_lists() -> dict[str, Any]:
    """Return lists, relevant items with grades 1 to 5, and training interactions of each item.

    Of every ten users one has an empty list, one no relevant item, one a single one and one more than the cut-off;
    three lists are shorter than the cut-off.
    """
    rng = random.Random(SEED)
    lists, relevant, grades = [], [], []
    for user in range(USERS):
        length = {0: 0, 1: rng.randint(1, 4), 2: rng.randint(5, 19), 3: rng.randint(6, 12)}.get(user % 10, LENGTH)
        size = {4: 0, 5: 1, 6: rng.randint(21, 40)}.get(user % 10, rng.randint(1, 12))
        if user == USERS - 10:
            size = 0  # neither a list nor relevant items
        lists.append(rng.sample(range(ITEMS), length))
        relevant.append(sorted(rng.sample(range(ITEMS), size)))
        grades.append([rng.randint(1, 5) for _ in range(size)])
    others = [rng.sample(range(ITEMS), LENGTH) for _ in range(USERS)]
    counts = [rng.randint(1, 50) for _ in range(ITEMS)]
    return {"lists": lists, "relevant": relevant, "grades": grades, "other_lists": others, "counts": counts}


def by_rectools(data: dict[str, Any]) -> dict[str, Any]:
    import pandas as pd
    from rectools import metrics as m

    def table(lists: list[list[int]]) -> pd.DataFrame:
        rows = [(user, item, rank) for user, row in enumerate(lists) for rank, item in enumerate(row, 1)]
        return pd.DataFrame(rows, columns=["user_id", "item_id", "rank"])

    listed = table(data["lists"])
    truth = table(data["relevant"])[["user_id", "item_id"]]
    before = [(user, item) for item, count in enumerate(data["counts"]) for user in range(count)]
    train = pd.DataFrame(before, columns=["user_id", "item_id"])
    kinds = {
        "precision": m.Precision, "recall": m.Recall, "hit_rate": m.HitRate, "mrr": m.MRR, "map": m.MAP, "ndcg": m.NDCG
    }  # fmt: skip
    values, means, others = {}, {}, {}
    for k in CUTOFFS:
        for key, kind in kinds.items():
            values[f"{key}@{k}"] = each(kind(k=k).calc_per_user(listed, truth).to_dict())
            means[f"{key}@{k}"] = kind(k=k).calc(listed, truth)
        serendipity = m.Serendipity(k=k).calc_per_user(listed, truth, train, list(range(ITEMS)))
        others[f"serendipity@{k}"] = each(serendipity.to_dict())
        others[f"covered_users@{k}"] = m.CoveredUsers(k=k).calc(listed, truth)
        others[f"overlap@{k}"] = each(m.Intersection(k=k).calc_per_user(listed, table(data["other_lists"])).to_dict())
        options = {
            "map, divide_by_k": m.MAP(k=k, divide_by_k=True),
            "ndcg, divide_by_achievable": m.NDCG(k=k, divide_by_achievable=True),
            "precision, r_precision": m.Precision(k=k, r_precision=True),
        }
        others |= {f"{key}@{k}": each(one.calc_per_user(listed, truth).to_dict()) for key, one in options.items()}
    return {"values": values, "means": means, "others": others}


def by_lenskit(data: dict[str, Any]) -> dict[str, Any]:
    from lenskit.data import ItemList
    from lenskit.metrics import NDCG, ExposureGini, Hit, ListGini, LogRankWeight, Precision, Recall, RecipRank
    from lenskit.metrics.ranking._map import AveragePrecision

    kinds = {
        "precision": Precision, "recall": Recall, "hit_rate": Hit, "mrr": RecipRank, "map": AveragePrecision,
        "ndcg": NDCG,
    }  # fmt: skip
    lists = [ItemList(item_ids=row, ordered=True) for row in data["lists"]]
    truth = [
        ItemList(item_ids=row, rating=[float(grade) for grade in grades])
        for row, grades in zip(data["relevant"], data["grades"], strict=True)
    ]

    def measured(metric: Any) -> list[Any]:
        values = []
        for user in range(USERS):
            try:
                values.append(metric.measure_list(lists[user], truth[user]))
            except ZeroDivisionError:  # AveragePrecision without relevant items
                values.append(None)
        return values

    values, others = {}, {}
    weight = LogRankWeight(offset=1)
    for k in CUTOFFS:
        values |= {f"{key}@{k}": measured(kind(k)) for key, kind in kinds.items()}
        others[f"ndcg_graded@{k}"] = measured(NDCG(k, gain="rating", weight=weight))
        shown = [row for row in lists if len(row)]
        for key, metric in (
            ("exposure_gini", ExposureGini(k, items=ITEMS, weight=weight)),
            ("gini", ListGini(k, items=ITEMS)),
        ):
            others[f"{key}@{k}"] = metric.global_aggregate([metric.compute_list_data(row, None) for row in shown])
    return {"values": values, "means": {}, "others": others}


def by_irspack(data: dict[str, Any]) -> dict[str, Any]:
    import numpy as np
    from irspack.evaluation import Evaluator
    from scipy.sparse import csr_matrix

    kinds = {"precision": "precision", "recall": "recall", "hit_rate": "hit", "map": "map", "ndcg": "ndcg"}
    scores = np.full((USERS, ITEMS), -np.inf)
    truth = np.zeros((USERS, ITEMS))
    for user in range(USERS):
        for rank, item in enumerate(data["lists"][user]):
            scores[user, item] = float(LENGTH - rank)
        truth[user, data["relevant"][user]] = 1.0
    values: Values = {f"{key}@{k}": [] for k in CUTOFFS for key in kinds}
    others: Values = {f"recall, recall_with_cutoff@{k}": [] for k in CUTOFFS}
    means = {}
    for k in CUTOFFS:
        whole = Evaluator(csr_matrix(truth), cutoff=k).get_score_from_score_matrix(scores)
        means |= {f"{key}@{k}": whole[name] for key, name in kinds.items()}
        for user in range(USERS):
            alone = Evaluator(csr_matrix(truth[[user]]), cutoff=k).get_score_from_score_matrix(scores[[user]])
            for key, name in kinds.items():
                values[f"{key}@{k}"].append(alone[name] if alone["valid_user"] else None)
            capped = Evaluator(csr_matrix(truth[[user]]), cutoff=k, recall_with_cutoff=True)
            recall = capped.get_score_from_score_matrix(scores[[user]])["recall"]
            others[f"recall, recall_with_cutoff@{k}"].append(recall if alone["valid_user"] else None)
    return {"values": values, "means": means, "others": others}


def by_microsoft(data: dict[str, Any]) -> dict[str, Any]:
    """A metric returns one number, so each user is evaluated alone; users missing in either table are not counted."""
    import pandas as pd
    from recommenders.evaluation import python_evaluation as m

    listed = pd.DataFrame(
        [(user, item, float(LENGTH - rank)) for user, row in enumerate(data["lists"]) for rank, item in enumerate(row)],
        columns=["userID", "itemID", "prediction"],
    )
    truth = pd.DataFrame(
        [(user, item, 1.0) for user, row in enumerate(data["relevant"]) for item in row],
        columns=["userID", "itemID", "rating"],
    )
    graded = truth.assign(rating=[float(grade) for row in data["grades"] for grade in row])
    kinds = {"precision": m.precision_at_k, "recall": m.recall_at_k, "map": m.map_at_k, "ndcg": m.ndcg_at_k}
    values: Values = {f"{key}@{k}": [] for k in CUTOFFS for key in kinds}
    others: Values = {f"{key}@{k}": [] for k in CUTOFFS for key in ("r_precision", "ndcg_graded", "map_by_relevant")}
    for user in range(USERS):
        own, has_grades = truth[truth["userID"] == user], graded[graded["userID"] == user]
        for k in CUTOFFS:
            paired = len(own) and data["lists"][user]
            for key, function in kinds.items():
                able = len(own) if key == "ndcg" else paired  # ndcg_at_k counts users without a list
                values[f"{key}@{k}"].append(float(function(own, listed, k=k)) if able else None)
            graded_ndcg = {"score_type": "raw", "discfun_type": "log2"}
            for key, function, wanted, options in (
                ("r_precision", m.r_precision_at_k, own, {}),
                ("ndcg_graded", m.ndcg_at_k, has_grades, graded_ndcg),
                ("map_by_relevant", m.map, own, {}),
            ):
                others[f"{key}@{k}"].append(float(function(wanted, listed, k=k, **options)) if paired else None)
    means = {f"{key}@{k}": float(function(truth, listed, k=k)) for k in CUTOFFS for key, function in kinds.items()}
    return {"values": values, "means": means, "others": others}


def by_recpack(data: dict[str, Any]) -> dict[str, Any]:
    import numpy as np
    from recpack.metrics.dcg import NDCGK
    from recpack.metrics.hit import HitK
    from recpack.metrics.ips import IPSHitRateK
    from recpack.metrics.precision import PrecisionK
    from recpack.metrics.recall import CalibratedRecallK, RecallK
    from recpack.metrics.reciprocal_rank import ReciprocalRankK
    from scipy.sparse import csr_matrix

    scores, truth = np.zeros((USERS, ITEMS)), np.zeros((USERS, ITEMS))
    for user in range(USERS):
        for rank, item in enumerate(data["lists"][user]):
            scores[user, item] = float(LENGTH - rank)
        truth[user, data["relevant"][user]] = 1.0
    counts = np.array(data["counts"])
    train = csr_matrix(np.arange(counts.max())[:, None] < counts[None, :]).astype(np.float64)

    def measured(metric: Any, given: Any, by_item: bool = False) -> tuple[list[Any], float]:
        if hasattr(metric, "fit"):
            metric.fit(train)
        metric.calculate(csr_matrix(truth), csr_matrix(given))
        result = metric.results
        own = result.groupby("user_id")["score"].sum() if by_item else result.set_index("user_id")["score"]
        return each(own.to_dict()), float(metric.value)

    values, means, others = {}, {}, {}
    kinds = {"precision": PrecisionK, "recall": RecallK, "mrr": ReciprocalRankK, "ndcg": NDCGK, "hit_rate": HitK}
    for k in CUTOFFS:
        for key, kind in kinds.items():
            values[f"{key}@{k}"], means[f"{key}@{k}"] = measured(kind(k), scores, key == "hit_rate")
        others[f"calibrated_recall@{k}"] = measured(CalibratedRecallK(k), scores)[0]
        others[f"ips_hits@{k}"] = measured(IPSHitRateK(k), scores, by_item=True)[0]
    others["ips_all"] = measured(IPSHitRateK(ITEMS), truth, by_item=True)[0]
    return {"values": values, "means": means, "others": others}


def by_ranx(data: dict[str, Any]) -> dict[str, Any]:
    from ranx import Qrels, Run, evaluate

    def truth(grades: bool) -> Any:
        rows = enumerate(zip(data["relevant"], data["grades"], strict=True))
        return Qrels(
            {
                f"{user:03}": {str(item): grade if grades else 1 for item, grade in zip(items, own, strict=True)}
                for user, (items, own) in rows
                if items
            }
        )

    run = Run(
        {
            f"{user:03}": {str(item): float(LENGTH - rank) for rank, item in enumerate(row)}
            for user, row in enumerate(data["lists"])
            if row
        }
    )
    kinds = ("precision", "recall", "hit_rate", "mrr", "map", "ndcg")
    names = [f"{key}@{k}" for k in CUTOFFS for key in kinds]
    judged = [user for user in range(USERS) if data["relevant"][user]]

    def measured(names: list[str], grades: bool = False) -> tuple[Values, dict[str, float]]:
        found = evaluate(truth(grades), run, names, return_mean=False, make_comparable=True)
        means = {name: float(sum(found[name]) / len(found[name])) for name in names}
        return {name: each(dict(zip(judged, map(float, found[name]), strict=True))) for name in names}, means

    values, means = measured(names)
    graded, _ = measured([f"ndcg@{k}" for k in CUTOFFS], grades=True)
    both, _ = measured(["r-precision", "ndcg@5"])  # a single name gives an array instead of a dictionary
    others = {f"ndcg_graded@{k}": graded[f"ndcg@{k}"] for k in CUTOFFS} | {"r_precision": both["r-precision"]}
    return {"values": values, "means": means, "others": others}


def each(values: dict[Any, float]) -> list[Any]:
    """Return one value per user, None for users without one."""
    return [values.get(user) for user in range(USERS)]


def plain(value: Any) -> Any:
    """Return a JSON value with 12 digits, None for NaN."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return None if value is None or math.isnan(value) else float(f"{float(value):.12g}")


def main(library: str) -> None:
    """Write the lists and the values of a library."""
    data = make_lists()
    (FOLDER / "lists.json").write_text(json.dumps(data) + "\n", encoding="utf-8")
    found = plain(globals()[f"by_{library}"](data))
    content = {"library": PACKAGES[library], "version": version(PACKAGES[library])} | found
    (FOLDER / f"{library}.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
