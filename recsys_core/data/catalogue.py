"""Catalogue of downloadable public data sets: URLs, licenses, citations and columns."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys_core.errors import ConfigError, DataError
from recsys_core.text import _

PATH = Path(__file__).resolve().parents[2] / "data" / "catalogue.toml"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RemoteFile(_Part):
    """A file on the publisher's server."""

    url: str = Field(pattern=r"^https?://")
    """Download URL."""
    name: str = Field(pattern=NAME)
    """Local name, a plain file name."""
    size_bytes: int = Field(gt=0)
    """Size in bytes."""
    size_is_exact: bool = True
    """False if the publisher updates the file, or its size is only approximate."""
    md5: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    """Checksum in hexadecimal digits, None if unknown."""


class TableHint(_Part):
    """Which file of a data set holds which table."""

    table: Literal["interactions", "users", "items", "social"]
    """One of the four tables."""
    file: str
    """Path within the archive, or name of the file."""
    separator: str
    """Cell separator."""
    header: bool
    """Whether the first line is a header."""
    columns: dict[str, str | int]
    """Role -> column name, or column number from 0."""
    encoding: str = "utf-8"
    """Text encoding."""


class CatalogueEntry(_Part):
    """A public data set."""

    key: str = Field(pattern=NAME)
    """Key in the catalogue."""
    title: str
    """Display name."""
    about: str
    """Description in one or two sentences."""
    page: str
    """The publisher's page."""
    rows: int
    """Number of interactions."""
    users: int
    """Number of users."""
    items: int
    """Number of items."""
    licence_name: str
    """Short name of the license."""
    licence: str
    """Full terms, shown before the download."""
    citation: str
    """Required citation."""
    files: tuple[RemoteFile, ...] = Field(min_length=1)
    """Files to download."""
    tables: tuple[TableHint, ...]
    """Tables in the files."""

    @property
    def size_bytes(self) -> int:
        """Total download size in bytes."""
        return sum(file.size_bytes for file in self.files)

    @property
    def has_checksum(self) -> bool:
        """Whether every file has a checksum."""
        return all(file.md5 for file in self.files)

    @property
    def download_name(self) -> str:
        """Name of the downloaded file: the publisher's, or one archive if there are several files."""
        return self.files[0].name if len(self.files) == 1 else f"{self.key}.zip"


def catalogue(path: Path = PATH) -> dict[str, CatalogueEntry]:
    """Return the public data sets by key, in the order of the file.

    Raises:
        DataError: The catalogue file is missing or invalid.
    """
    try:
        with path.open("rb") as stream:
            entries = tomllib.load(stream)
        return {key: CatalogueEntry(key=key, **entry) for key, entry in entries.items()}
    except (OSError, tomllib.TOMLDecodeError, ValidationError, TypeError) as error:
        raise DataError(
            _("The catalogue of public data sets '{path_name}' cannot be read: {error}.").format(
                path_name=path.name, error=error
            )
        ) from error


def catalogue_entry(key: str) -> CatalogueEntry:
    """Return one public data set.

    Raises:
        ConfigError: There is no such key.
    """
    entries = catalogue()
    if key not in entries:
        raise ConfigError(
            _("There is no public data set '{key}' in the catalogue. Known: {entries}.").format(
                key=key, entries=", ".join(entries)
            )
        )
    return entries[key]
