"""A model at work, one stage after the other: what it looks at, what comes of it, and the arithmetic of the stage."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys_core.contracts import PAD, AttentionTrace
from recsys_core.evaluation.sentences import Sentence, Template, percent
from recsys_core.explain.attention import Attended, Head, chosen, mean_weights, sees
from recsys_core.viz.attention import EARLIER, SHOWN, identity

TERMS = 3
"""So many terms of a sum are written out."""


@dataclass(frozen=True)
class Row:
    """One item of a stage.

    Args:
        label: What it is: text from outside, or a sentence.
        value: How far it is lit, 0 to 1.
        text: Its number.
        mark: Whether it is the one that counts: chosen, or just read.
        off: Whether it plays no part yet.
        note: More words on it.
    """

    label: str | Sentence
    value: float = 0.0
    text: str = ""
    mark: bool = False
    off: bool = False
    note: Sentence | None = None


@dataclass(frozen=True)
class Stage:
    """One stage: two lists of items and the arithmetic.

    Args:
        title: What happens.
        words: What came of it, with its numbers.
        left_title: Of the list that is looked at.
        left: That list.
        right_title: Of the list of what comes of it.
        right: That list.
        formula: Lines of arithmetic.
        extra_title: Of a third list, None if there is none.
        extra: That list.
    """

    title: Sentence
    words: Sentence
    left_title: Sentence
    left: tuple[Row, ...]
    right_title: Sentence
    right: tuple[Row, ...]
    formula: tuple[Sentence, ...] = ()
    extra_title: Sentence | None = None
    extra: tuple[Row, ...] = ()


READ = Template("The history that it reads, oldest first").fill()
OFFERED = Template("What it expects next, by score").fill()
CANDIDATES = Template("Candidates for this step").fill()
READING_TITLE = Template("Step {place}: '{item}' is read")
READING = Template("The model now looks most at '{seen}' ({weight}) and expects '{best}' next.")
READING_HIT = Template(
    "The model now looks most at '{seen}' ({weight}) and expects '{best}' next: that is what came.",
)
CHOOSING_TITLE = Template("Step {place}: '{item}' is said")
CHOOSING = Template(
    "The decoder looks most at '{seen}' ({weight}), and '{item}' is said{surely}.",
)
ATTENTION_SUM = Template("C({step}) = Σ α E = {terms}")
ATTENTION_SUM_NORM = Template("C({step}) = Σ α E = {terms},  |C({step})| = {norm}")
BEAMS = Template("Beginnings that beam search keeps after this step, with log P").fill()
ENERGIES = Template("α({step}) = softmax(e),  e = {values}")
ALL_ALPHA = Template("α({step}) sums to {total} over {count} item", "α({step}) sums to {total} over {count} items")
HIDDEN = Template("|H({step})| = {norm}")
OUTPUT = Template("o({step}) = '{item}',  P = {probability}")


def payload(stages: Sequence[Stage], words: dict[str, str], said: Callable[[Sentence], str]) -> dict[str, Any]:
    """Return the stages as plain values for `attention_components.STAGES`, translated by `said`."""

    def named(row: Row) -> str:
        return said(row.label) if isinstance(row.label, Sentence) else row.label

    def rows(listed: Sequence[Row]) -> list[dict[str, Any]]:
        return [
            {"label": named(row), "value": round(row.value, 4), "text": row.text, "mark": row.mark, "off": row.off}
            | ({"note": said(row.note)} if row.note else {})
            for row in listed
        ]

    listed = [
        {
            "title": said(stage.title),
            "words": said(stage.words),
            "left_title": said(stage.left_title),
            "left": rows(stage.left),
            "right_title": said(stage.right_title),
            "right": rows(stage.right),
            "extra_title": said(stage.extra_title) if stage.extra_title else "",
            "extra": rows(stage.extra),
            "formula": [said(line) for line in stage.formula],
        }
        for stage in stages
    ]
    data = {"stages": listed, "words": words}
    return data | {"id": identity(data)}


def lit(weight: float) -> str:
    """Return a weight as it stands beside an item."""
    return percent(weight) if weight >= 0.0005 else "0%"


def of_trace(found: Attended, heads: Sequence[Head] | None = None) -> list[Stage]:
    """Return the stages of a model that reads item by item, or of one that decodes a sequence.

    Of a long history the steps are those of the latest `SHOWN` items, and the items before them share one row.

    Args:
        found: The trace.
        heads: Whose mean is shown, all by default.
    """
    make = _reading if found.trace.causal else _choosing
    weights, may = mean_weights(found.trace, heads), sees(found.trace)
    first = max(0, len(weights) - SHOWN) if found.trace.causal else 0
    return [make(found, weights[step], may[step], step) for step in range(first, len(weights))]


def latest_rows(rows: Sequence[Row], earlier: Callable[[int], Row]) -> tuple[Row, ...]:
    """Return the rows of the latest `SHOWN` items of a history; those before them share one.

    Args:
        rows: One an item, oldest first.
        earlier: Makes the row of the first so many items together.
    """
    first = max(0, len(rows) - SHOWN)
    return (earlier(first), *rows[first:]) if first else tuple(rows)


def summed(weights: Any) -> Callable[[int], Row]:
    """Return what makes the row of the earlier items from the weights (T,) of all: the sum of theirs."""

    def row(first: int) -> Row:
        earlier = float(weights[:first].sum())
        return Row(EARLIER.fill(first), earlier, lit(earlier))

    return row


def _items(found: Attended, weights: Any, may: Any, read: int | None) -> tuple[Row, ...]:
    rows = [
        Row(title, float(weight) if seen else 0.0, lit(weight) if seen else "", mark=place == read, off=not seen)
        for place, (title, weight, seen) in enumerate(zip(found.titles, weights, may, strict=True))
    ]
    return latest_rows(rows, summed(weights))


def _reading(found: Attended, weights: Any, may: Any, step: int) -> Stage:
    trace = found.trace
    best = int(trace.next_items[step, 0])
    came = int(trace.tokens[step + 1]) if step + 1 < len(trace.tokens) else PAD
    words = READING_HIT if best == came else READING
    seen = int(np.argmax(weights))
    return Stage(
        READING_TITLE.fill(place=str(step + 1), item=found.titles[step]),
        words.fill(seen=found.titles[seen], weight=percent(weights[seen]), best=found.called(best)),
        READ,
        _items(found, weights, may, step),
        OFFERED,
        _candidates(found, step, came),
    )


def _choosing(found: Attended, weights: Any, may: Any, step: int) -> Stage:
    trace = found.trace
    item = int(chosen(trace)[step])
    name, seen = found.called(item), int(np.argmax(weights))
    return Stage(
        CHOOSING_TITLE.fill(place=str(step + 1), item=name),
        CHOOSING.fill(seen=found.titles[seen], weight=percent(weights[seen]), item=name, surely=_surely(trace, step)),
        READ,
        _items(found, weights, may, None),
        CANDIDATES,
        _candidates(found, step, item),
        tuple(_arithmetic(found, weights, step)),
        BEAMS if "beam_items" in trace.details else None,
        _beams(found, step) if "beam_items" in trace.details else (),
    )


def _beams(found: Attended, step: int) -> tuple[Row, ...]:
    """Return the beginnings that beam search keeps after a step, the most probable first."""
    items, scores = found.trace.details["beam_items"][step], found.trace.details["beam_scores"][step]
    own = chosen(found.trace)[: step + 1]
    rows = []
    for sequence, score in zip(items, scores, strict=True):
        said = sequence[sequence != PAD]
        if len(said):
            label = " → ".join(found.called(int(item)) for item in said)
            rows.append(Row(label, math.exp(score), f"{score:.2f}", mark=bool(np.array_equal(said, own))))
    return tuple(rows)


def _candidates(found: Attended, step: int, mark: int) -> tuple[Row, ...]:
    """Return the best items after a step; they are lit by their probability, of raw scores by their place in range."""
    items, scores = found.trace.next_items[step], found.trace.next_scores[step]
    known = [(int(item), float(score)) for item, score in zip(items, scores, strict=True) if item != PAD]
    if not known:
        return ()
    low, high = min(score for _, score in known), max(score for _, score in known)
    chances = holds_chances(found.trace)
    rows = []
    for item, score in known:
        value = math.exp(score) if chances else 0.15 + 0.6 * ((score - low) / (high - low) if high > low else 1.0)
        rows.append(Row(found.called(item), value, lit(value) if chances else f"{score:.2f}", mark=item == mark))
    return tuple(rows)


def _surely(trace: AttentionTrace, step: int) -> str:
    chance = probability(trace, step)
    return f" (P = {_chance(chance)})" if chance is not None else ""


def _chance(probability: float) -> str:
    """Return a probability with two digits that say something."""
    return f"{probability:.2f}" if probability >= 0.1 else f"{probability:.1g}"


def holds_chances(trace: AttentionTrace) -> bool:
    """Return whether the scores of candidates are logarithms of probabilities: those of a decoder."""
    return "chosen_scores" in trace.details


def probability(trace: AttentionTrace, step: int) -> float | None:
    """Return the probability of the item that a step chose, None where the scores are no probabilities."""
    return float(np.exp(trace.details["chosen_scores"][step])) if holds_chances(trace) else None


def _arithmetic(found: Attended, weights: Any, step: int) -> list[Sentence]:
    """Return the formula of a decoding step with its numbers: alpha, the context, the state, the output."""
    order = np.argsort(-weights, kind="stable")
    terms = [f"{weights[place]:.2f} · E('{found.titles[place]}')" for place in order[:TERMS]]
    if len(order) > TERMS:
        terms.append(f"{weights[order[TERMS:]].sum():.2f} · (…)")
    number, details = str(step + 1), found.trace.details
    lines = []
    if "energies" in details:
        values = [f"{details['energies'][step, place]:.2f}" for place in order[:TERMS]]
        lines.append(ENERGIES.fill(step=number, values=", ".join([*values, "…"][: len(order)])))
    lines.append(ALL_ALPHA.fill(len(weights), step=number, total=f"{weights.sum():.2f}"))
    if "context_norm" in details:
        norm = f"{details['context_norm'][step]:.2f}"
        lines.append(ATTENTION_SUM_NORM.fill(step=number, terms=" + ".join(terms), norm=norm))
    else:
        lines.append(ATTENTION_SUM.fill(step=number, terms=" + ".join(terms)))
    if "hidden_norm" in details:
        lines.append(HIDDEN.fill(step=number, norm=f"{details['hidden_norm'][step]:.2f}"))
    chance = probability(found.trace, step)
    if chance is not None:
        item = found.called(int(chosen(found.trace)[step]))
        lines.append(OUTPUT.fill(step=number, item=item, probability=_chance(chance)))
    return lines
