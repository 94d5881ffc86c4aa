"""A run stored when settings had their former names opens, scores and traces as before, and keeps its ids.

`renamed_settings/make.py` made the run and the expected values. Scores are compared with a tolerance of 1e-5: they are
float32 and come from other machines; items and ids exactly.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recsys_core.cli.settings import settings_by_model
from recsys_core.contracts import QueryBatch, Ragged, TracesAttention
from recsys_core.errors import ConfigError
from recsys_core.experiments import leaderboard
from recsys_core.experiments.experiment import SPEC, Run
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.models.network_model import NetworkConfig
from recsys_core.models.registry import MODELS, make_model, model_class
from recsys_core.storage.checksums import read_record
from tests.golden.renamed_settings.make import FOLDER, K, spec_of
from tests.golden.renamed_settings.make import MODELS as STORED

EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
NETS = tuple(model_id for model_id in EXPECTED["models"] if model_id.partition("-")[0] in STORED)
TRACING = tuple(model_id for model_id, found in EXPECTED["models"].items() if "attention" in found)
SHARED = {"embedding_dim": 8, "max_length": 12, "epochs": 1, "patience": 0, "batch_size": 16}
CURRENT: dict[str, dict[str, Any]] = {
    "sasrec": SHARED | {"n_layers": 2, "n_heads": 2},
    "rnn": SHARED | {"n_layers": 2, "cell": "lstm"},
    "mlp": {"embedding_dim": 8, "hidden": 8, "n_layers": 2, "epochs": 1, "patience": 0},
    "seq2seq": SHARED,
    "interest_attention": SHARED,
}
"""Settings of the stored run under their current names."""
BY_HAND = {"width": "embedding_dim", "window": "max_length", "layers": "n_layers", "heads": "n_heads"}
RENAMED = NetworkConfig.former_names


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    shutil.unpack_archive(FOLDER / "run.zip", tmp_path / "runs")
    return ResultStore(tmp_path)


@pytest.fixture
def run(store: ResultStore) -> Run:
    return store.open(EXPECTED["run"])


def queries(count: int = 3) -> QueryBatch:
    """Return the queries of the first of the three users whose lists are expected."""
    histories = Ragged.from_rows(list(EXPECTED["histories"].values())[:count])
    users = np.array([int(user) for user in EXPECTED["histories"]][:count])
    return QueryBatch(users, histories, np.ones(len(histories.values), dtype=np.float32))


def test_the_stored_run_holds_the_former_names(run: Run) -> None:
    text = (run.path / SPEC).read_text(encoding="utf-8")
    assert all(f'"{former}"' in text for former in RENAMED)
    assert not any(f'"{current}"' in text for current in RENAMED.values())


def test_the_stored_run_keeps_its_ids_and_numbers(store: ResultStore, run: Run) -> None:
    assert run.model_ids == tuple(EXPECTED["models"])
    assert run.spec.id == run.id == EXPECTED["run"]
    assert [card.id for card in store.runs()] == [run.id]
    assert store.damaged() == []
    assert run.finished() == run.model_ids
    for model_id, found in EXPECTED["models"].items():
        assert run.result(model_id).metrics[f"ndcg@{K}"] == found["ndcg"]
    board = leaderboard.contenders(run)
    assert [one.id for one in board] == list(run.model_ids)


@pytest.mark.parametrize("model_id", NETS)
def test_settings_are_shown_under_their_current_names(run: Run, model_id: str) -> None:
    key = model_id.partition("-")[0]
    kind = model_class(key).config_type
    assert set(run.model_spec(model_id).config) == set(kind.model_fields)
    assert set(run.result(model_id).config) == set(kind.model_fields) - set(kind.with_added({}))
    assert CURRENT[key].items() <= run.result(model_id).config.items()


@pytest.mark.parametrize("model_id", EXPECTED["models"])
def test_stored_models_recommend_the_same_items(run: Run, model_id: str) -> None:
    found, expected = run.model(model_id).recommend(queries(), K), EXPECTED["models"][model_id]
    assert_array_equal(found.item, expected["items"])
    assert_allclose(found.score, expected["scores"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("model_id", TRACING)
def test_stored_models_trace_the_same_attention(run: Run, model_id: str) -> None:
    model = run.model(model_id)
    assert isinstance(model, TracesAttention)
    found = model.trace(queries(1))
    assert_allclose(found.weights, EXPECTED["models"][model_id]["attention"], rtol=0, atol=1e-5)


def settings_of(run: Run, names: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return all settings of the stored models under other names, with those that have been added since."""
    models = {one["key"]: one["config"] for one in read_record(run.path / SPEC)["models"]}
    return {
        key: {names.get(name, name): value for name, value in model_class(key).config_type.with_added(config).items()}
        for key, config in models.items()
    }


@pytest.mark.parametrize("names", [{}, BY_HAND], ids=["former", "current"])
def test_the_same_settings_are_the_stored_run_and_nothing_is_trained_again(
    store: ResultStore, run: Run, names: dict[str, str]
) -> None:
    """Settings that were added since are at the values of `ModelConfig.added`, so they are not part of the ids."""
    again = store.create(spec_of(EXPECTED["data"], settings_of(run, names)), "Film club (tiny)")
    assert again.id == EXPECTED["run"]
    assert again.model_ids == tuple(EXPECTED["models"])
    assert {status.state for status in again.statuses()} == {JobState.DONE}


def test_a_spec_written_under_the_current_names_has_the_ids_of_the_stored_run(run: Run) -> None:
    text = spec_of(EXPECTED["data"], settings_of(run, BY_HAND)).model_dump_json()
    assert '"embedding_dim"' in text
    assert '"width"' not in text
    assert ExperimentSpec.from_json(text).id == EXPECTED["run"]
    stored = ExperimentSpec.stored(json.loads(text))
    assert tuple(model.id for model in stored.models) == tuple(EXPECTED["models"])


def test_a_stored_model_without_a_setting_means_its_former_behavior_whatever_the_default_is(run: Run) -> None:
    stored = next(model for model in run.spec.models if model.key == "sasrec")
    assert "item_start" not in read_record(run.path / SPEC)["models"][run.spec.models.index(stored)]["config"]
    assert stored.config["item_start"] == "random"
    assert ModelSpec(key="sasrec").config["item_start"] is None


def test_ids_of_stored_settings_are_kept_for_every_algorithm() -> None:
    """Including association rules, whose `max_length` was never called `window`."""
    stored = {"data": EXPECTED["data"], "models": list(EXPECTED["defaults"].values())}
    assert [model.id for model in ExperimentSpec.stored(stored).models] == list(EXPECTED["defaults"])


def test_other_values_have_other_ids() -> None:
    one, other = (ModelSpec(key="rnn", config={"embedding_dim": size}) for size in (8, 16))
    assert one.id != other.id
    assert one.id == ModelSpec(key="rnn", config={"width": 8}).id


@pytest.mark.parametrize("key", MODELS)
def test_a_former_name_means_its_setting_in_every_model_that_has_it(key: str) -> None:
    kind = model_class(key).config_type
    for former, current in RENAMED.items():
        if issubclass(kind, NetworkConfig) and current in kind.model_fields:
            assert make_model(key, {former: 4}).config == make_model(key, {current: 4}).config
            assert settings_by_model([key], [f"{former}=4"]) == {key: {current: 4}}
            assert settings_by_model([key], [f"{key}.{former}=4"]) == {key: {current: 4}}
            with pytest.raises(ConfigError, match="also given under its former name"):
                make_model(key, {former: 4, current: 4})
            with pytest.raises(ConfigError, match=f"Setting '{current}'"):
                make_model(key, {former: -1})
        else:
            with pytest.raises(ConfigError, match=f"There is no setting '{former}'"):
                make_model(key, {former: 4})
            with pytest.raises(ConfigError, match="no model has this setting"):
                settings_by_model([key], [f"{former}=4"])


def test_a_class_may_use_a_former_name_for_another_setting() -> None:
    class Both(NetworkConfig):
        """Has a setting with a former name of another one."""

        width: int = 1
        embedding_dim: int = 2

    assert Both.parse({"width": 5}).model_dump(exclude={"device"}) == {"width": 5, "embedding_dim": 2}
    assert Both.with_former_names({"width": 5, "embedding_dim": 2}) == {"width": 5, "embedding_dim": 2}
