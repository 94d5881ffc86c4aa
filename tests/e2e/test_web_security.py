"""Attacks on a running server: foreign hosts, origins and frames, missing tokens; and outgoing connections."""

import base64
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import plotly.graph_objects as go
import pytest
from playwright.sync_api import Browser, expect

from recsys_core.viz.export import figure_html
from tests.e2e.conftest import Server, free_port, serve, settled, watched

pytestmark = pytest.mark.e2e
STREAM = "/_stcore/stream"
LISTENER = r"""
import os, sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        with open(os.environ["RECSCOPE_TEST_LOOKUPS"], "a") as file:
            file.write(f"{event} {arguments[1:] if event != 'socket.getaddrinfo' else arguments}\n")
sys.addaudithook(hook)
"""
"""Runs first in every Python process of the server: records its connections and name lookups."""
LOCAL = re.compile(r"127\.0\.0\.1|localhost|'::1'|\(b?'/|^socket\.getaddrinfo \(None")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


def ask(port: int, path: str = "/", *, method: str = "GET", **headers: str) -> Answer:
    """Send a request with exactly these headers; `Host` is that of the server unless given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode())
    connection.close()
    return found


def handshake(port: int, **headers: str) -> int:
    """Request the WebSocket that drives the app; return the status: 101 is a connection."""
    given = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "streamlit",
    } | headers
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        lines = [f"GET {STREAM} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(connection.recv(4096).split()[1])


def listening(folder: Path) -> dict[str, str]:
    """Return the environment with which a server records its connections in a folder."""
    (folder / "listen").mkdir()
    (folder / "listen" / "sitecustomize.py").write_text(LISTENER)
    (folder / "lookups").touch()
    return {"RECSCOPE_TEST_LOOKUPS": str(folder / "lookups"), "PYTHONPATH": str(folder / "listen")}


def looked_up(folder: Path) -> list[str]:
    """Return the connections and name lookups of such a server to other machines."""
    return [line for line in (folder / "lookups").read_text().splitlines() if not LOCAL.search(line)]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as started by `make run`, for a proxy at recscope.example.org."""
    folder = tmp_path_factory.mktemp("own")
    yield from serve(folder, RECSCOPE_ALLOWED_HOSTS="recscope.example.org", **listening(folder))


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server reachable from other machines, as started by `make run HOST=0.0.0.0`."""
    folder = tmp_path_factory.mktemp("everywhere")
    yield from serve(folder, "--server.address", "0.0.0.0", **listening(folder))


def token_of(server: Server) -> str:
    found = re.search(r"\?token=(\S+)", server.log.read_text())
    assert found is not None, server.log.read_text()
    return found[1]


def test_a_name_pointed_at_this_machine_drives_nothing(own: Server) -> None:
    for host in ("evil.example", f"evil.example:{own.port}", f"localhost.evil.example:{own.port}"):
        for path in ("/", "/data", "/_stcore/health", "/_stcore/host-config", "/media/x", "/static/js/x.js"):
            assert ask(own.port, path, Host=host).status == 403, (host, path)
        assert ask(own.port, "/_stcore/upload_file/a/b", method="PUT", Host=host).status == 403
        assert handshake(own.port, Host=host, Origin=f"http://{host}") == 403


def test_another_local_port_may_not_connect(own: Server) -> None:
    for origin in ("http://127.0.0.1:9999", "http://localhost:9999", f"http://localhost:{own.port}", "null"):
        assert handshake(own.port, Origin=origin) == 403, origin
        assert ask(own.port, "/_stcore/upload_file/a/b", method="PUT", Origin=origin).status == 403
    assert handshake(own.port, Origin=own.url) == 101
    assert handshake(own.port, Host=f"localhost:{own.port}", Origin=f"http://localhost:{own.port}") == 101


def test_a_proxy_that_is_named_gets_through(own: Server) -> None:
    name = "recscope.example.org"
    assert ask(own.port, Host=name).status == 200
    assert handshake(own.port, Host=name, Origin=f"https://{name}") == 101
    assert handshake(own.port, Origin=f"https://{name}") == 101, "a proxy that writes its own host"
    assert handshake(own.port, Host=name, Origin="https://evil.example") == 403


def test_a_foreign_page_neither_reads_nor_frames_nor_connects(own: Server, browser: Browser) -> None:
    """A page on another port of this machine, same-site for browsers, tries everything that a page can."""

    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>foreign</title><body></body>")

        def log_message(self, *_: object) -> None:
            pass

    foreign = ThreadingHTTPServer(("127.0.0.1", free_port()), Foreign)
    threading.Thread(target=foreign.serve_forever, daemon=True).start()
    page = browser.new_page()
    try:
        page.goto(f"http://127.0.0.1:{foreign.server_port}/")
        found = page.evaluate(
            """async ([url, socket]) => {
              const gone = what => new Promise(resolve => what(resolve));
              const element = (name, tell) => gone(resolve => {
                const made = document.createElement(name);
                made.onload = () => resolve(tell(made)); made.onerror = () => resolve("refused");
                made.src = url + (name === "img" ? "/favicon.png" : "/"); document.body.append(made);
              });
              return {
                read: await fetch(url).then(() => "read", () => "refused"),
                blind: await fetch(url + "/_stcore/health", {mode: "no-cors"}).then(() => "read", () => "refused"),
                image: await element("img", () => "shown"),
                socket: await gone(resolve => {
                  const made = new WebSocket(socket);
                  made.onopen = () => resolve("open"); made.onerror = () => resolve("refused");
                }),
              };
            }""",
            [own.url, f"ws://127.0.0.1:{own.port}{STREAM}"],
        )
        assert found == dict.fromkeys(["read", "blind", "image", "socket"], "refused")
        page.set_content(f'<iframe src="{own.url}/"></iframe>')
        framed = [frame for frame in page.frames if frame != page.main_frame]
        assert [frame.url for frame in framed] == ["chrome-error://chromewebdata/"]
    finally:
        page.close()
        foreign.shutdown()
        foreign.server_close()


def test_every_answer_carries_the_headers(own: Server) -> None:
    for path in ("/", "/data", "/_stcore/health", "/static/none.js", "/media/none", "/_stcore/host-config"):
        headers = ask(own.port, path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-frame-options"] == "DENY", path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "same-origin", path


def test_the_app_works_under_its_policy_and_looks_nothing_up(own: Server, browser: Browser) -> None:
    with watched(browser) as page:  # fails on any violation of the policy
        asked: set[str] = set()
        page.on("request", lambda request: asked.add(request.url.partition("://")[2].partition("/")[0]))
        page.goto(own.url)
        settled(page)
        page.get_by_test_id("stSidebarNav").get_by_role("link", name="Data", exact=True).click()
        expect(page.get_by_role("heading", name="Data", level=1)).to_be_visible()
        page.locator("input[type=file]").first.set_input_files(
            {"name": "seen.csv", "mimeType": "text/csv", "buffer": b"user,item,rating\nu1,i1,3\nu2,i2,4\nu1,i2,5\n"}
        )
        page.get_by_role("button", name="Check these files").click()
        expect(page.locator(".st-key-check_numbers")).to_contain_text("3")
        assert {one for one in asked if one and not one.startswith("127.0.0.1:")} == set()
    assert looked_up(own.log.parent) == []
    assert list(own.workspace.rglob("seen.csv")), "the upload is kept in the workspace"
    modes = {str(path): f"{path.stat().st_mode & 0o777:o}" for path in own.workspace.rglob("*") if path.is_file()}
    assert set(modes.values()) == {"600"}, modes
    assert f"{own.workspace.stat().st_mode & 0o777:o}" == "700"


def test_the_listener_hears_what_a_process_looks_up(tmp_path: Path) -> None:
    """The tests above and below would detect it; connecting a datagram socket sends nothing."""
    script = "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
    subprocess.run([sys.executable, "-c", script], env=os.environ | listening(tmp_path), check=True)
    assert looked_up(tmp_path) == ["socket.connect (('192.0.2.1', 9),)"]


def test_a_server_that_others_reach_asks_for_the_token(everywhere: Server) -> None:
    token, port = token_of(everywhere), everywhere.port
    for path in ("/", "/data", "/static/js/x.js", "/media/x", "/_stcore/host-config", "/_stcore/metrics", "/?token=x"):
        answer = ask(port, path)
        assert answer.status == 403, path
        assert token not in answer.text
    assert ask(port, "/_stcore/upload_file/a/b", method="PUT").status == 403
    assert ask(port, "/_stcore/health").status == 200
    assert handshake(port) == 403
    assert handshake(port, Origin=everywhere.url) == 403

    opened = ask(port, f"/data?token={token}&view=demo")
    assert (opened.status, opened.headers["location"]) == (303, "/data?view=demo")
    cookie, _, attributes = opened.headers["set-cookie"].partition("; ")
    assert attributes == "Path=/; HttpOnly; SameSite=Lax"
    assert ask(port, Cookie=cookie).status == 200
    assert handshake(port, Cookie=cookie, Origin=everywhere.url) == 101
    assert handshake(port, Cookie=cookie, Origin="http://evil.example") == 403
    assert ask(port, Cookie=cookie + "x").status == 403
    assert ask(port, Host="evil.example", Cookie=cookie).status == 403


def test_the_printed_link_opens_the_app(everywhere: Server, browser: Browser) -> None:
    with watched(browser) as page:
        page.goto(f"{everywhere.url}/?token={token_of(everywhere)}")
        settled(page)
        expect(page.get_by_role("heading", name="Recscope", level=1)).to_be_visible()
        assert "token" not in page.url
        page.goto(f"{everywhere.url}/data")
        settled(page)
        expect(page.get_by_role("heading", name="Data", level=1)).to_be_visible()
    assert looked_up(everywhere.log.parent) == []


def test_the_page_that_asks_takes_the_token_by_hand(everywhere: Server, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{everywhere.url}/data")
    page.get_by_label("Token").fill(token_of(everywhere))
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name="Data", level=1)).to_be_visible()
    page.close()


def test_ctrl_c_ends_the_server_while_a_page_is_open(tmp_path: Path, browser: Browser) -> None:
    for server in serve(tmp_path):
        page = browser.new_page()
        page.goto(server.url)
        settled(page)
        server.process.send_signal(signal.SIGINT)
        server.process.wait(timeout=20)
        page.close()


@pytest.mark.parametrize("kind", [go.Scattergl, go.Scatter])
def test_a_chart_that_leaves_the_product_draws_and_runs_nothing_else(
    browser: Browser, tmp_path: Path, kind: type
) -> None:
    chart = go.Figure(kind(x=[1, 2], y=[3, 4], mode="markers", text=["</script><script>window.hit = 1</script>", "b"]))
    injected = "<script>window.hit = 2</script><img src='x' onerror='window.hit = 3'>"
    (tmp_path / "chart.html").write_text(figure_html(chart, "chart"))
    (tmp_path / "attacked.html").write_text(figure_html(chart, "chart").replace("</h1>", f"</h1>{injected}"))
    with watched(browser) as page:
        page.goto((tmp_path / "chart.html").as_uri())
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
        assert page.locator("canvas").count() == (3 if kind is go.Scattergl else 0)
        assert page.get_by_text("WebGL is not supported").count() == 0
    page = browser.new_page()
    page.goto((tmp_path / "attacked.html").as_uri())
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    assert json.dumps(page.evaluate("window.hit ?? null")) == "null"
    page.close()
