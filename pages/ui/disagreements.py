"""Users on whom two models disagree, and one user's lists side by side."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import show, state
from pages.ui.queries import comparison_queries
from pages.ui.text import _, n_, paragraph, percent, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    import pandas as pd

    from pages.ui.queries.comparison_queries import ResultsKey
    from recsys_core.experiments.held_out_users import HeldOutUser

SHOWN = 100
HIT, MISS = ":material/check_circle:", ":material/radio_button_unchecked:"


def section(results: "ResultsKey", metric: str, baseline: str, k: int) -> None:
    """Show the users on whom two models disagree, and the selected one."""
    titles = {model.id: model.title for model in comparison_queries.contenders(results)}
    ranked = [model for model in comparison_queries.board(results, metric, baseline)["model"] if model in titles]
    if len(ranked) < 2:
        paragraph("Users are compared between two models; only one has finished.")
        return
    first, second = _pair(ranked, titles)
    table = comparison_queries.disagreements(results, first, second, metric, k)
    sentence = n_(
        "{n} user was evaluated with both models. The users with the largest differences come first.",
        "{n} users were evaluated with both models. The users with the largest differences come first.",
        int(table["difference"].notna().sum()),
    )
    st.markdown(sentence)
    users, one = st.columns([3, 2], gap="medium")
    with users:
        _choose(table, titles[first], titles[second])
    user_id = state.get("user") or (str(table["user_id"].iloc[0]) if len(table) else None)
    with one:
        opened = _opened(results, (first, second), user_id, k)
    if opened is not None:
        lists(opened, titles)


def _pair(ranked: list[str], titles: dict[str, str]) -> tuple[str, str]:
    with st.container(horizontal=True, key="people_models"):
        names = {model: titles[model] for model in ranked}
        first = show.select(_("First model"), names, "people_first", width=320)
        others = {model: title for model, title in names.items() if model != first}
        second = show.select(_("Second model"), others, "people_second", width=320)
    return first, second


def _choose(table: "pd.DataFrame", first: str, second: str) -> None:
    """Show the users on whom two models differ; selecting a row opens the user."""
    shown = table.head(SHOWN)[["user_id", "first", "second", "difference", "shared"]]
    show.table(
        shown,
        "people_table",
        name=_("Users on whom the models disagree"),
        column_config={
            "user_id": st.column_config.TextColumn(_("User"), width=70),
            "first": st.column_config.NumberColumn(first, format="%.3f", width=100),
            "second": st.column_config.NumberColumn(second, format="%.3f", width=100),
            "difference": st.column_config.NumberColumn(_("Difference"), format="%+.3f", width=85),
            "shared": st.column_config.NumberColumn(_("Overlap"), format="percent", width=65),
        },
        on_select=lambda: _open_selected(shown),
        selection_mode="single-row",
        height=420,
    )
    st.text_input(
        _("Or open a user by ID"),
        key="people_user",
        on_change=lambda: state.put("user", st.session_state["people_user"].strip() or None),
    )


def _open_selected(shown: "pd.DataFrame") -> None:
    """Open the user whose row was selected."""
    rows = st.session_state["people_table"].selection.rows
    if rows:
        state.put("user", str(shown["user_id"].iloc[rows[0]]))


def _opened(results: "ResultsKey", models: tuple[str, ...], user_id: str | None, k: int) -> "HeldOutUser | None":
    """Show the training history and the held-out relevant items of the selected user."""
    if user_id is None:
        return None
    try:
        user = comparison_queries.held_out_user(results, models, user_id, k)
    except RecscopeError as error:
        st.warning(safe(error))
        return None
    st.subheader(_("User {user}").format(user=safe(user_id)))
    st.markdown(
        n_("{n} item in the training history.", "{n} items in the training history.", len(user.history))
        + " "
        + n_("{n} relevant item was held out.", "{n} relevant items were held out.", int(user.held_out["liked"].sum()))
    )
    shown, to_find = st.tabs([_("History"), _("Held-out relevant items")])
    with shown:
        history(user.history, "people_history")
    with to_find:
        history(user.held_out[user.held_out["liked"]], "people_hidden")
    return user


def history(frame: "pd.DataFrame", key: str) -> None:
    """Show a user's history, latest first."""
    show.table(
        frame,
        key,
        name=_("History"),
        height=300,
        column_order=[name for name in ("title", "rating", "timestamp", "categories", "listed_by") if name in frame],
        column_config={
            "title": st.column_config.TextColumn(_("Title"), width="medium"),
            "rating": st.column_config.NumberColumn(_("Rating"), format="%g"),
            "timestamp": st.column_config.DateColumn(_("Date")),
            "categories": st.column_config.TextColumn(_("Categories")),
            "listed_by": st.column_config.NumberColumn(_("Recommended by")),
        },
    )


def lists(user: "HeldOutUser", titles: dict[str, str], *, key: str = "list") -> None:
    """Show the lists of several models side by side, with hits and items unique to one list marked."""
    if user.note is not None:
        st.markdown(str(user.note))
    for column, (model, frame) in zip(st.columns(len(user.lists), gap="medium"), user.lists.items(), strict=True):
        with column, st.container(border=True, key=f"{key}_{model}"):
            st.markdown(f"**{safe(titles[model])}**")
            st.markdown(
                n_("{n} hit", "{n} hits", int(frame["hit"].sum()))
                + ", "
                + _("{share} of the list").format(share=percent(float(frame["hit"].mean()) if len(frame) else 0.0))
            )
            st.markdown("\n".join(_line(row, len(user.lists)) for row in frame.to_dict("records")))


def _line(row: dict[Hashable, Any], n_lists: int) -> str:
    alone = f" :orange-badge[{_('only in this list')}]" if row["listed_by"] == 1 and n_lists > 1 else ""
    mark = HIT if row["hit"] else MISS
    title = f"**{safe(row['title'])}**" if row["hit"] else safe(row["title"])
    return f"{row['rank']}. {mark} {title}{alone}"
