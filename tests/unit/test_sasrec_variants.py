"""The variants of SASRec: blocks against plain statements of their formulas, the cloze task by hand, and their use."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor

from recsys_core.contracts import PAD, Ragged, RunContext
from recsys_core.experiments.spec import ModelSpec
from recsys_core.models.nets.hstu import HstuBlock
from recsys_core.models.nets.sasrec import Block, GatedBlock, SasRecNet
from recsys_core.models.sasrec import SasRec, SasRecConfig
from recsys_core.training import cloze
from recsys_core.training.cloze import cloze_batch, with_mask_at_the_end
from recsys_core.training.losses import make_loss
from recsys_core.training.sequences import Batch, Sequences
from tests.contract.cases import asking
from tests.nets import assert_looks_back_only, assert_overfits, markov_outcome
from tests.worlds import markov_chain

ITEMS, D, HEADS, PLACES = 30, 8, 2, 6
VARIANTS = [{"block": block, "mask": mask} for block in ("sasrec", "ligr", "hstu") for mask in ("causal", "cloze")][1:]
CLOZE = [variant for variant in VARIANTS if variant["mask"] == "cloze"]


def drawn(net: Any) -> Any:
    """Return a module in evaluation mode with random weights, large enough to matter."""
    generator = torch.Generator().manual_seed(3)
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.5, generator=generator)
    return net.eval()


def net_of(block: Any, mask: str, *, dim: int = D) -> SasRecNet:
    torch.manual_seed(0)
    return SasRecNet(ITEMS, dim, 2, HEADS, 20, 0.2, block=block, cloze=mask == "cloze")


def states_and_seen(causal: bool) -> tuple[Tensor, Tensor | None, np.ndarray]:
    """Return states (2, T, D), the positions to attend to, and (2, T, T) who attends to whom; row 1 has padding."""
    states = torch.randn(2, PLACES, D, generator=torch.Generator().manual_seed(1))
    if causal:
        return states, None, np.broadcast_to(np.tri(PLACES, dtype=bool), (2, PLACES, PLACES))
    seen = torch.tensor([[True] * PLACES, [True] * 4 + [False] * 2])
    return states, seen, np.broadcast_to(seen.numpy()[:, None, :], (2, PLACES, PLACES))


def normed(x: np.ndarray, norm: Any) -> np.ndarray:
    scaled = (x - x.mean()) / np.sqrt(x.var() + norm.eps)
    return scaled * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def linear(x: np.ndarray, layer: Any) -> np.ndarray:
    return layer.weight.detach().numpy() @ x + layer.bias.detach().numpy()


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softmax_attention(attention: Any, inputs: list[np.ndarray], sees: np.ndarray) -> list[np.ndarray]:
    """One position and head at a time, as in Vaswani et al. 2017, section 3.2."""
    size, outputs = D // HEADS, []
    parts = [np.split(linear(one, attention.project), 3) for one in inputs]  # q, k, v
    for i in range(len(inputs)):
        heads = []
        for head in range(HEADS):
            of = slice(head * size, (head + 1) * size)
            js = [j for j in range(len(inputs)) if sees[i, j]]
            raised = [math.exp(parts[i][0][of] @ parts[j][1][of] / math.sqrt(size)) for j in js]
            heads.append(sum(r * parts[j][2][of] for r, j in zip(raised, js, strict=True)) / sum(raised))
        outputs.append(linear(np.concatenate(heads), attention.mix))
    return outputs


def layers(block: Block, x: np.ndarray) -> np.ndarray:
    inner = linear(normed(x, block.before_layers), block.inner)
    gelu = np.array([v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in inner])
    return linear(gelu, block.outer)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("kind", [Block, GatedBlock])
def test_blocks_with_softmax_by_their_formulas(kind: type[Block], causal: bool) -> None:
    block = drawn(kind(D, HEADS, 0.2))
    states, seen, sees = states_and_seen(causal)
    found, (explicit, _) = block(states, seen).detach(), block.explicit(states, seen)
    assert_allclose(found, explicit.detach(), atol=1e-5)
    for row in range(2):
        xs = list(states[row].numpy().astype(np.float64))
        attention = softmax_attention(block.attention, [normed(x, block.before_attention) for x in xs], sees[row])
        for place, (x, a) in enumerate(zip(xs, attention, strict=True)):
            gates = (1.0, 1.0)
            if isinstance(block, GatedBlock):
                middle = x + sigmoid(linear(x, block.attention_gate)) * a
                gates = sigmoid(linear(x, block.attention_gate)), sigmoid(linear(middle, block.layers_gate))
            middle = x + gates[0] * a
            assert_allclose(found[row, place], middle + gates[1] * layers(block, middle), atol=1e-4)


@pytest.mark.parametrize("causal", [True, False])
def test_the_hstu_block_by_its_formulas(causal: bool) -> None:
    block = drawn(HstuBlock(D, HEADS, 0.2, PLACES, bidirectional=not causal))
    states, seen, sees = states_and_seen(causal)
    found, weights = block.explicit(states, seen)
    assert_allclose(block(states, seen).detach(), found.detach())
    size, bias = D // HEADS, block.attention.bias.detach().numpy()
    assert len(bias) == (PLACES if causal else 2 * PLACES - 1)
    silu = lambda x: x * sigmoid(x)  # noqa: E731
    for row in range(2):
        xs = list(states[row].numpy().astype(np.float64))
        parts = [np.split(silu(linear(normed(x, block.before_attention), block.attention.project)), 4) for x in xs]
        for i, x in enumerate(xs):
            summed = []
            for head in range(HEADS):
                of, total = slice(head * size, (head + 1) * size), np.zeros(size)
                for j in range(PLACES):
                    distance = bias[i - j + (0 if causal else PLACES - 1)] if sees[row, i, j] else 0.0
                    a = silu(parts[i][2][of] @ parts[j][3][of] + distance) / PLACES if sees[row, i, j] else 0.0
                    assert_allclose(weights[row, head, i, j].detach(), a, atol=1e-5)
                    total += a * parts[j][1][of]
                summed.append(total)
            gated = normed(np.concatenate(summed), block.attention.norm) * parts[i][0]
            assert_allclose(found[row, i].detach(), x + linear(gated, block.outer), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("block", ["ligr", "hstu"])
def test_what_comes_later_and_padding_change_nothing_in_causal_ones(block: str) -> None:
    assert_looks_back_only(drawn(net_of(block, "causal")), ITEMS)


@pytest.mark.parametrize("block", ["sasrec", "ligr", "hstu"])
def test_in_cloze_ones_padding_changes_nothing_but_what_comes_later_does(block: str) -> None:
    net = drawn(net_of(block, "cloze"))
    tokens = torch.tensor([[3, 1, 4, ITEMS + 1, 5]])
    padded = torch.cat([tokens, torch.full((1, 4), ITEMS)], dim=1)
    with torch.no_grad():
        found = net(tokens)
        assert_allclose(net(padded)[:, :5], found, atol=1e-4)
        tokens[0, 4] = 6
        assert not np.allclose(net(tokens)[:, :4], found[:, :4], atol=1e-2)
        assert_allclose(net.explicit(padded)[0], net(padded), atol=1e-4)


def test_cloze_positions_count_from_the_end() -> None:
    net = drawn(net_of("sasrec", "cloze"))
    with torch.no_grad():
        places = net._places(torch.tensor([[3, 1, ITEMS + 1], [4, ITEMS + 1, ITEMS]]))
        assert_array_equal(places[0], net.positions.weight[[2, 1, 0]])
        assert_array_equal(places[1, :2], net.positions.weight[[1, 0]])
        assert_array_equal(net_of("sasrec", "causal")._places(torch.zeros((1, 3))).shape, (3, D))


@pytest.mark.parametrize("block", ["ligr", "hstu"])
def test_eight_sequences_can_be_learned_by_heart(block: str) -> None:
    torch.manual_seed(0)
    net = SasRecNet(ITEMS, 32, 2, 2, 20, 0.0, block=block)  # type: ignore[arg-type]
    assert_overfits(net, ITEMS, make_loss("softmax"), steps=150)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("block", "mask", "epochs", "rate", "least"),
    [
        ("ligr", "causal", 6, 0.03, 0.95),
        ("hstu", "causal", 6, 0.03, 0.95),
        ("sasrec", "cloze", 25, 0.01, 0.3),
        ("hstu", "cloze", 20, 0.01, 0.3),
    ],
)
def test_a_chain_is_learned_and_chance_is_not(block: str, mask: str, epochs: int, rate: float, least: float) -> None:
    """The cloze task has fewer targets per epoch, and must learn to do without the item after the mask."""
    small = {"embedding_dim": 16, "epochs": epochs, "batch_size": 32, "learning_rate": rate, "dropout": 0.0}
    settings = small | {"patience": 0, "block": block, "mask": mask, "mask_share": 0.4}
    sure, blind = (markov_outcome("sasrec", loyalty, settings)[0] for loyalty in (1.0, 0.0))
    assert sure > least
    assert blind < 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5


# ------------------------------------------------------------------------------------- the cloze task


def batch_of(rows: list[list[int]], max_length: int = 5, **more: Any) -> Batch:
    sequences = Sequences(Ragged.from_rows(rows), ITEMS, max_length, **more)
    return sequences.batch(np.arange(len(rows)))


def test_hidden_items_are_the_targets_and_the_last_item_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloze, "LAST_ONLY", 0.0)
    weights = np.arange(9, dtype=np.float32)
    found = cloze_batch(batch_of([[1, 2, 3, 4], [5, 6, 7, 8, 9]], weights=weights), ITEMS, 1 - 1e-9, torch.Generator())
    mask = ITEMS + 1
    assert_array_equal(found.tokens, [[1, mask, mask, mask, ITEMS], [5, mask, mask, mask, mask]])
    assert_array_equal(found.targets, [[PAD, 2, 3, 4, PAD], [PAD, 6, 7, 8, 9]])
    assert_array_equal(found.lengths, [4, 5])
    assert found.target_weights is not None
    assert_array_equal(found.target_weights, [1, 2, 3, 5, 6, 7, 8])


def test_a_sequence_hides_its_share_and_at_least_its_last_item(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = batch_of([[1, 2, 3, 4, 5, 6]] * 4000)
    hidden = (cloze_batch(batch, ITEMS, 0.3, torch.Generator().manual_seed(1)).targets != PAD).numpy()
    assert not hidden[:, 0].any()
    none = 0.7**5 * 10 / 11  # of the 10 in 11 sequences that do not hide the last item only
    share = 0.3 * 10 / 11
    assert_allclose(hidden.mean(axis=0)[1:], [share] * 4 + [share + 1 / 11 + none], atol=0.03)
    monkeypatch.setattr(cloze, "LAST_ONLY", 1.0)
    assert_array_equal(cloze_batch(batch, ITEMS, 0.9, torch.Generator()).targets[0], [PAD] * 5 + [6])


def test_a_held_out_item_is_neither_hidden_nor_read() -> None:
    learn = np.array([True, True, True, False, True, True])
    found = cloze_batch(batch_of([[1, 2, 3, 9], [4, 5]], learn=learn), ITEMS, 0.5, torch.Generator().manual_seed(0))
    assert 9 not in found.tokens.tolist()[0] + found.targets.tolist()[0]
    assert_array_equal(found.lengths, [3, 2])
    assert_array_equal(found.tokens[0, 3:], [ITEMS])


def test_items_of_an_earlier_training_are_read_but_not_masked() -> None:
    """In an update, only new items are targets."""
    learn = np.array([False, False, False, True, True])
    found = cloze_batch(batch_of([[1, 2, 3, 4, 5]], learn=learn), ITEMS, 1 - 1e-9, torch.Generator().manual_seed(0))
    assert found.tokens[0, :3].tolist() == [1, 2, 3]
    assert found.targets[0].tolist()[:3] == [PAD] * 3
    assert found.targets[0, 4] == 5


def test_a_mask_follows_the_history() -> None:
    batch = batch_of([[1, 2, 3], [4, 5]])
    found = with_mask_at_the_end(batch, ITEMS)
    assert_array_equal(found.tokens, [[1, 2, ITEMS + 1], [4, ITEMS + 1, ITEMS]])
    assert_array_equal(found.lengths, [3, 2])


# --------------------------------------------------------------------------------- the trained models


def fitted(variant: dict[str, str], **settings: Any) -> SasRec:
    small = {"embedding_dim": 16, "epochs": 2, "patience": 0, "n_heads": 2, "max_length": 6}
    model = SasRec(SasRecConfig.parse(small | variant | settings))
    model.fit(markov_chain(users=60, items=20, steps=12).train, RunContext())
    return model


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_traces_scores_updates_and_ablation_of_each_variant(variant: dict[str, str]) -> None:
    model = fitted(variant)
    query = asking([[3, 4, 5, 6], [9], list(range(12))])
    scores = model.score(query)
    for row, history in enumerate(query.history[row] for row in range(3)):
        assert_allclose(model.score(asking([history.tolist()]))[0], scores[row], atol=1e-4)  # batch = single
        found = model.trace(asking([history.tolist()]))
        assert_array_equal(found.tokens, history[-6:])
        assert_allclose(found.next_scores[-1], np.sort(scores[row])[::-1][:5], atol=1e-4)
        assert found.softmax == (variant["block"] != "hstu")
        assert (found.mask_weights is not None) == (variant["mask"] == "cloze")
    with model.ablated(1, 1):
        assert not np.allclose(model.score(query), scores, atol=1e-7)
    assert_array_equal(model.score(query), scores)
    before = markov_chain(users=60, items=20, steps=12).train
    new = markov_chain(users=60, items=20, steps=12, loyalty=0.0).train
    model.update(before, new, RunContext())
    assert not np.allclose(model.score(query), scores)
    again = SasRec(model.config)
    again.load_state(model.state())
    assert_array_equal(again.score(query), model.score(query))


@pytest.mark.parametrize("variant", CLOZE, ids=str)
def test_each_step_of_a_cloze_trace_is_the_mask_after_that_prefix(variant: dict[str, str], monkeypatch: Any) -> None:
    monkeypatch.setattr("recsys_core.models.sasrec.TRACED_TOKENS", 12)  # prefixes in several blocks
    model, history = fitted(variant), [3, 4, 5, 6, 7]
    found = model.trace(asking([history]))
    assert found.mask_weights is not None
    for step in range(5):
        tokens = torch.tensor([[*history[: step + 1], 21]])
        _, weights = model.net.explicit(tokens)
        last = weights[:, 0, :, -1].detach()  # (L, H, step + 2)
        assert_allclose(found.weights[:, :, step, : step + 1], last[..., :-1], atol=1e-6)
        assert_allclose(found.mask_weights[:, :, step], last[..., -1], atol=1e-6)
        assert_array_equal(found.weights[:, :, step, step + 1 :], 0.0)
        best = np.argsort(-model.score(asking([history[: step + 1]]))[0], kind="stable")[:5]
        assert_array_equal(found.next_items[step], best)


def test_variants_differ_in_id_formula_and_source_and_the_default_does_not() -> None:
    plain = ModelSpec(key="sasrec")
    stored = {name: value for name, value in plain.config.items() if name in ("n_layers", "n_heads", "embedding_dim")}
    assert ModelSpec(key="sasrec", config=stored).id == plain.id
    seen = {plain.id}, {SasRec.info.formula}, {SasRec.info.source}
    for variant in VARIANTS:
        config = SasRecConfig.parse(variant)
        described = (
            ModelSpec(key="sasrec", config=variant).id,
            SasRec.formula_of(config, rated=False, weighted=False),
            SasRec.source_of(config),
        )
        for known, one in zip(seen, described, strict=True):
            assert one not in known
            known.add(one)
    assert SasRecConfig.parse({"mask": "BERT4Rec"}).mask == "cloze"
