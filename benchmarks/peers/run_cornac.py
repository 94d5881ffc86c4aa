"""Fit cornac's BPR on stored interactions; print the time, and store the top 10 items of each user.

Arguments: interactions, file for the lists, settings as JSON, threads.
"""

import json
import sys
import time

import numpy as np
from cornac.data import Dataset
from cornac.models import BPR
from scipy.sparse import csr_matrix

data, lists, settings, threads = *sys.argv[1:4], int(sys.argv[4])
stored = np.load(data)
matrix = csr_matrix((stored["data"], stored["indices"], stored["indptr"]), shape=stored["shape"])
users, items = matrix.nonzero()
train = Dataset.from_uir([(str(user), str(item), 1.0) for user, item in zip(users, items, strict=True)], seed=1)
model = BPR(**json.loads(settings), num_threads=threads, verbose=False)
start = time.perf_counter()
model.fit(train)
seconds = time.perf_counter() - start
scores = np.full(matrix.shape, -np.inf)
rows = np.array([int(user) for user in train.uid_map], dtype=np.int64)
columns = np.array([int(item) for item in train.iid_map], dtype=np.int64)
order_u, order_i = list(train.uid_map.values()), list(train.iid_map.values())
scores[np.ix_(rows, columns)] = model.u_factors[order_u] @ model.i_factors[order_i].T + model.i_biases[order_i]
scores[users, items] = -np.inf
np.save(lists, np.argsort(-scores, axis=1)[:, :10])
print(json.dumps({"seconds": seconds}))
