"""What texts, questions and sentences of lessons state holds for their numbers at every setting."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recsys_core.lessons import time_split
from recsys_core.lessons.closed_form import NOTHING
from recsys_core.lessons.content import COAST_ALONE
from recsys_core.lessons.long_tail import ITEMS, measured
from recsys_core.lessons.picture import Grid, ListPart
from recsys_core.lessons.registry import lesson
from tests.lessons import numbers_of, scene_of


@pytest.mark.parametrize("exponent", [0, 1.0, 2.0])
def test_the_head_holds_at_least_80_percent(exponent: float) -> None:
    numbers = measured(exponent, 5)
    assert sum(numbers.counts[: numbers.head]) >= 0.8 * sum(numbers.counts)
    finding = scene_of("long_tail", "tail", exponent=exponent).finding
    assert finding.startswith(f"{numbers.head} of {ITEMS} items hold at least 80 % of the interactions")


def test_a_film_without_a_common_feature_never_scores_above_0() -> None:
    """It may rank above one with a common feature, since a disliked tag counts against a film."""
    assert numbers_of("content", "liking", liking="deviation", tags=COAST_ALONE).scores[5] < 0
    check = lesson("content").checks[1]
    assert check.options[check.right] == "Give a positive score to a film that shares no feature with the profile."
    one_left = scene_of("content", "liking", liking="deviation", ratings=((3, 3, 5, 1, 3, None),))
    assert one_left.formula is not None
    assert r"\lit2{(-" in one_left.formula.numbers


def test_without_ratings_there_is_no_score_of_something_new() -> None:
    scene = scene_of("content", "new", ratings=((None,) * 6,))
    assert "there is no score" in scene.impossible
    assert scene.answer == ""


def test_the_sum_is_the_largest_part_of_the_numerator() -> None:
    for user in ("Ana", "Ben", "Cleo", "Dev", "Emi"):
        for terms in numbers_of("document_formula", "sum", user=user).terms:
            assert terms.ratings > max(terms.user_mean, terms.item_mean)


@pytest.mark.parametrize(("weight", "words"), [(-0.15, "is -0.15."), (-0.0004, "is -0.0004.")])
def test_a_negative_weight_does_not_read_as_0(weight: float, words: str) -> None:
    of = lesson("closed_form")
    values = of.values_in("negative", of.starts())
    table = np.zeros((6, 6))
    table[2, 3] = weight
    numbers = replace(of.numbers("negative", values), weights=tuple(map(tuple, table.tolist())))
    assert of.scene("negative", values, numbers).finding.endswith(words)
    table[2, 3] = -NOTHING / 2
    numbers = replace(numbers, weights=tuple(map(tuple, table.tolist())))
    assert of.scene("negative", values, numbers).answer == "no"


def test_a_score_that_differs_by_rounding_alone_stays_the_same() -> None:
    """Grove for Emi, without her sum: (11/3 + 1) / (3 + 1) before and (4 + 3) / (4 + 2) after, both 7/6."""
    scene = scene_of("document_formula", "rating", user="Emi", film="Fjord", alpha=2, beta=0)
    assert scene.answer == "stays"
    assert scene.finding == "Grove had 1.17, and has 1.17 after 5 stars from Emi."


def test_small_differences_of_states_do_not_read_as_0() -> None:
    assert scene_of("gates", "order", update=-4).finding == "The last states differ by less than 0.0001."


def test_the_ratio_of_two_recalls_is_that_of_the_numbers_shown() -> None:
    popular, random, ratio = map(float, re.findall(r"\d+\.\d+", scene_of("long_tail", "random", k=1).finding))
    assert ratio == pytest.approx(popular / random, abs=0.06)


def test_a_swap_without_effect_has_no_sign() -> None:
    assert scene_of("metrics", "swap", k=1).finding == (
        "Swapping ranks 1 and 2 changes NDCG by +1.000, ranks 3 and 4 by 0.000."
    )


def test_users_of_the_log_have_at_most_ten_interactions() -> None:
    counts = time_split.log(0.3).interactions["user"].value_counts()
    assert counts.max() == time_split.EACH
    assert counts.min() < time_split.EACH
    assert "up to ten items" in str(lesson("time_split").steps[0].text)


@pytest.mark.parametrize("update", [-4, 0, 4])
@pytest.mark.parametrize("reset", [-4, 2, 4])
def test_the_entries_that_grove_leaves_read_as_the_answer_says(update: int, reset: int) -> None:
    """A gate at 0.02 keeps as much of the old state: 0.02, which is not 0."""
    values = {"update": update, "reset": reset}
    states = next(part for part in scene_of("gates", "reset", **values).parts if isinstance(part, Grid))
    left = [abs(round(value, 2)) > 0.05 for value in states.cells[2][:2]]
    assert scene_of("gates", "reset", **values).answer == ("all" if any(left) else "only")


def test_clicks_cannot_be_dragged_where_the_text_names_their_order() -> None:
    for step, control in (("keep", ""), ("shut", ""), ("reset", "order")):
        listed = next(part for part in scene_of("gates", step).parts if isinstance(part, ListPart))
        assert listed.control == control
    assert numbers_of("gates", "keep", order=(2, 0, 1, 3, 4)) == numbers_of("gates", "keep")


@pytest.mark.parametrize(
    ("step", "values", "words"),
    [("mistake", {"film": "Grove"}, "Cleo rates Grove 1: the prediction"), ("mistake", {}, "Cleo rates Haven 1: ")],
)
def test_the_mistake_is_about_the_selected_film(step: str, values: dict[str, Any], words: str) -> None:
    assert scene_of("prediction", step, **values).finding.startswith(words)
    text = next(one.text for one in lesson("prediction").steps if one.key == step)
    assert not {"Grove", "Haven"} & set(str(text).replace(".", "").split())
