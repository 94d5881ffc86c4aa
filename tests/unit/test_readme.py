"""The examples of the README work."""

import re
import shlex
from pathlib import Path

import pytest

from recsys_core.cli import main
from recsys_core.cli.arguments import parse_weights, parse_words
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.data.task import Task

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_lines_of_python_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    rows = (f"u{user},i{item},{1 + (user + item) % 5}" for user in range(12) for item in range(user % 4, 20, 2))
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,rating", *rows]) + "\n")
    monkeypatch.chdir(tmp_path)
    shown = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    exec(compile(shown.group(1), "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def commands() -> list[list[str]]:
    """The words of every command of the README, without `python -m recsys_core`."""
    text = README.read_text(encoding="utf-8").replace("\\\n", " ")
    return [shlex.split(line)[3:] for line in text.splitlines() if line.startswith("python -m recsys_core ")]


def test_commands_are_understood() -> None:
    read = [parse_words(words).command for words in commands()]
    assert len(read) > 20


def test_what_commands_ask_of_a_sample_exists() -> None:
    data = load_sample("shop")
    asked = [parse_words(words) for words in commands()]
    asked = [one for one in asked if one.command == "compare" and one.data == "shop"]
    assert asked
    for one in asked:
        Task(target=(one.target,), learn_from=parse_weights(one.learn_from, "--learn-from")).check(data)


def test_the_strategy_fits_the_sample_it_is_checked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    found = re.search(r'`(\{"pool".*?\})`\. Cards', README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    (tmp_path / "strategy.json").write_text(found.group(1))
    monkeypatch.chdir(tmp_path)
    words = next(words for words in commands() if words[0] == "strategy")
    assert main(words[: words.index("--model")]) == 0  # training it takes seconds
    assert capsys.readouterr().out.startswith("Strategy: the 100 best candidates")
