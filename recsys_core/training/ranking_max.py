"""The ranking losses of GRU4Rec, which compare a target with its best negatives.

A position has a target with score r_y, and K negatives j with scores r_j and softmax weights s_j = exp(r_j) / sum_k
exp(r_k), which are largest for the negatives ranked highest:

    bpr_max    -log sum_j s_j sigma(r_y - r_j) + lambda sum_j s_j r_j^2
    top1_max   sum_j s_j (sigma(r_j - r_y) + sigma(r_j^2))

The second term of each keeps the scores of negatives near 0. The negatives are shared by all positions of a batch and
drawn with probabilities proportional to popularity^alpha (alpha 0: uniformly; alpha 1: by popularity). A negative that
is the target of a position does not count there.

Source: Hidasi and Karatzoglou 2018, "Recurrent Neural Networks with Top-k Gains for Session-based Recommendations",
section 2 (sampling) and section 3 (losses). Departure: the other targets of a batch are not used as negatives; a batch
has whole histories here, and alpha 1 samples from the same distribution.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.training.losses import Loss, mean_loss


def sampling_shares(counts: IntArray, alpha: float) -> FloatArray:
    """Return (I,) the probability of each item as a negative, in proportion to its count^alpha.

    Items without interactions are never drawn, unless alpha is 0 or no item has any.
    """
    weights = np.ones(len(counts)) if alpha == 0 or not counts.any() else counts.astype(np.float64) ** alpha
    shares: FloatArray = weights / weights.sum()
    return shares


def ranking_max_loss(name: str, *, negatives: int, regularization: float, shares: FloatArray) -> Loss:
    """Return "bpr_max" or "top1_max".

    Args:
        name: The loss.
        negatives: K, number of negatives per batch.
        regularization: lambda of "bpr_max", unused by "top1_max".
        shares: (I,) probability of each item as a negative.
    """
    bounds = torch.from_numpy(np.cumsum(shares, dtype=np.float64))
    last = int(np.flatnonzero(shares)[-1])

    def of_batch(
        hidden: Tensor, vectors: Tensor, target: Tensor, generator: torch.Generator, weights: Tensor | None = None
    ) -> Tensor:
        draws = torch.rand(negatives, dtype=torch.float64, generator=generator, device=target.device)
        drawn = torch.searchsorted(bounds.to(target.device), draws, right=True).clamp(max=last)
        right, wrong = (hidden * vectors[target]).sum(dim=1), hidden @ vectors[drawn].T
        same = drawn == target.unsqueeze(1)
        if name == "bpr_max":
            return mean_loss(bpr_max(right, wrong, same, regularization), weights)
        return mean_loss(top1_max(right, wrong, same), weights)

    return of_batch


def bpr_max(right: Tensor, wrong: Tensor, same: Tensor, regularization: float) -> Tensor:
    """Return (N,) the BPR-max loss of each position.

    Args:
        right: (N,) scores of the targets.
        wrong: (N, K) scores of the negatives.
        same: (N, K) whether a negative is the target; the loss is 0 where all are.
        regularization: lambda.
    """
    logs = _log_weights(wrong, same)
    ahead = torch.logsumexp(logs + functional.logsigmoid(right.unsqueeze(1) - wrong), dim=1)
    loss = regularization * (logs.exp() * wrong.square()).sum(dim=1) - ahead
    return torch.where(same.all(dim=1), 0.0, loss)


def top1_max(right: Tensor, wrong: Tensor, same: Tensor) -> Tensor:
    """Return (N,) the TOP1-max loss of each position; arguments as in `bpr_max`."""
    terms = torch.sigmoid(wrong - right.unsqueeze(1)) + torch.sigmoid(wrong.square())
    loss = (_log_weights(wrong, same).exp() * terms).sum(dim=1)
    return torch.where(same.all(dim=1), 0.0, loss)


def _log_weights(wrong: Tensor, same: Tensor) -> Tensor:
    """(N, K) log s_j, a very small number for the target."""
    return wrong.masked_fill(same, torch.finfo(wrong.dtype).min / 4).log_softmax(dim=1)
