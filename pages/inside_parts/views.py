"""The views of a trained model, one below the other: each with its question, what it shows, and how to read it."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import lazy_sections, pending, show
from pages.ui.queries import comparison_queries, model_queries
from pages.ui.text import _, later, safe

if TYPE_CHECKING:
    from pages.inside_parts.selection import LookedAt
    from recsys_core.explain.registry import View
    from recsys_core.explain.view import ViewData
    from recsys_core.serving.background import Ticket
    from recsys_core.viz.inside_views import Picture

WIDTHS = [2, 5]
NUMBER_WIDTH, TITLE_WIDTH = 70, 280
AT_ONCE = 2
"""So many views are drawn from the beginning; the others when somebody comes near them."""
CHOICES = {
    "neighbour": later("Compared with"),
    "group": later("Which group?"),
    "taste": later("Which taste?"),
    "topic": later("Which topic?"),
    "rules": later("Which rules?"),
}
CALLED = {
    "neighbour": later("User {one}"),
    "taste": later("Taste {one}"),
    "topic": later("Topic {one}"),
}
OPTIONS = {
    "nearest": later("This person and those nearest"),
    "busiest": later("The people with most interactions"),
    "history": later("What this person has"),
    "around": later("Around the item"),
    "popular": later("The most popular items"),
    "item": later("Those that lead to the item"),
    "person": later("Those that fire for this person"),
    "all": later("All, the surest first"),
}
COLUMNS = {
    "title": later("Part"),
    "similarity": later("Weight"),
    "rating": later("Rating"),
    "vote": later("Vote"),
    "confidence": later("Confidence"),
    "support": later("Support"),
    "lift": later("Lift"),
    "weight": later("Adds"),
}
HELP = {
    "similarity": later("How similar the two people or the two items are, or the weight that one has for the other."),
    "rating": later("What that person rated the item."),
    "vote": later("The rating compared with the level that this model judges it by; 1 where ratings do not count."),
    "confidence": later("Share of the baskets with the left side that hold the right one, too."),
    "support": later("Share of all baskets that hold both sides."),
    "lift": later("How many times as often as in any basket."),
    "weight": later("Weight times vote, for a mean divided by the sum of all weights."),
}


def all_of(looked_at: "LookedAt") -> None:
    """Show all views of a model; one that has none says so."""
    if not looked_at.views:
        st.info(
            _(
                "{model} holds nothing that could be drawn: look at its lists on the page Recommend, and at its "
                "numbers on the page Compare."
            ).format(model=safe(looked_at.model.title)),
            icon=":material/visibility_off:",
        )
        return
    _views(looked_at)


@st.fragment
def _views(looked_at: "LookedAt") -> None:
    from recsys_core.viz.inside_views import PICTURES

    parts = lazy_sections.Parts()
    for place, view in enumerate(looked_at.views):
        picture = PICTURES[view.key]
        with st.container(key=f"inside_view_{view.key}"):
            st.header(_(picture.question), anchor=view.key)
            if parts.draws(f"inside_{view.key}", height=picture.height, at_once=place < AT_ONCE):
                _view(looked_at, view, picture)
    parts.watch()


def _view(looked_at: "LookedAt", view: "View", picture: "Picture") -> None:
    """Show one view; while it is being read from the model, a bar."""
    words, place = st.columns(WIDTHS, gap="large")
    widget = f"inside_{view.key}_{view.choice}_{looked_at.model.id}_{looked_at.person.key}"
    chosen = st.session_state.get(widget)
    ticket = _ticket(looked_at, view, {view.choice: chosen} if view.choice and chosen else {})
    with place:
        seen = pending.outcome(ticket, _("Looking into the model"))
    offered = view.offered or (seen.facts["offered"] if seen is not None and view.choice else ())
    with words:
        if seen is not None:
            st.markdown(safe(comparison_queries.said(picture.sentence(seen))))
            if (more := picture.more(seen)) is not None:
                st.markdown(safe(comparison_queries.said(more)))
        st.markdown(_("**How to read it.** {reading}").format(reading=_(picture.reading)))
        if view.choice and offered:
            _choice(view.choice, list(offered), widget)
    if seen is None:
        return
    with place:
        show.figure(
            picture.draw(seen),
            f"figure_inside_{view.key}",
            name=f"{looked_at.model.title} {_(picture.question)}",
            alt=str(picture.sentence(seen)),
            table=seen.table,
        )
        if picture.shows_table and not seen.table.empty:
            _table(seen, view.key)


def _ticket(looked_at: "LookedAt", view: "View", choices: dict[str, str]) -> "Ticket[ViewData]":
    """Return the ticket of a view: it depends on the person and the item only if the view is about them."""
    from recsys_core.explain.registry import About

    person = "" if view.about in (About.MODEL, About.ITEM) else looked_at.person.key
    item = looked_at.item if view.about in (About.ITEM, About.BOTH) else None
    return model_queries.ticket(
        looked_at.named, "look", view.key, person, item, *choices.items(),
        view=view.key, query=looked_at.person.query, item=looked_at.item or 0, choices=choices,
    )  # fmt: skip


def _choice(name: str, offered: list[str], widget: str) -> None:
    def called(one: str) -> str:
        return _(CALLED[name]).format(one=one) if name in CALLED else _(OPTIONS[one])

    st.selectbox(_(CHOICES[name]), offered, format_func=called, key=widget)


def _table(seen: "ViewData", key: str) -> None:
    """Show every term of a sum with the numbers that it is made of."""
    table = seen.table[[name for name in COLUMNS if name in seen.table]]
    numbers = {
        name: st.column_config.NumberColumn(_(COLUMNS[name]), format="%.4g", width=NUMBER_WIDTH, help=_(HELP[name]))
        for name in table.columns
        if name != "title"
    }
    title_width = TITLE_WIDTH if len(numbers) > 1 else None  # beside a single number there is room enough
    show.table(
        table,
        f"table_inside_{key}",
        name=_("Terms of the sum"),
        offer_file=False,
        column_config={"title": st.column_config.TextColumn(_(COLUMNS["title"]), width=title_width), **numbers},
        height=min(420, 38 + 35 * len(table)),
    )
