"""Hosts and origins of requests, and which of them the server accepts."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from recsys_core.errors import ConfigError

_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#@\\]+)")
DEFAULT_PORTS = {"http": 80, "https": 443}
LARGEST_PORT = 65535


@dataclass(frozen=True)
class Authority:
    """A host and optional port, as in a `Host` header.

    Args:
        host: Lower case, without a trailing dot; an IPv6 address without brackets.
        port: None if the header has none.
    """

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse a `Host` header; return None if it is invalid."""
        match = _AUTHORITY.fullmatch(text.strip().lower())
        if match is None or int(match["port"] or 0) > LARGEST_PORT:
            return None
        host = match["host"].strip("[]").rstrip(".")
        return cls(host, int(match["port"]) if match["port"] else None) if host else None

    def port_for(self, scheme: str) -> int:
        """Return the port, by default that of the scheme."""
        return DEFAULT_PORTS[scheme] if self.port is None else self.port


@dataclass(frozen=True)
class Origin:
    """The origin of a request: scheme, host and port."""

    scheme: str
    authority: Authority

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse an `Origin` header; return None if it is not http(s) (`null`, a file, an extension)."""
        match = _ORIGIN.fullmatch(text.strip().lower())
        authority = Authority.parse(match["authority"]) if match else None
        return cls(match["scheme"], authority) if match and authority else None

    def is_at(self, authority: Authority) -> bool:
        """Return whether the origin has this host and port."""
        same_port = self.authority.port_for(self.scheme) == authority.port_for(self.scheme)
        return same_port and self.authority.host == authority.host


@dataclass(frozen=True)
class AllowedHost:
    """An entry of `RECSCOPE_ALLOWED_HOSTS`: `name` or `name:port`, optionally with `http://` or `https://`."""

    scheme: str | None
    authority: Authority

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an entry.

        Raises:
            ConfigError: It is not a host.
        """
        scheme, separator, rest = text.strip().lower().rpartition("://")
        authority = Authority.parse(rest.rstrip("/"))
        if authority is None or (separator and scheme not in DEFAULT_PORTS):
            raise ConfigError(
                f"RECSCOPE_ALLOWED_HOSTS holds '{text.strip()}', which is not a host. Write names separated by commas, "
                "such as recscope.example.org or https://recscope.example.org:8443."
            )
        return cls(scheme or None, authority)

    def is_host(self, authority: Authority) -> bool:
        """Return whether a `Host` header matches the entry; an entry without a port matches any port."""
        return self.authority.host == authority.host and self.authority.port in (None, authority.port)

    def is_origin(self, origin: Origin) -> bool:
        """Return whether an origin matches the entry; without a port, the entry means the scheme's default."""
        return self.scheme in (None, origin.scheme) and origin.is_at(self.authority)


def is_loopback(address: str) -> bool:
    """Return whether an address is loopback, that is, reachable from this machine only."""
    if address.lower() == "localhost":
        return True
    ip = ip_address(address)
    return ip is not None and ip.is_loopback


def ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return a host as an IP address; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


@dataclass(frozen=True)
class Door:
    """The accepted hosts and origins.

    A foreign site whose name resolves to this machine (DNS rebinding) still sends its own name in `Host` and `Origin`,
    so unknown names are refused. IP addresses cannot be rebound.

    Args:
        bound_to: Address that the server listens on.
        names: Host names of this machine; accepted unless the server listens on loopback.
        allowed: Entries of `RECSCOPE_ALLOWED_HOSTS`.
    """

    bound_to: str
    names: Sequence[str] = ()
    allowed: Sequence[AllowedHost] = ()

    def takes_connection(self, at: str) -> bool:
        """Return whether a connection arrived at an address that the settings name.

        The server may listen on others if a program other than Streamlit's own serves the app.
        """
        return not at or not is_loopback(self.bound_to) or is_loopback(at)

    def takes_host(self, host: Authority) -> bool:
        """Return whether a host is accepted, with any port, since ports may be forwarded."""
        if any(entry.is_host(host) for entry in self.allowed) or is_loopback(host.host):
            return True
        if is_loopback(self.bound_to):
            return False
        return ip_address(host.host) is not None or host.host in {self.bound_to.lower(), *self.names}

    def takes_origin(self, origin: Origin, host: Authority, scheme: str) -> bool:
        """Return whether requests from an origin are accepted.

        Args:
            origin: Origin of the request.
            host: Requested host.
            scheme: `http` or `https`, as received by the server; a proxy may have terminated TLS.
        """
        if any(entry.is_origin(origin) for entry in self.allowed):
            return True
        named = [entry.scheme for entry in self.allowed if entry.is_host(host)]
        return origin.is_at(host) and (origin.scheme in named or None in named if named else origin.scheme == scheme)
