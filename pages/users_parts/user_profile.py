"""One user: attributes, preferences, behavior compared with all users, and similar users with reasons."""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import lazy_sections, pending, services, show, state
from pages.ui.navigation import has_page
from pages.ui.queries import profile_queries
from pages.ui.text import _, count, fragment, n_, paragraph, percent, safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pages.ui.queries.profile_queries import Tables
    from recsys_core.data.meta import DatasetCard
    from recsys_core.profiles.users import UserProfiles

Open = Callable[[str], None]
TAGS, ALIKE, IN_COMMON = 12, 6, 5
"""Numbers of tags, similar users, and common items shown."""


@fragment
def present(card: "DatasetCard", profiles: "UserProfiles | None", user_id: str, open_user: Open) -> None:
    """Show one user's profile; its lower sections are drawn when scrolled near.

    Args:
        card: The data set.
        profiles: Profiles of all users; None until they are computed: then only this user's interactions are shown.
        user_id: The user.
        open_user: Opens another user.
    """
    if state.get("user") != user_id:
        st.rerun()
    user = services.dataset(card.fingerprint).user_vocabulary.position(user_id)
    st.header(_("User {user}").format(user=safe(user_id)), anchor=False)
    if has_page("recommend"):
        st.page_link(
            "pages/recommend.py",
            label=_("Open recommendations for this user"),
            icon=":material/recommend:",
            query_params=state.current() | {"user": user_id},
        )
    tables = pending.outcome(
        profile_queries.user_tables(card.fingerprint, user), _("Loading the interactions of this user")
    )
    parts = lazy_sections.Parts()
    if profiles is not None:
        _numbers(card, profiles, user)
        _attributes(card, profiles, user)
        _likes(card, profiles, user)
        _habits(profiles, user, parts)
    if tables is not None:
        _ratings(tables, parts)
        _time(tables, parts)
    if profiles is not None:
        _alike(card, profiles, user, open_user)
        profile_queries.vector(
            profiles,
            user,
            "user_vector",
            name=_("Feature vector"),
            words=_("Similarities, segments and content-based models use these features."),
            value=st.column_config.NumberColumn(_("This user"), format="%.3f"),
            rank=st.column_config.NumberColumn(_("Percentile"), format="percent"),
        )
    parts.watch()


def _numbers(card: "DatasetCard", profiles: "UserProfiles", user: int) -> None:
    """Show the key figures of a user, and their segment."""
    row = profiles.table.iloc[user]
    numbers = [(_("Interactions"), count(row["interactions"]))]
    if card.has_ratings and row["mean"] == row["mean"]:
        numbers.append((_("Mean rating"), f"{row['mean']:.2f}"))
    segment = next((one for one in profiles.facts.segments if one.number == row["segment"]), None)
    show.metrics(numbers, "user_numbers")
    if segment is not None:
        paragraph("Segment {number}: {title}", number=segment.number, title=profile_queries.said(*segment.title))


def _attributes(card: "DatasetCard", profiles: "UserProfiles", user: int) -> None:
    st.subheader(_("Attributes"), anchor=False)
    if not card.has_users:
        paragraph(
            "This data set has no table of users, so age, city and the like are unknown. Everything below "
            "is computed from the interactions."
        )
        return
    known = profiles.attributes(user)
    if not known:
        paragraph("The table of users has no attributes of this user.")
        return
    pairs(known.items(), "user_attributes")


def pairs(known: "Iterable[tuple[str, str]]", key: str) -> None:
    """Show names with their values, as many side by side as fit."""
    with st.container(horizontal=True, gap="medium", key=key):
        for name, value in known:
            entries = " · ".join(safe(one.strip()) for one in str(value).split("|"))
            st.markdown(f"{safe(name)}  \n**{entries}**", width="content")


def _likes(card: "DatasetCard", profiles: "UserProfiles", user: int) -> None:
    st.subheader(_("Preferences"), anchor=False)
    tags = pending.outcome(profile_queries.tags(card.fingerprint, profiles, user), _("Computing preference tags"))
    if tags is None:
        return
    if tags.empty:
        paragraph("No preference tags: there are too few relevant interactions, or the items have no attributes.")
        return
    from recsys_core.viz.profiles import tag_bars

    first = tags.iloc[0]
    sentence = _("Most distinctive is '{name}': {liked}, {lift:.1f} times as often as for all users.").format(
        name=first["name"],
        liked=n_("in {n} relevant item", "in {n} relevant items", int(first["liked"])),
        lift=first["lift"],
    )
    show.figure(tag_bars(tags.head(TAGS)), "user_tags", name=_("Preference tags"), sentence=sentence, table=tags)


def _ratings(tables: "Tables", parts: lazy_sections.Parts) -> None:
    if tables.ratings.empty or not tables.ratings["user"].sum() > 0:
        return
    from recsys_core.viz.profiles import rating_spread

    st.subheader(_("Ratings"), anchor=False)
    most = tables.ratings.iloc[tables.ratings["user"].argmax()]
    width = float(tables.ratings.attrs["width"])
    words = (
        _(
            "{share} of this user's ratings are in the interval of {width:g} around {rating:g}; of all ratings, "
            "{all} are."
        )
        if width
        else _("{share} of this user's ratings are {rating:g}; of all ratings, {all} are.")
    )
    sentence = words.format(
        share=percent(most["user"]), rating=most["rating"], all=percent(most["everybody"]), width=width
    )
    figure = rating_spread(tables.ratings, own="user", name=_("this user"))
    if drawn := parts.draws("user_ratings", height=int(figure.layout.height)):
        with drawn:
            show.figure(figure, "user_ratings", name=_("Ratings"), sentence=sentence, table=tables.ratings)


def _habits(profiles: "UserProfiles", user: int, parts: lazy_sections.Parts) -> None:
    from recsys_core.profiles.behavior import HABIT
    from recsys_core.profiles.phrases import amount
    from recsys_core.viz.profiles import habit_panels, height_of_panels, telling

    habits = telling(profiles.habits(user), profiles.table)
    habits["log"] = [HABIT[key].log for key in habits["habit"]]
    if habits.empty:
        return
    st.subheader(_("Behavior compared with all users"), anchor=False)
    rarest = habits.iloc[(habits["rank"] - 0.5).abs().argmax()]
    sentence = _("Gray: distribution over all users. Red: this user. Most unusual: {habit}, {value}; {rank}.").format(
        habit=_(rarest["label"]),
        value=f"{amount(rarest['value'])} {_(rarest['unit'])}".strip(),
        rank=_rank(float(rarest["below"]), float(rarest["above"])),
    )
    if drawn := parts.draws("user_habits", height=height_of_panels(len(habits))):
        with drawn:
            figure = habit_panels(habits, profiles.table)
            show.figure(
                figure, "user_habits", name=_("Behavior compared with all users"), sentence=sentence, table=habits
            )
    _meanings(list(habits["habit"]))


def _rank(below: float, above: float) -> str:
    """Return the rank of a user in words, from the shares of users with a smaller and with a larger value."""
    if below >= above:
        share, many, nearly_all = below, _("more than {share} of users"), _("more than nearly all users")
    else:
        share, many, nearly_all = above, _("less than {share} of users"), _("less than nearly all users")
    return nearly_all if share > 0.995 else many.format(share=percent(share))


def _meanings(habits: list[str]) -> None:
    """Show the definition of each behavior feature."""
    from recsys_core.profiles.behavior import HABIT

    with st.expander(_("Definitions")):
        st.markdown("\n".join(f"- **{_(HABIT[key].label)}**: {_(HABIT[key].meaning)}" for key in habits))


def _time(tables: "Tables", parts: lazy_sections.Parts) -> None:
    st.subheader(_("Over time"), anchor=False)
    periods = tables.periods
    if periods.empty:
        paragraph("This data set has no timestamps.")
        return
    from recsys_core.viz.explore import timeline

    unit = str(periods.attrs["unit"])
    busiest = periods.iloc[periods["interactions"].argmax()]
    first, last = (f"{periods.attrs[end]:%d %B %Y}" for end in ("first", "last"))
    words = (
        _("Active on {first} only.")
        if first == last
        else _("Active from {first} to {last}; the busiest {unit} has {share} of the interactions.")
    )
    sentence = words.format(
        first=first,
        last=last,
        unit=_(unit),
        share=percent(busiest["interactions"] / periods["interactions"].sum()),
    )
    figure = timeline(periods, unit=unit)
    if drawn := parts.draws("user_time", height=int(figure.layout.height)):
        with drawn:
            show.figure(figure, "user_time", name=_("Activity over time"), sentence=sentence, table=periods)


def _alike(card: "DatasetCard", profiles: "UserProfiles", user: int, open_user: Open) -> None:
    st.subheader(_("Most similar users"), anchor=False)
    found = profiles.similar(user, ALIKE)
    if found.empty:
        paragraph("No similar user was found: there is too little data to compare.")
        return
    for row in found.to_dict("records"):
        with st.container(border=True, key=f"alike_{row['user']}"):
            _one_alike(card, user, row, open_user)
    table = profile_queries.in_words(found)
    show.csv_download(_("Most similar users (CSV)"), lambda: table, "similar-users", "user_similar_csv")


def _one_alike(card: "DatasetCard", user: int, row: dict[Hashable, Any], open_user: Open) -> None:
    """Show one similar user with the common features, and the button that opens the profile."""
    st.markdown(
        f"**{safe(row['user_id'])}** · {_('similarity {value:.2f}').format(value=row['similarity'])}  \n"
        + profile_queries.why(row["shared"])
    )
    with st.container(horizontal=True, gap="small"):
        st.button(
            _("Open {user}").format(user=safe(row["user_id"])),
            key=f"open_user_{row['user']}",
            on_click=open_user,
            args=(row["user_id"],),
        )
        both = st.popover(_("Items in common"), key=f"both_{row['user']}", type="tertiary", on_change="rerun")
    if both.open:
        with both:
            _in_common(card, user, int(row["user"]))


def _in_common(card: "DatasetCard", user: int, other: int) -> None:
    from recsys_core.profiles.timeline import common_items

    items = common_items(services.dataset(card.fingerprint), user, other, IN_COMMON)
    if items.empty:
        paragraph("No items in common; the profiles are similar in other features.")
        return
    paragraph("Least popular first:")
    st.markdown("\n".join(f"- {_common_line(item)}" for item in items.to_dict("records")))


def _common_line(item: dict[Hashable, Any]) -> str:
    if "rating_user" not in item:
        return safe(item["title"])
    return _("{title}: rated {first:g} by this user, {second:g} by the other user").format(
        title=safe(item["title"]), first=item["rating_user"], second=item["rating_other"]
    )
