"""Segments of users: what sets each apart, in words and as bars, and who belongs to it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import pending, show, state
from pages.ui.queries import profile_queries
from pages.ui.text import _, count, n_, percent

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.data.workspace import DatasetCard
    from recsys_core.profiles.segments import Segment
    from recsys_core.profiles.users import UserProfiles

TRAITS, MEMBERS = 10, 50


def present(card: "DatasetCard", open_user: Callable[[str], None]) -> None:
    """Show all segments on the left, and the one chosen on the right."""
    profiles = pending.outcome(profile_queries.users(card.fingerprint), _("Describing all users"))
    if profiles is None:
        return
    if not profiles.segments:
        st.markdown(_("These users cannot be told apart: there are too few of them, or they are all alike."))
        return
    st.markdown(
        n_(
            "All users fall into {n} group",
            "Users fall into {n} groups of similar profiles.",
            len(profiles.segments),
        )
        + " "
        + _("The number was chosen so that groups are as clear as possible (k-means, silhouette).")
    )
    numbers = [one.number for one in profiles.segments]
    asked = state.get("segment")
    chosen = int(asked) if asked and asked.isdigit() and int(asked) in numbers else numbers[0]
    left, right = st.columns([2, 3], gap="medium")
    with left:
        for segment in profiles.segments:
            _card(segment, is_chosen=segment.number == chosen)
        _why_so_many(profiles)
    with right:
        _one(profiles, next(one for one in profiles.segments if one.number == chosen), open_user)


def _card(segment: "Segment", *, is_chosen: bool) -> None:
    with st.container(border=True, key=f"segment_{segment.number}"):
        words, button = st.columns([2, 1], vertical_alignment="center")
        words.markdown(
            f"**{segment.number} · {profile_queries.said(*segment.title)}**  \n"
            + n_("{n} user", "{n} users", segment.size)
            + f" ({percent(segment.share, 0)})"
        )
        button.button(
            _("Show {number}").format(number=segment.number),
            key=f"segment_open_{segment.number}",
            on_click=state.put,
            args=("segment", str(segment.number)),
            type="primary" if is_chosen else "secondary",
            width="stretch",
        )


def _why_so_many(profiles: "UserProfiles") -> None:
    tried = profiles.silhouettes
    if len(tried) < 2:
        return
    with st.expander(_("Why this many?")):
        st.markdown(
            _(
                "The silhouette says how much closer users are to their own group than to the next one: "
                "1 would be perfectly clear, 0 not at all. The largest one was taken."
            )
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
    """Show one segment: its sentence, its bars, and its members."""
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
            name=_("What sets segment {number} apart").format(number=segment.number),
            table=traits,
        )
        st.markdown(
            _(
                "How far the mean of this segment lies from that of all users, in standard deviations: "
                "blue above, orange below."
            )
        )
    st.subheader(_("Members"), anchor=False)
    members = profiles.members(segment.number, MEMBERS)
    st.markdown(
        _("{shown} of {size} users, the most typical first. Select a row to open the user.").format(
            shown=count(len(members)), size=count(segment.size)
        )
    )

    def opened() -> None:
        rows = st.session_state["segment_members"].selection.rows
        if rows:
            open_user(str(members["user_id"].iloc[rows[0]]))

    show.table(
        _readable(members),
        "segment_members",
        name=_("Members of segment {number}").format(number=segment.number),
        height=360,
        column_config={
            "user_id": st.column_config.TextColumn(_("User")),
            "interactions": st.column_config.NumberColumn(_("Interactions"), format="localized"),
            "mean": st.column_config.NumberColumn(_("Mean rating"), format="%.2f"),
            "distance": st.column_config.NumberColumn(_("Distance to the typical"), format="%.3f"),
        },
        on_select=opened,
        selection_mode="single-row",
    )


def _readable(members: "pd.DataFrame") -> "pd.DataFrame":
    return members[[name for name in ("user_id", "interactions", "mean", "distance") if name in members]]
