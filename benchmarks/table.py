"""Result rows of benchmarks, printed as a table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One result: what was measured, its target, its value, and whether the target was reached."""

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
