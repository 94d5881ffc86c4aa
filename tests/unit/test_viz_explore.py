"""Answers about a data set: the numbers in sentences and figures are those of the data."""

import numpy as np
import pandas as pd
import pytest

from recsys_core.contracts import RatingScale
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.data.dataset import NO_TIMESTAMP
from recsys_core.data.summaries import summary
from recsys_core.viz import explore, theme
from recsys_core.viz.questions import QUESTIONS, Answer

DAY = 86_400_000
EVIL = "<a href='x'>Evil</a>"


def ask(name: str, data: Dataset) -> Answer:
    return QUESTIONS[name].answer(data, summary(data))


@pytest.fixture
def data() -> Dataset:
    """Ten users; item 0 has all of them, item 1 six, items 2..5 one each; ratings 5 but for four 1s."""
    pairs = [
        *((user, 0) for user in range(10)),
        *((user, 1) for user in range(6)),
        *((item, item) for item in range(2, 6)),
    ]
    frame = pd.DataFrame(pairs, columns=["user", "item"]).astype("int32")
    frame["rating"] = np.where(frame["item"] >= 2, 1.0, 5.0).astype("float32")
    frame["timestamp"] = np.arange(len(frame)) * DAY
    titles = pd.DataFrame({"title": [EVIL, *(f"Film {item}" for item in range(1, 7))]})
    ids = [f"m{item}" for item in range(7)]
    return dataset_from_frames(frame, item_ids=ids, items=titles, rating_scale=RatingScale(1.0, 5.0))


def test_the_tail_is_told_in_the_data_s_own_numbers(data: Dataset) -> None:
    """20 interactions; two items of six have 16 of them, which is 80 %."""
    sentence = ask("tail", data).sentence
    assert "The head of 2 items (33%) has 80%; the tail of 4 items has the rest" in sentence
    assert "1 item has no interactions" in sentence


def test_the_share_of_a_twentieth_is_read_from_the_curve() -> None:
    """Item 0 has 951 interactions, 99 items have one each: five items of a hundred have 955 of 1,050."""
    frame = pd.DataFrame({"user": np.arange(1050), "item": [0] * 951 + list(range(1, 100))}).astype("int32")
    sentence = ask("tail", dataset_from_frames(frame)).sentence
    assert "The 5 most popular items (5.0% of 100 items) have 91.0% of all interactions" in sentence


def test_a_share_of_few_items_is_that_of_whole_items(data: Dataset) -> None:
    """5% of six items is no item: the first has 10 of 20 interactions."""
    assert ask("tail", data).sentence.startswith("The most popular item (17% of 6 items) has 50% of all interactions.")


def test_a_single_user_and_item_are_singular_and_leave_nothing_to_compare() -> None:
    frame = pd.DataFrame({"user": [0], "item": [0], "timestamp": [0]}).astype({"user": "int32", "item": "int32"})
    one = dataset_from_frames(frame)
    assert "The head of 1 item (100%) has 100%; there is no tail." in ask("tail", one).sentence
    assert "1 of 1 user (100%) is a single-interaction user." in ask("activity", one).sentence
    assert ask("time", one).sentence == "All interactions are of 01 January 1970 (UTC)."
    assert ask("together", one).sentence == "There is a single item, so no items co-occur."
    assert "1 user × 1 item, and each cell has an interaction" in ask("emptiness", one).sentence
    assert ask("unlike", one).sentence == "There is a single user, so no user can be an outlier."


def test_intervals_of_ratings_are_no_ratings() -> None:
    """Ratings 0, 2, .., 100: 51 values in 40 intervals of 2.5, of which those of two values have the most."""
    ratings = np.arange(0, 101, 2, dtype=np.float32)
    frame = pd.DataFrame({"user": np.arange(51), "item": 0, "rating": [*ratings[:-1], 98]})
    frame = frame.astype({"user": "int32", "item": "int32", "rating": "float32"})
    frame.loc[len(frame)] = [0, 0, 100.0]
    answer = ask("ratings", dataset_from_frames(frame.astype({"user": "int32", "item": "int32"})))
    assert "of intervals of 2.5, the one around 98.75 has the most ratings, 5.8% of 52 ratings." in answer.sentence
    assert answer.figure.layout.xaxis.title.text == "Rating (center of an interval of 2.5)"


def test_ratings_that_are_equally_frequent_are_all_named(data: Dataset) -> None:
    frame = data.interactions.assign(rating=np.where(np.arange(20) % 2, 4.0, 2.0).astype("float32"))
    sentence = ask("ratings", data.with_interactions(frame)).sentence
    assert "the 2 most frequent ratings are 2, 4, each with 50% of 20 ratings." in sentence


def test_activity_ratings_and_time_are_told_in_the_data_s_own_numbers(data: Dataset) -> None:
    assert ask("activity", data).sentence == (
        "The median number of interactions per user is 2, the maximum is 3. 4 of 10 users (40%) are "
        "single-interaction users."
    )
    assert "the most frequent rating is 5, with 80% of 20 ratings" in ask("ratings", data).sentence
    assert "range from 01 January 1970 to 20 January 1970" in ask("time", data).sentence


def test_what_has_no_time_is_said_and_is_no_part_of_a_share_in_time(data: Dataset) -> None:
    """Of 20 interactions on different days 15 have no timestamp: the busiest day has one of five."""
    frame = data.interactions.assign(timestamp=np.where(np.arange(20) < 5, np.arange(20) * DAY, NO_TIMESTAMP))
    sentence = ask("time", data.with_interactions(frame)).sentence
    assert "with 1 (20% of all)" in sentence
    assert "15 interactions have no timestamp" in sentence
    assert "no timestamp" not in ask("time", data).sentence


def test_the_pair_that_goes_together_is_named_with_its_lift(data: Dataset) -> None:
    """All six users of item 1 have item 0: six common users, and 6 * 10 / (10 * 6) = 1.0 times chance."""
    answer = ask("together", data)
    assert f"'{EVIL}' and 'Film 1' have the highest lift: 6 users have both, 1.0 times" in answer.sentence
    assert "of the pairs that share at least 5 users" in answer.sentence  # items 0 and 2 share one, with the same lift
    assert list(answer.table.columns) == ["first", "second", "together", "lift"]


def test_emptiness_says_one_in_how_many_is_known(data: Dataset) -> None:
    sentence = ask("emptiness", data).sentence
    assert "10 users × 7 items and a density of 28.57%, the share of cells with an interaction." in sentence
    sparse = dataset_from_frames(pd.DataFrame({"user": range(12), "item": range(12)}))
    assert "a density of 8.33%: about one in 12 cells has an interaction." in ask("emptiness", sparse).sentence


def test_an_outsider_is_found_and_named() -> None:
    """Forty users with five to eight interactions, and one with 300."""
    pairs = [(user, item) for user in range(40) for item in range(5 + user % 4)] + [(40, item) for item in range(300)]
    frame = pd.DataFrame(pairs, columns=["user", "item"]).astype("int32")
    answer = ask("unlike", dataset_from_frames(frame))
    assert "1 of 41 users is an outlier: '40' has 300 interactions" in answer.sentence
    rated = frame.assign(rating=np.where(frame["user"] == 40, np.nan, 3.0).astype("float32"))
    sentence = ask("unlike", dataset_from_frames(rated)).sentence
    assert sentence == "1 of 41 users is an outlier: '40' has 300 interactions and no rating."


def test_without_outliers_the_sentence_names_what_was_compared(data: Dataset) -> None:
    bare = dataset_from_frames(data.interactions[["user", "item"]])
    assert ask("unlike", bare).sentence.endswith("in activity or in mean popularity of their items.")


def test_a_single_event_type_is_singular() -> None:
    frame = pd.DataFrame({"user": [0, 1], "item": [0, 1], "event": ["play", "play"]})
    said = ask("events", dataset_from_frames(frame)).sentence
    assert said == "There is 1 event type: 'play', with 100% of all 2 interactions."


@pytest.mark.parametrize("name", [name for name in QUESTIONS if name != "events"])
def test_a_title_from_outside_never_becomes_markup_in_a_figure(data: Dataset, name: str) -> None:
    assert "<a href" not in ask(name, data).figure.to_json()


@pytest.mark.parametrize("name", [name for name in QUESTIONS if name != "events"])
def test_axes_have_titles(data: Dataset, name: str) -> None:
    layout = ask(name, data).figure.layout
    assert layout.xaxis.title.text
    assert layout.yaxis.title.text


def test_without_ratings_times_or_kinds_there_is_a_sentence_and_no_figure() -> None:
    frame = pd.DataFrame({"user": [0, 1], "item": [0, 1]}).astype("int32")
    bare = dataset_from_frames(frame)
    for name in ("ratings", "time", "events", "together"):
        answer = ask(name, bare)
        assert answer.figure is None
        assert answer.sentence


def test_kinds_of_events_are_counted_and_escaped() -> None:
    frame = pd.DataFrame({"user": [0, 1, 2, 3], "item": [0, 1, 0, 1]}).astype("int32")
    frame["event"] = ["view", "view", "view", "<b>buy</b>"]
    frame["weight"] = np.float32(1.0)
    answer = ask("events", dataset_from_frames(frame))
    assert "There are 2 event types; the most frequent, 'view', accounts for 75% of all 4" in answer.sentence
    assert "<b>" not in answer.figure.to_json()


def test_a_piece_of_the_matrix_is_one_picture_with_a_mark_for_each_known_pair() -> None:
    cells = pd.DataFrame({"row": [0, 2, 2], "column": [1, 0, 3]})
    heat = explore.matrix_sample(cells, users=3, items=4).data[0]
    assert np.asarray(heat.z).tolist() == [[0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]]


def test_a_long_title_is_cut_before_it_is_escaped() -> None:
    assert theme.shortened("&" * 100) == "&amp;" * (theme.LABEL_LENGTH - 1) + "…"


def test_ranks_of_a_map_of_lifts_have_room_on_a_narrow_screen() -> None:
    pairs = pd.DataFrame({"first": [0, 1], "second": [1, 0], "lift": 2.0, "together": 5})
    ticks = explore.lift_map(pairs, [f"Film {rank}" for rank in range(1, 21)]).layout.xaxis.ticktext
    assert list(ticks) == ["5", "10", "15", "20"]
