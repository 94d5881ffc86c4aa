"""Figures and sentences of sequential networks: hidden state and gates, convolutional filters, the tree of sessions."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from recsys_core.explain.view import ViewData
from recsys_core.text import Sentence, Template, _, later, percent
from recsys_core.viz.bars import with_labels
from recsys_core.viz.theme import (
    BLUE,
    DIVERGING,
    GREEN,
    ORANGE,
    PURPLE,
    REST,
    VERMILION,
    dressed,
    heat_bar,
    plain,
    plain_all,
    shortened,
)

TITLED = 30
"""Up to this number of steps the axis shows item titles; beyond it, only the hover text does."""
LETTERS = 22
GATES = {
    "update_gate": (later("update gate"), BLUE),
    "forget_gate": (later("forget gate"), BLUE),
    "reset_gate": (later("reset gate"), ORANGE),
    "input_gate": (later("input gate"), GREEN),
    "output_gate": (later("output gate"), VERMILION),
}
"""Column of a gate -> its name and color."""

HIDDEN_STATE = Template(
    "After {count} item the hidden-state norm is {last}.",
    "Over the last {count} of {of} items, the hidden-state norm changes from {first} to {last}. After the first item "
    "the largest change is at '{turn}': {change}.",
)
GATES_OF_GRU = Template(
    "Mean gate activations: update gate {update_gate} (share of the previous hidden state that is kept), reset gate "
    "{reset_gate} (share of it that enters the candidate state)."
)
GATES_OF_LSTM = Template(
    "Mean gate activations: forget gate {forget_gate} (share of the cell state that is kept), input gate "
    "{input_gate}, output gate {output_gate}."
)
TOP_LAYER = Template("This is the hidden state of the top layer of {layers}, from which the scores are calculated.")
FILTERS = Template(
    "{fired} of {of} horizontal filters respond to the last item. The score of '{item}' is {score}: horizontal filters "
    "add {patterns}, vertical filters {sums}, the long-term history {long_term}, and biases {rest}.",
    "{fired} of {of} horizontal filters respond to the last {count} items. The score of '{item}' is {score}: "
    "horizontal filters add {patterns}, vertical filters {sums}, the long-term history {long_term}, and biases {rest}.",
)
SHOWN = 40
"""Number of latest items drawn; the table has all."""
ROW = 22
DEPTH = {"person": 0, "session": 1, "item": 2}

TREE = Template(
    "{count} item in one session. The score of '{item}' is {score}.",
    "{count} items in {sessions} sessions. The score of '{item}' is {score}, and {folded} for an unknown user with "
    "this history; without the items of '{session}' it changes by {of_session}, without '{leaf}' by {of_leaf}.",
)
ONE_SESSION = Template(
    "{count} items in one session. The score of '{item}' is {score}, and {folded} for an unknown user with this "
    "history; without '{leaf}' it changes by {of_leaf}.",
)
PLAIN_TREE = Template("{count} items in {sessions} sessions. The score of '{item}' is {score}.")


def hidden_state_curves(steps: pd.DataFrame, *, gates: list[str]) -> go.Figure:
    """Return the hidden-state norm after each item and the norm of its change; below, the mean gate activations.

    Args:
        steps: Columns `step`, `title` (untrusted text, escaped here), `norm`, `change` and one for each gate.
        gates: Columns of the gates; empty for a plain RNN.
    """
    rows = 2 if gates else 1
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    hover = [f"{step}. {title}" for step, title in zip(steps["step"], plain_all(steps["title"]), strict=True)]
    mode = "lines+markers" if len(steps) <= 2 * TITLED else "lines"
    dressed(figure, x="", y="", height=300 + 230 * (rows - 1) + (130 if len(steps) <= TITLED else 0))
    figure.add_bar(
        x=steps["step"],
        y=steps["change"],
        name=_("change of the hidden state"),
        marker_color=REST,
        customdata=hover,
        hovertemplate=_("%{customdata}<br>change %{y:.3f}<extra></extra>"),
        row=1,
        col=1,
    )
    curves = [
        ("norm", _("hidden-state norm"), PURPLE, 1),
        *((gate, _(GATES[gate][0]), GATES[gate][1], 2) for gate in gates),
    ]
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
    figure.update_yaxes(title_text=_("Norm"), rangemode="tozero", row=1, col=1)
    if gates:
        figure.update_yaxes(title_text=_("Gate activation"), tickformat=".0%", range=[0, 1.02], row=2, col=1)
    _name_steps(figure, steps, rows)
    return figure


def _name_steps(figure: go.Figure, steps: pd.DataFrame, rows: int) -> None:
    """Label the lowest horizontal axis with item titles if they fit, else with step numbers."""
    figure.update_xaxes(title_text=_("History item, oldest first"), row=rows, col=1)
    if len(steps) <= TITLED:
        names = [shortened(str(title), LETTERS) for title in steps["title"]]
        figure.update_xaxes(tickvals=steps["step"].tolist(), ticktext=names, tickangle=45, row=rows, col=1)


def filter_map(cells: pd.DataFrame, *, titles: list[str]) -> go.Figure:
    """Return the contribution of each item to the score through each filter; blank outside a filter's window.

    Args:
        cells: Columns `filter` (from 1, the strongest), `kind`, `items`, `place` (from 1), `response`, `weight` and
            `adds`.
        titles: Of the last items, the oldest first; untrusted text, escaped here.
    """
    each = cells.drop_duplicates("filter").set_index("filter")
    values = cells.pivot(index="filter", columns="place", values="weight").reindex(columns=range(1, len(titles) + 1))
    most = float(cells["weight"].abs().max()) or 1.0
    hover = [
        [
            _("{title}<br>{filter}<br>filter total {total:+.4g}").format(
                title=plain(title), filter=_called(one), total=one["adds"]
            )
            for title in titles
        ]
        for one in each.to_dict("records")
    ]
    figure = go.Figure().add_heatmap(
        z=values.to_numpy(),
        text=hover,
        colorscale=DIVERGING,
        zmin=-most,
        zmax=most,
        colorbar=heat_bar(_("contribution to the score")),
        hovertemplate=_("%{text}<br>contribution of this item %{z:+.4g}<extra></extra>"),
        hoverongaps=False,
        xgap=2,
        ygap=2,
    )
    dressed(figure, x=_("Last items, oldest first"), y="", height=220 + 24 * len(each))
    places = list(range(len(titles)))
    names = [f"{place + 1}. {shortened(title, LETTERS)}" for place, title in enumerate(titles)]
    figure.update_xaxes(tickvals=places, ticktext=names, tickangle=45 if len(titles) > 3 else 0, showgrid=False)
    labels = [f"{_brief(one)}: {one['adds']:+.3g}" for one in each.to_dict("records")]
    figure.update_yaxes(tickvals=list(range(len(each))), ticktext=labels, autorange="reversed", showgrid=False)
    return figure


def _called(one: Mapping[Hashable, Any]) -> str:
    if one["kind"] == "sum":
        return _("vertical filter over {items}").format(items=one["items"])
    return _("horizontal filter over {items}, response {response:.3g}").format(
        items=one["items"], response=one["response"]
    )


def _brief(one: Mapping[Hashable, Any]) -> str:
    """Return the row label of a filter, short enough for a narrow screen."""
    words = _("vertical, {items}") if one["kind"] == "sum" else _("horizontal, {items}")
    return words.format(items=one["items"])


def hidden_state(view: ViewData) -> Sentence:
    """State how the hidden-state norm develops and where the state changes most."""
    facts, table = view.facts, view.table
    return HIDDEN_STATE.fill(
        len(table),
        of=f"{facts['of']:,}",
        first=f"{table['norm'].iloc[0]:.2f}",
        last=f"{table['norm'].iloc[-1]:.2f}",
        turn=str(facts["turn"]),
        change=f"{facts['turn_change']:.2f}",
    )


def gates(view: ViewData) -> Sentence | None:
    """State the mean gate activations; for a plain RNN of several layers, that this is the top one."""
    facts, table = view.facts, view.table
    if not facts["gates"]:
        return TOP_LAYER.fill(layers=str(facts["n_layers"])) if facts["n_layers"] > 1 else None
    template = GATES_OF_GRU if facts["cell"] == "gru" else GATES_OF_LSTM
    return template.fill(**{name: percent(table[name].mean()) for name in facts["gates"]})


def filters(view: ViewData) -> Sentence:
    """State how many horizontal filters respond, and the parts of the score."""
    facts = view.facts
    signed = {name: f"{facts[name]:+.3g}" for name in ("patterns", "sums", "long_term", "rest")}
    counts = {name: str(facts[name]) for name in ("fired", "of")}
    return FILTERS.fill(facts["span"], item=facts["item"], score=f"{facts['score']:.4g}", **signed, **counts)


def session_tree(nodes: pd.DataFrame) -> go.Figure:
    """Return the tree from the user (left) over sessions to items (right), the latest at the top.

    The size of a node is the norm of its state relative to its level; its color shows whether it raises or lowers the
    score.

    Args:
        nodes: Columns `node`, `parent`, `level`, `title` (untrusted text, escaped here), `norm`, `weight`; parents
            precede their children.
    """
    leaves = nodes[nodes["level"] == "item"].head(SHOWN)
    drawn = nodes[nodes["node"].isin({0, *leaves["node"], *leaves["parent"]})]
    height = _heights(leaves)
    figure = go.Figure()
    for color in (REST, BLUE, VERMILION):
        xs: list[float | None] = []
        ys: list[float | None] = []
        for node in drawn[drawn["weight"].map(_color) == color].to_dict("records"):
            if node["node"]:
                depth = DEPTH[node["level"]]
                xs += [depth - 1, depth, None]
                ys += [height[node["parent"]], height[node["node"]], None]
        figure.add_scatter(x=xs, y=ys, mode="lines", line={"color": color, "width": 1.5}, hoverinfo="skip")
    longest = drawn.groupby("level")["norm"].transform("max").clip(lower=1e-12)
    figure.add_scatter(
        x=[DEPTH[level] for level in drawn["level"]],
        y=[height[node] for node in drawn["node"]],
        mode="markers",
        marker={
            "color": [_color(weight) for weight in drawn["weight"]],
            "size": (6 + 12 * drawn["norm"] / longest).tolist(),
            "opacity": 1,
        },
        customdata=[_hover(node) for node in drawn.to_dict("records")],
        hovertemplate="%{customdata}<extra></extra>",
    )
    dressed(figure, x="", y="", height=110 + ROW * len(leaves), showlegend=False)
    figure.update_xaxes(
        tickvals=[0, 1, 2], ticktext=["user", "sessions", "items"], range=[-0.2, 2.1], showgrid=False, zeroline=False
    )
    return with_labels(figure, [shortened(str(title)) for title in leaves["title"]], side="right")


def tree(view: ViewData) -> Sentence:
    """State how a history splits into sessions, and the session and item with the largest influence on the score."""
    facts, table = view.facts, view.table.dropna(subset=["weight"])
    values = {"item": facts["item"], "score": f"{facts['score']:.4g}", "sessions": f"{facts['sessions']:,}"}
    sessions, leaves = (table[table["level"] == level] for level in ("session", "item"))
    if facts["items"] == 1:
        return TREE.fill(1, **values)
    if leaves.empty:
        return PLAIN_TREE.fill(facts["items"], **values)
    leaf = _largest(leaves)
    values |= {"folded": f"{facts['folded']:.4g}", "leaf": str(leaf["title"]), "of_leaf": _change(leaf)}
    if sessions.empty:  # without its only session nothing is left
        return ONE_SESSION.fill(facts["items"], **values)
    session = _largest(sessions)
    return TREE.fill(facts["items"], session=str(session["title"]), of_session=_change(session), **values)


def _largest(nodes: pd.DataFrame) -> "pd.Series[Any]":
    return nodes.iloc[int(nodes["weight"].abs().to_numpy().argmax())]


def _change(node: "pd.Series[Any]") -> str:
    """Return the score change without the items below a node, which is minus its influence; 0 has no sign."""
    return f"{-node['weight']:+.3g}" if node["weight"] else "0"


def _heights(leaves: pd.DataFrame) -> dict[int, float]:
    """Return the vertical position of each drawn node: items one below the other, parents at the mean of their
    children.
    """
    below: dict[int, list[float]] = {}
    height: dict[int, float] = {}
    for place, (node, parent) in enumerate(zip(leaves["node"], leaves["parent"], strict=True)):
        height[int(node)] = float(place)
        below.setdefault(int(parent), []).append(float(place))
    middles = {parent: float(np.mean(places)) for parent, places in below.items()}
    return {0: float(np.mean(list(middles.values())))} | middles | height


def _color(weight: float) -> str:
    if np.isnan(weight) or weight == 0:
        return REST
    return BLUE if weight > 0 else VERMILION


def _hover(node: dict[Hashable, Any]) -> str:
    weight, effect = float(node["weight"]), ""
    if not np.isnan(weight):
        words = _("<br>influence {weight:+.3g} (score change when it is left out: {change:+.3g})")
        effect = words.format(weight=weight, change=-weight)
    return _("{title}<br>state norm {norm:.3g}{effect}").format(
        title=plain(node["title"]), norm=float(str(node["norm"])), effect=effect
    )
