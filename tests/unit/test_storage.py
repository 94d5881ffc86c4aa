"""Files, checksums, locks and process marks: the basis of everything stored on disk."""

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recsys_core.errors import Damaged, StoreError
from recsys_core.storage import checksums
from recsys_core.storage.checksums import FileSum, file_sum, read_record, verify, write_record
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import read_json
from recsys_core.storage.locks import locked, take_lock
from recsys_core.storage.processes import ProcessMark, own_mark

ROOT = Path(__file__).resolve().parents[2]
RECORD = {"name": "films", "counts": [1, 2, 3], "ratio": 0.1, "10": 1, "9": 2, "nothing": None}


def test_a_record_with_one_flipped_bit_is_never_taken_for_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_record(path, RECORD)
    written = path.read_bytes()
    refused = 0
    for place in range(len(written)):
        content = bytearray(written)
        content[place] ^= 1 << (place % 7)
        path.write_bytes(bytes(content))
        try:
            found = read_record(path)
        except Damaged:
            refused += 1
        else:
            assert found == RECORD, f"byte {place}"  # the space between the parts became another one
    assert refused > 0.8 * len(written)


def test_a_record_is_read_back_and_an_edited_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_record(path, RECORD | {"numbers": {10: "a", 9: "b"}})
    assert read_record(path) == RECORD | {"numbers": {"10": "a", "9": "b"}}
    path.write_text(path.read_text().replace("films", "songs"))
    with pytest.raises(Damaged, match=r"'record\.json' is not what was written: its checksum differs"):
        read_record(path)


def test_a_record_of_an_earlier_version_has_no_checksum_and_is_read(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(RECORD))
    assert read_record(path) == RECORD


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\0" * 64, "is empty"),
        (b'{"name": "fil', "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[1, 2]", "is not a record"),
        (b"null", "is not a record"),
        (b"[" * 100_000, "not valid JSON"),
    ],
)
def test_whatever_stands_in_place_of_a_record_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(Damaged, match=words):
        read_record(path)


@pytest.mark.parametrize("content", [b"", b'{"name": "fil', b"\xff\xfe\x00", b"[" * 100_000])
def test_whatever_stands_in_place_of_a_json_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "status.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"'status\.json' in .* cannot be read"):
        read_json(tmp_path / "status.json")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EEXIST, "a file has the name of this folder"),
        (errno.ENOTDIR, "a file has the name of one of its folders"),
        (errno.ENAMETOOLONG, "the name is too long"),
        (errno.EMFILE, "too many files are open"),
    ],
)
def test_disk_errors_say_what_to_do(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(StoreError, match=words), disk_errors_in_words(tmp_path):
        raise OSError(number, "by design")


def test_a_missing_record_and_a_folder_in_its_place_are_damage_too(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="is missing"):
        read_record(tmp_path / "record.json")
    (tmp_path / "record.json").mkdir()
    with pytest.raises(Damaged, match="cannot be read"):
        read_record(tmp_path / "record.json")


def test_one_bit_in_a_file_is_noticed_though_size_and_name_are_right(tmp_path: Path) -> None:
    path = tmp_path / "table.bin"
    path.write_bytes(bytes(range(256)) * 100)
    expected = file_sum(path)
    verify(path, expected)
    content = bytearray(path.read_bytes())
    content[12_345] ^= 4
    path.write_bytes(bytes(content))
    with pytest.raises(Damaged, match="its checksum differs"):
        verify(path, expected)
    with pytest.raises(Damaged, match="its checksum differs"):
        verify(path, expected, deep=False)  # cached by now


def test_a_shorter_missing_or_strange_file_is_noticed_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "table.bin"
    path.write_bytes(b"12345")
    expected = FileSum(6, "0" * 64)
    with pytest.raises(Damaged, match="has 5 bytes instead of 6"):
        verify(path, expected, deep=False)
    with pytest.raises(Damaged, match="is missing"):
        verify(tmp_path / "other.bin", expected, deep=False)
    with pytest.raises(Damaged, match="is not a file"):
        verify(tmp_path, expected, deep=False)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(Damaged, match="cannot be read"):
        verify(tmp_path / "loop", None)


def test_a_file_is_hashed_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.bin"
    path.write_bytes(b"12345")
    expected = file_sum(path)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    hashed: list[Path] = []
    monkeypatch.setattr(checksums, "file_sum", lambda one: (hashed.append(one), file_sum(one))[1])
    verify(path, expected)
    verify(path, expected)
    assert hashed == [path]
    os.utime(path, (1_000_000_001, 1_000_000_001))
    verify(path, expected)
    assert hashed == [path, path]


def test_a_file_written_a_moment_ago_is_hashed_again_since_its_time_may_not_tell(tmp_path: Path) -> None:
    path = tmp_path / "table.bin"
    path.write_bytes(b"12345")
    expected = file_sum(path)
    verify(path, expected)
    before = path.stat()
    path.write_bytes(b"12346")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(Damaged):
        verify(path, expected)


def test_a_lock_keeps_other_threads_and_processes_out(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", []
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(path):
            entered.set()
            leave.wait()
            order.append("first")

    first = threading.Thread(target=hold)
    first.start()
    entered.wait()
    code = (
        "import sys; from pathlib import Path; from recsys_core.storage.locks import take_lock;"
        "sys.exit(take_lock(Path(sys.argv[1]), give_up=lambda: True) is not None)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False).returncode == 0
    assert take_lock(path, give_up=lambda: True) is None
    leave.set()
    with locked(path):
        order.append("second")
    first.join()
    assert order == ["first", "second"]


def test_a_lock_does_not_bring_back_a_folder_that_is_deleted_while_it_waits(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    failed: list[StoreError] = []

    def wait() -> None:
        try:
            with locked(folder / "lock"):
                raise AssertionError
        except StoreError as error:
            failed.append(error)

    with locked(folder / "lock"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        folder.rename(tmp_path / "deleted")
    waiting.join()
    assert [str(one) for one in failed] == ["'run' no longer exists: it was deleted meanwhile."]
    assert not folder.exists()


@pytest.mark.parametrize(
    "values",
    [None, [], {}, {"pid": "1", "started": 1.0, "host": "x"}, {"pid": 1, "started": None, "host": "x"}, {"pid": -1}],
)
def test_what_is_no_mark_of_a_process_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match="not a process mark"):
        ProcessMark.from_json(values)
    assert ProcessMark.from_json(own_mark().to_json()) == own_mark()
    assert ProcessMark(10**30, 1.0, own_mark().host).is_gone


WINDOWS = """
import importlib, os, pkgutil, signal, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None  # importing it raises ImportError, as on Windows
import recsys_core
for name in ("getpgid", "setsid", "killpg", "nice", "fork", "getuid", "geteuid", "statvfs", "mkfifo", "O_CLOEXEC"):
    delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGUSR1"):
    delattr(signal, name)
wanted = ("storage", "data", "experiments", "engine", "cli", "profiles")
failed = []
for found in pkgutil.walk_packages(recsys_core.__path__, "recsys_core."):
    if found.name.split(".")[1] in wanted and not found.name.endswith("__main__"):
        try:
            importlib.import_module(found.name)
        except Exception as error:
            failed.append(f"{found.name}: {error!r}")
print("\\n".join(failed))
sys.exit(bool(failed))
"""


@pytest.mark.slow
def test_every_module_of_store_and_engine_is_imported_without_what_windows_lacks(tmp_path: Path) -> None:
    code = (
        # libraries come first: they were built for this system and may use its features
        "import filelock, psutil, pandas, duckdb, requests, distributed, sklearn, scipy.sparse, numba, safetensors\n"
        + WINDOWS
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
