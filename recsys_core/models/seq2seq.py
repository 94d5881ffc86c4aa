"""Seq2seq with attention: an encoder reads the history, a decoder with attention generates the next items one by one.

    E = encoder(v_{s_1}, ..., v_{s_T})                                  LSTM, GRU, MLP or CNN;  E_j (D,)
    q(t) = W_q [H(t); v_{o(t-1)}]
    alpha(t) = softmax_j e(q(t), E_j),    C(t) = sum_j alpha_j(t) E_j   e(q, E) = q . E / sqrt(D)  or  v . tanh(q + W E)
    H(t+1) = decoder([v_{o(t-1)}; C(t)], H(t))                          LSTM or GRU;  H(1) = tanh(W E_T), or 0
    p(o(t) = i) = softmax_i v_i . W_o [H(t+1); C(t); v_{o(t-1)}]        over items neither seen nor decoded before

The input of the first step, o(0), is the last item of the history. The sequence o(1), o(2), ... is decoded greedily or
by beam search.

Lists and scores: `score` returns the logits of o(1), the first decoding step, for all items. With `decoding` "one_step"
the list is sorted by these. With "greedy" and "beam" the list is the decoded sequence, in order, and the score of a
position is the log-probability of the sequence up to there, so it decreases along the list. Sequences are decoded up to
20 items; a longer list continues with the remaining items, ranked by the 21st step.

Training uses every prefix of a sequence: the encoder is causal (E_j depends on items 1..j), so the decoder for the
prefix of length j attends to E_1..E_j of one shared encoding. The first step is trained on every prefix; further steps
on a random share of them, with the true items as inputs (teacher forcing) or predicted ones (scheduled sampling).

The trace follows the decoded sequence of one user; Q steps, T history items, W beams, D embedding dimension, N = 5
candidates. The steps are those of greedy decoding, or of the best beam if `decoding` is "beam". `weights` (1, 1, Q, T)
is alpha; `next_items` and `next_scores` (Q, N) are the top candidates of each step with their log-probabilities. The
`details` include:

    encoded (T, D)            E                                  chosen_items (Q,)        the item chosen in each step
    energies (Q, T)           e, whose softmax is alpha          chosen_scores (Q,)       its log-probability
    context (Q, D)            C                                  beam_items (Q, W, Q)     beams after each step
    context_norm (Q,)         |C|                                beam_scores (Q, W)       log-probabilities, best first
    hidden_norm (Q,)          |H(t+1)|                           beam_items ends in PAD; fewer beams: PAD and NaN
    candidate_items (Q, N)    as next_items                      candidate_scores (Q, N)  as next_scores

Source: source document, section 3.3. Departures: the document computes alpha from H(t) and all items decoded before,
of which the query here uses the last one; it feeds [o(t-1); C(t)] to the decoder, as here, and predicts o(t+1) from the
decoder state alone, while the output here also uses C(t) and o(t-1) (Bahdanau et al. 2015, appendix A.2.2, "deep
output"). The decoder starts from the last encoder state by default (Bahdanau et al. 2015, appendix A.2.2), in the
document from 0. Input and output embeddings are tied.
"""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from recsys_core.batches import PAD, BoolArray, FloatArray, IntArray, QueryBatch, TopK
from recsys_core.contracts import SOURCE_DOCUMENT, Ability, AttentionTrace, Knob, ModelInfo
from recsys_core.errors import CannotScore
from recsys_core.models.nets.beam import Beams, beam_search, greedy, log_shares
from recsys_core.models.network_model import network_info
from recsys_core.models.sequential import BatchSize, EmbeddingDim, LearningRate, SequenceConfig, SequenceModel
from recsys_core.models.topk import top_k
from recsys_core.text import _

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from recsys_core.models.nets.seq2seq import Seq2SeqNet, Step
    from recsys_core.training.losses import Loss
    from recsys_core.training.sequences import Batch

MOST_STEPS = 20
"""Maximum number of decoded list positions; further ones are ranked by the following step."""
TRACED_STEPS = 10
SHOWN = 5
"""Number of top candidates that a trace keeps per step."""
DECODED_BYTES = 64 * 2**20
"""Maximum bytes of scores in memory while lists are decoded."""


class Seq2SeqConfig(SequenceConfig):
    """Settings of the seq2seq model.

    Validation NDCG@10 on ML-100K (leave-last-out, seed 42, 14 epochs with the default embedding dimension, batch size
    and learning rate): one-step lists 0.096, greedy 0.084, beam 0.090, hence the default of `decoding`; with
    start="encoder", one-step lists had 0.104, hence that of `start`. `popular` had 0.035, `item_knn` 0.070. With these
    defaults, test NDCG@10 of seeds 1, 2, 3, 4 and 42 is 0.1014, 0.0969, 0.0979, 0.0997 and 0.1003; with start="zero",
    between 0.0899 and 0.0976.
    """

    embedding_dim: EmbeddingDim = 64
    batch_size: BatchSize = 16
    learning_rate: LearningRate = 2e-3

    encoder: Annotated[Literal["lstm", "gru", "mlp", "cnn"], Knob()] = "gru"
    """Network that encodes the history: recurrent (LSTM, GRU), position-wise layers (MLP), or causal convolutions over
    three items (CNN)."""
    decoder: Annotated[Literal["lstm", "gru"], Knob()] = "gru"
    """Recurrent network that generates the next items."""
    attention: Annotated[Literal["bilinear", "additive"], Knob()] = "bilinear"
    """Attention score of query and encoded item: bilinear (Luong) or additive (Bahdanau), which trains more slowly."""
    start: Annotated[Literal["zero", "encoder"], Knob(label="Initial decoder state")] = "encoder"
    """Initial state of the decoder: zero, as in the source, or a projection of the last encoder state, which
    has the better validation score and varies less between seeds."""
    decoding: Annotated[Literal["one_step", "greedy", "beam"], Knob()] = "one_step"
    """Recommended list: all items ranked by the first decoding step (one step), or the sequence decoded greedily or by
    beam search, in its order."""
    beam_width: Annotated[int, Field(ge=1, le=50), Knob(1, 10, symbol="W")] = 4
    """Number of sequences that beam search keeps in each step, also in the attention trace."""
    steps: Annotated[int, Field(ge=1, le=50), Knob(1, 10, label="Decoding steps in training")] = 4
    """Number of items that training decodes after a prefix."""
    share: Annotated[
        float, Field(gt=0, le=1), Knob(0.05, 1.0, scale="log", advanced=True, label="Share of multi-step prefixes")
    ] = 0.1
    """Share of the prefixes from which training decodes more than one item."""
    scheduled_sampling: Annotated[float, Field(ge=0, le=1), Knob(0.0, 0.5, advanced=True)] = 0.0
    """Probability that a decoding step in training gets the predicted item as input instead of the true item."""


STEP = (
    r"p(o_t = i) = \mathrm{softmax}_i\, v_i^\top W [H_{t+1}; C_t; v_{o_{t-1}}], \quad "
    r"C_t = \sum_j \mathrm{softmax}_j\left(e(q_t, E_j)\right) E_j, \quad "
)
ENERGIES = {"bilinear": r"e(q, E) = \tfrac{q^\top E}{\sqrt{D}}", "additive": r"e(q, E) = v^\top \tanh(q + W_e E)"}
"""Attention score of each form, as in `nets.seq2seq`."""


class Seq2Seq(SequenceModel[Seq2SeqConfig]):
    """Encodes a history, then generates the next items one by one with attention over the history."""

    info: ClassVar[ModelInfo] = network_info(
        key="seq2seq",
        title="Seq2seq with attention",
        family="sequential",
        idea="An encoder reads the history; a decoder with attention predicts the next items one at a time.",
        formula=STEP + ENERGIES["bilinear"],
        source=f"{SOURCE_DOCUMENT}, section 3.3; Bahdanau et al. 2015",
        abilities=frozenset({Ability.TRACES_ATTENTION, Ability.UPDATES_INCREMENTALLY}),
    )
    config_type = Seq2SeqConfig
    net: "Seq2SeqNet"

    @classmethod
    def formula_of(cls, config: Seq2SeqConfig, *, rated: bool, weighted: bool) -> str:
        """Return the formula of a decoding step with the attention score of the settings."""
        return STEP + ENERGIES[config.attention]

    def _network(self) -> "Seq2SeqNet":
        from recsys_core.models.nets.seq2seq import Seq2SeqNet

        config = self.config
        parts = config.model_dump(include={"encoder", "decoder", "attention", "dropout"})
        from_encoder = config.start == "encoder"
        return Seq2SeqNet(self.n_items, config.embedding_dim, config.max_length, from_encoder=from_encoder, **parts)

    def _training_loss(self, batch: "Batch", loss: "Loss", generator: "torch.Generator") -> "Tensor":
        from recsys_core.models.nets.seq2seq import Unrolling, unrolled

        config = self.config
        plan = Unrolling(config.steps, config.share, config.scheduled_sampling)
        outputs, right, weights = unrolled(self.net, batch.tokens, batch.targets, plan, generator, batch.weights)
        return loss(outputs, self._item_vectors(), right, generator, weights)

    def _final(self, batch: "Batch") -> "Tensor":
        from recsys_core.models.nets.seq2seq import last_of, seen_of

        encoded, visible = self.net.encode(batch.tokens), seen_of(batch.tokens, batch.lengths)
        start, previous = self.net.start(last_of(encoded, batch.lengths)), last_of(batch.tokens, batch.lengths)
        return self.net.step(start, previous, encoded, visible).output[:, 0]

    def recommend(
        self,
        query: QueryBatch,
        k: int,
        *,
        exclude_seen: bool = True,
        candidates: IntArray | None = None,
        threads: int = 1,
    ) -> TopK:
        """Return the top `k` items or the decoded sequence of each user; see the module and `Recommender.recommend`.

        A decoded sequence contains no item twice; its scores are log-probabilities.
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
        """Return whether lists are sorted by score instead of decoded."""
        return self.config.decoding == "one_step"

    def _beams(self) -> int:
        return self.config.beam_width if self.config.decoding == "beam" else 1

    def _allowed(self, query: QueryBatch, exclude_seen: bool, candidates: IntArray | None) -> BoolArray:
        """(B, I) whether each item may be recommended."""
        allowed = np.zeros((len(query), self.n_items), dtype=bool)
        allowed[:, slice(None) if candidates is None else candidates] = True
        if exclude_seen:
            allowed[query.seen.row_numbers(), query.seen.values] = False
        return allowed

    def _decoded(self, query: QueryBatch, k: int, allowed: BoolArray) -> TopK:
        """Return lists of users with histories: the decoded sequence, then the ranking of the step after it."""
        beams = self._spoken(query, allowed, min(k, MOST_STEPS), self._beams())
        best = TopK(beams.items[:, 0], beams.scores[:, 0])
        return best if k <= MOST_STEPS else self._continued(query, best, allowed, k)

    def _spoken(self, query: QueryBatch, allowed: BoolArray, steps: int, beam_width: int) -> Beams:
        """Return the decoded sequences of these users, greedy if `beam_width` is 1."""
        import torch

        from recsys_core.models.nets.seq2seq import Speaker

        batch = self._batch_of(query)
        with torch.inference_mode():
            speaker = Speaker(self.net, batch.tokens, batch.lengths)
            if beam_width > 1:
                return beam_search(speaker, _latest(query), allowed, steps, beam_width)
            return greedy(speaker, _latest(query), allowed, steps)

    def _continued(self, query: QueryBatch, best: TopK, allowed: BoolArray, k: int) -> TopK:
        """Return decoded lists extended by the remaining items, ranked by the step after the last one."""
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
        """Return the decoding steps forced to the items (B, K), and the step after them, with scores (B, I)."""
        import torch

        from recsys_core.models.nets.seq2seq import replayed

        batch = self._batch_of(query)
        fed = torch.from_numpy(np.column_stack([_latest(query), np.maximum(said, 0)])).to(self.device)
        with torch.inference_mode():
            steps = replayed(self.net, batch.tokens, batch.lengths, fed)
            return [(step, self.net.scores(step.output[:, 0]).cpu().numpy()) for step in steps]

    def trace(self, query: QueryBatch) -> AttentionTrace:
        """Return the decoding steps for the single user in `query`; see the module.

        Raises:
            NotFitted: The model was not trained.
            CannotScore: The history is empty, or contains all items.
        """
        self._require_history(query, "attention to show")
        allowed = self._allowed(query, True, None)
        steps = min(TRACED_STEPS, int(allowed.sum()))
        if not steps:
            raise CannotScore(_("This history contains every item of the catalog, so no item can follow it."))
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
        """Return the trace of the decoding steps that chose the items `chosen` (Q,)."""
        steps, remaining = np.arange(len(chosen)), np.repeat(allowed[None], len(chosen), axis=0)  # (Q, I)
        for step in steps[1:]:
            remaining[step:, chosen[step - 1]] = False
        logs = log_shares(np.stack([scores[0] for _, scores in replay]), remaining)  # (Q, I)
        best = top_k(logs, SHOWN)
        seen = [step for step, _ in replay]
        context, hidden, weights, energies = (
            np.stack([part[0, 0].cpu().numpy() for part in parts])
            for parts in zip(*((s.context, s.state.hidden, s.weights, s.energies) for s in seen), strict=True)
        )
        batch = self._batch_of(query)
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
        return AttentionTrace(batch.tokens[0].cpu().numpy(), weights[None, None], False, best.item, best.score, details)

    def _encoded(self, batch: "Batch") -> FloatArray:
        import torch

        with torch.inference_mode():
            return np.asarray(self.net.encode(batch.tokens).cpu().numpy())


def _latest(query: QueryBatch) -> IntArray:
    """(B,) the last item of each history; histories must not be empty."""
    return query.history.values[query.history.offsets[1:] - 1].astype(np.int64)
