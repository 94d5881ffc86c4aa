"""The progress of a job on disk: few lines, no lost point, and a truncated end is ignored."""

import json
from pathlib import Path

from recsys_core.contracts import Progress
from recsys_core.experiments.progress import ProgressWriter, read_last_line, read_progress


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_progress_is_written_four_times_a_second_and_loses_no_point(tmp_path: Path) -> None:
    clock = Clock()
    writer = ProgressWriter(tmp_path / "p.jsonl", clock)
    for step in range(1, 101):
        clock.now += 0.01
        writer(Progress("a", step, 100, {"loss": 1.0 / step}))
        writer(Progress("a", step, 100))
    writer(Progress("b", 1, None))
    writer(Progress("b", 2, None))
    writer(Progress("c", 1, 1))
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sum(line["stage"] == "a" for line in lines) <= 6
    assert [(line["stage"], line["step"]) for line in lines if line["stage"] == "b"][-1] == ("b", 2)
    frame = read_progress(tmp_path / "p.jsonl")
    assert frame.loc[frame["stage"] == "a", "step"].tolist() == list(range(1, 101))
    assert frame.loc[frame["stage"] == "a", "loss"].iloc[-1] == 0.01
    assert read_last_line(tmp_path / "p.jsonl")["stage"] == "c"


def test_a_message_that_nothing_follows_is_not_held_back_for_ever(tmp_path: Path) -> None:
    clock = Clock()
    writer = ProgressWriter(tmp_path / "p.jsonl", clock)
    writer(Progress("short", 1, 1))
    writer(Progress("long", 0, 5))
    assert read_last_line(tmp_path / "p.jsonl")["stage"] == "short"
    clock.now += 0.3
    writer.flush_if_due()
    assert read_last_line(tmp_path / "p.jsonl")["stage"] == "long"


def test_a_torn_last_line_of_progress_is_ignored(tmp_path: Path) -> None:
    writer = ProgressWriter(tmp_path / "p.jsonl")
    writer(Progress("a", 1, 1))
    with (tmp_path / "p.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"time": 1, "sta')
    assert read_last_line(tmp_path / "p.jsonl")["stage"] == "a"
    assert len(read_progress(tmp_path / "p.jsonl")) == 1
