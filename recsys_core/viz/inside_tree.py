"""Figure and sentence of the tree that a recursive network builds from a history."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from recsys_core.evaluation.sentences import Sentence, Template
from recsys_core.explain.view import ViewData
from recsys_core.text import _
from recsys_core.viz.bars import with_labels
from recsys_core.viz.theme import BLUE, REST, VERMILION, dressed, plain, shortened

SHOWN = 40
"""Number of latest items drawn; the table has all."""
ROW = 22
DEPTH = {"person": 0, "session": 1, "item": 2}

TREE = Template(
    "{count} item in one session. The score of '{item}' is {score}.",
    "{count} items in {sessions} sessions. The score of '{item}' is {score}, and {folded} for an unknown user with "
    "this history; without the items of '{session}' it changes by {of_session}, without '{leaf}' by {of_leaf}.",
)
PLAIN_TREE = Template(
    "{count} item in {sessions} sessions. The score of '{item}' is {score}.",
    "{count} items in {sessions} sessions. The score of '{item}' is {score}.",
)


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
    weight = float(node["weight"])
    effect = (
        ""
        if np.isnan(weight)
        else _("<br>influence {weight:+.3g} (score change when it is left out: {change:+.3g})").format(
            weight=weight, change=-weight
        )
    )
    return _("{title}<br>state norm {norm:.3g}{effect}").format(
        title=plain(node["title"]), norm=float(str(node["norm"])), effect=effect
    )
