"""Moves of points of interest on the item graph: a random walk steered by attention, or a learned policy.

Shapes as in `interest`: B sequences, T steps, positions in G groups of C, R steps around a group, V points, D embedding
dimension; N neighbors of an item, K candidates of a move.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

PRIME = 2**31 - 1
"""Modulus of the pseudo-random numbers of walks at inference."""


class Surroundings(NamedTuple):
    """The attention windows of positions in their sequences.

    `places` (B, G, C); `steps` (B, G, R) around each group; `seen` (B, G, C, R) which of them are in the window of a
    position; `queries` (B, G, R, D) theta * W s and `states` (B, G, R, D) s of these steps; `here` (B, G, C, D) s of
    the positions; `keys` (I + 1, D) h of all items.
    """

    places: Tensor
    steps: Tensor
    seen: Tensor
    queries: Tensor
    states: Tensor
    here: Tensor
    keys: Tensor


class Moves(NamedTuple):
    """One local step of all points.

    `after` (B, G, C, V) the points after the step; `proposed` (B, G, C, V) the proposed moves; `accepted` (B, G, C, V)
    whether they were accepted; `candidates` (B, G, C, V, K) the items that could have been proposed (for a policy the
    point itself comes first); `chances` (B, G, C, V, K) their probabilities; `log_chance` (B, G, C, V) log-probability
    of the chosen action, with its gradient, None for a walk.
    """

    after: Tensor
    proposed: Tensor
    accepted: Tensor
    candidates: Tensor
    chances: Tensor
    log_chance: Tensor | None = None


class Walk(nn.Module):
    """A random walk: a neighbor is sampled by the weights of the graph, and accepted unless attention decreases.

    At inference the draw is a function of the seed, the index of the point, the step and the point's current item: the
    result for a user does not depend on the batch, and removing an item from a history does not change the draws of
    points that stay at the same items.
    """

    chances: Tensor

    def __init__(self, chances: Tensor, seed: int) -> None:
        """Store the transition probabilities (I + 1, N) of each item and of padding, and the seed."""
        super().__init__()
        self.seed = seed
        self.register_buffer("chances", chances, persistent=False)

    def forward(
        self,
        points: Tensor,
        ways: Tensor,
        step: int,
        generator: torch.Generator | None,
        chances: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return (B, G, C, V) a sampled neighbor of each point, and the probabilities (B, G, C, V, N) of the neighbors.

        Args:
            points: (B, G, C, V).
            ways: (B, G, C, V, N) their neighbors.
            step: Index of the local step.
            generator: Source of randomness; None for the deterministic draws of the class.
            chances: (B, G, C, V, N) probabilities of the neighbors in another graph; None for the stored graph.
        """
        drawn = self._draws(points, step) if generator is None else _random(points, generator)
        chances = self.chances[points] if chances is None else chances
        return ways.gather(-1, _picked(chances, drawn)).squeeze(-1), chances

    def judged(
        self, points: Tensor, mass: Tensor, proposed: Tensor, there: Tensor, ways: Tensor, chances: Tensor
    ) -> Moves:
        """Return the step: points (B, G, C, V) accept the move if its attention mass `there` is at least `mass`."""
        accepted = there >= mass
        return Moves(torch.where(accepted, proposed, points), proposed, accepted, ways, chances)

    def _draws(self, points: Tensor, step: int) -> Tensor:
        """(B, G, C, V) numbers from 0 to 1, a function of seed, index of the point, step and item."""
        slot = torch.arange(points.shape[-1], device=points.device) * 16_807 + step * 39_373
        return (_mixed(_mixed(points + self.seed) + slot).double() / PRIME).float()


class Policy(nn.Module):
    """A learned policy: each point stays or moves to a neighbor, depending on the state.

        probability of c = softmax_c(P s_t . e_c / sqrt(D)) over the point itself and its neighbors

    P is initialized to 0 (uniform probabilities). It is trained by `reinforce_loss` alone: states and embeddings are
    detached.
    """

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.query = nn.Linear(embedding_dim, embedding_dim, bias=False)
        nn.init.zeros_(self.query.weight)

    def forward(
        self, points: Tensor, ways: Tensor, around: Surroundings, vectors: Tensor, generator: torch.Generator | None
    ) -> Moves:
        """Return a step of points (B, G, C, V) with neighbors (B, G, C, V, N) and item embeddings (I + 1, D).

        Without a generator the most probable candidate is chosen; ties with staying are resolved by staying.
        """
        candidates = torch.cat([points.unsqueeze(-1), ways], dim=-1)
        query = self.query(around.here.detach()).unsqueeze(-1)  # (B, G, C, D, 1)
        scores = (vectors.detach()[candidates.flatten(3)] @ query).view(candidates.shape)
        logs = (scores / math.sqrt(vectors.shape[1])).log_softmax(dim=-1)
        drawn = None if generator is None else _random(points, generator)
        chosen = _likeliest(logs) if drawn is None else _picked(logs.detach().exp(), drawn)
        after = candidates.gather(-1, chosen).squeeze(-1)
        log_chance = logs.gather(-1, chosen).squeeze(-1)
        return Moves(after, after, chosen.squeeze(-1) > 0, candidates, logs.detach().exp(), log_chance)


def mean_over_steps(attention: Tensor, seen: Tensor) -> Tensor:
    """Return (B, G, C, V) the mean of (B, G, C, V, R) over the steps in `seen` (B, G, C, R); others must be 0."""
    return attention.sum(dim=-1) / seen.sum(dim=-1).unsqueeze(-1)


def rank_reward(hidden: Tensor, vectors: Tensor, target: Tensor) -> Tensor:
    """Return (N,) 1 - log(rank) / log(I): 1 if the next item ranks first of all I, 0 if it ranks last.

    Args:
        hidden: (N, D).
        vectors: (I, D).
        target: (N,) positions of the next items.
    """
    scores = hidden @ vectors.T
    rank = 1 + (scores > scores.gather(1, target.unsqueeze(1))).sum(dim=1)
    return 1 - rank.to(hidden.dtype).log() / math.log(max(2, len(vectors)))


def reinforce_loss(log_chance: Tensor, gain: Tensor) -> Tensor:
    """Return a loss whose gradient is the negative policy gradient: -mean_n gain_n sum_a log p_na.

    Args:
        log_chance: (N, A) log-probabilities of the A actions at each of N positions, with their gradients.
        gain: (N,) reward minus the reward without any action; treated as a constant.

    Source:
        Williams 1992, "Simple Statistical Gradient-Following Algorithms", eq. 11, with the reward of unmoved points as
        the baseline.
    """
    return -(gain.detach() * log_chance.sum(dim=1)).mean()


def _random(points: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(points.shape, generator=generator, device=points.device)


def _picked(chances: Tensor, drawn: Tensor) -> Tensor:
    """(..., 1) index of the candidate sampled by inverse transform from probabilities (..., K) and draws (...)."""
    return (drawn.unsqueeze(-1) >= chances.cumsum(dim=-1)[..., :-1]).sum(dim=-1, keepdim=True)


def _likeliest(logs: Tensor) -> Tensor:
    """(..., 1) index of the most probable candidate; the first in case of ties with it."""
    best = logs.argmax(dim=-1, keepdim=True)
    return torch.where(logs.gather(-1, best) > logs[..., :1], best, 0)


def _mixed(numbers: Tensor) -> Tensor:
    """Return pseudo-random numbers below PRIME; squaring decorrelates consecutive inputs."""
    for _ in range(3):
        numbers = numbers % PRIME
        numbers = (numbers * numbers + 12_345) % PRIME * 48_271
    return numbers % PRIME
