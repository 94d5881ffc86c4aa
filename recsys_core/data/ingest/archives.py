"""Unpack archives member by member within size limits; nothing is written outside the target folder.

The archive type is detected from the first bytes, not from the name. One bound on total size and one on the
compression ratio cover everything an archive unpacks to, nested compressed files included; bytes are counted as they
are written.
"""

import bz2
import gzip
import hashlib
import json
import lzma
import shutil
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from recsys_core.data.ingest.file_types import START_BYTES, packed_as, refusal
from recsys_core.data.ingest.limits import DEFAULT_LIMITS, MIB, Limits
from recsys_core.errors import DataError
from recsys_core.text import _

if TYPE_CHECKING:
    from _typeshed import SupportsRead

_BLOCK = 1 << 20
_DONE = "members.json"
_TABLES = (
    *(".csv", ".tsv", ".txt", ".dat", ".data", ".tab", ".psv", ".item", ".user", ".base", ".test", ".inter"),
    *(".parquet", ".pq", ".jsonl", ".ndjson", ".json", ".xlsx", ".xls", ".xlsb", ".ods"),
    *(".gz", ".bz2", ".xz", ".zip", ".tar", ".tgz", ".tbz2", ".txz"),
)
"""Suffixes of archive members that are read; their type is detected from their bytes."""
_PROSE = ("readme", "license", "licence", "copying", "changelog")
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, ValueError)
_LOCAL_HEADER_BYTES = 30
_ENDINGS = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz"}
_MOST_WRAPPINGS = 2
"""Maximum number of compression layers around a file."""


class TemporaryFolder:
    """A folder that is deleted when the last reference to it disappears."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="recscope-unpacked-"))
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class Member:
    """A file that is ready to be read.

    Args:
        path: Its location on disk.
        name: Display name: `archive.zip/folder/file.csv`, or the file's own name.
        keeper: Object whose lifetime keeps the unpacked file on disk; None for the user's own file.
    """

    path: Path
    name: str
    keeper: object = None

    @property
    def base(self) -> str:
        """The name without folders."""
        return PurePosixPath(self.name).name


def unpack(path: Path, *, folder: Path | None = None, limits: Limits = DEFAULT_LIMITS) -> list[Member]:
    """Return the unpacked members of an archive, or the file itself if it is not an archive.

    Args:
        path: Any file.
        folder: Where to unpack; a temporary folder by default.
        limits: Bounds on size, compression ratio and number of members.

    Raises:
        DataError: The archive is broken, encrypted or beyond the limits.
    """
    if not path.is_file():
        fault = _("'{name}' is a folder.") if path.is_dir() else _("There is no file '{name}'.")
        raise DataError(fault.format(name=path.name))
    if _packed(path) is None:
        _refuse_foreign(path, path.name)
        return [Member(path, path.name)]
    keeper = TemporaryFolder() if folder is None else None
    target = keeper.path if keeper is not None else _folder_of(path, Path(folder or "."))
    if (target / _DONE).exists():
        return [Member(target / file, name) for file, name in json.loads((target / _DONE).read_text(encoding="utf-8"))]
    try:
        found = _Unpacking(path, target, limits).members()
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    (target / _DONE).write_text(json.dumps([(file.name, name) for file, name in found]), encoding="utf-8")
    return [Member(file, name, keeper) for file, name in found]


class _Unpacking:
    """One archive being unpacked, with its running byte count.

    Args:
        path: The archive.
        folder: Where to write.
        limits: Bounds on size, compression ratio and number of members.
    """

    def __init__(self, path: Path, folder: Path, limits: Limits) -> None:
        self._path = path
        self._folder = folder
        self._limits = limits
        self._packed_bytes = max(1, path.stat().st_size)
        self._unpacked_bytes = 0
        self._written = 0

    def members(self) -> list[tuple[Path, str]]:
        """Return path and name of each table in the archive.

        Raises:
            DataError: The archive is broken, password-protected, beyond the limits, or holds no table.
        """
        name = self._path.name
        kind = str(_packed(self._path))
        try:
            if kind == "zip":
                found = list(self._zip_members())
            elif kind == "tar" or self._holds_tar(kind):
                found = list(self._tar_members(kind))
            else:
                found = [self._uncompressed(self._path, name)]
        except (*_BROKEN, NotImplementedError, RuntimeError) as error:
            raise DataError(
                _("'{name}' is a broken or password-protected {kind} archive: {error}.").format(
                    name=name, kind=kind, error=error
                )
            ) from error
        if not found:
            raise DataError(_("'{name}' contains no table: no CSV, Parquet, JSON or Excel file.").format(name=name))
        return found

    def _holds_tar(self, kind: str) -> bool:
        """Return whether a compressed file contains a tar archive; False if its beginning is broken."""
        try:
            with self._opened(self._path, kind) as stream:
                return packed_as(stream.read(START_BYTES)) == "tar"
        except _BROKEN:
            return False

    def count(self, size: int, name: str) -> None:
        """Add unpacked bytes to the running total.

        Raises:
            DataError: The total exceeds a limit.
        """
        self._unpacked_bytes += size
        if self._unpacked_bytes > self._limits.unpacked_bytes:
            raise DataError(
                _("'{name}' unpacks to more than {unpacked_bytes:,} bytes and was refused.").format(
                    name=name, unpacked_bytes=self._limits.unpacked_bytes
                )
            )
        growth = self._limits.unpack_ratio
        if self._unpacked_bytes > max(10 * MIB, growth * self._packed_bytes):
            raise DataError(
                _(
                    "'{name}' unpacks to more than {growth:.0f} times its size, like a zip bomb, and was refused."
                ).format(name=name, growth=growth)
            )

    def _zip_members(self) -> Iterator[tuple[Path, str]]:
        with zipfile.ZipFile(self._path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            self._refuse_many(len(infos), self._limits.members, "files")
            self._refuse_many(sum(_is_table(info.filename) for info in infos), self._limits.tables, "tables")
            for info in infos:
                _refuse_strange(self._path.name, info)
            refuse_overlaps(self._path.name, infos)
            for info in infos:
                if not _is_table(info.filename):
                    continue
                with archive.open(info) as packed:
                    yield self._member(_Metered(packed, self, f"{self._path.name}/{info.filename}"), info.filename)

    def _tar_members(self, kind: str) -> Iterator[tuple[Path, str]]:
        with self._opened(self._path, kind) as stream:
            metered = _Metered(stream, self, self._path.name)
            with tarfile.open(fileobj=metered, mode="r|", tarinfo=_PlainHeaders) as archive:  # type: ignore[call-overload]
                for number, info in enumerate(archive, start=1):
                    self._refuse_many(number, self._limits.members, "files")
                    _refuse_outside(self._path.name, info.name)
                    if not _is_table(info.name) or info.isdir():
                        continue
                    if not info.isreg() or info.issparse():
                        raise DataError(
                            _(
                                "'{path_name}' contains a link or device ('{info_name}') instead of a file and was "
                                "refused."
                            ).format(path_name=self._path.name, info_name=info.name)
                        )
                    self._refuse_many(self._written + 1, self._limits.tables, "tables")
                    packed = archive.extractfile(info)
                    if packed is not None:
                        yield self._member(packed, info.name)

    def _refuse_many(self, number: int, most: int, what: str) -> None:
        if number > most:
            raise DataError(
                _("'{path_name}' contains too many {what}: at most {most:,} are opened. Merge them.").format(
                    path_name=self._path.name, what=what, most=most
                )
            )

    def _member(self, packed: "SupportsRead[bytes]", inner: str) -> tuple[Path, str]:
        """Write one member; a compressed member is decompressed, a nested archive is refused."""
        target = self._place(PurePosixPath(inner).name)
        with target.open("wb") as file:
            shutil.copyfileobj(packed, file, _BLOCK)
        return self._uncompressed(target, f"{self._path.name}/{inner}")

    def _uncompressed(self, path: Path, name: str) -> tuple[Path, str]:
        """Decompress a file layer by layer; only the innermost result stays on disk."""
        for _unused in range(_MOST_WRAPPINGS):
            kind = _packed(path)
            if kind is None:
                break
            if kind in ("zip", "tar"):
                raise DataError(_("'{name}' is a nested archive; unpack it first.").format(name=name))
            inner = PurePosixPath(name).name
            bare = inner[: -len(_ENDINGS[kind])] if inner.lower().endswith(_ENDINGS[kind]) else inner
            target = self._place(bare)
            try:
                with self._opened(path, kind) as packed, target.open("wb") as file:
                    shutil.copyfileobj(_Metered(packed, self, name), file, _BLOCK)
            except _BROKEN as error:
                raise DataError(
                    _("'{name}' is a broken {kind} file: {error}.").format(name=name, kind=kind, error=error)
                ) from error
            if path.parent == self._folder:
                path.unlink()
            path, name = target, f"{name}/{bare}" if bare != inner else name
        if _packed(path) is not None:
            raise DataError(
                _("'{name}' is compressed more than {most_wrappings} times; unpack it first.").format(
                    name=name, most_wrappings=_MOST_WRAPPINGS
                )
            )
        _refuse_foreign(path, name)
        return path, name

    def _opened(self, path: Path, kind: str) -> IO[bytes]:
        if kind == "gzip":
            return cast("IO[bytes]", gzip.open(path))
        if kind == "bzip2":
            return bz2.open(path)
        return lzma.open(path) if kind == "xz" else path.open("rb")

    def _place(self, name: str) -> Path:
        """Return a safe path in the folder: a running number plus the harmless characters of the name."""
        self._written += 1
        harmless = "".join(
            letter if (letter.isalnum() and letter.isascii()) or letter in "._-" else "_" for letter in name
        )[-80:]
        return self._folder / f"{self._written:04d}_{harmless.lstrip('.')}"


@dataclass(frozen=True)
class _Metered:
    """A stream that counts all bytes read from it, skipped members included, and stops when a limit is exceeded."""

    stream: IO[bytes]
    unpacking: _Unpacking
    name: str

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        block = self.stream.read(size)
        self.unpacking.count(len(block), self.name)
        return block


class _PlainHeaders(tarfile.TarInfo):
    """Tar headers with a size limit: extended headers are held in memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        long = self.type in (
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE,
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
        )
        if long and self.size > MIB:
            raise DataError(_("This tar archive has a header larger than 1 MiB and was refused."))
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


def _packed(path: Path) -> str | None:
    """Return the compression or archive type of a file, None for others. An Excel workbook counts as a plain file."""
    with path.open("rb") as file:
        kind = packed_as(file.read(START_BYTES))
    return None if kind == "zip" and _is_workbook(path) else kind


def _refuse_foreign(path: Path, name: str) -> None:
    """Refuse a known but unsupported format, naming it and an alternative."""
    with path.open("rb") as file:
        words = refusal(file.read(START_BYTES))
    if words:
        raise DataError(f"'{name}' {words}.")


def _folder_of(path: Path, folder: Path) -> Path:
    """Return the folder for an archive's members, named after path, size and mtime so nothing is unpacked twice."""
    facts = path.stat()
    name = hashlib.sha256(f"{path.resolve()} {facts.st_size} {facts.st_mtime_ns}".encode()).hexdigest()[:16]
    target = folder / name
    if target.exists() and not (target / _DONE).exists():
        shutil.rmtree(target)
    target.mkdir(parents=True, exist_ok=True)
    return target


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False
    return "[Content_Types].xml" in names or {"mimetype", "content.xml"} <= names


def refuse_overlaps(archive: str, infos: Iterable[zipfile.ZipInfo]) -> None:
    """Refuse members that share bytes: a few kilobytes could expand to terabytes."""
    spans = sorted((one.header_offset, one.header_offset + _LOCAL_HEADER_BYTES + one.compress_size) for one in infos)
    if any(end > start for (_, end), (start, _) in pairwise(spans)):
        raise DataError(
            _("'{archive}' contains overlapping files, like a zip bomb, and was refused.").format(archive=archive)
        )


def _refuse_strange(archive: str, info: zipfile.ZipInfo) -> None:
    _refuse_outside(archive, info.filename)
    if info.flag_bits & 0x1:
        raise DataError(_("'{archive}' is password-protected; unpack it first.").format(archive=archive))
    if (info.external_attr >> 16) & 0o170000 == 0o120000:
        raise DataError(
            _("'{archive}' contains a link ('{filename}') instead of a file and was refused.").format(
                archive=archive, filename=info.filename
            )
        )


def _refuse_outside(archive: str, filename: str) -> None:
    name = filename.replace("\\", "/")
    if name.startswith("/") or ".." in PurePosixPath(name).parts or ":" in name.split("/")[0]:
        raise DataError(
            _("'{archive}' contains a path outside the archive ('{filename}') and was refused.").format(
                archive=archive, filename=filename
            )
        )


def _is_table(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__")) for part in path.parts)
    return not hidden and path.suffix.lower() in _TABLES and not path.name.lower().startswith(_PROSE)
