"""SASRec: causal self-attention over the history, the reference model of sequential recommendation.

Item j at position t is embedded as sqrt(D) v_j + p_t. Each of L blocks applies causal self-attention with H heads and a
position-wise feed-forward network:

    a = x + Attention(norm(x))        x' = a + W_2 gelu(W_1 norm(a))

The score of item i after position t is norm(x_t) . v_i. Training minimizes cross-entropy over all items at every
position.

Source: Kang and McAuley 2018, "Self-Attentive Sequential Recommendation", section III, with pre-normalization and the
loss over all items of Klenitskiy and Vasilev 2023, "Turning Dross Into Gold Loss", whose sizes are the defaults (D 128,
2 blocks, dropout 0.2, patience 10). The learning rate is 0.002 instead of their 0.001, because of the weight averaging:
ML-1M then needs 27 epochs for HR@10 0.3195 and NDCG@10 0.1843 (`benchmarks.deep_sasrec`, seed 42).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, ClassVar, cast

from pydantic import Field, model_validator

from recsys_core.contracts import Ability, AttentionTrace, Knob, ModelInfo, QueryBatch
from recsys_core.errors import ConfigError
from recsys_core.models.network_model import network_info
from recsys_core.models.sequential import COPIES, NUMBER, LearningRate, SequenceConfig, SequenceModel
from recsys_core.models.topk import top_k

if TYPE_CHECKING:
    from recsys_core.models.nets.attention import CausalSelfAttention
    from recsys_core.models.nets.sasrec import SasRecNet

SHOWN = 5
"""Number of top next items that a trace keeps per position."""


class SasRecConfig(SequenceConfig):
    """Settings of SASRec."""

    n_layers: Annotated[int, Field(ge=1, le=12), Knob(1, 4, symbol="L", label="Layers")] = 2
    """Number of self-attention blocks; the value in the paper is 2."""
    n_heads: Annotated[int, Field(ge=1, le=16), Knob(1, 4, symbol="H", label="Attention heads")] = 2
    """Number of attention heads per block; must divide the embedding dimension."""
    learning_rate: LearningRate = 2e-3

    @model_validator(mode="after")
    def _heads_divide_the_dimension(self) -> "SasRecConfig":
        if self.embedding_dim % self.n_heads:
            raise ValueError(
                f"embedding_dim {self.embedding_dim} is not divisible by {self.n_heads} heads; choose another n_heads"
            )
        return self


class SasRec(SequenceModel[SasRecConfig]):
    """Causal self-attention over the history; the last position predicts the next item."""

    info: ClassVar[ModelInfo] = network_info(
        key="sasrec",
        title="SASRec",
        family="sequential",
        idea="Causal self-attention over the user's history predicts the next item.",
        formula=r"s_i = x_T^\top v_i, \quad x_t \leftarrow x_t + \sum_{j \le t} \mathrm{softmax}_j"
        r"\left(\tfrac{q_t^\top k_j}{\sqrt{D/H}}\right) W v_j",
        source="Kang and McAuley 2018, section III",
        abilities=frozenset({Ability.TRACES_ATTENTION, Ability.UPDATES_INCREMENTALLY}),
    )
    config_type = SasRecConfig
    net: "SasRecNet"
    weight_averaging = 0.998

    def _network(self) -> "SasRecNet":
        from recsys_core.models.nets.sasrec import SasRecNet

        config = self.config
        return SasRecNet(
            self.n_items, config.embedding_dim, config.n_layers, config.n_heads, config.max_length, config.dropout
        )

    def trace(self, query: QueryBatch) -> AttentionTrace:
        """Return the attention of each position of the history of the single user in `query`.

        Raises:
            CannotScore: The history is empty.
        """
        import torch

        self._require_history(query, "attention to show")
        tokens = self._batch_of(query).tokens
        with torch.inference_mode():
            hidden, weights = self.net.explicit(tokens)
            scores = (hidden[0] @ self._item_vectors().T).cpu().numpy()
        best = top_k(scores, SHOWN)
        return AttentionTrace(
            tokens=tokens[0].cpu().numpy(),
            weights=weights[:, 0].cpu().numpy(),
            causal=True,
            next_items=best.item,
            next_scores=best.score,
        )

    @contextmanager
    def ablated(self, layer: int, head: int) -> Iterator[None]:
        """Zero the output of one head within a `with` block.

        Raises:
            ConfigError: There is no such head.
        """
        self.require_fitted()
        if not (0 <= layer < self.config.n_layers and 0 <= head < self.config.n_heads):
            raise ConfigError(f"There is no head {head} in layer {layer}: the model has {self.config.n_layers} layers "
                              f"of {self.config.n_heads} heads.")  # fmt: skip
        attention = cast("CausalSelfAttention", self.net.blocks[layer].attention)
        attention.off = head
        try:
            yield
        finally:
            attention.off = None

    @classmethod
    def memory_estimate(cls, config: SasRecConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of any sequence model, and of the weights of blocks and positions."""
        weights = (12 * config.n_layers * config.embedding_dim + config.max_length) * config.embedding_dim
        return super().memory_estimate(config, n_users, n_items, n_interactions) + NUMBER * COPIES * weights

    @classmethod
    def activations(cls, config: SasRecConfig) -> int:
        """Return the number of values that the blocks keep per position."""
        return config.embedding_dim * (8 + 18 * config.n_layers)

    @classmethod
    def reading_work(cls, config: SasRecConfig) -> float:
        """Return the steps of reading one position: 12 D x D products per block, and attention."""
        return 0.6 * config.n_layers * config.embedding_dim * (config.embedding_dim + 0.1 * config.max_length)
