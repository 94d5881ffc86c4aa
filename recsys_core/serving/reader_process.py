"""A process that reads one intake and exits: `python -m recsys_core.serving.reader_process`, started ahead of time.

It imports the libraries for reading, then waits for one line of JSON on standard input. A small file is thus checked in
a fraction of a second, although each reading has its own process. It exits after ten minutes without a request, and
when the input is closed.
"""

import faulthandler
import json
import logging
import os
import sys
import threading

IDLE_SECONDS = 600.0


def main() -> int:
    """Wait for a request, then read within its limits; return the exit status."""
    idle = threading.Timer(IDLE_SECONDS, os._exit, (0,))
    idle.daemon = True
    idle.start()
    import charset_normalizer  # noqa: F401 - reading may need it
    import python_calamine  # noqa: F401 - likewise

    line = sys.stdin.readline()
    idle.cancel()
    if not line.strip():
        return 0
    request = json.loads(line)

    from recsys_core.data.ingest.limits import ProcessLimits
    from recsys_core.serving.process_limits import confine
    from recsys_core.serving.upload_tables import requested

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("recsys_core").setLevel(logging.INFO)
    confine(ProcessLimits(**request["limits"]))
    requested(request).run()
    return 0


if __name__ == "__main__":
    faulthandler.enable()
    status = main()
    logging.shutdown()
    os._exit(status)  # skip the slow unloading of libraries
