"""A map of data sets by their properties."""

import pandas as pd
import plotly.graph_objects as go

from recsys_core.text import _
from recsys_core.viz.theme import BLUE, ORANGE, dressed, plain_all, shortened


def dataset_map(places: pd.DataFrame, own: str | None = None) -> go.Figure:
    """Return the data sets as labeled points.

    Args:
        places: `x` and `y`, indexed by name.
        own: Name of the data set that is emphasized.
    """
    names = [str(name) for name in places.index]
    colors = [ORANGE if name == own else BLUE for name in names]
    figure = go.Figure().add_scatter(
        x=places["x"],
        y=places["y"],
        mode="markers+text",
        text=[shortened(name) for name in names],
        textposition="top center",
        marker={"size": 12, "color": colors},
        customdata=plain_all(names),
        hovertemplate="%{customdata}<extra></extra>",
        cliponaxis=False,
    )
    dressed(figure, x=_("first component"), y=_("second component"), height=380, showlegend=False)
    spread = float(places["x"].max() - places["x"].min()) or 1.0
    return figure.update_xaxes(
        range=[places["x"].min() - 0.25 * spread, places["x"].max() + 0.25 * spread], showticklabels=False
    ).update_yaxes(showticklabels=False)
