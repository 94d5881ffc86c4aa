"""Lesson 17: say the next items. A decoder with attention, one item at a time, greedy and with beam search."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from recsys_core.lessons.controls import Choice, Order, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Formula, ListPart, Scene, Symbol, shown
from recsys_core.lessons.sequences import FILMS, dataset_of, query_of
from recsys_core.text import _, later, n_

if TYPE_CHECKING:
    from recsys_core.contracts import AttentionTrace
    from recsys_core.models.seq2seq import Seq2Seq

SEED = 1
STARTS = {"zero": later("0 (the document)"), "encoder": later("From the encoder")}
FILM_OPTIONS = {name: name for name in FILMS}
GREEDY, BEAM, SAME = "greedy", "beam", "same"
LENGTH = 2
"""Films of a sequence that the lesson compares."""


@dataclass(frozen=True)
class Decoded:
    """The trace of one way of decoding, K steps.

    Args:
        films: (K,) decoded films.
        log_shares: (K,) log-probability of each, given those before.
        candidates: (K, 5) most probable films of each step, best first.
        probabilities: (K, 5) their probabilities.
        alpha: (K, T) attention over the history.
        energies: (K, T) its logits.
        context_norm: (K,) length of the context vector.
    """

    films: Sequence[int]
    log_shares: Sequence[float]
    candidates: Sequence[Sequence[int]]
    probabilities: Sequence[Sequence[float]]
    alpha: Sequence[Sequence[float]]
    energies: Sequence[Sequence[float]]
    context_norm: Sequence[float]

    def probability(self, length: int = LENGTH) -> float:
        """Return the probability of the first films together."""
        return math.exp(sum(self.log_shares[:length]))


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        history: (T,) films, oldest first.
        greedy: Greedy decoding.
        beam: Beam search with the chosen width, in step `beam`.
        beams: There, sequences of the first two films that the beam kept, and their probabilities.
        own_start: Probability of each candidate for the first film.
        other_start: In step `start`, the same with the other initial state.
    """

    history: tuple[int, ...]
    greedy: Decoded
    beam: Decoded
    beams: tuple[tuple[tuple[int, ...], float], ...]
    own_start: dict[int, float]
    other_start: dict[int, float]


def histories() -> list[tuple[int, ...]]:
    """Return the histories of 210 users: after Comet, Dunes is more frequent than Ember, which has a single sequel."""
    sequences: list[tuple[int, ...]] = []
    for block in range(60):
        sequences += [(0, 1, 3), (0, 1, 4), (0, 1, 5)] if block % 20 < 11 else [(0, 2, 3)] * 3
        sequences += [(5, 4, 3), (3, 4, 5)] if block % 4 == 0 else []
    return sequences


@lru_cache(maxsize=16)
def trained(start: str, decoding: str, beam_width: int) -> "Seq2Seq":
    """Return the model with these settings; decoding changes no parameter, so one training serves all of them."""
    from recsys_core.contracts import RunContext
    from recsys_core.models.seq2seq import Seq2Seq, Seq2SeqConfig

    config = Seq2SeqConfig.model_validate(
        {
            "start": start, "decoding": decoding, "beam_width": beam_width, "embedding_dim": 8, "epochs": 40,
            "patience": 0, "dropout": 0.0, "batch_size": 64, "learning_rate": 0.02, "share": 1.0, "steps": 3,
            "max_length": 6,
        }
    )  # fmt: skip
    model = Seq2Seq(config)
    if (decoding, beam_width) == ("greedy", 1):
        model.fit(dataset_of(histories()), RunContext(SEED))
    else:
        model.load_state(trained(start, "greedy", 1).state())
    return model


def numbers(step: str, values: Values) -> Numbers:
    """Ask the model for its traces: greedy, with beam search, and with the other initial state of the decoder."""
    start, width = str(values["start"]), int(values["width"])
    history = tuple(values["order"][: int(values["length"])])
    query = query_of(history)
    greedy = beam = other = _decoded(trained(start, "greedy", 1).trace(query))
    beams: list[tuple[tuple[int, ...], float]] = []
    if step == "beam":
        trace = trained(start, "beam", width).trace(query)
        beam = _decoded(trace)
        items, scores = (trace.details[name][LENGTH - 1].tolist() for name in ("beam_items", "beam_scores"))
        kept = zip(items, scores, strict=True)
        beams = [(tuple(row[:LENGTH]), math.exp(score)) for row, score in kept if math.isfinite(score)]
    if step == "start":
        other = _decoded(trained(next(one for one in STARTS if one != start), "greedy", 1).trace(query))
    return Numbers(history, greedy, beam, tuple(beams), _first(greedy), _first(other))


def _decoded(trace: "AttentionTrace") -> Decoded:
    details = {name: array.tolist() for name, array in trace.details.items()}
    return Decoded(
        details["chosen_items"], details["chosen_scores"], details["candidate_items"],
        [[math.exp(score) for score in row] for row in details["candidate_scores"]],
        trace.weights[0, 0].tolist(), details["energies"], details["context_norm"],
    )  # fmt: skip


def _first(decoded: Decoded) -> dict[int, float]:
    """Return the probability of each candidate for the first film."""
    return {film: p for film, p in zip(decoded.candidates[0], decoded.probabilities[0], strict=True) if film >= 0}


def scene(step: str, values: Values, numbers: Numbers) -> Scene:
    """Return the history, and what the step adds to it."""
    drawn = {"alpha": _alpha, "first": _first_film, "second": _second_film, "beam": _beam, "start": _start}
    return drawn[step](values, numbers)


def _history(values: Values) -> ListPart:
    length = int(values["length"])
    return ListPart(
        "history",
        n_("The first film is the history", "The first {n} films are the history, oldest first", length),
        [FILMS[film] for film in values["order"]],
        badges=[_("history") if place < length else "" for place in range(len(FILMS))],
        control="order",
    )


def _candidates(name: str, title: str, decoded: Decoded, step: int, *, secret: bool = True) -> Bars:
    """Return the most probable films of a decoding step; the chosen one is marked."""
    rows = [
        (film, p) for film, p in zip(decoded.candidates[step], decoded.probabilities[step], strict=True) if film >= 0
    ]
    marked = [f"{name}/{at}" for at, (film, _p) in enumerate(rows) if film == decoded.films[step]]
    return Bars(name, title, [FILMS[film] for film, _p in rows], [p for _film, p in rows], marked=marked, secret=secret)


def _alpha(values: Values, numbers: Numbers) -> Scene:
    decoded, films = numbers.greedy, [FILMS[film] for film in numbers.history]
    alpha = Bars("alpha", _("Attention α over the history, step 1"), films, decoded.alpha[0], secret=True)
    best = max(range(len(films)), key=lambda at: decoded.alpha[0][at])
    terms = [rf"e^{{{shown(energy)}}}" for energy in decoded.energies[0]]
    symbols = (
        Symbol("α_j", _("weight of {film} in the context").format(film=films[best]), shown(decoded.alpha[0][best]),
               (f"alpha/{best}",)),
        Symbol("e_j", _("match of the decoder's state with the encoded film"), shown(decoded.energies[0][best]),
               (f"history/{best}",)),
        Symbol("|C|", _("length of the context, the weighted sum of the encoded films"),
               shown(decoded.context_norm[0])),
    )  # fmt: skip
    formula = Formula(
        r"\lit1{\alpha_j} = \frac{e^{\lit2{e_j}}}{\sum_i e^{e_i}}, \quad \lit3{C} = \sum_j \alpha_j E_j",
        rf"\lit1{{{shown(decoded.alpha[0][best])}}} = \frac{{\lit2{{{terms[best]}}}}}{{{' + '.join(terms)}}}",
        symbols,
    )
    finding = _("{film} gets the largest weight, {a}.").format(film=films[best], a=shown(decoded.alpha[0][best]))
    return Scene((_history(values), alpha), formula, finding, films[best])


def _first_film(values: Values, numbers: Numbers) -> Scene:
    bars = _candidates("first", _("Probability of the first film"), numbers.greedy, 0)
    film, p = FILMS[numbers.greedy.films[0]], math.exp(numbers.greedy.log_shares[0])
    finding = _("{film} is the most probable first film ({p}).").format(film=film, p=shown(p))
    return Scene((_history(values), bars), None, finding, film)


def _second_film(values: Values, numbers: Numbers) -> Scene:
    decoded = numbers.greedy
    first = _candidates("first", _("Probability of the first film"), decoded, 0, secret=False)
    title = _("... of the second film after {film}").format(film=FILMS[decoded.films[0]])
    second = _candidates("second", title, decoded, 1)
    one, two = (math.exp(score) for score in decoded.log_shares[:2])
    symbols = (
        Symbol("p(o_1)", _("probability of {film}").format(film=FILMS[decoded.films[0]]), shown(one), _marks(first)),
        Symbol("p(o_2)", _("of {film} after it").format(film=FILMS[decoded.films[1]]), shown(two), _marks(second)),
    )
    formula = Formula(
        r"p(o_1, o_2) = \lit1{p(o_1)} \cdot \lit2{p(o_2 \mid o_1)}",
        rf"{shown(one * two)} = \lit1{{{shown(one)}}} \cdot \lit2{{{shown(two)}}}",
        symbols,
    )
    finding = _("Greedy decoding gives {a}, then {b}: together {p}.").format(
        a=FILMS[decoded.films[0]], b=FILMS[decoded.films[1]], p=shown(one * two)
    )
    return Scene((_history(values), first, second), formula, finding, FILMS[decoded.films[1]])


def _marks(bars: Bars) -> Sequence[str]:
    return bars.marked


def _beam(values: Values, numbers: Numbers) -> Scene:
    greedy, beam = numbers.greedy.probability(), numbers.beam.probability()
    labels = [_("greedy: {films}").format(films=_listed(numbers.greedy.films[:LENGTH]))]
    labels += [_listed(films) for films, _p in numbers.beams]
    bars = Bars(
        "beam", _("Probability of the first two films together"), labels, [greedy, *(p for _films, p in numbers.beams)],
        marked=("beam/1",), secret=True,
    )  # fmt: skip
    first = _candidates("first", _("Probability of the first film"), numbers.greedy, 0, secret=False)
    answer = SAME if numbers.greedy.films[:LENGTH] == numbers.beam.films[:LENGTH] else BEAM if beam > greedy else GREEDY
    finding = _("Greedy: {g}. Beam search with {n} beams: {b}.").format(
        g=shown(greedy), n=values["width"], b=shown(beam)
    )
    return Scene((_history(values), first, bars), None, finding, answer)


def _listed(films: Sequence[int]) -> str:
    return ", ".join(FILMS[film] for film in films)


def _start(values: Values, numbers: Numbers) -> Scene:
    own, other = (max(one, key=lambda film: one[film]) for one in (numbers.own_start, numbers.other_start))
    films = sorted(numbers.own_start)
    name = str(values["start"])
    other_name = next(key for key in STARTS if key != name)
    parts = [
        Bars(key, _("First film, H(0): {start}").format(start=_(STARTS[start])), [FILMS[film] for film in films],
             [given.get(film) for film in films], secret=key == "other")
        for key, start, given in (("own", name, numbers.own_start), ("other", other_name, numbers.other_start))
    ]  # fmt: skip
    largest = max(abs(numbers.own_start[film] - numbers.other_start.get(film, 0.0)) for film in films)
    finding = _("The largest difference of a probability is {d}.").format(d=shown(largest))
    return Scene((_history(values), *parts), None, finding, SAME if own == other else "different")


LESSON = Lesson(
    key="decoding",
    number=17,
    title=later("Say the next items"),
    idea=later("A decoder says one item at a time; the best first item may not begin the best sequence."),
    sections=("3.3",),
    controls=(
        Order("order", later("Films"), (0, 5, 4, 1, 2, 3)),
        Slider("length", later("Films in the history"), (1, 2, 3), 1),
        Choice("start", later("State H(0) of the decoder"), STARTS, "encoder"),
        Slider("width", later("Beams"), (2, 3, 4), 2),
    ),
    steps=(
        Step(
            "alpha",
            later("Read, then attend"),
            later(
                "An **encoder** reads the history and gives a vector E for each film. At each step the **decoder** "
                "compares its state with all of them; softmax makes weights α, and their sum is the **context** C.\n\n"
                "The model was trained on 210 short histories. Drag films to change the history."
            ),
            fixed={"length": 2},
            predict=Predict(later("Which film of the history gets the larger weight in step 1?"), FILM_OPTIONS),
        ),
        Step(
            "first",
            later("The first film"),
            later(
                "State, context and last film give a score for each film, and softmax makes probabilities. Films of "
                "the history are not said again.\n\nIn the training data, 55 % of the users who began with Comet saw "
                "Dunes next, then any of three films; the others saw Ember, then always Fjord."
            ),
            controls=("length",),
            predict=Predict(later("Which film is the most probable first one?"), FILM_OPTIONS),
        ),
        Step(
            "second",
            later("The second film"),
            later(
                "The film that was said becomes the next input, and the decoder moves on. **Greedy** decoding always "
                "says the most probable film. The probability of a sequence is the product of its steps."
            ),
            controls=("length",),
            predict=Predict(later("Which film does greedy decoding say second?"), FILM_OPTIONS),
        ),
        Step(
            "beam",
            later("Break it: greedy is short-sighted"),
            later(
                "The most probable first film may lead to uncertain sequels. **Beam search** keeps several sequences, "
                "continues all of them, and keeps the most probable ones again.\n\nWhich of the two finds the more "
                "probable pair of films?"
            ),
            controls=("width", "length"),
            predict=Predict(
                later("Whose first two films are more probable together?"),
                {GREEDY: later("Greedy decoding"), BEAM: later("Beam search"), SAME: later("Both the same")},
            ),
            breaks=True,
        ),
        Step(
            "start",
            later("Where does the decoder start?"),
            later(
                "The source document starts the decoder at H(0) = 0, so that it knows the history through attention "
                "and the last film alone. The option in practice: a projection of the encoder's last state. These are "
                "two models, trained with the same data and seed."
            ),
            controls=("start",),
            fixed={"length": 2},
            predict=Predict(
                later("Do both say the same first film?"),
                {SAME: later("Yes"), "different": later("No")},
            ),
        ),
    ),
    checks=(
        SelfCheck(
            later("Beam search with one beam is the same as ..."),
            (later("exhaustive search"), later("greedy decoding"), later("sorting all items by score")),
            1,
            later("One beam keeps the most probable continuation of a single sequence: that is greedy decoding."),
        ),
        SelfCheck(
            later("A sequence has the step probabilities 0.6 and 0.3, another one 0.4 and 0.9. Which one is better?"),
            (later("The first"), later("The second"), later("They cannot be compared.")),
            1,
            later("0.4 · 0.9 = 0.36 is more than 0.6 · 0.3 = 0.18, although its first step is less probable."),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=("models.seq2seq:Seq2Seq.trace", "models.nets.beam:beam_search", "models.nets.beam:greedy"),
    own_data=OwnData(
        "attention", later("Decoding steps and beams for your users"), model="seq2seq", settings={"start": "start"}
    ),
    runtime="torch",
)  # fmt: skip
