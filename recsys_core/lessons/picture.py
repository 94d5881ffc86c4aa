"""What a lesson draws: parts of a picture with places, and a formula whose symbols are bound to these places.

A place is a path within a picture. Cell (2, 3) of a grid named `ratings` is `ratings/2/3`, its row 2 `ratings/2`, its
column 3 `ratings/*/3`; bar 1 of `similarity` is `similarity/1`; an arrow, item or series likewise.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

LINE = 34
"""Characters of a line of a sum that fit beside a picture, with what stands before the sum."""
COMMAND = re.compile(r"\\[a-z]+\d?")
LIT = re.compile(r"\\lit(\d)\{")
"""`\\lit1{x}` in a formula is symbol number 1 of `Formula.symbols`, written x."""
MOST_SYMBOLS = 8
"""Number of distinct colors of symbols."""
TIED = 1e-6
"""Scores that are lower than the best one by at most this part of it are a tie, which has no single best."""


@dataclass(frozen=True)
class Grid:
    """A table of numbers.

    Args:
        name: First part of its places.
        title: Its caption.
        rows: Labels of the rows.
        columns: Labels of the columns.
        cells: Values by row; None for an empty cell.
        control: Key of the `Matrix` that the learner edits in these cells; empty for a table of results.
        tone: Range of values that the color covers, for `diverging` symmetric around 0; None without color.
        digits: Decimals shown.
        marked: Places drawn with a frame.
        secret: Whether it is revealed only after the prediction.
    """

    name: str
    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[float | None]]
    control: str = ""
    tone: tuple[float, float] | None = None
    digits: int = 0
    marked: Sequence[str] = ()
    secret: bool = False
    kind: Literal["grid"] = "grid"


@dataclass(frozen=True)
class Bars:
    """Horizontal bars on one axis, each with its number and, if given, an interval.

    Args:
        name: First part of its places.
        title: Its caption.
        labels: One per bar.
        values: One per bar; None is drawn as 'undefined'.
        low: Smallest value of the axis.
        high: Largest value of the axis.
        intervals: Lower and upper end per bar; empty without intervals.
        notes: Text behind each number; empty without notes.
        digits: Decimals shown.
        marked: Places drawn with a frame.
        secret: Whether it is revealed only after the prediction.
    """

    name: str
    title: str
    labels: Sequence[str]
    values: Sequence[float | None]
    low: float = 0.0
    high: float = 1.0
    intervals: Sequence[tuple[float, float]] = ()
    notes: Sequence[str] = ()
    digits: int = 3
    marked: Sequence[str] = ()
    secret: bool = False
    kind: Literal["bars"] = "bars"


@dataclass(frozen=True)
class ListPart:
    """An ordered list.

    Args:
        name: First part of its places.
        title: Its caption.
        labels: One per item, in order.
        badges: Short mark of each item, such as 'relevant'; empty for none.
        notes: Text at the end of each item; empty for none.
        control: Key of the `Order` that the learner changes by dragging; empty for a list of results.
        marked: Places drawn with a thick edge, such as the first k.
        rejects: Whether a badge marks what is rejected, in another color.
        secret: Whether it is revealed only after the prediction.
    """

    name: str
    title: str
    labels: Sequence[str]
    badges: Sequence[str] = ()
    notes: Sequence[str] = ()
    control: str = ""
    marked: Sequence[str] = ()
    rejects: bool = False
    secret: bool = False
    kind: Literal["list"] = "list"


@dataclass(frozen=True)
class Series:
    """A line or dots of a plot; y may be None where there is no value."""

    label: str
    x: Sequence[float]
    y: Sequence[float | None]
    dots: bool = False


@dataclass(frozen=True)
class Plot:
    """Lines over a common axis; the place of a series is `name/number`.

    Args:
        name: First part of its places.
        title: Its caption.
        x: Title of the horizontal axis.
        y: Title of the vertical axis.
        series: At most five.
        log_y: Whether the vertical axis is logarithmic; values must then be positive.
        secret: Whether it is revealed only after the prediction.
    """

    name: str
    title: str
    x: str
    y: str
    series: Sequence[Series]
    log_y: bool = False
    secret: bool = False
    kind: Literal["plot"] = "plot"


@dataclass(frozen=True)
class Arrow:
    """A vector of a plane, from (x0, y0) to (x, y); `dashed` for a change."""

    label: str
    x: float
    y: float
    x0: float = 0.0
    y0: float = 0.0
    dashed: bool = False


@dataclass(frozen=True)
class Plane:
    """Vectors in two dimensions around the origin; the place of an arrow is `name/number`.

    Args:
        name: First part of its places.
        title: Its caption.
        x: Title of the horizontal axis.
        y: Title of the vertical axis.
        arrows: The vectors.
        secret: Whether it is revealed only after the prediction.
    """

    name: str
    title: str
    x: str
    y: str
    arrows: Sequence[Arrow]
    secret: bool = False
    kind: Literal["plane"] = "plane"


Part = Grid | Bars | ListPart | Plot | Plane


@dataclass(frozen=True)
class Symbol:
    """A symbol of a formula.

    Args:
        text: As plain text, with `_` before a subscript: `p_u`.
        meaning: What it is, in a few words.
        value: Its current value as text; empty if it is not one number.
        places: Places of the picture that are lit with it.
    """

    text: str
    meaning: str
    value: str = ""
    places: Sequence[str] = ()


@dataclass(frozen=True)
class Formula:
    r"""A formula as LaTeX, and the same with the numbers of this step in it.

    Both write symbol number n, counted from 1, as `\lit n{...}` without the space.
    """

    general: str
    numbers: str
    symbols: Sequence[Symbol]


@dataclass(frozen=True)
class Scene:
    """What a step shows for the current values of the controls.

    Args:
        parts: The picture; parts that are `secret` appear with the reveal, and replace a part of the same name.
        formula: Formula with the numbers of this step; appears with the reveal.
        finding: What the numbers show, as one or two sentences of plain text; appears with the reveal.
        answer: Key of the option of the step's `Predict` that is right.
        impossible: Why the step cannot show its point with these values, plain text; there is no question then.
    """

    parts: Sequence[Part]
    formula: Formula | None = None
    finding: str = ""
    answer: str = ""
    impossible: str = ""

    def veiled(self) -> "Scene":
        """Return the scene before the prediction is locked."""
        return Scene(tuple(part for part in self.parts if not part.secret))

    def revealed(self) -> "Scene":
        """Return the scene after the reveal."""
        return replace(self, parts=tuple({part.name: part for part in self.parts}.values()))


def tied(scores: Mapping[str, float | None]) -> list[str]:
    """Return the names with the best score if there are several, else none.

    Args:
        scores: Name -> score; those without a score do not compete.
    """
    known = {name: score for name, score in scores.items() if score is not None}
    best = max(known.values(), default=0.0)
    first = [name for name, score in known.items() if best - score <= TIED * abs(best)]
    return first if len(first) > 1 else []


def undecided(scene: Scene, names: Sequence[str], reason: str) -> Scene:
    """Return the scene of a question that asks for a single best one; without the question in a tie.

    Args:
        scene: The scene without a tie.
        names: Those of `tied`.
        reason: What is equal, a translated sentence with `{names}`.
    """
    if not names:
        return scene
    return replace(scene, formula=None, finding="", answer="", impossible=reason.format(names=", ".join(names)))


def colored(latex: str) -> str:
    r"""Return a formula in which `\lit n{...}` is colored by the code of its symbol; see `color`."""
    return LIT.sub(lambda match: rf"\textcolor{{{color(int(match[1]))}}}{{", latex)


def color(number: int) -> str:
    """Return the color code that identifies symbol `number`; the style sheet of the page replaces it."""
    return f"#0{number}000{number}"


def shown(value: float | None, digits: int = 2) -> str:
    """Return a number for a sentence or a formula, without a negative zero, rounded like those of the picture.

    JavaScript's `toFixed` rounds ties away from zero; the format of Python would show 4.125 as 4.12 beside a 4.13.
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return f"{value}"
    text = f"{Decimal(float(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"
    return text[1:] if float(text) == 0 and text.startswith("-") else text


def digits_for(*values: float, least: int = 2, most: int = 6) -> int:
    """Return the number of decimals with which different numbers read as different, and none but zero as zero.

    Args:
        values: Numbers that one sentence compares.
        least: Smallest result.
        most: Largest result, even if it is not enough.
    """
    distinct = {0.0, *map(float, values)}
    for digits in range(least, most):
        if len({shown(one, digits) for one in distinct}) == len(distinct):
            return digits
    return most


def signed(value: float, digits: int = 2) -> str:
    """Return a number with its sign, in brackets if it is negative, for a product in a formula."""
    text = shown(value, digits)
    return f"({text})" if text.startswith("-") else text


def summed(terms: Iterable[str], per_line: int = 3) -> str:
    """Return a sum of LaTeX terms, broken into lines so that it fits beside a picture."""
    lines: list[list[str]] = []
    for term in terms:
        if not lines or len(lines[-1]) == per_line or _width(" + ".join([*lines[-1], term])) > LINE:
            lines.append([])
        lines[-1].append(term)
    sums = [" + ".join(line) for line in lines]
    return "".join(sums) if len(sums) < 2 else r"\begin{array}{l}" + r" \\ {}+ ".join(sums) + r"\end{array}"


def _width(latex: str) -> int:
    """Return about how many characters a formula shows."""
    return len(re.sub(r"[\s{}]", "", COMMAND.sub("", latex.replace(r"\cdot", "·"))))
