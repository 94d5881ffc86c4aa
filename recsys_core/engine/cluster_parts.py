"""Scheduler and workers of the local cluster: Dask's classes without their HTTP servers.

Those servers expose tasks, logs and metrics in plain text on open ports; the engine does not need them.
"""

from typing import Any

from distributed import Nanny, Scheduler, Worker


class QuietScheduler(Scheduler):
    """A scheduler without an HTTP server."""

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Open no port."""


class QuietWorker(Worker):
    """A worker without an HTTP server."""

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Open no port."""


class QuietNanny(Nanny):
    """A nanny that starts and restarts `QuietWorker` processes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options | {"worker_class": QuietWorker})
