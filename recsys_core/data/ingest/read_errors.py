"""Turn exceptions during reading into messages about the file; the cause stays attached for the log."""

from collections.abc import Iterator
from contextlib import contextmanager

from recsys_core.errors import DataError, RecscopeError, StoreError
from recsys_core.storage.disk_errors import FULL
from recsys_core.text import _


@contextmanager
def faults_in_words(name: str, *, writes: bool = False) -> Iterator[None]:
    """Turn every exception inside the block into a `RecscopeError`.

    Args:
        name: Display name of the file.
        writes: Whether the block mostly writes; an `OSError` is then re-raised for the caller to translate.

    Raises:
        DataError: Any exception other than a `RecscopeError`; the original is its cause.
        StoreError: The disk is full.
    """
    try:
        yield
    except RecscopeError:
        raise
    except MemoryError as error:
        raise DataError(
            _(
                "'{name}' needs more memory than available. Save it as CSV or Parquet, or split it into several files."
            ).format(name=name)
        ) from error
    except OSError as error:
        if writes:
            raise
        if error.errno in FULL:
            raise StoreError(
                _("The disk is full: '{name}' cannot be opened. Free some space and try again.").format(name=name)
            ) from error
        raise DataError(
            _("'{name}' cannot be read: {strerror}.").format(name=name, strerror=error.strerror or error)
        ) from error
    except Exception as error:
        words = " ".join(str(error).split())[:300]
        raise DataError(
            _(
                "'{name}' cannot be read with these settings ({type_name}: {words}). Change the "
                "settings (separator, encoding, header), ignore the file, or choose another one."
            ).format(name=name, type_name=type(error).__name__, words=words)
        ) from error


def is_unexpected(error: RecscopeError) -> bool:
    """Return whether an error wraps an unforeseen exception, which belongs in the log."""
    return error.__cause__ is not None and not isinstance(error.__cause__, RecscopeError | OSError | MemoryError)
