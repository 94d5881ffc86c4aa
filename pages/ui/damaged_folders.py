"""Damaged folders of the workspace: each with its reason and a button that deletes it."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services, state
from pages.ui.text import _, later, n_, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.storage.damaged import DamagedFolder

KINDS = {
    "data set": later("Data set"),
    "experiment": later("Experiment"),
    "strategy": later("Strategy"),
    "tuning": later("Tuning"),
}
SHOWN = 20
NOTICE = "damaged_notice"


def show(*kinds: str) -> None:
    """Show the damaged folders, if there are any.

    Args:
        *kinds: Kinds of folders to show; all by default.
    """
    if words := st.session_state.pop(NOTICE, None):
        st.error(safe(words))
    found = [one for one in _damaged() if one.kind in (kinds or tuple(KINDS))]
    if not found or state.is_demo():
        return
    with st.container(border=True, key="damaged", gap="small"):
        st.warning(
            n_(
                "{n} folder of the workspace is damaged and was set aside. Nothing else is affected.",
                "{n} folders of the workspace are damaged and were set aside. Nothing else is affected.",
                len(found),
            ),
            icon=":material/heart_broken:",
        )
        for one in found[:SHOWN]:
            _row(one)
        if len(found) > SHOWN:
            words = _("And {n} more; `python -m recsys_core workspace` lists them all.")
            st.markdown(words.format(n=len(found) - SHOWN))


def _row(one: "DamagedFolder") -> None:
    text, action = st.columns([5, 1], vertical_alignment="center")
    text.markdown(f"**{_(KINDS[one.kind])} {safe(one.name)}**  \n{safe(one.reason)}")
    with action, st.popover(_("Delete"), icon=":material/delete:", key=f"damaged_{one.key}", type="tertiary"):
        words = _("The folder {key} is deleted permanently, with everything that can still be read in it.")
        st.markdown(words.format(key=safe(one.key)))
        st.button(
            _("Delete permanently"),
            key=f"damaged_remove_{one.key}",
            type="primary",
            on_click=_remove,
            args=(one.kind, one.key),
        )


def _damaged() -> "list[DamagedFolder]":
    """Return the damaged folders found when the lists of this page were read."""
    aside = not services.is_empty("set_aside")
    found: list[DamagedFolder] = []
    if aside or not services.is_empty("datasets"):
        found += services.workspace().damaged(look=False)
    if aside or not services.is_empty("runs"):
        found += services.store().damaged(look=False)
    if aside or not services.is_empty("strategies"):
        found += services.strategies().damaged()
    if aside or not services.is_empty("tunings"):
        found += services.tuning_store().damaged()
    return found


def _remove(kind: str, key: str) -> None:
    """Delete a damaged folder permanently; if that is refused, keep the reason for the next script run."""
    try:
        if kind == "data set":
            services.workspace().remove_damaged(key)
        elif kind == "strategy":
            services.strategies().remove_damaged(key)
        elif kind == "tuning":
            services.tuning_store().remove_damaged(key)
        else:
            services.store().remove_damaged(key)
    except RecscopeError as error:
        st.session_state[NOTICE] = str(error)
