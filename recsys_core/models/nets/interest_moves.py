"""How points of interest move on the item graph: by a random walk that attention steers, or by a learned policy.

Shapes as in `interest`: B sequences, T steps, places in G groups of C, R steps around a group, V points, D width; N
neighbours of an item, K candidates of a move.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

PRIME = 2**31 - 1
"""Draws outside training are numbers below this prime."""


class Surroundings(NamedTuple):
    """What places see of the sequences that they belong to.

    `places` (B, G, C); `steps` (B, G, R) around each group; `seen` (B, G, C, R) which of them a place
    sees; `queries` (B, G, R, D) theta * W s and `states` (B, G, R, D) s of these steps; `here` (B, G, C, D) s of the
    places; `keys` (I + 1, D) h of all items.
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

    `after` (B, G, C, V) where they are then; `proposed` (B, G, C, V) where they could have gone; `accepted`
    (B, G, C, V) whether they went; `candidates` (B, G, C, V, K) the items that could have been proposed (for a policy
    the point itself comes first); `chances` (B, G, C, V, K) with which chance; `log_chance` (B, G, C, V) of what was
    chosen, with its gradient, None for a walk.
    """

    after: Tensor
    proposed: Tensor
    accepted: Tensor
    candidates: Tensor
    chances: Tensor
    log_chance: Tensor | None = None


class Walk(nn.Module):
    """A random walk: a neighbour is drawn by the weights of the graph, and taken unless attention there is less.

    Outside training the draw hangs on the seed, the number of the point, the step and the item where the point stands:
    a person gets the same answer whoever else is asked for, and an item left out of a history changes no draw of a
    point that it does not move.
    """

    chances: Tensor

    def __init__(self, chances: Tensor, seed: int) -> None:
        """Keep the chances (I + 1, N) of the neighbours of each item and of padding, and the seed."""
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
        """Return (B, G, C, V) a neighbor drawn for each point, and the chances (B, G, C, V, N) it was drawn by.

        Args:
            points: (B, G, C, V).
            ways: (B, G, C, V, N) their neighbors.
            step: Number of the local step.
            generator: Source of the draws; None to draw as the class says.
            chances: (B, G, C, V, N) of the neighbors on another graph than that of the class; None for that one.
        """
        drawn = self._draws(points, step) if generator is None else _random(points, generator)
        chances = self.chances[points] if chances is None else chances
        return ways.gather(-1, _picked(chances, drawn)).squeeze(-1), chances

    def judged(
        self, points: Tensor, mass: Tensor, proposed: Tensor, there: Tensor, ways: Tensor, chances: Tensor
    ) -> Moves:
        """Return the step: points (B, G, C, V) go where their attention mass `there` is not less than `mass` here."""
        accepted = there >= mass
        return Moves(torch.where(accepted, proposed, points), proposed, accepted, ways, chances)

    def _draws(self, points: Tensor, step: int) -> Tensor:
        """(B, G, C, V) numbers from 0 to 1, the same for the same seed, number of the point, step and item."""
        slot = torch.arange(points.shape[-1]) * 16_807 + step * 39_373
        return (_mixed(_mixed(points + self.seed) + slot).double() / PRIME).float()


class Policy(nn.Module):
    """A learned choice: each point stays or goes to a neighbour, by what the state says about the items there.

        chance of c = softmax_c(P s_t . e_c / sqrt(D)) over the point itself and its neighbours

    P begins at 0, so that all are alike. It learns by `reinforce_loss` alone: states and items are taken as they are.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.query.weight)

    def forward(
        self, points: Tensor, ways: Tensor, around: Surroundings, vectors: Tensor, generator: torch.Generator | None
    ) -> Moves:
        """Return a step of points (B, G, C, V) with neighbours (B, G, C, V, N); vectors (I + 1, D) are the items'.

        Without a generator the likeliest candidate is taken, and a point stays if none is likelier than that.
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
    """Return (B, G, C, V) the mean of (B, G, C, V, R) over the steps seen (B, G, C, R); others must be 0."""
    return attention.sum(dim=-1) / seen.sum(dim=-1).unsqueeze(-1)


def rank_reward(hidden: Tensor, vectors: Tensor, target: Tensor) -> Tensor:
    """Return (N,) 1 - log(rank) / log(I): 1 if the next item is the best of all I, 0 if it is the last.

    Args:
        hidden: (N, D).
        vectors: (I, D).
        target: (N,) positions of the next items.
    """
    scores = hidden @ vectors.T
    rank = 1 + (scores > scores.gather(1, target.unsqueeze(1))).sum(dim=1)
    return 1 - rank.to(hidden.dtype).log() / math.log(max(2, len(vectors)))


def reinforce_loss(log_chance: Tensor, gain: Tensor) -> Tensor:
    """Return a number whose gradient points against that of the expected reward: -mean_n gain_n sum_a log chance_na.

    Args:
        log_chance: (N, A) of the A actions taken at each of N places, with their gradients.
        gain: (N,) how much better the reward was than without any action; taken as a plain number.

    Source:
        Williams 1992, "Simple Statistical Gradient-Following Algorithms", eq. 11, with the reward of unmoved points as
        the baseline.
    """
    return -(gain.detach() * log_chance.sum(dim=1)).mean()


def _random(points: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(points.shape, generator=generator)


def _picked(chances: Tensor, drawn: Tensor) -> Tensor:
    """(..., 1) number of the candidate where the sum of chances (..., K) passes what was drawn (...), from 0 to 1."""
    return (drawn.unsqueeze(-1) >= chances.cumsum(dim=-1)[..., :-1]).sum(dim=-1, keepdim=True)


def _likeliest(logs: Tensor) -> Tensor:
    """(..., 1) number of the likeliest candidate; the first, where none is likelier."""
    best = logs.argmax(dim=-1, keepdim=True)
    return torch.where(logs.gather(-1, best) > logs[..., :1], best, 0)


def _mixed(numbers: Tensor) -> Tensor:
    """Return numbers below PRIME that look like chance; squares part numbers that are neighbours."""
    for _ in range(3):
        numbers = numbers % PRIME
        numbers = (numbers * numbers + 12_345) % PRIME * 48_271
    return numbers % PRIME
