"""Figures of the internals of trained models: each draws one table of `recsys_core.explain`."""

import math

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from recsys_core.text import _, later, percent
from recsys_core.viz.bars import ROW, named_bars, signed_colors, with_labels, with_names
from recsys_core.viz.progress import quantity_text
from recsys_core.viz.theme import (
    BLUE,
    GREEN,
    GREY,
    HEAT,
    HEAT_LABEL,
    ORANGE,
    REST,
    VERMILION,
    dressed,
    heat_bar,
    plain,
    plain_all,
    shortened,
)

SHARED_SHOWN = 18
"""Shared items drawn; the table has all."""
SIDE = 14
"""Maximum length in characters of each side of a rule in an axis label."""
NAMED = 12
"""Number of users in a graph that are labeled."""
ROLES = {
    "rest": (later("other items"), REST, "circle", 5),
    "history": (later("history"), ORANGE, "circle", 9),
    "recommended": (later("recommended"), BLUE, "star", 12),
}


def nearest_bars(neighbors: pd.DataFrame) -> go.Figure:
    """Return the similarities of the nearest neighbors.

    Args:
        neighbors: Columns `user_id`, `similarity`, `shared`; most similar first.
    """
    return named_bars(
        neighbors["user_id"].astype(str).tolist(),
        neighbors["similarity"].tolist(),
        hover=[_("{number:,} items in common").format(number=number) for number in neighbors["shared"]],
        x=_("Similarity"),
    )


def shared_dumbbells(items: pd.DataFrame, *, neighbor: str, scale: tuple[float, float]) -> go.Figure:
    """Return the ratings of two users for the items in both histories.

    Args:
        items: Columns `title`, `own`, `theirs`, `share`; the largest contribution first.
        neighbor: Identifier of the other user; untrusted text, escaped here.
        scale: Lowest and highest rating.
    """
    shown = items.head(SHARED_SHOWN)
    places = list(range(len(shown)))
    figure = go.Figure()
    for place, own, theirs in zip(places, shown["own"], shown["theirs"], strict=True):
        figure.add_shape(type="line", x0=own, x1=theirs, y0=place, y1=place, line={"color": REST, "width": 3})
    hover = [
        plain(title)
        if math.isnan(share)
        else _("{title}<br>adds {share:+.3f} to the similarity").format(title=plain(title), share=share)
        for title, share in zip(shown["title"], shown["share"], strict=True)
    ]
    for name, values, color, symbol, size in (
        (_("this user"), shown["own"], ORANGE, "circle", 13),
        (f"user {plain(neighbor)}", shown["theirs"], BLUE, "diamond", 9),
    ):
        figure.add_scatter(
            x=values,
            y=places,
            mode="markers",
            name=name,
            marker={"color": color, "symbol": symbol, "size": size},
            customdata=hover,
            hovertemplate=_("%{customdata}<br>rating %{x:g}<extra></extra>"),
        )
    room = 0.05 * (scale[1] - scale[0])
    figure.update_xaxes(range=[scale[0] - room, scale[1] + room])
    return with_names(figure, shown["title"].tolist(), x=_("Rating"))


def shared_overlap(items: pd.DataFrame, *, neighbor: str, own: int, theirs: int) -> go.Figure:
    """Return how many items two users have in common; below, the contribution of each common item.

    Args:
        items: Columns `title`, `share`, one row for each common item; the largest contribution first.
        neighbor: Identifier of the other user; untrusted text, escaped here.
        own: Number of items of this user.
        theirs: Number of items of the other user.
    """
    both, shown = len(items), items.head(SHARED_SHOWN)
    height = 250 + ROW * len(shown)
    figure: go.Figure = make_subplots(rows=2, cols=1, row_heights=[60, height], vertical_spacing=100 / height)
    parts = (
        (_("only this user"), own - both, ORANGE),
        (_("both"), both, GREEN),
        (_("only user {user}").format(user=plain(neighbor)), theirs - both, BLUE),
    )
    for name, number, color in parts:
        figure.add_bar(
            x=[number], y=[0], orientation="h", name=name, marker_color=color, text=[f"{number:,}"],
            textposition="inside", insidetextanchor="middle", textangle=0, row=1, col=1,
            hovertemplate="%{x:,}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    bars = named_bars(shown["title"].tolist(), shown["share"].fillna(0.0).tolist(), colors=GREEN, x="")
    figure.add_trace(bars.data[0].update(showlegend=False), row=2, col=1)
    dressed(figure, x="", y="", height=height, barmode="stack")
    figure.update_layout(legend_traceorder="normal")
    with_labels(figure, [shortened(str(title)) for title in shown["title"]], row=2)
    figure.update_yaxes(visible=False, row=1, col=1)
    figure.update_xaxes(title_text=_("Items"), row=1, col=1)
    return figure.update_xaxes(title_text=_("Contribution to the similarity"), row=2, col=1)


def similarity_map(pairs: pd.DataFrame, *, size: int, marked: str = "") -> go.Figure:
    """Return the similarity matrix of a group as a heat map, rows in clustered order.

    Args:
        pairs: Columns `first`, `second`, `similarity` (NaN on the diagonal): the rows of a (size, size) matrix.
        size: Number of members.
        marked: Name of the member to mark with an arrow.
    """
    names = pairs["second"].iloc[:size].tolist()
    labels = [("▶ " if marked and name == marked else "") + shortened(name, HEAT_LABEL) for name in names]
    values = pairs["similarity"].to_numpy().reshape(size, size)
    hover = [[f"{plain(first)}<br>{plain(second)}" for second in names] for first in names]
    figure = go.Figure().add_heatmap(
        z=values,
        text=hover,
        colorscale=HEAT,
        colorbar=heat_bar(_("similarity")),
        hovertemplate="%{text}<br>%{z:.3f}<extra></extra>",
        hoverongaps=False,
        xgap=1,
        ygap=1,
    )
    numbers = list(range(size))
    dressed(figure, x=_("Same order as the rows"), y="", height=140 + 20 * size)
    fifths = numbers[4::5]
    figure.update_xaxes(tickvals=fifths, ticktext=[str(number + 1) for number in fifths], showgrid=False)
    numbered = [f"{number + 1}. {label}" for number, label in enumerate(labels)]
    figure.update_yaxes(tickvals=numbers, ticktext=numbered, autorange="reversed", showgrid=False)
    return figure


def weight_bars(weights: pd.DataFrame) -> go.Figure:
    """Return the weights of other items for the selected item.

    Args:
        weights: Columns `title`, `weight`, `back`, `held`; strongest first.
    """
    return named_bars(
        weights["title"].tolist(),
        weights["weight"].tolist(),
        colors=[ORANGE if held else BLUE for held in weights["held"]],
        hover=[_("weight in the other direction {back:.4g}").format(back=back) for back in weights["back"]],
        x=_("Weight for the selected item (orange: in this user's history)"),
        zero_line=True,
    )


def taste_space(points: pd.DataFrame) -> go.Figure:
    """Return items in the latent space, projected on one user's factor vector.

    Args:
        points: Columns `title`, `taste`, `other`, `role` ("rest", "history", "recommended").
    """
    figure = go.Figure()
    for role, (name, color, symbol, width) in ROLES.items():
        chosen = points[points["role"] == role]
        figure.add_scatter(
            x=chosen["taste"],
            y=chosen["other"],
            mode="markers",
            name=_(name),
            marker={"color": color, "symbol": symbol, "size": width, "opacity": 0.6 if role == "rest" else 0.95},
            customdata=plain_all(chosen["title"]),
            hovertemplate=_("%{customdata}<br>factor term %{x:.3f}<extra></extra>"),
        )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    return dressed(
        figure,
        x=_("Factor term of the score (user factors · item factors)"),
        y=_("Main orthogonal direction"),
        height=460,
    )


def taste_ends(items: pd.DataFrame) -> go.Figure:
    """Return the items at both ends of a latent factor.

    Args:
        items: Columns `title`, `taste`, `end` ("high" or "low"); highest first.
    """
    return named_bars(
        items["title"].tolist(),
        items["taste"].tolist(),
        colors=[BLUE if end == "high" else VERMILION for end in items["end"]],
        x=_("Coordinate of the item on this factor"),
        zero_line=True,
    )


def topic_bars(items: pd.DataFrame) -> go.Figure:
    """Return the items with the largest shares of a topic.

    Args:
        items: Columns `title` and `share` (0..1), largest first.
    """
    figure = named_bars(items["title"].tolist(), items["share"].tolist(), x=_("Share of the topic in the item"))
    return figure.update_xaxes(tickformat=".0%", rangemode="tozero")


def term_bars(terms: pd.DataFrame) -> go.Figure:
    """Return the terms that an item shares with a history.

    Args:
        terms: Columns `title` (untrusted text, escaped here), `weight`, `held_by`; largest first.
    """
    shown = terms.head(SHARED_SHOWN)
    return named_bars(
        shown["title"].tolist(),
        shown["weight"].tolist(),
        colors=signed_colors(shown["weight"]),
        hover=[
            _("in {number} items of the history").format(number=number) if number else "" for number in shown["held_by"]
        ],
        x=_("Contribution to the score"),
        zero_line=True,
    )


def rule_bars(rules: pd.DataFrame) -> go.Figure:
    """Return the confidence of rules.

    Args:
        rules: Columns `title` (untrusted text, escaped here), `confidence` (0..1), `support`, `lift`, `fires`.
    """
    sides = [title.split(" → ") for title in rules["title"]]
    figure = named_bars(
        rules["title"].tolist(),
        rules["confidence"].tolist(),
        colors=[ORANGE if fires else BLUE for fires in rules["fires"]],
        hover=[
            _("support {support}, lift {lift:.2f}").format(support=plain(percent(support, 2)), lift=lift)
            for support, lift in zip(rules["support"], rules["lift"], strict=True)
        ],
        x=_("Confidence (orange: matches this user's history)"),
    )
    figure.update_yaxes(ticktext=[" → ".join(shortened(side, SIDE) for side in both) for both in sides])
    return figure.update_xaxes(tickformat=".0%", rangemode="tozero")


def link_graph(links: pd.DataFrame, *, user: str) -> go.Figure:
    """Return the social graph around one user, in circles by distance in links.

    Args:
        links: Columns `source_id`, `target_id`, `hop` (1 or 2), `link`, `carried` (contribution of the target to the
            score).
        user: Identifier of the user in the center; identifiers are untrusted text and escaped here.
    """
    places = _circles(links, user)
    top = float(links["carried"].abs().max()) or 1.0
    figure = go.Figure()
    for link in links.to_dict("records"):
        (x0, y0), (x1, y1) = places[link["source_id"]], places[link["target_id"]]
        color = _direction(link["carried"])
        width = 1.0 + 4.0 * abs(link["carried"]) / top
        figure.add_scatter(
            x=[x0, x1], y=[y0, y1], mode="lines", line={"color": color, "width": width}, hoverinfo="skip"
        )
    ends = [places[one] for one in links["target_id"]]
    named = links["carried"].abs().rank(method="first", ascending=False) <= NAMED
    figure.add_scatter(
        x=[x for x, _ in ends],
        y=[y for _, y in ends],
        mode="markers+text",
        marker={
            "color": [_direction(value) for value in links["carried"]],
            "size": [9.0 + 14.0 * abs(value) / top for value in links["carried"]],
        },
        text=[
            shortened(str(one), 14) if shown and (value or len(links) <= NAMED) else ""
            for one, shown, value in zip(links["target_id"], named, links["carried"], strict=True)
        ],
        textposition="top center",
        customdata=[
            _("user {one}<br>link weight {weight:.3g}<br>contribution {value:+.3g}").format(
                one=plain(one), weight=weight, value=value
            )
            for one, weight, value in zip(links["target_id"], links["link"], links["carried"], strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure.add_scatter(
        x=[0],
        y=[0],
        mode="markers",
        marker={"color": ORANGE, "size": 20, "symbol": "diamond"},
        customdata=[f"user {plain(user)}"],
        hovertemplate="%{customdata}<extra></extra>",
    )
    dressed(figure, x="", y="", height=520, showlegend=False)
    return figure.update_xaxes(visible=False).update_yaxes(visible=False)


def _circles(links: pd.DataFrame, user: str) -> dict[str, tuple[float, float]]:
    """Return the coordinates of users: the selected one in the center, the others on one circle per hop."""
    places = {user: (0.0, 0.0)}
    angles: dict[str, float] = {}
    near = links[links["hop"] == 1]["target_id"].tolist()
    for place, one in enumerate(near):
        angles[one] = 2 * math.pi * place / len(near)
        places[one] = (math.cos(angles[one]), math.sin(angles[one]))
    for source, behind in links[links["hop"] == 2].groupby("source_id", sort=False)["target_id"]:
        step = 2 * math.pi / max(len(near), 3) / (len(behind) + 1)
        first = angles[str(source)] - step * (len(behind) - 1) / 2
        for place, one in enumerate(behind):
            angle = first + place * step
            places[one] = (1.8 * math.cos(angle), 1.8 * math.sin(angle))
    return places


def _direction(value: float) -> str:
    """Return the color of a positive, negative or zero contribution."""
    return BLUE if value > 0 else VERMILION if value < 0 else REST


def training_curves(points: pd.DataFrame) -> go.Figure:
    """Return one subplot for each quantity that training reported.

    Args:
        points: Columns `stage`, `step`, `name`, `value`.
    """
    names = list(dict.fromkeys(zip(points["stage"], points["name"], strict=True)))
    figure = make_subplots(rows=len(names), cols=1, vertical_spacing=0.35 / max(1, len(names)))
    dressed(figure, x="", y="", height=110 + 190 * len(names), showlegend=False)
    for row, (stage, name) in enumerate(names, start=1):
        curve = points[(points["stage"] == stage) & (points["name"] == name)]
        figure.add_scatter(
            x=curve["step"],
            y=curve["value"],
            mode="lines+markers" if len(curve) <= 60 else "lines",
            line={"color": BLUE, "width": 2},
            hovertemplate=f"{plain(_(stage))} %{{x}}<br>{plain(quantity_text(name))} %{{y:.5g}}<extra></extra>",
            row=row,
            col=1,
        )
        figure.update_xaxes(title_text=plain(_(stage)).capitalize(), row=row, col=1)
        figure.update_yaxes(title_text=plain(quantity_text(name)), row=row, col=1)
    return figure
