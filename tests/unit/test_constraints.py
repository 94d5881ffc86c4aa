"""The check of constraints.txt reports missing, stale and duplicate lines."""

from packaging.requirements import Requirement

from tools.constraints import CONSTRAINTS, REQUIREMENTS, dependencies, findings, requirements_in


def wrong(constraints: list[str], roots: list[str], **present: str) -> list[str]:
    return findings([Requirement(one) for one in constraints], [Requirement(one) for one in roots], present)


def test_matching_versions_are_accepted() -> None:
    assert wrong(["a==1.0", "b==2", "c==3; sys_platform == 'none'"], ["A==1"], a="1", b="2.0") == []


def test_each_error_is_reported() -> None:
    assert wrong([], ["a==1"], b="2") == ["b 2 is installed, but not in constraints.txt."]
    assert wrong(["b==1"], [], b="2") == ["b 2 is installed, but constraints.txt has 1."]
    assert wrong(["b==2; sys_platform == 'none'"], [], b="2") == ["b 2 is installed, but not in constraints.txt."]
    assert wrong(["a==2"], ["a==1"]) == ["a is 1 in the requirements, but not in constraints.txt."]
    assert wrong(["a>=2"], []) == ["'a>=2' does not pin a version."]
    assert wrong(["a==2", "a==2"], []) == ["a is listed twice for this platform."]
    assert wrong([], ["a"]) == ["The requirement 'a' does not pin a version."]


def test_transitive_dependencies_are_found() -> None:
    versions, missing = dependencies([Requirement("streamlit"), Requirement("no-such-distribution")])
    assert {"streamlit", "starlette", "protobuf", "jinja2", "markupsafe"} <= set(versions)
    assert missing == ["no-such-distribution is required and not installed."]
    assert "colorama" not in versions, "a dependency on another platform"


def test_the_requirements_include_those_of_the_product() -> None:
    names = {one.name for one in requirements_in(REQUIREMENTS)}
    assert {"streamlit", "pytest"} <= names
    assert {"streamlit", "pytest", "starlette", "tornado"} <= {one.name for one in requirements_in(CONSTRAINTS)}
