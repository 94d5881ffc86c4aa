"""Finding people for people: by common friends, by walks along links, by common interests, and by all three.

Links are read without direction: u and v are linked if either follows the other; Gamma(u) are all linked with u.

    adamic_adar   sum over z in Gamma(u) and Gamma(v) of 1 / log |Gamma(z)|: common friends, the busy ones for less
    pagerank      where a walk is found that follows a random link with probability 0.85, and else starts again at u
    interests     cosine of what u and v took: |common items| / sqrt(|items of u| |items of v|)
    people_mix    the mean of the three, each divided by its largest value among those whom u does not follow yet

and the two floors that they must beat: `random_people`, and `popular_people`, those whom most people follow. Nobody is
recommended to whom nothing speaks for: a score of 0 is no score.

Source: the source document, section 3, point 3; Adamic and Adar 2003, "Friends and Neighbors on the Web"; Haveliwala
2002, "Topic-Sensitive PageRank", with one person as the topic; both as in Liben-Nowell and Kleinberg 2007.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import PAD, FloatArray, IntArray, Ragged, RunContext, TopK
from recsys_core.data import Dataset
from recsys_core.errors import CannotScore, ConfigError
from recsys_core.models.friends import GraphName, graph_of
from recsys_core.models.topk import top_k
from recsys_core.profiles.graph import both_ways

FOLLOW = 0.85
"""Probability that the walk goes on."""
STEPS = 40
"""Of the power iteration; what is left out after them is below 0.85^40 = 0.0015 of the whole."""
WALKERS = 64
"""Users whose walks are computed together: few enough to stay in the processor's cache."""
BLOCK_CELLS = 4_000_000


@dataclass(frozen=True)
class PeopleInfo:
    """What a person should know of a way to find people; `floor` marks those that every other one must beat."""

    key: str
    title: str
    idea: str
    formula: str
    source: str
    floor: bool = False


class PeopleRecommender(ABC):
    """A way to find people: scores of all people for some users, from a graph and from what everybody took.

    Args:
        graph: (U, U) links, row follows column.
        interests: (U, I) 1 for each item that somebody took.
        ctx: Gives chance its seed.
    """

    info: ClassVar[PeopleInfo]

    def __init__(self, graph: csr_array, interests: csr_array, ctx: RunContext) -> None:
        self.graph, self.interests, self.ctx = graph, interests, ctx
        self.n_users = graph.shape[0]
        self._prepare()

    def _prepare(self) -> None:
        """Compute what the answers for all users share: here the links without direction."""
        self.linked = both_ways(self.graph)  # (U, U)

    @abstractmethod
    def _score(self, users: IntArray) -> FloatArray:
        """Return (B, U) scores; 0 or less where nothing speaks for a person."""

    def score(self, users: IntArray) -> FloatArray:
        """Return (B, U) scores of all people, higher is better; NaN where nothing speaks for a person.

        Raises:
            CannotScore: A position lies outside the graph.
        """
        if len(users) and not 0 <= users.min() <= users.max() < self.n_users:
            raise CannotScore(f"User positions {users.min()} to {users.max()} are asked for; there are {self.n_users}.")
        scores = self._score(users)
        return np.where(scores > 0, scores, np.nan)

    def known(self, users: IntArray) -> Ragged:
        """Return B rows of people who are no candidates: the users themselves, and whom they follow already."""
        followed = self.graph[users]
        rows = np.repeat(np.arange(len(users)), np.diff(followed.indptr))
        keys = np.concatenate([np.arange(len(users)), rows])
        return Ragged.from_keys(keys, np.concatenate([users, followed.indices]).astype(np.int64), len(users))

    def recommend_people(self, users: IntArray, k: int) -> TopK:
        """Return for B users the k best people, without themselves and those whom they follow; PAD after the last.

        Raises:
            CannotScore: A position lies outside the graph.
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
    """Anybody."""

    info = PeopleInfo(
        "random_people", "Random people", "Anybody: what blind luck reaches.", r"s_{uv} \sim U(0, 1)", "", floor=True
    )

    def _score(self, users: IntArray) -> FloatArray:
        rows = [1.0 - self.ctx.rng("random_people", str(user)).random(self.n_users) for user in users]
        return np.array(rows).reshape(len(users), self.n_users)


class PopularPeople(PeopleRecommender):
    """Those whom most people follow."""

    info = PeopleInfo(
        "popular_people",
        "Popular people",
        "Those whom most people follow, for everybody the same.",
        r"s_{uv} = |\{w : w \to v\}|",
        "",
        floor=True,
    )

    def _prepare(self) -> None:
        self.followers = np.bincount(self.graph.indices, minlength=self.n_users).astype(np.float64)  # (U,)

    def _score(self, users: IntArray) -> FloatArray:
        return np.repeat(self.followers[None, :], len(users), axis=0)


class AdamicAdar(PeopleRecommender):
    """People with whom one has friends in common."""

    info = PeopleInfo(
        "adamic_adar",
        "Common friends (Adamic-Adar)",
        "People with whom you share friends; a shared friend who knows few others counts most.",
        r"s_{uv} = \sum_{z \in \Gamma(u) \cap \Gamma(v)} \frac{1}{\log |\Gamma(z)|}",
        "Adamic and Adar 2003",
    )

    def _prepare(self) -> None:
        super()._prepare()
        friends = np.diff(self.linked.indptr)
        worth = 1.0 / np.log(np.maximum(friends, 2))  # whoever has one friend is nobody's common friend
        weights = worth[self.linked.indices]
        self.valued = csr_array((weights, self.linked.indices, self.linked.indptr), shape=self.linked.shape)

    def _score(self, users: IntArray) -> FloatArray:
        return np.asarray((self.valued[users] @ self.linked).toarray())


class WalkingPeople(PeopleRecommender):
    """People whom one meets on walks along the links."""

    info = PeopleInfo(
        "pagerank",
        "Walks along links (personalised PageRank)",
        "People whom a random walk that keeps starting at you meets most often.",
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
        """Return (B, U) where the walks of B users are found."""
        start = np.zeros((self.n_users, len(users)))
        start[users, np.arange(len(users))] = 1.0
        found = start.copy()
        for _ in range(STEPS):
            found = (1.0 - FOLLOW) * start + FOLLOW * (self.backward @ found)
        return found.T


class AlikePeople(PeopleRecommender):
    """People who took the same items."""

    info = PeopleInfo(
        "interests",
        "Common interests",
        "People who took what you took.",
        r"s_{uv} = \frac{|I_u \cap I_v|}{\sqrt{|I_u|\,|I_v|}}",
        "Source document, section 3, point 3",
    )

    def _prepare(self) -> None:
        number = np.diff(self.interests.indptr)
        values = np.repeat(1.0 / np.sqrt(np.maximum(number, 1)), number)
        self.unit = csr_array((values, self.interests.indices, self.interests.indptr), shape=self.interests.shape)
        self.by_item = self.unit.T.tocsr()

    def _score(self, users: IntArray) -> FloatArray:
        return np.asarray((self.unit[users] @ self.by_item).toarray())


class MixedPeople(PeopleRecommender):
    """Common friends, walks and interests together."""

    info = PeopleInfo(
        "people_mix",
        "Friends, walks and interests",
        "The mean of common friends, walks and common interests, each in units of its best.",
        r"s_{uv} = \frac{1}{3} \sum_m \frac{s^m_{uv}}{\max_w s^m_{uw}}",
        "Source document, section 3, point 3",
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
PEOPLE: Mapping[str, PeopleInfo] = {key: found.info for key, found in _BY_KEY.items()}
"""All ways to find people, floors first."""


def make_people_recommender(
    method: str, graph: csr_array, dataset: Dataset, ctx: RunContext | None = None
) -> PeopleRecommender:
    """Return a way to find people, ready to be asked.

    Args:
        method: A key of `PEOPLE`.
        graph: (U, U) links, row follows column.
        dataset: Its interactions say what everybody took.
        ctx: Gives chance its seed.

    Raises:
        ConfigError: There is no such method.
    """
    if method not in _BY_KEY:
        raise ConfigError(f"There is no way to find people called '{method}'. Known: {', '.join(_BY_KEY)}.")
    return _BY_KEY[method](graph, dataset.matrix("binary"), ctx or RunContext())


def recommend_people(
    dataset: Dataset, user: int, method: str, k: int, *, graph: GraphName = "social", seed: int = 42
) -> TopK:
    """Return the (1, k) people for one user, best first: positions of users and scores.

    Args:
        dataset: With links, or without them if `graph` is the implicit one.
        user: Position.
        method: A key of `PEOPLE`.
        k: Length of the list.
        graph: The links of the data, or the implicit graph of who rated alike; where that is used, say so.
        seed: For random people.

    Raises:
        DataError: The links of the data are asked for, and there are none.
        ConfigError: There is no such method.
        CannotScore: There is no such user.
    """
    found = make_people_recommender(method, graph_of(graph, dataset), dataset, RunContext(seed=seed))
    return found.recommend_people(np.array([user]), k)
