"""Topic latent factor model of the source document: an item is a mixture of topics, a user the sum of rated items.

    phi_i = softmax(W x_i + f_i)            share of each topic t in item i: phi_it >= 0, sum_t phi_it = 1
    p_i = sum_t phi_it theta_t              the factors of item i
    s_ui = lambda_i + b_i + |P(u)|^-1/2 sum_{j in P(u), j != i} w_uj p_i . p_j,     w_uj = r_uj - mu_u

x_i are the item's attributes (categories, topics of its words, numbers, dates, given vectors), f_i is a free parameter;
without an item table phi_i depends on f_i alone. lambda_i is the score expected from the attributes by ridge
regression; an item without ratings has b_i = 0 and f_i = 0 and is scored by its attributes. theta, W, f and b are
learned by stochastic gradient descent on the squared error of s_ui. Users have no parameters, so unknown users are
scored like known ones.

Interpretation of the document, and departures from its text:

- Observed ratings alone carry no information about unrated items. So, for each rating, n unrated items of the user are
  sampled as negatives in each epoch, with an imputed rating `unrated_gap` below the user's mean rating m_u. mu_u is
  the mean including these, m_u - gap n / (1 + n). With n = 0 this is the document's text, and ranks badly: on ML-1M (a
  random share of each user held out) the validation NDCG@10 was 0.002, that of popularity 0.083, with n = 8 it was
  0.155. Without ratings, each interaction counts as a rating of m_u, and w_uj is multiplied by the confidence c_uj of
  the interaction (`weights.py`), 1 without weights. With ratings, interaction weights are ignored.
- Ratings and scores are deviations from mu_u, in units of the range of the rating scale.
- The sum excludes the item itself, which would otherwise explain its own rating.
- Optimization uses Adam over batches of users, with a linearly decreasing learning rate.

Source: source document, section 3, 1.3; imputed ratings as in Steck 2010, "Training and Testing of Recommender Systems
on Data Missing Not at Random", section 4.2; the excluded item as in Kabbur et al. 2013, "FISM", eq. 3.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.batches import BoolArray, FloatArray, QueryBatch
from recsys_core.contracts import SOURCE_DOCUMENT, Ability, Explanation, Knob, ModelConfig, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import ConfigError
from recsys_core.models.adam import Adam
from recsys_core.models.base import Recommender
from recsys_core.models.biased_mf import add_products
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.models.lfm_descent import Known, Parameters, Visits, affinities, gradient, in_single_precision
from recsys_core.profiles.features import Features, item_features
from recsys_core.text import _
from recsys_core.training.epochs import run_epochs

GROUPS, SMALLEST_GROUP = 100, 8
"""Maximum number of user batches per epoch, and minimum number of users per batch."""
DENSE = 0.2
"""Attribute matrices with a larger share of nonzeros are multiplied as dense matrices, which is faster."""
WORD_TOPICS = 32
"""Number of text topics that replace the words of titles and texts."""
ITEM_PARTS = ("categories", "topics", "numbers", "dates", "embedding")


class LfmConfig(ModelConfig):
    """Settings of the topic latent factor model."""

    topics: Annotated[int, Field(ge=1, le=2000), Knob(8, 128, scale="log", symbol="T")] = 32
    """Number of topics that items are mixtures of."""
    factors: Annotated[int, Field(ge=1, le=2000), Knob(8, 128, scale="log", symbol="D")] = 32
    """Number of latent factors per topic."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(5, 50, scale="log")] = 20
    """Number of passes over the training ratings."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(5e-3, 0.2, scale="log", symbol=r"\gamma")] = 0.05
    """Step size of Adam in the first epoch; it decreases linearly to 0 after the last epoch."""
    regularization: Annotated[float, Field(ge=0, le=10), Knob(1e-4, 0.1, scale="log", symbol=r"\lambda_p")] = 0.001
    """L2 regularization of item factors and biases."""
    unrated_per_rating: Annotated[
        int, Field(ge=0, le=100), Knob(1, 16, scale="log", symbol="n", label="Negatives per rating")
    ] = 8
    """Number of unrated items sampled per rating as negatives; 0 trains on observed ratings alone and ranks badly."""
    unrated_gap: Annotated[
        float, Field(gt=0, le=100), Knob(0.25, 4, scale="log", symbol="g", label="Rating gap of negatives")
    ] = 1.0
    """How far below the user's mean rating the imputed rating of a negative lies, in units of the range of the rating
    scale: 1 is 4 stars on a scale from 1 to 5. Larger values give more weight to which items were chosen, and less to
    how they were rated."""
    use_attributes: Annotated[bool, Knob(label="Use item features")] = True
    """Whether topics and expected scores also depend on the item table, if there is one."""
    attribute_shrinkage: Annotated[
        float, Field(gt=0, le=1e9), Knob(1, 1e4, scale="log", symbol=r"\beta", label="Feature regularization")
    ] = 100.0
    """L2 penalty of the ridge regression of expected scores on item features, in ratings."""


def lfm_formula(config: LfmConfig, *, rated: bool = True, weighted: bool = False) -> str:
    """Return the formula with these settings as LaTeX.

    Args:
        config: Settings.
        rated: Whether the data have ratings.
        weighted: Whether the data have weights.
    """
    count = r"(r_{uj} - \mu_u)"
    if not rated:
        count = (r"c_{uj} \, " if weighted else "") + r"\frac{g \, n}{1 + n}"
    expected, mixture = (r"\lambda_i", "W x_i + f_i") if config.use_attributes else (r"\lambda", "f_i")
    others = r"j \in P(u),\, j \neq i"
    return (
        rf"\hat{{r}}_{{ui}} = {expected} + b_i + |P(u)|^{{-1/2}} \sum_{{{others}}} {count} \, p_i^\top p_j,"
        rf" \quad p_i = \sum_t \varphi_{{it}} \theta_t, \quad \varphi_i = \mathrm{{softmax}}({mixture})"
    )


class Lfm(Recommender[LfmConfig]):
    """Scores an item by the similarity of its topic mixture to those of the items in the history."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="lfm",
        title="Topic LFM",
        family="matrix factorization",
        idea="Represents each item as a mixture of latent topics, and each user by the items they rated.",
        formula=lfm_formula(LfmConfig()),
        source=f"{SOURCE_DOCUMENT}, section 3, 1.3; unrated items after Steck 2010",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        stochastic=True,
        weights="Without ratings, log2(1 + weight / median weight) multiplies an item's share in the user's sum and "
        "its target; with ratings, weights are ignored.",
        views=("topics", "space"),
    )
    config_type = LfmConfig
    fitted = ("topic_factors", "affinity", "attribute_topics", "expected", "item_bias", "scale_width")
    scores_in_threads = True

    formula_of = staticmethod(lfm_formula)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        if not train.has_ratings and self.config.unrated_per_rating == 0:
            raise ConfigError(_("Without ratings there is nothing to learn with unrated_per_rating=0; set it above 0."))
        scale = train.rating_scale
        self.scale_width = np.array((scale.high - scale.low) or 1.0 if scale else np.nan)
        values = train.matrix("rating") if train.has_ratings else self._training_confidence(train)
        ratings = self._deviations(values)  # (U, I)
        rated = np.bincount(ratings.indices, minlength=self.n_items) > 0
        found = self.attributes(train) if self.config.use_attributes else None
        attributes = found.matrix if found is not None else csr_array((self.n_items, 0))  # (I, F)
        self.expected = self._expected(ratings, attributes, rated)
        held = attributes.astype(np.float32)
        dense = held.nnz > DENSE * self.n_items * held.shape[1]
        known = Known(self.expected, held.toarray() if dense else held, rated, self.config.regularization)
        self._descend(ratings, known, ctx)

    @staticmethod
    def attributes(dataset: Dataset) -> Features | None:
        """Return the attributes x (I, F) of affinities and expected scores; None without an item table.

        Column f corresponds to row f of `attribute_topics`, if the model was trained with attributes.
        """
        if dataset.items is None:
            return None
        return item_features(dataset, parts=ITEM_PARTS, components=WORD_TOPICS)

    def _descend(self, ratings: csr_array, known: Known, ctx: RunContext) -> None:
        parameters = self._start(known, ctx)
        adam, rng = Adam(parameters), ctx.rng("lfm", "order")
        candidates = np.flatnonzero(known.rated).astype(np.int32)
        groups = max(1, min(GROUPS, self.n_users // SMALLEST_GROUP))
        n = self.config.unrated_per_rating

        def one_epoch(number: int) -> Mapping[str, float]:
            drawn = candidates[rng.integers(0, len(candidates), ratings.nnz * n, dtype=np.int32)]
            visits = Visits(in_single_precision(ratings), drawn, self._unrated)
            squared, pairs = 0.0, 0
            for group, people in enumerate(np.array_split(rng.permutation(self.n_users), groups)):
                more, visited, slope = gradient(parameters, known, visits, people)
                left = 1 - (number - 1 + group / groups) / self.config.epochs
                adam.step(slope, self.config.learning_rate * left)
                squared, pairs = squared + more, pairs + visited
            self._take(parameters, known)
            return {"rmse": float(np.sqrt(squared / max(pairs, 1)))} | dict(self._measured(ctx))

        run_epochs(one_epoch, self.config.epochs, ctx)

    def _start(self, known: Known, ctx: RunContext) -> Parameters:
        """Return initial parameters: random topics of norm about 1, random affinities, zero attributes and biases."""
        rng, n_topics = ctx.rng("lfm", "start"), self.config.topics
        topics = rng.normal(0.0, self.config.factors**-0.5, (n_topics, self.config.factors))
        free = rng.normal(0.0, 1.0, (self.n_items, n_topics)) * known.rated[:, None]
        by_attribute = np.zeros((known.attributes.shape[1], n_topics))
        return Parameters(*(part.astype(np.float32) for part in (topics, free, by_attribute, np.zeros(self.n_items))))

    def _take(self, parameters: Parameters, known: Known) -> None:
        """Store the current parameters."""
        self.topic_factors = parameters.topics.copy()  # (T, D)
        self.affinity = affinities(parameters, known.attributes)  # (I, T)
        self.attribute_topics = parameters.by_attribute.copy()  # (F, T)
        self.item_bias = parameters.item_bias.copy()  # (I,)
        self._loaded()

    def _loaded(self) -> None:
        """Derive the item factors and the part of the scores that is the same for every user."""
        self.item_factors = self.affinity.astype(np.float64) @ self.topic_factors.astype(np.float64)  # (I, D)
        self.base = self.expected + self.item_bias  # (I,)

    @property
    def _unrated(self) -> float:
        """Value of a sampled negative: its imputed rating minus mu_u."""
        return -self.config.unrated_gap / (1 + self.config.unrated_per_rating)

    def _deviations(self, ratings: csr_array) -> csr_array:
        """Return w (B, I): each rating minus mu_u, in units of the scale's range; without ratings see the module."""
        lengths = np.diff(ratings.indptr)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        above = self.config.unrated_gap + self._unrated
        if np.isnan(self.scale_width):
            values = above * ratings.data.astype(np.float64)
        else:
            means = np.bincount(rows, ratings.data, minlength=len(lengths)) / np.maximum(lengths, 1)
            values = (ratings.data - means[rows]) / float(self.scale_width) + above
        return csr_array((values, ratings.indices, ratings.indptr), shape=ratings.shape)

    def _expected(self, ratings: csr_array, attributes: csr_array, rated: BoolArray) -> FloatArray:
        """Return lambda (I,): the expected mean score given the attributes.

        Ridge regression, with an unpenalized intercept, of the mean value of each item over its ratings and the
        expected number of its draws as a negative, weighted by their number.
        """
        draws = ratings.nnz * self.config.unrated_per_rating / rated.sum()
        weight = np.bincount(ratings.indices, minlength=self.n_items) + draws * rated
        total = np.bincount(ratings.indices, ratings.data, minlength=self.n_items) + self._unrated * draws * rated
        centre = total.sum() / weight.sum()
        inputs = attributes.toarray()
        middle = weight @ inputs / weight.sum()
        inputs -= middle
        weighted = inputs.T * weight  # (F, I)
        penalty = self.config.attribute_shrinkage * (1 + self.config.unrated_per_rating) * np.eye(inputs.shape[1])
        slopes = np.linalg.solve(weighted @ inputs + penalty, inputs.T @ (total - weight * centre))
        expected: FloatArray = centre + inputs @ slopes
        return expected

    def _score(self, query: QueryBatch) -> FloatArray:
        history = self.history_values(query)
        users = np.zeros((len(query), self.config.factors))
        add_histories(history, self.item_factors, users)
        scores = np.tile(self.base, (len(query), 1))
        add_products(users, np.ascontiguousarray(self.item_factors.T), scores)
        take_out_own(history, self.item_factors, scores)
        return scores

    def history_values(self, query: QueryBatch) -> Sparse:
        """(B, I) w_uj |P(u)|^-1/2, from the histories in the query."""
        deviations = self._deviations(self._history_values(query, rated=not np.isnan(self.scale_width)))
        lengths = np.diff(deviations.indptr)
        deviations.data /= np.sqrt(np.repeat(lengths, lengths))
        return sparse(deviations)

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` for the single user in `query` into contributions of the history items.

        The remainder is lambda_i + b_i, which is the same for all users.
        """
        score = self._score_to_explain(query, item)
        history = self.history_values(query)
        others = history.column != item
        sources = history.column[others].astype(np.int64)
        shares = history.value[others] * (self.item_factors[sources] @ self.item_factors[item])
        return Explanation(item, score, "history", sources, shares, float(self.base[item]))

    @classmethod
    def memory_estimate(cls, config: LfmConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of affinities and their gradients, factors, attributes, ratings and negatives."""
        per_item = 44 * config.topics + 24 * config.factors + 16 * WORD_TOPICS
        return n_items * per_item + n_interactions * (64 + 8 * config.unrated_per_rating)

    @classmethod
    def work_estimate(cls, config: LfmConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of the descent: some per pair and factor, and all affinities per batch."""
        visits = (1 + config.unrated_per_rating) * n_interactions * (20.0 + 2.0 * config.factors)
        groups = min(GROUPS, max(1, n_users // SMALLEST_GROUP))
        return config.epochs * (visits + groups * n_items * config.topics * (20.0 + config.factors / 4.0))


@compiled
def add_histories(history: Sparse, factors: FloatArray, users: FloatArray) -> None:
    """Add to each row of `users` (B, D) the weighted factors (I, D) of the history."""
    for user in range(len(users)):
        for place in range(history.start[user], history.start[user + 1]):
            for d in range(users.shape[1]):
                users[user, d] += history.value[place] * factors[history.column[place], d]


@compiled
def take_out_own(history: Sparse, factors: FloatArray, scores: FloatArray) -> None:
    """Subtract from the score of each history item the contribution of the item itself; `scores` is (B, I)."""
    for user in range(len(scores)):
        for place in range(history.start[user], history.start[user + 1]):
            item = history.column[place]
            own = 0.0
            for d in range(factors.shape[1]):
                own += factors[item, d] * factors[item, d]
            scores[user, item] -= history.value[place] * own
