"""The vocabulary of the library: what a model is asked, what it answers, and what is passed along while it trains.

Arrays carry their shape in fixed letters: B batch, U users, I items, K list length, T time.
`user` and `item` are positions (0..n-1); `user_id` and `item_id` are the identifiers of the outside world.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recsys_core.batches import PAD, BoolArray, FloatArray, IntArray, QueryBatch, Ragged, TopK
from recsys_core.configs import FieldSpec, Knob, ModelConfig, field_specs
from recsys_core.errors import Cancelled

__all__ = [
    "IGNORES_WEIGHTS",
    "PAD",
    "Ability",
    "AttentionTrace",
    "BoolArray",
    "CheckpointStore",
    "ExplainsItems",
    "Explanation",
    "FieldSpec",
    "FloatArray",
    "IntArray",
    "Knob",
    "ModelConfig",
    "ModelInfo",
    "Need",
    "PredictsPairs",
    "PredictsRatings",
    "Progress",
    "QueryBatch",
    "Ragged",
    "RatingScale",
    "RecommendsPeople",
    "RunContext",
    "TopK",
    "TracesAttention",
    "UpdatesIncrementally",
    "field_specs",
]

T = TypeVar("T")

IGNORES_WEIGHTS = "ignored"
"""`ModelInfo.weights` of a model that treats a view and a purchase alike."""


@dataclass(frozen=True)
class RatingScale:
    """Smallest and largest rating that a person can give, in the units of the data."""

    low: float
    high: float


@dataclass(frozen=True)
class Progress:
    """One message about work under way.

    Args:
        stage: What is being done, in words.
        step: Steps finished in this stage.
        total: Steps of this stage, None if unknown.
        values: Numbers worth a curve, such as loss or ndcg@10.
    """

    stage: str
    step: int = 0
    total: int | None = None
    values: Mapping[str, float] = field(default_factory=dict)


def _ignore(progress: Progress) -> None:
    """Take a progress message and do nothing with it."""


def _never() -> bool:
    return False


class CheckpointStore(Protocol):
    """Where a long training keeps its latest state, so that it goes on from there after its process was killed."""

    def save(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep these arrays instead of what was kept before; a process killed meanwhile leaves the older ones."""
        ...

    def load(self) -> Mapping[str, NDArray[Any]] | None:
        """Return what was kept last, None if nothing was."""
        ...


@dataclass(frozen=True)
class RunContext:
    """What surrounds a piece of work: chance, progress, the wish to stop, the cores to use. Passed in, never global.

    `validate`, if given, is called with the model after each epoch of iterative algorithms; the numbers that it returns
    (such as ndcg@10 on the validation part) are reported beside the loss. `checkpoints`, if given, takes the state of
    the training after each epoch, and is asked for it at the start.
    """

    seed: int = 42
    report: Callable[[Progress], None] = _ignore
    stop_requested: Callable[[], bool] = _never
    threads: int = 1
    validate: Callable[[Any], Mapping[str, float]] | None = None
    checkpoints: CheckpointStore | None = None

    def rng(self, *path: str) -> np.random.Generator:
        """Return the stream of random numbers of that name: the same for a seed, whatever else was drawn before."""
        digest = hashlib.sha256("/".join(path).encode()).digest()
        return np.random.default_rng([self.seed, int.from_bytes(digest[:8], "little")])

    def track(self, steps: Iterable[T], *, stage: str, total: int | None = None) -> Iterator[T]:
        """Yield the steps, report the beginning and each finished one, and stop between two when that was asked for.

        Raises:
            Cancelled: Before the next step, once `stop_requested` says so.
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
        """End the work here if that was asked for; `when` completes the sentence that the person reads.

        Raises:
            Cancelled: `stop_requested` says so.
        """
        if self.stop_requested():
            raise Cancelled(f"Stopped on request {when}.")

    def note(self, stage: str, step: int, total: int | None = None, **values: float) -> None:
        """Report numbers worth a curve, such as the loss of an epoch."""
        self.report(Progress(stage, step, total, values))


class Need(StrEnum):
    """What a model needs of the data."""

    RATINGS = "ratings"
    TIMESTAMPS = "timestamps"
    ITEM_FEATURES = "item_features"
    USER_FEATURES = "user_features"
    SOCIAL = "social"


class Ability(StrEnum):
    """What a model can do beside ranking items."""

    PREDICTS_RATINGS = "predicts_ratings"
    EXPLAINS_ITEMS = "explains_items"
    TRACES_ATTENTION = "traces_attention"
    UPDATES_INCREMENTALLY = "updates_incrementally"
    RECOMMENDS_PEOPLE = "recommends_people"


@dataclass(frozen=True)
class ModelInfo:
    """What a person should know about an algorithm before choosing it.

    Args:
        key: Name in the registry and on the command line.
        title: Name in the field.
        family: Group on the page: baselines, nearest neighbors, matrix factorization, linear, content-based,
            association rules, social, neural, sequential or attention.
        idea: One sentence.
        formula: LaTeX of the score.
        source: Paper and equation, or section of the source document.
        needs: What the data must have; training is refused otherwise.
        abilities: What it can do beside ranking.
        personal: False if everybody gets the same list (before removing what they have seen).
        folds_in: True if an unknown person's history changes what they get.
        stochastic: True if random numbers enter: another seed, or another order of items, gives other scores.
        runtime: What a trained model runs on. Pages never load torch: they ask a process that keeps such models.
        weights: How the weight of an interaction (`weight` in `Dataset.interactions`, `QueryBatch.weights`) enters the
            model, one sentence for the user; `IGNORES_WEIGHTS` if it does not.
        views: Names of the views on the page Inside that only models of this kind have, in the order of the page; see
            `explain.registry`.
        same_on_any_cores: Whether a training with the same seed gives the same scores on any number of cores; else sums
            that are taken in another order change the last digits, and what grows out of them in training.
        weighs_histories: Whether the weights of a history count when the model is asked; else only those of the
            training data do.
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
    folds_in: bool = True
    stochastic: bool = False
    runtime: Literal["numpy", "torch"] = "numpy"
    weights: str = IGNORES_WEIGHTS
    weighs_histories: bool = True
    same_on_any_cores: bool = True
    views: tuple[str, ...] = ()

    @property
    def uses_weights(self) -> bool:
        """Whether changing the weights of interactions changes the scores."""
        return self.weights != IGNORES_WEIGHTS


@dataclass(frozen=True, eq=False)
class Explanation:
    """Parts that add up: sum(weights) + remainder == score.

    Args:
        item: Position of the item explained.
        score: The score that was shown.
        kind: What the sources are. Items: "history" (items that the person chose before). Users: "neighbours" (people
            like this one), "friends" (people linked to this one). Named by `labels`: "terms" (columns of
            `Features`), "factors" (hidden tastes, by number), "biases" (what holds for the person or the item alone),
            "rules" (rules that fired).
        sources: (S,) positions of items or users; where `labels` are given, numbers that tell the sources apart.
        weights: (S,) share of each source in the score, in units of the score.
        remainder: What belongs to no source, such as a mean of all ratings.
        labels: (S,) names of the sources where they are neither items nor users; empty otherwise.
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
    """What a model attended to when it read one history: T items read, Q steps that look at them.

    Args:
        tokens: (T,) positions of the items read, oldest first.
        weights: (L, H, Q, T) by layer and head, after softmax and before dropout; each row sums to 1.
        causal: Step q is the q-th item read and sees items 0..q alone (Q = T); else steps are those of a decoder.
        next_items: (Q, N) the best items after each step, best first; `PAD` where there are fewer.
        next_scores: (Q, N) their scores, NaN where there are fewer.
        details: What else the model has to show, by name; described where the model makes it.
    """

    tokens: IntArray
    weights: FloatArray
    causal: bool
    next_items: IntArray
    next_scores: FloatArray
    details: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@runtime_checkable
class PredictsRatings(Protocol):
    """A model whose answer can be read in the units of the rating scale."""

    def predict_ratings(self, query: QueryBatch) -> FloatArray:
        """Return (B, I) ratings within the scale; where nothing better is known, the mean of the training ratings."""
        ...


@runtime_checkable
class PredictsPairs(Protocol):
    """A model that predicts ratings and need not do so for the whole catalogue to know a few."""

    def predict_pairs(self, query: QueryBatch, rows: IntArray, items: IntArray) -> FloatArray:
        """Return (N,) the numbers at [rows, items] of `predict_ratings(query)`, up to rounding."""
        ...


@runtime_checkable
class ExplainsItems(Protocol):
    """A model that can split a score into parts."""

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Return the parts of the score of `item` for the one person in `query`."""
        ...


@runtime_checkable
class RecommendsPeople(Protocol):
    """A way to find people for people."""

    def recommend_people(self, users: IntArray, k: int) -> TopK:
        """Return for B users the k best people, positions of users, without themselves and those they follow."""
        ...


@runtime_checkable
class TracesAttention(Protocol):
    """A model that can show what it attended to."""

    def trace(self, query: QueryBatch) -> AttentionTrace:
        """Return the attention of the one person in `query`; CannotScore without a history."""
        ...


@runtime_checkable
class UpdatesIncrementally(Protocol):
    """A model that goes on learning from new interactions without being trained anew."""

    def update(self, before: Any, new: Any, ctx: RunContext, *, freeze_embeddings: bool = False) -> None:
        """Learn from the interactions of `new`, which come after those of `before`.

        Both are data sets over the same vocabularies, which begin with those of the training; users and items that are
        added there get a place. Without new interactions nothing changes. With `freeze_embeddings` the vectors of items
        and users that were known before stay as they are.
        """
        ...
