"""`python leash.py COMMAND...`: runs a command that ends with the process that holds the other end of standard input.

A program must not outlive the job that runs it, even if the job is killed and cannot clean up. The leash notices that
its standard input is closed, and kills the command with all processes of its session. Standard library only: the file
is run by path in a bare interpreter.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

END_SECONDS = 2.0
"""Time between the polite and the hard end of a command."""


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


def main(command: list[str]) -> int:
    """Run the command; return its exit status, or 128 and the number of the signal that ended it."""
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
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
