"""The engine process with the odd models in its registry and a gate in its jobs.

Its workers import this file too.
"""

import sys
from pathlib import Path

from tests.engine.gate import install
from tests.engine.odd_models import register

register()
install()

if __name__ == "__main__":
    from recsys_core.engine.process import main

    sys.exit(main(Path(sys.argv[1])))
