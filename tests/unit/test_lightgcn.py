"""LightGCN: propagation against powers of the dense matrix, its gradient, the loss by hand, and fold-in."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from recsys_core.contracts import PAD, QueryBatch, Ragged, RunContext
from recsys_core.models.lightgcn import BprBatch, LightGcn, LightGcnConfig, normalized
from recsys_core.models.nets.lightgcn import LightGcnNet
from tests.contract.cases import asking, tastes

INTERACTIONS = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 1, 1, 0]])
"""Users have 2, 2 and 3 items; items have 2, 3, 2 and no users."""
SMALL: dict[str, Any] = {"embedding_dim": 4, "epochs": 3, "patience": 0, "batch_size": 256}


def graph() -> csr_array:
    return normalized(csr_array(INTERACTIONS.astype(np.float32)))


def net(n_layers: int) -> LightGcnNet:
    torch.manual_seed(2)
    return LightGcnNet(graph(), 5, n_layers)


def dense() -> np.ndarray:
    """Return the normalized adjacency matrix of users and items (7, 7), written out."""
    adjacency = np.block([[np.zeros((3, 3)), INTERACTIONS], [INTERACTIONS.T, np.zeros((4, 4))]])
    degree = np.maximum(adjacency.sum(axis=1), 1)
    return adjacency / np.sqrt(np.outer(degree, degree))


def fitted(**config: Any) -> LightGcn:
    model = LightGcn(LightGcnConfig.model_validate(SMALL | config))
    model.fit(tastes(), RunContext())
    return model


def test_an_edge_has_the_inverse_root_of_both_degrees() -> None:
    assert_allclose(graph().toarray()[0], [1 / 2, 1 / np.sqrt(6), 0, 0], rtol=1e-6)
    assert_allclose(graph().toarray()[2], [1 / np.sqrt(6), 1 / 3, 1 / np.sqrt(6), 0], rtol=1e-6)


@pytest.mark.parametrize("n_layers", [0, 1, 3])
def test_the_final_vectors_are_the_mean_of_powers_of_the_dense_matrix(n_layers: int) -> None:
    one = net(n_layers)
    start = torch.cat([one.users, one.items]).detach().numpy().astype(np.float64)
    layers = [np.linalg.matrix_power(dense(), power) @ start for power in range(n_layers + 1)]
    users, items = one()
    assert_allclose(torch.cat([users, items]).detach().numpy(), np.mean(layers, axis=0), rtol=1e-5, atol=1e-7)
    lower = np.sum(layers[:-1], axis=0)[3:] if n_layers else np.zeros((4, 5))
    assert_allclose(one.lower_items().numpy(), lower, rtol=1e-5, atol=1e-7)


def test_the_gradient_is_that_of_the_dense_product() -> None:
    one = net(3)
    weights = torch.randn(7, 5)
    users, items = one()
    (torch.cat([users, items]).square() * weights).sum().backward()  # type: ignore[no-untyped-call]
    start = torch.cat([one.users, one.items]).detach().requires_grad_()
    mean = torch.from_numpy(sum(np.linalg.matrix_power(dense(), power) for power in range(4)) / 4).float()
    ((mean @ start).square() * weights).sum().backward()  # type: ignore[no-untyped-call]
    assert start.grad is not None
    found = torch.cat([one.users.grad, one.items.grad])  # type: ignore[list-item]
    torch.testing.assert_close(found, start.grad, rtol=1e-4, atol=1e-6)


def test_the_loss_by_hand() -> None:
    """BPR over the sampled negatives, those that a user has left out, and half the squared embeddings per pair."""
    model = fitted(negatives=3, regularization=0.5)
    users, items, weights = torch.tensor([0, 1, 7]), torch.tensor([2, 3, 9]), torch.tensor([1.0, 2.0, 0.5])
    found = model.loss(BprBatch(users, items, weights), torch.Generator().manual_seed(4)).item()
    drawn = torch.randint(0, 150, (3, 3), generator=torch.Generator().manual_seed(4)).numpy()
    held = tastes().matrix("binary").toarray() > 0
    u, i = model.user_factors, model.item_factors
    p, q = model.net.users.detach().numpy(), model.net.items.detach().numpy()
    terms, squares = [], []
    for user, item, weight, others in zip(users.numpy(), items.numpy(), weights.numpy(), drawn, strict=True):
        losses = [
            0.0 if held[user, other] else np.log1p(np.exp(u[user] @ i[other] - u[user] @ i[item])) for other in others
        ]
        terms.append(weight * np.mean(losses))
        squares.append((p[user] ** 2).sum() + (q[item] ** 2).sum() + (q[others] ** 2).sum() / 3)
    assert held[users[:, None].numpy(), drawn].any()
    assert found == pytest.approx(np.mean(terms) + 0.5 / 2 * np.mean(squares), rel=1e-4)


def test_a_training_user_is_scored_by_the_propagated_vectors() -> None:
    model = fitted()
    scores = model.score(tastes().queries())
    assert_allclose(scores, model.user_factors @ model.item_factors.T, rtol=1e-4, atol=1e-6)


def test_an_unknown_user_lacks_the_own_embedding_alone() -> None:
    model = fitted()
    query = tastes().queries(np.array([4]))
    own = model.net.users.detach().numpy()[4] / 4  # K + 1 layers
    without = model.score(query)[0] - own @ model.item_factors.T
    assert_allclose(model.score(query.of_unknown())[0], without, rtol=1e-4, atol=1e-6)


def test_a_changed_history_counts_at_once() -> None:
    """By hand: two items, 1 / sqrt(2 |R(i)|) times the sum of their lower layers, over K + 1."""
    model = fitted()
    lower, degree = model.net.lower_items().numpy(), np.asarray(tastes().matrix("binary").sum(axis=0)).ravel()
    expected = (lower[3] / np.sqrt(2 * degree[3]) + lower[8] / np.sqrt(2 * degree[8])) / 4
    assert_allclose(model.score(asking([[3, 8]]))[0], model.item_factors @ expected, rtol=1e-4, atol=1e-6)
    assert np.isnan(model.score(asking([[]]))).all()
    known = QueryBatch(np.array([4]), Ragged.from_rows([[]]), np.empty(0))
    assert np.isfinite(model.score(known)).all()
    assert known.user[0] != PAD


def test_validation_sees_the_vectors_of_the_current_weights() -> None:
    seen: list[np.ndarray] = []

    def validate(model: LightGcn) -> dict[str, float]:
        seen.append(model.score(asking([[3, 8]])))
        return {"ndcg@10": 0.5}

    model = LightGcn(LightGcnConfig.model_validate(SMALL))
    model.fit(tastes(), RunContext(validate=validate))
    assert len(seen) == 3
    assert not np.allclose(seen[0], seen[1])
    assert_allclose(seen[-1], model.score(asking([[3, 8]])))
