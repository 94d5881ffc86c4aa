"""Lesson 9: all at once. EASE, a regression of every film on all others, solved in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass

from recsys_core.evaluation.sentences import significant
from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import (
    Bars,
    Formula,
    Grid,
    Plot,
    Scene,
    Series,
    Symbol,
    shown,
    signed,
    summed,
    tied,
    undecided,
)
from recsys_core.lessons.worlds import RatedWorld
from recsys_core.text import Template, _, later

USERS = ("Ana", "Ben", "Cleo", "Dev", "Emi", "Finn")
FILMS = ("Comet", "Dunes", "Ember", "Fjord", "Grove", "Haven")
HISTORIES = (
    (1, 1, None, None, None, None),
    (1, 1, 1, None, None, None),
    (1, None, 1, None, None, 1),
    (None, None, 1, 1, 1, 1),
    (None, None, None, 1, 1, None),
    (1, None, None, 1, None, 1),
)
WORLD = RatedWorld(USERS, FILMS, HISTORIES, high=1)
FILM_OPTIONS = WORLD.item_options()
LAMBDAS = (0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 20.0, 100.0)
FALLS, GROWS, SAME = "falls", "grows", "same"
YES, NO = "yes", "no"
NOTHING = 1e-9
"""Weights that are closer to 0 are rounding errors."""
BOTH = Template("{count} user saw {a} and {b}.", "{count} users saw {a} and {b}.")


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        gram: (I, I) number of users who saw both films.
        weights: (I, I) B; row: the film that was seen, column: the one that is scored.
        scores: (I,) scores of the selected user; None for films already seen.
        top: The recommended film; -1 if none is left.
        sources: Films that contribute to the score of `top`.
        parts: Their contributions.
        largest: In step `lambda`, largest weight of B by λ.
    """

    gram: tuple[tuple[float, ...], ...]
    weights: tuple[tuple[float, ...], ...]
    scores: tuple[float | None, ...]
    top: int
    sources: tuple[int, ...]
    parts: tuple[float, ...]
    largest: tuple[float, ...]


def numbers(step: str, values: Values, world: RatedWorld = WORLD) -> Numbers:
    """Train EASE on the histories, and ask for the scores of the selected user and their contributions."""
    import numpy as np
    import pandas as pd

    from recsys_core.contracts import RunContext
    from recsys_core.data import dataset_from_frames
    from recsys_core.models.ease import Ease, EaseConfig
    from recsys_core.models.solvers import gram_matrix

    cells = [(user, item) for user, row in enumerate(values["histories"]) for item, cell in enumerate(row) if cell]
    frame = pd.DataFrame(cells, columns=["user", "item"]).astype("int32")
    data = dataset_from_frames(frame, user_ids=list(world.users), item_ids=list(world.items))

    def trained(penalty: float) -> Ease:
        model = Ease(EaseConfig(regularization=penalty))
        model.fit(data, RunContext())
        return model

    model, user = trained(values["penalty"]), world.user(values["user"])
    lower = gram_matrix(data.matrix("binary"), RunContext())
    query = data.queries(np.array([user]))
    best = model.recommend(query, 1).item[0]
    top = int(best[0]) if len(best) else -1
    score, seen = model.score(query)[0], set(query.seen[0].tolist())
    explained = model.explain(query, top) if top >= 0 else None
    return Numbers(
        gram=tuple(tuple(map(float, row)) for row in lower + np.tril(lower, -1).T),
        weights=tuple(tuple(map(float, row)) for row in model.item_weights),
        scores=tuple(None if item in seen else float(score[item]) for item in range(len(world.items))),
        top=top,
        sources=tuple(map(int, explained.sources)) if explained else (),
        parts=tuple(map(float, explained.weights)) if explained else (),
        largest=tuple(float(trained(one).item_weights.max()) for one in LAMBDAS) if step == "lambda" else (),
    )


def scene(step: str, values: Values, numbers: Numbers, world: RatedWorld = WORLD) -> Scene:
    """Return the histories, and Gram matrix, weights or scores."""
    drawn = {"gram": _gram, "weights": _weights, "score": _score, "lambda": _lambda, "negative": _negative}
    return drawn[step](values, numbers, world)


def _histories(values: Values, world: RatedWorld) -> Grid:
    return Grid(
        "seen", _("Who saw what (1)"), world.users, world.items, values["histories"], control="histories",
        tone=(0, 1),
    )  # fmt: skip


def _matrix(numbers: Numbers, world: RatedWorld, *, secret: bool = True, marked: Sequence[str] = ()) -> Grid:
    return Grid(
        "B", _("Weights B: from the item of the row to that of the column"), world.items, world.items,
        numbers.weights, tone=(-1, 1), digits=2, marked=marked, secret=secret,
    )  # fmt: skip


def _counts(numbers: Numbers, world: RatedWorld, *, secret: bool) -> Grid:
    return Grid(
        "G", _("Users who saw both items"), world.items, world.items, numbers.gram, tone=(0, len(world.users)),
        secret=secret,
    )  # fmt: skip


def _gram(values: Values, numbers: Numbers, world: RatedWorld) -> Scene:
    items = world.items
    film = world.item(values["film"])
    grid = _counts(numbers, world, secret=True)
    row = [0.0 if other == film else value for other, value in enumerate(numbers.gram[film])]
    best = max(range(len(items)), key=row.__getitem__)
    symbols = (
        Symbol("G_ij", _("users who saw {a} and {b}").format(a=items[film], b=items[best]), shown(row[best], 0),
               (f"G/{film}/{best}",)),
        Symbol("x_ui", _("1 if user u saw {film}").format(film=items[film]), "", (f"seen/*/{film}",)),
        Symbol("x_uj", _("1 if user u saw {film}").format(film=items[best]), "", (f"seen/*/{best}",)),
    )  # fmt: skip
    terms = [
        rf"\lit2{{{row[film] or 0}}} \cdot \lit3{{{row[best] or 0}}}"
        for row in values["histories"]
        if row[film] or row[best]
    ]
    formula = Formula(
        r"\lit1{G_{ij}} = \sum_u \lit2{x_{ui}} \, \lit3{x_{uj}}",
        rf"\lit1{{{shown(row[best], 0)}}} = {summed(terms, 4) or '0'}",
        symbols,
    )
    finding = str(BOTH.fill(int(row[best]), a=items[film], b=items[best]))
    scene = Scene((_histories(values, world), grid), formula, finding, world.item_keys[best])
    reason = _("There is no single best: {names} share equally many users with it. Choose another item.")
    return undecided(scene, tied(_of_others(numbers.gram, film, world)), reason)


def _of_others(matrix: Sequence[Sequence[float]], film: int, world: RatedWorld) -> dict[str, float]:
    return {name: matrix[film][other] for other, name in enumerate(world.items) if other != film}


def _weights(values: Values, numbers: Numbers, world: RatedWorld) -> Scene:
    items = world.items
    film = world.item(values["film"])
    row = numbers.weights[film]
    best = max((other for other in range(len(items)) if other != film), key=row.__getitem__)
    finding = _("{a} raises {b} most, by {w}. The diagonal is 0: no item may predict itself.").format(
        a=items[film], b=items[best], w=shown(row[best])
    )
    grid = _matrix(numbers, world, marked=(f"B/{film}/{best}",))
    scene = Scene((_histories(values, world), grid), None, finding, world.item_keys[best])
    reason = _("There is no single best: it raises {names} equally. Choose another item.")
    return undecided(scene, tied(_of_others(numbers.weights, film, world)), reason)


def _score(values: Values, numbers: Numbers, world: RatedWorld) -> Scene:
    items, user = world.items, world.user(values["user"])
    left = [item for item, score in enumerate(numbers.scores) if score is not None]
    name = world.users[user]
    if numbers.top < 0:
        return Scene((_histories(values, world),), None, _("This user saw every item."), world.item_keys[0])
    scores = [numbers.scores[item] for item in left]
    high = max(0.2, *(abs(score) for score in scores if score is not None))
    bars = Bars(
        "score", _("Scores of {user} for items not seen").format(user=name),
        [items[item] for item in left], scores, low=min(0.0, *(score for score in scores if score is not None)),
        high=high, secret=True,
    )  # fmt: skip
    top = numbers.top
    symbols = (
        Symbol("x̂_ui", _("score of {film}").format(film=items[top]), shown(numbers.scores[top]),
               (f"score/{left.index(top)}",)),
        Symbol("j", _("items that {user} saw").format(user=name), ", ".join(items[j] for j in numbers.sources),
               [f"seen/{user}/{j}" for j in numbers.sources]),
        Symbol("B_ji", _("their weights for {film}").format(film=items[top]), "",
               [f"B/{j}/{top}" for j in numbers.sources]),
    )  # fmt: skip
    terms = summed(rf"\lit3{{{signed(part)}}}" for part in numbers.parts)
    formula = Formula(
        r"\lit1{\hat x_{ui}} = \sum_{\lit2{j \in P(u)}} \lit3{B_{ji}}",
        rf"\lit1{{{shown(numbers.scores[top])}}} = {terms}",
        symbols,
    )
    finding = _("{film} has the highest score, {score}.").format(film=items[top], score=shown(numbers.scores[top]))
    parts = (_histories(values, world), _matrix(numbers, world, secret=False), bars)
    reason = _("There is no single best: {names} have the same score. Choose another user.")
    names = tied(dict(zip(items, numbers.scores, strict=True)))
    return undecided(Scene(parts, formula, finding, world.item_keys[top]), names, reason)


def _lambda(_values: Values, numbers: Numbers, world: RatedWorld) -> Scene:
    title = _("Largest weight by regularization")
    series = (Series(_("largest weight"), tuple(range(len(LAMBDAS))), numbers.largest),)
    plot = Plot("curve", title, _("step of λ, from 0.01 to 100"), _("weight"), series, secret=True)
    first, last = numbers.largest[0], numbers.largest[-1]
    finding = _("λ = 0.01: {first}; λ = 100: {last}.").format(first=shown(first, 3), last=shown(last, 3))
    answer = SAME if abs(first - last) < 5e-4 else FALLS if last < first else GROWS
    return Scene((_matrix(numbers, world, secret=False), plot), None, finding, answer)


def _negative(values: Values, numbers: Numbers, world: RatedWorld) -> Scene:
    items = world.items
    pairs = [
        (numbers.weights[a][b], a, b)
        for a in range(len(items))
        for b in range(len(items))
        if a != b and numbers.gram[a][b] > 0 and numbers.weights[a][b] < -NOTHING
    ]
    gram = _counts(numbers, world, secret=False)
    if not pairs:
        return Scene(
            (gram, _matrix(numbers, world)), None, _("No pair that was seen by one user has a negative weight."), NO
        )
    weight, a, b = min(pairs)
    both = BOTH.fill(int(numbers.gram[a][b]), a=items[a], b=items[b])
    text = shown(weight) if weight <= -0.005 else f"-{significant(-weight)}"  # never 0
    finding = f"{both} " + _("Yet the weight is {w}.").format(w=text)
    return Scene((gram, _matrix(numbers, world, marked=(f"B/{a}/{b}",))), None, finding, YES)


LESSON = Lesson(
    key="closed_form",
    number=9,
    title=later("All at once: the closed form"),
    idea=later("EASE predicts each film from all others by one regression that is solved without any iteration."),
    sections=("2.2",),
    controls=(
        Matrix("histories", later("Histories"), HISTORIES, low=1, high=1),
        Choice("film", later("Film"), FILM_OPTIONS, "Dunes"),
        Choice("user", later("User"), WORLD.user_options(), "Ana"),
        Slider("penalty", later("Regularization λ"), LAMBDAS, 1.0),
    ),
    steps=(
        Step(
            "gram",
            later("Count pairs"),
            later(
                "Item-based models start from pairs: how many users saw both films? All counts form the **Gram "
                "matrix**; its diagonal counts the users of each film.\n\nType 1 in a cell to add a film to a history, "
                "or delete it."
            ),
            controls=("film",),
            predict=Predict(later("Which film shares most users with the selected one?"), FILM_OPTIONS),
        ),
        Step(
            "weights",
            later("From counts to weights"),
            later(
                "EASE asks: how well can each film be predicted from **all others at once**? One ridge regression per "
                "film, all solved by inverting the Gram matrix plus λ on its diagonal. A weight is what a film adds "
                "*given the others*."
            ),
            controls=("film", "penalty"),
            predict=Predict(later("Which film does the selected one raise most?"), FILM_OPTIONS),
        ),
        Step(
            "score",
            later("A score is a sum of weights"),
            later(
                "The score of a film is the sum of the weights from the films that the user saw. So every score "
                "explains itself: each film of the history has its share."
            ),
            controls=("user",),
            predict=Predict(later("Which film is recommended to the selected user?"), FILM_OPTIONS),
        ),
        Step(
            "lambda",
            later("More regularization"),
            later(
                "λ is added to the diagonal before the inversion, as if λ more users had seen each film and no other. "
                "It keeps weights that rest on few users small."
            ),
            controls=("penalty",),
            predict=Predict(
                later("What happens to the largest weight from λ = 0.01 to λ = 100?"),
                {FALLS: later("It falls"), GROWS: later("It grows"), SAME: later("It stays")},
            ),
        ),
        Step(
            "negative",
            later("Break it: together, and yet negative"),
            later(
                "Counts of pairs are never negative. The weights of EASE can be: if a third film explains why two "
                "films were seen by the same users, their own weight may fall below 0. Reading a single weight as "
                "*similarity* goes wrong then."
            ),
            controls=("penalty",),
            predict=Predict(
                later("Is there a pair with common users and a negative weight?"), {YES: later("Yes"), NO: later("No")}
            ),
            breaks=True,
        ),
    ),
    checks=(
        SelfCheck(
            later("Why is the diagonal of B forced to 0?"),
            (
                later("To save memory"),
                later("Otherwise each item would be predicted best by itself."),
                later("Because users see an item only once"),
            ),
            1,
            later(
                "Without the constraint, the best prediction of a column is the column itself: with a small λ, B would "
                "be nearly the identity."
            ),
        ),
        SelfCheck(
            later("A user comes who was not in the training data, with a history of two items. What does EASE need?"),
            (
                later("A new training"),
                later("The two rows of B: the score is their sum."),
                later("Similar users"),
            ),
            1,
            later("Scores depend on the history alone, so unknown users are scored by the same formula."),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "models.ease:Ease.score",
        "models.ease:Ease.explain",
        "models.ease:Ease.recommend",
        "models.solvers:gram_matrix",
    ),
    own_data=OwnData("inside", later("Weights of EASE in your data"), model="ease"),
)
