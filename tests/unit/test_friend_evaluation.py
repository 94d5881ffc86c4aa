"""Friend recommendation: manual scores, and recall of held-out links."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray, IntArray, RecommendsPeople
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import CannotScore, ConfigError, DataError
from recsys_core.evaluation.friend_evaluation import METRICS, compare_friend_methods, evaluate_links, hold_out_links
from recsys_core.models.friend_recommendation import (
    FRIEND_METHODS,
    PeopleInfo,
    PeopleRecommender,
    make_people_recommender,
    recommend_people,
)
from recsys_core.profiles.graph import social_graph

LINKS = [(0, 1), (0, 2), (3, 1), (3, 2), (4, 2), (5, 4)]
TAKEN = [(0, 0), (0, 1), (4, 0), (4, 1), (5, 1), (5, 2), (5, 3), (5, 4)]


def small() -> Dataset:
    """Six users: 0 and 3 both follow 1 and 2, 4 follows 2, 5 follows 4."""
    social = pd.DataFrame(LINKS, columns=["source", "target"]).astype("int32").assign(weight=1.0)
    frame = pd.DataFrame(TAKEN, columns=["user", "item"]).astype("int32")
    return dataset_from_frames(frame, name="small", user_ids=[f"u{u}" for u in range(6)], social=social)


def ring(users: int = 120, *, seed: int = 0) -> Dataset:
    """Users in a ring: each follows half of the ten users next to them, and takes items near their own place."""
    rng = np.random.default_rng(seed)
    near = [offset for offset in range(-5, 6) if offset != 0]
    links = [(user, (user + int(offset)) % users) for user in range(users) for offset in rng.choice(near, 5, False)]
    social = pd.DataFrame(links, columns=["source", "target"]).astype("int32").assign(weight=1.0)
    taken = [(user, (user + int(step)) % users) for user in range(users) for step in rng.choice(12, 6, False)]
    frame = pd.DataFrame(taken, columns=["user", "item"]).astype("int32")
    return dataset_from_frames(frame, name="ring", social=social)


def scores_of(method: str, users: list[int]) -> FloatArray:
    data = small()
    return make_people_recommender(method, social_graph(data), data).score(np.array(users))


def test_adamic_adar_by_hand() -> None:
    """Undirected: Gamma(1) = {0, 3}, Gamma(2) = {0, 3, 4}, Gamma(4) = {2, 5}.

    0 and 3 share 1 and 2: 1 / log 2 + 1 / log 3 = 1.442695 + 0.910239 = 2.352934.
    0 and 4 share 2: 1 / log 3 = 0.910239. 0 and 5 share none. 2 and 5 share 4: 1 / log 2 = 1.442695.
    """
    found = scores_of("adamic_adar", [0, 2])
    assert found[0, 3] == pytest.approx(2.352934, abs=1e-6)
    assert found[0, 4] == pytest.approx(0.910239, abs=1e-6)
    assert np.isnan(found[0, 5])
    assert found[1, 5] == pytest.approx(1.442695, abs=1e-6)


def test_walks_end_where_the_equation_says() -> None:
    """pi = (1 - c) (I - c P^T)^-1 e, solved directly."""
    data = small()
    linked = np.zeros((6, 6))
    for source, target in LINKS:
        linked[source, target] = linked[target, source] = 1.0
    steps = linked / linked.sum(axis=1, keepdims=True)
    expected = np.linalg.solve(np.eye(6) - 0.85 * steps.T, 0.15 * np.eye(6)).T
    found = make_people_recommender("pagerank", social_graph(data), data).score(np.arange(6))
    assert_allclose(found, expected, atol=2e-3)


def test_common_interests_and_popularity_by_hand() -> None:
    """0 took {0, 1}, 4 the same, 5 took {1, 2, 3, 4}: cosines 1 and 1 / sqrt(8). 2 is followed by three, 1 by two."""
    alike = scores_of("interests", [0])[0]
    assert alike[4] == pytest.approx(1.0)
    assert alike[5] == pytest.approx(1 / 8**0.5)
    assert np.isnan(alike[1])
    assert_array_equal(scores_of("popular_people", [0])[0], [np.nan, 2, 3, np.nan, 1, np.nan])


def test_the_mix_is_the_mean_in_units_of_the_best_candidate() -> None:
    """Of 0: candidates 3, 4 and 5. Best by common friends 3, by interests 4; walks by the equation."""
    friends, walks, alike = (np.nan_to_num(scores_of(key, [0])[0]) for key in ("adamic_adar", "pagerank", "interests"))
    candidates = [3, 4, 5]
    expected = sum(part[candidates] / part[candidates].max() for part in (friends, walks, alike)) / 3
    assert_allclose(scores_of("people_mix", [0])[0, candidates], expected)


@pytest.mark.parametrize("method", list(FRIEND_METHODS))
def test_lists_hold_neither_oneself_nor_whom_one_follows(method: str) -> None:
    data = small()
    found = make_people_recommender(method, social_graph(data), data)
    assert isinstance(found, RecommendsPeople)
    top = found.recommend_people(np.arange(6), 6)
    followed = social_graph(data).toarray() > 0
    for user, row in enumerate(top.item):
        people = row[row >= 0]
        assert user not in people
        assert not followed[user, people].any()
        assert len(set(people.tolist())) == len(people)
    one = recommend_people(data, 4, method, 3)
    assert_array_equal(one.item, found.recommend_people(np.array([4]), 3).item)
    assert found.recommend_people(np.array([], dtype=np.int64), 3).item.shape == (0, 3)


def test_what_is_wrong_is_said() -> None:
    data = small()
    with pytest.raises(ConfigError, match="no method of friend recommendation 'magic'"):
        recommend_people(data, 0, "magic", 3)
    with pytest.raises(CannotScore, match="use positions below 6"):
        recommend_people(data, 6, "pagerank", 3)
    bare = dataset_from_frames(data.interactions, name="bare")
    with pytest.raises(DataError, match="'bare' has no links"):
        recommend_people(bare, 0, "pagerank", 3)
    with pytest.raises(DataError, match="'bare' has no links"):
        compare_friend_methods(bare)
    bare = dataset_from_frames(ring().interactions, name="bare")
    assert (recommend_people(bare, 5, "pagerank", 3, graph="co_rating").item >= 0).all()


def test_links_held_back_go_in_both_directions() -> None:
    """All users follow each other in a ring: where a pair is taken out, no link of it remains."""
    ring = np.arange(20)
    source, target = np.concatenate([ring, (ring + 1) % 20]), np.concatenate([(ring + 1) % 20, ring])
    graph = csr_array((np.ones(40), (source, target)), shape=(20, 20))
    split = hold_out_links(graph, seed=1, share=0.25)
    assert split.held_links == 10
    assert split.kept.nnz == 30
    assert_array_equal(split.kept.toarray(), split.kept.toarray().T)
    for user, held in zip(split.users, split.held, strict=True):
        assert not split.kept.toarray()[user, held].any()
        assert graph.toarray()[user, held].all()


def test_too_few_links_are_refused() -> None:
    with pytest.raises(DataError, match="Only 1 pairs"):
        hold_out_links(csr_array((np.ones(1), ([0], [1])), shape=(3, 3)))


class Knowing(PeopleRecommender):
    """Knows the held-out links."""

    info = PeopleInfo("knowing", "Knowing", "", "", "")
    answer: FloatArray

    def _score(self, users: IntArray) -> FloatArray:
        return self.answer[users]


def test_whoever_knows_the_answer_reaches_all_there_is() -> None:
    data = ring()
    split = hold_out_links(social_graph(data))
    knowing = Knowing(split.kept, data.matrix("binary"), None)  # type: ignore[arg-type]
    knowing.answer = np.zeros((data.n_users, data.n_users))
    knowing.answer[split.users[split.held.row_numbers()], split.held.values] = 1.0
    found = evaluate_links(knowing, split, 10)
    assert (found["recall"] == 1.0).all()
    assert (found["auc"] == 1.0).all()
    assert_allclose(found["precision"], split.held.lengths / 10)


def test_what_links_and_interests_say_is_found_and_chance_is_not_beaten_by_chance() -> None:
    """Neighbors on the ring follow each other and have similar interests: all but the baselines find the links."""
    found = compare_friend_methods(ring(), seed=3, k=10)
    table = found.table.set_index("method")
    assert set(table.index) == set(FRIEND_METHODS)
    for method in ("adamic_adar", "pagerank", "interests", "people_mix"):
        assert table.loc[method, "auc_over_random_low"] > 0
    assert table.loc["random_people", "auc_low"] < 0.5 < table.loc["random_people", "auc_high"]
    assert np.isnan(table.loc["random_people", "recall_over_random"])
    assert table["recall"].is_monotonic_decreasing
    for metric in METRICS:
        assert (table[f"{metric}_low"] <= table[metric]).all()
        assert (table[metric] <= table[f"{metric}_high"]).all()
    assert found.users == len(found.per_user["pagerank"]) > 50
    assert found.kept_links + found.held_links == social_graph(ring()).nnz


def test_one_seed_gives_one_table_and_another_another() -> None:
    data = ring()
    first, again, other = (compare_friend_methods(data, seed=seed).table for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first["recall"].equals(other["recall"])
