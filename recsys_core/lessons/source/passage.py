"""A passage of the source document, and what Recscope does with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Passage:
    """Consecutive lines of the document, from a line that begins with `begins` to the next passage.

    Texts are messages in Markdown.

    Args:
        key: Its name, also in the file of the English text.
        section: Key of the section of the map (`recsys_core.lessons.document`) that it belongs to.
        begins: How its first line begins.
        does: What Recscope does.
        reading: The interpretation chosen where the text is ambiguous; empty if it is not.
        departure: Where Recscope differs from the text, and why; empty if it does not.
        models: Keys of the models that implement it.
        literal: Model -> settings of the form that is closest to the text, if they are not the defaults.
        pages: Keys of the pages that show it.
        lessons: Keys of the lessons that teach it.
        code: Where it is in the code, `module:name` below `recsys_core`.
    """

    key: str
    section: str
    begins: str
    does: str
    reading: str = ""
    departure: str = ""
    models: Sequence[str] = ()
    literal: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pages: Sequence[str] = ()
    lessons: Sequence[str] = ()
    code: Sequence[str] = ()


@dataclass(frozen=True)
class Part:
    """A chapter of the document, shown on one screen.

    Args:
        key: Its name, as in links.
        number: Its number in the document.
        title: Its subject, a message.
        passages: Its passages, in the order of the document.
    """

    key: str
    number: str
    title: str
    passages: Sequence[Passage]
