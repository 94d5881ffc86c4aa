"""Public data sets that can be fetched from their publishers: addresses, terms, citations and columns."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys_core.errors import ConfigError, DataError

PATH = Path(__file__).resolve().parents[2] / "data" / "catalogue.toml"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RemoteFile(_Part):
    """A file at its publisher's address."""

    url: str = Field(pattern=r"^https?://")
    """Where it is fetched from."""
    name: str = Field(pattern=NAME)
    """What it is called here: a plain file name."""
    size_bytes: int = Field(gt=0)
    """Its size."""
    size_is_exact: bool = True
    """False if the publisher changes the file, or its size is only known roughly."""
    md5: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    """Checksum in hexadecimal digits, None where none is known."""


class TableHint(_Part):
    """Which file of a data set is which table."""

    table: Literal["interactions", "users", "items", "social"]
    """One of the four tables."""
    file: str
    """Path within the archive, or name of the file."""
    separator: str
    """Between two cells."""
    header: bool
    """Whether the first line names the columns."""
    columns: dict[str, str | int]
    """Role -> name of the column, or its place from 0."""
    encoding: str = "utf-8"
    """How text is written."""


class CatalogueEntry(_Part):
    """A public data set."""

    key: str = Field(pattern=NAME)
    """Its name in the catalogue."""
    title: str
    """What people call it."""
    about: str
    """What is in it, in a sentence or two."""
    page: str
    """The publisher's page."""
    rows: int
    """Interactions."""
    users: int
    """Users."""
    items: int
    """Items."""
    licence_name: str
    """The terms in a few words."""
    licence: str
    """The terms in full, shown before anything is fetched."""
    citation: str
    """What a publication has to cite."""
    files: tuple[RemoteFile, ...] = Field(min_length=1)
    """What is fetched."""
    tables: tuple[TableHint, ...]
    """What is in the files."""

    @property
    def size_bytes(self) -> int:
        """Bytes to fetch, all files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def has_checksum(self) -> bool:
        """Whether every file can be checked to the last bit."""
        return all(file.md5 for file in self.files)

    @property
    def download_name(self) -> str:
        """Name of the file that a download leaves: the publisher's, or one archive of several."""
        return self.files[0].name if len(self.files) == 1 else f"{self.key}.zip"


def catalogue(path: Path = PATH) -> dict[str, CatalogueEntry]:
    """Return the public data sets by key, in the order of the file.

    Raises:
        DataError: The file is missing or does not read.
    """
    try:
        with path.open("rb") as stream:
            entries = tomllib.load(stream)
        return {key: CatalogueEntry(key=key, **entry) for key, entry in entries.items()}
    except (OSError, tomllib.TOMLDecodeError, ValidationError, TypeError) as error:
        raise DataError(f"The catalogue of public data sets '{path.name}' cannot be read: {error}.") from error


def catalogue_entry(key: str) -> CatalogueEntry:
    """Return one public data set.

    Raises:
        ConfigError: There is no such key.
    """
    entries = catalogue()
    if key not in entries:
        raise ConfigError(f"There is no public data set '{key}' in the catalogue. Known: {', '.join(entries)}.")
    return entries[key]
