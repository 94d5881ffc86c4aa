"""Batches of the cloze task: items at random positions are replaced by a mask token and predicted from all others.

The items that can be masked are the targets of the causal task: all but the first of a sequence. Each is masked with
the same probability; in a share of the sequences only the last item is, which is the task in use. If none would be, the
last target is masked.

Source: Sun et al. 2019, "BERT4Rec", section 3.6, with a new random choice in every epoch instead of ten stored copies.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from recsys_core.contracts import PAD
from recsys_core.training.sequences import Batch

LAST_ONLY = 1 / 11
"""Share of the sequences in which only the last item is masked: the code of the paper has ten copies with random masks
for one of these."""


def cloze_batch(batch: Batch, n_items: int, share: float, generator: torch.Generator) -> Batch:
    """Return the batch (B, T + 1) of the cloze task: tokens with masks, and the masked items as targets.

    Args:
        batch: A batch of the causal task, on the device of the generator.
        n_items: I; token I is padding, token I + 1 the mask.
        share: Probability that an item is masked.
        generator: Source of randomness.
    """
    is_target = batch.targets != PAD
    tokens = functional.pad(batch.tokens, (0, 1), value=n_items)
    tokens[:, 1:] = torch.where(is_target, batch.targets, tokens[:, 1:])
    able = functional.pad(is_target, (1, 0), value=False)  # (B, T + 1) whether the item at this position can be masked
    masked = _masked(able, share, generator)
    rows = torch.arange(len(tokens), device=tokens.device)
    return replace(
        batch,
        tokens=tokens.masked_fill(masked, n_items + 1),
        targets=tokens.masked_fill(~masked, PAD),
        lengths=batch.lengths + able[rows, batch.lengths].long(),
        times=None,
        weights=None if batch.weights is None else functional.pad(batch.weights, (1, 0)),
    )


def _masked(able: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """(B, T) which items to mask, out of those in `able` (B, T)."""
    places = torch.arange(able.shape[1], device=able.device)
    last = (able * places).amax(dim=1, keepdim=True)
    ends = able & (places == last)
    drawn = able & (torch.rand(able.shape, generator=generator, device=able.device) < share)
    alone = torch.rand((len(able), 1), generator=generator, device=able.device) < LAST_ONLY
    return torch.where(alone | ~drawn.any(dim=1, keepdim=True), ends, drawn)


def with_mask_at_the_end(batch: Batch, n_items: int) -> Batch:
    """Return the batch (B, T + 1) with a mask token after the last item of each history, whose item is predicted."""
    tokens = functional.pad(batch.tokens, (0, 1), value=n_items)
    tokens[torch.arange(len(tokens), device=tokens.device), batch.lengths] = n_items + 1
    return replace(
        batch, tokens=tokens, targets=torch.full_like(tokens, PAD), lengths=batch.lengths + 1, times=None, weights=None
    )
