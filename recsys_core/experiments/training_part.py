"""What a model learns from: every interaction, or only those that people liked."""

import dataclasses
from typing import Any

from recsys_core.contracts import FloatArray, IntArray, Need, QueryBatch, RunContext, TopK
from recsys_core.data import Dataset
from recsys_core.errors import DataError
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.models.base import Recommender


class OnRelevant(Recommender[Any]):
    """A model that sees only liked items: in training, and in the histories that it is asked with.

    Items that a person rated lower still count as seen and are not recommended.

    Args:
        model: What is trained and asked.
        relevant_from: Smallest rating of a liked item.
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
        liked = train.subset(train.strengths >= self.relevant_from)
        if liked.n_interactions == 0:
            raise DataError(f"No rating in the training part reaches {self.relevant_from:g}; choose a smaller one.")
        self.model.fit(liked, ctx)

    def _score(self, query: QueryBatch) -> FloatArray:
        return self.model.score(liked_part(query, self.relevant_from))

    def _why_no_scores(self, train: Dataset) -> str:
        """Return what the model itself says."""
        return self.model._why_no_scores(train)

    def ranks_by_score(self) -> bool:
        """Return what the model itself says."""
        return self.model.ranks_by_score()

    def recommend(
        self, query: QueryBatch, k: int, *, exclude_seen: bool = True, candidates: IntArray | None = None
    ) -> TopK:
        """Return the lists of the model, shown what each person liked; see `Recommender.recommend`."""
        self.require_fitted()
        liked = liked_part(query, self.relevant_from)
        return self.model.recommend(liked, k, exclude_seen=exclude_seen, candidates=candidates)


def liked_part(query: QueryBatch, relevant_from: float) -> QueryBatch:
    """Return the same people with only those items of their histories that they rated at least so high.

    What they rated lower still counts as seen.
    """
    return dataclasses.replace(query.only(query.values >= relevant_from), known=query.seen)


def for_training(model: Recommender[Any], spec: ExperimentSpec, *, has_ratings: bool) -> Recommender[Any]:
    """Return the model as the experiment wants it trained and asked.

    A model that needs ratings learns from all of them, low ones too, whatever the spec says.
    """
    liked_only = spec.train_on == "relevant" and spec.relevant_from is not None and has_ratings
    if not liked_only or Need.RATINGS in model.info.needs or spec.relevant_from is None:
        return model
    return OnRelevant(model, spec.relevant_from)


def trained(model: Recommender[Any]) -> Recommender[Any]:
    """Return the model itself, whose arrays are to be saved."""
    return model.model if isinstance(model, OnRelevant) else model
