r"""A recursive network: the history as a tree of items, sessions and the user, composed by one cell.

    leaf:     h_j = c_j = v_j, the embedding of the item
    session:  n_t = cell(n_(t-1), leaf_t)        items of one session, composed from left to right, n_0 = 0
    user:     p_s = cell(p_(s-1), n_s)           finished sessions, composed from left to right, p_0 = 0
    root:     r_t = cell(p_(s-1), n_t)           finished sessions and the current session so far
    score:    s_i = v_i . (A r_T + a)

The same cell, that of a binary tree LSTM, is used at all levels:

    i, f_l, f_r, o = sigma(U_l h_l + U_r h_r + b)     g = tanh(U_l h_l + U_r h_r + b)    (each its own part of U and b)
    c = i g + f_l c_l + f_r c_r                       h = o tanh(c)

A session ends after a gap in time, or when it is full; without timestamps, only when it is full. As r_t depends on
items up to position t alone, one pass predicts the next item at every position. The path from a leaf to the root is as
long as its session plus the number of later sessions, not as long as the history.

Source: the source document, section 3.1 ("recursive networks"); Socher et al. 2011, "Parsing Natural Scenes and Natural
Language with Recursive Neural Networks", section 4, for one cell at all nodes; Tai, Socher and Manning 2015, "Improved
Semantic Representations From Tree-Structured LSTMs", eq. 9 to 14 with N = 2, for the cell; the leaves here are the item
embeddings themselves. Sessions as inner nodes are our interpretation.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from recsys_core.contracts import SOURCE_DOCUMENT, Ability, BoolArray, FloatArray, IntArray, Knob, ModelInfo, QueryBatch
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.models.network_model import network_info
from recsys_core.models.sequential import Dropout, EmbeddingDim, SequenceConfig, SequenceModel

if TYPE_CHECKING:
    from torch import Tensor

    from recsys_core.models.nets.recursive import SessionTree
    from recsys_core.training.sequences import Batch

MINUTE = 60_000


@dataclass(frozen=True, eq=False)
class Tree:
    """The tree of one history: T items in S sessions.

    Args:
        items: (T,) positions, oldest first.
        starts: (T,) whether a session starts at the item.
        item_norms: (T,) norm of the embedding of each leaf.
        session_norms: (S,) norm of the state of each session after its last item.
        person_norm: Norm of the state of the root.
    """

    items: IntArray
    starts: BoolArray
    item_norms: FloatArray
    session_norms: FloatArray
    person_norm: float

    @property
    def session(self) -> IntArray:
        """(T,) index of the session of each item, from 0."""
        return np.cumsum(self.starts) - 1


class RecursiveConfig(SequenceConfig):
    """Settings of the recursive network.

    With these defaults the best validation log-rank on ML-100K (leave-last-out, mean of seeds 1, 2, 3, 4, 42) is 0.503,
    and test NDCG@10 lies between 0.1029 and 0.1088. With dropout 0.2 they were 0.499, and 0.0999 to 0.1067;
    0.4 is that of `rnn`. The embedding dimension is small since each step composes several nodes. The other defaults
    were not tuned.
    """

    embedding_dim: EmbeddingDim = 64
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(3e-4, 1e-2, scale="log")] = 3e-3
    """Step size of the Adam optimizer."""
    dropout: Dropout = 0.4
    session_gap: Annotated[
        float, Field(gt=0, le=1_000_000), Knob(5, 1440, scale="log", label="Session gap (minutes)")
    ] = 30.0
    """Minutes of inactivity after which a new session starts (30 is the convention in web analytics)."""
    session_items: Annotated[int, Field(ge=1, le=1000), Knob(4, 32, scale="log", label="Maximum session length")] = 16
    """Maximum number of items per session; without timestamps, every session has this length."""


class Recursive(SequenceModel[RecursiveConfig]):
    """Composes items into sessions and sessions into a user state; the root predicts the next item."""

    info: ClassVar[ModelInfo] = network_info(
        key="recursive",
        title="Recursive network (session tree)",
        family="sequential",
        idea="Composes items into sessions and sessions into a user state with one tree LSTM cell.",
        formula=r"s_i = v_i^\top (A r_T + a), \quad r_T = \mathrm{cell}(p_{s-1}, n_T), \quad"
        r" n_t = \mathrm{cell}(n_{t-1}, v_{i_t}), \quad p_s = \mathrm{cell}(p_{s-1}, n_s)",
        source=f"{SOURCE_DOCUMENT}, section 3.1; Socher et al. 2011; Tai, Socher and Manning 2015, eq. 9 to 14",
        abilities=frozenset({Ability.UPDATES_INCREMENTALLY}),
        views=("tree",),
    )
    config_type = RecursiveConfig
    net: "SessionTree"

    def _network(self) -> "SessionTree":
        from recsys_core.models.nets.recursive import SessionTree

        return SessionTree(self.n_items, self.config.embedding_dim, self.config.dropout)

    def _hidden(self, batch: "Batch") -> "Tensor":
        hidden: Tensor = self.net(batch.tokens, self._starts(batch), batch.lengths)
        return hidden

    def _starts(self, batch: "Batch") -> "Tensor":
        """Return (B, T) whether a session starts at each position."""
        from recsys_core.models.nets.recursive import session_starts

        return session_starts(
            batch.lengths,
            batch.times,
            batch.tokens.shape[1],
            gap=self.config.session_gap * MINUTE,
            most=self.config.session_items,
            no_time=NO_TIMESTAMP,
        )

    def tree(self, query: QueryBatch) -> Tree:
        """Return the tree of the history of the single user in `query`.

        Raises:
            CannotScore: The history is empty.
        """
        import torch

        self._require_history(query, "tree")
        batch = self._batch_of(query)
        starts = self._starts(batch)[0]
        with torch.inference_mode():
            leaves, sessions, people = self.net.levels(batch.tokens[0], starts, batch.lengths)
        is_last = torch.cat([starts[1:], starts.new_ones(1)])
        return Tree(
            items=batch.tokens[0].cpu().numpy(),
            starts=starts.cpu().numpy(),
            item_norms=leaves.state.norm(dim=1).cpu().numpy(),
            session_norms=sessions.state[is_last].norm(dim=1).cpu().numpy(),
            person_norm=float(people.state[-1].norm()),
        )
