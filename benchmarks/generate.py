"""Write synthetic interactions: `python -m benchmarks generate --rows 1e8 --users 1e6 --items 1e5 --out FILE`."""

import argparse
import sys
import time
from pathlib import Path

from recsys_core.contracts import Progress, RunContext
from recsys_core.data.synthetic.stream import StreamConfig, write_parquet


def main(arguments: list[str]) -> int:
    """Generate the file and print its size and the time; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks generate", description=__doc__)
    for name, default in (("rows", 1e6), ("users", 1e4), ("items", 5e3)):
        parser.add_argument(f"--{name}", type=float, default=default, help=f"number of {name}, such as 1e6")
    parser.add_argument("--without-ratings", action="store_true", help="write no ratings")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, required=True, help="Parquet file")
    given = parser.parse_args(arguments)
    config = StreamConfig(
        rows=int(given.rows), users=int(given.users), items=int(given.items), ratings=not given.without_ratings
    )
    started = time.perf_counter()
    write_parquet(config, given.out, RunContext(seed=given.seed, report=_show))
    megabytes = given.out.stat().st_size / 2**20
    print(f"{config.rows:,} rows, {megabytes:,.0f} MiB, {time.perf_counter() - started:.1f} s: {given.out}")
    return 0


def _show(progress: Progress) -> None:
    if progress.step:
        print(f"block {progress.step} of {progress.total}", end="\r", file=sys.stderr, flush=True)
