"""A small disk to fill up: mounted outside pytest's folders, which then stay removable if a test run is killed."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(kib: int) -> Iterator[Path]:
    """Mount a separate disk of `kib` KiB; skip the test where mounting is not permitted."""
    with tempfile.TemporaryDirectory(prefix="recscope-disk-", ignore_cleanup_errors=True) as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder]
        if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
            pytest.skip("a small tmpfs needs root and mount, which are not available here")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)
