"""Ragged rows, queries, contexts and configs: the common vocabulary of the library."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pydantic import Field

from recsys_core.configs import field_specs
from recsys_core.contracts import Knob, ModelConfig, Progress, QueryBatch, Ragged, RunContext
from recsys_core.errors import Cancelled, ConfigError

ROWS = st.lists(st.lists(st.integers(0, 99), max_size=6), max_size=8)


@given(rows=ROWS, data=st.data())
def test_take_returns_the_chosen_rows_in_order(rows: list[list[int]], data: st.DataObject) -> None:
    ragged = Ragged.from_rows(rows)
    indices = st.lists(st.integers(0, len(rows) - 1)) if rows else st.just([])
    chosen = np.array(data.draw(indices), dtype=np.int64)
    taken = ragged.take(chosen)
    assert [row.tolist() for row in taken] == [rows[i] for i in chosen]


@given(rows=ROWS)
def test_from_keys_inverts_row_numbers(rows: list[list[int]]) -> None:
    ragged = Ragged.from_rows(rows)
    again = Ragged.from_keys(ragged.row_numbers(), ragged.values, len(rows))
    assert_array_equal(again.values, ragged.values)
    assert_array_equal(again.offsets, ragged.offsets)


def test_a_query_taken_apart_keeps_values_and_times_beside_their_items() -> None:
    query = QueryBatch(
        user=np.array([7, 8]),
        history=Ragged.from_rows([[1, 2], [3]]),
        values=np.array([0.1, 0.2, 0.3]),
        timestamps=np.array([10, 20, 30]),
    )
    second = query.take(np.array([1]))
    assert (second.user[0], second.history[0][0], second.values[0], second.timestamps[0]) == (8, 3, 0.3, 30)  # type: ignore[index]
    assert [len(batch) for batch in query.batches(1)] == [1, 1]


def test_random_streams_depend_on_seed_and_name_only() -> None:
    context = RunContext(seed=1)
    context.rng("other").random(100)
    assert context.rng("a").random() == RunContext(seed=1).rng("a").random()
    assert context.rng("a").random() != context.rng("b").random()
    assert context.rng("a").random() != RunContext(seed=2).rng("a").random()


def test_track_reports_each_step_and_stops_before_the_next_when_asked() -> None:
    seen: list[Progress] = []
    context = RunContext(report=seen.append, stop_requested=lambda: len(seen) == 3)
    done = []
    with pytest.raises(Cancelled, match="counting"):
        done.extend(context.track(range(5), stage="counting"))
    assert [progress.step for progress in seen] == [0, 1, 2]
    assert seen[0].total == 5


class ExampleConfig(ModelConfig):
    """Settings of an example."""

    width: Annotated[int, Field(ge=1, le=64), Knob(4, 64, scale="log", symbol="D")] = 8
    """Width of a layer, in units."""
    rate: Annotated[float, Field(gt=0)] = 0.1
    """Step of the optimizer."""
    cell: Literal["lstm", "gru"] = "gru"
    """Kind of cell."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of steps; None for no limit."""
    shared: Annotated[bool, Knob(advanced=True)] = False
    """Whether weights are shared."""


def test_an_added_setting_is_not_part_of_ids_at_its_first_value_even_if_the_default_changes() -> None:
    class Base(ModelConfig):
        """One setting was added."""

        added: ClassVar[Mapping[str, Any]] = {"device": "auto"}
        device: str = "cpu"

    class Derived(Base):
        """Another one was added."""

        added: ClassVar[Mapping[str, Any]] = {"block": "plain"}
        block: str = "plain"
        size: int = 1

    assert Derived.without_added({"device": "auto", "block": "plain", "size": 1}) == {"size": 1}
    kept = {"device": "cpu", "block": "other", "size": 1}
    assert Derived.without_added(kept) == kept
    assert Base.without_added({"block": "plain"}) == {"block": "plain"}


def test_field_specs_tell_kind_bounds_range_and_help_of_each_setting() -> None:
    width, rate, cell, limit, shared = field_specs(ExampleConfig)
    assert (width.kind, width.minimum, width.maximum, width.low, width.high) == ("int", 1, 64, 4, 64)
    assert (width.scale, width.symbol, width.help) == ("log", "D", "Width of a layer, in units.")
    assert (rate.kind, rate.minimum, rate.exclusive_minimum, rate.maximum) == ("float", 0, True, None)
    assert (cell.kind, cell.choices, cell.default) == ("choice", ("lstm", "gru"), "gru")
    assert (limit.kind, limit.optional, limit.minimum) == ("int", True, 1)
    assert (shared.kind, shared.advanced) == ("bool", True)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"width": 0}, "Setting 'width' of ExampleConfig: input should be greater than or equal to 1, but it was 0"),
        ({"wide": 1}, "There is no setting 'wide'. Settings of ExampleConfig: width, rate, cell, limit, shared."),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(values: dict[str, int], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence.replace(".", r"\.")):
        ExampleConfig.parse(values)
