"""The Items page: search and map, and one item with its ratings, its place in the long tail and similar items."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.items_parts import attach_features
from pages.ui import finder, lazy_sections, pending, services, show, state
from pages.ui.queries import profile_queries
from pages.ui.text import _, count, fragment, n_, paragraph, percent, safe
from pages.users_parts.user_profile import pairs

if TYPE_CHECKING:
    import pandas as pd

    from pages.ui.queries.profile_queries import Tables
    from recsys_core.data.meta import DatasetCard
    from recsys_core.profiles.items import ItemProfiles

ALIKE = 8
LONGEST_TEXT = 600
"""Maximum number of characters shown of a text."""
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
        _profile(card, profiles, item)


def _map(card: "DatasetCard", profiles: "ItemProfiles", item: int) -> None:
    from recsys_core.viz.maps import DRAWN, item_map

    st.subheader(_("Map of all items"), anchor=False)
    ways = [BY_CONTENT, BY_PEOPLE] if card.has_items and "x_people" in profiles.table else [BY_PEOPLE]
    way = ways[0]
    if len(ways) > 1:
        names = {BY_CONTENT: _("with similar content"), BY_PEOPLE: _("with common users")}
        way = show.radio(_("Neighboring dots are items"), names, "items_map_of")
    else:
        paragraph("Neighboring dots are items with common users.")
    paragraph("Each dot is an item. Click a dot to open the item.")
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
        paragraph(
            "{drawn} of {all} items are shown, sampled at random.", drawn=count(DRAWN), all=count(len(profiles.table))
        )


@fragment
def _profile(card: "DatasetCard", profiles: "ItemProfiles | None", item: int) -> None:
    """Show one item; its lower sections are drawn when scrolled near.

    Args:
        card: The data set.
        profiles: Profiles of all items; None until they are computed: then only the time course is shown.
        item: Position.
    """
    from recsys_core.experiments.held_out_users import described_items

    dataset = services.dataset(card.fingerprint)
    if state.get("item") != dataset.item_vocabulary.ids[item]:
        st.rerun()
    st.header(safe(described_items(dataset, [item])["title"].iloc[0]), anchor=False)
    tables = pending.outcome(
        profile_queries.item_tables(card.fingerprint, item), _("Loading the interactions of this item")
    )
    parts = lazy_sections.Parts()
    if profiles is not None:
        row = profiles.table.iloc[item]
        _numbers(card, row)
        _description(card, profiles, item)
        if card.has_ratings and tables is not None:
            _ratings(row, tables)
        _tail(profiles, row, parts)
    if tables is not None:
        _time(tables, parts)
    if profiles is not None:
        _alike(card, profiles, item)
        profile_queries.vector(
            profiles,
            item,
            "item_vector",
            name=_("Feature vector of the item"),
            words=_("Content-based models and content similarities use these features."),
            value=st.column_config.NumberColumn(_("This item"), format="%.3f"),
        )
    parts.watch()


def _numbers(card: "DatasetCard", row: "pd.Series") -> None:
    numbers = [(_("Interactions"), count(row["interactions"])), (_("Popularity rank"), count(row["place"]))]
    is_rated = card.has_ratings and row["mean"] == row["mean"]
    if is_rated:
        numbers += [
            (_("Mean rating"), f"{row['mean']:.2f}"),
            (_("Std. deviation"), f"{row['deviation']:.2f}" if row["deviation"] == row["deviation"] else "–"),
            (_("Confidence"), percent(row["confidence"])),
        ]
    show.metrics(numbers, "item_numbers", width=130)
    if is_rated:
        st.markdown(
            n_("{n} user.", "{n} users.", int(row["users"]))
            + " "
            + _(
                "Confidence is the reliability of the mean, from 0 (no ratings) towards 100%; shrunk "
                "accordingly, the mean rating is {shrunk:.2f}."
            ).format(shrunk=row["shrunk_mean"])
        )


def _description(card: "DatasetCard", profiles: "ItemProfiles", item: int) -> None:
    st.subheader(_("Attributes"), anchor=False)
    if not card.has_items:
        paragraph(
            "This data set has no table of items, so titles, categories and prices are unknown. Everything "
            "below is computed from the interactions."
        )
        return
    known = {name: value for name, value in profiles.attributes(item).items() if name != "title"}
    if not known:
        paragraph("The table of items has no further attributes of this item.")
    picture = profile_queries.thumbnail(card.fingerprint, item)
    if picture is not None:
        st.image(picture, width=160, alt=_("Image of the item"))
    pairs(((name, value) for name, value in known.items() if len(value) <= 60), "item_attributes")
    for name, value in known.items():
        if len(value) > 60:
            text = value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT] + " …"
            st.markdown(f"{safe(name)}  \n{safe(text)}")


def _ratings(row: "pd.Series", tables: "Tables") -> None:
    st.subheader(_("Ratings"), anchor=False)
    if tables.ratings.empty or row["mean"] != row["mean"]:
        paragraph("No ratings.")
        return
    from recsys_core.viz.profiles import rating_spread

    most = tables.ratings.iloc[tables.ratings["item"].argmax()]
    width = float(tables.ratings.attrs["width"])
    words = (
        _("{share} of its ratings are in the interval of {width:g} around {rating:g}; of all ratings, {all} are.")
        if width
        else _("{share} of its ratings are {rating:g}; of all ratings, {all} are {rating:g}.")
    )
    sentence = words.format(
        share=percent(most["item"]), rating=most["rating"], all=percent(most["everybody"]), width=width
    )
    show.figure(
        rating_spread(tables.ratings), "item_ratings", name=_("Ratings"), sentence=sentence, table=tables.ratings
    )


def _tail(profiles: "ItemProfiles", row: "pd.Series", parts: lazy_sections.Parts) -> None:
    from recsys_core.viz.profiles import TAIL_HEIGHT, popularity_curve, tail_place

    st.subheader(_("Position in the long tail"), anchor=False)
    where = _("in the head") if row["head"] else _("in the tail")
    values = {"place": count(row["place"]), "items": count(len(profiles.table)), "where": where}
    values |= {"running": percent(row["running"], 2), "share": percent(row["share"], 2)}
    if row["place"] == 1:
        paragraph("Popularity rank 1 of {items}, {where}: this item has {share} of all interactions.", **values)
    else:
        paragraph(
            "Popularity rank {place} of {items}, {where}: the items up to this rank have {running} of all "
            "interactions; this item alone has {share}.",
            **values,
        )
    if drawn := parts.draws("item_tail", height=TAIL_HEIGHT):
        with drawn:
            curve = popularity_curve(profiles.table)
            figure = tail_place(
                curve,
                rank=int(row["place"]),
                interactions=int(row["interactions"]),
                head=int(profiles.table["head"].sum()),
            )
            show.figure(figure, "item_tail", name=_("Position in the long tail"), table=curve)


def _time(tables: "Tables", parts: lazy_sections.Parts) -> None:
    st.subheader(_("Over time"), anchor=False)
    periods = tables.periods
    if periods.empty:
        paragraph("This data set has no timestamps.")
        return
    from recsys_core.viz.profiles import item_timeline

    unit = str(periods.attrs["unit"])
    busiest = periods.iloc[periods["interactions"].argmax()]
    sentence = _("The busiest {unit} begins on {start:%d %B %Y} and has {share} of the item's interactions.").format(
        unit=_(unit), start=busiest["start"], share=percent(busiest["interactions"] / periods["interactions"].sum())
    )
    figure = item_timeline(periods, unit=unit)
    if drawn := parts.draws("item_time", height=int(figure.layout.height)):
        with drawn:
            show.figure(figure, "item_time", name=_("Item over time"), sentence=sentence, table=periods)


def _alike(card: "DatasetCard", profiles: "ItemProfiles", item: int) -> None:
    """Show the most similar items, by content and by common users, side by side."""
    st.subheader(_("Most similar items"), anchor=False)
    alike = pending.outcome(
        profile_queries.alike(card.fingerprint, profiles, item, ALIKE), _("Computing similar items")
    )
    if alike is None:
        return
    described, known = alike.described, alike.known
    by_content, by_people = st.columns(2, gap="medium")
    both = set(described["item"] if len(described) else ()) & set(known["item"])
    with by_content:
        st.markdown(f"**{_('By content')}**")
        if described.empty:
            st.markdown(
                _("No other item shares an attribute with this one.")
                if card.has_items
                else _("This data set has no table of items.")
            )
        for row in described.to_dict("records"):
            _like(row, profile_queries.why(row["shared"]), "content", is_in_both=row["item"] in both)
        _file(described, "content")
    with by_people:
        st.markdown(f"**{_('By common users')}**")
        if known.empty:
            paragraph("No user has interacted with this item and another one.")
        for row in known.to_dict("records"):
            words = n_("{n} common user", "{n} common users", int(row["together"]))
            lift = _("lift {lift:.1f}").format(lift=row["lift"])
            _like(row, f"{words}, {lift}", "people", is_in_both=row["item"] in both)
        _file(known, "people")


def _file(rows: "pd.DataFrame", side: str) -> None:
    if len(rows):
        table = profile_queries.in_words(rows)
        show.csv_download(_("Table (CSV)"), lambda: table, f"similar-{side}", f"items_{side}_csv")


def _like(row: dict[Hashable, Any], words: str, side: str, *, is_in_both: bool) -> None:
    """Show one similar item; its title is the button that opens it."""
    with st.container(border=True, gap="xxsmall", key=f"like_{side}_{row['item']}"):
        st.button(
            f"**{safe(row['title'])}**",
            key=f"open_{side}_{row['item']}",
            on_click=finder.take,
            args=(finder.ITEM, row["item_id"]),
            type="tertiary",
            icon=":material/arrow_forward:",
        )
        mark = f" :violet-badge[{_('on both sides')}]" if is_in_both else ""
        st.markdown(f"{_('similarity {value:.2f}').format(value=row['similarity'])}{mark} · {words}")
