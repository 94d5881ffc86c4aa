"""Settings of the web guard, from the server address and the environment."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from recsys_core.errors import ConfigError
from web.addresses import AllowedHost, Door, is_loopback
from web.token import QUERY_NAME, AccessToken

WILDCARDS = ("", "0.0.0.0", "::")
_YES_NO = {"": False, "0": False, "1": True}


@dataclass(frozen=True)
class WebSettings:
    """Settings of the web guard.

    Args:
        address: Address that the server listens on.
        port: Its port.
        base: Base path of the app, such as `/recscope`; empty for none.
        tls: Whether the server itself uses TLS.
        door: Accepted hosts and origins.
        token: Required token; None on loopback and with `RECSCOPE_OPEN=1`.
    """

    address: str
    port: int
    base: str
    tls: bool
    door: Door
    token: AccessToken | None

    @classmethod
    def from_environment(
        cls,
        address: str | None,
        port: int,
        *,
        base: str = "",
        tls: bool = False,
        environment: Mapping[str, str] = os.environ,
    ) -> Self:
        """Read `RECSCOPE_ALLOWED_HOSTS` and `RECSCOPE_OPEN`.

        Raises:
            ConfigError: One of them is invalid.
        """
        address = (address or "").strip()
        entries = environment.get("RECSCOPE_ALLOWED_HOSTS", "").split(",")
        opened = environment.get("RECSCOPE_OPEN", "").strip()
        if opened not in _YES_NO:
            raise ConfigError(f"Setting RECSCOPE_OPEN must be 0 or 1, but it is '{opened}'.")
        name = socket.gethostname().lower()
        return cls(
            address=address,
            port=port,
            base=f"/{base.strip('/')}" if base.strip("/") else "",
            tls=tls,
            door=Door(
                bound_to=address,
                names=(name, f"{name}.local"),
                allowed=tuple(AllowedHost.parse(entry) for entry in entries if entry.strip()),
            ),
            token=None if is_loopback(address) or _YES_NO[opened] else AccessToken(f"recscope_{port}"),
        )

    @property
    def link(self) -> str:
        """The URL of the app, including the token."""
        host = "localhost" if self.address in WILDCARDS else self.address
        host = f"[{host}]" if ":" in host else host
        query = f"/?{QUERY_NAME}={self.token.in_link}" if self.token else ""
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{self.base}{query}"

    def welcome(self) -> str:
        """Return the message printed at startup."""
        lines = [f"Recscope is ready: {self.link}"]
        if self.address in WILDCARDS:
            lines.append(
                "From another machine, replace 'localhost' with the name or address of this one "
                f"({socket.gethostname()})."
            )
        if self.token:
            lines.append("Anyone with this link can use the app. It is valid until the server stops.")
        elif not is_loopback(self.address):
            lines.append("RECSCOPE_OPEN=1: anyone who can reach this port can use the app, without a token.")
        elif self.door.allowed:
            lines.append("RECSCOPE_ALLOWED_HOSTS is set: anyone who can pass the proxy can use the app.")
        return "\n".join(f"  {line}" for line in lines)
