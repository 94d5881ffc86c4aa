"""The views of a trained model, one below the other: each with its question, finding, and reading guide."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import lazy_sections, pending, show, terms
from pages.ui.queries import model_queries
from pages.ui.text import _, fragment, later, paragraph, safe

if TYPE_CHECKING:
    from pages.inside_parts.selection import LookedAt
    from recsys_core.explain.registry import View
    from recsys_core.explain.view import ViewData
    from recsys_core.serving.background import Ticket
    from recsys_core.viz.inside_views import Picture

WIDTHS = [2, 5]
NUMBER_WIDTH, TITLE_WIDTH = 70, 280
AT_ONCE = 2
"""Number of views drawn from the start; the others are drawn when scrolled near."""
CHOICES = {
    "neighbour": (later("Compared with"), later("User {one}")),
    "group": (later("Group"), ""),
    "taste": (later("Latent factor"), later("Factor {one}")),
    "topic": (later("Topic"), later("Topic {one}")),
    "rules": (later("Rules"), ""),
    "direction": (later("Transitions"), ""),
}
"""Choice of a view -> its label and the name of an option; without one, the names are in `OPTIONS`."""
OPTIONS = {
    "nearest": later("This user and the nearest neighbors"),
    "busiest": later("The users with the most interactions"),
    "history": later("This user's history"),
    "around": later("Neighborhood of the item"),
    "popular": later("The most popular items"),
    "item": later("Rules that recommend the item"),
    "person": later("Rules that match this user's history"),
    "all": later("All, by confidence"),
    "after": later("From this item to the next one"),
    "before": later("From the previous item to this one"),
}
COLUMNS = {
    "similarity": (later("Weight"), later("Similarity of the two users or items, or the weight of one for the other.")),
    "rating": (later("Rating"), later("The neighbor's rating of the item.")),
    "vote": (later("Vote"), later("The rating relative to the model's baseline; 1 for models that ignore ratings.")),
    "confidence": (
        later("Confidence"),
        later("Share of the baskets with the antecedent that also contain the consequent."),
    ),
    "support": (later("Support"), later("Share of all baskets that contain both sides.")),
    "lift": (later("Lift"), later("Confidence divided by the consequent's share of all baskets.")),
    "shared": (later("Common items"), later("Number of items in both sessions.")),
    "session_similarity": (later("Similarity"), later("Sum of the weights of the common items, as in the formula.")),
    "time_decay": (later("Time decay"), later("Factor for the time between the two sessions; 1 without a decay.")),
    "neighbor_weight": (later("Neighbor weight"), later("Similarity times time decay.")),
    "position_decay": (
        later("Position decay"),
        later("Factor for the distance between the item and the latest common item; 0 if the item is not there."),
    ),
    "weight": (
        later("Contribution"),
        later("Weight times vote; for a weighted mean, divided by the sum of the weights."),
    ),
}
"""Column of numbers -> its title and help."""


def all_of(looked_at: "LookedAt") -> None:
    """Show all views of a model, or that it has none."""
    if not looked_at.views:
        st.info(
            _(
                "{model} has no parameters to visualize: see its lists on the Recommend page and its metrics "
                "on the Compare page."
            ).format(model=safe(looked_at.model.title)),
            icon=":material/visibility_off:",
        )
        return
    terms.of_views("inside", [view.key for view in looked_at.views])
    _views(looked_at)


@fragment
def _views(looked_at: "LookedAt") -> None:
    from recsys_core.viz.inside_views import PICTURES

    parts = lazy_sections.Parts()
    for place, view in enumerate(looked_at.views):
        picture = PICTURES[view.key]
        with st.container(key=f"inside_view_{view.key}"):
            st.header(_(picture.question), anchor=view.key)
            if drawn := parts.draws(f"inside_{view.key}", height=picture.height, at_once=place < AT_ONCE):
                with drawn:
                    _view(looked_at, view, picture)
    parts.watch()


def _view(looked_at: "LookedAt", view: "View", picture: "Picture") -> None:
    """Show one view; a progress bar while it is computed."""
    words, place = st.columns(WIDTHS, gap="large")
    widget = f"inside_{view.key}_{view.choice}_{looked_at.model.id}_{looked_at.user.key}"
    chosen = st.session_state.get(widget)
    ticket = _ticket(looked_at, view, {view.choice: chosen} if view.choice and chosen else {})
    with place:
        seen = pending.outcome(ticket, _("Computing the view"))
    offered = view.offered or (seen.facts["offered"] if seen is not None and view.choice else ())
    with words:
        if seen is not None:
            st.markdown(safe(picture.sentence(seen)))
            if (more := picture.more(seen)) is not None:
                st.markdown(safe(more))
        paragraph("**How to read it.** {reading}", reading=_(picture.reading))
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
    """Return the ticket of a view, which depends on the user and the item only if the view is about them."""
    from recsys_core.explain.registry import About

    user = "" if view.about in (About.MODEL, About.ITEM) else looked_at.user.key
    item = looked_at.item if view.about in (About.ITEM, About.BOTH) else None
    return model_queries.ticket(
        looked_at.named, "look", view.key, user, item, *choices.items(),
        view=view.key, query=looked_at.user.query, item=looked_at.item or 0, choices=choices,
    )  # fmt: skip


def _choice(name: str, offered: list[str], widget: str) -> None:
    label, called = CHOICES[name]
    names = {one: _(called).format(one=one) if called else _(OPTIONS[one]) for one in offered}
    show.select(_(label), names, widget)


def _table(seen: "ViewData", key: str) -> None:
    """Show every term of a sum with its factors."""
    numbers = {
        name: st.column_config.NumberColumn(_(title), format="%.4g", width=NUMBER_WIDTH, help=_(tip))
        for name, (title, tip) in COLUMNS.items()
        if name in seen.table
    }
    title_width = TITLE_WIDTH if len(numbers) > 1 else None  # a single number leaves enough room
    show.table(
        seen.table[["title", *numbers]],
        f"table_inside_{key}",
        name=_("Terms of the sum"),
        offer_file=False,
        column_config={"title": st.column_config.TextColumn(_("Term"), width=title_width), **numbers},
        height=min(420, 38 + 35 * len(seen.table)),
    )
