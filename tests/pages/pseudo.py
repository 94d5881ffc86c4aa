"""A made-up language that accents every vowel of every message, and the words of a page that it did not reach."""

import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Node

from recsys_core import text

LANGUAGE = "eo"
TEMPLATE = Path(__file__).resolve().parents[2] / "recsys_core" / "locale" / "recscope.pot"
ACCENTS = str.maketrans("aeiouAEIOU", "áéíóúÁÉÍÓÚ")
KEPT = re.compile(
    r"(%?\{[^{}]*\}|<style>.*?</style>|<[^<>]*>|:[a-z]+/[a-z_]+:|:[a-z]+(?:-[a-z]+)*(?=\[)"
    r"|\$[^$]*\$|`[^`]*`|\]\([^)]*\)|&[a-z]+;)",
    re.DOTALL,
)
"""What is no word in a message: placeholders, tags, icons, colors, formulas, code, addresses."""
SOURCE = "S\u00f3\u00farc\u00e9: .*"
"""Papers are cited in their own words."""
WORD = re.compile(r"[A-Za-z\u00c0-\u00ff]{3,}(?![A-Za-z\u2026])")
SHOWN = {"body", "label", "help", "placeholder", "options", "text", "alt", "caption", "captions"}
"""Fields of Streamlit's messages that are read on a page."""
SHOWN_IN_FIGURE = {"text", "name", "hovertemplate", "ticktext", "x", "y"}


def accented(message: str) -> str:
    """Return a message in the made-up language."""
    parts = KEPT.split(message)  # every second part is kept
    return "".join(part if place % 2 else part.translate(ACCENTS) for place, part in enumerate(parts))


def write_catalogue(folder: Path) -> None:
    """Write the catalogue of the made-up language below a folder of catalogues."""
    catalogue = read_po(io.BytesIO(TEMPLATE.read_bytes()))
    for message in catalogue:
        if message.id:
            forms = message.id if isinstance(message.id, tuple) else (message.id,)
            translated = tuple(accented(form) for form in forms)
            message.string = translated if len(forms) > 1 else translated[0]
    path = folder / LANGUAGE / "LC_MESSAGES" / "recscope.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalogue)


@contextmanager
def catalogues(folder: Path) -> Iterator[None]:
    """Use the catalogues of a folder, in which the made-up language is written, instead of the product's."""

    def forget() -> None:
        text.languages.cache_clear()
        text._catalogue.cache_clear()

    write_catalogue(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "CATALOGUES", folder)
        forget()
        yield
    forget()


def texts(app: AppTest) -> Iterator[str]:
    """Give every text that a page shows, figures and their hover texts included."""

    def walk(node: Any) -> Iterator[str]:
        proto = getattr(node, "proto", None)
        if isinstance(proto, Message):
            if proto.DESCRIPTOR.name == "PlotlyChart":
                yield from _of_figure(json.loads(proto.spec))
            yield from _of_message(proto)
        for child in getattr(node, "children", {}).values():
            yield from walk(child)

    root: Node = app._tree
    yield from walk(root)


def _of_message(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for one in value if field.is_repeated else [value]:
                if isinstance(one, Message):
                    yield from _of_message(one)
        elif field.name in SHOWN and field.type == field.TYPE_STRING:
            yield from value if field.is_repeated else [value]


def _of_figure(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key != "template":
                yield from _of_figure(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from _of_figure(one, name)
    elif isinstance(value, str) and name in SHOWN_IN_FIGURE:
        yield value


def untranslated(app: AppTest, known: frozenset[str]) -> dict[str, str]:
    """Return the words of a page that did not pass through the catalogue, each with a text that it is in."""
    return english_words(texts(app), known)


def english_words(shown: Iterable[str], known: frozenset[str]) -> dict[str, str]:
    """Return the words that did not pass through the catalogue, each with a text that it is in."""
    found: dict[str, str] = {}
    for one in shown:
        plain = " ".join(KEPT.split(re.sub(SOURCE, "", one))[::2])
        for word in WORD.findall(plain):
            if word.isascii() and re.search("[aeiouAEIOU]", word) and word.lower() not in known:
                found.setdefault(word, one)
    return found
