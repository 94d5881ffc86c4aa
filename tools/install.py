"""Install a requirements file with uv, in a fifth of pip's time or less; with pip where uv cannot.

uv does not read pip's configuration. The indexes named there are passed on; with any other setting, pip installs.
"""

import ast
import re
import subprocess
import sys

VALUES = ("cert", "index-url")
LISTS = ("extra-index-url", "find-links", "constraint")
"""Settings of pip that are options of the same name in uv: of one value, or of several with spaces between them."""
WITHOUT_EFFECT = (
    "disable-pip-version-check", "default-timeout", "timeout", "retries", "no-color", "quiet", "no-input",
    "progress-bar", "root-user-action", "no-cache-dir",
)  # fmt: skip
"""Settings of pip that do not change what is installed."""
ENTRY = re.compile(r"(?P<scope>[^.]+)\.(?P<name>[\w-]+)=(?P<value>.*)")
SCOPES = ("global", "install", ":env:")
"""Parts of pip's configuration that count here; a later one replaces an earlier one."""


def uv_options(configuration: str) -> list[str] | None:
    """Return the options of `uv pip install` that stand for pip's configuration; None if one has no equivalent.

    Args:
        configuration: Output of `pip config list`.
    """
    entries = [match for line in configuration.splitlines() if (match := ENTRY.fullmatch(line.strip()))]
    settings: dict[str, str] = {}
    for scope in SCOPES:
        settings |= {one["name"]: ast.literal_eval(one["value"]) for one in entries if one["scope"] == scope}
    if settings.keys() - {*VALUES, *LISTS, *WITHOUT_EFFECT}:
        return None
    values = [(name, settings[name]) for name in VALUES if name in settings]
    values += [(name, value) for name in LISTS for value in settings.get(name, "").split()]
    # pip takes the best version of all indexes
    general = ["--index-strategy=unsafe-best-match", *(["--no-cache"] if "no-cache-dir" in settings else [])]
    return [*general, *(f"--{name}={value}" for name, value in values)]


def main(path: str) -> int:
    """Install the requirements of a file in the versions of `constraints.txt`; return the exit status."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wanted = ["--quiet", "--constraint", "constraints.txt", "--requirement", path]
    configured = subprocess.run([*pip, "config", "list"], check=True, capture_output=True, text=True).stdout
    options = uv_options(configured)
    if options is not None:
        brought = subprocess.call([*pip, "install", "--quiet", "--constraint", "constraints.txt", "uv"])
        uv = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, "--system-certs"]
        if not brought and not subprocess.call([*uv, *wanted, *options]):
            return 0
        sys.stderr.write("uv could not install the requirements; pip is tried.\n")
    return subprocess.call([*pip, "install", *wanted])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
