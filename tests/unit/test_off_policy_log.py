"""Reading and checking an uploaded log: what is refused, what is only warned about, and what to log is said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from recsys_core.errors import DataError
from recsys_core.evaluation.off_policy.doctor import Examination, examine
from recsys_core.evaluation.off_policy.log_file import read_log
from recsys_core.evaluation.off_policy.log_table import find_columns, table_of


def frame(**changes: Any) -> pd.DataFrame:
    """Sixty users with one list of two items each, drawn with probability 0.5 each way."""
    rows = pd.DataFrame(
        {
            "user": np.repeat([f"u{number}" for number in range(60)], 2),
            "impression": np.repeat(np.arange(60), 2).astype(str),
            "position": [1, 2] * 60,
            "item": ["a", "b", "b", "a"] * 30,
            "propensity": 0.5,
            "click": [1, 0, 0, 1] * 30,
        }
    )
    return rows.assign(**changes)


def checked(table: pd.DataFrame) -> Examination:
    return examine(table_of(table))


def rules(found: Examination) -> list[str]:
    return [one.rule for one in found.findings]


def test_a_sound_log_has_no_finding() -> None:
    found = checked(frame())
    assert rules(found) == []
    assert found.log is not None
    assert (found.log.n_impressions, found.log.places, found.log.item_ids) == (60, 2, ("a", "b"))
    assert_allclose(found.log.place[:2], [0, 1])


def test_without_propensities_it_is_refused_and_says_what_to_log() -> None:
    found = checked(frame().drop(columns="propensity"))
    assert found.log is None
    assert "Log, for every item shown, the probability" in found.findings[0].message


@pytest.mark.parametrize("value", [0.0, -0.1, 1.2])
def test_propensities_outside_0_to_1_are_refused(value: float) -> None:
    table = frame()
    table.loc[3, "propensity"] = value
    found = checked(table)
    assert found.log is None
    assert rules(found) == ["out_of_bounds"]
    assert f"({value:g})" in found.findings[0].message


def test_a_deterministic_log_is_refused() -> None:
    assert rules(checked(frame(propensity=1.0))) == ["deterministic"]


def test_sums_above_1_at_one_position_of_an_impression_are_refused() -> None:
    found = checked(frame(position=1, propensity=0.7))
    assert rules(found)[0] == "sums_in_impression"
    assert "(largest sum 1.40)" in found.findings[0].message
    assert found.log is None


def test_sums_above_1_over_the_impressions_of_a_user_are_a_warning() -> None:
    found = checked(frame(user="same", propensity=0.7))
    assert [one.severity for one in found.findings if one.rule == "sums_of_user"] == ["warning"]
    assert found.log is not None


def test_ids_of_impressions_may_begin_again_for_each_user() -> None:
    """Both users have an impression 0; the sums of their propensities have nothing to do with each other."""
    favorites = np.where(np.arange(120) // 2 % 2 == 0, ["a", "b"] * 60, ["b", "a"] * 60)
    table = frame(impression="0", item=favorites, propensity=0.9)
    assert rules(checked(table)) == []
    assert checked(table).log.n_impressions == 60  # type: ignore[union-attr]
    gap = table.drop(index=2)  # the first position of the second user, which the others have
    assert rules(checked(gap)) == ["gaps"]


def test_several_rows_of_one_item_shown_are_refused() -> None:
    """One row for the view and one for the click: the weights of the item would count twice."""
    table = frame()
    clicks = pd.concat([table.assign(click=0), table[table["click"] == 1]])
    found = checked(clicks)
    assert rules(found) == ["repeated"]
    assert found.log is None
    assert "60 rows repeat the user, impression, position and item" in str(found.findings[0].sentence)
    assert rules(checked(clicks.drop(columns="position")))[0] == "repeated"


@pytest.mark.parametrize("value", [-0.1, 3.0])
def test_target_probabilities_outside_0_to_1_are_refused(value: float) -> None:
    table = frame(target=0.5)
    assert rules(checked(table)) == []
    table.loc[3, "target"] = value
    assert rules(checked(table)) == ["target_out_of_bounds"]
    assert checked(table).log is None


def test_missing_positions_and_impressions_are_warnings() -> None:
    found = checked(frame().drop(columns=["position", "impression"]))
    assert {"no_positions", "no_impressions"} <= set(rules(found))
    assert found.log is not None
    assert found.log.n_impressions == 120
    assert not found.log.listed
    assert rules(checked(frame(position=[1, 3] * 60))) == ["gaps"]


def test_positions_may_begin_at_0() -> None:
    found = checked(frame(position=[0, 1] * 60))
    assert rules(found) == []
    assert found.log is not None
    assert_allclose(found.log.place[:2], [0, 1])


def test_incomplete_rows_are_left_out_and_counted() -> None:
    table = frame().astype({"click": object, "propensity": object})
    table.loc[0, "click"], table.loc[1, "propensity"] = "yes", np.nan
    found = checked(table)
    assert set(rules(found)) == {"unreadable_reward", "incomplete"}
    assert next(one for one in found.findings if one.rule == "incomplete").count == 2
    assert found.log is not None
    assert len(found.log) == 118


def test_no_reward_and_few_users() -> None:
    found = checked(frame(click=0).head(20))
    assert rules(found) == ["no_reward", "few_users"]
    assert rules(checked(frame(click=np.nan))) == ["empty", "incomplete"]


def test_columns_are_found_by_name_and_can_be_chosen() -> None:
    names = ["timestamp", "item_id", "position", "click", "propensity_score", "user_id"]  # Open Bandit Dataset
    assert find_columns(names) == {
        "user": "user_id", "item": "item_id", "position": "position", "reward": "click",
        "propensity": "propensity_score",
    }  # fmt: skip
    assert find_columns(names, {"position": "", "reward": "timestamp"})["reward"] == "timestamp"
    assert "position" not in find_columns(names, {"position": ""})
    with pytest.raises(DataError, match="no column for item, reward"):
        find_columns(["user", "clock"])
    with pytest.raises(DataError, match="no column 'x'"):
        find_columns(names, {"user": "x"})
    with pytest.raises(DataError, match="no role 'weight'"):
        find_columns(names, {"weight": "click"})


@pytest.mark.parametrize("kind", ["csv", "semicolons", "jsonl", "parquet", "gz"])
def test_a_file_reads_like_the_frame(kind: str, tmp_path: Path) -> None:
    table, path = frame(), tmp_path / f"log.{kind}"
    if kind == "parquet":
        table.to_parquet(path)
    elif kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in table.to_dict("records")))
    else:
        table.to_csv(path, index=False, sep=";" if kind == "semicolons" else ",", compression="infer")
    found = examine(read_log(path))
    assert rules(found) == []
    assert found.log is not None
    expected = checked(table).log
    assert expected is not None
    for name in ("item", "place", "reward", "propensity", "impression"):
        assert_allclose(getattr(found.log, name), getattr(expected, name))


def test_broken_lines_and_cells_of_a_file_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    lines = frame().to_csv(index=False).splitlines()
    path.write_text("\n".join([*lines, "u9,1,1", "u9,x1,1,a,half,1", "u9,x2,1,a,0.5,"]))
    found = examine(read_log(path))
    assert {"unsplit", "unreadable_propensity", "incomplete"} == set(rules(found))
    assert found.log is not None
    assert len(found.log) == 120


def test_files_that_are_no_log_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("name,age\nx,1\ny,2\n")
    with pytest.raises(DataError, match="no column for user, item, reward"):
        read_log(path)
    path.write_text("1,2,0.5\n2,3,0.5\n3,4,0.5\n")
    with pytest.raises(DataError, match="no header"):
        read_log(path)
