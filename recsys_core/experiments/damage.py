"""What is damaged in the folder of a finished job, and how that is remembered for other processes.

The record with the numbers, `result.json`, lists the other files with their checksums; the record of the split does so
for what stands beside it. Looking costs a few looks at the folder; a file is read through once a process, when it is
opened. Whoever finds damage leaves `damage.json`, which counts as long as the file is the one that was found damaged:
a copy that was put back from a backup is looked at anew.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from recsys_core.errors import Damaged, StoreError
from recsys_core.storage.checksums import (
    FILES,
    FileSum,
    Identity,
    identity,
    is_settled,
    read_record,
    sums_from_json,
    verify,
)
from recsys_core.storage.files import write_json

MARKER = "damage.json"
_known: dict[Path, tuple[Identity, dict[str, FileSum] | None]] = {}


def sums_of(record: Path) -> dict[str, FileSum] | None:
    """Return what the files beside a record must be; None if an earlier version wrote it.

    Raises:
        Damaged: The record is missing, or not what was written.
    """
    found: Identity | None = None
    with contextlib.suppress(OSError, Damaged):  # reading it says what is wrong
        found = identity(record)
    known = _known.get(record)
    if known is not None and known[0] == found:
        return known[1]
    try:
        sums = sums_from_json(read_record(record).get(FILES))
    except (TypeError, AttributeError) as error:
        raise Damaged(f"'{record.name}' in {record.parent} does not list its files.") from error
    if found is not None and is_settled(found):
        _known[record] = found, sums
    return sums


def check_files(record: Path, *, deep: Iterable[str] = (), names: Iterable[str] | None = None) -> None:
    """Compare the files beside a record with what was written.

    Args:
        record: Lists them.
        deep: Names of those that are read through; the others are looked at.
        names: The files that are wanted; by default all that the record lists.

    Raises:
        Damaged: One of them, or the record, is missing or not what was written.
    """
    sums = sums_of(record)
    wanted = (sums or {}) if names is None else names
    read = set(deep)
    for name in wanted:
        if sums is not None and name not in sums:
            raise Damaged(f"'{name}' in {record.parent} is not among the files that were written.")
        try:
            verify(record.parent / name, None if sums is None else sums[name], deep=name in read)
        except Damaged as error:
            if name in read:
                _remember(record.parent, name)
            raise Damaged(f"{error} (in {record.parent}).") from error


def damage_of(record: Path, *, deep: Iterable[str] = (), names: Iterable[str] | None = None) -> str | None:
    """Return what is damaged in the folder of a record, None if nothing is known to be."""
    try:
        check_files(record, deep=deep, names=names)
    except Damaged as error:
        return str(error)
    return _remembered(record.parent)


def _remember(folder: Path, name: str) -> None:
    """Leave a note for other processes; a disk that refuses is ignored, since each of them can find out by itself."""
    with contextlib.suppress(StoreError, OSError, Damaged):
        write_json(folder / MARKER, {"file": name, "identity": list(identity(folder / name))})


def _remembered(folder: Path) -> str | None:
    """Return what the note of another process says, if it is about the file that is there now."""
    marker = folder / MARKER
    if not marker.exists():
        return None
    try:
        values = read_record(marker)
        name = str(values["file"])
        if list(identity(folder / Path(name).name)) == values["identity"]:
            return f"'{name}' is not what was written: its checksum differs (in {folder})."
    except (OSError, KeyError, Damaged):
        return None
    return None
