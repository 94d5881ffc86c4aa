"""Downloads survive servers that disconnect, hang, lie and misbehave; all connections are to the loopback address."""

import hashlib
import io
import shutil
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from recsys_core.contracts import Progress, RunContext
from recsys_core.data.catalogue import CatalogueEntry
from recsys_core.data.download import DownloadLimits, download
from recsys_core.data.workspace import Workspace
from recsys_core.errors import Cancelled, DataError, StoreError
from recsys_core.storage.locks import locked
from tests.fixtures.fetched import fetch_dataset

CONTENT = bytes(range(256)) * 2048
HALF = len(CONTENT) // 2
QUICK = DownloadLimits(connect_seconds=30, read_seconds=30, attempts=3, pause_seconds=0.01, max_bytes=10_000_000)


@dataclass
class Server:
    """A server of one file, whose faults are set by a test; it records the requested ranges."""

    url: str = ""
    content: bytes = CONTENT
    status: int = 200
    etag: str = '"one"'
    ranges: bool = True
    break_off_times: int = 0
    hang_times: int = 0
    announce: int | None = None
    no_length: bool = False
    wrong_range: bool = False
    fail_times: int = 0
    asked: list[str | None] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wish = handler.headers.get("Range")
        self.asked.append(wish)
        if self.fail_times or self.status != 200:
            status = 503 if self.fail_times else self.status
            self.fail_times = max(0, self.fail_times - 1)
            return self._head(handler, status, {"Content-Length": "0"})
        start = 0
        current = handler.headers.get("If-Range", self.etag) == self.etag
        if wish and self.ranges and current:
            start = int(wish.removeprefix("bytes=").removesuffix("-"))
            if start >= len(self.content):
                size = {"Content-Range": f"bytes */{len(self.content)}", "Content-Length": "0"}
                return self._head(handler, 416, size)
        body = self.content[start:]
        headers = {"ETag": self.etag} if self.etag else {}
        if not self.no_length:
            headers["Content-Length"] = str(len(body) if self.announce is None else self.announce)
        if start:
            shown = start + self.wrong_range
            headers["Content-Range"] = f"bytes {shown}-{len(self.content) - 1}/{len(self.content)}"
        self._head(handler, 206 if start else 200, headers)
        return self._body(handler, body)

    def _body(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if self.break_off_times or self.hang_times:
            handler.wfile.write(body[: len(body) // 2])
            handler.wfile.flush()
            if self.hang_times:
                self.hang_times -= 1
                self.release.wait(60)
            else:
                self.break_off_times -= 1
            return
        handler.wfile.write(body)

    @staticmethod
    def _head(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that disconnect are part of the tests."""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, *args: object) -> None:
            """Log nothing."""

    with QuietServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        state.url = f"http://127.0.0.1:{http.server_address[1]}"
        yield state
        state.release.set()
        http.shutdown()
        thread.join(5)


def entry(
    server: Server, *, md5: bool = True, exact: bool = True, names: tuple[str, ...] = ("set.zip",)
) -> CatalogueEntry:
    file = {
        "size_bytes": len(CONTENT),
        "size_is_exact": exact,
        "md5": hashlib.md5(CONTENT).hexdigest() if md5 else None,
    }
    return CatalogueEntry(
        key="set", title="A set", about="", page="https://example.org", rows=1, users=1, items=1, licence_name="",
        licence="", citation="", files=tuple(file | {"url": f"{server.url}/{n}", "name": n} for n in names), tables=(),
    )  # fmt: skip


def fetch(server: Server, folder: Path, limits: DownloadLimits = QUICK, **given: bool) -> Path:
    return download(entry(server, **given), folder, RunContext(), limits)


def test_a_file_arrives_whole_under_its_name_and_nothing_else_stays(server: Server, tmp_path: Path) -> None:
    messages: list[Progress] = []
    path = download(entry(server), tmp_path / "deep" / "folder", RunContext(report=messages.append), QUICK)
    assert path.name == "set.zip"
    assert path.read_bytes() == CONTENT
    assert [found.name for found in path.parent.iterdir()] == ["set.zip"]
    assert messages[-1] == Progress("download set.zip", len(CONTENT), len(CONTENT))
    assert [m.step for m in messages] == sorted(m.step for m in messages)


def test_what_is_there_and_whole_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    fetch(server, tmp_path)
    assert len(server.asked) == 1
    (tmp_path / "set.zip").write_bytes(b"damaged")
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_connection_that_breaks_off_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.break_off_times = 2
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={HALF}-", f"bytes={HALF + HALF // 2}-"]


def test_a_connection_that_always_breaks_is_given_up_with_a_sentence_and_the_part_is_kept(
    server: Server, tmp_path: Path
) -> None:
    server.break_off_times = 99
    with pytest.raises(DataError, match=r"broke during the download of 'set\.zip'; the partial file is kept"):
        fetch(server, tmp_path)
    assert len(server.asked) == 3
    assert not (tmp_path / "set.zip").exists()
    server.break_off_times = 0
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={int(len(CONTENT) * 7 / 8)}-"


@pytest.mark.slow
def test_a_server_that_hangs_is_left_after_the_timeout(server: Server, tmp_path: Path) -> None:
    server.hang_times = 1
    assert fetch(server, tmp_path, limits=replace(QUICK, read_seconds=2.0)).read_bytes() == CONTENT
    assert len(server.asked) == 2
    server.hang_times = 99
    with pytest.raises(DataError, match=r"sent no data for 0\.3 seconds"):
        fetch(server, tmp_path / "other", limits=replace(QUICK, read_seconds=0.3))
    assert len(server.asked) == 2 + QUICK.attempts


def test_a_server_that_lies_about_the_checksum_is_not_believed(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(DataError, match=r"checksum of 'set\.zip' differs from the catalogue"):
        fetch(server, tmp_path)
    assert not (tmp_path / "set.zip").exists()
    assert (tmp_path / "set.zip.part").stat().st_size == 0
    server.content = CONTENT
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    server.ranges, server.break_off_times = False, 1
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={HALF}-"]


def test_a_server_that_sends_another_range_is_asked_again_from_the_start(server: Server, tmp_path: Path) -> None:
    server.wrong_range, server.break_off_times = True, 1
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={HALF}-", None]


def test_a_rest_is_never_joined_to_the_beginning_of_another_version(server: Server, tmp_path: Path) -> None:
    server.break_off_times = 99
    with pytest.raises(DataError):
        fetch(server, tmp_path, DownloadLimits(read_seconds=1, attempts=1), md5=False, exact=False)
    server.content, server.etag, server.break_off_times = b"another version" * 50_000, '"two"', 0
    assert fetch(server, tmp_path, md5=False, exact=False).read_bytes() == b"another version" * 50_000


def test_without_a_mark_and_a_checksum_nothing_is_resumed(server: Server, tmp_path: Path) -> None:
    server.etag, server.break_off_times = "", 1
    assert fetch(server, tmp_path, md5=False).read_bytes() == CONTENT
    assert server.asked == [None, None]


def test_a_part_that_is_whole_already_is_finished_without_a_byte(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT)
    assert fetch(server, tmp_path, exact=False).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]
    (tmp_path / "set.zip").rename(tmp_path / "set.zip.part")
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_part_that_is_too_long_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT + b"more")
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT) + 4}-", None]


@pytest.mark.parametrize(
    ("status", "words"), [(404, "no longer exists"), (403, "returned 403"), (410, "publisher's page")]
)
def test_an_answer_that_time_will_not_mend_is_refused_at_once(
    server: Server, tmp_path: Path, status: int, words: str
) -> None:
    server.status = status
    with pytest.raises(DataError, match=words):
        fetch(server, tmp_path)
    assert len(server.asked) == 1


def test_a_server_that_is_busy_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.fail_times = 2
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    server.fail_times = 99
    with pytest.raises(DataError, match="returned 503"):
        fetch(server, tmp_path / "other")


def test_a_server_that_announces_another_size_is_refused_before_anything_is_written(
    server: Server, tmp_path: Path
) -> None:
    server.announce = len(CONTENT) + 1
    with pytest.raises(DataError, match=r"reports 524,289 bytes for 'set\.zip', the catalogue 524,288"):
        fetch(server, tmp_path)
    assert (tmp_path / "set.zip.part").stat().st_size == 0


@pytest.mark.parametrize(("exact", "most"), [(True, "524,288"), (False, "2,097,152")])
def test_a_server_that_sends_more_than_it_promised_is_stopped(
    server: Server, tmp_path: Path, exact: bool, most: str
) -> None:
    server.no_length, server.content = True, CONTENT * 8
    with pytest.raises(DataError, match=f"sent more than the maximum of {most} bytes"):
        fetch(server, tmp_path, exact=exact)
    assert (tmp_path / "set.zip.part").stat().st_size == 0


def test_a_file_over_the_limit_is_refused_without_asking(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the maximum is 1,000"):
        fetch(server, tmp_path, DownloadLimits(max_bytes=1000))
    assert server.asked == []


def test_a_disk_without_room_is_seen_before_the_download(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(StoreError, match="needs 524,288 bytes but the disk has 1,000 free"):
        fetch(server, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        fetch(server, tmp_path / "file")


def test_cancel_is_seen_within_one_block_and_what_came_is_kept(server: Server, tmp_path: Path) -> None:
    seen: list[Progress] = []
    ctx = RunContext(report=seen.append, stop_requested=lambda: bool(seen))
    with pytest.raises(Cancelled, match="the partial file is kept"):
        download(entry(server), tmp_path, ctx, QUICK)
    kept = (tmp_path / "set.zip.part").stat().st_size
    assert 0 < kept <= 2 * 16 * 1024
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={kept}-"


def test_cancel_is_seen_while_waiting_for_the_next_attempt(server: Server, tmp_path: Path) -> None:
    server.status = 503
    patient = DownloadLimits(pause_seconds=60, attempts=2)
    ctx = RunContext(stop_requested=lambda: bool(server.asked))
    with pytest.raises(Cancelled):
        download(entry(server), tmp_path, ctx, patient)


def test_one_file_is_fetched_by_one_process_at_a_time(server: Server, tmp_path: Path) -> None:
    with locked(tmp_path / "set.zip.lock"), pytest.raises(DataError, match="already being downloaded"):
        fetch(server, tmp_path)
    fetch(server, tmp_path)
    assert not (tmp_path / "set.zip.lock").exists()


def test_nobody_at_the_address_is_said_so(tmp_path: Path, server: Server) -> None:
    server.url = "http://127.0.0.1:9"
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9 is unreachable"):
        fetch(server, tmp_path)


def test_several_files_become_one_archive(server: Server, tmp_path: Path) -> None:
    several = entry(server, names=("ratings.dat", "movies.dat"))
    path = download(several, tmp_path, RunContext(), QUICK)
    assert [found.name for found in tmp_path.iterdir()] == ["set.zip"]
    with zipfile.ZipFile(path) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "ratings.dat": CONTENT,
            "movies.dat": CONTENT,
        }
    assert download(several, tmp_path, RunContext(), QUICK) == path
    assert len(server.asked) == 2


def test_a_data_set_goes_from_the_server_into_the_workspace(server: Server, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("ml/ratings.csv", "userId,movieId,rating,timestamp\n1,10,4.5,964982703\n2,10,3.0,964982224\n")
        archive.writestr("ml/movies.csv", 'movieId,title,genres\n10,"Voyage, The (2001)",Adventure|Drama\n')
    server.content, server.break_off_times = packed.getvalue(), 1
    workspace = Workspace(tmp_path / "workspace")
    data, report = fetch_dataset(entry(server, md5=False, exact=False), workspace, RunContext(), QUICK)
    assert (report.rows_read, report.rows_accepted, data.n_users) == (3, 3, 2)
    assert data.titles() == ["Voyage, The (2001)"]
    assert [card.name for card in workspace.datasets()] == ["A set"]
    assert len(server.asked) == 2
