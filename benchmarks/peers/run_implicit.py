"""Fit implicit's CosineRecommender on stored interactions; print its time, and store the top 10 items of each user."""

import json
import sys
import time

import numpy as np
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix

data, lists, neighbors, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
stored = np.load(data)
matrix = csr_matrix((stored["data"], stored["indices"], stored["indptr"]), shape=stored["shape"])
seconds = []
for _ in range(2):
    # implicit counts an item among its own neighbors, hence one more
    model = CosineRecommender(K=neighbors + 1, num_threads=threads)
    start = time.perf_counter()
    model.fit(matrix, show_progress=False)
    seconds.append(time.perf_counter() - start)
best, _ = model.recommend(np.arange(matrix.shape[0]), matrix, N=10, filter_already_liked_items=True)
np.save(lists, best)
print(json.dumps({"seconds": min(seconds)}))
