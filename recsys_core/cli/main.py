"""Entry point: run a command and return its exit status: 0 success, 1 no usable result, 2 invalid request."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from recsys_core.cli.arguments import parse_words
from recsys_core.cli.collisions import refuse_collisions
from recsys_core.errors import RecscopeError

COMMANDS = {
    "models": "recsys_core.cli.listing:models",
    "ingest": "recsys_core.cli.ingesting:ingest",
    "compare": "recsys_core.cli.comparing:compare",
    "tune": "recsys_core.cli.tuning:tune",
    "recommend": "recsys_core.cli.answering:recommend",
    "predict": "recsys_core.cli.answering:predict",
    "strategy": "recsys_core.cli.checking:check_strategy",
    "people": "recsys_core.cli.people:people",
    "update": "recsys_core.cli.updating:update",
    "replay": "recsys_core.cli.replaying:replay",
    "runs": "recsys_core.cli.experiments:runs",
    "export-card": "recsys_core.cli.experiments:export",
    "export-model": "recsys_core.cli.experiments:export_trained",
    "open-card": "recsys_core.cli.experiments:open_",
    "rerun": "recsys_core.cli.experiments:rerun",
    "diff": "recsys_core.cli.experiments:diff",
    "report": "recsys_core.cli.listing:report",
    "off-policy": "recsys_core.cli.off_policy:off_policy",
    "ab": "recsys_core.cli.ab_test:ab",
    "workspace": "recsys_core.cli.stored:workspace",
    "serve-engine": "recsys_core.cli.listing:serve_engine",
}
UNUSABLE = 2
INTERRUPTED = 130


def main(words: Sequence[str]) -> int:
    """Run a command and return its exit status; errors are one line on standard error."""
    try:
        arguments = parse_words(words)
        refuse_collisions(arguments)
        module, name = COMMANDS[arguments.command].split(":")
        command: Callable[[object], int] = getattr(import_module(module), name)
        return command(arguments)
    except RecscopeError as error:
        return _refuse(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of the output has exited
        return 0
    except OSError as error:
        return _refuse(f"{error.filename or 'The system'}: {error.strerror or error}.")
    except MemoryError:
        return _refuse("Not enough memory. Split the files, or save them as Parquet.")
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return INTERRUPTED


def _refuse(reason: str) -> int:
    sys.stderr.write(f"recscope: {' '.join(reason.split())}\n")
    return UNUSABLE
