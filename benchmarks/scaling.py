"""Time and peak memory of each step against rows, users and items, on streamed synthetic data, with log-log slopes.

`python -m benchmarks scaling` goes to 1,000,000 rows; `--rows 2.5e7` to more, by factors of about 3. On the axis of
rows, users grow with them (50 rows each), and the number of items is fixed, so that the work per row is the same. On
the axes of users and items only that number changes.

Each point is a child process: it reads the Parquet file of the generator by ingest, splits, fits the fast models one
after another, and recommends and evaluates. Times are CPU seconds of all threads, since the machine may be shared. The
peak of a step is the largest resident memory during it less that before it. A slope is the least-squares line through
the logarithms: 1 is proportional growth.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.movielens import THREADS
from benchmarks.table import Row, print_table
from recsys_core.contracts import RunContext
from recsys_core.data.synthetic.stream import StreamConfig, write_parquet
from recsys_core.engine.cluster import MALLOC
from recsys_core.engine.settings import in_words
from recsys_core.models.registry import MODELS

FAST = ("popular", "bias", "item_knn", "user_knn", "ease", "biased_mf", "ials", "bpr", "rp3beta", "slim", "pure_svd")
"""Models that train in seconds on 1,000,000 rows; those in the registry are measured."""
BOUNDED = ("ials", "bpr", "rp3beta", "item_knn")
"""Models whose time of training must grow in proportion to the rows."""
MOST_SLOPE = 1.1
PER_USER = 50
USERS, ITEMS = 20_000, 5_000
AXES = ("rows", "users", "items")
Measured = dict[str, dict[str, float]]
"""CPU seconds and bytes of each step."""


@dataclass(frozen=True)
class Point:
    """One size of data."""

    rows: int
    users: int
    items: int


def run() -> list[Row]:
    """Measure the short axes."""
    return report(measured_axes(1_000_000))


def main(arguments: list[str]) -> int:
    """Measure up to the given number of rows and print all points and slopes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scaling", description="Time and memory against size.")
    parser.add_argument("--rows", type=float, default=1e6, help="largest number of rows, such as 2.5e7")
    parser.add_argument("--axes", default=",".join(AXES), help="axes to measure, such as rows,items")
    parser.add_argument("--models", default=",".join(FAST), help="models to fit, such as ials,bpr")
    given = parser.parse_args(arguments)
    measured = measured_axes(int(given.rows), tuple(given.axes.split(",")), tuple(given.models.split(",")))
    for axis, points in measured.items():
        print_points(axis, points)
    rows = report(measured)
    print_table(rows)
    return 0 if all(row.reached for row in rows) else 1


def points_of(axis: str, most: int) -> list[Point]:
    """Return the sizes of an axis, smallest first."""
    if axis == "rows":
        sizes = np.geomspace(1e5, most, max(3, round(np.log(most / 1e5) / np.log(3)) + 1)).round(-3).astype(int)
        return [Point(int(rows), int(rows) // PER_USER, ITEMS) for rows in sizes]
    rows = min(most, 1_000_000)
    if axis == "users":
        return [Point(rows, users, ITEMS) for users in (USERS // 4, USERS, 4 * USERS)]
    return [Point(rows, USERS, items) for items in (ITEMS // 2, 2 * ITEMS, 8 * ITEMS)]


def measured_axes(
    most: int, axes: tuple[str, ...] = AXES, models: tuple[str, ...] = FAST
) -> dict[str, dict[Point, Measured]]:
    """Return what every point of every axis took."""
    known: dict[Point, Measured] = {}
    for axis in axes:
        for point in points_of(axis, most):
            if point not in known:
                print(f"Measuring {point} ...", file=sys.stderr, flush=True)
                known[point] = measured_point(point, models)
                print(json.dumps(known[point]), file=sys.stderr, flush=True)  # for runs that are ended early
    return {axis: {point: known[point] for point in points_of(axis, most)} for axis in axes}


def measured_point(point: Point, keys: tuple[str, ...] = FAST) -> Measured:
    """Generate the file, measured too, and all other steps in a child process."""
    threads = {name: str(THREADS) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.parquet"
        write_parquet(StreamConfig(**asdict(point)), path, RunContext())
        models = ",".join(key for key in keys if key in MODELS)
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.scaling_child", str(path), folder, models]
        done = subprocess.run(command, env=os.environ | threads | MALLOC, stdout=subprocess.PIPE, text=True, check=True)
    found: Measured = json.loads(done.stdout.splitlines()[-1])
    return found


def slope(sizes: list[float], values: list[float]) -> float:
    """Return the slope of the line through the logarithms; NaN with fewer than two positive values."""
    kept = [(size, value) for size, value in zip(sizes, values, strict=True) if value > 0]
    if len(kept) < 2:
        return float("nan")
    x, y = np.log(np.array(kept)).T
    return float(np.polyfit(x, y, 1)[0])


def report(measured: dict[str, dict[Point, Measured]]) -> list[Row]:
    """Return one row per axis and step: the slopes of time and memory, and the largest point."""
    rows = []
    for axis, points in measured.items():
        steps = dict.fromkeys(step for one in points.values() for step in one)
        for step in steps:
            own = [(float(getattr(point, axis)), one[step]) for point, one in points.items() if step in one]
            sizes, last = [size for size, _ in own], own[-1][1]
            of_time = slope(sizes, [one["seconds"] for _, one in own])
            of_memory = slope(sizes, [one["bytes"] for _, one in own])
            bounded = axis == "rows" and step in [f"fit {key}" for key in BOUNDED]
            rows.append(
                Row(
                    f"{step} against {axis}, {sizes[0]:,.0f} to {sizes[-1]:,.0f}",
                    f"slope of time at most {MOST_SLOPE}" if bounded else "reported",
                    f"slope of time {of_time:.2f}, of memory {of_memory:.2f}; at the end {last['seconds']:.2f} s, "
                    f"{in_words(last['bytes'])}",
                    not bounded or of_time <= MOST_SLOPE,
                )
            )
    return rows


def print_points(axis: str, points: dict[Point, Measured]) -> None:
    """Print seconds and memory of all steps at all points of an axis."""
    print(f"\n| {axis} | " + " | ".join(f"{getattr(point, axis):,}" for point in points) + " |")
    print("|---" * (len(points) + 1) + "|")
    for step in dict.fromkeys(step for one in points.values() for step in one):
        cells = [
            f"{one[step]['seconds']:.2f} s, {in_words(one[step]['bytes'])}" if step in one else ""
            for one in points.values()
        ]
        print(f"| {step} | " + " | ".join(cells) + " |")
    print()
