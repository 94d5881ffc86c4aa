"""Published numbers of rating prediction on ML-100K, split u1, are reproduced by the command line.

The numbers are from MyMediaLite's documentation and Surprise's notebook KNNBasic_analysis, recomputed from the split
(GOLDEN.md, first table). All methods are deterministic; the tolerance is half a unit of the last digit shown. The
command runs each of both models once; the numbers of the other settings are those of `test_rating_prediction`.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_core.cli import main

PEARSON = ("similarity=pearson", "aggregation=mean", "centering=mean")
NUMBERS = [
    ("user mean", "bias", ("terms=user",), 1.0630, 0.85019),
    ("user kNN, Pearson, centred, shrunk", "user_knn", (*PEARSON, "shrinkage=50"), 0.9532, 0.74188),
]


@pytest.mark.public_data
@pytest.mark.parametrize("method", NUMBERS, ids=[row[0] for row in NUMBERS])
def test_predict_gives_the_published_error(
    method: tuple[str, str, tuple[str, ...], float, float], tmp_path: Path, public_data: Callable[[str], Path]
) -> None:
    _, key, settings, rmse, mae = method
    train, test = public_data("ml-100k/u1.base"), public_data("ml-100k/u1.test")
    words = ["predict", "--train", str(train), "--test", str(test), "--model", key, "--out", str(tmp_path / "p.csv")]
    assert main([*words, *(word for setting in settings for word in ("--set", setting))]) == 0
    predicted = pd.read_csv(tmp_path / "p.csv")
    truth = pd.read_csv(test, sep="\t", names=["user_id", "item_id", "rating", "timestamp"])
    both = truth.merge(predicted, on=["user_id", "item_id"], validate="one_to_one")
    assert len(both) == len(truth) == 20_000
    errors = both["score"] - both["rating"]
    assert float(np.sqrt((errors**2).mean())) == pytest.approx(rmse, abs=0.00005)
    assert float(errors.abs().mean()) == pytest.approx(mae, abs=0.000005)
