"""What users note about an experiment: tags, a note, favorite, archived; stored beside its spec.

Changes are made under the lock of the experiment and name only what they change, so two users who annotate the same
experiment at once lose nothing: tags of both are kept, and a note that was rewritten meanwhile is not overwritten.
"""

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from recsys_core.errors import ConfigError, Damaged, StoreError
from recsys_core.experiments.experiment import LOCK
from recsys_core.storage.checksums import read_record, write_record
from recsys_core.storage.locks import locked
from recsys_core.text import _

logger = logging.getLogger(__name__)
ANNOTATIONS = "annotations.json"
LONGEST_NAME, LONGEST_TAG, LONGEST_NOTE, MOST_TAGS = 200, 40, 10_000, 20


@dataclass(frozen=True)
class Annotations:
    """Annotations of an experiment.

    Args:
        tags: In alphabetical order.
        note: Free text of several lines.
        favorite: Whether it is listed first.
        archived: Whether it is hidden from the list unless archived experiments are shown.
    """

    tags: tuple[str, ...] = ()
    note: str = ""
    favorite: bool = False
    archived: bool = False


def read_annotations(folder: Path) -> Annotations:
    """Return the annotations in the folder of an experiment; damaged ones are logged and count as empty."""
    if not (folder / ANNOTATIONS).exists():
        return Annotations()
    try:
        values: dict[str, Any] = read_record(folder / ANNOTATIONS)
        return Annotations(
            tags=tuple(str(tag) for tag in values["tags"]),
            note=str(values["note"]),
            favorite=bool(values["favorite"]),
            archived=bool(values["archived"]),
        )
    except (Damaged, KeyError, TypeError) as error:
        logger.warning("The annotations of experiment %s cannot be read: %s", folder.name, error)
        return Annotations()


def annotate(
    folder: Path,
    *,
    add_tags: Iterable[str] = (),
    remove_tags: Iterable[str] = (),
    favorite: bool | None = None,
    archived: bool | None = None,
) -> Annotations:
    """Change tags and marks of an experiment; what is not named stays unchanged.

    Raises:
        ConfigError: A tag is invalid, or there would be too many.
        StoreError: The experiment was deleted, or a disk error.
    """
    added, removed = [valid_tag(tag) for tag in add_tags], set(remove_tags)
    with locked(folder / LOCK):
        before = read_annotations(folder)
        tags = tuple(sorted(({*before.tags} - removed) | {*added}, key=str.casefold))
        if len(tags) > MOST_TAGS:
            raise ConfigError(
                _("An experiment can have {most_tags} tags; remove some first.").format(most_tags=MOST_TAGS)
            )
        after = replace(
            before,
            tags=tags,
            favorite=before.favorite if favorite is None else favorite,
            archived=before.archived if archived is None else archived,
        )
        write_record(folder / ANNOTATIONS, asdict(after))
    return after


def write_note(folder: Path, note: str, *, before: str) -> Annotations:
    """Replace the note of an experiment.

    Args:
        folder: The folder of the experiment.
        note: The text; empty removes it.
        before: The note that the user saw; another stored note is not overwritten.

    Raises:
        ConfigError: The note is too long.
        StoreError: The note was changed meanwhile, the experiment was deleted, or a disk error.
    """
    if len(note) > LONGEST_NOTE:
        raise ConfigError(
            _("A note can have {most:,} characters; this one has {length:,}.").format(
                most=LONGEST_NOTE, length=len(note)
            )
        )
    with locked(folder / LOCK):
        stored = read_annotations(folder)
        if stored.note not in (before, note):
            raise StoreError(
                _("The note was changed meanwhile and was not overwritten. It now reads: {note}").format(
                    note=stored.note
                )
            )
        after = replace(stored, note=note)
        write_record(folder / ANNOTATIONS, asdict(after))
    return after


def valid_name(name: str, what: str | None = None) -> str:
    """Return a name without surrounding white space.

    Args:
        name: The name.
        what: What it names, the subject of the message; an experiment by default.

    Raises:
        ConfigError: It is empty, too long, or has characters that cannot be printed.
    """
    return _valid(name, LONGEST_NAME, what or _("The name of an experiment"))


def valid_tag(tag: str) -> str:
    """Return a tag without surrounding white space.

    Raises:
        ConfigError: It is empty, too long, or contains a comma or characters that cannot be printed.
    """
    if "," in tag:
        raise ConfigError(_("A tag cannot contain a comma: '{tag}'.").format(tag=tag))
    return _valid(tag, LONGEST_TAG, "A tag")


def _valid(text: str, longest: int, what: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= longest or not text.isprintable():
        raise ConfigError(_("{what} must have 1 to {longest} printable characters.").format(what=what, longest=longest))
    return text
