"""The leaderboard as an HTML table: values, an interval bar for the compared metric, and costs.

Rows are plain text, so a keyboard passes them and a screen reader reads them; all text is escaped.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from recsys_core.columns import MODEL
from recsys_core.evaluation.sentences import interval_text, rounded
from recsys_core.experiments.leaderboard import TITLE, TUNING, metric_title
from recsys_core.text import _

STYLE = """<style>
.board { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.board th, .board td { padding: .45rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.board th { font-weight: 600; vertical-align: bottom; white-space: normal; }
.board :is(th, td):first-child { text-align: left; font-weight: 600; white-space: normal; min-width: 8rem; }
.board .bar { min-width: 8rem; width: 26%; }
.board .track { position: relative; height: 1.1rem; margin: 0 .3rem; }
.board .track::before { content: ""; position: absolute; inset: 48% 0 auto 0; border-top: 1px solid currentColor;
  opacity: .25; }
.board .track i { position: absolute; top: 30%; height: 40%; min-width: 2px; background: #0072B2; opacity: .55; }
.board .track b { position: absolute; top: 5%; height: 90%; width: 4px; margin-left: -2px; background: #0072B2; }
.board-scroll { overflow-x: auto; }
</style>"""


def leaderboard_html(
    board: pd.DataFrame,
    metric: str,
    others: Sequence[str],
    *,
    baseline: str,
    costs: Mapping[str, str],
    caption: str,
) -> str:
    """Return the table, best model first, with its style.

    Args:
        board: Result of `leaderboard.leaderboard`.
        metric: The compared metric, shown with its interval.
        others: Further metrics.
        baseline: Id of the baseline, which is marked.
        costs: Title of each cost column shown, by name.
        caption: What the table is, for screen readers.
    """
    high = max(float(board["high"].max()), float(board["mean"].max()), 1e-12)
    low = min(0.0, float(board["low"].min()) if board["low"].notna().any() else 0.0)
    heads = [_("Model"), _("Tied"), metric_title(metric), _("95% interval"), ""]
    heads += [metric_title(name) for name in others] + list(costs.values())
    rows = "".join(_row(row, others, list(costs), baseline, (low, high)) for row in board.to_dict("records"))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    return (
        f'{STYLE}<div class="board-scroll"><table class="board" aria-label="{escape(caption, quote=True)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(
    row: Mapping[Hashable, Any], others: Sequence[str], costs: Sequence[str], baseline: str, span: tuple[float, float]
) -> str:
    low, mean, high = (float(row[name]) for name in ("low", "mean", "high"))
    title = escape(str(row[TITLE])) + (f" {escape(_('(baseline)'))}" if row[MODEL] == baseline else "")
    title += f" ({escape(str(row[TUNING]))})" if row.get(TUNING) else ""
    cells = [str(row["tied"]), rounded(mean, low, high), interval_text(low, high)]
    text = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    values = "".join(f"<td>{_number(row[name])}</td>" for name in [*others, *costs])
    return f'<tr><td>{title}</td>{text}<td class="bar">{_bar(low, mean, high, span)}</td>{values}</tr>'


def _bar(low: float, mean: float, high: float, span: tuple[float, float]) -> str:
    """Return the interval as a bar with a mark at the mean, on the scale of all rows."""
    if math.isnan(mean):
        return ""
    start, end = span

    def place(value: float) -> float:
        return 100 * (value - start) / (end - start)

    interval = ""
    if math.isfinite(low) and math.isfinite(high):
        interval = f'<i style="left:{place(low):.2f}%;width:{place(high) - place(low):.2f}%"></i>'
    return f'<div class="track" aria-hidden="true">{interval}<b style="left:{place(mean):.2f}%"></b></div>'


def _number(number: float) -> str:
    if math.isnan(number):
        return ""
    return f"{number:.3g}" if abs(number) < 100 else f"{number:,.0f}"
