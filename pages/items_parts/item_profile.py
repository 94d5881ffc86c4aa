"""One item: how it is rated and how surely, its place in the long tail, its course in time, and what is like it."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import finder, lazy_sections, pending, services, show, state
from pages.ui.queries import profile_queries
from pages.ui.text import _, count, n_, percent, safe
from pages.users_parts.user_profile import pairs

if TYPE_CHECKING:
    import pandas as pd

    from pages.ui.queries.profile_queries import Thing
    from recsys_core.data.workspace import DatasetCard
    from recsys_core.profiles.items import ItemProfiles

ALIKE = 8
LONGEST_TEXT = 600
"""Letters of a text that are shown."""


def present(card: "DatasetCard", profiles: "ItemProfiles | None", item: int) -> None:
    """Show one item; its lower parts are drawn when somebody comes near them.

    Args:
        card: The data set.
        profiles: Of all items; None as long as they are not there: then only its course in time is shown.
        item: Position.
    """
    st.fragment(_profile)(card, profiles, item)


def _profile(card: "DatasetCard", profiles: "ItemProfiles | None", item: int) -> None:
    from recsys_core.experiments.held_out_users import described_items

    dataset = services.dataset(card.fingerprint)
    if state.get("item") != dataset.item_vocabulary.ids[item]:
        st.rerun()
    st.header(safe(described_items(dataset, [item])["title"].iloc[0]), anchor=False)
    thing = pending.outcome(profile_queries.thing(card.fingerprint, item), _("Reading what people did with it"))
    parts = lazy_sections.Parts()
    if profiles is not None:
        row = profiles.table.iloc[item]
        _numbers(card, row)
        _description(card, profiles, item)
        if card.has_ratings and thing is not None:
            _ratings(row, thing)
        _tail(profiles, row, parts)
    if thing is not None:
        _time(thing, parts)
    if profiles is not None:
        _alike(card, profiles, item)
        _vector(profiles, item)
    parts.watch()


def _numbers(card: "DatasetCard", row: "pd.Series") -> None:
    numbers = [(_("Interactions"), count(row["interactions"])), (_("Place in popularity"), count(row["place"]))]
    if card.has_ratings and row["mean"] == row["mean"]:
        numbers += [
            (_("Mean rating"), f"{row['mean']:.2f}"),
            (_("Deviation"), f"{row['deviation']:.2f}" if row["deviation"] == row["deviation"] else "–"),
            (_("Confidence"), percent(row["confidence"], 0)),
        ]
    show.metrics(numbers, "item_numbers", width=130)
    if card.has_ratings and row["mean"] == row["mean"]:
        st.markdown(
            n_("{n} person knows it.", "{n} people know it.", int(row["users"]))
            + " "
            + _(
                "Confidence says how far the mean can be relied on, from 0 (nobody rated) towards 100%; "
                "weighed with it, the rating is {shrunk:.2f}."
            ).format(shrunk=row["shrunk_mean"])
        )


def _description(card: "DatasetCard", profiles: "ItemProfiles", item: int) -> None:
    st.subheader(_("What it is"), anchor=False)
    if not card.has_items:
        st.markdown(
            _(
                "These data came without a table of items, so nothing is known of titles, categories or prices. "
                "All that follows is read from what people did."
            )
        )
        return
    known = {name: value for name, value in profiles.attributes(item).items() if name != "title"}
    if not known:
        st.markdown(_("The table of items says nothing more about this one."))
    picture = profile_queries.thumbnail(card.fingerprint, item)
    if picture is not None:
        st.image(picture, width=160, alt=_("Picture of the item"))
    pairs(((name, value) for name, value in known.items() if len(value) <= 60), "item_attributes")
    for name, value in known.items():
        if len(value) > 60:
            text = value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT] + " …"
            st.markdown(f"{safe(name)}  \n{safe(text)}")


def _ratings(row: "pd.Series", thing: "Thing") -> None:
    st.subheader(_("How it is rated"), anchor=False)
    if thing.ratings.empty or row["mean"] != row["mean"]:
        st.markdown(_("Nobody has rated it."))
        return
    from recsys_core.viz.items import rating_spread

    most = thing.ratings.iloc[thing.ratings["item"].argmax()]
    sentence = _("{share} gave it a {rating:g}; of all ratings, {all} are a {rating:g}.").format(
        share=percent(most["item"], 0), rating=most["rating"], all=percent(most["everybody"], 0)
    )
    show.figure(rating_spread(thing.ratings), "item_ratings", name=_("Ratings"), sentence=sentence, table=thing.ratings)


def _tail(profiles: "ItemProfiles", row: "pd.Series", parts: lazy_sections.Parts) -> None:
    from recsys_core.viz.items import TAIL_HEIGHT, popularity_curve, tail_place

    st.subheader(_("Its place in the long tail"), anchor=False)
    where = _("in the head") if row["head"] else _("in the tail")
    st.markdown(
        _(
            "Place {place} of {items}, {where}: it and all more popular items together hold {running} "
            "of all interactions; it alone holds {share}."
        ).format(
            place=count(row["place"]),
            items=count(len(profiles.table)),
            where=where,
            running=percent(row["running"]),
            share=percent(row["share"], 2),
        )
    )
    if parts.draws("item_tail", height=TAIL_HEIGHT):
        curve = popularity_curve(profiles.table)
        figure = tail_place(
            curve,
            rank=int(row["place"]),
            interactions=int(row["interactions"]),
            head=int(profiles.table["head"].sum()),
        )
        show.figure(figure, "item_tail", name=_("Place in the long tail"), table=curve)


def _time(thing: "Thing", parts: lazy_sections.Parts) -> None:
    st.subheader(_("Over time"), anchor=False)
    periods = thing.periods
    if periods.empty:
        st.markdown(_("The time of interactions is not known."))
        return
    from recsys_core.viz.items import item_timeline

    unit = str(periods.attrs["unit"])
    busiest = periods.iloc[periods["interactions"].argmax()]
    sentence = _("The busiest {unit} begins on {start:%d %B %Y} and holds {share} of all.").format(
        unit=unit, start=busiest["start"], share=percent(busiest["interactions"] / periods["interactions"].sum(), 0)
    )
    figure = item_timeline(periods, unit=unit)
    if parts.draws("item_time", height=int(figure.layout.height)):
        show.figure(figure, "item_time", name=_("Item over time"), sentence=sentence, table=periods)


def _alike(card: "DatasetCard", profiles: "ItemProfiles", item: int) -> None:
    """Show the items most like this one, by description and by the people who know both, side by side."""
    st.subheader(_("Items most like this one"), anchor=False)
    alike = pending.outcome(
        profile_queries.alike(card.fingerprint, profiles, item, ALIKE), _("Looking for similar items")
    )
    if alike is None:
        return
    described, known = alike.described, alike.known
    by_content, by_people = st.columns(2, gap="medium")
    both = set(described["item"] if len(described) else ()) & set(known["item"])
    with by_content:
        st.markdown(f"**{_('By description')}**")
        if described.empty:
            st.markdown(
                _("Nothing in the description of this item is shared with another one.")
                if card.has_items
                else _("There is no table of items to compare by.")
            )
        for row in described.to_dict("records"):
            _like(row, profile_queries.why(row["shared"]), "content", is_in_both=row["item"] in both)
        _file(described, "content")
    with by_people:
        st.markdown(f"**{_('By the people who know both')}**")
        if known.empty:
            st.markdown(_("Nobody knows this item together with another one."))
        for row in known.to_dict("records"):
            words = n_("{n} person knows both", "{n} people know both", int(row["together"]))
            lift = _("{lift:.1f} times chance").format(lift=row["lift"])
            _like(row, f"{words}, {lift}", "people", is_in_both=row["item"] in both)
        _file(known, "people")


def _file(found: "pd.DataFrame", side: str) -> None:
    if len(found):
        table = profile_queries.in_words(found)
        show.download(_("Table (CSV)"), lambda: show.csv(table), f"similar-{side}.csv", "text/csv", f"items_{side}_csv")


def _like(row: dict, words: str, side: str, *, is_in_both: bool) -> None:
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


def _vector(profiles: "ItemProfiles", item: int) -> None:
    whole = st.expander(
        n_("The whole vector: {n} number", "The whole vector: {n} numbers", len(profiles.features.names)),
        key="item_vector_open",
        on_change="rerun",
    )
    if whole.open:
        with whole:
            st.markdown(_("Content models and similarities by description are computed from these numbers."))
            show.table(
                profiles.vector(item),
                "item_vector",
                name=_("Vector of the item"),
                height=320,
                column_config={
                    "part": st.column_config.TextColumn(_("Part")),
                    "name": st.column_config.TextColumn(_("What")),
                    "value": st.column_config.NumberColumn(_("This item"), format="%.3f"),
                    "everybody": st.column_config.NumberColumn(_("Mean of all"), format="%.3f"),
                },
            )
