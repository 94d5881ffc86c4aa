"""For any history and weights: rows of a softmax sum to 1, and causal models attend to earlier items only."""

from functools import cache
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import Ability, AttentionTrace, RunContext, TracesAttention
from recsys_core.models.network_model import NetworkModel
from recsys_core.models.registry import MODELS, make_model, model_class
from tests.contract.cases import asking
from tests.worlds import markov_chain

TRACING = [key for key in MODELS if Ability.TRACES_ATTENTION in model_class(key).info.abilities]
ITEMS, WINDOW, MEMORY = 40, 12, 5
SMALL = {"embedding_dim": 8, "max_length": WINDOW, "epochs": 1, "patience": 0}
KINDS: list[tuple[str, dict[str, Any]]] = [
    *(
        ("sasrec", {"n_layers": 2, "n_heads": 2, "block": block, "mask": mask})
        for block, mask in (("sasrec", "causal"), ("hstu", "causal"), ("ligr", "cloze"), ("hstu", "cloze"))
    ),
    *(("interest_attention", {"points": 2, "memory": MEMORY, "local_update": how}) for how in ("walk", "reinforce")),
    ("interest_attention", {"points": 2, "memory": MEMORY, "global_update": False}),
    *(("seq2seq", {"decoding": how}) for how in ("one_step", "beam")),
]
CAUSAL = [kind for kind in KINDS if kind[0] != "seq2seq"]
HISTORIES = st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=2 * WINDOW)


@cache
def trained(key: str, config: tuple[tuple[str, Any], ...]) -> NetworkModel[Any]:
    model = make_model(key, SMALL | dict(config))
    model.fit(markov_chain(users=20, items=ITEMS, steps=8).train, RunContext())
    return cast("NetworkModel[Any]", model)


def traced(key: str, config: dict[str, Any], history: list[int], seed: int) -> AttentionTrace:
    """Return the trace of this history by a network with randomly drawn weights."""
    model = trained(key, tuple(config.items()))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.net.parameters():
            weight.normal_(std=0.6, generator=generator)
        model.net.get_parameter("items.weight")[ITEMS] = 0.0
    assert isinstance(model, TracesAttention)
    return model.trace(asking([history]))


def test_no_model_that_shows_attention_is_left_out() -> None:
    assert {key for key, _ in KINDS} == set(TRACING)


@pytest.mark.parametrize(("key", "config"), KINDS, ids=str)
@settings(max_examples=30, deadline=None)
@given(history=HISTORIES, seed=st.integers(0, 2**31))
def test_rows_sum_to_1_and_causal_ones_look_back_only(
    key: str, config: dict[str, Any], history: list[int], seed: int
) -> None:
    found = traced(key, config, history, seed)
    read = len(found.tokens)
    assert_array_equal(found.tokens, history[-WINDOW:])
    assert found.weights.shape[3] == read
    assert found.softmax == (config.get("block") != "hstu")
    assert (found.mask_weights is not None) == (config.get("mask") == "cloze")
    if found.softmax:
        assert (found.weights >= 0).all()
        on_mask = 0.0 if found.mask_weights is None else found.mask_weights
        assert_allclose(found.weights.sum(axis=-1) + on_mask, 1.0, atol=1e-5)
    else:  # SiLU is at least -0.2785
        assert (found.weights >= -0.2785 / WINDOW).all()
    assert found.causal == ((key, config) in CAUSAL)
    if found.causal:
        assert found.weights.shape[2] == read
        assert (found.weights[..., *np.triu_indices(read, 1)] == 0).all()
    if key == "interest_attention":  # of the latest steps only, and without the global update of the last one
        reach = MEMORY if config.get("global_update", True) else 1
        assert (found.weights[..., *np.tril_indices(read, -reach)] == 0).all()
        assert_allclose(found.details["history_weights"], found.weights[0, 0, -1], atol=1e-5)
        if config.get("global_update", True):
            assert_allclose(found.details["point_weights"].sum(), 1.0, atol=1e-5)


@pytest.mark.parametrize(("key", "config"), CAUSAL, ids=str)
@settings(max_examples=15, deadline=None)
@given(history=HISTORIES.filter(lambda history: len(history) <= WINDOW), more=HISTORIES, seed=st.integers(0, 2**31))
def test_what_comes_later_changes_no_row_of_a_causal_model(
    key: str, config: dict[str, Any], history: list[int], more: list[int], seed: int
) -> None:
    later = more[: WINDOW - len(history)]
    short, long = (traced(key, config, items, seed) for items in (history, history + later))
    read = len(history)
    assert_allclose(long.weights[:, :, :read, :read], short.weights, atol=1e-5)
    assert_array_equal(long.weights[:, :, :read, read:], 0.0)
