"""The Python environments of programs: built on first use from pinned requirements, once for all jobs.

An environment is named by the program and the hash of its requirements and of the Python version, so a change builds
another one. A file written last marks it as complete; an interrupted build is started again.
"""

import hashlib
import shutil
import sys
import time
from pathlib import Path

from recsys_core.contracts import Progress, RunContext
from recsys_core.errors import ProgramFailed
from recsys_core.experiments.program_process import GIB, Bounds, own_variables, run_command
from recsys_core.models.programs import Folder
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import write_text
from recsys_core.storage.locks import take_lock
from recsys_core.text import _

FOLDER = "environments"
READY = "ready"
BUILD = Bounds(memory_bytes=8 * GIB, seconds=3600.0, disk_bytes=20 * GIB)
OWN_PYTHON = "{python}"
OWN_FOLDER = "{folder}"


def command_of(program: Folder, root: Path, ctx: RunContext) -> list[str]:
    """Return the command of a program with its placeholders filled; its environment is built if necessary.

    Args:
        program: The program.
        root: The workspace, which holds the environments.
        ctx: Progress and cancellation of the build.

    Raises:
        ProgramFailed: The environment cannot be built.
        Cancelled: The user cancelled the job.
        StoreError: A disk error.
    """
    words = program.manifest.program.command
    python = sys.executable
    if program.manifest.environment is not None:
        python = str(_environment(program, root, ctx))
    return [word.replace(OWN_PYTHON, python).replace(OWN_FOLDER, str(program.path)) for word in words]


def environment_path(program: Folder, root: Path) -> Path:
    """Return the folder of the environment of a program."""
    assert program.manifest.environment is not None
    requirements = (program.path / program.manifest.environment.requirements).read_bytes()
    version = ".".join(map(str, sys.version_info[:2]))
    digest = hashlib.sha256(version.encode() + b"\0" + requirements).hexdigest()
    return root.absolute() / FOLDER / f"{program.name}-{digest[:12]}"


def _environment(program: Folder, root: Path, ctx: RunContext) -> Path:
    """Return the interpreter of the environment; two jobs that need it build it once."""
    path = environment_path(program, root)
    python = path / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if (path / READY).exists():
        return python
    with disk_errors_in_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = take_lock(path.with_suffix(".lock"), ctx.stop_requested)
    ctx.stop_if_requested("while another job built the environment")
    assert lock is not None
    try:
        if not (path / READY).exists():
            _build(program, path, python, ctx)
    finally:
        lock.release()
    return python


def _build(program: Folder, path: Path, python: Path, ctx: RunContext) -> None:
    assert program.manifest.environment is not None
    shutil.rmtree(path, ignore_errors=True)
    with disk_errors_in_words(path):
        path.mkdir()
    requirements = program.path / program.manifest.environment.requirements
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    commands = (
        [sys.executable, "-m", "venv", "--without-pip", str(path)],
        [*pip, "install", "--no-input", "--no-cache-dir", "-r", str(requirements)],
    )
    variables = own_variables(path, ctx.threads, network=True)
    title = program.manifest.program.title
    for number, command in enumerate(commands):
        stage = f"build the environment of {title}"
        ctx.report(Progress(stage, number, len(commands)))
        try:
            run_command(command, path, BUILD, ctx, what=f"The environment of {title}", stage=stage, variables=variables)
        except ProgramFailed as error:
            raise ProgramFailed(
                _("{error} It could not be built; see '{requirements_name}' of the program.").format(
                    error=error, requirements_name=requirements.name
                )
            ) from error
    write_text(path / READY, f"{time.time():.0f}\n")
