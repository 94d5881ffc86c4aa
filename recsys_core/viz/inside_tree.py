"""The figure and the sentence of the tree that a recursive network reads a history as."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recsys_core.evaluation.sentences import Sentence, Template
from recsys_core.explain.view import ViewData
from recsys_core.viz.explore import shortened
from recsys_core.viz.theme import BLUE, REST, VERMILION, dressed, plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

SHOWN = 40
"""So many of the latest items are drawn; the table has all."""
ROW = 22
DEPTH = {"person": 0, "session": 1, "item": 2}

TREE = Template(
    "{count} item, read as one session. '{item}' gets {score}.",
    "{count} items, read in {sessions} sessions. '{item}' gets {score}, {folded} from the history alone; without the "
    "items of '{session}' that would change by {of_session}, without '{leaf}' by {of_leaf}.",
)
PLAIN_TREE = Template(
    "{count} item, read in {sessions} sessions. '{item}' gets {score}.",
    "{count} items, read in {sessions} sessions. '{item}' gets {score}.",
)


def session_tree(nodes: pd.DataFrame) -> "go.Figure":
    """Return the person at the left, sessions beside them, and their items at the right, the latest on top.

    A node is larger the longer its state is, compared with others of its level; its colour says whether it raised or
    lowered the score.

    Args:
        nodes: Columns `node`, `parent`, `level`, `title` (from outside: escaped here), `norm`, `weight`; parents stand
            before their children.
    """
    import plotly.graph_objects as go

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
        tickvals=[0, 1, 2], ticktext=["person", "sessions", "items"], range=[-0.2, 2.1], showgrid=False, zeroline=False
    )
    figure.update_yaxes(
        side="right",
        tickvals=list(range(len(leaves))),
        ticktext=[shortened(str(title)) for title in leaves["title"]],
        range=[len(leaves) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
    )
    return figure


def tree(view: ViewData) -> Sentence:
    """Say how a history was parted, and on which session and which item the score hangs most."""
    facts, table = view.facts, view.table.dropna(subset=["weight"])
    values = {"item": facts["item"], "score": f"{facts['score']:.4g}", "sessions": f"{facts['sessions']:,}"}
    sessions, leaves = (table[table["level"] == level] for level in ("session", "item"))
    if facts["items"] == 1:
        return TREE.fill(1, **values)
    if sessions.empty or leaves.empty:
        return PLAIN_TREE.fill(facts["items"], **values)
    session, leaf = (rows.iloc[int(rows["weight"].abs().to_numpy().argmax())] for rows in (sessions, leaves))
    return TREE.fill(
        facts["items"],
        folded=f"{facts['folded']:.4g}",
        session=str(session["title"]),
        of_session=f"{-session['weight']:+.3g}",
        leaf=str(leaf["title"]),
        of_leaf=f"{-leaf['weight']:+.3g}",
        **values,
    )


def _heights(leaves: pd.DataFrame) -> dict[int, float]:
    """Return the height of each node that is drawn: items one below the other, parents in the middle of theirs."""
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
    weight = float(node["weight"])
    effect = "" if np.isnan(weight) else f"<br>adds {weight:+.3g}: the score without it is that much less"
    return f"{plain(node['title'])}<br>length {float(str(node['norm'])):.3g}{effect}"
