"""The tree view of a recursive network: its nodes, effects recomputed by hand, and the figure."""

import numpy as np
import pytest

from recsys_core.contracts import PAD, RunContext
from recsys_core.errors import CannotScore
from recsys_core.explain.tree import tree
from recsys_core.explain.view import ViewRequest
from recsys_core.models.recursive import Recursive, RecursiveConfig
from recsys_core.viz.inside_views import PICTURES
from tests.contract.cases import asking
from tests.worlds import markov_chain

HISTORY = [3, 1, 4, 1, 5]


@pytest.fixture(scope="module")
def model() -> Recursive:
    found = Recursive(RecursiveConfig(embedding_dim=8, epochs=2, session_items=3))
    found.fit(markov_chain(users=40, steps=8).train, RunContext())
    return found


def request(model: Recursive, history: list[int], item: int = 7) -> ViewRequest:
    return ViewRequest(model, markov_chain(users=40, steps=8).train, asking([history]), item)


def test_nodes_stand_latest_first_below_their_parents(model: Recursive) -> None:
    view_data = tree(request(model, HISTORY))
    table = view_data.table
    assert table["level"].tolist() == ["person", "session", "item", "item", "session", "item", "item", "item"]
    assert table["item"].tolist() == [PAD, PAD, 5, 1, PAD, 4, 1, 3]
    assert table["node"].is_unique
    parents = dict(zip(table["node"], table["parent"], strict=True))
    assert parents[0] == PAD
    assert table["parent"].tolist() == [PAD, 0, 2, 2, 0, 1, 1, 1]
    assert (table["norm"] > 0).all()
    assert view_data.facts["sessions"] == 2


def test_effects_are_those_of_asking_again(model: Recursive) -> None:
    table = tree(request(model, HISTORY)).table
    full = model.score(asking([HISTORY]))[0, 7]
    rest = {
        1: [1, 5],  # without the first session, and without the second
        2: [3, 1, 4],
        3: [1, 4, 1, 5],  # without each item, oldest first
        4: [3, 4, 1, 5],
        5: [3, 1, 1, 5],
        6: [3, 1, 4, 5],
        7: [3, 1, 4, 1],
    }
    effects = dict(zip(table["node"], table["weight"], strict=True))
    assert np.isnan(effects[0])
    for node, history in rest.items():
        assert effects[node] == pytest.approx(full - model.score(asking([history]))[0, 7], abs=1e-6)


def test_a_single_item_leaves_nothing_to_compare_with(model: Recursive) -> None:
    view_data = tree(request(model, [3]))
    assert view_data.table["weight"].isna().all()
    assert "1 item" in str(PICTURES["tree"].sentence(view_data))
    with pytest.raises(CannotScore, match="no history"):
        tree(request(model, []))


def test_one_session_leaves_the_influence_of_its_items(model: Recursive) -> None:
    """Without the only session there is no history, but without one of its items there is."""
    said = str(PICTURES["tree"].sentence(tree(request(model, [3, 1]))))
    assert said.startswith("2 items in one session. The score of")
    assert "without '" in said


def test_the_picture_shows_the_latest_items_and_its_sentence_what_matters_most(model: Recursive) -> None:
    view_data = tree(request(model, [step % 20 for step in range(50)]))
    figure = PICTURES["tree"].draw(view_data)
    assert len(figure.layout.yaxis.ticktext) == 40
    said = str(PICTURES["tree"].sentence(view_data))
    assert "50 items in 17 sessions" in said
    leaves = view_data.table[view_data.table["level"] == "item"].dropna(subset=["weight"])
    strongest = leaves.loc[leaves["weight"].abs().idxmax()]
    assert f"without '{strongest['title']}' by {-strongest['weight']:+.3g}" in said
