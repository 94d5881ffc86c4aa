r"""Content kNN with means: the user's ratings of similar items, combined with the means of user and item.

The document (section 3, 1.2, 'content-based algorithm') scores item i for user u by

    R_ui = (beta * sum_{j in J} R_uj + mu_ui + nu_iu) / (|I|^alpha + |U|)

and leaves most of its symbols undefined. P(u) are the items that u rated, R(i) the users who rated i.

**literal** (`form="literal"`): verbatim, with J = I = P(u), U = R(i), mu_ui = mu_u the mean rating of u, nu_iu = nu_i
the mean rating of i:

    R_ui = (beta * sum_{j in P(u)} R_uj + mu_u + nu_i) / (|P(u)|^alpha + |R(i)|)

Why it fails: the sum does not depend on i, so for one user the ranking is that of (c_u + nu_i) / (d_u + |R(i)|). It
decreases with the number of users who rated i and favors the least popular items: on ml-latest-small, with alpha = 1,
its NDCG@10 is 0.001. With a large alpha the ranking becomes that of nu_i, the same for every user. The document itself
says that the formula 'cannot catch the real interest'. It needs no item table.

**content** (`form="content"`): the sum is weighted by the similarity of the items, and normalized by these weights:

    R_ui = mu_u + nu_i + beta * sum_{j in J, j != i} w_ij (R_uj - mu_u) / sum_{j in J, j != i} |w_ij|
    w_ij = sign(s_ij) |s_ij|^alpha,     s_ij the cosine of the vectors of i and j (see `content.item_vectors`)

alpha is the document's 'the larger, the clearer the preference': it gives more weight to the most similar items. The
document defines neither J nor R_uj for unrated items (`unrated`):

- "zero": J are all items and R_uj = 0 for unrated items, as in the matrix of step 1; mu_u is the mean of the row, and
  deviations are relative to it, so that users with many and with few ratings are treated alike. The choice of items
  counts as well as their ratings.
- "left_out": J = P(u), and mu_u is the mean rating. Only rating values count, which carry little information among
  popular items: with settings chosen on validation sets, this reaches popularity at best (ML-1M, NDCG@10: 0.135 versus
  0.135), while "zero" is far better (0.178 versus 0.133, 1000 users).

The document mentions mean, deviation and relative confidence of each item. Mean and confidence give nu_i:

    nu_i = n_i / (n_i + shrinkage * max n) * mean_i,     n_i = |R(i)|

A mean of few ratings is shrunk, and nu_i = 0 for an item without ratings. `shrinkage` is relative to the number of
ratings of the most rated item, so that one value fits small and large data. It defaults to 0 in the literal form, where
nu_i is the plain mean, and to 0.5 in the content form. The deviation enters no formula of the document.

Interaction weights are ignored: only ratings are averaged.

Departures: the interpretation of the symbols; in the content form, the denominator, and the exclusion of item i itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.batches import FloatArray, IntArray, QueryBatch
from recsys_core.contracts import SOURCE_DOCUMENT, Ability, Explanation, Knob, ModelConfig, ModelInfo, Need, RunContext
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.models.content import item_vectors, rating_means
from recsys_core.models.histories import history_matrix
from recsys_core.training.blocks import run_in_blocks

SIMILARITY_BYTES = 256 * 2**20
"""Maximum bytes of similarities in memory."""
BLOCK = 64
"""Number of items that a thread compares with all items at a time."""


class ContentMeanConfig(ModelConfig):
    """Settings of content kNN with means."""

    form: Annotated[Literal["content", "literal"], Knob(label="Formula")] = "content"
    """'content' weights ratings by the similarity of item features; 'literal' is the formula of the source
    verbatim, which favors the least popular items."""
    unrated: Annotated[Literal["zero", "left_out"], Knob(label="Unrated items")] = "zero"
    """Content form: whether unrated items count as 0 in the weighted mean, so that the choice of items matters, or are
    left out."""
    alpha: Annotated[float, Field(ge=0, le=10), Knob(0.5, 4, symbol=r"\alpha", label="Exponent")] = 3.0
    """Content form: exponent of the similarities; larger values concentrate on the most similar items. Literal form:
    exponent of the number of rated items."""
    beta: Annotated[float, Field(ge=0, le=1000), Knob(0.1, 10, scale="log", symbol=r"\beta", label="Rating weight")] = (
        0.3
    )
    """Weight of the user's ratings relative to the means."""
    shrinkage: Annotated[float, Field(ge=0, le=1000), Knob(0.05, 5, scale="log", symbol=r"\kappa")] | None = None
    """Shrinks the mean rating of items with few ratings towards 0: an item with this share of the ratings of the most
    rated item keeps half of its mean. 0 gives plain means. Default: 0.5 in the content form, 0 in the literal form."""

    @property
    def mean_shrinkage(self) -> float:
        """The shrinkage of the item means, with the default of the form if it is not set."""
        if self.shrinkage is not None:
            return self.shrinkage
        return 0.0 if self.form == "literal" else 0.5


def mean_formula(config: ContentMeanConfig, *, rated: bool = True, weighted: bool = False) -> str:
    """Return the formula of the chosen form as LaTeX; `rated` and `weighted` make no difference."""
    nu = r"\nu_i = \bar{r}_i"
    if config.mean_shrinkage > 0:
        nu = r"\nu_i = \frac{|R(i)|}{|R(i)| + \kappa \max_j |R(j)|} \, \bar{r}_i"
    if config.form == "literal":
        score = r"\frac{\beta \sum_{j \in P(u)} r_{uj} + \mu_u + \nu_i}{|P(u)|^\alpha + |R(i)|}"
        return rf"\hat{{r}}_{{ui}} = {score}, \quad {nu}"
    zero = config.unrated == "zero"
    over = r"j \neq i" if zero else r"j \in P(u),\, j \neq i"
    told = r"\frac{r_{uj} - \mu_u}{\mu_u}" if zero else r"(r_{uj} - \mu_u)"
    score = rf"\frac{{\sum_{{{over}}} w_{{ij}} \, {told}}}{{\sum_{{{over}}} |w_{{ij}}|}}"
    weight = r"w_{ij} = \mathrm{sign}(s_{ij}) \, |s_{ij}|^\alpha"
    level = r", \quad \mu_u = \frac{1}{I} \sum_j r_{uj},\ r_{uj} = 0 \text{ where not rated}" if zero else ""
    return rf"\hat{{r}}_{{ui}} = \mu_u + \nu_i + \beta \, {score}, \quad {weight}, \quad {nu}{level}"


@dataclass(frozen=True)
class LiteralTerms:
    """The terms of one score of the literal form.

    Args:
        ratings: Sum of the ratings of the user.
        user_mean: mu_u.
        item_mean: nu_i.
        own: |P(u)|^alpha.
        raters: |R(i)|.
        divisor: Their sum, at least 1.
        score: The score.
    """

    ratings: float
    user_mean: float
    item_mean: float
    own: float
    raters: float
    divisor: float
    score: float


class ContentMean(Recommender[ContentMeanConfig]):
    """Scores an item by the means of user and item, and by the user's ratings of similar items."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="content_mean",
        title="Content kNN with means",
        family="content-based",
        idea="Combines the user's ratings of similar items with the mean ratings of the user and of the item.",
        formula=mean_formula(ContentMeanConfig()),
        source=f"{SOURCE_DOCUMENT}, section 3, 1.2, with its symbols interpreted; verbatim with the formula 'literal'",
        needs=frozenset({Need.RATINGS}),
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        views=("matched_terms",),
    )
    config_type = ContentMeanConfig
    fitted = ("mean", "item_level", "raters", "vectors", "sums")

    formula_of = staticmethod(mean_formula)

    @classmethod
    def source_of(cls, config: ContentMeanConfig) -> str:
        """Return the document's section, verbatim or as interpreted."""
        return f"{SOURCE_DOCUMENT}, section 3, 1.2, verbatim" if config.form == "literal" else cls.info.source

    def needs(self) -> frozenset[Need]:
        """Return what these settings need: the literal form uses no item features."""
        return self.info.needs | ({Need.ITEM_FEATURES} if self.config.form == "content" else set())

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _ in ctx.track(range(1), stage="average the ratings"):
            ratings = train.matrix("rating")  # (U, I)
            self.mean = np.array(ratings.data.mean(dtype=np.float64))
            means, self.raters = rating_means(ratings.T.tocsr())  # (I,)
            half = self.config.mean_shrinkage * self.raters.max()
            confidence = np.divide(self.raters, self.raters + half, out=np.zeros(self.n_items), where=self.raters > 0)
            self.item_level = confidence * np.nan_to_num(means)  # (I,) nu
        self.vectors = csr_array((self.n_items, 0), dtype=np.float64)
        self.sums = np.zeros((2, self.n_items))  # sums over j != i of w_ij and of |w_ij|
        if self.config.form == "content":
            for _ in ctx.track(range(1), stage="describe items"):
                self.vectors = item_vectors(train, self.info.title).matrix  # (I, F)
        self._loaded()
        if self.config.form == "content" and self.config.unrated == "zero":
            run_in_blocks(self._add_up, self.n_items, BLOCK, ctx, stage="compare items")

    def _loaded(self) -> None:
        """Transpose the item vectors, so that one item is compared with all."""
        self.by_feature = sparse(self.vectors.T.tocsr())

    def _add_up(self, first: int, end: int) -> None:
        """Fill the sums of the weights of items first..end."""
        items = np.arange(first, end)
        weights = self._weights(items)
        weights[np.arange(len(items)), items] = 0.0
        self.sums[0, first:end] = weights.sum(axis=1, dtype=np.float64)
        self.sums[1, first:end] = np.abs(weights).sum(axis=1, dtype=np.float64)

    def _score(self, query: QueryBatch) -> FloatArray:
        ratings = history_matrix(query, self.n_items, "rating")  # (B, I)
        level = self._user_means(ratings)
        scores: FloatArray = level[:, None] + self.item_level
        if self.config.form == "literal":
            total = self.config.beta * np.asarray(ratings.sum(axis=1)).ravel()
            literal: FloatArray = (total[:, None] + scores) / self._divisor(ratings)
            return literal
        told = self._told(ratings, level)
        totals = self.sums if self.config.unrated == "zero" else np.empty((2, 0))
        for first, end in self._blocks(told):
            part = told[first:end]
            items, held = np.unique(part.indices, return_inverse=True)  # (D,) items whose similarities are needed
            local = Sparse(part.indptr.astype(np.int64), held.astype(np.uint32), part.data)
            add_weighted_means(local, items, self._weights(items), totals, self.config.beta, scores[first:end])
        return scores

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into contributions of the history items; the means are the remainder.

        With `unrated="zero"` the remainder also contains the negative contribution of the unrated items.
        """
        score = self._score_to_explain(query, item)
        ratings = history_matrix(query, self.n_items, "rating")
        sources, level = ratings.indices.astype(np.int64), self._user_means(ratings)
        if self.config.form == "literal":
            divisor = float(self._divisor(ratings)[0, item])
            shares = self.config.beta * ratings.data / divisor
            return Explanation(item, score, "history", sources, shares, score - float(shares.sum()))
        weights = self._weights(sources)[:, item].astype(np.float64) * (sources != item)
        total = float(self.sums[1, item]) if self.config.unrated == "zero" else float(np.abs(weights).sum())
        shares = self.config.beta * weights * self._told(ratings, level).data / (total if total > 0 else 1.0)
        remainder = float(level[0] + self.item_level[item])
        if total > 0 and len(sources):
            remainder -= self.config.beta * float(self.sums[0, item]) / total
        nonzero = weights != 0
        return Explanation(item, score, "history", sources[nonzero], shares[nonzero], remainder)

    def literal_terms(self, query: QueryBatch, item: int) -> LiteralTerms:
        """Return the terms of the score of `item` for one user; the form must be literal."""
        ratings = history_matrix(query, self.n_items, "rating")
        divisor = float(self._divisor(ratings)[0, item])
        return LiteralTerms(
            ratings=float(ratings.sum()),
            user_mean=float(self._user_means(ratings)[0]),
            item_mean=float(self.item_level[item]),
            own=float(np.diff(ratings.indptr)[0]) ** self.config.alpha,
            raters=float(self.raters[item]),
            divisor=divisor,
            score=float(self.score(query)[0, item]),
        )

    def _user_means(self, ratings: csr_array) -> FloatArray:
        """(B,) mu_u: mean rating of each user, the global mean without a history; or the mean of the whole row."""
        if self.config.form == "content" and self.config.unrated == "zero":
            row_means: FloatArray = np.asarray(ratings.sum(axis=1)).ravel() / self.n_items
            return row_means
        means, number = rating_means(ratings)
        user_means: FloatArray = np.where(number > 0, means, float(self.mean))
        return user_means

    def _told(self, ratings: csr_array, level: FloatArray) -> csr_array:
        """(B, I) the deviation of each rating: R_uj - mu_u, or R_uj / mu_u if unrated items count as 0."""
        of_rating = np.repeat(level, np.diff(ratings.indptr))
        if self.config.unrated == "zero":
            told = np.divide(ratings.data, of_rating, out=np.zeros(ratings.nnz), where=of_rating > 0)
        else:
            told = ratings.data - of_rating
        return csr_array((told, ratings.indices, ratings.indptr), shape=ratings.shape)

    def _divisor(self, ratings: csr_array) -> FloatArray:
        """(B, I) |P(u)|^alpha + |R(i)|, at least 1 to avoid a division by zero."""
        own = np.diff(ratings.indptr).astype(np.float64) ** self.config.alpha
        divisor: FloatArray = np.maximum(own[:, None] + self.raters, 1.0)
        return divisor

    def _weights(self, items: IntArray) -> FloatArray:
        """(D, I) float32 w_ij of some items with all items."""
        weights = np.zeros((len(items), self.n_items), dtype=np.float32)
        fill_weights(sparse(self.vectors[items]), self.by_feature, self.config.alpha, weights)
        return weights

    def _blocks(self, ratings: csr_array) -> Iterator[tuple[int, int]]:
        """Yield ranges of users whose similarities fit into `SIMILARITY_BYTES`."""
        rows_held = max(1, SIMILARITY_BYTES // (4 * self.n_items))
        first = 0
        while first < ratings.shape[0]:
            end = ratings.shape[0]
            if self.n_items > rows_held:
                end = int(np.searchsorted(ratings.indptr, ratings.indptr[first] + rows_held, side="right")) - 1
            end = max(first + 1, end)
            yield first, end
            first = end

    @classmethod
    def memory_estimate(cls, config: ContentMeanConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the ratings by user and by item, and of item vectors with about 30 entries each."""
        return (1500 + 8 * BLOCK) * n_items + 36 * n_interactions + 24 * n_users

    @classmethod
    def work_estimate(cls, config: ContentMeanConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of averaging, and of comparing every two items, including the power."""
        return 50.0 * n_interactions + (40.0 * n_items * n_items if config.form == "content" else 0.0)


@compiled
def fill_weights(vectors: Sparse, by_feature: Sparse, alpha: float, weights: FloatArray) -> None:
    """Fill `weights` (D, I), initially 0, with sign(s) |s|^alpha, where s is the cosine of D items with all items.

    Args:
        vectors: (D, F) rows of length 1.
        by_feature: (F, I) transposed vectors of all items.
        alpha: Exponent.
        weights: Updated in place.
    """
    whole = int(alpha)
    cosine = np.empty(weights.shape[1])
    for row in range(len(weights)):
        cosine[:] = 0.0
        for entry in range(vectors.start[row], vectors.start[row + 1]):
            feature, value = vectors.column[entry], vectors.value[entry]
            for place in range(by_feature.start[feature], by_feature.start[feature + 1]):
                cosine[by_feature.column[place]] += value * by_feature.value[place]
        for item in range(len(cosine)):
            size = abs(cosine[item])
            if size == 0.0:
                continue
            power = 1.0
            if whole == alpha:
                for _ in range(whole):
                    power *= size
            else:
                power = size**alpha
            weights[row, item] = power if cosine[item] > 0.0 else -power


@compiled
def add_weighted_means(
    histories: Sparse, items: IntArray, weights: FloatArray, totals: FloatArray, beta: float, scores: FloatArray
) -> None:
    """Add beta times the weighted mean of each history to `scores`, unless all weights are 0.

    Args:
        histories: (B, D) deviations of the ratings.
        items: (D,) positions of the items in the histories.
        weights: (D, I) weights between these and all items.
        totals: (2, I) sums of w_ij and |w_ij| over all items, where unrated items have deviation -1; or (2, 0) for a
            mean over the history alone.
        beta: Factor of the mean.
        scores: (B, I), updated in place.
    """
    size = scores.shape[1]
    over_all = totals.shape[1] > 0
    sums, divisors = np.zeros(size), np.zeros(size)
    for user in range(len(scores)):
        if histories.start[user] == histories.start[user + 1]:
            continue
        for item in range(size):
            sums[item] = -totals[0, item] if over_all else 0.0
            divisors[item] = totals[1, item] if over_all else 0.0
        for entry in range(histories.start[user], histories.start[user + 1]):
            column, told = histories.column[entry], histories.value[entry]
            source, own = weights[column], items[column]
            sum_before, divisor_before = sums[own], divisors[own]
            for item in range(size):
                sums[item] += source[item] * told
            if not over_all:
                for item in range(size):
                    divisors[item] += abs(source[item])
            sums[own], divisors[own] = sum_before, divisor_before
        for item in range(size):
            if divisors[item] > 0.0:
                scores[user, item] += beta * sums[item] / divisors[item]
