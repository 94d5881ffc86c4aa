"""Properties of data sets, their distances, and the map."""

import numpy as np
import pandas as pd
import pytest

from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.profiles.dataset_map import distances, most_alike, positions, traits


def data(rows: list[tuple[int, int, int]]) -> Dataset:
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"]).astype({"user": "int32", "item": "int32"})
    return dataset_from_frames(frame, name="little", fingerprint="little")


def test_properties_by_hand() -> None:
    day = 86_400_000
    found = traits(data([(0, 0, 0), (0, 1, day), (0, 0, 2 * day), (1, 0, 4 * day)]))
    assert found["users"] == 2
    assert found["items"] == 2
    assert found["per_user"] == 2.0
    assert found["density"] == 3 / 4
    assert found["days"] == 4.0
    assert found["repeated"] == 1 / 4
    assert found["concentration"] == pytest.approx((1 * 3 - 1 * 1) / (2 * 4))


def test_equal_data_sets_are_at_distance_zero_and_the_nearest_is_found() -> None:
    small = {"users": 100.0, "items": 50.0, "interactions": 1e3, "per_user": 10.0, "density": 0.2, "days": 30.0}
    small |= {"concentration": 0.3, "repeated": 0.0}
    named = {
        "own": small,
        "twin": dict(small),
        "near": small | {"users": 200.0},
        "far": small | {"users": 1e6, "density": 1e-4, "concentration": 0.9},
    }
    apart = distances(named)
    assert apart.loc["own", "twin"] == 0
    assert np.allclose(apart, apart.T)
    assert most_alike(named, "own") == "twin"
    assert most_alike({name: named[name] for name in ("own", "near", "far")}, "own") == "near"
    assert most_alike({"own": small}, "own") is None
    shown = positions(named)
    assert shown.loc["own", ["x", "y"]].tolist() == pytest.approx(shown.loc["twin", ["x", "y"]].tolist())
    assert 0.9 < shown["share"].iloc[0] <= 1.0
    assert positions({"own": small})[["x", "y"]].to_numpy().tolist() == [[0.0, 0.0]]
