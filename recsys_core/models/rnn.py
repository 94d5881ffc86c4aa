"""A recurrent network over the history (GRU4Rec): plain, with gates (GRU), or with gates and a cell (LSTM).

    h_t = cell(v_(i_t), h_(t-1)),     score of item i = v_i . (A h_T + a)

v_i is the embedding of item i, for both input and output; h_t the hidden state after t items. See `nets.rnn` for the
three cells.

Source: Hidasi et al. 2016, "Session-based Recommendations with Recurrent Neural Networks", section 3.1, with the whole
history instead of a session, and cross-entropy over all items at every position instead of TOP1 and BPR (Hidasi and
Karatzoglou 2018, "Recurrent Neural Networks with Top-k Gains", section 3.1, find it better with more negatives). Their
losses BPR-max and TOP1-max are settings, see `training.ranking_max`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from recsys_core.contracts import Ability, Knob, ModelInfo
from recsys_core.models.network_model import network_info
from recsys_core.models.sequential import (
    SHARED_NEGATIVES,
    BatchSize,
    Dropout,
    EmbeddingDim,
    LearningRate,
    SequenceConfig,
    SequenceModel,
)
from recsys_core.training.plan import RnnLossName

if TYPE_CHECKING:
    from recsys_core.models.nets.rnn import RecurrentNet
    from recsys_core.training.losses import Loss
    from recsys_core.training.sequences import Sequences


class RnnConfig(SequenceConfig):
    """Settings of the recurrent network.

    With these defaults the best validation log-rank on ML-100K (leave-last-out, mean of seeds 1, 2, 3, 4, 42) is 0.503,
    and test NDCG@10 lies between 0.1081 and 0.1134. With dropout 0.3, batch size 16 and learning rate 0.002 they were
    0.498, and 0.0982 to 0.1092. An embedding dimension of 64 was better than 128 after the same time. Dropout, of the
    inputs and of each layer's output, is that of `interest_attention`, which has the same plain network; neither it nor
    the learning rate was tuned further.
    """

    added: ClassVar[Mapping[str, Any]] = {"popularity_exponent": 0.75, "score_regularization": 1.0}
    embedding_dim: EmbeddingDim = 64
    dropout: Dropout = 0.4
    batch_size: BatchSize = 32
    learning_rate: LearningRate = 3e-3
    cell: Annotated[Literal["gru", "lstm", "rnn"], Knob(synonyms=(("plain", "rnn"), ("elman", "rnn")))] = "gru"
    """Recurrent cell: GRU and LSTM are gated, RNN (also called plain or Elman) has no gates."""
    n_layers: Annotated[int, Field(ge=1, le=8), Knob(1, 3, label="Layers")] = 1
    """Number of stacked recurrent layers (in the paper, more than one did not help)."""
    loss: Annotated[RnnLossName, Knob()] = "softmax"  # type: ignore[assignment]  # more losses than the base class has
    """Training loss: cross-entropy over all items (softmax), a loss with sampled negatives, or one of GRU4Rec, which
    compare the target with the highest-scored of negatives that all positions of a batch share (BPR-max, TOP1-max)."""
    popularity_exponent: Annotated[
        float, Field(ge=0, le=1), Knob(0.0, 1.0, symbol=r"\alpha", advanced=True, label="Popularity exponent")
    ] = 0.75
    """Negatives of BPR-max and TOP1-max are sampled in proportion to popularity to this power: 0 is uniform. GRU4Rec
    uses values from 0 to 1, depending on the data."""
    score_regularization: Annotated[
        float, Field(ge=0, le=100), Knob(0.0, 2.0, symbol=r"\lambda", advanced=True, label="Score regularization")
    ] = 1.0
    """Weight of the squared scores of the negatives in BPR-max; the code of GRU4Rec uses 1."""


SCORE = r"\quad s_i = v_i^\top (A h_T + a)"
CELLS = {
    "gru": r"h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}, \quad r_t, z_t = \sigma(W v_{i_t} + U h_{t-1} + b), \quad"
    r" n_t = \tanh\left(W_n v_{i_t} + b_n + r_t \odot (U_n h_{t-1} + c_n)\right), ",
    "lstm": r"h_t = o_t \odot \tanh c_t, \quad c_t = f_t \odot c_{t-1} + j_t \odot g_t, \quad"
    r" j_t, f_t, o_t = \sigma(W v_{i_t} + U h_{t-1} + b), \quad g_t = \tanh(W_g v_{i_t} + U_g h_{t-1} + b_g), ",
    "rnn": r"h_t = \tanh(W v_{i_t} + U h_{t-1} + b), ",
}
"""Formula of each cell, as in `nets.rnn`; j is the input gate, since i is an item."""


class Rnn(SequenceModel[RnnConfig]):
    """A recurrent network over the history; its last hidden state predicts the next item."""

    info: ClassVar[ModelInfo] = network_info(
        key="rnn",
        title="GRU / LSTM / RNN",
        family="sequential",
        idea="A recurrent network reads the history in order and predicts the next item from its hidden state.",
        formula=CELLS["gru"] + SCORE,
        source="Hidasi et al. 2016, section 3.1",
        abilities=frozenset({Ability.UPDATES_INCREMENTALLY}),
        views=("memory",),
    )
    config_type = RnnConfig

    def _network(self) -> "RecurrentNet":
        from recsys_core.models.nets.rnn import RecurrentNet

        config = self.config
        return RecurrentNet(
            self.n_items, config.embedding_dim, cell=config.cell, n_layers=config.n_layers, dropout=config.dropout
        )

    def _loss(self, sequences: "Sequences") -> "Loss":
        config = self.config
        if config.loss not in SHARED_NEGATIVES:
            return super()._loss(sequences)
        from recsys_core.training.ranking_max import ranking_max_loss, sampling_shares

        return ranking_max_loss(
            config.loss,
            negatives=config.negatives,
            regularization=config.score_regularization,
            shares=sampling_shares(sequences.target_counts(), config.popularity_exponent),
        )

    @classmethod
    def formula_of(cls, config: RnnConfig, *, rated: bool, weighted: bool) -> str:
        """Return the formula of the cell, for one layer."""
        return CELLS[config.cell] + SCORE

    @classmethod
    def activations(cls, config: RnnConfig) -> int:
        """Return the number of values that one step of each layer keeps."""
        return 60 * config.n_layers * config.embedding_dim

    @classmethod
    def reading_work(cls, config: RnnConfig) -> float:
        """Return the steps of reading one position: one step of each layer."""
        return config.n_layers * config.embedding_dim * (120.0 + 0.3 * config.embedding_dim)
