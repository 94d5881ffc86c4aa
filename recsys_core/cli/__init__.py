"""The command line: experiments without a browser. Command, option and field names are a stable interface."""

from recsys_core.cli.main import main

__all__ = ["main"]
