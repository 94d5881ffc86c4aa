"""A reader that misbehaves in the way that the name of the draft says, or waits at a gate that the test opens."""

import json
import os
import signal
import sys
import time
from pathlib import Path

from recsys_core.data.ingest.limits import MIB, ProcessLimits
from recsys_core.serving.process_limits import confine
from recsys_core.serving.upload_tables import requested


def hold(reading_folder: Path) -> None:
    """Wait until the test has created a file `gate` beside the files."""
    (reading_folder.parents[1] / "begun").touch()
    while not (reading_folder.parents[1] / "gate").exists():
        time.sleep(0.01)


def main() -> None:
    request = json.loads(sys.stdin.readline())
    reading = requested(request)
    confine(ProcessLimits(**request["limits"]))
    way = reading.draft.name
    if way == "abort":
        os.abort()
    elif way == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif way == "exit":
        os._exit(3)
    elif way == "vanish":
        os._exit(0)
    elif way == "sleep":
        time.sleep(600)
    elif way == "memory":
        kept = []
        while True:
            kept.append(bytearray(b"x") * (16 * MIB))
            time.sleep(0.02)
    elif way == "disk":
        for number in range(10_000):
            (reading.folder / f"huge_{number % 4}").write_bytes(bytes(MIB))
            time.sleep(0.005)
    else:
        if way.startswith("held"):
            hold(reading.folder)
        reading.run()


if __name__ == "__main__":
    main()
