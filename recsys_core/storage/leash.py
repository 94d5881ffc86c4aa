"""`python leash.py COMMAND...`: runs a command that ends with the process that holds the other end of standard input.

A program must not outlive the job that runs it, even if the job is killed and cannot clean up. The leash notices that
its standard input is closed, and kills the command with all its processes; on Linux also those that started a session
of their own, as daemons do. Standard library only: the file is run by path in a bare interpreter.
"""

import contextlib
import ctypes
import glob
import os
import signal
import subprocess
import sys
import threading
import time

END_SECONDS = 2.0
"""Time between the polite and the hard end of a command."""
ADOPT_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER: processes whose parent has ended become children of this process."""


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a command and all processes of its session."""
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    until = time.monotonic() + END_SECONDS
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def end_orphans() -> None:
    """Kill the children of this process, and those that become its children by that."""
    until = time.monotonic() + END_SECONDS
    while (left := _children()) and time.monotonic() < until:
        for child in left:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)


def _children() -> list[int]:
    found: list[int] = []
    for path in glob.glob("/proc/self/task/*/children"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            found += map(int, file.read().split())
    return found


def main(command: list[str]) -> int:
    """Run the command; return its exit status, or 128 and the number of the signal that ended it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT_ORPHANS, 1, 0, 0, 0)
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=sys.platform != "win32")
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror or error}\n")
        return 127

    def watch() -> None:
        while os.read(0, 4096):
            continue
        end(process)

    threading.Thread(target=watch, daemon=True).start()
    status = process.wait()
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what the command left behind
        end_orphans()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
