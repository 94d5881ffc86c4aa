"""Friend recommendation: by common neighbors, personalized PageRank, common items, and a mean of the three.

Links are undirected: u and v are linked if either follows the other; Gamma(u) are all users linked with u.

    adamic_adar   sum over z in Gamma(u) and Gamma(v) of 1 / log |Gamma(z)|: common friends, weighted by rarity
    pagerank      stationary probability of a walk that follows a random link with probability 0.85, else restarts at u
    interests     cosine of the item sets of u and v: |common items| / sqrt(|items of u| |items of v|)
    people_mix    the mean of the three, each divided by its largest value among the users that u does not follow

and the two baselines: `random_people`, and `popular_people`, the users with most followers. A score of 0 counts as no
score, so users without any evidence are never recommended.

Source: the source document, section 3, point 3; Adamic and Adar 2003, "Friends and Neighbors on the Web"; Haveliwala
2002, "Topic-Sensitive PageRank", with one user as the topic; both as in Liben-Nowell and Kleinberg 2007.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import PAD, SOURCE_DOCUMENT, FloatArray, IntArray, Ragged, RunContext, TopK
from recsys_core.data import Dataset
from recsys_core.errors import CannotScore, ConfigError
from recsys_core.models.friends import GraphName, graph_of
from recsys_core.models.topk import top_k
from recsys_core.profiles.graph import both_ways
from recsys_core.text import _

FOLLOW = 0.85
"""Probability that the walk follows a link instead of restarting."""
STEPS = 40
"""Steps of the power iteration; the truncation error is below 0.85^40 = 0.0015 of the total probability."""
WALKERS = 64
"""Number of users per batch of walks, chosen to fit the processor's cache."""
BLOCK_CELLS = 4_000_000


@dataclass(frozen=True)
class PeopleInfo:
    """Description of a method of friend recommendation; `floor` marks the baselines."""

    key: str
    title: str
    idea: str
    formula: str
    source: str
    floor: bool = False


class PeopleRecommender(ABC):
    """A method of friend recommendation: scores all users for some users, from a graph and from common items.

    Args:
        graph: (U, U) links; the user of the row follows the user of the column.
        interests: (U, I) 1 for each item of a user's history.
        ctx: Source of the seed.
    """

    info: ClassVar[PeopleInfo]

    def __init__(self, graph: csr_array, interests: csr_array, ctx: RunContext) -> None:
        self.graph, self.interests, self.ctx = graph, interests, ctx
        self.n_users = graph.shape[0]
        self._prepare()

    def _prepare(self) -> None:
        """Compute what the scores of all users share: here the undirected links."""
        self.linked = both_ways(self.graph)  # (U, U)

    @abstractmethod
    def _score(self, users: IntArray) -> FloatArray:
        """Return (B, U) scores; 0 or less without any evidence."""

    def score(self, users: IntArray) -> FloatArray:
        """Return (B, U) scores of all users, higher is better; NaN without any evidence.

        Raises:
            CannotScore: A position is out of range.
        """
        if len(users) and not 0 <= users.min() <= users.max() < self.n_users:
            raise CannotScore(
                _("User positions {min} to {max} are out of range; use positions below {n_users}.").format(
                    min=users.min(), max=users.max(), n_users=self.n_users
                )
            )
        scores = self._score(users)
        return np.where(scores > 0, scores, np.nan)

    def known(self, users: IntArray) -> Ragged:
        """Return B rows of users who are not candidates: the users themselves, and those they follow."""
        followed = self.graph[users]
        rows = np.repeat(np.arange(len(users)), np.diff(followed.indptr))
        keys = np.concatenate([np.arange(len(users)), rows])
        return Ragged.from_keys(keys, np.concatenate([users, followed.indices]).astype(np.int64), len(users))

    def recommend_people(self, users: IntArray, k: int) -> TopK:
        """Return the top k users for B users, without themselves and those they follow; padded with PAD.

        Raises:
            CannotScore: A position is out of range.
        """
        size = max(1, BLOCK_CELLS // max(1, self.n_users))
        parts = [
            top_k(self.score(users[start : start + size]), k, exclude=self.known(users[start : start + size]))
            for start in range(0, len(users), size)
        ]
        if not parts:
            return TopK(np.full((0, k), PAD, dtype=np.int64), np.full((0, k), np.nan))
        return TopK(np.concatenate([part.item for part in parts]), np.concatenate([part.score for part in parts]))


class RandomPeople(PeopleRecommender):
    """Random users."""

    info = PeopleInfo("random_people", "Random users", "Ranks users at random.", r"s_{uv} \sim U(0, 1)", "", floor=True)

    def _score(self, users: IntArray) -> FloatArray:
        rows = [1.0 - self.ctx.rng("random_people", str(user)).random(self.n_users) for user in users]
        return np.array(rows).reshape(len(users), self.n_users)


class PopularPeople(PeopleRecommender):
    """The users with most followers."""

    info = PeopleInfo(
        "popular_people",
        "Popular users",
        "Recommends the users with most followers, the same to every user.",
        r"s_{uv} = |\{w : w \to v\}|",
        "",
        floor=True,
    )

    def _prepare(self) -> None:
        self.followers = np.bincount(self.graph.indices, minlength=self.n_users).astype(np.float64)  # (U,)

    def _score(self, users: IntArray) -> FloatArray:
        return np.repeat(self.followers[None, :], len(users), axis=0)


class AdamicAdar(PeopleRecommender):
    """Users with common friends."""

    info = PeopleInfo(
        "adamic_adar",
        "Common friends (Adamic-Adar)",
        "Recommends users with common friends; a common friend with few links counts most.",
        r"s_{uv} = \sum_{z \in \Gamma(u) \cap \Gamma(v)} \frac{1}{\log |\Gamma(z)|}",
        "Adamic and Adar 2003",
    )

    def _prepare(self) -> None:
        super()._prepare()
        friends = np.diff(self.linked.indptr)
        worth = 1.0 / np.log(np.maximum(friends, 2))  # a user with one link is never a common friend
        weights = worth[self.linked.indices]
        self.valued = csr_array((weights, self.linked.indices, self.linked.indptr), shape=self.linked.shape)

    def _score(self, users: IntArray) -> FloatArray:
        return np.asarray((self.valued[users] @ self.linked).toarray())


class WalkingPeople(PeopleRecommender):
    """Users that random walks along the links reach most often."""

    info = PeopleInfo(
        "pagerank",
        "Personalized PageRank",
        "Recommends the users that random walks with restart at you visit most often.",
        r"\pi_u = (1 - c)\, e_u + c\, P^\top \pi_u",
        "Haveliwala 2002; Liben-Nowell and Kleinberg 2007",
    )

    def _prepare(self) -> None:
        super()._prepare()
        linked, friends = self.linked, np.diff(self.linked.indptr)
        shares = np.repeat(1.0 / np.maximum(friends, 1), friends)
        self.backward = csr_array((shares, linked.indices, linked.indptr), shape=linked.shape).T.tocsr()  # (U, U) P^T

    def _score(self, users: IntArray) -> FloatArray:
        blocks = [users[first : first + WALKERS] for first in range(0, len(users), WALKERS)]
        return np.concatenate([self._walk(block) for block in blocks] or [np.empty((0, self.n_users))])

    def _walk(self, users: IntArray) -> FloatArray:
        """Return (B, U) the visit probabilities of the walks of B users."""
        start = np.zeros((self.n_users, len(users)))
        start[users, np.arange(len(users))] = 1.0
        visits = start.copy()
        for _unused in range(STEPS):
            visits = (1.0 - FOLLOW) * start + FOLLOW * (self.backward @ visits)
        return visits.T


class AlikePeople(PeopleRecommender):
    """Users with common items."""

    info = PeopleInfo(
        "interests",
        "Common interests",
        "Recommends users whose histories share most items with yours.",
        r"s_{uv} = \frac{|I_u \cap I_v|}{\sqrt{|I_u|\,|I_v|}}",
        f"{SOURCE_DOCUMENT}, section 3, point 3",
    )

    def _prepare(self) -> None:
        number = np.diff(self.interests.indptr)
        values = np.repeat(1.0 / np.sqrt(np.maximum(number, 1)), number)
        self.unit = csr_array((values, self.interests.indices, self.interests.indptr), shape=self.interests.shape)
        self.by_item = self.unit.T.tocsr()

    def _score(self, users: IntArray) -> FloatArray:
        return np.asarray((self.unit[users] @ self.by_item).toarray())


class MixedPeople(PeopleRecommender):
    """The mean of Adamic-Adar, PageRank and common interests."""

    info = PeopleInfo(
        "people_mix",
        "Hybrid (friends, PageRank, interests)",
        "The mean of the scores of common friends, PageRank and common interests, each divided by its maximum.",
        r"s_{uv} = \frac{1}{3} \sum_m \frac{s^m_{uv}}{\max_w s^m_{uw}}",
        f"{SOURCE_DOCUMENT}, section 3, point 3",
    )
    parts: ClassVar[tuple[type[PeopleRecommender], ...]] = (AdamicAdar, WalkingPeople, AlikePeople)

    def _prepare(self) -> None:
        self.members = [part(self.graph, self.interests, self.ctx) for part in self.parts]

    def _score(self, users: IntArray) -> FloatArray:
        known = self.known(users)
        total = np.zeros((len(users), self.n_users))
        for member in self.members:
            scores = np.nan_to_num(member.score(users))
            scores[known.row_numbers(), known.values] = 0.0
            best = scores.max(axis=1, keepdims=True, initial=0.0)
            total += np.divide(scores, best, out=np.zeros_like(scores), where=best > 0)
        return total / len(self.members)


_CLASSES = (RandomPeople, PopularPeople, AdamicAdar, WalkingPeople, AlikePeople, MixedPeople)
_BY_KEY: Mapping[str, type[PeopleRecommender]] = {found.info.key: found for found in _CLASSES}
FRIEND_METHODS: Mapping[str, PeopleInfo] = {key: found.info for key, found in _BY_KEY.items()}
"""All methods of friend recommendation, baselines first."""


def make_people_recommender(
    method: str, graph: csr_array, dataset: Dataset, ctx: RunContext | None = None
) -> PeopleRecommender:
    """Return a method of friend recommendation, ready to score.

    Args:
        method: A key of `FRIEND_METHODS`.
        graph: (U, U) links; the user of the row follows the user of the column.
        dataset: Interactions, for common items.
        ctx: Source of the seed.

    Raises:
        ConfigError: The method is unknown.
    """
    if method not in _BY_KEY:
        raise ConfigError(
            _("There is no method of friend recommendation '{method}'. Known: {by_key}.").format(
                method=method, by_key=", ".join(_BY_KEY)
            )
        )
    return _BY_KEY[method](graph, dataset.matrix("binary"), ctx or RunContext())


def recommend_people(
    dataset: Dataset, user: int, method: str, k: int, *, graph: GraphName = "social", seed: int = 42
) -> TopK:
    """Return the (1, k) recommended users for one user, best first: positions of users and scores.

    Args:
        dataset: Data with links, or without them if `graph` is "co_rating".
        user: Position.
        method: A key of `FRIEND_METHODS`.
        k: Length of the list.
        graph: The links of the data, or the implicit co-rating graph; callers should show which one is used.
        seed: Seed of random users.

    Raises:
        DataError: `graph` is "social" and the data have no links.
        ConfigError: The method is unknown.
        CannotScore: The user is unknown.
    """
    found = make_people_recommender(method, graph_of(graph, dataset), dataset, RunContext(seed=seed))
    return found.recommend_people(np.array([user]), k)
