"""How each model takes in an edited history, and how far its list moved."""

import math
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import services
from pages.ui.queries import list_queries, model_queries
from pages.ui.text import _, later, n_, seconds

if TYPE_CHECKING:
    from pages.recommend_parts.editing import Editing
    from recsys_core.experiments.leaderboard import Contender
    from recsys_core.serving.what_if import Moves

NAMES = {
    "exact": later("Exact fold-in"),
    "sequence": later("Sequence fold-in"),
    "approximate": later("Approximate fold-in"),
    "none": later("No fold-in"),
}
"""Label by `FoldIn`."""
MEANINGS = {
    "exact": later("Scores are computed from the history by the same formula for training users and new users."),
    "sequence": later("The network reads the history in its order, in the same way for training users and new users."),
    "approximate": "",
    "none": later("The history has no effect on the scores; its items are excluded."),
}


def serves_new(key: str) -> bool:
    """Return whether a model supports cold-start users: it uses their history, or it is not personalized."""
    info = services.model_info(key)
    return info.folds_in or not info.personal


def caption(model: "Contender", named: model_queries.Named, editing: "Editing", wanted: list_queries.Wanted) -> None:
    """Show how a model takes in a history that is not that of a training user."""
    if not (editing.now.is_edited or editing.user.is_new):
        return
    info = services.model_info(model.key)
    words = _(info.fold_in_note) if info.fold_in == "approximate" else _(MEANINGS[info.fold_in])
    if info.fold_in in ("approximate", "none"):
        duration = seconds(model.result.fit_seconds / model.result.folds)
        words += " " + _("A refit takes about {seconds}.").format(seconds=duration)
    if info.fold_in != "none" and not editing.user.is_new:
        words += _own_list(named, editing, wanted, approximate=info.fold_in == "approximate")
    st.markdown(badge(model.key), help=words)


def badge(key: str) -> str:
    """Return how a model takes in a history, as a badge."""
    return f":gray-badge[{_(NAMES[services.model_info(key).fold_in])}]"


def _own_list(named: model_queries.Named, editing: "Editing", wanted: list_queries.Wanted, *, approximate: bool) -> str:
    """Return how similar the folded-in list of the unedited history is to the list of the trained user.

    The lists may differ with an exact fold-in, too: User kNN compares a new user with the training row of the same user
    unless both histories are equal. Where they do not differ, that is said of an approximate one only.
    """
    from recsys_core.serving.what_if import moves

    lists = [list_queries.done(named, user, wanted) for user in (editing.user, editing.unedited)]
    if lists[0] is None or lists[1] is None:
        return ""
    found = moves(lists[0], lists[1], wanted.k).jaccard
    if found == 1.0 and not approximate:
        return ""
    words = _("Without edits, the Jaccard similarity of the fold-in list to the list of the trained user is {similar}.")
    return " " + words.format(similar=similarity(found))


def similarity(jaccard: float) -> str:
    """Return a Jaccard similarity as text; undefined for two empty lists."""
    return _("undefined") if math.isnan(jaccard) else f"{jaccard:.2f}"


def overlap(moves: "Moves") -> str:
    """Return one line on how far a list moved."""
    words = [
        _("Jaccard {similar}").format(similar=similarity(moves.jaccard)),
        n_("{n} item in", "{n} items in", moves.entered),
        n_("{n} out", "{n} out", len(moves.gone)),
    ]
    return " · ".join(words)


def arrows(moves: "Moves") -> list[str]:
    """Return a badge per item of a list: ranks gained or lost, and whether the item was not in the list before."""
    return [
        _arrow(change, is_new=new) for change, new in zip(moves.shown["change"], moves.shown["is_new"], strict=True)
    ]


def _arrow(change: float, *, is_new: bool) -> str:
    badges = [f":green-badge[{_('new')}]"] if is_new else []
    if change > 0:
        badges.append(f":blue-badge[▲ {change:.0f}]")
    elif change < 0:
        badges.append(f":orange-badge[▼ {-change:.0f}]")
    return "".join(f" {badge}" for badge in badges)
