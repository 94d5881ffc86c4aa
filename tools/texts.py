"""Template of all messages, `recsys_core/locale/recscope.pot`, extracted from the source code.

    python -m tools.texts           check that the template is up to date (part of `make lint`)
    python -m tools.texts --write   write it (`make texts`)

Messages are the literals inside `_()`, `n_()`, `later()`, `Template()` and `Words()`, and the fields of the tables that
describe models, settings, metrics, questions and features of behavior (`tables`).
"""

import io
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import write_po

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "recsys_core" / "locale" / "recscope.pot"
SOURCES = ("app.py", "pages/**/*.py", "recsys_core/**/*.py")
KEYWORDS: dict[str, Any] = {
    "_": None,
    "later": None,
    "Words": None,
    "n_": (1, 2),
    "Template": {1: (1,), 2: (1, 2)},
}
REMEDY = "The template of messages is not up to date: run `make texts` and commit recsys_core/locale/recscope.pot."


def extracted() -> Catalog:
    """Return all messages with the files that contain them."""
    catalog = Catalog(project="Recscope", charset="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Babel skips f-strings with a warning only
        for path in sorted({path for pattern in SOURCES for path in ROOT.glob(pattern)}):
            name = path.relative_to(ROOT).as_posix()
            for _line, message, _comments, _context in extract_from_file("python", path, keywords=KEYWORDS):
                catalog.add(message, locations=[(name, 0)])
    for name, messages in tables():
        for message in messages:
            if message:
                catalog.add(message, locations=[(name, 0)])
    for one in catalog:
        one.flags.discard("python-format")  # percent signs are literal
    return catalog


def tables() -> Iterator[tuple[str, list[str]]]:
    """Yield the file and the messages of each table."""
    from recsys_core.configs import field_specs
    from recsys_core.models.registry import model_class, model_infos
    from recsys_core.profiles.behavior import HABITS

    for key, info in model_infos().items():
        model = model_class(key)
        settings = [text for spec in field_specs(model.config_type) for text in (spec.label, spec.help)]
        yield f"{model.__module__.replace('.', '/')}.py", [info.title, info.idea, info.weights, *settings]
    yield (
        "recsys_core/profiles/behavior.py",
        [text for one in HABITS for text in (one.label, one.meaning, one.more, one.less)],
    )


def rendered() -> bytes:
    """Return the template file: sorted, without dates and line numbers, so that it changes only with the messages."""
    file = io.BytesIO()
    write_po(file, extracted(), width=120, sort_output=True, omit_header=True, include_lineno=False)
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
