"""Lesson 2: the long tail and the baseline. Popularity concentrates, so recommending it can look good."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from recsys_core.lessons.controls import Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Formula, Plot, Scene, Series, Symbol, shown
from recsys_core.text import _, later

if TYPE_CHECKING:
    from recsys_core.data import Dataset

USERS, ITEMS, EACH = 150, 30, 8
CUTOFFS = (1, 3, 5, 10)
MODELS = {"popular": later("Popularity"), "random": later("Random")}
LOW, MIDDLE, HIGH = "low", "middle", "high"
DRAWN = 15
"""Items of the formula and the bars."""


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        counts: (30,) interactions of each item, most popular first.
        gini: Gini coefficient of the counts.
        head: Number of items in the head, which holds 80 % of the interactions.
        recall: Model -> mean recall at each cut-off, its interval at the chosen one, and users.
        lists: Model -> number of distinct items that it recommends to all test users.
    """

    counts: tuple[int, ...]
    gini: float
    head: int
    recall: dict[str, dict[int, float]]
    intervals: dict[str, tuple[float, float]]
    lists: dict[str, int]


@lru_cache(maxsize=8)
def log(exponent: float) -> "Dataset":
    """Return interactions of 150 users with 8 of 30 items each; item r is drawn with a weight of r^-exponent."""
    import numpy as np
    import pandas as pd

    from recsys_core.contracts import RunContext
    from recsys_core.data import dataset_from_frames

    rng = RunContext(5).rng("lesson", "tail")
    weights = np.arange(1, ITEMS + 1, dtype=np.float64) ** -exponent
    rows = [
        (user, int(item))
        for user in range(USERS)
        for item in rng.choice(ITEMS, EACH, replace=False, p=weights / weights.sum())
    ]
    frame = pd.DataFrame(rows, columns=["user", "item"]).astype("int32")
    return dataset_from_frames(
        frame, user_ids=[f"user {n + 1}" for n in range(USERS)], item_ids=[f"item {n + 1}" for n in range(ITEMS)]
    )


@lru_cache(maxsize=64)
def measured(exponent: float, k: int) -> Numbers:
    """Count the interactions, and evaluate popularity and random lists on a random split."""
    import numpy as np

    from recsys_core.contracts import RunContext
    from recsys_core.data.split_spec import SplitSpec
    from recsys_core.data.splits import make_splits
    from recsys_core.data.summaries import gini, head_size
    from recsys_core.evaluation.comparison import summarize
    from recsys_core.evaluation.evaluate import evaluate
    from recsys_core.models.registry import make_model

    data = log(exponent)
    counts = -np.sort(-np.asarray(data.matrix("binary").sum(axis=0)).ravel())
    split = make_splits(data, SplitSpec.parse("ratio:0.25"), seed=1)[0]
    recall: dict[str, dict[int, float]] = {}
    intervals: dict[str, tuple[float, float]] = {}
    lists: dict[str, int] = {}
    for key in MODELS:
        model = make_model(key, {})
        model.fit(split.train, RunContext(1))
        summary = summarize(evaluate(model, split, cutoffs=CUTOFFS, ctx=RunContext(1)).per_user)
        recall[key] = {cutoff: summary[f"recall@{cutoff}"]["mean"] for cutoff in CUTOFFS}
        intervals[key] = (summary[f"recall@{k}"]["low"], summary[f"recall@{k}"]["high"])
        lists[key] = len(np.unique(model.recommend(split.train.queries(split.test_users()), k).item))
    return Numbers(tuple(map(int, counts)), float(gini(counts)), int(head_size(counts)), recall, intervals, lists)


def numbers(step: str, values: Values) -> Numbers:
    """Return the measurements of the log for the exponent and the cut-off."""
    return measured(float(values["exponent"]), int(values["k"]))


def scene(step: str, values: Values, numbers: Numbers) -> Scene:
    """Return the tail, and what the step says about popularity."""
    drawn = {"tail": _tail, "recall": _recall, "random": _random, "same": _same}
    return drawn[step](values, numbers)


def _plot(numbers: Numbers) -> Plot:
    x = tuple(range(1, ITEMS + 1))
    series = (Series(_("interactions"), x, tuple(map(float, numbers.counts))),)
    return Plot("tail", _("Interactions of each item, most popular first"), _("rank"), _("interactions"), series)


def _tail(values: Values, numbers: Numbers) -> Scene:
    total, head = sum(numbers.counts), sum(numbers.counts[: numbers.head])
    symbols = (
        Symbol("n_r", _("interactions of the item at rank r"), "", ("tail/0",)),
        Symbol("N", _("all interactions"), str(total)),
        Symbol("h", _("items in the head"), str(numbers.head)),
    )
    formula = Formula(
        r"\frac{1}{\lit2{N}} \sum_{r=1}^{\lit3{h}} \lit1{n_r} \ge 0.8",
        rf"\frac{{\lit1{{{head}}}}}{{\lit2{{{total}}}}} = {shown(head / total)}, \quad h = \lit3{{{numbers.head}}}",
        symbols,
    )
    finding = _("{head} of {all} items hold at least 80 % of the interactions; the Gini coefficient is {gini}.").format(
        head=numbers.head, all=ITEMS, gini=shown(numbers.gini)
    )
    answer = LOW if numbers.head < ITEMS / 3 else MIDDLE if numbers.head <= ITEMS / 2 else HIGH
    return Scene((_plot(numbers),), formula, finding, answer)


def _recall(values: Values, numbers: Numbers) -> Scene:
    k, own = int(values["k"]), numbers.recall["popular"]
    labels = [f"k = {cutoff}" for cutoff in CUTOFFS]
    bars = Bars(
        "recall", _("Recall of popularity"), labels, [own[cutoff] for cutoff in CUTOFFS],
        marked=(f"recall/{CUTOFFS.index(k)}",), secret=True,
    )  # fmt: skip
    finding = _("Recall@{k} of popularity is {recall}.").format(k=k, recall=shown(own[k]))
    answer = LOW if own[k] < 0.25 else MIDDLE if own[k] <= 0.5 else HIGH
    return Scene((_plot(numbers), bars), None, finding, answer)


def _random(values: Values, numbers: Numbers) -> Scene:
    k = int(values["k"])
    popular, random = (numbers.recall[key][k] for key in MODELS)
    bars = Bars(
        "models", _("Recall@{k} with 95 % intervals").format(k=k), [_(title) for title in MODELS.values()],
        (popular, random), intervals=[numbers.intervals[key] for key in MODELS], secret=True,
    )  # fmt: skip
    ratio = popular / random if random else float("inf")
    finding = _("Popularity {p}, random lists {r}: {ratio} times as much.").format(
        p=shown(popular, 3), r=shown(random, 3), ratio=shown(ratio, 1)
    )
    return Scene((_plot(numbers), bars), None, finding, LOW if ratio < 1.5 else MIDDLE if ratio <= 3 else HIGH)


def _same(values: Values, numbers: Numbers) -> Scene:
    title = _("Distinct items in all lists of {k}").format(k=int(values["k"]))
    bars = Bars(
        "lists", title, [_(name) for name in MODELS.values()],
        [float(numbers.lists[key]) for key in MODELS], high=float(ITEMS), digits=0, secret=True,
    )  # fmt: skip
    count = numbers.lists["popular"]
    finding = _("Popularity recommends {n} of {all} items to all users together; the others are never shown.").format(
        n=count, all=ITEMS
    )
    return Scene((_plot(numbers), bars), None, finding, LOW if count < 10 else MIDDLE if count <= 20 else HIGH)


LESSON = Lesson(
    key="long_tail",
    number=2,
    title=later("The long tail and the baseline"),
    idea=later(
        "Few items receive most interactions, so recommending the popular ones is a baseline that is hard to beat."
    ),
    sections=("2",),
    controls=(
        Slider("exponent", later("Zipf exponent"), (0, 0.5, 1.0, 1.5, 2.0), 1.0),
        Slider("k", later("Cut-off k"), CUTOFFS, 5),
    ),
    steps=(
        Step(
            "tail",
            later("Few items, many interactions"),
            later(
                "Thirty items, 150 users with eight items each. The item at rank r is chosen with a weight of "
                "$r^{-a}$ (Zipf's law): with a = 0 all are equal, with a large one few items are everywhere.\n\nThe "
                "**head** is the smallest set of items with at least 80 % of all interactions; the rest is the long "
                "tail."
            ),
            controls=("exponent",),
            predict=Predict(
                later("How many of the 30 items make up the head for this exponent?"),
                {LOW: later("Fewer than 10"), MIDDLE: later("10 to 15"), HIGH: later("More than 15")},
            ),
        ),
        Step(
            "recall",
            later("A model without any personalization"),
            later(
                "**Popularity** recommends the most popular items that a user has not seen, the same to everybody. A "
                "quarter of each user's interactions is held out; recall@k is the share of them in the list of k."
            ),
            controls=("exponent", "k"),
            predict=Predict(
                later("What is the recall of popularity at this cut-off?"),
                {LOW: later("Below 0.25"), MIDDLE: later("0.25 to 0.5"), HIGH: later("Above 0.5")},
            ),
        ),
        Step(
            "random",
            later("A number needs a baseline"),
            later(
                "Is that good? Random lists show what chance alone achieves. A recall without the recall of popularity "
                "and of random lists beside it says little: it depends on the number of items and on the tail."
            ),
            controls=("exponent", "k"),
            predict=Predict(
                later("How much higher is the recall of popularity than that of random lists?"),
                {LOW: later("Less than 1.5 times"), MIDDLE: later("1.5 to 3 times"), HIGH: later("More than 3 times")},
            ),
        ),
        Step(
            "same",
            later("Break it: good numbers, one list"),
            later(
                "Raise the exponent: the recall of popularity rises, without any knowledge of the user. And all users "
                "get nearly the same few items. Accuracy alone does not notice."
            ),
            controls=("exponent", "k"),
            predict=Predict(
                later("How many of the 30 items does popularity recommend to all users together?"),
                {LOW: later("Fewer than 10"), MIDDLE: later("10 to 20"), HIGH: later("More than 20")},
            ),
            breaks=True,
        ),
    ),
    checks=(
        SelfCheck(
            later("A new model reaches recall@10 = 0.30. What do you ask first?"),
            (
                later("How long did the training take?"),
                later("What do popularity and random lists reach on the same split?"),
                later("How many parameters does it have?"),
            ),
            1,
            later(
                "With a steep tail, popularity alone may reach 0.30. Recscope adds both baselines to every comparison."
            ),
        ),
        SelfCheck(
            later("All items are equally popular. What is the recall of popularity close to?"),
            (later("That of random lists"), later("0"), later("1")),
            0,
            later("Then the counts differ by chance only, and the most popular items are no better than others."),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "data.summaries:gini",
        "data.summaries:head_size",
        "evaluation.evaluate:evaluate",
        "evaluation.comparison:summarize",
        "models.popular:Popular.recommend",
    ),
    own_data=OwnData("explore", later("How long is the tail of your data?")),
)
