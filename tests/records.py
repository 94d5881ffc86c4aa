"""Changes to stored files: with updated checksums, or like bit rot."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recsys_core.storage.checksums import CHECKSUM, FILES, file_sums, read_record, sums_to_json, write_record


def rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change a record and update its checksum."""
    write_record(path, change(read_record(path)))


def list_again(record: Path) -> None:
    """Update the list of files of a record to their present content."""
    rewrite(record, lambda values: values | {FILES: sums_to_json(file_sums(record.parent, values[FILES]))})


def as_before_checksums(folder: Path) -> None:
    """Remove the checksums from every record below a folder, as written by earlier versions."""
    for path in folder.rglob("*.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(values, dict) and CHECKSUM in values:
            plain = {name: value for name, value in values.items() if name not in (CHECKSUM, FILES)}
            path.write_text(json.dumps(plain), encoding="utf-8")


def flip_bit(path: Path, place: float = 0.5) -> None:
    """Flip one bit of a file, like bit rot; size and name stay."""
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(bytes(content))
