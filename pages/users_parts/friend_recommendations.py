"""People whom a user might want to know, from the links of the data, and how well each way of finding them does."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import finder, pending, services, show, state
from pages.ui.queries import profile_queries
from pages.ui.text import _, count, n_, percent, safe

if TYPE_CHECKING:
    from recsys_core.data.workspace import DatasetCard
    from recsys_core.evaluation.people import PeopleComparison

SHOWN = 10
FIRST = "people_mix"
"""The way that is chosen to begin with."""


def present(card: "DatasetCard", open_user: Callable[[str], None]) -> None:
    """Show people to get to know on the left, and how well that works on the right."""
    left, right = st.columns(2, gap="medium")
    with left:
        user_id = finder.choose(finder.USER, services.dataset(card.fingerprint))
        _people(card, user_id, open_user)
    with right:
        _how_well(card)


def _people(card: "DatasetCard", user_id: str, open_user: Callable[[str], None]) -> None:
    from recsys_core.models.friend_recommendation import PEOPLE

    st.header(_("For user {user}").format(user=safe(user_id)), anchor=False)
    ways = list(PEOPLE)
    way = st.selectbox(
        _("How they are found"),
        ways,
        index=ways.index(FIRST) if FIRST in ways else 0,
        format_func=lambda key: _(PEOPLE[key].title),
        key="social_way",
    )
    st.markdown(_(PEOPLE[way].idea))
    ticket = profile_queries.acquaintances(card.fingerprint, user_id, way, SHOWN)
    found = pending.outcome(ticket, _("Looking for people"))
    if found is None:
        return
    st.markdown(n_("{n} link begins or ends at this user.", "{n} links begin or end at this user.", found.links))
    if found.table.empty:
        st.markdown(_("Nobody can be proposed: this user has no links, and nothing else tells who would fit."))
        return
    for row in found.table.to_dict("records"):
        with st.container(border=True, key=f"social_{row['user']}"):
            words, button = st.columns([3, 1], vertical_alignment="center")
            words.markdown(
                f"{row['rank']}. **{safe(row['user_id'])}** · {_('score {value:.3g}').format(value=row['score'])}  \n"
                + _reason(row)
            )
            button.button(
                _("Open {user}").format(user=safe(row["user_id"])),
                key=f"social_open_{row['user']}",
                on_click=open_user,
                args=(row["user_id"],),
                width="stretch",
            )
    show.download(
        _("Table (CSV)"), lambda: show.csv(found.table), "people-to-get-to-know.csv", "text/csv", "social_csv"
    )


def _reason(row: dict) -> str:
    """Return what speaks for somebody: friends and items in common."""
    words = []
    if row["friends"]:
        words.append(n_("{n} friend in common", "{n} friends in common", int(row["friends"])))
    if row["items"]:
        words.append(n_("{n} item known to both", "{n} items known to both", int(row["items"])))
    return ", ".join(words) if words else _("No friend and no item in common.")


def _how_well(card: "DatasetCard") -> None:
    """Measure all ways on links that were held out, once somebody asks for it."""
    st.header(_("How well does that work?"), anchor=False)
    st.markdown(
        _("Some links are hidden, and each way is asked to find them again; random and popular people are the floor.")
    )
    measured = f"social_measured_{card.fingerprint}"
    if not st.session_state.get(measured):
        st.button(
            _("Hide links and measure"),
            type="primary",
            key="social_measure",
            disabled=state.is_demo(),
            on_click=st.session_state.__setitem__,
            args=(measured, True),
        )
        return
    comparison = pending.outcome(profile_queries.people_comparison(card.fingerprint), _("Hiding links and measuring"))
    if comparison is not None:
        _verdict(comparison)


def _verdict(comparison: "PeopleComparison") -> None:
    table = comparison.table
    best = table.iloc[0]
    st.markdown(
        _(
            "{title} finds most: {recall} of {links} hidden links stand among its first {k} "
            "({low} to {high}, {users} users)."
        ).format(
            title=f"**{safe(_(best['title']))}**",
            recall=percent(best["recall"]),
            links=count(comparison.held_links),
            k=comparison.k,
            low=percent(best["recall_low"]),
            high=percent(best["recall_high"]),
            users=count(comparison.users),
        )
    )
    show.table(
        table,
        "social_comparison",
        name=_("People recommenders on hidden links"),
        column_order=["title", "recall", "precision", "auc"],
        column_config={
            "title": st.column_config.TextColumn(_("Way"), width=175),
            "recall": st.column_config.NumberColumn(_("Recall"), format="%.3f", width=65),
            "precision": st.column_config.NumberColumn(_("Precision"), format="%.3f", width=75),
            "auc": st.column_config.NumberColumn(_("AUC"), format="%.3f", width=60),
        },
    )
    st.markdown(_("AUC is how often a hidden friend scores above somebody at random: 0.5 is chance."))
