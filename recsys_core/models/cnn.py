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
from recsys_core.models.sequence_config import SequenceConfig
from recsys_core.models.sequence_costs import NUMBER, bytes_beside_reading, places_of, read_places, scoring_work
from recsys_core.models.sequential import SequenceModel

if TYPE_CHECKING:
    from recsys_core.models.nets.cnn import ConvolutionalNet


class CnnConfig(SequenceConfig):
    """Settings of the convolutional network.

    With these defaults the best validation log-rank on ML-100K (leave-last-out, mean of seeds 1, 2, 3, 4, 42) is 0.489,
    and test NDCG@10 lies between 0.0980 and 0.1019. With dropout 0.3, batch size 16 and learning rate 0.002 they were
    0.485, and 0.0931 to 0.1013.
    """

    embedding_dim: Annotated[
        int, Field(ge=4, le=1024), Knob(16, 256, scale="log", symbol="D", label="Embedding dimension")
    ] = 64
    """Dimension of the item embeddings (the paper: 50). On the validation set of ML-100K, 64 was better than 128 after
    the same time."""
    dropout: Annotated[float, Field(ge=0, lt=1), Knob(0.0, 0.5)] = 0.5
    """Dropout probability of the filter outputs in training (the paper: 0.5)."""
    batch_size: Annotated[int, Field(ge=1, le=4096), Knob(16, 256, scale="log", advanced=True)] = 32
    """Number of histories per training step; 32 gives less gradient noise than 16."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(3e-4, 5e-3, scale="log")] = 3e-3
    """Step size of Adam (no grid search)."""
    span: Annotated[int, Field(ge=1, le=50), Knob(2, 10, symbol="L", label="Window length")] = 5
    """Number of most recent items that the filters cover (the paper: 5)."""
    horizontal: Annotated[int, Field(ge=1, le=256), Knob(4, 64, scale="log", label="Horizontal filters")] = 16
    """Number of horizontal filters of each height from 1 to L, which detect patterns of consecutive items (the paper:
    16)."""
    vertical: Annotated[int, Field(ge=1, le=64), Knob(1, 16, scale="log", label="Vertical filters")] = 4
    """Number of vertical filters, which are weighted sums of the last L items (the paper: 4)."""
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

        config = self.config
        return ConvolutionalNet(
            self.n_items,
            config.embedding_dim,
            span=config.span,
            horizontal=config.horizontal,
            vertical=config.vertical,
            long_term=config.long_term,
            dropout=config.dropout,
        )

    @classmethod
    def memory_estimate(cls, config: CnnConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the data, the embeddings, and one batch with its windows and filter outputs."""
        found = config.horizontal * config.span + config.vertical * config.embedding_dim
        kept = 2 * (config.span + 5) * config.embedding_dim + 5 * found
        kept_twice = 2 * kept * places_of(config, n_interactions)  # activations and gradients
        return bytes_beside_reading(config, n_items, n_interactions) + NUMBER * kept_twice

    @classmethod
    def work_estimate(cls, config: CnnConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of all epochs: at each position the scores of all items and the outputs of all filters."""
        patterns = 0.5 * config.horizontal * config.span * (config.span + 1)
        looks = config.embedding_dim * (40.0 * config.span + 0.1 * (patterns + config.vertical * config.embedding_dim))
        places = config.epochs * read_places(config, n_users, n_interactions)
        return places * (scoring_work(config, n_items) + looks)
