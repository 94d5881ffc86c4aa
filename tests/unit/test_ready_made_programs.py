"""The ready-made programs of the repository: valid manifests, pinned requirements, and lists that beat popularity.

Building their environments needs the package index and minutes: set RECSCOPE_TEST_PLUGINS=1 for that.
"""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ModelSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.models.programs import folder_of, program_keys, program_problems
from tests.engine.support import ROOT, Memory, spec_of
from tests.pages.finished import two_tastes

PLUGINS = ROOT / "plugins"
NAMES = sorted(path.parent.name for path in PLUGINS.glob("*/recscope.toml"))
SMALL = {"cornac": {"model": "ease", "ease_regularization": 20.0}}
"""Settings that suit 40 users; the others learn with their defaults."""
REASON = "set RECSCOPE_TEST_PLUGINS=1 to build the environments of other libraries"


@pytest.fixture(autouse=True)
def ready_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSCOPE_PLUGINS", str(PLUGINS))


def test_all_of_them_can_be_used() -> None:
    assert program_problems() == []
    assert program_keys() == [f"program_{name}" for name in NAMES]
    assert len(NAMES) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_requirements_are_pinned_and_name_the_version(name: str) -> None:
    program = folder_of(f"program_{name}", ModelSpec(key=f"program_{name}").config["checksum"])
    lines = (PLUGINS / name / "requirements.txt").read_text().split()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[^=]+", line) for line in lines)
    versions = dict(line.lower().split("==") for line in lines)
    assert versions[name] == program.manifest.program.version
    assert {"pandas", "pyarrow"} <= set(versions)


@pytest.mark.skipif("RECSCOPE_TEST_PLUGINS" not in os.environ, reason=REASON)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_it_builds_its_environment_and_beats_popularity(name: str, tmp_path: Path) -> None:
    data = two_tastes()
    store = ResultStore(tmp_path / "store")
    spec = spec_of((f"program_{name}", SMALL.get(name, {})), relevant_from=4, k=5, cutoffs=(5,))
    run = store.create(spec, "two tastes")

    values = {}
    for model_id in run.model_ids:
        status = execute(store, run.id, model_id, Memory(replace(data, fingerprint=spec.data)), 1)
        if status.reason and "could not be built" in status.reason:
            pytest.skip(status.reason)
        assert status.state is JobState.DONE, status.reason
        values[model_id.partition("-")[0]] = run.result(model_id).metrics["ndcg@5"]
    assert values[f"program_{name}"] > values["popular"], values
