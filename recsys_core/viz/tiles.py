"""Tiles of items for the shop window: title, category, a color, and a picture if the data contain one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from recsys_core.columns import CATEGORIES, LIST_SEPARATOR
from recsys_core.data import Dataset
from recsys_core.data.labels import titles_of
from recsys_core.viz.theme import PALETTE

PICTURES = ("picture", "image", "image_url", "poster", "cover", "thumbnail")
"""Names of columns that may hold pictures."""
LARGEST_PICTURE = 100_000
"""Characters of a picture; 24 tiles of this size load in a moment."""
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class Tile:
    """An item in the shop window.

    Args:
        item: Item position.
        title: Title or identifier.
        category: First category; empty without one.
        color: Color of the category.
        picture: `data:` URL of a picture; None if the data have none. Other addresses are not loaded: no page looks up
            anything outside the server.
    """

    item: int
    title: str
    category: str
    color: str
    picture: str | None


def tiles(dataset: Dataset, items: Sequence[int]) -> list[Tile]:
    """Return the tiles of items."""
    import numpy as np

    titles = titles_of(dataset, np.asarray(items, dtype=np.int64))
    table = dataset.items
    found = []
    for item, title in zip(items, titles, strict=True):
        category = _first(None if table is None or CATEGORIES not in table else table[CATEGORIES].iloc[item])
        cells = [] if table is None else [table[name].iloc[item] for name in PICTURES if name in table]
        picture = next((cell for cell in map(picture_of, cells) if cell), None)
        found.append(Tile(int(item), title, category, _color(category), picture))
    return found


def picture_of(cell: object) -> str | None:
    """Return a cell if it is a picture that can be shown: a `data:` URL of an image; else None."""
    if isinstance(cell, str) and len(cell) <= LARGEST_PICTURE and _DATA_IMAGE.fullmatch(cell):
        return cell
    return None


def style(shown: Sequence[Tile], prefix: str) -> str:
    """Return the CSS of tiles whose containers have the class `st-key-{prefix}{item}`."""
    rules = [COMMON.replace("PREFIX", prefix)]
    for tile in shown:
        name = f".st-key-{prefix}{tile.item} button"
        rules.append(f"{name} {{ border-top-color: {tile.color}; }}")
        if tile.picture is not None:
            rules.append(f"{name}::before {{ background-image: url({tile.picture}); height: 72px; }}")
    return f"<style>{' '.join(rules)}</style>"


COMMON = """
[class*="st-key-tiles_"] {
  display: grid; gap: 0.5rem; grid-template-columns: repeat(auto-fill, minmax(max(100px, (100% - 2.5rem) / 6), 1fr));
}
[class*="st-key-tiles_"] :is([data-testid=stLayoutWrapper], [data-testid=stVerticalBlock],
  [data-testid=stElementContainer], [data-testid=stButton]) { height: 100%; }
[class*="st-key-PREFIX"] button p > span:first-of-type { display: block; }
[class*="st-key-PREFIX"] button {
  width: 100%; height: 100%; min-height: 76px; padding: 6px 8px; border-top: 6px solid; justify-content: flex-start;
  align-items: flex-start; flex-direction: column; text-align: left; overflow: hidden; overflow-wrap: anywhere;
}
[class*="st-key-PREFIX"] button::before {
  content: ""; display: block; width: 100%; background: center / contain no-repeat;
}
[class*="st-key-PREFIX"] button > div { justify-content: flex-start; text-align: left; }
"""
"""A grid of tiles. A tile: a band in the color of the category, the picture if there is one, and the text."""


def _first(cell: object) -> str:
    return cell.split(LIST_SEPARATOR)[0] if isinstance(cell, str) else ""


@lru_cache(maxsize=256)
def _color(category: str) -> str:
    """Return the color of a category: the same in every data set and language."""
    return PALETTE[sum(category.encode()) % len(PALETTE)]
