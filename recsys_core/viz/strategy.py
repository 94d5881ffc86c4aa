"""What a strategy changes as pictures: price tags of cards, the frontier, exposure, and groups of users."""

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from recsys_core.evaluation.sentences import ends, listed, metric_text
from recsys_core.evaluation.slices import border_text
from recsys_core.strategy.card_text import title
from recsys_core.strategy.frontier import Frontier
from recsys_core.strategy.metric_titles import metric_title
from recsys_core.strategy.prices import WHOLE, Prices
from recsys_core.strategy.rank_change import RankChange
from recsys_core.text import Sentence, Template, _, percent
from recsys_core.viz.bars import ROW, interval_bars, with_names
from recsys_core.viz.theme import BLUE, GREY, ORANGE, PALETTE, VERMILION, dressed, plain_all, shortened

POINT = 10
EXPOSURE = "exposure@"

HIGHER = Template("The strategy raises {metric} by {low} to {high} (95% interval), from {before} to {after}.")
LOWER = Template("The strategy lowers {metric} by {low} to {high} (95% interval), from {before} to {after}.")
UNDECIDED = Template(
    "Whether the strategy changes {metric} is open: it goes from {before} to {after}, a difference of {low} to {high} "
    "(95% interval)."
)
SAME = Template("The strategy leaves {metric} at {before}.")
NO_INTERVAL = Template(
    "{metric} goes from {before} to {after}. This difference has no interval: too few users have a value, or the "
    "difference is the same for all of them."
)
NO_VALUE = Template("No test user has a value of {metric}, so its change is unknown.")
FARTHEST = Template(
    "Among the settings whose interval of {x} stays at or above {floor} of the raw lists, {setting} of {model} "
    "changes {y} most: from {before} to {value}, keeping {kept} of {x}."
)
NONE_HIGHER = Template(
    "None of the settings whose interval of {x} stays at or above {floor} of the raw lists raises {y} (raw: {before})."
)
NONE_LOWER = Template(
    "None of the settings whose interval of {x} stays at or above {floor} of the raw lists lowers {y} (raw: {before})."
)
NONE_ALLOWED = Template("There is no setting whose whole interval of {x} stays at or above {floor} of the raw lists.")
NO_GROUP = Template("None of {groups} groups differs significantly from the raw lists.")
ONLY_BETTER = Template("Significantly better: {better}. No group is significantly worse.")
NOTHING_MOVES = Template("{card}: no candidate meets the condition.")
RANKS_RISE = Template(
    "{card}: items that meet the condition rise by {median} places (median of {items} in the lists of {users} users)."
)
RANKS_FALL = Template(
    "{card}: items that meet the condition fall by {median} places (median of {items} in the lists of {users} users)."
)
RANKS_STAY = Template(
    "{card}: items that meet the condition keep their place (median of {items} in the lists of {users} users)."
)
ONLY_WORSE = Template("Significantly worse: {worse}. No group is significantly better.")
BOTH = Template("Significantly better: {better}. Significantly worse: {worse}.")
WORSE = Template("NDCG falls for {share} of {users} users ({low} to {high}) and rises for {better}.")
UNCHANGED = Template("The lists of all test users stay as they are, so NDCG falls and rises for none of them.")
NOBODY = Template("No test user has relevant items, so it is unknown for whom NDCG falls or rises.")


def card_names(prices: Prices) -> dict[int, str]:
    """Return the names of the cards of a strategy by their place; equal kinds are numbered."""
    kinds = [title(type(card)) for card in prices.strategy.cards]
    names = {WHOLE: _("Whole strategy")}
    for place, kind in enumerate(kinds):
        names[place] = f"{place + 1}. {kind}"
    return names


def price_sentence(prices: Prices, metric: str) -> Sentence:
    """Return what the whole strategy does to a metric."""
    tags = prices.of("whole")
    row = tags[tags["metric"] == metric].iloc[0]
    numbers = {name: f"{row[name]:.3f}" for name in ("before", "after")} | {"metric": metric_title(metric)}
    if not row["users"]:
        return NO_VALUE.fill(metric=numbers["metric"])
    if math.isnan(row["low"]) or math.isnan(row["high"]):
        return NO_INTERVAL.fill(**numbers)
    low, high = (-row["high"], -row["low"]) if row["high"] < 0 else (row["low"], row["high"])
    numbers["low"], numbers["high"] = ends(low, high, 3)
    if row["low"] > 0:
        return HIGHER.fill(**numbers)
    if row["high"] < 0:
        return LOWER.fill(**numbers)
    if row["low"] == row["high"] == 0:
        return SAME.fill(metric=numbers["metric"], before=numbers["before"])
    return UNDECIDED.fill(**numbers)


def affected_sentence(prices: Prices) -> Sentence:
    """Return the share of the users who are worse off, and of those who are better off."""
    row = prices.affected[prices.affected["view"] == "whole"].iloc[0]
    if not row["users"]:
        return NOBODY.fill()
    if row["changed"] == 0:
        return UNCHANGED.fill()
    return WORSE.fill(
        share=percent(row["worse"], 1), users=f"{row['users']:,.0f}", low=percent(row["worse_low"], 1),
        high=percent(row["worse_high"], 1), better=percent(row["better"], 1),
    )  # fmt: skip


def differences_table(rows: pd.DataFrame, *, before: str, after: str) -> pd.DataFrame:
    """Return paired differences as a table for reading, with an empty text where there is no interval.

    Args:
        rows: Rows with `metric`, `before`, `after`, `difference`, `low` and `high`: of `Prices.table`, or of
            `strategy.versus.differences_between`.
        before: Display name of the lists before.
        after: Display name of the lists after.
    """
    return pd.DataFrame(
        {
            _("Metric"): [metric_title(one) for one in rows["metric"]],
            before: rows["before"].to_numpy(),
            after: rows["after"].to_numpy(),
            _("Change"): rows["difference"].to_numpy(),
            _("95% interval"): list(map(_signed_interval, rows["low"], rows["high"])),
        }
    )


def _signed_interval(low: float, high: float) -> str:
    if math.isnan(low) or math.isnan(high):
        return ""
    return " … ".join(metric_text(end, decimals=4, sign=True) if end else "0" for end in (low, high))


def rank_change_sentence(prices: Prices, place: int, change: RankChange) -> Sentence:
    """Return how far a card moves the items that meet its condition."""
    card = _("Card {n} ({kind})").format(n=place + 1, kind=title(type(prices.strategy.cards[place])))
    if math.isnan(change.median):
        return NOTHING_MOVES.fill(card=card)
    median = f"{abs(change.median):g}"
    words = RANKS_RISE if change.median > 0 else RANKS_FALL if change.median < 0 else RANKS_STAY
    return words.fill(card=card, median=median, items=f"{change.items:,}", users=f"{change.users:,}")


def price_tags(prices: Prices, metric: str, view: str) -> go.Figure:
    """Return the change of a metric by each card with its interval, and by the whole strategy."""
    table = prices.table
    rows = table[(table["metric"] == metric) & table["view"].isin([view, "whole"])]
    rows = rows.sort_values("card", key=lambda card: card.replace(WHOLE, len(table)), kind="stable")
    names = card_names(prices)
    labels = [names[card] for card in rows["card"]]
    colors = [ORANGE if card == WHOLE else BLUE for card in rows["card"]]
    shown = map(_signed_interval, rows["low"], rows["high"])
    figure = go.Figure().add_scatter(
        mode="markers",
        x=rows["difference"],
        y=list(range(len(rows))),
        error_x=interval_bars(rows["difference"], rows["low"], rows["high"], color=GREY, thickness=2),
        marker={"size": POINT, "color": colors},
        customdata=[
            f"{name}<br>{row.before:.4f} → {row.after:.4f}<br>{interval}"
            for name, row, interval in zip(plain_all(labels), rows.itertuples(index=False), shown, strict=True)
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    return with_names(figure, labels, x=_("Change of {metric}").format(metric=metric_title(metric)), row=ROW + 8)


def exposure_shares(prices: Prices) -> go.Figure:
    """Return the shares of exposure of groups of items, of the raw lists and of the strategy."""
    rows = exposure_rows(prices)
    names = [metric_title(metric).partition(": ")[2].partition("=")[2] for metric in rows["metric"]]
    figure = go.Figure()
    for name, column, color in ((_("model alone"), "before", GREY), (_("strategy"), "after", BLUE)):
        figure.add_bar(
            orientation="h", name=name, x=rows[column], y=list(range(len(rows))), marker_color=color,
            customdata=plain_all(names), hovertext=plain_all(percent(share, 1) for share in rows[column]),
            hovertemplate="%{customdata}<br>%{hovertext}<extra></extra>",
        )  # fmt: skip
    with_names(figure, names, x=_("Share of the exposure"), row=2 * ROW)
    figure.update_xaxes(tickformat=".0%")
    return figure.update_layout(barmode="group", showlegend=True, legend={"orientation": "h", "y": 1.1})


def exposure_rows(prices: Prices) -> pd.DataFrame:
    """Return the tags of the whole strategy about shares of exposure, the largest first."""
    rows = prices.of("whole")
    return rows[rows["metric"].str.startswith(EXPOSURE)].sort_values("before", ascending=False, kind="stable")


def frontier_sentence(frontier: Frontier, floor: float) -> Sentence:
    """State how far the guardrail lets the second metric go."""
    points = frontier.points.dropna(subset=["setting"])
    allowed = points[points["state"] == "kept"]
    names = {"x": metric_title(frontier.x), "y": metric_title(frontier.y), "floor": percent(floor)}
    if allowed.empty:
        return NONE_ALLOWED.fill(**names)
    best = allowed.sort_values("y", ascending=frontier.lower_is_better, kind="stable").iloc[0]
    names["before"] = f"{frontier.reference[1]:.3f}"
    gained = (best["y"] - frontier.reference[1]) * (-1 if frontier.lower_is_better else 1)
    if not gained > 0:  # such as relevance alone
        return (NONE_LOWER if frontier.lower_is_better else NONE_HIGHER).fill(**names)
    return FARTHEST.fill(
        **names, model=str(best["model"]), setting=f"{best['setting']:g}", value=f"{best['y']:.3f}",
        kept=percent(best["kept"]),
    )  # fmt: skip


def frontier_chart(frontier: Frontier, floor: float) -> go.Figure:
    """Return one metric against another for each value of a setting, with a line per model; raw lists are apart.

    Args:
        frontier: The points.
        floor: Share of the first model's raw value that a guardrail asks for.
    """
    figure = go.Figure()
    for color, (model, own) in zip(PALETTE, frontier.points.groupby("model", sort=False), strict=False):
        for is_raw, rows in own.groupby(own["setting"].isna()):
            names = [_("model alone") if is_raw else f"{setting:g}" for setting in rows["setting"]]
            figure.add_scatter(
                mode="markers" if is_raw else "lines+markers",
                name=shortened(str(model)),
                legendgroup=str(model),
                showlegend=not is_raw,
                x=rows["y"],
                y=rows["x"],
                error_x=interval_bars(rows["y"], rows["y_low"], rows["y_high"], color=color, thickness=1),
                error_y=interval_bars(rows["x"], rows["x_low"], rows["x_high"], color=color, thickness=1),
                line={"color": color, "dash": "dot", "width": 1},
                marker={
                    "color": [color if best else "rgba(0,0,0,0)" for best in rows["pareto"]],
                    "symbol": "diamond" if is_raw else "circle",
                    "line": {"color": color, "width": 2},
                    "size": POINT,
                },
                customdata=list(map(list, zip(rows.index, names, strict=True))),
                hovertemplate="%{customdata[1]}<br>%{y:.4f}, %{x:.4f}<extra></extra>",
            )
    line = {"color": GREY, "dash": "dash"}
    figure.add_hline(y=floor * frontier.reference[0], line=line, annotation_text=_("guardrail"))
    dressed(figure, x=metric_title(frontier.y), y=metric_title(frontier.x), height=420)
    return figure.update_layout(showlegend=True, legend={"orientation": "h", "y": 1.12})


def slice_title(row: Any) -> str:
    """Return the name of a group of users or items, a row of `strategy.slices.strategy_slices`."""
    kind, name = str(row.kind), str(row.slice)
    titles = {
        "all": _("all users"),
        "new": _("short history (at most {border})"),
        "active": _("long history (more than {border})"),
        "mainstream": _("mainstream users"),
        "niche": _("niche users"),
        "head": _("head items"),
        "tail": _("tail items"),
    }
    if kind == "history":
        return titles[name].format(border=border_text(row.border))
    if kind in ("all", "taste", "items") and name in titles:
        return titles[name]
    return f"{kind}: {name}"


def groups_sentence(rows: pd.DataFrame) -> Sentence:
    """State which groups of users differ significantly."""
    own = rows[rows["slice"] != "all"]
    names = {
        verdict: [slice_title(row) for row in own[own["verdict"] == verdict].itertuples(index=False)]
        for verdict in ("better", "worse")
    }
    if not names["better"] and not names["worse"]:
        return NO_GROUP.fill(groups=str(len(own)))
    if not names["worse"]:
        return ONLY_BETTER.fill(better=listed(names["better"]))
    if not names["better"]:
        return ONLY_WORSE.fill(worse=listed(names["worse"]))
    return BOTH.fill(better=listed(names["better"]), worse=listed(names["worse"]))


def group_differences(rows: pd.DataFrame) -> go.Figure:
    """Return the difference of a strategy to the raw lists in each group of users, with intervals.

    Args:
        rows: Rows of one strategy from `strategy.slices.strategy_slices`.
    """
    labels = [f"{slice_title(row)} ({row.users:,.0f})" for row in rows.itertuples(index=False)]
    figure = go.Figure().add_scatter(
        mode="markers",
        x=rows["difference"],
        y=list(range(len(rows))),
        error_x=interval_bars(rows["difference"], rows["low"], rows["high"], color=GREY, thickness=2),
        marker={
            "size": POINT,
            "color": [{"better": BLUE, "worse": VERMILION}.get(verdict, GREY) for verdict in rows["verdict"]],
        },
        customdata=plain_all(labels),
        hovertemplate="%{customdata}<br>%{x:+.4f}<extra></extra>",
    )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    return with_names(figure, labels, x=_("Change of NDCG"), row=ROW + 8)
