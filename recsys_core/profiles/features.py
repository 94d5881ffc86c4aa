"""Feature vectors of items and users with named parts and columns."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, diags_array

from recsys_core.columns import TITLE
from recsys_core.contracts import FloatArray
from recsys_core.data.dataset import Dataset
from recsys_core.errors import ConfigError, DataError
from recsys_core.profiles.kinds import Kind, columns_of, entries, kinds_of, vector
from recsys_core.profiles.pictures import MEASURES, read_pictures
from recsys_core.profiles.scaling import Block, as_numbers, dense_block, flags, joined, scaled, seasons, years
from recsys_core.profiles.words import YEAR_IN_TITLE, topics, weighted_terms
from recsys_core.text import _

CATEGORY_PART, TERM_PART, TOPIC_PART = "categories", "terms", "topics"
NUMBER_PART, DATE_PART, PICTURE_PART, EMBEDDING_PART = "numbers", "dates", "pictures", "embedding"
ITEM_PARTS = (CATEGORY_PART, TERM_PART, TOPIC_PART, NUMBER_PART, DATE_PART, PICTURE_PART, EMBEDDING_PART)
"""All parts of an item feature vector, in this order."""
_TERMS_OF_USERS = 200


@dataclass(frozen=True, eq=False)
class Features:
    """N rows with named columns, grouped in parts.

    Args:
        matrix: (N, F) float64.
        names: (F,) column names.
        parts: Name of a part -> its columns; parts are consecutive and cover all columns.
    """

    matrix: csr_array
    names: tuple[str, ...]
    parts: Mapping[str, slice]

    @classmethod
    def of(cls, blocks: Mapping[str, Block], rows: int) -> "Features":
        """Return features with blocks of columns as parts; empty blocks are dropped."""
        kept = {name: block for name, block in blocks.items() if block.names}
        ends = np.cumsum([0, *(len(block.names) for block in kept.values())]).tolist()
        whole = joined(list(kept.values()), rows)
        places = {name: slice(ends[place], ends[place + 1]) for place, name in enumerate(kept)}
        return cls(whole.matrix, whole.names, places)

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    def part(self, name: str) -> csr_array:
        """Return (N, F_part) columns of one part.

        Raises:
            DataError: The part does not exist.
        """
        return csr_array(self.matrix[:, self._place(name)])

    def names_of(self, name: str) -> tuple[str, ...]:
        """Return the names of the columns of one part."""
        return self.names[self._place(name)]

    def part_of(self, column: int) -> str:
        """Return the name of the part that a column belongs to."""
        return next(name for name, place in self.parts.items() if place.start <= column < place.stop)

    def only(self, names: Collection[str]) -> "Features":
        """Return the features with only these parts, in the existing order.

        Raises:
            DataError: A part does not exist.
        """
        for name in names:
            self._place(name)
        return Features.of({name: block for name, block in self._blocks().items() if name in names}, len(self))

    def beside(self, other: "Features") -> "Features":
        """Return the parts of both features side by side.

        Raises:
            DataError: A part exists in both, or the numbers of rows differ.
        """
        if len(self) != len(other) or set(self.parts) & set(other.parts):
            raise DataError(_("Features can only be joined if they have the same rows and no common part."))
        return Features.of(self._blocks() | other._blocks(), len(self))

    def _blocks(self) -> dict[str, Block]:
        return {name: Block(self.part(name), self.names_of(name)) for name in self.parts}

    def _place(self, name: str) -> slice:
        if name not in self.parts:
            raise DataError(
                _("There is no part '{name}'; there are: {parts}.").format(
                    name=name, parts=", ".join(self.parts) or "none"
                )
            )
        return self.parts[name]


def unit_rows(matrix: csr_array) -> csr_array:
    """Return the rows scaled to unit length; zero rows are unchanged."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return csr_array(diags_array(1 / np.where(lengths > 0, lengths, 1.0)) @ matrix)


def item_features(
    dataset: Dataset, *, parts: Collection[str] | None = None, components: int = 0, pictures: Path | None = None
) -> Features:
    """Return feature vectors from the item table, one row per item.

    Parts, as far as the table has the columns:

    - `categories`: 1 for each category of an item;
    - `terms`: TF-IDF of the words in titles and texts (see `weighted_terms`), unit rows; or, with `components` > 0,
      `topics` instead: their truncated SVD;
    - `numbers`: prices and other numbers, scaled by median and quartiles, with flags for missing values;
    - `dates`: dates and years (also a year at the end of titles) as scaled years, and the season;
    - `pictures`: colors and edges of images (see `pictures.measure`), scaled, with one flag for missing images;
    - `embedding`: vectors from the table (column of lists), scaled to unit length.

    Args:
        dataset: Any data set with an item table.
        parts: Parts to compute; all by default. Parts without columns in the table are left out.
        components: Number of topics, 0 for terms.
        pictures: Folder or zip file with the image files named in the table; without it only images stored as bytes in
            the table are measured.

    Returns:
        (I, F) features; F may be 0.

    Raises:
        DataError: The data set has no item table, vectors have different lengths, or `pictures` cannot be opened.
        ConfigError: `parts` contains an unknown name.
    """
    if dataset.items is None:
        raise DataError(
            _("Data set '{dataset_name}' has no item table; upload one with an item id column.").format(
                dataset_name=dataset.name
            )
        )
    for name in parts or ():
        if name not in ITEM_PARTS:
            raise ConfigError(
                _("Unknown part of item features '{name}'; available: {item_parts}.").format(
                    name=name, item_parts=", ".join(ITEM_PARTS)
                )
            )
    wanted = set(ITEM_PARTS if parts is None else parts)
    if wanted & {TERM_PART, TOPIC_PART}:
        wanted |= {TERM_PART, TOPIC_PART}
    table, kinds = dataset.items, kinds_of(dataset.items)
    makers: dict[str, Callable[[], Block]] = {
        CATEGORY_PART: lambda: _encoded(table, kinds, Kind.CATEGORIES),
        TERM_PART: lambda: Block(*_terms(table, kinds)) if components == 0 else joined([], len(table)),
        TOPIC_PART: lambda: dense_block(*topics(*_terms(table, kinds), components)),
        NUMBER_PART: lambda: _encoded(table, kinds, Kind.NUMBER),
        DATE_PART: lambda: _dates(table, kinds),
        PICTURE_PART: lambda: _pictures(table, kinds, pictures),
        EMBEDDING_PART: lambda: _encoded(table, kinds, Kind.EMBEDDING),
    }
    return Features.of({name: make() for name, make in makers.items() if name in wanted}, len(table))


def user_attributes(dataset: Dataset) -> Features:
    """Return feature vectors from the user table, one row per user and one part per column of the table.

    Categories (also lists of them) become flags, numbers and dates are scaled by median and quartiles with a flag for
    missing values, texts become TF-IDF weights of their words. Codes, links and images are left out.

    Returns:
        (U, F) features; F may be 0.

    Raises:
        DataError: The data set has no user table.
    """
    if dataset.users is None:
        raise DataError(
            _("Data set '{dataset_name}' has no user table; upload one with the column of identifiers.").format(
                dataset_name=dataset.name
            )
        )
    table = dataset.users
    kinds = {name: kind for name, kind in kinds_of(table).items() if kind in _ENCODERS}
    return Features.of({name: _ENCODERS[kind](table[name], name) for name, kind in kinds.items()}, len(table))


def _encoded(table: pd.DataFrame, kinds: Mapping[str, Kind], kind: Kind) -> Block:
    """Return all columns of one kind side by side."""
    return joined([_ENCODERS[kind](table[name], name) for name in columns_of(kinds, kind)], len(table))


def _terms(table: pd.DataFrame, kinds: Mapping[str, Kind]) -> tuple[csr_array, tuple[str, ...]]:
    """Return TF-IDF weights of all texts of an item, with the year removed from its title."""
    columns = [_texts(table[name], is_title=name == TITLE) for name in columns_of(kinds, Kind.TEXT)]
    return weighted_terms([" ; ".join(cells) for cells in zip(*columns, strict=True)] if columns else [""] * len(table))


def _texts(column: pd.Series, *, is_title: bool) -> list[str]:
    texts = [cell if isinstance(cell, str) else "" for cell in column]
    return [YEAR_IN_TITLE.sub("", text) for text in texts] if is_title else texts


def _dates(table: pd.DataFrame, kinds: Mapping[str, Kind]) -> Block:
    blocks = []
    for name in columns_of(kinds, Kind.DATE):
        blocks += [_ENCODERS[Kind.DATE](table[name], name), seasons(table[name])]
    if not blocks and TITLE in table:
        blocks.append(scaled(years_in_titles(table[TITLE]), "year in the title"))
    return joined(blocks, len(table))


def years_in_titles(titles: pd.Series) -> FloatArray:
    """Return (N,) the years in parentheses at the end of titles, NaN elsewhere; all NaN if less than half of the titles
    have one.
    """
    found = titles.astype("str").str.extract(YEAR_IN_TITLE.pattern, expand=False)
    year = as_numbers(found)
    return year if np.isfinite(year).mean() >= 0.5 else np.full(len(titles), np.nan)


def _pictures(table: pd.DataFrame, kinds: Mapping[str, Kind], files: Path | None) -> Block:
    blocks = []
    for name in columns_of(kinds, Kind.PICTURE):
        measures = read_pictures(table[name].tolist(), files).measures
        gone = np.isnan(measures[:, 0])
        if gone.all():
            continue
        numbered = zip(MEASURES, measures.T, strict=True)
        blocks += [scaled(values, f"{name}: {what}", flagged=False) for what, values in numbered]
        if gone.any():
            blocks.append(dense_block(gone[:, None].astype(np.float64), (f"{name} missing",)))
    return joined(blocks, len(table))


def _embedding(column: pd.Series, name: str) -> Block:
    """Return unit vectors; zeros where missing.

    Raises:
        DataError: The vectors have different lengths.
    """
    rows = [vector(cell) for cell in column]
    sizes = {len(row) for row in rows if row is not None}
    if len(sizes) > 1:
        raise DataError(
            _("Column '{name}' has vectors of different lengths: {least} to {most} numbers.").format(
                name=name, least=min(sizes), most=max(sizes)
            )
        )
    size = sizes.pop() if sizes else 0
    matrix = np.array([np.zeros(size) if row is None else row for row in rows]).reshape(len(rows), size)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return dense_block(matrix / np.where(lengths > 0, lengths, 1.0), [f"{name} {place + 1}" for place in range(size)])


def _terms_of_users(column: pd.Series, name: str) -> Block:
    weights, terms = weighted_terms(["; ".join(entries(cell)) for cell in column], _TERMS_OF_USERS)
    return Block(weights, tuple(f"{name}: {term}" for term in terms))


_ENCODERS: Mapping[Kind, Callable[[pd.Series, str], Block]] = {
    Kind.CATEGORIES: flags,
    Kind.NUMBER: lambda column, name: scaled(as_numbers(column), name),
    Kind.DATE: lambda column, name: scaled(years(column), name),
    Kind.TEXT: _terms_of_users,
    Kind.EMBEDDING: _embedding,
}
"""Kind of a column -> its encoding; other kinds are not features of users."""
