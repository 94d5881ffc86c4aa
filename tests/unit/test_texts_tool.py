"""`make texts`: what is found in a source file, and when the template is not up to date."""

from pathlib import Path

import pytest

from tools import texts


def written(folder: Path, source: str) -> Path:
    path = folder / "source.py"
    path.write_text(source, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("source", "messages"),
    [
        ('_("One")', ["One"]),
        ("f\"{_('Inside an f-string')}\"", ["Inside an f-string"]),
        ('n_("{n} item", "{n} items", 3,)', [("{n} item", "{n} items")]),
        ('Template("{n} user", "{n} users")', [("{n} user", "{n} users")]),
        ('text.later("Later")', ["Later"]),
        ('paragraph("Words {a}", a=_("inner"))', ["Words {a}", "inner"]),
        ('report(stage="reading")', ["reading"]),
        ('report(stage="")', []),
        ("_(name)", []),
        ('other("no message")', []),
    ],
)
def test_marked_messages_are_found(tmp_path: Path, source: str, messages: list[str | tuple[str, str]]) -> None:
    assert list(texts.marked(written(tmp_path, source))) == messages


def test_a_message_with_values_in_it_is_refused_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, 'x = 1\n_(f"{x} items")')
    with pytest.raises(SystemExit, match=f"{path}:2: the message is an f-string"):
        list(texts.marked(path))


@pytest.mark.parametrize("source", ['raise DataError("No rows.")', 'raise errors.StoreError(f"No file {x}.")'])
def test_a_message_of_an_error_that_is_not_marked_is_refused(tmp_path: Path, source: str) -> None:
    path = written(tmp_path, f"x = 1\n{source}")
    with pytest.raises(SystemExit, match=f"{path}:2: the message of the error is not translated"):
        list(texts.marked(path))


def test_a_marked_message_of_an_error_and_a_reason_pass(tmp_path: Path) -> None:
    source = 'raise DataError(_("No {x}.").format(x=1))\nraise DataError(reason)\nraise ValueError("no mark")'
    assert list(texts.marked(written(tmp_path, source))) == ["No {x}."]


def test_a_new_message_makes_the_template_outdated_until_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, '_("First")')
    monkeypatch.setattr(texts, "ROOT", tmp_path)
    monkeypatch.setattr(texts, "SOURCES", ("*.py",))
    monkeypatch.setattr(texts, "TEMPLATE", tmp_path / "locale" / "template.pot")
    assert texts.main(["--write"]) == 0
    assert texts.main([]) == 0
    written(tmp_path, '_("First"), _("Second")')
    assert texts.main([]) == 1
    assert "make texts" in capsys.readouterr().err
    assert texts.main(["--write"]) == 0
    assert 'msgid "Second"' in texts.TEMPLATE.read_text(encoding="utf-8")
