"""A row of a benchmark's table, and how it is printed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, what it should be, what came out, and whether that is enough."""

    what: str
    target: str
    measured: str
    reached: bool


def print_table(rows: list[Row]) -> None:
    """Print the rows as a Markdown table."""
    print("| what | target | measured | reached |")
    print("|---|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.target} | {row.measured} | {'yes' if row.reached else 'NO'} |", flush=True)
