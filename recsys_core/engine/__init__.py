"""Where jobs run: a process of its own beside the web server, or a Dask cluster that somebody else started."""

from recsys_core.engine.client import Engine

__all__ = ["Engine"]
