"""The template of all messages: `recsys_core/locale/recscope.pot`, extracted from the source code.

    python -m tools.texts           check that the template is up to date (part of `make lint`)
    python -m tools.texts --write   write it (`make texts`)

Messages are the literals inside `_()`, `n_()`, `later()`, `paragraph()`, `Template()` and `Words()`, the names of
stages (`stage=`), and the fields of the tables that describe models, settings, cards, metrics, questions
and features of behavior (`tables`).
"""

import ast
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from recsys_core import errors

ROOT = Path(__file__).resolve().parent.parent
STAGE = "stage"
"""Option of functions that report progress whose value is a message."""
TEMPLATE = ROOT / "recsys_core" / "locale" / "recscope.pot"
SOURCES = ("app.py", "pages/**/*.py", "recsys_core/**/*.py")
MARKS = {"_": 1, "later": 1, "paragraph": 1, "Words": 1, "n_": 2, "Template": 2}
"""Functions whose first arguments are messages, and how many: a message, or its singular and plural."""
LIBRARY_ERRORS = frozenset(name for name, one in vars(errors).items() if isinstance(one, type))
"""Errors whose message a user reads."""
WORD = re.compile("[a-z]{3}")
REMEDY = "The template of messages is not up to date: run `make texts` and commit recsys_core/locale/recscope.pot."


def catalogue() -> Catalog:
    """Return all messages, each with the files it is in."""
    found = Catalog(project="Recscope", charset="utf-8")
    for path in sorted({path for pattern in SOURCES for path in ROOT.glob(pattern)}):
        for message in marked(path):
            found.add(message, locations=[(path.relative_to(ROOT).as_posix(), 0)])
    for name, messages in tables():
        for message in messages:
            if message:
                found.add(message, locations=[(name, 0)])
    for one in found:
        one.flags.discard("python-format")  # a per cent sign is only that
    return found


def marked(path: Path) -> Iterator[str | tuple[str, str]]:
    """Give the messages that are marked in a source file.

    The tree of the file is read, since the extractor of Babel misses calls inside f-strings and the plural of a call
    that ends with a comma.

    Raises:
        SystemExit: A message has values in it, so that it cannot be found in a catalogue; or that of an error is not
            marked.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        if _is_untranslated_error(node):
            raise SystemExit(f"{path}:{node.lineno}: the message of the error is not translated; put it inside `_()`.")
        for option in node.keywords:
            if option.arg == STAGE and isinstance(option.value, ast.Constant) and option.value.value:
                yield str(option.value.value)
        called = str(getattr(node.func, "id", getattr(node.func, "attr", "")))
        texts = node.args[: MARKS.get(called, 0)]
        if any(isinstance(one, ast.JoinedStr) for one in texts):
            raise SystemExit(f"{path}:{node.lineno}: the message is an f-string; fill its values in after translation.")
        forms = [one.value for one in texts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if len(forms) == len(texts) and forms:
            yield forms[0] if len(forms) == 1 else (forms[0], forms[1])


def _is_untranslated_error(node: ast.Call) -> bool:
    """Return whether a call makes an error of the library from words that are not marked."""
    name = str(getattr(node.func, "id", getattr(node.func, "attr", "")))
    if name not in LIBRARY_ERRORS or not node.args:
        return False
    parts = node.args[0].values if isinstance(node.args[0], ast.JoinedStr) else node.args[:1]
    return any(isinstance(one, ast.Constant) and WORD.search(str(one.value)) for one in parts)


def tables() -> Iterator[tuple[str, list[str]]]:
    """Give the messages of each table, with the file that it is in."""
    from recsys_core.configs import choice_name, field_specs
    from recsys_core.evaluation.metric_info import METRICS
    from recsys_core.models.registry import model_class, model_infos
    from recsys_core.profiles.behavior import HABITS
    from recsys_core.strategy.cards import CARDS
    from recsys_core.viz.inside_views import PICTURES
    from recsys_core.viz.questions import QUESTIONS

    for key, info in model_infos().items():
        model = model_class(key)
        specs = field_specs(model.config_type)
        settings = [text for spec in specs for text in (spec.label, spec.help)]
        choices = [choice_name(choice) for spec in specs for choice in spec.choices]
        yield _file(model), [info.title, info.family, info.idea, info.weights, info.fold_in_note, *settings, *choices]
    for card in CARDS.values():
        specs = field_specs(card)
        texts = [text for spec in specs for text in (spec.label, spec.help)]
        yield _file(card), [*texts, *(choice_name(choice) for spec in specs for choice in spec.choices)]
    for metric in METRICS.values():
        yield _file(type(metric)), [metric.title, metric.idea, metric.unit]
    for habit in HABITS:
        yield _file(type(habit)), [habit.label, habit.unit, habit.meaning, habit.more, habit.less]
    for question in QUESTIONS.values():
        yield _file(type(question)), [question.title, question.reading]
    for picture in PICTURES.values():
        yield _file(type(picture)), [picture.question, picture.reading]


def _file(defined: type) -> str:
    return f"{defined.__module__.replace('.', '/')}.py"


def rendered() -> bytes:
    """Return the template file: sorted, without dates and line numbers, so that it changes only with the messages."""
    file = io.BytesIO()
    write_po(file, catalogue(), width=120, sort_output=True, omit_header=True, include_lineno=False)
    return b"# All messages of Recscope; written by `make texts`.\n\n" + file.getvalue()


def main(arguments: list[str]) -> int:
    """Check or write the template; return the exit code."""
    text = rendered()
    if "--write" in arguments:
        TEMPLATE.parent.mkdir(exist_ok=True)
        TEMPLATE.write_bytes(text)
    elif not TEMPLATE.is_file() or TEMPLATE.read_bytes() != text:
        sys.stderr.write(REMEDY + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
