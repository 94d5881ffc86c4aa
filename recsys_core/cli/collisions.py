"""Refuse outputs that would overwrite a file the command reads, or another of its outputs."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from recsys_core.errors import ConfigError
from recsys_core.text import _

OUTPUTS = ("out", "lists")
INPUTS = ("data", "train", "test", "links", "strategy", "users", "file", "files", "log", "policy", "values")
IN_FOLDERS = {
    "compare": ("results.json", "per_user.parquet", "prices.json"),
    "tune": ("results.json", "per_user.parquet", "tuning.json"),
}
"""Files that commands write to the folder `--out`."""


def refuse_collisions(arguments: argparse.Namespace) -> None:
    """Refuse an output that is also an input or another output; called before anything is read.

    Raises:
        ConfigError: The message names the option and the file.
    """
    outputs = list(_outputs(arguments))
    for number, (option, path) in enumerate(outputs):
        if any(path.exists() and one.is_file() and os.path.samefile(one, path) for one in _inputs(arguments)):
            raise ConfigError(
                _("{option} '{path}' is a file that this command reads; choose another name.").format(
                    option=option, path=path
                )
            )
        for other, place in outputs[:number]:
            if os.path.realpath(place) == os.path.realpath(path):
                raise ConfigError(
                    _("{option} and {other} both name '{path}'; choose two names.").format(
                        option=other, other=option, path=path
                    )
                )


def _outputs(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    for name in OUTPUTS:
        path: Path | None = getattr(arguments, name, None)
        if path is not None:
            written = IN_FOLDERS.get(arguments.command, ("",))
            yield from ((f"--{name}", path / file) for file in written)


def _inputs(arguments: argparse.Namespace) -> Iterator[Path]:
    for name in INPUTS:
        given = getattr(arguments, name, None)
        paths = given if isinstance(given, list) else [given]
        yield from (Path(one) for one in paths if isinstance(one, str | Path) and str(one))  # tune --test is a flag
    for words in (*getattr(arguments, "list", ()), getattr(arguments, "split", None) or ""):
        yield Path(words.partition("=")[2] or words.partition(":")[2])  # --list NAME=FILE, --split uploaded:FILE
