"""Lesson 15: a memory cell. The gates of a GRU, step by step, and whether the order of the clicks matters."""

from collections.abc import Sequence
from dataclasses import dataclass

from recsys_core.lessons.controls import Choice, Order, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Formula, Grid, ListPart, Scene, Symbol, shown, signed
from recsys_core.text import _, later

FILMS = ("Comet", "Fjord", "Grove", "Haven", "Dunes")
SUBJECTS = ("space", "coast", "kitchen")
SUBJECT_OF = (0, 1, 2, 1, 0)
"""Subject of each film; Grove alone is about the kitchen."""
RESETS = 2
"""The subject whose film closes both gates: it starts a new session."""
WRITE, CLOSE = 2.0, -8.0
"""Weight of a film's own subject in the candidate; weight of the kitchen in both gates."""
LEAST = 0.0001
"""Smallest difference of states that four decimals show."""
SETTLED = 0.01
"""A state is 'the same' if no entry differs by more."""
NEAR_ZERO = 0.05
LITTLE, HALF, MOST = "little", "half", "most"
ALL, ONLY = "all", "only"
NOTHING, SOME = "nothing", "some"
CHANGES, SAME = "changes", "same"


@dataclass(frozen=True)
class Numbers:
    """What the production code returned, for T = 5 clicks and D = 3 entries.

    Args:
        states: (T, D) hidden state after each click.
        update: (T, D) update gate z: the share of the previous state that is kept.
        reset: (T, D) reset gate r: how much of the previous state enters the candidate.
        candidates: (T, D) candidate n.
        swapped: (D,) last state if the first two clicks change places.
    """

    states: tuple[tuple[float, ...], ...]
    update: tuple[tuple[float, ...], ...]
    reset: tuple[tuple[float, ...], ...]
    candidates: tuple[tuple[float, ...], ...]
    swapped: tuple[float, ...]


def numbers(step: str, values: Values) -> Numbers:
    """Run one GRU layer over the clicks, and over the clicks with the first two swapped."""
    import numpy as np

    from recsys_core.explain.gates import RESET, UPDATE, unrolled

    eye, none = np.eye(3), np.zeros((3, 3))
    gate = none.copy()
    gate[:, RESETS] = CLOSE
    weights = {
        "weight_ih": np.concatenate([gate, gate, WRITE * eye]),
        "weight_hh": np.concatenate([none, none, eye]),
        "bias_ih": np.repeat([float(values["reset"]), float(values["update"]), 0.0], 3),
        "bias_hh": np.zeros(9),
    }

    def run(order: Sequence[int]) -> "tuple[tuple[tuple[float, ...], ...], ...]":
        found = unrolled("gru", weights, eye[[SUBJECT_OF[film] for film in order]])
        parts = (found.states, found.gates[UPDATE], found.gates[RESET], found.candidates)
        return tuple(tuple(tuple(map(float, row)) for row in part) for part in parts)

    order = list(values["order"])
    states, update, reset, candidates = run(order)
    swapped = run([order[1], order[0], *order[2:]])[0][-1]
    return Numbers(states, update, reset, candidates, swapped)


def scene(step: str, values: Values, numbers: Numbers) -> Scene:
    """Return the clicks, states and gates after each, and the arithmetic of one entry."""
    at, entry = int(values["click"]) - 1, SUBJECTS.index(values["entry"])
    order = values["order"]
    clicks = [f"{FILMS[film]} ({_(SUBJECT_NAMES[SUBJECTS[SUBJECT_OF[film]]])})" for film in order]
    listed = ListPart(
        "clicks", _("Five clicks, oldest first: drag them, or use the arrows"), clicks,
        control="" if step in ("keep", "shut") else "order",
        marked=(f"clicks/{at}",) if step == "step" else (),
    )  # fmt: skip
    hidden = step != "step"
    names = [_(SUBJECT_NAMES[subject]) for subject in SUBJECTS]
    rows = [FILMS[film] for film in order]
    states = Grid(
        "states", _("Hidden state after each click"), rows, names, numbers.states, tone=(-1, 1), digits=2,
        marked=(f"states/{at}/{entry}",) if step == "step" else (f"states/{len(rows) - 1}",), secret=hidden,
    )  # fmt: skip
    parts: list[ListPart | Grid | Bars] = [listed, states]
    if step == "order":
        labels, ends = (_("this order"), _("first two swapped")), (numbers.states[-1], numbers.swapped)
        parts.append(Grid("ends", _("Last state"), labels, names, ends, tone=(-1, 1), digits=3, secret=True))
    else:
        parts.append(_gates(rows, numbers, secret=hidden))
    formula = _formula(at, entry, order, numbers) if step == "step" else None
    return Scene(tuple(parts), formula, _finding(step, values, numbers), _answer(step, numbers, order))


def _gates(rows: Sequence[str], numbers: Numbers, *, secret: bool) -> Grid:
    """Return both gates, which are the same for all entries here."""
    cells = [(update[0], reset[0]) for update, reset in zip(numbers.update, numbers.reset, strict=True)]
    return Grid(
        "gates", _("Gates at each click"), rows, (_("update z"), _("reset r")), cells, tone=(0, 1), digits=2,
        secret=secret,
    )  # fmt: skip


def _formula(at: int, entry: int, order: Sequence[int], numbers: Numbers) -> Formula:
    z, n, state = numbers.update[at][entry], numbers.candidates[at][entry], numbers.states[at][entry]
    before = numbers.states[at - 1][entry] if at else 0.0
    general = (
        r"\lit1{h_t} = (1 - \lit2{z_t}) \, \lit3{n_t} + \lit2{z_t} \, \lit4{h_{t-1}}, \quad"
        r" \lit3{n_t} = \tanh(W x_t + \lit5{r_t} \, U h_{t-1})"
    )
    numeric = (
        rf"\lit1{{{shown(state)}}} = (1 - \lit2{{{shown(z)}}}) \cdot \lit3{{{signed(n)}}}"
        rf" + \lit2{{{shown(z)}}} \cdot \lit4{{{signed(before)}}}"
    )
    subject = _(SUBJECT_NAMES[SUBJECTS[entry]])
    symbols = (
        Symbol("h_t", _("state of {subject} after this click").format(subject=subject), shown(state),
               (f"states/{at}/{entry}",)),
        Symbol("z_t", _("update gate: share of the old state that is kept"), shown(z), (f"gates/{at}/0",)),
        Symbol("n_t", _("candidate: what {film} would write").format(film=FILMS[order[at]]), shown(n),
               (f"clicks/{at}",)),
        Symbol("h_t−1", _("state before"), shown(before), (f"states/{at - 1}/{entry}",) if at else ()),
        Symbol("r_t", _("reset gate: how much of the old state enters the candidate"),
               shown(numbers.reset[at][entry]), (f"gates/{at}/1",)),
    )  # fmt: skip
    return Formula(general, numeric, symbols)


def _after_reset(order: Sequence[int], numbers: Numbers) -> tuple[float, ...]:
    return numbers.states[list(order).index(2)]


def _apart(numbers: Numbers) -> float:
    return max(abs(one - other) for one, other in zip(numbers.states[-1], numbers.swapped, strict=True))


def _answer(step: str, numbers: Numbers, order: Sequence[int]) -> str:
    if step == "keep":
        first = SUBJECT_OF[order[0]]
        share = numbers.states[1][first] / numbers.states[0][first]
        return LITTLE if share < 1 / 3 else HALF if share <= 2 / 3 else MOST
    if step == "reset":
        others = [abs(value) for entry, value in enumerate(_after_reset(order, numbers)) if entry != RESETS]
        return ONLY if max(others) < NEAR_ZERO else ALL
    if step == "shut":
        return NOTHING if max(abs(value) for value in numbers.states[-2]) < NEAR_ZERO else SOME
    return CHANGES if _apart(numbers) > SETTLED else SAME


def _finding(step: str, values: Values, numbers: Numbers) -> str:
    order = values["order"]
    if step == "keep":
        first = SUBJECT_OF[order[0]]
        return _("{subject}: {first} after the first click, {second} after the second.").format(
            subject=_(SUBJECT_NAMES[SUBJECTS[first]]), first=shown(numbers.states[0][first]),
            second=shown(numbers.states[1][first]),
        )  # fmt: skip
    if step == "reset":
        return _("After Grove: {state}.").format(state=_named(_after_reset(order, numbers)))
    if step == "order":
        if 0 < _apart(numbers) < LEAST:
            return _("The last states differ by less than {least}.").format(least=f"{LEAST:g}")
        return _("The last states differ by at most {difference}.").format(difference=shown(_apart(numbers), 4))
    if step == "shut":
        return _("Before Grove: {state}.").format(state=_named(numbers.states[-2]))
    return _("After the last click: {state}.").format(state=_named(numbers.states[-1]))


def _named(state: Sequence[float]) -> str:
    return ", ".join(
        f"{_(SUBJECT_NAMES[subject])} {shown(value)}" for subject, value in zip(SUBJECTS, state, strict=True)
    )


SUBJECT_NAMES = {"space": later("space"), "coast": later("coast"), "kitchen": later("kitchen")}
BIASES = (-4, -2, 0, 2, 4)

LESSON = Lesson(
    key="gates",
    number=15,
    title=later("A memory cell"),
    idea=later("Gates decide what a recurrent network keeps, what it writes, and when it starts again."),
    sections=("3.1",),
    controls=(
        Order("order", later("Clicks"), (0, 1, 2, 3, 4)),
        Slider("update", later("Bias of the update gate"), BIASES, 0),
        Slider("reset", later("Bias of the reset gate"), BIASES, 2),
        Slider("click", later("Click"), (1, 2, 3, 4, 5), 2),
        Choice("entry", later("Entry"), SUBJECT_NAMES, "space"),
    ),
    steps=(
        Step(
            "step",
            later("One click, one step"),
            later(
                "A GRU reads the clicks one by one and keeps a state, here with three entries. At each click it "
                "computes a **candidate** from the film and the old state, and mixes it with the old state. The update "
                "gate z is the share that is kept.\n\nChoose a click and an entry; the weights are set by hand."
            ),
            controls=("click", "entry", "update"),
            fixed={"reset": 2},
        ),
        Step(
            "keep",
            later("How long does it remember?"),
            later(
                "*Comet* writes about space, the next click about the coast. The reset gate is closed here, so the "
                "candidate ignores the old state, and the update gate alone decides what survives: σ(−2) = 0.12, "
                "σ(0) = 0.5, σ(2) = 0.88."
            ),
            controls=("update",),
            fixed={"reset": -8, "order": (0, 1, 2, 3, 4)},
            predict=Predict(
                later("How much of the first entry is left after the second click?"),
                {LITTLE: later("Less than a third"), HALF: later("About half"), MOST: later("More than two thirds")},
            ),
        ),
        Step(
            "reset",
            later("A new session"),
            later(
                "*Grove* is about the kitchen, and its weights close **both** gates: z and r are near 0. What does the "
                "state hold right after it?"
            ),
            controls=("update", "reset"),
            predict=Predict(
                later("Which entries differ from 0 by more than 0.05 after Grove?"),
                {ALL: later("All that were written before, and the kitchen"), ONLY: later("The kitchen alone")},
            ),
        ),
        Step(
            "shut",
            later("Break it: a gate that never lets go"),
            later(
                "With a bias of 4 the gate keeps 98 % of the old state, and the old state is 0 at the start. Grove is "
                "now read last, so that nothing resets the state before."
            ),
            fixed={"update": 4, "reset": 2, "order": (0, 1, 3, 4, 2)},
            predict=Predict(
                later("What is the state before Grove is read?"),
                {NOTHING: later("Near 0: hardly anything was written"), SOME: later("Clearly different from 0")},
            ),
            breaks=True,
        ),
        Step(
            "order",
            later("Does the order matter?"),
            later(
                "An average of the five films would be the same in any order. Does a memory cell notice if the first "
                "two clicks change places? Drag *Grove* to another place and predict again."
            ),
            controls=("update",),
            fixed={"reset": 2},
            predict=Predict(
                later("Does the last state change if the first two clicks are swapped?"),
                {CHANGES: later("Yes, by more than 0.01"), SAME: later("No, by 0.01 at most")},
            ),
        ),
    ),
    checks=(
        SelfCheck(
            later("z = 0.9, the candidate is 1, the old entry is 0. What is the new entry?"),
            (later("0.9"), later("0.1"), later("1")),
            1,
            later("(1 − 0.9) · 1 + 0.9 · 0 = 0.1. A gate near 1 keeps the old state and writes little."),
        ),
        SelfCheck(
            later("What does a reset gate near 0 do?"),
            (
                later("It sets the state to 0."),
                later("The candidate ignores the old state; the update gate still decides what is kept."),
                later("It skips the click."),
            ),
            1,
            later(
                "r acts inside the candidate. The state forgets only if the update gate is near 0 as well, as for "
                "*Grove* here."
            ),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=("explain.gates:unrolled",),
    own_data=OwnData("inside", later("States and gates in your data"), model="rnn"),
)
