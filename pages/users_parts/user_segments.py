"""User segments: the distinctive features of each, in sentences and as bars, and its members."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import pending, show, state
from pages.ui.queries import profile_queries
from pages.ui.text import _, count, n_, paragraph, percent

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard
    from recsys_core.profiles.segments import Segment
    from recsys_core.profiles.users import UserProfiles

TRAITS, MEMBERS = 10, 50


def present(card: "DatasetCard", open_user: Callable[[str], None]) -> None:
    """Show all segments on the left, and the selected one on the right."""
    profiles = pending.outcome(profile_queries.users(card.fingerprint), _("Computing user profiles"))
    if profiles is None:
        return
    if not profiles.facts.segments:
        paragraph("There are no segments: there are too few users, or their profiles are too similar.")
        return
    st.markdown(
        n_(
            "All users form {n} segment.",
            "Users form {n} segments with similar profiles.",
            len(profiles.facts.segments),
        )
        + " "
        + _("The number of segments maximizes the silhouette (k-means).")
    )
    numbers = [one.number for one in profiles.facts.segments]
    requested = state.get("segment")
    chosen = int(requested) if requested and requested.isdigit() and int(requested) in numbers else numbers[0]
    left, right = st.columns([2, 3], gap="medium")
    with left:
        for segment in profiles.facts.segments:
            _card(segment, is_chosen=segment.number == chosen)
        _why_so_many(profiles)
    with right:
        _one(profiles, next(one for one in profiles.facts.segments if one.number == chosen), open_user)


def _card(segment: "Segment", *, is_chosen: bool) -> None:
    with st.container(border=True, key=f"segment_{segment.number}"):
        words, button = st.columns([2, 1], vertical_alignment="center")
        words.markdown(
            f"**{segment.number} · {profile_queries.said(*segment.title)}**  \n"
            + n_("{n} user", "{n} users", segment.size)
            + f" ({percent(segment.share)})"
        )
        button.button(
            _("Open {number}").format(number=segment.number),
            key=f"segment_open_{segment.number}",
            on_click=state.put,
            args=("segment", str(segment.number)),
            type="primary" if is_chosen else "secondary",
            width="stretch",
        )


def _why_so_many(profiles: "UserProfiles") -> None:
    tried = profiles.facts.silhouettes
    if len(tried) < 2:
        return
    with st.expander(_("Number of segments")):
        paragraph(
            "The silhouette compares the distance of users to their own segment with that to the nearest "
            "other segment: 1 is perfect separation, 0 none. The number of segments with the largest value "
            "was chosen."
        )
        show.table(
            tried,
            "silhouettes",
            name=_("Silhouettes"),
            column_config={
                "segments": st.column_config.NumberColumn(_("Segments")),
                "silhouette": st.column_config.NumberColumn(_("Silhouette"), format="%.3f"),
            },
        )


def _one(profiles: "UserProfiles", segment: "Segment", open_user: Callable[[str], None]) -> None:
    """Show one segment: its description, its features, and its members."""
    from recsys_core.viz.profiles import difference_bars, trait_table

    st.header(_("Segment {number}").format(number=segment.number), anchor=False)
    st.markdown(
        n_("{n} user of this segment:", "{n} users of this segment:", segment.size)
        + "\n\n"
        + "\n".join(f"- {profile_queries.said(one)}" for one in segment.description)
    )
    traits = trait_table(segment.traits)
    if len(traits):
        show.figure(
            difference_bars(traits.head(TRAITS)),
            "segment_traits",
            name=_("Distinctive features of segment {number}").format(number=segment.number),
            table=traits,
        )
        paragraph(
            "Difference between the mean of this segment and the mean of all users, in standard "
            "deviations: blue above, orange below."
        )
    st.subheader(_("Members"), anchor=False)
    members = profiles.members(segment.number, MEMBERS)
    paragraph(
        "{shown} of {size} users, closest to the centroid first. Select a row to open the user.",
        shown=count(len(members)),
        size=count(segment.size),
    )

    def opened() -> None:
        rows = st.session_state["segment_members"].selection.rows
        if rows:
            open_user(str(members["user_id"].iloc[rows[0]]))

    columns = {
        "user_id": st.column_config.TextColumn(_("User")),
        "interactions": st.column_config.NumberColumn(_("Interactions"), format="localized"),
        "mean": st.column_config.NumberColumn(_("Mean rating"), format="%.2f"),
        "distance": st.column_config.NumberColumn(_("Distance to centroid"), format="%.3f"),
    }
    show.table(
        members[[name for name in columns if name in members]],
        "segment_members",
        name=_("Members of segment {number}").format(number=segment.number),
        height=360,
        column_config=columns,
        on_select=opened,
        selection_mode="single-row",
    )
