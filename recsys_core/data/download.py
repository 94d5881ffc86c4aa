"""Fetch a public data set: with progress, resume, retries, checksum, limits, and a sentence for whatever goes wrong.

Bytes go to `NAME.part` and stay there when the way is interrupted; the next attempt asks the server for the rest only.
The file gets its name when it is whole and checked.
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

logger = logging.getLogger(__name__)
CHUNK = 16 * 1024
"""Bytes taken at a time: what is lost at most when a connection breaks."""
REPORT_EVERY = 0.25
"""Seconds between two messages of progress."""


@dataclass(frozen=True)
class DownloadLimits:
    """Bounds of a download.

    Args:
        connect_seconds: Longest wait for a connection.
        read_seconds: Longest silence of the server; also how late a wish to stop can be seen.
        attempts: How often a broken connection is tried, the first time included.
        pause_seconds: Wait before the second attempt; doubled before each further one.
        max_bytes: Largest file that is fetched.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    attempts: int = 4
    pause_seconds: float = 1.0
    max_bytes: int = 4 * 1024**3


DEFAULT_LIMITS = DownloadLimits()


class _Interrupted(DataError):
    """The way broke; another attempt may go on where it stopped."""


@dataclass(frozen=True)
class _Target:
    """One file on its way: where it comes from, where its bytes go, and what bounds it."""

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
        """Holds the server's mark of the version that the part belongs to."""
        return self.folder / f"{self.file.name}.part.etag"

    @property
    def most_bytes(self) -> int:
        """More than this is never written."""
        known = self.file.size_bytes if self.file.size_is_exact else 4 * self.file.size_bytes
        return min(known, self.limits.max_bytes)


def download(entry: CatalogueEntry, folder: Path, ctx: RunContext, limits: DownloadLimits = DEFAULT_LIMITS) -> Path:
    """Fetch a public data set into a folder and return the one file that holds it.

    What is there already and whole is not fetched again. Several files are packed into one archive.

    Args:
        entry: From the catalogue.
        folder: Where it goes; made if absent.
        ctx: Takes progress in bytes and can stop the work; what has come stays for the next attempt.
        limits: Bounds of time, size and attempts.

    Raises:
        DataError: The address, the connection, the size or the checksum is not right.
        StoreError: The file cannot be written.
        Cancelled: The person stopped it.
    """
    result = folder / entry.download_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if len(entry.files) > 1 and result.exists():
            return result
        parts = [_fetch(_Target(file, folder, ctx, limits)) for file in entry.files]
        return parts[0] if len(parts) == 1 else _packed(parts, result)
    except OSError as error:
        raise StoreError(f"'{entry.title}' cannot be written to {folder}: {error.strerror or error}.") from error


def _fetch(target: _Target) -> Path:
    """Bring one file in, however many attempts it takes."""
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
                f"The checksum of '{target.file.name}' is not the one of the catalogue: the file was damaged or "
                "changed. It was thrown away; try again, and if it happens again, look at the publisher's page."
            )
        target.part.replace(target.done)
    target.tag.unlink(missing_ok=True)
    return target.done


def _transfer(target: _Target, stream: IO[bytes]) -> None:
    """Ask for what is missing and append it.

    Raises:
        _Interrupted: The connection failed or ended early.
        DataError: Something that another attempt would not mend.
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
    """Return from which byte on the answer goes, None if all bytes are here; refuse what is no answer."""
    status, name = answer.status_code, target.file.name
    if target.file.url.startswith("https:") and not answer.url.startswith("https:"):
        raise DataError(f"The server sends '{name}' on to an address without encryption; it was not fetched.")
    if status == HTTPStatus.OK:
        return 0
    span = re.match(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)$", answer.headers.get("Content-Range", ""))
    if status == HTTPStatus.PARTIAL_CONTENT and span and span[1] == str(have):
        return have
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and span and span[2] == str(have):
        return None
    if status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        _forget(target, stream)
        raise _Interrupted(f"The server offers another part of '{name}' than was asked for; it has to start again.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise _Interrupted(f"The server of '{name}' answers {status} ({answer.reason}); try again later.")
    gone = " The file is no longer there; look at the publisher's page." if status in (404, 410) else ""
    raise DataError(f"'{name}' cannot be fetched: the server answers {status} ({answer.reason}).{gone}")


def _append(target: _Target, stream: IO[bytes], answer: requests.Response, start: int, total: int | None) -> None:
    """Write what comes, tell how far it is, and stop when that is wished or too much comes."""
    have, told, stage = start, 0.0, f"download {target.file.name}"
    for chunk in answer.iter_content(CHUNK):
        if target.ctx.stop_requested():
            raise Cancelled(f"The download of '{target.file.name}' was stopped; what has come is kept.")
        have += len(chunk)
        if have > target.most_bytes:
            _forget(target, stream)
            raise DataError(
                f"The server sends more than the {target.most_bytes:,} bytes that '{target.file.name}' may have; "
                "it was stopped and thrown away."
            )
        stream.write(chunk)
        if time.monotonic() - told >= REPORT_EVERY:
            told = time.monotonic()
            target.ctx.report(Progress(stage, have, total))
    wanted = target.file.size_bytes if target.file.size_is_exact else total
    if wanted is not None and have < wanted:
        raise _Interrupted(f"The connection ended after {have:,} of {wanted:,} bytes of '{target.file.name}'.")
    target.ctx.report(Progress(stage, have, have))


def _refuse_size(target: _Target, size: int) -> None:
    """Refuse a file that is too large, is not as large as the catalogue says, or does not fit on the disk."""
    file = target.file
    if size > target.limits.max_bytes:
        raise DataError(f"'{file.name}' has {size:,} bytes; at most {target.limits.max_bytes:,} are fetched.")
    if size > target.most_bytes or (size and file.size_is_exact and size != file.size_bytes):
        raise DataError(
            f"The server announces {size:,} bytes for '{file.name}', the catalogue {file.size_bytes:,}: "
            "it is not the same file; look at the publisher's page."
        )
    free = shutil.disk_usage(target.folder).free
    if size > free:
        raise StoreError(f"'{file.name}' needs {size:,} bytes and the disk has {free:,} free; make room first.")


@contextmanager
def _in_words(target: _Target) -> Iterator[None]:
    """Turn what the network says into a sentence."""
    host, name = target.file.url.split("/")[2], target.file.name
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise DataError(f"The certificate of {host} is not valid, so '{name}' was not fetched; try later.") from error
    except requests.exceptions.ConnectTimeout as error:
        limit = target.limits.connect_seconds
        raise _Interrupted(f"{host} does not answer within {limit:g} seconds; is there a network?") from error
    except requests.exceptions.RequestException as error:
        if isinstance(getattr(error.args[0] if error.args else None, "reason", None), NewConnectionError):
            raise _Interrupted(f"{host} cannot be reached, so '{name}' was not fetched; is there a network?") from error
        if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
            words = f"{host} was silent for {target.limits.read_seconds:g} seconds while it sent '{name}'"
        else:
            words = f"The connection to {host} broke while it sent '{name}'"
        raise _Interrupted(f"{words}; what has come is kept, try again.") from error


@contextmanager
def _locked(target: _Target) -> Iterator[IO[bytes]]:
    """Open the part for appending, by one process only."""
    path = target.part.with_suffix(".lock")
    lock = take_lock(path, give_up=lambda: True)
    if lock is None:
        raise DataError(f"'{target.file.name}' is being fetched already; wait until it is done.")
    try:
        with target.part.open("ab") as stream:
            yield stream
    finally:
        if not IS_WINDOWS:  # there an open file cannot be removed
            path.unlink(missing_ok=True)
        lock.release()


def _remember(target: _Target, answer: requests.Response) -> None:
    """Keep the server's mark of this version, so that a rest is never joined to the beginning of another version."""
    tag = answer.headers.get("ETag", "")
    if tag.startswith('"') and tag.isascii():
        target.tag.write_text(tag, encoding="ascii")
    else:
        target.tag.unlink(missing_ok=True)


def _forget(target: _Target, stream: IO[bytes]) -> None:
    """Throw away what has come."""
    target.tag.unlink(missing_ok=True)
    stream.truncate(0)


def _wait(target: _Target, seconds: float) -> None:
    """Wait before the next attempt, unless the person stops it."""
    until = time.monotonic() + seconds
    while True:
        if target.ctx.stop_requested():
            raise Cancelled(f"The download of '{target.file.name}' was stopped; what has come is kept.")
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.1))


def _is_right(file: RemoteFile, path: Path) -> bool:
    """Return whether size and checksum are those of the catalogue, as far as it knows them."""
    if file.size_is_exact and path.stat().st_size != file.size_bytes:
        return False
    if file.md5 is None:
        return True
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == file.md5


def _packed(parts: list[Path], result: Path) -> Path:
    """Put several files into one archive, and remove them once it is whole."""
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
