"""Translate operating system errors into messages with advice."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from recsys_core.errors import DiskFull, StoreError
from recsys_core.text import _, later

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DISK_WORDS = {
    errno.ENOSPC: later("the disk is full; free some space and try again"),
    errno.EDQUOT: later("the disk quota is exceeded; free some space and try again"),
    errno.EFBIG: later("the file would exceed the size limit; free some space and try again"),
    errno.EACCES: later("permission denied; check the owner of the folder"),
    errno.EPERM: later("permission denied; check the owner of the folder"),
    errno.EROFS: later("the disk is read-only"),
    errno.EIO: later("the disk reports an I/O error; check the disk before you continue"),
    errno.EEXIST: later("a file has the name of this folder; move the file, or choose another folder"),
    errno.ENOTDIR: later("a file has the name of one of its folders; move the file, or choose another folder"),
    errno.ENAMETOOLONG: later("the name is too long; choose a shorter one"),
    errno.EMFILE: later("too many files are open; raise the limit (ulimit -n) and try again"),
    errno.ENFILE: later("too many files are open on this machine; try again later"),
}
"""Message for each operating system error."""


def store_error(path: Path, error: OSError) -> StoreError:
    """Return the `StoreError` for an operating system error, with advice."""
    known = DISK_WORDS.get(error.errno or 0)
    words = _("the system reports: {error}").format(error=error.strerror or error) if known is None else _(known)
    kind = DiskFull if error.errno in FULL else StoreError
    return kind(_("Cannot write '{name}': {words}.").format(name=path.name, words=words))


@contextlib.contextmanager
def disk_errors_in_words(path: Path) -> Iterator[None]:
    """Translate `OSError` inside the block into `StoreError`.

    Raises:
        StoreError: An operating system call failed.
    """
    try:
        yield
    except OSError as error:
        raise store_error(path, error) from error


@contextlib.contextmanager
def safetensors_errors(path: Path) -> Iterator[None]:
    """Translate I/O errors of safetensors inside the block into `StoreError`.

    Raises:
        StoreError: Writing failed.
    """
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        full = "No space left" in str(error)
        raise store_error(path, OSError(errno.ENOSPC if full else 0, str(error))) from error
