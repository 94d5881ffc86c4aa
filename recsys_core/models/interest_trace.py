"""The trace of interest attention: the stages from points of interest to the final interest, as plain arrays.

`stages` fills `AttentionTrace.details` with these arrays. Except for `AttentionTrace.weights`, they describe the last
step, on which recommendations are based. S local steps (0 without a local update), V points of interest, T history
items, K candidates of a move, D embedding dimension:

    point_items       (S + 1, V) item positions: from the generators, then after each local step
    origin            (V,) generator of the point: 0 popular items, 1 items similar to the last ones, 2 the history
    attention         (S + 1, T, V) A between each history item and each point, from -1 to 1; 0 outside the attention
                      window
    queries           (T, D) theta * W s of each item in the window, 0 outside: A is the tanh of its product with a key
    keys              (S + 1, V, D) h of each point
    mass              (S + 1, V) the mean of A over the items in the window; a step of a walk never lowers it
    proposed_items    (S, V) the proposed move of each point in that step
    accepted          (S, V) whether it was accepted
    candidate_items   (S, V, K) the items that could have been proposed; for a policy, the first is the point itself
    chances           (S, V, K) the probability of each proposal (walk) or action (policy); rows sum to 1
    policy            (1,) whether a learned policy moved the points (else a walk, or nothing)
    whole             (1,) whether the weights are those of the global update; else only the last item attends
    history_weights   (T,) a, the weight of each item; sums to 1, equals the last row of `AttentionTrace.weights`
    point_weights     (V,) b, the weight of each point; sums to 1 with the global update, else A of the last row over V
    final             (T + V,) both concatenated
    interest          (D,) the final interest; the score of an item is its dot product with the item embedding
    state             (D,) the part of it that the plain model uses
    sharpness         (2,) k1 and k2, inverse temperatures of the two softmax functions; empty without global update

`AttentionTrace.weights` is (1, 1, T, T): row q holds a after q + 1 items.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_core.contracts import FloatArray
from recsys_core.models.nets.interest import InterestNet, Look, every_place, ungrouped
from recsys_core.models.nets.interest_moves import Surroundings


def stages(net: InterestNet, tokens: Tensor) -> tuple[FloatArray, Tensor, dict[str, NDArray[Any]]]:
    """Return the stages of the network for one history.

    Args:
        net: In evaluation mode, with a local or a global update.
        tokens: (1, T) items, without padding.

    Returns:
        (T, T) weights of the steps after each step, (T, D) the interest after each step, and the details of the last
        step; see the module.
    """
    count = tokens.shape[1]
    with torch.no_grad():
        states = net.states(tokens)
        every = net.look(tokens, states, every_place(tokens))
        last = net.look(tokens, states, tokens.new_full((1, 1, 1), count - 1))
        points = [last.start, *(move.after for move in last.moves)]
        steps = _over_history(last.step_weights, last.around, count)[0]
        shares = last.point_weights[0, 0, 0]
        details = {
            "point_items": torch.stack([some[0, 0, 0] for some in points]),
            "origin": net.origins(),
            "attention": torch.stack([_attention(net, last.around, some, count) for some in points]),
            "queries": _queries(last.around, count),
            "keys": torch.stack([last.around.keys[some[0, 0, 0]] for some in points]),
            "mass": torch.stack([net.mass(last.around, some)[0, 0, 0] for some in points]),
            "policy": torch.tensor([net.policy is not None]),
            "whole": torch.tensor([net.shape.whole]),
            "history_weights": steps,
            "point_weights": shares,
            "final": torch.cat([steps, shares]),
            "interest": last.hidden[0, 0, 0],
            "state": states[0, -1],
            "sharpness": net.log_sharpness.exp() if net.shape.whole else states.new_empty(0),
        } | _moves(last, net.neighbours.shape[1])
        weights = _over_history(every.step_weights, every.around, count)
        interests = ungrouped(every.hidden, tokens)[0]
    return (
        weights.cpu().numpy(),
        interests,
        {name: np.asarray(tensor.cpu().numpy()) for name, tensor in details.items()},
    )


def _over_history(values: Tensor, around: Surroundings, count: int) -> Tensor:
    """(P, T) values (1, G, C, R) of the steps around each position, aligned with the history."""
    places = around.places.shape[1] * around.places.shape[2]
    table = values.new_zeros((places, count))
    at = around.steps.clamp(min=0).unsqueeze(2).expand(values.shape).reshape(places, -1)
    table.scatter_add_(1, at, (values * around.seen).view(places, -1))  # masked steps add 0
    return table[:count]


def _attention(net: InterestNet, around: Surroundings, points: Tensor, count: int) -> Tensor:
    """(T, V) A between all history items and the points (1, 1, 1, V) of the last step."""
    by_point = net.attention(around, points)[0, 0, 0]  # (V, R)
    table = by_point.new_zeros((count, len(by_point)))
    seen = around.seen[0, 0, 0]
    table[around.steps[0, 0][seen]] = by_point.T[seen]
    return table


def _queries(around: Surroundings, count: int) -> Tensor:
    """(T, D) the queries of the history items in the window of the last step; 0 outside."""
    table = around.queries.new_zeros((count, around.queries.shape[-1]))
    seen = around.seen[0, 0, 0]
    table[around.steps[0, 0][seen]] = around.queries[0, 0][seen]
    return table


def _moves(look: Look, neighbours: int) -> dict[str, Tensor]:
    """Return the moves of each local step, by name; arrays of length 0 without local steps."""
    count = look.start.shape[-1]
    none = {
        "proposed_items": torch.empty((0, count), dtype=torch.int64),
        "accepted": torch.empty((0, count), dtype=torch.bool),
        "candidate_items": torch.empty((0, count, neighbours), dtype=torch.int64),
        "chances": torch.empty((0, count, neighbours)),
    }
    steps = [(move.proposed, move.accepted, move.candidates, move.chances) for move in look.moves]
    arrays = [torch.stack([array[0, 0, 0] for array in step]) for step in zip(*steps, strict=True)]
    return dict(zip(none, arrays, strict=True)) if steps else none
