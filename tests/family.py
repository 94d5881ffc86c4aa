"""The background processes of the product, and their end after a test."""

import os
from pathlib import Path

import psutil


def end_family(workspace: Path) -> None:
    """Stop the engine of this workspace, its workers, and everything else that was started for it."""
    ours = [process for process in psutil.process_iter(["environ"]) if _belongs(process, workspace)]
    for process in ours:
        process.kill()
    psutil.wait_procs(ours, timeout=5)


def _belongs(process: psutil.Process, workspace: Path) -> bool:
    environment = process.info["environ"] or {}
    return process.pid != os.getpid() and environment.get("RECSCOPE_WORKSPACE") == str(workspace)
