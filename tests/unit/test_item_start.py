"""Initial item embeddings from singular vectors: against a dense SVD, and how a network takes them over."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import Ragged, RunContext
from recsys_core.experiments.spec import ModelSpec
from recsys_core.models.item_start import spectral_item_vectors
from recsys_core.models.registry import MODELS, make_model, model_class
from recsys_core.models.sequential import SequenceConfig, SequenceModel
from tests.worlds import markov_chain

SEQUENTIAL = [key for key in MODELS if issubclass(model_class(key).config_type, SequenceConfig)]


def test_vectors_are_those_of_a_dense_decomposition() -> None:
    rng = np.random.default_rng(0)
    binary = rng.random((12, 8)) < 0.4
    binary[:, 7] = False
    histories = Ragged.from_rows([[*np.flatnonzero(row), *np.flatnonzero(row)[:1]] for row in binary])  # with repeats
    found = spectral_item_vectors(histories, 8, 3, np.random.default_rng(1))
    dense = binary / np.sqrt(np.maximum(1, binary.sum(axis=0)))
    expected = np.linalg.svd(dense)[2][:3].T
    expected *= np.sign(expected[np.abs(expected).argmax(axis=0), np.arange(3)])
    assert_allclose(found[:7], expected[:7] / np.linalg.norm(expected[:7], axis=1, keepdims=True), atol=1e-5)
    assert_array_equal(found[7], 0.0)


@pytest.mark.parametrize("rows", [[[0]], [[], []], [[0, 0]]], ids=str)
def test_data_without_singular_vectors_give_none(rows: list[list[int]]) -> None:
    assert spectral_item_vectors(Ragged.from_rows(rows), 4, 8, np.random.default_rng(0)).shape == (4, 0)


def started(key: str, how: str | None, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> np.ndarray:
    """Return the item embeddings before the first training step."""
    model = make_model(key, {"embedding_dim": 8, "patience": 0, "item_start": how} | settings)
    assert isinstance(model, SequenceModel)
    monkeypatch.setattr(type(model), "_train", lambda self, *arguments, **named: None)
    model.fit(markov_chain(users=30, items=20, steps=6).train, RunContext())
    return np.asarray(model.net.get_parameter("items.weight").detach())


@pytest.mark.parametrize("key", SEQUENTIAL)
def test_a_network_starts_from_them_with_rows_as_long_as_random_ones(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    random, found = (started(key, how, monkeypatch) for how in ("random", "svd"))
    lengths = np.linalg.norm(found[:20], axis=1)
    assert_allclose(lengths, np.linalg.norm(random[:20], axis=1).mean(), rtol=1e-5)
    assert_array_equal(found[20], 0.0)  # padding
    train = markov_chain(users=30, items=20, steps=6).train
    vectors = spectral_item_vectors(train.histories(), 20, 8, RunContext().rng(key, "item start"))
    assert_allclose(found[:20], vectors * lengths[0], atol=1e-6)


@pytest.mark.parametrize(("per_item", "expected"), [(8, "random"), (9, "random"), (10, "svd")])
def test_a_start_that_is_left_open_is_that_of_few_interactions_per_item(
    per_item: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data have 180 interactions with 20 items: 9 per item."""
    monkeypatch.setattr("recsys_core.models.sequential.FEW_PER_ITEM", per_item)
    assert_array_equal(started("sasrec", None, monkeypatch), started("sasrec", expected, monkeypatch))


def test_dimensions_beyond_the_data_stay_random(monkeypatch: pytest.MonkeyPatch) -> None:
    random, found = (started("rnn", how, monkeypatch, embedding_dim=40) for how in ("random", "svd"))
    assert_array_equal(found[:, 19:], random[:, 19:])
    assert not np.allclose(found[:20, :19], random[:20, :19])
    assert_allclose(np.linalg.norm(found[:20], axis=1).mean(), np.linalg.norm(random[:20], axis=1).mean(), rtol=0.1)


def test_a_held_out_item_does_not_enter_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Ragged] = []

    def noted(histories: Ragged, n_items: int, *_: Any) -> np.ndarray:
        seen.append(histories)
        return np.zeros((n_items, 0), dtype=np.float32)

    monkeypatch.setattr("recsys_core.models.item_start.spectral_item_vectors", noted)
    started("rnn", "svd", monkeypatch, patience=3)
    assert seen[0].lengths.tolist() == [5] * 30  # of six items, the last one is for early stopping


def test_the_start_of_models_without_this_setting_is_not_part_of_ids() -> None:
    assert ModelSpec(key="cnn", config={"item_start": "random"}).id == ModelSpec(key="cnn").id
    stored = {
        name: value for name, value in ModelSpec(key="cnn").config.items() if name not in ("item_start", "device")
    }
    assert ModelSpec(key="cnn", config=stored).id == ModelSpec(key="cnn").id
    assert ModelSpec(key="cnn", config={"item_start": "svd"}).id != ModelSpec(key="cnn").id
