"""Changing what is stored, with checksums that fit again afterwards, or as a disk does that grows old."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recsys_core.storage.checksums import CHECKSUM, FILES, file_sums, read_record, sums_to_json, write_record


def rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change a record and give it the checksum of what it is then."""
    write_record(path, change(read_record(path)))


def list_again(record: Path) -> None:
    """Let a record list the files beside it as they are now."""
    rewrite(record, lambda values: values | {FILES: sums_to_json(file_sums(record.parent, values[FILES]))})


def as_before_checksums(folder: Path) -> None:
    """Take the checksums out of every record below a folder, as an earlier version wrote them."""
    for path in folder.rglob("*.json"):
        values = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(values, dict) and CHECKSUM in values:
            plain = {name: value for name, value in values.items() if name not in (CHECKSUM, FILES)}
            path.write_text(json.dumps(plain), encoding="utf-8")


def flip_bit(path: Path, place: float = 0.5) -> None:
    """Change one bit of a file, as a disk does that grows old; size and name stay."""
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(bytes(content))
