"""Re-rank stored candidates of each user with pyversity's MMR or DPP; print its time, and store the lists."""

import json
import sys
import time

import numpy as np
from pyversity import dpp, mmr

data, lists, method, k, diversity = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
stored = np.load(data)
item, relevance, vectors = stored["item"], stored["relevance"], stored["vectors"]
rerank = {"mmr": mmr, "dpp": dpp}[method]
order = np.empty((len(item), k), dtype=np.int64)
start = time.perf_counter()
for user in range(len(item)):
    order[user] = rerank(vectors[item[user]], relevance[user], k, diversity=diversity).indices
seconds = time.perf_counter() - start
np.save(lists, order)
print(json.dumps({"seconds": seconds}))
