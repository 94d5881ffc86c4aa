"""SASRec: self-attention over the history, the reference model of sequential recommendation, and its variants.

Item j at position t is embedded as sqrt(D) v_j + p_t. Each of L blocks applies causal self-attention with H heads and a
position-wise feed-forward network:

    a = x + Attention(norm(x))        x' = a + W_2 gelu(W_1 norm(a))

The score of item i after position t is norm(x_t) . v_i. Training minimizes cross-entropy over all items at every
position.

Two settings change the architecture, and nothing else: embeddings, loss, sampling, optimizer and early stopping are the
same, so that a comparison of architectures is not one of training recipes. `block` replaces the blocks by those of LiGR
(gated residual connections) or HSTU (pointwise attention), see `nets.sasrec` and `nets.hstu`. `mask` replaces the
causal mask by the cloze task of BERT4Rec: in training, random items are replaced by a mask token and predicted from
the items before and after them (`training.cloze`); a score is that of the mask token appended to the history. The
sources of the variants are named there.

Source: Kang and McAuley 2018, "Self-Attentive Sequential Recommendation", section III, with pre-normalization and the
loss over all items of Klenitskiy and Vasilev 2023, "Turning Dross Into Gold Loss", whose sizes are the defaults (D 128,
2 blocks, dropout 0.2, patience 10). The learning rate is 0.002 instead of their 0.001, because of the weight averaging:
ML-1M then needs 27 epochs for HR@10 0.3195 and NDCG@10 0.1843 (`benchmarks.deep_sasrec`, seed 42). Where there are few
interactions per item, as in ML-100K, the embeddings start from singular vectors (`models.item_start`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from recsys_core.contracts import Ability, AttentionTrace, Knob, ModelInfo, QueryBatch
from recsys_core.errors import ConfigError
from recsys_core.models.network_model import network_info
from recsys_core.models.sequential import COPIES, NUMBER, ItemStart, LearningRate, SequenceConfig, SequenceModel
from recsys_core.models.topk import top_k
from recsys_core.text import _

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from recsys_core.models.nets.sasrec import SasRecNet
    from recsys_core.training.losses import Loss
    from recsys_core.training.sequences import Batch

SHOWN = 5
"""Number of top next items that a trace keeps per position."""
TRACED_TOKENS = 8192
"""Maximum number of tokens of the prefixes that a cloze trace reads at a time."""


class SasRecConfig(SequenceConfig):
    """Settings of SASRec."""

    added: ClassVar[Mapping[str, Any]] = {"block": "sasrec", "mask": "causal", "mask_share": 0.2}

    n_layers: Annotated[int, Field(ge=1, le=12), Knob(1, 4, symbol="L", label="Layers")] = 2
    """Number of self-attention blocks; the value in the paper is 2."""
    n_heads: Annotated[int, Field(ge=1, le=16), Knob(1, 4, symbol="H", label="Attention heads")] = 2
    """Number of attention heads per block; must divide the embedding dimension."""
    learning_rate: LearningRate = 2e-3
    item_start: ItemStart = None
    block: Annotated[Literal["sasrec", "ligr", "hstu"], Knob()] = "sasrec"
    """Kind of the blocks: softmax attention and feed-forward layers (SASRec), the same with a learned gate on each
    residual connection (LiGR), or pointwise SiLU attention with a relative position bias and a gate (HSTU)."""
    mask: Annotated[Literal["causal", "cloze"], Knob(label="Training task", synonyms=(("bert4rec", "cloze"),))] = (
        "causal"
    )
    """Training task: predict the next item at every position from the items before it (causal), or predict randomly
    masked items from those before and after them (cloze, BERT4Rec)."""
    mask_share: Annotated[float, Field(gt=0, lt=1), Knob(0.1, 0.6, advanced=True, label="Share of masked items")] = 0.2
    """Probability that an item is masked in the cloze task; BERT4Rec uses 0.2 on ML-1M."""

    @model_validator(mode="after")
    def _heads_divide_the_dimension(self) -> "SasRecConfig":
        if self.embedding_dim % self.n_heads:
            raise ValueError(
                _("embedding_dim {embedding_dim} is not divisible by {n_heads} heads; choose another n_heads").format(
                    embedding_dim=self.embedding_dim, n_heads=self.n_heads
                )
            )
        return self


PAIRS = {"causal": r"j \le t", "cloze": "j"}
"""Positions that attention sums over."""
ATTENTION = r"\sum_{{{pairs}}} \mathrm{{softmax}}_j\left(\tfrac{{q_t^\top k_j}}{{\sqrt{{D/H}}}}\right) W v_j"
BLOCKS = {
    "sasrec": r"x_t \leftarrow x_t + " + ATTENTION,
    "ligr": r"x_t \leftarrow x_t + \sigma(G x_t) \odot " + ATTENTION,
    "hstu": r"x_t \leftarrow x_t + W\left(\mathrm{{norm}}\left(\sum_{{{pairs}}} \tfrac{{1}}{{N}}"
    r"\,\mathrm{{SiLU}}(q_t^\top k_j + r_{{t-j}})\, v_j\right) \odot u_t\right)",
}
"""Formula of the attention in each kind of block, as in `nets.sasrec` and `nets.hstu`."""
SOURCES = {
    "sasrec": "",
    "ligr": "; block: Borisyuk et al. 2025",
    "hstu": "; block: Zhai et al. 2024, eq. 1 to 3",
    "causal": "",
    "cloze": "; mask: Sun et al. 2019",
}


def _formula(block: str, mask: str) -> str:
    last = "T" if mask == "causal" else r"\mathrm{[mask]}"
    return rf"s_i = x_{{{last}}}^\top v_i, \quad " + BLOCKS[block].format(pairs=PAIRS[mask])


class SasRec(SequenceModel[SasRecConfig]):
    """Self-attention over the history; the last position, or a mask token after it, predicts the next item."""

    info: ClassVar[ModelInfo] = network_info(
        key="sasrec",
        title="SASRec",
        family="sequential",
        idea="Causal self-attention over the user's history predicts the next item.",
        formula=_formula("sasrec", "causal"),
        source="Kang and McAuley 2018, section III",
        abilities=frozenset({Ability.TRACES_ATTENTION, Ability.UPDATES_INCREMENTALLY}),
    )
    config_type = SasRecConfig
    net: "SasRecNet"
    weight_averaging = 0.998

    def _network(self) -> "SasRecNet":
        from recsys_core.models.nets.sasrec import SasRecNet

        config = self.config
        sizes = (self.n_items, config.embedding_dim, config.n_layers, config.n_heads, config.max_length, config.dropout)
        return SasRecNet(*sizes, block=config.block, cloze=self._is_cloze())

    def _is_cloze(self) -> bool:
        return self.config.mask == "cloze"

    def _training_loss(self, batch: "Batch", loss: "Loss", generator: "torch.Generator") -> "Tensor":
        if self._is_cloze():
            from recsys_core.training.cloze import cloze_batch

            batch = cloze_batch(batch, self.n_items, self.config.mask_share, generator)
        return super()._training_loss(batch, loss, generator)

    def _final(self, batch: "Batch") -> "Tensor":
        if self._is_cloze():
            from recsys_core.training.cloze import with_mask_at_the_end

            batch = with_mask_at_the_end(batch, self.n_items)
        return super()._final(batch)

    def trace(self, query: QueryBatch) -> AttentionTrace:
        """Return the attention of each position of the history of the single user in `query`.

        In a cloze model the position is that of the mask token after the items 0..q, and nothing else: its attention
        and predictions are those of the history up to item q.

        Raises:
            CannotScore: The history is empty.
        """
        import torch

        self._require_history(query, "attention to show")
        tokens, of_mask = self._batch_of(query).tokens, None
        with torch.inference_mode():
            if self._is_cloze():
                hidden, weights, of_mask = self._prefixes(tokens[0])
            else:
                hidden, weights = (part.squeeze(place) for place, part in enumerate(self.net.explicit(tokens)))
            scores = (hidden @ self._item_vectors().T).cpu().numpy()
        best = top_k(scores, SHOWN)
        return AttentionTrace(
            tokens=tokens[0].cpu().numpy(),
            weights=weights.cpu().numpy(),
            causal=True,
            next_items=best.item,
            next_scores=best.score,
            softmax=self.config.block != "hstu",
            mask_weights=None if of_mask is None else of_mask.cpu().numpy(),
        )

    def _prefixes(self, tokens: "Tensor") -> "tuple[Tensor, Tensor, Tensor]":
        """Return what a cloze network computes for the mask token after each prefix of a history (T,).

        Returns:
            (T, D) its hidden state, (L, H, T, T) its attention to the items, and (L, H, T) to itself.
        """
        import torch

        count, after = len(tokens), torch.arange(len(tokens), device=tokens.device)
        item = torch.arange(count + 1, device=tokens.device) <= after.unsqueeze(1)  # (T, T + 1)
        read = torch.where(item, torch.nn.functional.pad(tokens, (0, 1)), self.n_items)
        read[after, after + 1] = self.n_items + 1
        hidden, weights, own = [], [], []
        size = max(1, TRACED_TOKENS // (count + 1))
        for start in range(0, count, size):
            rows = after[start : start + size]
            states, looks = self.net.explicit(read[rows])
            at = torch.arange(len(rows), device=tokens.device)
            hidden.append(states[at, rows + 1])
            looks = looks[:, at, :, rows + 1].permute(1, 2, 0, 3)  # indexing puts (b,) first: (b, L, H, T + 1)
            own.append(looks[:, :, at, rows + 1])
            weights.append(looks[..., :-1] * item[rows, :-1])
        return torch.cat(hidden), torch.cat(weights, dim=2), torch.cat(own, dim=2)

    @contextmanager
    def ablated(self, layer: int, head: int) -> Iterator[None]:
        """Zero the output of one head within a `with` block.

        Raises:
            ConfigError: There is no such head.
        """
        self.require_fitted()
        if not (0 <= layer < self.config.n_layers and 0 <= head < self.config.n_heads):
            raise ConfigError(
                _(
                    "There is no head {head} in layer {layer}: the model has {n_layers} layers of {n_heads} heads."
                ).format(head=head, layer=layer, n_layers=self.config.n_layers, n_heads=self.config.n_heads)
            )
        attention: Any = self.net.blocks[layer].attention
        attention.off = head
        try:
            yield
        finally:
            attention.off = None

    @classmethod
    def formula_of(cls, config: SasRecConfig, *, rated: bool, weighted: bool) -> str:
        """Return the formula of the score with the attention of one block."""
        return _formula(config.block, config.mask)

    @classmethod
    def source_of(cls, config: SasRecConfig) -> str:
        """Return the source, with those of the variant and of a loss other than the default."""
        return super().source_of(config) + SOURCES[config.block] + SOURCES[config.mask]

    @classmethod
    def memory_estimate(cls, config: SasRecConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of any sequence model, and of the weights of blocks and positions."""
        weights = (12 * config.n_layers * config.embedding_dim + config.max_length) * config.embedding_dim
        return super().memory_estimate(config, n_users, n_items, n_interactions) + NUMBER * COPIES * weights

    @classmethod
    def activations(cls, config: SasRecConfig) -> int:
        """Return the number of values that the blocks keep per position."""
        per_block = {
            "sasrec": 18 * config.embedding_dim,
            "ligr": 22 * config.embedding_dim,
            "hstu": 12 * config.embedding_dim + 4 * config.n_heads * config.max_length,  # attention is not fused
        }
        return 8 * config.embedding_dim + config.n_layers * per_block[config.block]

    @classmethod
    def reading_work(cls, config: SasRecConfig) -> float:
        """Return the steps of reading one position: 12 D x D products per block, and attention."""
        return 0.6 * config.n_layers * config.embedding_dim * (config.embedding_dim + 0.1 * config.max_length)
