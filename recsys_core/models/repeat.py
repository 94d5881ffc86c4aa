r"""Repeat: again what the user had, by recency and frequency.

    x_ui = sum over interactions t of user u with item i of  w_t 2^(-a_t / h)        `ranking` = decay
         = sum w_t                                                                    frequency
         = 1 / (1 + a_t) of the latest interaction                                    recency

a_t is the number of interactions of the user after t, and h the half-life in interactions; w_t is 1 or, with weights,
the confidence of the single interaction (`models.weights`), or 0 if that is negative. Items outside the history have
no score, so the model is a baseline for repeat consumption, and nothing is learned but the unit of the weights.

Items that a user has seen are not recommended. What counts as seen follows from the task: without target events,
everything in the history, and then there is nothing to repeat. With target events, such as purchases predicted from
views, only items with a target event are seen, and what was viewed but not purchased can be recommended again. So the
model needs data with events, and an experiment that leaves items of the histories as candidates; else training is
refused with this reason.

Source: Anderson, Kumar, Tomkins and Vassilvitskii 2014, "The Dynamics of Repeat Consumption", where recency predicts
repeats best; frequency as in Hu et al. 2020, "Modeling Personalized Item Frequency Information for Next-basket
Recommendation", section 3. Departure: the decay is by number of interactions, so that no timestamps are needed.
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from recsys_core.contracts import (
    Ability,
    Explanation,
    FloatArray,
    FoldIn,
    Knob,
    ModelConfig,
    ModelInfo,
    Need,
    QueryBatch,
    RunContext,
)
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.models.base import Recommender
from recsys_core.models.weights import confidence
from recsys_core.text import _


class RepeatConfig(ModelConfig):
    """Settings of repeat."""

    ranking: Annotated[Literal["decay", "recency", "frequency"], Knob()] = "decay"
    """Order of the user's items: by frequency where recent interactions count more (decay), by their latest
    interaction, or by frequency alone."""
    half_life: Annotated[
        float, Field(gt=0, le=1e6), Knob(1, 100, scale="log", symbol="h", label="Half-life (interactions)")
    ] = 10.0
    """Number of later interactions after which an interaction counts half (decay only)."""


def repeat_formula(config: RepeatConfig, *, rated: bool = True, weighted: bool = False) -> str:
    """Return the sum over the user's interactions with the item as LaTeX; `rated` makes no difference."""
    if config.ranking == "recency":
        return r"\hat{x}_{ui} = \max_{t :\, i_t = i} \frac{1}{1 + a_t}"
    decay = r" \, 2^{-a_t / h}" if config.ranking == "decay" else ""
    weight = "c_t" if weighted else ("" if decay else "1")
    return rf"\hat{{x}}_{{ui}} = \sum_{{t :\, i_t = i}} {weight}{decay}"


class Repeat(Recommender[RepeatConfig]):
    """Scores the items of the history by how often and how recently they occurred."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="repeat",
        title="Repeat",
        family="baselines",
        idea="Recommends the user's own items again, such as viewed items that were not purchased.",
        formula=repeat_formula(RepeatConfig()),
        source="Anderson et al. 2014; a_t is the number of interactions of the user after t.",
        needs=frozenset({Need.EVENTS}),
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        fold_in=FoldIn.SEQUENCE,
        weights="An interaction counts with its confidence, log2(1 + weight / median weight), except by recency.",
    )
    config_type = RepeatConfig
    fitted = ("n_interactions",)

    formula_of = staticmethod(repeat_formula)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _unused in ctx.track(range(1), stage="count interactions"):
            self.n_interactions = np.array(train.n_interactions)

    def _score(self, query: QueryBatch) -> FloatArray:
        scores = np.full((len(query), self.n_items), np.nan)
        rows, items = query.history.row_numbers(), query.history.values
        scores[rows, items] = 0.0
        gains = self._gains(query)
        if self.config.ranking == "recency":
            np.maximum.at(scores, (rows, items), gains)
        else:
            np.add.at(scores, (rows, items), gains)
        return scores

    def _gains(self, query: QueryBatch) -> FloatArray:
        """(N,) what each interaction of the histories adds, or for recency its score."""
        later = np.repeat(query.history.offsets[1:], query.history.lengths) - np.arange(len(query.values)) - 1
        if self.config.ranking == "recency":
            return 1.0 / (1.0 + later)
        gains: FloatArray = np.ones(len(later))
        if query.weights is not None and not np.isnan(self.weight_unit):
            gains = np.maximum(confidence(query.weights, self.weight_unit), 0.0).astype(np.float64)
        return gains * np.exp2(-later / self.config.half_life) if self.config.ranking == "decay" else gains

    def require_candidates(self, query: QueryBatch) -> None:
        """Reject an experiment that excludes all items of the histories from the lists.

        Raises:
            DataError: No user has an item in the history that may be recommended.
        """
        items = 1 + max((int(rows.values.max()) for rows in (query.seen, query.history) if len(rows.values)), default=0)
        seen = query.seen.row_numbers() * items + query.seen.values
        held = query.history.row_numbers() * items + query.history.values
        if np.isin(held, seen).all():
            raise DataError(
                _(
                    "{info_title} recommends items of the user's own history, but all of them are "
                    "excluded as already seen. Choose target events that differ from the events to learn "
                    "from, such as purchases predicted from views, or another model."
                ).format(info_title=self.info.title)
            )

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Attribute the score of `item` to the item itself.

        Raises:
            CannotScore: The item is not in the history.
        """
        score = self._score_to_explain(query, item)
        return Explanation(item, score, "history", np.array([item]), np.array([score]), 0.0)
