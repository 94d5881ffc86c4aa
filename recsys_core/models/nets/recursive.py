"""The network of `recursive`: one cell that composes two nodes, applied to a history level by level."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

INITIAL_SPREAD = 0.02
"""Standard deviation of the initial item embeddings."""


class Nodes(NamedTuple):
    """(N, D) hidden states h and (N, D) memory cells c of tree nodes."""

    state: Tensor
    memory: Tensor


class Compose(nn.Module):
    """The cell: a parent of a left and a right child, as in a binary tree LSTM.

    i, f_l, f_r, o = sigma(U_l h_l + U_r h_r + b),  g = tanh(same),  c = i g + f_l c_l + f_r c_r,  h = o tanh(c)

    Args:
        embedding_dim: D.
    """

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.left = nn.Linear(embedding_dim, 5 * embedding_dim, bias=False)
        self.right = nn.Linear(embedding_dim, 5 * embedding_dim)
        nn.init.zeros_(self.right.bias)
        with torch.no_grad():
            self.right.bias[embedding_dim : 3 * embedding_dim] = 1.0  # forget gates start open

    def forward(self, left: Nodes, right: Nodes) -> Nodes:
        """Return the (N,) parents of (N,) pairs of children."""
        return self.joined(self.left(left.state) + self.right(right.state), left.memory, right.memory)

    def joined(self, gates: Tensor, left_memory: Tensor, right_memory: Tensor) -> Nodes:
        """Return parents from the (N, 5D) pre-activations of the gates and the memories of both children."""
        input_gate, forget_left, forget_right, output_gate, update = torch.split(gates, self.embedding_dim, dim=1)
        memory = torch.sigmoid(input_gate) * torch.tanh(update)
        memory = memory + torch.sigmoid(forget_left) * left_memory + torch.sigmoid(forget_right) * right_memory
        return Nodes(torch.sigmoid(output_gate) * torch.tanh(memory), memory)


class SessionTree(nn.Module):
    """Encodes histories as trees: one cell composes items into sessions, and sessions into the user state.

    Args:
        n_items: I; token I is padding.
        embedding_dim: D.
        dropout: Dropout probability.
    """

    def __init__(self, n_items: int, embedding_dim: int, dropout: float) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items + 1, embedding_dim, padding_idx=n_items)
        self.cell = Compose(embedding_dim)
        self.out = nn.Linear(embedding_dim, embedding_dim)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.items.weight, std=INITIAL_SPREAD)
        with torch.no_grad():
            self.items.weight[n_items] = 0.0

    def forward(self, tokens: Tensor, starts: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, T, D) the prediction vector of each position; 0 in the padding.

        Args:
            tokens: (B, T) items, right-padded.
            starts: (B, T) whether a session starts there; always true at position 0.
            lengths: (B,) number of items of each history.
        """
        read = torch.arange(tokens.shape[1], device=tokens.device) < lengths.unsqueeze(1)
        roots = self.levels(tokens[read], starts[read], lengths)[2]
        hidden = self.items.weight.new_zeros(*tokens.shape, self.cell.embedding_dim)
        return hidden.masked_scatter(read.unsqueeze(2), self.out(self.dropout(roots.state)))

    def levels(self, tokens: Tensor, starts: Tensor, lengths: Tensor) -> tuple[Nodes, Nodes, Nodes]:
        """Return the nodes of the three levels after each of N items of concatenated histories.

        Args:
            tokens: (N,) items.
            starts: (N,) whether a session starts there.
            lengths: (B,) number of items of each history.

        Returns:
            The leaves; the current session so far; and the root: the finished sessions composed with the current one.
        """
        vectors = self.dropout(self.items(tokens))
        leaves = Nodes(vectors, vectors)
        session = starts.long().cumsum(0) - 1  # (N,) index of the session, over all histories
        sizes = torch.bincount(session)
        sessions = self._folded(leaves, sizes)
        finished = _chosen(sessions, sizes.cumsum(0) - 1)  # each session after its last item
        owner = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
        per_user = torch.bincount(owner[starts], minlength=len(lengths))
        users = self._folded(finished, per_user[per_user > 0])
        first = torch.cat([owner[starts].new_ones(1, dtype=torch.bool), owner[starts].diff() != 0])
        before = _chosen(users, (session - 1).clamp(min=0))
        has_before = (~first[session]).unsqueeze(1)
        left = Nodes(before.state * has_before, before.memory * has_before)
        return leaves, sessions, self.cell(left, sessions)

    def _folded(self, children: Nodes, sizes: Tensor) -> Nodes:
        """Compose the children of each group from left to right, and return the node after each child.

        All groups advance in parallel, sorted by decreasing length, so that finished groups are dropped from the end.

        Args:
            children: (N,) nodes of concatenated groups.
            sizes: (G,) number of children of each group, at least 1.
        """
        order = torch.argsort(sizes, descending=True, stable=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order), device=order.device)
        group = torch.repeat_interleave(torch.arange(len(sizes), device=sizes.device), sizes)
        step = torch.arange(len(group), device=group.device) - (sizes.cumsum(0) - sizes)[group]
        active = torch.bincount(step)  # (P,) number of active groups per step
        packed = (active.cumsum(0) - active)[step] + rank[group]  # (N,) position in step order
        source = torch.empty_like(packed)
        source[packed] = torch.arange(len(packed), device=packed.device)
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
    """Return the nodes at positions (N,)."""
    return Nodes(functional.embedding(places, nodes.state), functional.embedding(places, nodes.memory))


def session_starts(lengths: Tensor, times: Tensor | None, n_steps: int, gap: float, most: int, no_time: int) -> Tensor:
    """Return (B, T) whether a session starts at each position: after a gap, or when the previous session is full.

    Args:
        lengths: (B,) number of items of each history.
        times: (B, T) Unix milliseconds; None without timestamps.
        n_steps: T.
        gap: Milliseconds of inactivity after which a new session starts.
        most: Maximum number of items per session.
        no_time: Value of a missing timestamp, which starts no session.
    """
    place = torch.arange(n_steps, device=lengths.device).expand(len(lengths), n_steps)
    starts = place == 0
    if times is not None and n_steps > 1:
        known = (times[:, 1:] != no_time) & (times[:, :-1] != no_time)
        starts = starts.clone()
        starts[:, 1:] = known & (times[:, 1:] - times[:, :-1] > gap)
    begun = torch.where(starts, place, 0).cummax(dim=1).values
    return ((place - begun) % most == 0) & (place < lengths.unsqueeze(1))
