"""The models that a link asks a page to open with, such as a lesson's 'do it on my data': `?pick=user_knn:...`.

On pages of trained models a pick selects an experiment and its model, once, and is then removed, since both are in the
URL themselves. On Train it stays: it fills in the form once per visit from Learn, and once per session of its own. The
session remembers it until then, so that Inside opens with the model that was trained meanwhile.
"""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services, state
from pages.ui.navigation import has_page
from pages.ui.text import _, safe
from recsys_core.errors import ConfigError

if TYPE_CHECKING:
    from recsys_core.models.choice import ModelChoice

USED, REMEMBERED = "pick_used", "pick_remembered"
"""Session keys: the pick and split that have filled in the form of Train, and the model that is still to be opened."""


def requested() -> "tuple[ModelChoice, ...]":
    """Return the models in the URL; none, with a warning, if the URL has some that do not exist."""
    code = state.get("pick")
    if code is None:
        return ()
    from recsys_core.models.choice import decoded_choices

    try:
        return decoded_choices(code)
    except ConfigError as error:
        st.warning(safe(error))
        return ()


def open_trained() -> None:
    """Select the newest experiment of the data set with a finished model of the pick, and that model.

    Without one, state so with a link to Train, and leave everything unchanged.
    """
    choices = requested()
    if choices:
        st.session_state[REMEMBERED] = choices[0].key
    key = st.session_state.get(REMEMBERED)
    if key is None:
        return
    for card in services.run_cards():
        trained = [one for one, job in card.states.items() if job == "DONE" and one.rpartition("-")[0] == key]
        if trained and card.data == state.get("data"):
            _open(card.id, trained[0])
            return
    if choices:
        _offer_training(key)


def _open(run: str, model: str) -> None:
    if state.get("run") != run:
        state.choose("run", run)
    state.put("model", model)
    state.put("models", model)
    state.put("pick", None)
    st.session_state.pop(REMEMBERED, None)


def _offer_training(key: str) -> None:
    title = safe(services.model_title(key))
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="pick_missing"):
        st.markdown(_("**{model}** is not trained on this data set yet.").format(model=title), width="content")
        if has_page("train"):
            st.page_link(
                "pages/train.py", label=_("Train {model}").format(model=title), icon=":material/model_training:",
                query_params=state.current(),
            )  # fmt: skip


def is_fresh() -> bool:
    """Return, once, whether the pick and the split in the URL have not filled in a form yet."""
    now = (state.get("pick"), state.get("split"))
    if now == (None, None) or st.session_state.get(USED) == now:
        return False
    st.session_state[USED] = now
    return True


def forget() -> None:
    """Fill in the form again: the next page is opened from Learn."""
    st.session_state.pop(USED, None)
