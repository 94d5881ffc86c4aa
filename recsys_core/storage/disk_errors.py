"""What a disk refuses, said in a sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys_core.errors import DiskFull, StoreError

FULL = frozenset([errno.ENOSPC, errno.EDQUOT, errno.EFBIG])


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn what the disk says into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFull(
                f"The disk that holds '{path.parent}' is full. Nothing was stored; free some space and try again."
            ) from error
        raise StoreError(f"'{path}' cannot be written: {error.strerror or error}. Nothing was stored.") from error
