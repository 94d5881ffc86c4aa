"""The run card: one zip file with everything needed to check an experiment on another machine.

Members: `card.json` (format, id, names, size and SHA-256 of every other member), `spec.json`, `summary.json`, the split
(`split.json`, `people.parquet`, `hidden.parquet`), and of each finished model its result, values per user, recommended
lists, training curves and environment. Data are named by their fingerprint and are not included; neither are trained
models, whose arrays would be trusted by compiled loops. A re-run gives both results and models.

The last bytes of the file, the comment of the zip, are the SHA-256 of all bytes before them, so that any changed byte
is found, also between the members. A card from elsewhere is untrusted input: see `card_reader`. Checksums
prove that a card is complete and unchanged, not who wrote it.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from recsys_core.errors import DataError
from recsys_core.experiments.artifacts import ENVIRONMENT, HISTORY, LISTS, PER_USER, RESULT
from recsys_core.experiments.damage import check_files
from recsys_core.experiments.experiment import JOBS, SPEC, SPLIT, SUMMARY, Run
from recsys_core.experiments.held_out_users import HELD_OUT, USERS
from recsys_core.storage.checksums import FILES, FileSum, file_sum, sums_to_json
from recsys_core.storage.files import written_aside
from recsys_core.text import _
from recsys_core.version import VERSION

CARD = "card.json"
FORMAT = 1
SUFFIX = ".runcard.zip"
OF_RUN = (SPEC, SUMMARY, SPLIT, USERS, HELD_OUT)
OF_JOB = (RESULT, PER_USER, LISTS, HISTORY, ENVIRONMENT)
SEAL = b"sha256:"
SEAL_BYTES = len(SEAL) + 64
WRITTEN = (1980, 1, 1, 0, 0, 0)
"""Time of all members, so that equal experiments give equal cards."""
BLOCK = 1 << 20


@dataclass(frozen=True)
class Member:
    """A file of a card.

    Args:
        name: Its name in the zip.
        path: Its location in the store.
    """

    name: str
    path: Path


def export_card(run: Run, target: Path) -> Path:
    """Write the card of an experiment.

    Args:
        run: The experiment; at least one model is done and none is queued or running.
        target: The file.

    Raises:
        DataError: No model is done, or one is queued or running.
        Damaged: A file of the experiment differs from what was written.
        StoreError: Writing failed.
    """
    if run.is_live:
        raise DataError(
            _("'{run_name}' has not finished: export its run card when all models have ended.").format(
                run_name=run.name
            )
        )
    done = run.finished()
    if not done:
        raise DataError(
            _("'{run_name}' has no finished model, so there is nothing to put into a run card.").format(
                run_name=run.name
            )
        )
    members = list(_members(run, done))
    sums = {member.name: file_sum(member.path) for member in members}
    with written_aside(target) as aside:
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            _put(archive, CARD, json.dumps(_facts(run, done, sums), ensure_ascii=False, indent=1).encode())
            for member in members:
                with member.path.open("rb") as source:
                    _copy(archive, member.name, source)
            archive.comment = SEAL + b"0" * 64
        _seal(aside)
    return target


def digest_before_seal(file: IO[bytes], size: int) -> str:
    """Return the SHA-256 of all bytes of a card before its seal."""
    digest = hashlib.sha256()
    file.seek(0)
    left = size - SEAL_BYTES + len(SEAL)
    while left > 0:
        block = file.read(min(BLOCK, left))
        if not block:
            break
        digest.update(block)
        left -= len(block)
    return digest.hexdigest()


def _members(run: Run, done: tuple[str, ...]) -> Iterator[Member]:
    """Yield the files of a card after verifying them."""
    check_files(run.path / SPLIT, deep=(USERS, HELD_OUT), names=(USERS, HELD_OUT))
    for name in OF_RUN:
        yield Member(name, run.path / name)
    for model in done:
        folder = run.path / JOBS / model
        checked = [name for name in OF_JOB if name != RESULT]
        check_files(folder / RESULT, deep=checked, names=checked)
        for name in OF_JOB:
            yield Member(f"{JOBS}/{model}/{name}", folder / name)


def _facts(run: Run, done: tuple[str, ...], sums: dict[str, FileSum]) -> dict[str, Any]:
    report = run.split_report() or {}
    return {
        "format": FORMAT,
        "recscope": VERSION,
        "id": run.id,
        "data": {
            "fingerprint": run.spec.data,
            "name": run.data_name,
            "users": report.get("users"),
            "items": report.get("items"),
        },
        "jobs": {model: {"ended": run.status(model).ended} for model in done},
        FILES: sums_to_json(sums),
    }


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, WRITTEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_info(name), content)


def _copy(archive: zipfile.ZipFile, name: str, source: IO[bytes]) -> None:
    with archive.open(_info(name), "w", force_zip64=True) as target:
        while block := source.read(BLOCK):
            target.write(block)


def _seal(path: Path) -> None:
    """Replace the last digits of a card by the SHA-256 of all bytes before them."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        digest = digest_before_seal(file, size)
        file.seek(size - 64)
        file.write(digest.encode())
