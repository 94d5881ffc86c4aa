"""Metadata of a stored data set, readable without opening its tables."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from recsys_core.columns import RATING, TIMESTAMP
from recsys_core.contracts import RatingScale
from recsys_core.errors import Damaged
from recsys_core.storage.checksums import FILES, FileSum, read_record, sums_from_json, sums_to_json, write_record
from recsys_core.storage.files import write_text
from recsys_core.text import _

if TYPE_CHECKING:
    from recsys_core.data.dataset import Dataset

META = "meta.json"
FORMAT = 1


@dataclass(frozen=True)
class DatasetCard:
    """What is known of a stored data set without its tables: counts, columns and checksums."""

    name: str
    fingerprint: str
    created: str
    n_users: int
    n_items: int
    n_interactions: int
    columns: tuple[str, ...]
    rating_scale: RatingScale | None
    has_users: bool
    has_items: bool
    has_social: bool
    files: dict[str, FileSum] | None = None
    """Size and checksum of each file; None for data stored by an earlier version, which are not verified."""
    format: int = FORMAT

    @classmethod
    def of(cls, dataset: "Dataset", *, fingerprint: str, created: str) -> Self:
        """Return the metadata of a data set in memory, with its fingerprint and time of creation."""
        return cls(
            name=dataset.name,
            fingerprint=fingerprint,
            created=created,
            n_users=dataset.n_users,
            n_items=dataset.n_items,
            n_interactions=dataset.n_interactions,
            columns=tuple(dataset.interactions.columns),
            rating_scale=dataset.rating_scale,
            has_users=dataset.load_users is not None,
            has_items=dataset.load_items is not None,
            has_social=dataset.load_social is not None,
        )

    @property
    def has_ratings(self) -> bool:
        """Whether interactions have ratings."""
        return RATING in self.columns

    @property
    def has_timestamps(self) -> bool:
        """Whether interactions have timestamps."""
        return TIMESTAMP in self.columns

    def stored_as(self, name: str) -> Self:
        """Return the metadata of the same data, stored now under this name."""
        return replace(self, name=name, created=now())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the metadata of a folder.

        Raises:
            Damaged: The metadata is missing, or differs from what was written.
        """
        try:
            return cls._from_json(read_record(folder / META))
        except Damaged as error:
            raise Damaged(
                _("The data set in '{folder_name}' cannot be read: {error}.").format(
                    folder_name=folder.name, error=error
                )
            ) from error

    @classmethod
    def _from_json(cls, values: dict[str, Any]) -> Self:
        """Return metadata from plain values; since earlier versions have no checksum, each field is validated.

        Raises:
            Damaged: The values do not describe a data set.
        """
        try:
            scale = values["rating_scale"]
            values["rating_scale"] = None if scale is None else RatingScale(**scale)
            values["columns"] = tuple(values["columns"])
            values["files"] = sums_from_json(values.get(FILES))
            meta = cls(**values)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise Damaged(
                _("'{meta}' does not describe a data set ({error})").format(meta=META, error=error)
            ) from error
        for fact, kind in cls.__annotations__.items():
            value: Any = getattr(meta, fact)
            if kind in (str, int, bool) and (type(value) is not kind or (isinstance(value, int) and value < 0)):
                raise Damaged(
                    _("'{meta}' has the invalid value {fact}={value!r}").format(meta=META, fact=fact, value=value)
                )
        if not all(isinstance(column, str) for column in meta.columns) or not meta.fingerprint:
            raise Damaged(
                _("'{meta}' does not describe a data set (no column names, or no fingerprint)").format(meta=META)
            )
        return meta

    def write(self, folder: Path) -> None:
        """Write the metadata atomically, after all other files: a folder without it is incomplete.

        If the checksums of the other files are unknown, the metadata gets none either: nothing is verified.

        Raises:
            StoreError: Writing failed.
        """
        values = {name: value for name, value in asdict(self).items() if name != FILES}
        if self.files is None:
            write_text(folder / META, json.dumps(values, ensure_ascii=False, indent=1))
        else:
            write_record(folder / META, values | {FILES: sums_to_json(self.files)})


def now() -> str:
    """Return the time of creation of a data set stored now: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
