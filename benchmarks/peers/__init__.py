"""Other libraries, each in an environment of its own, run as a process of its own."""

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
    """Return the interpreter of a peer's environment, made from `benchmarks/peers/PEER.txt` on first need."""
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
    """Run `benchmarks/peers/run_PEER.py` with arguments, on so many threads, and return the JSON that it prints.

    Args:
        peer: Its name.
        arguments: Given to the script.
        threads: Cores that its libraries may use.
        environment: Variables that the process gets beside those of this one.
    """
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [str(python_of(peer)), "-W", "ignore", str(FOLDER / f"run_{peer}.py"), *arguments]
    done = subprocess.run(
        command, env=os.environ | limits | dict(environment), stdout=subprocess.PIPE, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
