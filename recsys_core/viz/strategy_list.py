"""The list of a strategy as an HTML table: each item with its way through the cards."""

from html import escape

import pandas as pd

from recsys_core.text import _

STYLE = """<style>
.trail { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.trail :is(th, td) { padding: .35rem .5rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.trail th { font-weight: 600; }
</style>"""


def list_html(rows: pd.DataFrame, caption: str) -> str:
    """Return items with their places as a table; all text is escaped.

    Args:
        rows: Rows of `strategy.trail.trail_table`.
        caption: What the table is, for screen readers.
    """
    heads = [_("Place"), _("Title"), _("Way through the cards"), _("In the test data")]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        f"<tr><td>{row['place'] or ''}</td><td>{escape(str(row['title']))}</td><td>{escape(str(row['trail']))}</td>"
        f"<td>{escape(_('yes')) if row['hit'] else ''}</td></tr>"
        for row in rows.to_dict("records")
    )
    return (
        f'{STYLE}<table class="trail" aria-label="{escape(caption, quote=True)}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )
