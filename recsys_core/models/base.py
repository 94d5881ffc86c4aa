"""What every algorithm shares: checks before training, scoring in batches, lists of the best, saving without pickle."""

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
from recsys_core.models.topk import by_position, top_k
from recsys_core.models.weights import history_confidence, training_confidence, typical_weight

C = TypeVar("C", bound=ModelConfig)
WEIGHT_UNIT = "weight_unit"
TIE_KEYS = "tie_keys"
PROBED = 8
"""Users whose scores are looked at together after training."""
SPARSE_PARTS = ("data", "indices", "indptr", "shape")
SCORE_BLOCK_BYTES = 64 * 2**20
"""Scores of so many bytes are held at a time when lists are made."""


class Recommender(ABC, Generic[C]):
    """An algorithm: trained once on a data set, then asked for scores of all items.

    A subclass fills in `info`, `config_type`, `fitted` (names of the arrays that training makes), `_fit` and `_score`.
    The constructor only stores the settings.
    """

    info: ClassVar[ModelInfo]
    config_type: ClassVar[type[ModelConfig]]
    fitted: ClassVar[tuple[str, ...]] = ()
    """Attributes made by `_fit`: numpy arrays or scipy CSR arrays. They are all that is saved."""

    n_users: int
    n_items: int
    weight_unit: float
    """Median weight of a training interaction, NaN where the data had no weights; see `weights.py`."""

    def __init__(self, config: C | None = None) -> None:
        self.config: C = config if config is not None else self.config_type()  # type: ignore[assignment]
        self.is_fitted = False
        self.weight_unit = float("nan")
        self._tie_keys: Keys | None = None

    @property
    def tie_keys(self) -> Keys:
        """(I,) what orders items of equal score: keys drawn by identifier and seed, so no order of a file is rewarded.

        By position in models that were stored without keys.
        """
        kept = self._tie_keys
        return kept if kept is not None and len(kept) == self.n_items else by_position(self.n_items)

    def _draw_ties(self, data: Dataset, seed: int) -> None:
        """Draw the order of equal scores anew for the items of a data set."""
        self._tie_keys = mixed(data.item_vocabulary.keys, seed)

    @final
    def fit(self, train: Dataset, ctx: RunContext) -> None:
        """Train from nothing; whatever was learned before is forgotten.

        Raises:
            DataError: The data lack something that the algorithm needs, or are empty.
            Cancelled: The user stopped the training; the model is not fitted then.
        """
        refusal = self.refusal(train)
        if refusal is not None:
            raise DataError(refusal)
        if train.n_interactions == 0:
            raise DataError(f"{self.info.title} cannot be trained: '{train.name}' has no interactions to train on.")
        self._forget()
        self.n_users, self.n_items = train.n_users, train.n_items
        self.weight_unit = typical_weight(train) if self.info.uses_weights else float("nan")
        self._draw_ties(train, ctx.seed)
        self._fit(train, ctx)
        self.is_fitted = True

    @final
    def require_scores(self, train: Dataset) -> None:
        """Refuse a trained model that cannot recommend anything to anybody.

        Args:
            train: What it was trained on.

        Raises:
            NotFitted: The model was not trained.
            DataError: Every score of every training user is NaN or infinite; the message says why.
        """
        self.require_fitted()
        if not self._scores_something(train):
            raise DataError(
                f"{self.info.title} cannot recommend anything after training on '{train.name}': no score of any user "
                f"is a finite number. {self._why_no_scores(train)}"
            )

    def _scores_something(self, train: Dataset) -> bool:
        """Return whether some training user has a finite score, those with most interactions asked first."""
        counts = np.bincount(train.interactions[USER].to_numpy(), minlength=self.n_users)
        users = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
        first, size = 0, PROBED
        while first < len(users):
            asked = users[first : first + size]
            part = train.subset(np.isin(train.interactions[USER].to_numpy(), asked))
            scores = (self.score(batch) for batch in part.queries(asked).batches(PROBED))
            if any(bool(np.isfinite(found).any()) for found in scores):
                return True
            first, size = first + size, 16 * size
        return False

    def _why_no_scores(self, train: Dataset) -> str:
        """Return in one sentence why no training user has a finite score, and what can be done."""
        return "Choose other settings or another model."

    @classmethod
    def formula_of(cls, config: C, *, rated: bool, weighted: bool) -> str:
        """Return the formula of the score with these settings as LaTeX; `info.formula` is that of the defaults.

        Args:
            config: Settings.
            rated: Whether the data have ratings.
            weighted: Whether the interactions of the data have weights.
        """
        return cls.info.formula

    @classmethod
    def source_of(cls, config: C) -> str:
        """Return where the formula with these settings comes from; `info.source` is that of the defaults."""
        return cls.info.source

    def needs(self) -> frozenset[Need]:
        """Return what the data must have with these settings; `info.needs` is what all settings need."""
        return self.info.needs

    @final
    def refusal(self, train: Dataset) -> str | None:
        """Return, before any training, what the data lack for these settings and what would help; None if nothing."""
        missing = train.lacks(self.needs())
        if not missing:
            return None
        return (
            f"{self.info.title} needs {', '.join(missing)}, which '{train.name}' does not have{self._instead(missing)}."
        )

    def _instead(self, missing: list[Need]) -> str:
        """Return what a person can do where these needs are not met, to follow the sentence; empty if nothing."""
        return ""

    @abstractmethod
    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        """Learn the arrays named in `fitted`."""

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
        """Return (B, I) scores for people whose positions or histories are in `query`."""

    def as_read(self, query: QueryBatch) -> QueryBatch:
        """Return the same people with what the model reads of their histories: all of it, unless a model says less."""
        return query

    def recommend(
        self, query: QueryBatch, k: int, *, exclude_seen: bool = True, candidates: IntArray | None = None
    ) -> TopK:
        """Return the `k` best items for each person; items that cannot be scored are never recommended.

        Args:
            query: B people with their histories.
            k: Length of the lists; lists that run out of items are padded.
            exclude_seen: Leave out what each person has seen.
            candidates: (C,) the items that may be recommended; None for all.

        Raises:
            NotFitted: The model was not trained.
        """
        self.require_fitted()
        block = max(1, SCORE_BLOCK_BYTES // (8 * max(1, self.n_items)))
        parts = [
            top_k(self._scores_of(batch, candidates), k, batch.seen if exclude_seen else None, self.tie_keys)
            for batch in query.batches(block)
        ]
        if not parts:
            return TopK(np.full((0, k), PAD, dtype=np.int64), np.full((0, k), np.nan))
        return TopK(np.concatenate([part.item for part in parts]), np.concatenate([part.score for part in parts]))

    def ranks_by_score(self) -> bool:
        """Return whether lists hold the items in the order of their scores; else `recommend` says what they are."""
        return True

    def _scores_of(self, query: QueryBatch, candidates: IntArray | None) -> FloatArray:
        """Return (B, I) scores, NaN for all but the candidates."""
        scores = self.score(query)
        if candidates is None:
            return scores
        masked = np.full_like(scores, np.nan)
        masked[:, candidates] = scores[:, candidates]
        return masked

    @classmethod
    def memory_estimate(cls, config: C, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of training at its peak, beside the process itself: by default the data, four times."""
        return 4 * 16 * n_interactions + 8 * (n_users + n_items)

    @classmethod
    def work_estimate(cls, config: C, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the work of training, roughly, in steps of which a core does a thousand million a second."""
        return 50.0 * n_interactions

    @final
    def state(self) -> Mapping[str, NDArray[Any]]:
        """Return all that training learned, as plain arrays by name; a sparse array becomes four of them.

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
        """Take over what another model of the same class and settings learned.

        Raises:
            StoreError: An array is missing.
        """
        self._forget()
        try:
            self.n_users, self.n_items = int(arrays["n_users"]), int(arrays["n_items"])
            self.weight_unit = float(arrays.get(WEIGHT_UNIT, np.nan))  # older models have learned from none
            self._tie_keys = arrays.get(TIE_KEYS)
            for name in self.fitted:
                setattr(self, name, _restored(name, arrays))
            self._load_network_arrays(arrays)
        except KeyError as missing:
            raise StoreError(f"The stored model of '{self.info.key}' lacks {missing}; train it again.") from missing
        self._loaded()
        self.is_fitted = True

    def _network_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return what is learned beside the arrays in `fitted`, by name: the weights of a network."""
        return {}

    def _load_network_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `_network_arrays` returned; KeyError if something is missing."""

    def _loaded(self) -> None:
        """Build what is derived from the fitted arrays; called after loading."""

    def _training_confidence(self, train: Dataset) -> csr_array:
        """(U, I) what a model of implicit feedback learns from: the confidence of each pair, see `weights.py`."""
        return training_confidence(train, self.weight_unit)

    def _history_confidence(self, query: QueryBatch) -> csr_array:
        """(B, I) the confidence of each item of the histories, by the rule of the training data."""
        return history_confidence(query, self.n_items, self.weight_unit)

    def _measured(self, ctx: RunContext) -> Mapping[str, float]:
        """Let the run validate the model in the middle of training, as if it were finished; empty if it does not."""
        if ctx.validate is None:
            return {}
        self.is_fitted = True
        try:
            return ctx.validate(self)
        finally:
            self.is_fitted = False

    def _score_to_explain(self, query: QueryBatch, item: int) -> float:
        """Return the score of `item` for the one person in `query`.

        Raises:
            CannotScore: There is no score that could be explained.
        """
        score = float(self.score(query)[0, item])
        if np.isnan(score):
            raise CannotScore(f"{self.info.title} has no score for this item: nothing in the history speaks for it.")
        return score

    def _require_known(self, query: QueryBatch) -> None:
        """Refuse positions that would be read outside the arrays of compiled loops."""
        for what, positions, lowest, size in (
            ("item", query.history.values, 0, self.n_items),
            ("user", query.user, PAD, self.n_users),
        ):
            if len(positions) and not lowest <= positions.min() <= positions.max() < size:
                raise CannotScore(
                    f"A query names {what} positions {positions.min()} to {positions.max()}, but {self.info.title} was "
                    f"trained with {size} {what}s; ask with the positions of its training data."
                )

    def _forget(self) -> None:
        self.is_fitted = False
        for name in self.fitted:
            if hasattr(self, name):
                delattr(self, name)

    def require_fitted(self) -> None:
        """Refuse to go on without a trained model.

        Raises:
            NotFitted: `fit` has not been called.
        """
        if not self.is_fitted:
            raise NotFitted(f"{self.info.title} has not been trained yet; call fit() first.")


def _restored(name: str, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if f"{name}.indptr" not in arrays:
        return arrays[name]
    data, indices, indptr, shape = (arrays[f"{name}.{part}"] for part in SPARSE_PARTS)
    return csr_array((data, indices, indptr), shape=(int(shape[0]), int(shape[1])))
