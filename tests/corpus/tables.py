"""Generated tables in the styles of shops and publishers; headers, order, separators and cells vary."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

START = datetime(2019, 10, 1)  # noqa: DTZ001 (written to a file without a zone)


@dataclass(frozen=True)
class Row:
    """Inputs of one generated row: its number, user, item and random generator."""

    n: int
    user: int
    item: int
    chance: random.Random = field(repr=False)

    def one_of(self, *values: object) -> object:
        return self.chance.choice(values)

    def when(self, form: str) -> str:
        return (START + timedelta(seconds=self.n * 7919)).strftime(form)


Cell = Callable[[Row], object]


def table(columns: dict[str, Cell], *, rows: int = 240, separator: str = ",", header: bool = True) -> str:
    """Return a table of interactions of 40 users with 50 items of unequal popularity."""
    chance = random.Random(7)
    lines = [separator.join(columns)] if header else []
    for n in range(rows):
        row = Row(n, chance.randrange(40), int(chance.paretovariate(1)) % 50, chance)
        lines.append(separator.join(str(cell(row)) for cell in columns.values()))
    return "\n".join(lines) + "\n"


def stars(row: Row) -> object:
    return row.chance.randint(1, 5)


def halves(row: Row) -> object:
    return row.chance.randint(1, 10) / 2


def user(row: Row) -> str:
    return f"U{row.user:04d}"


def item(row: Row) -> str:
    return f"P{row.item:05d}"


def user_number(row: Row) -> int:
    return 257_000 + row.user * 13


def item_number(row: Row) -> int:
    return 1_000 + row.item * 7


def title(row: Row) -> str:
    return f"Folding chair {row.item}"


def aisle(row: Row) -> str:
    return ("garden", "kitchen", "office")[row.item % 3]


def price(row: Row) -> str:
    return f"{3 * row.item + 0.99:.2f}"


def city(row: Row) -> str:
    return ("Paris", "Lyon", "Nantes")[row.user % 3]


def epoch(row: Row) -> int:
    return 1_433_221_332 + row.n * 7919
