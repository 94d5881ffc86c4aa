"""The ASGI middleware that every request passes first: host, origin, token; and the headers of every answer."""

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
    "This server does not answer to that host name. Open the link that it printed when it started; whoever runs it "
    "behind a proxy names the host in RECSCOPE_ALLOWED_HOSTS."
)
NOT_FROM_HERE = (
    "This server was started for this machine alone and is reached from another one. Start it with --server.address, "
    "and it asks for a token."
)
FOREIGN_ORIGIN = "This server answers its own pages only; the request came from another site or another port."
_READING = ("GET", "HEAD")


class Guard:
    """Refuses what does not come from the app's own pages, and tells browsers what these pages may do.

    Args:
        app: What is guarded.
        door: Hosts and origins that are let in.
        token: What has to be shown; None lets in everybody who reaches the server.
        base: Path that the app is served below, without a slash at the end.
    """

    def __init__(self, app: App, *, door: Door, token: AccessToken | None, base: str = "") -> None:
        self._app = app
        self._door = door
        self._token = token
        self._health = f"{base}/_stcore/health"
        self._media = f"{base}/media/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
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
        """Return whether the request comes from the app's own origin, or from no page at all."""
        scheme = "https" if scope.get("scheme") in ("https", "wss") else "http"
        origins = [Origin.parse(one) for one in _all(scope, "origin")]
        if any(one is None or not self._door.takes_origin(one, host, scheme) for one in origins):
            return False
        # a page that embeds an address sends no origin, but browsers say what for and from where
        if not origins and scope["type"] == "http" and _all(scope, "sec-fetch-site")[:1] not in (
            [], ["none"], ["same-origin"]
        ):  # fmt: skip
            is_link = _all(scope, "sec-fetch-mode") == ["navigate"] and _all(scope, "sec-fetch-dest") == ["document"]
            return is_link and scope["method"] in _READING
        return True

    async def _ask_for_token(self, token: AccessToken, scope: Scope, send: Send) -> None:
        """Give the cookie for the token in the address, and the address without it; or say what is missing."""
        if scope["type"] == "websocket":
            await _refuse(scope, send, "")
            return
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        offered = [value for name, value in query if name == QUERY_NAME]
        if scope["method"] not in _READING or not any(token.opens(one) for one in offered):
            await _answer(send, 403, LOCKED_PAGE, "text/html; charset=utf-8", policy=LOCKED_POLICY)
            return
        rest = urlencode([pair for pair in query if pair[0] != QUERY_NAME])
        # the path begins with one slash: with two, the browser would take it for another host
        target = quote("/" + scope["path"].lstrip("/\\"), safe="/") + (f"?{rest}" if rest else "")
        cookie = token.cookie(secure=scope.get("scheme") == "https")
        more = [(b"location", target.encode("ascii")), (b"set-cookie", cookie.encode("ascii"))]
        await _answer(send, 303, "", "text/plain", policy=LOCKED_POLICY, more=more)


def _all(scope: Scope, name: str) -> list[str]:
    """Return the values of a header, one an occurrence."""
    wanted = name.encode("ascii")
    return [value.decode("latin-1") for key, value in scope["headers"] if key == wanted]


def _address(scope: Scope) -> str:
    """Return the address of this machine that the connection came in at; empty if the server does not say."""
    return str((scope.get("server") or [""])[0])


def _host(scope: Scope) -> Authority | None:
    hosts = _all(scope, "host")
    return Authority.parse(hosts[0]) if len(hosts) == 1 else None


def _for_policy(host: Authority) -> str:
    """Return the host as a policy writes it; it has no way to write an IPv6 address."""
    return "" if ":" in host.host else host.host + (f":{host.port}" if host.port else "")


def _with_own_origin(scope: Scope) -> Scope:
    """Return the request with an origin as Streamlit compares it, letter by letter, with the host.

    Where the two differ, it would look up the external address of this machine on the internet.
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
