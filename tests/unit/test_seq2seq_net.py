"""The seq2seq network: cells equal torch's, attention, causality, and decoding of all cuts in one pass."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor, nn

from recsys_core.contracts import PAD
from recsys_core.models.nets.seq2seq import Attention, Seq2SeqNet, Unrolling, causal, replayed, unrolled
from recsys_core.training.losses import make_loss
from tests.nets import assert_looks_back_only

ITEMS, WIDTH = 30, 16
ENCODERS, DECODERS, ATTENTIONS, STARTS = (
    ("lstm", "gru", "mlp", "cnn"),
    ("lstm", "gru"),
    ("bilinear", "additive"),
    (0, 1),
)
COMBINATIONS = list(product(ENCODERS, DECODERS, ATTENTIONS, STARTS))


def net_of(encoder: str = "gru", decoder: str = "gru", attention: str = "bilinear", start: int = 0) -> Seq2SeqNet:
    torch.manual_seed(0)
    parts: dict[str, Any] = {"encoder": encoder, "decoder": decoder, "attention": attention}
    net = Seq2SeqNet(ITEMS, WIDTH, 20, **parts, from_encoder=bool(start), dropout=0.0)
    for weight in net.parameters():  # far from 0, so that a missing part is detected
        nn.init.normal_(weight, std=0.2)
    with torch.no_grad():
        net.items.weight[ITEMS] = 0.0
    return net.eval()


def sequences(rows: int = 4, length: int = 9, seed: int = 1) -> tuple[Tensor, Tensor]:
    drawn = torch.from_numpy(np.random.default_rng(seed).integers(0, ITEMS, (rows, length + 1)))
    return drawn[:, :-1], drawn[:, 1:].clone()


def drawing() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("encoder", "decoder", "attention", "start"), COMBINATIONS)
def test_every_place_says_something_and_looks_back_only(encoder: str, decoder: str, attention: str, start: int) -> None:
    net = net_of(encoder, decoder, attention, start)
    assert net(sequences()[0]).shape == (4, 9, WIDTH)
    assert_looks_back_only(net, ITEMS)


@pytest.mark.parametrize("encoder", ["lstm", "gru"])
def test_a_copied_torch_cell_encodes_the_same(encoder: str) -> None:
    net = net_of(encoder)
    single = (nn.LSTMCell if encoder == "lstm" else nn.GRUCell)(WIDTH, WIDTH)
    weights = net.encoder.layer.state_dict()
    single.load_state_dict({name.removesuffix("_l0"): weight for name, weight in weights.items()})
    tokens, state = sequences(rows=1)[0], None
    encoded = net.encode(tokens)
    for place, token in enumerate(tokens[0]):
        state = single(net.items(token[None]), state)
        memory = state[0] if encoder == "lstm" else state
        assert_allclose(encoded[0, place].detach(), memory[0].detach(), atol=1e-6)


@pytest.mark.parametrize("decoder", ["lstm", "gru"])
def test_a_copied_torch_layer_decodes_the_same(decoder: str) -> None:
    """Fed with previous item and context of each step, from H = 0, torch's layer goes through the same states."""
    net, (tokens, fed) = net_of(decoder=decoder), sequences()
    layer = (nn.LSTM if decoder == "lstm" else nn.GRU)(2 * WIDTH, WIDTH, batch_first=True)
    layer.load_state_dict({f"{name}_l0": weight for name, weight in net.decoder.state_dict().items()})
    steps = list(replayed(net, tokens, torch.full((4,), 9), fed))
    contexts = torch.cat([step.context for step in steps], dim=1)
    states = layer(torch.cat([net.items(fed), contexts], dim=2))[0]
    assert_allclose(torch.cat([step.state.hidden for step in steps], dim=1).detach(), states.detach(), atol=1e-6)


@pytest.mark.parametrize("form", ATTENTIONS)
def test_explicit_attention_is_the_fast_one_and_its_rows_sum_to_1(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys_core.models.nets.seq2seq.ADDITIVE_BLOCK", 1000)  # several blocks
    torch.manual_seed(0)
    attention = Attention(form, WIDTH)
    queried, encoded = torch.randn(3, 7, 2 * WIDTH), torch.randn(3, 7, WIDTH)
    context, weights, energies = attention(queried, encoded, causal(7))
    assert_allclose(attention.context(queried, encoded, causal(7)).detach(), context.detach(), atol=1e-5)
    assert_allclose(weights.sum(dim=2).detach(), 1.0, atol=1e-6)
    assert (weights.detach().numpy() > 0).tolist() == np.broadcast_to(np.tri(7) > 0, (3, 7, 7)).tolist()
    assert_allclose(energies.softmax(dim=2).detach(), weights.detach())


def test_energies_are_the_formulas() -> None:
    torch.manual_seed(0)
    queried, encoded = torch.randn(1, 1, 2 * WIDTH), torch.randn(1, 3, WIDTH)
    product_, layer = Attention("bilinear", WIDTH), Attention("additive", WIDTH)
    query, keys = product_.query.weight @ queried[0, 0], encoded[0]
    everything = torch.ones(1, 3, dtype=torch.bool)
    assert_allclose(product_(queried, encoded, everything)[2][0, 0].detach(), (keys @ query / 4).detach(), atol=1e-5)
    inner = torch.tanh(layer.query.weight @ queried[0, 0] + keys @ layer.key.weight.T + layer.key.bias)
    expected = inner @ layer.energy.weight[0]
    assert_allclose(layer(queried, encoded, everything)[2][0, 0].detach(), expected.detach(), atol=1e-5)


@pytest.mark.parametrize("form", ATTENTIONS)
def test_without_query_weights_attention_is_even(form: str) -> None:
    """The product with a query of zeros is 0; the additive form is zeroed by its outer weights."""
    attention = Attention(form, WIDTH)
    nn.init.zeros_((attention.energy if form == "additive" else attention.query).weight)
    weights = attention(torch.randn(2, 5, 2 * WIDTH), torch.randn(2, 5, WIDTH), causal(5))[1]
    even = np.tri(5) / np.arange(1, 6)[:, None]
    assert_allclose(weights.detach(), np.broadcast_to(even, (2, 5, 5)), atol=1e-6)


@pytest.mark.parametrize(("encoder", "decoder", "attention", "start"), COMBINATIONS)
@pytest.mark.parametrize("own", [0.0, 1.0])
def test_all_cuts_decoded_at_once_are_each_decoded_alone(
    encoder: str, decoder: str, attention: str, start: int, own: float
) -> None:
    """The outputs used in training equal those of a decoder that read exactly the items up to the cut."""
    net, (tokens, targets) = net_of(encoder, decoder, attention, start), sequences(rows=2, length=6)
    found, right, _ = unrolled(net, tokens, targets, Unrolling(3, 1.0, own), drawing())
    outputs, aims = [], []
    for ahead in range(3):
        for row in range(2):
            for cut in range(6 - ahead):
                fed, read = tokens[row : row + 1, cut : cut + 1], tokens[row : row + 1, : cut + 1]
                for number in range(ahead):
                    *_, step = replayed(net, read, torch.tensor([cut + 1]), fed)
                    said = net.scores(step.output[:, 0]).argmax(dim=1, keepdim=True)
                    fed = torch.cat([fed, said if own else tokens[row, cut + 1 + number].view(1, 1)], dim=1)
                *_, step = replayed(net, read, torch.tensor([cut + 1]), fed)
                outputs.append(step.output[0, 0])
                aims.append(targets[row, cut + ahead])
    assert_array_equal(right, torch.stack(aims))
    assert_allclose(found.detach(), torch.stack(outputs).detach(), atol=1e-5)


def test_only_a_share_of_the_cuts_goes_on_and_padding_is_not_learned() -> None:
    net, (tokens, targets) = net_of(), sequences(rows=2, length=10)
    targets[1, 4:] = PAD
    assert len(unrolled(net, tokens, targets, Unrolling(1, 1.0, 0.0), drawing())[0]) == 14
    outputs, right, _ = unrolled(net, tokens, targets, Unrolling(2, 0.2, 0.0), drawing())
    assert len(outputs) == len(right) <= 14 + 4
    assert (right >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(("encoder", "decoder"), [("gru", "gru"), ("lstm", "lstm"), ("mlp", "gru"), ("cnn", "lstm")])
def test_eight_sequences_can_be_learned_by_heart(encoder: str, decoder: str) -> None:
    """Each begins with a distinct item, so every prediction has one right answer; two steps behind every cut."""
    torch.manual_seed(0)
    net = Seq2SeqNet(
        ITEMS, 32, 20, encoder=encoder, decoder=decoder, attention="bilinear", from_encoder=False, dropout=0.0
    )
    rng = np.random.default_rng(2)
    rows = np.stack([np.concatenate([[row], rng.permutation(np.arange(8, ITEMS))[:9]]) for row in range(8)])
    tokens, targets = torch.from_numpy(rows[:, :-1]), torch.from_numpy(rows[:, 1:])
    optimizer, loss, generator = torch.optim.Adam(net.parameters(), lr=0.01), make_loss("softmax"), drawing()
    for _ in range(150):
        outputs, right, _ = unrolled(net, tokens, targets, Unrolling(2, 1.0, 0.0), generator)
        value = loss(outputs, net.items.weight[:ITEMS], right, generator)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert float(value.detach()) < 0.05
