"""The job engine: a separate process beside the web server, or an existing Dask cluster."""

from recsys_core.engine.client import Engine

__all__ = ["Engine"]
