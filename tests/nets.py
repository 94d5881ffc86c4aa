"""Common checks of networks that read histories in order."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.testing import assert_allclose
from torch import Tensor, nn

from recsys_core.contracts import RunContext
from recsys_core.models.registry import make_model
from tests.worlds import markov_chain


def assert_looks_back_only(net: nn.Module, items: int) -> None:
    """Later items, padding and batching do not change the output at earlier positions."""
    rng = np.random.default_rng(1)
    tokens = torch.from_numpy(rng.integers(0, items, (4, 9)))
    with torch.no_grad():
        said = net(tokens)
        changed = tokens.clone()
        changed[:, 5:] = torch.from_numpy(rng.integers(0, items, (4, 4)))
        assert_allclose(net(changed)[:, :5], said[:, :5], atol=1e-6)
        assert not np.allclose(net(changed)[:, 5:], said[:, 5:], atol=1e-4)
        padded = torch.cat([tokens, torch.full((4, 6), items)], dim=1)
        assert_allclose(net(padded)[:, :9], said, atol=1e-6)
        assert_allclose(net(tokens[2:3]), said[2:3], atol=1e-6)


def assert_overfits(net: Any, items: int, loss: Callable[..., Tensor], *, steps: int = 300) -> None:
    """Learn eight random sequences by heart: the loss goes below 0.05.

    Each begins with a distinct item, so that the first prediction has one right answer.
    """
    rng = np.random.default_rng(2)
    rows = np.stack([np.concatenate([[row], rng.permutation(np.arange(8, items))[:9]]) for row in range(8)])
    tokens, targets = torch.from_numpy(rows[:, :-1]), torch.from_numpy(rows[:, 1:])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(0)
    net.train()
    for _ in range(steps):
        value = loss(net(tokens).flatten(0, 1), net.items.weight[:items], targets.flatten(), generator)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert float(value.detach()) < 0.05


def markov_outcome(key: str, loyalty: float, settings: dict[str, Any]) -> tuple[float, float]:
    """Train on walks round a ring of 20 items, and predict the next item of 200 users.

    Returns:
        The share of users whose next item on the ring has the highest score, and its mean probability. A model that
        learned everything assigns it the probability loyalty + (1 - loyalty) / 20.
    """
    world = markov_chain(users=200, loyalty=loyalty)
    model = make_model(key, settings)
    model.fit(world.train, RunContext())
    scores = model.score(world.train.queries())
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    hits = float((scores.argmax(axis=1) == world.withheld).mean())
    return hits, float(chances[np.arange(200), world.withheld].mean())


def assert_learns_a_chain(key: str, **settings: Any) -> None:
    """The next item is found with the probability that `loyalty` implies; where steps are random, none is found."""
    small = {"embedding_dim": 16, "epochs": 12, "batch_size": 32, "learning_rate": 0.03, "dropout": 0.0, "patience": 0}
    (sure, near_one), (unsure, near_dial), (blind, _) = (
        markov_outcome(key, loyalty, small | settings) for loyalty in (1.0, 0.6, 0.0)
    )
    assert sure > 0.95
    assert near_one > 0.9
    assert unsure > 0.8
    assert 0.5 < near_dial < 0.75
    assert blind < 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5
