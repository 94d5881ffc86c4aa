"""The selection of the Inside page: a trained model, a user and an item."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import finder, forms, lists_only, model_download, pending, pickers, services, state, user_picker
from pages.ui.queries import comparison_queries, model_queries
from pages.ui.text import _, safe

if TYPE_CHECKING:
    import pandas as pd

    from pages.ui.queries.comparison_queries import ResultsKey
    from pages.ui.user_picker import SelectedUser
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.leaderboard import Contender
    from recsys_core.explain.registry import View

OFFERED = 5
"""Number of recommended items offered for selection."""


@dataclass(frozen=True, eq=False)
class LookedAt:
    """A trained model with its views, and their user and item.

    Args:
        model: The finished model.
        named: The same as the target of queries.
        views: Its views.
        data: Fingerprint of the data.
        user: The user.
        item: Position of the item, None if no view is about an item.
        curves: Training history.
    """

    model: "Contender"
    named: model_queries.Named
    views: "tuple[View, ...]"
    data: str
    user: "SelectedUser"
    item: int | None
    curves: "pd.DataFrame"


def model(results: "ResultsKey") -> "Contender | None":
    """Show the choice of a finished model, those with most views first; None if there is none."""
    contenders = {one.id: one for one in comparison_queries.trained(results)}
    order = sorted(contenders, key=lambda one: -len(_views(results, contenders[one])))
    lists_only.note(results)
    chosen = pickers.model(order, lambda one: contenders[one].title, "inside")
    return contenders.get(chosen or "")


def introduction(run: "Run", contender: "Contender") -> None:
    """Show what the model does, with the formula for its settings."""
    with st.container(horizontal=True, vertical_alignment="center", key="inside_introduction"):
        st.markdown(_(services.model_info(contender.key).idea), width="content")
        with st.popover(_("Formula and source"), key="inside_formula"):
            config = run.model_spec(contender.id).config
            forms.formula(contender.key, config, services.dataset(run.spec.data))
        if not state.is_demo():
            model_download.button(run, contender.id, contender.title, f"inside_download_{contender.id}")


def choose(results: "ResultsKey", run: "Run", contender: "Contender") -> LookedAt:
    """Show the choice of a user and, if a view is about one, of an item."""
    from recsys_core.explain.registry import About

    dataset, views = services.dataset(run.spec.data), _views(results, contender)
    about = {view.about for view in views}
    of_items = bool(about & {About.ITEM, About.BOTH})
    person_place, item_place = st.columns(2, gap="medium")
    with person_place, st.container(border=True, key="inside_person", height="stretch"):
        user = user_picker.of_data(run, dataset, _picked(finder.USER, dataset))
        user_picker.show_history(user)
    item = None
    if of_items:
        with item_place, st.container(border=True, key="inside_item", height="stretch"):
            _recommended(run, contender, user)
            item = dataset.item_vocabulary.position(_picked(finder.ITEM, dataset))
    curves = _curves(results, contender.id)
    return LookedAt(contender, model_queries.named(run.id, contender), views, run.spec.data, user, item, curves)


def _picked(kind: finder.Kind, dataset: "Dataset") -> str:
    """Return the selected identifier; the demo view shows only that."""
    chosen = state.get(kind.name)
    if state.is_demo() and chosen is not None and chosen in kind.vocabulary(dataset):
        st.markdown(f"{_(kind.pick)}: **{safe(chosen)}**")
        return chosen
    return finder.choose(kind, dataset)


def _recommended(run: "Run", contender: "Contender", user: "SelectedUser") -> None:
    """Offer the recommended items; the first one is selected unless the URL names an item."""
    found = _top(run, contender, user)
    if found is None or found.empty:
        return
    ids, titles = list(found["item_id"]), dict(zip(found["item_id"], found["title"], strict=True))
    if state.get("item") is None:
        state.put("item", ids[0])
    if state.is_demo():
        return
    widget = f"inside_top_{contender.id}_{user.key}"

    def take() -> None:
        if chosen := st.session_state[widget]:
            finder.take(finder.ITEM, chosen)

    st.pills(
        _("Recommended by this model"),
        ids,
        format_func=lambda one: safe(titles[one]),
        key=widget,
        on_change=take,
    )


def _top(run: "Run", contender: "Contender", user: "SelectedUser") -> "pd.DataFrame | None":
    """Return the recommendations with titles; None, with a progress bar, while they are computed."""
    from recsys_core.serving.recommendations import labeled_lists

    ticket = model_queries.ticket(
        model_queries.named(run.id, contender), "top", user.key, OFFERED, query=user.query, k=OFFERED
    )
    found = pending.outcome(ticket, _("Computing recommendations"))
    if found is None and state.get("item") is None and not ticket.is_done:
        st.stop()  # the item is not known yet
    if found is None:
        return None
    return labeled_lists({contender.id: found}, services.dataset(run.spec.data))[contender.id]


def _views(results: "ResultsKey", contender: "Contender") -> "tuple[View, ...]":
    from recsys_core.explain.registry import views_of

    return views_of(services.model_info(contender.key), _curves(results, contender.id))


@st.cache_resource(max_entries=64, show_spinner=False)
def _curves(results: "ResultsKey", model_id: str) -> "pd.DataFrame":
    return services.store().open(results.run).history(model_id)
