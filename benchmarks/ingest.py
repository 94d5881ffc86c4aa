"""Taking in a CSV of 25,000,000 ratings, against DuckDB's bare conversion of the same file to Parquet.

The file has the shape of MovieLens 25M: 162,541 users, 59,047 items of very unequal popularity, half stars, seconds;
rows sorted by user as the publisher's are, no pair twice. Both sides run in processes of their own, in turn, three
times; the ratio is that of the medians. Peak memory is that of the process that takes the file in.
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
        runs: dict[str, list[dict[str, float]]] = {"bare": [], "ingest": []}
        for _ in range(REPEATS):
            for side, measured in runs.items():
                measured.append(_in_process(side, folder))
        seconds = {side: statistics.median(one["seconds"] for one in runs[side]) for side in runs}
        peak = max(one["peak"] for one in runs["ingest"])
        ratio = seconds["ingest"] / seconds["bare"]
        words = f"{ratio:.2f} ({seconds['ingest']:.1f} s against {seconds['bare']:.1f} s)"
        what = f"ingest of a {rows:,}-row ratings CSV against DuckDB's bare COPY to Parquet"
        return [
            Row(what, f"at most {MOST_TIMES:.1f} times its time", words, ratio <= MOST_TIMES),
            Row("peak memory of that ingest", "under 4 GiB", f"{peak / 1024**3:.2f} GiB", peak < MOST_BYTES),
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_file(path: Path, rows: int) -> None:
    """Write the ratings. A user's items grow from place to place, more steeply to the end: low numbers are popular."""
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


def _bare(folder: Path) -> None:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"COPY (FROM read_csv('{folder}/ratings.csv')) TO '{folder}/bare.parquet'")
    connection.close()
    (folder / "bare.parquet").unlink()


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
    import duckdb  # noqa: F401 (loading libraries is no part of the work)

    import recsys_core.data.ingest  # noqa: F401

    start = time.perf_counter()
    {"bare": _bare, "ingest": _ingest}[side](folder)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _measure(sys.argv[1], Path(sys.argv[2]))
    else:
        print_table(run())
