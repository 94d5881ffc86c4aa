"""Figures that compare models, from plain tables: metrics with intervals, costs, and differences by group.

Every table has one row per model (or per model and list length) with `title`, the display name, and `family`.
"""

import textwrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from recsys_core.contracts import BoolArray, FloatArray
from recsys_core.evaluation.sentences import signed
from recsys_core.text import _
from recsys_core.viz.bars import interval_bars
from recsys_core.viz.theme import DIVERGING, GREY, REST, dressed, family_color, family_symbols, plain, plain_all

TITLE, FAMILY = "title", "family"
BREAK = "<br>"
TITLE_WIDTH = 18
ROW_PIXELS, LINE_PIXELS, GAP_PIXELS = 40, 18, 6
"""Minimum height of a row, height of a line of its title, and gap between two titles."""
PLOT_PIXELS = (480.0, 320.0)
"""Assumed width and height of the plot when labels are placed; larger plots have more room."""
LEAST_SECONDS = 1e-3
"""Shorter times count as this: they are not measured more precisely, and a logarithmic axis has no 0."""
LABEL_PLACES = (
    "top center",
    "bottom center",
    "middle right",
    "middle left",
    "top right",
    "top left",
    "bottom right",
    "bottom left",
)


def dots_with_intervals(table: pd.DataFrame, *, metric: str, baseline: float | None = None) -> go.Figure:
    """Return one dot per model with its interval, the best at the top.

    Args:
        table: Columns `title`, `family`, `mean`, `low`, `high`, `users`; the best model first.
        metric: Display name of the metric, with its unit if it has one.
        baseline: Mean of the pinned baseline, drawn as a line; None for no line.
    """
    rows = table[::-1].reset_index(drop=True)
    symbols = rows[TITLE].map(symbols_of(rows))
    figure = go.Figure()
    for family, part in rows.groupby(FAMILY, sort=False):
        figure.add_scatter(
            x=part["mean"],
            y=part.index,
            error_x=interval_bars(part["mean"], part["low"], part["high"], thickness=3, width=0),
            mode="markers",
            name=plain(_(str(family))),
            marker={"color": family_color(str(family)), "size": 12, "symbol": symbols[part.index]},
            customdata=np.stack([plain_all(part[TITLE]), part["low"], part["high"], part["users"]], axis=-1),
            hovertemplate=_(
                "%{customdata[0]}<br>%{x:.4f} (%{customdata[1]:.4f} to %{customdata[2]:.4f})"
                "<br>%{customdata[3]} users<extra></extra>"
            ),
        )
    if baseline is not None:
        figure.add_vline(x=baseline, line={"dash": "dot", "color": GREY, "width": 2})
    titles = [_wrapped(title) for title in rows[TITLE]]
    dressed(
        figure,
        x=_("{metric}, mean over users with 95% interval").format(metric=metric),
        y="",
        height=90 + _rows_pixels(titles),
    )
    figure.update_yaxes(tickvals=list(rows.index), ticktext=titles, range=[-0.6, len(rows) - 0.4])
    return figure


def precision_recall(table: pd.DataFrame, *, highlighted: list[str] | None = None) -> go.Figure:
    """Return precision against recall over the list length k, one line per model.

    Args:
        table: Columns `title`, `family`, `k`, `precision`, `recall`; one row per model and list length.
        highlighted: Titles drawn in color; the others are gray. None: all are in color.
    """
    figure = go.Figure()
    symbols = symbols_of(table)
    for title, part in table.sort_values("k").groupby(TITLE, sort=False):
        shown = highlighted is None or title in highlighted
        color = family_color(str(part[FAMILY].iloc[0])) if shown else REST
        figure.add_scatter(
            x=part["recall"],
            y=part["precision"],
            mode="lines+markers",
            name=plain(title),
            line={"color": color, "width": 2},
            opacity=1.0 if shown else 0.5,
            showlegend=shown,
            marker={"symbol": symbols[str(title)], "size": 8, "color": color},
            customdata=np.stack([[plain(title)] * len(part), part["k"]], axis=-1),
            hovertemplate=_(
                "%{customdata[0]}, k = %{customdata[1]}<br>precision %{y:.4f}<br>recall %{x:.4f}<extra></extra>"
            ),
            cliponaxis=False,
        )
    dressed(
        figure,
        x=_("Recall@k: share of a user's relevant items that are in the list"),
        y=_("Precision@k: share of the list that is relevant"),
        height=420,
    )
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(rangemode="tozero")
    return figure


def pareto_front(cost: FloatArray, quality: FloatArray) -> BoolArray:
    """Return which of N candidates are Pareto-optimal: no other one is at least as good on both and better on one.

    Args:
        cost: (N,) lower is better.
        quality: (N,) higher is better; a candidate with a NaN is never on the front.
    """
    cheaper = (cost[None, :] <= cost[:, None]) & (quality[None, :] >= quality[:, None])
    strictly = (cost[None, :] < cost[:, None]) | (quality[None, :] > quality[:, None])
    beaten = (cheaper & strictly).any(axis=1)
    front: BoolArray = ~beaten & ~np.isnan(cost) & ~np.isnan(quality)
    return front


def quality_against_time(table: pd.DataFrame, *, metric: str, higher_is_better: bool = True) -> go.Figure:
    """Return quality against seconds with labeled models and the Pareto front.

    Args:
        table: Columns `title`, `family`, `seconds`, `mean`, `low`, `high`.
        metric: Display name of the metric.
        higher_is_better: Whether larger values of the metric are better.
    """
    rows = table.sort_values(["seconds", "mean"], kind="stable").reset_index(drop=True)
    seconds = rows["seconds"].to_numpy(np.float64).clip(min=LEAST_SECONDS)
    means = rows["mean"].to_numpy(np.float64)
    front = rows[pareto_front(seconds, means if higher_is_better else -means)]
    figure = go.Figure()
    figure.add_scatter(
        x=seconds[front.index],
        y=front["mean"],
        mode="lines",
        line={"shape": "hv", "dash": "dot", "color": GREY, "width": 2},
        name=_("Pareto front: no model is both faster and better"),
        hoverinfo="skip",
    )
    low, high = np.log10(seconds.min()) - 0.35, np.log10(seconds.max()) + 0.35
    across, up = (np.log10(seconds) - low) / (high - low), means / (means.max() or 1.0)
    figure.add_scatter(
        x=seconds,
        y=rows["mean"],
        error_y=interval_bars(rows["mean"], rows["low"], rows["high"], color=GREY, width=0),
        mode="markers+text",
        text=plain_all(rows[TITLE]),
        textposition=label_places(across, up, list(rows[TITLE])),
        marker={
            "color": [family_color(family) for family in rows[FAMILY]],
            "symbol": rows[TITLE].map(symbols_of(rows)),
            "size": 13,
        },
        customdata=plain_all(rows[TITLE]),
        hovertemplate=_("%{customdata}<br>%{y:.4f} after %{x:.3g} s<extra></extra>"),
        showlegend=False,
        cliponaxis=False,
    )
    dressed(
        figure,
        x=_("Training time, seconds (logarithmic)"),
        y=_("{metric}, mean over users").format(metric=metric),
        height=420,
    )
    figure.update_xaxes(type="log", range=[low, high], dtick=1)
    return figure


def slice_differences(table: pd.DataFrame, *, metric: str, baseline: str) -> go.Figure:
    """Return a heat map of differences to a baseline: one row per model, one column per group of users or items.

    Args:
        table: Columns `title`, `group`, `difference`, `low`, `high`, `users`, in drawing order. A cell whose interval
            contains zero, or that has none, is marked with `~`.
        metric: Display name of the metric.
        baseline: Title of the baseline.
    """
    titles, slices = list(dict.fromkeys(table[TITLE])), list(dict.fromkeys(table["group"]))
    cells = table.set_index([TITLE, "group"]).reindex(pd.MultiIndex.from_product([titles, slices]))
    shape = (len(titles), len(slices))
    differences = cells["difference"].to_numpy(np.float64).reshape(shape)
    unsure = ~((cells["low"] > 0) | (cells["high"] < 0)).to_numpy().reshape(shape)
    reach = float(np.nanmax(np.abs(differences), initial=1e-9))
    text = _cell_texts(differences, unsure, decimals=2 if reach >= 0.1 else 3)
    wrapped = [_wrapped(title) for title in titles]
    figure = go.Figure().add_heatmap(
        z=differences,
        x=plain_all(slices),
        y=wrapped,
        text=text,
        texttemplate="%{text}",
        textfont={"size": 11, "color": "#0d1117"},
        zmid=0,
        zmin=-reach,
        zmax=reach,
        colorscale=DIVERGING,
        showscale=False,
        customdata=np.stack([cells[c].to_numpy().reshape(shape) for c in ("low", "high", "users")], axis=-1),
        hovertemplate=_(
            "%{y}, %{x}<br>%{z:+.4f} (%{customdata[0]:+.4f} to %{customdata[1]:+.4f})"
            "<br>%{customdata[2]} users<extra></extra>"
        ),
        xgap=2,
        ygap=2,
    )
    dressed(figure, x="", y="", height=150 + _rows_pixels(wrapped))
    figure.update_xaxes(
        side="top",
        title_text=_("Difference in {metric} to {baseline}").format(metric=metric, baseline=plain(baseline)),
        showgrid=False,
        autotickangles=[0, 90],
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def _wrapped(title: str) -> str:
    """Return a title, escaped and wrapped into lines to leave room for the plot."""
    return BREAK.join(plain(line) for line in textwrap.wrap(title, TITLE_WIDTH)) or plain(title)


def _rows_pixels(titles: list[str]) -> int:
    """Return the total height of rows such that wrapped titles do not overlap."""
    most_lines = max((title.count(BREAK) + 1 for title in titles), default=1)
    return len(titles) * max(ROW_PIXELS, LINE_PIXELS * most_lines + GAP_PIXELS)


def symbols_of(table: pd.DataFrame) -> dict[str, str]:
    """Return a symbol for each title, the same in all figures of the same models."""
    named = table.drop_duplicates(TITLE).sort_values(TITLE)
    return dict(zip(named[TITLE], family_symbols(list(named[FAMILY])), strict=True))


def label_places(across: FloatArray, up: FloatArray, texts: list[str]) -> list[str]:
    """Return the label position of each point, chosen greedily to avoid overlaps with points and other labels.

    Args:
        across: (N,) horizontal position of the points, left (0) to right (1).
        up: (N,) vertical position of the points, bottom (0) to top (1).
        texts: The labels.
    """
    x, y = across * PLOT_PIXELS[0], up * PLOT_PIXELS[1]
    taken = [(left - 8, left + 8, low - 8, low + 8) for left, low in zip(x, y, strict=True)]
    places = []
    for point in range(len(texts)):
        boxes = {place: _box(x[point], y[point], 6.5 * len(texts[point]), place) for place in LABEL_PLACES}
        cost = {place: _covered(box, taken) for place, box in boxes.items()}
        best = min(LABEL_PLACES, key=lambda place: cost[place])
        taken.append(boxes[best])
        places.append(best)
    return places


Box = tuple[float, float, float, float]


def _box(x: float, y: float, width: float, place: str) -> Box:
    """Return left, right, bottom and top of a label beside a point."""
    low = {"top": y + 8, "middle": y - 8, "bottom": y - 24}[place.split(maxsplit=1)[0]]
    left = {"left": x - 10 - width, "center": x - width / 2, "right": x + 10}[place.split()[1]]
    return left, left + width, low, low + 16


def _covered(box: Box, taken: list[Box]) -> float:
    """Return the area that a box shares with others, plus a penalty for the part outside the plot."""
    left, right, low, high = box
    shared = sum(
        max(0.0, min(right, other[1]) - max(left, other[0])) * max(0.0, min(high, other[3]) - max(low, other[2]))
        for other in taken
    )
    outside = max(0.0, -left) + max(0.0, right - PLOT_PIXELS[0])
    return shared + 16 * outside


def _cell_texts(differences: FloatArray, unsure: BoolArray, *, decimals: int) -> list[list[str]]:
    """Return signed differences, marked with `~` where no interval excludes zero; empty for NaN."""
    return [
        [
            "" if np.isnan(value) else f"{signed(value, decimals)}{'<br>~' if mark else ''}"
            for value, mark in zip(*row, strict=True)
        ]
        for row in zip(differences, unsure, strict=True)
    ]
