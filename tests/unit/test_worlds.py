"""A synthetic world is reproducible for a seed, and each of its rules has its effect."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from recsys_core.contracts import PAD
from recsys_core.data.synthetic.config import WorldConfig
from recsys_core.data.synthetic.world import EVENT_WEIGHTS, World, make_world

BASE = WorldConfig(users=150, items=120, visits_per_user=20, late_items=0, drift=0, order=0)


def world(seed: int = 1, **laws: Any) -> World:
    return make_world(BASE.model_copy(update=laws), seed)


def gini(counts: np.ndarray) -> float:
    ranks = np.arange(1, len(counts) + 1)
    return float(((2 * ranks - len(counts) - 1) * np.sort(counts)).sum() / (len(counts) * counts.sum()))


def genre_shares(visits: pd.DataFrame, w: World) -> np.ndarray:
    """Return (U, G) counts of each category among the visits of each user."""
    genres = w.dataset.items["categories"].str.get_dummies("|").to_numpy(float)
    totals = np.zeros((w.dataset.n_users, genres.shape[1]))
    np.add.at(totals, visits["user"].to_numpy(), genres[visits["item"].to_numpy()])
    return totals - totals.mean(axis=1, keepdims=True)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    kept = lengths > 0
    return float(((a * b).sum(axis=1)[kept] / lengths[kept]).mean())


def markov_share(visits: pd.DataFrame) -> float:
    """Return the share of steps within a session to the follower most frequent in the other half of the users."""
    ordered = visits.sort_values(["user", "timestamp"], kind="stable")
    step = ordered.assign(after=ordered.groupby(["user", "session"])["item"].shift(-1)).dropna(subset="after")
    learn, judge = step[step["user"] % 2 == 0], step[step["user"] % 2 == 1]
    best = learn.groupby("item")["after"].agg(lambda after: after.mode().iloc[0])
    return float((judge["item"].map(best) == judge["after"]).mean())


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    first, again, other = world(), world(), world(seed=2)
    for table in ("interactions", "users", "items", "social"):
        assert_frame_equal(getattr(first.dataset, table), getattr(again.dataset, table))
        assert not getattr(first.dataset, table).equals(getattr(other.dataset, table))
    np.testing.assert_array_equal(first.truth.preference(), again.truth.preference())


def test_one_law_changes_nothing_that_it_does_not_govern() -> None:
    first, second = world(), world(homophily=0, rating_noise=0)
    assert_frame_equal(first.dataset.items, second.dataset.items)
    assert_frame_equal(first.dataset.users, second.dataset.users)
    assert_frame_equal(first.visits.drop(columns="rating"), second.visits.drop(columns="rating"))


def test_popularity_bias_raises_the_gini_index() -> None:
    uneven = [
        gini(np.bincount(world(popularity_bias=bias, taste_strength=0).visits["item"], minlength=120))
        for bias in (0, 0.7, 1.4)
    ]
    assert uneven[0] < 0.15
    assert uneven[1] > uneven[0] + 0.1
    assert uneven[2] > uneven[1] + 0.1


def test_drift_turns_tastes_and_so_what_people_watch() -> None:
    alike = []
    for drift in (0, 1):
        w = world(drift=drift, visits_per_user=60, items=400, popularity_bias=0, hidden_traits=0)
        passed = w.visits.groupby("user").cumcount() / w.visits.groupby("user")["user"].transform("size")
        early, late = w.visits[passed < 1 / 3], w.visits[passed > 2 / 3]
        alike.append(cosine(genre_shares(early, w), genre_shares(late, w)))
        at_right_angles = (w.truth.fit(when=0) * w.truth.fit(when=1)).sum() / (w.truth.fit(when=0) ** 2).sum()
        assert at_right_angles == pytest.approx(1 - drift, abs=0.1)
    assert alike[0] > alike[1] + 0.15


def test_homophily_makes_friends_alike_in_taste() -> None:
    alike = []
    for homophily in (0, 0.5, 1):
        w = world(homophily=homophily, users=300)
        links, taste = w.dataset.social, w.truth.taste_start
        alike.append(cosine(taste[links["source"]], taste[links["target"]]))
        pairs = set(zip(links["source"], links["target"], strict=True))
        assert pairs == {(b, a) for a, b in pairs}
        assert all(a != b for a, b in pairs)
    assert abs(alike[0]) < 0.1
    assert alike[1] > alike[0] + 0.2
    assert alike[2] > alike[1] + 0.1


def test_without_friends_there_is_no_social_table() -> None:
    assert world(friends_per_user=0).dataset.social is None


def test_order_makes_the_next_film_predictable_from_the_one_before() -> None:
    shares = [
        markov_share(world(order=order, session_length=8, users=300, popularity_bias=0.2).visits)
        for order in (0, 0.5, 1)
    ]
    assert shares[0] < 0.1
    assert shares[1] > 0.25
    assert shares[2] > 0.5


def test_taste_strength_makes_people_choose_what_fits() -> None:
    fits = []
    for strength in (0, 1, 3):
        w = world(taste_strength=strength)
        fits.append(w.truth.fit()[w.visits["user"], w.visits["item"]].mean())
    assert abs(fits[0]) < 0.1
    assert fits[0] + 0.3 < fits[1] < fits[2] - 0.2


def test_attribute_signal_is_the_share_of_taste_that_hobbies_tell() -> None:
    explained = []
    for signal in (0, 0.5, 1):
        w = world(attribute_signal=signal, users=2000, visits_per_user=2, hidden_traits=0, friends_per_user=0)
        known = w.dataset.users["hobbies"].str.get_dummies("|").to_numpy(float)
        known = np.hstack([known, w.dataset.users[["age"]], np.ones((2000, 1))])
        taste = w.truth.taste_start
        rest = taste - known @ np.linalg.lstsq(known, taste, rcond=None)[0]
        explained.append(1 - rest.var() / taste.var())
    assert explained[0] < 0.05
    assert 0.35 < explained[1] < 0.65
    assert explained[2] > 0.8


def test_ratings_are_the_true_preference_in_whole_stars_plus_noise() -> None:
    exact, noisy = (world(rating_noise=noise) for noise in (0, 1.0))
    errors = []
    for w in (exact, noisy):
        rated = w.dataset.interactions
        errors.append(np.abs(rated["rating"] - w.truth.preference()[rated["user"], rated["item"]]))
        assert set(rated["rating"]) <= {1, 2, 3, 4, 5}
    assert errors[0].max() <= 0.5 + 1e-9
    assert 0.5 < errors[1].mean() < 1


def test_rating_share_decides_how_many_visits_are_recorded() -> None:
    w = world(rating_share=0.5)
    assert w.dataset.n_interactions == w.visits["rating"].notna().sum()
    assert 0.45 < w.dataset.n_interactions / len(w.visits) < 0.55


def test_late_films_are_not_seen_before_they_appear() -> None:
    w = world(late_items=0.5)
    start, length = pd.Timestamp("2024-01-01", tz="UTC").value // 10**6, BASE.days * 86_400_000
    when = (w.visits["timestamp"] - start) / length
    assert (when >= w.truth.born[w.visits["item"]] - 1e-6).all()
    assert 0.3 < (w.truth.born > 0).mean() < 0.7


def test_a_visit_has_its_place_in_time_and_no_film_is_seen_twice() -> None:
    w = world(session_length=5)
    visits = w.visits
    assert visits["timestamp"].is_monotonic_increasing
    assert not visits.duplicated(["user", "item"]).any()
    inside = visits.groupby(["user", "session"])["timestamp"].diff().dropna() / 60_000
    assert inside.between(1.9, 20.1).all()
    assert abs(visits.groupby(["user", "session"]).size().mean() - 5) < 1
    assert abs(visits.groupby("user").size().mean() - BASE.visits_per_user) < 3


def test_events_say_how_well_a_film_fits_and_weigh_accordingly() -> None:
    w = world(feedback="events", taste_strength=1)
    frame = w.dataset.interactions
    assert not w.dataset.has_ratings
    assert w.dataset.has_events
    fit = pd.Series(w.truth.fit()[frame["user"], frame["item"]]).groupby(frame["event"]).mean()
    assert fit["view"] < fit["click"] < fit["purchase"]
    assert (frame["weight"] == frame["event"].map(EVENT_WEIGHTS)).all()
    price = w.dataset.items["price"].to_numpy()[frame["item"]]
    assert price[frame["event"] == "purchase"].mean() < price[frame["event"] == "click"].mean()


def test_choices_are_drawn_with_the_probabilities_that_the_truth_tells() -> None:
    """The mean log probability of each user's first film equals its expectation within 4 standard errors."""
    w = world(users=2000, visits_per_user=3)
    first = w.visits.groupby("user").head(1).set_index("user")["item"].reindex(range(2000)).to_numpy()
    probability = w.truth.choice(np.arange(2000))
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    logs = np.log(probability)
    expected = (probability * logs).sum(axis=1)
    surprise = logs[np.arange(2000), first] - expected
    assert abs(surprise.mean()) < 4 * surprise.std() / np.sqrt(2000)


def test_after_a_film_its_successors_are_likely() -> None:
    w = world(order=0.9)
    users = np.array([0, 1])
    led = w.truth.choice(users, previous=np.array([7, PAD]))
    np.testing.assert_allclose(led.sum(axis=1), 1)
    assert led[0, w.truth.successor[7]].sum() > 0.9
    np.testing.assert_allclose(led[1], w.truth.choice(users)[1])


def test_films_and_people_read_plausibly() -> None:
    w = make_world(WorldConfig(users=50, items=3000, visits_per_user=2), 5)
    items, users = w.dataset.items, w.dataset.users
    assert items["title"].is_unique
    assert items["title"].str.len().between(8, 60).all()
    assert items["price"].between(1.5, 18).all()
    assert items["text"].str.endswith(".").all()
    assert not items["text"].str.contains("{", regex=False).any()
    assert set(users.columns) == {"sex", "age", "city", "education", "occupation", "hobbies"}
    assert (users.loc[users["age"] < 20, "occupation"] == "student").all()


def test_the_truth_is_read_back_as_it_was_written(tmp_path) -> None:
    w = world()
    w.truth.save(tmp_path / "truth.npz")
    read = type(w.truth).load(tmp_path / "truth.npz")
    np.testing.assert_allclose(read.preference(), w.truth.preference(), atol=1e-5)
    np.testing.assert_array_equal(read.successor, w.truth.successor)
