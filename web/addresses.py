"""Hosts and origins: what a browser says it talks to, and which of those the server answers to."""

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
    """A host and, where it is written, a port: what stands in a `Host` header.

    Args:
        host: Lower case, without a trailing dot; an IPv6 address without brackets.
        port: None if none is written.
    """

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return what a header says; None if it is no host."""
        found = _AUTHORITY.fullmatch(text.strip().lower())
        if found is None or int(found["port"] or 0) > LARGEST_PORT:
            return None
        host = found["host"].strip("[]").rstrip(".")
        return cls(host, int(found["port"]) if found["port"] else None) if host else None

    def port_for(self, scheme: str) -> int:
        """Return the port that a browser connects to."""
        return DEFAULT_PORTS[scheme] if self.port is None else self.port


@dataclass(frozen=True)
class Origin:
    """The site that a request comes from."""

    scheme: str
    authority: Authority

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return what an `Origin` header says; None if it names no site (`null`, a file, an extension)."""
        found = _ORIGIN.fullmatch(text.strip().lower())
        authority = Authority.parse(found["authority"]) if found else None
        return cls(found["scheme"], authority) if found and authority else None

    def is_at(self, authority: Authority) -> bool:
        """Return whether a browser would reach this site at that host and port."""
        same_port = self.authority.port_for(self.scheme) == authority.port_for(self.scheme)
        return same_port and self.authority.host == authority.host


@dataclass(frozen=True)
class AllowedHost:
    """An entry of `RECSCOPE_ALLOWED_HOSTS`: `name`, `name:port`, or with `http://` or `https://` before it."""

    scheme: str | None
    authority: Authority

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the entry.

        Raises:
            ConfigError: It is no host.
        """
        scheme, separator, rest = text.strip().lower().rpartition("://")
        authority = Authority.parse(rest.rstrip("/"))
        if authority is None or (separator and scheme not in DEFAULT_PORTS):
            raise ConfigError(
                f"RECSCOPE_ALLOWED_HOSTS holds '{text.strip()}', which is no host. Write names separated by commas, "
                "such as recscope.example.org or https://recscope.example.org:8443."
            )
        return cls(scheme or None, authority)

    def is_host(self, authority: Authority) -> bool:
        """Return whether a `Host` header names this entry; an entry without a port takes any."""
        return self.authority.host == authority.host and self.authority.port in (None, authority.port)

    def is_origin(self, origin: Origin) -> bool:
        """Return whether a site is this entry; an entry without a port means the usual one of its scheme."""
        return self.scheme in (None, origin.scheme) and origin.is_at(self.authority)


def is_loopback(address: str) -> bool:
    """Return whether only this machine reaches a server that listens there."""
    if address.lower() == "localhost":
        return True
    found = ip_address(address)
    return found is not None and found.is_loopback


def ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return a host as an IP address; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


@dataclass(frozen=True)
class Door:
    """Which hosts and origins are let in.

    A page of a foreign site that points its own name at this machine (DNS rebinding) still says its own name in `Host`
    and `Origin`, so a name that is not ours is refused. An IP address cannot be pointed elsewhere.

    Args:
        bound_to: Address that the server listens on.
        names: What this machine calls itself; they count unless the server listens on loopback.
        allowed: Entries of `RECSCOPE_ALLOWED_HOSTS`.
    """

    bound_to: str
    names: Sequence[str] = ()
    allowed: Sequence[AllowedHost] = ()

    def takes_connection(self, at: str) -> bool:
        """Return whether a connection came in at an address that the server was meant to listen on.

        It may listen on more than its settings say, if another program than Streamlit's own serves the app.
        """
        return not at or not is_loopback(self.bound_to) or is_loopback(at)

    def takes_host(self, host: Authority) -> bool:
        """Return whether a request for that host is answered. The port is free: it may have been forwarded."""
        if any(entry.is_host(host) for entry in self.allowed) or is_loopback(host.host):
            return True
        if is_loopback(self.bound_to):
            return False
        return ip_address(host.host) is not None or host.host in {self.bound_to.lower(), *self.names}

    def takes_origin(self, origin: Origin, host: Authority, scheme: str) -> bool:
        """Return whether a page of that site may ask.

        Args:
            origin: The site.
            host: The host that it asks.
            scheme: `http` or `https`, as the server was asked; a proxy may have taken the TLS off.
        """
        if any(entry.is_origin(origin) for entry in self.allowed):
            return True
        named = [entry.scheme for entry in self.allowed if entry.is_host(host)]
        return origin.is_at(host) and (origin.scheme in named or None in named if named else origin.scheme == scheme)
