"""`python -m recsys_core.engine --workspace FOLDER`: the engine process. Worker processes also import this file."""

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m recsys_core.engine", description="Runs the jobs of a workspace.")
    parser.add_argument("--workspace", type=Path, required=True)
    arguments = parser.parse_args()

    from recsys_core.engine.process import main

    sys.exit(main(arguments.workspace))
