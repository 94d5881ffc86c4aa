"""The network of `seq2seq`: an encoder of the history, and a decoder with attention that generates one item per step.

Shapes: B users, T history items, P parallel decoders (prefixes of a history, or beams), D embedding dimension.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from recsys_core.contracts import FloatArray, IntArray
from recsys_core.models.nets.dropout import ByteDropout

INITIAL_SPREAD = 0.05
"""Standard deviation of the initial item and position embeddings."""
KERNEL = 3
"""Kernel size of the convolutional encoder."""
LAYERS = 2
"""Number of layers of the convolutional and the feed-forward encoder."""
ADDITIVE_BLOCK = 2**22
"""Maximum number of values of the additive attention's inner layer in memory."""


class State(NamedTuple):
    """State of the decoders: hidden state H and, for an LSTM, its memory cell (zeros for a GRU), both (B, P, D)."""

    hidden: Tensor
    cell: Tensor


class Step(NamedTuple):
    """Result of one decoding step.

    Args:
        state: The next state; its `hidden` is H(t+1).
        output: (B, P, D) whose dot products with the item embeddings are the scores of the next item.
        context: (B, P, D) C(t).
        weights: (B, P, T) alpha(t); empty unless requested.
        energies: (B, P, T) the logits of alpha; minus infinity at masked positions; empty unless requested.
    """

    state: State
    output: Tensor
    context: Tensor
    weights: Tensor
    energies: Tensor


class Attention(nn.Module):
    """Attention of a decoder over the history, given a query q (D,) and encoded items E (T, D).

    bilinear: e_j = q . E_j / sqrt(D).    additive: e_j = v . tanh(q + W E_j).    alpha = softmax(e), C = alpha E.

    Source: Luong et al. 2015, "Effective Approaches to Attention-based Neural Machine Translation", eq. 8 ("general",
    scaled by sqrt(D)); Bahdanau et al. 2015, "Neural Machine Translation by Jointly Learning to Align", appendix A.1.2.
    """

    def __init__(self, form: str, embedding_dim: int) -> None:
        super().__init__()
        self.additive = form == "additive"
        self.query = nn.Linear(2 * embedding_dim, embedding_dim, bias=False)
        if self.additive:
            self.key = nn.Linear(embedding_dim, embedding_dim)
            self.energy = nn.Linear(embedding_dim, 1, bias=False)

    def forward(self, queried: Tensor, encoded: Tensor, visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return context (B, P, D), weights (B, P, T) and energies (B, P, T), by the explicit path.

        Args:
            queried: (B, P, 2 D) hidden state and embedding of the previous item.
            encoded: (B, T, D).
            visible: Attention mask, true for at least one item; broadcast to (B, P, T).
        """
        energies = self._energies(self.query(queried), encoded).masked_fill(~visible, -math.inf)
        weights = energies.softmax(dim=2)
        return weights @ encoded, weights, energies

    def context(self, queried: Tensor, encoded: Tensor, visible: Tensor) -> Tensor:
        """Return the context (B, P, D) alone, by a fused kernel or with gradient checkpointing."""
        if not self.additive:
            return functional.scaled_dot_product_attention(self.query(queried), encoded, encoded, attn_mask=visible)
        size = max(1, ADDITIVE_BLOCK // encoded.numel())
        visible = visible.expand(len(encoded), queried.shape[1], encoded.shape[1])
        blocks = []
        for start in range(0, queried.shape[1], size):
            part = slice(start, start + size)
            blocks.append(
                checkpoint(
                    lambda *given: self(*given)[0], queried[:, part], encoded, visible[:, part], use_reentrant=False
                )
            )
        return torch.cat(blocks, dim=1)

    def _energies(self, query: Tensor, encoded: Tensor) -> Tensor:
        """(B, P, T) attention logits of each item for each query (B, P, D)."""
        if not self.additive:
            return query @ encoded.transpose(1, 2) / math.sqrt(encoded.shape[2])
        inner = torch.tanh(query.unsqueeze(2) + self.key(encoded).unsqueeze(1))  # (B, P, T, D)
        energies: Tensor = self.energy(inner).squeeze(3)
        return energies


class RecurrentEncoder(nn.Module):
    """An LSTM or a GRU; E_t is its output after item t."""

    def __init__(self, kind: str, embedding_dim: int) -> None:
        super().__init__()
        self.layer = (nn.LSTM if kind == "lstm" else nn.GRU)(embedding_dim, embedding_dim, batch_first=True)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        encoded: Tensor = self.layer(vectors)[0]
        return encoded


class LayeredEncoder(nn.Module):
    """Residual layers over item and position embeddings, x = x + relu(layer(x)): causal convolutions over three items
    ("cnn") or position-wise layers ("mlp", a kernel of size 1).
    """

    def __init__(self, kind: str, embedding_dim: int, max_length: int) -> None:
        super().__init__()
        self.reach = KERNEL if kind == "cnn" else 1
        self.positions = nn.Embedding(max_length, embedding_dim)
        nn.init.normal_(self.positions.weight, std=INITIAL_SPREAD)
        self.layers = nn.ModuleList(nn.Conv1d(embedding_dim, embedding_dim, self.reach) for _ in range(LAYERS))

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        places = (vectors + self.positions.weight[: vectors.shape[1]]).transpose(1, 2)  # (B, D, T)
        for layer in self.layers:
            places = places + torch.relu(layer(functional.pad(places, (self.reach - 1, 0))))
        return places.transpose(1, 2)


class Seq2SeqNet(nn.Module):
    """Encoder, attention and decoder with shared item embeddings; see `recsys_core.models.seq2seq` for the formulas.

    Args:
        n_items: I; item I is padding.
        embedding_dim: D.
        max_length: Maximum history length.
        encoder: "lstm", "gru", "mlp" or "cnn".
        decoder: "lstm" or "gru".
        attention: "bilinear" or "additive".
        from_encoder: Whether the initial decoder state is tanh(W E_T) instead of 0.
        dropout: Dropout probability of item embeddings and outputs.
    """

    def __init__(
        self,
        n_items: int,
        embedding_dim: int,
        max_length: int,
        *,
        encoder: str,
        decoder: str,
        attention: str,
        from_encoder: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items + 1, embedding_dim, padding_idx=n_items)
        nn.init.normal_(self.items.weight, std=INITIAL_SPREAD)
        with torch.no_grad():
            self.items.weight[n_items] = 0.0
        recurrent = encoder in ("lstm", "gru")
        self.encoder = (
            RecurrentEncoder(encoder, embedding_dim)
            if recurrent
            else LayeredEncoder(encoder, embedding_dim, max_length)
        )
        self.attention = Attention(attention, embedding_dim)
        self.decoder = (nn.LSTMCell if decoder == "lstm" else nn.GRUCell)(2 * embedding_dim, embedding_dim)
        self.first = nn.Linear(embedding_dim, embedding_dim) if from_encoder else None
        self.output = nn.Linear(3 * embedding_dim, embedding_dim)
        self.dropout = ByteDropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, T, D) the output of the first decoding step after each item of `tokens` (B, T).

        Position t decodes from items 0..t; all positions are computed in parallel.
        """
        encoded = self.encode(tokens)
        return self.step(self.start(encoded), tokens, encoded, causal(tokens.shape[1], tokens.device)).output

    def encode(self, tokens: Tensor) -> Tensor:
        """Return E (B, T, D); E_t depends on items 0..t alone."""
        encoded: Tensor = self.encoder(self.dropout(self.items(tokens)))
        return encoded

    def start(self, ends: Tensor) -> State:
        """Return the initial state (B, P, D) of decoders whose last history item is encoded as `ends`."""
        nothing = torch.zeros_like(ends)
        return State(nothing if self.first is None else torch.tanh(self.first(ends)), nothing)

    def step(self, state: State, previous: Tensor, encoded: Tensor, visible: Tensor, *, explicit: bool = False) -> Step:
        """Advance the decoders by one step.

        Args:
            state: State of B x P decoders.
            previous: (B, P) the previously decoded item; in the first step the last item of the history.
            encoded: (B, T, D) the encoded history.
            visible: Attention mask; broadcast to (B, P, T).
            explicit: Whether to return weights and energies.
        """
        vectors = self.dropout(self.items(previous))  # (B, P, D)
        queried = torch.cat([state.hidden, vectors], dim=2)
        weights = energies = encoded.new_zeros(0)
        if explicit:
            context, weights, energies = self.attention(queried, encoded, visible)
        else:
            context = self.attention.context(queried, encoded, visible)
        state = self._moved(state, torch.cat([vectors, context], dim=2))
        output = self.output(self.dropout(torch.cat([state.hidden, context, vectors], dim=2)))
        return Step(state, output, context, weights, energies)

    def _moved(self, state: State, inputs: Tensor) -> State:
        """Return the next state, given the inputs (B, P, 2 D)."""
        rows, shape = inputs.flatten(0, 1), state.hidden.shape
        hidden, cell = state.hidden.flatten(0, 1), state.cell
        if isinstance(self.decoder, nn.LSTMCell):
            hidden, cell = self.decoder(rows, (hidden, cell.flatten(0, 1)))
            cell = cell.view(shape)
        else:
            hidden = self.decoder(rows, hidden)
        return State(hidden.view(shape), cell)

    def scores(self, output: Tensor) -> Tensor:
        """Return (..., I) the scores of all items for outputs (..., D)."""
        return output @ self.items.weight[:-1].T


def causal(length: int, device: torch.device | None = None) -> Tensor:
    """Return the causal attention mask (T, T): the decoder after item t attends to items up to t."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


class Unrolling(NamedTuple):
    """Decoding steps in training.

    Args:
        steps: Maximum number of decoding steps, at least 1.
        share: Share of the positions that decode more than one step.
        own: Probability that the input of a step is the predicted item instead of the true one (scheduled sampling).
    """

    steps: int
    share: float
    own: float


def unrolled(
    net: Seq2SeqNet,
    tokens: Tensor,
    targets: Tensor,
    plan: Unrolling,
    generator: torch.Generator,
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return outputs (N, D), target items (N,) and their weights (N,) of all decoding steps in training.

    Every position takes the first step; a random share of the positions decodes further items. The input of a step is
    the true previous item (teacher forcing) or, with some probability, the item predicted by the previous step
    (scheduled sampling, Bengio et al. 2015).

    Args:
        net: In training mode.
        tokens: (B, T) history items.
        targets: (B, T) the next item of each position, negative without a target.
        plan: Number of steps.
        generator: Source of randomness.
        weights: (B, T) weights of the targets in the loss; None for 1.
    """
    length = tokens.shape[1]
    encoded, visible = net.encode(tokens), causal(length, tokens.device)
    step = net.step(net.start(encoded), tokens, encoded, visible)
    outputs, right = [step.output[targets >= 0]], [targets[targets >= 0]]
    weighed = [] if weights is None else [weights[targets >= 0]]
    places = torch.arange(length, device=tokens.device)  # active in the previous step
    count = math.ceil(plan.share * length)
    chosen = torch.randperm(length, generator=generator, device=tokens.device)[:count].sort().values
    for ahead in range(1, plan.steps):
        going = torch.isin(places, chosen) & (places < length - ahead)
        places = places[going]
        if not len(places):
            break
        state = State(step.state.hidden[:, going], step.state.cell[:, going])
        fed = _fed(net, tokens[:, places + ahead], step.output[:, going], plan.own, generator)
        step = net.step(state, fed, encoded, visible[places])
        aims = targets[:, places + ahead]
        outputs.append(step.output[aims >= 0])
        right.append(aims[aims >= 0])
        if weights is not None:
            weighed.append(weights[:, places + ahead][aims >= 0])
    return torch.cat(outputs), torch.cat(right), torch.cat(weighed) if weighed else None


def _fed(net: Seq2SeqNet, truth: Tensor, before: Tensor, own: float, generator: torch.Generator) -> Tensor:
    """Return (B, P) the input items, true or predicted; padding is kept."""
    if own == 0:
        return truth
    with torch.no_grad():
        decoded = net.scores(before).argmax(dim=2)
    replaced = (torch.rand(truth.shape, generator=generator, device=truth.device) < own) & (
        truth < len(net.items.weight) - 1
    )
    return torch.where(replaced, decoded, truth)


class Speaker:
    """Decoders of B encoded histories; a `Decoder` for greedy and beam search."""

    def __init__(self, net: Seq2SeqNet, tokens: Tensor, lengths: Tensor) -> None:
        self.net = net
        self.encoded = net.encode(tokens)
        self.visible = seen_of(tokens, lengths)
        self.state = net.start(last_of(self.encoded, lengths))

    def advance(self, previous: IntArray, parents: IntArray) -> FloatArray:
        """Advance one step; see `Decoder`."""
        device = self.encoded.device
        rows = torch.arange(len(parents), device=device).unsqueeze(1)
        ways = torch.from_numpy(parents).to(device)
        state = State(self.state.hidden[rows, ways], self.state.cell[rows, ways])
        step = self.net.step(state, torch.from_numpy(previous).to(device), self.encoded, self.visible)
        self.state = step.state
        scores: FloatArray = self.net.scores(step.output).cpu().numpy()
        return scores


def last_of(encoded: Tensor, lengths: Tensor) -> Tensor:
    """Return (B, 1, D) or (B, 1) the values at the last item of each history."""
    return encoded[torch.arange(len(lengths), device=lengths.device), lengths - 1].unsqueeze(1)


def seen_of(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Return (B, 1, T) the mask of positions that are not padding."""
    return (torch.arange(tokens.shape[1], device=lengths.device) < lengths.unsqueeze(1)).unsqueeze(1)


def replayed(net: Seq2SeqNet, tokens: Tensor, lengths: Tensor, fed: Tensor) -> Iterator[Step]:
    """Yield the explicit decoding steps (P = 1) for the input items (B, K)."""
    encoded, visible = net.encode(tokens), seen_of(tokens, lengths)
    state = net.start(last_of(encoded, lengths))
    for place in range(fed.shape[1]):
        step = net.step(state, fed[:, place : place + 1], encoded, visible, explicit=True)
        state = step.state
        yield step
