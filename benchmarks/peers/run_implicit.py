"""Fit a model of implicit on stored interactions; print times and peak memory, and store the top 10 of each user.

Arguments: interactions, file for the lists, model ("cosine", "als" or "bpr"), its settings as JSON, threads, and the
number of fits, of which the shortest counts. The peak memory is what the fits add to the loaded matrix (Linux).
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

MODELS = {"cosine": CosineRecommender, "als": AlternatingLeastSquares, "bpr": BayesianPersonalizedRanking}
data, lists, name, settings, threads, fits = *sys.argv[1:5], int(sys.argv[5]), int(sys.argv[6])
stored = np.load(data)
matrix = csr_matrix((stored["data"], stored["indices"], stored["indptr"]), shape=stored["shape"])
del stored


def memory(name: str) -> int:
    """Return an entry of the process's status in bytes: VmRSS, or VmHWM, its maximum since it was reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
before = memory("VmRSS")
seconds = []
with threadpool_limits(1, "blas"):  # as implicit asks for: its own threads run in parallel
    for _ in range(fits):
        model = MODELS[name](**json.loads(settings), num_threads=threads)
        start = time.perf_counter()
        model.fit(matrix, show_progress=False)
        seconds.append(time.perf_counter() - start)
    peak = memory("VmHWM") - before
    if lists:
        listing = []
        for _ in range(3):
            start = time.perf_counter()
            best, _ = model.recommend(np.arange(matrix.shape[0]), matrix, N=10, filter_already_liked_items=True)
            listing.append(time.perf_counter() - start)
        np.save(lists, best)
answer = {"seconds": min(seconds), "peak_bytes": peak}
print(json.dumps(answer | ({"recommend_seconds": min(listing)} if lists else {})))
