r"""Hierarchical SVM: linear support vector machines for all users, for user segments and for each user.

At each level a linear SVM separates relevant from other items, and Platt scaling makes its decision a probability:

    f(x) = w . x + b          P(relevant | x) = 1 / (1 + exp(A f(x) + B))

- global: x = [item features; user features], trained on examples of all users;
- segment: the same, trained on the users of the segment (k-means over the user features);
- user: x = item features (user features are constant for one user), trained on this user alone.

The item features are its content, with words as topics (truncated SVD), its number of ratings, plain and as a
logarithm, and its mean rating. The user features are the attributes (if there is a user table) and the mean content of
the user's relevant items. A user's probability is a mixture of the three levels, each shrunk towards the level above:

    P_segment = v_s p_segment + (1 - v_s) p_global,     v_s = n_s / (n_s + shrinkage)
    P_user    = v_u p_user    + (1 - v_u) P_segment,       v_u = n_u / (n_u + shrinkage)

with n_s and n_u the number of examples of that level. A level with fewer than `LEAST` examples of either class has
weight 0. Platt's A and B are fitted to decisions on held-out thirds (3-fold cross-validation), to avoid overfitting.

An item is relevant if the user rated it at or above their mean. Negatives are the items rated below it and, since users
rarely rate items they would not choose, `unseen` sampled unseen items per relevant item. Without ratings, all items of
the history are relevant, and examples are weighted by the confidence of the interaction (`weights.py`; `sample_weight`
of LinearSVC: 1 without weights, and for unseen items). With ratings, interaction weights are ignored. Levels with more
than `most` examples use a random sample of them.

An unknown user is assigned to the nearest segment, and an SVM of their own is trained from their history at query time.

Source: the source document, section 2, point 2, which names 'SVM, probabilistic, hierarchical' without a formula: all
of the above is our interpretation. Platt 1999, "Probabilistic outputs for support vector machines"; LinearSVC of
scikit-learn.
"""

from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.batches import PAD, BoolArray, FloatArray, IntArray, QueryBatch
from recsys_core.contracts import SOURCE_DOCUMENT, FoldIn, Knob, ModelConfig, ModelInfo, Need, RunContext
from recsys_core.data import Dataset
from recsys_core.models.base import Recommender
from recsys_core.models.content import balanced, rating_means
from recsys_core.profiles.features import item_features, unit_rows, user_attributes

LEAST = 3
"""Minimum number of examples per class of a level: one for each held-out third."""
TOPICS = 20
"""Number of text topics that replace the words of items."""
MOST_OF_USER = 120
"""Maximum number of rated items of one user among the examples, with at most twice as many unseen items."""
BLOCK = 64
"""Number of users whose SVMs are trained between two progress reports."""


class Examples(NamedTuple):
    """Items (n,) of one user's examples, whether each is relevant, and its sample weight."""

    item: IntArray
    relevant: BoolArray
    weight: FloatArray

    def take(self, places: IntArray) -> "Examples":
        """Return a subset of the examples."""
        return Examples(self.item[places], self.relevant[places], self.weight[places])


class Machine(NamedTuple):
    """An SVM: weights (D,), and intercept, Platt's A and B, and the number of examples (0 without a trained SVM)."""

    weights: FloatArray
    numbers: FloatArray

    def probabilities(self, vectors: FloatArray, beside: float = 0.0) -> FloatArray:
        """Return (I,) P(relevant); `beside` is the part of the decision that all items share."""
        intercept, slope, offset = self.numbers[:3]
        decision = np.einsum("id,d->i", vectors, self.weights) + (intercept + beside)
        chance: FloatArray = 1.0 / (1.0 + np.exp(np.clip(slope * decision + offset, -50.0, 50.0)))
        return chance


class SvmHierarchyConfig(ModelConfig):
    """Settings of the hierarchical SVM."""

    segments: Annotated[int, Field(ge=1, le=100), Knob(2, 20, scale="log", label="User segments")] = 6
    """Number of user segments (k-means clusters)."""
    shrinkage: Annotated[float, Field(ge=0, le=1e6), Knob(1, 1000, scale="log", symbol=r"\beta")] = 30.0
    """Number of examples at which a level has the same weight as the level above it."""
    penalty: Annotated[float, Field(gt=0, le=1000), Knob(0.01, 10, scale="log", symbol="C")] = 0.1
    """Penalty C of the SVM's errors. Larger values mean less regularization and a closer fit to the examples."""
    unseen: Annotated[float, Field(gt=0, le=20), Knob(0.5, 8, scale="log", label="Negatives per relevant item")] = 4.0
    """Number of sampled unseen items per relevant item that serve as negative examples."""
    most: Annotated[
        int, Field(ge=100, le=1_000_000), Knob(500, 50_000, scale="log", advanced=True, label="Maximum examples")
    ] = 20_000
    """Maximum number of training examples of the global level and of each segment."""


class SvmHierarchy(Recommender[SvmHierarchyConfig]):
    """Scores an item by the probability that it is relevant, a mixture of three levels."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="svm_hierarchy",
        title="Hierarchical SVM",
        family="content-based",
        idea="Trains SVMs on item features for all users, for the user's segment and for the user, and blends them.",
        formula=r"P_u = v_u \, p_u + (1 - v_u)\left(v_s \, p_s + (1 - v_s) \, p_0\right), \quad"
        r" v = \frac{n}{n + \beta}, \quad p(x) = \frac{1}{1 + e^{A (w^\top x + b) + B}}",
        source=f"{SOURCE_DOCUMENT}, section 2, point 2, with its terms interpreted; Platt 1999",
        needs=frozenset({Need.ITEM_FEATURES}),
        stochastic=True,
        fold_in=FoldIn.APPROXIMATE,
        fold_in_note="A machine is trained on the history and joins the nearest segment; user attributes are unknown.",
        weights="Without ratings, log2(1 + weight / median weight) is the sample weight of an example in training; "
        "with ratings, weights are ignored.",
    )
    config_type = SvmHierarchyConfig
    fitted = (
        "items",
        "content_size",
        "attributes",
        "centres",
        "segment_of",
        "upper",
        "upper_numbers",
        "own",
        "own_numbers",
        "seed",
        "rated",
    )

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        self.rated, self.seed = np.array(train.has_ratings), np.array(ctx.seed)
        values = self._training_values(train).astype(np.float64)  # (U, I)
        for _ in ctx.track(range(1), stage="describe items and users"):
            self._describe(train, values)
            user_features = self._user_features(np.arange(self.n_users), values)  # (U, P)
            self._segment(user_features, ctx)
        parts = {user: self._examples(values, user) for user in range(self.n_users)}
        self._fit_upper(parts, user_features, ctx)
        self.own = np.zeros((self.n_users, self.items.shape[1]))
        self.own_numbers = np.zeros((self.n_users, 4))
        for first in ctx.track(range(0, self.n_users, BLOCK), stage="train an SVM for each user"):
            for user in range(first, min(first + BLOCK, self.n_users)):
                machine = self._machine(self.items[parts[user].item], parts[user])
                self.own[user], self.own_numbers[user] = machine

    def _describe(self, train: Dataset, values: csr_array) -> None:
        """Build the item features (I, D), the first `content_size` columns being content, and the attributes (U, A)."""
        content = unit_rows(balanced(item_features(train, components=TOPICS)).matrix).toarray()
        means, number = rating_means(values.T.tocsr())
        deviation = np.nan_to_num(means - np.nanmean(means)) * number / (number + 10.0)
        reception = np.column_stack([np.log1p(number), number, deviation])
        reception = (reception - reception.mean(axis=0)) / np.maximum(reception.std(axis=0), 1e-9)
        self.items = np.column_stack([content, reception])
        self.content_size = np.array(content.shape[1])
        self.attributes = np.zeros((self.n_users, 0))
        if train.users is not None:
            known = unit_rows(balanced(user_attributes(train)).matrix).toarray()
            self.attributes = known - known.mean(axis=0)

    def _user_features(self, users: IntArray, values: csr_array) -> FloatArray:
        """(B, P) attributes, 0 for unknown users, and the mean content of each user's relevant items."""
        attributes = np.where((users != PAD)[:, None], self.attributes[users], 0.0)
        relevant = csr_array(
            (self._is_relevant(values).astype(np.float64), values.indices, values.indptr), shape=values.shape
        )
        number = np.maximum(np.asarray(relevant.sum(axis=1)).ravel(), 1.0)
        profile = (relevant @ self.items[:, : int(self.content_size)]) / number[:, None]
        return np.column_stack([attributes, profile])

    def _is_relevant(self, values: csr_array) -> BoolArray:
        """(N,) whether each entry of a matrix is at or above its row's mean; without ratings, whether it is above 0."""
        if not self.rated:
            chosen: BoolArray = values.data > 0
            return chosen
        means, _ = rating_means(values)
        relevant: BoolArray = values.data >= np.repeat(means, np.diff(values.indptr)) - 1e-9
        return relevant

    def _segment(self, user_features: FloatArray, ctx: RunContext) -> None:
        from sklearn.cluster import KMeans

        number = min(self.config.segments, len(np.unique(user_features, axis=0)))
        seed = int(ctx.rng("svm_hierarchy", "segments").integers(2**31))
        found = KMeans(number, n_init=3, random_state=seed).fit(user_features)
        self.centres = found.cluster_centers_  # (S, P)
        self.segment_of = _nearest(user_features, self.centres)  # (U,)

    def _examples(self, values: csr_array, row: int) -> Examples:
        """Return one user's examples, determined by history and seed."""
        part = values[[row]]
        rng = np.random.default_rng([int(self.seed), *part.indices.tolist()])
        relevant, met = self._is_relevant(part), part.indices.astype(np.int64)
        weight = np.ones(len(met)) if self.rated else np.abs(part.data)
        if len(met) > MOST_OF_USER:
            chosen = np.sort(rng.choice(len(met), MOST_OF_USER, replace=False))
            relevant, met, weight = relevant[chosen], met[chosen], weight[chosen]
        others = np.setdiff1d(np.arange(self.n_items), part.indices)
        drawn = min(len(others), round(self.config.unseen * int(relevant.sum())), 2 * MOST_OF_USER)
        unseen = rng.choice(others, drawn, replace=False) if drawn else np.empty(0, dtype=np.int64)
        return Examples(
            np.concatenate([met, unseen]),
            np.concatenate([relevant, np.zeros(drawn, dtype=bool)]),
            np.concatenate([weight, np.ones(drawn)]),
        )

    def _fit_upper(self, parts: dict[int, Examples], user_features: FloatArray, ctx: RunContext) -> None:
        """Train the global SVM (row 0) and the SVMs of the segments (rows 1...)."""
        rows = len(self.centres) + 1
        self.upper = np.zeros((rows, self.items.shape[1] + user_features.shape[1]))
        self.upper_numbers = np.zeros((rows, 4))
        rng = ctx.rng("svm_hierarchy", "examples")
        for row in ctx.track(range(rows), stage="train global and segment SVMs"):
            members = np.arange(self.n_users) if row == 0 else np.flatnonzero(self.segment_of == row - 1)
            user = np.repeat(members, [len(parts[member].item) for member in members.tolist()])
            found = joined([parts[member] for member in members.tolist()])
            if len(user) > self.config.most:
                chosen = np.sort(rng.choice(len(user), self.config.most, replace=False))
                user, found = user[chosen], found.take(chosen)
            machine = self._machine(np.column_stack([self.items[found.item], user_features[user]]), found)
            self.upper[row], self.upper_numbers[row] = machine

    def _machine(self, vectors: FloatArray, examples: Examples) -> Machine:
        """Return a calibrated SVM that separates relevant rows from others of `vectors` (n, D)."""
        relevant, weight = examples.relevant, examples.weight
        nothing = Machine(np.zeros(vectors.shape[1]), np.zeros(4))
        if min(int(relevant.sum()), int((~relevant).sum())) < LEAST:
            return nothing
        from sklearn import config_context
        from sklearn.svm import LinearSVC

        fold = np.empty(len(relevant), dtype=np.int64)
        for kind in (True, False):
            fold[relevant == kind] = np.arange(int((relevant == kind).sum())) % LEAST
        decisions = np.empty(len(relevant))
        settings: dict[str, Any] = {"C": self.config.penalty, "dual": False, "tol": 1e-3}
        # of few examples, most of the time of a fit would be spent on checking its arguments
        with config_context(skip_parameter_validation=True, assume_finite=True):
            for held in range(LEAST):
                part = LinearSVC(**settings).fit(vectors[fold != held], relevant[fold != held], weight[fold != held])
                decisions[fold == held] = vectors[fold == held] @ part.coef_[0] + part.intercept_[0]
            whole = LinearSVC(**settings).fit(vectors, relevant, weight)
        slope, offset = platt(decisions, relevant)
        return Machine(whole.coef_[0], np.array([whole.intercept_[0], slope, offset, len(relevant)]))

    def _score(self, query: QueryBatch) -> FloatArray:
        values = self._history_values(query, rated=bool(self.rated))
        user_features = self._user_features(query.user, values)
        nearest = _nearest(user_features, self.centres)
        scores = np.empty((len(query), self.n_items))
        for row, user in enumerate(query.user):
            if user != PAD:
                segment, own = int(self.segment_of[user]), Machine(self.own[user], self.own_numbers[user])
            else:
                examples = self._examples(values, row)
                segment, own = int(nearest[row]), self._machine(self.items[examples.item], examples)
            scores[row] = self._mixed(user_features[row], segment, own)
        return scores

    def _mixed(self, user_features: FloatArray, segment: int, own: Machine) -> FloatArray:
        """(I,) the mixture of the three levels for one user with these features."""
        n_features = self.items.shape[1]
        levels = []
        for row in (0, segment + 1):
            weights, numbers = self.upper[row], self.upper_numbers[row]
            beside = float(np.einsum("d,d->", user_features, weights[n_features:]))
            levels.append((Machine(weights[:n_features], numbers).probabilities(self.items, beside), numbers[3]))
        levels.append((own.probabilities(self.items), own.numbers[3]))
        return mixture(levels, self.config.shrinkage)

    @classmethod
    def memory_estimate(cls, config: SvmHierarchyConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of vectors of about 60 values, of all examples, and of the examples of one level."""
        examples = min(n_interactions * (1 + config.unseen), 3.0 * MOST_OF_USER * n_users)
        level = 2500 * min(examples, config.most)
        return int(1200 * (n_users + n_items) + 20 * examples + level + 40 * n_interactions)

    @classmethod
    def work_estimate(cls, config: SvmHierarchyConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of four SVM fits on the examples of each level."""
        examples = n_interactions * (1 + config.unseen)
        upper = min(examples, config.most) + min(examples, config.segments * config.most)
        return 2e7 * n_users + 20_000.0 * upper + 2_000.0 * examples


def joined(parts: list[Examples]) -> Examples:
    """Return the concatenated examples of several users."""
    return Examples(
        np.concatenate([part.item for part in parts]),
        np.concatenate([part.relevant for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def mixture(levels: list[tuple[FloatArray, float]], shrinkage: float) -> FloatArray:
    """Return (I,) mixed probabilities, where each level is shrunk towards the levels before it.

    P = v p + (1 - v) P_before with v = n / (n + shrinkage); a level without examples has weight 0, and without any
    examples P = 0.5.

    Args:
        levels: (I,) probabilities and number of examples of each level, from global to user.
        shrinkage: Number of examples at which a level has the same weight as those before it.
    """
    (mixed, number), *narrower = levels
    if number == 0:
        mixed = np.full(len(mixed), 0.5)
    for probabilities, examples in narrower:
        weight = examples / (examples + shrinkage) if examples > 0 else 0.0
        mixed = weight * probabilities + (1 - weight) * mixed
    return mixed


def platt(decisions: FloatArray, relevant: BoolArray) -> tuple[float, float]:
    """Return A and B of P(relevant) = 1 / (1 + exp(A f + B)) fitted to (n,) decisions by Newton's method.

    The targets are (n+ + 1) / (n+ + 2) and 1 / (n- + 2) instead of 1 and 0, which regularizes fits to few examples.

    Source: Platt 1999, section 2.2; a decreasing fit (A > 0) is replaced by A = 0.
    """
    positive, negative = int(relevant.sum()), int((~relevant).sum())
    target = np.where(relevant, (positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0))
    slope, offset = 0.0, float(np.log((negative + 1.0) / (positive + 1.0)))
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(np.clip(slope * decisions + offset, -50.0, 50.0)))
        error, weight = target - chance, np.maximum(chance * (1 - chance), 1e-12)
        gradient = np.array([(decisions * error).sum(), error.sum()])
        mixed = (decisions * weight).sum()
        curvature = np.array([[(decisions**2 * weight).sum(), mixed], [mixed, weight.sum()]]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        slope, offset = slope - float(step[0]), offset - float(step[1])
        if float(np.abs(step).max()) < 1e-8:
            break
    if slope > 0.0 or not np.isfinite(slope + offset):
        return 0.0, float(np.log((negative + 1.0) / (positive + 1.0)))
    return slope, offset


def _nearest(users: FloatArray, centers: FloatArray) -> IntArray:
    """(B,) index of the nearest of (S, P) cluster centers."""
    distances = ((users[:, None, :] - centers[None, :, :]) ** 2).sum(axis=2)
    nearest: IntArray = np.argmin(distances, axis=1)
    return nearest
