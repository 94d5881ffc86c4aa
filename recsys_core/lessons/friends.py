"""Lesson 11: friends. Neighbor weights from taste and trust, trust over several links, and the share of friends."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Formula, Grid, Scene, Symbol, shown, tied, undecided
from recsys_core.text import _, later, percent

if TYPE_CHECKING:
    from recsys_core.data import Dataset
    from recsys_core.models.social_knn import SocialKNN

Cells = Sequence[Sequence[int | None]]
USERS = ("Ana", "Ben", "Cleo", "Dev", "Emi", "Finn", "Gus", "Hana")
OTHERS = USERS[1:]
FILMS = ("Comet", "Dunes", "Ember", "Fjord", "Grove")
WATCHED = (
    (1, 1, None, None, None),
    (1, 1, 1, None, None),
    (1, None, 1, None, None),
    (None, None, None, 1, None),
    (None, None, None, 1, 1),
    (None, 1, None, None, 1),
    (None, None, 1, None, 1),
    (1, None, None, 1, None),
)
"""Dev, whom Ana trusts, has watched nothing that Ana has."""
PAIRS = ((0, 3), (3, 4), (1, 2), (2, 1), (4, 3), (5, 6), (6, 7), (7, 5), (1, 5), (4, 7))
"""The ten links: the first user trusts the second."""
LINKS = tuple(tuple(1 if (row, column) in PAIRS else None for column in range(8)) for row in range(8))
ALONE = ((None,) * 8, *LINKS[1:])
"""The links without Ana's."""
NEIGHBORS = 3
WITH_LINKS = ("mix", "hops")
"""Steps that show the links."""
NO_ONE = "none"
NEAREST = {name: name for name in OTHERS} | {NO_ONE: later("No user: all weights are 0")}
NO_TRUST, HALF, FULL, OTHER = "0", "0.5", "1", "other"
EMPTY, TASTE = "empty", "taste"
FRIEND_OF_FRIEND = "Emi"


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        weights: (7,) weight of each other user for Ana.
        similarities: (7,) the same with a trust share of 0.
        trust: (7,) trust of Ana in each other user.
        scores: (5,) score of each film; None without a vote.
        leader: The best film that Ana has not watched; `NO_ONE` without any.
        friends_share: Share of the leader's score that comes from trusted users; None without a leader.
    """

    weights: tuple[float, ...]
    similarities: tuple[float, ...]
    trust: tuple[float, ...]
    scores: tuple[float | None, ...]
    leader: str
    friends_share: float | None


def dataset(watched: Cells, links: Cells) -> "Dataset":
    """Return histories and links as a data set of these users and films."""
    import pandas as pd

    from recsys_core.data import dataset_from_frames

    def pairs(cells: Cells) -> list[tuple[int, int]]:
        return [(row, column) for row, line in enumerate(cells) for column, cell in enumerate(line) if cell is not None]

    frame = pd.DataFrame(pairs(watched), columns=["user", "item"]).astype("int32")
    social = pd.DataFrame(pairs(links), columns=["source", "target"]).astype("int32").assign(weight=1.0)
    return dataset_from_frames(frame, user_ids=list(USERS), item_ids=list(FILMS), social=social)


def trained(data: "Dataset", mix: float, hops: int) -> "SocialKNN":
    """Return Social kNN with three neighbors, trained on the data."""
    from recsys_core.contracts import RunContext
    from recsys_core.models.social_knn import SocialKNN, SocialKNNConfig

    settings = {"neighbors": NEIGHBORS, "similarity": "cosine", "shrinkage": 0.0, "mix": mix, "hops": hops}
    model = SocialKNN(SocialKNNConfig.model_validate(settings))
    model.fit(data, RunContext())
    return model


def numbers(step: str, values: Values) -> Numbers:
    """Ask Social kNN for Ana's neighbor weights, scores, and the friends' share of the best score."""
    import numpy as np

    data = dataset(values["watched"], values["links"])
    ana = data.queries(np.array([0]))
    model = trained(data, float(values["mix"]), int(values["hops"]))
    taste = trained(data, 0.0, 1)
    weights = next(model.user_similarities(ana, model.history_matrix(ana)))[1:]
    similarities = next(taste.user_similarities(ana, taste.history_matrix(ana)))[1:]
    trust = model.trust[[0]].toarray()[0, 1:]
    scores = tuple(None if np.isnan(score) else float(score) for score in model.score(ana)[0])
    best = int(model.recommend(ana, 1).item[0, 0])
    leader, share = NO_ONE, None
    if best >= 0 and scores[best] is not None:
        leader, told = FILMS[best], model.explain(ana, best)
        of_friends = sum(w for user, w in zip(told.sources, told.weights, strict=True) if trust[int(user) - 1] > 0)
        share = float(of_friends) / told.score
    return Numbers(_plain(weights), _plain(similarities), _plain(trust), scores, leader, share)


def _plain(values: Iterable[Any]) -> tuple[float, ...]:
    return tuple(map(float, values))


def scene(step: str, values: Values, numbers: Numbers) -> Scene:
    """Return histories or links, the weights of the neighbors, and in the end the scores of the films."""
    row = USERS.index(values["other"])
    parts: list[Grid | Bars] = []
    if step == "taste":
        parts = [_histories(row, values)]
    elif step in WITH_LINKS:
        initials, title = [name[0] for name in USERS], _("Who trusts whom (the row trusts the column)")
        parts = [Grid("links", title, USERS, initials, values["links"], "links", tone=(0, 2), marked=("links/0",))]
    elif step == "alone":  # replaced by the weights with the reveal
        parts = [Bars("weights", _("Trust of Ana in each user"), OTHERS, numbers.trust, digits=2)]
    parts.append(_weights(step, numbers))
    if step not in ("taste", *WITH_LINKS):
        parts.append(_scores(values, numbers))
    formula = _formula(step, row, values, numbers)
    scene = Scene(tuple(parts), formula, _finding(step, values, numbers), _answer(step, numbers))
    if step == "mix":
        reason = _("There is no single nearest user: {names} have the same weight. Choose another m.")
        return undecided(scene, _nearest_ones(numbers), reason)
    reason = _("There is no single best: {names} have the same score. Choose another m.")
    return undecided(scene, _best_ones(values, numbers) if step == "share" else (), reason)


def _nearest_ones(numbers: Numbers) -> list[str]:
    """Return the users with the largest weight if there are several."""
    return tied(dict(zip(OTHERS, numbers.weights, strict=True))) if _nearest(numbers) != NO_ONE else []


def _best_ones(values: Values, numbers: Numbers) -> list[str]:
    """Return the best films that Ana has not watched if there are several."""
    scores = zip(FILMS, numbers.scores, values["watched"][0], strict=True)
    return tied({film: score for film, score, cell in scores if cell is None})


def _histories(row: int, values: Values) -> Grid:
    return Grid(
        "watched", _("Who watched what (1: watched)"), USERS, FILMS, values["watched"], "watched", tone=(0, 2),
        marked=("watched/0", f"watched/{row}"),
    )  # fmt: skip


def _weights(step: str, numbers: Numbers) -> Bars:
    notes = [
        _("{taste} / {trust}").format(taste=shown(taste), trust=shown(trust))
        for taste, trust in zip(numbers.similarities, numbers.trust, strict=True)
    ]
    best = max(range(len(OTHERS)), key=lambda at: numbers.weights[at])
    title = _("Weight of each user as Ana's neighbor (taste / trust)")
    return Bars(
        "weights", title, OTHERS, numbers.weights, notes=notes, digits=2,
        marked=(f"weights/{best}",) if numbers.weights[best] > 0 else (), secret=step not in ("taste", "share"),
    )  # fmt: skip


def _scores(values: Values, numbers: Numbers) -> Bars:
    known = [score for score in numbers.scores if score is not None]
    seen = [cell is not None for cell in values["watched"][0]]
    return Bars(
        "scores", _("Scores of the films for Ana"), FILMS, numbers.scores, high=max([1.0, *known]), digits=2,
        notes=[_("watched") if watched else "" for watched in seen],
        marked=(f"scores/{FILMS.index(numbers.leader)}",) if numbers.leader != NO_ONE else (), secret=True,
    )  # fmt: skip


def _formula(step: str, row: int, values: Values, numbers: Numbers) -> Formula:
    if step == "hops":
        row = USERS.index(FRIEND_OF_FRIEND)
    at = row - 1
    mix = float(values["mix"]) if any(numbers.trust) else 0.0  # without links, taste alone counts
    general = r"\lit1{w_{uv}} = (1 - \lit2{m}) \, \lit3{s_{uv}} + \lit2{m} \, \lit4{t_{uv}}"
    weight, taste, trust = (shown(part[at]) for part in (numbers.weights, numbers.similarities, numbers.trust))
    numeric = (
        rf"\lit1{{{weight}}} = (1 - \lit2{{{mix:g}}}) \cdot \lit3{{{taste}}} + \lit2{{{mix:g}}} \cdot \lit4{{{trust}}}"
    )
    user, bar = USERS[row], (f"weights/{at}",)
    pair = (f"links/0/{row}",) if step in WITH_LINKS else ()
    rows = ("watched/0", f"watched/{row}") if step == "taste" else bar
    symbols = (
        Symbol("w_uv", _("weight of {user} for Ana").format(user=user), weight, bar),
        Symbol("m", _("trust share; 0 for a user without links"), f"{mix:g}"),
        Symbol("s_uv", _("cosine of both histories"), taste, rows),
        Symbol("t_uv", _("trust of Ana in {user}").format(user=user), trust, pair or bar),
    )
    return Formula(general, numeric, symbols)


def _nearest(numbers: Numbers) -> str:
    best = max(range(len(OTHERS)), key=lambda at: numbers.weights[at])
    return OTHERS[best] if numbers.weights[best] > 0 else NO_ONE


def _answer(step: str, numbers: Numbers) -> str:
    if step == "mix":
        return _nearest(numbers)
    if step == "hops":
        trust = numbers.trust[OTHERS.index(FRIEND_OF_FRIEND)]
        return {0.0: NO_TRUST, 0.5: HALF, 1.0: FULL}.get(round(trust, 9), OTHER)
    if step == "alone":
        return EMPTY if numbers.leader == NO_ONE else TASTE
    return numbers.leader


def _finding(step: str, values: Values, numbers: Numbers) -> str:
    if step == "hops":
        return _("Ana's trust in {user} is {trust}.").format(
            user=FRIEND_OF_FRIEND, trust=shown(numbers.trust[OTHERS.index(FRIEND_OF_FRIEND)])
        )
    return _best_film(values, numbers) if step in ("share", "alone") else _largest_weight(numbers)


def _best_film(values: Values, numbers: Numbers) -> str:
    if numbers.friends_share is None:
        return _("No neighbor votes for a film that Ana has not watched.")
    score, share = shown(numbers.scores[FILMS.index(numbers.leader)]), percent(numbers.friends_share)
    if names := _best_ones(values, numbers):
        return _("{films} lead with {score} each.").format(films=", ".join(names), score=score)
    return _("{film} leads with {score}; {share} of it comes from users whom Ana trusts.").format(
        film=numbers.leader, score=score, share=share
    )


def _largest_weight(numbers: Numbers) -> str:
    nearest = _nearest(numbers)
    if nearest == NO_ONE:
        return _("All weights are 0.")
    weight = shown(numbers.weights[OTHERS.index(nearest)])
    if names := _nearest_ones(numbers):
        return _("{users} have the largest weight, {weight} each.").format(users=", ".join(names), weight=weight)
    return _("{user} has the largest weight: {weight}.").format(user=nearest, weight=weight)


LESSON = Lesson(
    key="friends",
    number=11,
    title=later("Friends"),
    idea=later("Trust finds neighbors where histories do not overlap, and its share decides whose taste wins."),
    sections=("3.social",),
    controls=(
        Matrix("watched", later("Histories"), WATCHED, low=1, high=1),
        Matrix("links", later("Links"), LINKS, low=1, high=1),
        Choice("other", later("Compare Ana with"), {name: name for name in OTHERS}, "Ben"),
        Slider("mix", later("Trust share m"), (0, 0.1, 0.3, 0.4, 0.5, 0.7, 0.9, 1), 0.3),
        Slider("hops", later("Maximum hops"), (1, 2, 3), 1),
    ),
    steps=(
        Step(
            "taste",
            later("Neighbors by taste"),
            later(
                "User kNN compares histories: the more films two users share, the more the neighbor's vote counts. "
                "Dev shares no film with Ana, so Dev cannot vote.\n\nChoose a user, or change what a user watched."
            ),
            controls=("other",),
            fixed={"mix": 0, "hops": 1},
        ),
        Step(
            "mix",
            later("Neighbors by trust"),
            later(
                "Ana trusts Dev. Social kNN gives each neighbor a weight from taste **and** trust; the share m decides "
                "how much trust counts. Set m, and change the links if you like."
            ),
            controls=("mix", "other"),
            fixed={"hops": 1},
            predict=Predict(later("Who has the largest weight for Ana with this trust share?"), NEAREST),
        ),
        Step(
            "hops",
            later("Friends of friends"),
            later(
                "Dev trusts Emi. With more than one hop, trust is handed on: along a path the trust of its links is "
                "multiplied, and each link after the first halves it. The best path counts."
            ),
            controls=("hops",),
            fixed={"mix": 0.5},
            predict=Predict(
                later("How much does Ana trust Emi with this number of hops?"),
                {NO_TRUST: "0", HALF: "0.5", FULL: "1", OTHER: later("Another value")},
            ),
        ),
        Step(
            "share",
            later("Whose taste wins?"),
            later(
                "The three neighbors of largest weight vote for what they watched. Dev votes for *Fjord*; Ben and Cleo "
                "for *Ember*. From which m on does the film of the friend lead?"
            ),
            controls=("mix", "hops"),
            predict=Predict(
                later("Which film leads for Ana?"),
                {name: name for name in FILMS} | {NO_ONE: later("None: no user votes")},
            ),
        ),
        Step(
            "alone",
            later("Break it: trust alone, and no friend"),
            later(
                "Now only trust counts (m = 1), and Ana's link is gone. Every weight would be 0. What would you expect "
                "of a recommender?"
            ),
            fixed={"mix": 1, "hops": 1, "links": ALONE},
            predict=Predict(
                later("What does Ana get?"),
                {EMPTY: later("An empty list"), TASTE: later("The list of taste alone, as with m = 0")},
            ),
            breaks=True,
        ),
    ),
    checks=(
        SelfCheck(
            later("A neighbor has similarity 0.6 and trust 0. What is the weight with m = 0.5?"),
            (later("0.6"), later("0.3"), later("0.5")),
            1,
            later("(1 − 0.5) · 0.6 + 0.5 · 0 = 0.3. Trust takes weight from neighbors who are only similar."),
        ),
        SelfCheck(
            later("What can trust do that similarity cannot?"),
            (
                later("Give weight to a user who shares no item with the target user."),
                later("Make every list more accurate."),
                later("Replace the histories of the neighbors."),
            ),
            0,
            later(
                "A link needs no common item. Whether it improves the list is a question for an evaluation: friends "
                "may have another taste, and the neighbors still vote with their own histories."
            ),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "models.social_knn:SocialKNN.user_similarities",
        "profiles.graph:propagated_trust",
        "models.user_knn:UserKNN.explain",
    ),
    own_data=OwnData(
        "train",
        later("Train Social kNN on data with links"),
        model="social_knn",
        settings={"mix": "mix", "hops": "hops"},
    ),
)
