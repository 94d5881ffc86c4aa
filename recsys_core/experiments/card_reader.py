"""Open run cards, which are untrusted input: every byte, name, size, checksum and table is verified before it is used.

Nothing in a card is executed, and no name in it becomes a path: only the expected names are accepted.
"""

import contextlib
import hashlib
import re
import struct
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from recsys_core.errors import Damaged, DataError, RecscopeError
from recsys_core.experiments.analysis import compare_run, findings, users_of
from recsys_core.experiments.annotations import LONGEST_NAME
from recsys_core.experiments.artifacts import MODEL as MODEL_FILE
from recsys_core.experiments.artifacts import OUTPUTS, RESULT, JobResult
from recsys_core.experiments.card_tables import check_tables
from recsys_core.experiments.experiment import JOBS, LOCK, SPEC, SUMMARY, Run, read_summary
from recsys_core.experiments.jobs import STATUS, JobState, JobStatus
from recsys_core.experiments.leaderboard import contenders, leaderboard
from recsys_core.experiments.run_card import (
    BLOCK,
    CARD,
    FORMAT,
    OF_JOB,
    OF_RUN,
    SEAL,
    SEAL_BYTES,
    digest_before_seal,
)
from recsys_core.experiments.spec import ExperimentSpec, spec_id
from recsys_core.experiments.store import ID, ResultStore
from recsys_core.storage.checksums import FILES, FileSum, file_sum, read_record, sums_from_json, write_record
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.text import _

CARD_BYTES = 2 * 2**30
UNPACKED_BYTES = 8 * 2**30
RATIO = 200
RATIO_FREE_BYTES = 10 * 2**20
"""Below this size the compression ratio is not limited: short texts compress well."""
MEMBERS = 1_000
DIRECTORY_BYTES = 2**20
JSON_BYTES = 4 * 2**20
END = struct.Struct("<4s4H2LH")
"""End of the central directory of a zip, before its comment."""
END_SIGNATURE = b"PK\x05\x06"
MODEL_ID = r"[a-z0-9_]{1,60}-[0-9a-f]{8}"
NAME = re.compile(rf"{'|'.join(map(re.escape, OF_RUN))}|{JOBS}/({MODEL_ID})/(?:{'|'.join(map(re.escape, OF_JOB))})")
NOT_IN_CARD = "The run card does not contain this model, since it had not finished. Train it again."


@dataclass(frozen=True)
class CardFacts:
    """What a verified card says about itself.

    Args:
        id: Id of the experiment.
        name: Its name.
        data: Fingerprint of its data set.
        data_name: Name of the data set.
        recscope: Version that wrote the card.
        models: Ids of the models that it contains.
        files: Names of all verified members.
    """

    id: str
    name: str
    data: str
    data_name: str
    recscope: str
    models: tuple[str, ...]
    files: tuple[str, ...]


def verify_card(path: Path) -> CardFacts:
    """Verify a run card completely; nothing is stored.

    Raises:
        DataError: It is not a run card, exceeds a limit, or differs from what was written.
        StoreError: A disk error.
    """
    with TemporaryDirectory(prefix="recscope-card-") as folder, disk_errors_in_words(Path(folder)):
        return _unpacked(path, Path(folder))


def open_card(path: Path, store: ResultStore) -> Run:
    """Verify a run card and store its experiment; one that is stored already is not stored twice.

    If the store has the same experiment with other results, such as those of another machine, the opened one becomes a
    repetition of it; see `rerun`.

    Raises:
        DataError: It is not a run card, exceeds a limit, or differs from what was written.
        StoreError: A disk error.
    """
    with store.receiving() as folder:
        facts = _unpacked(path, folder)
        (folder / CARD).unlink()
        spec = read_record(folder / SPEC)
        number = int(spec.get("repetition", 0))
        while (place := store.folder / spec_id(spec)).exists():
            if _same_results(place, folder, facts.models):
                return store.open(place.name)
            number += 1
            spec["repetition"] = number
        write_record(folder / SPEC, spec)
        write_record(folder / SUMMARY, _summary(folder) | {"imported": time.time()})
        store.take_in(folder, place.name)
        return store.open(place.name)


def _unpacked(path: Path, folder: Path) -> CardFacts:
    """Verify a card and write its members into an empty folder, as the folder of a run."""
    facts = _members_written(path, folder)
    try:
        spec, models = _checked_spec(folder, facts)
        summary = read_summary(folder)
        for model in spec.models:
            _complete_job(folder / JOBS / model.id, model.id, model.key, facts)
        check_tables(folder, models)
        (folder / LOCK).touch()
        _rehearse(Run(folder))
    except Damaged as error:
        raise DataError(_("The run card cannot be opened: {error}").format(error=error)) from error
    return CardFacts(
        id=facts["id"],
        name=summary.name,
        data=spec.data,
        data_name=summary.data_name,
        recscope=str(facts.get("recscope", "unknown")),
        models=models,
        files=tuple(facts[FILES]),
    )


def _members_written(path: Path, folder: Path) -> dict[str, Any]:
    """Verify seal, directory, names, sizes and checksums; write the members and return the content of `card.json`."""
    _check_seal(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = _checked_members(archive, path.stat().st_size)
            _extract(archive, members[CARD], folder / CARD, None)
            facts, sums = _card_facts(folder / CARD)
            if set(sums) != set(members) - {CARD}:
                raise DataError(_("The run card cannot be opened: its list of files differs from its content."))
            for name, expected in sums.items():
                _extract(archive, members[name], folder / name, expected)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError) as error:
        raise DataError(
            _("The run card cannot be opened: it is not a valid zip file ({error}).").format(error=error)
        ) from error
    return facts


def _check_seal(path: Path) -> None:
    """Verify the checksum of the whole file, and the size of the directory, before any of it is interpreted.

    Raises:
        DataError: The file is not a run card, or a byte was changed.
    """
    if not path.is_file():
        raise DataError(_("There is no file '{path}'.").format(path=path))
    size = path.stat().st_size
    if size > CARD_BYTES:
        raise DataError(
            _("The run card has {size:,} bytes; at most {card_bytes:,} are read.").format(
                size=size, card_bytes=CARD_BYTES
            )
        )
    with path.open("rb") as file:
        file.seek(max(0, size - SEAL_BYTES - END.size))
        tail = file.read()
        seal = tail[-SEAL_BYTES:]
        if len(tail) < SEAL_BYTES + END.size or not seal.startswith(SEAL):
            raise DataError(_("This file is not a run card of Recscope, or it was cut off or changed at its end."))
        if seal[len(SEAL) :] != digest_before_seal(file, size).encode():
            raise DataError(_("The run card is not what was written: at least one byte was changed. Get it again."))
    signature, _disk, _first, _here, entries, length, _offset, comment = END.unpack(tail[: END.size])
    if signature != END_SIGNATURE or comment != SEAL_BYTES:
        raise DataError(_("This file is not a run card of Recscope."))
    if entries > MEMBERS or length > DIRECTORY_BYTES:
        raise DataError(
            _("The run card has too many files: {entries:,}; at most {members:,} are read.").format(
                entries=entries, members=MEMBERS
            )
        )


def _checked_members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name.

    Raises:
        DataError: A name is not expected or occurs twice, or a member is encrypted, packed in an unknown way, or too
            large.
    """
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.filename != CARD and not NAME.fullmatch(info.filename):
            raise DataError(
                _("The run card contains '{filename}', which does not belong into a run card.").format(
                    filename=info.filename[:100]
                )
            )
        if info.filename in members:
            raise DataError(_("The run card contains '{filename}' twice.").format(filename=info.filename))
        if info.flag_bits & 0x1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                _("'{filename}' in the run card is encrypted or packed in an unsupported way.").format(
                    filename=info.filename
                )
            )
        if info.filename.endswith(".json") and info.file_size > JSON_BYTES:
            raise DataError(
                _("'{filename}' in the run card has {file_size:,} bytes; too many for a record.").format(
                    filename=info.filename, file_size=info.file_size
                )
            )
        members[info.filename] = info
    total = sum(info.file_size for info in members.values())
    if total > UNPACKED_BYTES or (total > RATIO_FREE_BYTES and total > RATIO * size):
        raise DataError(
            _("The run card has {size:,} bytes and unpacks to {total:,}, like a bomb; it was refused.").format(
                size=size, total=total
            )
        )
    if missing := [name for name in (CARD, *OF_RUN) if name not in members]:
        raise DataError(_("The run card is incomplete: {missing} is missing.").format(missing=", ".join(missing)))
    return members


def _card_facts(path: Path) -> tuple[dict[str, Any], dict[str, FileSum]]:
    try:
        facts = read_record(path)
        sums = sums_from_json(facts[FILES]) or {}
        valid = isinstance(facts["jobs"], dict) and ID.fullmatch(facts["id"])
        written_as = int(facts["format"])
    except (Damaged, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            _("The run card cannot be opened: its description is invalid ({error}).").format(error=error)
        ) from error
    if written_as > FORMAT:
        raise DataError(
            _("The run card has format {written_as}, which a later version of Recscope wrote; update first.").format(
                written_as=written_as
            )
        )
    if not valid:
        raise DataError(_("The run card cannot be opened: its description is invalid."))
    return facts, sums


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, expected: FileSum | None) -> None:
    """Write a member and verify its size and checksum while writing; no more bytes than declared are written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, count = hashlib.sha256(), 0
    with archive.open(info) as source, target.open("xb") as file:
        while block := source.read(BLOCK):
            count += len(block)
            if count > info.file_size:
                raise DataError(
                    _("'{filename}' in the run card is larger than it declares.").format(filename=info.filename)
                )
            digest.update(block)
            file.write(block)
    if expected is not None and (count, digest.hexdigest()) != (expected.bytes, expected.sha256):
        raise DataError(
            _("'{filename}' in the run card is not what was written: its checksum differs.").format(
                filename=info.filename
            )
        )


def _checked_spec(folder: Path, facts: dict[str, Any]) -> tuple[ExperimentSpec, tuple[str, ...]]:
    """Return the spec and the ids of the models in the card, in its order.

    Raises:
        DataError: The spec is invalid, unknown to this version, or not the one that the id names.
    """
    values = read_record(folder / SPEC)
    try:
        spec = ExperimentSpec.stored(values)
        if spec_id(values) != facts["id"]:
            raise DataError(_("The run card cannot be opened: its id does not belong to its spec."))
    except (ValidationError, RecscopeError, KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            _("This version cannot open the run card: {splitlines}").format(splitlines=str(error).splitlines()[0])
        ) from error
    present = {match[1] for name in facts[FILES] if (match := NAME.fullmatch(name)) and match[1]}
    known = tuple(model.id for model in spec.models)
    if not present or not present <= set(known) or set(facts["jobs"]) != present:
        raise DataError(_("The run card cannot be opened: its models are not those of its spec."))
    for model in present:
        if missing := [name for name in OF_JOB if f"{JOBS}/{model}/{name}" not in facts[FILES]]:
            raise DataError(
                _("The run card is incomplete: {missing} of '{model}' is missing.").format(
                    missing=", ".join(missing), model=model
                )
            )
    return spec, tuple(model for model in known if model in present)


def _complete_job(folder: Path, model_id: str, key: str, facts: dict[str, Any]) -> None:
    """Write the status of a job, and remove the model from the list of its files."""
    if model_id not in facts["jobs"]:
        folder.mkdir(parents=True)
        lost = JobStatus(model_id, key, JobState.FAILED, 0.0, ended=0.0, cause="not_in_card", reason=NOT_IN_CARD)
        write_record(folder / STATUS, lost.to_json())
        return
    values = read_record(folder / RESULT)
    result = JobResult.from_json(values)
    listed = values.get(FILES)
    if result.key != key or not isinstance(listed, dict):
        raise DataError(
            _("The run card cannot be opened: the result of '{model_id}' is of another model.").format(
                model_id=model_id
            )
        )
    kept = {name: listed.get(name) for name in OUTPUTS if name != MODEL_FILE}
    try:
        if sums_from_json(kept) != {name: file_sum(folder / name) for name in kept}:
            raise DataError(
                _("The run card cannot be opened: the result of '{model_id}' lists other files.").format(
                    model_id=model_id
                )
            )
    except (TypeError, AttributeError) as error:
        raise DataError(
            _("The run card cannot be opened: the result of '{model_id}' lists no files.").format(model_id=model_id)
        ) from error
    write_record(folder / RESULT, values | {FILES: kept})
    ended = _time_of(facts["jobs"][model_id])
    write_record(folder / STATUS, JobStatus(model_id, key, JobState.DONE, ended, ended=ended).to_json())


def _rehearse(run: Run) -> None:
    """Compute what the pages show of an experiment, so that a malformed record is found before it is stored.

    Raises:
        DataError: A record or table is malformed.
    """
    try:
        users = users_of(run)
        for model_id in run.finished():
            found = run.environment(model_id)
            if not isinstance(found.get("packages", {}), dict):
                raise TypeError("the environment has no versions")
        comparison = None
        with contextlib.suppress(DataError):  # no common users, or no model has the metric
            comparison = compare_run(run, users=users)
        findings(run, users, comparison=comparison)
        if comparison is not None:
            leaderboard(contenders(run, users), comparison)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise DataError(
            _("The run card cannot be opened: a record is malformed ({type_name}).").format(
                type_name=type(error).__name__
            )
        ) from error


def _time_of(job: Any) -> float:
    ended = job.get("ended") if isinstance(job, dict) else None
    return float(ended) if isinstance(ended, int | float) and 0 <= ended < 1e11 else 0.0


def _summary(folder: Path) -> dict[str, Any]:
    """Return the names and creation time of an unpacked run, with names that can be shown."""
    found = read_summary(folder)
    names = {"name": found.name, "data_name": found.data_name}
    shown = {key: "".join(letter for letter in name if letter.isprintable()).strip() for key, name in names.items()}
    return {key: name[:LONGEST_NAME] or "?" for key, name in shown.items()} | {"created": found.created.timestamp()}


def _same_results(place: Path, folder: Path, models: tuple[str, ...]) -> bool:
    """Return whether a stored run has the results of an unpacked card."""
    names = [name for name in OUTPUTS if name != MODEL_FILE]
    with contextlib.suppress(OSError):
        return all(
            file_sum(place / JOBS / model / name) == file_sum(folder / JOBS / model / name)
            for model in models
            for name in names
        )
    return False
