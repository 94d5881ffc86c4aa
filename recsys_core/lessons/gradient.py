"""Lesson 8: one step of gradient descent, then many, and what a learning rate that is too high does."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import (
    Arrow,
    Bars,
    Formula,
    Grid,
    Plane,
    Plot,
    Scene,
    Series,
    Symbol,
    digits_for,
    shown,
    signed,
)
from recsys_core.lessons.worlds import Cells, RatedWorld
from recsys_core.text import _, later, n_

if TYPE_CHECKING:
    import numpy as np

    from recsys_core.models.biased_mf import Parameters, Ratings

USERS, ITEMS = ("Ana", "Ben", "Cleo", "Dev"), ("Comet", "Dunes", "Ember", "Fjord")
RATINGS = ((5, 4, None, 1), (4, None, 1, 2), (None, 1, 5, 4), (1, 2, 4, None))
WORLD = RatedWorld(USERS, ITEMS, RATINGS)
USER_FACTORS = (
    (0.6, -0.2), (0.4, 0.3), (-0.3, 0.5), (-0.5, -0.4), (0.2, 0.6), (-0.6, 0.1), (0.5, -0.5), (-0.1, -0.6),
)  # fmt: skip
ITEM_FACTORS = (
    (0.5, 0.8), (0.7, -0.1), (-0.6, 0.4), (-0.2, 0.6), (0.3, -0.7), (-0.4, -0.3), (0.6, 0.2), (0.1, -0.5),
)  # fmt: skip
"""Factors of the first users and items before the first step; all biases are 0."""
TOWARDS, AWAY, STAYS = "towards", "away", "stays"
FALLS, GROWS = "falls", "grows"
RATES = (0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
LOG_FROM = 50
"""Ratio of the largest to the smallest error from which on the axis is logarithmic."""
PENALTIES = (0.0, 0.02, 0.1, 0.5, 1.0)


@dataclass(frozen=True)
class State:
    """Parameters of one user and one item: biases and factors."""

    user_bias: float
    item_bias: float
    p: tuple[float, ...]
    q: tuple[float, ...]


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        mean: Mean of all ratings.
        rating: The selected rating; None if the cell is empty.
        error: Error of the prediction before the step; NaN without a rating.
        error_after: Error after the step.
        before: Parameters of the selected user and item before the step.
        after: The same after the step.
        rmse: Root mean squared error on the training ratings in each pass, measured before each step; None after it
            has become infinite.
    """

    mean: float
    rating: int | None
    error: float
    error_after: float
    before: State
    after: State
    rmse: tuple[float | None, ...]


def numbers(step: str, values: Values, world: RatedWorld = WORLD) -> Numbers:
    """Take one step of SGD for the selected rating, and, in the steps that show them, several passes over all."""
    import numpy as np

    from recsys_core.models import biased_mf

    ratings, mean = training_ratings(values["ratings"])
    user, item = world.user(values["user"]), world.item(values["item"])
    rate, penalty = np.float32(values["rate"]), np.float32(values["penalty"])
    parameters = first_parameters(world)
    before, rating = _state(parameters, user, item), values["ratings"][user][item]
    error = error_after = math.nan
    if rating is not None:
        value = float(np.float32(rating - mean))
        error = float(biased_mf.sgd_step(user, item, value, parameters, rate, penalty))
    after = _state(parameters, user, item)
    if rating is not None:  # a step with the learning rate 0 only measures
        error_after = float(biased_mf.sgd_step(user, item, value, parameters, np.float32(0), penalty))
    passes = int(values["passes"]) if step in ("passes", "diverges") else 0
    pace = np.float32(values["fast"]) if step == "diverges" else rate
    curve = _curve(ratings, first_parameters(world), pace, penalty, passes)
    return Numbers(mean, rating, error, error_after, before, after, curve)


def training_ratings(ratings: Cells) -> "tuple[Ratings, float]":
    """Return the ratings as deviations from their mean, and the mean."""
    import numpy as np

    from recsys_core.models.biased_mf import Ratings

    cells = [(u, i, cell) for u, row in enumerate(ratings) for i, cell in enumerate(row) if cell is not None]
    mean = float(np.mean([cell for _user, _item, cell in cells])) if cells else 0.0
    user, item = (np.array([cell[axis] for cell in cells], dtype=np.int32) for axis in (0, 1))
    return Ratings(user, item, np.array([cell[2] - mean for cell in cells], dtype=np.float32)), mean


def first_parameters(world: RatedWorld = WORLD) -> "Parameters":
    """Return the parameters before the first step."""
    import numpy as np

    from recsys_core.models.biased_mf import Parameters

    users, items = len(world.users), len(world.items)
    return Parameters(
        np.zeros(users, np.float32), np.zeros(items, np.float32),
        np.array(USER_FACTORS[:users], np.float32), np.array(ITEM_FACTORS[:items], np.float32),
    )  # fmt: skip


def _state(parameters: "Parameters", user: int, item: int) -> State:
    return State(
        float(parameters.user_bias[user]),
        float(parameters.item_bias[item]),
        tuple(map(float, parameters.user_factors[user])),
        tuple(map(float, parameters.item_factors[item])),
    )


def _curve(
    ratings: "Ratings", parameters: "Parameters", rate: "np.float32", penalty: "np.float32", passes: int
) -> tuple[float | None, ...]:
    from recsys_core.models import biased_mf

    rmse: list[float | None] = []
    for _pass in range(passes if len(ratings.value) else 0):
        squared = float(biased_mf.descend(ratings, parameters, rate, penalty))
        rmse.append(math.sqrt(squared / len(ratings.value)) if math.isfinite(squared) else None)
    return tuple(rmse)


def scene(step: str, values: Values, numbers: Numbers, world: RatedWorld = WORLD) -> Scene:
    """Return the ratings, the vectors before and after the step, or the error of each pass."""
    user, item = world.user(values["user"]), world.item(values["item"])
    several = step in ("passes", "diverges")
    grid = Grid(
        "ratings", _("Ratings (1 to {high}; empty: not rated)").format(high=world.high), world.users, world.items,
        values["ratings"], control="ratings", tone=(1, world.high),
        marked=() if several else (f"ratings/{user}/{item}",),
    )  # fmt: skip
    answer, finding = _conclusion(step, numbers)
    if several:
        return Scene((grid, _rmse_plot(numbers)), None, finding, answer)
    if numbers.rating is None:
        return Scene((grid,), None, _("This cell is empty: only given ratings are learned from."), STAYS)
    if step == "prediction":
        parts = (grid, _plane(numbers, moved=False))
        return Scene(parts, _prediction_formula((user, item), numbers, world), finding, answer)
    before, after = _plane(numbers, moved=False), _plane(numbers, moved=True)
    bars = (_error_bars(numbers),) if step == "size" else ()
    return Scene(
        (grid, before, after, *bars), _step_formula(step, values, (user, item), numbers, world), finding, answer
    )


def _plane(numbers: Numbers, *, moved: bool) -> Plane:
    p, q, after = numbers.before.p, numbers.before.q, numbers.after.p
    arrows = [Arrow("q", q[0], q[1]), Arrow("p", p[0], p[1])]
    if moved:
        arrows += [Arrow("", after[0], after[1], p[0], p[1], dashed=True), Arrow("p'", after[0], after[1])]
    title = _("Factors: user p, item q")
    return Plane("plane", title, _("factor 1"), _("factor 2"), arrows, secret=moved)


def _error_bars(numbers: Numbers) -> Bars:
    top = max(abs(numbers.error), abs(numbers.error_after), 1.0)
    return Bars(
        "error", _("Squared error of this rating"), (_("before"), _("after")),
        (numbers.error**2, numbers.error_after**2), high=top**2, secret=True,
    )  # fmt: skip


def _rmse_plot(numbers: Numbers) -> Plot:
    x = range(1, len(numbers.rmse) + 1)
    series = Series(_("RMSE in this pass"), tuple(x), numbers.rmse)
    title = _("Error on the training ratings")
    sizes = [value for value in numbers.rmse if value]
    log_y = bool(sizes) and max(sizes) > LOG_FROM * min(sizes)
    return Plot("rmse", title, _("pass over all ratings"), _("RMSE"), (series,), log_y=log_y, secret=True)


def _prediction_formula(at: tuple[int, int], numbers: Numbers, world: RatedWorld) -> Formula:
    state, user, item = numbers.before, *at
    products = " + ".join(
        rf"\lit4{{{signed(a)}}} \cdot \lit5{{{signed(b)}}}" for a, b in zip(state.p, state.q, strict=True)
    )
    assert numbers.rating is not None
    predicted = numbers.rating - numbers.error
    symbols = (
        Symbol("r̂_ui", _("predicted rating"), shown(predicted)),
        Symbol("μ", _("mean of all ratings"), shown(numbers.mean), ("ratings",)),
        Symbol("b_u + b_i", _("biases of user and item"), shown(state.user_bias + state.item_bias),
               (f"ratings/{user}", f"ratings/*/{item}")),
        Symbol("p_u", _("factors of {name}").format(name=world.users[user]), _pair(state.p), ("plane/1",)),
        Symbol("q_i", _("factors of {name}").format(name=world.items[item]), _pair(state.q), ("plane/0",)),
    )  # fmt: skip
    return Formula(
        r"\lit1{\hat r_{ui}} = \lit2{\mu} + \lit3{b_u + b_i} + \lit4{p_u}^\top \lit5{q_i}",
        rf"\begin{{aligned}}\lit1{{{shown(predicted)}}} = \; &\lit2{{{shown(numbers.mean)}}} + "
        rf"\lit3{{{shown(state.user_bias)} + {shown(state.item_bias)}}} \\ &+ {products}\end{{aligned}}",
        symbols,
    )


def _step_formula(step: str, values: Values, at: tuple[int, int], numbers: Numbers, world: RatedWorld) -> Formula:
    state, after, user, item = numbers.before, numbers.after, world.users[at[0]], world.items[at[1]]
    rows = [
        rf"\lit1{{{shown(new)}}} &= \lit2{{{shown(p)}}} + \lit3{{{values['rate']:g}}} \, "
        rf"(\lit4{{{signed(numbers.error)}}} \cdot \lit5{{{signed(q)}}} - \lit6{{{values['penalty']:g}}} \cdot "
        rf"\lit2{{{signed(p)}}})"
        for new, p, q in zip(after.p, state.p, state.q, strict=True)
    ]
    cell = f"ratings/{at[0]}/{at[1]}"
    symbols = (
        Symbol("p_u'", _("factors of {name} after the step").format(name=user), _pair(after.p), ("plane/3",)),
        Symbol("p_u", _("factors of {name} before").format(name=user), _pair(state.p), ("plane/1",)),
        Symbol("γ", _("learning rate"), f"{values['rate']:g}", ("plane/2",)),
        Symbol(
            "e", _("rating minus prediction"), shown(numbers.error), (cell, "error/0") if step == "size" else (cell,)
        ),
        Symbol("q_i", _("factors of {name}").format(name=item), _pair(state.q), ("plane/0",)),
        Symbol("λ", _("regularization"), f"{values['penalty']:g}"),
    )
    return Formula(
        r"\lit1{p_u'} = \lit2{p_u} + \lit3{\gamma} \, (\lit4{e} \, \lit5{q_i} - \lit6{\lambda} \, \lit2{p_u})",
        r"\begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}",
        symbols,
    )


def _pair(values: Sequence[float]) -> str:
    return "(" + ", ".join(shown(value) for value in values) + ")"


def _conclusion(step: str, numbers: Numbers) -> tuple[str, str]:
    """Return the key of the right option and the finding."""
    if step in ("passes", "diverges"):
        return _of_curve(numbers.rmse)
    if numbers.rating is None:
        return STAYS, ""
    after = _("Squared error of this rating: {before} before the step, {after} after it.").format(
        before=shown(numbers.error**2, 3), after=shown(numbers.error_after**2, 3)
    )
    if step == "size":
        return (FALLS if abs(numbers.error_after) < abs(numbers.error) else GROWS), after
    predicted = _("The rating is {rating}, the prediction {predicted}: e = {error}.").format(
        rating=numbers.rating, predicted=shown(numbers.rating - numbers.error), error=shown(numbers.error)
    )
    return (TOWARDS if numbers.error > 0 else AWAY if numbers.error < 0 else STAYS), predicted


def _of_curve(rmse: Sequence[float | None]) -> tuple[str, str]:
    if not rmse or rmse[0] is None:
        return GROWS, _("There are no ratings to learn from.") if not rmse else _("The error is infinite.")
    last = rmse[-1]
    if last is None:
        finite = sum(value is not None for value in rmse)
        return GROWS, n_(
            "The error becomes infinite after {n} pass.", "The error becomes infinite after {n} passes.", finite
        )
    digits = digits_for(rmse[0], last)
    finding = _("RMSE {first} in the first pass, {last} in pass {n}.").format(
        first=shown(rmse[0], digits), last=shown(last, digits), n=len(rmse)
    )
    return (FALLS if last < rmse[0] else GROWS), finding


LESSON = Lesson(
    key="gradient",
    number=8,
    title=later("One step of gradient descent"),
    idea=later("Matrix factorization learns by small corrections: each rating pulls the factors of its user and item."),
    sections=("1.3",),
    controls=(
        Matrix("ratings", later("Ratings"), RATINGS),
        Choice("user", later("User"), {name: name for name in USERS}, "Ana"),
        Choice("item", later("Film"), {name: name for name in ITEMS}, "Comet"),
        Slider("rate", later("Learning rate γ"), RATES, 0.1),
        Slider("penalty", later("Regularization λ"), PENALTIES, 0.02),
        Slider("fast", later("Learning rate γ"), RATES, 0.5),
        Slider("passes", later("Passes"), (1, 2, 5, 10, 20, 50, 100), 20),
    ),
    steps=(
        Step(
            "prediction",
            later("A prediction is a sum of four parts"),
            later(
                "Each user and each film has a bias and two **factors**, drawn here as arrows. The predicted rating is "
                "the overall mean, plus both biases, plus the product of the factors: large if the arrows point the "
                "same way.\n\nBefore training the biases are 0 and the factors random. Select a rating, and compare it "
                "with its prediction."
            ),
            controls=("user", "item"),
        ),
        Step(
            "direction",
            later("Which way does the user move?"),
            later(
                "The error e is the rating minus its prediction. A step of stochastic gradient descent uses **one** "
                "rating: it moves $p_u$ a little along $q_i$, by the learning rate γ times the error, and $q_i$ along "
                "$p_u$ in the same way.\n\nIs the prediction too low or too high? Then you know where $p_u$ goes."
            ),
            controls=("user", "item"),
            fixed={"penalty": 0.0},
            predict=Predict(
                later("Which way does $p_u$ move in this step?"),
                {
                    TOWARDS: later("In the direction of $q_i$"),
                    AWAY: later("In the opposite direction"),
                    STAYS: later("It does not move"),
                },
            ),
        ),
        Step(
            "size",
            later("How far? Learning rate and regularization"),
            later(
                "The **learning rate** γ scales the step. **Regularization** λ pulls all parameters towards 0, so that "
                "few ratings cannot make them large.\n\nThe error is measured again after the step. A larger learning "
                "rate corrects more at once, until it corrects too much."
            ),
            controls=("rate", "penalty", "user", "item"),
            predict=Predict(
                later("What does this step do to the squared error of this rating?"),
                {FALLS: later("It falls"), GROWS: later("It grows, or stays")},
            ),
        ),
        Step(
            "passes",
            later("Many steps"),
            later(
                "Training repeats the step for every rating, pass after pass. Ratings pull in different directions, "
                "and the factors settle where the pulls balance.\n\nThe curve shows the error on the **training** "
                "ratings. That it falls does not prove good recommendations: these need ratings that were held out."
            ),
            controls=("passes", "penalty"),
            fixed={"rate": 0.1},
            predict=Predict(
                later("Where is the training error in the last pass, compared with the first?"),
                {FALLS: later("Lower"), GROWS: later("Higher, or the same")},
            ),
        ),
        Step(
            "diverges",
            later("Break it: too fast"),
            later(
                "Raise the learning rate. A step that is too large overshoots: the error changes its sign and grows, "
                "the next step is larger still. The model clips errors at 10, yet the factors can grow without "
                "bound.\n\nPredict for the learning rate selected below, then try others."
            ),
            controls=("fast", "passes"),
            fixed={"penalty": 0.02},
            predict=Predict(
                later("Where is the training error in the last pass, compared with the first?"),
                {FALLS: later("Lower"), GROWS: later("Higher, or infinite")},
            ),
            breaks=True,
        ),
    ),
    checks=(
        SelfCheck(
            later("A prediction is too high. What does the step do with $p_u$, without regularization?"),
            (
                later("It moves $p_u$ in the direction of $q_i$."),
                later("It moves $p_u$ in the opposite direction."),
                later("It shortens $p_u$."),
            ),
            1,
            later(
                "The error is negative, and the step adds $\\gamma \\, e \\, q_i$: a negative multiple of $q_i$. The "
                "product $p_u^\\top q_i$, and with it the prediction, becomes smaller."
            ),
        ),
        SelfCheck(
            later("The training error falls with every pass. What follows for the recommendations?"),
            (
                later("They improve with every pass."),
                later("Nothing yet: the error on held-out ratings may grow meanwhile."),
                later("The learning rate is too low."),
            ),
            1,
            later(
                "With enough factors, a model can reproduce its training ratings and predict others badly "
                "(overfitting). Regularization and early stopping on a validation share counter that."
            ),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=("models.biased_mf:sgd_step", "models.biased_mf:descend"),
    own_data=OwnData("train", later("Train MF with biases on your data"), model="biased_mf"),
)
