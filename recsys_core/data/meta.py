"""What is known of a stored data set without opening its tables: one file of plain facts."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from recsys_core.contracts import RatingScale
from recsys_core.errors import StoreError

META = "meta.json"
FORMAT = 1


@dataclass(frozen=True)
class Meta:
    """What is known of a data set without opening its tables."""

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
    format: int = FORMAT

    @classmethod
    def fresh(cls, **facts: Any) -> Self:
        """Return the facts of a data set that is made now."""
        return cls(created=datetime.now(UTC).isoformat(timespec="seconds"), **facts)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the facts that a folder holds.

        Raises:
            StoreError: There are none, or they cannot be read.
        """
        try:
            values = json.loads((folder / META).read_text(encoding="utf-8"))
            scale = values["rating_scale"]
            values["rating_scale"] = None if scale is None else RatingScale(**scale)
            values["columns"] = tuple(values["columns"])
            return cls(**values)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError(f"The data set in '{folder.name}' cannot be read: {error}.") from error

    def write(self, folder: Path) -> None:
        """Write the facts, last of all files: a folder without them is half-written."""
        aside = folder / f"{META}.aside"
        aside.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1), encoding="utf-8")
        aside.replace(folder / META)
