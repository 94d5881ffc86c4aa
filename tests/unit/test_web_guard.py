"""Hosts, origins, token and headers, tested on the guard itself; `tests/e2e/test_web_security.py` tests a server."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from recsys_core.errors import ConfigError
from web.addresses import AllowedHost, Authority, Origin
from web.guard import Guard
from web.headers import app_policy
from web.settings import WebSettings

LOOPBACK = WebSettings.from_environment("127.0.0.1", 8501, environment={})
PROXIED = WebSettings.from_environment(
    "127.0.0.1", 8501, environment={"RECSCOPE_ALLOWED_HOSTS": "recscope.example.org, https://lab.example:8443"}
)
EVERYWHERE = WebSettings.from_environment("0.0.0.0", 8501, environment={})


class Answer:
    """The response to a request: the messages of the guard, or those of the app behind it."""

    def __init__(self, messages: list[dict[str, Any]], seen: list[dict[str, Any]]) -> None:
        self.messages = messages
        self.seen = seen

    @property
    def status(self) -> int:
        first = self.messages[0]
        return (
            403
            if first["type"] == "websocket.close"
            else 101
            if first["type"] == "websocket.accept"
            else first["status"]
        )

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0].get("headers", [])}


def ask(
    settings: WebSettings,
    *,
    kind: str = "http",
    method: str = "GET",
    path: str = "/",
    query: str = "",
    scheme: str | None = None,
    headers: Mapping[str, str] | list[tuple[str, str]] = (),  # type: ignore[assignment]
    at: str | None = "127.0.0.1",
) -> Answer:
    """Send a request through the guard to an app that accepts everything."""
    messages: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        seen.append(scope)
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Frame-Options", b"ALLOWALL")]})
        await send({"type": "http.response.body", "body": b"in"})

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        raise AssertionError("the guard reads no body")

    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "scheme": scheme or ("ws" if kind == "websocket" else "http"),
        "query_string": query.encode(),
        "server": (at, 8501) if at else None,
        "headers": [(name.lower().encode(), value.encode()) for name, value in pairs],
    }
    guard = Guard(app, door=settings.door, token=settings.token, base=settings.base)
    with pytest.raises(StopIteration):  # neither the guard nor this app awaits anything, so no loop is needed
        guard(scope, receive, send).send(None)  # type: ignore[attr-defined]
    return Answer(messages, seen)


OWN_HOSTS = [
    "127.0.0.1:8501",
    "localhost:8501",
    "LOCALHOST:8501",
    "localhost.:8501",
    "[::1]:8501",
    "127.0.0.2",
    "localhost:9000",
]
FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:8501",
    "localhost.evil.example:8501",
    "127.0.0.1.evil.example",
    "127.0.0.1@evil.example",
    "evil.example/127.0.0.1",
    "192.168.1.5:8501",
    "0.0.0.0:8501",
    "2130706433",
    "127.0.0.1:99999",
    "127.0.0.1:80:80",
    "",
    "[::1",
]


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("host", OWN_HOSTS)
def test_the_own_host_is_answered(kind: str, host: str) -> None:
    assert ask(LOOPBACK, kind=kind, headers={"Host": host}).status in (200, 101)


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_name_that_was_pointed_at_this_machine_is_refused(kind: str, host: str) -> None:
    answer = ask(LOOPBACK, kind=kind, headers={"Host": host, "Origin": f"http://{host}"})
    assert answer.status == 403
    assert not answer.seen


def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    assert ask(LOOPBACK).status == 403
    assert ask(LOOPBACK, headers=[("Host", "127.0.0.1:8501"), ("Host", "evil.example")]).status == 403


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "origin",
    [
        "http://127.0.0.1:9999",
        "http://localhost:8501",
        "http://127.0.0.1",
        "https://127.0.0.1:8501",
        "http://evil.example",
        "http://127.0.0.1:8501.evil.example",
        "http://127.0.0.1:8501@evil.example",
        "http://evil.example/127.0.0.1:8501",
        "null",
        "",
        "file://",
        "chrome-extension://127.0.0.1:8501",
        "ws://127.0.0.1:8501",
    ],
)
def test_only_pages_of_the_app_itself_may_ask(kind: str, origin: str) -> None:
    answer = ask(LOOPBACK, kind=kind, headers={"Host": "127.0.0.1:8501", "Origin": origin})
    assert answer.status == 403
    assert not answer.seen


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_second_origin_does_not_slip_in_behind_the_own_one(kind: str) -> None:
    own = [("Host", "127.0.0.1:8501"), ("Origin", "http://127.0.0.1:8501")]
    assert ask(LOOPBACK, kind=kind, headers=own).status in (200, 101)
    assert ask(LOOPBACK, kind=kind, headers=[*own, ("Origin", "http://evil.example")]).status == 403


@pytest.mark.parametrize(
    ("site", "mode", "dest", "method", "status"),
    [
        ("same-origin", "cors", "empty", "GET", 200),
        ("none", "navigate", "document", "GET", 200),
        ("cross-site", "navigate", "document", "GET", 200),
        ("cross-site", "navigate", "document", "POST", 403),
        ("cross-site", "navigate", "iframe", "GET", 403),
        ("cross-site", "no-cors", "image", "GET", 403),
        ("same-site", "no-cors", "script", "GET", 403),
    ],
)
def test_another_site_may_link_to_the_app_and_embed_nothing_of_it(
    site: str, mode: str, dest: str, method: str, status: int
) -> None:
    headers = {"Host": "localhost:8501", "Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    assert ask(LOOPBACK, method=method, headers=headers).status == status


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("recscope.example.org", "https://recscope.example.org", 101),
        ("recscope.example.org", "http://recscope.example.org", 101),
        ("recscope.example.org:8080", "http://recscope.example.org:8080", 101),
        ("127.0.0.1:8501", "https://recscope.example.org", 101),  # a proxy that sets its own host
        ("127.0.0.1:8501", "https://lab.example:8443", 101),
        ("127.0.0.1:8501", "http://127.0.0.1:8501", 101),
        ("recscope.example.org", "https://recscope.example.org:444", 403),
        ("recscope.example.org", "https://evil.example", 403),
        ("lab.example:8443", "http://lab.example:8443", 403),
        ("lab.example", "https://lab.example", 403),
        ("sub.recscope.example.org", "https://sub.recscope.example.org", 403),
        ("127.0.0.1:8501", "https://127.0.0.1:8501", 403),
    ],
)
def test_a_proxy_is_let_in_by_name(host: str, origin: str, status: int) -> None:
    answer = ask(PROXIED, kind="websocket", headers={"Host": host, "Origin": origin})
    assert answer.status == status
    for scope in answer.seen:  # string comparison, as in Streamlit; otherwise it queries the external IP
        headers = dict(scope["headers"])
        assert headers[b"origin"] == b"http://" + headers[b"host"]


@pytest.mark.parametrize("entry", ["*", "a b", "ftp://host", "host:99999", "https://", "host/path", "http://user@host"])
def test_an_entry_that_is_no_host_is_refused_in_words(entry: str) -> None:
    with pytest.raises(ConfigError, match="RECSCOPE_ALLOWED_HOSTS holds"):
        WebSettings.from_environment("127.0.0.1", 8501, environment={"RECSCOPE_ALLOWED_HOSTS": f"good.example,{entry}"})


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("127.0.0.1", False),
        ("localhost", False),
        ("127.0.0.9", False),
        ("::1", False),
        ("0.0.0.0", True),
        ("::", True),
        ("", True),
        (None, True),
        ("192.168.1.5", True),
        ("recscope.lan", True),
        ("localhost.evil.example", True),
    ],
)
def test_a_token_is_asked_for_wherever_others_can_reach_the_server(address: str | None, asked: bool) -> None:
    assert (WebSettings.from_environment(address, 1, environment={}).token is not None) == asked
    opened = WebSettings.from_environment(address, 1, environment={"RECSCOPE_OPEN": "1"})
    assert opened.token is None
    assert "anyone who can reach this port" in opened.welcome() or not asked


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(("at", "taken"), [("127.0.0.1", True), ("::1", True), (None, True), ("192.168.1.5", False)])
def test_a_server_for_this_machine_that_listens_to_others_all_the_same_answers_none_of_them(
    kind: str, at: str | None, taken: bool
) -> None:
    """As under `uvicorn app:app --host 0.0.0.0`, which ignores Streamlit's settings."""
    answer = ask(LOOPBACK, kind=kind, headers={"Host": "localhost:8501"}, at=at)
    assert (answer.status != 403) == taken
    opened = WebSettings.from_environment("0.0.0.0", 8501, environment={"RECSCOPE_OPEN": "1"})
    assert ask(opened, kind=kind, headers={"Host": "localhost:8501"}, at=at).status in (200, 101)


def test_open_is_yes_or_no() -> None:
    assert WebSettings.from_environment("0.0.0.0", 1, environment={"RECSCOPE_OPEN": "0"}).token is not None
    with pytest.raises(ConfigError, match="RECSCOPE_OPEN must be 0 or 1"):
        WebSettings.from_environment("0.0.0.0", 1, environment={"RECSCOPE_OPEN": "false"})


HOME = {"Host": "192.168.1.5:8501"}


def test_nothing_but_the_health_is_answered_without_the_token() -> None:
    assert EVERYWHERE.token is not None
    paths = [
        "/",
        "/data",
        "/static/js/x.js",
        "/media/x",
        "/_stcore/upload_file/a/b",
        "/_stcore/host-config",
        "/x/_stcore/health",
    ]
    for path, method in itertools.product(paths, ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD"]):
        answer = ask(EVERYWHERE, path=path, method=method, headers=HOME)
        assert (answer.status, answer.seen) == (403, []), (path, method)
    assert ask(EVERYWHERE, kind="websocket", path="/_stcore/stream", headers=HOME).status == 403
    assert ask(EVERYWHERE, path="/_stcore/health", headers=HOME).status == 200


def test_the_token_is_exchanged_for_a_cookie_that_opens_everything() -> None:
    token = EVERYWHERE.token
    assert token is not None
    answer = ask(EVERYWHERE, path="/compare", query=f"run=a%26b&token={token.in_link}&data=1", headers=HOME)
    assert answer.status == 303
    assert answer.headers["location"] == "/compare?run=a%26b&data=1"
    name, _, rest = answer.headers["set-cookie"].partition("=")
    value, _, attributes = rest.partition("; ")
    assert (name, attributes) == ("recscope_8501", "Path=/; HttpOnly; SameSite=Lax")
    assert value != token.in_link
    assert answer.headers["cache-control"] == "no-store"
    own = HOME | {"Cookie": f"a=b; recscope_8501=old; {name}={value}"}
    assert ask(EVERYWHERE, headers=own).status == 200
    assert ask(EVERYWHERE, kind="websocket", headers=own | {"Origin": "http://192.168.1.5:8501"}).status == 101
    assert ask(EVERYWHERE, kind="websocket", headers=own | {"Origin": "http://192.168.1.5:9999"}).status == 403


@pytest.mark.parametrize("offered", ["", "x", "%00", "%ff", "é"])
def test_a_wrong_token_is_no_token(offered: str) -> None:
    assert ask(EVERYWHERE, query=f"token={offered}", headers=HOME).status == 403
    assert ask(EVERYWHERE, headers=HOME | {"Cookie": f"recscope_8501={offered}"}).status == 403


def test_the_token_of_the_link_is_no_cookie_and_the_cookie_no_token() -> None:
    token = EVERYWHERE.token
    assert token is not None
    assert ask(EVERYWHERE, headers=HOME | {"Cookie": f"recscope_8501={token.in_link}"}).status == 403
    assert ask(EVERYWHERE, query=f"token={token.in_cookie}", headers=HOME).status == 403
    assert ask(EVERYWHERE, query=f"token={token.in_link}", headers={"Host": "evil.example"}).status == 403
    assert token.in_link not in repr(EVERYWHERE)
    again = WebSettings.from_environment("0.0.0.0", 8501, environment={}).token
    assert again is not None
    assert not {again.in_link, again.in_cookie} & {token.in_link, token.in_cookie}


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "/%0d%0aX: y", "/\r\nX: y"])
def test_the_exchange_sends_nobody_elsewhere(path: str) -> None:
    token = EVERYWHERE.token
    assert token is not None
    location = ask(EVERYWHERE, path=path, query=f"token={token.in_link}", headers=HOME).headers["location"]
    assert location.startswith("/")
    assert location[1:2] not in ("/", "\\")
    assert not set("\r\n") & set(location)


def test_over_tls_the_cookie_is_for_tls_only() -> None:
    token = EVERYWHERE.token
    assert token is not None
    answer = ask(EVERYWHERE, query=f"token={token.in_link}", headers=HOME, scheme="https")
    assert answer.headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize(("status", "headers"), [(200, {"Host": "localhost:8501"}), (403, {"Host": "evil.example"})])
def test_every_answer_refuses_frames_guesses_and_referrers(status: int, headers: dict[str, str]) -> None:
    answer = ask(LOOPBACK, headers=headers)
    assert answer.status == status
    sent = answer.headers
    assert "frame-ancestors 'none'" in sent["content-security-policy"]
    assert sent["x-content-type-options"] == "nosniff"
    assert sent["x-frame-options"] == "DENY"
    assert "X-Frame-Options" not in sent, "what the app said itself is replaced"
    assert sent["referrer-policy"] == "same-origin"
    assert sent["cross-origin-resource-policy"] == "same-origin"


def test_what_was_uploaded_runs_no_script_when_it_is_opened() -> None:
    policy = ask(LOOPBACK, path="/media/page.html", headers={"Host": "localhost:8501"}).headers[
        "content-security-policy"
    ]
    assert policy.startswith("default-src 'none'")
    assert "sandbox" in policy
    assert "script-src" not in policy


def test_the_policy_of_the_app_lets_no_inline_script_and_no_foreign_address_in() -> None:
    policy = app_policy("localhost:8501")
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert "'unsafe-inline'" not in directives["script-src"]
    assert "'sha256-" in directives["script-src"]
    addresses = [word for value in directives.values() for word in value.split() if "//" in word or "*" in word]
    assert addresses == ["ws://localhost:8501", "wss://localhost:8501"]


def test_hosts_and_origins_are_read_as_browsers_write_them() -> None:
    assert Authority.parse("[::1]:8501") == Authority("::1", 8501)
    assert Authority.parse("Example.ORG.") == Authority("example.org", None)
    origin = Origin.parse("https://example.org")
    assert origin is not None
    assert origin.is_at(Authority("example.org", 443))
    assert origin.is_at(Authority("example.org", None))
    assert not origin.is_at(Authority("example.org", 80))
    assert AllowedHost.parse(" https://Example.org:8443/ ") == AllowedHost("https", Authority("example.org", 8443))


def test_a_server_below_a_path_keeps_its_health_open() -> None:
    below = WebSettings.from_environment("0.0.0.0", 8501, base="recscope/", environment={})
    assert below.link.startswith("http://localhost:8501/recscope/?token=")
    assert ask(below, path="/recscope/_stcore/health", headers=HOME).status == 200
    assert ask(below, path="/_stcore/health", headers=HOME).status == 403
