r"""Recent popularity: every user gets the items that are popular now, not those that once were.

    x_ui = sum_v w_vi 2^(-(T - t_vi) / h)        over interactions with T - t_vi <= D

T is the time of the latest training interaction, t_vi the time of an interaction, h the half-life and D the length of
the window, both in days. `weighting` selects the exponential decay, the window, or both. Without weights, w_vi is 1 and
each user counts once per item, at their latest interaction with it; so with a very long half-life the list is that of
`popular`. Interactions without a timestamp are ignored.

Source: Ji, Sun, Zhang and Li 2020, "A Re-visit of the Popularity Baseline in Recommender Systems" (RecentPop and
DecayPop), with an exponential instead of a monthly decay.
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from recsys_core.columns import ITEM, TIMESTAMP, USER, WEIGHT
from recsys_core.contracts import FloatArray, FoldIn, Knob, ModelConfig, ModelInfo, Need, QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.errors import DataError
from recsys_core.models.base import Recommender
from recsys_core.text import _

DAY = 86_400_000
"""In milliseconds."""


class RecentPopularConfig(ModelConfig):
    """Settings of recent popularity."""

    weighting: Annotated[Literal["decay", "window", "decay_in_window"], Knob()] = "decay"
    """How age counts: exponential decay, a window that ignores older interactions, or the decay inside the window."""
    half_life: Annotated[
        float, Field(gt=0, le=100_000), Knob(1, 365, scale="log", symbol="h", label="Half-life (days)")
    ] = 30.0
    """Age in days at which an interaction counts half (unused with the window alone)."""
    max_age: Annotated[float, Field(gt=0, le=100_000), Knob(1, 365, scale="log", symbol="D", label="Window (days)")] = (
        90.0
    )
    """Age in days beyond which interactions are ignored (unused with the decay alone)."""


def recent_formula(config: RecentPopularConfig, *, rated: bool = True, weighted: bool = False) -> str:
    """Return the sum over recent interactions as LaTeX; `rated` makes no difference."""
    decay = r" \, 2^{-(T - t_{vi}) / h}" if config.weighting != "window" else ""
    within = r",\, T - t_{vi} \le D" if config.weighting != "decay" else ""
    weight = "w_{vi}" if weighted else ("" if decay else "1")
    return rf"\hat{{x}}_{{ui}} = \sum_{{v \in R(i){within}}} {weight}{decay}"


class RecentPopular(Recommender[RecentPopularConfig]):
    """Scores an item by its interactions, where recent ones count more."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="recent_popular",
        title="Recent popularity",
        family="baselines",
        idea="Recommends the items that are popular at the end of the training data, the same to every user.",
        formula=recent_formula(RecentPopularConfig()),
        source="Ji et al. 2020; R(i) are the users who interacted with item i, T is the end of the training data.",
        needs=frozenset({Need.TIMESTAMPS}),
        personal=False,
        fold_in=FoldIn.NONE,
        weights="An item's popularity is the sum of the weights of its interactions, multiplied by the decay.",
    )
    config_type = RecentPopularConfig
    fitted = ("popularity",)

    formula_of = staticmethod(recent_formula)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _unused in ctx.track(range(1), stage="count interactions"):
            frame = train.interactions
            frame = frame[frame[TIMESTAMP] != NO_TIMESTAMP]
            if frame.empty:
                raise DataError(
                    _("{info_title} needs timestamps, but every timestamp of '{train_name}' is missing.").format(
                        info_title=self.info.title, train_name=train.name
                    )
                )
            end = int(frame[TIMESTAMP].max())
            if not train.has_weights:
                frame = frame.sort_values(TIMESTAMP, kind="stable").drop_duplicates([USER, ITEM], keep="last")
            weight = self.weight_of_age((end - frame[TIMESTAMP].to_numpy()) / DAY)
            if train.has_weights:
                weight *= frame[WEIGHT].to_numpy(np.float64)
            self.popularity = np.bincount(frame[ITEM].to_numpy(), weight, minlength=self.n_items)  # (I,)

    def weight_of_age(self, days: FloatArray) -> FloatArray:
        """Return (N,) the weight of interactions by their age in days, from 0 to 1."""
        config = self.config
        weight: FloatArray = np.ones(len(days))
        if config.weighting != "window":
            weight = np.exp2(-days / config.half_life)
        if config.weighting != "decay":
            weight[days > config.max_age] = 0.0
        return weight

    def _score(self, query: QueryBatch) -> FloatArray:
        return np.broadcast_to(self.popularity, (len(query), self.n_items))

    @classmethod
    def memory_estimate(cls, config: RecentPopularConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the sorted interactions, their ages and weights."""
        return 120 * n_interactions + 8 * (n_users + n_items)
