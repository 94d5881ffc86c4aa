"""The source of the Attention page: a finished example, or a trained model with a user or custom history."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.attention_parts import runs, trained_model
from pages.attention_parts.trace import Seen
from pages.ui import pickers, state
from pages.ui.queries import comparison_queries
from pages.ui.text import _, safe

if TYPE_CHECKING:
    from recsys_core.explain.attention_file import Example

EXAMPLE, MINE = "example", "mine"
WANTS_MINE = "attention_mine"
"""Session key: trained models are selected, whether there are any or not."""
MARK = "."
"""Separator of algorithm and user in the URL of an example."""


def choose() -> Seen:
    """Show the choice of the source; the page stops where there is nothing yet."""
    return _example() if _source() == EXAMPLE else trained_model.choose()


def open_example(key: str) -> None:
    """Make the page open on a finished example, whatever was shown before."""
    state.put("example", key)
    st.session_state.pop(WANTS_MINE, None)


def _source() -> str:
    """Show the choice between the finished example and a trained model.

    An explicit choice wins; otherwise the example is shown until there is a trained model.
    """
    wants_mine = bool(st.session_state.get(WANTS_MINE)) and not state.get("example")
    first = EXAMPLE if state.get("example") or not (wants_mine or runs.has_any()) else MINE
    if state.is_demo():
        return first
    st.session_state["attention_source"] = first

    def switched() -> None:
        if st.session_state["attention_source"] == EXAMPLE:
            open_example(_examples()[0])
        else:
            state.put("example", None)
            st.session_state[WANTS_MINE] = True

    st.radio(
        _("Source"),
        [EXAMPLE, MINE],
        horizontal=True,
        key="attention_source",
        format_func=lambda one: _("A finished example") if one == EXAMPLE else _("A trained model"),
        on_change=switched,
    )
    return first


@st.cache_resource(show_spinner=False)
def _examples() -> list[str]:
    from recsys_core.explain.attention_file import examples

    return examples()


@st.cache_resource(max_entries=8, show_spinner=False)
def _read(key: str) -> "Example":
    from recsys_core.explain.attention_file import read_example

    return read_example(key)


def _example() -> Seen:
    """Show the pickers of example and user, which are in the URL, and what the example is."""
    known = _examples()
    named, _mark, user = (state.get("example") or "").partition(MARK)
    key = named if named in known else known[0]
    users = list(_read(key).traces)
    user = user if user in users else users[0]
    with pickers.line():
        _pick(_("Model"), "attention_example", known, key, lambda one: _(_read(one).title), lambda one: one)
        _pick(_("User"), f"attention_example_user_{key}", users, user, str, lambda one: f"{key}{MARK}{one}")
    example = _read(key)
    found = example.traces[user]
    st.info(
        _(
            "**This is a finished example:** {model}, trained on the sample '{data}', with the history of user "
            "{user}. {known} Train a model on your own data to see the same charts for it."
        ).format(
            model=safe(_(example.title)), data=safe(example.data), user=safe(user), known=safe(_knows(example, user))
        ),
        icon=":material/science:",
    )
    return Seen(
        found,
        _(example.title),
        _("User {user}").format(user=user),
        f"example_{key}_{users.index(user)}",
        decoding=str(example.facts["settings"].get("decoding", "")),
        beside=example.beside[user],
    )


def _knows(example: "Example", user: str) -> str:
    """Return a sentence on how well the example's model predicts this user."""
    from recsys_core.viz.attention import learned

    return comparison_queries.said(learned(example.traces[user]))


def _pick(label: str, key: str, options: list[str], chosen: str, title: Any, address: Any) -> None:
    """Show a picker bound to the URL; plain text in the demo view."""
    if state.is_demo():
        st.markdown(f"{label}: **{safe(title(chosen))}**", width="content")
        return
    st.session_state[key] = chosen
    st.selectbox(
        label,
        options,
        format_func=title,
        key=key,
        width=320,
        on_change=lambda: open_example(address(st.session_state[key])),
    )
