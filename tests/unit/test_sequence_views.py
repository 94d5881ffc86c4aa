"""Views of networks over histories: steps and filters equal torch's, and contributions add up."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from recsys_core.contracts import RunContext
from recsys_core.data import Dataset
from recsys_core.errors import CannotScore
from recsys_core.explain.filters import filters, looked_at
from recsys_core.explain.gates import hidden_states, hidden_states_of, unrolled
from recsys_core.explain.view import ViewRequest
from recsys_core.models.registry import make_model
from recsys_core.viz.inside_views import PICTURES
from tests.contract.cases import asking
from tests.worlds import markov_chain

HISTORY = [3, 1, 4, 1, 5, 9, 2, 6]


def data() -> Dataset:
    return markov_chain(users=40, steps=8).train


def request(key: str, history: list[int] = HISTORY, **config: object) -> ViewRequest:
    train = data()
    model = make_model(key, {"embedding_dim": 8, "epochs": 3, "learning_rate": 0.02, **config})
    model.fit(train, RunContext())
    return ViewRequest(model, train, asking([history]), 7)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
def test_steps_computed_by_the_equations_are_those_of_torch(cell: str, layers: int) -> None:
    model = request("rnn", cell=cell, n_layers=layers).model
    with torch.no_grad():
        reader, items = model.net.reader, model.net.items  # type: ignore[attr-defined]
        expected, _ = reader(items(torch.tensor([HISTORY])))
    hidden = hidden_states_of(model, np.array(HISTORY))  # type: ignore[arg-type]
    assert_allclose(hidden.states, expected[0].numpy(), atol=1e-5)


def test_one_step_of_a_gru_by_hand() -> None:
    """One number each: r = sigma(0.5 x), z = sigma(0), n = tanh(x + r (0 + 1)); from h = 0 at x = 2:

    r = sigma(1) = 0.731059, z = 0.5, n = tanh(2.731059) = 0.991549, h = 0.5 n = 0.495774.
    """
    weights = {
        "weight_ih": np.array([[0.5], [0.0], [1.0]]),
        "weight_hh": np.zeros((3, 1)),
        "bias_ih": np.zeros(3),
        "bias_hh": np.array([0.0, 0.0, 1.0]),
    }
    hidden = unrolled("gru", weights, np.array([[2.0]]))
    assert hidden.gates["reset_gate"][0, 0] == pytest.approx(0.731059, abs=1e-6)
    assert hidden.gates["update_gate"][0, 0] == 0.5
    assert hidden.states[0, 0] == pytest.approx(0.495774, abs=1e-6)


@pytest.mark.parametrize(
    ("cell", "gates"),
    [("rnn", []), ("gru", ["update_gate", "reset_gate"]), ("lstm", ["forget_gate", "input_gate", "output_gate"])],
)
def test_hidden_states_are_listed_item_by_item(cell: str, gates: list[str]) -> None:
    view_data = hidden_states(request("rnn", cell=cell))
    assert view_data.table["item"].tolist() == HISTORY
    assert view_data.facts["gates"] == gates
    assert view_data.table["change"].iloc[0] == pytest.approx(view_data.table["norm"].iloc[0])
    assert all(view_data.table[gate].between(0, 1).all() for gate in gates)
    turn = view_data.table.iloc[1:]["change"].idxmax()
    assert view_data.facts["turn"] == view_data.table["title"][turn]


def test_only_what_is_read_of_a_long_history_is_told() -> None:
    view_data = hidden_states(request("rnn", max_length=3))
    assert view_data.table["item"].tolist() == HISTORY[-3:]
    assert "last 3 of 8 items" in str(PICTURES["memory"].sentence(view_data))


@pytest.mark.parametrize("long_term", [True, False])
@pytest.mark.parametrize("history", [HISTORY, [3, 1]], ids=["long", "short"])
def test_parts_of_the_filters_add_up_to_the_score(history: list[int], long_term: bool) -> None:
    asked = request("cnn", history, span=4, long_term=long_term)
    found = looked_at(asked.model, asked.query.history[0], 7)  # type: ignore[arg-type]
    assert found.score == pytest.approx(float(asked.model.score(asked.query)[0, 7]), abs=1e-5)
    assert (found.long_term != 0) == long_term
    for one in found.fired:
        if one.kind == "sum":
            assert one.shares.sum() == pytest.approx(one.adds)
    assert len(found.fired) + found.silent == 4 * 16 + 4


def test_a_pattern_stands_where_the_network_found_it_best() -> None:
    """The responses equal those of torch's convolutions, and no other position of a filter gives more."""
    asked = request("cnn", span=4)
    net = asked.model.net  # type: ignore[attr-defined]
    found = looked_at(asked.model, asked.query.history[0], 7)  # type: ignore[arg-type]
    with torch.no_grad():
        window = net.items(torch.tensor([HISTORY[-4:]])).transpose(1, 2)
        for one in found.fired:
            if one.kind == "pattern":
                everywhere = net.across[one.height - 1](window)[0, one.number - 1].relu()
                assert everywhere.argmax() == one.first
                assert float(everywhere.max()) == pytest.approx(one.response, abs=1e-5)


def test_a_history_of_one_item_is_singular() -> None:
    assert "respond to the last item. The score" in str(PICTURES["filters"].sentence(filters(request("cnn", [3]))))
    said = str(PICTURES["filters"].sentence(filters(request("cnn", HISTORY, span=4))))
    assert "respond to the last 4 items. The score" in said


def test_the_table_of_filters_names_the_items_under_each() -> None:
    view_data = filters(request("cnn", span=4))
    patterns = view_data.table[view_data.table["kind"] == "pattern"]
    assert (view_data.table["item"] == np.array(HISTORY[-4:])[view_data.table["place"] - 1]).all()
    assert (patterns.groupby("filter").size() == patterns.groupby("filter")["items"].first()).all()
    adds = view_data.table.groupby("filter")["adds"].first().abs()
    assert adds.is_monotonic_decreasing


@pytest.mark.parametrize("key", ["rnn", "cnn"])
def test_every_view_draws_and_says_something(key: str) -> None:
    look, view = {"rnn": (hidden_states, "memory"), "cnn": (filters, "filters")}[key]
    for history in (HISTORY, [3]):
        view_data = look(request(key, history))
        assert PICTURES[view].draw(view_data).data
        assert "{" not in str(PICTURES[view].sentence(view_data))
        more = PICTURES[view].more(view_data)
        assert more is None or "{" not in str(more)


@pytest.mark.parametrize(("key", "look"), [("rnn", hidden_states), ("cnn", filters)])
def test_without_a_history_nothing_is_told(key: str, look: object) -> None:
    with pytest.raises(CannotScore, match="history is empty"):
        look(request(key, []))  # type: ignore[operator]


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_no_two_lines_of_the_hidden_state_share_a_color(cell: str) -> None:
    figure = PICTURES["memory"].draw(hidden_states(request("rnn", cell=cell)))
    colors = [trace.line.color if trace.type == "scatter" else trace.marker.color for trace in figure.data]
    assert len(set(colors)) == len(colors)
