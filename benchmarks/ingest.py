"""Ingest of a CSV file with 25,000,000 ratings, against DuckDB's plain conversion of the same file to Parquet.

The file resembles MovieLens 25M: 162,541 users, 59,047 items with a long-tailed popularity, half stars, timestamps in
seconds, rows sorted by user, no duplicate pairs. Both run alternately in separate processes, three times; the ratio is
that of the medians. Peak memory is that of the ingest process.
"""

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row, print_table

ROWS = 25_000_000
USERS = 162_541
ITEMS = 59_047
REPEATS = 3
MOST_TIMES = 2.0
MOST_BYTES = 4 * 1024**3


def run(rows: int = ROWS) -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="recscope-bench-"))
    try:
        make_file(folder / "ratings.csv", rows)
        runs: dict[str, list[dict[str, float]]] = {"plain": [], "ingest": []}
        for _ in range(REPEATS):
            for side, measured in runs.items():
                measured.append(_in_process(side, folder))
        seconds = {side: statistics.median(one["seconds"] for one in runs[side]) for side in runs}
        peak = max(one["peak"] for one in runs["ingest"])
        ratio = seconds["ingest"] / seconds["plain"]
        words = f"{ratio:.2f} ({seconds['ingest']:.1f} s against {seconds['plain']:.1f} s)"
        what = f"ingest of a {rows:,}-row ratings CSV against DuckDB's COPY to Parquet"
        return [
            Row(what, f"at most {MOST_TIMES:.1f} times its time", words, ratio <= MOST_TIMES),
            Row("peak memory of the ingest", "under 4 GiB", f"{peak / 1024**3:.2f} GiB", peak < MOST_BYTES),
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_file(path: Path, rows: int) -> None:
    """Write the ratings: item numbers of a user increase ever faster, so items with low numbers are popular."""
    import duckdb

    each = -(-rows // USERS)
    query = f"""
        COPY (
            SELECT i // {each} + 1 AS userId,
                   1 + i % {each} + floor(pow((i % {each} + hash(i) % 1000 / 1000.0) / {each}, 2.2) * {
        ITEMS - each
    })::BIGINT AS movieId, (1 + hash(i, 1) % 10) / 2.0 AS rating,
                   1000000000 + hash(i // {each}) % 500000000 + hash(i, 2) % 5000000 AS timestamp
            FROM range({rows}) numbers(i)
        ) TO '{path}' (HEADER)
    """
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "2GB", "temp_directory": str(path.parent)})
    connection.execute(query)
    connection.close()


def _in_process(side: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.ingest", side, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


def _plain(folder: Path) -> None:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"COPY (FROM read_csv('{folder}/ratings.csv')) TO '{folder}/plain.parquet'")
    connection.close()
    (folder / "plain.parquet").unlink()


def _ingest(folder: Path) -> None:
    from recsys_core.data.ingest import ingest, inspect_files, suggest_rules
    from recsys_core.data.workspace import Workspace

    workspace = Workspace(folder / "workspace")
    guesses = inspect_files([folder / "ratings.csv"])
    _, report = ingest(guesses, suggest_rules(guesses), workspace, "benchmark")
    if report.rows_accepted + report.rows_rejected != report.rows_read or report.rows_rejected:
        raise SystemExit(f"unexpected report: {report.to_json()}")
    shutil.rmtree(folder / "workspace")


def _measure(side: str, folder: Path) -> None:
    # imports are not timed; the names, since packages load their modules when a name is used
    import duckdb  # noqa: F401

    from recsys_core.data.ingest import ingest, inspect_files, suggest_rules  # noqa: F401
    from recsys_core.data.workspace import Workspace  # noqa: F401

    start = time.perf_counter()
    {"plain": _plain, "ingest": _ingest}[side](folder)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _measure(sys.argv[1], Path(sys.argv[2]))
    else:
        print_table(run())
