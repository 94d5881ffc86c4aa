"""Interest attention: points of interest that move to where the attention of a history is larger.

The network reads the history as the plain model does (`rnn` with a GRU), chooses items that could be of interest, lets
them move on a graph of items, and adds what the attention between history and points finds to what it has read. With
both updates off it is the plain model, exactly. See `nets.interest` for the four stages in formulas, `interest_graph`
for the graph, and `interest_trace` for what a trace shows.

The learned policy is trained by REINFORCE beside the loss of the next item: the reward of a place is how far up the
next item stands, 1 - log(rank) / log(I); the baseline is the reward that the points would have brought where they were.

Source: section 3.2 of the source document. Departures: the document's tanh(theta^T (s_t)^T h_v) is read as theta .
(W s_t * h_v), a number for each step and point; its global update, 'the weighted sum of the attention of all points',
as two sums, one over the steps of the history and one over the points, with softmax of the mean attention as weights,
added to the state of the plain model; attention looks at the latest steps only (`memory`).
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

import numpy as np
from pydantic import Field

from recsys_core.contracts import (
    Ability,
    AttentionTrace,
    FloatArray,
    IntArray,
    Knob,
    ModelInfo,
    QueryBatch,
    Ragged,
    RunContext,
)
from recsys_core.data import Dataset
from recsys_core.errors import CannotScore
from recsys_core.models.interest_graph import FOLDS, fold_of, graphs_without, item_graph, most_popular
from recsys_core.models.network_model import WEIGHTS_OF_TARGETS, together
from recsys_core.models.sequential import SequenceConfig, SequenceModel
from recsys_core.models.topk import top_k

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from recsys_core.models.nets.interest import InterestNet, TrainingGraph
    from recsys_core.training.losses import Loss
    from recsys_core.training.sequences import Batch

SHOWN = 5
"""So many of the best next items are kept in a trace for each place."""


class InterestAttentionConfig(SequenceConfig):
    """Settings of interest attention.

    The source document gives no numbers. The defaults train on ML-100K in a few minutes, and none was searched.
    """

    generator: Annotated[Literal["mixed", "popular", "similar", "history"], Knob()] = "mixed"
    """Where points of interest come from: popular items, items like the last ones, the person's own history, or all."""
    points: Annotated[int, Field(ge=1, le=50), Knob(1, 6)] = 4
    """Points of interest of each kind."""
    local_update: Annotated[Literal["walk", "reinforce", "none"], Knob()] = "walk"
    """How points move: a random walk to where attention is not less, a policy learned by reward, or not at all."""
    local_steps: Annotated[int, Field(ge=1, le=10), Knob(1, 4)] = 2
    """So many times each point may move."""
    global_update: Annotated[bool, Knob()] = True
    """Whether all steps that attention sees and all points are summed by weight; else the last step alone looks."""
    point_state: Annotated[Literal["mlp", "lstm"], Knob(symbol="h_v")] = "mlp"
    """What turns the vector of a point into its state: two layers, or an LSTM that reads the vector in four pieces."""
    memory: Annotated[int, Field(ge=1, le=500), Knob(5, 50, advanced=True)] = 20
    """So many of the latest steps the attention sees; the recurrent state sees the whole window."""
    neighbors: Annotated[int, Field(ge=1, le=100), Knob(3, 30, advanced=True)] = 10
    """Neighbours of each item on the graph that points move on."""
    width: Annotated[int, Field(ge=4, le=1024), Knob(16, 256, scale="log", symbol="D")] = 64
    """Numbers in the vector of an item, and in the state of the network."""
    dropout: Annotated[float, Field(ge=0, lt=1), Knob(0.0, 0.5)] = 0.4
    """Share of the numbers that are left out at random in training."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(10, 200, scale="log")] = 50
    """Most passes through all histories."""
    patience: Annotated[int, Field(ge=0, le=100), Knob(2, 20, advanced=True)] = 5
    """Early stopping: training ends when the smoothed log-rank score on the validation users has not increased for this
    many epochs, and keeps the weights of the best epoch, averaged in the same way. Without a validation part, the last
    item of up to 1,000 users is held back for it. 0 trains to the last epoch."""
    batch_size: Annotated[int, Field(ge=1, le=4096), Knob(16, 256, scale="log", advanced=True)] = 32
    """Histories in one step of training."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(3e-4, 5e-3, scale="log")] = 3e-3
    """Length of each step against the gradient (Adam)."""


class InterestAttention(SequenceModel[InterestAttentionConfig]):
    """Finds points of interest, moves them by attention, and sums history and points into one final interest.

    What the details of a trace hold, with names and shapes, is told by `interest_trace`.
    """

    info: ClassVar[ModelInfo] = ModelInfo(
        key="interest_attention",
        title="Interest attention",
        family="attention",
        idea="Generates candidate points of interest, moves them along an item graph where attention increases, and "
        "scores items against the history and these points.",
        formula=r"A_{iv} = \tanh\left(\theta^\top (W s_i \odot h_v)\right), \quad "
        r"z = s_T + U \sum_i a_i s_i + Y \sum_v b_v e_v, \quad \hat{s}_j = z^\top e_j",
        source="Source document, section 3.2",
        abilities=frozenset({Ability.TRACES_ATTENTION, Ability.UPDATES_INCREMENTALLY}),
        stochastic=True,
        runtime="torch",
        weights=WEIGHTS_OF_TARGETS,
        weighs_histories=False,
        same_on_any_cores=False,
    )
    config_type = InterestAttentionConfig
    fitted = ("popular_items", "graph_neighbours", "graph_chances", "walk_seed")
    popular_items: IntArray
    graph_neighbours: IntArray
    graph_chances: FloatArray
    walk_seed: IntArray
    _training_graphs: "tuple[Tensor, Tensor] | None" = None
    """Neighbors and chances (F (I + 1), N) of `graphs_without`, with a row for padding each; kept while training."""

    def _prepare(self, histories: Ragged, ctx: RunContext) -> None:
        """Make the popular items, the graphs, and the seed of walks outside training."""
        config = self.config
        self.popular_items = most_popular(histories, self.n_items, config.points)
        self.graph_neighbours, self.graph_chances = item_graph(histories, self.n_items, config.neighbors)
        self._training_graphs = self._cross_fitted(histories) if self._uses_graph() else None
        self.walk_seed = np.array(ctx.rng(self.info.key, "walk").integers(2**31))

    def _uses_graph(self) -> bool:
        """Return whether points start or move on the graph at all."""
        config = self.config
        attends = config.global_update or config.local_update != "none"
        return attends and (config.local_update != "none" or config.generator in ("mixed", "similar"))

    def _cross_fitted(self, histories: Ragged) -> "tuple[Tensor, Tensor]":
        import torch

        from recsys_core.models.nets.interest import with_padding

        graphs = [
            with_padding(torch.from_numpy(graph.neighbours), torch.from_numpy(graph.chances))
            for graph in graphs_without(histories, self.n_items, self.config.neighbors)
        ]
        return torch.cat([neighbours for neighbours, _ in graphs]), torch.cat([chances for _, chances in graphs])

    def _train(self, *arguments: Any, **how: Any) -> None:
        """Train as every sequence model, and let go of the graphs of training."""
        try:
            super()._train(*arguments, **how)
        finally:
            self._training_graphs = None

    def _graph_of(self, rows: "Tensor") -> "TrainingGraph | None":
        """Return the graphs that the histories with these numbers (B,) had no part in."""
        import torch

        from recsys_core.models.nets.interest import TrainingGraph

        if self._training_graphs is None:
            return None
        first = torch.from_numpy(fold_of(rows.numpy())) * (self.n_items + 1)
        return TrainingGraph(*self._training_graphs, first)

    def _make_room(self, before: Dataset, new: Dataset, ctx: RunContext) -> None:
        """Make popular items and graph again from both data sets; walks keep their seed."""
        seed = self.walk_seed
        self._prepare(together(before, new).histories(), ctx)
        self.walk_seed = seed

    def _network(self) -> "InterestNet":
        import torch

        from recsys_core.models.nets.interest import InterestNet, InterestParts, InterestShape

        config = self.config
        shape = InterestShape(
            width=config.width,
            dropout=config.dropout,
            generator=config.generator,
            points=config.points,
            point_state=config.point_state,
            memory=config.memory,
            local=config.local_update,
            local_steps=config.local_steps,
            whole=config.global_update,
        )
        parts = InterestParts(
            torch.from_numpy(self.popular_items.copy()),
            torch.from_numpy(self.graph_neighbours.copy()),
            torch.from_numpy(self.graph_chances.copy()),
        )
        return InterestNet(self.n_items, shape, parts, int(self.walk_seed))

    def _training_loss(self, net: "nn.Module", batch: "Batch", loss: "Loss", generator: "torch.Generator") -> "Tensor":
        """Return the loss of the next items, and of a policy."""
        from recsys_core.models.nets.interest import every_place, ungrouped

        interest = cast("InterestNet", net)
        if not interest.attends:
            return super()._training_loss(net, batch, loss, generator)
        states, places = interest.states(batch.tokens), every_place(batch.tokens)
        look = interest.look(batch.tokens, states, places, generator, self._graph_of(batch.rows))
        hidden, target = ungrouped(look.hidden, batch.tokens)[batch.mask], batch.targets[batch.mask]
        value = loss(hidden, self._item_vectors(net), target, generator, batch.target_weights)
        if interest.policy is not None:
            value = value + interest.policy_loss(look, batch.tokens, batch.mask, target, batch.target_weights)
        return value

    def _final(self, net: "nn.Module", batch: "Batch") -> "Tensor":
        """Return (B, D) the interest after the last item of each history."""
        interest = cast("InterestNet", net)
        if not interest.attends:
            return super()._final(net, batch)
        last = (batch.lengths - 1).view(-1, 1, 1)
        return interest.look(batch.tokens, interest.states(batch.tokens), last).hidden[:, 0, 0]

    def trace(self, query: QueryBatch) -> AttentionTrace:
        """Return the stages from points of interest to the final interest of the one person in `query`.

        `weights` is (1, 1, T, T); `details` are those of `interest_trace`.

        Raises:
            CannotScore: There is no history, or both updates are off, so there is no attention.
        """
        from recsys_core.models.interest_trace import stages
        from recsys_core.training.sequences import asked

        self.require_fitted()
        self._require_known(query)
        if not len(query.history[0]):
            raise CannotScore("There is no history, so there is nothing to look at; choose somebody who did something.")
        net = cast("InterestNet", self.net)
        if not net.attends:
            raise CannotScore("Local and global update are both off, so this model has no attention; switch one on.")
        batch = asked(query, self.n_items, self.config.window, np.array([0]))
        weights, interests, details = stages(net, batch.tokens)
        best = top_k((interests @ self._item_vectors(net).detach().T).numpy(), SHOWN)
        return AttentionTrace(
            tokens=batch.tokens[0].numpy(),
            weights=weights[None, None],
            causal=True,
            next_items=best.item,
            next_scores=best.score,
            details=details,
        )

    @classmethod
    def memory_estimate(cls, config: InterestAttentionConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the plain model, of the graph, and of the attention of one batch with its gradients."""
        plain = super().memory_estimate(config, n_users, n_items, n_interactions)
        places = config.batch_size * min(config.window, 1 + n_interactions // max(1, n_users))
        points = config.points * (3 if config.generator == "mixed" else 1)
        each = points * (3 * config.width + 4 * (config.memory + 15)) + 6 * config.width * (1 + config.memory // 16)
        return plain + 4 * places * each + 12 * (2 + FOLDS) * n_items * config.neighbors + 48 * n_interactions

    @classmethod
    def work_estimate(cls, config: InterestAttentionConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of the plain model and of the attention, once for each local step and twice more."""
        plain = super().work_estimate(config, n_users, n_items, n_interactions)
        places = min(n_interactions, n_users * config.window)
        points = config.points * (3 if config.generator == "mixed" else 1)
        looks = config.local_steps + 4.0
        return plain + 0.1 * looks * places * config.epochs * points * config.memory * config.width
