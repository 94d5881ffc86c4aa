"""Other libraries, each run as a separate process in its own virtual environment."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

FOLDER = Path(__file__).resolve().parent
ENVIRONMENTS = FOLDER.parent.parent / ".venv-peers"


def python_of(peer: str) -> Path:
    """Return the interpreter of a peer's environment; it is created from `benchmarks/peers/PEER.txt` on first use."""
    requirements, home = FOLDER / f"{peer}.txt", ENVIRONMENTS / peer
    interpreter, stamp = home / "bin" / "python", home / "installed.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        print(f"Setting up {peer} in {home} ...", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(interpreter), "-m", "pip", "install", "-qq", "-r", str(requirements)], check=True)
        stamp.write_text(requirements.read_text())
    return interpreter


def ask(
    peer: str, *arguments: str, threads: int, environment: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Run `benchmarks/peers/run_PEER.py` and return the JSON that it prints.

    Args:
        peer: Name of the peer.
        arguments: Command-line arguments of the script.
        threads: Number of threads of its libraries.
        environment: Environment variables in addition to those of this process.
    """
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [str(python_of(peer)), "-W", "ignore", str(FOLDER / f"run_{peer}.py"), *arguments]
    done = subprocess.run(
        command, env=os.environ | limits | dict(environment), stdout=subprocess.PIPE, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
