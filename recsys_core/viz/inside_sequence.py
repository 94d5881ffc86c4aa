"""Figures and sentences of what networks that read a history hold: a memory, and filters over the last items."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from recsys_core.evaluation.sentences import Sentence, Template, percent
from recsys_core.explain.view import ViewData
from recsys_core.viz.explore import shortened
from recsys_core.viz.theme import BLUE, DIVERGING, GREEN, ORANGE, REST, VERMILION, dressed, plain, plain_all

if TYPE_CHECKING:
    import plotly.graph_objects as go

TITLED = 30
"""Steps that have their titles below; of more, the titles are shown where one points."""
LETTERS = 22
GATES = {
    "keeps": ("keeps the old memory", BLUE),
    "resets": ("lets the old memory into what is written", ORANGE),
    "writes": ("writes the new item", GREEN),
    "shows": ("shows the memory", VERMILION),
}
"""Gate -> what it does, and its colour."""

MEMORY = Template(
    "Reading {count} item, the memory grew to a length of {last}.",
    "Reading the last {count} of {of} items, the memory went from a length of {first} to {last}. After the first item "
    "it changed most at '{turn}': by {change}.",
)
KEPT_BY_GRU = Template(
    "On average it keeps {keeps} of what it knew at each step; {resets} of that has a say in what is written beside it."
)
KEPT_BY_LSTM = Template(
    "On average it keeps {keeps} of what it knew at each step, writes {writes} of what is new, and shows {shows} of it."
)
TOP_LAYER = Template("Of {layers} memories on top of each other this is the highest, which makes the scores.")
FILTERS = Template(
    "{fired} of {of} patterns fire at the last {span} items. To the score of '{item}', {score}, patterns add "
    "{patterns}, weighted sums of the last items {sums}, the history as a whole {long_term}, and what belongs to no "
    "filter {rest}."
)


def memory_curves(steps: pd.DataFrame, *, gates: list[str]) -> "go.Figure":
    """Return how long the memory is after each item and how much it changed; below, how far each gate opened.

    Args:
        steps: Columns `step`, `title` (from outside: escaped here), `length`, `change` and one for each gate.
        gates: Names of the gates; empty for a cell without.
    """
    from plotly.subplots import make_subplots

    rows = 2 if gates else 1
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    hover = [f"{step}. {title}" for step, title in zip(steps["step"], plain_all(steps["title"]), strict=True)]
    mode = "lines+markers" if len(steps) <= 2 * TITLED else "lines"
    dressed(figure, x="", y="", height=300 + 230 * (rows - 1) + (130 if len(steps) <= TITLED else 0))
    figure.add_bar(
        x=steps["step"],
        y=steps["change"],
        name="change at this item",
        marker_color=REST,
        customdata=hover,
        hovertemplate="%{customdata}<br>changed by %{y:.3f}<extra></extra>",
        row=1,
        col=1,
    )
    curves = [("length", "length of the memory", BLUE, 1), *((gate, *GATES[gate], 2) for gate in gates)]
    for column, name, color, row in curves:
        figure.add_scatter(
            x=steps["step"],
            y=steps[column],
            name=name,
            mode=mode,
            line={"color": color, "width": 2},
            customdata=hover,
            hovertemplate="%{customdata}<br>" + name + " %{y:.3f}<extra></extra>",
            row=row,
            col=1,
        )
    figure.update_yaxes(title_text="Length", rangemode="tozero", row=1, col=1)
    if gates:
        figure.update_yaxes(title_text="Gate open", tickformat=".0%", range=[0, 1.02], row=2, col=1)
    _name_steps(figure, steps, rows)
    return figure


def _name_steps(figure: "go.Figure", steps: pd.DataFrame, rows: int) -> None:
    """Write the titles below the lowest picture where there is room, else numbers."""
    figure.update_xaxes(title_text="Item read, from the oldest", row=rows, col=1)
    if len(steps) <= TITLED:
        names = [shortened(str(title), LETTERS) for title in steps["title"]]
        figure.update_xaxes(tickvals=steps["step"].tolist(), ticktext=names, tickangle=45, row=rows, col=1)


def filter_map(cells: pd.DataFrame, *, titles: list[str]) -> "go.Figure":
    """Return what each item added to the score through each filter; blank where a filter did not look.

    Args:
        cells: Columns `filter` (from 1, the strongest), `kind`, `items`, `place` (from 1), `response`, `weight` and
            `adds`.
        titles: Of the last items, the oldest first; from outside: escaped here.
    """
    import plotly.graph_objects as go

    each = cells.drop_duplicates("filter").set_index("filter")
    values = cells.pivot(index="filter", columns="place", values="weight").reindex(columns=range(1, len(titles) + 1))
    most = float(cells["weight"].abs().max()) or 1.0
    hover = [
        [f"{plain(title)}<br>{_called(one)}<br>whole filter adds {one['adds']:+.4g}" for title in titles]
        for one in each.to_dict("records")
    ]
    figure = go.Figure(
        go.Heatmap(
            z=values.to_numpy(),
            text=hover,
            colorscale=DIVERGING,
            zmin=-most,
            zmax=most,
            colorbar={"title": {"text": "adds to the score", "side": "right"}, "thickness": 12},
            hovertemplate="%{text}<br>this item adds %{z:+.4g}<extra></extra>",
            hoverongaps=False,
            xgap=2,
            ygap=2,
        )
    )
    dressed(figure, x="The last items, from the oldest", y="", height=220 + 24 * len(each))
    places = list(range(len(titles)))
    names = [f"{place + 1}. {shortened(title, LETTERS)}" for place, title in enumerate(titles)]
    figure.update_xaxes(tickvals=places, ticktext=names, tickangle=45 if len(titles) > 3 else 0, showgrid=False)
    labels = [f"{_called(one)}: {one['adds']:+.3g}" for one in each.to_dict("records")]
    figure.update_yaxes(tickvals=list(range(len(each))), ticktext=labels, autorange="reversed", showgrid=False)
    return figure


def _called(one: Mapping[Hashable, Any]) -> str:
    if one["kind"] == "sum":
        return f"weighted sum of {one['items']}"
    return f"pattern of {one['items']}, fires {one['response']:.3g}"


def memory(view: ViewData) -> Sentence:
    """Say how the memory grew and where it turned."""
    facts, table = view.facts, view.table
    return MEMORY.fill(
        len(table),
        of=f"{facts['of']:,}",
        first=f"{table['length'].iloc[0]:.2f}",
        last=f"{table['length'].iloc[-1]:.2f}",
        turn=str(facts["turn"]),
        change=f"{facts['turn_change']:.2f}",
    )


def gates(view: ViewData) -> Sentence | None:
    """Say how much of the memory is kept at a step; of a plain memory, which of several it is, if that matters."""
    facts, table = view.facts, view.table
    if not facts["gates"]:
        return TOP_LAYER.fill(layers=str(facts["layers"])) if facts["layers"] > 1 else None
    kept = KEPT_BY_GRU if facts["cell"] == "gru" else KEPT_BY_LSTM
    return kept.fill(**{name: percent(table[name].mean()) for name in facts["gates"]})


def filters(view: ViewData) -> Sentence:
    """Say how many patterns fired, and what makes the score."""
    facts = view.facts
    signed = {name: f"{facts[name]:+.3g}" for name in ("patterns", "sums", "long_term", "rest")}
    counts = {name: str(facts[name]) for name in ("fired", "of", "span")}
    return FILTERS.fill(item=facts["item"], score=f"{facts['score']:.4g}", **signed, **counts)
