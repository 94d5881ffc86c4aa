"""What an edited history changes: lists equal those of the library, moves and ladders by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.contracts import PAD, FoldIn, QueryBatch, Ragged
from recsys_core.data import dataset_from_frames
from recsys_core.models.registry import model_class
from recsys_core.serving import what_if
from recsys_core.serving.edited_history import BaseHistory, EditedHistory
from recsys_core.serving.served_lists import FactsOfQuery, served
from recsys_core.strategy.cards import Boost, Condition, Mmr, Pin, Strategy
from recsys_core.strategy.facts import Facts
from tests.contract.cases import by_history, tastes, trained

USER = 5
FAST = ("ease", "item_knn", "user_knn", "lfm", "biased_mf", "popular", "content_features")


def own(user: int = USER) -> QueryBatch:
    return tastes().queries(np.array([user]))


def ranks(*items: int) -> pd.DataFrame:
    frame = pd.DataFrame({"rank": range(1, len(items) + 1), "item": items})
    return frame.assign(score=-frame["rank"].astype(float))


@pytest.mark.parametrize("key", FAST)
def test_the_list_is_that_of_the_library(key: str) -> None:
    model = trained(key)
    query = EditedHistory.unedited(BaseHistory(own())).added(3, 5.0).dropped(0).query()
    found, top = what_if.ranked(model, query, 10), model.recommend(query, 10)
    listed = top.item[0] != PAD
    assert_array_equal(found.head(10)["item"], top.item[0][listed])
    assert_array_equal(found.head(10)["score"], top.score[0][listed])


@pytest.mark.parametrize("key", FAST)
def test_the_own_history_gives_the_own_list_where_that_is_declared(key: str) -> None:
    """And adding an item and removing it again gives the same list for every model."""
    model, base = trained(key), BaseHistory(own())
    unedited = EditedHistory.unedited(base)
    again = unedited.added(3, 5.0).dropped(len(unedited))
    folded = what_if.ranked(model, unedited.query(), 10)
    pd.testing.assert_frame_equal(what_if.ranked(model, again.query(), 10), folded)
    assert by_history(key) == (model_class(key).info.fold_in is FoldIn.EXACT)
    if by_history(key):
        pd.testing.assert_frame_equal(what_if.ranked(model, base.query, 10), folded)


def test_an_added_item_weighs_as_much_as_a_typical_one_of_the_history() -> None:
    """In counts such as plays, a weight of 1 would be next to no evidence."""
    plays = np.array([100, 300, -200], dtype=np.float32)
    items = Ragged.from_rows([[0, 1, 2]])
    ratings = np.array([5, 1, 3], dtype=np.float32)
    for values, added in ((plays, 200.0), (ratings, 1.0)):
        history = EditedHistory.unedited(BaseHistory(QueryBatch(np.array([0]), items, values, weights=plays))).added(7)
        assert history.values == (*values, added)
        query = history.query()
        assert query.values.tolist() == [*values, added]
        assert query.weights is not None
        assert query.weights.tolist() == [*plays, 200]
    nothing = np.empty(0, np.float32)
    base = BaseHistory(QueryBatch(np.array([0]), Ragged.from_rows([[]]), nothing, weights=nothing))
    assert EditedHistory.unedited(base).added(7).query().weights is None


def test_moves_by_hand() -> None:
    before, after = ranks(1, 2, 3, 4, 5), ranks(3, 1, 9, 5, 2)
    found = what_if.moves(before, after, 3, seen=[2])
    assert found.shown["item"].tolist() == [3, 1, 9]
    assert_array_equal(found.shown["before"], [3, 1, np.nan])
    assert_array_equal(found.shown["change"], [2, -1, np.nan])
    assert found.gone.to_dict("list") == {"item": [2], "before": [2], "after": [5.0], "in_history": [True]}
    assert (found.entered, found.jaccard) == (1, 2 / 4)


def test_an_item_from_below_the_list_has_its_rank_before() -> None:
    found = what_if.moves(ranks(1, 2, 3, 4), ranks(4, 1), 2)
    assert found.shown[["before", "change"]].to_numpy().tolist() == [[4, 3], [1, -1]]
    assert (found.entered, found.jaccard) == (1, 1 / 3)


def test_the_similarity_of_two_empty_lists_is_undefined() -> None:
    assert math.isnan(what_if.jaccard([], []))
    assert what_if.jaccard([], [1]) == 0.0
    assert what_if.jaccard([1, 2], [2, 1]) == 1.0


@pytest.mark.parametrize("key", ["ease", "item_knn", "user_knn", "lfm", "biased_mf"])
def test_the_changes_of_contributions_sum_to_the_change_of_the_score(key: str) -> None:
    model, history = trained(key), EditedHistory.unedited(BaseHistory(own()))
    before, after = history.query(), history.added(3, 5.0).dropped(1).query()
    item = int(np.nanargmax(np.abs(model.score(after)[0] - model.score(before)[0])))
    found = what_if.why_moved(model, tastes(), before, after, item)
    assert found.before == model.score(before)[0, item]
    assert found.after == model.score(after)[0, item]
    assert found.parts["misses"].sum() == pytest.approx(found.after - found.before, rel=1e-6, abs=1e-9)
    assert_allclose(found.parts["misses"], found.parts["last"] - found.parts["asked"], rtol=1e-6, atol=1e-12)
    assert len(found.parts) >= 1
    assert found.parts["misses"].abs().head(8).is_monotonic_decreasing


def test_an_item_without_a_score_before_has_only_contributions_after() -> None:
    model, history = trained("item_knn"), EditedHistory.unedited(BaseHistory.empty())
    after = history.added(3, 5.0).query()
    item = int(what_if.ranked(model, after, 1)["item"].iloc[0])
    found = what_if.why_moved(model, tastes(), history.query(), after, item)
    assert math.isnan(found.before)
    assert found.parts["asked"].tolist() == [0.0]
    assert found.parts["last"].sum() == pytest.approx(found.after)


def test_a_model_without_contributions_has_the_scores_alone() -> None:
    history = EditedHistory.unedited(BaseHistory(own()))
    found = what_if.why_moved(trained("popular"), tastes(), history.query(), history.added(3).query(), 8)
    assert found.before == found.after
    assert found.parts.empty


def test_each_step_of_the_ladder_is_the_list_for_the_first_items() -> None:
    model, query = trained("ease"), own()
    length = len(query.values)
    found = what_if.ladder(model, query, 10)
    assert found.steps == (0, 1, 3, 5, 10, length)
    assert found.jaccard[-1] == 1.0
    for step, items in zip(found.steps, found.items, strict=True):
        history = Ragged.from_rows([query.history.values[:step]])
        one = QueryBatch(np.array([PAD]), history, query.values[:step], None, known=query.history)
        assert_array_equal(model.recommend(one, 10).item[0], items)
    assert (found.items[0] == PAD).all()  # EASE has no score without a history
    assert found.jaccard[0] == 0.0


def test_a_ladder_settles_where_all_later_lists_are_similar() -> None:
    class Scripted:
        def recommend(self, query: QueryBatch, k: int) -> object:
            lists = [[1, 2, 3, 4, 5], [6, 7, 8, 9, 5], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]
            return type("Top", (), {"item": np.array(lists)})

    query = QueryBatch(np.array([PAD]), Ragged.from_rows([range(4)]), np.ones(4, np.float32))
    found = what_if.ladder(Scripted(), query, 5)  # type: ignore[arg-type]
    assert found.steps == (0, 1, 3, 4)
    assert found.jaccard == (1.0, 1 / 9, 1.0, 1.0)
    assert found.settles == 3  # the list without items is the final one by chance


def test_a_short_history_has_a_short_ladder() -> None:
    query = own().take(np.array([0])).only(np.arange(len(own().values)) < 2)
    found = what_if.ladder(trained("popular"), query, 5)
    assert found.steps == (0, 1, 2)
    assert found.settles == 0
    assert what_if.ladder_table(found, tastes()).columns.tolist() == ["rank", "0", "1", "2"]


def test_a_strategy_without_cards_keeps_the_list_and_a_pin_leads_it() -> None:
    model, query = trained("ease"), own()
    frame, facts = what_if.ranked(model, query, 10), Facts(tastes())
    pd.testing.assert_frame_equal(
        served(Strategy(), frame, query, facts, 10), frame.head(10), check_dtype=False, check_exact=False
    )
    pinned = served(Strategy(cards=(Mmr(), Pin(item="i7"))), frame, query, facts, 10)
    assert pinned["item"].iloc[0] == 7
    assert len(pinned) == 10
    alone = served(Strategy(cards=(Pin(item="i7"),)), frame.head(0), BaseHistory.empty().query, facts, 10)
    assert alone["item"].tolist() == [7]


def test_interests_of_a_strategy_follow_the_edited_history() -> None:
    facts = Facts(tastes())
    query = EditedHistory.unedited(BaseHistory.empty()).added(4).added(9).added(9).query()
    found = FactsOfQuery(facts, query).interests(np.array([0]))
    expected = facts.shares[4] + facts.shares[9]
    assert_array_equal(found[0], expected / expected.sum())
    assert FactsOfQuery(facts, BaseHistory.empty().query).interests(np.array([0])).sum() == 0.0


@pytest.mark.parametrize("field", ["id", "country"])
def test_a_new_user_has_none_of_the_attributes_and_not_the_identifier_of_another(field: str) -> None:
    model, query = trained("ease"), own()
    data = dataset_from_frames(
        tastes().interactions,
        name="tastes",
        users=pd.DataFrame({"country": ["it"] * tastes().n_users}),
        user_ids=[f"u{user}" for user in range(tastes().n_users)],
        item_ids=list(tastes().item_vocabulary.ids),
    )
    facts, frame = Facts(data), what_if.ranked(model, query, 10)
    last = Condition(field="id", op="=", value=data.item_vocabulary.ids[int(frame["item"].iloc[9])])
    values = {"id": "u0", "country": "it"}
    when = Condition(field=f"user.{field}", op="=", value=values[field], also=(last,))
    raised = Strategy(cards=(Boost(when=when, places=9),))
    raw, first = frame["item"].head(10).tolist(), int(frame["item"].iloc[9])
    assert served(raised, frame, query, facts, 10)["item"].tolist() == raw
    assert served(raised, frame, query, facts, 10, user=0)["item"].iloc[0] == first
    missing = Condition(field=f"user.{field}", op="is missing", also=(last,))
    for name in (f"user.{field}", "user.interactions"):
        when = missing.model_copy(update={"field": name})
        found = served(Strategy(cards=(Boost(when=when, places=9),)), frame, query, facts, 10)["item"].iloc[0]
        assert (found == first) == (name != "user.interactions")  # the history is known
