"""Accuracy metrics against manual results, a slow reference, and ranx."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from recsys_core.contracts import PAD, FloatArray, Ragged, TopK
from recsys_core.errors import ConfigError
from recsys_core.evaluation.metrics import ACCURACY, METRICS, AccuracyMetric, MetricName, hit_table
from tests.conventions import CONVENTIONS, rmse_of_users


def lists(rows: list[list[int]]) -> TopK:
    return TopK(np.array(rows), np.zeros((len(rows), len(rows[0]))))


def random_world(seed: int, users: int = 60, items: int = 40, k: int = 20) -> tuple[TopK, Ragged]:
    """Lists that may end early, and zero to many relevant items, in the list or not."""
    rng = np.random.default_rng(seed)
    item = np.array([rng.permutation(items)[:k] for _ in range(users)])
    for row, length in enumerate(rng.integers(0, 2 * k, users)):
        item[row, length:] = PAD
    relevant = [rng.permutation(items)[: rng.integers(0, 30)] for _ in range(users)]
    return TopK(item, np.zeros(item.shape)), Ragged.from_rows(relevant)


def slow(key: str, recommended: list[int], relevant: set[int], k: int) -> float:
    """The definition of each metric, rank by rank."""
    if not relevant:
        return math.nan
    hits = [item in relevant for item in recommended[:k]]
    found = [rank for rank, hit in enumerate(hits, start=1) if hit]
    precision, recall = len(found) / k, len(found) / len(relevant)
    gains = [1 / math.log2(rank + 1) for rank in found]
    ideal = [1 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1)]
    at_hits = [sum(hits[:rank]) / rank for rank in found]
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if found else 0.0,
        "hit_rate": 1.0 if found else 0.0,
        "ndcg": sum(gains) / sum(ideal),
        "map": sum(at_hits) / len(relevant),
        "mrr": 1 / found[0] if found else 0.0,
        "r_precision": sum(hits[: len(relevant)]) / len(relevant),
    }[key]


HAND = {
    # list 7 3 9 1 5, relevant 3 1 8: hits at ranks 2 and 4 of 5
    "precision": 2 / 5,
    "recall": 2 / 3,
    "f1": 4 / 8,
    "hit_rate": 1.0,
    "ndcg": (1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / 2),
    "map": (1 / 2 + 2 / 4) / 3,
    "mrr": 1 / 2,
    "r_precision": 1 / 3,
}


@pytest.mark.parametrize("key", ACCURACY)
def test_equals_the_number_worked_out_by_hand(key: str) -> None:
    values = AccuracyMetric(key, 5).per_user(lists([[7, 3, 9, 1, 5]]), Ragged.from_rows([[3, 1, 8]]))
    assert_allclose(values, [HAND[key]], atol=1e-12)


@pytest.mark.parametrize("key", ACCURACY)
def test_is_undefined_without_relevant_items_and_zero_without_hits(key: str) -> None:
    values = AccuracyMetric(key, 2).per_user(lists([[0, 1], [0, 1], [PAD, PAD]]), Ragged.from_rows([[], [2], [2]]))
    assert_allclose(values, [math.nan, 0.0, 0.0])


@pytest.mark.parametrize("key", ACCURACY)
def test_equals_the_slow_reference_on_random_lists(key: str) -> None:
    recommended, relevant = random_world(seed=5)
    table = hit_table(recommended, relevant)
    for k in (1, 3, 10, 20):
        expected = [
            slow(key, row[row != PAD].tolist(), set(mine.tolist()), k)
            for row, mine in zip(recommended.item, relevant, strict=True)
        ]
        assert_allclose(ACCURACY[key](table, k), expected, atol=1e-9)


IN_RANX = [key for key in ACCURACY if key != "r_precision"]  # without cut-off there; see the golden test
RANX = """
import json, sys
from ranx import Qrels, Run, evaluate
asked = json.load(sys.stdin)
values = evaluate(Qrels(asked["relevant"]), Run(asked["lists"]), asked["names"], return_mean=False)
json.dump({name: list(map(float, found)) for name, found in values.items()}, sys.stdout)
"""


@pytest.fixture(scope="module")
def ranx_values() -> dict[str, FloatArray]:
    """Return the values of ranx 0.3.21 for the random lists, one per user with relevant items and a list.

    In a separate process without compilation: ranx takes a minute to compile its loops, and emits warnings.
    """
    recommended, relevant = random_world(seed=11)
    judged = [user for user in range(len(relevant)) if len(relevant[user]) and recommended.item[user, 0] != PAD]
    asked = {
        "relevant": {f"{user:03}": {str(item): 1 for item in relevant[user]} for user in judged},
        "lists": {
            f"{user:03}": {str(item): 100.0 - place for place, item in enumerate(recommended.item[user]) if item != PAD}
            for user in judged
        },
        "names": [f"{key}@{k}" for key in IN_RANX for k in (1, 5, 20)],
    }
    answer = subprocess.run(
        [sys.executable, "-c", RANX],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
    )
    values = {name: np.array(found) for name, found in json.loads(answer.stdout).items()}
    return values | {"judged": np.array(judged)}


@pytest.mark.parametrize("key", IN_RANX)
def test_equals_ranx_on_random_lists(key: str, ranx_values: dict[str, FloatArray]) -> None:
    table = hit_table(*random_world(seed=11))
    judged = ranx_values["judged"]
    assert len(judged) > 30
    for k in (1, 5, 20):
        assert_allclose(ACCURACY[key](table, k)[judged], ranx_values[f"{key}@{k}"], atol=1e-9)


# list 0 1 2 3, relevant 0 2 5 6 7 8 (six of them), k = 4: hits at ranks 1 and 3
CONVENTION_NUMBERS = {
    "recall": (2 / 6, 2 / 4),
    "ndcg": (
        1.5 / (1 + 1 / math.log2(3) + 1 / 2 + 1 / math.log2(5)),
        1.5 / sum(1 / math.log2(r + 1) for r in range(1, 7)),
    ),
    "map": ((1 + 2 / 3) / 6, (1 + 2 / 3) / 4),
    "map, Elliot": ((1 + 2 / 3) / 6, (1 + 1 / 2 + 2 / 3 + 2 / 4) / 4),
}


@pytest.mark.parametrize(
    ("metric", "used_by", "numbers"),
    [
        ("recall", "Mult-VAE", CONVENTION_NUMBERS["recall"]),
        ("ndcg", "Ferrari Dacrema", CONVENTION_NUMBERS["ndcg"]),
        ("map", "Million Song", CONVENTION_NUMBERS["map"]),
        ("map", "Elliot", CONVENTION_NUMBERS["map, Elliot"]),
    ],
)
def test_our_convention_and_the_other_one(metric: str, used_by: str, numbers: tuple[float, float]) -> None:
    other = next(one for one in CONVENTIONS if one.metric == metric and used_by in one.used_by)
    table = hit_table(lists([[0, 1, 2, 3], [0, 1, 2, 3]]), Ragged.from_rows([[0, 2, 5, 6, 7, 8], []]))
    assert other.function is not None
    assert_allclose(ACCURACY[metric](table, 4), [numbers[0], math.nan], atol=1e-12)
    assert_allclose(other.function(table, 4), [numbers[1], math.nan], atol=1e-12)


def test_every_convention_without_a_function_is_another_mean_of_ours() -> None:
    assert [one.metric for one in CONVENTIONS if one.function is None] == ["rmse"]
    assert rmse_of_users(np.array([1.0, 3.0, math.nan])) == 2.0
    assert math.isnan(rmse_of_users(np.array([math.nan])))


@pytest.mark.parametrize("metric", list(ACCURACY))
@pytest.mark.parametrize("k", [0, -1])
def test_refuses_a_cut_off_below_one(metric: str, k: int) -> None:
    table = hit_table(lists([[0, 1]]), Ragged.from_rows([[0]]))
    with pytest.raises(ValueError, match=f"Cut-off {k} needs lists"):
        ACCURACY[metric](table, k)
    assert table.at(1).tolist() == [[True]]


def test_refuses_cut_offs_beyond_the_lists_and_lists_without_truth() -> None:
    with pytest.raises(ValueError, match="Cut-off 3"):
        AccuracyMetric("ndcg", 3).per_user(lists([[0, 1]]), Ragged.from_rows([[0]]))
    with pytest.raises(ValueError, match="1 lists"):
        hit_table(lists([[0, 1]]), Ragged.from_rows([[0], [1]]))


@pytest.mark.parametrize("name", ["ndcg@10", "ndcg@10:tail", "auc", "rmse:head", "coverage@5"])
def test_names_survive_parsing(name: str) -> None:
    assert str(MetricName.parse(name)) == name


@pytest.mark.parametrize("name", ["ndgc@10", "ndcg", "ndcg@0", "ndcg@ten", "auc@10", "rmse@", "ndcg@10:middle", ""])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        MetricName.parse(name)


def test_every_metric_is_described() -> None:
    for key, info in METRICS.items():
        assert key == info.key
        assert info.title
        assert info.formula
        assert info.idea.endswith(".")
    assert MetricName.parse("ndcg@10").title == "NDCG@10"
