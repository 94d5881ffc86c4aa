"""All numbers of a run as CSV files in one archive, for spreadsheets and other programs."""

import io
import zipfile

import pandas as pd

from recsys_core.columns import MODEL
from recsys_core.evaluation.comparison import Comparison
from recsys_core.experiments import board
from recsys_core.experiments.judging import findings
from recsys_core.experiments.pooling import one_row_a_user
from recsys_core.experiments.run import Run
from recsys_core.viz.export import csv_bytes


def run_archive(run: Run, comparison: Comparison) -> bytes:
    """Return a zip file: leaderboard, pairs, one value a user, settings, protocol (CSV), and the spec (JSON).

    Args:
        run: At least one of its models has finished.
        comparison: Of these models by one metric.
    """
    models = board.contenders(run)
    per_user = {model: one_row_a_user(frame) for model, frame in run.per_user().items()}
    joined = pd.concat([frame.assign(model=model) for model, frame in per_user.items()], ignore_index=True)
    found = findings(run, per_user, metric=comparison.metric, comparison=comparison)
    tables = {
        "leaderboard.csv": board.leaderboard(models, comparison),
        "pairs.csv": comparison.pairs,
        "per_user.csv": joined[[MODEL, *(name for name in joined.columns if name != MODEL)]],
        "settings.csv": board.settings_of(models),
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
