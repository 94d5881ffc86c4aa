"""Lesson 13: ... or luck? Intervals, a paired test, Holm's correction, and the number of users needed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsys_core.evaluation.sentences import about, decimals_for, interval_text
from recsys_core.lessons.controls import Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Formula, Plot, Scene, Series, Symbol, shown
from recsys_core.text import _, later, whole

if TYPE_CHECKING:
    import pandas as pd

METRIC = "ndcg@10"
OLD, NEW = "A", "B"
COMMON, OWN = 0.2, 0.12
"""Standard deviations of a user's value that both models share, and of each model's own part."""
LEVEL = 0.45
TRAINING = 0.02
"""Standard deviation of a model's mean between trainings with other seeds."""
UNIT = 3**0.5
"""Half-width of a uniform distribution with a standard deviation of 1."""
SAMPLES = 2_000
POWER_SIZES = (25, 50, 100, 200, 500, 1000, 2000)
YES, NO = "yes", "no"
FEW, SOME, MANY = "few", "some", "many"
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Numbers:
    """What the production code returned; fields that a step does not show are empty.

    Args:
        means: Mean of A and of B in this sample, and in step `sample` in the next one.
        intervals: 95 % interval of each mean of this sample.
        difference: B minus A.
        interval: Its 95 % interval.
        p: p-value of the paired test.
        different: Whether the difference is significant.
        detectable: Number of users -> true difference that they detect with a power of 80 %.
        needed: Users needed for the true difference; infinite for 0.
        p_values: p-values of comparisons of models that are all equal to A.
        p_holm: The same after Holm's correction.
        widths: Width of the interval of the difference by number of trainings per model.
    """

    means: tuple[tuple[float, float], tuple[float, float]]
    intervals: tuple[tuple[float, float], tuple[float, float]]
    difference: float
    interval: tuple[float, float]
    p: float
    different: bool
    detectable: dict[int, float]
    needed: float
    p_values: tuple[float, ...] = ()
    p_holm: tuple[float, ...] = ()
    widths: tuple[float, ...] = ()


def sample(users: int, true: float, number: int, *, trainings: int = 0) -> "dict[str, list[pd.DataFrame]]":
    """Return the NDCG of each user for A and B, whose true means differ by `true`, one frame per training.

    A user's value is a part that both models share, low for hard users and high for easy ones, which makes the
    comparison paired, and a part of its own. All parts are bounded, so that values lie within 0 and 1 without being cut
    off, which would change the true difference. With `trainings`, each training shifts a model as a whole; with 0 there
    is one frame without a shift.
    """
    import numpy as np
    import pandas as pd

    from recsys_core.contracts import RunContext

    rng = RunContext(number).rng("lesson", "luck")
    shared = LEVEL + COMMON * rng.choice((-1.0, 1.0), users)
    own = {model: OWN * UNIT * rng.uniform(-1, 1, users) for model in (OLD, NEW)}
    frames: dict[str, list[pd.DataFrame]] = {OLD: [], NEW: []}
    for model, shift in ((OLD, 0.0), (NEW, true)):
        for _training in range(max(trainings, 1)):
            value = shared + own[model] + shift + (TRAINING * UNIT * rng.uniform(-1, 1) if trainings else 0.0)
            frames[model].append(pd.DataFrame({"user": np.arange(users), METRIC: value}))
    return frames


def numbers(step: str, values: Values) -> Numbers:
    """Compare the two models on this sample of users, and on others where the step needs them."""
    import numpy as np

    from recsys_core.evaluation.comparison import compare
    from recsys_core.evaluation.significance import Design

    users, true, number = int(values["users"]), float(values["true"]), int(values["sample"])
    found = compare(sample(users, true, number), metric=METRIC, samples=SAMPLES)
    table = found.table.set_index("model")
    pair = found.pairs.iloc[0]
    sign = 1.0 if pair["first"] == NEW else -1.0
    ends = sorted((sign * float(pair["low"]), sign * float(pair["high"])))
    error = OWN * np.sqrt(2)  # of one user's difference
    designs = {size: Design(size, error / np.sqrt(size)) for size in POWER_SIZES}
    other = table
    if step == "sample":
        other = compare(sample(users, true, number + 1), metric=METRIC, samples=SAMPLES).table.set_index("model")
    return Numbers(
        means=tuple((float(one.loc[OLD, "mean"]), float(one.loc[NEW, "mean"])) for one in (table, other)),  # type: ignore[arg-type]
        intervals=tuple((float(table.loc[name, "low"]), float(table.loc[name, "high"])) for name in (OLD, NEW)),  # type: ignore[arg-type]
        difference=sign * float(pair["difference"]),
        interval=(ends[0], ends[1]),
        p=float(pair["p"]),
        different=bool(pair["different"]),
        detectable={size: design.detectable for size, design in designs.items()},
        needed=Design(POWER_SIZES[0], error / np.sqrt(POWER_SIZES[0])).users_needed(true),
        **_further(step, values),
    )


def _further(step: str, values: Values) -> dict[str, tuple[float, ...]]:
    """Return what only one step shows: many comparisons without a true difference, or several trainings."""
    import numpy as np

    from recsys_core.contracts import RunContext
    from recsys_core.evaluation import significance
    from recsys_core.evaluation.comparison import compare

    users, number = int(values["users"]), int(values["sample"])
    if step == "many":
        p_values = []
        for model in range(int(values["models"])):
            frames = sample(users, 0.0, 3000 * number + model)
            differences = (frames[NEW][0][METRIC] - frames[OLD][0][METRIC]).to_numpy()[:, None] / users
            sums = significance.subset_sums(differences, RunContext(number).rng("lesson", "test"), SAMPLES)
            p_values.append(significance.sign_flip_p(sums[:, 0]))
        return {"p_values": tuple(p_values), "p_holm": tuple(map(float, significance.holm(np.array(p_values))))}
    if step == "trainings":
        widths = []
        for trainings in (1, 2, 3, 5):
            frames = sample(users, float(values["true"]), number, trainings=trainings)
            pair = compare(frames, metric=METRIC, samples=SAMPLES).pairs.iloc[0]
            widths.append(float(pair["high"] - pair["low"]))
        return {"widths": tuple(widths)}
    return {}


def scene(step: str, values: Values, numbers: Numbers) -> Scene:
    """Return the means, the difference, or the p-values, with the finding of the step."""
    drawn = {"sample": _sample, "test": _test, "users": _users, "many": _many, "trainings": _trainings}
    return drawn[step](values, numbers)


def _means(numbers: Numbers, *, next_one: bool = False) -> Bars:
    if next_one:
        return Bars("next", _("Mean NDCG@10, next sample"), (OLD, NEW), numbers.means[1], high=0.6, secret=True)
    return Bars(
        "means", _("Mean NDCG@10 with 95 % intervals, this sample"), (OLD, NEW), numbers.means[0], high=0.6,
        intervals=numbers.intervals,
    )  # fmt: skip


def _difference(numbers: Numbers) -> Bars:
    reach = max(0.12, *(abs(end) for end in numbers.interval if abs(end) < 1))
    return Bars(
        "difference", _("Difference B − A with its 95 % interval"), (_("B − A"),), (numbers.difference,), low=-reach,
        high=reach, intervals=(numbers.interval,), secret=True,
    )  # fmt: skip


def _leader(pair: tuple[float, float]) -> str:
    return NEW if pair[1] > pair[0] else OLD


def _sample(values: Values, numbers: Numbers) -> Scene:
    now, then = _leader(numbers.means[0]), _leader(numbers.means[1])
    finding = _("{now} leads in this sample, {then} in the next one of {n} users.").format(
        now=now, then=then, n=whole(values["users"])
    )
    return Scene((_means(numbers), _means(numbers, next_one=True)), None, finding, YES if now == then else NO)


def _test(values: Values, numbers: Numbers) -> Scene:
    finding = (
        _("The difference is {d} ({interval}), p = {p}: significant.")
        if numbers.different
        else _("The difference is {d} ({interval}), p = {p}: no significant difference (95 %).")
    ).format(
        d=shown(numbers.difference, decimals_for(*numbers.interval)), interval=interval_text(*numbers.interval),
        p=shown(numbers.p, 3),
    )  # fmt: skip
    symbols = (
        Symbol("d̄", _("mean of the differences of all users"), shown(numbers.difference, 3), ("difference/0",)),
        Symbol("m_B", _("mean of B"), shown(numbers.means[0][1], 3), ("means/1",)),
        Symbol("m_A", _("mean of A"), shown(numbers.means[0][0], 3), ("means/0",)),
    )
    formula = Formula(
        r"\lit1{\bar d} = \tfrac1n \sum_u (b_u - a_u) = \lit2{m_B} - \lit3{m_A}",
        rf"\lit1{{{shown(numbers.difference, 3)}}} = "
        rf"\lit2{{{shown(numbers.means[0][1], 3)}}} - \lit3{{{shown(numbers.means[0][0], 3)}}}",
        symbols,
    )
    return Scene((_means(numbers), _difference(numbers)), formula, finding, YES if numbers.different else NO)


def _users(values: Values, numbers: Numbers) -> Scene:
    sizes = tuple(map(float, numbers.detectable))
    plot = Plot(
        "power", _("True difference that is detected with a power of 80 %"), _("users"), _("difference"),
        (Series(_("detectable"), sizes, tuple(numbers.detectable.values())),), secret=True,
    )  # fmt: skip
    if numbers.needed == float("inf"):
        finding, answer = _("A true difference of 0 is not detected with any number of users."), MANY
    else:
        finding = _("Detecting a true difference of {d} with a power of 80 % takes about {n} users.").format(
            d=f"{values['true']:g}", n=about(numbers.needed)
        )
        answer = FEW if numbers.needed < 100 else SOME if numbers.needed <= 1000 else MANY
    return Scene((_means(numbers), plot), None, finding, answer)


def _many(values: Values, numbers: Numbers) -> Scene:
    labels = [str(model + 1) for model in range(len(numbers.p_values))]
    small = [f"means/{at}" for at, p in enumerate(numbers.p_values) if p < 1 - CONFIDENCE]
    kept = [f"holm/{at}" for at, p in enumerate(numbers.p_holm) if p < 1 - CONFIDENCE]
    parts = (
        Bars("means", _("p-values; bold: below 0.05"), labels, numbers.p_values, marked=small, secret=True),
        Bars("holm", _("After Holm's correction"), labels, numbers.p_holm, marked=kept, secret=True),
    )
    finding = _(
        "Comparisons with p < 0.05, although there is no true difference: {n} of {all}; after Holm's correction: "
        "{kept}."
    ).format(n=len(small), all=len(labels), kept=len(kept))
    return Scene((_means(numbers), *parts), None, finding, YES if small else NO)


def _trainings(values: Values, numbers: Numbers) -> Scene:
    bars = Bars(
        "width", _("Width of the interval of the difference, by trainings per model"), ("1", "2", "3", "5"),
        numbers.widths, high=max(0.1, *numbers.widths), secret=True,
    )  # fmt: skip
    finding = _(
        "With one training the interval is {one} wide and leaves out the variation between trainings; with two it is "
        "{two} wide, with five {five}."
    ).format(one=shown(numbers.widths[0], 3), two=shown(numbers.widths[1], 3), five=shown(numbers.widths[3], 3))
    return Scene((_means(numbers), bars), None, finding, YES if numbers.widths[1] > numbers.widths[0] else NO)


LESSON = Lesson(
    key="luck",
    number=13,
    title=later("... or luck?"),
    idea=later("A lead on a sample of users may be chance: intervals and tests say how sure a comparison is."),
    sections=("2.6",),
    controls=(
        Slider("users", later("Test users"), (10, 20, 50, 100, 200, 500, 1000), 50),
        Slider("true", later("True difference B − A"), (0, 0.01, 0.02, 0.05, 0.1), 0.02),
        Slider("sample", later("Sample of users"), tuple(range(1, 21)), 9),
        Slider("models", later("Models that are compared with A"), (1, 2, 5, 10), 10),
    ),
    steps=(
        Step(
            "sample",
            later("Two models, one sample of users"),
            later(
                "Models A and B were evaluated on the same test users. The users are a **sample**: other users would "
                "have given other means. Here the truth is known, since the users are simulated: B is better by the "
                "difference set below.\n\nThe next sample has as many users, but other ones. After the answer, move "
                "the sample on: how often does A lead?"
            ),
            controls=("users", "sample", "true"),
            predict=Predict(
                later("Does the same model lead in the next sample?"), {YES: later("Yes"), NO: later("No")}
            ),
        ),
        Step(
            "test",
            later("The difference has an interval"),
            later(
                "Both models are compared **on the same users**, so what counts is each user's difference; that some "
                "users are easy and others hard cancels out. The paired test flips signs of differences: if A and B "
                "were equally good, each sign would be as likely as the other.\n\nOverlapping intervals of the two "
                "means do not answer the question."
            ),
            controls=("users", "sample", "true"),
            predict=Predict(
                later("Is the difference significant (95 %)?"), {YES: later("Yes"), NO: later("No")}
            ),
        ),
        Step(
            "users",
            later("How many users are needed?"),
            later(
                "A test finds a difference only if there are enough users. The **power** is the probability to detect "
                "a true difference of a given size. To detect half the difference, four times the users are needed."
            ),
            controls=("true",),
            predict=Predict(
                later("About how many users detect this true difference with a power of 80 %?"),
                {FEW: later("Fewer than 100"), SOME: later("100 to 1,000"), MANY: later("More than 1,000")},
            ),
        ),
        Step(
            "many",
            later("Break it: compare until something wins"),
            later(
                "None of these models is better than A; the true difference is 0. Each is compared with A at the level "
                "of 5 %. The more comparisons, the more likely one of them is significant by chance.\n\n**Holm's "
                "correction** multiplies the smallest p-value by the number of comparisons, the next by one less, and "
                "so on."
            ),
            controls=("models", "sample", "users"),
            fixed={"true": 0},
            predict=Predict(
                later("Does at least one model without any advantage reach p < 0.05 before the correction?"),
                {YES: later("Yes"), NO: later("No")},
            ),
            breaks=True,
        ),
        Step(
            "trainings",
            later("Another source of luck: the training seed"),
            later(
                "Many models start from random parameters; another seed gives another model. One training per model "
                "cannot show that variation, so an interval from one training ignores it."
            ),
            controls=("users", "sample", "true"),
            predict=Predict(
                later("Is the interval with two trainings per model wider than with one?"),
                {YES: later("Yes"), NO: later("No")},
            ),
        ),
    ),
    checks=(
        SelfCheck(
            later("The intervals of two models overlap. Can their difference be significant?"),
            (later("No"), later("Yes, in a paired test"), later("Only with more than 1,000 users")),
            1,
            later(
                "The interval of a mean contains the variation between easy and hard users. A paired test removes it, "
                "so the difference can be known much better than each mean."
            ),
        ),
        SelfCheck(
            later("A test of two models is not significant. What follows?"),
            (
                later("The models are equally good."),
                later("The data do not show which is better; the interval says how large the difference may be."),
                later("The better model in the sample is better."),
            ),
            1,
            later(
                "No significant difference is not a proof of equality. With few users even large differences go "
                "undetected; the interval contains all differences that the test does not reject."
            ),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "evaluation.comparison:compare",
        "evaluation.significance:sign_flip_p",
        "evaluation.significance:subset_sums",
        "evaluation.significance:holm",
        "evaluation.significance:Design.users_needed",
    ),
    own_data=OwnData("compare", later("Intervals and tests of the models on your data")),
)  # fmt: skip
