"""Check that `constraints.txt` pins every direct and transitive dependency.

`make constraints` resolves the file for all platforms and Python versions; `make lint` runs this check, which needs no
network: every distribution that is installed here because of a requirement must be in the file with its version.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
REQUIREMENTS = ROOT / "requirements-dev.txt"
REMEDY = "Run `make constraints` and commit constraints.txt; run `make lint` again to install its versions."


def requirements_in(path: Path) -> Iterator[Requirement]:
    """Yield the requirements of a file and of the files that it includes with `-r`."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if text.startswith("-r "):
            yield from requirements_in(path.parent / text[3:].strip())
        elif text:
            yield Requirement(text)


def applies(requirement: Requirement, extra: str = "") -> bool:
    """Return whether a requirement applies to this platform."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def pinned(requirement: Requirement) -> str | None:
    """Return the version that a requirement pins, None if it allows several."""
    exact = [one.version for one in requirement.specifier if one.operator == "=="]
    return exact[0] if len(exact) == len(requirement.specifier) == 1 else None


def installed(name: str) -> Distribution | None:
    """Return an installed distribution, None if it is not installed."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def dependencies(roots: list[Requirement]) -> tuple[dict[str, str], list[str]]:
    """Return the installed direct and transitive dependencies (name -> version), and a sentence per missing one."""
    versions: dict[str, str] = {}
    missing: list[str] = []
    open_requirements = [one for one in roots if applies(one)]
    seen: set[tuple[str, str]] = set()
    while open_requirements:
        requirement = open_requirements.pop()
        name = canonicalize_name(requirement.name)
        installation = installed(name)
        if installation is None:
            missing.append(f"{name} is required and not installed.")
            continue
        versions[name] = Version(installation.version).public
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                needed = [Requirement(text) for text in installation.requires or ()]
                open_requirements += [one for one in needed if applies(one, extra)]
    return versions, sorted(set(missing))


def findings(constraints: list[Requirement], roots: list[Requirement], present: Mapping[str, str]) -> list[str]:
    """Return the errors of the constraints, one sentence each."""
    wrong = [f"'{one}' does not pin a version." for one in constraints if pinned(one) is None]
    versions: dict[str, str] = {}  # for this platform
    anywhere: dict[str, set[str | None]] = {}
    for one in constraints:
        name = canonicalize_name(one.name)
        anywhere.setdefault(name, set()).add(pinned(one))
        if applies(one):
            if name in versions:
                wrong.append(f"{name} is listed twice for this platform.")
            versions[name] = pinned(one) or ""
    for root in roots:
        key, version = canonicalize_name(root.name), pinned(root)
        if version is None:
            wrong.append(f"The requirement '{root}' does not pin a version.")
        elif any(one is None or Version(one) != Version(version) for one in anywhere.get(key, ())):
            wrong.append(f"{key} is {version} in the requirements, but not in constraints.txt.")
    for distribution_name, version in sorted(present.items()):
        if distribution_name not in versions:
            wrong.append(f"{distribution_name} {version} is installed, but not in constraints.txt.")
        elif Version(versions[distribution_name]) != Version(version):
            wrong.append(
                f"{distribution_name} {version} is installed, but constraints.txt has {versions[distribution_name]}."
            )
    return wrong


def main() -> int:
    """Print the errors; return the exit status."""
    roots = list(requirements_in(REQUIREMENTS))
    present, missing = dependencies(roots)
    wrong = findings(list(requirements_in(CONSTRAINTS)), roots, present) + missing
    for sentence in wrong:
        sys.stdout.write(f"constraints.txt: {sentence}\n")
    sys.stdout.write(
        f"{REMEDY}\n" if wrong else f"constraints.txt covers the {len(present)} distributions installed.\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
