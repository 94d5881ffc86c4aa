"""The network of `recursive`: one cell that makes one node of two, and a history folded by it level by level."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

INITIAL_SPREAD = 0.02
"""Standard deviation of item vectors before training."""


class Nodes(NamedTuple):
    """(N, D) what nodes of a tree say to the outside, and (N, D) what they remember."""

    state: Tensor
    memory: Tensor


class Compose(nn.Module):
    """The cell: a parent of a left and a right child, as in a binary tree LSTM.

    i, f_l, f_r, o = sigma(U_l h_l + U_r h_r + b),  g = tanh(same),  c = i g + f_l c_l + f_r c_r,  h = o tanh(c)

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.left = nn.Linear(width, 5 * width, bias=False)
        self.right = nn.Linear(width, 5 * width)
        nn.init.zeros_(self.right.bias)
        with torch.no_grad():
            self.right.bias[width : 3 * width] = 1.0  # both children are remembered at first

    def forward(self, left: Nodes, right: Nodes) -> Nodes:
        """Return the (N,) parents of (N,) pairs of children."""
        return self.joined(self.left(left.state) + self.right(right.state), left.memory, right.memory)

    def alone(self, right: Nodes) -> Nodes:
        """Return parents whose left child is nothing: state and memory are 0."""
        return self.joined(self.right(right.state), torch.zeros_like(right.memory), right.memory)

    def joined(self, gates: Tensor, left_memory: Tensor, right_memory: Tensor) -> Nodes:
        """Return parents from (N, 5D) sums of what both children say, and the memories of both."""
        admit, keep_left, keep_right, show, fresh = torch.split(gates, self.width, dim=1)
        memory = torch.sigmoid(admit) * torch.tanh(fresh)
        memory = memory + torch.sigmoid(keep_left) * left_memory + torch.sigmoid(keep_right) * right_memory
        return Nodes(torch.sigmoid(show) * torch.tanh(memory), memory)


class SessionTree(nn.Module):
    """Reads histories as trees: items are joined to sessions, sessions to the person, by one cell.

    Args:
        n_items: I; token I is padding.
        width: D.
        dropout: Share left out in training.
    """

    def __init__(self, n_items: int, width: int, dropout: float) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items + 1, width, padding_idx=n_items)
        self.cell = Compose(width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.items.weight, std=INITIAL_SPREAD)
        with torch.no_grad():
            self.items.weight[n_items] = 0.0

    def forward(self, tokens: Tensor, starts: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, T, D) what each place expects next; 0 in the padding.

        Args:
            tokens: (B, T) items, padded at the right.
            starts: (B, T) whether a session begins there; always true at place 0.
            lengths: (B,) items of each history.
        """
        read = torch.arange(tokens.shape[1]) < lengths.unsqueeze(1)
        roots = self.levels(tokens[read], starts[read], lengths)[2]
        hidden = self.items.weight.new_zeros(*tokens.shape, self.cell.width)
        return hidden.masked_scatter(read.unsqueeze(2), self.out(self.dropout(roots.state)))

    def levels(self, tokens: Tensor, starts: Tensor, lengths: Tensor) -> tuple[Nodes, Nodes, Nodes]:
        """Return the nodes of the three levels after each of N items, histories one after the other.

        Args:
            tokens: (N,) items.
            starts: (N,) whether a session begins there.
            lengths: (B,) items of each history.

        Returns:
            The leaves; the session so far; and the person so far: the finished sessions, joined with that one.
        """
        vectors = self.dropout(self.items(tokens))
        leaves = Nodes(vectors, vectors)
        session = starts.long().cumsum(0) - 1  # (N,) number of the session, over all histories
        sizes = torch.bincount(session)
        sessions = self._folded(leaves, sizes)
        finished = _chosen(sessions, sizes.cumsum(0) - 1)  # each session after its last item
        owner = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
        per_person = torch.bincount(owner[starts], minlength=len(lengths))
        people = self._folded(finished, per_person[per_person > 0])
        first = torch.cat([owner[starts].new_ones(1, dtype=torch.bool), owner[starts].diff() != 0])
        before = _chosen(people, (session - 1).clamp(min=0))
        has_before = (~first[session]).unsqueeze(1)
        left = Nodes(before.state * has_before, before.memory * has_before)
        return leaves, sessions, self.cell(left, sessions)

    def _folded(self, children: Nodes, sizes: Tensor) -> Nodes:
        """Join the children of each group from left to right, and return the node after each of them.

        All groups take a step together, the longest first, so that those that are over drop out at the end.

        Args:
            children: (N,) nodes, groups one after the other.
            sizes: (G,) children of each group, at least 1.
        """
        order = torch.argsort(sizes, descending=True, stable=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order))
        group = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
        step = torch.arange(len(group)) - (sizes.cumsum(0) - sizes)[group]
        active = torch.bincount(step)  # (P,) groups that take each step
        packed = (active.cumsum(0) - active)[step] + rank[group]  # (N,) place in the order of steps
        source = torch.empty_like(packed)
        source[packed] = torch.arange(len(packed))
        ordered = _chosen(children, source)
        gates = torch.split(self.cell.right(ordered.state), active.tolist())
        memories = torch.split(ordered.memory, active.tolist())
        node = self.cell.joined(gates[0], torch.zeros_like(memories[0]), memories[0])
        nodes = [node]
        for gate, memory in zip(gates[1:], memories[1:], strict=True):
            count = len(gate)
            node = self.cell.joined(gate + self.cell.left(node.state[:count]), node.memory[:count], memory)
            nodes.append(node)
        return _chosen(Nodes(torch.cat([n.state for n in nodes]), torch.cat([n.memory for n in nodes])), packed)


def _chosen(nodes: Nodes, places: Tensor) -> Nodes:
    """Return some nodes, (N,) by their places."""
    return Nodes(functional.embedding(places, nodes.state), functional.embedding(places, nodes.memory))


def session_starts(lengths: Tensor, times: Tensor | None, width: int, gap: float, most: int, no_time: int) -> Tensor:
    """Return (B, T) whether a session begins at each place: after a gap, or when the one before is full.

    Args:
        lengths: (B,) items of each history.
        times: (B, T) Unix milliseconds, None if not known.
        width: T.
        gap: Milliseconds without anything after which another session begins.
        most: Items of a session.
        no_time: Stands for a time that is not known: it opens nothing.
    """
    place = torch.arange(width).expand(len(lengths), width)
    starts = place == 0
    if times is not None and width > 1:
        known = (times[:, 1:] != no_time) & (times[:, :-1] != no_time)
        starts = starts.clone()
        starts[:, 1:] = known & (times[:, 1:] - times[:, :-1] > gap)
    begun = torch.where(starts, place, 0).cummax(dim=1).values
    return ((place - begun) % most == 0) & (place < lengths.unsqueeze(1))
