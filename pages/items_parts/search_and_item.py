"""The Items page: search and map on the left, the selected item with its similar items on the right."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.items_parts import attach_features, item_profile
from pages.ui import finder, pending, services
from pages.ui.queries import profile_queries
from pages.ui.text import _, count

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard
    from recsys_core.profiles.items import ItemProfiles

BY_CONTENT, BY_PEOPLE = "content", "people"


def present(card: "DatasetCard") -> None:
    """Show one item and the map of all items."""
    dataset = services.dataset(card.fingerprint)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        item_id = finder.choose(finder.ITEM, dataset)
        item = dataset.item_vocabulary.position(item_id)
        profile_queries.item_tables(card.fingerprint, item)  # started here, shown on the right
        profiles = pending.outcome(profile_queries.items(card.fingerprint), _("Computing item profiles"))
        if profiles is not None:
            _map(card, profiles, item)
            profile_queries.missing(profiles.missing)
            profile_queries.downloads(card.name, "items", profiles, dataset.item_vocabulary.ids)
        attach_features.offer(card)
    with right:
        item_profile.present(card, profiles, item)


def _map(card: "DatasetCard", profiles: "ItemProfiles", item: int) -> None:
    from recsys_core.viz.maps import DRAWN, item_map

    st.subheader(_("Map of all items"), anchor=False)
    ways = [BY_CONTENT, BY_PEOPLE] if card.has_items and "x_people" in profiles.table else [BY_PEOPLE]
    way = ways[0]
    if len(ways) > 1:
        way = st.radio(
            _("Neighboring dots are items"),
            ways,
            horizontal=True,
            format_func=lambda one: _("with similar content") if one == BY_CONTENT else _("with common users"),
            key="items_map_of",
        )
    else:
        st.markdown(_("Neighboring dots are items with common users."))
    st.markdown(_("Each dot is an item. Click a dot to open the item."))
    by_people = len(ways) > 1 and way == BY_PEOPLE
    finder.on_map(
        finder.ITEM,
        services.dataset(card.fingerprint),
        item_map(profiles.table, chosen=item, by_people=by_people),
        name=_("Map of all items"),
        table=profiles.table[
            ["item_id", "title", "category", *(("x_people", "y_people") if by_people else ("x", "y"))]
        ],
    )
    if not by_people:
        profile_queries.axes(profiles.facts.explained, profiles.facts.axes)
    if len(profiles.table) > DRAWN:
        st.markdown(
            _("{drawn} of {all} items are shown, sampled at random.").format(
                drawn=count(DRAWN), all=count(len(profiles.table))
            )
        )
