"""Lesson 18: the list as a whole. Diversity by MMR, a rule that cannot hold, and what both cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from recsys_core.evaluation.sentences import decimals_for, interval_text
from recsys_core.lessons.controls import Order, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Formula, ListPart, Scene, Symbol, shown, signed, tied
from recsys_core.text import _, later

if TYPE_CHECKING:
    from recsys_core.strategy.apply import Outcome
    from recsys_core.strategy.facts import Facts

FILMS = ("Comet", "Dunes", "Ember", "Fjord", "Grove", "Haven", "Inlet", "Jungle")
SPACE, NATURE, DRAMA = later("space"), later("nature"), later("drama")
GENRES = (SPACE, SPACE, SPACE, NATURE, NATURE, SPACE, DRAMA, NATURE)
K = 4
SIMULATED = 200
"""Users of the step `price`: the order of their candidates is random, and higher ones are relevant more often."""
NOBODY = "none"
FILM_OPTIONS = {name: name for name in FILMS}
YES, NO = "yes", "no"


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        before: The first K films by relevance.
        after: The list of the strategy, at most K films.
        relevance: (8,) relevance of each film, 1 for the best candidate, 1/8 for the last.
        similarity: (8, 8) similarity of two films.
        missing: Number of places that stay empty.
        price: NDCG@4 without and with the strategy, difference, and its interval, in step `price`.
        genres: Mean number of genres in the lists without and with the strategy, in step `price`.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    relevance: tuple[float, ...]
    similarity: tuple[tuple[float, ...], ...]
    missing: int
    price: tuple[float, float, float, float, float]
    genres: tuple[float, float]


@lru_cache(maxsize=1)
def facts() -> "Facts":
    """Return the films with their genres."""
    import numpy as np
    import pandas as pd

    from recsys_core.data import dataset_from_frames
    from recsys_core.strategy.facts import Facts

    films = np.arange(len(FILMS), dtype=np.int32)
    items = pd.DataFrame({"title": FILMS, "categories": GENRES})
    frame = pd.DataFrame({"user": np.zeros(len(FILMS), np.int32), "item": films})
    return Facts(dataset_from_frames(frame, items=items, item_ids=list(FILMS), user_ids=["Ana"], fingerprint="lesson"))


def applied(step: str, values: Values, orders: "Sequence[Sequence[int]]") -> "Outcome":
    """Return the lists of the strategy of a step for candidates in these orders, one row per user."""
    import numpy as np

    from recsys_core.contracts import TopK
    from recsys_core.strategy.apply import apply
    from recsys_core.strategy.cards import Strategy

    mmr = {"kind": "mmr", "weight": values["weight"]}
    cap = {"kind": "quota", "each": "categories", "most": int(values["most"])}
    cards: list[dict[str, Any]] = [cap] if step == "quota" else [mmr]
    strategy = Strategy.model_validate({"cards": cards, "pool": len(FILMS), "k": K})
    order = np.array(orders)
    scores = np.broadcast_to(np.arange(len(FILMS), 0, -1.0, dtype=np.float32), order.shape)
    return apply(strategy, TopK(order, scores), np.zeros(len(order), np.int64), facts())


def numbers(step: str, values: Values) -> Numbers:
    """Apply the card of the step to the candidates, and in the step `price` to those of simulated users."""
    import numpy as np

    from recsys_core.strategy.relevance import scaled

    order = list(values["order"])
    after = [int(film) for film in applied(step, values, [order]).lists.item[0] if film >= 0]
    by_place = scaled(np.arange(len(FILMS), 0, -1.0)[None], "rank")[0]
    vectors = facts().vectors
    price, genres = (0.0,) * 5, (0.0, 0.0)
    if step == "price":
        price, genres = _price(values)
    return Numbers(
        before=tuple(order[:K]),
        after=tuple(after),
        relevance=tuple(float(by_place[order.index(film)]) for film in range(len(FILMS))),
        similarity=tuple(tuple(map(float, row)) for row in vectors @ vectors.T),
        missing=K - len(after),
        price=price,
        genres=genres,
    )


def _price(values: Values) -> tuple[tuple[float, float, float, float, float], tuple[float, float]]:
    """Return NDCG before and after, its difference with the interval, and the number of genres before and after."""
    import numpy as np

    from recsys_core.contracts import Ragged, RunContext, TopK
    from recsys_core.evaluation.metrics import hit_table, ndcg
    from recsys_core.evaluation.paired import paired

    rng = RunContext(1).rng("lesson", "whole list")
    orders = np.stack([rng.permutation(len(FILMS)) for _user in range(SIMULATED)])
    chances = 1.0 / np.arange(1, len(FILMS) + 1)
    relevant = Ragged.from_rows([rng.choice(row, 2, replace=False, p=chances / chances.sum()) for row in orders])
    before = TopK(orders[:, :K], np.zeros((SIMULATED, K)))
    after = applied("price", values, orders.tolist()).lists
    result = paired(ndcg(hit_table(before, relevant), K), ndcg(hit_table(after, relevant), K), share=True)
    counts = [float(np.mean([len({GENRES[film] for film in row}) for row in lists.item])) for lists in (before, after)]
    return (result.before, result.after, result.difference, result.low, result.high), (counts[0], counts[1])


def scene(step: str, values: Values, numbers: Numbers) -> Scene:
    """Return the candidates, the list of the step, and the arithmetic of its second place or its price."""
    return {"relevance": _relevance, "second": _second, "drops": _drops, "quota": _quota, "price": _price_scene}[step](
        values, numbers
    )


def _candidates(values: Values) -> ListPart:
    return ListPart(
        "candidates", _("Candidates by relevance (drag)"), [FILMS[film] for film in values["order"]],
        notes=[_(GENRES[film]) for film in values["order"]], control="order",
        marked=[f"candidates/{place}" for place in range(K)],
    )  # fmt: skip


def _list(numbers: Numbers, *, secret: bool = True) -> ListPart:
    return ListPart(
        "list", _("The list of {k}").format(k=K), [FILMS[film] for film in numbers.after],
        notes=[_(GENRES[film]) for film in numbers.after], secret=secret,
    )  # fmt: skip


def _relevance(values: Values, numbers: Numbers) -> Scene:
    counts = {genre: sum(GENRES[film] == genre for film in numbers.before) for genre in (SPACE, NATURE, DRAMA)}
    bars = Bars(
        "genre", _("Genres among the first {k}").format(k=K), [_(genre) for genre in counts],
        list(map(float, counts.values())), high=float(K), digits=0,
    )  # fmt: skip
    top = max(counts, key=counts.__getitem__)
    if names := tied({_(genre): float(count) for genre, count in counts.items()}):
        words = _("{genres} lead with {n} each of the first {k} films.")
        finding = words.format(genres=", ".join(names), n=counts[top], k=K)
    else:
        finding = _("{n} of the first {k} films are {genre}.").format(n=counts[top], k=K, genre=_(top))
    return Scene((_candidates(values), bars), None, finding)


def _second(values: Values, numbers: Numbers) -> Scene:
    first, second = numbers.after[:2]
    weight = float(values["weight"])
    rest = [film for film in values["order"] if film != first]
    gains = [weight * numbers.relevance[film] - (1 - weight) * numbers.similarity[film][first] for film in rest]
    bars = Bars(
        "gain", _("MMR of each film for place 2"), [FILMS[film] for film in rest], gains, low=-1.0, high=1.0,
        marked=(f"gain/{rest.index(second)}",), secret=True,
    )  # fmt: skip
    relevance, similarity = numbers.relevance[second], numbers.similarity[second][first]
    gain = gains[rest.index(second)]
    place = list(values["order"]).index
    symbols = (
        Symbol("m_i", _("MMR of {film}").format(film=FILMS[second]), shown(gain, 3), (f"gain/{rest.index(second)}",)),
        Symbol("λ", _("weight of relevance"), f"{weight:g}"),
        Symbol("rel_i", _("relevance of {film} by rank").format(film=FILMS[second]), shown(relevance, 3),
               (f"candidates/{place(second)}",)),
        Symbol("s_ij", _("similarity to {film}, already placed").format(film=FILMS[first]), shown(similarity),
               (f"candidates/{place(first)}",)),
    )  # fmt: skip
    formula = Formula(
        r"\lit1{m_i} = \lit2{\lambda} \, \lit3{rel_i} - (1 - \lit2{\lambda}) \max_j \lit4{s_{ij}}",
        rf"\lit1{{{shown(gain, 3)}}} = \lit2{{{weight:g}}} \cdot \lit3{{{shown(relevance, 3)}}} - "
        rf"{1 - weight:.2g} \cdot \lit4{{{signed(similarity)}}}",
        symbols,
    )
    finding = _("{film} takes place 2.").format(film=FILMS[second])
    return Scene((_candidates(values), bars), formula, finding, FILMS[second])


def _drops(values: Values, numbers: Numbers) -> Scene:
    dropped = [film for film in numbers.before if film not in numbers.after]
    names = ", ".join(FILMS[film] for film in dropped)
    finding = _("Out of the first {k}: {films}.").format(k=K, films=names) if dropped else _("No film drops out.")
    return Scene((_candidates(values), _list(numbers)), None, finding, str(min(len(dropped), 3)))


def _quota(values: Values, numbers: Numbers) -> Scene:
    finding = _("The list has {n} of {k} films: at most {most} of each genre, and there are 3 genres.").format(
        n=len(numbers.after), k=K, most=int(values["most"])
    )
    return Scene((_candidates(values), _list(numbers)), None, finding, NO if numbers.missing else YES)


def _price_scene(values: Values, numbers: Numbers) -> Scene:
    before, after, difference, low, high = numbers.price
    ndcg = Bars(
        "ndcg",
        _("NDCG@4 of {n} users").format(n=SIMULATED),
        (_("without"), _("with MMR")),
        (before, after),
        secret=True,
    )
    genres = Bars(
        "genres", _("Genres per list"), (_("without"), _("with MMR")), numbers.genres, high=3.0, digits=2, secret=True
    )
    cost = Bars(
        "cost", _("Difference with its 95 % interval"), (_("NDCG@4"),), (difference,), low=-0.2, high=0.2,
        intervals=((low, high),), secret=True,
    )  # fmt: skip
    finding = _("NDCG changes by {d} ({interval}), genres per list from {a} to {b}.").format(
        d=shown(difference, decimals_for(low, high)),
        interval=interval_text(low, high),
        a=shown(numbers.genres[0]),
        b=shown(numbers.genres[1]),
    )
    return Scene((_candidates(values), ndcg, genres, cost), None, finding, YES if low > 0 or high < 0 else NO)


LESSON = Lesson(
    key="whole_list",
    number=18,
    title=later("The list as a whole"),
    idea=later("A list is more than its best items: diversity and rules change it, and each change has a price."),
    sections=("2.9",),
    controls=(
        Order("order", later("Candidates"), tuple(range(len(FILMS)))),
        Slider("weight", later("Weight of relevance λ"), (0.1, 0.3, 0.5, 0.7, 0.9, 1.0), 0.5),
        Slider("most", later("At most of each genre"), (1, 2, 3), 1),
    ),
    steps=(
        Step(
            "relevance",
            later("The best films, one by one"),
            later(
                "A model scores each film on its own. The first four by relevance may be four times the same idea: "
                "each is a good guess, but together they bet on one mood of the user.\n\nDrag candidates to change "
                "their relevance."
            ),
        ),
        Step(
            "second",
            later("Maximal marginal relevance"),
            later(
                "**MMR** fills the list place by place. A candidate gains by its relevance and loses by its similarity "
                "to the film already placed that is most like it. Here two films of one genre have a similarity of 1, "
                "of different genres 0."
            ),
            controls=("weight",),
            predict=Predict(later("Which film takes place 2?"), FILM_OPTIONS),
        ),
        Step(
            "drops",
            later("What drops out?"),
            later(
                "λ = 1 is relevance alone. The smaller λ, the more the list is spread over genres, and the more films "
                "of the original first four have to leave it."
            ),
            controls=("weight",),
            predict=Predict(
                later("How many of the first four candidates drop out?"),
                {"0": later("None"), "1": later("One"), "2": later("Two"), "3": later("Three or more")},
            ),
        ),
        Step(
            "quota",
            later("Break it: a rule that cannot hold"),
            later(
                "A rule is stricter than a weight: *at most so much of each genre*. It is never broken; if it cannot "
                "be met otherwise, places stay empty. There are three genres and four places."
            ),
            controls=("most",),
            predict=Predict(later("Is the list of four full?"), {YES: later("Yes"), NO: later("No")}),
            breaks=True,
        ),
        Step(
            "price",
            later("What does it cost?"),
            later(
                "Diversity has a price in accuracy, and the price is a difference with an interval. Here are 200 "
                "simulated users with random orders of the films, of whom each chose two films, those of higher "
                "relevance more often."
            ),
            controls=("weight",),
            predict=Predict(
                later("Does the 95 % interval of the NDCG difference exclude 0?"), {YES: later("Yes"), NO: later("No")}
            ),
        ),
    ),
    checks=(
        SelfCheck(
            later("With λ = 1, what does MMR do?"),
            (later("It sorts by relevance."), later("It sorts by diversity."), later("It picks at random.")),
            0,
            later("The similarity has the weight 1 − λ = 0, so only relevance is left."),
        ),
        SelfCheck(
            later("Why can a strategy be worth an NDCG that is lower?"),
            (
                later("Because NDCG is always wrong."),
                later("NDCG judges hits of past behavior; other aims, such as variety, are not in it."),
                later("Because lower is better."),
            ),
            1,
            later(
                "A test set shows what users chose from the lists they had. Whether variety pays has to be measured "
                "with its own metric, in the end in an A/B test; the price says what it costs in NDCG."
            ),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "strategy.apply:apply",
        "strategy.relevance:scaled",
        "evaluation.paired:paired",
        "evaluation.metrics:ndcg",
    ),
    own_data=OwnData("strategy", later("Cards with price tags on the lists of your models")),
)
