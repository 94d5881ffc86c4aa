"""Pages that ask a trained net: another process keeps it loaded, and the web process never imports torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from recsys_core.data.workspace import Workspace
from recsys_core.experiments.execution import execute
from recsys_core.experiments.jobs import JobState
from recsys_core.experiments.spec import ExperimentSpec
from recsys_core.experiments.store import ResultStore
from tests.pages.finished import APP, two_tastes

NET = {"embedding_dim": 8, "max_length": 10, "n_layers": 1, "n_heads": 1, "epochs": 2, "patience": 0}


@pytest.mark.timeout(600)
def test_recommend_and_inside_show_a_net_and_leave_torch_alone(own_workspace: Path) -> None:
    workspace, store = Workspace(own_workspace), ResultStore(own_workspace)
    data = workspace.store(two_tastes()).fingerprint
    run = store.create(ExperimentSpec(data=data, models=[{"key": "sasrec", "config": NET}], k=5, cutoffs=(5,)), "Two")
    model_id = run.model_ids[0]
    assert execute(store, run.id, model_id, workspace, 1).state is JobState.DONE
    command = [sys.executable, "-m", "tests.pages.without_torch", data, run.id, model_id]
    visited = subprocess.run(command, cwd=APP.parent, capture_output=True, text=True, timeout=500, check=False)
    assert visited.returncode == 0, visited.stderr[-3000:]
    seen = json.loads(visited.stdout.splitlines()[-1])
    assert seen["items"] == 5
    assert "SASRec does not decompose its scores" in seen["why"]
    assert "10 items were left out, one at a time" in seen["why"]  # the window is 10, the history longer
    assert "The largest influence is that of" in seen["inside"]
    assert seen["torch"] is False
