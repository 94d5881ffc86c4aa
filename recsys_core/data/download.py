"""Download public data sets with progress, resume, retries, checksums and limits.

Bytes go to `NAME.part` and stay there after an interruption; the next attempt requests only the rest. The file gets its
final name once it is complete and verified.
"""

import hashlib
import logging
import os
import re
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO

import requests
from urllib3.exceptions import NewConnectionError

from recsys_core.contracts import Progress, RunContext
from recsys_core.data.catalogue import CatalogueEntry, RemoteFile
from recsys_core.errors import Cancelled, DataError, StoreError
from recsys_core.storage.files import IS_WINDOWS
from recsys_core.storage.locks import take_lock
from recsys_core.text import _

logger = logging.getLogger(__name__)
CHUNK = 16 * 1024
"""Bytes per chunk; the maximum lost when a connection breaks."""
REPORT_EVERY = 0.25
"""Seconds between progress messages."""


@dataclass(frozen=True)
class DownloadLimits:
    """Limits of a download.

    Args:
        connect_seconds: Connection timeout.
        read_seconds: Read timeout; also the maximum delay of a cancellation.
        attempts: Maximum number of attempts, including the first.
        pause_seconds: Pause before the second attempt; doubled before each further one.
        max_bytes: Maximum file size.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    attempts: int = 4
    pause_seconds: float = 1.0
    max_bytes: int = 4 * 1024**3


DEFAULT_LIMITS = DownloadLimits()


class _Interrupted(DataError):
    """The connection broke; another attempt may resume."""


@dataclass(frozen=True)
class _Target:
    """One file to download, with its destination and limits."""

    file: RemoteFile
    folder: Path
    ctx: RunContext
    limits: DownloadLimits

    @property
    def done(self) -> Path:
        return self.folder / self.file.name

    @property
    def part(self) -> Path:
        return self.folder / f"{self.file.name}.part"

    @property
    def tag(self) -> Path:
        """File with the ETag of the version that the partial file belongs to."""
        return self.folder / f"{self.file.name}.part.etag"

    @property
    def most_bytes(self) -> int:
        """Maximum number of bytes written."""
        known = self.file.size_bytes if self.file.size_is_exact else 4 * self.file.size_bytes
        return min(known, self.limits.max_bytes)


def download(entry: CatalogueEntry, folder: Path, ctx: RunContext, limits: DownloadLimits = DEFAULT_LIMITS) -> Path:
    """Download a public data set into a folder and return the resulting file.

    Complete files are not downloaded again. Several files are packed into one archive.

    Args:
        entry: The catalogue entry.
        folder: Destination; created if absent.
        ctx: Progress in bytes, and cancellation; partial files stay for the next attempt.
        limits: Bounds on time, size and attempts.

    Raises:
        DataError: The URL, connection, size or checksum is wrong.
        StoreError: The file cannot be written.
        Cancelled: The user cancelled the download.
    """
    result = folder / entry.download_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if len(entry.files) > 1 and result.exists():
            return result
        parts = [_fetch(_Target(file, folder, ctx, limits)) for file in entry.files]
        return parts[0] if len(parts) == 1 else _packed(parts, result)
    except OSError as error:
        raise StoreError(
            _("'{entry_title}' cannot be written to {folder}: {strerror}.").format(
                entry_title=entry.title, folder=folder, strerror=error.strerror or error
            )
        ) from error


def _fetch(target: _Target) -> Path:
    """Download one file, with retries."""
    if target.done.exists():
        if _is_right(target.file, target.done):
            return target.done
        target.done.unlink()
    _refuse_size(target, target.file.size_bytes if target.file.size_is_exact else 0)
    with _locked(target) as stream:
        for attempt in range(1, target.limits.attempts + 1):
            try:
                _transfer(target, stream)
                break
            except _Interrupted as broken:
                if attempt == target.limits.attempts:
                    raise
                logger.warning("attempt %d: %s", attempt, broken)
                _wait(target, target.limits.pause_seconds * 2 ** (attempt - 1))
        stream.flush()
        os.fsync(stream.fileno())
        if not _is_right(target.file, target.part):
            _forget(target, stream)
            raise DataError(
                _(
                    "The checksum of '{file_name}' differs from the catalogue: the file is corrupt or "
                    "has changed. It was discarded; try again, and if this repeats, check the "
                    "publisher's page."
                ).format(file_name=target.file.name)
            )
        target.part.replace(target.done)
    target.tag.unlink(missing_ok=True)
    return target.done


def _transfer(target: _Target, stream: IO[bytes]) -> None:
    """Request the missing bytes and append them.

    Raises:
        _Interrupted: The connection failed or ended early.
        DataError: Another attempt would not help.
    """
    have = stream.seek(0, os.SEEK_END)
    if target.file.size_is_exact and have == target.file.size_bytes:
        return
    headers = {"Accept-Encoding": "identity"}
    tag = target.tag.read_text(encoding="ascii") if target.tag.exists() else ""
    if have and (tag or target.file.md5):
        headers |= {"Range": f"bytes={have}-"} | ({"If-Range": tag} if tag else {})
    timeouts = (target.limits.connect_seconds, target.limits.read_seconds)
    with _in_words(target), requests.get(target.file.url, headers=headers, stream=True, timeout=timeouts) as answer:
        start = _start(target, stream, answer, have)
        if start is None:
            return
        stream.truncate(start)
        _remember(target, answer)
        promised = answer.headers.get("Content-Length", "")
        total = start + int(promised) if promised.isdigit() else None
        _refuse_size(target, total or 0)
        _append(target, stream, answer, start, total)


def _start(target: _Target, stream: IO[bytes], answer: requests.Response, have: int) -> int | None:
    """Return the offset at which the response starts, None if the file is complete; raise on an error response."""
    status, name = answer.status_code, target.file.name
    if target.file.url.startswith("https:") and not answer.url.startswith("https:"):
        raise DataError(
            _("The server redirects '{name}' to an unencrypted URL; it was not downloaded.").format(name=name)
        )
    if status == HTTPStatus.OK:
        return 0
    span = re.match(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)$", answer.headers.get("Content-Range", ""))
    if status == HTTPStatus.PARTIAL_CONTENT and span and span[1] == str(have):
        return have
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and span and span[2] == str(have):
        return None
    if status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        _forget(target, stream)
        raise _Interrupted(
            _("The server sent a different range of '{name}' than requested; the download restarts.").format(name=name)
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise _Interrupted(
            _("The server of '{name}' returned {status} ({answer_reason}); try again later.").format(
                name=name, status=status, answer_reason=answer.reason
            )
        )
    gone = " The file no longer exists; check the publisher's page." if status in (404, 410) else ""
    raise DataError(
        _("'{name}' cannot be downloaded: the server returned {status} ({answer_reason}).{gone}").format(
            name=name, status=status, answer_reason=answer.reason, gone=gone
        )
    )


def _append(target: _Target, stream: IO[bytes], answer: requests.Response, start: int, total: int | None) -> None:
    """Append the response, report progress, and stop on cancellation or excess size."""
    have, told, stage = start, 0.0, f"download {target.file.name}"
    for chunk in answer.iter_content(CHUNK):
        _obey(target)
        have += len(chunk)
        if have > target.most_bytes:
            _forget(target, stream)
            raise DataError(
                _(
                    "The server sent more than the maximum of {most_bytes:,} bytes for '{file_name}'; "
                    "the download was stopped and discarded."
                ).format(most_bytes=target.most_bytes, file_name=target.file.name)
            )
        stream.write(chunk)
        if time.monotonic() - told >= REPORT_EVERY:
            told = time.monotonic()
            target.ctx.report(Progress(stage, have, total))
    wanted = target.file.size_bytes if target.file.size_is_exact else total
    if wanted is not None and have < wanted:
        raise _Interrupted(
            _("The connection ended after {have:,} of {wanted:,} bytes of '{file_name}'.").format(
                have=have, wanted=wanted, file_name=target.file.name
            )
        )
    target.ctx.report(Progress(stage, have, have))


def _refuse_size(target: _Target, size: int) -> None:
    """Refuse a file that is too large, differs in size from the catalogue, or does not fit on the disk."""
    file = target.file
    if size > target.limits.max_bytes:
        raise DataError(
            _("'{file_name}' has {size:,} bytes; the maximum is {max_bytes:,}.").format(
                file_name=file.name, size=size, max_bytes=target.limits.max_bytes
            )
        )
    if size > target.most_bytes or (size and file.size_is_exact and size != file.size_bytes):
        raise DataError(
            _(
                "The server reports {size:,} bytes for '{file_name}', the catalogue {size_bytes:,}: "
                "the file has changed; check the publisher's page."
            ).format(size=size, file_name=file.name, size_bytes=file.size_bytes)
        )
    free = shutil.disk_usage(target.folder).free
    if size > free:
        raise StoreError(
            _("'{file_name}' needs {size:,} bytes but the disk has {free:,} free; free some space first.").format(
                file_name=file.name, size=size, free=free
            )
        )


@contextmanager
def _in_words(target: _Target) -> Iterator[None]:
    """Translate network errors."""
    host, name = target.file.url.split("/")[2], target.file.name
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise DataError(
            _("The certificate of {host} is invalid; '{name}' was not downloaded. Try again later.").format(
                host=host, name=name
            )
        ) from error
    except requests.exceptions.ConnectTimeout as error:
        limit = target.limits.connect_seconds
        raise _Interrupted(
            _("{host} did not respond within {limit:g} seconds; check the network.").format(host=host, limit=limit)
        ) from error
    except requests.exceptions.RequestException as error:
        if isinstance(getattr(error.args[0] if error.args else None, "reason", None), NewConnectionError):
            raise _Interrupted(
                _("{host} is unreachable; '{name}' was not downloaded. Check the network.").format(host=host, name=name)
            ) from error
        if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
            words = f"{host} sent no data for {target.limits.read_seconds:g} seconds during the download of '{name}'"
        else:
            words = f"The connection to {host} broke during the download of '{name}'"
        raise _Interrupted(_("{words}; the partial file is kept, try again.").format(words=words)) from error


@contextmanager
def _locked(target: _Target) -> Iterator[IO[bytes]]:
    """Open the partial file for appending, exclusively for this process."""
    path = target.part.with_suffix(".lock")
    lock = take_lock(path, give_up=lambda: True)
    if lock is None:
        raise DataError(
            _("'{file_name}' is already being downloaded; wait until it is done.").format(file_name=target.file.name)
        )
    try:
        with target.part.open("ab") as stream:
            yield stream
    finally:
        if not IS_WINDOWS:  # Windows cannot remove an open file
            path.unlink(missing_ok=True)
        lock.release()


def _remember(target: _Target, answer: requests.Response) -> None:
    """Store the ETag, so that a resumed download never mixes two versions."""
    tag = answer.headers.get("ETag", "")
    if tag.startswith('"') and tag.isascii():
        target.tag.write_text(tag, encoding="ascii")
    else:
        target.tag.unlink(missing_ok=True)


def _forget(target: _Target, stream: IO[bytes]) -> None:
    """Discard the partial file."""
    target.tag.unlink(missing_ok=True)
    stream.truncate(0)


def _obey(target: _Target) -> None:
    """Stop the download if it was cancelled."""
    if target.ctx.stop_requested():
        raise Cancelled(
            _("The download of '{file_name}' was cancelled; the partial file is kept.").format(
                file_name=target.file.name
            )
        )


def _wait(target: _Target, seconds: float) -> None:
    """Wait before the next attempt, unless cancelled."""
    until = time.monotonic() + seconds
    while True:
        _obey(target)
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.1))


def _is_right(file: RemoteFile, path: Path) -> bool:
    """Return whether size and checksum match the catalogue, as far as given there."""
    if file.size_is_exact and path.stat().st_size != file.size_bytes:
        return False
    if file.md5 is None:
        return True
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == file.md5


def _packed(parts: list[Path], result: Path) -> Path:
    """Pack several files into one archive, and remove them once it is complete."""
    aside = result.with_name(f"{result.name}.part")
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            archive.write(part, part.name)
    with aside.open("rb") as stream:
        os.fsync(stream.fileno())
    aside.replace(result)
    for part in parts:
        part.unlink()
    return result
