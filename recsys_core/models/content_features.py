r"""Content vectors: what a person likes and what an item is, in one space of categories, words, numbers and attributes.

The item's vector is x_i (see `content.item_vectors`). What a person liked makes their profile, a weighted mean:

    p_u = sum_j w_uj x_j / sum_j |w_uj|

    liked:      w_uj = 1 + r_uj - mu_u for items rated at or above the own mean mu_u, else 0
    deviation:  w_uj = r_uj - mu_u, so that what was disliked pushes away
    equal:      w_uj = 1

Where people did not rate, liked and deviation take the confidence of the interaction (`weights.py`): w_uj = c_uj, 1
without weights.

It is joined with the person's attributes a_u (age, city, ... as far as there is a table of users, each column less its
mean). So that the two can be compared, an item has such a part too, its audience: the mean of the attributes of those
who liked it, shrunk to nothing where they are few:

    g_i = sum_{u in L(i)} a_u / (|L(i)| + shrinkage)

    score:  x_ui = cos([sqrt(1 - weight) p_u ; sqrt(weight) a_u], [sqrt(1 - weight) x_i ; sqrt(weight) g_i])

with p_u, a_u and x_i of length 1 (or 0, where nothing is known), g_i shorter the more its people differ, and weight the
`attribute_weight`. An item that nobody chose has its content alone and is scored like any other; a user without a
history is scored by attributes; of an unknown person only the history is known. Where neither is known there is no
score.

The score is a sum over columns of products, so it explains itself by the categories, words and attributes that matched.

Source: the source document, section 2, points 3 and 4 (profiles and features in vector space) and 1.2; Lops, de Gemmis
and Semeraro 2011, "Content-based recommender systems", section 3.3.1. The audience is our reading of 'joined'.
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, diags_array, hstack

from recsys_core.contracts import (
    PAD,
    Ability,
    Explanation,
    FloatArray,
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
from recsys_core.models.content import as_bytes, balanced, from_bytes, item_vectors, rating_means
from recsys_core.models.histories import history_matrix
from recsys_core.profiles.features import unit_rows, user_attributes

NEAR = 1e-9
"""A rating that misses the own mean by so little reaches it."""


class ContentFeaturesConfig(ModelConfig):
    """Settings of content vectors."""

    liking: Annotated[Literal["liked", "deviation", "equal"], Knob()] = "liked"
    """How items weigh in the profile: only liked ones, disliked ones pushing away, or all alike.

    Without ratings, liked and deviation weigh items by the confidence of the interaction, 1 without event weights.
    """
    attribute_weight: Annotated[float, Field(ge=0, le=0.99), Knob(0, 0.8, symbol="a")] = 0.2
    """Share of the person's attributes (and of the item's audience) beside content; without a user table it is 0."""
    shrinkage: Annotated[float, Field(ge=0, le=10_000), Knob(1, 100, scale="log", symbol=r"\beta")] = 10.0
    """People who must have liked an item before its audience counts by half."""


def content_formula(config: ContentFeaturesConfig, *, rated: bool = True, weighted: bool = False) -> str:
    """Return the formula with these settings as LaTeX.

    Args:
        config: Settings.
        rated: Whether the data have ratings.
        weighted: Whether the data have weights.
    """
    weight = "c_{uj}" if weighted else "1"
    if config.liking == "equal":
        weight = "1"
    elif rated:
        liked = r"[r_{uj} \ge \mu_u] \, (1 + r_{uj} - \mu_u)"
        weight = liked if config.liking == "liked" else r"r_{uj} - \mu_u"
    joined = r"[\sqrt{1 - a} \, p_u; \sqrt{a} \, a_u], [\sqrt{1 - a} \, x_i; \sqrt{a} \, g_i]"
    compared = joined if config.attribute_weight > 0 else "p_u, x_i"
    profile = r"p_u = \frac{\sum_{j \in P(u)} w_{uj} x_j}{\sum_{j \in P(u)} |w_{uj}|}"
    return rf"\hat{{x}}_{{ui}} = \cos\left({compared}\right), \quad {profile}, \quad w_{{uj}} = {weight}"


class ContentFeatures(Recommender[ContentFeaturesConfig]):
    """Scores an item by the angle between its vector and the person's profile."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="content_features",
        title="Content vectors (cosine)",
        family="content-based",
        idea="Recommends items whose features match the user's profile; new items can be recommended, too.",
        formula=content_formula(ContentFeaturesConfig()),
        source="The source document, section 2, points 3 and 4; Lops, de Gemmis and Semeraro 2011, section 3.3.1",
        needs=frozenset({Need.ITEM_FEATURES}),
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        weights="Without ratings, an item counts in the user's profile by log2(1 + weight / median weight), unless "
        "liking is 'equal'; with ratings, weights are ignored.",
        views=("profile_terms",),
    )
    config_type = ContentFeaturesConfig
    fitted = ("rated", "content", "attributes", "items", "names")

    @classmethod
    def formula_of(cls, config: ContentFeaturesConfig, *, rated: bool, weighted: bool) -> str:
        """Return what is compared, and how what the user chose weighs in the profile."""
        return content_formula(config, rated=rated, weighted=weighted)

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        self.rated = np.array(train.has_ratings)
        for _ in ctx.track(range(1), stage="describe items"):
            described = item_vectors(train, self.info.title)
            self.content = described.matrix  # (I, F)
        names = list(described.names)
        self.attributes = csr_array((self.n_users, 0), dtype=np.float64)  # (U, A)
        for _ in ctx.track(range(1), stage="describe users"):
            if train.users is not None:
                known = balanced(user_attributes(train))
                names += [f"people: {name}" for name in known.names]
                self.attributes = _centred_units(known.matrix)
        for _ in ctx.track(range(1), stage="find each item's audience"):
            values = train.matrix("rating") if train.has_ratings else self._training_confidence(train)
            weights = self._weights(values.astype(np.float64))
            liked = csr_array((weights > 0).astype(np.float64))  # (U, I)
            number = np.asarray(liked.sum(axis=0)).ravel() + self.config.shrinkage
            audience = diags_array(1 / np.where(number > 0, number, 1.0)) @ (liked.T @ self.attributes)
            self.items = self._joined(self.content, csr_array(audience))  # (I, F + A)
        self.names = as_bytes(names)
        self._loaded()

    def _loaded(self) -> None:
        """Turn the vectors round, so that one person is compared with all items."""
        self.by_column = sparse(self.items.T.tocsr())

    def _score(self, query: QueryBatch) -> FloatArray:
        people = self._people(query)
        scores = np.full((len(query), self.n_items), np.nan)
        fill_products(sparse(people), self.by_column, scores)
        return scores

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into the columns that person and item have in common, strongest first.

        Raises:
            CannotScore: Nothing is known of the person.
        """
        score = self._score_to_explain(query, item)
        shares = csr_array(self._people(query).multiply(self.items[[item]]))
        order = np.argsort(-np.abs(shares.data), kind="stable")
        names = from_bytes(self.names)
        columns = shares.indices[order].astype(np.int64)
        labels = tuple(names[column] for column in columns)
        return Explanation(item, score, "terms", columns, shares.data[order], 0.0, labels)

    def _weights(self, ratings: csr_array) -> csr_array:
        """(B, I) w_uj of what each user rated, or of the confidence of what they chose."""
        if self.config.liking == "equal":
            return csr_array((np.ones(ratings.nnz), ratings.indices, ratings.indptr), shape=ratings.shape)
        if not self.rated:
            return ratings
        means, _ = rating_means(ratings)
        deviations = ratings.data - np.repeat(means, np.diff(ratings.indptr))
        if self.config.liking == "liked":
            deviations = np.where(deviations >= -NEAR, 1.0 + deviations, 0.0)
        weights = csr_array((deviations, ratings.indices, ratings.indptr), shape=ratings.shape)
        weights.eliminate_zeros()
        return weights

    def _people(self, query: QueryBatch) -> csr_array:
        """(B, F + A) profiles joined with attributes, of length 1; 0 where nothing is known."""
        values = history_matrix(query, self.n_items, "rating") if self.rated else self._history_confidence(query)
        weights = self._weights(values)
        known = csr_array(diags_array((query.user != PAD).astype(np.float64)) @ self.attributes[query.user])
        return self._joined(unit_rows(csr_array(weights @ self.content)), known)

    def _joined(self, content: csr_array, attributes: csr_array) -> csr_array:
        """(R, F + A) the two parts side by side, by their weights, of length 1."""
        share = self.config.attribute_weight if attributes.shape[1] else 0.0
        return unit_rows(csr_array(hstack([np.sqrt(1 - share) * content, np.sqrt(share) * attributes], format="csr")))

    @classmethod
    def memory_estimate(cls, config: ContentFeaturesConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the interactions, and of users and items as vectors of some 30 entries."""
        return 1500 * (n_items + n_users) + super().memory_estimate(config, n_users, n_items, n_interactions)

    @classmethod
    def work_estimate(cls, config: ContentFeaturesConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of describing items and users, and of adding up audiences."""
        return 100.0 * n_interactions + 20_000.0 * (n_items + n_users)


def _centred_units(matrix: csr_array) -> csr_array:
    """Return (R, A) rows less the mean of each column, of length 1."""
    dense = matrix.toarray()
    return unit_rows(csr_array(dense - dense.mean(axis=0)))


@compiled
def fill_products(people: Sparse, by_column: Sparse, scores: FloatArray) -> None:
    """Fill `scores` (B, I), NaN, with the product of each person's vector with those of all items; people whose vector
    is empty keep NaN.

    Args:
        people: (B, F).
        by_column: (F, I) items, turned round.
        scores: Changed in place.
    """
    for person in range(len(scores)):
        if people.start[person] == people.start[person + 1]:
            continue
        row = scores[person]
        row[:] = 0.0
        for entry in range(people.start[person], people.start[person + 1]):
            column, value = people.column[entry], people.value[entry]
            for place in range(by_column.start[column], by_column.start[column + 1]):
                row[by_column.column[place]] += value * by_column.value[place]
