"""Lesson 10: rules from baskets. Support, confidence and lift, and why confidence alone misleads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsys_core.lessons.controls import Choice, Matrix, Slider, Values
from recsys_core.lessons.lesson import Lesson, OwnData, Predict, SelfCheck, Step
from recsys_core.lessons.picture import Bars, Formula, Grid, Scene, Symbol, shown, tied, undecided
from recsys_core.text import Template, _, later

if TYPE_CHECKING:
    from recsys_core.data import Dataset
    from recsys_core.models.association_rules import AssociationRules

PRODUCTS = ("Bread", "Butter", "Jam", "Milk", "Tea", "Eggs")
BASKETS = tuple(f"{number}" for number in range(1, 11))
BOUGHT = (
    (1, 1, 1, 1, None, None),
    (1, 1, None, 1, None, None),
    (1, 1, None, 1, None, None),
    (1, 1, 1, None, None, None),
    (1, None, None, 1, None, 1),
    (None, None, None, 1, 1, None),
    (None, None, None, 1, 1, 1),
    (1, None, None, None, 1, None),
    (1, None, None, 1, None, None),
    (None, None, None, 1, None, 1),
)
"""Milk is in 8 of 10 baskets, but in only 2 of the 3 with tea."""
FORWARD, BACKWARD, EQUAL = "forward", "backward", "equal"
MORE, LESS, UNCHANGED = "more", "less", "unchanged"
KEPT, DROPPED, ABSENT = "kept", "dropped", "absent"
REACHED = Template(
    "{count} of {all} rules reaches a support of {support} and a confidence of {confidence}.",
    "{count} of {all} rules reach a support of {support} and a confidence of {confidence}.",
)
NOTHING = "none"
LEADERS = {name: name for name in PRODUCTS} | {NOTHING: later("None: no rule fires")}


@dataclass(frozen=True)
class Rule:
    """A rule between two products; `support` is that of both together."""

    left: int
    right: int
    support: float
    confidence: float
    lift: float


@dataclass(frozen=True)
class Numbers:
    """What the production code returned.

    Args:
        rules: All rules between two products that occur together in a basket.
        kept: Those that reach the thresholds.
        scores: (6,) score of each product for the chosen product in the basket; None where no rule fires.
        leader: The best product, or `NOTHING`.
    """

    rules: tuple[Rule, ...]
    kept: tuple[Rule, ...]
    scores: tuple[float | None, ...]
    leader: str

    def rule(self, left: int, right: int) -> Rule | None:
        """Return a rule; None if the products are never together."""
        return next((one for one in self.rules if (one.left, one.right) == (left, right)), None)


def dataset(bought: Sequence[Sequence[int | None]]) -> "Dataset":
    """Return the baskets as a data set whose users are the baskets."""
    import pandas as pd

    from recsys_core.data import dataset_from_frames

    cells = [(basket, item) for basket, row in enumerate(bought) for item, cell in enumerate(row) if cell is not None]
    frame = pd.DataFrame(cells, columns=["user", "item"]).astype("int32")
    return dataset_from_frames(frame, user_ids=list(BASKETS), item_ids=list(PRODUCTS))


def trained(data: "Dataset", support: float, confidence: float, lift: float) -> "AssociationRules":
    """Return association rules with these thresholds, trained on the baskets."""
    from recsys_core.contracts import RunContext
    from recsys_core.models.association_rules import AssociationRules, AssociationRulesConfig

    settings = {"min_support": support, "min_confidence": confidence, "min_lift": lift}
    model = AssociationRules(AssociationRulesConfig.model_validate(settings))
    model.fit(data, RunContext())
    return model


def numbers(step: str, values: Values) -> Numbers:
    """Ask for all rules, for those that reach the thresholds, and for the scores of a basket with one product."""
    import numpy as np

    from recsys_core.contracts import PAD, QueryBatch, Ragged
    from recsys_core.errors import DataError

    data = dataset(values["baskets"])
    every = _rules(trained(data, 1e-6, 0.0, 0.0)) if _has_pairs(values["baskets"]) else ()
    scores: tuple[float | None, ...] = (None,) * len(PRODUCTS)
    try:
        model = trained(data, float(values["support"]), float(values["confidence"]), float(values["lift"]))
    except DataError:  # no rule reaches the thresholds
        return Numbers(every, (), scores, NOTHING)
    held = Ragged.from_rows([[PRODUCTS.index(values["left"])]])
    query = QueryBatch(np.array([PAD]), held, np.ones(1))
    scores = tuple(None if np.isnan(score) else float(score) for score in model.score(query)[0])
    best = model.recommend(query, 1).item[0, 0]
    return Numbers(every, _rules(model), scores, PRODUCTS[best] if best >= 0 else NOTHING)


def _has_pairs(bought: Sequence[Sequence[int | None]]) -> bool:
    return any(sum(cell is not None for cell in row) > 1 for row in bought)


def _rules(model: "AssociationRules") -> tuple[Rule, ...]:
    left = model.left.indices  # one product on each left side
    columns = (left, model.right, model.support, model.confidence, model.lift)
    return tuple(
        Rule(int(one), int(other), float(support), float(confidence), float(lift))
        for one, other, support, confidence, lift in zip(*columns, strict=True)
    )


def scene(step: str, values: Values, numbers: Numbers) -> Scene:
    """Return the baskets, the rules from one product, and the arithmetic of one of them."""
    left, right = PRODUCTS.index(values["left"]), PRODUCTS.index(values["right"])
    grid = Grid(
        "baskets", _("Ten baskets (1: bought)"), BASKETS, PRODUCTS, values["baskets"], control="baskets", tone=(0, 2),
        marked=(f"baskets/*/{left}", f"baskets/*/{right}") if step != "list" else (f"baskets/*/{left}",),
    )  # fmt: skip
    bars = _scores(values["left"], numbers) if step == "list" else _confidences(step, left, right, numbers)
    formula = _formula(step, left, right, values, numbers) if step != "list" else None
    if lack := _lack(step, left, right, values, numbers):
        return Scene((grid,), impossible=lack)
    scene = Scene((grid, bars), formula, _finding(step, values, numbers), _answer(step, values, numbers))
    others = {name: score for name, score in zip(PRODUCTS, numbers.scores, strict=True) if name != values["left"]}
    reason = _("There is no single best: {names} have the same score. Choose another product A, or another lift.")
    return undecided(scene, tied(others) if step == "list" else (), reason)


def _lack(step: str, left: int, right: int, values: Values, numbers: Numbers) -> str:
    """Return why a step about one rule has none to speak of; empty if it has one."""
    if step not in ("rule", "direction", "lift"):
        return ""
    if left == right:
        return _("A rule leads from one product to another: choose two different products.")
    missing = [name for at, name in enumerate(PRODUCTS) if at in (left, right) and not _baskets_with(at, values)]
    if missing:
        return _("No basket has {product}, so its rules are undefined. Type 1 into a basket.").format(
            product=missing[0]
        )
    if step == "direction" and numbers.rule(left, right) is None:
        return _("{one} and {other} are never in one basket: there is no rule. Choose another product.").format(
            one=values["left"], other=values["right"]
        )
    return ""


def _baskets_with(product: int, values: Values) -> int:
    return sum(row[product] is not None for row in values["baskets"])


def _confidences(step: str, left: int, right: int, numbers: Numbers) -> Bars:
    """Return the confidence of the rules from a product, or of the rule in both directions."""
    pairs = [(left, other) for other in range(len(PRODUCTS)) if other != left]
    if step in ("direction", "support"):
        pairs = [(left, right), (right, left)]
    rules = [numbers.rule(*pair) for pair in pairs]
    notes = [
        _("lift {lift}, support {support}").format(lift=shown(rule.lift), support=shown(rule.support)) if rule else ""
        for rule in rules
    ]
    marked = [f"rules/{at}" for at, pair in enumerate(pairs) if pair == (left, right)]
    return Bars(
        "rules", _("Confidence of rules"), [f"{PRODUCTS[one]} → {PRODUCTS[other]}" for one, other in pairs],
        [rule.confidence if rule else 0.0 for rule in rules], notes=notes, marked=marked, digits=2,
        secret=step != "rule",
    )  # fmt: skip


def _scores(left: str, numbers: Numbers) -> Bars:
    return Bars(
        "scores", _("Scores for a basket with {product}").format(product=left), PRODUCTS, numbers.scores, digits=2,
        notes=[_("in the basket") if product == left else "" for product in PRODUCTS],
        marked=(f"scores/{PRODUCTS.index(numbers.leader)}",) if numbers.leader != NOTHING else (), secret=True,
    )  # fmt: skip


def _formula(step: str, left: int, right: int, values: Values, numbers: Numbers) -> Formula | None:
    rule = numbers.rule(left, right)
    if rule is None:
        return None
    baskets = sum(any(cell is not None for cell in row) for row in values["baskets"])
    of_left, of_right = rule.support / rule.confidence, rule.confidence / rule.lift
    of_both, of_one, of_other = (f"{round(share * baskets)}/{baskets}" for share in (rule.support, of_left, of_right))
    general = (
        r"\lit1{\mathrm{conf}(A \to B)} = \frac{\lit2{\mathrm{supp}(A \cup B)}}{\lit3{\mathrm{supp}(A)}}, \quad"
        r" \lit4{\mathrm{lift}} = \frac{\lit1{\mathrm{conf}(A \to B)}}{\lit5{\mathrm{supp}(B)}}"
    )
    confidence, lift = shown(rule.confidence), shown(rule.lift)
    numeric = (
        rf"\lit1{{{confidence}}} = \frac{{\lit2{{{of_both}}}}}{{\lit3{{{of_one}}}}}, \quad"
        rf" \lit4{{{lift}}} = \frac{{\lit1{{{confidence}}}}}{{\lit5{{{of_other}}}}}"
    )
    named = {"one": PRODUCTS[left], "other": PRODUCTS[right]}
    at = "rules/0" if step in ("direction", "support") else f"rules/{right - (right > left)}"
    both = [
        f"baskets/{row}" for row, cells in enumerate(values["baskets"])
        if cells[left] is not None and cells[right] is not None
    ]  # fmt: skip
    with_one, with_other = _("share of baskets with {one}"), _("share of baskets with {other}")
    among = _("share of the baskets with {one} that also have {other}")
    symbols = (
        Symbol("conf(A → B)", among.format(**named), confidence, (at,)),
        Symbol("supp(A ∪ B)", _("share of baskets with both"), shown(rule.support), both),
        Symbol("supp(A)", with_one.format(**named), shown(of_left), (f"baskets/*/{left}",)),
        Symbol("lift", _("how many times as often as in all baskets"), lift, (at,)),
        Symbol("supp(B)", with_other.format(**named), shown(of_right), (f"baskets/*/{right}",)),
    )
    return Formula(general, numeric, symbols)


def _answer(step: str, values: Values, numbers: Numbers) -> str:
    left, right = PRODUCTS.index(values["left"]), PRODUCTS.index(values["right"])
    rule, back = numbers.rule(left, right), numbers.rule(right, left)
    if step == "direction":
        if rule is None or back is None or rule.confidence == back.confidence:
            return EQUAL
        return FORWARD if rule.confidence > back.confidence else BACKWARD
    if step == "lift":
        gap = (rule.lift if rule else 0.0) - 1.0
        return UNCHANGED if abs(gap) < 1e-9 else MORE if gap > 0 else LESS
    if step == "support":
        if rule is None:
            return ABSENT
        return KEPT if any((one.left, one.right) == (left, right) for one in numbers.kept) else DROPPED
    return numbers.leader


def _finding(step: str, values: Values, numbers: Numbers) -> str:
    left, right = PRODUCTS.index(values["left"]), PRODUCTS.index(values["right"])
    if step == "list":
        if numbers.leader == NOTHING:
            return _("No rule fires for {product}.").format(product=values["left"])
        score = numbers.scores[PRODUCTS.index(numbers.leader)]
        return _("{leader} leads for a basket with {product}, with {score}.").format(
            leader=numbers.leader, product=values["left"], score=shown(score)
        )
    if step == "support":
        reached = {"all": str(len(numbers.rules)), "support": shown(float(values["support"]), 1)}
        reached["confidence"] = shown(float(values["confidence"]))
        return str(REACHED.fill(len(numbers.kept), **reached))
    rule = numbers.rule(left, right)
    if rule is None:
        return _("{one} and {other} are never in one basket.").format(one=values["left"], other=values["right"])
    if step == "direction":
        back = numbers.rule(right, left)
        assert back is not None
        return _("{one} → {other}: {forward}; {other} → {one}: {backward}.").format(
            one=values["left"], other=values["right"], forward=shown(rule.confidence), backward=shown(back.confidence)
        )
    return _("{other} is in {base} of all baskets, and in {confidence} of those with {one}.").format(
        one=values["left"], other=values["right"], base=shown(rule.confidence / rule.lift),
        confidence=shown(rule.confidence),
    )  # fmt: skip


def _products() -> dict[str, str]:
    return {name: name for name in PRODUCTS}


LESSON = Lesson(
    key="baskets",
    number=10,
    title=later("Rules from baskets"),
    idea=later("What is often bought together becomes a rule; a frequent product makes weak rules look strong."),
    sections=("2",),
    controls=(
        Matrix("baskets", later("Baskets"), BOUGHT, low=1, high=1),
        Choice("left", later("Product A"), _products(), "Bread"),
        Choice("right", later("Product B"), _products(), "Butter"),
        Slider("support", later("Minimum support"), (0.1, 0.2, 0.3, 0.4, 0.5), 0.3),
        Slider("confidence", later("Minimum confidence"), (0, 0.25, 0.5, 0.75, 1), 0),
        Slider("lift", later("Minimum lift"), (0, 1, 1.5, 2), 0),
    ),
    steps=(
        Step(
            "rule",
            later("From baskets to a rule"),
            later(
                "A rule A → B says: who buys A also buys B. Its **support** is the share of baskets with both, its "
                "**confidence** the share of the baskets with A that also have B.\n\nChoose two products, or change "
                "what is in a basket."
            ),
            controls=("left", "right"),
            fixed={"support": 0.1, "confidence": 0, "lift": 0},
        ),
        Step(
            "direction",
            later("A rule has a direction"),
            later(
                "Support is the same in both directions, since the baskets with both products are the same. The "
                "confidence divides by the baskets with the *first* product."
            ),
            controls=("left", "right"),
            fixed={"support": 0.1, "confidence": 0, "lift": 0},
            predict=Predict(
                later("Which rule has the higher confidence?"),
                {FORWARD: later("A → B"), BACKWARD: later("B → A"), EQUAL: later("Both are equal")},
            ),
        ),
        Step(
            "lift",
            later("Break it: a rule that is confident and wrong"),
            later(
                "Two of the three baskets with *Tea* also have *Milk*: a confidence of 67 %. Look at the column of "
                "*Milk* before you answer."
            ),
            fixed={"left": "Tea", "right": "Milk", "support": 0.1, "confidence": 0, "lift": 0},
            predict=Predict(
                later("Is milk more likely in a basket with tea than in any basket?"),
                {MORE: later("More likely"), LESS: later("Less likely"), UNCHANGED: later("Equally likely")},
            ),
            breaks=True,
        ),
        Step(
            "support",
            later("How much evidence?"),
            later(
                "*Jam* → *Butter* has a confidence of 100 %, from two baskets. A **minimum support** drops rules that "
                "rest on few baskets. Choose a value and predict. After the answer, try others."
            ),
            controls=("support", "confidence"),
            fixed={"left": "Jam", "right": "Butter", "lift": 0},
            predict=Predict(
                later("Is the rule Jam → Butter kept?"),
                {KEPT: later("Kept"), DROPPED: later("Dropped"), ABSENT: later("There is no such rule")},
            ),
        ),
        Step(
            "list",
            later("From rules to a list"),
            later(
                "A product is scored by the sum of the confidence of all rules that lead to it from the basket. "
                "Without a **minimum lift**, the frequent *Milk* leads for bread; a lift of at least 1 drops the rules "
                "with which B is less frequent than in all baskets."
            ),
            controls=("left", "lift"),
            fixed={"support": 0.1, "confidence": 0},
            predict=Predict(later("Which product leads for a basket with product A?"), LEADERS),
        ),
    ),
    checks=(
        SelfCheck(
            later("A → B has a confidence of 60 %, and B is in 80 % of all baskets. What is the lift?"),
            (later("0.75"), later("1.33"), later("0.48")),
            0,
            later("Lift is confidence divided by the support of B: 0.6 / 0.8 = 0.75. With A, B is less likely."),
        ),
        SelfCheck(
            later("Which of these numbers is the same for A → B and B → A?"),
            (later("Confidence"), later("Lift"), later("Neither")),
            1,
            later(
                "Lift is supp(A ∪ B) / (supp(A) supp(B)), which is symmetric, as is the support of both. Confidence "
                "divides by the support of the first product alone."
            ),
        ),
    ),
    numbers=numbers,
    scene=scene,
    functions=(
        "models.association_rules:baskets_of",
        "models.association_rules:frequent_sets",
        "models.association_rules:AssociationRules.score",
    ),
    own_data=OwnData("train", later("Train association rules on your data"), model="association_rules"),
)
