"""The sidebar below the navigation: the current data set, the state of jobs, and the language."""

import streamlit as st

from pages.ui import services, state, terms
from pages.ui.navigation import has_page
from pages.ui.show import select
from pages.ui.text import NAMES, _, count, fragment, language, n_, safe
from recsys_core.lessons.glossary import TERMS
from recsys_core.text import languages

LOOK_SECONDS = 2.0
"""Seconds between updates of the job counts while jobs are queued or running."""


def show() -> None:
    """Show the content of the sidebar below the navigation."""
    with st.sidebar:
        _glossary()
        _current_data()
        _jobs()
        _language()


def _current_data() -> None:
    card = services.current_card()
    with st.container(border=True, key="sidebar_data"):
        if card is None:
            st.markdown("**" + _("No data set selected") + "**")
            if has_page("data"):
                st.page_link("pages/data.py", label=_("Open one"), icon=":material/arrow_forward:")
            return
        st.markdown(f"**{safe(card.name)}**")
        st.markdown(
            _("{users} users × {items} items").format(users=count(card.n_users), items=count(card.n_items))
            + "  \n"
            + n_("{n} interaction", "{n} interactions", card.n_interactions)
        )


def _jobs() -> None:
    if services.live_jobs().total:
        fragment(_live_jobs, run_every=LOOK_SECONDS)()


def _live_jobs() -> None:
    jobs = services.live_jobs()
    if not jobs.total:
        return
    label = _("{running} running, {queued} queued").format(running=jobs.running, queued=jobs.queued)
    st.page_link(
        "pages/train.py" if has_page("train") else "pages/home.py",
        label=label,
        icon=":material/progress_activity:",
        query_params=state.current() | ({"run": jobs.run} if jobs.run else {}),
    )


def _glossary() -> None:
    """Offer every term of the field, with the lesson that teaches it."""
    with st.popover(_("Glossary"), icon=":material/menu_book:", type="tertiary", key="sidebar_glossary"):
        known = {_(term.name): term for term in TERMS}
        name = st.selectbox(
            _("Term"), sorted(known, key=str.casefold), index=None, key="sidebar_term", placeholder=_("Search a term")
        )
        if name is not None:
            terms.meaning(known[name])


def _language() -> None:
    known = languages()
    if len(known) < 2:
        return
    st.session_state["sidebar_language"] = language()
    select(
        _("Language"),
        {code: NAMES.get(code, code) for code in known},
        "sidebar_language",
        on_change=lambda: state.put("lang", st.session_state["sidebar_language"]),
    )
