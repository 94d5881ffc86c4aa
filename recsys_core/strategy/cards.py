"""All cards of a strategy, and the strategy itself: immutable settings in a JSON file."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recsys_core.strategy.boost import Boost
from recsys_core.strategy.calibrated import Calibration
from recsys_core.strategy.cap import Cap
from recsys_core.strategy.card import Card
from recsys_core.strategy.conditions import Condition
from recsys_core.strategy.decay import Decay
from recsys_core.strategy.dpp import Dpp
from recsys_core.strategy.explore import Explore
from recsys_core.strategy.exposure import Exposure
from recsys_core.strategy.fair_ratio import FairRatio
from recsys_core.strategy.filter import Filter
from recsys_core.strategy.mix import Mix, Part
from recsys_core.strategy.mmr import Mmr
from recsys_core.strategy.pin import Pin
from recsys_core.strategy.quota import Quota
from recsys_core.strategy.slots import Slots
from recsys_core.strategy.xquad import Xquad
from recsys_core.text import _

__all__ = [
    "CARDS", "AnyCard", "Boost", "Calibration", "Cap", "Card", "Condition", "Decay", "Dpp", "Explore", "Exposure",
    "FairRatio", "Filter", "Mix", "Mmr", "Part", "Pin", "Quota", "Slots", "Strategy", "Xquad",
]  # fmt: skip

AnyCard = Annotated[
    Mix
    | Filter
    | Boost
    | Decay
    | Mmr
    | Dpp
    | Calibration
    | Xquad
    | FairRatio
    | Exposure
    | Cap
    | Quota
    | Slots
    | Pin
    | Explore,
    Field(discriminator="kind"),
]
CARDS: dict[str, type[Card]] = {
    "mix": Mix,
    "filter": Filter,
    "boost": Boost,
    "decay": Decay,
    "mmr": Mmr,
    "dpp": Dpp,
    "calibration": Calibration,
    "xquad": Xquad,
    "fair_ratio": FairRatio,
    "exposure": Exposure,
    "cap": Cap,
    "quota": Quota,
    "slots": Slots,
    "pin": Pin,
    "explore": Explore,
}
"""Cards by kind, in the order in which they are usually applied."""


class Strategy(BaseModel):
    """An ordered list of cards: it reads the `pool` best items of a model and gives lists of `k`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = ""
    cards: tuple[AnyCard, ...] = ()
    pool: Annotated[int, Field(ge=1, le=1000)] = 100
    """Number of candidates per user."""
    k: Annotated[int, Field(ge=1, le=1000)] = 10
    """Length of the lists."""

    @model_validator(mode="after")
    def _consistent(self) -> "Strategy":
        if self.pool < self.k:
            raise ValueError(_("a pool of {pool} candidates cannot fill lists of {k}").format(pool=self.pool, k=self.k))
        if any(isinstance(card, Mix) for card in self.cards[1:]):
            raise ValueError(_("a mix must be the first card: the others re-rank its list"))
        active = [card for card in self.cards if card.on]
        if any(isinstance(card, Explore) for card in active[:-1]):
            raise ValueError(_("'explore' must be the last card: a later one would make its propensities untrue"))
        return self

    @property
    def is_global(self) -> bool:
        """Whether lists of one user depend on those of others, so that all users must be given at once."""
        return any(isinstance(card, Exposure) and card.on for card in self.cards)

    @property
    def mix(self) -> Mix | None:
        """The mix, if there is one that is on."""
        first: Any = self.cards[0] if self.cards else None
        return first if isinstance(first, Mix) and first.on else None
