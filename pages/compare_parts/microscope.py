"""The metric microscope: a number of the leaderboard with its definition, its users, and other libraries' values."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import disagreements, show, state
from pages.ui.queries import comparison_queries
from pages.ui.text import _, paragraph, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    import pandas as pd

    from pages.ui.queries.comparison_queries import ResultsKey
    from recsys_core.experiments.microscope import Microscope

MODEL, METRIC = "microscope_model", "microscope_metric"
"""Session keys of the number that is taken apart."""
WRAPPED_ROW = 66
"""Row height in pixels for reasons of two lines; Streamlit wraps only in rows above 64."""


def is_open() -> bool:
    """Return whether a number was clicked."""
    return MODEL in st.session_state


def aim(model: str, metric: str) -> None:
    """Select a number; called before the widgets of the microscope are drawn."""
    st.session_state[MODEL], st.session_state[METRIC] = model, metric


def section(results: "ResultsKey", board: "pd.DataFrame", compared_by: str, k: int) -> None:
    """Show the number selected by a click or in the pickers; before, the compared metric of the first model.

    Args:
        results: The experiment.
        board: The leaderboard.
        compared_by: The metric by which the models are compared.
        k: Length of the lists for metrics without a cut-off.
    """
    from recsys_core.experiments.leaderboard import metric_title
    from recsys_core.viz import microscope as views

    titles = {model.id: model.title for model in comparison_queries.contenders(results)}
    model, metric = _choices(results, titles, board["model"].iloc[0], compared_by)
    try:
        seen = comparison_queries.microscope(results, model, metric)
    except RecscopeError as error:
        st.error(safe(error))
        return
    name = metric_title(metric)
    row = board[board["model"] == model] if metric == compared_by else board[:0]
    compared = None if row.empty else (float(row["mean"].iloc[0]), int(row["users"].iloc[0]))
    said = views.sentences(seen, metric=name, model=titles[model], compared=compared)
    st.markdown(" ".join(safe(sentence) for sentence in said))
    definition, picture = st.columns([2, 3], gap="large")
    with definition:
        _definition(seen)
    if seen.value is not None and len(seen.users):
        bins = views.histogram(seen)
        with picture:
            st.subheader(_("Users by value"))
            show.figure(
                views.value_histogram(bins, metric=name, value=seen.value),
                key="figure_microscope",
                name=_("Users by value"),
                table=bins,
            )
        _ends(results, seen, model, titles, seen.name.k or k)
    _libraries(seen.conventions)


def _choices(results: "ResultsKey", titles: dict[str, str], model: str, metric: str) -> tuple[str, str]:
    """Show the pickers of model and metric; a projector shows the number that was clicked."""
    from recsys_core.experiments.leaderboard import metric_title

    clicked = str(st.session_state.get(MODEL))
    model = clicked if clicked in titles else model
    if state.is_demo():
        return model, st.session_state.get(METRIC, metric)
    with st.container(horizontal=True, key="microscope_choices"):
        st.session_state[MODEL] = model
        model = show.select(_("Model"), titles, MODEL, width=380)
        metrics = {one: metric_title(one) for one in comparison_queries.metrics_of(results, model)}
        wanted = st.session_state.get(METRIC, metric)
        st.session_state[METRIC] = wanted if wanted in metrics else next(iter(metrics))
        metric = show.select(_("Metric"), metrics, METRIC, width=260)
    return model, metric


def _definition(seen: "Microscope") -> None:
    """Show formula, idea and edge cases."""
    from recsys_core.evaluation.edge_cases import EDGE_CASES

    st.subheader(_("Definition"))
    st.markdown(f"$\\displaystyle {seen.info.formula}$")  # breaks lines where st.latex would scroll sideways
    st.markdown(safe(_(seen.info.idea)))
    st.markdown("\n".join(f"- **{_(label)}**: {safe(_(text))}" for label, text in EDGE_CASES[seen.info.key].rows()))
    if seen.info.kind == "accuracy":
        st.caption(_("h is 1 if the item at rank r is relevant, else 0; R are the relevant items of the user."))


def _libraries(conventions: "pd.DataFrame") -> None:
    """Show the values that other libraries compute for the same lists."""
    if conventions.empty:
        return
    st.subheader(_("The same lists in other libraries"))
    paragraph("Mean over the users that each library counts, with its default settings unless an option is named.")
    show.table(
        conventions.assign(reason=conventions["reason"].map(_)),
        "microscope_libraries",
        name=_("The same lists in other libraries"),
        column_config={
            "library": st.column_config.TextColumn(_("Library"), width=130),
            "name": st.column_config.TextColumn(_("Name there"), width=160),
            "mean": st.column_config.NumberColumn(_("Value"), format="%.3f", width=70),
            "users": st.column_config.NumberColumn(_("Users"), format="localized", width=70),
            "difference": st.column_config.NumberColumn(_("Difference"), format="%+.3f", width=85),
            "reason": st.column_config.TextColumn(_("Reason"), width=330),
        },
        row_height=WRAPPED_ROW,
    )
    st.caption(_("A difference of 0 with a reason: no list of this model has the case that makes a difference."))


def _ends(results: "ResultsKey", seen: "Microscope", model: str, titles: dict[str, str], k: int) -> None:
    """Show the users with the best and the worst values, each with a list."""
    judging = seen.info.direction != "neither"
    names = (_("Best users"), _("Worst users")) if judging else (_("Highest values"), _("Lowest values"))
    tables = (seen.best(), seen.worst())
    for column, key, title, users in zip(st.columns(2, gap="large"), ("best", "worst"), names, tables, strict=True):
        with column:
            st.subheader(title)
            _users(users, key, title)
            _list(results, model, titles, _selected(users, key), k, key)
    show.csv_download(_("All users (CSV)"), lambda: seen.users, f"{results.run}-{model}-users", "microscope_users")


def _users(users: "pd.DataFrame", key: str, title: str) -> None:
    show.table(
        users,
        f"microscope_{key}",
        name=title,
        offer_file=False,
        column_order=[column for column in ("user_id", "value", "n_relevant", "n_listed") if column in users],
        column_config={
            "user_id": st.column_config.TextColumn(_("User")),
            "value": st.column_config.NumberColumn(_("Value"), format="%.3f"),
            "n_relevant": st.column_config.NumberColumn(_("Relevant items"), format="localized"),
            "n_listed": st.column_config.NumberColumn(_("Recommended items"), format="localized"),
        },
        on_select="rerun",
        selection_mode="single-row",
    )


def _selected(users: "pd.DataFrame", key: str) -> str:
    """Return the selected user, the first by default."""
    chosen = st.session_state.get(f"microscope_{key}")
    rows = chosen.selection.rows if chosen else []
    return str(users["user_id"].iloc[rows[0] if rows and rows[0] < len(users) else 0])


def _list(results: "ResultsKey", model: str, titles: dict[str, str], user_id: str, k: int, key: str) -> None:
    """Show the list of a user with hits marked, and the relevant items."""
    try:
        user = comparison_queries.held_out_user(results, (model,), user_id, k)
    except RecscopeError as error:
        st.warning(safe(error))
        return
    st.markdown(_("List of user {user}. Select a row of the table for another user.").format(user=safe(user_id)))
    disagreements.lists(user, titles, key=f"microscope_{key}_list")
    with st.expander(_("Held-out relevant items of user {user}").format(user=safe(user_id))):
        disagreements.history(user.held_out[user.held_out["liked"]], f"microscope_{key}_relevant")
