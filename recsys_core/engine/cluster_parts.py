"""Scheduler and workers of the engine's own cluster: Dask's, without the HTTP servers that each of them opens.

Those servers show tasks, logs and metrics in plain text to whoever reaches their port; the engine needs none of it.
"""

from typing import Any

from distributed import Nanny, Scheduler, Worker


class QuietScheduler(Scheduler):
    """A scheduler that listens for the cluster's own connections only."""

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Open no port."""


class QuietWorker(Worker):
    """A worker that listens for the cluster's own connections only."""

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Open no port."""


class QuietNanny(Nanny):
    """Starts such workers, again and again where they end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options | {"worker_class": QuietWorker})
