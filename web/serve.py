"""The app as Streamlit serves it: behind the guard, with files that only their owner reads, and a link to open."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.middleware import Middleware
from streamlit import config

from recsys_core.errors import ConfigError
from recsys_core.storage.permissions import OTHERS
from web.guard import Guard
from web.settings import WebSettings


def settings() -> WebSettings:
    """Return how the server is guarded; a setting that cannot be read ends it with a sentence."""
    try:
        if os.environ.get("RECSCOPE_SCHEDULER"):
            from recsys_core.engine.scheduler import SchedulerAccess

            access = SchedulerAccess.from_environment()
            if access is not None:
                access.check()
        return WebSettings.from_environment(
            config.get_option("server.address"),
            int(config.get_option("server.port")),
            base=config.get_option("server.baseUrlPath"),
            tls=bool(config.get_option("server.sslCertFile")),
        )
    except ConfigError as error:
        sys.exit(str(error))


def parts() -> dict[str, Any]:
    """Return what `st.App` takes beside the script: the guard, and what happens when the server starts."""
    os.umask(OTHERS)  # also of the processes that this one starts
    guarded = settings()
    guard = Middleware(Guard, door=guarded.door, token=guarded.token, base=guarded.base)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        sys.stdout.write(f"\n{guarded.welcome()}\n\n")
        sys.stdout.flush()
        if not config.get_option("server.headless"):
            from streamlit.cli_util import open_browser

            open_browser(guarded.link)
        yield

    return {"middleware": [guard], "lifespan": lifespan}
