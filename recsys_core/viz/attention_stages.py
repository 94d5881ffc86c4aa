"""Inference in stages: attention weights, resulting candidates, and the arithmetic of each stage."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recsys_core.contracts import PAD, AttentionTrace
from recsys_core.explain.attention import Attended, Head, chosen, mean_weights, sees
from recsys_core.text import Sentence, Template, percent
from recsys_core.viz.attention import EARLIER, SHOWN, identity

TERMS = 3
"""Number of terms of a sum that are written out."""


@dataclass(frozen=True)
class Row:
    """One row of a list in a stage.

    Args:
        label: Untrusted text, or a sentence.
        value: Intensity of its highlight, 0 to 1.
        text: Its number, formatted.
        mark: Whether it is emphasized: the selected item, or the one just read.
        off: Whether it is masked at this step.
        note: Further explanation.
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
        title: Heading.
        words: The result, with its numbers.
        left_title: Title of the list of attended items.
        left: The attended items.
        right_title: Title of the list of results.
        right: The results.
        formula: Lines of arithmetic.
        extra_title: Title of a third list, None without one.
        extra: The third list.
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


READ = Template("History, oldest item first").fill()
OFFERED = Template("Predicted next items, by score").fill()
CANDIDATES = Template("Candidates for this step").fill()
READING_TITLE = Template("Step {place}: input '{item}'")
READING = Template("The largest attention weight is on '{seen}' ({weight}); the top prediction is '{best}'.")
READING_HIT = Template(
    "The largest attention weight is on '{seen}' ({weight}); the top prediction is '{best}', which is the actual next "
    "item.",
)
CHOOSING_TITLE = Template("Step {place}: output '{item}'")
CHOOSING = Template(
    "The largest attention weight of the decoder is on '{seen}' ({weight}); the output is '{item}'{surely}.",
)
ATTENTION_SUM = Template("C({step}) = Σ α E = {terms}")
ATTENTION_SUM_NORM = Template("C({step}) = Σ α E = {terms},  |C({step})| = {norm}")
BEAMS = Template("Beams after this step, with log P").fill()
ENERGIES = Template("α({step}) = softmax(e),  e = {values}")
ALL_ALPHA = Template("α({step}) sums to {total} over {count} item", "α({step}) sums to {total} over {count} items")
HIDDEN = Template("|H({step})| = {norm}")
OUTPUT = Template("o({step}) = '{item}',  P = {probability}")


def payload(stages: Sequence[Stage], words: dict[str, str]) -> dict[str, Any]:
    """Return the stages as plain values for `attention_components.STAGES` in the current language."""

    def rows(listed: Sequence[Row]) -> list[dict[str, Any]]:
        return [
            {"label": str(row.label), "value": round(row.value, 4), "text": row.text, "mark": row.mark, "off": row.off}
            | ({"note": str(row.note)} if row.note else {})
            for row in listed
        ]

    titles = ("title", "words", "left_title", "right_title", "extra_title")
    listed = [
        {name: str(getattr(stage, name) or "") for name in titles}
        | {name: rows(getattr(stage, name)) for name in ("left", "right", "extra")}
        | {"formula": [str(line) for line in stage.formula]}
        for stage in stages
    ]
    data = {"stages": listed, "words": words}
    return data | {"id": identity(data)}


def lit(weight: float) -> str:
    """Return a weight formatted for a row."""
    return percent(weight)


def of_trace(attended: Attended, heads: Sequence[Head] | None = None) -> list[Stage]:
    """Return the stages of a causal model that processes a history item by item, or of a decoder.

    In a long history the steps are those of the latest `SHOWN` items, and earlier items share one row.

    Args:
        attended: The trace.
        heads: Whose mean is shown, all by default.
    """
    make = _reading if attended.trace.causal else _choosing
    weights, may = mean_weights(attended.trace, heads), sees(attended.trace)
    first = max(0, len(weights) - SHOWN) if attended.trace.causal else 0
    return [make(attended, weights[step], may[step], step) for step in range(first, len(weights))]


def latest_rows(rows: Sequence[Row], earlier: Callable[[int], Row]) -> tuple[Row, ...]:
    """Return the rows of the latest `SHOWN` items of a history, preceded by one row for all earlier items.

    Args:
        rows: One row per item, oldest first.
        earlier: Returns the combined row of the first n items.
    """
    first = max(0, len(rows) - SHOWN)
    return (earlier(first), *rows[first:]) if first else tuple(rows)


def summed(weights: Any) -> Callable[[int], Row]:
    """Return a function that makes the combined row of the first n items: the sum of their weights, out of (T,)."""

    def row(first: int) -> Row:
        earlier = float(weights[:first].sum())
        return Row(EARLIER.fill(first), earlier, lit(earlier))

    return row


def _items(attended: Attended, weights: Any, may: Any, read: int | None) -> tuple[Row, ...]:
    rows = [
        Row(title, float(weight) if seen else 0.0, lit(weight) if seen else "", mark=place == read, off=not seen)
        for place, (title, weight, seen) in enumerate(zip(attended.titles, weights, may, strict=True))
    ]
    return latest_rows(rows, summed(weights))


def _reading(attended: Attended, weights: Any, may: Any, step: int) -> Stage:
    trace = attended.trace
    best = int(trace.next_items[step, 0])
    came = int(trace.tokens[step + 1]) if step + 1 < len(trace.tokens) else PAD
    words = READING_HIT if best == came else READING
    seen = int(np.argmax(weights))
    return Stage(
        READING_TITLE.fill(place=str(step + 1), item=attended.titles[step]),
        words.fill(seen=attended.titles[seen], weight=percent(weights[seen]), best=attended.called(best)),
        READ,
        _items(attended, weights, may, step),
        OFFERED,
        _candidates(attended, step, came),
    )


def _choosing(attended: Attended, weights: Any, may: Any, step: int) -> Stage:
    trace = attended.trace
    item = int(chosen(trace)[step])
    name, seen = attended.called(item), int(np.argmax(weights))
    return Stage(
        CHOOSING_TITLE.fill(place=str(step + 1), item=name),
        CHOOSING.fill(
            seen=attended.titles[seen], weight=percent(weights[seen]), item=name, surely=_surely(trace, step)
        ),
        READ,
        _items(attended, weights, may, None),
        CANDIDATES,
        _candidates(attended, step, item),
        tuple(_arithmetic(attended, weights, step)),
        BEAMS if "beam_items" in trace.details else None,
        _beams(attended, step) if "beam_items" in trace.details else (),
    )


def _beams(attended: Attended, step: int) -> tuple[Row, ...]:
    """Return the beams after a decoding step, the most probable first."""
    items, scores = attended.trace.details["beam_items"][step], attended.trace.details["beam_scores"][step]
    own = chosen(attended.trace)[: step + 1]
    rows = []
    for sequence, score in zip(items, scores, strict=True):
        output = sequence[sequence != PAD]
        if len(output):
            label = " → ".join(attended.called(int(item)) for item in output)
            rows.append(Row(label, math.exp(score), f"{score:.2f}", mark=bool(np.array_equal(output, own))))
    return tuple(rows)


def _candidates(attended: Attended, step: int, mark: int) -> tuple[Row, ...]:
    """Return the top candidates of a step, highlighted by probability, or by min-max scaled score without
    probabilities.
    """
    items, scores = attended.trace.next_items[step], attended.trace.next_scores[step]
    known = [(int(item), float(score)) for item, score in zip(items, scores, strict=True) if item != PAD]
    if not known:
        return ()
    low, high = min(score for _, score in known), max(score for _, score in known)
    chances = holds_chances(attended.trace)
    rows = []
    for item, score in known:
        value = math.exp(score) if chances else 0.15 + 0.6 * ((score - low) / (high - low) if high > low else 1.0)
        rows.append(Row(attended.called(item), value, lit(value) if chances else f"{score:.2f}", mark=item == mark))
    return tuple(rows)


def _surely(trace: AttentionTrace, step: int) -> str:
    chance = probability(trace, step)
    return f" (P = {_chance(chance)})" if chance is not None else ""


def _chance(probability: float) -> str:
    """Return a probability with two decimals, or one significant digit below 0.1."""
    return f"{probability:.2f}" if probability >= 0.1 else f"{probability:.1g}"


def holds_chances(trace: AttentionTrace) -> bool:
    """Return whether candidate scores are log probabilities, which is the case for a decoder."""
    return "chosen_scores" in trace.details


def probability(trace: AttentionTrace, step: int) -> float | None:
    """Return the probability of the item selected at a step, None if the scores are not probabilities."""
    return float(np.exp(trace.details["chosen_scores"][step])) if holds_chances(trace) else None


def _arithmetic(attended: Attended, weights: Any, step: int) -> list[Sentence]:
    """Return the formulas of a decoding step with their numbers: alpha, context, state and output."""
    order = np.argsort(-weights, kind="stable")
    terms = [f"{weights[place]:.2f} · E('{attended.titles[place]}')" for place in order[:TERMS]]
    if len(order) > TERMS:
        terms.append(f"{weights[order[TERMS:]].sum():.2f} · (…)")
    number, details = str(step + 1), attended.trace.details
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
    chance = probability(attended.trace, step)
    if chance is not None:
        item = attended.called(int(chosen(attended.trace)[step]))
        lines.append(OUTPUT.fill(step=number, item=item, probability=_chance(chance)))
    return lines
