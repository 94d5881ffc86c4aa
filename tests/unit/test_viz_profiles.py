"""Figures about users and items: their values are those of the tables, and untrusted text is escaped."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array, load_npz

from recsys_core.profiles.features import Features
from recsys_core.viz import explore, maps, profiles
from recsys_core.viz.export import vectors_npz

EVIL = "<a href='x'>Evil</a>"


def dots(number: int = 4) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "position": np.arange(number) + 10,
            "label": [EVIL, *(f"u{place}" for place in range(1, number))],
            "x": np.arange(number) / 2.0,
            "y": np.arange(number) * 1.0,
            "group": [EVIL, *("" if place % 2 else "calm" for place in range(1, number))],
        }
    )


def marks(figure: go.Figure) -> dict[str, list[int]]:
    return {trace.name: list(trace.customdata) for trace in figure.data}


def map_of(points: pd.DataFrame, chosen: int | None = None) -> go.Figure:
    groups = {name: name for name in sorted(set(points["group"]) - {""})}
    return maps.dot_map(points, groups, chosen=chosen, what="user", x="across", y="up")


def test_a_click_on_the_map_tells_the_position_and_the_chosen_one_has_a_ring() -> None:
    found = marks(map_of(dots(), 12))
    assert found == {"others": [11, 13], "&lt;a href='x'&gt;Evil&lt;/a&gt;": [10], "calm": [12], "selected": [12]}


def test_users_are_coloured_by_segment_and_items_by_their_commonest_categories() -> None:
    users = pd.DataFrame({"user": [0, 1, 2], "user_id": "u", "segment": [2, 0, 1], "x": 0.0, "y": 0.0})
    figure = maps.user_map(users, {1: "calm", 2: EVIL}, chosen=2)
    assert marks(figure) == {"others": [1], "1": [2], "2": [0], "selected": [2]}
    assert "2: &lt;a href='x'&gt;Evil&lt;/a&gt;" in figure.data[2].hovertemplate
    kinds = ["g0", "", *(f"g{place % 8}" for place in range(1, 17)), "g9"]
    things = pd.DataFrame({"item": range(len(kinds)), "title": EVIL, "category": kinds, "x": 0.0, "y": 0.0})
    named = marks(maps.item_map(things, chosen=0))
    assert len(named) == len(maps.COLORS) + 2
    assert 18 in named["others"]
    moved = maps.item_map(things.assign(x_people=1.0, y_people=2.0), chosen=0, by_people=True)
    assert {(trace.x[0], trace.y[0]) for trace in moved.data} == {(1.0, 2.0)}


def test_without_groups_there_is_no_legend() -> None:
    assert not map_of(dots().assign(group="")).layout.showlegend


def test_a_user_not_on_the_map_has_no_ring() -> None:
    assert "selected" not in marks(map_of(dots(), 99))


@pytest.mark.parametrize(("number", "kind"), [(maps.MANY - 1, go.Scatter), (maps.MANY, go.Scattergl)])
def test_many_dots_are_drawn_by_webgl(number: int, kind: type) -> None:
    assert all(isinstance(trace, kind) for trace in map_of(dots(number), 10).data)


def test_no_two_of_seventy_groups_look_alike() -> None:
    points = pd.DataFrame(
        {"position": range(70), "label": "u", "x": 0.0, "y": 0.0, "group": [f"g{n}" for n in range(70)]}
    )
    looks = [(trace.marker.color, trace.marker.symbol) for trace in map_of(points).data]
    assert len(set(looks)) == 70


def test_tags_stand_in_their_order_with_their_weights() -> None:
    tags = pd.DataFrame(
        {"name": ["Drama", EVIL, "war"], "weight": [3.0, 2.0, 1.0], "kind": ["a", "b", "a"], "liked": [3, 2, 1]}
    )
    figure = profiles.tag_bars(tags)
    assert [(trace.name, list(trace.x), list(trace.y)) for trace in figure.data] == [
        ("a", [3.0, 1.0], [0, 2]),
        ("b", [2.0], [1]),
    ]
    assert figure.layout.yaxis.ticktext[0] == "1. Drama"
    assert {trace.width for trace in figure.data} == {0.75}, "bars of all kinds are equally thick"


@pytest.fixture
def habits() -> go.Figure:
    """A hundred users: half of them rate 1, half 5; activity 0, 1, ... 98 and one with a million."""
    everybody = pd.DataFrame({"mean": [1.0, 5.0] * 50, "interactions": [*range(99), 1e6]})
    person = pd.DataFrame(
        {
            "habit": ["interactions", "mean"],
            "label": ["Activity", EVIL],
            "unit": "n",
            "value": [12.0, 4.0],
            "below": 0.6,
            "log": False,
        }
    )
    return profiles.habit_panels(person, everybody)


def test_each_habit_has_its_panel_and_the_mark_of_the_person(habits: go.Figure) -> None:
    titles = [habits.layout.xaxis.title.text, habits.layout.xaxis2.title.text]
    assert titles == ["<b>Activity, n</b>", "<b>&lt;a href='x'&gt;Evil&lt;/a&gt;, n</b>"]
    assert [list(trace.x) for trace in habits.data[1::2]] == [[12.0, 12.0], [4.0, 4.0]]
    assert [sum(trace.y) for trace in habits.data[::2]] == pytest.approx([1, 1])


def test_one_outsider_does_not_press_all_others_into_one_bar(habits: go.Figure) -> None:
    assert max(habits.data[0].x) < 20_000


def test_a_habit_that_spans_powers_of_ten_is_drawn_by_its_logarithm() -> None:
    """Half of the users have 0 interactions, half 999: the end bars hold them, and 99 is two thirds along the axis."""
    person = pd.DataFrame(
        {"habit": ["interactions"], "label": ["Activity"], "unit": "", "value": [99.0], "below": [0.5], "log": True}
    )
    bars, mark = profiles.habit_panels(person, pd.DataFrame({"interactions": [0.0, 999.0] * 50})).data
    assert (bars.y[0], bars.y[-1]) == (0.5, 0.5)
    assert mark.x[0] / np.log1p(999) == pytest.approx(2 / 3)
    assert bars.customdata[0][0] == 0
    assert bars.customdata[-1][1] == pytest.approx(999)


def test_a_habit_that_nobody_has_is_an_empty_panel() -> None:
    person = pd.DataFrame(
        {"habit": ["mean"], "label": ["Mean"], "unit": "", "value": [np.nan], "below": [np.nan], "log": True}
    )
    assert len(profiles.habit_panels(person, pd.DataFrame({"mean": [np.nan]})).data[0].x) == 0


def test_a_habit_that_all_share_says_nothing() -> None:
    habits = pd.DataFrame({"habit": ["mean", "repeats", "sessions"], "value": [1.0, 0.0, np.nan]})
    everybody = pd.DataFrame({"mean": [1.0, 2.0], "repeats": 0.0, "sessions": [1.0, 2.0]})
    assert list(profiles.telling(habits, everybody)["habit"]) == ["mean"]


def test_of_many_dots_some_are_drawn_always_the_same_and_the_chosen_one() -> None:
    points = dots(1000)
    first, again = maps.thinned(points, 1009, most=100), maps.thinned(points, 1009, most=100)
    assert list(first["position"]) == list(again["position"])
    assert len(set(first["position"])) in (100, 101)
    assert 1009 in set(first["position"])


def test_what_sets_a_segment_apart_is_signed() -> None:
    bars = profiles.difference_bars(pd.DataFrame({"name": [EVIL, "age"], "effect": [1.5, -0.5]})).data[0]
    assert list(bars.x) == [1.5, -0.5]
    assert bars.marker.color[0] != bars.marker.color[1]


def test_the_item_stands_at_its_place_in_the_tail() -> None:
    curve = pd.DataFrame({"rank": [1, 2, 3, 4], "interactions": [100, 50, 10, 1]})
    head, tail, item = profiles.tail_place(curve, rank=3, interactions=10, head=2).data
    assert (list(head.x), list(tail.x), list(item.x), list(item.y)) == ([1, 2], [2, 3, 4], [3], [10])


def test_popularity_falls_from_the_first_item_to_the_last_that_anybody_knows() -> None:
    counts = np.arange(1000, 0, -1) - 1
    table = pd.DataFrame({"place": np.arange(1, 1001), "interactions": counts}).sample(frac=1, random_state=0)
    curve = profiles.popularity_curve(table)
    assert (curve["rank"].iloc[0], curve["rank"].iloc[-1]) == (1, 999)
    assert list(curve["interactions"]) == [1000 - rank for rank in curve["rank"]]
    assert len(curve) <= profiles.POINTS


def test_head_and_tail_meet_even_where_the_border_is_not_a_point_of_the_curve() -> None:
    curve = pd.DataFrame({"rank": [1, 3, 9], "interactions": [100, 50, 1]})
    head, tail, _ = profiles.tail_place(curve, rank=3, interactions=50, head=5).data
    assert (list(head.x), list(tail.x)) == ([1, 3], [3, 9])


def test_an_item_nobody_knows_still_has_a_place_on_a_logarithmic_axis() -> None:
    curve = pd.DataFrame({"rank": [1], "interactions": [5]})
    assert profiles.tail_place(curve, rank=2, interactions=0, head=1).data[-1].y[0] > 0


def test_ratings_of_an_item_stand_beside_those_of_all() -> None:
    shares = pd.DataFrame({"rating": [1.0, 4.5], "item": [0.25, 0.75], "everybody": [0.5, 0.5]})
    own, everybody = profiles.rating_spread(shares).data
    assert (list(own.x), list(own.y), list(everybody.y)) == (["1", "4.5"], [0.25, 0.75], [0.5, 0.5])


def test_binned_ratings_of_an_item_are_called_intervals() -> None:
    shares = pd.DataFrame({"rating": [1.25, 3.75], "item": [0.25, 0.75], "everybody": [0.5, 0.5]})
    shares.attrs["width"] = 2.5
    assert profiles.rating_spread(shares).layout.xaxis.title.text == "Rating (center of an interval of 2.5)"


def test_time_has_a_second_picture_only_where_people_rated() -> None:
    periods = pd.DataFrame({"start": pd.to_datetime(["2024-01-01", "2024-02-01"]), "interactions": [2, 3]})
    assert len(profiles.item_timeline(periods, unit="month").data) == 1
    rated = periods.assign(mean=[4.0, np.nan])
    figure = profiles.item_timeline(rated, unit="month")
    assert [list(trace.y) for trace in figure.data] == [[2, 3], [4.0]]


@pytest.mark.parametrize("draw", [profiles.item_timeline, explore.timeline])
def test_a_single_period_is_named_by_its_date(draw: Callable[..., go.Figure]) -> None:
    periods = pd.DataFrame({"start": pd.to_datetime(["2024-01-01", "2024-02-01"]), "interactions": [2, 3]})
    axis = draw(periods.head(1), unit="month").layout.xaxis
    assert [pd.Timestamp(tick) for tick in axis.tickvals] == [pd.Timestamp("2024-01-01")]
    assert axis.tickformat == "%d %b %Y"
    assert draw(periods, unit="month").layout.xaxis.tickvals is None


def test_text_from_outside_never_becomes_markup(habits: go.Figure) -> None:
    tags = pd.DataFrame({"name": [EVIL], "weight": [1.0], "kind": [EVIL], "liked": [1]})
    traits = pd.DataFrame({"name": [EVIL], "effect": [1.0]})
    figures = [map_of(dots()), profiles.tag_bars(tags), profiles.difference_bars(traits), habits]
    assert all("<a href" not in figure.to_json() for figure in figures)


def test_vectors_leave_as_a_sparse_matrix_with_their_names() -> None:
    matrix = csr_array(np.array([[0, 1.5, 0], [2, 0, 0]]))
    features = Features(matrix, ("age", "Drama", "War"), {"numbers": slice(0, 1), "categories": slice(1, 3)})
    content = vectors_npz(features, ["a", EVIL])
    assert_array_equal(load_npz(BytesIO(content)).toarray(), matrix.toarray())
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        assert list(arrays["ids"]) == ["a", EVIL]
        assert list(arrays["columns"]) == ["numbers: age", "categories: Drama", "categories: War"]
