"""The tabs of the Users page: one user, user segments, and friend recommendations."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import finder, pending, services, state
from pages.ui.queries import profile_queries
from pages.ui.text import _, count, paragraph
from pages.users_parts import friend_recommendations, user_profile, user_segments

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard
    from recsys_core.profiles.users import UserProfiles

TABS = "users_tab"


def present(card: "DatasetCard") -> None:
    """Show the tabs; only the open one is computed."""
    users, segments, social = _("Users"), _("Segments"), _("Friend recommendations")
    names = [users, segments, *([social] if card.has_social else [])]
    if st.session_state.get(TABS) not in names:
        st.session_state[TABS] = segments if state.get("segment") else users
    shown = st.tabs(names, key=TABS, on_change=_leave_segment)
    with shown[0]:
        if shown[0].open:
            _profiles(card)
    with shown[1]:
        if shown[1].open:
            user_segments.present(card, _open_user)
    if card.has_social:
        with shown[2]:
            if shown[2].open:
                friend_recommendations.present(card, _open_user)


def _leave_segment() -> None:
    """Remove the segment from the URL on other tabs, so that a link opens what is visible."""
    if st.session_state[TABS] != _("Segments"):
        state.put("segment", None)


def _open_user(user_id: str) -> None:
    """Open one user's profile."""
    finder.take(finder.USER, user_id)
    state.put("segment", None)
    st.session_state[TABS] = _("Users")


def _profiles(card: "DatasetCard") -> None:
    left, right = st.columns([2, 3], gap="medium")
    dataset = services.dataset(card.fingerprint)
    with left:
        user_id = finder.choose(finder.USER, dataset)
        user = dataset.user_vocabulary.position(user_id)
        profile_queries.user_tables(card.fingerprint, user)  # started here, shown on the right
        profiles = pending.outcome(profile_queries.users(card.fingerprint), _("Computing user profiles"))
        if profiles is not None:
            _map(card, profiles, user)
            profile_queries.missing(profiles.missing)
            profile_queries.downloads(card.name, "users", profiles, dataset.user_vocabulary.ids)
    with right:
        user_profile.present(card, profiles, user_id, _open_user)


def _map(card: "DatasetCard", profiles: "UserProfiles", user: int) -> None:
    st.subheader(_("Map of all users"), anchor=False)
    from recsys_core.viz.maps import DRAWN, user_map

    titles = {segment.number: profile_queries.plain(*segment.title) for segment in profiles.facts.segments}
    figure = user_map(profiles.table, titles, chosen=user)
    sentence = _("Each dot is a user; neighboring dots are users with similar profiles. Click a dot to open the user.")
    st.markdown(sentence)
    finder.on_map(
        finder.USER,
        services.dataset(card.fingerprint),
        figure,
        name=_("Map of all users"),
        table=profiles.table[["user_id", "segment", "x", "y"]],
    )
    profile_queries.axes(profiles.facts.explained, profiles.facts.axes)
    if len(profiles.table) > DRAWN:
        paragraph(
            "{drawn} of {users} users are shown, sampled at random.",
            drawn=count(DRAWN),
            users=count(len(profiles.table)),
        )
