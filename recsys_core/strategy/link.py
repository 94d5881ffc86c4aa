"""A strategy as text for a URL: its JSON without defaults, compressed, in characters that need no escaping."""

import base64
import binascii
import json
import zlib

from recsys_core.errors import ConfigError
from recsys_core.strategy.cards import Strategy
from recsys_core.strategy.files import LARGEST, strategy_of
from recsys_core.text import _

LONGEST_CODE = 1500
"""Characters, as for an edited history; browsers and servers accept URLs of at least 2,000."""


def written(strategy: Strategy) -> str | None:
    """Return the code of a strategy without its name; None if it is too long for a link."""
    values = strategy.model_dump(mode="json", exclude_defaults=True, exclude={"name", "cards"})
    values["cards"] = [
        {"kind": card.kind, **card.model_dump(mode="json", exclude_defaults=True)} for card in strategy.cards
    ]
    packed = zlib.compress(json.dumps(values, separators=(",", ":")).encode(), 9)
    code = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    return code if len(code) <= LONGEST_CODE else None


def read(code: str) -> Strategy:
    """Return the strategy of a code.

    Args:
        code: From `written`, or untrusted text.

    Raises:
        ConfigError: It is not a code of a strategy.
    """
    unreadable = ConfigError(_("The cards in this link cannot be read; they are ignored."))
    if len(code) > LONGEST_CODE:
        raise unreadable
    try:
        packed = base64.b64decode(code + "=" * (-len(code) % 4), altchars=b"-_", validate=True)
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(packed, LARGEST)
        if not unpacking.eof:  # cut off, or a small code of a huge text
            raise unreadable
        return strategy_of(content, _("link"))
    except (binascii.Error, zlib.error, ValueError, ConfigError) as error:
        raise unreadable from error
