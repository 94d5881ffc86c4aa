"""Similarities and predictions of both neighbourhood models, worked out by hand on four users and four items.

    i0  i1  i2  i3     mean   spread
u0   5   3   4   -     4      0.81650
u1   4   1   3   5     3.25   1.47902
u2   1   5   -   2     2.66667
u3   -   4   2   1     2.33333  1.24722
"""

import numpy as np
import pandas as pd
import pytest

from recsys_core.contracts import RatingScale
from recsys_core.data import Dataset, dataset_from_frames
from tests.contract.cases import fitted

RATINGS = np.array([[5, 3, 4, np.nan], [4, 1, 3, 5], [1, 5, np.nan, 2], [np.nan, 4, 2, 1]])


def ratings() -> Dataset:
    user, item = np.nonzero(~np.isnan(RATINGS))
    frame = pd.DataFrame({"user": user.astype(np.int32), "item": item.astype(np.int32)})
    return dataset_from_frames(
        frame.assign(rating=RATINGS[user, item].astype(np.float32)), rating_scale=RatingScale(0, 9)
    )


def test_pearson_of_two_users() -> None:
    """u0 and u1 share i0, i1, i2; their means over these are 4 and 8/3.

    Deviations (1, -1, 0) and (4/3, -5/3, 1/3): products 4/3 + 5/3 + 0 = 3, squares 2 and 42/9.
    s = 3 / sqrt(2 * 42/9) = 0.98198.
    u0 and u2 share i0, i1: deviations (1, -1) and (-2, 2), s = -4 / sqrt(2 * 8) = -1: no neighbour.
    With k = 1, u0 hears u1 alone, and the sum of votes for i3 is 0.98198 * 5 = 4.90990.
    """
    config = {"similarity": "pearson", "neighbors": 1}
    model = fitted("user_knn", ratings(), config)
    assert model.score(ratings().queries())[0, 3] == pytest.approx(4.90990, abs=1e-5)
    parts = model.explain(ratings().queries(np.array([0])), 3)
    assert parts.sources.tolist() == [1]
    everybody = fitted("user_knn", ratings(), config | {"neighbors": 4})
    assert everybody.explain(ratings().queries(np.array([0])), 3).sources.tolist() == [1]


def test_cosine_of_two_users() -> None:
    """u0 . u1 = 5*4 + 3*1 + 4*3 = 35 over shared items; lengths over all: sqrt(50), sqrt(16 + 1 + 9 + 25) = sqrt(51).

    s01 = 35 / sqrt(2550) = 0.69310;  s02 = (5*1 + 3*5) / sqrt(50 * 30) = 0.51640;
    s03 = (3*4 + 4*2) / sqrt(50 * 21) = 0.61721.
    The sum of votes for i3: 0.69310 * 5 + 0.51640 * 2 + 0.61721 * 1 = 3.46552 + 1.03280 + 0.61721 = 5.11553.
    """
    model = fitted("user_knn", ratings())
    assert model.score(ratings().queries())[0, 3] == pytest.approx(5.11553, abs=1e-5)


def test_adjusted_cosine_of_two_items() -> None:
    """i0 and i2 less the means of users. u0 and u1 rated both: deviations (1, 0.75) and (0, -0.25).

    s02 = (0 - 0.1875) / sqrt(1.5625 * 0.0625) = -0.6: no neighbour.
    i1 and i3, rated by u1, u2, u3: (-2.25, 7/3, 5/3) and (1.75, -2/3, -4/3): products -3.9375 - 1.55556 - 2.22222 < 0.
    i0 and i3, rated by u1 and u2: (0.75, -5/3) and (1.75, -2/3): products 1.3125 + 1.11111 = 2.42361, squares
    3.34028 and 3.50694: s03 = 2.42361 / sqrt(3.34028 * 3.50694) = 0.70812.
    i2 and i3, rated by u1 and u3: (-0.25, -1/3) and (1.75, -4/3): products -0.4375 + 0.44444 = 0.00694, squares
    0.17361 and 4.84028: s23 = 0.00758.
    u0 rated i0 with 5 and i2 with 4: support of i3 is 0.70812 * 5 + 0.00758 * 4 = 3.57090.
    """
    model = fitted("item_knn", ratings(), {"similarity": "adjusted_cosine"})
    assert model.score(ratings().queries())[0, 3] == pytest.approx(3.57090, abs=1e-4)
    assert model.explain(ratings().queries(np.array([0])), 3).sources.tolist() == [0, 2]


@pytest.mark.parametrize(("centering", "expected"), [("none", 3.11583), ("mean", 4.29762), ("zscore", 4.09987)])
def test_rating_predicted_by_two_users(centering: str, expected: float) -> None:
    """u0 on i3 by cosine, k = 2: of the similarities 0.69310, 0.51640, 0.61721 those of u1 and u3 count, sum 1.31031.

    none:    (0.69310 * 5 + 0.61721 * 1) / 1.31031 = 3.11583
    mean:    u1 is 5 - 3.25 = 1.75 above the own mean, u3 1 - 7/3 = -1.33333 below:
             4 + (0.69310 * 1.75 - 0.61721 * 1.33333) / 1.31031 = 4.29762
    zscore:  in units of the own spread 1.75 / 1.47902 = 1.18321 and -1.33333 / 1.24722 = -1.06904:
             4 + 0.81650 * (0.69310 * 1.18321 - 0.61721 * 1.06904) / 1.31031 = 4.09987
    """
    model = fitted("user_knn", ratings(), {"neighbors": 2, "centering": centering})
    assert model.predict_ratings(ratings().queries())[0, 3] == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize(("centering", "expected"), [("none", 4.51815), ("mean", 4.01211), ("zscore", 4.53331)])
def test_rating_predicted_by_two_items(centering: str, expected: float) -> None:
    """u0 on i3 by cosine, k = 2. Columns i0 = (5, 4, 1, -), i1 = (3, 1, 5, 4), i2 = (4, 3, -, 2), i3 = (-, 5, 2, 1).

    s30 = (20 + 2) / sqrt(30 * 42) = 0.61978, s31 = (5 + 10 + 4) / sqrt(30 * 51) = 0.48575,
    s32 = (15 + 2) / sqrt(30 * 29) = 0.57635: i0 and i2 count, sum 1.19613; u0 gave them 5 and 4.
    Means of i0, i2, i3: 10/3, 3, 8/3; spreads sqrt(78/27) = 1.69967, sqrt(2/3) = 0.81650, 1.69967.

    none:    (0.61978 * 5 + 0.57635 * 4) / 1.19613 = 4.51815
    mean:    8/3 + (0.61978 * 5/3 + 0.57635 * 1) / 1.19613 = 4.01211
    zscore:  8/3 + 1.69967 * (0.61978 * 5/3 / 1.69967 + 0.57635 / 0.81650) / 1.19613 = 4.53331
    """
    model = fitted("item_knn", ratings(), {"neighbors": 2, "centering": centering})
    assert model.predict_ratings(ratings().queries())[0, 3] == pytest.approx(expected, abs=2e-5)
