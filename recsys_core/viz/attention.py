"""Pictures of attention: who looked at what as lines, all looks as a heat map, and both in words."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys_core.contracts import FloatArray
from recsys_core.evaluation.sentences import Sentence, Template, percent
from recsys_core.explain.attention import RECENT, Attended, Head, habit, mean_weights, sees
from recsys_core.viz.explore import shortened
from recsys_core.viz.theme import HEAT, dressed, plain_all

if TYPE_CHECKING:
    import plotly.graph_objects as go

SHOWN = 24
"""So many of the latest items have a row of their own among the lines; those before them share one."""
MOST = 200
"""So many of the latest steps and items are in the heat map."""
LABEL = 80
"""Letters of a name that reach the browser."""
LABELLED = 60
"""Up to so many rows, each has its name beside the heat map; more are named when somebody points at them."""

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
    "The strongest look: to choose '{step}', {weight} of the attention goes to '{item}'. On average over {count} step "
    "the latest three items get {latest} of it, where even attention would give them {even}; it is spread as if over "
    "{spread} of {seen} items.",
    "The strongest look: to choose '{step}', {weight} of the attention goes to '{item}'. On average over {count} steps "
    "the latest three items get {latest} of it, where even attention would give them {even}; it is spread as if over "
    "{spread} of {seen} items.",
)
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


def links_data(found: Attended, words: Mapping[str, str], file: str, said: Said) -> dict[str, Any]:
    """Return what the picture of lines draws: plain values for `attention_components.LINKS`.

    Of a long history the latest `SHOWN` items have rows of their own, and the weight of all items before them is summed
    in one row; of a causal model the steps are those of the same items.

    Args:
        found: The trace.
        words: What the picture says, by name.
        file: Name of the files that are saved, without an ending.
        said: Translates a sentence.
    """
    trace = found.trace
    layers, heads, steps, items = trace.weights.shape
    first = max(0, items - SHOWN)
    rows = np.arange(first, steps) if trace.causal else np.arange(min(steps, SHOWN))
    looked = trace.weights[:, :, rows].reshape(layers * heads, len(rows), items)
    block = looked[:, :, first:]
    labels = [_label(title) for title in found.titles[first:]]
    if first:
        block = np.concatenate([looked[:, :, :first].sum(axis=2, keepdims=True), block], axis=2)
        labels = [said(EARLIER.fill(first)), *labels]
    names = found.steps
    data = {
        "steps": [_label(names[row]) for row in rows],
        "items": labels,
        "heads": heads,
        "weights": np.round(block.astype(np.float64), 4).tolist(),
        "causal": trace.causal,
        "words": dict(words),
        "file": file,
    }
    return data | {"id": identity(data)}


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
    steps, items = shown.shape
    rows, columns = found.steps[-MOST:], list(found.titles[-MOST:])
    first_row, first_column = len(found.steps) - steps + 1, len(found.titles) - items + 1
    figure = go.Figure(
        go.Heatmap(
            z=np.round(shown, 4),
            x=list(range(first_column, first_column + items)),
            y=list(range(first_row, first_row + steps)),
            customdata=np.array([[f"{a}<br>▸ {b}" for b in plain_all(columns)] for a in plain_all(rows)]),
            colorscale=HEAT,
            zmin=0,
            zmax=_brightest(found, weights),
            colorbar={
                "title": {"text": "share of the step's attention", "side": "top"},
                "thickness": 10,
                "orientation": "h",
                "y": 1.01,
                "yanchor": "bottom",
                "tickformat": ".0%",
            },
            hovertemplate="%{customdata}<br>%{z:.1%}<extra></extra>",
            hoverongaps=False,
        )
    )
    title = "Looked at (the same items, by place)" if found.trace.causal else "Looked at"
    dressed(figure, x=title, y="", height=int(min(760, 240 + 22 * max(steps, 6))))
    figure.update_xaxes(showgrid=False, zeroline=False)
    figure.update_yaxes(showgrid=False, zeroline=False, autorange="reversed")
    if steps <= LABELLED:
        figure.update_yaxes(**_labels(rows, first_row, 20))
    if items <= LABELLED // 2 and not found.trace.causal:
        figure.update_xaxes(**_labels(columns, first_column, 14), tickangle=-60)
    return figure


def _brightest(found: Attended, weights: FloatArray) -> float:
    """Return the weight that is brightest: the largest of the steps that see more than `RECENT` items.

    The first steps of a causal model see one or two and give them all they have; all others would be dark beside them.
    """
    rows = sees(found.trace).sum(axis=1) > RECENT
    return float(weights[rows].max() if rows.any() else weights.max())


def _labels(names: Sequence[str], first: int, letters: int) -> dict[str, list[Any]]:
    """Return ticks with names, numbered so that two of the same name stay apart."""
    places = list(range(first, first + len(names)))
    texts = [f"{place}. {shortened(name, letters)}" for place, name in zip(places, names, strict=True)]
    return {"tickvals": places, "ticktext": texts}
