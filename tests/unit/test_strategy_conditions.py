"""Conditions and filters: equal to the SQL that they print, for items, users and what lies between them."""

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from recsys_core.contracts import IntArray
from recsys_core.errors import ConfigError
from recsys_core.strategy.cards import Condition, Filter
from recsys_core.strategy.facts import Facts
from tests.strategies import FACTS, ITEMS, SHOPPERS, first, outcome, shop, where

EVERYBODY = np.arange(SHOPPERS)
CANDIDATES = np.stack([np.roll(np.arange(ITEMS), user) for user in EVERYBODY])


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables that the printed SQL reads."""
    connection = duckdb.connect()
    pairs = pd.DataFrame({"user": EVERYBODY.repeat(ITEMS), "item": CANDIDATES.ravel()})
    connection.register("candidates", pairs)
    connection.register("items", FACTS.table.assign(position=range(ITEMS)))
    connection.register("users", FACTS.user_table.assign(position=range(SHOPPERS)))
    connection.register("pairs", FACTS.pairs)
    yield connection
    connection.close()


def by_us(card: Filter, candidates: IntArray = CANDIDATES) -> set[tuple[int, int]]:
    met = card.when.holds(FACTS, EVERYBODY, candidates)
    rows, columns = np.nonzero(met if card.action == "keep" else ~met)
    return set(zip(rows.tolist(), candidates[rows, columns].tolist(), strict=True))


NUMBERS = ["price", "item.price", "popularity", "age_days", "new", "user.budget", "user.interactions",
           "user.inactive_days", "interacted_days", "interacted_times"]  # fmt: skip
TEXTS = ["brand", "title", "city", "item.author", "id", "categories", "user.city", "user.id", "user.taste"]
WORDS = ["b1", "Item 3", "Rome", "it's", "u3", "i4", "wool", "silk", "wool|silk", "1", ""]
COMPARISONS = ["=", "!=", "<", "<=", ">", ">="]
RULES, RULES_PER_QUERY = 10_000, 500


def random_condition(rng: np.random.Generator) -> dict[str, Any]:
    """Return a condition without further ones, of any operator and field."""

    def one(names: list[str]) -> str:
        return names[rng.integers(len(names))]

    def number() -> float:
        return float(rng.integers(0, 13)) if rng.random() < 0.7 else round(float(rng.uniform(-5, 1200)), 3)

    kind = rng.integers(9)
    if kind == 0:
        return where(one(NUMBERS + TEXTS), one(["is missing", "is not missing"]))
    if kind <= 4:
        field = one(NUMBERS)
        if kind == 1:
            return where(field, one(COMPARISONS), other=one(NUMBERS))
        members = [number() for _ in range(rng.integers(1, 5))]
        return where(field, one(["in", "not in"]), members) if kind == 2 else where(field, one(COMPARISONS), number())
    field = one(TEXTS)
    if kind == 5:
        return where(field, one([*COMPARISONS, "has"]), other=one(TEXTS))
    if kind == 6:
        return where(field, one(["in", "not in"]), [one(WORDS) for _ in range(rng.integers(1, 5))])
    return where(field, one([*COMPARISONS, "contains", "has"]), one(WORDS))


@pytest.mark.slow
def test_ten_thousand_random_rules_equal_the_sql_that_they_print(database: duckdb.DuckDBPyConnection) -> None:
    """Of each rule over 6 users and 12 items, the candidates that meet it are those of its SQL expression."""
    rng = np.random.default_rng(0)
    source = Filter.model_validate({"when": where("price", "is missing")}).sql().split("\n", 1)[1].split("WHERE")[0]
    for _ in range(RULES // RULES_PER_QUERY):
        rules = []
        for _ in range(RULES_PER_QUERY):
            also = [random_condition(rng) for _ in range(max(0, rng.integers(-1, 3)))]
            rules.append(Condition.model_validate({**random_condition(rng), "also": also}))
        columns = ", ".join(f"({rule.sql()}) IS TRUE AS r{number}" for number, rule in enumerate(rules))
        query = f"SELECT candidate.user, candidate.item, {columns} FROM candidates AS candidate {source}"
        table = database.execute(query).fetchnumpy()
        place = np.lexsort((table["item"], table["user"]))
        for number, rule in enumerate(rules):
            ours = np.take_along_axis(rule.holds(FACTS, EVERYBODY, CANDIDATES), np.argsort(CANDIDATES, axis=1), axis=1)
            assert (table[f"r{number}"][place] == ours.ravel()).all(), rule.sql()


@pytest.mark.parametrize("seed", range(20))
def test_a_filter_equals_the_query_that_it_prints(database: duckdb.DuckDBPyConnection, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for action in ("keep", "drop"):
        card = Filter.model_validate({"when": random_condition(rng), "action": action})
        assert set(database.execute(card.sql()).fetchall()) == by_us(card), card.sql()


def test_fields_of_the_user_and_between_user_and_item_by_hand() -> None:
    frame = shop().interactions
    last = frame["timestamp"].max()
    own = frame[frame["user"] == 0]
    recent = set(own[own["timestamp"] >= last - 300 * 86_400_000]["item"])
    assert recent
    found = first({"kind": "filter", "when": where("interacted_days", "<=", 300.0), "action": "drop"}, k=ITEMS)
    assert found[: ITEMS - len(recent)] == [item for item in range(ITEMS) if item not in recent]
    assert first({"kind": "filter", "when": where("author", "=", other="user.id")}, k=3) == [0, 5, 10]
    assert first({"kind": "filter", "when": where("city", "=", other="user.city")}, k=4) == [0, 3, 6, 9]
    assert first({"kind": "filter", "when": where("price", "<=", other="user.budget")}, k=3) == [1, 2, 3]
    often = own["item"].value_counts()
    kept = first({"kind": "filter", "when": where("interacted_times", ">=", 3.0)}, k=ITEMS)
    assert [item for item in kept if item >= 0] == sorted(often[often >= 3].index)


def test_days_count_back_from_when_the_strategy_is_applied() -> None:
    data = shop()
    last = int(data.interactions["timestamp"].max())
    week_later = Facts(data, at=last + 7 * 86_400_000)
    for now, later in (
        (FACTS.table["age_days"], week_later.table["age_days"]),
        (FACTS.user_table["inactive_days"], week_later.user_table["inactive_days"]),
        (FACTS.pairs["interacted_days"], week_later.pairs["interacted_days"]),
    ):
        np.testing.assert_allclose(later, now + 7)
    assert FACTS.user_table["inactive_days"].min() == 0


def test_a_list_cell_has_entries_and_contains_text() -> None:
    assert first({"kind": "filter", "when": where("categories", "has", "silk")}, k=4) == [1, 2, 4, 5]
    assert first({"kind": "filter", "when": where("categories", "has", "sil")}, k=2) == [-1, -1]
    assert first({"kind": "filter", "when": where("categories", "contains", "sil")}, k=2) == [1, 2]
    assert first({"kind": "filter", "when": where("price", "is missing")}, k=2) == [0, -1]
    assert first({"kind": "filter", "when": where("new", "=", 1.0)}, k=3) == [0, 2, 4]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"field": "price", "op": "in", "value": 3.0}, "'in' takes a list"),
        ({"field": "price", "op": "=", "value": [3.0]}, "'=' takes one value"),
        ({"field": "price", "op": "="}, "'=' takes either a value or another field"),
        ({"field": "price", "op": "=", "value": 3.0, "other": "user.budget"}, "either a value or another field"),
        ({"field": "price", "op": "is missing", "value": 3.0}, "'is missing' takes no value"),
        ({"field": "title", "op": "contains", "other": "user.city"}, "'contains' takes a value"),
        ({"field": "price", "op": "<", "value": float("nan")}, "finite number"),
    ],
)
def test_a_malformed_condition_is_refused(condition: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Condition.model_validate(condition)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (where("stock", ">", 0.0), r"no item field 'stock'\. Known: title, price"),
        (where("user.age", ">", 0.0), r"no user field 'age'\. Known: city, budget"),
        (where("price", "=", "cheap"), "'price' holds numbers, which cannot be compared with 'cheap'"),
        (where("brand", "in", ["b1", 3.0]), "'brand' holds text, which cannot be compared with"),
        (where("brand", "=", other="user.budget"), "'brand' holds text, which cannot be compared with 'user.budget'"),
        (where("price", "has", "3"), "'has' looks for an entry of a list"),
    ],
)
def test_a_condition_that_does_not_fit_the_data_is_a_sentence(condition: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        outcome({"kind": "filter", "when": condition})
    with pytest.raises(ConfigError, match="depends on the user"):
        Condition.model_validate(where("author", "=", other="user.id")).of_items(FACTS)
