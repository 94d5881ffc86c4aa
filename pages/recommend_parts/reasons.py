"""Why an item is in a list, as score contributions or influence of the history, and why another one is not."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.recommend_parts import movement
from pages.ui import pending, services, show, user_picker
from pages.ui.queries import model_queries
from pages.ui.text import _, count, later, paragraph, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from pages.recommend_parts.editing import Editing
    from pages.ui.user_picker import SelectedUser
    from recsys_core.data.dataset import Dataset
    from recsys_core.serving.recommendations import WhyNot

CLICKED = "recommend_why"
"""Session key of the clicked model and item."""
SUMS = {
    "history": later("{model}: score {score:.4g}, the sum of the contributions of {n} items of the history."),
    "neighbours": later("{model}: score {score:.4g}, the sum of the votes of {n} neighbors."),
    "friends": later("{model}: score {score:.4g}, the sum of the contributions of {n} friends."),
    "terms": later("{model}: score {score:.4g}, the sum over {n} terms that the user profile and the item share."),
    "factors": later("{model}: score {score:.4g}, the sum of {n} latent factors and biases."),
    "biases": later("{model}: score {score:.4g}, the sum of {n} biases."),
    "rules": later("{model}: score {score:.4g}, the sum of {n} matching association rules."),
    "parts": later("{model}: score {score:.4g}, the sum of {n} terms."),
}
"""Finding about the terms of a score, by the kind of explanation."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A trained model to explain, and the user concerned, with the edits of their history."""

    model: model_queries.Named
    title: str
    editing: "Editing"

    @property
    def dataset(self) -> "Dataset":
        """Data set of the items."""
        return self.editing.dataset

    @property
    def user(self) -> "SelectedUser":
        """The user as the model sees them."""
        return self.editing.edited


def why(trials: dict[str, Trial]) -> None:
    """Show the score contributions of the clicked item; for models without them, the influence of each history item."""
    from recsys_core.explain.deletion import reads_histories
    from recsys_core.serving.recommendations import can_explain

    model, item = st.session_state.get(CLICKED, (None, None))
    if model not in trials:
        paragraph("Click an item to see how its score is composed.")
        return
    trial = trials[model]
    if trial.editing.now.is_edited:
        movement.why(trial.model, trial.title, trial.editing, item)
    info = services.model_info(trial.model.key)
    if not can_explain(info) and reads_histories(info):
        _effects(trial, item)
        return
    try:
        _parts(trial, item)
    except RecscopeError as error:
        st.info(safe(error))


def _parts(trial: Trial, item: int) -> None:
    from recsys_core.viz.recommend import contributions

    query = trial.user.query
    found = model_queries.outcome(
        trial.model, "reason", _("Computing the explanation"), trial.user.key, item, query=query, item=item
    )
    if found is None:
        return
    st.subheader(_("Why {title}?").format(title=safe(found.title)))
    words = _(SUMS.get(found.kind, SUMS["parts"]))
    show.figure(
        contributions(found.parts, score=found.score),
        key="figure_why",
        name=_("Score contributions"),
        sentence=words.format(model=trial.title, score=found.score, n=found.sources),
        table=found.parts,
    )


def _effects(trial: Trial, item: int) -> None:
    """Show the leave-one-out influence of each history item; the scores are computed in the background."""
    from recsys_core.viz.recommend import effect_bars

    ticket = model_queries.ticket(trial.model, "effects", trial.user.key, item, query=trial.user.query, item=item)
    found = pending.outcome(ticket, _("Leaving out one item at a time"))
    if found is None:
        return
    st.subheader(_("Why {title}?").format(title=safe(found.title)))
    paragraph(
        "**Approximation.** {model} does not decompose its scores. Instead, each item of the history was "
        "left out once and the score was recomputed: a bar is the influence of an item, the score change "
        "when it is left out. The influences do not add up to the score, because items with the same "
        "information substitute for each other.",
        model=safe(trial.title),
    )
    sentence = _(
        "{title}: score {score:.4g}; for a cold-start user with this history, {folded:.4g}. {n} items were "
        "left out, one at a time."
    )
    show.figure(
        effect_bars(found.parts),
        key="figure_effects",
        name=_("Leave-one-out influence"),
        sentence=sentence.format(title=found.title, score=found.score, folded=found.folded, n=count(found.sources)),
        table=found.parts,
    )


def why_not(trials: dict[str, Trial], k: int) -> None:
    """Show how far a selected item is from a list, and how its score differs."""
    st.subheader(_("Why not another item?"))
    with st.container(horizontal=True, key="why_not"):
        titles = {model: trial.title for model, trial in trials.items()}
        model = show.select(_("In the list of"), titles, "why_not_model", width=260)
        text = st.text_input(_("Search items by title"), key="why_not_search", width=260)
        trial = trials[model]
        offered = user_picker.found_items(trial.dataset, text)
        hint = _("Select from the items found")
        item = show.select(_("Item"), offered, "why_not_item", index=None, placeholder=hint, width=320)
    if item is None:
        paragraph("Select an item to see its rank, its score, and how far it is from the list.")
        return
    about, query = (trial.user.key, item, k), trial.user.query
    found = model_queries.outcome(
        trial.model, "why_not", _("Computing the explanation"), *about, query=query, item=item, k=k
    )
    if found is None:
        return
    st.markdown(safe(_place(trial, found)))
    if found.seen or found.last is None or found.item == found.last or found.rank is None:
        return
    if found.parts.empty:
        paragraph("This model does not decompose its scores, so there are no contributions to compare.")
        return
    _beside_the_last(found)


def _place(trial: Trial, why_not: "WhyNot") -> str:
    """Return a sentence on the rank of an item."""
    values = {
        "model": trial.title,
        "title": why_not.title,
        "rank": count(why_not.rank or 0),
        "of": count(why_not.of),
        "score": f"{why_not.score:.4g}",
        "last": why_not.last_title,
        "k": count(why_not.last_rank),
        "last_score": f"{why_not.last_score:.4g}",
        "gap": f"{why_not.last_score - why_not.score:.4g}",
    }
    if why_not.rank is None:
        words = _("{model} has no score for '{title}', so it is never recommended to this user.")
    elif why_not.seen:
        words = _(
            "'{title}' is in the history, and items of the history are not recommended again. By its score, "
            "{score}, it would be at rank {rank}."
        )
    elif why_not.rank <= why_not.last_rank:
        words = _("'{title}' is in the list: rank {rank} of {of}, score {score}.")
    else:
        words = _(
            "'{title}' is at rank {rank} of {of} with a score of {score}. The last item of the list, '{last}' "
            "at rank {k}, has a score of {last_score}: a gap of {gap}."
        )
    return words.format(**values)


def _beside_the_last(why_not: "WhyNot") -> None:
    """Show the contributions to both scores side by side, the largest differences first."""
    from recsys_core.viz.recommend import side_by_side

    most = why_not.parts.iloc[0]
    words = _(
        "The largest difference is '{part}': it contributes {asked:.4g} to '{title}' and {last:.4g} to '{other}'."
    )
    show.figure(
        side_by_side(why_not.parts, title=why_not.title, last=why_not.last_title),
        key="figure_why_not",
        name=_("Score contributions of both items"),
        sentence=words.format(
            part=most["title"], asked=most["asked"], title=why_not.title, last=most["last"], other=why_not.last_title
        ),
        table=why_not.parts,
    )
