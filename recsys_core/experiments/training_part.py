"""Training data of a model: all interactions, or only the relevant ones."""

import dataclasses
from typing import Any

from recsys_core.contracts import FloatArray, IntArray, Need, QueryBatch, RunContext, TopK
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.models.base import Recommender


class OnRelevant(Recommender[Any]):
    """A wrapper that restricts a model to relevant items, in training and in the histories of queries.

    Items that a user rated lower still count as seen and are not recommended.

    Args:
        model: The wrapped model.
        relevant_from: Smallest rating of a relevant item.
    """

    def __init__(self, model: Recommender[Any], relevant_from: float) -> None:
        self.model = model
        self.relevant_from = relevant_from
        self.info = model.info  # type: ignore[misc]
        self.config_type = model.config_type  # type: ignore[misc]
        super().__init__(model.config)
        self.is_fitted = model.is_fitted
        if model.is_fitted:
            self.n_users, self.n_items = model.n_users, model.n_items
            self._tie_keys = model.tie_keys

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        relevant = train.subset(train.strengths >= self.relevant_from)
        if relevant.n_interactions == 0:
            raise DataError(
                f"No rating in the training set reaches {self.relevant_from:g}; choose a smaller relevance threshold."
            )
        self.model.fit(relevant, ctx)

    def _score(self, query: QueryBatch) -> FloatArray:
        return self.model.score(relevant_part(query, self.relevant_from))

    def _why_no_scores(self, train: Dataset) -> str:
        """Delegate to the wrapped model."""
        return self.model._why_no_scores(train)

    def ranks_by_score(self) -> bool:
        """Delegate to the wrapped model."""
        return self.model.ranks_by_score()

    def recommend(
        self, query: QueryBatch, k: int, *, exclude_seen: bool = True, candidates: IntArray | None = None
    ) -> TopK:
        """Return the lists of the model for the relevant part of each history; see `Recommender.recommend`."""
        self.require_fitted()
        relevant = relevant_part(query, self.relevant_from)
        return self.model.recommend(relevant, k, exclude_seen=exclude_seen, candidates=candidates)


def relevant_part(query: QueryBatch, relevant_from: float) -> QueryBatch:
    """Return the same users with only the history items that they rated at least `relevant_from`.

    Items that they rated lower still count as seen.
    """
    return dataclasses.replace(query.only(query.values >= relevant_from), known=query.seen)


def for_training(model: Recommender[Any], spec: ExperimentSpec, *, has_ratings: bool) -> Recommender[Any]:
    """Return the model wrapped as the spec requires.

    A model that needs ratings is trained on all of them, including low ones, whatever the spec says.
    """
    relevant_only = spec.train_on == "relevant" and spec.relevant_from is not None and has_ratings
    if not relevant_only or Need.RATINGS in model.info.needs or spec.relevant_from is None:
        return model
    return OnRelevant(model, spec.relevant_from)


def trained(model: Recommender[Any]) -> Recommender[Any]:
    """Return the unwrapped model, whose arrays are stored."""
    return model.model if isinstance(model, OnRelevant) else model
