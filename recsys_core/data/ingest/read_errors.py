"""Whatever goes wrong while a file is read becomes a sentence about that file; the cause stays attached for the log."""

from collections.abc import Iterator
from contextlib import contextmanager

from recsys_core.errors import DataError, RecscopeError, StoreError
from recsys_core.storage.disk_errors import FULL


@contextmanager
def faults_in_words(name: str, *, writes: bool = False) -> Iterator[None]:
    """Turn every exception inside the block that is not a sentence yet into one.

    Args:
        name: What the file is called, as the user knows it.
        writes: Whether the block mostly writes: an `OSError` is left to those who know the disk.

    Raises:
        DataError: Anything but a `RecscopeError`; the exception is its cause.
        StoreError: The disk is full.
    """
    try:
        yield
    except RecscopeError:
        raise
    except MemoryError as error:
        raise DataError(
            f"'{name}' needs more memory than there is. Save it as CSV or Parquet, or split it into several files."
        ) from error
    except OSError as error:
        if writes:
            raise
        if error.errno in FULL:
            raise StoreError(f"The disk is full: '{name}' cannot be opened. Free some space and try again.") from error
        raise DataError(f"'{name}' cannot be read: {error.strerror or error}.") from error
    except Exception as error:
        words = " ".join(str(error).split())[:300]
        raise DataError(
            f"'{name}' cannot be read in this way ({type(error).__name__}: {words}). Change how it is read "
            "(separator, encoding, first line), leave it out, or choose other files."
        ) from error


def is_unexpected(error: RecscopeError) -> bool:
    """Return whether a sentence stands for an exception that no reader has foreseen, so that the log should show it."""
    return error.__cause__ is not None and not isinstance(error.__cause__, RecscopeError | OSError | MemoryError)
