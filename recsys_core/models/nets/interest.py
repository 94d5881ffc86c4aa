"""Attention between the steps of a history and points of interest, which move on an item graph.

A GRU (`rnn`) encodes the history; its state after step t, s_t, is the prediction vector of the plain model. In addition
there are V points of interest: items v with embeddings e_v. The stages at step t are:

    1  points      from generators: popular items, items similar to the last ones, items of the history itself
    2  attention   A_iv = tanh(theta . (W s_i * h_v)) for point v and each of the latest M steps i, t - M < i <= t;
                   h_v is the output of an MLP or an LSTM over e_v
    3  local       repeatedly: each point may move to a neighbor in the item graph (`interest_moves`)
    4  global      a = softmax_i(k1 mean_v A_iv)     b = softmax_v(k2 mean_i A_iv)
                   interest_t = s_t + U sum_i a_i s_i + Y sum_v b_v e_v

Without the global update only the last step attends to the points, weighted by their attention:
interest_t = s_t + Y mean_v A_tv e_v. Without both updates interest_t = s_t. The score of an item is the dot product of
interest_t and its embedding. U and Y are initialized to 0, so training starts from the plain model.

Shapes: B sequences, T steps, D embedding dimension, V points. Positions are arranged in G groups of C per sequence, so
that neighboring positions share the R steps of their attention windows.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_core.models.nets.interest_moves import (
    Moves,
    Policy,
    Surroundings,
    Walk,
    mean_over_steps,
    rank_reward,
    reinforce_loss,
)
from recsys_core.models.nets.rnn import RecurrentNet

POPULAR, SIMILAR, HISTORY = 0, 1, 2
"""Generator of a point of interest."""
ORIGINS = {"popular": (POPULAR,), "similar": (SIMILAR,), "history": (HISTORY,), "mixed": (POPULAR, SIMILAR, HISTORY)}
"""The generators of each choice."""
PIECES = 4
"""Number of pieces in which the LSTM reads an item embedding."""
GROUP = 16
"""Number of positions per group when all positions of a sequence are computed."""


class InterestParts(NamedTuple):
    """Popular items and item graph, int64 and float32 tensors.

    `popular` (at most I,) items, `neighbours` (I, N) items and `chances` (I, N) as in `ItemGraph`.
    """

    popular: Tensor
    neighbours: Tensor
    chances: Tensor


class TrainingGraph(NamedTuple):
    """The stacked item graphs of training, each with a final row for padding.

    `neighbours` and `chances` (F (I + 1), N); `first` (B,) the first row of the graph of each sequence.
    """

    neighbours: Tensor
    chances: Tensor
    first: Tensor

    def rows(self, items: Tensor) -> Tensor:
        """Return the rows of items (B, ...), each in the graph of its sequence."""
        return items + self.first.view(-1, *[1] * (items.ndim - 1))


@dataclass(frozen=True)
class InterestShape:
    """Architecture of an interest network; see the module."""

    embedding_dim: int
    dropout: float
    generator: str
    points: int
    point_state: Literal["mlp", "lstm"]
    memory: int
    local: Literal["none", "walk", "reinforce"]
    local_steps: int
    whole: bool


class Look(NamedTuple):
    """All intermediate results from states to interests.

    `hidden` (B, G, C, D) the interests; `start` (B, G, C, V) the generated points; `moves` the local update; `around`
    the attention windows; `attention` (B, G, C, V, R) A of the final points; `step_weights` (B, G, C, R) a, without the
    global update 1 for the last step; `point_weights` (B, G, C, V) b, without the global update A_tv / V, which need
    not sum to 1.
    """

    hidden: Tensor
    start: Tensor
    moves: list[Moves]
    around: Surroundings
    attention: Tensor
    step_weights: Tensor
    point_weights: Tensor


class InterestNet(RecurrentNet):
    """Encodes histories into interests: the network of `rnn` with a GRU, with attention on top."""

    popular: Tensor
    neighbours: Tensor

    def __init__(self, n_items: int, shape: InterestShape, parts: InterestParts, seed: int) -> None:
        """Create a network with weights drawn from torch's global generator.

        Args:
            n_items: I.
            shape: Its architecture.
            parts: Popular items and the item graph.
            seed: Seed of walks at inference.
        """
        embedding_dim = shape.embedding_dim
        super().__init__(n_items, embedding_dim, cell="gru", dropout=shape.dropout)
        self.shape = shape
        self.attends = shape.whole or shape.local != "none"
        if self.attends:
            self._add_attention(embedding_dim)
        neighbours, chances = with_padding(parts.neighbours, parts.chances)
        self.register_buffer("popular", parts.popular, persistent=False)
        self.register_buffer("neighbours", neighbours, persistent=False)
        self.walk = Walk(chances, seed) if shape.local == "walk" else None
        self.policy = Policy(embedding_dim) if shape.local == "reinforce" else None

    def _add_attention(self, embedding_dim: int) -> None:
        self.query = nn.Linear(embedding_dim, embedding_dim, bias=False)  # W
        self.theta = nn.Parameter(torch.full((embedding_dim,), 1 / math.sqrt(embedding_dim)))
        self.point_state = PointState(embedding_dim, self.shape.point_state)
        self.from_points = nn.Linear(embedding_dim, embedding_dim, bias=False)  # Y
        nn.init.zeros_(self.from_points.weight)
        if self.shape.whole:
            self.from_steps = nn.Linear(embedding_dim, embedding_dim, bias=False)  # U
            nn.init.zeros_(self.from_steps.weight)
            self.log_sharpness = nn.Parameter(torch.full((2,), math.log(4.0)))  # log of k1 and k2

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, T, D) the interest after each step; position t depends on steps 0..t alone.

        Args:
            tokens: (B, T) items, right-padded with `n_items`.
        """
        states = self.states(tokens)
        if not self.attends:
            return states
        return ungrouped(self.look(tokens, states, every_place(tokens)).hidden, tokens)

    def states(self, tokens: Tensor) -> Tensor:
        """Return (B, T, D) s, the prediction vectors of the plain model."""
        return super().forward(tokens)

    def look(
        self,
        tokens: Tensor,
        states: Tensor,
        places: Tensor,
        generator: torch.Generator | None = None,
        graph: TrainingGraph | None = None,
    ) -> Look:
        """Return the interests at `places` (B, G, C), consecutive steps in order, with all intermediate results.

        Without a generator a walk uses its seed (`Walk`), and a policy takes its best action; with one both sample from
        it. Without a graph the network's own is used; training passes one that was built without the sequences.
        """
        around, start = self.surroundings(tokens, states, places), self.chosen(tokens, places, graph)
        return self._interest(around, start, self.moved(around, start, generator, graph))

    def policy_loss(
        self, look: Look, tokens: Tensor, mask: Tensor, target: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Return the loss of the policy for the moves in `look`, which was computed for `every_place`.

        Both rewards, with and without the moves, use the same states and no dropout of the attention terms: if no
        point moves, they are equal.

        Args:
            look: Intermediate results of the training step.
            tokens: (B, T).
            mask: (B, T) the N positions that have a next item.
            target: (N,) these items.
            weights: (N,) weights of the rewards; None for 1.
        """
        with torch.no_grad():
            rewards = [
                rank_reward(ungrouped(self._plain(look.around, points), tokens)[mask], self.items.weight[:-1], target)
                for points in (look.moves[-1].after, look.start)
            ]
        logs = torch.stack([move.log_chance for move in look.moves if move.log_chance is not None], dim=-1)
        gain = rewards[0] - rewards[1]
        return reinforce_loss(ungrouped(logs, tokens)[mask].flatten(1), gain if weights is None else gain * weights)

    def chosen(self, tokens: Tensor, places: Tensor, graph: TrainingGraph | None = None) -> Tensor:
        """Return (B, G, C, V) the generated points of interest, in the order of `origins`.

        Popular items are the same for all users. Point j of the similar items is the nearest neighbor of the j-th last
        item; in shorter histories, further neighbors of the first item. Points of the history are spaced evenly over
        it, from its start.
        """
        order, kinds = torch.arange(self.shape.points, device=tokens.device), []
        wanted = ORIGINS[self.shape.generator]
        if POPULAR in wanted:
            kinds.append(self.popular.expand(*places.shape, -1))
        if SIMILAR in wanted:
            back = places.unsqueeze(-1) - order
            ranks = (-back).clamp(0, self.neighbours.shape[1] - 1)
            near = _tokens_at(tokens, back.clamp(min=0))
            kinds.append(self.neighbours[near, ranks] if graph is None else graph.neighbours[graph.rows(near), ranks])
        if HISTORY in wanted:
            kinds.append(_tokens_at(tokens, (places.unsqueeze(-1) + 1) * order // self.shape.points))
        return torch.cat(kinds, dim=-1)

    def origins(self) -> Tensor:
        """Return (V,) the generator of each point."""
        counts = {POPULAR: len(self.popular), SIMILAR: self.shape.points, HISTORY: self.shape.points}
        return torch.cat([self.popular.new_full((counts[origin],), origin) for origin in ORIGINS[self.shape.generator]])

    def moved(
        self,
        around: Surroundings,
        start: Tensor,
        generator: torch.Generator | None,
        graph: TrainingGraph | None = None,
    ) -> list[Moves]:
        """Return the moves of the local update of the points `start` (B, G, C, V), step by step.

        A walk (`Walk`) samples a neighbor of each point and accepts it unless the attention mass, the mean of A over
        the attention window, decreases. A policy (`Policy`) chooses between staying and each of the neighbors.
        """
        moves: list[Moves] = []

        def ways_of(points: Tensor) -> Tensor:
            return self.neighbours[points] if graph is None else graph.neighbours[graph.rows(points)]

        if self.walk is not None:
            with torch.no_grad():
                points, mass = start, self.mass(around, start)
                for step in range(self.shape.local_steps):
                    ways, given = ways_of(points), None if graph is None else graph.chances[graph.rows(points)]
                    proposed, chances = self.walk(points, ways, step, generator, given)
                    there = self.mass(around, proposed)
                    moves.append(self.walk.judged(points, mass, proposed, there, ways, chances))
                    points, mass = moves[-1].after, torch.maximum(mass, there)
        elif self.policy is not None:
            points = start
            for _ in range(self.shape.local_steps):
                moves.append(self.policy(points, ways_of(points), around, self.items.weight, generator))
                points = moves[-1].after
        return moves

    def surroundings(self, tokens: Tensor, states: Tensor, places: Tensor) -> Surroundings:
        """Return the attention windows of `places` (B, G, C) in sequences (B, T) with states (B, T, D)."""
        memory, steps = self.shape.memory, tokens.shape[1]
        reach = torch.arange(1 - memory - (places.shape[2] - 1), 1, device=tokens.device)
        around = places[:, :, -1:] + reach  # (B, G, R), negative before the start
        distance = places.unsqueeze(-1) - around.unsqueeze(2)
        seen = (distance >= 0) & (distance < memory) & (around >= 0).unsqueeze(2)
        rows = torch.arange(len(tokens), device=tokens.device).view(-1, 1, 1) * steps + around.clamp(min=0)
        both = torch.cat([self.query(states) * self.theta, states], dim=-1).flatten(0, 1)
        queries, shared = functional.embedding(rows, both).chunk(2, dim=-1)
        keys = self.point_state(self.items.weight)
        here = states.gather(1, places.flatten(1).unsqueeze(-1).expand(-1, -1, states.shape[-1]))
        return Surroundings(places, around, seen, queries, shared, here.view(*places.shape, -1), keys)

    def attention(self, around: Surroundings, points: Tensor) -> Tensor:
        """Return (B, G, C, V, R) A, 0 for steps outside the attention window."""
        keys = functional.embedding(points.flatten(2), around.keys)  # (B, G, C V, D)
        raised = torch.tanh(keys @ around.queries.transpose(-1, -2)).view(*points.shape, -1)
        return raised * around.seen.unsqueeze(-2)

    def mass(self, around: Surroundings, points: Tensor) -> Tensor:
        """Return (B, G, C, V) the mean of A over the attention window of each position."""
        return mean_over_steps(self.attention(around, points), around.seen)

    def _interest(self, around: Surroundings, start: Tensor, moves: list[Moves]) -> Look:
        """Return the global update, or its replacement if it is off."""
        points = moves[-1].after if moves else start
        attention, step_weights, point_weights = self._weights(around, points)
        hidden = self._summed(around, points, step_weights, point_weights, self.dropout)
        return Look(hidden, start, moves, around, attention, step_weights, point_weights)

    def _plain(self, around: Surroundings, points: Tensor) -> Tensor:
        """Return (B, G, C, D) the interests for points (B, G, C, V), without dropout."""
        _, step_weights, point_weights = self._weights(around, points)
        return self._summed(around, points, step_weights, point_weights, nn.Identity())

    def _weights(self, around: Surroundings, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return attention and the weights of steps and points (B, G, C, V), as in `Look`."""
        attention = self.attention(around, points)
        if self.shape.whole:
            sharpness = self.log_sharpness.exp()
            on_steps = (sharpness[0] * attention.mean(dim=-2)).masked_fill(~around.seen, -torch.inf)
            on_points = sharpness[1] * mean_over_steps(attention, around.seen)
            return attention, on_steps.softmax(dim=-1), on_points.softmax(dim=-1)
        step_weights = (around.steps.unsqueeze(2) == around.places.unsqueeze(-1)).to(attention)
        return attention, step_weights, (attention * step_weights.unsqueeze(-2)).sum(dim=-1) / points.shape[-1]

    def _summed(
        self, around: Surroundings, points: Tensor, step_weights: Tensor, point_weights: Tensor, dropout: nn.Module
    ) -> Tensor:
        """Return (B, G, C, D) the interests for these weights of states and points."""
        hidden = around.here
        if self.shape.whole:
            hidden = hidden + self.from_steps(dropout(step_weights @ around.states))
        wanted = (point_weights.unsqueeze(-2) @ dropout(self.items(points))).squeeze(-2)
        interest: Tensor = hidden + self.from_points(wanted)
        return interest


def with_padding(neighbours: Tensor, chances: Tensor) -> tuple[Tensor, Tensor]:
    """Return a graph (I, N) with an additional row for the padding token I, which stays where it is."""
    items, count = neighbours.shape
    stays = functional.one_hot(neighbours.new_zeros(1, dtype=torch.int64), count)
    filled = torch.cat([neighbours, neighbours.new_full((1, count), items)])
    return filled, torch.cat([chances, stays.to(chances)])


class PointState(nn.Module):
    """h: the attention key of an item, from its embedding; an MLP, or an LSTM that reads it in pieces."""

    def __init__(self, embedding_dim: int, kind: Literal["mlp", "lstm"]) -> None:
        super().__init__()
        self.piece = -(-embedding_dim // PIECES)
        self.net = (
            nn.Sequential(nn.Linear(embedding_dim, embedding_dim), nn.GELU(), nn.Linear(embedding_dim, embedding_dim))
            if kind == "mlp"
            else nn.LSTM(self.piece, embedding_dim, batch_first=True)
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """Return (I, D) h for embeddings (I, D)."""
        if not isinstance(self.net, nn.LSTM):
            hidden: Tensor = self.net(vectors)
            return hidden
        filled = functional.pad(vectors, (0, self.piece * PIECES - vectors.shape[1]))
        _, (last, _) = self.net(filled.view(len(vectors), PIECES, self.piece))
        state: Tensor = last[0]
        return state


def every_place(tokens: Tensor) -> Tensor:
    """Return (B, G, C) all steps of sequences (B, T) in groups; the last group may be padded."""
    size = min(GROUP, tokens.shape[1])
    groups = -(-tokens.shape[1] // size)
    places = torch.arange(groups * size, device=tokens.device).clamp(max=tokens.shape[1] - 1)
    return places.view(1, groups, size).expand(len(tokens), -1, -1)


def ungrouped(values: Tensor, tokens: Tensor) -> Tensor:
    """Return (B, T, ...) from values (B, G, C, ...) computed for `every_place`."""
    return values.flatten(1, 2)[:, : tokens.shape[1]]


def _tokens_at(tokens: Tensor, places: Tensor) -> Tensor:
    """(B, ...) the tokens (B, T) at positions (B, ...)."""
    return tokens.gather(1, places.flatten(1)).view(places.shape)
