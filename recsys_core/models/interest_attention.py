"""Interest attention: points of interest that move on an item graph towards higher attention of the history.

A GRU (the plain model, `rnn`) encodes the history. Generators propose points of interest, which move on an item
graph; the attention between history and points is then added to the GRU's state. With both updates off it equals the
plain model exactly. See `nets.interest` for the four stages in formulas, `interest_graph` for the graph, and
`interest_trace` for the contents of a trace.

The learned policy is trained by REINFORCE, in addition to the next-item loss: the reward of a position is the log-rank
of the next item, 1 - log(rank) / log(I); the baseline is the reward of the unmoved points.

Source: section 3.2 of the source document. Departures: the document's tanh(theta^T (s_t)^T h_v) is read as theta .
(W s_t * h_v), a scalar per step and point; its global update, 'the weighted sum of the attention of all points', as two
sums, one over the steps of the history and one over the points, weighted by a softmax of the mean attention and added
to the state of the plain model; attention is restricted to the latest steps (`memory`).
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from recsys_core.batches import FloatArray, IntArray, QueryBatch, Ragged
from recsys_core.contracts import SOURCE_DOCUMENT, Ability, AttentionTrace, Knob, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import CannotScore
from recsys_core.models.interest_graph import FOLDS, fold_of, graphs_without, item_graph, most_popular
from recsys_core.models.network_model import concatenated, network_info
from recsys_core.models.sequential import (
    BatchSize,
    Dropout,
    EmbeddingDim,
    Epochs,
    LearningRate,
    Patience,
    SequenceConfig,
    SequenceModel,
)
from recsys_core.models.topk import top_k
from recsys_core.text import _
from recsys_core.training.plan import TrainingPlan

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from recsys_core.models.nets.interest import InterestNet, TrainingGraph
    from recsys_core.training.losses import Loss
    from recsys_core.training.sequences import Batch

SHOWN = 5
"""Number of top next items that a trace keeps per position."""
SLOWER = {"from_points": 0.1, "from_steps": 0.1}
"""Factors of the learning rate of Y and U. Both are 0 at first, so that the network starts as the plain model, and at
the full rate the results of several seeds on ML-100K differed more than those of the plain model."""
SMOOTHING = 0.85
"""Decay of the means over epochs that early stopping uses and keeps: the walks of training are random, so that single
epochs differ more than those of the plain model. The last ten epochs make up 80 % of the mean."""


class InterestAttentionConfig(SequenceConfig):
    """Settings of interest attention.

    The source document gives no values. The defaults train on ML-100K in a few minutes; none of them was tuned.
    """

    generator: Annotated[Literal["mixed", "popular", "similar", "history"], Knob(label="Point generator")] = "mixed"
    """Which items become points of interest, the candidate items that attention compares with the history: popular
    items, items similar to the most recent ones, items of the user's history, or all three (mixed)."""
    points: Annotated[int, Field(ge=1, le=50), Knob(1, 6, label="Points per generator")] = 4
    """Number of points of interest per generator."""
    local_update: Annotated[Literal["walk", "reinforce", "none"], Knob()] = "walk"
    """How a point of interest moves to neighboring items of the item graph: by a random walk that accepts a move unless
    the attention to the point decreases, by a policy learned by reinforcement (REINFORCE), or not at all."""
    local_steps: Annotated[int, Field(ge=1, le=10), Knob(1, 4, label="Moves per point")] = 2
    """Number of moves of each point of interest in the local update."""
    global_update: Annotated[bool, Knob()] = True
    """Whether the user's final vector adds two attention-weighted sums, one over the steps in the attention window and
    one over the points of interest; otherwise only the last step attends to the points."""
    point_state: Annotated[Literal["mlp", "lstm"], Knob(symbol="h_v", label="Point encoder")] = "mlp"
    """Encoder of the points: a two-layer MLP, or an LSTM that reads the embedding in four pieces."""
    memory: Annotated[int, Field(ge=1, le=500), Knob(5, 50, advanced=True, label="Attention window")] = 20
    """Number of most recent steps that attention covers; the recurrent state covers the whole history."""
    neighbors: Annotated[int, Field(ge=1, le=100), Knob(3, 30, advanced=True, label="Graph neighbors")] = 10
    """Number of neighbors of each item in the item graph."""
    embedding_dim: EmbeddingDim = 64
    dropout: Dropout = 0.4
    epochs: Epochs = 50
    patience: Patience = 5
    batch_size: BatchSize = 32
    learning_rate: LearningRate = 3e-3


ATTENTION = r"A_{iv} = \tanh\left(\theta^\top (W s_i \odot h_v)\right), \quad "
BOTH_SUMS = r"z = s_T + U \sum_i a_i s_i + Y \sum_v b_v e_v, \quad "
ONLY_POINTS = r"z = s_T + \tfrac{1}{V} Y \sum_v A_{Tv} e_v, \quad "


class InterestAttention(SequenceModel[InterestAttentionConfig]):
    """Generates points of interest, moves them by attention, and combines history and points into one final interest.

    `interest_trace` documents names and shapes of the details of a trace.
    """

    info: ClassVar[ModelInfo] = network_info(
        key="interest_attention",
        title="Interest attention",
        family="attention",
        idea="Generates candidate points of interest, moves them along an item graph where attention increases, and "
        "scores items against the history and these points.",
        formula=ATTENTION + BOTH_SUMS + r"\hat{s}_j = z^\top e_j",
        source=f"{SOURCE_DOCUMENT}, section 3.2",
        abilities=frozenset({Ability.TRACES_ATTENTION, Ability.UPDATES_INCREMENTALLY}),
    )
    config_type = InterestAttentionConfig
    net: "InterestNet"
    fitted = ("popular_items", "graph_neighbours", "graph_chances", "walk_seed")
    popular_items: IntArray
    graph_neighbours: IntArray
    graph_chances: FloatArray
    walk_seed: IntArray
    _training_graphs: "tuple[Tensor, Tensor] | None" = None
    """Neighbors and probabilities (F (I + 1), N) of `graphs_without`, each with a row for padding; set in training."""

    def _prepare(self, histories: Ragged, ctx: RunContext) -> None:
        """Compute the popular items, the graphs, and the seed of walks at inference."""
        config = self.config
        self.popular_items = most_popular(histories, self.n_items, config.points)
        self.graph_neighbours, self.graph_chances = item_graph(histories, self.n_items, config.neighbors)
        self._training_graphs = self._cross_fitted(histories) if self._uses_graph() else None
        self.walk_seed = np.array(ctx.rng(self.info.key, "walk").integers(2**31))

    def plan(self) -> TrainingPlan:
        """Return the training parameters of every sequence model, adapted to attention unless both updates are off."""
        plan = super().plan()
        return replace(plan, slower=SLOWER, smoothing=SMOOTHING) if self._attends() else plan

    def _uses_graph(self) -> bool:
        """Return whether points start from or move on the graph."""
        config = self.config
        return self._attends() and (config.local_update != "none" or config.generator in ("mixed", "similar"))

    def _attends(self) -> bool:
        """Return whether it differs from the plain model."""
        return self.config.global_update or self.config.local_update != "none"

    def _cross_fitted(self, histories: Ragged) -> "tuple[Tensor, Tensor]":
        import torch

        from recsys_core.models.nets.interest import with_padding
        from recsys_core.training.devices import training_device

        graphs = [
            with_padding(torch.from_numpy(graph.neighbours), torch.from_numpy(graph.chances))
            for graph in graphs_without(histories, self.n_items, self.config.neighbors)
        ]
        device = training_device(self.config.device)
        neighbours, chances = (torch.cat(parts).to(device) for parts in zip(*graphs, strict=True))
        return neighbours, chances

    def _train(self, *arguments: Any, **how: Any) -> None:
        """Train as every sequence model, and release the graphs of training."""
        try:
            super()._train(*arguments, **how)
        finally:
            self._training_graphs = None

    def _graph_of(self, rows: "Tensor") -> "TrainingGraph | None":
        """Return, for the histories in rows (B,), the graphs that were built without them."""
        import torch

        from recsys_core.models.nets.interest import TrainingGraph

        if self._training_graphs is None:
            return None
        first = torch.from_numpy(fold_of(rows.cpu().numpy())).to(rows.device) * (self.n_items + 1)
        return TrainingGraph(*self._training_graphs, first)

    def _make_room(self, before: Dataset, new: Dataset, ctx: RunContext) -> None:
        """Rebuild popular items and graph from both data sets; walks keep their seed."""
        seed = self.walk_seed
        self._prepare(concatenated(before, new).histories(), ctx)
        self.walk_seed = seed

    @classmethod
    def formula_of(cls, config: InterestAttentionConfig, *, rated: bool, weighted: bool) -> str:
        """Return the formula of the score: both sums, the points alone, or the plain network without updates."""
        if config.global_update:
            return cls.info.formula
        if config.local_update != "none":
            return ATTENTION + ONLY_POINTS + r"\hat{s}_j = z^\top e_j"
        return r"\hat{s}_j = s_T^\top e_j"

    def _network(self) -> "InterestNet":
        import torch

        from recsys_core.models.nets.interest import InterestNet, InterestParts, InterestShape

        config = self.config
        same = {"embedding_dim", "dropout", "generator", "points", "point_state", "memory", "local_steps"}
        updates: dict[str, Any] = {"local": config.local_update, "whole": config.global_update}
        shape = InterestShape(**config.model_dump(include=same), **updates)
        parts = InterestParts(
            torch.from_numpy(self.popular_items.copy()),
            torch.from_numpy(self.graph_neighbours.copy()),
            torch.from_numpy(self.graph_chances.copy()),
        )
        return InterestNet(self.n_items, shape, parts, int(self.walk_seed))

    def _training_loss(self, batch: "Batch", loss: "Loss", generator: "torch.Generator") -> "Tensor":
        """Return the loss of the next items plus that of a policy."""
        from recsys_core.models.nets.interest import every_place, ungrouped

        net = self.net
        if not net.attends:
            return super()._training_loss(batch, loss, generator)
        states, places = net.states(batch.tokens), every_place(batch.tokens)
        look = net.look(batch.tokens, states, places, generator, self._graph_of(batch.rows))
        hidden, target = ungrouped(look.hidden, batch.tokens)[batch.mask], batch.targets[batch.mask]
        value = loss(hidden, self._item_vectors(), target, generator, batch.target_weights)
        if net.policy is not None:
            value = value + net.policy_loss(look, batch.tokens, batch.mask, target, batch.target_weights)
        return value

    def _final(self, batch: "Batch") -> "Tensor":
        """Return (B, D) the interest after the last item of each history."""
        if not self.net.attends:
            return super()._final(batch)
        last = (batch.lengths - 1).view(-1, 1, 1)
        return self.net.look(batch.tokens, self.net.states(batch.tokens), last).hidden[:, 0, 0]

    def trace(self, query: QueryBatch) -> AttentionTrace:
        """Return the stages from points of interest to the final interest of the single user in `query`.

        `weights` is (1, 1, T, T); `details` are those of `interest_trace`.

        Raises:
            CannotScore: The history is empty, or both updates are off, so there is no attention.
        """
        from recsys_core.models.interest_trace import stages

        self._require_history(query, "attention to show")
        if not self.net.attends:
            raise CannotScore(_("Local and global update are both off, so this model has no attention; switch one on."))
        tokens = self._batch_of(query).tokens
        weights, interests, details = stages(self.net, tokens)
        best = top_k((interests @ self._item_vectors().detach().T).cpu().numpy(), SHOWN)
        return AttentionTrace(
            tokens=tokens[0].cpu().numpy(),
            weights=weights[None, None],
            causal=True,
            next_items=best.item,
            next_scores=best.score,
            details=details,
        )

    @classmethod
    def memory_estimate(cls, config: InterestAttentionConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the plain model, of the graphs, and of the attention of one batch with its gradients."""
        plain = super().memory_estimate(config, n_users, n_items, n_interactions)
        places = config.batch_size * min(config.max_length, 1 + n_interactions // max(1, n_users))
        points = config.points * (3 if config.generator == "mixed" else 1)
        each = points * (3 * config.embedding_dim + 4 * (config.memory + 15)) + 6 * config.embedding_dim * (
            1 + config.memory // 16
        )
        return plain + 4 * places * each + 12 * (2 + FOLDS) * n_items * config.neighbors + 48 * n_interactions

    @classmethod
    def work_estimate(cls, config: InterestAttentionConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of the plain model and of the attention, once for each local step and twice more."""
        plain = super().work_estimate(config, n_users, n_items, n_interactions)
        places = min(n_interactions, n_users * config.max_length)
        points = config.points * (3 if config.generator == "mixed" else 1)
        looks = config.local_steps + 4.0
        return plain + 0.1 * looks * places * config.epochs * points * config.memory * config.embedding_dim
