"""The access token of a server reachable from other machines, and the cookie that browsers get in exchange."""

import hmac
import secrets
from dataclasses import dataclass, field

QUERY_NAME = "token"
_BYTES = 32


@dataclass(frozen=True)
class AccessToken:
    """Two secrets created at startup: one is part of the printed link, the other is the value of the cookie.

    Args:
        cookie_name: Contains the port, since browsers send the cookies of a host to all its ports.
    """

    cookie_name: str
    in_link: str = field(default_factory=lambda: secrets.token_urlsafe(_BYTES), repr=False)
    in_cookie: str = field(default_factory=lambda: secrets.token_urlsafe(_BYTES), repr=False)

    def opens(self, offered: str) -> bool:
        """Return whether the token of a URL is valid."""
        return _equal(offered, self.in_link)

    def is_known(self, cookie_headers: list[str]) -> bool:
        """Return whether a request has the cookie."""
        pairs = (part.strip().partition("=") for header in cookie_headers for part in header.split(";"))
        return any(name == self.cookie_name and _equal(value, self.in_cookie) for name, _, value in pairs)

    def cookie(self, *, secure: bool) -> str:
        """Return the `Set-Cookie` header: not readable by scripts, and not sent with cross-site embeds or posts."""
        return f"{self.cookie_name}={self.in_cookie}; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")


def _equal(offered: str, secret: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(offered.encode("utf-8", "surrogatepass"), secret.encode())
