"""The processes that the product leaves running on purpose, and their end when a test is over."""

import os
from pathlib import Path

import psutil


def end_family(workspace: Path) -> None:
    """End the engine of this workspace, its workers, and whatever else was started for it."""
    ours = [process for process in psutil.process_iter(["environ"]) if _belongs(process, workspace)]
    for process in ours:
        process.kill()
    psutil.wait_procs(ours, timeout=5)


def _belongs(process: psutil.Process, workspace: Path) -> bool:
    environment = process.info["environ"] or {}
    return process.pid != os.getpid() and environment.get("RECSCOPE_WORKSPACE") == str(workspace)
