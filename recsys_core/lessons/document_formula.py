"""Lesson 4: the document's formula, and why it fails: the sum does not depend on the item."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Formula, Grid, Scene, Symbol, digits_for, shown, tied, undecided
from recsys_core.lessons.worlds import Cells, RatedWorld, rated
from recsys_core.text import _, later

if TYPE_CHECKING:
    from recsys_core.data import Dataset
    from recsys_core.models.content_mean import ContentMean, LiteralTerms

USERS = ("Ana", "Ben", "Cleo", "Dev", "Emi")
FILMS = ("Comet", "Dunes", "Ember", "Fjord", "Grove")
GENRES = ("space", "space|desert", "space|fire", "coast|drama", "drama|wood")
RATINGS = (
    (5, None, 4, None, None),
    (4, 5, None, 3, None),
    (None, 4, 5, None, 1),
    (2, None, None, 4, None),
    (4, 4, 3, None, None),
)
"""Grove has one rating, of one star; Dunes has the best mean of several."""
WORLD = RatedWorld(USERS, FILMS, RATINGS)
LONE, FAN = 4, 4
"""Grove, and Emi, who rates it next; see `newcomer`."""
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
ITEM, NOT_ITEM = "item", "not_item"
RISES, FALLS, STAYS = "rises", "falls", "stays"
ROUNDING = 1e-12
"""Relative difference of scores that is due to rounding; with a large α real differences are small, too."""
SAME, OTHER = "same", "other"
YES_NO = {SAME: later("Yes"), OTHER: later("No")}
WHICH = {name: name for name in FILMS} | {"none": later("No film: all are rated")}


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        terms: Terms of the literal score of every film for the user.
        scores: (I,) score of every film for the user.
        order: Unrated films, best first.
        second: (I,) scores of every film for the user compared with.
        orders: All films by score, for both users.
        before: In the step `rating`, the terms of the item without the added rating.
    """

    terms: "tuple[LiteralTerms, ...]"
    scores: tuple[float, ...]
    order: tuple[int, ...]
    second: tuple[float, ...]
    orders: tuple[tuple[int, ...], tuple[int, ...]]
    before: "LiteralTerms | None" = None


def dataset(ratings: Cells, world: RatedWorld = WORLD) -> "Dataset":
    """Return the ratings as a data set; the built-in films have genres."""
    return world.dataset(ratings) if world.own else rated(ratings, USERS, FILMS, GENRES)


def trained(data: "Dataset", form: str, alpha: float, beta: float) -> "ContentMean":
    """Return content kNN with means in this form, trained on the data."""
    from recsys_core.contracts import RunContext
    from recsys_core.models.content_mean import ContentMean, ContentMeanConfig

    model = ContentMean(ContentMeanConfig.model_validate({"form": form, "alpha": alpha, "beta": beta}))
    model.fit(data, RunContext())
    return model


def numbers(step: str, values: Values, world: RatedWorld = WORLD) -> Numbers:
    """Ask the model for the scores of two users, and for the terms of the first one."""
    import numpy as np

    ratings = added(values["ratings"], world) if step == "rating" else values["ratings"]
    data = dataset(ratings, world)
    form = "content" if step == "repair" else "literal"
    model = trained(data, form, float(values["alpha"]), float(values["beta"]))
    rows = [world.user(values["user"]), world.user(values["other"])]
    scores = model.score(data.queries(np.array(rows)))
    own = data.queries(np.array(rows[:1]))
    items = range(len(world.items))
    listed = model.recommend(own, len(items)).item[0]
    terms = tuple(model.literal_terms(own, item) for item in items) if form == "literal" else ()
    before = None
    if step == "rating":
        known = dataset(values["ratings"], world)
        plain = trained(known, form, float(values["alpha"]), float(values["beta"]))
        before = plain.literal_terms(known.queries(np.array(rows[:1])), newcomer(values["ratings"], world)[0])
    first, second = (tuple(float(f"{score:.12g}") for score in row) for row in scores)  # equal ones are equal
    order = tuple(int(item) for item in listed if item >= 0)
    return Numbers(terms, first, order, second, (_by_score(first), _by_score(second)), before)


def _by_score(scores: Sequence[float]) -> tuple[int, ...]:
    return tuple(sorted(range(len(scores)), key=lambda item: (-scores[item], item)))


def newcomer(ratings: Cells, world: RatedWorld = WORLD) -> tuple[int, int]:
    """Return the item that gets another rating, and the user who gives it.

    Grove and Emi; on a teacher's table the item with the fewest ratings, then the lowest mean, and the first user who
    has not rated it; (-1, -1) without an item that has ratings and an empty cell.
    """
    if not world.own:
        return LONE, FAN
    columns = [[row[item] for row in ratings] for item in range(len(world.items))]
    given = [[cell for cell in column if cell is not None] for column in columns]
    open_items = [item for item, cells in enumerate(given) if 0 < len(cells) < len(world.users)]
    if not open_items:
        return -1, -1
    item = min(open_items, key=lambda one: (len(given[one]), sum(given[one]) / len(given[one]), one))
    return item, columns[item].index(None)


def added(ratings: Cells, world: RatedWorld = WORLD) -> tuple[tuple[int | None, ...], ...]:
    """Return the ratings with the highest one of `newcomer` for its item."""
    item, user = newcomer(ratings, world)
    table = [list(row) for row in ratings]
    table[user][item] = world.high
    return tuple(map(tuple, table))


def scene(step: str, values: Values, numbers: Numbers, world: RatedWorld = WORLD) -> Scene:
    """Return the ratings, the scores of one or two users, and the arithmetic of one score."""
    row, item = world.user(values["user"]), _item(step, values, numbers, world)
    ratings = added(values["ratings"], world) if step == "rating" else values["ratings"]
    grid = Grid(
        "ratings", _("Ratings (1 to {high}; empty: not rated)").format(high=world.high), world.users, world.items,
        values["ratings"], control="ratings", tone=(1, world.high), marked=(f"ratings/{row}",),
    )  # fmt: skip
    parts: list[Grid | Bars] = [grid, *([_after(values, world)] if step == "rating" else [])]
    parts.append(_bars("scores", numbers.scores, ratings, row, numbers, world, secret=step != "terms"))
    if step in ("alpha", "repair"):
        other = world.user(values["other"])
        parts.append(_bars("second", numbers.second, ratings, other, numbers, world, secret=True))
    formula = None if step == "repair" else _formula(row, item, values, numbers, world)
    first = tied({world.items[item]: numbers.scores[item] for item in sorted(numbers.order)})
    finding, answer = _finding(step, values, numbers, world, first), _answer(step, values, numbers, world)
    reason = _("There is no single best: {names} have the same score. Choose another user, or another β.")
    return undecided(Scene(tuple(parts), formula, finding, answer), first if step == "leader" else (), reason)


def _after(values: Values, world: RatedWorld) -> Grid:
    item, user = newcomer(values["ratings"], world)
    title = _("Ratings with {high} stars of {user} for {film}")
    return Grid(
        "ratings", title.format(high=world.high, user=world.users[user], film=world.items[item]), world.users,
        world.items, added(values["ratings"], world), tone=(1, world.high), marked=(f"ratings/{user}/{item}",),
        secret=True,
    )  # fmt: skip


def _item(step: str, values: Values, numbers: Numbers, world: RatedWorld) -> int:
    """Return the item whose score is written out: the chosen one, that of `newcomer`, or the one that leads."""
    if step == "rating":
        return newcomer(values["ratings"], world)[0]
    if step in ("leader", "alpha") and numbers.order:
        return numbers.order[0]
    return world.item(values["film"])


def _bars(
    name: str, scores: Sequence[float], ratings: Cells, row: int, numbers: Numbers, world: RatedWorld, *, secret: bool
) -> Bars:
    counts = [sum(line[item] is not None for line in ratings) for item in range(len(world.items))]
    notes = tuple(
        (_("n = {n}, rated") if ratings[row][item] is not None else _("n = {n}")).format(n=count)
        for item, count in enumerate(counts)
    )
    leads = (f"{name}/{numbers.order[0]}",) if name == "scores" and numbers.order else ()
    caption, power = _("Scores for {user} (n: number of ratings)").format(user=world.users[row]), _power(max(scores))
    scores = [score * 10.0**-power for score in scores]
    return Bars(
        name, caption + _times_ten(power), world.items, scores,
        low=min(0.0, *scores), high=1.1 * max(scores), notes=notes, marked=leads, secret=secret,
        digits=2 if max(scores) >= 0.1 else 4,
    )  # fmt: skip


def _formula(row: int, item: int, values: Values, numbers: Numbers, world: RatedWorld) -> Formula:
    terms, alpha, beta = numbers.terms[item], float(values["alpha"]), float(values["beta"])
    power, divisor = _power(terms.score), f"{terms.own:,.10g}"  # up to 8 to the power of 10
    score = shown(terms.score * 10.0**-power, 2 if power or abs(terms.score) >= 0.1 else 4)
    times = rf" \cdot 10^{{{power}}}" if power else ""
    general = (
        r"\lit1{\hat{r}_{ui}} = \frac{\beta \lit2{\textstyle\sum_{j \in P(u)} r_{uj}} + \lit3{\mu_u} + \lit4{\nu_i}}"
        r"{\lit5{|P(u)|^\alpha} + \lit6{|R(i)|}}"
    )
    numeric = (
        rf"\lit1{{{score}{times}}} = \frac{{{shown(beta, 1)} \cdot \lit2{{{shown(terms.ratings, 0)}}} + "
        rf"\lit3{{{shown(terms.user_mean)}}} + \lit4{{{shown(terms.item_mean)}}}}}"
        rf"{{\lit5{{{divisor.replace(',', '{,}')}}} + \lit6{{{shown(terms.raters, 0)}}}}}"
    )
    user, film = world.users[row], world.items[item]
    named = {"user": user, "film": film, "alpha": f"{alpha:g}"}
    own, column = (f"ratings/{row}",), (f"ratings/*/{item}",)
    meaning = _("number of items that {user} rated, to the power {alpha}")
    symbols = (
        Symbol("r_ui", _("score of {film} for {user}").format(**named), score + _times_ten(power), (f"scores/{item}",)),
        Symbol("Σ r_uj", _("sum of all ratings of {user}").format(**named), shown(terms.ratings, 0), own),
        Symbol("μ_u", _("mean rating of {user}").format(**named), shown(terms.user_mean), own),
        Symbol("ν_i", _("mean rating of {film}").format(**named), shown(terms.item_mean), column),
        Symbol("|P(u)|^α", meaning.format(**named), divisor, own),
        Symbol("|R(i)|", _("number of ratings of {film}").format(**named), shown(terms.raters, 0), column),
    )
    return Formula(general, numeric, symbols)


def _power(score: float) -> int:
    """Return the power of ten by which a score is written; 0 for one that four decimals show."""
    return math.floor(math.log10(score)) if 0 < score < 0.001 else 0


def _times_ten(power: int) -> str:
    return f" · 10{str(power).translate(RAISED)}" if power else ""


def _rankings(numbers: Numbers, world: RatedWorld) -> list[str]:
    """Return the items of both users, best first: A > B = C."""
    rankings = []
    for scores, order in zip((numbers.scores, numbers.second), numbers.orders, strict=True):
        signs = [
            "",
            *(
                " = " if math.isclose(scores[one], scores[two], rel_tol=ROUNDING) else " > "
                for one, two in pairwise(order)
            ),
        ]
        rankings.append("".join(sign + world.items[item] for sign, item in zip(signs, order, strict=True)))
    return rankings


def changed(before: float, after: float) -> str:
    """Return whether a score rises, falls or stays the same, up to rounding."""
    if math.isclose(before, after, rel_tol=ROUNDING):
        return STAYS
    return RISES if after > before else FALLS


def _answer(step: str, values: Values, numbers: Numbers, world: RatedWorld) -> str:
    if step == "sum":
        return NOT_ITEM
    if step == "rating":
        assert numbers.before is not None
        return changed(numbers.before.score, numbers.terms[newcomer(values["ratings"], world)[0]].score)
    if step in ("alpha", "repair"):
        one, two = _rankings(numbers, world)
        return SAME if one == two else OTHER
    return world.item_keys[numbers.order[0]] if numbers.order else "none"


def _finding(step: str, values: Values, numbers: Numbers, world: RatedWorld, first: Sequence[str]) -> str:
    user = world.users[world.user(values["user"])]
    if step in ("alpha", "repair"):
        one, two = _rankings(numbers, world)
        return _("{user}: {order}. {other}: {second}.").format(
            user=user, order=one, other=world.users[world.user(values["other"])], second=two
        )
    if step == "sum":
        sums = {shown(terms.ratings, 0) for terms in numbers.terms}
        return _("The sum is {sums} for each of the {n} items.").format(
            sums=", ".join(sorted(sums)), n=len(world.items)
        )
    if step == "rating":
        assert numbers.before is not None
        item, fan = newcomer(values["ratings"], world)
        before, after = numbers.before.score, numbers.terms[item].score
        digits = 2 if changed(before, after) == STAYS else digits_for(before, after)
        return _("{film} had {before}, and has {after} after {high} stars from {user}.").format(
            film=world.items[item], before=shown(before, digits), after=shown(after, digits),
            high=world.high, user=world.users[fan],
        )  # fmt: skip
    if not numbers.order:
        return _("{user} has rated every item.").format(user=user)
    film, score = world.items[numbers.order[0]], shown(numbers.scores[numbers.order[0]])
    if first:
        return _("{films} lead for {user}, with {score} each.").format(films=", ".join(first), user=user, score=score)
    return _("{film} leads for {user}, with {score}.").format(film=film, user=user, score=score)


LESSON = Lesson(
    key="document_formula",
    number=4,
    title=later("The document's formula, and why it fails"),
    idea=later("A formula can look reasonable and rank films by how few users rated them."),
    sections=("1.2",),
    controls=(
        Matrix("ratings", later("Ratings"), RATINGS),
        Choice("user", later("User"), {name: name for name in USERS}, "Ana"),
        Choice("film", later("Film"), {name: name for name in FILMS}, "Dunes"),
        Choice("other", later("Compare with"), {name: name for name in USERS}, "Dev"),
        Slider("alpha", later("Exponent α"), (0, 1, 2, 4, 10), 1),
        Slider("beta", later("Rating weight β"), (0, 0.3, 1, 3), 1),
    ),
    steps=(
        Step(
            "terms",
            later("A score from sums and means"),
            later(
                "The source document scores a film by what the user rated, the mean of the user, and the mean of the "
                "film; the divisor counts the user's ratings and those of the film.\n\nChoose a user and a film, and "
                "find each number in the table."
            ),
            controls=("user", "film", "alpha", "beta"),
        ),
        Step(
            "sum",
            later("Which film is the sum about?"),
            later(
                "A recommender has to order the films of **one** user. So only what differs between films counts. "
                "The largest part of the numerator is the sum of the user's ratings."
            ),
            controls=("user", "film"),
            fixed={"alpha": 1, "beta": 1},
            predict=Predict(
                later("How does the sum of the ratings differ between the films of one user?"),
                {ITEM: later("It is larger for films that resemble the rated ones"), NOT_ITEM: later("Not at all")},
            ),
        ),
        Step(
            "leader",
            later("Who leads?"),
            later(
                "Within one user, a film gains by its mean and loses by its number of ratings. *Dunes* has many good "
                "ratings, *Grove* a single one of one star."
            ),
            controls=("user", "beta"),
            fixed={"alpha": 1},
            predict=Predict(later("Which film that the user has not rated leads?"), WHICH),
        ),
        Step(
            "rating",
            later("Break it: five stars do harm"),
            later("Emi watches *Grove* and gives it five stars. Its mean rises from 1 to 3."),
            controls=("user", "beta"),
            fixed={"alpha": 1},
            predict=Predict(
                later("What happens to the score of Grove?"),
                {RISES: later("It rises"), FALLS: later("It falls"), STAYS: later("It stays the same")},
            ),
            breaks=True,
        ),
        Step(
            "alpha",
            later("A large exponent"),
            later(
                "With α = 10 the number of ratings of the film hardly counts for a user with several ratings: the "
                "divisor is almost the same for all films. What is left to order them?"
            ),
            controls=("user", "other"),
            fixed={"alpha": 10, "beta": 1},
            predict=Predict(later("Do the two users get all five films in the same order?"), YES_NO),
        ),
        Step(
            "repair",
            later("The repair: weights of similar films"),
            later(
                "The content form weights each rating by the similarity of the two films, here of their genres, to the "
                "power α. Now the sum depends on the film. *Comet*, *Dunes* and *Ember* share a genre, and so do "
                "*Fjord* and *Grove*; Dev likes *Fjord*."
            ),
            controls=("user", "other"),
            fixed={"alpha": 3, "beta": 3},
            predict=Predict(later("Do the two users get all five films in the same order?"), YES_NO),
        ),
    ),
    checks=(
        SelfCheck(
            later("In the literal formula, α = 1. Two items have the same mean. Which one leads for every user?"),
            (later("The one with more ratings"), later("The one with fewer ratings"), later("It depends on the user")),
            1,
            later(
                "The numerator is the same for both items, and the divisor grows with the number of ratings. So the "
                "item with fewer ratings leads, whatever the user likes."
            ),
        ),
        SelfCheck(
            later("Why does a large α give all users with several ratings the same order?"),
            (
                later("All users then have the same taste."),
                later("The divisor is then nearly constant within a user, and only the mean of the item is left."),
                later("The sum of the ratings becomes zero."),
            ),
            1,
            later(
                "Sum, mean and number of ratings of the user are the same for all items of the user. If the divisor "
                "hardly depends on the item either, the order is that of the item's mean."
            ),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "models.content_mean:ContentMean.score",
        "models.content_mean:ContentMean.recommend",
        "models.content_mean:ContentMean.literal_terms",
    ),
    own_data=OwnData(
        "train", later("Train content kNN with means on your data"), model="content_mean",
        settings={"alpha": "alpha", "beta": "beta"}, fixed={"form": "literal"}, beside={},
    ),
)  # fmt: skip
