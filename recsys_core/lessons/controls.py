"""What the learner changes in a lesson: numbers, choices, matrices and orders, each with a short code for links."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recsys_core.errors import ConfigError
from recsys_core.lessons.wording import Text, told
from recsys_core.text import _

EMPTY = "-"
"""Code of an empty cell."""
BETWEEN, ASSIGN = ";", ":"
"""Separators of `encoded`."""
Values = Mapping[str, Any]
"""Values of the controls of a lesson, by key; of their defaults where nothing was changed."""


@dataclass(frozen=True)
class Slider:
    """A number out of ordered values.

    Args:
        key: Its name.
        label: Its label, a message.
        options: Possible values, increasing.
        start: Its first value.
    """

    key: str
    label: str
    options: Sequence[float]
    start: float

    def encode(self, value: float) -> str:
        """Return the code of a value."""
        return f"{value:g}"

    def decode(self, code: str) -> float:
        """Return the value of a code; raises ConfigError if there is none."""
        known = {self.encode(value): value for value in self.options}
        if code not in known:
            raise ConfigError(
                _("'{code}' is not a value of '{label}'; use one of {known}.").format(
                    code=code, label=self.label, known=", ".join(known)
                )
            )
        return known[code]


@dataclass(frozen=True)
class Choice:
    """One of several named values.

    Args:
        key: Its name.
        label: Its label, a message.
        options: Value -> name, a message.
        start: Its first value.
    """

    key: str
    label: Text
    options: Mapping[str, Text]
    start: str

    def encode(self, value: str) -> str:
        """Return the code of a value."""
        return value

    def decode(self, code: str) -> str:
        """Return the value of a code; raises ConfigError if there is none."""
        if code not in self.options:
            raise ConfigError(
                _("'{code}' is not a value of '{label}'; use one of {options}.").format(
                    code=code, label=told(self.label), options=", ".join(self.options)
                )
            )
        return code


@dataclass(frozen=True)
class Matrix:
    """A table of whole numbers, edited in a `Grid` of the picture.

    Args:
        key: Its name, `Grid.control`.
        label: Its label, a message.
        start: Its first cells; None for an empty one.
        low: Smallest number.
        high: Largest number, at most 9.
    """

    key: str
    label: str
    start: Sequence[Sequence[int | None]]
    low: int = 1
    high: int = 5

    def encode(self, value: Sequence[Sequence[int | None]]) -> str:
        """Return the code of a table: one character per cell, by row."""
        return "".join(EMPTY if cell is None else str(cell) for row in value for cell in row)

    def decode(self, code: str) -> tuple[tuple[int | None, ...], ...]:
        """Return the table of a code; raises ConfigError if the code has another size or other numbers."""
        columns = len(self.start[0])
        allowed = {str(number): number for number in range(self.low, self.high + 1)}
        if len(code) != columns * len(self.start) or not set(code) <= {EMPTY, *allowed}:
            raise ConfigError(_("'{code}' is not a table of '{label}'.").format(code=code, label=self.label))
        cells = [allowed.get(character) for character in code]
        return tuple(tuple(cells[first : first + columns]) for first in range(0, len(cells), columns))

    def edited(
        self, value: Sequence[Sequence[int | None]], row: int, column: int, cell: int | None
    ) -> tuple[tuple[int | None, ...], ...]:
        """Return the table with another cell; raises ConfigError if cell or place do not exist."""
        if not (0 <= row < len(self.start) and 0 <= column < len(self.start[0])):
            raise ConfigError(
                _("'{label}' has no cell ({row}, {column}).").format(label=self.label, row=row, column=column)
            )
        if cell is not None and not self.low <= cell <= self.high:
            raise ConfigError(
                _("A cell of '{label}' is empty or a number from {low} to {high}.").format(
                    label=self.label, low=self.low, high=self.high
                )
            )
        table = [list(cells) for cells in value]
        table[row][column] = cell
        return tuple(map(tuple, table))


@dataclass(frozen=True)
class Order:
    """An order of n items, changed by dragging in a `ListPart` of the picture.

    Args:
        key: Its name, `ListPart.control`.
        label: Its label, a message.
        start: Positions of the items in the first order.
        named: Orders that a button sets: name, a message -> positions.
    """

    key: str
    label: str
    start: Sequence[int]
    named: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def encode(self, value: Sequence[int]) -> str:
        """Return the code of an order."""
        return ".".join(map(str, value))

    def decode(self, code: str) -> tuple[int, ...]:
        """Return the order of a code; raises ConfigError if it is not a permutation of the items."""
        numbers = [part for part in code.split(".") if part.isdecimal()]
        order = tuple(map(int, numbers))
        if sorted(order) != sorted(self.start):
            raise ConfigError(_("'{code}' is not an order of '{label}'.").format(code=code, label=self.label))
        return order

    def moved(self, value: Sequence[int], at: int, to: int) -> tuple[int, ...]:
        """Return the order with the item at place `at` moved to place `to`; raises ConfigError without such places."""
        if not (0 <= at < len(value) and 0 <= to < len(value)):
            raise ConfigError(_("'{label}' has places 0 to {last}.").format(label=self.label, last=len(value) - 1))
        order = list(value)
        order.insert(to, order.pop(at))
        return tuple(order)


Control = Slider | Choice | Matrix | Order


def starts(controls: Sequence[Control]) -> dict[str, Any]:
    """Return the first values of all controls."""
    return {control.key: control.start for control in controls}


def encoded(controls: Sequence[Control], values: Values) -> str:
    """Return a code of the values that differ from the first ones, for a link."""
    codes = [(control, control.encode(values[control.key])) for control in controls]
    changed = [(control, code) for control, code in codes if code != control.encode(control.start)]  # type: ignore[arg-type]
    return BETWEEN.join(f"{control.key}{ASSIGN}{code}" for control, code in changed)


def decoded(controls: Sequence[Control], code: str) -> dict[str, Any]:
    """Return the values of a code of `encoded`, with the first values of all other controls.

    Raises:
        ConfigError: It names a control or a value that does not exist.
    """
    values, known = starts(controls), {control.key: control for control in controls}
    for part in filter(None, code.split(BETWEEN)):
        key, _assign, value = part.partition(ASSIGN)
        if key not in known:
            raise ConfigError(
                _("This lesson has no control '{key}'; it has {known}.").format(key=key, known=", ".join(known))
            )
        values[key] = known[key].decode(value)
    return values
