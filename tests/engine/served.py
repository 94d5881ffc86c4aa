"""The engine process with the odd models in its registry; its workers import this file too and get them that way."""

import sys
from pathlib import Path

from tests.engine.odd_models import register

register()

if __name__ == "__main__":
    from recsys_core.engine.process import main

    sys.exit(main(Path(sys.argv[1])))
