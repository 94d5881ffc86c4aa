"""A recurrent network over the history (GRU4Rec): plain, with gates (GRU), or with gates and a cell (LSTM).

    h_t = cell(v_(i_t), h_(t-1)),     score of item i = v_i . (A h_T + a)

v_i is the vector of item i, used where it is read and where it is scored; h_t the memory after t items. See `nets.rnn`
for the three cells.

Source: Hidasi et al. 2016, "Session-based Recommendations with Recurrent Neural Networks", section 3.1, with the whole
history in place of a session, and cross-entropy over all items at every place in place of TOP1 and BPR (Hidasi and
Karatzoglou 2018, "Recurrent Neural Networks with Top-k Gains", section 3.1, find it better the more items it sees).
"""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from recsys_core.contracts import Ability, Knob, ModelInfo
from recsys_core.models.sequential import SequenceConfig, SequenceModel

if TYPE_CHECKING:
    from recsys_core.models.nets.rnn import RecurrentNet

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
"""Products with the memory in one step of each cell."""


class RnnConfig(SequenceConfig):
    """Settings of the recurrent network."""

    cell: Annotated[Literal["gru", "lstm", "rnn"], Knob()] = "gru"
    """What changes the memory: 'gru' and 'lstm' learn by gates what to keep, 'rnn' writes over all of it each time."""
    layers: Annotated[int, Field(ge=1, le=8), Knob(1, 3)] = 1
    """Memories on top of each other (the paper: more than one did not help)."""


class Rnn(SequenceModel[RnnConfig]):
    """A memory that each item of the history changes says what comes next."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="rnn",
        title="Recurrent network (GRU4Rec)",
        family="deep",
        idea="Reads what a person did in order, keeps a memory that each step changes, and says from it what is next.",
        formula=r"h_t = \mathrm{cell}(v_{i_t}, h_{t-1}), \quad s_i = v_i^\top (A h_T + a)",
        source="Hidasi et al. 2016, section 3.1",
        abilities=frozenset({Ability.UPDATES_INCREMENTALLY}),
        stochastic=True,
        runtime="torch",
    )
    config_type = RnnConfig

    def _network(self) -> "RecurrentNet":
        from recsys_core.models.nets.rnn import RecurrentNet

        config = self.config
        return RecurrentNet(self.n_items, config.width, cell=config.cell, layers=config.layers, dropout=config.dropout)
