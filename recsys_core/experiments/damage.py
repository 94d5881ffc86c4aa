"""Detection of damaged files in the folder of a finished job, shared between processes.

`result.json` lists the other files of a job with their checksums; the record of the split does so for the files beside
it. A shallow check costs a few `stat` calls; a file is read completely once per process, when it is opened. Damage is
recorded in `damage.json`, which is valid for the damaged file only: a copy restored from a backup is checked again.
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
from recsys_core.text import _

MARKER = "damage.json"
_known: dict[Path, tuple[Identity, dict[str, FileSum] | None]] = {}


def sums_of(record: Path) -> dict[str, FileSum] | None:
    """Return the checksums in a record; None if an earlier version wrote it.

    Raises:
        Damaged: The record is missing, or its checksum differs.
    """
    found: Identity | None = None
    with contextlib.suppress(OSError, Damaged):  # reading the record reports the error
        found = identity(record)
    known = _known.get(record)
    if known is not None and known[0] == found:
        return known[1]
    try:
        sums = sums_from_json(read_record(record).get(FILES))
    except (TypeError, AttributeError) as error:
        raise Damaged(
            _("'{record_name}' in {parent} does not list its files.").format(
                record_name=record.name, parent=record.parent
            )
        ) from error
    if found is not None and is_settled(found):
        _known[record] = found, sums
    return sums


def check_files(record: Path, *, deep: Iterable[str] = (), names: Iterable[str] | None = None) -> None:
    """Verify the files listed in a record.

    Args:
        record: The record with their checksums.
        deep: Names of the files whose checksums are computed; the others get a shallow check.
        names: The files to check; defaults to all files in the record.

    Raises:
        Damaged: A file or the record is missing, or its checksum differs.
    """
    sums = sums_of(record)
    wanted = (sums or {}) if names is None else names
    read = set(deep)
    for name in wanted:
        if sums is not None and name not in sums:
            raise Damaged(
                _("'{name}' in {parent} is not among the files that were written.").format(
                    name=name, parent=record.parent
                )
            )
        try:
            verify(record.parent / name, None if sums is None else sums[name], deep=name in read)
        except Damaged as error:
            if name in read:
                _remember(record.parent, name)
            raise Damaged(f"{error} (in {record.parent}).") from error


def damage_of(record: Path, *, deep: Iterable[str] = (), names: Iterable[str] | None = None) -> str | None:
    """Return the damage in the folder of a record, None if none is known."""
    try:
        check_files(record, deep=deep, names=names)
    except Damaged as error:
        return str(error)
    return _remembered(record.parent)


def _remember(folder: Path, name: str) -> None:
    """Record the damage for other processes; disk errors are ignored, since each process can detect it."""
    with contextlib.suppress(StoreError, OSError, Damaged):
        write_json(folder / MARKER, {"file": name, "identity": list(identity(folder / name))})


def _remembered(folder: Path) -> str | None:
    """Return the damage recorded by another process, if it applies to the current file."""
    marker = folder / MARKER
    if not marker.exists():
        return None
    try:
        values = read_record(marker)
        name = str(values["file"])
        if list(identity(folder / Path(name).name)) == values["identity"]:
            return _("'{name}' is not what was written: its checksum differs (in {folder}).").format(
                name=name, folder=folder
            )
    except (OSError, KeyError, Damaged):
        return None
    return None
