r"""Content and means: what a person rated like this item, beside how this person and this item are rated on the whole.

The document (section 3, 1.2, 'content-based algorithm') scores item i for user u by

    R_ui = (beta * sum_{j in J} R_uj + mu_ui + nu_iu) / (|I|^alpha + |U|)

and leaves most of its letters open. P(u) are the items that u rated, R(i) the users who rated i.

**literal** (`form="literal"`): word by word, J = I = P(u), U = R(i), mu_ui = mu_u the mean rating of u, nu_iu = nu_i
the mean rating of i:

    R_ui = (beta * sum_{j in P(u)} R_uj + mu_u + nu_i) / (|P(u)|^alpha + |R(i)|)

Why it fails: the sum does not depend on i, so for one person the order is that of (c_u + nu_i) / (d_u + |R(i)|). It
falls with the number of people who rated i, and prefers what hardly anybody knows: on ml-latest-small, with alpha = 1,
its NDCG@10 is 0.001. A large alpha drowns that, and leaves the order of nu_i, the same for everybody. The document says
itself that the formula 'cannot catch the real interest'. It needs no item table.

**content** (`form="content"`): the sum is weighted by how alike the items are, and normalised by those weights:

    R_ui = mu_u + nu_i + beta * sum_{j in J, j != i} w_ij (R_uj - mu_u) / sum_{j in J, j != i} |w_ij|
    w_ij = sign(s_ij) |s_ij|^alpha,     s_ij the cosine of the vectors of i and j (see `content.item_vectors`)

alpha is the document's 'the larger, the clearer the preference': it lets the most similar items decide. What J is, and
R_uj where u did not rate j, the document does not say (`unrated`):

- "zero": J are all items and R_uj = 0 where u did not rate, as the matrix of step 1 has it; mu_u is the mean of the row
  and deviations are counted in units of it, so that active and quiet people are served alike. What a person chose
  speaks, beside how they rated it.
- "left_out": J = P(u), and mu_u is the mean rating. Only higher and lower ratings speak. Among popular items ratings
  tell little: chosen on validation parts, this reaches popularity at best (ML-1M, NDCG@10: 0.135 against 0.135), where
  "zero" goes well beyond it (0.178 against 0.133, 1000 users).

The document asks for mean, deviation and relative confidence of each item. Mean and confidence make nu_i:

    nu_i = n_i / (n_i + shrinkage * max n) * mean_i,     n_i = |R(i)|

A mean of few ratings counts less, and for an item that nobody rated nu_i = 0. `shrinkage` is in raters of the most
rated item, so that one value suits small and large data. The literal form, whose text has the plain mean as nu_i, has
shrinkage 0 unless another is set; the content form has 0.5. The deviation enters no formula of the document.

The weights of interactions are ignored: only ratings are averaged.

Departures: the letters as read above; in the content form, the denominator; the item itself has no say about itself.
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import (
    IGNORES_WEIGHTS,
    Ability,
    Explanation,
    FloatArray,
    IntArray,
    Knob,
    ModelConfig,
    ModelInfo,
    Need,
    QueryBatch,
    RunContext,
)
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.models.content import item_vectors, rating_means
from recsys_core.models.histories import history_matrix
from recsys_core.training.blocks import run_in_blocks

SIMILARITY_BYTES = 256 * 2**20
"""Similarities take so many bytes at a time."""
BLOCK = 64
"""Items that a thread compares with all at a time."""


class ContentMeanConfig(ModelConfig):
    """Settings of content and means."""

    form: Annotated[Literal["content", "literal"], Knob()] = "content"
    """The reading with content, or the document's formula word by word, which prefers what nobody knows."""
    unrated: Annotated[Literal["zero", "left_out"], Knob()] = "zero"
    """Content: whether what a person did not rate counts as 0, so that choosing speaks, or is left out of the mean."""
    alpha: Annotated[float, Field(ge=0, le=10), Knob(0.5, 4, symbol=r"\alpha")] = 3.0
    """Content: the larger, the more the most similar items decide. Literal: power of the number of rated items."""
    beta: Annotated[float, Field(ge=0, le=1000), Knob(0.1, 10, scale="log", symbol=r"\beta")] = 0.3
    """Weight of what the person rated beside the means."""
    shrinkage: Annotated[float, Field(ge=0, le=1000), Knob(0.05, 5, scale="log", symbol=r"\kappa")] | None = None
    """Raters at which an item's mean counts by half, as a share of those of the most rated item; 0 takes it as it is.

    Not set: 0.5 in the content form, 0 in the literal form, whose text has the plain mean.
    """

    @property
    def mean_shrinkage(self) -> float:
        """The shrinkage of the items' means that acts."""
        if self.shrinkage is not None:
            return self.shrinkage
        return 0.0 if self.form == "literal" else 0.5


def mean_formula(config: ContentMeanConfig) -> str:
    """Return the formula with these settings as LaTeX."""
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


class ContentMean(Recommender[ContentMeanConfig]):
    """Scores an item by the means of person and item, and by what the person rated that is like it."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="content_mean",
        title="Content kNN with means",
        family="content-based",
        idea="Combines the user's ratings of similar items with the mean ratings of the user and of the item.",
        formula=mean_formula(ContentMeanConfig()),
        source="The source document, section 3, 1.2, read as its docstring says; form=literal is its formula",
        needs=frozenset({Need.RATINGS}),
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        weights=IGNORES_WEIGHTS,
        views=("matched_terms",),
    )
    config_type = ContentMeanConfig
    fitted = ("mean", "item_level", "raters", "vectors", "sums")

    @classmethod
    def formula_of(cls, config: ContentMeanConfig, *, rated: bool, weighted: bool) -> str:
        """Return the formula of the form that is chosen."""
        return mean_formula(config)

    @classmethod
    def source_of(cls, config: ContentMeanConfig) -> str:
        """Return the document's section, word by word or as read."""
        return "The source document, section 3, 1.2, word by word" if config.form == "literal" else cls.info.source

    def needs(self) -> frozenset[Need]:
        """Return what these settings need: the literal form looks at no content."""
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
        """Turn the vectors round, so that one item is compared with all."""
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
        level = self._person_levels(ratings)
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
        """Split the score of `item` into the shares of the history; the means are the remainder.

        With `unrated="zero"` the remainder also holds what all that was not rated takes away.
        """
        score = self._score_to_explain(query, item)
        ratings = history_matrix(query, self.n_items, "rating")
        sources, level = ratings.indices.astype(np.int64), self._person_levels(ratings)
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
        spoke = weights != 0
        return Explanation(item, score, "history", sources[spoke], shares[spoke], remainder)

    def _person_levels(self, ratings: csr_array) -> FloatArray:
        """(B,) mu_u: mean rating of each person, that of everybody without a history; or the mean of the whole row."""
        if self.config.form == "content" and self.config.unrated == "zero":
            row_means: FloatArray = np.asarray(ratings.sum(axis=1)).ravel() / self.n_items
            return row_means
        means, number = rating_means(ratings)
        levels: FloatArray = np.where(number > 0, means, float(self.mean))
        return levels

    def _told(self, ratings: csr_array, level: FloatArray) -> csr_array:
        """(B, I) what each rating says: R_uj - mu_u, or R_uj / mu_u where what was not rated counts as 0."""
        of_rating = np.repeat(level, np.diff(ratings.indptr))
        if self.config.unrated == "zero":
            told = np.divide(ratings.data, of_rating, out=np.zeros(ratings.nnz), where=of_rating > 0)
        else:
            told = ratings.data - of_rating
        return csr_array((told, ratings.indices, ratings.indptr), shape=ratings.shape)

    def _divisor(self, ratings: csr_array) -> FloatArray:
        """(B, I) |P(u)|^alpha + |R(i)|, at least 1: neither a history nor raters leave nothing to divide by."""
        own = np.diff(ratings.indptr).astype(np.float64) ** self.config.alpha
        divisor: FloatArray = np.maximum(own[:, None] + self.raters, 1.0)
        return divisor

    def _weights(self, items: IntArray) -> FloatArray:
        """(D, I) float32 w_ij of some items with all."""
        weights = np.zeros((len(items), self.n_items), dtype=np.float32)
        fill_weights(sparse(self.vectors[items]), self.by_feature, self.config.alpha, weights)
        return weights

    def _blocks(self, ratings: csr_array) -> Iterator[tuple[int, int]]:
        """Yield ranges of people whose histories need no more similarities than may be held at a time."""
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
        """Return the bytes of the ratings by user and by item, and of the item table as vectors of some 30 entries."""
        return (1500 + 8 * BLOCK) * n_items + super().memory_estimate(config, n_users, n_items, n_interactions)

    @classmethod
    def work_estimate(cls, config: ContentMeanConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of averaging, and of comparing each two items, with a power for each."""
        return 50.0 * n_interactions + (40.0 * n_items * n_items if config.form == "content" else 0.0)


@compiled
def fill_weights(vectors: Sparse, by_feature: Sparse, alpha: float, weights: FloatArray) -> None:
    """Fill `weights` (D, I), zeros, with sign(s) |s|^alpha, s the cosine of each of D items with all.

    Args:
        vectors: (D, F) rows of length 1.
        by_feature: (F, I) those of all items, turned round.
        alpha: Power.
        weights: Changed in place.
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
    """Add beta times the weighted mean of each history to `scores`; nothing where all weights are 0.

    Args:
        histories: (B, D) what each rating says.
        items: (D,) positions of the items that occur in histories.
        weights: (D, I) of those with all items.
        totals: (2, I) sums of w_ij and |w_ij| over all items, of which what was not rated says -1 each; or (2, 0): the
            mean is over the history alone.
        beta: Factor of the mean.
        scores: (B, I), changed in place.
    """
    size = scores.shape[1]
    over_all = totals.shape[1] > 0
    sums, divisors = np.zeros(size), np.zeros(size)
    for person in range(len(scores)):
        if histories.start[person] == histories.start[person + 1]:
            continue
        for item in range(size):
            sums[item] = -totals[0, item] if over_all else 0.0
            divisors[item] = totals[1, item] if over_all else 0.0
        for entry in range(histories.start[person], histories.start[person + 1]):
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
                scores[person, item] += beta * sums[item] / divisors[item]
