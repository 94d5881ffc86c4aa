r"""A hierarchy of support-vector machines: what everybody, the person's segment, and the person likes.

At each level a linear SVM tells liked from not liked, and Platt's sigmoid turns its decision into a probability:

    f(x) = w . x + b          P(liked | x) = 1 / (1 + exp(A f(x) + B))

- everybody: x = [item features; user features], trained on examples of all users;
- segment: the same, trained on the users of the segment alone (k-means over the user features);
- user: x = item features (of one user the others are all the same), trained on this user alone.

The item features are its content, words as topics (truncated SVD), and what is known of its reception: its number of
raters, plain and as a logarithm, and its mean rating. The user features are the attributes (if there is a table of
users) and the mean content of what the user liked. A user's probability is the mixture of the three, each level shrunk
towards the one above it:

    P_segment = v_s p_segment + (1 - v_s) p_everybody,     v_s = n_s / (n_s + shrinkage)
    P_user    = v_u p_user    + (1 - v_u) P_segment,       v_u = n_u / (n_u + shrinkage)

with n_s and n_u the examples at that level. A level that has fewer than `LEAST` of either kind has weight 0. Platt's A
and B come from decisions on held-out thirds, so that they are not flattered by training.

Liked is what a user rated at or above their own mean, not liked what they rated below it, and, as those who never
choose a thing seldom rate it, `unseen` items for each liked one, drawn from those that the user has not met. Where
people did not rate, all that they chose is liked, and the error of an example weighs as much as the confidence of the
interaction (`weights.py`; `sample_weight` of LinearSVC: 1 without weights, and for items not met). Where people rated,
weights are ignored. No level sees more than `most` examples, drawn at random beyond.

An unknown person gets the nearest segment and, from their history, a machine of their own when they ask.

Source: the source document, section 2, point 2, which names 'SVM, probabilistic, hierarchical' without a formula: all
of the above is our reading. Platt 1999, "Probabilistic outputs for support vector machines"; scikit-learn's LinearSVC.
"""

from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.contracts import (
    PAD,
    BoolArray,
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
from recsys_core.models.content import balanced, rating_means
from recsys_core.models.histories import history_matrix
from recsys_core.profiles.features import item_features, unit_rows, user_attributes

LEAST = 3
"""Examples of either kind that a level needs: one for each held-out third."""
TOPICS = 20
"""Topics that the words of items are summed up in."""
MOST_OF_USER = 120
"""Items of one user that become examples at most; beside them at most twice as many that they have not met."""
BLOCK = 64
"""Users whose machines are trained between two reports of progress."""


class Examples(NamedTuple):
    """Items (n,) of one user's examples, whether each is liked, and the weight of its error."""

    item: IntArray
    liked: BoolArray
    weight: FloatArray

    def take(self, places: IntArray) -> "Examples":
        """Return some of the examples."""
        return Examples(self.item[places], self.liked[places], self.weight[places])


class Machine(NamedTuple):
    """Weights (D,), intercept, Platt's A and B, and the number of examples; 0 of them where there is no machine."""

    weights: FloatArray
    numbers: FloatArray

    def probabilities(self, vectors: FloatArray, beside: float = 0.0) -> FloatArray:
        """Return (I,) P(liked); `beside` is the share of the decision that all items have in common."""
        intercept, slope, offset = self.numbers[:3]
        decision = np.einsum("id,d->i", vectors, self.weights) + (intercept + beside)
        chance: FloatArray = 1.0 / (1.0 + np.exp(np.clip(slope * decision + offset, -50.0, 50.0)))
        return chance


class SvmHierarchyConfig(ModelConfig):
    """Settings of the hierarchy of support-vector machines."""

    segments: Annotated[int, Field(ge=1, le=100), Knob(2, 20, scale="log")] = 6
    """Number of segments of users."""
    shrinkage: Annotated[float, Field(ge=0, le=1e6), Knob(1, 1000, scale="log", symbol=r"\beta")] = 30.0
    """Examples at which a level is believed as much as the one above it."""
    penalty: Annotated[float, Field(gt=0, le=1000), Knob(0.01, 10, scale="log", symbol="C")] = 0.1
    """Weight of the errors beside the width of the margin. Larger: nearer to the examples."""
    unseen: Annotated[float, Field(gt=0, le=20), Knob(0.5, 8, scale="log")] = 4.0
    """Items not met that stand as not liked for each liked one."""
    most: Annotated[int, Field(ge=100, le=1_000_000), Knob(500, 50_000, scale="log", advanced=True)] = 20_000
    """Examples of everybody, and of each segment, at most."""


class SvmHierarchy(Recommender[SvmHierarchyConfig]):
    """Scores an item by the probability of being liked, mixed from three levels."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="svm_hierarchy",
        title="Hierarchical SVM",
        family="content-based",
        idea="Trains SVMs on item features for all users, for the user's segment and for the user, and blends them.",
        formula=r"P_u = v_u \, p_u + (1 - v_u)\left(v_s \, p_s + (1 - v_s) \, p_0\right), \quad"
        r" v = \frac{n}{n + \beta}, \quad p(x) = \frac{1}{1 + e^{A (w^\top x + b) + B}}",
        source="The source document, section 2, point 2, read as its docstring says; Platt 1999",
        needs=frozenset({Need.ITEM_FEATURES}),
        stochastic=True,
        weights="Without ratings, the error of an example weighs log2(1 + weight / median weight) in training; with "
        "ratings, weights are ignored.",
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
        given = train.matrix("rating") if train.has_ratings else self._training_confidence(train)
        values = given.astype(np.float64)  # (U, I)
        for _ in ctx.track(range(1), stage="describe items and users"):
            self._describe(train, values)
            people = self._people(np.arange(self.n_users), values)  # (U, P)
            self._segment(people, ctx)
        parts = {user: self._examples(values, user) for user in range(self.n_users)}
        self._fit_upper(parts, people, ctx)
        self.own = np.zeros((self.n_users, self.items.shape[1]))
        self.own_numbers = np.zeros((self.n_users, 4))
        for first in ctx.track(range(0, self.n_users, BLOCK), stage="train a machine for each user"):
            for user in range(first, min(first + BLOCK, self.n_users)):
                machine = self._machine(self.items[parts[user].item], parts[user])
                self.own[user], self.own_numbers[user] = machine

    def _describe(self, train: Dataset, values: csr_array) -> None:
        """Make the item features (I, D), the first `content_size` of them content, and the attributes (U, A)."""
        content = unit_rows(balanced(item_features(train, components=TOPICS)).matrix).toarray()
        means, number = rating_means(values.T.tocsr())
        spread = np.nan_to_num(means - np.nanmean(means)) * number / (number + 10.0)
        reception = np.column_stack([np.log1p(number), number, spread])
        reception = (reception - reception.mean(axis=0)) / np.maximum(reception.std(axis=0), 1e-9)
        self.items = np.column_stack([content, reception])
        self.content_size = np.array(content.shape[1])
        self.attributes = np.zeros((self.n_users, 0))
        if train.users is not None:
            known = unit_rows(balanced(user_attributes(train)).matrix).toarray()
            self.attributes = known - known.mean(axis=0)

    def _people(self, users: IntArray, values: csr_array) -> FloatArray:
        """(B, P) attributes, zeros for unknown people, beside the mean content of what each liked."""
        attributes = np.where((users != PAD)[:, None], self.attributes[users], 0.0)
        liked = csr_array((self._liked(values).astype(np.float64), values.indices, values.indptr), shape=values.shape)
        number = np.maximum(np.asarray(liked.sum(axis=1)).ravel(), 1.0)
        profile = (liked @ self.items[:, : int(self.content_size)]) / number[:, None]
        return np.column_stack([attributes, profile])

    def _liked(self, values: csr_array) -> BoolArray:
        """(N,) whether each entry of a matrix is at or above its row's mean; without ratings, of weight above 0."""
        if not self.rated:
            chosen: BoolArray = values.data > 0
            return chosen
        means, _ = rating_means(values)
        liked: BoolArray = values.data >= np.repeat(means, np.diff(values.indptr)) - 1e-9
        return liked

    def _segment(self, people: FloatArray, ctx: RunContext) -> None:
        from sklearn.cluster import KMeans

        number = min(self.config.segments, len(np.unique(people, axis=0)))
        seed = int(ctx.rng("svm_hierarchy", "segments").integers(2**31))
        found = KMeans(number, n_init=3, random_state=seed).fit(people)
        self.centres = found.cluster_centers_  # (S, P)
        self.segment_of = _nearest(people, self.centres)  # (U,)

    def _examples(self, values: csr_array, row: int) -> Examples:
        """Return one user's examples; the same for the same history and seed."""
        part = values[[row]]
        rng = np.random.default_rng([int(self.seed), *part.indices.tolist()])
        liked, met = self._liked(part), part.indices.astype(np.int64)
        weight = np.ones(len(met)) if self.rated else np.abs(part.data)
        if len(met) > MOST_OF_USER:
            chosen = np.sort(rng.choice(len(met), MOST_OF_USER, replace=False))
            liked, met, weight = liked[chosen], met[chosen], weight[chosen]
        others = np.setdiff1d(np.arange(self.n_items), part.indices)
        drawn = min(len(others), round(self.config.unseen * int(liked.sum())), 2 * MOST_OF_USER)
        unseen = rng.choice(others, drawn, replace=False) if drawn else np.empty(0, dtype=np.int64)
        return Examples(
            np.concatenate([met, unseen]),
            np.concatenate([liked, np.zeros(drawn, dtype=bool)]),
            np.concatenate([weight, np.ones(drawn)]),
        )

    def _fit_upper(self, parts: dict[int, Examples], people: FloatArray, ctx: RunContext) -> None:
        """Train the machines of everybody (row 0) and of the segments (rows 1...)."""
        rows = len(self.centres) + 1
        self.upper = np.zeros((rows, self.items.shape[1] + people.shape[1]))
        self.upper_numbers = np.zeros((rows, 4))
        rng = ctx.rng("svm_hierarchy", "examples")
        for row in ctx.track(range(rows), stage="train machines of everybody and of segments"):
            members = np.arange(self.n_users) if row == 0 else np.flatnonzero(self.segment_of == row - 1)
            user = np.repeat(members, [len(parts[member].item) for member in members.tolist()])
            found = joined([parts[member] for member in members.tolist()])
            if len(user) > self.config.most:
                chosen = np.sort(rng.choice(len(user), self.config.most, replace=False))
                user, found = user[chosen], found.take(chosen)
            machine = self._machine(np.column_stack([self.items[found.item], people[user]]), found)
            self.upper[row], self.upper_numbers[row] = machine

    def _machine(self, vectors: FloatArray, examples: Examples) -> Machine:
        """Return the machine that tells the liked from the other rows of `vectors` (n, D), calibrated."""
        liked, weight = examples.liked, examples.weight
        nothing = Machine(np.zeros(vectors.shape[1]), np.zeros(4))
        if min(int(liked.sum()), int((~liked).sum())) < LEAST:
            return nothing
        from sklearn.svm import LinearSVC

        fold = np.empty(len(liked), dtype=np.int64)
        for kind in (True, False):
            fold[liked == kind] = np.arange(int((liked == kind).sum())) % LEAST
        decisions = np.empty(len(liked))
        settings: dict[str, Any] = {"C": self.config.penalty, "dual": False, "tol": 1e-3}
        for held in range(LEAST):
            part = LinearSVC(**settings).fit(vectors[fold != held], liked[fold != held], weight[fold != held])
            decisions[fold == held] = part.decision_function(vectors[fold == held])
        whole = LinearSVC(**settings).fit(vectors, liked, weight)
        slope, offset = platt(decisions, liked)
        return Machine(whole.coef_[0], np.array([whole.intercept_[0], slope, offset, len(liked)]))

    def _score(self, query: QueryBatch) -> FloatArray:
        values = history_matrix(query, self.n_items, "rating") if self.rated else self._history_confidence(query)
        people = self._people(query.user, values)
        nearest = _nearest(people, self.centres)
        scores = np.empty((len(query), self.n_items))
        for row, user in enumerate(query.user):
            if user != PAD:
                segment, own = int(self.segment_of[user]), Machine(self.own[user], self.own_numbers[user])
            else:
                examples = self._examples(values, row)
                segment, own = int(nearest[row]), self._machine(self.items[examples.item], examples)
            scores[row] = self._mixed(people[row], segment, own)
        return scores

    def _mixed(self, person: FloatArray, segment: int, own: Machine) -> FloatArray:
        """(I,) the mixture for one person with these features."""
        width = self.items.shape[1]
        levels = []
        for row in (0, segment + 1):
            weights, numbers = self.upper[row], self.upper_numbers[row]
            beside = float(np.einsum("d,d->", person, weights[width:]))
            levels.append((Machine(weights[:width], numbers).probabilities(self.items, beside), numbers[3]))
        levels.append((own.probabilities(self.items), own.numbers[3]))
        return mixture(levels, self.config.shrinkage)

    @classmethod
    def memory_estimate(cls, config: SvmHierarchyConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of vectors of some 60 numbers, of all examples, and of those that one level is given."""
        examples = min(n_interactions * (1 + config.unseen), 3.0 * MOST_OF_USER * n_users)
        level = 2500 * min(examples, config.most)
        return int(1200 * (n_users + n_items) + 20 * examples + level + 40 * n_interactions)

    @classmethod
    def work_estimate(cls, config: SvmHierarchyConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of four trainings on the examples of each level."""
        examples = n_interactions * (1 + config.unseen)
        upper = min(examples, config.most) + min(examples, config.segments * config.most)
        return 2e7 * n_users + 20_000.0 * upper + 2_000.0 * examples


def joined(parts: list[Examples]) -> Examples:
    """Return the examples of several users, one user after the other."""
    return Examples(
        np.concatenate([part.item for part in parts]),
        np.concatenate([part.liked for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def mixture(levels: list[tuple[FloatArray, float]], shrinkage: float) -> FloatArray:
    """Return (I,) probabilities of levels from the widest to the narrowest, each shrunk towards those before it.

    P = v p + (1 - v) P_before with v = n / (n + shrinkage); a level without examples changes nothing, and if none has
    any the answer is 0.5.

    Args:
        levels: (I,) probabilities, and the number of examples that they rest on.
        shrinkage: Examples at which a level is believed as much as those before it.
    """
    (mixed, number), *narrower = levels
    if number == 0:
        mixed = np.full(len(mixed), 0.5)
    for probabilities, examples in narrower:
        weight = examples / (examples + shrinkage) if examples > 0 else 0.0
        mixed = weight * probabilities + (1 - weight) * mixed
    return mixed


def platt(decisions: FloatArray, liked: BoolArray) -> tuple[float, float]:
    """Return A and B of P(liked) = 1 / (1 + exp(A f + B)) that fit (n,) decisions best, by Newton's method.

    The targets are (n+ + 1) / (n+ + 2) and 1 / (n- + 2) instead of 1 and 0, so that few examples give no certainty.

    Source: Platt 1999, section 2.2; a slope against the decisions (A > 0) is set to 0.
    """
    positive, negative = int(liked.sum()), int((~liked).sum())
    target = np.where(liked, (positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0))
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


def _nearest(people: FloatArray, centres: FloatArray) -> IntArray:
    """(B,) number of the nearest of (S, P) centres."""
    distances = ((people[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    nearest: IntArray = np.argmin(distances, axis=1)
    return nearest
