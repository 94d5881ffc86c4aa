"""Fit Surprise's SVD on a file of training ratings; print its time and its RMSE on a file of test ratings."""

import json
import sys
import time

from surprise import SVD, Dataset, Reader
from surprise.accuracy import rmse

train, test, factors, epochs, seed = sys.argv[1:]
reader = Reader(line_format="user item rating", sep="\t", rating_scale=(1, 5))
trainset = Dataset.load_from_file(train, reader).build_full_trainset()
testset = Dataset.load_from_file(test, reader).build_full_trainset().build_testset()
model = SVD(n_factors=int(factors), n_epochs=int(epochs), random_state=int(seed))
start = time.perf_counter()
model.fit(trainset)
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "rmse": rmse(model.test(testset), verbose=False)}))
