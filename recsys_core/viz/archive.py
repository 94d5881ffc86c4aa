"""All numbers of a run as CSV files in one zip archive."""

import io
import zipfile

import pandas as pd

from recsys_core.columns import MODEL
from recsys_core.evaluation.comparison import Comparison
from recsys_core.experiments import leaderboard
from recsys_core.experiments.analysis import findings, users_of, without_history
from recsys_core.experiments.experiment import Run
from recsys_core.viz.export import csv_bytes


def run_archive(run: Run, comparison: Comparison) -> bytes:
    """Return a zip file of CSV tables and the spec (JSON).

    The tables: leaderboard, pairwise tests, per-user values, results on users without training history, settings,
    protocol findings.

    Args:
        run: At least one of its models has finished.
        comparison: Comparison of these models by one metric.
    """
    users = users_of(run)
    models = leaderboard.contenders(run, users)
    groups = {"with": users.judged, "without": users.without}
    if users.no_user_has_history:
        groups = {"without": users.judged}
    joined = pd.concat(
        [frame.assign(model=model, history=group) for group, part in groups.items() for model, frame in part.items()],
        ignore_index=True,
    )
    found = findings(run, users, metric=comparison.metric, comparison=comparison)
    tables = {
        "leaderboard.csv": leaderboard.leaderboard(models, comparison),
        "pairs.csv": comparison.pairs,
        "per_user.csv": joined[[MODEL, *(name for name in joined.columns if name != MODEL)]],
        "without_history.csv": without_history(run, comparison.metric, users),
        "settings.csv": leaderboard.settings_of(models),
        "protocol.csv": pd.DataFrame(
            [finding.to_json() for finding in found], columns=["severity", "rule", "count", "message"]
        ),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, frame in tables.items():
            archive.writestr(name, csv_bytes(frame))
        archive.writestr("spec.json", run.spec.model_dump_json(indent=1))
    return packed.getvalue()
