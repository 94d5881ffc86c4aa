"""The convolutional network: one pass equals separate windows, causality, padding, and what it learns."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from recsys_core.contracts import RunContext
from recsys_core.models.cnn import Cnn, CnnConfig
from recsys_core.models.nets.cnn import ConvolutionalNet
from recsys_core.training.losses import make_loss
from tests.contract.cases import asking
from tests.nets import assert_learns_a_chain, assert_looks_back_only, assert_overfits
from tests.worlds import markov_chain

ITEMS, WIDTH = 12, 6


def net_of(*, span: int = 4, long_term: bool = True, items: int = ITEMS, width: int = WIDTH) -> ConvolutionalNet:
    torch.manual_seed(0)
    net = ConvolutionalNet(items, width, span=span, horizontal=3, vertical=2, long_term=long_term).eval()
    with torch.no_grad():
        net.items.weight[:-1].normal_()
    return net


@pytest.mark.parametrize("span", [1, 4, 9])
@pytest.mark.parametrize("long_term", [True, False])
def test_every_place_says_something_of_the_width(span: int, long_term: bool) -> None:
    net = net_of(span=span, long_term=long_term)
    assert net(torch.zeros((3, 5), dtype=torch.int64)).shape == (3, 5, WIDTH)


def test_one_pass_equals_windows_cut_out_and_looked_at() -> None:
    """Equations 3 to 10 of the paper, for each window, filter and position."""
    net, span = net_of(), 4
    tokens = np.array([3, 1, 4, 1, 5, 9, 2])
    with torch.no_grad():
        said = net(torch.from_numpy(tokens)[None])[0]
        vectors = net.items.weight.numpy().astype(np.float64)
        for place in range(len(tokens)):
            window = np.zeros((span, WIDTH))
            seen = vectors[tokens[: place + 1]]
            window[max(0, span - len(seen)) :] = seen[-span:]
            found = []
            for height, filters in enumerate(net.across, start=1):
                for weight, bias in zip(filters.weight.numpy(), filters.bias.numpy(), strict=True):
                    responses = [
                        max(0.0, float((weight.T * window[at : at + height]).sum() + bias))
                        for at in range(span - height + 1)
                    ]
                    found.append(max(responses))
            sums = net.down.weight.numpy() @ window  # (filters, D)
            mix = net.mix.weight.numpy() @ np.concatenate([found, sums.ravel()]) + net.mix.bias.numpy()
            both = np.concatenate([np.maximum(mix, 0.0), seen.mean(axis=0)])
            expected = net.out.weight.numpy() @ both + net.out.bias.numpy()
            assert_allclose(said[place].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("long_term", [True, False])
def test_what_comes_later_and_padding_change_nothing(long_term: bool) -> None:
    assert_looks_back_only(net_of(long_term=long_term), ITEMS)


def test_without_the_long_term_only_the_last_items_count() -> None:
    short, long = net_of(long_term=False), net_of()
    one, two = torch.tensor([[7, 1, 2, 3, 4]]), torch.tensor([[8, 1, 2, 3, 4]])
    with torch.no_grad():
        assert_allclose(short(one)[0, -1], short(two)[0, -1], atol=1e-6)
        assert not np.allclose(long(one)[0, -1], long(two)[0, -1], atol=1e-4)


def test_eight_sequences_can_be_learned_by_heart() -> None:
    assert_overfits(net_of(items=30, width=32), 30, make_loss("softmax"))


@pytest.mark.slow
def test_a_chain_is_learned_and_chance_is_not() -> None:
    assert_learns_a_chain("cnn", span=3, epochs=15, learning_rate=0.02)


def test_a_history_shorter_than_the_window_of_the_filters_is_scored() -> None:
    model = Cnn(CnnConfig(embedding_dim=8, span=9, epochs=1))
    model.fit(markov_chain(users=40, steps=8).train, RunContext())
    assert np.isfinite(model.score(asking([[3]]))).all()
