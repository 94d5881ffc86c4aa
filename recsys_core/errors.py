"""Errors of the library. Each message states what is wrong, where, and what to do."""


class RecscopeError(Exception):
    """Base class of all errors with a message for the user."""


class DataError(RecscopeError):
    """Data that cannot be used in their present form."""


class ConfigError(RecscopeError):
    """Unknown setting, or value out of bounds."""


class NotFitted(RecscopeError):
    """Scores were requested before the model was trained."""


class CannotScore(RecscopeError):
    """A trained model cannot score the given query."""


class Cancelled(RecscopeError):
    """The user cancelled the work."""


class StoreError(RecscopeError):
    """Stored data are missing or incomplete, or writing failed."""


class Missing(StoreError):
    """What was named is not stored."""


class Damaged(StoreError):
    """Stored data differ from what was written: missing, truncated, changed or malformed."""


class DiskFull(StoreError):
    """The disk is full; the operation can be retried once space is available."""


class ProgramFailed(RecscopeError):
    """A program of another system ended badly, exceeded a limit, or did not write what it should."""


class NoAnswer(RecscopeError):
    """The model process ended or did not respond; a retry may succeed."""


class TestPartSealed(RecscopeError):
    """The test part was requested while settings are tuned, or for a second time after it."""

    __test__ = False  # the name begins like that of a test class
