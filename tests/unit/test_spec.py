"""ExperimentSpec: baselines are always included, and its hash identifies its content."""

import pytest
from pydantic import ValidationError

from recsys_core.configs import problems
from recsys_core.data.split_spec import SplitSpec
from recsys_core.errors import ConfigError
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec


def spec(**changes: object) -> ExperimentSpec:
    return ExperimentSpec.model_validate({"data": "f00d", "models": [{"key": "ease"}]} | changes)


@pytest.mark.parametrize("border", [float("nan"), float("inf")])
def test_a_border_of_relevance_is_a_number(border: float) -> None:
    with pytest.raises(ValueError, match="finite number"):
        spec(relevant_from=border)


def test_the_baselines_are_added_once() -> None:
    assert [model.key for model in spec().models] == ["ease", "popular", "random"]
    assert [model.key for model in spec(models=[{"key": "popular"}]).models] == ["popular", "random"]


def test_defaults_are_written_out_so_that_both_ways_of_saying_it_are_one_spec() -> None:
    explicit = spec(models=[{"key": "ease", "config": {"regularization": 500.0}}])
    assert explicit.id == spec().id
    assert spec(models=[{"key": "ease", "config": {"regularization": 1.0}}]).id != spec().id


def test_json_round_trip_keeps_the_id() -> None:
    one = spec(split={"kind": "k_fold", "folds": 3}, relevant_from=4, k=7)
    assert ExperimentSpec.from_json(one.model_dump_json()).id == one.id
    assert 7 in one.cutoffs


def test_one_algorithm_with_two_settings_has_two_names() -> None:
    assert ModelSpec(key="ease").id != ModelSpec(key="ease", config={"regularization": 1.0}).id


def test_a_wrong_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="no setting 'factors'"):
        ModelSpec(key="ease", config={"factors": 3})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ratio", SplitSpec()),
        ("ratio:0.3", SplitSpec(test_fraction=0.3)),
        ("k_fold:4", SplitSpec(kind="k_fold", folds=4)),
        ("leave_last_out:2", SplitSpec(kind="leave_last_out", last=2)),
        ("uploaded:test.csv", SplitSpec(kind="uploaded", test_data="test.csv")),
    ],
)
def test_splits_are_read_from_words(text: str, expected: SplitSpec) -> None:
    assert SplitSpec.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("half", "Known: ratio"),
        ("ratio:1.5", "above 0 and below 1, such as ratio:0.2"),
        ("ratio:", "above 0 and below 1, such as ratio:0.2"),
        ("global_time:nan", "above 0 and below 1, such as global_time:0.2"),
        ("k_fold:x", "from 2 to 20, such as k_fold:5"),
        ("k_fold:1", "from 2 to 20, such as k_fold:5"),
        ("leave_last_out:0", "from 1 to 100, such as leave_last_out:1"),
        ("uploaded", "write uploaded:NAME"),
        ("uploaded:", "write uploaded:NAME"),
    ],
)
def test_a_wrong_split_is_refused_with_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        SplitSpec.parse(text)


def test_the_version_stored_with_results_is_that_of_the_package() -> None:
    import tomllib
    from pathlib import Path

    from recsys_core.version import VERSION

    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == VERSION


def test_what_is_wrong_has_its_name_or_none_but_never_an_empty_one() -> None:
    """Values that do not go together belong to no single field."""
    with pytest.raises(ValidationError) as together:
        spec(primary="ndcg@77")
    assert problems(together.value) == (
        "The primary metric ndcg@77 needs the cut-off 77, but metrics are computed at 1, 5, 10, 20, 50"
    )
    with pytest.raises(ValidationError) as alone:
        spec(seeds=0)
    assert problems(alone.value) == "'seeds': Input should be greater than or equal to 1"
