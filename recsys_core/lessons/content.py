"""Lesson 3: profile and content. A user's profile in the space of the tags, the cosine, and over-specialization."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsys_core.lessons.controls import Choice, Matrix, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Formula, Grid, Scene, Symbol, shown, signed, summed, tied, undecided
from recsys_core.text import _, later

if TYPE_CHECKING:
    from recsys_core.data import Dataset
    from recsys_core.models.content_features import ContentFeatures

Cells = Sequence[Sequence[int | None]]
FILMS = ("Comet", "Dunes", "Ember", "Fjord", "Grove", "Haven")
TAGS = ("coast", "comedy", "desert", "drama", "space")
HAS = (
    (None, None, None, 1, 1),
    (None, None, 1, None, 1),
    (None, 1, None, None, 1),
    (1, None, None, 1, None),
    (None, 1, None, None, None),
    (1, 1, None, None, None),
)
COAST_ALONE = (*HAS[:5], (1, None, None, None, None))
"""The tags with Haven about the coast alone."""
RATINGS = ((5, None, 4, 2, None, None),)
LIKINGS = {
    "liked": later("Rated ≥ mean"),
    "deviation": later("Deviation from the mean"),
    "equal": later("All alike"),
}
NO_FILM = "none"
LEADERS = {name: name for name in FILMS} | {NO_FILM: later("None: all are rated, or nothing is known")}
ZERO, ABOVE, BELOW = "zero", "above", "below"
NEW = 5
"""Haven."""


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        vectors: (6, 5) film vectors over the tags, of length 1 or 0.
        profile: (5,) profile of Ana over the tags, of length 1 or 0.
        scores: (6,) cosine of the profile and each film; None without a profile.
        leader: The best film that Ana has not rated, or `NO_FILM`.
        shares: Contribution of each tag to the score of the chosen film, largest first.
    """

    vectors: tuple[tuple[float, ...], ...]
    profile: tuple[float, ...]
    scores: tuple[float | None, ...]
    leader: str
    shares: tuple[tuple[int, float], ...]


def dataset(tags: Cells, ratings: Cells) -> "Dataset":
    """Return the films with their tags, and Ana's ratings."""
    import pandas as pd

    from recsys_core.contracts import RatingScale
    from recsys_core.data import dataset_from_frames

    rated = [(0, film, float(cell)) for film, cell in enumerate(ratings[0]) if cell is not None]
    frame = pd.DataFrame(rated, columns=["user", "item", "rating"])
    names = ["|".join(tag for tag, cell in zip(TAGS, row, strict=True) if cell is not None) or None for row in tags]
    return dataset_from_frames(
        frame.astype({"user": "int32", "item": "int32", "rating": "float32"}),
        user_ids=["Ana"], item_ids=list(FILMS), items=pd.DataFrame({"categories": names}),
        rating_scale=RatingScale(1, 5),
    )  # fmt: skip


def trained(data: "Dataset", liking: str) -> "ContentFeatures":
    """Return content vectors with these profile weights, trained on the data."""
    from recsys_core.contracts import RunContext
    from recsys_core.models.content_features import ContentFeatures, ContentFeaturesConfig

    model = ContentFeatures(ContentFeaturesConfig.model_validate({"liking": liking}))
    model.fit(data, RunContext())
    return model


def numbers(step: str, values: Values) -> Numbers:
    """Ask the model for film vectors, Ana's profile, the scores, and the shares of the tags in one score."""
    import numpy as np

    from recsys_core.errors import CannotScore, DataError
    from recsys_core.models.content import from_bytes

    nothing = Numbers(((0.0,) * 5,) * 6, (0.0,) * 5, (None,) * 6, NO_FILM, ())
    data = dataset(values["tags"], values["ratings"])
    try:
        model = trained(data, values["liking"])
    except DataError:  # no tags, or no ratings
        return nothing
    place = {name.partition(": ")[2]: column for column, name in enumerate(from_bytes(model.names))}
    columns = [place.get(tag) for tag in TAGS]
    ana = data.queries(np.array([0]))
    vectors, profile = model.content.toarray(), model.profiles(ana).toarray()[0]
    scores = tuple(None if np.isnan(score) else float(score) for score in model.score(ana)[0])
    best = int(model.recommend(ana, 1).item[0, 0])
    film = _film(step, values, FILMS[best] if best >= 0 else NO_FILM)
    try:
        told = model.explain(ana, film)
        shares = tuple(
            (columns.index(int(one)), float(share)) for one, share in zip(told.sources, told.weights, strict=True)
        )
    except CannotScore:
        shares = ()
    return Numbers(
        tuple(tuple(0.0 if at is None else float(row[at]) for at in columns) for row in vectors),
        tuple(0.0 if at is None else float(profile[at]) for at in columns),
        scores,
        FILMS[best] if best >= 0 else NO_FILM,
        shares,
    )


def _film(step: str, values: Values, leader: str) -> int:
    """Return the film whose score is written out: the chosen one, Haven, or the one that leads."""
    if step == "new":
        return NEW
    return FILMS.index(leader if step != "vectors" and leader != NO_FILM else values["film"])


def scene(step: str, values: Values, numbers: Numbers) -> Scene:
    """Return tags and ratings, the profile, the scores, and the sum over the tags of one score."""
    film = _film(step, values, numbers.leader)
    ratings = Grid(
        "ratings", _("Ana's ratings (1 to 5; empty: not rated)"), ("Ana",), FILMS, values["ratings"],
        control="ratings", tone=(1, 5),
    )  # fmt: skip
    tags = Grid(
        "tags", _("Tags of the films (1: has it)"), FILMS, TAGS, values["tags"], tone=(0, 2),
        control="" if step == "new" else "tags", marked=(f"tags/{film}",),
    )  # fmt: skip
    hidden = step != "vectors"
    low = min(0.0, *numbers.profile)
    profile = Bars("profile", _("Ana's profile"), TAGS, numbers.profile, low=low, digits=2, secret=hidden)
    known = [score for score in numbers.scores if score is not None]
    scores = Bars(
        "scores", _("Cosine of profile and film"), FILMS, numbers.scores, low=min([0.0, *known]), digits=2,
        notes=tuple(_("rated") if cell is not None else "" for cell in values["ratings"][0]),
        marked=(f"scores/{film}",), secret=hidden,
    )  # fmt: skip
    formula = _formula(film, numbers)
    if step == "new" and numbers.scores[NEW] is None:
        return Scene((ratings, tags), impossible=_("Nothing is known about Ana, so there is no score. Type a rating."))
    scene = Scene((ratings, tags, profile, scores), formula, _finding(step, values, numbers), _answer(step, numbers))
    reason = _("There is no single best: {names} have the same score. Change a rating, a tag, or the profile weights.")
    return undecided(scene, _first(values, numbers) if step in ("leader", "liking") else (), reason)


def _first(values: Values, numbers: Numbers) -> list[str]:
    """Return the best films that Ana has not rated if there are several."""
    scores = zip(FILMS, numbers.scores, values["ratings"][0], strict=True)
    return tied({film: score for film, score, rating in scores if rating is None})


def _formula(film: int, numbers: Numbers) -> Formula | None:
    score = numbers.scores[film]
    if score is None:
        return None
    general = r"\lit1{\hat{x}_{ui}} = \cos(p_u, x_i) = \sum_{\lit4{c}} \lit2{p_{uc}} \, \lit3{x_{ic}}"
    terms = [
        rf"\lit2{{{signed(numbers.profile[tag])}}} \cdot \lit3{{{signed(numbers.vectors[film][tag])}}}"
        for tag, _share in sorted(numbers.shares)
    ]
    shared = [tag for tag, _share in sorted(numbers.shares)]
    named = {"film": FILMS[film]}
    symbols = (
        Symbol("x_ui", _("score of {film} for Ana").format(**named), shown(score), (f"scores/{film}",)),
        Symbol("p_uc", _("entry of the tag in Ana's profile"), "", tuple(f"profile/{tag}" for tag in shared)),
        Symbol(
            "x_ic", _("1 / √(number of tags of {film})").format(**named), "",
            tuple(f"tags/{film}/{tag}" for tag in shared),
        ),
        Symbol(
            "c", _("tags that both have"), ", ".join(TAGS[tag] for tag in shared),
            tuple(f"tags/*/{tag}" for tag in shared),
        ),
    )  # fmt: skip
    return Formula(general, rf"\lit1{{{shown(score)}}} = {summed(terms, 2) or '0'}", symbols)


def _answer(step: str, numbers: Numbers) -> str:
    if step == "new":
        score = numbers.scores[NEW] or 0.0
        return ZERO if abs(score) < 1e-12 else ABOVE if score > 0 else BELOW
    return numbers.leader


def _finding(step: str, values: Values, numbers: Numbers) -> str:
    if all(score is None for score in numbers.scores):
        return _("Nothing is known about Ana or about the films: there is no score.")
    if step == "new":
        return _("Haven has the score {score}.").format(score=shown(numbers.scores[NEW]))
    if numbers.leader == NO_FILM:
        return _("Ana has rated every film.")
    score = shown(numbers.scores[FILMS.index(numbers.leader)])
    if names := _first(values, numbers):
        return _("{films} lead with {score} each.").format(films=", ".join(names), score=score)
    return _("{film} leads with {score}.").format(film=numbers.leader, score=score)


LESSON = Lesson(
    key="content",
    number=3,
    title=later("Profile and content"),
    idea=later("Films and users are vectors over the same tags; the cosine finds more of the same, and nothing else."),
    sections=("1.1", "1.2"),
    controls=(
        Matrix("ratings", later("Ratings"), RATINGS),
        Matrix("tags", later("Tags"), HAS, low=1, high=1),
        Choice("film", later("Film"), {name: name for name in FILMS}, "Dunes"),
        Choice("liking", later("Profile weights"), LIKINGS, "liked"),
    ),
    steps=(
        Step(
            "vectors",
            later("One space for films and users"),
            later(
                "A film is a vector with an entry for each of its tags, of length 1. Ana's **profile** is the weighted "
                "mean of the films that she rated at or above her mean, also of length 1. The score is their cosine."
                "\n\nChoose a film, or change a rating or a tag."
            ),
            controls=("film",),
            fixed={"liking": "liked"},
        ),
        Step(
            "leader",
            later("Which film is next?"),
            later(
                "Ana rated *Comet* and *Ember* highly: both are about space. Three films are unrated. A film with "
                "fewer tags puts more weight on each."
            ),
            fixed={"liking": "liked"},
            predict=Predict(later("Which film that Ana has not rated leads?"), LEADERS),
        ),
        Step(
            "liking",
            later("What a low rating says"),
            later(
                "*Fjord* got two stars. A profile of the films **rated at or above the mean** leaves it out; the "
                "**deviation from the mean** gives its tags a negative weight; with **all alike**, it counts as "
                "interest. Choose, and predict again with another one."
            ),
            controls=("liking",),
            predict=Predict(later("Which unrated film leads with these profile weights?"), LEADERS),
        ),
        Step(
            "new",
            later("Break it: something new"),
            later(
                "Haven now has a single tag, *coast*, which none of the films that she rated highly has. She might "
                "love it."
            ),
            fixed={"liking": "liked", "tags": COAST_ALONE},
            predict=Predict(
                later("What is the score of Haven?"),
                {ZERO: later("Exactly 0"), ABOVE: later("Above 0"), BELOW: later("Below 0")},
            ),
            breaks=True,
        ),
    ),
    checks=(
        SelfCheck(
            later("Two films share one tag. The first has one tag, the second four. What is their cosine?"),
            (later("1"), later("0.5"), later("0.25")),
            1,
            later("The entries of a film with n tags are 1 / √n: 1 · 1 / √4 = 0.5."),
        ),
        SelfCheck(
            later("What does a pure content-based recommender never do?"),
            (
                later("Recommend a film without any rating."),
                later("Give a positive score to a film that shares no feature with the profile."),
                later("Give two users different lists."),
            ),
            1,
            later(
                "It can recommend new films, since it needs their tags alone. But without a common feature the cosine "
                "is 0: over-specialization. Collaborative models find such films through other users."
            ),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "models.content:item_vectors",
        "models.content_features:ContentFeatures.profiles",
        "models.content_features:ContentFeatures.explain",
    ),
    own_data=OwnData("users", later("Profiles of your users")),
)
