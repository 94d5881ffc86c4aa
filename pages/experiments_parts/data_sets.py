"""Models across data sets: ranks of the same models, and data sets that are alike."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import pending, services, state
from pages.ui import show as shown
from pages.ui.queries import experiment_queries
from pages.ui.text import _, paragraph, percent, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recsys_core.experiments.across import Across
    from recsys_core.experiments.experiment import Run

MOST_DATA_SETS = 30
"""Data sets on the map, the newest first."""


def ranks(runs: "Sequence[Run]") -> None:
    """Show the ranks of the models on the data sets of several experiments, by the primary metric of the first."""
    with shown.errors():
        result = pending.outcome(experiment_queries.across(runs, runs[0].spec.metric), _("Ranking the models"))
        if result is not None:
            _ranks(result)


def _ranks(result: "Across") -> None:
    from recsys_core.experiments.leaderboard import metric_title
    from recsys_core.viz import across as pictures

    st.subheader(_("Ranks by {metric} across data sets").format(metric=metric_title(result.metric)))
    st.markdown(" ".join(safe(sentence) for sentence in pictures.across_sentences(result)))
    shown.figure(pictures.rank_map(result), key="across_ranks", name=_("Ranks across data sets"), table=result.ranks)
    if result.groups:
        shown.figure(
            pictures.average_ranks(result), key="across_average", name=_("Average ranks"), table=result.average
        )
        paragraph("Models joined by a gray line do not differ significantly in their average rank.")


def likeness() -> None:
    """Show the map of the stored data sets, and which one the selected data set is most like."""
    cards = [card for card in services.cards() if card.n_interactions][:MOST_DATA_SETS]
    if len(cards) < 2:
        paragraph("With a second data set in the workspace, a map of their properties appears here.")
        return
    if not st.toggle(_("Show the map of data sets"), key="dataset_map_on", help=_("Every data set is read once.")):
        return
    names = {card.fingerprint: f"{card.name} ({card.n_users:,} × {card.n_items:,})" for card in cards}
    ticket = experiment_queries.all_traits(tuple(names))
    named = pending.outcome(ticket, _("Computing the properties of the data sets"))
    if named is None:
        return
    from recsys_core.profiles.dataset_map import positions, table_of
    from recsys_core.viz.dataset_map import dataset_map

    own = state.get("data")
    if own in named:
        _most_like(own, names)
    places = positions(named)
    share = percent(float(places["share"].iloc[0]))
    shown.figure(
        dataset_map(places.rename(index=names), names.get(own or "")),
        key="dataset_map",
        name=_("Map of data sets"),
        sentence=_("Data sets that are close have similar properties; the map shows {share} of their variance.").format(
            share=share
        ),
        table=table_of(named).rename(index=names).reset_index(names="data"),
    )


def _most_like(own: str, names: dict[str, str]) -> None:
    """Name the data set that is most like the selected one, and the best model there."""
    from recsys_core.profiles.dataset_map import most_alike

    twin = most_alike(experiment_queries.all_traits(tuple(names)).result(), own)
    if twin is None:
        return
    words = _("{own} is most like {twin}.").format(own=safe(names[own]), twin=safe(names[twin]))
    card = next((one for one in services.run_cards() if one.data == twin and one.done), None)
    best = pending.outcome(services.best(card), _("Reading the latest result"), patience=0.5) if card else None
    if card is not None and best is not None:
        words += " " + _("In the latest experiment there, {model} is first with {metric} {value} ({interval}).").format(
            model=safe(best.title), metric=safe(best.metric), value=safe(best.mean), interval=safe(best.interval)
        )
    st.markdown(words)
