"""Lesson 16: where does it look? Attention between a history and points of interest, and what it does not explain."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from recsys_core.lessons.controls import Choice, Order, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Formula, Grid, ListPart, Scene, Symbol, digits_for, shown, signed, summed
from recsys_core.lessons.sequences import FILMS, dataset_of, query_of
from recsys_core.text import _, later, n_

if TYPE_CHECKING:
    from recsys_core.models.interest_attention import InterestAttention

SEED = 2
POINTS, MOVES = 2, 2
SPACE, KITCHEN = (0, 1, 2), (3, 4, 5)
"""Films that users watch in turn; every third user changes sides at the end."""
GENERATORS = {
    "similar": later("Films similar to the last one"),
    "popular": later("Popular films"),
    "history": later("Films of the history"),
}
YES, NO = "yes", "no"
FILM_OPTIONS = {name: name for name in FILMS}


@dataclass(frozen=True)
class Numbers:
    """What the production code returned: the trace for the history, T films and V = 2 points; S local steps.

    Args:
        history: (T,) films, oldest first.
        points: (S + 1, V) the points at the start and after each step.
        attention: (S + 1, T, V) A.
        query: (T, D) queries theta * W s.
        keys: (S + 1, V, D) keys h.
        mass: (S + 1, V) mean of A over the history.
        proposed: (S, V) proposed moves.
        accepted: (S, V) whether they were accepted.
        film_weights: (T,) a.
        point_weights: (V,) b.
        sharpness: k1 and k2.
        top: The recommended film.
        influence: (T,) in step `explains`, change of its score when a film of the history is left out.
    """

    history: tuple[int, ...]
    points: tuple[tuple[int, ...], ...]
    attention: tuple[tuple[tuple[float, ...], ...], ...]
    query: tuple[tuple[float, ...], ...]
    keys: tuple[tuple[tuple[float, ...], ...], ...]
    mass: tuple[tuple[float, ...], ...]
    proposed: tuple[tuple[int, ...], ...]
    accepted: tuple[tuple[bool, ...], ...]
    film_weights: tuple[float, ...]
    point_weights: tuple[float, ...]
    sharpness: tuple[float, ...]
    top: int
    influence: tuple[float, ...]


def histories() -> list[tuple[int, ...]]:
    """Return the histories of 120 users: three films of one side in turn, then for every third one of the other."""
    sequences = []
    for user in range(120):
        own, other = (SPACE, KITCHEN) if user % 2 else (KITCHEN, SPACE)
        turn = tuple(own[(user // 2 + step) % 3] for step in range(3))
        sequences.append((*turn, other[user % 7 % 3]) if user % 3 == 0 else turn)
    return sequences


@lru_cache(maxsize=8)
def trained(generator: str, local_steps: int) -> "InterestAttention":
    """Return the model with these settings; the number of moves changes no parameter, so one training serves all."""
    from recsys_core.contracts import RunContext
    from recsys_core.models.interest_attention import InterestAttention, InterestAttentionConfig

    config = InterestAttentionConfig(
        generator=generator,  # type: ignore[arg-type]
        points=POINTS, local_update="walk", local_steps=local_steps, neighbors=2, embedding_dim=4, dropout=0.0,
        epochs=15, patience=0, batch_size=32, learning_rate=0.006, max_length=6, memory=6,
    )  # fmt: skip
    model = InterestAttention(config)
    if local_steps == MOVES:
        model.fit(dataset_of(histories()), RunContext(SEED))
    else:
        model.load_state(trained(generator, MOVES).state())
    return model


def numbers(step: str, values: Values) -> Numbers:
    """Ask the model for the trace of the history, its top film, and the influence of each film of the history."""
    from recsys_core.explain.deletion import deletion_effects

    model = trained(values["points"], int(values["moves"]))
    history = tuple(values["order"][: int(values["length"])])
    query = query_of(history)
    details = {name: array.tolist() for name, array in model.trace(query).details.items()}
    top = int(model.recommend(query, 1).item[0, 0])
    influence: dict[int, float] = {}
    if step == "explains":
        effects = deletion_effects(model, query, top)
        influence = dict(zip(effects.sources.tolist(), effects.effects.tolist(), strict=True))
    return Numbers(
        history, details["point_items"], details["attention"], details["queries"], details["keys"], details["mass"],
        details["proposed_items"], details["accepted"], details["history_weights"], details["point_weights"],
        details["sharpness"], top, tuple(float(influence.get(film, math.nan)) for film in history),
    )  # fmt: skip


def scene(step: str, values: Values, numbers: Numbers) -> Scene:
    """Return history, points and attention, and what the step adds to them."""
    return {"points": _points, "score": _score, "walk": _walk, "sum": _sum, "explains": _explains}[step](
        values, numbers
    )


def _history(values: Values) -> ListPart:
    """Return all films in the order of the control; the first ones are the history."""
    length = int(values["length"])
    return ListPart(
        "history",
        n_("The first film is the history", "The first {n} films are the history, oldest first", length),
        [FILMS[film] for film in values["order"]],
        badges=[_("history") if place < length else "" for place in range(len(FILMS))],
        control="order",
    )


def _names(numbers: Numbers) -> list[str]:
    return [FILMS[film] for film in numbers.history]


def _attention(numbers: Numbers, at: int, *, secret: bool) -> Grid:
    points = [_("point {film}").format(film=FILMS[point]) for point in numbers.points[at]]
    title = _("Attention A (−1 to 1)")
    return Grid(
        "attention", title, _names(numbers), points, numbers.attention[at], tone=(-1, 1), digits=2, secret=secret
    )


def _largest(values: Sequence[float]) -> int:
    """Return the place of the largest absolute value; undefined values come last."""
    return max(range(len(values)), key=lambda at: -1.0 if math.isnan(values[at]) else abs(values[at]))


def _points(values: Values, numbers: Numbers) -> Scene:
    chosen = [FILMS[point] for point in numbers.points[0]]
    points = ListPart("point", _("Points of interest"), chosen)
    finding = _("Points: {films}.").format(films=", ".join(chosen))
    return Scene((_history(values), points), None, finding)


def _score(values: Values, numbers: Numbers) -> Scene:
    column = [row[0] for row in numbers.attention[0]]
    best = max(range(len(column)), key=column.__getitem__)
    query, key = numbers.query[best], numbers.keys[0][0]
    products = summed((rf"\lit2{{{signed(q)}}} \cdot \lit3{{{signed(h)}}}" for q, h in zip(query, key, strict=True)), 2)
    film, point = FILMS[numbers.history[best]], FILMS[numbers.points[0][0]]
    symbols = (
        Symbol(
            "A_iv", _("attention of {film} to the point {point}").format(film=film, point=point), shown(column[best]),
            (f"attention/{best}/0",),
        ),
        Symbol("θ·W s_i", _("query of {film}, from the state after it").format(film=film), "", (f"attention/{best}",)),
        Symbol("h_v", _("key of the point {point}").format(point=point), "", ("attention/*/0",)),
    )  # fmt: skip
    formula = Formula(
        r"\lit1{A_{iv}} = \tanh\!\left(\lit2{(\theta \odot W s_i)}^\top \lit3{h_v}\right)",
        rf"\lit1{{{shown(column[best])}}} = \tanh\left({products}\right)",
        symbols,
    )
    finding = _("{film} has the largest attention to the point {point}: {a}.").format(
        film=film, point=point, a=shown(column[best], digits_for(column[best]))
    )
    return Scene((_history(values), _attention(numbers, 0, secret=True)), formula, finding, film)


def _walk(values: Values, numbers: Numbers) -> Scene:
    steps = range(1, len(numbers.points))
    rows = [_("start"), *(_("move {n}").format(n=step) for step in steps)]
    columns = [_("point {n}").format(n=point + 1) for point in range(POINTS)]
    title = _("Mean attention of each point")
    mass = Grid("mass", title, rows, columns, numbers.mass, tone=(-1, 1), digits=3, secret=True)
    lines = []
    for step in steps:
        for point in range(POINTS):
            words = _("{a} → {b}: accepted") if numbers.accepted[step - 1][point] else _("{a} → {b}: rejected")
            a, b = numbers.points[step - 1][point], numbers.proposed[step - 1][point]
            lines.append(words.format(a=FILMS[a], b=FILMS[b]))
    moves = ListPart("move", _("Proposed moves, point 1 and 2 in turn"), lines, secret=True)
    fell = sum(
        after < before - 1e-6 for one, two in pairwise(numbers.mass) for before, after in zip(one, two, strict=True)
    )
    finding = _("Accepted moves: {n} of {all}. Moves after which the mean attention of a point fell: {fell}.").format(
        n=sum(map(sum, numbers.accepted)), all=len(lines), fell=fell
    )
    return Scene((_history(values), mass, moves), None, finding, YES if numbers.accepted[0][0] else NO)


def _sum(values: Values, numbers: Numbers) -> Scene:
    means = [sum(row) / len(row) for row in numbers.attention[-1]]
    best = max(range(len(means)), key=numbers.film_weights.__getitem__)
    film, weight = _names(numbers)[best], shown(numbers.film_weights[best])
    points = [FILMS[point] for point in numbers.points[-1]]
    bars = (
        Bars("weight", _("Weight a of each film, sum 1"), _names(numbers), numbers.film_weights, secret=True),
        Bars("point", _("Weight b of each point, sum 1"), points, numbers.point_weights, secret=True),
    )
    terms = [rf"e^{{{shown(numbers.sharpness[0])} \cdot {signed(mean)}}}" for mean in means]
    symbols = (
        Symbol("a_i", _("weight of {film} in the sum").format(film=film), weight, (f"weight/{best}",)),
        Symbol("A_i", _("mean attention of {film} over the points").format(film=film), shown(means[best]),
               (f"attention/{best}",)),
        Symbol("κ", _("learned sharpness"), shown(numbers.sharpness[0])),
    )  # fmt: skip
    formula = Formula(
        r"\lit1{a_i} = \frac{e^{\lit3{\kappa} \lit2{\bar A_i}}}{\sum_j e^{\kappa \bar A_j}}",
        rf"\lit1{{{weight}}} = \frac{{\lit2{{{terms[best]}}}}}{{{summed(terms, 4)}}}",
        symbols,
    )
    finding = _("{film} has the largest weight, {a}.").format(film=film, a=weight)
    return Scene((_history(values), _attention(numbers, -1, secret=False), *bars), formula, finding, film)


def _explains(values: Values, numbers: Numbers) -> Scene:
    reach = max(0.1, *(abs(value) for value in numbers.influence if not math.isnan(value)))
    names, top = _names(numbers), FILMS[numbers.top]
    weights = Bars("weight", _("Attention weight a"), names, numbers.film_weights)
    title = _("Influence on the score of {film} (score minus score without the film)").format(film=top)
    influence = Bars("influence", title, names, numbers.influence, low=-reach, high=reach, digits=2, secret=True)
    attended, decisive = _largest(numbers.film_weights), _largest(numbers.influence)
    finding = _("Largest weight: {a}. Largest influence: {b}.").format(a=names[attended], b=names[decisive])
    return Scene((_history(values), weights, influence), None, finding, YES if attended == decisive else NO)


LESSON = Lesson(
    key="attention",
    number=16,
    title=later("Where does it look?"),
    idea=later("Attention compares each film of a history with points of interest, and weights a sum with the result."),
    sections=("3.2",),
    controls=(
        Order("order", later("Films"), (0, 1, 4, 2, 3, 5)),
        Slider("length", later("Films in the history"), (2, 3, 4, 5), 3),
        Choice("points", later("Points of interest"), GENERATORS, "similar"),
        Slider("moves", later("Moves of each point"), (1, 2, 3, 4), MOVES),
    ),
    steps=(
        Step(
            "points",
            later("What might the user want now?"),
            later(
                "The model (*interest attention*, section 3.2 of the source document) was trained on 120 short "
                "histories: some users watch Comet, Dunes, Ember in turn, the others Fjord, Grove, Haven, and every "
                "third user then a film of the other three.\n\nIt starts from **points of interest**: films that the "
                "user might want now. Drag films to change the history."
            ),
            controls=("points", "length"),
        ),
        Step(
            "score",
            later("Each film against each point"),
            later(
                "After each film of the history a GRU has a state $s_i$. **Attention** compares it with the key $h_v$ "
                "of a point; tanh keeps the result between −1 and 1. A negative value means: this part of the history "
                "speaks against the point."
            ),
            controls=("points", "length"),
            predict=Predict(later("Which film has the largest attention to the first point?"), FILM_OPTIONS),
        ),
        Step(
            "walk",
            later("The points move"),
            later(
                "**Local update**: each point may move to a neighboring film, one that users often watch together with "
                "it. A random walk proposes a move; it is accepted unless the mean attention to the point falls."
            ),
            controls=("moves", "length"),
            predict=Predict(
                later("Is the first proposed move of point 1 accepted?"), {YES: later("Yes"), NO: later("No")}
            ),
        ),
        Step(
            "sum",
            later("A weighted sum"),
            later(
                "**Global update**: the mean attention of each film becomes a weight by softmax. The sharper the "
                "softmax (κ is learned), the more the sum is decided by one film. The user's interest is the current "
                "state, plus this sum, plus one over the points."
            ),
            controls=("points", "length"),
            predict=Predict(later("Which film of the history gets the largest weight?"), FILM_OPTIONS),
        ),
        Step(
            "explains",
            later("Break it: is that the reason?"),
            later(
                "It is tempting to read the largest weight as the reason for the recommendation. A test: leave out one "
                "film of the history at a time, and measure how the score of the recommended film changes. That is its "
                "**influence**."
            ),
            controls=("points", "length"),
            predict=Predict(
                later("Is the film with the largest weight also the one with the largest influence?"),
                {YES: later("Yes"), NO: later("No")},
            ),
            breaks=True,
        ),
    ),
    checks=(
        SelfCheck(
            later("An attention weight of 0.8 falls on one film. What does that show?"),
            (
                later("That this film caused the recommendation."),
                later("That its state dominates one sum; its influence on the score has to be measured."),
                later("That the user prefers this film."),
            ),
            1,
            later(
                "The same film also acts through the recurrent state, and the sum is transformed before it enters the "
                "score. Leaving the film out measures the effect on the score."
            ),
        ),
        SelfCheck(
            later("Why does a move of a point never lower its mean attention?"),
            (
                later("Because moves that would lower it are rejected."),
                later("Because tanh is increasing."),
                later("Because attention weights sum to 1."),
            ),
            0,
            later("The walk accepts a film only if the mean attention to it is at least that of the current one."),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "models.interest_attention:InterestAttention.trace",
        "models.interest_attention:InterestAttention.recommend",
        "explain.deletion:deletion_effects",
    ),
    own_data=OwnData(
        "attention", later("Attention and influence for your users"), model="interest_attention",
        settings={"generator": "points"},
    ),
    runtime="torch",
)  # fmt: skip
