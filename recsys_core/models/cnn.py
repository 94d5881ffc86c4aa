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
from recsys_core.models.sequential import SequenceConfig, SequenceModel

if TYPE_CHECKING:
    from recsys_core.models.nets.cnn import ConvolutionalNet


class CnnConfig(SequenceConfig):
    """Settings of the convolutional network."""

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
        title="Convolutional network (Caser)",
        family="deep",
        idea="Slides small patterns over the last few things a person did; those that fire say what comes next.",
        formula=r"s_i = v_i^\top \left(A [z_T; m_T] + a\right), \quad "
        r"z_T = \mathrm{relu}\left(W [\max_p \mathrm{relu}(F_k \odot E_p + b_k);\ G E] + b\right)",
        source="Tang and Wang 2018, eq. 3 to 10",
        abilities=frozenset({Ability.UPDATES_INCREMENTALLY}),
        stochastic=True,
        runtime="torch",
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
