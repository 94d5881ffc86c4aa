"""The text of the source document: its lines by passage, with typeset formulas, and the same in English.

`document.md` is the document, unchanged. A line is split into plain text and formulas; `TYPESET` says how the formulas
that the document writes as plain text are typeset. Nothing is left out and nothing is added: the pieces of all lines,
with formulas as the document writes them, are its lines without the marks of headings.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from recsys_core.errors import ConfigError
from recsys_core.lessons.source.passage import Passage
from recsys_core.text import _

FOLDER = Path(__file__).resolve().parent
DOCUMENT, ENGLISH = FOLDER / "document.md", FOLDER / "english.md"
TYPESET = {
    "Rui = (β * ∑j∈J Ruj + μ_ui + ν_iu) / (|I|^α + |U|)": (
        r"R_{ui} = \frac{\beta \sum_{j \in J} R_{uj} + \mu_{ui} + \nu_{iu}}{|I|^{\alpha} + |U|}"
    ),
    "$θ_i$": r"\theta_i",
    "$λ_i$": r"\lambda_i",
    "$p_i = Σjφijθj$": r"p_i = \sum_j \varphi_{ij} \theta_j",
    "st = [s1t, s2t,..., snpt]": r"s_t = [s_{1t}, s_{2t}, \dots, s_{npt}]",
    "fv = [f1v, f2v,..., fnrv]": r"f_v = [f_{1v}, f_{2v}, \dots, f_{nrv}]",
    r"Aij = tanh(\theta^{T}(st)^Th_v)": r"A_{ij} = \tanh\left(\theta^{T} (s_t)^{T} h_v\right)",
}
"""Formula as the document writes it -> LaTeX; those between dollar signs that are not listed are LaTeX already."""
ALONE = ("Rui = ", "Aij = ", r"$r=\frac")
"""How formulas begin that stand on a line of their own."""
MARK = re.compile(r"<!-- (\S+) -->")
"""Starts a passage of the English text."""
_FORMULA = re.compile("(" + "|".join([*map(re.escape, TYPESET), r"\$[^$]+\$"]) + ")")
_HEADING = re.compile(r"(#+) ?")


@dataclass(frozen=True)
class Piece:
    """A piece of a line.

    Args:
        raw: As the document writes it.
        latex: The formula; empty for text.
        is_alone: Whether the formula stands on a line of its own.
    """

    raw: str
    latex: str = ""
    is_alone: bool = False


@dataclass(frozen=True)
class Line:
    """A line of the document that is not empty.

    Args:
        number: Its number in the file, from 1.
        indent: Number of spaces before it.
        heading: Level of the heading; 0 for text.
        pieces: Text and formulas.
    """

    number: int
    indent: int
    heading: int
    pieces: Sequence[Piece]

    @property
    def raw(self) -> str:
        """The line as the document writes it, without the marks of a heading."""
        return "".join(piece.raw for piece in self.pieces)


def line_of(number: int, raw: str) -> Line:
    """Return a line of the document, split into text and formulas."""
    text = raw.strip()
    mark = _HEADING.match(text)
    if mark:
        text = text[mark.end() :]
    pieces = tuple(_piece(part) for part in _FORMULA.split(text) if part)
    return Line(number, len(raw) - len(raw.lstrip(" ")), len(mark.group(1)) if mark else 0, pieces)


def _piece(part: str) -> Piece:
    if part in TYPESET:
        return Piece(part, TYPESET[part], part.startswith(ALONE))
    if _FORMULA.fullmatch(part):
        return Piece(part, part.strip("$"), part.startswith(ALONE))
    return Piece(part)


def split(text: str, passages: Sequence[Passage]) -> dict[str, tuple[Line, ...]]:
    """Return passage -> its lines; each passage ends where the next one begins.

    Raises:
        ConfigError: A passage does not begin in the text after the passage before it, or the first one not at the first
            line.
    """
    lines = [line_of(number, raw) for number, raw in enumerate(text.splitlines(), start=1) if raw.strip()]
    found: dict[str, list[Line]] = {}
    waiting = list(passages)
    for line in lines:
        if waiting and line.raw.startswith(waiting[0].begins):
            found[waiting.pop(0).key] = []
        if not found:
            raise ConfigError(
                _("No passage begins at line {number} of the document, its first one: '{raw}'.").format(
                    number=line.number, raw=line.raw
                )
            )
        found[next(reversed(found))].append(line)
    if waiting:
        raise ConfigError(
            _("No line of the document begins with '{begins}', the passage {waiting_key}.").format(
                begins=waiting[0].begins, waiting_key=waiting[0].key
            )
        )
    return {key: tuple(of_passage) for key, of_passage in found.items()}


@cache
def original() -> dict[str, tuple[Line, ...]]:
    """Return passage -> its lines in the document."""
    from recsys_core.lessons.source.parts import passages

    return split(DOCUMENT.read_text(encoding="utf-8"), passages())


@cache
def english() -> dict[str, tuple[Line, ...]]:
    """Return passage -> its lines in English."""
    parts = MARK.split(ENGLISH.read_text(encoding="utf-8"))[1:]
    return {
        key: tuple(line_of(number, raw) for number, raw in enumerate(text.splitlines(), start=1) if raw.strip())
        for key, text in zip(parts[::2], parts[1::2], strict=True)
    }
