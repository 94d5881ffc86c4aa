"""Figures and sentences of attention: a bipartite line view and a heat map of the weights, the latter also as SVG."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.explain.attention import RECENT, Attended, Head, foreseen, habit, mean_weights, sees, shares
from recsys_core.text import Sentence, Template, _, percent
from recsys_core.viz.theme import HEAT, dressed, heat_bar, shortened

SHOWN = 24
"""Number of latest items with a row of their own; earlier items share one row, or a few rows in the line view."""
GROUP, GROUPS = 24, 8
"""Usual number of earlier items in a group of the line view, and maximum number of groups."""
MOST = 200
"""Number of latest steps and items in the heat map."""
SMALLEST, NOISE = 1e-4, 1e-6
"""Smallest weight that is drawn unless it is 0, and inaccuracy of a weight of 1."""
LABEL = 80
"""Maximum length in characters of a name sent to the browser."""
ROWS_LABELLED, COLUMNS_LABELLED = 40, 12
"""Maximum number of row and column labels of the heat map, zoomed or not."""
LETTERS = 18
"""Maximum length in characters of a label in the heat map."""

EARLIER = Template("{count} earlier item", "{count} earlier items")
GROUPED = Template("Item {first}", "Items {first} to {last}")
READING = Template(
    "Largest weight: after '{step}', {weight} of the attention is on '{item}'. On average over {count} step, the "
    "three latest items receive {latest} (uniform attention: {even}); the effective number of attended items is "
    "{spread} of {seen}.{left_out}",
    "Largest weight: after '{step}', {weight} of the attention is on '{item}'. On average over {count} steps, the "
    "three latest items receive {latest} (uniform attention: {even}); the effective number of attended items is "
    "{spread} of {seen}.{left_out}",
)
CHOOSING = Template(
    "Largest weight: when decoding '{step}', {weight} of the attention is on '{item}'. On average over {count} step, "
    "the three latest items receive {latest} (uniform attention: {even}); the effective number of attended items is "
    "{spread} of {seen}.{left_out}",
    "Largest weight: when decoding '{step}', {weight} of the attention is on '{item}'. On average over {count} steps, "
    "the three latest items receive {latest} (uniform attention: {even}); the effective number of attended items is "
    "{spread} of {seen}.{left_out}",
)
LEFT_OUT = Template(
    " The first step is left out: its weights are large since it sees few items.",
    " The first {count} steps are left out: their weights are large since they see few items.",
)
LEARNED = Template(
    "The model was trained on these users, including this one, so the example shows how to read the figures, not how "
    "accurate the model is: the next item was ranked first in {hits} of {count} step.",
    "The model was trained on these users, including this one, so the example shows how to read the figures, not how "
    "accurate the model is: the next item was ranked first in {hits} of {count} steps.",
)
POINTWISE = Template(
    "The attention weights of this model are not a softmax: they do not sum to 1, and {negative} of them are negative. "
    "The charts show the absolute value of each weight as a share of the sum of absolute values in its step; the table "
    "also has the weights with their sign."
)
MASKED = Template(
    "The model was trained on masked items (cloze). Each step is the mask token placed after this item, which attends "
    "to the items up to it; on average over {count} step, {own} of its attention is on the mask token itself and not "
    "shown in the charts.",
    "The model was trained on masked items (cloze). Each step is the mask token placed after this item, which attends "
    "to the items up to it; on average over {count} steps, {own} of its attention is on the mask token itself and not "
    "shown in the charts.",
)
LEARNED_WHOLE = Template(
    "The model was trained on these users, including this one, so the example shows how to read the figures, not how "
    "accurate the model is."
).fill()


def spread(attended: Attended, heads: Sequence[Head] | None = None) -> Sentence:
    """State how attention is distributed, with its numbers."""
    facts = habit(attended, heads)
    left_out = len(attended.steps) - facts.steps
    return (READING if attended.trace.causal else CHOOSING).fill(
        facts.steps,
        step=facts.step,
        item=facts.item,
        weight=percent(facts.weight),
        latest=percent(facts.latest),
        even=percent(facts.even),
        spread=f"{facts.spread:.1f}",
        seen=f"{facts.seen:.1f}",
        left_out=LEFT_OUT.fill(left_out) if left_out else "",
    )


def kind_of_weights(attended: Attended, heads: Sequence[Head] | None = None) -> list[Sentence]:
    """State what the weights are if they are not those of a softmax over the items; else nothing."""
    trace, sentences = attended.trace, []
    if trace.mask_weights is not None:
        own = 1.0 - mean_weights(trace, heads).sum(axis=1)
        sentences.append(MASKED.fill(len(own), own=percent(float(np.mean(np.maximum(own, 0.0))))))
    if not trace.softmax:
        negative = trace.weights[:, :, sees(trace)] < 0
        sentences.append(POINTWISE.fill(negative=percent(float(negative.mean()))))
    return sentences


def learned(attended: Attended) -> Sentence:
    """State that the model was trained on the users shown, and how often it ranked their next item first."""
    hits, steps = foreseen(attended.trace)
    return LEARNED.fill(steps, hits=f"{hits}") if attended.trace.causal and steps else LEARNED_WHOLE


def links_data(
    attended: Attended, words: Mapping[str, str], file: str, heads: Sequence[Head] | None = None
) -> dict[str, Any]:
    """Return the data of the line view as plain values for `attention_components.LINKS`.

    In a long history the latest `SHOWN` items have rows of their own; earlier items are folded into groups that can be
    opened: the leading entries of `items`, with the sums of their weights, whose members are in `groups`. For a causal
    model the steps are those of the latest items.

    Args:
        attended: The trace.
        words: Texts of the figure, by key.
        file: Name of saved files, without extension.
        heads: Heads that are switched on initially, None for all; not part of the identity of the figure.
    """
    trace = attended.trace
    layers, width, steps, items = trace.weights.shape
    first = max(0, items - SHOWN)
    rows = np.arange(first, steps) if trace.causal else np.arange(min(steps, SHOWN))
    looked = shares(trace)[:, :, rows].reshape(layers * width, len(rows), items)
    folded = np.array_split(np.arange(first), min(GROUPS, math.ceil(first / GROUP))) if first else []
    sums = [looked[:, :, group].sum(axis=2, keepdims=True) for group in folded]
    titles, names = [_label(title) for title in attended.titles], attended.steps
    data = {
        "steps": [_label(names[row]) for row in rows],
        "items": [*(_group_label(group) for group in folded), *titles[first:]],
        "groups": [
            {"items": [titles[item] for item in group], "weights": _plain(looked[:, :, group])} for group in folded
        ],
        "heads": width,
        "weights": _plain(np.concatenate([*sums, looked[:, :, first:]], axis=2)),
        "causal": trace.causal,
        "words": dict(words),
        "file": file,
    }
    on = None if heads is None else [layer * width + head for layer, head in heads]
    return data | {"id": identity(data), "on": on}


def _group_label(group: IntArray) -> str:
    return str(GROUPED.fill(len(group), first=f"{group[0] + 1}", last=f"{group[-1] + 1}"))


def _plain(weights: FloatArray) -> list[Any]:
    plain: list[Any] = _rounded(weights).tolist()
    return plain


def _rounded(weights: FloatArray) -> FloatArray:
    """Return weights with four decimals, of which a part (up to the accuracy of its type) is neither 0 nor 1."""
    exact = weights.astype(np.float64)
    whole = np.round(exact, 4)
    is_part = (exact > 0) & (exact < 1 - NOISE)
    rounded: FloatArray = np.where(is_part, whole.clip(SMALLEST, 1 - SMALLEST), whole)
    return rounded


def identity(data: Mapping[str, Any]) -> str:
    """Return a short hash that identifies the data of a figure."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def _label(title: str) -> str:
    return title if len(title) <= LABEL else title[: LABEL - 1].rstrip() + "…"


def heat_map(attended: Attended, heads: Sequence[Head] | None = None) -> go.Figure:
    """Return a heat map of the attention of each step to each item, brighter is more; at most the latest `MOST` of
    each.
    """
    weights = mean_weights(attended.trace, heads)
    shown: FloatArray = np.where(sees(attended.trace), weights, np.nan)[-MOST:, -MOST:]
    steps = len(shown)
    rows, columns = map_names(attended)
    figure = go.Figure().add_heatmap(
        z=_rounded(shown),
        x=columns,
        y=rows,
        colorscale=HEAT,
        zmin=0,
        zmax=brightest(attended, weights),
        colorbar=heat_bar(_("share of attention")) | {"tickformat": ".0%"},
        hovertemplate="%{y}<br>▸ %{x}<br>%{z:.2~%}<extra></extra>",
        hoverongaps=False,
    )
    dressed(figure, x=_("Attended item"), y="", height=int(min(900, 380 + 22 * max(steps, 6))))
    axis = {"type": "category", "showgrid": False, "zeroline": False}
    figure.update_xaxes(nticks=COLUMNS_LABELLED, tickangle=-60, **axis)
    figure.update_yaxes(nticks=ROWS_LABELLED, autorange="reversed", **axis)
    return figure


def map_names(attended: Attended) -> tuple[list[str], list[str]]:
    """Return the escaped labels of the rows and columns of the heat map, numbered so that all differ."""
    return _numbered(attended.steps), _numbered(attended.titles)


def _numbered(names: Sequence[str]) -> list[str]:
    first = max(0, len(names) - MOST)
    return [f"{place}. {shortened(name, LETTERS)}" for place, name in enumerate(names[first:], start=first + 1)]


def brightest(attended: Attended, weights: FloatArray) -> float:
    """Return the upper end of the color scale: the largest weight among steps that can attend to more than `RECENT`
    items.

    The first steps of a causal model attend to one or two items with weights near 1, which would make all others dark.
    """
    rows = sees(attended.trace).sum(axis=1) > RECENT
    return float(weights[rows].max() if rows.any() else weights.max())
