r"""Content vectors: cosine similarity of user profiles and items in one space of item features and user attributes.

The item's vector is x_i (see `content.item_vectors`). The user's profile is a weighted mean of the items' vectors:

    p_u = sum_j w_uj x_j / sum_j |w_uj|

    `liked`:      w_uj = 1 + r_uj - mu_u for items rated at or above the user's mean mu_u, else 0
    `deviation`:  w_uj = r_uj - mu_u, so items rated below the mean have negative weight
    `equal`:      w_uj = 1

Without ratings, `liked` and `deviation` use the confidence of the interaction (`weights.py`): w_uj = c_uj, 1 without
weights.

The profile is concatenated with the user's attributes a_u (age, city, ..., if there is a user table; each column is
centered). The counterpart of the item is its audience: the mean of the attributes of the users with positive weight,
shrunk towards 0 if they are few:

    g_i = sum_{u in L(i)} a_u / (|L(i)| + shrinkage)

    score:  x_ui = cos([sqrt(1 - weight) p_u ; sqrt(weight) a_u], [sqrt(1 - weight) x_i ; sqrt(weight) g_i])

with p_u, a_u and x_i of length 1 (0 if unknown), g_i shorter the more its users differ, and weight the
`attribute_weight`. An item without interactions is scored by its content; a user without a history by their attributes;
an unknown user by their history. Without either there is no score.

The score is a sum of products over columns, so it can be explained by the matching categories, words and attributes.

Source: the source document, section 2, points 3 and 4 (profiles and features in vector space) and 1.2; Lops, de Gemmis
and Semeraro 2011, "Content-based recommender systems", section 3.3.1. The audience is our interpretation of 'joined'.
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, diags_array, hstack

from recsys_core.batches import PAD, FloatArray, QueryBatch
from recsys_core.contracts import (
    SOURCE_DOCUMENT,
    Ability,
    Explanation,
    FoldIn,
    Knob,
    ModelConfig,
    ModelInfo,
    Need,
    RunContext,
)
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender
from recsys_core.models.compiled import Sparse, compiled, sparse
from recsys_core.models.content import as_bytes, balanced, from_bytes, item_vectors, rating_means
from recsys_core.profiles.features import unit_rows, user_attributes

NEAR = 1e-9
"""Tolerance within which a rating counts as equal to the user's mean."""


class ContentFeaturesConfig(ModelConfig):
    """Settings of content vectors."""

    liking: Annotated[Literal["liked", "deviation", "equal"], Knob(label="Profile weights")] = "liked"
    """Weights of items in the user profile: 'liked' uses only items rated at or above the user's mean, 'deviation' the
    deviation from the mean (negative for disliked items), 'equal' 1 for all. Without ratings, the first two use the
    confidence of the interaction, 1 without event weights."""
    attribute_weight: Annotated[float, Field(ge=0, le=0.99), Knob(0, 0.8, symbol="a")] = 0.2
    """Weight of user attributes and item audiences in the cosine; item content has the rest. Without a user table it
    has no effect."""
    shrinkage: Annotated[
        float, Field(ge=0, le=10_000), Knob(1, 100, scale="log", symbol=r"\beta", label="Audience shrinkage")
    ] = 10.0
    """Shrinks the audience of an item, which is the mean of the attributes of the users it is relevant to, towards 0
    if they are few: with this many users it is halved."""


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
        from_mean = r"[r_{uj} \ge \mu_u] \, (1 + r_{uj} - \mu_u)"
        weight = from_mean if config.liking == "liked" else r"r_{uj} - \mu_u"
    joined = r"[\sqrt{1 - a} \, p_u; \sqrt{a} \, a_u], [\sqrt{1 - a} \, x_i; \sqrt{a} \, g_i]"
    compared = joined if config.attribute_weight > 0 else "p_u, x_i"
    profile = r"p_u = \frac{\sum_{j \in P(u)} w_{uj} x_j}{\sum_{j \in P(u)} |w_{uj}|}"
    return rf"\hat{{x}}_{{ui}} = \cos\left({compared}\right), \quad {profile}, \quad w_{{uj}} = {weight}"


class ContentFeatures(Recommender[ContentFeaturesConfig]):
    """Scores an item by the cosine similarity of its vector and the user's profile."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="content_features",
        title="Content vectors (cosine)",
        family="content-based",
        idea="Recommends items whose features match the user's profile; new items can be recommended, too.",
        formula=content_formula(ContentFeaturesConfig()),
        source=f"{SOURCE_DOCUMENT}, section 2, points 3 and 4; Lops, de Gemmis and Semeraro 2011, section 3.3.1",
        needs=frozenset({Need.ITEM_FEATURES}),
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        weights="Without ratings, an item's weight in the user profile is log2(1 + weight / median weight), unless "
        "liking is 'equal'; with ratings, weights are ignored.",
        views=("profile_terms",),
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="The history enters as in training; user attributes are unknown.",
    )
    config_type = ContentFeaturesConfig
    fitted = ("rated", "content", "attributes", "items", "names")

    formula_of = staticmethod(content_formula)

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
                names += [f"users: {name}" for name in known.names]
                self.attributes = _centred_units(known.matrix)
        for _ in ctx.track(range(1), stage="find each item's audience"):
            weights = self._weights(self._training_values(train).astype(np.float64))
            positive = csr_array((weights > 0).astype(np.float64))  # (U, I)
            number = np.asarray(positive.sum(axis=0)).ravel() + self.config.shrinkage
            audience = diags_array(1 / np.where(number > 0, number, 1.0)) @ (positive.T @ self.attributes)
            self.items = self._joined(self.content, csr_array(audience))  # (I, F + A)
        self.names = as_bytes(names)
        self._loaded()

    def _loaded(self) -> None:
        """Transpose the item vectors, so that one user is compared with all items."""
        self.by_column = sparse(self.items.T.tocsr())

    def _score(self, query: QueryBatch) -> FloatArray:
        users = self.profiles(query)
        scores = np.full((len(query), self.n_items), np.nan)
        fill_products(sparse(users), self.by_column, scores)
        return scores

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into the columns that user and item share, largest contributions first.

        Raises:
            CannotScore: The user has neither a history nor attributes.
        """
        score = self._score_to_explain(query, item)
        shares = csr_array(self.profiles(query).multiply(self.items[[item]]))
        order = np.argsort(-np.abs(shares.data), kind="stable")
        names = from_bytes(self.names)
        columns = shares.indices[order].astype(np.int64)
        labels = tuple(names[column] for column in columns)
        return Explanation(item, score, "terms", columns, shares.data[order], 0.0, labels)

    def _weights(self, ratings: csr_array) -> csr_array:
        """(B, I) w_uj, from ratings or from confidences."""
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

    def profiles(self, query: QueryBatch) -> csr_array:
        """Return (B, F + A) profiles concatenated with attributes, of length 1; 0 if nothing is known."""
        weights = self._weights(self._history_values(query, rated=bool(self.rated)))
        known = csr_array(diags_array((query.user != PAD).astype(np.float64)) @ self.attributes[query.user])
        return self._joined(unit_rows(csr_array(weights @ self.content)), known)

    def _joined(self, content: csr_array, attributes: csr_array) -> csr_array:
        """(R, F + A) the weighted concatenation of both parts, of length 1."""
        share = self.config.attribute_weight if attributes.shape[1] else 0.0
        return unit_rows(csr_array(hstack([np.sqrt(1 - share) * content, np.sqrt(share) * attributes], format="csr")))

    @classmethod
    def memory_estimate(cls, config: ContentFeaturesConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the interactions, and of user and item vectors with about 30 entries each."""
        return 1500 * (n_items + n_users) + super().memory_estimate(config, n_users, n_items, n_interactions)

    @classmethod
    def work_estimate(cls, config: ContentFeaturesConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of building the features of items and users, and of summing audiences."""
        return 100.0 * n_interactions + 20_000.0 * (n_items + n_users)


def _centred_units(matrix: csr_array) -> csr_array:
    """Return (R, A) rows with centered columns, normalized to length 1."""
    dense = matrix.toarray()
    return unit_rows(csr_array(dense - dense.mean(axis=0)))


@compiled
def fill_products(users: Sparse, by_column: Sparse, scores: FloatArray) -> None:
    """Fill `scores` (B, I), initially NaN, with the dot products of users and items; empty user vectors keep NaN.

    Args:
        users: (B, F).
        by_column: (F, I) transposed item vectors.
        scores: Updated in place.
    """
    for user in range(len(scores)):
        if users.start[user] == users.start[user + 1]:
            continue
        row = scores[user]
        row[:] = 0.0
        for entry in range(users.start[user], users.start[user + 1]):
            column, value = users.column[entry], users.value[entry]
            for place in range(by_column.start[column], by_column.start[column + 1]):
                row[by_column.column[place]] += value * by_column.value[place]
