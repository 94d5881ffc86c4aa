"""The real app in a real browser: servers, a browser that reports every error, and axe.

Tests that store or train use their own server; read-only tests share one.

Every test also fails on an exception box, a page error, an error in the browser's console, or a traceback in the
server's log.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, expect
from playwright.sync_api import TimeoutError as StillClosed

from tests.engine.gate import Gate
from tests.engine.support import eventually, start_engine
from tests.family import end_family
from tests.pages.finished import Finished, finished_template

__all__ = ["finished_template"]

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_CHROME = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FEATURES_OFF = [
    # two hidden pages of the address bar, which every window would load: 0.8 s of CPU per browser context
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    # those that Playwright turns off, since the last list given is the one that counts
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
]
FLAGS = [
    f"--disable-features={','.join(FEATURES_OFF)}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-extensions",
]
WIDE, NARROW = ViewportSize(width=1280, height=900), ViewportSize(width=400, height=900)
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)
ATTEMPTS = 5
LOOKS_UNTIL_QUIET = 3
LOOK_AGAIN_MS = 100

ALLOWED_CONSOLE = re.compile(r"/\w+/_stcore/(health|host-config)$")
"""URLs of failed requests that are expected: at a page's own URL, Streamlit's frontend tries each parent folder as the
base of the app, with status 404 until it has found the right one."""
LOG_VIOLATIONS = """addEventListener("securitypolicyviolation", event =>
  console.error("content security policy:", event.violatedDirective, event.blockedURI, event.sourceFile))"""
"""Collects violations that a script catches itself, such as plotly's where WebGL is refused; they are not reported
otherwise."""
ALLOWED_AXE: dict[str, tuple[str, str]] = {}
"""Rule of axe -> (part of the affected selector, reason)."""
COLOR_RULES = ("color-contrast", "link-in-text-block")
"""Rules of axe whose findings depend on the color scheme."""
NEVER_SERIOUS = (
    "region", "heading-order", "page-has-heading-one", "empty-heading", "landmark-banner-is-top-level",
    "landmark-complementary-is-top-level", "landmark-contentinfo-is-top-level", "landmark-main-is-top-level",
    "landmark-no-duplicate-banner", "landmark-no-duplicate-contentinfo", "landmark-no-duplicate-main",
    "landmark-one-main", "landmark-unique", "image-redundant-alt", "aria-allowed-role", "presentation-role-conflict",
    "skip-link", "meta-viewport-large", "empty-table-header", "table-duplicate-name",
)  # fmt: skip
"""Rules of axe whose findings are minor or moderate, which would not count; they take a quarter of its time."""


def chromium() -> str | None:
    """Return the system's Chromium; None for the one that Playwright installed."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    return found or (str(MAC_CHROME) if MAC_CHROME.is_file() else None)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    path = chromium()
    return browser_type_launch_args | {"args": FLAGS} | ({"executable_path": path} if path else {})


@dataclass
class Server:
    """A running app: its URL, workspace and log."""

    port: int
    workspace: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Kill the web server alone, as in a crash."""
        self.process.kill()
        self.process.wait()


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def start_server(
    workspace: Path,
    log: Path,
    port: int | None = None,
    *,
    folder: Path = ROOT,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Server:
    """Start the app of a folder on a free port and wait until it responds.

    Args:
        workspace: Its workspace.
        log: File to which its output is appended.
        port: A free one by default.
        folder: Contains `app.py`.
        options: Further options of `streamlit run`.
        environment: Further environment variables.
    """
    port = port or free_port()
    environment = os.environ | {"RECSCOPE_WORKSPACE": str(workspace), "PYTHONUNBUFFERED": "1"} | dict(environment or {})
    command = [sys.executable, "-m", "streamlit", "run", str(folder / "app.py"), "--server.port", str(port)]
    command += ["--server.headless", "true", "--server.fileWatcherType", "none", *options]
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    server = Server(port, workspace, log, process)
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=1):
                return server
        except OSError:
            time.sleep(0.05)
    server.kill()
    raise RuntimeError(f"The server did not start:\n{log.read_text()}")


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let servers preload what jobs need, as in production; elsewhere it would slow the tests down."""
    monkeypatch.setenv("RECSCOPE_WARM_UP", "1")


@pytest.fixture
def start(own_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Server]]:
    """Start servers on this test's workspace; all are stopped with the test, and their logs must have no traceback."""
    monkeypatch.setenv("RECSCOPE_WARM_UP", os.environ.get("RECSCOPE_WARM_UP", "0"))
    servers: list[Server] = []
    log = tmp_path / "server.log"

    def start_one(port: int | None = None) -> Server:
        servers.append(start_server(own_workspace, log, port))
        return servers[-1]

    yield start_one
    for server in servers:
        server.kill()
    end_family(own_workspace)
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture
def gate(own_workspace: Path) -> Iterator[Gate]:
    """A gate in the jobs of this workspace, whose engine is started before any server would start one."""
    made = Gate(own_workspace.parent / "gate")
    process = start_engine(own_workspace, **made.environment)
    yield made
    process.kill()
    process.wait()


@pytest.fixture
def server(start: Callable[[], Server]) -> Server:
    """A new server with an empty workspace."""
    return start()


def serve(folder: Path, *options: str, **environment: str) -> Iterator[Server]:
    """Serve the app with these options; the log must have no traceback at the end."""
    workspace, log = folder / "workspace", folder / "server.log"
    server = start_server(workspace, log, options=options, environment={"RECSCOPE_WARM_UP": "0"} | environment)
    try:
        yield server
    finally:
        server.kill()
        end_family(workspace)
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="session")
def common_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serve(tmp_path_factory.mktemp("common"))


@pytest.fixture
def empty_server(common_server: Server) -> Iterator[Server]:
    """One server with an empty workspace for all tests that neither store nor train."""
    said = len(common_server.log.read_text())
    yield common_server
    assert "Traceback" not in (log := common_server.log.read_text()[said:]), log
    kept = [common_server.workspace / name for name in ("datasets", "runs")]
    assert not [one for folder in kept if folder.exists() for one in folder.iterdir()], "a test stored something"


@pytest.fixture(scope="session")
def finished_server(finished_template: Finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server with a finished experiment, for tests that only read it or upload a file."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(finished_template.root, folder / "workspace")
    yield from serve(folder)


@dataclass
class Watch:
    """The errors that a browser page reported."""

    errors: list[str] = field(default_factory=list)

    def console(self, message: ConsoleMessage) -> None:
        address = message.location.get("url", "")
        if message.type == "error" and not ALLOWED_CONSOLE.search(address):
            self.errors.append(f"console: {message.text} ({address})")

    def attach(self, page: Page) -> None:
        page.on("console", self.console)
        page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        page.on("crash", lambda _: self.errors.append("the page crashed"))


@contextmanager
def watched(browser: Browser, width: int = 1280, scheme: str = "light") -> Iterator[Page]:
    """Open a page with the given width and color scheme; fail at the end if it reported errors."""
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": WIDE["height"]},
        color_scheme="dark" if scheme == "dark" else "light",
        accept_downloads=True,
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.add_init_script(LOG_VIOLATIONS)
    watch = Watch()
    watch.attach(page)
    try:
        yield page
        assert page.get_by_test_id("stException").count() == 0, page.get_by_test_id("stException").all_inner_texts()
        assert not watch.errors, watch.errors
    finally:
        context.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page at 1280 pixels in the light scheme."""
    with watched(browser) as opened:
        yield opened


def settled(page: Page) -> None:
    """Wait until the script has ended."""
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible(timeout=PATIENCE_MS)


def schemes(page: Page) -> Iterator[str]:
    """Show the page in the color scheme in which it was loaded, then in the other one, in which the next one is loaded.

    Switching takes a tenth of the time of loading the page again.
    """
    loaded = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
    other: Literal["light", "dark"] = "light" if loaded == "dark" else "dark"
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", loaded)
    yield loaded
    page.emulate_media(color_scheme=other)
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", other)
    settled(page)
    yield other


def choose(page: Page, key: str, label: str, option: str) -> None:
    """Select an option of the select box whose key begins with `key` and whose label is `label`."""
    box = page.locator(f"[class*='st-key-{key}']").filter(has_text=label)
    wanted = page.get_by_role("option", name=option, exact=True)
    for _ in range(ATTEMPTS):  # an open list closes when the page is redrawn
        settled(page)
        box.get_by_role("combobox").click()
        with suppress(StillClosed):
            wanted.click(timeout=PATIENCE_MS / ATTEMPTS)
            break
    settled(page)
    expect(box.get_by_role("combobox")).to_have_value(option)


def draw_lazy_sections(page: Page) -> None:
    """Scroll down a page with lazy sections until all of them are drawn."""
    counting, waiting = page.get_by_text("Counting …"), page.locator("[class*=st-key-later_]")
    ends = time.monotonic() + 5 * PATIENCE_MS / 1000
    quiet = 0
    while quiet < LOOKS_UNTIL_QUIET:  # sections without data, or being redrawn, have no placeholder to scroll to
        if time.monotonic() > ends:
            left = waiting.evaluate_all("places => places.map(one => [one.className, one.getBoundingClientRect().top])")
            raise AssertionError(f"not drawn: {left}; {counting.count()} still counting, at {page.url}")
        settled(page)
        quiet = 0 if counting.count() or waiting.count() else quiet + 1
        # repeatedly: content drawn above may move a placeholder out of view
        waiting.evaluate_all("places => places[0]?.scrollIntoView()")
        page.wait_for_timeout(LOOK_AGAIN_MS)


def fits(page: Page, where: object) -> None:
    """Wait until the page is not wider than the window; after a change of width it is laid out again."""
    eventually(lambda: horizontal_overflow(page) <= 0, PATIENCE_MS / 1000, f"nothing is wider than the window: {where}")


def horizontal_overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window; should be 0."""
    width: int = page.evaluate(
        "() => { const main = document.querySelector('[data-testid=stMain]') ?? document.documentElement;"
        " return Math.max(main.scrollWidth - main.clientWidth,"
        " document.documentElement.scrollWidth - window.innerWidth); }"
    )
    return width


def clean_in_both_schemes(page: Page, where: object = None) -> None:
    """Check that the page is not wider than the window and has no serious finding of axe, in either color scheme."""
    for number, scheme in enumerate(schemes(page)):
        is_clean(page, (where, scheme), COLOR_RULES if number else ())


def is_clean(page: Page, where: object, rules: Sequence[str] = ()) -> None:
    """Check that the page is not wider than the window and has no serious finding of axe, by these rules or by all."""
    fits(page, where)
    assert axe_findings(page, rules=rules) == [], where


def clean_in_every_look(page: Page, where: object = None) -> None:
    """Check a page that was loaded at 1280 pixels in both color schemes, then at 400 pixels in the second one.

    Changing the width takes a third of the time of loading the page again; it also collapses the sidebar.
    """
    clean_in_both_schemes(page, where)
    page.set_viewport_size(NARROW)
    is_clean(page, (where, NARROW["width"]))
    page.set_viewport_size(WIDE)


def axe_findings(page: Page, within: str | None = None, rules: Sequence[str] = ()) -> list[str]:
    """Return the serious and critical findings of axe that the list above does not explain, one line each.

    Args:
        page: What is examined.
        within: Selector of a part of the page, for pages that are otherwise examined; None for the whole page.
        rules: The only rules that are examined; all by default.
    """
    from axe_playwright_python.sync_playwright import Axe

    findings = []
    which = {"runOnly": list(rules)} if rules else {"rules": {rule: {"enabled": False} for rule in NEVER_SERIOUS}}
    options = {"resultTypes": ["violations"]} | which
    for violation in Axe().run(page, within, options).response["violations"]:
        for node in violation["nodes"]:
            target = " ".join(str(part) for part in node["target"])
            part, _reason = ALLOWED_AXE.get(violation["id"], (None, ""))
            explained = part is not None and (part in target or part in node["html"])
            if violation["impact"] in ("serious", "critical") and not explained:
                findings.append(f"{violation['id']}: {target}: {node['html'][:200]}")
    return findings
