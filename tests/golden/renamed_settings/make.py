"""Store the run of `tests/golden/test_renamed_settings.py`: `python -m tests.golden.renamed_settings.make`.

`run.zip` was made with the code of commit 8717ea5, in which these settings still had the names `width`, `window`,
`layers` and `heads` (torch 2.13 on one core, seed 42). Made with later code it holds the current names and tests
nothing.

`expected.json` has the ids of the run, the lists of three users, the attention weights of the first of them, and the
ids of all algorithms with their default settings.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from recsys_core.contracts import Ability
from recsys_core.data.synthetic.samples import load_sample
from recsys_core.data.workspace import Workspace
from recsys_core.experiments import artifacts
from recsys_core.experiments.execution import execute
from recsys_core.experiments.experiment import JOBS, LOCK
from recsys_core.experiments.jobs import STATUS, JobState
from recsys_core.experiments.spec import ExperimentSpec, ModelSpec
from recsys_core.experiments.store import ResultStore
from recsys_core.models import registry
from recsys_core.storage.checksums import read_record, write_record

FOLDER = Path(__file__).resolve().parent
SMALL: dict[str, Any] = {"width": 8, "window": 12, "epochs": 1, "patience": 0, "batch_size": 16}
MODELS: dict[str, dict[str, Any]] = {
    "sasrec": SMALL | {"layers": 2, "heads": 2},
    "rnn": SMALL | {"layers": 2, "cell": "lstm"},
    "mlp": {"width": 8, "hidden": 8, "layers": 2, "epochs": 1, "patience": 0},
    "seq2seq": SMALL,
    "interest_attention": SMALL,
}
USERS, K = (0, 7, 19), 10


def spec_of(data: str, models: dict[str, dict[str, Any]]) -> ExperimentSpec:
    """Return the spec of the run with these settings."""
    named = [{"key": key, "config": config} for key, config in models.items()]
    return ExperimentSpec.model_validate({"data": data, "models": named, "cutoffs": (K,), "k": K})


def main() -> None:
    """Train the models on the tiny sample, store the run, and what its models return."""
    data = load_sample("tiny")
    with tempfile.TemporaryDirectory() as root, mock.patch.object(artifacts, "environment", _environment):
        workspace, store = Workspace(root), ResultStore(root)
        run = store.create(spec_of(workspace.store(data).fingerprint, MODELS), data.name)
        for model_id in run.model_ids:
            status = execute(store, run.id, model_id, workspace, 1)
            if status.state is not JobState.DONE:
                raise RuntimeError(status.reason)
        expected: dict[str, Any] = {"run": run.id, "data": run.spec.data, "models": {}}
        histories = data.histories()
        expected["histories"] = {str(user): histories[user].tolist() for user in USERS}
        for model_id in run.model_ids:
            model = run.model(model_id)
            lists = model.recommend(data.queries(list(USERS)), K)
            found: dict[str, Any] = {
                "ndcg": run.result(model_id).metrics[f"ndcg@{K}"],
                "items": lists.item.tolist(),
                "scores": lists.score.tolist(),
            }
            if Ability.TRACES_ATTENTION in model.info.abilities:
                found["attention"] = model.trace(data.queries([USERS[0]])).weights.tolist()  # type: ignore[attr-defined]
            expected["models"][model_id] = found
        defaults = [ModelSpec(key=key) for key in registry.MODELS]
        expected["defaults"] = {one.id: {"key": one.key, "config": one.config} for one in defaults}
        _store(run.path, expected)


def _store(run: Path, expected: dict[str, Any]) -> None:
    """Store the run without what depends on the machine."""
    for job in (run / JOBS).iterdir():
        write_record(job / STATUS, read_record(job / STATUS) | {"process": None})
        (job / "progress.jsonl").unlink()
        (job / "heartbeat").unlink()
    (run / LOCK).unlink()
    shutil.make_archive(str(FOLDER / "run"), "zip", run.parent, run.name)
    (FOLDER / "expected.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")


def _environment(threads: int) -> dict[str, Any]:
    return {"threads": threads}


if __name__ == "__main__":
    main()
