r"""Session kNN: items are scored by the most similar sessions of the training data.

A session is the history of a user or, with `sessions` = gap, a part of it without a long break; the current session is
then the last one of the history. Of an item that occurs twice in a session, the last occurrence counts. s is the
current session with l(s) items, j its item at position p(j, s) = 1..l(s), n a training session:

    w_j = 1                              `recency` = none         every item counts alike (SKNN)
        = p(j, s) / l(s)                 linear                   the last item counts 1 (V-SKNN)
        = exp((p(j, s) - l(s)) / L1)     exponential              (STAN, eq. 1)

    sim(s, n) = sum_{j in s, n} w_j                               `similarity` = dot      (V-SKNN)
              = sum_{j in s, n} w_j / sqrt(l(s) l(n))             cosine                  (SKNN, STAN)

    v_n = sim(s, n) exp(-|t(s) - t(n)| / L2)                      with `session_decay` L2, in days (STAN)

    x_i = sum_{n in N(s)} v_n exp(-|p(i, n) - p(i*, n)| / L3) [i in n]      with `position_decay` L3 (STAN)

i* is the latest item of s that n contains, and t the time of the last interaction of a session. N(s) are the k sessions
of the largest v_n among the `candidates` most recent ones that share an item with s. The defaults are V-SKNN; STAN is
recency = exponential, similarity = cosine and both decays (L1 = L3 = 3.54, L2 = 20 days in the paper).

A session without any item outside the user's history could only vote for items that the user has seen, and is no
neighbor: this excludes the user's own sessions, so that known and unknown users with one history have the same list.
Scores depend on the history alone; weights of interactions are ignored. Ties between sessions: the most recent first.

Sources: Jannach and Ludewig 2017 (SKNN), "When Recurrent Neural Networks meet the Neighborhood for Session-Based
Recommendation"; Ludewig and Jannach 2018 (V-SKNN), "Evaluation of Session-based Recommendation Algorithms"; Garg et al.
2019 (STAN), "Sequence and Time Aware Neighborhood for Session-based Recommendations". Departures: the rule on sessions
without a new item, and the absolute time difference, since training sessions may end after the current one.
"""

from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from recsys_core.batches import BoolArray
from recsys_core.contracts import (
    Ability,
    Explanation,
    FloatArray,
    FoldIn,
    IntArray,
    Knob,
    ModelConfig,
    ModelInfo,
    Need,
    QueryBatch,
    RunContext,
)
from recsys_core.data import Dataset
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.models.base import Recommender
from recsys_core.models.compiled import compiled
from recsys_core.models.sessions import DAY, Sessions, cut, last_sessions

FOREVER = np.inf
"""L of a decay that is switched off."""


class SessionKNNConfig(ModelConfig):
    """Settings of session kNN."""

    neighbors: Annotated[int, Field(ge=1, le=100_000), Knob(20, 1000, scale="log", symbol="k")] = 100
    """Number of most similar sessions that vote."""
    candidates: Annotated[
        int, Field(ge=1, le=10_000_000), Knob(100, 10_000, scale="log", label="Candidate sessions")
    ] = 5000
    """Number of most recent sessions with a common item that are compared; smaller is faster and favors recent ones."""
    recency: Annotated[Literal["none", "linear", "exponential"], Knob(label="Weight of recent items")] = "linear"
    """How the items of the current session count: all alike, linearly less with age (V-SKNN), or exponentially less
    (STAN)."""
    item_decay: Annotated[float, Field(gt=0, le=10_000), Knob(0.5, 50, scale="log", symbol=r"\lambda_1")] = 3.54
    """Number of positions after which an item of the current session counts 1/e (exponential only)."""
    similarity: Annotated[Literal["dot", "cosine"], Knob()] = "dot"
    """Sum of the weights of common items (V-SKNN), or this sum divided by the root of both lengths (SKNN, STAN)."""
    session_decay: Annotated[
        float | None,
        Field(gt=0, le=100_000),
        Knob(1, 365, scale="log", symbol=r"\lambda_2", label="Session decay (days)"),
    ] = None
    """Time between two sessions after which a neighbor counts 1/e. Off in V-SKNN, 20 days in STAN."""
    position_decay: Annotated[float | None, Field(gt=0, le=10_000), Knob(0.5, 50, scale="log", symbol=r"\lambda_3")] = (
        None
    )
    """Distance in a neighboring session, from the latest common item to the scored one, after which its vote counts
    1/e. Off in V-SKNN, 3.54 in STAN."""
    sessions: Annotated[Literal["history", "gap"], Knob()] = "history"
    """Definition of a session: the whole history of a user, or a part of it without a long break."""
    session_gap: Annotated[
        float, Field(gt=0, le=100_000), Knob(5, 300, scale="log", advanced=True, label="Session gap (minutes)")
    ] = 30.0
    """Minutes of inactivity after which a new session starts (only used if sessions end with a gap)."""


class Neighbors(NamedTuple):
    """Neighbors of a session, the largest weight first; see the module.

    Args:
        session: (k,) numbers of training sessions.
        similarity: (k,) sim(s, n).
        weight: (k,) v_n, above 0.
        anchor: (k,) position of i* in each of them.
    """

    session: IntArray
    similarity: FloatArray
    weight: FloatArray
    anchor: IntArray


def session_formula(config: SessionKNNConfig, *, rated: bool = True, weighted: bool = False) -> str:
    """Return the votes, the similarity and the weight of the items as LaTeX; `rated`, `weighted` make no difference."""
    decay = r" \, e^{-|t(s) - t(n)| / \lambda_2}" if config.session_decay else ""
    place = r" \, e^{-|p(i, n) - p(i^*, n)| / \lambda_3}" if config.position_decay else ""
    weight = {
        "none": "1",
        "linear": r"\frac{p(j, s)}{|s|}",
        "exponential": r"e^{(p(j, s) - |s|) / \lambda_1}",
    }[config.recency]
    below = r"\frac{1}{\sqrt{|s| |n|}} " if config.similarity == "cosine" else ""
    return (
        rf"\hat{{x}}_{{ui}} = \sum_{{n \in N_k(s),\, i \in n}} \mathrm{{sim}}(s, n){decay}{place}, \quad"
        rf" \mathrm{{sim}}(s, n) = {below}\sum_{{j \in s \cap n}} {weight}"
    )


class SessionKNN(Recommender[SessionKNNConfig]):
    """Scores an item by the weights of the neighboring sessions that contain it."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="session_knn",
        title="Session kNN (V-SKNN, STAN)",
        family="sequential",
        idea="Recommends what occurred in the sessions most similar to the current one, where recent items count more.",
        formula=session_formula(SessionKNNConfig()),
        source="Ludewig and Jannach 2018 (V-SKNN); Garg et al. 2019 (STAN)",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        fold_in=FoldIn.SEQUENCE,
        views=("sessions",),
    )
    config_type = SessionKNNConfig
    fitted = ("session_item", "session_start", "session_time", "session_user")

    formula_of = staticmethod(session_formula)

    session_item: IntArray
    """(N,) distinct items of the sessions, in order."""
    session_start: IntArray
    """(S + 1,) first item of each session; sessions are ordered by time."""
    session_time: IntArray
    """(S,) time of the last interaction in milliseconds, `NO_TIMESTAMP` if unknown."""
    session_user: IntArray
    """(S,) user of each session."""

    def needs(self) -> frozenset[Need]:
        """Return what these settings need: gaps and the decay of sessions need timestamps."""
        timed = self.config.sessions == "gap" or self.config.session_decay is not None
        return self.info.needs | ({Need.TIMESTAMPS} if timed else set())

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        for _ in ctx.track(range(1), stage="index the sessions"):
            found, self.session_time, self.session_user = cut(train.queries(), self.gap)
            self.session_item, self.session_start = found.values.astype(np.int32), found.offsets
            self._loaded()

    @property
    def gap(self) -> float | None:
        """Milliseconds without an interaction that end a session; None: a session is the history."""
        return self.config.session_gap * 60_000 if self.config.sessions == "gap" else None

    def _loaded(self) -> None:
        """Derive the sessions of each item, the most recent first."""
        number = np.repeat(np.arange(len(self.session_user)), np.diff(self.session_start))
        place = np.arange(len(number)) - self.session_start[number]
        shape = (self.n_items, len(self.session_user))
        # one entry per session and item: rows are items, columns numbers of sessions, values positions from 1
        by_item = csr_array((place + 1.0, (self.session_item, number)), shape=shape)
        known = self.session_time[self.session_time != NO_TIMESTAMP]
        self.latest = int(known.max()) if len(known) else 0
        self.sessions = Sessions(
            self.session_start.astype(np.int64),
            self.session_item.astype(np.int64),
            self.session_time.astype(np.float64) / DAY,
            by_item.indptr.astype(np.int64),
            by_item.indices.astype(np.int64),
            by_item.data.astype(np.int64),
        )

    def _score(self, query: QueryBatch) -> FloatArray:
        scores = np.full((len(query), self.n_items), np.nan)
        for row, (session, day, history) in enumerate(self._current(query)):
            nearest = self._nearest(session, day, history)
            _vote(self.sessions, nearest, self.config.position_decay or FOREVER, scores[row])
        return scores

    def _current(self, query: QueryBatch) -> list[tuple[IntArray, float, IntArray]]:
        """Return the current session of each user, its time in days, and the history."""
        sessions, times = last_sessions(query, self.gap)
        days = np.where(times == NO_TIMESTAMP, self.latest, times) / DAY
        return list(zip(sessions, days.tolist(), query.history, strict=True))

    def weights_of(self, session: IntArray) -> FloatArray:
        """Return (l,) the weight w of each item of a session, oldest first."""
        age = len(session) - 1.0 - np.arange(len(session))
        if self.config.recency == "linear":
            return 1.0 - age / max(1, len(session))
        return np.exp(-age / self.config.item_decay) if self.config.recency == "exponential" else np.ones(len(session))

    def _nearest(self, session: IntArray, day: float, history: IntArray) -> Neighbors:
        config = self.config
        length = len(session) if config.similarity == "cosine" else 0
        limits = (config.neighbors, config.candidates)
        return _nearest_sessions(
            self.sessions, session.astype(np.int64), self.weights_of(session), history.astype(np.int64), length, day,
            config.session_decay or FOREVER, limits,
        )  # fmt: skip

    def neighbors(self, query: QueryBatch) -> Neighbors:
        """Return the neighbors of the current session of the single user in `query`."""
        self.require_fitted()
        return self._nearest(*self._current(query)[0])

    def current_session(self, query: QueryBatch) -> IntArray:
        """Return (l,) the distinct items of the current session of the single user in `query`, oldest first."""
        session: IntArray = last_sessions(query, self.gap)[0][0]
        return session

    def votes_for(self, nearest: Neighbors, item: int) -> FloatArray:
        """Return (k,) the decay by position with which each neighbor votes for an item, 0 where it lacks the item."""
        entries = slice(self.sessions.item_start[item], self.sessions.item_start[item + 1])
        holding, position = self.sessions.item_session[entries], self.sessions.item_position[entries]
        place = np.minimum(np.searchsorted(holding, nearest.session), max(0, len(holding) - 1))
        if not len(holding):
            return np.zeros(len(nearest.session))
        away = np.abs(position[place] - nearest.anchor)
        return np.where(holding[place] == nearest.session, np.exp(-away / (self.config.position_decay or FOREVER)), 0.0)

    def explain(self, query: QueryBatch, item: int) -> Explanation:
        """Split the score of `item` into the items of the current session, through which the neighbors are similar.

        Raises:
            CannotScore: No neighboring session contains the item.
        """
        score = self._score_to_explain(query, item)
        session, nearest = self.current_session(query), self.neighbors(query)
        size = np.diff(self.session_start)[nearest.session]
        below = np.sqrt(len(session) * size) if self.config.similarity == "cosine" else np.ones(len(size))
        factor = nearest.weight / nearest.similarity / below * self.votes_for(nearest, item)  # (k,) of one unit of w
        starts = self.sessions.item_start
        of_items = (self.sessions.item_session[starts[one] : starts[one + 1]] for one in session)
        sums = np.array([factor[np.isin(nearest.session, holding)].sum() for holding in of_items])
        shares = self.weights_of(session) * sums
        return Explanation(item, score, "history", session.astype(np.int64), shares, 0.0)

    @classmethod
    def memory_estimate(cls, config: SessionKNNConfig, n_users: int, n_items: int, n_interactions: int) -> int:
        """Return the bytes of the sessions, by session and by item, and of sorting them."""
        return 150 * n_interactions + 60 * n_users + 8 * n_items

    @classmethod
    def work_estimate(cls, config: SessionKNNConfig, n_users: int, n_items: int, n_interactions: int) -> float:
        """Return the steps of sorting the interactions."""
        return 300.0 * n_interactions


@compiled
def _overlaps(sessions: Sessions, session: IntArray, weights: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return (S,) the summed weights of the items in common with each session, and (S,) the position of i* in it."""
    overlap, anchor = np.zeros(len(sessions.start) - 1), np.zeros(len(sessions.start) - 1, dtype=np.int64)
    for place in range(len(session)):  # oldest first, so that the last one written is i*
        for entry in range(sessions.item_start[session[place]], sessions.item_start[session[place] + 1]):
            overlap[sessions.item_session[entry]] += weights[place]
            anchor[sessions.item_session[entry]] = sessions.item_position[entry]
    return overlap, anchor


@compiled
def _has_new_item(sessions: Sessions, number: int, held: BoolArray) -> bool:
    """Return whether a session contains an item that is not marked in `held` (I,)."""
    for entry in range(sessions.start[number], sessions.start[number + 1]):  # noqa: SIM110 - compiled code has no generators
        if not held[sessions.item[entry]]:
            return True
    return False


@compiled
def _nearest_sessions(
    sessions: Sessions,
    session: IntArray,
    weights: FloatArray,
    history: IntArray,
    length: int,
    day: float,
    session_decay: float,
    limits: tuple[int, int],
) -> Neighbors:
    """Return the neighbors of a session; see the module.

    Args:
        sessions: Training sessions.
        session: (l,) distinct items of the current session, oldest first.
        weights: (l,) w of each.
        history: (h,) items of the user's history, which neighbors must go beyond.
        length: l for the cosine, 0 for the dot product.
        day: Time of the current session in days.
        session_decay: L2 in days, infinite for no decay.
        limits: Maximum numbers of neighbors, and of candidates.
    """
    total = len(sessions.start) - 1
    held = np.zeros(len(sessions.item_start) - 1, dtype=np.bool_)
    for item in history:
        held[item] = True
    overlap, anchor = _overlaps(sessions, session, weights)
    chosen = np.empty(total, dtype=np.int64)
    similarity, weight = np.empty(total), np.empty(total)
    count = 0
    for number in range(total - 1, -1, -1):  # the most recent first
        if overlap[number] <= 0.0 or count == limits[1]:
            continue
        if not _has_new_item(sessions, number, held):
            continue
        one = overlap[number]
        if length > 0:
            one /= np.sqrt(length * (sessions.start[number + 1] - sessions.start[number]))
        chosen[count], similarity[count] = number, one
        weight[count] = one * np.exp(-np.abs(day - sessions.day[number]) / session_decay)
        count += 1
    order = np.argsort(-weight[:count], kind="mergesort")[: limits[0]]
    order = order[weight[order] > 0.0]
    nearest = chosen[order]
    return Neighbors(nearest, similarity[order], weight[order], anchor[nearest])


@compiled
def _vote(sessions: Sessions, nearest: Neighbors, position_decay: float, scores: FloatArray) -> None:
    """Add the votes of the neighbors to `scores` (I,), which is NaN before the first vote."""
    for place in range(len(nearest.session)):
        number = nearest.session[place]
        first = sessions.start[number]
        for entry in range(first, sessions.start[number + 1]):
            item = sessions.item[entry]
            away = abs(entry - first + 1 - nearest.anchor[place])
            before = 0.0 if np.isnan(scores[item]) else scores[item]
            scores[item] = before + nearest.weight[place] * np.exp(-away / position_decay)
