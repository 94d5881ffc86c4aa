"""Base class of all algorithms: checks before training, batch scoring, top-k lists, and storage without pickle."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar, final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from recsys_core.columns import USER
from recsys_core.contracts import PAD, FloatArray, IntArray, ModelConfig, ModelInfo, Need, QueryBatch, RunContext, TopK
from recsys_core.data import Dataset
from recsys_core.data.random_keys import Keys, mixed
from recsys_core.errors import CannotScore, DataError, NotFitted, StoreError
from recsys_core.models.histories import history_matrix
from recsys_core.models.topk import by_position, score_blocks, top_k
from recsys_core.models.weights import history_confidence, training_confidence, typical_weight
from recsys_core.text import _
from recsys_core.training.blocks import results_of_blocks

C = TypeVar("C", bound=ModelConfig)
WEIGHT_UNIT = "weight_unit"
TIE_KEYS = "tie_keys"
PROBED = 8
"""Number of users in the first batch of the scores check after training."""
SPARSE_PARTS = ("data", "indices", "indptr", "shape")


class Recommender(ABC, Generic[C]):
    """An algorithm that is trained once on a data set and then scores all items for users.

    A subclass defines `info`, `config_type`, `fitted` (names of the trained arrays), `_fit` and `_score`. The
    constructor only stores the settings.
    """

    info: ClassVar[ModelInfo]
    config_type: ClassVar[type[ModelConfig]]
    fitted: ClassVar[tuple[str, ...]] = ()
    """Attributes set by `_fit`: numpy arrays or scipy CSR arrays. Nothing else is stored."""
    scores_in_threads: ClassVar[bool] = False
    """Whether several threads may call `_score` at once: it changes nothing, and a user's scores do not depend on the
    batch, to the last bit."""

    n_users: int
    n_items: int
    weight_unit: float
    """Median weight of a training interaction, NaN if the data had no weights; see `weights.py`."""

    def __init__(self, config: C | None = None) -> None:
        self.config: C = config if config is not None else self.config_type()  # type: ignore[assignment]
        self.is_fitted = False
        self.weight_unit = float("nan")
        self._tie_keys: Keys | None = None

    @property
    def tie_keys(self) -> Keys:
        """(I,) tie-breaking keys, derived from item identifier and seed so that the order of a file has no influence.

        Models that were stored without keys break ties by position.
        """
        kept = self._tie_keys
        return kept if kept is not None and len(kept) == self.n_items else by_position(self.n_items)

    def _draw_ties(self, data: Dataset, seed: int) -> None:
        """Draw new tie-breaking keys for the items of a data set."""
        self._tie_keys = mixed(data.item_vocabulary.keys, seed)

    @final
    def fit(self, train: Dataset, ctx: RunContext) -> None:
        """Train from scratch and discard any earlier fit.

        Raises:
            DataError: The data lack something that the algorithm needs, or are empty.
            ConfigError: The machine lacks the device of the settings.
            Cancelled: The user cancelled the training; the model is not fitted then.
        """
        refusal = self.refusal(train)
        if refusal is not None:
            raise DataError(refusal)
        if train.n_interactions == 0:
            raise DataError(
                _("{info_title} cannot be trained: '{train_name}' has no interactions to train on.").format(
                    info_title=self.info.title, train_name=train.name
                )
            )
        self._require_machine()
        self._forget()
        self.n_users, self.n_items = train.n_users, train.n_items
        self.weight_unit = typical_weight(train) if self.info.uses_weights else float("nan")
        self._draw_ties(train, ctx.seed)
        self._fit(train, ctx)
        self.is_fitted = True

    @final
    def require_scores(self, train: Dataset) -> None:
        """Reject a trained model that has no finite score for any user.

        Args:
            train: The training data.

        Raises:
            NotFitted: The model was not trained.
            DataError: Every score of every training user is NaN or infinite; the message says why.
        """
        self.require_fitted()
        if not self._scores_something(train):
            raise DataError(
                _(
                    "{info_title} cannot recommend anything after training on '{train_name}': it has no "
                    "finite score for any user. {why_no_scores}"
                ).format(info_title=self.info.title, train_name=train.name, why_no_scores=self._why_no_scores(train))
            )

    def _scores_something(self, train: Dataset) -> bool:
        """Return whether any training user has a finite score, checking users with most interactions first."""
        counts = np.bincount(train.interactions[USER].to_numpy(), minlength=self.n_users)
        users = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
        first, size = 0, PROBED
        while first < len(users):
            probed = users[first : first + size]
            part = train.subset(np.isin(train.interactions[USER].to_numpy(), probed))
            batches = (self.score(batch) for batch in part.queries(probed).batches(PROBED))
            if any(bool(np.isfinite(scores).any()) for scores in batches):
                return True
            first, size = first + size, 16 * size
        return False

    def _why_no_scores(self, train: Dataset) -> str:
        """Return one sentence on why no training user has a finite score, and what to do."""
        return _("Choose other settings or another model.")

    @classmethod
    def formula_of(cls, config: C, *, rated: bool, weighted: bool) -> str:
        """Return the formula of the score with these settings as LaTeX; `info.formula` is that of the default settings.

        Args:
            config: Settings.
            rated: Whether the data have ratings.
            weighted: Whether the interactions of the data have weights.
        """
        return cls.info.formula

    @classmethod
    def source_of(cls, config: C) -> str:
        """Return the source of the formula with these settings; `info.source` is that of the default settings."""
        return cls.info.source

    @classmethod
    def title_of(cls, config: C) -> str:
        """Return the title of a model with these settings, in English: by default that of the algorithm."""
        return cls.info.title

    @classmethod
    def is_stochastic(cls, config: C) -> bool:
        """Return whether scores with these settings depend on the seed; by default `info.stochastic`."""
        return cls.info.stochastic

    def needs(self) -> frozenset[Need]:
        """Return what these settings require of the data; `info.needs` is required by all settings."""
        return self.info.needs

    @final
    def refusal(self, train: Dataset) -> str | None:
        """Return why these settings cannot be trained on the data, with advice; None if training can start."""
        missing = train.lacks(self.needs())
        if not missing:
            return self._misfit(train)
        return _("{info_title} needs {missing}, which '{train_name}' does not have{instead}.").format(
            info_title=self.info.title,
            missing=", ".join(missing),
            train_name=train.name,
            instead=self._instead(missing),
        )

    def _instead(self, missing: list[Need]) -> str:
        """Return what the user can do about missing requirements, appended to the error message; may be empty."""
        return ""

    def _misfit(self, train: Dataset) -> str | None:
        """Return why these settings cannot be trained on the data or contradict each other; None if they can."""
        return None

    def _require_machine(self) -> None:
        """Raise a ConfigError if training with these settings is not possible on this machine."""

    def require_candidates(self, query: QueryBatch) -> None:
        """Reject queries for which the model cannot recommend anything, whatever it learned.

        Raises:
            DataError: There is nothing to recommend; the message says why, and what to do.
        """

    @abstractmethod
    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        """Compute the arrays named in `fitted`."""

    @final
    def score(self, query: QueryBatch) -> FloatArray:
        """Return (B, I) scores, higher is better; NaN where the model cannot score.

        Raises:
            NotFitted: The model was not trained.
            CannotScore: The query names users or items that were not in the training data.
        """
        self.require_fitted()
        self._require_known(query)
        return self._score(query)

    @abstractmethod
    def _score(self, query: QueryBatch) -> FloatArray:
        """Return (B, I) scores for the users of `query`."""

    def as_read(self, query: QueryBatch) -> QueryBatch:
        """Return the query with the part of the histories that the model reads, by default all of it."""
        return query

    def recommend(
        self,
        query: QueryBatch,
        k: int,
        *,
        exclude_seen: bool = True,
        candidates: IntArray | None = None,
        threads: int = 1,
    ) -> TopK:
        """Return the top `k` items of each user; items without a score are never recommended.

        Args:
            query: B users with their histories.
            k: Length of the lists; lists with fewer items are padded.
            exclude_seen: Exclude the items that the user has already seen.
            candidates: (C,) the items that may be recommended; None for all.
            threads: Threads of the models that score in threads; the lists do not depend on it.

        Raises:
            NotFitted: The model was not trained.
        """
        self.require_fitted()

        def lists_of(first: int, end: int) -> TopK:
            batch = query.take(np.arange(first, end))
            seen = batch.seen if exclude_seen else None
            return top_k(self._scores_of(batch, candidates), k, seen, self.tie_keys)

        used = threads if self.scores_in_threads else 1
        parts = results_of_blocks(lists_of, score_blocks(len(query), self.n_items, used), used)
        return TopK.joined(list(parts), k)

    def ranks_by_score(self) -> bool:
        """Return whether lists are sorted by score; if not, `recommend` documents their order."""
        return True

    def _scores_of(self, query: QueryBatch, candidates: IntArray | None) -> FloatArray:
        """Return (B, I) scores, NaN for items that are not candidates."""
        scores = self.score(query)
        if candidates is None:
            return scores
        masked = np.full_like(scores, np.nan)
        masked[:, candidates] = scores[:, candidates]
        return masked

    @classmethod
    def memory_estimate(cls, config: C, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the peak memory of training in bytes, without the process itself: by default four times the data."""
        return 4 * 16 * n_interactions + 8 * (n_users + n_items)

    @classmethod
    def smaller(cls, config: C, n_users: int, n_items: int, n_interactions: int, most: int) -> Mapping[str, Any]:
        """Return changed settings with which training needs at most `most` bytes; empty if there are none."""
        return {}

    @classmethod
    def work_estimate(cls, config: C, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the approximate work of training, in steps of which a core does 10^9 per second."""
        return 50.0 * n_interactions

    @final
    def state(self) -> Mapping[str, NDArray[Any]]:
        """Return the trained state as plain arrays by name; a sparse array becomes four arrays.

        Raises:
            NotFitted: The model was not trained.
        """
        self.require_fitted()
        arrays: dict[str, NDArray[Any]] = {"n_users": np.array(self.n_users), "n_items": np.array(self.n_items)}
        if not np.isnan(self.weight_unit):
            arrays[WEIGHT_UNIT] = np.array(self.weight_unit)
        for name in self.fitted:
            value = getattr(self, name)
            if isinstance(value, csr_array):
                arrays |= {f"{name}.{part}": np.asarray(getattr(value, part)) for part in SPARSE_PARTS}
            else:
                arrays[name] = np.asarray(value, order="C")
        ties = {} if self._tie_keys is None else {TIE_KEYS: self._tie_keys}
        return arrays | dict(self._network_arrays()) | ties

    @final
    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Load the state of another model of the same class and settings.

        Raises:
            StoreError: An array is missing.
        """
        self._forget()
        try:
            self.n_users, self.n_items = int(arrays["n_users"]), int(arrays["n_items"])
            self.weight_unit = float(arrays.get(WEIGHT_UNIT, np.nan))  # models of earlier versions ignored weights
            self._tie_keys = arrays.get(TIE_KEYS)
            for name in self.fitted:
                setattr(self, name, _restored(name, arrays))
            self._load_network_arrays(arrays)
        except KeyError as missing:
            raise StoreError(
                _("The stored model of '{info_key}' lacks {missing}; train it again.").format(
                    info_key=self.info.key, missing=missing
                )
            ) from missing
        self._loaded()
        self.is_fitted = True

    def _network_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return trained arrays that are not named in `fitted`, such as the weights of a network."""
        return {}

    def _load_network_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Load the arrays that `_network_arrays` returned; raises KeyError if one is missing."""

    def _loaded(self) -> None:
        """Build everything that is derived from the fitted arrays; called after loading."""

    def _training_confidence(self, train: Dataset) -> csr_array:
        """(U, I) the confidence of each pair, which models of implicit feedback are trained on; see `weights.py`."""
        return training_confidence(train, self.weight_unit)

    def _history_confidence(self, query: QueryBatch) -> csr_array:
        """(B, I) the confidence of each item of the histories, in the unit of the training data."""
        return history_confidence(query, self.n_items, self.weight_unit)

    def _training_values(self, train: Dataset) -> csr_array:
        """(U, I) the ratings or, in data without ratings, the confidence of each pair."""
        return train.matrix("rating") if train.has_ratings else self._training_confidence(train)

    def _history_values(self, query: QueryBatch, *, rated: bool) -> csr_array:
        """(B, I) the ratings in the histories or, if the training data had none, the confidence of each item."""
        return history_matrix(query, self.n_items, "rating") if rated else self._history_confidence(query)

    def _require_rating_range(self, rating_range: FloatArray) -> None:
        """Raise an error if the training data had no ratings, whose `rating_range` is NaN.

        Raises:
            CannotScore: The training data had no ratings.
        """
        if np.isnan(rating_range).any():
            raise CannotScore(
                _("{info_title} cannot predict ratings: it was trained on data without ratings.").format(
                    info_title=self.info.title
                )
            )

    def _measured(self, ctx: RunContext) -> Mapping[str, float]:
        """Return the run's validation metrics of the partly trained model; empty without validation."""
        if ctx.validate is None:
            return {}
        self.is_fitted = True
        try:
            return ctx.validate(self)
        finally:
            self.is_fitted = False

    def _score_to_explain(self, query: QueryBatch, item: int) -> float:
        """Return the score of `item` for the single user in `query`.

        Raises:
            CannotScore: The item has no score to explain.
        """
        score = float(self.score(query)[0, item])
        if np.isnan(score):
            raise CannotScore(
                _("{info_title} has no score for this item: nothing in the history supports it.").format(
                    info_title=self.info.title
                )
            )
        return score

    def _require_known(self, query: QueryBatch) -> None:
        """Reject positions that compiled loops would read out of bounds."""
        for what, positions, lowest, size in (
            ("item", query.history.values, 0, self.n_items),
            ("user", query.user, PAD, self.n_users),
        ):
            if len(positions) and not lowest <= positions.min() <= positions.max() < size:
                raise CannotScore(
                    _(
                        "A query names {what} positions {min} to {max}, but {info_title} was trained with "
                        "{size} {what}s; use the positions of its training data."
                    ).format(what=what, min=positions.min(), max=positions.max(), info_title=self.info.title, size=size)
                )

    def _forget(self) -> None:
        self.is_fitted = False
        for name in self.fitted:
            if hasattr(self, name):
                delattr(self, name)

    def require_fitted(self) -> None:
        """Raise an error if the model is not trained.

        Raises:
            NotFitted: `fit` has not been called.
        """
        if not self.is_fitted:
            raise NotFitted(
                _("{info_title} has not been trained yet; call fit() first.").format(info_title=self.info.title)
            )


def rating_range_of(train: Dataset) -> FloatArray:
    """Return (2,) the lowest and highest possible rating, NaN without ratings."""
    scale = train.rating_scale
    return np.array([np.nan, np.nan] if scale is None else [scale.low, scale.high])


def _restored(name: str, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if f"{name}.indptr" not in arrays:
        return arrays[name]
    data, indices, indptr, shape = (arrays[f"{name}.{part}"] for part in SPARSE_PARTS)
    return csr_array((data, indices, indptr), shape=(int(shape[0]), int(shape[1])))
