"""Models across data sets as pictures: a heat map of ranks, and average ranks with the critical difference."""

import math

import plotly.graph_objects as go

from recsys_core.evaluation.sentences import listed
from recsys_core.experiments.across import Across
from recsys_core.text import Sentence, Template, _
from recsys_core.viz.bars import ROW, with_names
from recsys_core.viz.theme import BLUE, GREY, dressed, plain, plain_all, shortened

CELL = 46
RANK_COLORS = [[0.0, "#6FB3E3"], [0.5, "#F4F4F4"], [1.0, "#EE9A70"]]
"""Color scale of ranks: best, middle, last; pale enough for dark text."""

BEST = Template(
    "{model} has the best average rank: {rank} among {models} models on {sets} data sets.",
    "{model} share the best average rank: {rank} among {models} models on {sets} data sets.",
)
FIRST = Template(
    "{model} is first by average rank, with unequal tuning: {rank} among {models} models on {sets} data sets.",
    "{model} share the first average rank, with unequal tuning: {rank} among {models} models on {sets} data sets.",
)
DIFFER = Template(
    "Average ranks differ significantly from {critical} on (Nemenyi test, 95%): no model but {group} reaches the first "
    "group."
)
ALL_ALIKE = Template(
    "No average ranks differ significantly (Nemenyi test, 95%): a difference of at least {critical} would be needed."
)
TOO_FEW = Template("Average ranks are tested from three data sets on.")
LEFT_OUT = Template("Not in all experiments, and therefore not ranked: {models}.")


def across_sentences(result: Across) -> list[Sentence]:
    """Return what the ranks say."""
    best = result.average[result.average["rank"] == result.average["rank"].min()]
    sets = result.ranks["data"].nunique()
    sentences = [
        (FIRST if result.unequal else BEST).fill(
            len(best),
            model=listed(best["title"]),
            rank=f"{best['rank'].iloc[0]:.3g}",
            models=str(len(result.average)),
            sets=str(sets),
        )
    ]
    critical = f"{result.critical_difference:.2f}"
    if math.isnan(result.critical_difference):
        sentences.append(TOO_FEW.fill())
    elif len(result.groups) == 1:
        sentences.append(ALL_ALIKE.fill(critical=critical))
    else:
        sentences.append(DIFFER.fill(critical=critical, group=listed(result.groups[0])))
    return [*sentences, *([LEFT_OUT.fill(models=listed(result.left_out))] if result.left_out else [])]


def rank_map(result: Across) -> go.Figure:
    """Return the ranks as a heat map: a row per model, best average first, and a column per data set."""
    order = result.average["title"].tolist()
    by_model = result.ranks.pivot(index="title", columns="data", values="rank").loc[order]
    cells = {
        (row.title, row.data): f"{row.rank:g} ({row.low:g}–{row.high:g})"
        for row in result.ranks.itertuples(index=False)
    }
    data = list(by_model.columns)
    figure = go.Figure(
        go.Heatmap(
            z=by_model.to_numpy(),
            x=[shortened(name) for name in data],
            y=list(range(len(order))),
            text=[[cells[title, name] for name in data] for title in order],
            texttemplate="%{text}",
            textfont={"color": "#0d1117"},
            customdata=[[plain(f"{title}: {name}") for name in data] for title in order],
            hovertemplate="%{customdata}<br>%{text}<extra></extra>",
            colorscale=RANK_COLORS,
            zmin=1,
            zmax=max(2, len(order)),
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    return with_names(figure, order, x=_("rank (95% interval)"), row=CELL)


def average_ranks(result: Across) -> go.Figure:
    """Return the average ranks with the groups that do not differ as lines, and the critical difference."""
    table = result.average
    figure = go.Figure()
    for number, group in enumerate(result.groups):
        ranks = table.loc[table["title"].isin(group), "rank"]
        figure.add_scatter(
            x=[ranks.min() - 0.05, ranks.max() + 0.05],
            y=[-0.35 - 0.25 * number] * 2,
            mode="lines",
            line={"color": GREY, "width": 5},
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=table["rank"],
        y=list(range(len(table))),
        mode="markers",
        marker={"color": BLUE, "size": 11},
        customdata=plain_all(table["title"]),
        hovertemplate="%{customdata}<br>%{x:.2f}<extra></extra>",
    )
    with_names(figure, table["title"].tolist(), x=_("average rank"), row=ROW + 6)
    dressed(figure, x=_("average rank"), y="", height=140 + (ROW + 6) * len(table), showlegend=False)
    return figure.update_yaxes(range=[len(table) - 0.4, -0.6 - 0.25 * len(result.groups)])
