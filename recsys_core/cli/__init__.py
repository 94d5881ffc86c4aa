"""The command line: the same experiments without a browser. Its names are a contract with other tools."""

from recsys_core.cli.main import main

__all__ = ["main"]
