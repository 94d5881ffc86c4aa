"""One self-contained, printable HTML file about a comparison.

All untrusted text is escaped. The only scripts are plotly's library and its calls; the content security policy of the
page blocks all others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from recsys_core.text import _, language, later
from recsys_core.viz.compare_sentences import LETTERS, WITHOUT_HISTORY
from recsys_core.viz.export import library, needs_webgl, policy_tag

STYLE = """
:root { color-scheme: light; --ink: #0d1117; --soft: #4a5563; --line: #d5dbe3; --blue: #0b5cad; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; color: var(--ink);
  background: #fff; max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
.context, caption, .note { color: var(--soft); }
.verdict { font-size: 1.15rem; border-left: 4px solid var(--blue); padding: .25rem 0 .25rem 1rem; }
.verdict p { margin: .25rem 0; }
.finding { border-left: 4px solid; padding: .4rem 1rem; margin: .5rem 0; }
.refusal { border-color: #d55e00; background: #fdf2ea; }
.warning { border-color: #b8a300; background: #fbf9e6; }
.info { border-color: #7f7f7f; background: #f5f6f7; }
.scroll { overflow-x: auto; margin-bottom: 1.5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem; }
caption { text-align: left; padding-bottom: .25rem; }
th, td { text-align: left; padding: .35rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; }
td.number { white-space: nowrap; }
figure { margin: 1rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f3f6fa; padding: 1rem; font-size: .85rem; }
@page { size: A4; margin: 14mm; }
@media print {
  body { max-width: 718px; padding: 0; font-size: 11pt; }
  table { font-size: 8.5pt; }
  .scroll { overflow: visible; }
  h2 { break-after: avoid; }
  figure, .finding, tr { break-inside: avoid; }
  .modebar { display: none !important; }
}
"""


SEVERITIES = {"refusal": later("Refusal"), "warning": later("Warning"), "info": later("Info")}


@dataclass(frozen=True)
class ReportFigure:
    """A figure with its heading and the sentence that states its finding."""

    heading: str
    sentence: str
    figure: go.Figure


@dataclass(frozen=True)
class ReportContent:
    """The content of a report, from top to bottom.

    Args:
        title: Name of the experiment.
        context: One line: data set, users, split, date.
        verdict: Sentences.
        findings: Severity ("refusal", "warning" or "info") and sentence of each protocol finding.
        leaderboard: One row per model with accuracy metrics, numbers formatted as text.
        costs: One row per model with beyond-accuracy metrics, times and memory, likewise.
        without_history: Results on users without training history; no rows without such users.
        figures: Figures with their sentences.
        settings: Settings of the experiment: name -> value.
        models: Settings of each model, as JSON text by title.
        environment: Versions and machine: name -> value.
        question: What is predicted and how it is tested, in sentences.
        author: Line below the title; empty for none.
        note: Paragraphs of the author; empty for none.
    """

    title: str
    context: str
    verdict: Sequence[str]
    findings: Sequence[tuple[str, str]]
    leaderboard: pd.DataFrame
    costs: pd.DataFrame
    without_history: pd.DataFrame
    figures: Sequence[ReportFigure]
    settings: Mapping[str, object]
    models: Mapping[str, str]
    environment: Mapping[str, object]
    question: Sequence[str] = ()
    author: str = ""
    note: str = ""


def report_html(content: ReportContent) -> str:
    """Return the report as one self-contained HTML document."""
    plots = [_plot(shown.figure) for shown in content.figures]
    script = library([shown.figure for shown in content.figures]) if plots else ""
    policy = policy_tag([script, *plots], webgl=any(needs_webgl(shown.figure) for shown in content.figures))
    sections = [
        f"<h1>{escape(content.title)}</h1>",
        *([f'<p class="context">{escape(content.author)}</p>'] if content.author else []),
        f'<p class="context">{escape(content.context)}</p>',
        _section(_("Verdict"), '<div class="verdict">' + "".join(map(_paragraph, content.verdict)) + "</div>"),
        *([_section(_("Note"), "".join(map(_paragraph, content.note.splitlines())))] if content.note.strip() else []),
        _section(_("Question and protocol"), _list(content.question)),
        _section(_("Protocol findings"), _findings(content.findings)),
        _section(_("Leaderboard"), _leaderboard(content)),
        *_without_history(content.without_history),
        *(_figure(shown, plot) for shown, plot in zip(content.figures, plots, strict=True)),
        _section(_("Settings"), _pairs(content.settings) + "".join(_model(*model) for model in content.models.items())),
        _section(_("Environment"), _pairs(content.environment)),
    ]
    return (
        f'<!doctype html>\n<html lang="{language()}"><head><meta charset="utf-8">'
        f'{policy}<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(content.title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + script
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def _leaderboard(content: ReportContent) -> str:
    return _paragraph(str(LETTERS.fill())) + _table(content.leaderboard) + _table(content.costs)


def _without_history(table: pd.DataFrame) -> list[str]:
    """Return the section on users without training history, if there are any."""
    if table.empty:
        return []
    return [_section(_("Users without training history"), _paragraph(str(WITHOUT_HISTORY.fill())) + _table(table))]


def _section(heading: str, body: str) -> str:
    return f"<section><h2>{escape(heading)}</h2>\n{body}</section>"


def _list(sentences: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _findings(findings: Sequence[tuple[str, str]]) -> str:
    if not findings:
        return _paragraph(_("The protocol check found no problems."))
    return "".join(
        f'<div class="finding {escape(severity, quote=True)}"><strong>{escape(_(SEVERITIES[severity]))}.</strong> '
        f"{escape(sentence)}</div>"
        for severity, sentence in findings
    )


def _table(frame: pd.DataFrame) -> str:
    kinds = ["" if number < 2 else ' class="number"' for number in range(len(frame.columns))]
    head = "".join(f"<th{kind}>{escape(str(name))}</th>" for kind, name in zip(kinds, frame.columns, strict=True))
    rows = (
        "<tr>" + "".join(f"<td{kind}>{escape(str(cell))}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in frame.itertuples(index=False)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _pairs(values: Mapping[str, object]) -> str:
    rows = (f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>" for name, value in values.items())
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _model(title: str, settings: str) -> str:
    return f"<h3>{escape(title)}</h3><pre>{escape(settings)}</pre>"


def _figure(shown: ReportFigure, plot: str) -> str:
    body = f"<figure>{_paragraph(shown.sentence)}{plot}</figure>"
    return _section(shown.heading, body)


def _plot(figure: go.Figure) -> str:
    """Return the figure as an HTML fragment without the library."""
    shown = go.Figure(figure)
    shown.update_layout(template="plotly_white", font={"color": "#0d1117"})
    options: dict[str, Any] = {"displaylogo": False, "responsive": True}
    html: str = shown.to_html(full_html=False, include_plotlyjs=False, config=options, default_width="100%")
    return html
