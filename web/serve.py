"""How Streamlit serves the app: behind the guard, with private files, and with the link printed at startup."""

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
    """Return the settings of the guard; an invalid setting ends the process with a message."""
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
    """Return the arguments of `st.App` besides the script: the guard and the startup handler."""
    os.umask(OTHERS)  # inherited by child processes
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
