"""`python -m recsys_core COMMAND`, see `recsys_core.cli`. Worker processes of `serve-engine` import this file too."""

import sys

if __name__ == "__main__":
    from recsys_core.cli import main

    sys.exit(main(sys.argv[1:]))
