"""The bundled samples equal the output of the script, are small, load fast, and show what they are meant to show."""

import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pandas.testing import assert_frame_equal

from data.samples.make import make
from recsys_core.data.folder import open_folder
from recsys_core.data.meta import META
from recsys_core.data.split_spec import SplitSpec
from recsys_core.data.splits import Split, make_splits
from recsys_core.data.synthetic.samples import FOLDER, SAMPLES, TRUTH, load_sample, sample_folder
from recsys_core.data.synthetic.truth import WorldTruth
from recsys_core.data.workspace import Workspace
from recsys_core.errors import ConfigError, StoreError


def ndcg(scores: NDArray[np.float64], split: Split, k: int = 10) -> float:
    """Mean NDCG@k over users with test items; independent of the product's code."""
    seen = split.history.matrix("binary").toarray() > 0
    relevant = split.test.matrix("binary").toarray() > 0
    top = np.argsort(-np.where(seen, -np.inf, scores), axis=1, kind="stable")[:, :k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    gain = (np.take_along_axis(relevant, top, axis=1) * discount).sum(axis=1)
    count = relevant.sum(axis=1)
    ideal = np.cumsum(discount)[np.minimum(count, k) - 1]
    return float((gain / ideal)[count > 0].mean())


def popularity(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.broadcast_to(seen.sum(axis=0), seen.shape)


def item_cosine(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.maximum(np.linalg.norm(seen, axis=0), 1)
    similar = (seen.T @ seen) / np.outer(lengths, lengths)
    np.fill_diagonal(similar, 0)
    return seen @ similar


def parted(key: str, kind: str) -> tuple[Split, NDArray[np.float64]]:
    (split,) = make_splits(load_sample(key), SplitSpec.parse(kind), 1)
    return split, split.history.matrix("binary").toarray().astype(float)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    make(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("key", SAMPLES)
def test_the_stored_sample_is_what_the_script_makes(key: str, made: Path) -> None:
    stored, again = load_sample(key), open_folder(made / key)
    assert (FOLDER / key / META).read_text() == (made / key / META).read_text()
    for table in ("interactions", "users", "items", "social"):
        if getattr(stored, table) is None:
            assert getattr(again, table) is None
        else:
            assert_frame_equal(getattr(stored, table), getattr(again, table))
    with np.load(FOLDER / key / TRUTH) as old, np.load(made / key / TRUTH) as new:
        assert old.files == new.files
        for name in old.files:
            np.testing.assert_allclose(old[name], new[name], rtol=1e-5, atol=1e-6)


def test_samples_together_stay_under_five_megabytes() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 5_000_000


@pytest.mark.parametrize("key", SAMPLES)
def test_a_sample_loads_in_well_under_a_second(key: str) -> None:
    load_sample("tiny").interactions.sum(numeric_only=True)
    begin = time.process_time()  # CPU time, since other processes do not count
    data = load_sample(key)
    assert data.n_interactions
    assert data.items is not None
    assert len(data.titles()) == data.n_items
    assert time.process_time() - begin < 0.5  # 0.02 s where this was measured


@pytest.mark.parametrize("key", [key for key in SAMPLES if key != "shop"])
def test_true_preferences_stand_beside_each_sample(key: str) -> None:
    data, truth = load_sample(key), WorldTruth.load(sample_folder(key) / TRUTH)
    preference = truth.preference()
    assert preference.shape == (data.n_users, data.n_items)
    assert 1 <= preference.min() < 2
    assert preference.max() <= 5
    frame = data.interactions
    seen = preference[frame["user"], frame["item"]]
    assert seen.mean() > preference.mean() + 0.1
    if data.has_ratings:
        assert np.corrcoef(seen, frame["rating"])[0, 1] > 0.5


def test_in_small_personal_models_clearly_beat_popularity_and_truth_beats_them() -> None:
    split, seen = parted("small", "ratio:0.2")
    popular, personal = ndcg(popularity(seen), split), ndcg(item_cosine(seen), split)
    true = ndcg(WorldTruth.load(sample_folder("small") / TRUTH).choice(np.arange(len(seen))), split)
    assert personal > 1.3 * popular
    assert true > 1.2 * personal


def test_in_small_friends_tell_more_than_popularity() -> None:
    split, seen = parted("small", "ratio:0.2")
    links = split.train.social
    friends = np.zeros((len(seen), len(seen)))
    friends[links["source"], links["target"]] = 1
    assert ndcg(friends @ seen + 1e-6 * seen.sum(axis=0), split) > 1.1 * ndcg(popularity(seen), split)


def test_in_ordered_the_film_before_tells_the_next_and_taste_does_not() -> None:
    split, seen = parted("ordered", "leave_last_out:1")
    follows = np.zeros((seen.shape[1], seen.shape[1]))
    last = np.zeros(len(seen), dtype=int)
    for user, history in enumerate(split.history.histories()):
        np.add.at(follows, (history[:-1], history[1:]), 1)
        last[user] = history[-1]
    by_order = (follows / np.maximum(follows.sum(axis=1, keepdims=True), 1))[last]
    assert ndcg(by_order, split) > 0.5
    assert ndcg(item_cosine(seen), split) < 0.15


def test_a_sample_goes_into_the_workspace_like_any_data_set(tmp_path: Path) -> None:
    sample = load_sample("tiny")
    stored = Workspace(tmp_path).store(sample)
    assert stored.fingerprint == sample.fingerprint
    for table in ("interactions", "users", "items", "social"):
        assert_frame_equal(getattr(stored, table), getattr(sample, table))


def test_an_unknown_or_broken_sample_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="Known: tiny, small, ordered, shop"):
        sample_folder("../workspace")
    monkeypatch.setattr("recsys_core.data.synthetic.samples.FOLDER", tmp_path)
    with pytest.raises(StoreError, match="'tiny' cannot be read"):
        load_sample("tiny")
