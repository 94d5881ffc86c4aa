"""Shared types of the library: model inputs and outputs, model protocols, and the run context.

Array shapes use fixed letters: B batch, U users, I items, K list length, T time.
`user` and `item` are positions (0..n-1); `user_id` and `item_id` are external identifiers.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recsys_core.batches import PAD, BoolArray, FloatArray, IntArray, QueryBatch, Ragged, TopK
from recsys_core.configs import Knob, ModelConfig
from recsys_core.errors import Cancelled
from recsys_core.text import _

__all__ = ["PAD", "BoolArray", "FloatArray", "IntArray", "Knob", "ModelConfig", "QueryBatch", "Ragged", "TopK"]
"""Names of other modules that are imported from here, too."""

T = TypeVar("T")

IGNORES_WEIGHTS = "ignored"
"""Value of `ModelInfo.weights` for models that ignore event weights."""


@dataclass(frozen=True)
class RatingScale:
    """Smallest and largest possible rating, in the units of the data."""

    low: float
    high: float


@dataclass(frozen=True)
class Progress:
    """One progress message.

    Args:
        stage: Description of the current stage.
        step: Number of completed steps in this stage.
        total: Total number of steps in this stage, None if unknown.
        values: Values to plot over time, such as loss or ndcg@10.
    """

    stage: str
    step: int = 0
    total: int | None = None
    values: Mapping[str, float] = field(default_factory=dict)


def _ignore(progress: Progress) -> None:
    """Discard a progress message."""


def _never() -> bool:
    return False


class CheckpointStore(Protocol):
    """Storage for training checkpoints, from which training resumes after its process was killed."""

    def save(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Replace the checkpoint atomically."""

    def load(self) -> Mapping[str, NDArray[Any]] | None:
        """Return the latest checkpoint, None if there is none."""


@dataclass(frozen=True)
class RunContext:
    """Context of a computation: random seed, progress, cancellation and threads. Passed explicitly, never global.

    `validate`, if given, is called with the model after each epoch of iterative models; the values it returns (such as
    ndcg@10 on the validation data) are reported with the loss. `checkpoints`, if given, stores the training state after
    each epoch and restores it at the start.
    """

    seed: int = 42
    report: Callable[[Progress], None] = _ignore
    stop_requested: Callable[[], bool] = _never
    threads: int = 1
    validate: Callable[[Any], Mapping[str, float]] | None = None
    checkpoints: CheckpointStore | None = None

    def rng(self, *path: str) -> np.random.Generator:
        """Return the named random stream: it depends only on seed and name, not on other draws."""
        digest = hashlib.sha256("/".join(path).encode()).digest()
        return np.random.default_rng([self.seed, int.from_bytes(digest[:8], "little")])

    def track(self, steps: Iterable[T], *, stage: str, total: int | None = None) -> Iterator[T]:
        """Yield the steps, report progress, and check for cancellation between steps.

        Raises:
            Cancelled: Before the next step, once `stop_requested` returns True.
        """
        if total is None and isinstance(steps, Sequence | range):
            total = len(steps)
        self.stop_if_requested(f"during '{stage}'")
        self.report(Progress(stage, 0, total))
        for number, step in enumerate(steps, start=1):
            self.stop_if_requested(f"during '{stage}'")
            yield step
            self.report(Progress(stage, number, total))

    def stop_if_requested(self, when: str) -> None:
        """Raise if cancellation was requested; `when` completes the message.

        Raises:
            Cancelled: `stop_requested` returns True.
        """
        if self.stop_requested():
            raise Cancelled(_("Cancelled {when}.").format(when=when))

    def note(self, stage: str, step: int, total: int | None = None, **values: float) -> None:
        """Report values to plot over time, such as the loss of an epoch."""
        self.report(Progress(stage, step, total, values))


class Need(StrEnum):
    """Data requirements of a model."""

    RATINGS = "ratings"
    TIMESTAMPS = "timestamps"
    ITEM_FEATURES = "item_features"
    USER_FEATURES = "user_features"
    SOCIAL = "social"
    EVENTS = "events"


class Ability(StrEnum):
    """Optional abilities of a model in addition to ranking items."""

    PREDICTS_RATINGS = "predicts_ratings"
    EXPLAINS_ITEMS = "explains_items"
    TRACES_ATTENTION = "traces_attention"
    UPDATES_INCREMENTALLY = "updates_incrementally"
    RECOMMENDS_PEOPLE = "recommends_people"


class FoldIn(StrEnum):
    """How a model takes in a history that it was not trained on; what it declares is tested for all models."""

    EXACT = "exact"
    """Scores are computed from the history by the same formula for training users and unknown users."""
    SEQUENCE = "sequence"
    """As EXACT; the order of the history matters."""
    APPROXIMATE = "approximate"
    """Training users have parameters, attributes or links of their own, which are estimated or absent for others."""
    NONE = "none"
    """The history has no effect on the scores."""


SOURCE_DOCUMENT = "Chinese article 'Python实现深度学习推荐算法' (deep-learning recommendation in Python)"
"""Name of the source document where a source of a model is shown; the text has no title, so this is its subject."""


@dataclass(frozen=True)
class ModelInfo:
    """Description of a model for users and pages.

    Args:
        key: Name in the registry and on the command line.
        title: Name in the field.
        family: Group on the page: baselines, nearest neighbors, matrix factorization, linear, content-based,
            association rules, social, neural, sequential, attention or ensembles.
        idea: One sentence.
        formula: LaTeX of the score.
        source: Paper and equation, or section of the source document.
        needs: Data requirements; training is refused otherwise.
        abilities: Optional abilities.
        personal: False if all users get the same list (before seen items are removed).
        fold_in: How the history of an unknown user enters the scores.
        fold_in_note: With `FoldIn.APPROXIMATE`, what is estimated or absent, in one sentence for users.
        stochastic: Whether scores depend on the seed or on the order of items.
        runtime: Runtime of a trained model. Pages never load torch: a separate process serves such models.
        weights: How interaction weights (`weight` in `Dataset.interactions`, `QueryBatch.weights`) enter the model, in
            one sentence for users; `IGNORES_WEIGHTS` if they do not.
        views: Names of the views on the page Inside that only models of this kind have, in the order of the page; see
            `explain.registry`.
        same_on_any_cores: Whether the same seed gives the same scores on any number of cores; else floating-point
            summation order affects the result.
        weighs_histories: Whether the weights in a query's history affect its scores; else only those of the training
            data do.
        lists_only: Whether only its lists for the test users are known: it answers no query.
    """

    key: str
    title: str
    family: str
    idea: str
    formula: str
    source: str
    needs: frozenset[Need] = frozenset()
    abilities: frozenset[Ability] = frozenset()
    personal: bool = True
    fold_in: FoldIn = FoldIn.EXACT
    fold_in_note: str = ""
    stochastic: bool = False
    runtime: Literal["numpy", "torch"] = "numpy"
    weights: str = IGNORES_WEIGHTS
    weighs_histories: bool = True
    same_on_any_cores: bool = True
    views: tuple[str, ...] = ()
    lists_only: bool = False

    @property
    def folds_in(self) -> bool:
        """Whether the history of an unknown user affects the recommendations."""
        return self.fold_in is not FoldIn.NONE

    @property
    def uses_weights(self) -> bool:
        """Whether changing the weights of interactions changes the scores."""
        return self.weights != IGNORES_WEIGHTS


@dataclass(frozen=True, eq=False)
class Explanation:
    """Additive explanation of a score: sum(weights) + remainder == score.

    Args:
        item: Position of the explained item.
        score: The explained score.
        kind: Type of the sources. Items: "history" (items of the user's history). Users: "neighbours" (similar users),
            "friends" (linked users). Named by `labels`: "terms" (columns of `Features`), "factors" (latent factors, by
            number), "biases" (user and item biases), "rules" (matching association rules).
        sources: (S,) positions of items or users; with `labels`, arbitrary distinct numbers.
        weights: (S,) contribution of each source to the score.
        remainder: Part of the score without a source, such as the global mean.
        labels: (S,) names of sources that are neither items nor users; else empty.
    """

    item: int
    score: float
    kind: str
    sources: IntArray
    weights: FloatArray
    remainder: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class AttentionTrace:
    """Attention weights of a model for one history: T input items (keys), Q query steps.

    Args:
        tokens: (T,) positions of the input items, oldest first.
        weights: (L, H, Q, T) by layer and head, before dropout; see `softmax` for their range.
        causal: Whether step q is the q-th input item, or a mask token after it, and attends only to items 0..q (Q = T);
            else steps are decoder steps.
        next_items: (Q, N) top items after each step, best first, padded with `PAD`.
        next_scores: (Q, N) their scores, padded with NaN.
        details: Further model-specific arrays, by name; documented by the model.
        softmax: Whether the weights are those of a softmax: 0 to 1, and each row sums to 1, with its entry in
            `mask_weights` if there are any. Else they are pointwise weights of any sign and sum (HSTU).
        mask_weights: (L, H, Q) weight of each step on itself, if steps are mask tokens (cloze models); else None.
    """

    tokens: IntArray
    weights: FloatArray
    causal: bool
    next_items: IntArray
    next_scores: FloatArray
    details: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    softmax: bool = True
    mask_weights: FloatArray | None = None


@runtime_checkable
class PredictsRatings(Protocol):
    """A model that predicts ratings."""

    def predict_ratings(self, query: QueryBatch) -> FloatArray:
        """Return (B, I) ratings within the scale; the mean training rating where the model has no better estimate."""


@runtime_checkable
class PredictsPairs(Protocol):
    """A model that predicts single ratings without scoring the whole catalogue."""

    def predict_pairs(self, query: QueryBatch, rows: IntArray, items: IntArray) -> FloatArray:
        """Return (N,) the entries [rows, items] of `predict_ratings(query)`, up to rounding."""


@runtime_checkable
class ExplainsItems(Protocol):
    """A model that decomposes scores into contributions."""

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Return the contributions to the score of `item` for the single user in `query`."""


@runtime_checkable
class RecommendsPeople(Protocol):
    """A model that recommends users to users."""

    def recommend_people(self, users: IntArray, k: int) -> TopK:
        """Return the top-k users for B users, as positions, excluding the users themselves and those they follow."""


@runtime_checkable
class TracesAttention(Protocol):
    """A model that exposes its attention weights."""

    def trace(self, query: QueryBatch) -> AttentionTrace:
        """Return the attention trace of the single user in `query`; raises CannotScore without a history."""


@runtime_checkable
class UpdatesIncrementally(Protocol):
    """A model that can be updated with new interactions without retraining."""

    def update(self, before: Any, new: Any, ctx: RunContext, *, freeze_embeddings: bool = False) -> None:
        """Update the model with the interactions of `new`, which come after those of `before`.

        Both data sets share vocabularies that extend those of the training data; added users and items get new
        parameters. Without new interactions nothing changes. With `freeze_embeddings` the embeddings of previously
        known users and items stay fixed.
        """
