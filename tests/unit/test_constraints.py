"""The check that `make lint` makes of constraints.txt sees what is missing, stale or twice."""

from packaging.requirements import Requirement

from tools.constraints import CONSTRAINTS, REQUIREMENTS, brought_along, findings, requirements_in


def wrong(constraints: list[str], roots: list[str], **found: str) -> list[str]:
    return findings([Requirement(one) for one in constraints], [Requirement(one) for one in roots], found)


def test_what_agrees_is_not_complained_about() -> None:
    assert wrong(["a==1.0", "b==2", "c==3; sys_platform == 'none'"], ["A==1"], a="1", b="2.0") == []


def test_each_disagreement_is_named() -> None:
    assert wrong([], ["a==1"], b="2") == ["b 2 is installed and has no line in constraints.txt."]
    assert wrong(["b==1"], [], b="2") == ["b 2 is installed; constraints.txt says 1."]
    assert wrong(["b==2; sys_platform == 'none'"], [], b="2") == [
        "b 2 is installed and has no line in constraints.txt."
    ]
    assert wrong(["a==2"], ["a==1"]) == ["a is 1 in the requirements and not in constraints.txt."]
    assert wrong(["a>=2"], []) == ["'a>=2' fixes no version."]
    assert wrong(["a==2", "a==2"], []) == ["a stands twice for this platform."]
    assert wrong([], ["a"]) == ["The requirement 'a' fixes no version."]


def test_what_requirements_bring_along_is_found_through_all_steps() -> None:
    found, missing = brought_along([Requirement("streamlit"), Requirement("no-such-distribution")])
    assert {"streamlit", "starlette", "protobuf", "jinja2", "markupsafe"} <= set(found)
    assert missing == ["no-such-distribution is needed and not installed."]
    assert "colorama" not in found, "another platform's"


def test_the_requirements_include_those_of_the_product() -> None:
    names = {one.name for one in requirements_in(REQUIREMENTS)}
    assert {"streamlit", "pytest"} <= names
    assert {"streamlit", "pytest", "starlette", "tornado"} <= {one.name for one in requirements_in(CONSTRAINTS)}
