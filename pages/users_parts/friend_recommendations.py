"""Friend recommendations for a user from the social links, and the evaluation of each method."""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import finder, pending, services, show, state
from pages.ui.queries import profile_queries
from pages.ui.text import _, count, n_, paragraph, percent, safe, score_text

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard
    from recsys_core.evaluation.friend_evaluation import FriendComparison

SHOWN = 10
FIRST = "people_mix"
"""The method selected by default."""


def present(card: "DatasetCard", open_user: Callable[[str], None]) -> None:
    """Show friend recommendations on the left, and their evaluation on the right."""
    left, right = st.columns(2, gap="medium")
    with left:
        user_id = finder.choose(finder.USER, services.dataset(card.fingerprint))
        _recommended(card, user_id, open_user)
    with right:
        _how_well(card)


def _recommended(card: "DatasetCard", user_id: str, open_user: Callable[[str], None]) -> None:
    from recsys_core.models.friend_recommendation import FRIEND_METHODS

    st.header(_("Recommended friends for user {user}").format(user=safe(user_id)), anchor=False)
    ways = {key: _(method.title) for key, method in FRIEND_METHODS.items()}
    way = show.select(_("Method"), ways, "social_way", index=list(ways).index(FIRST))
    st.markdown(_(FRIEND_METHODS[way].idea))
    ticket = profile_queries.acquaintances(card.fingerprint, user_id, way, SHOWN)
    found = pending.outcome(ticket, _("Computing friend recommendations"))
    if found is None:
        return
    st.markdown(n_("This user has {n} social link.", "This user has {n} social links.", found.links))
    if found.table.empty:
        paragraph(
            "No friend can be recommended: this user has no social links, and the method has no other information."
        )
        return
    for row in found.table.to_dict("records"):
        with st.container(border=True, key=f"social_{row['user']}"):
            words, button = st.columns([3, 1], vertical_alignment="center")
            score = _("score {value}").format(value=score_text(row["score"]))
            words.markdown(f"{row['rank']}. **{safe(row['user_id'])}** · {score}  \n{_reason(row)}")
            button.button(
                _("Open {user}").format(user=safe(row["user_id"])),
                key=f"social_open_{row['user']}",
                on_click=open_user,
                args=(row["user_id"],),
                width="stretch",
            )
    show.csv_download(_("Table (CSV)"), lambda: found.table, "people-to-get-to-know", "social_csv")


def _reason(row: dict[Hashable, Any]) -> str:
    """Return the reasons for a recommendation: common friends and items."""
    words = []
    if row["friends"]:
        words.append(n_("{n} friend in common", "{n} friends in common", int(row["friends"])))
    if row["items"]:
        words.append(n_("{n} item in common", "{n} items in common", int(row["items"])))
    return ", ".join(words) if words else _("No friends and no items in common.")


def _how_well(card: "DatasetCard") -> None:
    """Evaluate all methods on held-out links, on request."""
    st.header(_("Evaluation on held-out links"), anchor=False)
    paragraph(
        "A share of the social links is held out, and each method ranks the candidates. Random and popular "
        "users are the baselines."
    )
    measured = f"social_measured_{card.fingerprint}"
    if not st.session_state.get(measured):
        st.button(
            _("Evaluate on held-out links"),
            type="primary",
            key="social_measure",
            disabled=state.is_demo(),
            on_click=st.session_state.__setitem__,
            args=(measured, True),
        )
        return
    comparison = pending.outcome(profile_queries.friend_comparison(card.fingerprint), _("Evaluating on held-out links"))
    if comparison is not None:
        _verdict(comparison)


def _verdict(comparison: "FriendComparison") -> None:
    table = comparison.table
    best = table.iloc[0]
    paragraph(
        "{title} has the highest recall@{k}: {recall} of {links} held-out links ({low} to {high}, {users} users).",
        title=f"**{safe(_(best['title']))}**",
        recall=percent(best["recall"], 1),
        links=count(comparison.held_links),
        k=comparison.k,
        low=percent(best["recall_low"], 1),
        high=percent(best["recall_high"], 1),
        users=count(comparison.users),
    )
    show.table(
        table,
        "social_comparison",
        name=_("Friend recommenders on held-out links"),
        column_order=["title", "recall", "precision", "auc"],
        column_config={
            "title": st.column_config.TextColumn(_("Method"), width=175),
            "recall": st.column_config.NumberColumn(_("Recall"), format="%.3f", width=65),
            "precision": st.column_config.NumberColumn(_("Precision"), format="%.3f", width=75),
            "auc": st.column_config.NumberColumn(_("AUC"), format="%.3f", width=60),
        },
    )
    paragraph("AUC is the probability that a held-out friend scores above a random user: 0.5 is chance.")
