"""Stages of interest attention: initialization of the interest points, their local steps, and the final weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_core.contracts import FloatArray
from recsys_core.explain.attention import Attended
from recsys_core.text import Sentence, Template, percent
from recsys_core.viz.attention import EARLIER
from recsys_core.viz.attention_stages import READ, TERMS, Row, Stage, latest_rows, lit, summed

ORIGINS = (Template("popular").fill(), Template("similar to the last items").fill(), Template("own history").fill())
"""Indexed by the detail `origin`."""
POINTS = Template("Interest points").fill()
LOOKED = Template("Mean attention of each history item to the interest points").fill()
WEIGHED = Template("Weight of each history item").fill()
DRAWN = Template("Interest points with the mean attention they receive").fill()
WEIGHTS = Template("Interest points with their weights").fill()
NEXT = Template("Predicted next items, by score").fill()
MOVED_FROM = Template("moved from '{item}'")
STAYED = Template("not moved")

CHOSEN_TITLE = Template("Initialization of the interest points").fill()
CHOSEN = Template(
    "{count} interest point: {popular} popular, {similar} similar to the last items, {own} from the user's history.",
    "{count} interest points: {popular} popular, {similar} similar to the last items, {own} from the user's history.",
)
BEFORE_TITLE = Template("Attention before the first local step").fill()
BEFORE = Template(
    "The largest attention is between '{item}' and interest point '{point}' (A = {highest}, range -1 to 1); the "
    "interest points receive {mean} on average."
)
MOVE_TITLE = Template("Local step {step}")
MOVE = Template(
    "{count} of {points} interest points moved to a neighbor in the item graph; the mean attention they receive "
    "changed from {before} to {after}.",
)
NONE_TAKEN = Template(
    "No interest point moved: for each, the proposed neighbor in the item graph would receive less attention. The mean "
    "attention is {after}."
)
NOWHERE = Template(
    "No interest point moved: each one has no neighbor in the item graph, or the proposed neighbor would receive less "
    "attention. The mean attention is {after}."
)
PREFERRED_TO_STAY = Template(
    "No interest point moved: the learned policy assigns no neighbor a higher probability than staying. The mean "
    "attention is {after}."
)
EARLIER_MEAN = Template("{count} earlier item, on average", "{count} earlier items, on average")
FINAL_TITLE = Template("Final weights").fill()
FINAL = Template(
    "The largest weight among history items is that of '{item}' ({weight}), among interest points that of '{point}' "
    "({share})."
)
FINAL_LAST = Template(
    "Only the last item attends to the interest points; the largest weight is that of '{point}' (A / V = {share})."
)

PAIR = Template("A('{item}', '{point}') = tanh(θᵀ (W s · h)) = {value}")
DRAWS = Template("m('{point}') = mean of A over the items = {value}")
WALKED = Template("'{old}' → '{new}': m = {before} → {after}, accepted")
PREFERRED = Template("'{old}' → '{new}': selected by the policy, m = {before} → {after}")
SHARPENED = Template("a = softmax({first} · mean A over points),  b = softmax({second} · mean A over items)")
OF_STEPS = Template("Σ a s = {terms}")
OF_POINTS = Template("Σ b e = {terms}")
NORMS = Template("interest = s + U Σ a s + Y Σ b e,  |interest| = {norm},  |s| = {plain}")
NORMS_LAST = Template("interest = s + Y Σ b e,  |interest| = {norm},  |s| = {plain}")


BY_WALK = Template(
    "This model computes attention not among history items but between them and interest points: items that represent "
    "candidate interests of the user. The stages show their initialization, their moves in the item graph "
    "(in each local step a neighbor is proposed for each point, and accepted unless it would receive less attention), "
    "and the final weights."
).fill()
BY_POLICY = Template(
    "This model computes attention not among history items but between them and interest points: items that represent "
    "candidate interests of the user. The stages show their initialization, their moves in the item graph by "
    "a learned policy (to the most probable neighbor, if it is more probable than staying), and the final weights."
).fill()
STAYING = Template(
    "This model computes attention not among history items but between them and interest points: items that represent "
    "candidate interests of the user. The stages show their initialization and the final weights; in this "
    "model the points do not move."
).fill()


def explained(attended: Attended) -> Sentence:
    """State what interest points are and how this model moves them."""
    details = attended.trace.details
    if not len(details["proposed_items"]):
        return STAYING
    return BY_POLICY if details["policy"][0] else BY_WALK


def has_points(attended: Attended) -> bool:
    """Return whether a trace has interest points."""
    return "point_items" in attended.trace.details


def interest_stages(attended: Attended) -> list[Stage]:
    """Return the stages of the last history step: initialization, attention, each local step, final weights."""
    moves = range(len(attended.trace.details["proposed_items"]))
    return [_chosen(attended), _before(attended), *(_moved(attended, step) for step in moves), _final(attended)]


def _names(attended: Attended, step: int) -> list[str]:
    return [attended.called(int(item)) for item in attended.trace.details["point_items"][step]]


def _chosen(attended: Attended) -> Stage:
    origin = attended.trace.details["origin"]
    counts = [int((origin == number).sum()) for number in range(len(ORIGINS))]
    points = tuple(Row(name, note=ORIGINS[int(one)]) for name, one in zip(_names(attended, 0), origin, strict=True))
    words = CHOSEN.fill(len(origin), popular=str(counts[0]), similar=str(counts[1]), own=str(counts[2]))
    read = latest_rows([Row(title) for title in attended.titles], lambda first: Row(EARLIER.fill(first)))
    return Stage(CHOSEN_TITLE, words, READ, read, POINTS, points)


def _looking(attended: Attended, attention: FloatArray) -> tuple[Row, ...]:
    """Return the history items, highlighted by the mean of their attention (T, V) to the interest points."""
    means = attention.mean(axis=1)
    rows = [_lit_by(title, mean) for title, mean in zip(attended.titles, means, strict=True)]
    return latest_rows(rows, lambda first: _lit_by(EARLIER_MEAN.fill(first), means[:first].mean()))


def _lit_by(label: str | Sentence, attention: float) -> Row:
    return Row(label, max(0.0, float(attention)), f"{attention:.2f}")


def _before(attended: Attended) -> Stage:
    details, names = attended.trace.details, _names(attended, 0)
    attention, mass = details["attention"][0], details["mass"][0]
    item, point = (int(place) for place in np.unravel_index(int(np.argmax(attention)), attention.shape))
    title, highest = attended.titles[item], f"{attention[item, point]:.2f}"
    rows = tuple(_lit_by(name, one) for name, one in zip(names, mass, strict=True))
    best = int(np.argmax(mass))
    return Stage(
        BEFORE_TITLE,
        BEFORE.fill(item=title, point=names[point], highest=highest, mean=f"{mass.mean():.2f}"),
        LOOKED,
        _looking(attended, attention),
        DRAWN,
        rows,
        (
            PAIR.fill(item=title, point=names[point], value=highest),
            DRAWS.fill(point=names[best], value=f"{mass[best]:.2f}"),
        ),
    )


def _moved(attended: Attended, step: int) -> Stage:
    details = attended.trace.details
    old, new = _names(attended, step), _names(attended, step + 1)
    before, after = details["mass"][step], details["mass"][step + 1]
    went = details["point_items"][step] != details["point_items"][step + 1]
    rows = tuple(
        Row(name, max(0.0, float(mass)), f"{mass:.2f}", mark=bool(moved), note=_came(moved, origin))
        for name, mass, moved, origin in zip(new, after, went, old, strict=True)
    )
    means = {"before": f"{before.mean():.2f}", "after": f"{after.mean():.2f}"}
    words = (
        MOVE.fill(int(went.sum()), points=str(len(new)), **means) if went.any() else _stay(details, step).fill(**means)
    )
    formula: tuple[Sentence, ...] = ()
    if went.any():
        far = int(np.argmax(np.where(went, after - before, -np.inf)))
        line = PREFERRED if details["policy"][0] else WALKED
        formula = (
            line.fill(old=old[far], new=new[far], before=f"{before[far]:.2f}", after=f"{after[far]:.2f}"),
        )  # fmt: skip
    return Stage(
        MOVE_TITLE.fill(step=str(step + 1)),
        words,
        LOOKED,
        _looking(attended, details["attention"][step + 1]),
        DRAWN,
        rows,
        formula,
    )


def _stay(details: Mapping[str, NDArray[Any]], step: int) -> Template:
    """Return the sentence that explains why no point moved in a step."""
    if details["policy"][0]:
        return PREFERRED_TO_STAY
    return NOWHERE if details["accepted"][step].any() else NONE_TAKEN


def _came(moved: bool, old: str) -> Sentence:
    return MOVED_FROM.fill(item=old) if moved else STAYED.fill()


def _final(attended: Attended) -> Stage:
    details = attended.trace.details
    names = _names(attended, len(details["point_items"]) - 1)
    weights, shares = details["history_weights"], details["point_weights"]
    whole = bool(details["whole"][0])
    item, point = int(np.argmax(weights)), int(np.argmax(shares))
    share = percent(shares[point]) if whole else f"{shares[point]:.2f}"
    words = (
        FINAL.fill(item=attended.titles[item], weight=percent(weights[item]), point=names[point], share=share)
        if whole
        else FINAL_LAST.fill(point=names[point], share=share)
    )
    every = [Row(title, float(one), lit(one)) for title, one in zip(attended.titles, weights, strict=True)]
    left = latest_rows(every, summed(weights))
    right = tuple(
        Row(name, max(0.0, float(one)), lit(one) if whole else f"{one:.2f}")
        for name, one in zip(names, shares, strict=True)
    )
    sums = tuple(_sums(attended, names, whole=whole))
    return Stage(FINAL_TITLE, words, WEIGHED, left, WEIGHTS, right, sums, NEXT, _next(attended))


def _sums(attended: Attended, names: list[str], *, whole: bool) -> list[Sentence]:
    details = attended.trace.details
    norm = f"{np.linalg.norm(details['interest']):.2f}"
    plain = f"{np.linalg.norm(details['state']):.2f}"
    points = OF_POINTS.fill(terms=_terms(details["point_weights"], names, "e"))
    if not whole:
        return [points, NORMS_LAST.fill(norm=norm, plain=plain)]
    first, second = (f"{value:.2f}" for value in details["sharpness"])
    steps = OF_STEPS.fill(terms=_terms(details["history_weights"], attended.titles, "s"))
    return [SHARPENED.fill(first=first, second=second), steps, points, NORMS.fill(norm=norm, plain=plain)]


def _terms(weights: FloatArray, names: Any, symbol: str) -> str:
    order = np.argsort(-np.abs(weights), kind="stable")
    terms = [f"{weights[place]:.2f} · {symbol}('{names[place]}')" for place in order[:TERMS]]
    return " + ".join([*terms, f"{weights[order[TERMS:]].sum():.2f} · (…)"] if len(order) > TERMS else terms)


def _next(attended: Attended) -> tuple[Row, ...]:
    trace = attended.trace
    pairs = zip(trace.next_items[-1], trace.next_scores[-1], strict=True)
    return tuple(Row(attended.called(int(item)), 0.0, f"{score:.2f}") for item, score in pairs if item >= 0)
