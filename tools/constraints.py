"""Whether `constraints.txt` names the version of everything that the requirements bring along.

`make constraints` writes the file for all platforms and Python versions; `make lint` runs this check of it, which asks
no network: everything that is installed here because a requirement needs it stands in the file, with that version.
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
REMEDY = "Run `make constraints` and commit constraints.txt; run `make lint` again to install what it says."


def requirements_in(path: Path) -> Iterator[Requirement]:
    """Give the requirements of a file, and of those that it includes with `-r`."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if text.startswith("-r "):
            yield from requirements_in(path.parent / text[3:].strip())
        elif text:
            yield Requirement(text)


def applies(requirement: Requirement, extra: str = "") -> bool:
    """Return whether a requirement counts on this platform."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def pinned(requirement: Requirement) -> str | None:
    """Return the version that a requirement fixes, None if it leaves a choice."""
    exact = [one.version for one in requirement.specifier if one.operator == "=="]
    return exact[0] if len(exact) == len(requirement.specifier) == 1 else None


def installed(name: str) -> Distribution | None:
    """Return an installed distribution."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def brought_along(roots: list[Requirement]) -> tuple[dict[str, str], list[str]]:
    """Return what is installed because of requirements (name -> version), and what should be and is not."""
    found: dict[str, str] = {}
    missing: list[str] = []
    waiting = [one for one in roots if applies(one)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        here = installed(name)
        if here is None:
            missing.append(f"{name} is needed and not installed.")
            continue
        found[name] = Version(here.version).public
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                needed = [Requirement(text) for text in here.requires or ()]
                waiting += [one for one in needed if applies(one, extra)]
    return found, sorted(set(missing))


def findings(constraints: list[Requirement], roots: list[Requirement], found: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the constraints, a sentence each."""
    wrong = [f"'{one}' fixes no version." for one in constraints if pinned(one) is None]
    versions: dict[str, str] = {}  # for this platform
    anywhere: dict[str, set[str | None]] = {}
    for one in constraints:
        name = canonicalize_name(one.name)
        anywhere.setdefault(name, set()).add(pinned(one))
        if applies(one):
            if name in versions:
                wrong.append(f"{name} stands twice for this platform.")
            versions[name] = pinned(one) or ""
    for root in roots:
        key, version = canonicalize_name(root.name), pinned(root)
        if version is None:
            wrong.append(f"The requirement '{root}' fixes no version.")
        elif any(one is None or Version(one) != Version(version) for one in anywhere.get(key, ())):
            wrong.append(f"{key} is {version} in the requirements and not in constraints.txt.")
    for here, version in sorted(found.items()):
        if here not in versions:
            wrong.append(f"{here} {version} is installed and has no line in constraints.txt.")
        elif Version(versions[here]) != Version(version):
            wrong.append(f"{here} {version} is installed; constraints.txt says {versions[here]}.")
    return wrong


def main() -> int:
    """Print what is wrong; return the exit status."""
    roots = list(requirements_in(REQUIREMENTS))
    found, missing = brought_along(roots)
    wrong = findings(list(requirements_in(CONSTRAINTS)), roots, found) + missing
    for sentence in wrong:
        sys.stdout.write(f"constraints.txt: {sentence}\n")
    sys.stdout.write(f"{REMEDY}\n" if wrong else f"constraints.txt covers the {len(found)} distributions installed.\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
