"""The attention heat map as a self-contained SVG, for print quality."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from recsys_core.explain.attention import Attended, Head, mean_weights, sees
from recsys_core.viz.attention import COLUMNS_LABELLED, MOST, ROWS_LABELLED, brightest, map_names
from recsys_core.viz.theme import HEAT

SIDE = 600.0
"""Pixels of the longer side of the map."""
LARGEST_CELL = 22.0
ROOM_LEFT, ROOM_BELOW, TOP = 190.0, 170.0, 56.0
TEXT = 11


def heat_map_svg(attended: Attended, heads: Sequence[Head] | None, title: str, legend: str) -> str:
    """Return `attention.heat_map` as the text of an SVG file, dark on white.

    Args:
        attended: The trace.
        heads: Whose mean is shown, all by default.
        title: Title of the figure.
        legend: Explanation of the colors, with `{most}` for the weight of the brightest color.
    """
    from plotly.colors import sample_colorscale

    weights, may = mean_weights(attended.trace, heads), sees(attended.trace)[-MOST:, -MOST:]
    most, shown = brightest(attended, weights), weights[-MOST:, -MOST:]
    steps, items = shown.shape
    cell = min(LARGEST_CELL, SIDE / max(steps, items))
    width, height = ROOM_LEFT + items * cell + 20, TOP + steps * cell + ROOM_BELOW
    lit = np.clip(shown / most if most > 0 else shown, 0.0, 1.0)
    cells = [
        f'<rect x="{ROOM_LEFT + item * cell:.2f}" y="{TOP + step * cell:.2f}" fill="{color}"/>'
        for step in range(steps)
        for item, color in zip(
            np.flatnonzero(may[step]).tolist(), sample_colorscale(HEAT, lit[step][may[step]].tolist()), strict=True
        )
    ]
    rows, columns = map_names(attended)
    labels = [
        f'<text x="{ROOM_LEFT - 6:.0f}" y="{TOP + (place + 0.5) * cell + 4:.2f}" text-anchor="end">{rows[place]}</text>'
        for place in _labelled(steps, ROWS_LABELLED)
    ] + [
        f'<text transform="translate({ROOM_LEFT + (place + 0.5) * cell + 4:.2f} {TOP + steps * cell + 8:.2f}) '
        f'rotate(-60)" text-anchor="end">{columns[place]}</text>'
        for place in _labelled(items, COLUMNS_LABELLED)
    ]
    caption = escape(legend.format(most=f"{most:.1%}"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" font-size="{TEXT}">'
        f"<style>rect {{ width: {cell:.2f}px; height: {cell:.2f}px }} .ground {{ width: 100%; height: 100% }}</style>"
        f'<rect class="ground" fill="#ffffff"/><text x="8" y="20" font-size="15">{escape(title)}</text>'
        f'<text x="8" y="40">{caption}</text>{"".join(cells)}{"".join(labels)}</svg>\n'
    )


def _labelled(count: int, most: int) -> list[int]:
    """Return the positions of at most `most` labels, evenly spaced back from the last one."""
    return list(range(count))[:: -math.ceil(count / most)]
