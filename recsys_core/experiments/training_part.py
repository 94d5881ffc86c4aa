"""The interactions that a model reads, in training and in histories: all of them, or only the relevant ones."""

from dataclasses import dataclass
from typing import Any

from recsys_core.contracts import (
    AttentionTrace,
    FloatArray,
    IntArray,
    ModelInfo,
    Need,
    QueryBatch,
    RunContext,
    TopK,
    UpdatesIncrementally,
)
from recsys_core.data import Dataset
from recsys_core.errors import CannotScore, DataError
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.models.base import Recommender
from recsys_core.models.histories import relevant_part
from recsys_core.text import _


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
        self.scores_in_threads = model.scores_in_threads  # type: ignore[misc]
        self.is_fitted = model.is_fitted
        if model.is_fitted:
            self.n_users, self.n_items = model.n_users, model.n_items
            self._tie_keys = model.tie_keys

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        relevant = train.subset(train.strengths >= self.relevant_from)
        if relevant.n_interactions == 0:
            raise DataError(
                _(
                    "No rating in the training set reaches {relevant_from:g}; choose a smaller relevance threshold."
                ).format(relevant_from=self.relevant_from)
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
        self,
        query: QueryBatch,
        k: int,
        *,
        exclude_seen: bool = True,
        candidates: IntArray | None = None,
        threads: int = 1,
    ) -> TopK:
        """Return the lists of the model for the relevant part of each history; see `Recommender.recommend`."""
        self.require_fitted()
        relevant = relevant_part(query, self.relevant_from)
        return self.model.recommend(relevant, k, exclude_seen=exclude_seen, candidates=candidates, threads=threads)


def for_training(model: Recommender[Any], spec: ExperimentSpec, *, has_ratings: bool) -> Recommender[Any]:
    """Return the model wrapped as the spec requires.

    A model that needs ratings is trained on all of them, including low ones, whatever the spec says.
    """
    relevant_from = relevance_of(model.info, spec, has_ratings=has_ratings)
    return model if relevant_from is None else OnRelevant(model, relevant_from)


def relevance_of(info: ModelInfo, spec: ExperimentSpec, *, has_ratings: bool) -> float | None:
    """Return the smallest rating of the interactions that a model reads in an experiment; None if it reads all."""
    if spec.train_on != "relevant" or not has_ratings or Need.RATINGS in info.needs:
        return None
    return spec.relevant_from


def trained(model: Recommender[Any]) -> Recommender[Any]:
    """Return the unwrapped model, whose arrays are stored."""
    return model.model if isinstance(model, OnRelevant) else model


def updated(
    model: Recommender[Any],
    spec: ExperimentSpec,
    known: Dataset,
    fresh: Dataset,
    ctx: RunContext,
    *,
    freeze_embeddings: bool = False,
) -> tuple[Recommender[Any], int]:
    """Update a model in place with later interactions, of which it reads the same part as in training.

    Args:
        model: A trained model, as `for_training` returned it.
        spec: Spec of its experiment.
        known: The interactions that it has learned from.
        fresh: The interactions that follow them, over the same or longer vocabularies as those of `known`.
        ctx: Progress, cancellation and seed.
        freeze_embeddings: Keep the embeddings of known users and items fixed.

    Returns:
        The model as the spec wraps it, and the number of interactions it was updated with.

    Raises:
        CannotScore: The algorithm does not support incremental updates.
    """
    learner = trained(model)
    if not isinstance(learner, UpdatesIncrementally):
        raise CannotScore(
            _("{info_title} does not update incrementally; train it again on all data.").format(
                info_title=model.info.title
            )
        )
    if isinstance(model, OnRelevant):
        known, fresh = (part.subset(part.strengths >= model.relevant_from) for part in (known, fresh))
    learner.update(known, fresh, ctx, freeze_embeddings=freeze_embeddings)
    return for_training(learner, spec, has_ratings=isinstance(model, OnRelevant)), fresh.n_interactions


def unwrapped(model: Recommender[Any], query: QueryBatch) -> tuple[Recommender[Any], QueryBatch]:
    """Return the underlying model and its query: restricted to relevant items if it was trained on those only."""
    if isinstance(model, OnRelevant):
        return model.model, relevant_part(query, model.relevant_from)
    return model, query


@dataclass(frozen=True)
class Reading:
    """The part of a history that a model uses.

    Args:
        held: Number of items in the history.
        counted: Number of these that the model was trained to use: all, or the relevant ones.
        read: Number of these within the model's maximum length (the latest ones).
        liked_from: Smallest rating of a relevant item, None if all items are used.
    """

    held: int
    counted: int
    read: int
    liked_from: float | None = None


def reading(spec: ExperimentSpec, query: QueryBatch, trace: AttentionTrace, *, has_ratings: bool) -> Reading:
    """Return the part of the history of the one user in `query` that a trace covers.

    Args:
        spec: Spec of the model's experiment.
        query: The query, with the whole history.
        trace: Attention trace of the model for this query.
        has_ratings: Whether the data have ratings.
    """
    liked_from = spec.relevant_from if spec.train_on == "relevant" and has_ratings else None
    counted = len(query.values) if liked_from is None else int((query.values >= liked_from).sum())
    return Reading(len(query.values), counted, len(trace.tokens), liked_from)
