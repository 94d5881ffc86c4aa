"""Reasons to reject a row: stored in English, so that data sets and files have one language; shown in the current one.

Reasons without values are marked with `later` where they are given.
"""

import re
from functools import lru_cache

from recsys_core.text import Sentence, Template, later

EMPTY = later("empty")
INVALID_BYTES = later("bytes invalid in this encoding")
WIDTH = Template("{columns} columns instead of {expected}")
LONG = Template("line longer than {limit} bytes")
NUMBER = Template("number does not match {format}")
TIME = Template("timestamp does not match {format}")
BELOW = Template("below {low}")
ABOVE = Template("above {high}")
OUTSIDE = Template("outside the scale {low} to {high}")
FEW_OF_USER = Template("the user has fewer than {least} interactions")
FEW_OF_ITEM = Template("the item has fewer than {least} interactions")
_WITH_VALUES = (WIDTH, LONG, NUMBER, TIME, BELOW, ABOVE, OUTSIDE, FEW_OF_USER, FEW_OF_ITEM)


@lru_cache(maxsize=256)
def reason_sentence(reason: str) -> Sentence:
    """Return the sentence of a reason, without its column."""
    for template in _WITH_VALUES:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(template.one))
        if found := re.fullmatch(pattern, reason):
            return template.fill(**found.groupdict())
    return Template(reason.replace("{", "{{").replace("}", "}}")).fill()
