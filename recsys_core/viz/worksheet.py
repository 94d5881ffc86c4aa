"""A lesson as a worksheet for print, with and without solutions, in one self-contained HTML file."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from latex2mathml.converter import convert

from recsys_core.lessons.controls import Choice, Slider
from recsys_core.lessons.lesson import Lesson, Predict, SelfCheck, Step
from recsys_core.lessons.picture import LIT, Formula, Grid, ListPart, Scene, Symbol
from recsys_core.lessons.variation import Ask, varied
from recsys_core.lessons.wording import Text, told
from recsys_core.text import _, language
from recsys_core.viz.components import EXPORT
from recsys_core.viz.export import policy_tag
from recsys_core.viz.lesson_picture import PICTURE, picture_data

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; margin: 2rem auto;
  max-width: 50rem; padding: 0 1rem; }
.who { display: flex; gap: 2rem; } .who span { flex: 1; border-bottom: 1px solid; padding-top: 1.2em; }
section.step { break-inside: avoid; margin: 1.6rem 0; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 0 0 0.3rem; } p { margin: 0.4rem 0; }
ul.options { list-style: none; padding: 0; margin: 0.3rem 0; } ul.options li::before { content: "\\2610\\00a0"; }
ul.options li.right::before { content: "\\2611\\00a0"; } li.right { font-weight: 650; }
.solution { border-left: 3px solid #0b5cad; padding-left: 0.8rem; margin: 0.5rem 0; }
.blank { border-bottom: 1px solid #8b95a3; height: 1.9em; }
math { font-size: 1.05em; } .part.grid { flex: 0 0 auto; max-width: 100%; }
@media print { body { margin: 0; max-width: none; } a { color: inherit; } }
"""


def worksheet_html(of: Lesson, *, seed: int = 0, solutions: bool = False, ask: Ask | None = None) -> str:
    """Return the worksheet of a lesson.

    Args:
        of: The lesson.
        seed: Number of the class; each has other numbers, and 0 those of the lesson.
        solutions: Whether with answers, revealed pictures, numbers in the formulas, and explanations.
        ask: Returns the numbers of a step; the lesson's own function by default.

    Raises:
        RecscopeError: The numbers of a step cannot be computed.
    """
    values = varied(of, seed, ask)
    pictures: list[Mapping[str, Any]] = []
    steps = [_step(of, step, values, pictures, solutions=solutions, ask=ask) for step in of.steps]
    title = f"{of.number} · {_(of.title)}"
    kind = _("Solutions") if solutions else _("Worksheet")
    plain = json.dumps(pictures, ensure_ascii=False).replace("<", "\\u003c")
    script = (
        f"<script type='module'>\nconst draw = {PICTURE.js[PICTURE.js.index(EXPORT) + len(EXPORT) :]}\n"
        f"for (const [at, data] of {plain}.entries())\n"
        "  draw({ parentElement: document.getElementById(`p${at}`), data });\n</script>"
    )
    who = "" if solutions else f'<p class="who"><span>{_text(_("Name:"))}</span><span>{_text(_("Class:"))}</span></p>'
    checks = "".join(_check(check, solutions=solutions) for check in of.checks)
    return (
        f'<!doctype html>\n<html lang="{language()}"><head><meta charset="utf-8">{policy_tag([script])}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{PICTURE.css}</style></head><body><h1>{escape(title)}</h1>"
        f"<p>{_text(_('{kind}, class {number}').format(kind=kind, number=seed))}</p><p>{_text(_(of.idea))}</p>{who}"
        f'{"".join(steps)}<section class="step"><h2>{_text(_("Check yourself"))}</h2>{checks}</section>'
        f"{script}</body></html>\n"
    )


def _step(
    of: Lesson,
    step: Step,
    values: Mapping[str, Any],
    pictures: list[Mapping[str, Any]],
    *,
    solutions: bool,
    ask: Ask | None,
) -> str:
    own = of.values_in(step.key, values)
    scene = of.scene(step.key, own, (ask or of.numbers)(step.key, own))
    shown = solutions or step.predict is None or bool(scene.impossible)
    parts = [f"<h2>{_text(told(step.title))}</h2>", _paragraphs(step.text), _settings(of, step, own)]
    parts.append(f'<div id="p{len(pictures)}">{PICTURE.html}</div>')
    pictures.append(picture_data(_for_print(scene.revealed() if shown else scene.veiled())))
    if scene.impossible:
        parts.append(f"<p><strong>{_text(scene.impossible)}</strong></p>")
        return f'<section class="step">{"".join(parts)}</section>'
    if step.predict is not None:
        parts.append(_question(step.predict, scene.answer if solutions else ""))
    if scene.formula is not None:
        parts.append(_formula(scene.formula, solutions=solutions))
    if solutions and scene.finding:
        parts.append(f'<p class="solution">{_text(scene.finding)}</p>')
    elif not solutions:
        parts.append('<div class="blank"></div>' * 2)
    return f'<section class="step">{"".join(parts)}</section>'


def _for_print(scene: Scene) -> Scene:
    """Return the scene without inputs."""
    shown = [replace(part, control="") if isinstance(part, Grid | ListPart) else part for part in scene.parts]
    return replace(scene, parts=tuple(shown), formula=None)


def _settings(of: Lesson, step: Step, values: Mapping[str, Any]) -> str:
    """Return the values of the sliders and choices of a step in a line; empty without any."""
    parts = []
    for control in (of.control(key) for key in step.controls):
        if isinstance(control, Choice):
            parts.append(f"{told(control.label)}: {told(control.options[values[control.key]])}")
        elif isinstance(control, Slider):
            parts.append(f"{told(control.label)}: {float(values[control.key]):g}")
    return f"<p>{_text(' · '.join(parts))}</p>" if parts else ""


def _question(predict: Predict, answer: str) -> str:
    return f"<p><strong>{_text(told(predict.question))}</strong></p>{_options(list(predict.options.items()), answer)}"


def _check(check: SelfCheck, *, solutions: bool) -> str:
    options = [(str(place), option) for place, option in enumerate(check.options)]
    why = f'<p class="solution">{_text(told(check.why))}</p>' if solutions else ""
    answer = str(check.right) if solutions else ""
    return f"<p><strong>{_text(told(check.question))}</strong></p>{_options(options, answer)}{why}"


def _options(options: Sequence[tuple[str, Text]], answer: str) -> str:
    items = "".join(
        f'<li class="{"right" if key == answer else ""}">{_text(told(label))}</li>' for key, label in options
    )
    return f'<ul class="options">{items}</ul>'


def _formula(formula: Formula, *, solutions: bool) -> str:
    """Return the formula as MathML, with its numbers or with a line for them, and what the symbols mean."""
    general = f"<p>{_mathml(formula.general)}</p>"
    symbols = "".join(f"<li>{_text(_symbol(symbol, solutions=solutions))}</li>" for symbol in formula.symbols)
    numbers = f'<p class="solution">{_mathml(formula.numbers)}</p>' if solutions else '<div class="blank"></div>'
    return f"{general}<ul>{symbols}</ul>{numbers}"


def _symbol(symbol: Symbol, *, solutions: bool) -> str:
    value = f": {symbol.value}" if solutions and symbol.value else ""
    return f"{symbol.text}: {symbol.meaning}{value}"


def _mathml(latex: str) -> str:
    plain = LIT.sub("{", latex)
    return convert(plain, display="block")


def _paragraphs(markdown: Text) -> str:
    """Return paragraphs with **strong** and *emphasized* words; names in the text are not Markdown."""

    def emphasized(message: str) -> str:
        text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", _text(message))
        return re.sub(r"\*(.+?)\*", r"<em>\1</em>", text)

    return "".join(f"<p>{part}</p>" for part in told(markdown, _text, emphasized).split("\n\n"))


def _text(text: str) -> str:
    return escape(text, quote=False)
