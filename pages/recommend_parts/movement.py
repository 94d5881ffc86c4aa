"""Why an item moved: the change of its score, and of every contribution to it, by the edits of the history."""

import math
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import pending, show
from pages.ui.queries import model_queries
from pages.ui.text import _, paragraph, safe

if TYPE_CHECKING:
    from pages.recommend_parts.editing import Editing
    from recsys_core.serving.what_if import Moved


def why(model: model_queries.Named, title: str, editing: "Editing", item: int) -> None:
    """Show how the edits changed the score of an item, for models that decompose scores by source."""
    from recsys_core.viz.recommend import change_bars

    before, after = editing.unedited, editing.edited
    ticket = model_queries.ticket(
        model, "why_moved", before.key, after.key, item, before=before.query, query=after.query, item=item
    )
    found = pending.outcome(ticket, _("Computing the change of the score"))
    if found is None:
        return
    st.subheader(_("Why did {title} move?").format(title=safe(found.title)))
    st.markdown(safe(_scores(title, found)))
    if found.parts.empty:
        paragraph("There are no contributions to compare: they did not change, or the model does not decompose scores.")
        return
    largest = found.parts.iloc[0]
    words = _("The largest change is that of '{part}': {before:.4g} before the edits, {after:.4g} after them.")
    show.figure(
        change_bars(found.parts),
        key="figure_why_moved",
        name=_("Change of the score contributions"),
        sentence=words.format(part=largest["title"], before=largest["asked"], after=largest["last"]),
        table=found.parts,
    )


def _scores(title: str, change: "Moved") -> str:
    """Return a sentence on both scores."""
    values = {"model": title, "before": f"{change.before:.4g}", "after": f"{change.after:.4g}"}
    if math.isnan(change.before):
        return _("{model}: no score before the edits, {after} after them.").format(**values)
    if math.isnan(change.after):
        return _("{model}: score {before} before the edits, none after them.").format(**values)
    words = _(
        "{model}: score {before} before the edits, {after} after them: a change of {change}. The rank also depends on "
        "the scores of the other items."
    )
    return words.format(**values, change=f"{change.after - change.before:+.4g}")
