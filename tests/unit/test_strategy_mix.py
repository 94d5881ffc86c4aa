"""Mixes of several models by hand, and what must hold for any lists."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recsys_core.contracts import PAD, TopK
from recsys_core.errors import ConfigError
from recsys_core.strategy.apply import apply
from recsys_core.strategy.cards import Mix, Strategy
from recsys_core.strategy.mix import mix
from tests.strategies import FACTS, outcome

A = TopK(np.array([[0, 1, 2, 3]]), np.array([[8.0, 4.0, 2.0, 0.0]], dtype=np.float32))
B = TopK(np.array([[4, 2, 1, PAD]]), np.array([[0.9, 0.5, 0.1, np.nan]], dtype=np.float32))


def card(method: str, weights: tuple[float, float] = (1.0, 1.0), **more: Any) -> dict[str, Any]:
    models = [{"model": "a", "weight": weights[0]}, {"model": "b", "weight": weights[1]}]
    return {"kind": "mix", "method": method, "models": models, **more}


def mixed(method: str, weights: tuple[float, float] = (1.0, 1.0), **more: Any) -> TopK:
    return mix(Mix.model_validate(card(method, weights, **more)), [A, B], 5)


def test_reciprocal_rank_fusion_of_five_items_by_hand() -> None:
    """0: 1/61. 1: 1/62 + 1/63. 2: 1/63 + 1/62. 3: 1/64. 4: 1/61. Equal ones keep the order of the first model."""
    found = mixed("rrf")
    assert found.item.tolist() == [[1, 2, 0, 4, 3]]
    both = 1 / 62 + 1 / 63
    np.testing.assert_allclose(found.score, [[both, both, 1 / 61, 1 / 61, 1 / 64]])
    heavy = mixed("rrf", (1.0, 3.0))  # 0: 1/61; 1: 1/62 + 3/63; 2: 1/63 + 3/62; 3: 1/64; 4: 3/61
    assert heavy.item.tolist() == [[2, 1, 4, 0, 3]]
    assert mixed("rrf", constant=0.0).item.tolist() == [[0, 4, 1, 2, 3]]  # 1, 1, 1/2 + 1/3, 1/3 + 1/2, 1/4


def test_weighted_sums_by_hand() -> None:
    """Min-max of a: 1, 1/2, 1/4, 0; of b: 1, 1/2, 0."""
    found = mixed("weighted", (1.0, 2.0), scaling="minmax")
    assert found.item.tolist() == [[4, 2, 0, 1, 3]]
    np.testing.assert_allclose(found.score, [[2.0, 1.25, 1.0, 0.5, 0.0]])
    ranks = mixed("weighted", scaling="rank")  # a: 1, 3/4, 1/2, 1/4; b: 1, 2/3, 1/3
    assert ranks.item.tolist() == [[2, 1, 0, 4, 3]]
    np.testing.assert_allclose(ranks.score, [[1 / 2 + 2 / 3, 3 / 4 + 1 / 3, 1.0, 1.0, 1 / 4]])


def test_by_standard_scores_an_item_that_a_model_does_not_list_counts_as_its_last() -> None:
    a = (np.array([8.0, 4, 2, 0]) - 3.5) / np.std([8.0, 4, 2, 0])
    b = (np.array([0.9, 0.5, 0.1]) - 0.5) / np.std([0.9, 0.5, 0.1])
    sums = {0: a[0] + b[2], 1: a[1] + b[2], 2: a[2] + b[1], 3: a[3] + b[2], 4: a[3] + b[0]}
    found = mixed("weighted", scaling="z")
    assert found.item[0].tolist() == sorted(sums, key=lambda item: -sums[item])
    np.testing.assert_allclose(found.score[0], sorted(sums.values(), reverse=True), rtol=1e-6)


def test_interleaving_and_slots_by_hand() -> None:
    assert mixed("interleave").item.tolist() == [[0, 4, 1, 2, 3]]
    assert mixed("interleave", (2.0, 1.0)).item.tolist() == [[0, 1, 4, 2, 3]]  # turns a, a or b, ...: 1/2, 2/2 and 1/1
    pattern = mixed("slots", pattern=["b", "a", "a"])
    assert pattern.item.tolist() == [[4, 0, 1, 2, 3]]  # the fourth place is b's: 2; then a's next: 3
    np.testing.assert_allclose(pattern.score, [[1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]])
    assert mixed("slots", pattern=["b"]).item.tolist() == [[4, 2, 1, 0, 3]]  # b's list is used up, then a's


@given(st.integers(0, 10_000), st.sampled_from(["weighted", "rrf", "interleave", "slots"]))
def test_a_mix_holds_each_listed_item_once_and_a_list_with_itself_is_itself(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    lists = []
    for width in rng.integers(1, 7, 2):
        item = np.stack([rng.permutation(9)[:width] for _ in range(3)])
        item = np.where(np.arange(width) < rng.integers(0, width + 1, (3, 1)), item, PAD)
        score = np.where(item == PAD, np.nan, -np.sort(-rng.random((3, width)), axis=1))
        lists.append(TopK(item, score))
    settings = Mix.model_validate(card(method, (1.0, 2.0), pattern=["a", "b", "b"]))
    found = mix(settings, lists, 13)
    for row, one, other in zip(found.item, lists[0].item, lists[1].item, strict=True):
        assert sorted(row[row != PAD]) == sorted((set(one) | set(other)) - {PAD})
        assert (row[(row != PAD).sum() :] == PAD).all()
    same = mix(settings, [lists[0], lists[0]], lists[0].item.shape[1])
    np.testing.assert_array_equal(same.item, lists[0].item)


def test_a_strategy_reads_the_lists_of_several_models() -> None:
    lists = {"a": A, "b": B}
    users = np.array([0])
    mixed_cards = Strategy.model_validate({"cards": [card("rrf"), {"kind": "pin", "item": "i7", "place": 2}], "k": 3})
    found = apply(mixed_cards, lists, users, FACTS)
    assert found.lists.item.tolist() == [[1, 7, 2]]
    assert [None if step is None else step.kind for step, _ in found.trail] == [None, "mix", "pin"]
    assert found.places(0, 4) == [0, 4, 5]
    off = Strategy.model_validate({"cards": [{**card("rrf"), "on": False}], "k": 3})
    assert apply(off, lists, users, FACTS).lists.item.tobytes() == A.item[:, :3].tobytes()
    with pytest.raises(ConfigError, match="needs the lists of b; given: a"):
        apply(mixed_cards, {"a": A}, users, FACTS)
    with pytest.raises(ConfigError, match="needs the lists of a, b; given: only one list"):
        outcome(card("rrf"))


def test_a_malformed_mix_is_refused() -> None:
    with pytest.raises(ValidationError, match="named twice"):
        Mix.model_validate({"models": [{"model": "a"}, {"model": "a"}]})
    with pytest.raises(ValidationError, match="slots need a pattern"):
        Mix.model_validate(card("slots"))
    with pytest.raises(ValidationError, match="names c, which the mix does not list"):
        Mix.model_validate(card("slots", pattern=["c"]))
    with pytest.raises(ValidationError, match="a mix must be the first card"):
        Strategy.model_validate({"cards": [{"kind": "mmr"}, card("rrf")]})
