"""The chapters of the source document in its order, each with its passages."""

from functools import cache

from recsys_core.errors import ConfigError
from recsys_core.lessons.document import SECTIONS
from recsys_core.lessons.source.collaborative import MATRIX, NEIGHBORS
from recsys_core.lessons.source.concepts import BACKGROUND, CONCEPTS, MODULES, STEPS
from recsys_core.lessons.source.content import FACTORS, MEANS, PROFILES
from recsys_core.lessons.source.deep import ATTENTION, NETWORKS
from recsys_core.lessons.source.passage import Part, Passage
from recsys_core.lessons.source.sequence import SEQUENCE
from recsys_core.text import _, later

_TITLES = {section.key: section.title for section in SECTIONS}
PARTS = (
    Part("1", "1", _TITLES["1"], BACKGROUND),
    Part("concepts", "2 (1–7)", later("Concepts"), CONCEPTS),
    Part("steps", "2 [1–9]", later("The nine steps"), STEPS),
    Part("modules", "3 (1–4)", later("Function modules"), MODULES),
    Part("1.1", "1.1", _TITLES["1.1"], PROFILES),
    Part("1.2", "1.2", _TITLES["1.2"], MEANS),
    Part("1.3", "1.3", _TITLES["1.3"], FACTORS),
    Part("2.1", "2.1", _TITLES["2.1"], MATRIX),
    Part("2.2", "2.2", _TITLES["2.2"], NEIGHBORS),
    Part("3.1", "3.1", _TITLES["3.1"], NETWORKS),
    Part("3.2", "3.2", _TITLES["3.2"], ATTENTION),
    Part("3.3", "3.3", _TITLES["3.3"], SEQUENCE),
)
PART_KEYS = tuple(part.key for part in PARTS)


@cache
def passages() -> tuple[Passage, ...]:
    """Return all passages, in the order of the document."""
    return tuple(passage for part in PARTS for passage in part.passages)


def part(key: str) -> Part:
    """Return a chapter; for the key of a section of the map, the chapter in which the section begins.

    Raises:
        ConfigError: There is neither a chapter nor a section with this key.
    """
    own = next((one for one in PARTS if one.key == key), None)
    of_section = (one for one in PARTS if any(passage.section == key for passage in one.passages))
    found = own or next(of_section, None)
    if found is None:
        raise ConfigError(
            _("The source document has no section '{key}'; it has {part_keys}.").format(
                key=key, part_keys=", ".join(PART_KEYS)
            )
        )
    return found
