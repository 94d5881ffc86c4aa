"""Ratings written with their maximum, in words or as drawn stars are read as numbers, from upload to data set."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recsys_core.columns import ITEM_ID, PRICE, RATING, TIMESTAMP, USER_ID, WEIGHT
from recsys_core.data.ingest import ingest, inspect_files, suggest_rules
from recsys_core.data.ingest.schema import with_changes
from recsys_core.data.workspace import Workspace
from recsys_core.errors import DataError
from tests.corpus.tables import Row, item, table, user
from tests.corpus.test_exports import column, guessed
from tests.corpus.test_values import take, wrote

Written = Callable[[int], str]
FORMS: dict[str, Written] = {
    "fraction": lambda n: f"{n}/5",
    "spaced fraction": lambda n: f"{n} / 5",
    "English review": lambda n: f"{n}.0 out of 5 stars",
    "German review": lambda n: f"{n}.0 von 5 Sternen",
    "French review": lambda n: f"{n}.0 sur 5 étoiles",
    "words": lambda n: "1 star" if n == 1 else f"{n} stars",
    "number and star": lambda n: f"{n} ★",
    "drawn": lambda n: "★" * n + "☆" * (5 - n),
    "drawn without empty ones": lambda n: "⭐" * n,
}


def rated(write: Written) -> Callable[[Row], object]:
    return lambda row: write(row.chance.randint(1, 5))


@pytest.mark.parametrize("name", ["rating", "review_stars", "Bewertung"])
@pytest.mark.parametrize("form", FORMS)
def test_ratings_are_read_as_they_are_written(form: str, name: str, tmp_path: Path) -> None:
    text = table({"user_id": user, "item_id": item, name: rated(FORMS[form])})
    plain = table({"user_id": user, "item_id": item, name: rated(str)})
    assert column(guessed(tmp_path, text), RATING) == name
    dataset, report = take(tmp_path, [wrote(tmp_path, text)], duplicates="keep")
    expected, _ = take(tmp_path, [wrote(tmp_path, plain)], duplicates="keep")
    assert (report.rows_accepted, report.reasons) == (240, {})
    assert np.array_equal(dataset.interactions[RATING], expected.interactions[RATING])


def test_a_half_star_counts_half(tmp_path: Path) -> None:
    text = table({"user_id": user, "film": item, "Rating": lambda r: r.one_of("½", "★", "★½", "★★★★½", "★★★★★")})
    dataset, _ = take(tmp_path, [wrote(tmp_path, text)], duplicates="keep")
    assert {float(value) for value in dataset.interactions[RATING]} == {0.5, 1.0, 1.5, 4.5, 5.0}


def test_a_rating_out_of_another_maximum_is_rejected_and_named(tmp_path: Path) -> None:
    text = table({"user_id": user, "item_id": item, "rating": lambda r: "8/10" if r.n == 20 else f"{r.n % 5 + 1}/5"})
    _, report = take(tmp_path, [wrote(tmp_path, text)], duplicates="keep")
    assert report.reasons == {"rating: number does not match 4.5/5": 1}


@pytest.mark.parametrize("form", ["%d/%m/%y", "%m/%d/%Y", "%Y-%m-%d %H:%M"])
@pytest.mark.parametrize("name", ["rated", "viewed", "purchased", "Watched", "Gekauft", "acheté", "read"])
def test_a_participle_with_dates_is_when_it_was_done(name: str, form: str, tmp_path: Path) -> None:
    guess = guessed(tmp_path, table({"user_id": user, "item_id": item, name: lambda r: r.when(form)}))
    assert {role: column(guess, role) for role in guess.roles} == {
        USER_ID: "user_id",
        ITEM_ID: "item_id",
        TIMESTAMP: name,
    }


@pytest.mark.parametrize("name", ["viewed", "purchased", "Gekauft"])
def test_a_participle_with_numbers_is_how_often(name: str, tmp_path: Path) -> None:
    guess = guessed(tmp_path, table({"user_id": user, "item_id": item, name: lambda r: r.chance.randint(1, 40)}))
    assert column(guess, WEIGHT) == name


def test_a_column_of_words_is_answered_with_how_ratings_can_be_written(tmp_path: Path) -> None:
    text = table({"user_id": user, "item_id": item, "rating": lambda r: r.one_of("good", "bad")})
    (guess,) = inspect_files([wrote(tmp_path, text)])
    chosen = with_changes(guess, roles={**guess.roles, RATING: 2})
    with pytest.raises(DataError, match="4/5, 4 out of 5 stars or ★★★★"):
        ingest([chosen], suggest_rules([chosen]), Workspace(tmp_path / "workspace"), "words")


@pytest.mark.parametrize("name", ["rating", "Bewertung", "stars", "quantity", "price"])
def test_dates_are_no_numbers_whatever_their_column_is_called(name: str, tmp_path: Path) -> None:
    guess = guessed(tmp_path, table({"user_id": user, "item_id": item, name: lambda r: r.when("%d/%m/%Y")}))
    assert guess.roles.keys().isdisjoint({RATING, WEIGHT, PRICE})
