"""Run benchmarks: `python -m benchmarks` for all, `python -m benchmarks ease ingest` for some.

`generate`, `memory` and `scaling` take arguments of their own and run alone: `python -m benchmarks scaling --help`.
"""

import sys
from importlib import import_module

from benchmarks.table import Row, print_table

FIGURES = (
    "ingest",
    "ease",
    "item_knn",
    "user_knn",
    "linear",
    "biased_mf",
    "factors",
    "classical",
    "social",
    "profiles",
    "evaluation",
    "lists",
    "verdicts",
    "strategy_prices",
    "deep_sasrec",
    "deep_peer",
    "deep_sequence",
    "deep_sequence_1m",
    "deep_mlp",
    "deep_interest",
    "deep_trace",
    "deep_memory",
    "neural",
    "seeds",
    "what_if",
    "pages",
    "learn",
    "experiments",
    "tuning",
    "strategy",
    "off_policy",
    "ab_test",
    "contest",
)
COMMANDS = ("generate", "memory", "scaling")
"""Have arguments of their own."""
ON_REQUEST = ("defaults",)
"""Searches that take hours: run only if they are named."""


def main(names: list[str]) -> int:
    """Run the named benchmarks; return 0, 1 if a target was missed, or 2 for an unknown name."""
    if names and names[0] in COMMANDS:
        return int(import_module(f"benchmarks.{names[0]}").main(names[1:]))
    unknown = sorted(set(names) - {*FIGURES, *ON_REQUEST})
    if unknown:
        known = ", ".join((*FIGURES, *COMMANDS, *ON_REQUEST))
        print(f"There is no benchmark {', '.join(unknown)}. Known: {known}.", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names or FIGURES:
        print(f"Measuring {name} ...", file=sys.stderr, flush=True)
        rows += import_module(f"benchmarks.{name}").run()
    print_table(rows)
    return 0 if all(row.reached for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
