"""Why an item is in a list, as parts of its score or as what the history does to it, and why another one is not."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import pending, show, user_picker
from pages.ui.queries import model_queries
from pages.ui.text import _, count, later, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from pages.ui.user_picker import Asked
    from recsys_core.data.dataset import Dataset
    from recsys_core.serving.recommendations import WhyNot

CLICKED = "recommend_why"
"""Where the session keeps the model and the item that were clicked."""
SUMS = {
    "history": later("{model} gives it {score:.4g}: the sum of what {n} items of the history add."),
    "neighbours": later("{model} gives it {score:.4g}: the sum of the votes of {n} people like this one."),
    "friends": later("{model} gives it {score:.4g}: the sum of what {n} friends add."),
    "terms": later("{model} gives it {score:.4g}: the sum of {n} terms that the person likes and the item has."),
    "factors": later("{model} gives it {score:.4g}: the sum of {n} hidden tastes and biases."),
    "biases": later("{model} gives it {score:.4g}: the sum of {n} biases."),
    "rules": later("{model} gives it {score:.4g}: the sum of {n} rules that fired."),
    "parts": later("{model} gives it {score:.4g}: the sum of {n} parts."),
}
"""What the parts of a score are, by the kind of the explanation."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A trained model that is asked for reasons, and the person whom they are about."""

    model: model_queries.Named
    title: str
    dataset: "Dataset"
    person: "Asked"


def why(trials: dict[str, Trial]) -> None:
    """Show the parts of the score of the item that was clicked; for models without parts, what each item does to it."""
    from recsys_core.explain.deletion import reads_histories
    from recsys_core.models.registry import model_class
    from recsys_core.serving.recommendations import can_explain

    model, item = st.session_state.get(CLICKED, (None, None))
    if model not in trials:
        st.markdown(_("Click an item to see what its score is made of."))
        return
    trial = trials[model]
    info = model_class(trial.model.key).info
    if not can_explain(info) and reads_histories(info):
        _effects(trial, item)
        return
    try:
        _parts(trial, item)
    except RecscopeError as error:
        st.info(safe(error))


def _parts(trial: Trial, item: int) -> None:
    from recsys_core.viz.recommend import contributions

    query = trial.person.query
    found = model_queries.outcome(
        trial.model, "reason", _("Asking the model"), trial.person.key, item, query=query, item=item
    )
    if found is None:
        return
    st.subheader(_("Why {title}?").format(title=safe(found.title)))
    words = _(SUMS.get(found.kind, SUMS["parts"]))
    show.figure(
        contributions(found.parts, score=found.score),
        key="figure_why",
        name=_("Parts of a score"),
        sentence=words.format(model=trial.title, score=found.score, n=found.sources),
        table=found.parts,
    )


def _effects(trial: Trial, item: int) -> None:
    """Show what the score would lose without each item of the history; the model is asked again beside the page."""
    from recsys_core.viz.recommend import effect_bars

    ticket = model_queries.ticket(trial.model, "effects", trial.person.key, item, query=trial.person.query, item=item)
    found = pending.outcome(ticket, _("Leaving out one item after the other"))
    if found is None:
        return
    st.subheader(_("Why {title}?").format(title=safe(found.title)))
    st.markdown(
        _(
            "**An approximation.** {model} cannot say what its scores are made of. So each item of the history was "
            "left out once and the model asked again: a bar is what the score loses without that item. The bars do not "
            "add up to the score, since items that say the same thing stand in for each other."
        ).format(model=safe(trial.title))
    )
    sentence = _(
        "{title} gets {score:.4g}. For an unknown person with this history it is {folded:.4g}; {n} items were "
        "left out, one by one."
    )
    show.figure(
        effect_bars(found.parts),
        key="figure_effects",
        name=_("Effects of leaving out"),
        sentence=sentence.format(title=found.title, score=found.score, folded=found.folded, n=count(found.sources)),
        table=found.parts,
    )


def why_not(trials: dict[str, Trial], k: int) -> None:
    """Show how far an item that a person chooses is from a list, and what it misses."""
    st.subheader(_("Why not another item?"))
    with st.container(horizontal=True, key="why_not"):
        model = st.selectbox(
            _("Of this model's list"), list(trials), format_func=lambda one: trials[one].title, key="why_not_model",
            width=260,
        )  # fmt: skip
        text = st.text_input(_("Search an item by title"), key="why_not_search", width=260)
        trial = trials[model]
        offered = user_picker.found_items(trial.dataset, text)
        item = st.selectbox(
            _("Item"),
            list(offered),
            index=None,
            format_func=offered.get,
            key="why_not_item",
            placeholder=_("Choose from the items found"),
            width=320,
        )
    if item is None:
        st.markdown(_("Choose an item to see its place, its score, and what it misses to enter the list."))
        return
    about, query = (trial.person.key, item, k), trial.person.query
    found = model_queries.outcome(trial.model, "why_not", _("Asking the model"), *about, query=query, item=item, k=k)
    if found is None:
        return
    st.markdown(safe(_place(trial, found)))
    if found.seen or found.last is None or found.item == found.last or found.rank is None:
        return
    if found.parts.empty:
        st.markdown(_("This model cannot say what its scores are made of, so nobody can say what is missing."))
        return
    _beside_the_last(found)


def _place(trial: Trial, found: "WhyNot") -> str:
    """Return in words where an item stands."""
    values = {
        "model": trial.title,
        "title": found.title,
        "rank": count(found.rank or 0),
        "of": count(found.of),
        "score": f"{found.score:.4g}",
        "last": found.last_title,
        "k": count(found.last_rank),
        "last_score": f"{found.last_score:.4g}",
        "gap": f"{found.last_score - found.score:.4g}",
    }
    if found.rank is None:
        words = _("{model} has no score for '{title}': nothing speaks for it, so it is never recommended.")
    elif found.seen:
        words = _(
            "'{title}' stands in the history, and what somebody has is not recommended again. By its score, {score}, "
            "it would be at place {rank}."
        )
    elif found.rank <= found.last_rank:
        words = _("'{title}' is in the list: place {rank} of {of}, score {score}.")
    else:
        words = _(
            "'{title}' is at place {rank} of {of} with a score of {score}. The last one of the list, '{last}' at place "
            "{k}, has {last_score}: it misses {gap}."
        )
    return words.format(**values)


def _beside_the_last(found: "WhyNot") -> None:
    """Show the parts of both scores side by side, those that differ most first."""
    from recsys_core.viz.recommend import side_by_side

    most = found.parts.iloc[0]
    words = _("The largest difference is '{part}': it adds {asked:.4g} to '{title}', and {last:.4g} to '{other}'.")
    show.figure(
        side_by_side(found.parts, asked=found.title, last=found.last_title),
        key="figure_why_not",
        name=_("What an item misses"),
        sentence=words.format(
            part=most["title"], asked=most["asked"], title=found.title, last=most["last"], other=found.last_title
        ),
        table=found.parts,
    )
