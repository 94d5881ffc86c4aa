"""Types of command-line arguments."""

import argparse
from pathlib import Path


def path(text: str) -> Path:
    """Return a path; an empty one is refused, since it would be the current folder.

    Raises:
        argparse.ArgumentTypeError: The text is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)
