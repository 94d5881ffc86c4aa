"""Losses for next-item prediction.

A position has a hidden vector h (D,), item i an embedding v_i (D,), and the score is s_i = h . v_i. With the target y
and negatives j sampled uniformly from the catalog, the loss of a position is

    softmax           log sum_i exp(s_i) - s_y                                          over all items
    sampled_softmax   the same over y and the negatives, whose scores are corrected by the log of the sampling rate
    bce               -log sigma(s_y) - mean_j log sigma(-s_j)
    gbce              -beta log sigma(s_y) - sum_j log sigma(-s_j), over the number of terms
    bpr               -mean_j log sigma(s_y - s_j)

The loss of a batch is the mean over its positions, (1/N) sum_n c_n l_n, where c_n is the confidence of the target
interaction (`models.weights`), 1 without weights.

gbce uses beta = a (t (1 - 1/a) + 1/a) with a = K / (I - 1), the share of the catalog that is sampled: with few
negatives a model trained with bce is overconfident, and t controls how much of that is corrected.

Sources: Klenitskiy and Vasilev 2023, "Turning Dross Into Gold Loss", eq. 2 to 4 (softmax and bce over sequences);
Jean et al. 2015, "On Using Very Large Target Vocabulary", eq. 10 (correction of sampled softmax); Petrov and Macdonald
2023, "gSASRec", eq. 12 and 16 (gbce); Rendle et al. 2009, "BPR", section 4.1.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from recsys_core.errors import ConfigError
from recsys_core.text import _


class Loss(Protocol):
    """A next-item loss, averaged over positions."""

    def __call__(
        self, hidden: Tensor, vectors: Tensor, target: Tensor, generator: torch.Generator, weights: Tensor | None = None
    ) -> Tensor:
        """Return the mean over positions.

        Args:
            hidden: (N, D) hidden vectors of the positions.
            vectors: (I, D) embeddings of all items.
            target: (N,) target items.
            generator: Source of randomness for negatives.
            weights: (N,) c of the module, at least 0; None for 1.
        """


BLOCK_BYTES = 32 * 2**20
"""Maximum bytes of scores in memory of the loss over all items, chosen to fit the processor's cache."""


def make_loss(name: str, *, negatives: int = 128, calibration: float = 0.75) -> Loss:
    """Return a loss by its name.

    Args:
        name: One of `training.plan.LossName`.
        negatives: K, number of negatives per position; unused by "softmax".
        calibration: t of "gbce", from 0 (equal to bce) to 1 (fully calibrated probabilities).

    Raises:
        ConfigError: The loss is unknown.
    """
    compared = None if name == "softmax" else sampled_loss(name, calibration)

    def of_batch(
        hidden: Tensor, vectors: Tensor, target: Tensor, generator: torch.Generator, weights: Tensor | None = None
    ) -> Tensor:
        if compared is None:
            return softmax_loss(hidden, vectors, target, weights)
        drawn = draw_negatives(target, len(vectors), negatives, generator)
        right = (hidden * vectors[target]).sum(dim=1)
        wrong = torch.bmm(vectors[drawn], hidden.unsqueeze(2)).squeeze(2)
        return compared(right, wrong, len(vectors), weights)

    return of_batch


def sampled_loss(name: str, calibration: float = 0.75) -> Callable[[Tensor, Tensor, int, Tensor | None], Tensor]:
    """Return a function of the scores of targets (N,) and negatives (N, K), the size of the catalog, and weights.

    The weights (N,) are c of the module, None for 1.

    Raises:
        ConfigError: The loss is unknown.
    """
    losses: dict[str, Callable[[Tensor, Tensor, int, Tensor | None], Tensor]] = {
        "sampled_softmax": sampled_softmax_loss,
        "bce": lambda right, wrong, items, weights: bce_loss(right, wrong, weights),
        "gbce": lambda right, wrong, items, weights: gbce_loss(right, wrong, items, calibration, weights),
        "bpr": lambda right, wrong, items, weights: bpr_loss(right, wrong, weights),
    }
    if name not in losses:
        raise ConfigError(
            _("There is no loss '{name}'. Known: softmax, {losses}.").format(name=name, losses=", ".join(losses))
        )
    return losses[name]


def draw_negatives(target: Tensor, items: int, count: int, generator: torch.Generator) -> Tensor:
    """Return (N, K) items sampled uniformly from all items but the target; in a catalog of one item, that item."""
    if items < 2:
        return target.new_zeros((len(target), count))
    drawn = torch.randint(0, items - 1, (len(target), count), generator=generator, device=target.device)
    return drawn + (drawn >= target.unsqueeze(1)).long()


def mean_loss(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean of losses (N,), each multiplied by its weight if there are weights."""
    return losses.mean() if weights is None else (losses * weights).mean()


def softmax_loss(hidden: Tensor, vectors: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy over all items, computed in blocks of positions.

    Args:
        hidden: (N, D), N at least 1.
        vectors: (I, D).
        target: (N,) target items.
        weights: (N,) c of the module, None for 1.
    """
    loss: Tensor = _Softmax.apply(hidden, vectors, target, weights)  # type: ignore[no-untyped-call]
    return loss


class _Softmax(torch.autograd.Function):
    """Cross-entropy that computes gradients in the forward pass, so the (N, I) scores are never stored in full."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, vectors: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
        """Accumulate the loss and its gradients, block by block."""
        to_hidden, to_vectors = torch.empty_like(hidden), torch.zeros_like(vectors)
        size = max(64, BLOCK_BYTES // (hidden.element_size() * len(vectors)))
        total = hidden.new_zeros(())
        for start in range(0, len(hidden), size):
            block, right = hidden[start : start + size], target[start : start + size].unsqueeze(1)
            logs = functional.log_softmax(block @ vectors.T, dim=1)
            weight = None if weights is None else weights[start : start + size].unsqueeze(1)
            found = logs.gather(1, right)
            total -= (found if weight is None else found * weight).sum()
            shares = logs.exp_()
            shares.scatter_add_(1, right, shares.new_full(right.shape, -1.0))
            if weight is not None:
                shares *= weight
            to_hidden[start : start + size] = shares @ vectors
            to_vectors.addmm_(shares.T, block)
        ctx.save_for_backward(to_hidden, to_vectors)
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Scale the gradients of the forward pass."""
        to_hidden, to_vectors = ctx.saved_tensors
        scale = above[0] / len(to_hidden)
        return to_hidden * scale, to_vectors * scale, None, None


def sampled_softmax_loss(right: Tensor, wrong: Tensor, items: int, weights: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy over the targets (N,) and the negatives (N, K) of a catalog of `items`.

    Each negative represents (I - 1) / K items of the catalog.
    """
    correction = math.log(max(1, items - 1) / wrong.shape[1])
    scores = torch.cat([right.unsqueeze(1), wrong + correction], dim=1)
    return mean_loss(torch.logsumexp(scores, dim=1) - right, weights)


def bce_loss(right: Tensor, wrong: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean binary cross-entropy of the targets (N,) and the negatives (N, K)."""
    return -mean_loss(functional.logsigmoid(right) + functional.logsigmoid(-wrong).mean(dim=1), weights)


def gbce_loss(right: Tensor, wrong: Tensor, items: int, calibration: float, weights: Tensor | None = None) -> Tensor:
    """Return the mean generalized binary cross-entropy; see the module."""
    count = wrong.shape[1]
    share = min(1.0, count / max(1, items - 1))
    beta = share * (calibration * (1 - 1 / share) + 1 / share)
    terms = beta * functional.logsigmoid(right) + functional.logsigmoid(-wrong).sum(dim=1)
    return -mean_loss(terms, weights) / (count + 1)


def bpr_loss(right: Tensor, wrong: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean pairwise BPR loss of the targets (N,) against the negatives (N, K)."""
    logs = functional.logsigmoid(right.unsqueeze(1) - wrong)
    return -logs.mean() if weights is None else -mean_loss(logs.mean(dim=1), weights)
