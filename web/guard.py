"""ASGI middleware that checks host, origin and token of every request and sets the headers of every response."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, urlencode

from web.addresses import Authority, Door, Origin
from web.headers import LOCKED_POLICY, MEDIA_POLICY, app_policy, with_headers
from web.locked import LOCKED_PAGE
from web.token import QUERY_NAME, AccessToken

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY_VIOLATION = 1008
FOREIGN_HOST = (
    "This server does not accept that host name. Open the link that it printed at startup; behind a proxy, set the "
    "host name in RECSCOPE_ALLOWED_HOSTS."
)
NOT_FROM_HERE = (
    "This server was started for local use and received a request from another machine. Start it with "
    "--server.address to require a token."
)
FOREIGN_ORIGIN = "This server accepts requests from its own pages only; the request came from another site or port."
_SAFE_METHODS = ("GET", "HEAD")


class Guard:
    """Refuses requests that do not come from the app's own pages, and adds the security headers.

    Args:
        app: The guarded app.
        door: Accepted hosts and origins.
        token: Required token; None for none.
        base: Base path of the app, without a trailing slash.
    """

    def __init__(self, app: App, *, door: Door, token: AccessToken | None, base: str = "") -> None:
        self._app = app
        self._door = door
        self._token = token
        self._health = f"{base}/_stcore/health"
        self._media = f"{base}/media/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if self._token is None and not self._door.takes_connection(_address(scope)):
            await _refuse(scope, send, NOT_FROM_HERE)
            return
        host = _host(scope)
        if host is None or not self._door.takes_host(host):
            await _refuse(scope, send, FOREIGN_HOST)
            return
        if not self._is_own_page(scope, host):
            await _refuse(scope, send, FOREIGN_ORIGIN)
            return
        token = None if scope["path"] == self._health else self._token
        if token is not None and not token.is_known(_all(scope, "cookie")):
            await self._ask_for_token(token, scope, send)
            return
        policy = MEDIA_POLICY if scope["path"].startswith(self._media) else app_policy(_for_policy(host))
        await self._app(_with_own_origin(scope), receive, _adding_headers(send, policy))

    def _is_own_page(self, scope: Scope, host: Authority) -> bool:
        """Return whether the request comes from the app's own origin, or from no page."""
        scheme = "https" if scope.get("scheme") in ("https", "wss") else "http"
        origins = [Origin.parse(one) for one in _all(scope, "origin")]
        if any(one is None or not self._door.takes_origin(one, host, scheme) for one in origins):
            return False
        # a page that embeds a URL sends no origin, but browsers send the fetch metadata
        if not origins and scope["type"] == "http" and _all(scope, "sec-fetch-site")[:1] not in (
            [], ["none"], ["same-origin"]
        ):  # fmt: skip
            is_link = _all(scope, "sec-fetch-mode") == ["navigate"] and _all(scope, "sec-fetch-dest") == ["document"]
            return is_link and scope["method"] in _SAFE_METHODS
        return True

    async def _ask_for_token(self, token: AccessToken, scope: Scope, send: Send) -> None:
        """Redirect to the URL without the token and set the cookie; without a valid token, show the token page."""
        if scope["type"] == "websocket":
            await _refuse(scope, send, "")
            return
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        offered = [value for name, value in query if name == QUERY_NAME]
        if scope["method"] not in _SAFE_METHODS or not any(token.opens(one) for one in offered):
            await _answer(send, 403, LOCKED_PAGE, "text/html; charset=utf-8", policy=LOCKED_POLICY)
            return
        rest = urlencode([pair for pair in query if pair[0] != QUERY_NAME])
        # exactly one leading slash: two would make the path a host
        target = quote("/" + scope["path"].lstrip("/\\"), safe="/") + (f"?{rest}" if rest else "")
        cookie = token.cookie(secure=scope.get("scheme") == "https")
        more = [(b"location", target.encode("ascii")), (b"set-cookie", cookie.encode("ascii"))]
        await _answer(send, 303, "", "text/plain", policy=LOCKED_POLICY, more=more)


def _all(scope: Scope, name: str) -> list[str]:
    """Return all values of a header."""
    key_bytes = name.encode("ascii")
    return [value.decode("latin-1") for key, value in scope["headers"] if key == key_bytes]


def _address(scope: Scope) -> str:
    """Return the local address of the connection; empty if unknown."""
    return str((scope.get("server") or [""])[0])


def _host(scope: Scope) -> Authority | None:
    hosts = _all(scope, "host")
    return Authority.parse(hosts[0]) if len(hosts) == 1 else None


def _for_policy(host: Authority) -> str:
    """Return the host for the content security policy; empty for IPv6, which its syntax does not allow."""
    return "" if ":" in host.host else host.host + (f":{host.port}" if host.port else "")


def _with_own_origin(scope: Scope) -> Scope:
    """Return the request with the origin that Streamlit compares with the host as a string.

    If the two differed, Streamlit would query the external IP address of this machine on the internet.
    """
    if not any(key == b"origin" for key, _ in scope["headers"]):
        return scope
    own = b"http://" + next(value for key, value in scope["headers"] if key == b"host")
    headers = [(key, own if key == b"origin" else value) for key, value in scope["headers"]]
    return {**scope, "headers": headers}


def _adding_headers(send: Send, policy: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": with_headers(list(message.get("headers", [])), policy)}
        await send(message)

    return sending


async def _refuse(scope: Scope, send: Send, reason: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})  # answered with status 403
        return
    await _answer(send, 403, reason + "\n", "text/plain; charset=utf-8", policy=LOCKED_POLICY)


async def _answer(
    send: Send, status: int, text: str, kind: str, *, policy: str, more: list[tuple[bytes, bytes]] | None = None
) -> None:
    body = text.encode("utf-8")
    headers = [
        (b"content-type", kind.encode("ascii")),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"no-store"),
        *(more or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": with_headers(headers, policy)})
    await send({"type": "http.response.body", "body": body})
