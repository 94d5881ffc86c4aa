"""Lesson 12: is it better? Metrics of one list: what each counts, and what other libraries call by the same name."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from recsys_core.evaluation.sentences import signed as signed_change
from recsys_core.lessons.controls import Choice, Order, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Formula, ListPart, Plot, Scene, Series, Symbol, shown, summed
from recsys_core.text import _, later

if TYPE_CHECKING:
    from recsys_core.contracts import Ragged, TopK
    from recsys_core.evaluation.conventions import Convention

FILMS = ("Comet", "Dunes", "Ember", "Fjord", "Grove", "Haven", "Inlet", "Jungle", "Karst", "Lagoon")
RELEVANT = (1, 3, 8)
"""Positions of the relevant films."""
IDEAL = (*RELEVANT, *(film for film in range(len(FILMS)) if film not in RELEVANT))
"""The ideal list: the relevant films lead."""
NAMES = {
    "ndcg": later("NDCG"),
    "map": later("AP (its mean is MAP)"),
    "mrr": later("Reciprocal rank"),
    "recall": later("Recall"),
    "precision": later("Precision"),
}
TOP, LOWER, SAME = "top", "lower", "same"
ORDERED, ALL, NO_METRIC = "ordered", "all", "none"
ONE, TWO, MORE = "one", "two", "more"
OURS = "Recscope"


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        hits: (10,) whether the film at each rank is relevant.
        n_relevant: Number of relevant films, in the list or not.
        values: Metric -> value at k of the list.
        reversed_values: Metric -> value at k with the first k films in reverse order.
        curves: Metric -> (10,) value at each cut-off.
        gains: NDCG at k after the swap of ranks 1 and 2, and after that of ranks 3 and 4, minus that of the list.
        discounts: (10,) contribution of a hit at each rank to the DCG, times the ideal DCG at k.
        ideal: DCG of the ideal list at k.
        libraries: Name of a library and of its metric, value at k (NaN if the user is left out), and reason.
    """

    hits: tuple[bool, ...]
    n_relevant: int
    values: dict[str, float]
    reversed_values: dict[str, float]
    curves: dict[str, tuple[float, ...]]
    gains: tuple[float, float]
    discounts: tuple[float, ...]
    ideal: float
    libraries: tuple[tuple[str, float, str], ...]


def judged(order: Sequence[int], outside: int) -> "tuple[TopK, Ragged]":
    """Return a list of one user with its relevant films, of which `outside` are not in the list."""
    import numpy as np

    from recsys_core.contracts import Ragged, TopK

    lists = TopK(np.array([order]), -np.arange(len(order), dtype=np.float64)[None])
    relevant = [*RELEVANT, *range(len(FILMS), len(FILMS) + outside)]
    return lists, Ragged.from_rows([relevant])


def numbers(step: str, values: Values) -> Numbers:
    """Ask the metrics for their values on the list, on variations of it, and by the definitions of other libraries."""
    from recsys_core.evaluation.conventions import JudgedLists, conventions_of
    from recsys_core.evaluation.metrics import ACCURACY, hit_table

    order, k, outside = list(values["order"]), int(values["k"]), int(values["outside"])

    def at(films: Sequence[int], cutoff: int) -> dict[str, float]:
        table = hit_table(*judged(films, outside))
        return {name: float(ACCURACY[name](table, cutoff)[0]) for name in NAMES}

    table = hit_table(*judged(order, outside))
    by_cutoff = [at(order, cutoff) for cutoff in range(1, len(order) + 1)]
    own = by_cutoff[k - 1]
    swapped = [at([*order[:a], order[a + 1], order[a], *order[a + 2 :]], k)["ndcg"] - own["ndcg"] for a in (0, 2)]
    lists = JudgedLists.of(*judged(order, outside))
    libraries = [(OURS, own[values["metric"]], "")] + [
        (_name(one), float(one.function(lists, k)[0]), one.reason)
        for one in conventions_of(values["metric"])
        if one.function is not None
    ]
    discounts, ideal = _discounts(k, outside)
    return Numbers(
        hits=tuple(map(bool, table.hits[0])),
        n_relevant=int(table.n_relevant[0]),
        values=own,
        reversed_values=at([*reversed(order[:k]), *order[k:]], k),
        curves={name: tuple(point[name] for point in by_cutoff) for name in NAMES},
        gains=(swapped[0], swapped[1]),
        discounts=discounts,
        ideal=ideal,
        libraries=tuple(libraries),
    )


def _name(convention: "Convention") -> str:
    """Return library and metric, with a space before the arguments, where a narrow label can be broken."""
    from recsys_core.evaluation.conventions import LIBRARIES

    return f"{LIBRARIES[convention.library].split(' ')[0]} {convention.name.replace(' (', '(').replace('(', ' (')}"


def _discounts(k: int, outside: int) -> tuple[tuple[float, ...], float]:
    """Return the discount of each rank, and the DCG of the ideal list, from the NDCG of lists with a single hit.

    With one relevant film, the NDCG is the discount itself; with all relevant films, its value for a hit at rank 1 is
    1 / ideal DCG.
    """
    from recsys_core.contracts import Ragged
    from recsys_core.evaluation.metrics import hit_table, ndcg

    lists, _relevant = judged(range(len(FILMS)), 0)
    discounts = tuple(
        float(ndcg(hit_table(lists, Ragged.from_rows([[rank]])), len(FILMS))[0]) for rank in range(len(FILMS))
    )
    only_first = [0, *range(len(FILMS), len(FILMS) + len(RELEVANT) + outside - 1)]
    return discounts, 1 / float(ndcg(hit_table(lists, Ragged.from_rows([only_first])), k)[0])


def scene(step: str, values: Values, numbers: Numbers) -> Scene:
    """Return the list with its hits, and what the step compares."""
    k = int(values["k"])
    listed = ListPart(
        "list",
        _("The list: drag films, or use the arrows (top {k} count)").format(k=k),
        [FILMS[film] for film in values["order"]],
        badges=[_("relevant") if hit else "" for hit in numbers.hits],
        control="order",
        marked=[f"list/{rank}" for rank in range(k)],
    )
    parts, formula, finding, answer = {
        "hits": _hits, "cutoff": _cutoff, "swap": _swap, "order": _order, "libraries": _libraries,
    }[step](values, numbers)  # fmt: skip
    return Scene((listed, *parts), formula, finding, answer)


Shown = tuple[Sequence[Bars | Plot], Formula | None, str, str]


def _bars(name: str, title: str, values: dict[str, float], secret: bool = True) -> Bars:
    return Bars(name, title, [_(NAMES[key]) for key in values], list(values.values()), secret=secret)


def _hits(values: Values, numbers: Numbers) -> Shown:
    k, hits = int(values["k"]), [rank for rank, hit in enumerate(numbers.hits[: int(values["k"])]) if hit]
    shares = {key: numbers.values[key] for key in ("precision", "recall")}
    n = numbers.n_relevant
    symbols = (
        Symbol("hits", _("relevant films in the top k"), str(len(hits)), [f"list/{rank}" for rank in hits]),
        Symbol("k", _("cut-off"), str(k), [f"list/{rank}" for rank in range(k)]),
        Symbol("|R|", _("relevant films, in the list or not"), str(n)),
    )
    general = (
        r"\text{precision} = \frac{\lit1{\text{hits}}}{\lit2{k}} \qquad "
        r"\text{recall} = \frac{\lit1{\text{hits}}}{\lit3{|R|}}"
    )
    numeric = (
        rf"{shown(shares['precision'])} = \frac{{\lit1{{{len(hits)}}}}}{{\lit2{{{k}}}}} \qquad "
        rf"{shown(shares['recall'])} = \frac{{\lit1{{{len(hits)}}}}}{{\lit3{{{n}}}}}"
    )
    bars = _bars("metric", _("At k = {k}").format(k=k), shares, secret=False)
    return (bars,), Formula(general, numeric, symbols), "", ""


def _cutoff(values: Values, numbers: Numbers) -> Shown:
    names = ("precision", "recall", "ndcg")
    x = tuple(range(1, len(FILMS) + 1))
    series = [Series(_(NAMES[name]), x, numbers.curves[name]) for name in names]
    plot = Plot("curve", _("Value at each cut-off"), _("cut-off k"), _("value"), series, secret=True)
    falls = {name: any(b < a for a, b in pairwise(numbers.curves[name])) for name in names[:2]}
    answer = "precision" if falls["precision"] and not falls["recall"] else "recall" if falls["recall"] else SAME
    finding = _("From k = 1 to 10, precision goes from {p1} to {p10}, recall from {r1} to {r10}.").format(
        p1=shown(numbers.curves["precision"][0]), p10=shown(numbers.curves["precision"][-1]),
        r1=shown(numbers.curves["recall"][0]), r10=shown(numbers.curves["recall"][-1]),
    )  # fmt: skip
    return (plot,), None, finding, answer


def _swap(values: Values, numbers: Numbers) -> Shown:
    k = int(values["k"])
    hits = [rank for rank in range(k) if numbers.hits[rank]]
    terms = summed((rf"\lit1{{{shown(numbers.discounts[rank], 3)}}}" for rank in hits), 4) or "0"
    symbols = (
        Symbol("d_r", _("discount of rank r, 1 / log2(r + 1)"), "", [f"list/{rank}" for rank in hits]),
        Symbol("IDCG", _("the same sum for the ideal list"), shown(numbers.ideal, 3)),
    )
    general = r"\text{NDCG} = \frac{\sum_{\text{hits}} \lit1{1 / \log_2(r + 1)}}{\lit2{\text{IDCG}}}"
    numeric = rf"{shown(numbers.values['ndcg'], 3)} = \frac{{{terms}}}{{\lit2{{{shown(numbers.ideal, 3)}}}}}"
    first, second = numbers.gains
    finding = _("Swapping ranks 1 and 2 changes NDCG by {first}, ranks 3 and 4 by {second}.").format(
        first=signed_change(first, 3), second=signed_change(second, 3)
    )
    answer = SAME if abs(first - second) < 1e-12 else TOP if first > second else LOWER
    discounts = Bars(
        "discount", _("A hit at rank r adds, before normalization"), [str(rank + 1) for rank in range(k)],
        numbers.discounts[:k], secret=True,
    )  # fmt: skip
    return (discounts,), Formula(general, numeric, symbols), finding, answer


def _order(values: Values, numbers: Numbers) -> Shown:
    k = int(values["k"])
    own = _bars("metric", _("This order, k = {k}").format(k=k), numbers.values, secret=False)
    turned = _bars("turned", _("Top {k} reversed").format(k=k), numbers.reversed_values)
    changed = {key for key in NAMES if abs(numbers.values[key] - numbers.reversed_values[key]) > 1e-12}
    answer = NO_METRIC if not changed else ORDERED if not changed & {"recall", "precision"} else ALL
    names = ", ".join(_(NAMES[key]) for key in NAMES if key in changed)
    finding = _("Changed: {metrics}.").format(metrics=names) if changed else _("No metric changed.")
    return (own, turned), None, finding, answer


def _libraries(values: Values, numbers: Numbers) -> Shown:
    labels = [name for name, _value, _reason in numbers.libraries]
    bars = Bars(
        "library", _("{metric} at k = {k}, same list").format(metric=_(NAMES[values["metric"]]), k=int(values["k"])),
        labels, [value for _name, value, _reason in numbers.libraries], secret=True,
    )  # fmt: skip
    distinct = {round(value, 9) for _name, value, _reason in numbers.libraries if not math.isnan(value)}
    other = [
        f"{name}: {_(reason)}"
        for name, value, reason in numbers.libraries
        if reason and abs(value - numbers.libraries[0][1]) > 1e-9
    ]
    finding = "  \n".join(other[:3]) or _("All definitions give the same value here.")
    return (bars,), None, finding, (ONE, TWO, MORE)[min(len(distinct), 3) - 1]


LESSON = Lesson(
    key="metrics",
    number=12,
    title=later("Is it better? Metrics"),
    idea=later("Each metric counts hits in its own way, and libraries compute different numbers under one name."),
    sections=("2.6",),
    controls=(
        Order("order", later("The list"), tuple(range(len(FILMS))), {later("Ideal list"): IDEAL}),
        Slider("k", later("Cut-off k"), tuple(range(1, 11)), 6),
        Slider("outside", later("Relevant films that are not in the list"), (0, 1, 2, 5, 10), 1),
        Choice("metric", later("Metric"), {key: NAMES[key] for key in ("ndcg", "map", "recall", "precision")}, "ndcg"),
    ),
    steps=(
        Step(
            "hits",
            later("Count the hits"),
            later(
                "A list of ten films was recommended; the films in green are **relevant**: the user chose them later. "
                "A relevant film in the top k is a hit.\n\n**Precision** divides the hits by k, **recall** by the "
                "number of relevant films, including those that the list missed. Drag films, or change k."
            ),
            controls=("k", "outside", "order"),
        ),
        Step(
            "cutoff",
            later("What happens as k grows?"),
            later(
                "A longer list has more room for hits. The source document calls recall the main goal, even at the "
                "expense of precision. Which of the two can a longer list lower?"
            ),
            controls=("outside",),
            predict=Predict(
                later("Which one falls somewhere between k = 1 and k = 10?"),
                {
                    "precision": later("Precision only"),
                    "recall": later("Recall"),
                    SAME: later("Neither"),
                },
            ),
        ),
        Step(
            "swap",
            later("Not all ranks count the same"),
            later(
                "Users read from the top. **NDCG** gives a hit at rank r the weight 1 / log2(r + 1) and divides by the "
                "best possible sum.\n\nCompare two changes of this list: swapping ranks 1 and 2, or swapping ranks 3 "
                "and 4."
            ),
            controls=("k", "outside"),
            predict=Predict(
                later("Which swap raises NDCG more (or lowers it less)?"),
                {TOP: later("Ranks 1 and 2"), LOWER: later("Ranks 3 and 4"), SAME: later("Both the same")},
            ),
        ),
        Step(
            "order",
            later("Which metrics see the order?"),
            later(
                "Reverse the first k films: the same films, the worst first. Some metrics only ask *whether* a film is "
                "in the top k; others ask *where*."
            ),
            controls=("k",),
            predict=Predict(
                later("Which metrics change when the top k is reversed?"),
                {
                    ORDERED: later("Only NDCG, AP or reciprocal rank"),
                    ALL: later("Precision or recall as well"),
                    NO_METRIC: later("None"),
                },
            ),
        ),
        Step(
            "libraries",
            later("Break it: one name, several numbers"),
            later(
                "Other libraries and Recscope compute the same metric for **this same list**. They divide by k, by the "
                "number of relevant films, or by the smaller of the two.\n\nA number from a paper is comparable only "
                "if its definition is. Try NDCG, AP and recall, and more relevant films than k."
            ),
            controls=("metric", "k", "outside"),
            predict=Predict(
                later("How many different values do they give for this list?"),
                {ONE: later("One"), TWO: later("Two"), MORE: later("Three or more")},
            ),
            breaks=True,
        ),
    ),
    checks=(
        SelfCheck(
            later("A user has 20 relevant items and gets a list of 10. What is the highest possible recall@10?"),
            (later("1"), later("0.5"), later("It depends on the order.")),
            1,
            later(
                "Recall divides by all relevant items: at most 10 / 20. Some libraries divide by min(k, |R|) instead, "
                "so that 1 can be reached; then it is another metric with the same name."
            ),
        ),
        SelfCheck(
            later("NDCG@10 rises from 0.30 to 0.33. Which metrics must have changed, too?"),
            (
                later("Recall@10"),
                later("None of precision@10 and recall@10 must have changed."),
                later("Precision@10 and recall@10"),
            ),
            1,
            later("The same hits at better ranks raise NDCG; precision and recall count hits without their ranks."),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "evaluation.metrics:hit_table",
        "evaluation.metrics:ndcg",
        "evaluation.conventions:JudgedLists.of",
        "evaluation.conventions:conventions_of",
    ),
    own_data=OwnData("compare", later("Metrics of your models")),
)  # fmt: skip
