"""The vocabulary check reports each kind of use, in all sources and documents."""

from pathlib import Path

import pytest

from tools.words import ALLOWED, ROOT, Allowance, files, findings


def reported(folder: Path, content: str, name: str = "app.py", allowed: tuple[Allowance, ...] = ()) -> list[str]:
    """Return the reported places of a file as `path:line: 'words'`."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return [line.partition(";")[0] for line in findings([path], folder, allowed)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("x = 1  # an item that somebody saw\n", "app.py:1: 'somebody'"),
        ("# data are parted\n# in two\n", "app.py:1: 'parted'"),
        ('"""Test data.\n\nThey are ratings set\naside.\n"""\n', "app.py:3: 'ratings set aside'"),
        ("x = f'{x} People like this'\n", "app.py:1: 'people'"),
        ("def f(liked):\n    pass\n", "app.py:1: 'liked'"),
        ("class C:\n    def _asked(self):\n        self.found = 1\n", "app.py:2: 'asked'"),
        ("TOGETHER = 1\n", "app.py:1: 'together'"),
        ("x = 'cannot be told apart'\n", "app.py:1: 'cannot be told apart'"),
    ],
)
def test_a_use_is_reported_with_its_line(tmp_path: Path, content: str, expected: str) -> None:
    assert expected in reported(tmp_path, content)


def test_documents_are_read_without_their_code(tmp_path: Path) -> None:
    content = "# Title\n\nThe score of a person.\n\n```sh\nrecscope people\n```\n"
    assert reported(tmp_path, content, "docs/page.md") == ["docs/page.md:3: 'person'"]


def test_labels_are_reported_on_pages_only(tmp_path: Path) -> None:
    assert reported(tmp_path, "x = _('Waiting')\n", "pages/train.py") == ["pages/train.py:1: 'waiting'"]
    assert reported(tmp_path, "x = _('Waiting')\n", "recsys_core/viz/table.py") == []
    assert reported(tmp_path, "x = _('Waiting for the lock to be released')\n", "pages/train.py") == []


@pytest.mark.parametrize(
    "content",
    [
        "def f():\n    found = 1\n    return [asked for asked in (found,)]\n",
        "x = frame['liked']\n",
        "# the column `liked` of the command `people`\n",
        "x = '{person} rated {n} items'\n",
        "from elsewhere import found\nfound.people()\n",
        "hidden = layer(x)  # the hidden state\n",
    ],
)
def test_locals_keys_and_ordinary_words_are_no_uses(tmp_path: Path, content: str) -> None:
    assert reported(tmp_path, content) == []


def test_an_allowance_covers_its_files_and_must_be_needed(tmp_path: Path) -> None:
    content, allowed = "# people\n", (Allowance("people", "app.py", "a test"), Allowance("liked", "app.py", "a test"))
    assert reported(tmp_path, content, allowed=allowed) == ["tools/words.py: 'liked' is not used in app.py."]
    assert reported(tmp_path, content, "web/app.py", allowed[:1])[0] == "web/app.py:1: 'people'"


def test_all_sources_and_documents_are_read_except_the_table_itself() -> None:
    """`make lint` reports the uses in them."""
    names = {path.relative_to(ROOT).as_posix() for path in files()}
    assert {"app.py", "README.md", "docs/architecture.md", "pages/train.py", "recsys_core/cli/people.py"} <= names
    assert "tools/words.py" not in names
    assert all(one.reason for one in ALLOWED)
