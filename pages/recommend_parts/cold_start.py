"""The cold-start ladder: the lists for the first items of a history, and when they settle."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.ui import pending, show
from pages.ui.queries import list_queries, model_queries
from pages.ui.text import _, n_, paragraph, safe

if TYPE_CHECKING:
    from pages.recommend_parts.editing import Editing
    from pages.ui.queries.comparison_queries import ResultsKey
    from recsys_core.experiments.leaderboard import Contender
    from recsys_core.serving.what_if import Ladder


def ladder(results: "ResultsKey", chosen: "Sequence[Contender]", editing: "Editing", k: int) -> None:
    """Show the similarity of the lists for 0, 1, 3, 5, 10 and all items to the final list, and the lists themselves."""
    user = editing.at(editing.now)
    if not len(editing.now) or not chosen:
        paragraph("The cold-start ladder needs at least one model and one item in the history.")
        return
    tickets = {model.id: list_queries.ladder(model_queries.named(results.run, model), user, k) for model in chosen}
    pending.all_of(tickets.values())
    found: dict[str, Ladder] = {}
    for model in chosen:
        answer = pending.outcome(tickets[model.id], f"{model.title}: " + _("Computing the cold-start ladder"), 0.0)
        if answer is not None:
            found[model.id] = answer
    if not found:
        return
    finished = [model for model in chosen if model.id in found]
    _condition(found[finished[0].id], k)
    st.markdown("\n".join(f"- {_settled(model.title, found[model.id])}" for model in finished))
    _figure(finished, found)
    _lists(finished, found, editing)


def _condition(one: "Ladder", k: int) -> None:
    from recsys_core.serving.what_if import SETTLED

    paragraph(
        "**Condition.** Each model knows only the first items of this history, oldest first, and takes the user in as "
        "a new user. All {n} items of the history are excluded from every list, so the candidates are the same. A list "
        "of {k} counts as settled from the number of items from which its Jaccard similarity to the list for the whole "
        "history stays at {settled} or above. This is one user; other histories settle elsewhere.",
        n=one.steps[-1],
        k=k,
        settled=SETTLED,
    )


def _settled(title: str, one: "Ladder") -> str:
    """Return a sentence on when the list of a model settles."""
    if one.settles is None:
        words = n_("not settled before {n} item", "not settled before all {n} items", one.steps[-1])
    elif one.settles == 0:
        words = _("settled without any item")
    else:
        words = n_("settled at {n} item", "settled at {n} items", one.settles)
    return f"{safe(title)}: {words}"


def _figure(finished: "Sequence[Contender]", ladders: "dict[str, Ladder]") -> None:
    import pandas as pd

    from recsys_core.viz.recommend import ladder_lines

    lines = {model.title: (ladders[model.id].steps, ladders[model.id].jaccard) for model in finished}
    table = pd.DataFrame({title: similar for title, (_steps, similar) in lines.items()})
    table.insert(0, "items", ladders[finished[0].id].steps)
    show.figure(
        ladder_lines(lines, [model.family for model in finished]),
        key="figure_ladder",
        name=_("Similarity to the final list"),
        alt=_("Jaccard similarity of the list of each model to its final list, by the number of items known"),
        table=table,
    )


def _lists(finished: "Sequence[Contender]", ladders: "dict[str, Ladder]", editing: "Editing") -> None:
    from recsys_core.serving.what_if import ladder_table

    titles = {model.id: model.title for model in finished}
    chosen = show.select(_("Lists of"), titles, "ladder_model", width=320)
    table = ladder_table(ladders[chosen], editing.dataset)
    names = {name: n_("{n} item", "{n} items", int(name)) for name in table.columns if name != "rank"}
    show.table(
        table,
        "ladder_lists",
        name=_("Lists by the number of items known"),
        column_config={"rank": st.column_config.NumberColumn(_("Rank"), width=60)}
        | {name: st.column_config.TextColumn(label, width=190) for name, label in names.items()},
    )
