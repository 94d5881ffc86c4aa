"""Sequence to sequence: an encoder reads the history, a decoder with attention says what follows, item by item.

    E = encoder(v_{s_1}, ..., v_{s_T})                                  LSTM, GRU, MLP or CNN;  E_j (D,)
    q(t) = W_q [H(t); v_{o(t-1)}]
    alpha(t) = softmax_j e(q(t), E_j),    C(t) = sum_j alpha_j(t) E_j   e(q, E) = q . E / sqrt(D)  or  v . tanh(q + W E)
    H(t+1) = decoder([v_{o(t-1)}; C(t)], H(t))                          LSTM or GRU;  H(1) = 0, or tanh(W E_T)
    p(o(t) = i) = softmax_i v_i . W_o [H(t+1); C(t); v_{o(t-1)}]        over items neither seen nor decoded before

The item before the first step, o(0), is the last one of the history. The sequence o(1), o(2), ... is found greedily or
by beam search.

How lists and scores belong together. `score` returns the scores of the first step, the logits of o(1), for all items.
With `decoding` "one_step" the list is the items sorted by these. With "greedy" and "beam" the list is the decoded
sequence, in order, and the number beside a place is the logarithm of the probability that the sequence begins like this
up to there, so it falls along the list. Sequences are decoded for the first 20 places; a longer list goes on with the
remaining items as the 21st step ranks them.

Training cuts each sequence behind every item at once: the encoder is causal (E_j has seen items 1..j), so for the cut
behind item j the decoder looks at E_1..E_j of one shared encoding. At every cut the first step is learned; at a random
share of the cuts further steps, fed with the true items (teacher forcing) or at times with the net's own choices.

The trace follows the decoded sequence of one person; Q steps, T items read, W beams, D width, N = 5 candidates. The
steps are those of greedy decoding, or of the best beam where `decoding` is "beam". `weights` (1, 1, Q, T) is alpha;
`next_items` and `next_scores` (Q, N) are the best candidates of each step with the logarithm of their probability.
Among the `details`:

    encoded (T, D)            E                                  chosen_items (Q,)        the item that each step chose
    energies (Q, T)           e, whose softmax is alpha          chosen_scores (Q,)       logarithm of its probability
    context (Q, D)            C                                  beam_items (Q, W, Q)     sequences kept after each step
    context_norm (Q,)         |C|                                beam_scores (Q, W)       log probabilities, best first
    hidden_norm (Q,)          |H(t+1)|                           beam_items ends in PAD; fewer beams: PAD and NaN
    candidate_items (Q, N)    as next_items                      candidate_scores (Q, N)  as next_scores

Source: source document, section 3.3. Departures: the document computes alpha from H(t) and the items decoded before,
of which the query here takes the last one; it feeds [o(t-1); C(t)] to the decoder, which is kept, and reads o(t+1) off
the decoder, where the output here also sees C(t) and o(t-1) (Bahdanau et al. 2015, appendix A.2.2, "deep output").
Items are scored by the vectors they are read with.
"""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

import numpy as np
from pydantic import Field

from recsys_core.contracts import (
    PAD,
    Ability,
    AttentionTrace,
    BoolArray,
    FloatArray,
    IntArray,
    Knob,
    ModelInfo,
    QueryBatch,
    TopK,
)
from recsys_core.errors import CannotScore
from recsys_core.models.nets.beam import Beams, beam_search, greedy, log_shares
from recsys_core.models.network_model import WEIGHTS_OF_TARGETS
from recsys_core.models.sequential import SequenceConfig, SequenceModel
from recsys_core.models.topk import top_k

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from recsys_core.models.nets.seq2seq import Seq2SeqNet, Step
    from recsys_core.training.losses import Loss
    from recsys_core.training.sequences import Batch

MOST_STEPS = 20
"""Places of a list that are decoded; the rest is ranked by the step after them."""
TRACED_STEPS = 10
SHOWN = 5
"""So many of the best candidates are kept in a trace for each step."""
DECODED_BYTES = 64 * 2**20
"""Scores of so many bytes are held at a time while lists are decoded."""


class Seq2SeqConfig(SequenceConfig):
    """Settings of the sequence-to-sequence model.

    Validation NDCG@10 on ML-100K (leave-last-out, seed 42, 14 epochs with this width, batch and rate): one-step lists
    0.096, greedy 0.084, beam 0.090, which decided the default of `decoding`; started at the encoder's end one-step
    lists had 0.104. `popular` had 0.035, `item_knn` 0.070.
    """

    width: Annotated[int, Field(ge=4, le=1024), Knob(16, 256, scale="log", symbol="D")] = 64
    """Numbers in the vector of an item, and in the states of encoder and decoder."""
    batch_size: Annotated[int, Field(ge=1, le=4096), Knob(16, 256, scale="log", advanced=True)] = 16
    """Histories in one step of training."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(3e-4, 5e-3, scale="log")] = 2e-3
    """Length of each step against the gradient (Adam)."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(10, 100, scale="log")] = 25
    """Most passes through all histories."""
    patience: Annotated[int, Field(ge=0, le=100), Knob(2, 20, advanced=True)] = 5
    """Early stopping: training ends when the smoothed log-rank score on the validation users has not increased for this
    many epochs, and keeps the weights of the best epoch, averaged in the same way. Without a validation part, the last
    item of up to 1,000 users is held back for it. 0 trains to the last epoch."""

    encoder: Annotated[Literal["lstm", "gru", "mlp", "cnn"], Knob()] = "gru"
    """What reads the history: networks with a memory (LSTM, GRU), layers over one item at a time (MLP), or filters over
    three items at a time (CNN)."""
    decoder: Annotated[Literal["lstm", "gru"], Knob()] = "gru"
    """What says the next items, one a step."""
    attention: Annotated[Literal["bilinear", "additive"], Knob()] = "bilinear"
    """How query and encoded item are compared: by a product, or by a small layer, which takes longer to train."""
    start: Annotated[Literal["zero", "encoder"], Knob()] = "zero"
    """Where the decoder begins: at 0, as in the source document, or at the end of what the encoder read."""
    decoding: Annotated[Literal["one_step", "greedy", "beam"], Knob()] = "one_step"
    """What the list is: all items by their score in the first step, or the decoded sequence in its order, found step by
    step (greedy) or by keeping the most probable beginnings (beam)."""
    beam_width: Annotated[int, Field(ge=1, le=50), Knob(1, 10, symbol="W")] = 4
    """Beginnings that beam search keeps; they are shown in the trace, too."""
    steps: Annotated[int, Field(ge=1, le=50), Knob(1, 10)] = 4
    """Items that training decodes behind a cut."""
    share: Annotated[float, Field(gt=0, le=1), Knob(0.05, 1.0, scale="log", advanced=True)] = 0.1
    """Share of the cuts at which training decodes more than one item."""
    scheduled_sampling: Annotated[float, Field(ge=0, le=1), Knob(0.0, 0.5, advanced=True)] = 0.0
    """Probability that training feeds a step the network's own choice instead of the true item."""


class Seq2Seq(SequenceModel[Seq2SeqConfig]):
    """Reads a history, then says what follows, item by item, looking back at what it read."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="seq2seq",
        title="Seq2seq with attention",
        family="sequential",
        idea="An encoder reads the history; a decoder with attention predicts the next items one at a time.",
        formula=r"p(o_t = i) = \mathrm{softmax}_i\, v_i^\top W [H_{t+1}; C_t; v_{o_{t-1}}], \quad "
        r"C_t = \sum_j \mathrm{softmax}_j\left(e(q_t, E_j)\right) E_j",
        source="Source document, section 3.3; Bahdanau et al. 2015",
        abilities=frozenset({Ability.TRACES_ATTENTION, Ability.UPDATES_INCREMENTALLY}),
        stochastic=True,
        runtime="torch",
        weights=WEIGHTS_OF_TARGETS,
        weighs_histories=False,
        same_on_any_cores=False,
    )
    config_type = Seq2SeqConfig

    def _network(self) -> "Seq2SeqNet":
        from recsys_core.models.nets.seq2seq import Seq2SeqNet

        config = self.config
        return Seq2SeqNet(
            self.n_items,
            config.width,
            config.window,
            encoder=config.encoder,
            decoder=config.decoder,
            attention=config.attention,
            from_encoder=config.start == "encoder",
            dropout=config.dropout,
        )

    def _training_loss(
        self, net: "torch.nn.Module", batch: "Batch", loss: "Loss", generator: "torch.Generator"
    ) -> "Tensor":
        from recsys_core.models.nets.seq2seq import Unrolling, unrolled

        config = self.config
        plan = Unrolling(config.steps, config.share, config.scheduled_sampling)
        outputs, right, weights = unrolled(
            cast("Seq2SeqNet", net), batch.tokens, batch.targets, plan, generator, batch.weights
        )
        return loss(outputs, self._item_vectors(net), right, generator, weights)

    def _final(self, net: "torch.nn.Module", batch: "Batch") -> "Tensor":
        from recsys_core.models.nets.seq2seq import last_of, seen_of

        reader = cast("Seq2SeqNet", net)
        encoded, visible = reader.encode(batch.tokens), seen_of(batch.tokens, batch.lengths)
        start, previous = reader.start(last_of(encoded, batch.lengths)), last_of(batch.tokens, batch.lengths)
        return reader.step(start, previous, encoded, visible).output[:, 0]

    def recommend(
        self, query: QueryBatch, k: int, *, exclude_seen: bool = True, candidates: IntArray | None = None
    ) -> TopK:
        """Return the `k` best items for each person, or what is decoded; see the module and `Recommender.recommend`.

        Items of a decoded sequence come once; scores are logarithms of probabilities then.
        """
        if self.ranks_by_score():
            return super().recommend(query, k, exclude_seen=exclude_seen, candidates=candidates)
        self.require_fitted()
        self._require_known(query)
        lists = TopK(np.full((len(query), k), PAD, dtype=np.int64), np.full((len(query), k), np.nan))
        for block in self._blocks(query.history.lengths):
            size = max(1, DECODED_BYTES // (24 * self.n_items * self._beams()))
            for rows in np.split(block, range(size, len(block), size)):
                found = self._decoded(query.take(rows), k, self._allowed(query.take(rows), exclude_seen, candidates))
                lists.item[rows], lists.score[rows] = found.item, found.score
        return lists

    def ranks_by_score(self) -> bool:
        """Return whether lists are sorted by score, not decoded."""
        return self.config.decoding == "one_step"

    def _beams(self) -> int:
        return self.config.beam_width if self.config.decoding == "beam" else 1

    def _allowed(self, query: QueryBatch, exclude_seen: bool, candidates: IntArray | None) -> BoolArray:
        """(B, I) what may be recommended."""
        allowed = np.zeros((len(query), self.n_items), dtype=bool)
        allowed[:, slice(None) if candidates is None else candidates] = True
        if exclude_seen:
            allowed[query.seen.row_numbers(), query.seen.values] = False
        return allowed

    def _decoded(self, query: QueryBatch, k: int, allowed: BoolArray) -> TopK:
        """Return lists of people who all have a history: the decoded sequence, then what its next step ranks."""
        beams = self._spoken(query, allowed, min(k, MOST_STEPS), self._beams())
        best = TopK(beams.items[:, 0], beams.scores[:, 0])
        return best if k <= MOST_STEPS else self._continued(query, best, allowed, k)

    def _spoken(self, query: QueryBatch, allowed: BoolArray, steps: int, width: int) -> Beams:
        """Return the sequences that these people's decoders say, greedily if `width` is 1."""
        import torch

        from recsys_core.models.nets.seq2seq import Speaker

        batch = self._asked(query)
        with torch.inference_mode():
            speaker = Speaker(cast("Seq2SeqNet", self.net), batch.tokens, batch.lengths)
            if width > 1:
                return beam_search(speaker, _latest(query), allowed, steps, width)
            return greedy(speaker, _latest(query), allowed, steps)

    def _continued(self, query: QueryBatch, best: TopK, allowed: BoolArray, k: int) -> TopK:
        """Return decoded lists made longer by the remaining items, best first in the step after the last one."""
        steps = best.item.shape[1]
        said = best.item != PAD
        remaining = allowed.copy()
        remaining[np.nonzero(said)[0], best.item[said]] = False
        *_, (_, after) = self._replayed(query, best.item)
        logs = log_shares(after, remaining)
        rest = top_k(logs, k - steps, ties=self.tie_keys)
        ends = np.where(said[:, -1], best.score[:, -1], 0.0)
        return TopK(np.hstack([best.item, rest.item]), np.hstack([best.score, rest.score + ends[:, None]]))

    def _replayed(self, query: QueryBatch, said: IntArray) -> "list[tuple[Step, FloatArray]]":
        """Return the steps of decoders that say these items (B, K), and the one after them, with scores (B, I)."""
        import torch

        from recsys_core.models.nets.seq2seq import replayed

        net, batch = cast("Seq2SeqNet", self.net), self._asked(query)
        fed = torch.from_numpy(np.column_stack([_latest(query), np.maximum(said, 0)]))
        with torch.inference_mode():
            steps = replayed(net, batch.tokens, batch.lengths, fed)
            return [(step, net.scores(step.output[:, 0]).numpy()) for step in steps]

    def _asked(self, query: QueryBatch) -> "Batch":
        from recsys_core.training.sequences import asked

        return asked(query, self.n_items, self.config.window, np.arange(len(query)))

    def trace(self, query: QueryBatch) -> AttentionTrace:
        """Return the steps of decoding for the one person in `query`; see the module.

        Raises:
            NotFitted: The model was not trained.
            CannotScore: There is no history, or nothing that could follow it.
        """
        self.require_fitted()
        self._require_known(query)
        if not len(query.history[0]):
            raise CannotScore("There is no history to read; choose somebody who did something.")
        allowed = self._allowed(query, True, None)
        steps = min(TRACED_STEPS, int(allowed.sum()))
        if not steps:
            raise CannotScore("This history holds every item of the catalogue, so nothing can follow it.")
        beams = self._spoken(query, allowed, steps, self.config.beam_width)
        said = beams if self.config.decoding == "beam" else self._spoken(query, allowed, steps, 1)
        replay = self._replayed(query, said.items[:, 0])[:steps]
        return self._traced(query, said.items[0, 0], allowed[0], beams, replay)

    def _traced(
        self,
        query: QueryBatch,
        chosen: IntArray,
        allowed: BoolArray,
        beams: Beams,
        replay: "list[tuple[Step, FloatArray]]",
    ) -> AttentionTrace:
        """Return the trace of the steps that chose the items `chosen` (Q,)."""
        steps, remaining = np.arange(len(chosen)), np.repeat(allowed[None], len(chosen), axis=0)  # (Q, I)
        for step in steps[1:]:
            remaining[step:, chosen[step - 1]] = False
        logs = log_shares(np.stack([scores[0] for _, scores in replay]), remaining)  # (Q, I)
        best = top_k(logs, SHOWN)
        seen = [step for step, _ in replay]
        context, hidden, weights, energies = (
            np.stack([part[0, 0].numpy() for part in parts])
            for parts in zip(*((s.context, s.state.hidden, s.weights, s.energies) for s in seen), strict=True)
        )
        batch = self._asked(query)
        details = {
            "encoded": self._encoded(batch)[0],
            "energies": energies,
            "context": context,
            "context_norm": np.linalg.norm(context, axis=1),
            "hidden_norm": np.linalg.norm(hidden, axis=1),
            "chosen_items": chosen,
            "chosen_scores": logs[steps, chosen],
            "candidate_items": best.item,
            "candidate_scores": best.score,
            "beam_items": beams.kept_items[0],
            "beam_scores": beams.kept_scores[0],
        }
        return AttentionTrace(batch.tokens[0].numpy(), weights[None, None], False, best.item, best.score, details)

    def _encoded(self, batch: "Batch") -> FloatArray:
        import torch

        with torch.inference_mode():
            encoded: FloatArray = cast("Seq2SeqNet", self.net).encode(batch.tokens).numpy()
        return encoded


def _latest(query: QueryBatch) -> IntArray:
    """(B,) the last item of each history; none is empty."""
    return query.history.values[query.history.offsets[1:] - 1].astype(np.int64)
