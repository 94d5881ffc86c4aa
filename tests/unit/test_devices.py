"""The device of a network: chosen from setting and machine; on another device than the CPU everything runs there.

The other device is made up (`tests.devices`), so that the code for GPUs is tested on machines without one.
"""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import RunContext, TracesAttention, UpdatesIncrementally
from recsys_core.errors import ConfigError, NotFitted
from recsys_core.experiments.spec import ModelSpec
from recsys_core.models.network_model import NetworkConfig, NetworkModel
from recsys_core.models.recursive import Recursive
from recsys_core.models.registry import MODELS, make_model, model_class
from recsys_core.training.devices import serving_device, training_device
from recsys_core.training.pairs import Pairs
from tests.contract.cases import QUICK, asking, tastes
from tests.devices import ELSEWHERE, made_up_device

NETWORKS = [key for key in MODELS if issubclass(model_class(key).config_type, NetworkConfig)]
KINDS: list[tuple[str, dict[str, Any]]] = [
    *((key, {}) for key in NETWORKS if key != "sasrec"),
    ("sasrec", {"patience": 2, "dropout": 0.2}),
    ("sasrec", {"block": "ligr", "mask": "cloze"}),
    ("sasrec", {"block": "hstu"}),
    ("rnn", {"loss": "bce", "cell": "lstm"}),
    ("rnn", {"loss": "bpr_max"}),
    ("seq2seq", {"decoding": "beam", "scheduled_sampling": 0.5}),
    ("interest_attention", {"local_update": "reinforce", "point_state": "lstm"}),
]


@pytest.mark.parametrize(("setting", "gpu", "kind"), [("auto", True, "cuda"), ("auto", False, "cpu"),
                                                      ("cpu", True, "cpu"), ("cuda", True, "cuda")])  # fmt: skip
def test_auto_is_a_gpu_if_there_is_one(setting: str, gpu: bool, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert training_device(setting).type == serving_device(setting).type == kind


def test_a_missing_gpu_is_refused_before_training_and_replaced_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    trained, refused = (make_model("rnn", QUICK["rnn"] | more) for more in ({}, {"device": "cuda"}))
    with pytest.raises(ConfigError, match="finds no CUDA GPU on this machine; choose auto or cpu"):
        refused.fit(tastes(24, 40), RunContext(report=lambda progress: pytest.fail("training has begun")))
    with pytest.raises(NotFitted):
        refused.score(asking([[1]]))
    trained.fit(tastes(24, 40), RunContext())
    refused.load_state(trained.state())  # trained on a machine with a GPU, used on this one
    assert_array_equal(refused.score(asking([[1, 2]])), trained.score(asking([[1, 2]])))


@pytest.mark.parametrize("key", NETWORKS)
def test_the_default_device_is_not_part_of_ids(key: str) -> None:
    stored = {name: value for name, value in ModelSpec(key=key).config.items() if name != "device"}
    assert ModelSpec(key=key).id == ModelSpec(key=key, config=stored).id
    assert ModelSpec(key=key, config={"device": "cpu"}).id != ModelSpec(key=key).id


@pytest.mark.slow
@pytest.mark.parametrize(("key", "more"), KINDS, ids=str)
def test_on_another_device_everything_is_there_and_results_are_the_same(key: str, more: dict[str, Any]) -> None:
    """Training, scores, traces, updates, and storage; a tensor that is left on the CPU raises an error."""
    train, small = tastes(8, 16), {"epochs": 1, "batch_size": 16, "max_length": 6}
    known = model_class(key).config_type.model_fields
    here, there = (
        make_model(key, QUICK.get(key, {}) | {name: one for name, one in small.items() if name in known} | more)
        for _ in range(2)
    )
    query = train.queries(np.arange(2))
    here.fit(train, RunContext())
    with made_up_device():
        there.fit(train, RunContext())
        assert isinstance(there, NetworkModel)
        assert there.device == ELSEWHERE
        found = _answers(there, query)
        state = there.state()
    for name, array in _answers(here, query).items():
        assert_allclose(found[name], array, rtol=1e-3, atol=1e-4, err_msg=name)
    here.load_state(state)
    assert_allclose(here.score(query), found["scores"], rtol=1e-3, atol=1e-4)
    with made_up_device():
        there.load_state(state)
        assert isinstance(there, UpdatesIncrementally)
        there.update(train, train, RunContext())
        assert there.device == ELSEWHERE


def _answers(model: Any, query: Any) -> dict[str, np.ndarray]:
    """Return scores and lists, and what is shown of one user."""
    found = {"scores": model.score(query), "items": model.recommend(query, 3).item}
    one = query.take(np.array([0]))
    if isinstance(model, TracesAttention):
        trace = model.trace(one)
        found |= {"weights": trace.weights, "next": trace.next_items} | dict(trace.details)
    if isinstance(model, Recursive):
        found |= {"norms": model.tree(one).session_norms, "items of the tree": model.tree(one).items}
    return found


def test_a_tensor_left_on_the_cpu_is_noticed() -> None:
    with made_up_device(), pytest.raises(AssertionError, match="is on the CPU, others are on the other device"):
        torch.ones(3, device=ELSEWHERE) + torch.arange(3)
    with made_up_device(), pytest.raises(RuntimeError, match="numpy"):
        torch.ones(3, device=ELSEWHERE).numpy()
    batch = Pairs(tastes(24, 40).histories()).batch(np.arange(2)).on(ELSEWHERE)
    assert {batch.users.device, batch.rows.device, batch.items.device, batch.learn.device} == {ELSEWHERE}
    assert batch.weights is None
