"""Figures of what a trained model holds: each draws one table of `recsys_core.explain`."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from recsys_core.viz.bars import named_bars, with_names
from recsys_core.viz.explore import shortened
from recsys_core.viz.theme import BLUE, GREY, HEAT, ORANGE, PALETTE, REST, VERMILION, dressed, plain, plain_all

if TYPE_CHECKING:
    import plotly.graph_objects as go

SHARED_SHOWN = 18
"""Shared items drawn; the table has all."""
SIDE = 14
"""Letters of each side of a rule beside an axis."""
NAMED = 12
"""So many people of a graph have their names beside them."""
ROLES = {
    "rest": ("other items", REST, "circle", 5),
    "history": ("what the person has", ORANGE, "circle", 9),
    "recommended": ("what this model recommends", BLUE, "star", 12),
}


def nearest_bars(people: pd.DataFrame) -> "go.Figure":
    """Return how similar the nearest people are.

    Args:
        people: Columns `user_id`, `similarity`, `shared`; most similar first.
    """
    return named_bars(
        people["user_id"].astype(str).tolist(),
        people["similarity"].tolist(),
        colors=[BLUE] * len(people),
        hover=[f"{number:,} items in common" for number in people["shared"]],
        x="Similarity",
    )


def shared_dumbbells(items: pd.DataFrame, *, neighbour: str, scale: tuple[float, float] | None) -> "go.Figure":
    """Return how two people rated the items that both have; without ratings, what each adds to the similarity.

    Args:
        items: Columns `title`, `own`, `theirs`, `share`; the weightiest first.
        neighbour: Identifier of the other person, from outside: escaped here.
        scale: Lowest and highest rating, None where people did not rate.
    """
    import plotly.graph_objects as go

    shown = items.head(SHARED_SHOWN)
    if scale is None:
        return named_bars(
            shown["title"].tolist(),
            shown["share"].fillna(0.0).tolist(),
            colors=[BLUE] * len(shown),
            hover=["both have it"] * len(shown),
            x="Adds to the similarity",
        )
    places = list(range(len(shown)))
    figure = go.Figure()
    for place, own, theirs in zip(places, shown["own"], shown["theirs"], strict=True):
        figure.add_shape(type="line", x0=own, x1=theirs, y0=place, y1=place, line={"color": REST, "width": 3})
    hover = [
        plain(title) if math.isnan(share) else f"{plain(title)}<br>adds {share:+.3f} to the similarity"
        for title, share in zip(shown["title"], shown["share"], strict=True)
    ]
    for name, values, color, symbol, size in (
        ("this person", shown["own"], ORANGE, "circle", 13),
        (f"user {plain(neighbour)}", shown["theirs"], BLUE, "diamond", 9),
    ):
        figure.add_scatter(
            x=values,
            y=places,
            mode="markers",
            name=name,
            marker={"color": color, "symbol": symbol, "size": size},
            customdata=hover,
            hovertemplate="%{customdata}<br>rated %{x:g}<extra></extra>",
        )
    room = 0.05 * (scale[1] - scale[0])
    figure.update_xaxes(range=[scale[0] - room, scale[1] + room])
    return with_names(figure, shown["title"].tolist(), x="Rating")


def alike_map(pairs: pd.DataFrame, *, size: int, person: str = "") -> "go.Figure":
    """Return how alike the members of a group are, those alike side by side.

    Args:
        pairs: Columns `first`, `second`, `similarity` (NaN with itself), row by row of a (size, size) matrix.
        size: Members.
        person: Name of the one to be marked.
    """
    import plotly.graph_objects as go

    names = pairs["second"].iloc[:size].tolist()
    labels = [f"▶ {shortened(name)}" if person and name == person else shortened(name) for name in names]
    values = pairs["similarity"].to_numpy().reshape(size, size)
    hover = [[f"{plain(first)}<br>{plain(second)}" for second in names] for first in names]
    figure = go.Figure(
        go.Heatmap(
            z=values,
            text=hover,
            colorscale=HEAT,
            colorbar={"title": {"text": "similarity", "side": "right"}, "thickness": 12},
            hovertemplate="%{text}<br>%{z:.3f}<extra></extra>",
            hoverongaps=False,
            xgap=1,
            ygap=1,
        )
    )
    numbers = list(range(size))
    dressed(figure, x="The same ones, by place", y="", height=140 + 20 * size)
    fifths = numbers[4::5]
    figure.update_xaxes(tickvals=fifths, ticktext=[str(number + 1) for number in fifths], showgrid=False)
    numbered = [f"{number + 1}. {label}" for number, label in enumerate(labels)]
    figure.update_yaxes(tickvals=numbers, ticktext=numbered, autorange="reversed", showgrid=False)
    return figure


def weight_bars(weights: pd.DataFrame) -> "go.Figure":
    """Return the weights of other items for one item.

    Args:
        weights: Columns `title`, `weight`, `back`, `held`; strongest first.
    """
    figure = named_bars(
        weights["title"].tolist(),
        weights["weight"].tolist(),
        colors=[ORANGE if held else BLUE for held in weights["held"]],
        hover=[f"the other way round {back:.4g}" for back in weights["back"]],
        x="Weight for the item (orange: the person has it)",
    )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    return figure


def taste_space(points: pd.DataFrame) -> "go.Figure":
    """Return items in the space of tastes, as one person sees it.

    Args:
        points: Columns `title`, `taste`, `other`, `role` ("rest", "history", "recommended").
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for role, (name, color, symbol, width) in ROLES.items():
        chosen = points[points["role"] == role]
        figure.add_scatter(
            x=chosen["taste"],
            y=chosen["other"],
            mode="markers",
            name=name,
            marker={"color": color, "symbol": symbol, "size": width, "opacity": 0.6 if role == "rest" else 0.95},
            customdata=plain_all(chosen["title"]),
            hovertemplate="%{customdata}<br>tastes add %{x:.3f}<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    return dressed(
        figure, x="What this person's tastes add to the score", y="The strongest other direction", height=460
    )


def taste_ends(items: pd.DataFrame) -> "go.Figure":
    """Return the items at both ends of a taste.

    Args:
        items: Columns `title`, `taste`, `end` ("high" or "low"); highest first.
    """
    figure = named_bars(
        items["title"].tolist(),
        items["taste"].tolist(),
        colors=[BLUE if end == "high" else VERMILION for end in items["end"]],
        hover=["" for _ in items["end"]],
        x="How much of this taste the item has",
    )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    return figure


def topic_bars(items: pd.DataFrame) -> "go.Figure":
    """Return the items that have most of a topic.

    Args:
        items: Columns `title` and `share` (0..1), largest first.
    """
    figure = named_bars(
        items["title"].tolist(),
        items["share"].tolist(),
        colors=[BLUE] * len(items),
        hover=["" for _ in items["share"]],
        x="Share of the topic in the item",
    )
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    return figure


def term_bars(terms: pd.DataFrame) -> "go.Figure":
    """Return the terms that an item shares with a history.

    Args:
        terms: Columns `title` (from outside: escaped here), `weight`, `held_by`; largest first.
    """
    shown = terms.head(SHARED_SHOWN)
    figure = named_bars(
        shown["title"].tolist(),
        shown["weight"].tolist(),
        colors=[BLUE if weight >= 0 else VERMILION for weight in shown["weight"]],
        hover=[f"in {number} items of the history" if number else "" for number in shown["held_by"]],
        x="Adds to the score",
    )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    return figure


def rule_bars(rules: pd.DataFrame) -> "go.Figure":
    """Return how sure rules are.

    Args:
        rules: Columns `title` (from outside: escaped here), `confidence` (0..1), `support`, `lift`, `fires`.
    """
    sides = [title.split(" → ") for title in rules["title"]]
    figure = named_bars(
        rules["title"].tolist(),
        rules["confidence"].tolist(),
        colors=[ORANGE if fires else BLUE for fires in rules["fires"]],
        hover=[
            f"support {support:.2%}, lift {lift:.2f}"
            for support, lift in zip(rules["support"], rules["lift"], strict=True)
        ],
        x="Confidence (orange: fires for this person)",
    )
    figure.update_yaxes(ticktext=[" → ".join(shortened(side, SIDE) for side in both) for both in sides])
    figure.update_xaxes(tickformat=".0%", rangemode="tozero")
    return figure


def link_graph(links: pd.DataFrame, *, person: str) -> "go.Figure":
    """Return the people around one person, in circles by the number of links.

    Args:
        links: Columns `source_id`, `target_id`, `hop` (1 or 2), `link`, `carried` (share of the target in a score).
        person: Identifier of the one in the middle; all identifiers are from outside and escaped here.
    """
    import plotly.graph_objects as go

    places = _circles(links, person)
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
            f"user {plain(one)}<br>link {weight:.3g}<br>share {value:+.3g}"
            for one, weight, value in zip(links["target_id"], links["link"], links["carried"], strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure.add_scatter(
        x=[0],
        y=[0],
        mode="markers",
        marker={"color": ORANGE, "size": 20, "symbol": "diamond"},
        customdata=[f"user {plain(person)}"],
        hovertemplate="%{customdata}<extra></extra>",
    )
    dressed(figure, x="", y="", height=520, showlegend=False)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _circles(links: pd.DataFrame, person: str) -> dict[str, tuple[float, float]]:
    """Return where each person stands: the one asked about in the middle, the others on a circle for each hop."""
    places = {person: (0.0, 0.0)}
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
    """Return the colour of what raises, lowers, or does nothing."""
    return BLUE if value > 0 else VERMILION if value < 0 else REST


def training_curves(points: pd.DataFrame) -> "go.Figure":
    """Return what training reported, a small picture for each number.

    Args:
        points: Columns `stage`, `step`, `name`, `value`.
    """
    from plotly.subplots import make_subplots

    names = list(dict.fromkeys(zip(points["stage"], points["name"], strict=True)))
    figure = make_subplots(rows=len(names), cols=1, vertical_spacing=0.35 / max(1, len(names)))
    dressed(figure, x="", y="", height=110 + 190 * len(names), showlegend=False)
    for row, (stage, name) in enumerate(names, start=1):
        curve = points[(points["stage"] == stage) & (points["name"] == name)]
        figure.add_scatter(
            x=curve["step"],
            y=curve["value"],
            mode="lines+markers" if len(curve) <= 60 else "lines",
            line={"color": PALETTE[0], "width": 2},
            hovertemplate=f"{plain(stage)} %{{x}}<br>{plain(name)} %{{y:.5g}}<extra></extra>",
            row=row,
            col=1,
        )
        figure.update_xaxes(title_text=plain(stage).capitalize(), row=row, col=1)
        figure.update_yaxes(title_text=plain(name), row=row, col=1)
    return figure
