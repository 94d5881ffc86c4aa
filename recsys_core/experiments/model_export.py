"""Write a trained model of an experiment into one file, which `recsys_core.models.portable` loads.

The histories in it are those that the page Recommend shows: all interactions of a user that models learn from, those of
the test set included, in the order of their timestamps and, among equal ones, of the data.
"""

import shutil
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from recsys_core.columns import ITEM, ITEM_ID, RATING, TIMESTAMP, USER, USER_ID, WEIGHT
from recsys_core.contracts import BoolArray
from recsys_core.data import Dataset
from recsys_core.errors import StoreError
from recsys_core.experiments.artifacts import MODEL, RESULT, outputs_of
from recsys_core.experiments.damage import check_files
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.held_out_users import KNOWN as IN_TRAINING
from recsys_core.experiments.held_out_users import evaluated_users
from recsys_core.experiments.training_part import relevance_of
from recsys_core.models.portable import (
    ARRAYS,
    FACTS,
    FORMAT,
    HISTORIES,
    ITEMS,
    KNOWN,
    SEEN,
    USERS,
    VALUE,
    ModelFacts,
    described,
)
from recsys_core.models.registry import model_class
from recsys_core.storage.checksums import FILES, file_sums, sums_to_json, write_record
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.storage.files import written_aside
from recsys_core.text import _
from recsys_core.version import VERSION

WRITTEN = (1980, 1, 1, 0, 0, 0)
"""Time of all members, so that equal models give equal files."""
SUFFIX = ".recscope-model.zip"


def export_model(run: Run, model_id: str, dataset: Dataset, target: Path) -> Path:
    """Write a trained model with its settings, identifiers and histories into one file.

    Args:
        run: The experiment.
        model_id: A finished job of it.
        dataset: The data of the experiment.
        target: The file.

    Raises:
        StoreError: The model has not finished, the experiment is from a run card, or a disk error.
        Damaged: A file of the experiment differs from what was written.
    """
    run.result(model_id)
    if not run.model_spec(model_id).has_scores:
        raise StoreError(
            _("'{model_id}' has no trained model to download: only its lists are known.").format(model_id=model_id)
        )
    job = run.job(model_id).path
    if MODEL not in outputs_of(job):
        raise StoreError(_("This experiment has results, but no trained models: re-run it to download its models."))
    check_files(job / RESULT, deep=[MODEL], names=[MODEL])
    with TemporaryDirectory(prefix="recscope-model-") as temporary, disk_errors_in_words(target):
        folder = Path(temporary)
        shutil.copyfile(job / MODEL, folder / ARRAYS)
        for name, table in _tables(run, dataset).items():
            table.to_parquet(folder / name, index=False)
        members = sorted(path.name for path in folder.iterdir())
        facts = described(_facts(run, model_id, dataset)) | {FILES: sums_to_json(file_sums(folder, members))}
        write_record(folder / FACTS, facts)
        with written_aside(target) as aside, zipfile.ZipFile(aside, "w") as archive:
            for name in (FACTS, *members):
                _put(archive, folder / name)
    return target


def _put(archive: zipfile.ZipFile, path: Path) -> None:
    info = zipfile.ZipInfo(path.name, WRITTEN)
    compressed = path.suffix == ".json"  # Parquet is compressed already, and weights hardly shrink
    info.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    info.external_attr = 0o600 << 16
    with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as member:
        shutil.copyfileobj(source, member, 1 << 20)


def _facts(run: Run, model_id: str, dataset: Dataset) -> ModelFacts:
    chosen = run.model_spec(model_id)
    info = model_class(chosen.key).info
    scale = dataset.rating_scale
    return ModelFacts(
        format=FORMAT,
        recscope=VERSION,
        key=chosen.key,
        title=info.title,
        config=chosen.config,
        data=run.data_name,
        fingerprint=run.spec.data,
        experiment=run.id,
        relevant_from=relevance_of(info, run.spec, has_ratings=dataset.has_ratings),
        rating_high=None if scale is None else scale.high,
        n_users=dataset.n_users,
        n_items=dataset.n_items,
    )


def _tables(run: Run, dataset: Dataset) -> dict[str, pd.DataFrame]:
    """Return the tables of a model file by name."""
    task, frame = run.spec.task, dataset.interactions
    order = np.argsort(frame[TIMESTAMP].to_numpy(), kind="stable") if dataset.has_timestamps else np.arange(len(frame))
    users = frame[USER].to_numpy()[order]
    frame = frame.iloc[order[np.argsort(users, kind="stable")]].reset_index(drop=True)
    rows = task.history(frame)
    values: dict[str, Any] = {USER: rows[USER], ITEM: rows[ITEM]}
    strength = next((rows[name] for name in (RATING, WEIGHT) if name in rows), None)
    values[VALUE] = np.ones(len(rows), np.float32) if strength is None else strength
    values |= {name: rows[name] for name in (TIMESTAMP, WEIGHT) if name in rows}
    tables = {
        USERS: pd.DataFrame({USER_ID: list(dataset.user_vocabulary.ids), KNOWN: _known(run, dataset.n_users)}),
        ITEMS: pd.DataFrame({ITEM_ID: list(dataset.item_vocabulary.ids)}),
        HISTORIES: pd.DataFrame(values),
    }
    if task.target:
        tables[SEEN] = task.targets(frame)[[USER, ITEM]]
    return tables


def _known(run: Run, n_users: int) -> BoolArray:
    """Return (U,) whether a user is in the training set: all but test users that are marked as unknown."""
    tested = evaluated_users(run).groupby(USER)[IN_TRAINING].any()
    known = np.ones(n_users, dtype=np.bool_)
    known[tested.index.to_numpy(np.int64)] = tested.to_numpy(np.bool_)
    return known
