"""Programs are tuned like models: on the validation data, with the same budget, and without the test part."""

from pathlib import Path

import pandas as pd
import pytest

from recsys_core.contracts import RunContext
from recsys_core.data.splits import Split, make_splits
from recsys_core.errors import ConfigError
from recsys_core.evaluation.evaluate import evaluate
from recsys_core.evaluation.fallback import fallback_scores
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.tuning.execution import Bench
from recsys_core.experiments.tuning.spec import TuningSpec
from recsys_core.experiments.tuning.store import Tuning, TuningStore
from recsys_core.models.registry import make_model
from tests.engine.support import Memory, little_data
from tests.programs import COUNTS, offer, put
from tests.tunings import created, run_to_the_end, tuning_spec

KEY = "program_counter"
TRIALS = 2
KEEPS = """
import shutil
for name in ("train", "users", "histories", "seen"):
    shutil.copy(request[name], os.path.join(os.path.dirname(__file__), f".{name}.parquet"))
"""
"""Copies what the program was given; names that begin with a dot are not part of a program."""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    offer(tmp_path / "programs", monkeypatch)
    return put(tmp_path / "programs", "counter", COUNTS + KEEPS)


def spec_of(*models: str, trials: int = TRIALS) -> TuningSpec:
    return tuning_spec(little_data(), *models, trials=trials)


def split_of(spec: TuningSpec) -> Split:
    [split] = make_splits(little_data(), spec.experiment.split, spec.experiment.seed)
    return split


def pairs(table: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(table["user_id"], table["item_id"], strict=True))


def named(split: Split, part: pd.DataFrame) -> set[tuple[str, str]]:
    users, items = split.train.user_vocabulary.ids, split.train.item_vocabulary.ids
    return {(users[user], items[item]) for user, item in zip(part["user"], part["item"], strict=True)}


def tuned(root: Path, spec: TuningSpec) -> Tuning:
    tuning = created(root, spec)
    run_to_the_end(Bench(tuning, Memory(little_data())))
    return tuning


@pytest.mark.slow
def test_a_program_gets_its_budget_and_is_judged_on_the_validation_data(program: Path, tmp_path: Path) -> None:
    tuning = tuned(tmp_path / "store", spec_of(KEY, "bias"))
    assert {status.state for status in tuning.statuses()} == {JobState.DONE}
    rows = tuning.trials(KEY)
    assert [row.ending for row in rows] == ["complete"] * TRIALS
    assert rows[0].settings == {"order": "descending"}
    assert rows[0].config["checksum"]
    split, spec = split_of(tuning.spec), tuning.spec.experiment
    popular = make_model("popular")
    popular.fit(split.train, RunContext())
    judged = evaluate(
        popular,
        split,
        cutoffs=(5,),
        relevant_from=4.0,
        part="validation",
        fallback=fallback_scores(spec.fallback, split.train),
    )
    assert rows[0].value == pytest.approx(judged.per_user["ndcg@5"].mean(), abs=0.05)  # ties are broken otherwise
    assert not [path for path in tuning.job(KEY).path.iterdir() if path.is_dir()], "it leaves nothing"


def test_it_never_gets_a_test_case(program: Path, tmp_path: Path) -> None:
    tuning = tuned(tmp_path / "store", spec_of(KEY, trials=1))
    split = split_of(tuning.spec)
    given = {name: pd.read_parquet(program / f".{name}.parquet") for name in ("train", "users", "histories", "seen")}
    assert split.validation is not None
    assert len(given["train"]) == split.train.n_interactions
    assert set(given["users"]["user_id"]) == {
        split.train.user_vocabulary.ids[user] for user in split.validation_users()
    }
    train = named(split, split.train.interactions)
    for name in ("train", "histories", "seen"):
        assert pairs(given[name]) <= train, name
    assert not train & named(split, split.test.interactions)
    assert not train & named(split, split.validation.interactions)


@pytest.mark.slow
def test_the_tuned_program_is_the_one_that_was_tuned(program: Path, tmp_path: Path) -> None:
    tuning = tuned(tmp_path / "store", spec_of(KEY))
    spec = tuning.read_test_part()
    [model] = [one for one in spec.models if one.key == KEY]
    best = tuning.best(KEY)
    assert best is not None
    assert model.config == best.config
    assert set(spec.tuned) == {model.id}


def test_a_program_that_changes_meanwhile_ends_its_tuning_in_a_sentence(program: Path, tmp_path: Path) -> None:
    tuning = created(tmp_path / "store", spec_of(KEY))
    bench = Bench(tuning, Memory(little_data()))
    assert bench.run_next(KEY).state is JobState.QUEUED
    (program / "run.py").write_text(COUNTS + "\n# changed\n")
    status = bench.run_next(KEY)
    bench.close()
    assert status.state is JobState.FAILED
    assert "'counter' has changed since this experiment was started" in (status.reason or "")
    assert [row.ending for row in tuning.trials(KEY)] == ["complete"]
    (program / "recscope.toml").unlink()
    assert [card.id for card in TuningStore(tmp_path / "store").tunings()] == [tuning.id]  # its trials stay readable


def test_a_program_that_fails_ends_in_its_own_words(program: Path, tmp_path: Path) -> None:
    (program / "run.py").write_text("raise SystemExit('no luck')")
    tuning = tuned(tmp_path / "store", spec_of(KEY, trials=3))
    [status] = tuning.statuses()
    assert status.state is JobState.FAILED
    assert "no luck" in (status.reason or "")


@pytest.mark.parametrize(("metric", "title"), [("rmse", "RMSE"), ("auc", "AUC")])
def test_metrics_that_lists_do_not_have_are_refused(program: Path, metric: str, title: str) -> None:
    fields = {"data": "f" * 16, "split": {"validation_fraction": 0.1}, "primary": metric}
    with pytest.raises(ConfigError, match=f"{title} needs scores of all items or predicted ratings"):
        TuningSpec.of(fields, (KEY,), {"trials": 2})


def test_a_program_without_settings_or_folder_is_refused(program: Path) -> None:
    fields = {"data": "f" * 16, "split": {"validation_fraction": 0.1}}
    manifest = program / "recscope.toml"
    manifest.write_text(manifest.read_text().partition("[settings")[0])
    with pytest.raises(ConfigError, match="no settings to tune: program_counter"):
        TuningSpec.of(fields, (KEY,), {"trials": 2})
    with pytest.raises(ConfigError, match="There is no program 'absent' on this server"):
        TuningSpec.of(fields, ("program_absent",), {"trials": 2})
