"""Evaluate stored lists with ranx: `python run_ranx.py FILE THREADS`; prints the shortest time, without compilation.

FILE holds `lists` (U, 10), and the relevant items of each user as `values` and `offsets`.
"""

import json
import sys
import time

import numba
import numpy as np
from ranx import Qrels, Run, evaluate

METRICS = ["ndcg@10", "precision@10", "recall@10", "map@10", "mrr@10", "hit_rate@10", "f1@10", "r-precision"]
stored = np.load(sys.argv[1])
numba.set_num_threads(int(sys.argv[2]))
lists, values, offsets = stored["lists"], stored["values"], stored["offsets"]
kept = [user for user in range(len(lists)) if offsets[user] < offsets[user + 1]]
qrels = {f"u{user}": {f"i{item}": 1 for item in values[offsets[user] : offsets[user + 1]]} for user in kept}
run = {f"u{user}": {f"i{item}": float(10 - rank) for rank, item in enumerate(lists[user])} for user in kept}
qrels, run = Qrels(qrels), Run(run)
seconds = []
for _ in range(6):  # the first one compiles
    start = time.perf_counter()
    metrics = evaluate(qrels, run, METRICS)
    seconds.append(time.perf_counter() - start)
print(json.dumps({"seconds": min(seconds[1:]), "ndcg": float(metrics["ndcg@10"])}))
