"""Pictures of attention: who looked at what as lines, all looks as a heat map, and both in words."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys_core.contracts import FloatArray
from recsys_core.evaluation.sentences import Sentence, Template, percent
from recsys_core.explain.attention import RECENT, Attended, Head, foreseen, habit, mean_weights, sees
from recsys_core.viz.explore import shortened
from recsys_core.viz.theme import HEAT, dressed

if TYPE_CHECKING:
    import plotly.graph_objects as go

SHOWN = 24
"""So many of the latest items have a row of their own among the lines; those before them share one."""
MOST = 200
"""So many of the latest steps and items are in the heat map."""
LABEL = 80
"""Letters of a name that reach the browser."""
ROWS_LABELLED, COLUMNS_LABELLED = 40, 12
"""So many rows and columns at most have their names beside the heat map, of a part as of the whole."""
LETTERS = 18
"""Letters of a name in the heat map."""

EARLIER = Template("{count} earlier item", "{count} earlier items")
HEAD = Template("Layer {layer}, head {head}")
READING = Template(
    "The strongest look: after '{step}', {weight} of the attention goes to '{item}'. On average over {count} step the "
    "latest three items get {latest} of it, where even attention would give them {even}; it is spread as if over "
    "{spread} of {seen} items.",
    "The strongest look: after '{step}', {weight} of the attention goes to '{item}'. On average over {count} steps the "
    "latest three items get {latest} of it, where even attention would give them {even}; it is spread as if over "
    "{spread} of {seen} items.",
)
CHOOSING = Template(
    "The strongest look: to say '{step}', {weight} of the attention goes to '{item}'. On average over {count} step "
    "the latest three items get {latest} of it, where even attention would give them {even}; it is spread as if over "
    "{spread} of {seen} items.",
    "The strongest look: to say '{step}', {weight} of the attention goes to '{item}'. On average over {count} steps "
    "the latest three items get {latest} of it, where even attention would give them {even}; it is spread as if over "
    "{spread} of {seen} items.",
)
TRAINED_WITH = (
    "It was trained with these people, this one too, so that there is something to see; that shows how to read the "
    "pictures, not how good the model is"
)
LEARNED = Template(
    f"{TRAINED_WITH}: {{hits}} of {{count}} time the item that came next was the one it expected most.",
    f"{TRAINED_WITH}: {{hits}} of {{count}} times the item that came next was the one it expected most.",
)
LEARNED_WHOLE = Template(f"{TRAINED_WITH}.").fill()
Said = Callable[[Sentence], str]


def spread(found: Attended, heads: Sequence[Head] | None = None) -> Sentence:
    """Return how attention is spread, with its numbers."""
    facts = habit(found, heads)
    return (READING if found.trace.causal else CHOOSING).fill(
        facts.steps,
        step=facts.step,
        item=facts.item,
        weight=percent(facts.weight),
        latest=percent(facts.latest),
        even=percent(facts.even),
        spread=f"{facts.spread:.1f}",
        seen=f"{facts.seen:.1f}",
    )


def learned(found: Attended) -> Sentence:
    """Return what is to be known of a model that is shown with people it was trained with, with its hits among them."""
    hits, steps = foreseen(found.trace)
    return LEARNED.fill(steps, hits=f"{hits}") if found.trace.causal and steps else LEARNED_WHOLE


def links_data(
    found: Attended, words: Mapping[str, str], file: str, said: Said, heads: Sequence[Head] | None = None
) -> dict[str, Any]:
    """Return what the picture of lines draws: plain values for `attention_components.LINKS`.

    Of a long history the latest `SHOWN` items have rows of their own, and the weight of all items before them is summed
    in one row; of a causal model the steps are those of the same items.

    Args:
        found: The trace.
        words: What the picture says, by name.
        file: Name of the files that are saved, without an ending.
        said: Translates a sentence.
        heads: Those that are switched on when it is drawn, None for all; another choice is no other picture.
    """
    trace = found.trace
    layers, width, steps, items = trace.weights.shape
    first = max(0, items - SHOWN)
    rows = np.arange(first, steps) if trace.causal else np.arange(min(steps, SHOWN))
    looked = trace.weights[:, :, rows].reshape(layers * width, len(rows), items)
    block = looked[:, :, first:]
    labels = [_label(title) for title in found.titles[first:]]
    if first:
        block = np.concatenate([looked[:, :, :first].sum(axis=2, keepdims=True), block], axis=2)
        labels = [said(EARLIER.fill(first)), *labels]
    names = found.steps
    data = {
        "steps": [_label(names[row]) for row in rows],
        "items": labels,
        "heads": width,
        "weights": np.round(block.astype(np.float64), 4).tolist(),
        "causal": trace.causal,
        "words": dict(words),
        "file": file,
    }
    on = None if heads is None else [layer * width + head for layer, head in heads]
    return data | {"id": identity(data), "on": on}


def identity(data: Mapping[str, Any]) -> str:
    """Return a short name of what is drawn: the same for the same values."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def _label(title: str) -> str:
    return title if len(title) <= LABEL else title[: LABEL - 1].rstrip() + "…"


def heat_map(found: Attended, heads: Sequence[Head] | None = None) -> "go.Figure":
    """Return how much each step looks at each item, brighter is more: of at most the latest `MOST`."""
    import plotly.graph_objects as go

    weights = mean_weights(found.trace, heads)
    shown: FloatArray = np.where(sees(found.trace), weights, np.nan)[-MOST:, -MOST:]
    steps = len(shown)
    rows, columns = map_names(found)
    figure = go.Figure(
        go.Heatmap(
            z=np.round(shown, 4),
            x=columns,
            y=rows,
            colorscale=HEAT,
            zmin=0,
            zmax=brightest(found, weights),
            colorbar={
                "title": {"text": "share of attention", "side": "top"},
                "thickness": 10,
                "orientation": "h",
                "y": 1.01,
                "yanchor": "bottom",
                "tickformat": ".0%",
            },
            hovertemplate="%{y}<br>▸ %{x}<br>%{z:.1%}<extra></extra>",
            hoverongaps=False,
        )
    )
    dressed(figure, x="Looked at", y="", height=int(min(900, 380 + 22 * max(steps, 6))))
    axis = {"type": "category", "showgrid": False, "zeroline": False}
    figure.update_xaxes(nticks=COLUMNS_LABELLED, tickangle=-60, **axis)
    figure.update_yaxes(nticks=ROWS_LABELLED, autorange="reversed", **axis)
    return figure


def map_names(found: Attended) -> tuple[list[str], list[str]]:
    """Return what rows and columns of the heat map are called, escaped: with their places, so that all differ."""
    return _numbered(found.steps), _numbered(found.titles)


def _numbered(names: Sequence[str]) -> list[str]:
    first = max(0, len(names) - MOST)
    return [f"{place}. {shortened(name, LETTERS)}" for place, name in enumerate(names[first:], start=first + 1)]


def brightest(found: Attended, weights: FloatArray) -> float:
    """Return the weight that is brightest: the largest of the steps that see more than `RECENT` items.

    The first steps of a causal model see one or two and give them all they have; all others would be dark beside them.
    """
    rows = sees(found.trace).sum(axis=1) > RECENT
    return float(weights[rows].max() if rows.any() else weights.max())
