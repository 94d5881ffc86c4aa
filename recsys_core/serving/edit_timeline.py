"""Undo and redo for an edited history, and what each edit did."""

from dataclasses import dataclass
from enum import StrEnum

from recsys_core.serving.edited_history import EditedHistory, Entry

KEPT = 100
"""Number of states kept for undo."""


@dataclass(frozen=True)
class Timeline:
    """The states of an edited history as codes, oldest first.

    Args:
        states: Codes of `EditedHistory`; equal neighbors are never stored.
        at: Index of the present state.
    """

    states: tuple[str, ...]
    at: int = 0

    @property
    def present(self) -> str:
        """The code of the present state."""
        return self.states[self.at]

    @property
    def before(self) -> str | None:
        """The code of the state before the last edit, None at the start."""
        return self.states[self.at - 1] if self.at else None

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return self.at > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a later state."""
        return self.at + 1 < len(self.states)

    def done(self, code: str) -> "Timeline":
        """Return the timeline after an edit, which discards the undone states."""
        if code == self.present:
            return self
        states = (*self.states[: self.at + 1], code)[-KEPT:]
        return Timeline(states, len(states) - 1)

    def undone(self) -> "Timeline":
        """Return the timeline one state earlier."""
        return Timeline(self.states, max(0, self.at - 1))

    def redone(self) -> "Timeline":
        """Return the timeline one state later."""
        return Timeline(self.states, min(len(self.states) - 1, self.at + 1))


class EditKind(StrEnum):
    """What an edit did."""

    ADDED = "added"
    DROPPED = "dropped"
    RATED = "rated"
    MOVED = "moved"
    CUT = "cut"
    RESET = "reset"
    SEVERAL = "several"
    """More than one, such as those that a link holds."""


@dataclass(frozen=True)
class Edit:
    """The difference between two states of a history.

    Args:
        kind: What happened.
        item: The item concerned; None if it is more than one.
        count: Number of entries concerned.
    """

    kind: EditKind
    item: int | None
    count: int = 1


def edit_between(before: EditedHistory, after: EditedHistory) -> Edit:
    """Return what leads from one state of a history to the next."""
    one, other = before.entries, after.entries
    if not after.is_edited and len(one) != len(other) + 1:
        return Edit(EditKind.RESET, None, len(other))
    if len(other) == len(one) + 1:
        return Edit(EditKind.ADDED, _extra(other, one).item)
    if len(other) == len(one) - 1:
        return Edit(EditKind.DROPPED, _extra(one, other).item)
    if len(other) != len(one):
        kind = EditKind.SEVERAL if len(other) > len(one) else EditKind.CUT
        return Edit(kind, None, abs(len(one) - len(other)))
    changed = [entry for entry, was in zip(other, one, strict=True) if entry != was]
    places = {(entry.item, entry.place) for entry in changed}
    if len(places) == 1:
        return Edit(EditKind.RATED, changed[0].item)
    return Edit(EditKind.MOVED, None, len(changed))


def _extra(longer: tuple[Entry, ...], shorter: tuple[Entry, ...]) -> Entry:
    """Return the entry that only the longer history has."""
    pairs = zip(longer, shorter, strict=False)
    return next((entry for entry, other in pairs if entry != other), longer[-1])
