"""What interest attention shows of itself: the stages from points of interest to the final interest, as plain arrays.

`stages` fills `AttentionTrace.details` with these arrays. All but the rows of `AttentionTrace.weights` tell of the last
step, after which a recommendation is made. S local steps (0 without a local update), V points of interest, T items
read, K candidates of a move, D width:

    point_items       (S + 1, V) item positions: as the generators chose them, then after each local step
    origin            (V,) who chose the point: 0 popular items, 1 items like the last ones, 2 the own history
    attention         (S + 1, T, V) A between each item read and each point, from -1 to 1; 0 for items beyond the memory
                      of the attention
    mass              (S + 1, V) the mean of A over the items seen; a step of a walk never lowers it
    proposed_items    (S, V) where each point could have gone in that step
    accepted          (S, V) whether it went
    candidate_items   (S, V, K) the items that could have been proposed; of a policy, the first is the point itself
    chances           (S, V, K) with which chance each was proposed (walk) or chosen (policy); rows sum to 1
    policy            (1,) whether a learned policy moved the points (else a walk, or nothing)
    whole             (1,) whether the global update made the final weights; without it the last item read alone looks
    history_weights   (T,) a, the weight of each item read; sums to 1, equals the last row of `AttentionTrace.weights`
    point_weights     (V,) b, the weight of each point; sums to 1 with the global update, else A of the last row over V
    final             (T + V,) the two one after the other
    interest          (D,) the final interest; the score of an item is its dot product with the item's vector
    state             (D,) the part of it that the plain model would have had
    sharpness         (2,) k1 and k2, by which mean attention is multiplied before softmax; empty without global update

`AttentionTrace.weights` is (1, 1, T, T): row q holds a as it was after q + 1 items.
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
    """Return what the net did with one history.

    Args:
        net: In evaluation mode, with a local or a global update.
        tokens: (1, T) items read, without padding.

    Returns:
        (T, T) weights of the steps after each step, (T, D) the interest after each step, and the details of the last
        step; see the module.
    """
    count = tokens.shape[1]
    with torch.no_grad():
        states = net.states(tokens)
        every = net.look(tokens, states, every_place(tokens))
        last = net.look(tokens, states, torch.full((1, 1, 1), count - 1))
        points = [last.start, *(move.after for move in last.moves)]
        steps = _over_history(last.step_weights, last.around, count)[0]
        shares = last.point_weights[0, 0, 0]
        details = {
            "point_items": torch.stack([some[0, 0, 0] for some in points]),
            "origin": net.origins(),
            "attention": torch.stack([_attention(net, last.around, some, count) for some in points]),
            "mass": torch.stack([net.mass(last.around, some)[0, 0, 0] for some in points]),
            "policy": torch.tensor([net.policy is not None]),
            "whole": torch.tensor([net.shape.whole]),
            "history_weights": steps,
            "point_weights": shares,
            "final": torch.cat([steps, shares]),
            "interest": last.hidden[0, 0, 0],
            "state": states[0, -1],
            "sharpness": net.log_sharpness.exp() if net.shape.whole else torch.empty(0),
        } | _moves(last, net.neighbours.shape[1])
        weights = _over_history(every.step_weights, every.around, count)
        interests = ungrouped(every.hidden, tokens)[0]
    return weights.numpy(), interests, {name: np.asarray(tensor.numpy()) for name, tensor in details.items()}


def _over_history(values: Tensor, around: Surroundings, count: int) -> Tensor:
    """(P, T) values (1, G, C, R) of the steps around each place, put where the steps stand in the history."""
    places = around.places.shape[1] * around.places.shape[2]
    table = values.new_zeros((places, count))
    at = around.steps.clamp(min=0).unsqueeze(2).expand(values.shape).reshape(places, -1)
    table.scatter_add_(1, at, (values * around.seen).view(places, -1))  # a step not seen adds 0
    return table[:count]


def _attention(net: InterestNet, around: Surroundings, points: Tensor, count: int) -> Tensor:
    """(T, V) A between all items read and the points (1, 1, 1, V) of the last step."""
    by_point = net.attention(around, points)[0, 0, 0]  # (V, R)
    table = by_point.new_zeros((count, len(by_point)))
    seen = around.seen[0, 0, 0]
    table[around.steps[0, 0][seen]] = by_point.T[seen]
    return table


def _moves(look: Look, neighbours: int) -> dict[str, Tensor]:
    """Return what each local step did, by name; arrays of length 0 where there was none."""
    if not look.moves:
        count = look.start.shape[-1]
        return {
            "proposed_items": torch.empty((0, count), dtype=torch.int64),
            "accepted": torch.empty((0, count), dtype=torch.bool),
            "candidate_items": torch.empty((0, count, neighbours), dtype=torch.int64),
            "chances": torch.empty((0, count, neighbours)),
        }
    return {
        "proposed_items": torch.stack([move.proposed[0, 0, 0] for move in look.moves]),
        "accepted": torch.stack([move.accepted[0, 0, 0] for move in look.moves]),
        "candidate_items": torch.stack([move.candidates[0, 0, 0] for move in look.moves]),
        "chances": torch.stack([move.chances[0, 0, 0] for move in look.moves]),
    }
