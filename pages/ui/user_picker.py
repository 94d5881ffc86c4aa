"""Whose recommendations are shown: a user of the data set, or a new user."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import finder, services, show, state
from pages.ui.text import _, n_, paragraph, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    import pandas as pd

    from recsys_core.contracts import QueryBatch
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.experiment import Run

FROM_DATA, CUSTOM = "data", "made_up"
LATEST = 3
"""Number of latest items named."""


@dataclass(frozen=True, eq=False)
class SelectedUser:
    """A user with their history.

    Args:
        name: Display name, safe for Markdown.
        query: Input of the models.
        history: The history as a table, latest first.
        key: Identifies the user in caches and keys.
        is_new: Whether the user is unknown to the trained models.
        position: Position of the user in the data; -1 for a user who is not in the data.
    """

    name: str
    query: "QueryBatch"
    history: "pd.DataFrame"
    key: str
    is_new: bool
    position: int = -1


def choose(run: "Run") -> SelectedUser:
    """Show the choice between the users of the data set and a new user, whose history is empty.

    The URL decides at first: its edited history may be that of a new user.
    """
    from recsys_core.serving.edited_history import is_of_new_user

    dataset = services.dataset(run.spec.data)
    linked = CUSTOM if is_of_new_user(state.get("history") or "") else FROM_DATA
    if state.is_demo():
        kind = linked
    else:
        st.session_state.setdefault("recommend_kind", linked)
        kind = kind_of_history(_("Recommend for"), "recommend_kind", CUSTOM)
    return _new_user() if kind == CUSTOM else _from_data(run, dataset)


def kind_of_history(label: str, key: str, custom: str, **options: Any) -> str:
    """Show the choice between a user of the data set and a custom history; return `FROM_DATA` or `custom`."""
    names = {FROM_DATA: _("User from the data set"), custom: _("Custom history (cold-start user)")}
    return str(show.radio(label, names, key, **options))


def _from_data(run: "Run", dataset: "Dataset") -> SelectedUser:
    if state.is_demo():
        return of_data(run, dataset, finder.choose(finder.USER, dataset))
    finder.drop_unknown(finder.USER, dataset)
    with st.container(horizontal=True, key="recommend_user_line"):
        user_id = finder.pick(finder.USER, dataset, "recommend_search", "recommend_user", width=260)
    return of_data(run, dataset, user_id)


def found_items(dataset: "Dataset", text: str) -> dict[int, str]:
    """Return position -> title of the items whose title or ID contains the text, most popular first."""
    found = finder.search(dataset, finder.ITEM, text)
    return dict(zip(found["item"].tolist(), found["title"], strict=True))


def of_data(run: "Run", dataset: "Dataset", user_id: str) -> SelectedUser:
    """Return a user of the data set with all interactions that the models of a run learn from.

    The page stops if there is no such user.
    """
    from recsys_core.experiments.held_out_users import is_known
    from recsys_core.serving.recommendations import query_of

    try:
        user = dataset.user_vocabulary.position(user_id)
        known = is_known(run, user)
    except RecscopeError as error:
        st.warning(safe(error))
        st.stop()
    rows, task = _history(str(services.root()), dataset.fingerprint, user), run.spec.task
    history, seen = task.history(rows), task.targets(rows)["item"].to_numpy() if task.target else None
    name = _("User {user}").format(user=safe(user_id))
    query = query_of(user, history, known=known, seen=seen)
    return SelectedUser(name, query, history, f"user {user_id}", not known, user)


@st.cache_data(max_entries=256, show_spinner=False)
def _history(root: str, fingerprint: str, user: int) -> "pd.DataFrame":
    from recsys_core.experiments.held_out_users import history_of

    return history_of(services.dataset(fingerprint), user)


def _new_user() -> SelectedUser:
    """Return a user who is not in the data and has no history."""
    import pandas as pd

    from recsys_core.serving.edited_history import BaseHistory

    query = BaseHistory.empty().query
    return SelectedUser(_("New user"), query, pd.DataFrame({"item": [], "title": []}), "new", is_new=True)


def items(dataset: "Dataset", label: str, search_key: str, key: str, **options: Any) -> list[int]:
    """Show the item search and the selected items, with `options` of the selection; return their positions in order."""
    from recsys_core.experiments.held_out_users import described_items

    text = st.text_input(_("Search items by title"), key=search_key)
    kept = list(st.session_state.get(key, []))
    found = found_items(dataset, text)
    titles = described_items(dataset, [*kept, *(item for item in found if item not in kept)])
    names = dict(zip(titles["item"].tolist(), titles["title"], strict=True))
    return st.multiselect(
        label,
        list(names),
        format_func=lambda one: names.get(one, ""),
        key=key,
        placeholder=_("Select from the items found"),
        **options,
    )


def show_history(user: SelectedUser) -> None:
    """Show the length of a user's history and its latest items."""
    st.markdown(n_("{n} item in the history.", "{n} items in the history.", len(user.history)))
    if len(user.history):
        titles = safe(", ".join(user.history["title"].head(LATEST)))
        if "timestamp" in user.history:
            paragraph("Latest items: {titles}", titles=titles)
        else:
            paragraph("Last items in the order of the file: {titles}", titles=titles)
