"""The token that a server which others can reach asks for, and the cookie that a browser gets in exchange."""

import hmac
import secrets
from dataclasses import dataclass, field

QUERY_NAME = "token"
_BYTES = 32


@dataclass(frozen=True)
class AccessToken:
    """Two secrets made when the server starts: one stands in the printed link, the other in the cookie.

    Args:
        cookie_name: Holds the port, since a browser sends a host's cookies to all its ports.
    """

    cookie_name: str
    in_link: str = field(default_factory=lambda: secrets.token_urlsafe(_BYTES), repr=False)
    in_cookie: str = field(default_factory=lambda: secrets.token_urlsafe(_BYTES), repr=False)

    def opens(self, offered: str) -> bool:
        """Return whether what stands in an address is the token."""
        return _equal(offered, self.in_link)

    def is_known(self, cookie_headers: list[str]) -> bool:
        """Return whether a request carries the cookie."""
        pairs = (part.strip().partition("=") for header in cookie_headers for part in header.split(";"))
        return any(name == self.cookie_name and _equal(value, self.in_cookie) for name, _, value in pairs)

    def cookie(self, *, secure: bool) -> str:
        """Return the `Set-Cookie` header: out of reach for scripts, and not sent by what other sites embed or post."""
        return f"{self.cookie_name}={self.in_cookie}; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")


def _equal(offered: str, secret: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(offered.encode("utf-8", "surrogatepass"), secret.encode())
