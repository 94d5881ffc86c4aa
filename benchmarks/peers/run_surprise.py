"""Fit an algorithm of Surprise on a training file and predict a test file; print times and RMSE.

Arguments: training file, test file, `svd` FACTORS EPOCHS SEED or `knn` NEIGHBORS (users, Pearson, KNNWithMeans).
"""

import json
import sys
import time

from surprise import SVD, Dataset, KNNWithMeans, Reader
from surprise.accuracy import rmse

train, test, kind, *numbers = sys.argv[1:]
reader = Reader(line_format="user item rating", sep="\t", rating_scale=(1, 5))
trainset = Dataset.load_from_file(train, reader).build_full_trainset()
testset = Dataset.load_from_file(test, reader).build_full_trainset().build_testset()
if kind == "svd":
    factors, epochs, seed = (int(number) for number in numbers)
    model = SVD(n_factors=factors, n_epochs=epochs, random_state=seed)
else:
    model = KNNWithMeans(k=int(numbers[0]), sim_options={"name": "pearson", "user_based": True}, verbose=False)
start = time.perf_counter()
model.fit(trainset)
fitted = time.perf_counter()
predictions = model.test(testset)
predicted = time.perf_counter()
seconds = {"seconds": fitted - start, "predict_seconds": predicted - fitted}
print(json.dumps(seconds | {"rmse": rmse(predictions, verbose=False)}))
