"""Files without one row per interaction are refused with the name of their shape; ARFF names its columns."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys_core.data.ingest import check, inspect_files, suggest_rules
from recsys_core.errors import DataError
from tests.corpus.tables import item, stars, table, user


def _sections() -> Iterator[str]:
    for movie in range(1, 30):
        yield f"{movie}:\n"
        yield from (f"{1000 + movie * n % 97},{n % 5 + 1},2005-09-{n + 1:02d}\n" for n in range(movie % 9 + 1))


def _fields() -> Iterator[str]:
    for n in range(40):
        yield f"beer/name: Beer {n % 30}\nbeer/beerId: {n % 30}\nreview/overall: {n % 20}/20\n"
        yield f"review/profileName: user{n % 17}\nreview/text: Nice: dark, good\n\n"


SHAPES = {
    "netflix_prize": ("".join(_sections()), "has sections"),
    "ratebeer": ("".join(_fields()), "one line per field"),
    "libsvm": ("".join(f"{n % 5 + 1} {n % 40}:1 {50 + n % 33}:1 {100 + n % 7}:0.5\n" for n in range(60)), "LIBSVM"),
    "libsvm_of_any_length": (
        "".join(f"{n % 5 + 1} {' '.join(f'{k}:1' for k in range(n % 7 + 1))}\n" for n in range(60)),
        "LIBSVM",
    ),
    "fixed_width": (
        "USER      TITLE               RATING\n"
        + "".join(f"Ann B{n % 40:<5}Big film {n % 9:<11}{n % 5 + 1:>6}\n" for n in range(60)),
        "fixed width",
    ),
    "flags": (
        f"customer,{','.join(f'Product {letter}' for letter in 'ABCDEFGHIJKLMNOPQRST')}\n"
        + "".join(f"C{n},{','.join('xY'[n * m % 2] for m in range(20))}\n" for n in range(60)),
        "user-item matrix",
    ),
    "months": (
        f"customer,{','.join(f'2023-{month:02d}' for month in range(1, 13))}\n"
        + "".join(f"C{n},{','.join(str(n * m % 5) for m in range(12))}\n" for n in range(60)),
        "one column per item or month",
    ),
    "sparse_arff": ("@relation r\n@attribute a string\n@attribute b string\n@data\n{0 x, 1 y}\n", "sparse ARFF"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_another_shape_is_refused_by_name(shape: str, tmp_path: Path) -> None:
    text, words = SHAPES[shape]
    path = tmp_path / "export.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        check(guesses := inspect_files([path]), suggest_rules(guesses))


@pytest.mark.parametrize(
    "text",
    [
        table({"user": user, "item": item, "rating": stars}, separator="   "),
        "".join(f"U{n % 40:<7}I{n * 7 % 50:<7}{n % 5 + 1:>6}\n" for n in range(60)),
        "".join(f"12:{n % 60:02d},U{n % 9},I{n % 17}\n" for n in range(60)),
        "user: item\n" + "".join(f"U{n % 9}: I{n % 17}\n" for n in range(60)),
        f"user,item,{','.join(f'flag{n}' for n in range(18))}\n"
        + "".join(f"U{n % 9},I{n * 7 % 31},{','.join(str(n * m % 2) for m in range(18))}\n" for n in range(120)),
    ],
    ids=["padded", "fixed_width_without_spaces", "times", "colons", "flags_beside_user_and_item"],
)
def test_a_table_is_no_other_shape(text: str, tmp_path: Path) -> None:
    path = tmp_path / "export.txt"
    path.write_text(text)
    (guess,) = inspect_files([path])
    assert {"user_id", "item_id"} <= guess.roles.keys()


def test_arff_names_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "ratings.arff"
    attributes = "@ATTRIBUTE rating {1,2,3,4,5}\n@attribute 'the item' string\n@attribute user numeric\n"
    body = "".join(f"{n % 5 + 1},{n * 7 % 31},{n % 9}\n" for n in range(100))
    path.write_text(f"% made by a tool\n@RELATION ratings\n\n{attributes}\n@DATA\n{body}")
    (guess,) = inspect_files([path])
    named = {role: guess.column_names[column] for role, column in guess.roles.items()}
    assert named == {"user_id": "user", "item_id": "the item", "rating": "rating"}
    report = check([guess], suggest_rules([guess]).model_copy(update={"duplicates": "keep"}))
    assert (report.rows_read, report.rows_accepted) == (100, 100)
