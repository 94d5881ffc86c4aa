"""The edited history of the user on the page: its state in session and URL, undo and redo."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services, state
from pages.ui.text import _, safe
from pages.ui.user_picker import SelectedUser
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.experiment import Run
    from recsys_core.serving.edit_timeline import Timeline
    from recsys_core.serving.edited_history import BaseHistory, EditedHistory

KEPT = "edited_history"
"""Session key: owner of the timeline, its states, and the index of the present one."""
REFUSED = "edited_history_refused"
"""Session key of the reason why the last edit was not made."""


@dataclass(frozen=True, eq=False)
class Editing:
    """The user of the page with an edited history.

    Args:
        owner: Identifies the history before any edit.
        user: The user before any edit.
        dataset: Data set of the items.
        timeline: The states of the history.
        now: The present state.
    """

    owner: str
    user: SelectedUser
    dataset: "Dataset"
    timeline: "Timeline"
    now: "EditedHistory"

    @property
    def edited(self) -> SelectedUser:
        """The user as the models see them: the user of the data as long as nothing is edited."""
        return self.at(self.now) if self.now.is_edited else self.user

    @property
    def unedited(self) -> SelectedUser:
        """The user before any edit, with a history that models take in like the edited one."""
        return self.at(_unedited(self.now.base))

    @property
    def before(self) -> SelectedUser | None:
        """The user before the last edit, None at the start."""
        code = self.timeline.before
        return None if code is None else self.at(self.read(code))

    def at(self, history: "EditedHistory") -> SelectedUser:
        """Return the user with another history."""
        from recsys_core.serving.edited_history import history_table

        table = history_table(history, self.dataset)
        code = history.code or history.base.name
        return SelectedUser(
            self.user.name, history.query(), table, f"{self.user.key} {code}", self.user.is_new, self.user.position
        )

    def read(self, code: str) -> "EditedHistory":
        """Return the history of a code of the timeline."""
        from recsys_core.serving.edited_history import decoded

        return decoded(self.now.base, code, self.dataset.n_items)

    def change(self, edit: "Callable[[EditedHistory], EditedHistory]") -> None:
        """Make an edit, in a callback; if it is refused, the next script run says why.

        The state in the session is edited, which is newer than that of this page if clicks follow each other quickly.
        """
        timeline = self._latest()
        try:
            _keep(self.owner, timeline.done(edit(self.read(timeline.present)).code))
        except RecscopeError as error:
            st.session_state[REFUSED] = str(error)

    def undo(self) -> None:
        """Go back one state, in a callback."""
        _keep(self.owner, self._latest().undone())

    def redo(self) -> None:
        """Go forward one state, in a callback."""
        _keep(self.owner, self._latest().redone())

    def _latest(self) -> "Timeline":
        return _kept(self.owner) or self.timeline

    def reset(self) -> None:
        """Drop all edits, in a callback; this can be undone, too."""
        self.change(lambda now: _unedited(now.base))


def current(run: "Run", user: SelectedUser) -> Editing:
    """Return the history of the user with the edits of this session, at first those in the URL."""
    from recsys_core.serving.edit_timeline import Timeline
    from recsys_core.serving.edited_history import BaseHistory, decoded

    dataset, base = services.dataset(run.spec.data), BaseHistory(user.query, user.is_new and user.key == "new")
    owner = f"{run.spec.data} {user.key} {base.name}"
    timeline = _kept(owner)
    if timeline is None:
        timeline = Timeline((_unedited(base).code,))
        if KEPT not in st.session_state:
            timeline = timeline.done(_linked(base, dataset.n_items))
    _keep(owner, timeline)
    if words := st.session_state.pop(REFUSED, None):
        st.warning(safe(words))
    return Editing(owner, user, dataset, timeline, decoded(base, timeline.present, dataset.n_items))


def _kept(owner: str) -> "Timeline | None":
    """Return the timeline of a history in this session, None if it is that of another one."""
    from recsys_core.serving.edit_timeline import Timeline

    kept = st.session_state.get(KEPT)
    if kept is None or kept["owner"] != owner:
        return None
    return Timeline(tuple(kept["states"]), kept["at"])


def _unedited(base: "BaseHistory") -> "EditedHistory":
    from recsys_core.serving.edited_history import EditedHistory

    return EditedHistory.unedited(base)


def _linked(base: "BaseHistory", n_items: int) -> str:
    """Return the code in the URL; if it does not fit, the unedited one, and the page says so."""
    from recsys_core.serving.edited_history import decoded

    try:
        return decoded(base, state.get("history") or "", n_items).code
    except RecscopeError as error:
        st.session_state[REFUSED] = str(error)
        return _unedited(base).code


def _keep(owner: str, timeline: "Timeline") -> None:
    """Keep the timeline in the session and its present state in the URL."""
    st.session_state[KEPT] = {"owner": owner, "states": list(timeline.states), "at": timeline.at}
    if (state.get("history") or "") != timeline.present:
        state.put("history", timeline.present)


def buttons(editing: Editing, key: str) -> None:
    """Show undo, redo and reset."""
    timeline = editing.timeline
    steps = {
        "undo": (_("Undo"), ":material/undo:", editing.undo, timeline.can_undo),
        "redo": (_("Redo"), ":material/redo:", editing.redo, timeline.can_redo),
        "reset": (_("Reset"), ":material/restart_alt:", editing.reset, editing.now.is_edited),
    }
    with st.container(horizontal=True, gap="small", key=f"{key}_steps"):
        for name, (label, icon, act, possible) in steps.items():
            st.button(label, key=f"{key}_{name}", icon=icon, on_click=act, disabled=not possible)
