"""Lesson 5: who is like me? Similarity of users, term by term, and why the measure decides."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Formula, Grid, Scene, Symbol, shown, signed, summed, tied, undecided
from recsys_core.lessons.worlds import Cells, RatedWorld
from recsys_core.text import _, later

if TYPE_CHECKING:
    from recsys_core.data import Dataset
    from recsys_core.models.similarity import PairTerms
    from recsys_core.models.user_knn import UserKNN

USERS = ("Ana", "Ben", "Cleo", "Dev", "Emi", "Finn")
FILMS = ("Comet", "Dunes", "Ember", "Fjord", "Grove", "Haven")
OTHERS = USERS[1:]
RATINGS = (
    (5, 4, 1, 2, None, None),
    (3, 2, 1, 1, 4, None),
    (4, 4, 4, 5, 3, 5),
    (5, 1, 2, None, None, 4),
    (None, 5, None, 4, 2, 1),
    (1, 2, 5, 4, None, 5),
)
"""Cosine, Pearson and adjusted cosine each select another nearest neighbor of Ana."""
WORLD = RatedWorld(USERS, FILMS, RATINGS)
MEASURES = {"cosine": later("Cosine"), "pearson": later("Pearson"), "adjusted_cosine": later("Adjusted cosine")}
PAIR_BY_CHANCE = "Emi"
"""Shares two films with Ana."""
ENDS, ANY = "ends", "any"
NO_NEIGHBOR = "none"
WHO_IS_NEAREST = ("nearest", "measure", "shrinkage")
"""Steps with this question."""
WHO = {name: name for name in OTHERS} | {NO_NEIGHBOR: later("No user: no similarity is positive")}


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        similarities: Measure of the step -> (5,) similarity of Ana to each other user, with the shrinkage.
        nearest: Measure -> the neighbor that User kNN selects for k = 1, or `NO_NEIGHBOR`. It leaves out a user with
            exactly the ratings of the first one: for the model they are the same user.
        terms: Terms of the similarity of Ana and the selected user, for the measure of the values.
        possible: In the step `chance`, the Pearson correlations of Ana and Emi for all ratings that Emi could have
            given to the first film that both rated.
    """

    similarities: dict[str, tuple[float, ...]]
    nearest: dict[str, str]
    terms: "PairTerms"
    possible: tuple[float, ...]


def trained(data: "Dataset", measure: str, shrinkage: float = 0.0) -> "UserKNN":
    """Return User kNN with this similarity, trained on the data."""
    from recsys_core.contracts import RunContext
    from recsys_core.models.user_knn import UserKNN, UserKNNConfig

    model = UserKNN(UserKNNConfig.model_validate({"similarity": measure, "shrinkage": shrinkage, "neighbors": 1}))
    model.fit(data, RunContext())
    return model


def numbers(step: str, values: Values, world: RatedWorld = WORLD) -> Numbers:
    """Ask User kNN for the similarities of the first user, their terms, and the nearest neighbor."""
    import numpy as np

    data = world.dataset(values["ratings"])
    first = data.queries(np.array([0]))
    similarities, nearest, terms = {}, {}, None
    for measure in dict.fromkeys(_measures(step, values["measure"])):
        model = trained(data, measure, values["shrinkage"])
        similarity = next(model.user_similarities(first, model.history_matrix(first)))[1:]
        similarities[measure] = tuple(map(float, similarity))
        best = world.user_keys[1 + int(np.argmax(similarity))]
        nearest[measure] = best if similarity.max() > 0 else NO_NEIGHBOR
        if measure == values["measure"]:
            terms = model.similarity_terms(first, world.user(values["other"]))
    assert terms is not None
    return Numbers(similarities, nearest, terms, _possible(values, world) if step == "chance" else ())


def _possible(values: Values, world: RatedWorld) -> tuple[float, ...]:
    """Return the distinct correlations with another user, over all ratings of theirs for the first shared item."""
    import numpy as np

    ratings, other = values["ratings"], world.user(values["other"])
    both = shared(ratings, other)
    if not both:
        return (0.0,)
    correlations = set()
    for rating in range(1, world.high + 1):
        rows = [list(row) for row in ratings]
        rows[other][both[0]] = rating
        data = world.dataset(rows)
        model, first = trained(data, "pearson"), data.queries(np.array([0]))
        correlations.add(round(model.similarity_terms(first, other).similarity, 9))
    return tuple(sorted(correlations))


def shared(ratings: Cells, other: int) -> tuple[int, ...]:
    """Return the items that the first user and another one rated."""
    pairs = zip(ratings[0], ratings[other], strict=True)
    return tuple(item for item, pair in enumerate(pairs) if None not in pair)


def copies(ratings: Cells) -> list[int]:
    """Return the users with exactly the ratings of the first one, whom User kNN leaves out."""
    return [other for other in range(1, len(ratings)) if tuple(ratings[other]) == tuple(ratings[0])]


def scene(step: str, values: Values, numbers: Numbers, world: RatedWorld = WORLD) -> Scene:
    """Return the ratings, the similarities, and the arithmetic of one of them."""
    measure, row = values["measure"], world.user(values["other"])
    grid = Grid(
        "ratings", _("Ratings (1 to {high}; empty: not rated)").format(high=world.high), world.users, world.items,
        values["ratings"], control="ratings", tone=(1, world.high), marked=("ratings/0", f"ratings/{row}"),
    )  # fmt: skip
    hidden = step not in ("rows", "chance")
    bars = [_bars(name, values["ratings"], numbers, world, secret=hidden) for name in _measures(step, measure)]
    formula = None if step == "nearest" else _formula(measure, row, values["shrinkage"], numbers, world)
    finding = _finding(step, measure, values, numbers, world)
    scene = Scene((grid, *bars), formula, finding, _answer(step, measure, numbers))
    reason = _("There is no single nearest user: {names} are equally similar. Change a rating.")
    return undecided(scene, _first(measure, numbers, world) if step in WHO_IS_NEAREST else (), reason)


def _first(measure: str, numbers: Numbers, world: RatedWorld) -> list[str]:
    """Return the nearest users if there are several."""
    similar = dict(zip(world.users[1:], numbers.similarities[measure], strict=True))
    return tied(similar) if numbers.nearest[measure] != NO_NEIGHBOR else []


def _measures(step: str, measure: str) -> tuple[str, ...]:
    return ("cosine", measure) if step == "measure" and measure != "cosine" else (measure,)


def _bars(measure: str, ratings: Cells, numbers: Numbers, world: RatedWorld, *, secret: bool) -> Bars:
    nearest, left_out = numbers.nearest[measure], copies(ratings)
    others = range(1, len(world.users))
    notes = [
        (_("n = {n}, left out") if other in left_out else _("n = {n}")).format(n=len(shared(ratings, other)))
        for other in others
    ]
    similar = numbers.similarities[measure]
    title = _("{measure} with {user} (n: items that both rated)")
    return Bars(
        f"similarity_{measure}", title.format(measure=_(MEASURES[measure]), user=world.users[0]), world.users[1:],
        [None if other in left_out else similar[other - 1] for other in others], low=-1.0, notes=notes,
        marked=(f"similarity_{measure}/{world.user(nearest) - 1}",) if nearest != NO_NEIGHBOR else (), secret=secret,
    )  # fmt: skip


def _formula(measure: str, row: int, shrinkage: float, numbers: Numbers, world: RatedWorld) -> Formula:
    terms = numbers.terms
    items = [world.items[item] for item in terms.columns]
    factor, by = ("", "") if shrinkage <= 0 else (r"\lit6{\tfrac{\min(n, \beta)}{\beta}} \cdot ", r"\lit6{%s} \cdot ")
    x, y = ("r_{uj}", "r_{vj}") if measure == "cosine" else (r"\tilde r_{uj}", r"\tilde r_{vj}")
    norms = (
        r"\lVert r_u \rVert \lVert r_v \rVert"
        if measure == "cosine"
        else r"\lVert \tilde r_u \rVert \lVert \tilde r_v \rVert"
    )
    general = (
        rf"\lit1{{s_{{uv}}}} = {factor}\frac{{\sum_{{\lit2{{j}}}} \lit3{{{x}}} \, \lit4{{{y}}}}}{{\lit5{{{norms}}}}}"
    )
    products = summed(
        rf"\lit3{{{signed(float(one), _digits(one))}}} \cdot \lit4{{{signed(float(two), _digits(two))}}}"
        for one, two in zip(terms.x, terms.y, strict=True)
    )
    weight = by % shown(terms.significance) if by else ""
    bottom = shown(terms.denominator, 3) if terms.denominator else "0"
    numeric = rf"\lit1{{{shown(terms.similarity, 3)}}} = {weight}\frac{{{products or '0'}}}{{\lit5{{{bottom}}}}}"
    meaning = {
        "cosine": _("rating of {user}"),
        "pearson": _("rating of {user}, minus the mean of the items that both rated"),
        "adjusted_cosine": _("rating of {user}, minus the mean of the item"),
    }[measure]
    cells = [(f"ratings/0/{item}", f"ratings/{row}/{item}") for item in terms.columns]
    symbols = [
        Symbol(
            "s_uv", _("similarity of {user} and {other}").format(user=world.users[0], other=world.users[row]),
            shown(terms.similarity, 3), (f"similarity_{measure}/{row - 1}",),
        ),
        Symbol("j", _("items that both rated"), ", ".join(items), tuple(f"ratings/*/{item}" for item in terms.columns)),
        Symbol("r_uj", meaning.format(user=world.users[0]), "", tuple(mine for mine, _theirs in cells)),
        Symbol("r_vj", meaning.format(user=world.users[row]), "", tuple(theirs for _mine, theirs in cells)),
        Symbol("|r_u| |r_v|", _("lengths of both rows"), bottom, ("ratings/0", f"ratings/{row}")),
    ]  # fmt: skip
    if factor:
        symbols.append(Symbol("β", _("shrinkage"), shown(shrinkage, 0)))
    return Formula(general, numeric, symbols)


def _digits(value: Any) -> int:
    return 0 if float(value).is_integer() else 2


def _answer(step: str, measure: str, numbers: Numbers) -> str:
    if step == "chance":
        return ENDS if {abs(value) for value in numbers.possible} <= {0.0, 1.0} else ANY
    return numbers.nearest[measure]


def _finding(step: str, measure: str, values: Values, numbers: Numbers, world: RatedWorld) -> str:
    nearest, name = numbers.nearest[measure], _(MEASURES[measure])
    if step == "chance":
        return _(
            "Over all ratings that {user} could give to the first shared item, the correlation is one of: {values}."
        ).format(
            user=world.users[world.user(values["other"])], values=", ".join(shown(value) for value in numbers.possible)
        )
    if nearest == NO_NEIGHBOR:
        return _("{measure}: no other user has a positive similarity to {user}.").format(
            measure=name, user=world.users[0]
        )
    user, best = world.users[world.user(nearest)], shown(max(numbers.similarities[measure]), 3)
    if step == "shrinkage":
        return _("With β = {beta}, {user} is nearest ({similarity}).").format(
            beta=shown(values["shrinkage"], 0), user=user, similarity=best
        )
    if names := _first(measure, numbers, world):
        return _("{measure}: {users} are nearest, equally similar to {user} ({similarity}).").format(
            measure=name, users=", ".join(names), user=world.users[0], similarity=best
        )
    return _("{measure}: {user} is nearest ({similarity}).").format(measure=name, user=user, similarity=best)


LESSON = Lesson(
    key="neighbors",
    number=5,
    title=later("Who is like me?"),
    idea=later("Similar users are found by comparing rows of ratings; the measure decides who is similar."),
    sections=("2.2",),
    controls=(
        Matrix("ratings", later("Ratings"), RATINGS),
        Choice("other", later("Compare Ana with"), {name: name for name in OTHERS}, "Ben"),
        Choice("measure", later("Measure"), MEASURES, "pearson"),
        Slider("shrinkage", later("Shrinkage β"), (0, 1, 2, 3, 4, 6, 8, 10), 4),
    ),
    steps=(
        Step(
            "rows",
            later("Two users are two rows"),
            later(
                "To predict what Ana will like, User kNN searches for users with similar ratings. Two users are "
                "compared on the films that **both** rated.\n\n**Cosine** multiplies the two ratings of each shared "
                "film, adds the products up, and divides by the lengths of the two rows. Compare Ana with other users, "
                "or change a rating in the table."
            ),
            controls=("other",),
            fixed={"measure": "cosine", "shrinkage": 0},
        ),
        Step(
            "nearest",
            later("The nearest neighbor"),
            later(
                "The nearest neighbor is the user with the highest similarity. The length of a row counts **all** "
                "films that a user rated, so films that Ana did not rate lower the cosine.\n\nLook at the rows: whose "
                "ratings are most similar to Ana's by the cosine?"
            ),
            fixed={"measure": "cosine", "shrinkage": 0},
            predict=Predict(later("Who is nearest to Ana by the cosine?"), WHO),
        ),
        Step(
            "measure",
            later("Another measure, another neighbor"),
            later(
                "Cleo rates every film 3 to 5; Ben is strict. The cosine of positive ratings is high for both. "
                "**Pearson** first subtracts each user's mean over the shared films: what counts is who likes the "
                "same films *more than others*. **Adjusted cosine** subtracts the mean of each film instead."
            ),
            controls=("measure", "other"),
            fixed={"shrinkage": 0},
            predict=Predict(later("Who is nearest by the measure selected below?"), WHO),
        ),
        Step(
            "chance",
            later("Break it: two shared films"),
            later(
                "Emi shares only two films with Ana. Change one of Emi's ratings of *Dunes* or *Fjord*, and watch the "
                "Pearson correlation. A straight line through two points always fits."
            ),
            fixed={"measure": "pearson", "shrinkage": 0, "other": PAIR_BY_CHANCE},
            predict=Predict(
                later("Which values can the correlation of Ana and Emi have?"),
                {ENDS: later("Only −1, 0 and 1"), ANY: later("Other values as well")},
            ),
            breaks=True,
        ),
        Step(
            "shrinkage",
            later("The repair: shrinkage"),
            later(
                "Few shared films are weak evidence. **Shrinkage** multiplies the similarity by min(n, β) / β, where n "
                "is the number of shared films: two shared films with β = 4 count half.\n\nSet β, predict, and move it "
                "again after the answer: from which β on is Emi no longer nearest?"
            ),
            controls=("shrinkage", "other"),
            fixed={"measure": "pearson"},
            predict=Predict(later("Who is nearest by Pearson with this shrinkage?"), WHO),
        ),
    ),
    checks=(
        SelfCheck(
            later("One user gives every item two stars less than another. Which measure gives them a similarity of 1?"),
            (later("Cosine"), later("Pearson"), later("Both")),
            1,
            later(
                "Pearson subtracts the mean of each user, so a constant difference disappears. The cosine of rows "
                "that are not multiples of each other is below 1."
            ),
        ),
        SelfCheck(
            later("Two users share two items, and their Pearson correlation is 1. What does that tell you?"),
            (
                later("They have the same taste."),
                later("Little: with two items the correlation is −1, 1 or undefined."),
                later("Both gave the same ratings."),
            ),
            1,
            later(
                "After the means are subtracted, two values are a number and its negative, so the correlation can "
                "only be −1 or 1, or undefined if both ratings are equal (then 0 here). Shrinkage or a minimum overlap "
                "accounts for that."
            ),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "models.user_knn:UserKNN.user_similarities",
        "models.user_knn:UserKNN.similarity_terms",
        "models.similarity:pair_terms",
    ),
    own_data=OwnData(
        "inside",
        later("Nearest neighbors in your data"),
        model="user_knn",
        settings={"similarity": "measure", "shrinkage": "shrinkage"},
    ),
)
