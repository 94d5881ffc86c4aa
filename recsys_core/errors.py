"""The errors that the library raises: each message says what is wrong, where, and what to do."""


class RecscopeError(Exception):
    """Base of every error that is meant for a person to read."""


class DataError(RecscopeError):
    """Data that cannot be taken as it is."""


class ConfigError(RecscopeError):
    """A setting that does not exist, or a value outside its bounds."""


class NotFitted(RecscopeError):
    """A model was asked for scores before it was trained."""


class CannotScore(RecscopeError):
    """A trained model that has no answer for what it was asked."""


class Cancelled(RecscopeError):
    """The person stopped the work; nothing went wrong."""


class StoreError(RecscopeError):
    """Something on disk is missing, half-written or cannot be written."""


class Damaged(StoreError):
    """Something stored is not what was written: missing, cut off, changed, or of a form that nobody wrote."""


class DiskFull(StoreError):
    """The disk has no room left; what was asked for can be tried again once there is some."""


class NoAnswer(RecscopeError):
    """The process that was asked ended or fell silent; asked again it may well answer."""
