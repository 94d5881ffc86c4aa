"""Convolutions over the last items (Caser): filters that fire at patterns of a few items, and weighted sums of them.

    score of item i = v_i . (A [z_T; m_T] + a),     z_T = relu(W [o; v] + b)

o are the strongest responses of the horizontal filters in the last L items, v what the vertical filters sum up, m_T the
mean vector of the history. See `nets.cnn`.

Source: Tang and Wang 2018, "Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding", eq. 3
to 10, with the mean vector in place of a learned vector of each user (so that unknown people are served), the item
vectors in place of a second table of them, and cross-entropy over all items in place of three sampled ones.
"""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from recsys_core.contracts import Ability, Knob, ModelInfo
from recsys_core.models.network_model import WEIGHTS_OF_TARGETS
from recsys_core.models.sequence_costs import NUMBER, bytes_beside_reading, places_of, read_places, scoring_work
from recsys_core.models.sequential import SequenceConfig, SequenceModel

if TYPE_CHECKING:
    from recsys_core.models.nets.cnn import ConvolutionalNet


class CnnConfig(SequenceConfig):
    """Settings of the convolutional network.

    With these defaults the best validation log-rank on ML-100K (leave-last-out, mean of seeds 1, 2, 3, 4, 42) is 0.489,
    and test NDCG@10 lies between 0.0980 and 0.1019. With dropout 0.3, batches of 16 and rate 0.002 they were 0.485, and
    0.0931 to 0.1013.
    """

    width: Annotated[int, Field(ge=4, le=1024), Knob(16, 256, scale="log", symbol="D")] = 64
    """Numbers in the vector of an item (the paper: 50). On the validation part of ML-100K 64 was ahead of 128 after the
    same time."""
    dropout: Annotated[float, Field(ge=0, lt=1), Knob(0.0, 0.5)] = 0.5
    """Share of what the filters found that is left out in training (the paper: 0.5)."""
    batch_size: Annotated[int, Field(ge=1, le=4096), Knob(16, 256, scale="log", advanced=True)] = 32
    """Histories in one step of training; with 32 the gradient varies less from step to step than with 16."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(3e-4, 5e-3, scale="log")] = 3e-3
    """Length of each step against the gradient (Adam; no grid of rates was searched)."""
    span: Annotated[int, Field(ge=1, le=50), Knob(2, 10, symbol="L")] = 5
    """The filters see so many of the latest items (the paper: 5)."""
    horizontal: Annotated[int, Field(ge=1, le=256), Knob(4, 64, scale="log")] = 16
    """Filters of each height from 1 to L, which fire at patterns of so many items in a row (the paper: 16)."""
    vertical: Annotated[int, Field(ge=1, le=64), Knob(1, 16, scale="log")] = 4
    """Weighted sums of the last L items (the paper: 4)."""
    long_term: Annotated[bool, Knob()] = True
    """Read the mean of the whole history, too, beside the last L items."""


class Cnn(SequenceModel[CnnConfig]):
    """Filters over the last items, and the mean of all before, say what comes next."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="cnn",
        title="Caser-style CNN",
        family="sequential",
        idea="Convolutional filters over the most recent items of the history predict the next item.",
        formula=r"s_i = v_i^\top \left(A [z_T; m_T] + a\right), \quad "
        r"z_T = \mathrm{relu}\left(W [\max_p \mathrm{relu}(F_k \odot E_p + b_k);\ G E] + b\right)",
        source="Tang and Wang 2018, eq. 3 to 10",
        abilities=frozenset({Ability.UPDATES_INCREMENTALLY}),
        stochastic=True,
        runtime="torch",
        weights=WEIGHTS_OF_TARGETS,
        weighs_histories=False,
        same_on_any_cores=False,
        views=("filters",),
    )
    config_type = CnnConfig

    def _network(self) -> "ConvolutionalNet":
        from recsys_core.models.nets.cnn import ConvolutionalNet

        config = self.config
        return ConvolutionalNet(
            self.n_items,
            config.width,
            span=config.span,
            horizontal=config.horizontal,
            vertical=config.vertical,
            long_term=config.long_term,
            dropout=config.dropout,
        )

    @classmethod
    def memory_estimate(cls, config: CnnConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the data, the vectors, and one batch with its windows and what the filters found."""
        found = config.horizontal * config.span + config.vertical * config.width
        kept = 2 * (config.span + 5) * config.width + 5 * found
        kept_twice = 2 * kept * places_of(config, n_interactions)  # once more for what is passed back
        return bytes_beside_reading(config, n_items, n_interactions) + NUMBER * kept_twice

    @classmethod
    def work_estimate(cls, config: CnnConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of all epochs: at each place all items are scored and all filters look at the window."""
        patterns = 0.5 * config.horizontal * config.span * (config.span + 1)
        looks = config.width * (40.0 * config.span + 0.1 * (patterns + config.vertical * config.width))
        places = config.epochs * read_places(config, n_users, n_interactions)
        return places * (scoring_work(config, n_items) + looks)
