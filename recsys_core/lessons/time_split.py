"""Lesson 14: the split that lies. Three ways to hold out test data, their leaks, and which model leads."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from recsys_core.lessons.controls import Choice, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Plot, Scene, Series, shown
from recsys_core.text import _, later

if TYPE_CHECKING:
    from recsys_core.data import Dataset

DAY = 86_400_000
USERS, DAYS, EACH, WINDOW = 80, 40, 10, 20
EVERGREENS, FADS, LIFE = 6, 18, 5
DRAWN = 8
"""Users of the time line."""
K = 5
METRIC = f"ndcg@{K}"
SPLITS = {
    "ratio": later("Random per user"),
    "leave_last_out": later("Leave-last-out"),
    "global_time": later("Global time"),
}
MODELS = {"item_knn": later("Item kNN"), "popular": later("Popular items")}
YES, NO = "yes", "no"
FEW, SOME, MOST = "few", "some", "most"


@dataclass(frozen=True)
class Judged:
    """One split, as the production code counts and evaluates it.

    Args:
        train: (x, y) days and users of the training rows of the first users.
        test: The same of the test rows.
        tests: Number of test rows.
        later: Test rows that are earlier than some training row.
        means: Model -> mean NDCG@5.
        intervals: Model -> its 95 % interval.
        different: Whether the models differ significantly.
        users: Test users.
    """

    train: tuple[tuple[float, ...], tuple[float, ...]]
    test: tuple[tuple[float, ...], tuple[float, ...]]
    tests: int
    later: int
    means: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    different: bool
    users: int


@dataclass(frozen=True)
class Numbers:
    """The selected split, and in the steps that compare them all three by kind."""

    own: Judged
    every: dict[str, Judged]


@lru_cache(maxsize=8)
def log(fads: float) -> "Dataset":
    """Return a log of 40 days: a share of the interactions goes to fads, which live for five days each.

    All others go to six evergreens, which are always there.
    """
    import numpy as np
    import pandas as pd

    from recsys_core.contracts import RunContext
    from recsys_core.data import dataset_from_frames

    rng, rows = RunContext(3).rng("lesson", "log"), []
    for user in range(USERS):
        start = rng.uniform(0, DAYS - WINDOW)
        seen: set[int] = set()
        for day in np.sort(rng.uniform(start, start + WINDOW, EACH)):
            live = [fad for fad in range(FADS) if fad * DAYS / FADS - LIFE / 2 <= day <= fad * DAYS / FADS + LIFE / 2]
            pool = [EVERGREENS + fad for fad in live] if live and rng.random() < fads else list(range(EVERGREENS))
            pool = [item for item in pool if item not in seen]
            if pool:
                item = int(rng.choice(pool))
                seen.add(item)
                rows.append((user, item, int(day * DAY)))
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"]).astype({"user": "int32", "item": "int32"})
    items = [f"evergreen {n + 1}" for n in range(EVERGREENS)] + [f"fad {n + 1}" for n in range(FADS)]
    return dataset_from_frames(frame, user_ids=[f"user {n + 1}" for n in range(USERS)], item_ids=items)


@lru_cache(maxsize=32)
def judged(kind: str, fads: float) -> Judged:
    """Split the log, count the leaks, train both models and compare them."""
    from recsys_core.contracts import RunContext
    from recsys_core.data.leaks import count_leaks
    from recsys_core.data.split_spec import SplitSpec
    from recsys_core.data.splits import make_splits
    from recsys_core.evaluation.comparison import compare
    from recsys_core.evaluation.evaluate import evaluate
    from recsys_core.models.registry import make_model

    split = make_splits(log(fads), SplitSpec.parse(kind), seed=1)[0]
    leaks, frames = count_leaks(split), {}
    for key in MODELS:
        model = make_model(key, {})
        model.fit(split.train, RunContext(1))
        frames[key] = evaluate(model, split, cutoffs=(K,), ctx=RunContext(1)).per_user
    found = compare(frames, metric=METRIC, samples=999)
    numeric = found.table[["mean", "low", "high"]].to_numpy(float).tolist()
    table = dict(zip(found.table["model"], numeric, strict=True))

    def drawn(part: "Dataset") -> tuple[tuple[float, ...], tuple[float, ...]]:
        rows = part.interactions[part.interactions["user"] < DRAWN]
        return tuple((rows["timestamp"] / DAY).tolist()), tuple((rows["user"] + 1.0).tolist())

    return Judged(
        drawn(split.train), drawn(split.test), leaks.test_rows, leaks.tests_with_later_training or 0,
        {key: table[key][0] for key in MODELS},
        {key: (table[key][1], table[key][2]) for key in MODELS},
        bool(found.pairs["different"].iloc[0]), len(found.users),
    )  # fmt: skip


def numbers(step: str, values: Values) -> Numbers:
    """Split and evaluate by the selected kind, and where the step compares them by all kinds."""
    fads = float(values["fads"])
    kinds = SPLITS if step in ("leader", "lies") else ()
    return Numbers(judged(values["split"], fads), {kind: judged(kind, fads) for kind in kinds})


def scene(step: str, values: Values, numbers: Numbers) -> Scene:
    """Return the time line of the split, its leaks, or the metrics of the models under each split."""
    own, name = numbers.own, _(SPLITS[values["split"]])
    if step in ("timeline", "leaks"):
        share = own.later / max(1, own.tests)
        finding = _("{later} of {tests} test interactions are earlier than some training interaction.").format(
            later=own.later, tests=own.tests
        )
        bars = Bars(
            "leak", _("Share of test interactions with later training data"), (name,), (share,), digits=2,
            secret=step == "leaks",
        )  # fmt: skip
        answer = FEW if share < 0.1 else MOST if share > 0.9 else SOME
        return Scene((_timeline(own, name), bars), None, finding, answer)
    random, time = numbers.every["ratio"], numbers.every["global_time"]
    parts = tuple(
        _models(kind, judged, secret=kind != "ratio")
        for kind, judged in numbers.every.items()
        if kind != "leave_last_out"
    )
    if step == "leader":
        first = max(random.means, key=random.means.__getitem__)
        second = max(time.means, key=time.means.__getitem__)
        finding = " ".join(_sentence(kind, numbers.every[kind]) for kind in ("ratio", "global_time"))
        return Scene((_timeline(time, _(SPLITS["global_time"])), *parts), None, finding, YES if first == second else NO)
    ratio = time.means["item_knn"] / random.means["item_knn"]
    finding = _("NDCG@{k} of Item kNN: {a} by the random split, {b} by global time.").format(
        k=K, a=shown(random.means["item_knn"], 3), b=shown(time.means["item_knn"], 3)
    )
    answer = FEW if ratio < 1 / 3 else SOME if ratio < 0.9 else MOST
    return Scene((_timeline(time, _(SPLITS["global_time"])), *parts), None, finding, answer)


def _timeline(judged: Judged, name: str) -> Plot:
    series = (Series(_("training"), *judged.train, dots=True), Series(_("test"), *judged.test, dots=True))
    title = _("{split}: interactions of the first {n} users").format(split=name, n=DRAWN)
    return Plot("time", title, _("day"), _("user"), series)


def _models(kind: str, judged: Judged, *, secret: bool) -> Bars:
    title = _("NDCG@{k}, {split} ({n} test users)").format(k=K, split=_(SPLITS[kind]), n=judged.users)
    return Bars(
        kind, title, [_(MODELS[key]) for key in MODELS], [judged.means[key] for key in MODELS],
        intervals=[judged.intervals[key] for key in MODELS], secret=secret,
    )  # fmt: skip


def _sentence(kind: str, judged: Judged) -> str:
    best = max(judged.means, key=judged.means.__getitem__)
    words = (
        _("{split}: {model} leads significantly.")
        if judged.different
        else _("{split}: {model} leads, but there is no significant difference (95 %).")
    )
    return words.format(split=_(SPLITS[kind]), model=_(MODELS[best]))


LESSON = Lesson(
    key="time_split",
    number=14,
    title=later("The split that lies"),
    idea=later("A random split lets models learn from the future; a split by time asks what was known then."),
    sections=("2.6",),
    controls=(
        Choice("split", later("Train/test split"), SPLITS, "ratio"),
        Slider("fads", later("Share of fads"), (0.3, 0.5, 0.7, 0.9), 0.5),
    ),
    steps=(
        Step(
            "timeline",
            later("Which interactions are held out?"),
            later(
                "A log of 40 days: each user interacts with up to ten items within twenty days. Some items are "
                "evergreens, others are **fads** that live for five days.\n\nTo evaluate a model, part of the log is "
                "held out as test data. Compare three kinds of splits: which dots are test data, and when do they lie?"
            ),
            controls=("split", "fads"),
        ),
        Step(
            "leaks",
            later("Learning from the future"),
            later(
                "A test interaction asks: what would the model have recommended **then**? If training data contain "
                "later interactions, it has information that did not exist then: **temporal leakage**.\n\nSelect a "
                "split and predict."
            ),
            controls=("split", "fads"),
            predict=Predict(
                later("For how many test interactions do the training data contain later ones?"),
                {FEW: later("Less than 10 %"), SOME: later("10 to 90 %"), MOST: later("More than 90 %")},
            ),
        ),
        Step(
            "leader",
            later("Which model is better?"),
            later(
                "Two models on the same log. *Item kNN* learns which items are consumed by the same users; *Popular "
                "items* recommends what most users had. Under the random split, a fad of the same days gives away the "
                "held-out ones.\n\nOn the right you see the result of the random split."
            ),
            controls=("fads",),
            predict=Predict(later("Does the same model lead under global time?"), {YES: later("Yes"), NO: later("No")}),
        ),
        Step(
            "lies",
            later("Break it: a promise that cannot be kept"),
            later(
                "Raise the share of fads. The random split reports high numbers, since nearly every test "
                "interaction lies among training interactions of the same days. In operation there is only the past, "
                "and tomorrow's fads are unknown."
            ),
            controls=("fads",),
            predict=Predict(
                later("How much of its NDCG does Item kNN keep under global time?"),
                {
                    MOST: later("At least 90 %"),
                    SOME: later("Between a third and 90 %"),
                    FEW: later("Less than a third"),
                },
            ),
            breaks=True,
        ),
    ),
    checks=(
        SelfCheck(
            later("Leave-last-out holds out each user's last interaction. Can it leak?"),
            (
                later("No, the last one is always the latest."),
                later("Yes: other users' training interactions may be later."),
                later("Only without timestamps"),
            ),
            1,
            later(
                "The last interaction of a user who left early is earlier than the training interactions of users who "
                "stayed. Item similarities and popularity then contain the future."
            ),
        ),
        SelfCheck(
            later("A model that leads under a random split does not lead under global time. Which result counts?"),
            (
                later("The random split, it has more test users."),
                later("Global time, if the model will recommend to users tomorrow."),
                later("The mean of both"),
            ),
            1,
            later(
                "Only a split by time asks for what was unknown when the recommendation would have been made. Its "
                "smaller number of test users is in the interval."
            ),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "data.splits:make_splits",
        "data.leaks:count_leaks",
        "evaluation.evaluate:evaluate",
        "evaluation.comparison:compare",
    ),
    own_data=OwnData("train", later("Splits of your data, with their leaks"), split="split"),
)
