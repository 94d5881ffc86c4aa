"""Caser-style CNN: horizontal and vertical convolutions over the most recent items.

    score of item i = v_i . (A [z_T; m_T] + a),     z_T = relu(W [o; v] + b)

o are the maximum responses of the horizontal filters over the last L items, v the outputs of the vertical filters, m_T
the mean embedding of the history. See `nets.cnn`.

Source: Tang and Wang 2018, "Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding", eq. 3
to 10, with the mean embedding instead of a user embedding (to score unknown users), tied instead of separate output
embeddings, and cross-entropy over all items instead of three negatives.
"""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from recsys_core.contracts import Ability, Knob, ModelInfo
from recsys_core.models.network_model import network_info
from recsys_core.models.sequential import BatchSize, Dropout, EmbeddingDim, LearningRate, SequenceConfig, SequenceModel

if TYPE_CHECKING:
    from recsys_core.models.nets.cnn import ConvolutionalNet


class CnnConfig(SequenceConfig):
    """Settings of the convolutional network.

    With these defaults the best validation log-rank on ML-100K (leave-last-out, mean of seeds 1, 2, 3, 4, 42) is 0.489,
    and test NDCG@10 lies between 0.0980 and 0.1019. With dropout 0.3, batch size 16 and learning rate 0.002 they were
    0.485, and 0.0931 to 0.1013. An embedding dimension of 64 was better than 128 after the same time; the paper has 50,
    and the same dropout of the filter outputs. The learning rate was not tuned further.
    """

    embedding_dim: EmbeddingDim = 64
    dropout: Dropout = 0.5
    batch_size: BatchSize = 32
    learning_rate: LearningRate = 3e-3
    span: Annotated[int, Field(ge=1, le=50), Knob(2, 10, symbol="L", label="Window length")] = 5
    """Number of most recent items that the filters cover; the value in the paper is 5."""
    horizontal: Annotated[int, Field(ge=1, le=256), Knob(4, 64, scale="log", label="Horizontal filters")] = 16
    """Number of horizontal filters of each height from 1 to L, which detect patterns of consecutive items; the
    value in the paper is 16."""
    vertical: Annotated[int, Field(ge=1, le=64), Knob(1, 16, scale="log", label="Vertical filters")] = 4
    """Number of vertical filters, which are weighted sums of the last L items; the value in the paper is 4."""
    long_term: Annotated[bool, Knob(label="Long-term preference")] = True
    """Whether to also use the mean embedding of the whole history."""


class Cnn(SequenceModel[CnnConfig]):
    """Convolutional filters over the last items, and the mean of the history, predict the next item."""

    info: ClassVar[ModelInfo] = network_info(
        key="cnn",
        title="Caser-style CNN",
        family="sequential",
        idea="Convolutional filters over the most recent items of the history predict the next item.",
        formula=r"s_i = v_i^\top \left(A [z_T; m_T] + a\right), \quad "
        r"z_T = \mathrm{relu}\left(W [\max_p \mathrm{relu}(F_k \odot E_p + b_k);\ G E] + b\right)",
        source="Tang and Wang 2018, eq. 3 to 10",
        abilities=frozenset({Ability.UPDATES_INCREMENTALLY}),
        views=("filters",),
    )
    config_type = CnnConfig

    def _network(self) -> "ConvolutionalNet":
        from recsys_core.models.nets.cnn import ConvolutionalNet

        parts = self.config.model_dump(include={"span", "horizontal", "vertical", "long_term", "dropout"})
        return ConvolutionalNet(self.n_items, self.config.embedding_dim, **parts)

    @classmethod
    def activations(cls, config: CnnConfig) -> int:
        """Return the number of values of the window and the filter outputs of one position, and of their gradients."""
        found = config.horizontal * config.span + config.vertical * config.embedding_dim
        return 2 * (2 * (config.span + 5) * config.embedding_dim + 5 * found)

    @classmethod
    def reading_work(cls, config: CnnConfig) -> float:
        """Return the steps of reading one position: the outputs of all filters."""
        patterns = 0.5 * config.horizontal * config.span * (config.span + 1)
        return config.embedding_dim * (40.0 * config.span + 0.1 * (patterns + config.vertical * config.embedding_dim))
