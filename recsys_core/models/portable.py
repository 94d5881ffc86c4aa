"""A trained model in one file, for Python without pages and without the data it was trained on.

    from recsys_core.models.portable import load_model
    model = load_model("ease.zip")
    model.recommend(["alice", "bob"], k=10)              # users of the training data
    model.recommend(history=["film-3", "film-7"], k=10)  # a history of anybody, oldest first

A zip file with `model.json` (facts, settings, version, size and SHA-256 of all other members), the learned arrays
(`model.safetensors`), the identifiers of items and users, the histories of the users and, where the model predicts
certain events only, their seen items. The checksums detect damage, not forgery: loading executes nothing stored, but
compiled loops trust the arrays, so load only files from a source that you trust.
"""

import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys_core.columns import ITEM, ITEM_ID, RANK, SCORE, TIMESTAMP, USER, USER_ID, WEIGHT
from recsys_core.contracts import PAD, BoolArray, IntArray, QueryBatch, Ragged, TopK
from recsys_core.data.vocabulary import Vocabulary
from recsys_core.errors import ConfigError, Damaged, DataError, StoreError
from recsys_core.models.base import Recommender
from recsys_core.models.histories import relevant_part
from recsys_core.models.registry import make_model
from recsys_core.storage.checksums import FILES, FileSum, read_record, sums_from_json, verify
from recsys_core.storage.disk_errors import disk_errors_in_words
from recsys_core.text import _

FORMAT = 1
FACTS, ARRAYS = "model.json", "model.safetensors"
USERS, ITEMS, HISTORIES, SEEN = "users.parquet", "items.parquet", "histories.parquet", "seen.parquet"
MEMBERS = (ARRAYS, USERS, ITEMS, HISTORIES)
"""Members of every file besides the facts; `SEEN` is optional."""
KNOWN, VALUE = "known", "value"
FACTS_BYTES = 4 * 2**20
RATIO = 200
RATIO_FREE_BYTES = 10 * 2**20
"""Below this size the compression ratio is not limited."""
BLOCK = 1 << 20
_UNREADABLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError)
"""What `zipfile` raises for bytes that are no zip, damaged, encrypted, or compressed in another way."""


class ModelFacts(BaseModel):
    """What a model file says about itself."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    format: int
    """Number of the layout of the file."""
    recscope: str
    """Version that wrote it."""
    key: str
    """The algorithm."""
    title: str
    """Its name in the field, in English."""
    config: dict[str, Any]
    """All settings."""
    data: str
    """Name of the data set."""
    fingerprint: str
    """Fingerprint of the data set."""
    experiment: str
    """Id of the experiment that trained it."""
    relevant_from: float | None = None
    """Smallest rating in a history that the model reads; None: it reads all interactions."""
    rating_high: float | None = None
    """Largest possible rating, None in data without ratings."""
    n_users: int = Field(ge=0)
    """Number of user identifiers."""
    n_items: int = Field(ge=0)
    """Number of item identifiers."""


class PortableModel:
    """A trained model that is asked with outside identifiers.

    Args:
        facts: What the file says about the model.
        model: The trained model.
        users: User identifiers, by position.
        items: Item identifiers, by position.
        queries: U users of the training data with their histories.
    """

    def __init__(
        self, facts: ModelFacts, model: Recommender[Any], users: Vocabulary, items: Vocabulary, queries: QueryBatch
    ) -> None:
        self.facts = facts
        self.model = model
        self._users = users
        self._items = items
        self._queries = queries

    def __repr__(self) -> str:
        facts = self.facts
        return f"<{facts.title} trained on '{facts.data}': {facts.n_users:,} users, {facts.n_items:,} items>"

    @property
    def user_ids(self) -> Sequence[str]:
        """The users whose histories are in the file."""
        return self._users.ids

    @property
    def item_ids(self) -> Sequence[str]:
        """The items that can be recommended."""
        return self._items.ids

    def recommend(
        self,
        users: Iterable[str] | str | None = None,
        *,
        history: Iterable[str] | None = None,
        ratings: Iterable[float] | None = None,
        k: int = 10,
        exclude_seen: bool = True,
    ) -> pd.DataFrame:
        """Return the top k items, for users of the training data or for one given history.

        Args:
            users: User identifiers, or one of them.
            history: Item identifiers, oldest first, of a user who need not be in the training data.
            ratings: Rating of each item of `history`; by default the largest possible one. Ignored in data without
                ratings, where each item counts as one interaction.
            k: Length of the lists; items without a score are never recommended, so lists may be shorter.
            exclude_seen: Exclude the items of the history.

        Returns:
            Columns `user_id` (absent for a given history), `item_id`, `rank` from 1 and `score`, best first per user.

        Raises:
            DataError: Neither or both of users and history are given, an identifier is unknown, or `ratings` are given
                without a history, have another length, or are no numbers.
        """
        if (users is None) == (history is None):
            raise DataError(_("Give either user identifiers or a history of item identifiers."))
        if k < 1:
            raise DataError(_("k is {k}; it must be at least 1.").format(k=k))
        if history is not None:
            _refuse_text(history)
            query = self._query_of(list(history), None if ratings is None else list(ratings))
            return self._table(None, self._lists(query, k, exclude_seen=exclude_seen))
        if ratings is not None:
            raise DataError(_("The ratings belong to a history; users have those of the training data."))
        assert users is not None
        names = [users] if isinstance(users, str) else list(users)
        query = self._queries.take(_positions(self._users, names, "user"))
        return self._table(names, self._lists(query, k, exclude_seen=exclude_seen))

    def _lists(self, query: QueryBatch, k: int, *, exclude_seen: bool) -> TopK:
        if self.facts.relevant_from is not None:
            query = relevant_part(query, self.facts.relevant_from)
        return self.model.recommend(query, k, exclude_seen=exclude_seen)

    def _query_of(self, history: Sequence[str], ratings: Sequence[float] | None) -> QueryBatch:
        items = _positions(self._items, history, "item")
        values = np.full(len(items), self.facts.rating_high or 1.0, dtype=np.float32)
        if ratings is not None and self.facts.rating_high is not None:
            if len(ratings) != len(items):
                raise DataError(
                    _("There are {n_ratings} ratings for a history of {n_items} items.").format(
                        n_ratings=len(ratings), n_items=len(items)
                    )
                )
            values = np.array([_number(rating) for rating in ratings], dtype=np.float32)
        return QueryBatch(np.array([PAD]), Ragged.from_rows([items]), values)

    def _table(self, names: Sequence[str] | None, lists: TopK) -> pd.DataFrame:
        rows, places = np.nonzero(lists.item != PAD)
        ids = np.asarray(self._items.ids, dtype=object)
        table = pd.DataFrame(
            {
                ITEM_ID: pd.array(ids[lists.item[rows, places]], dtype="str"),
                RANK: places + 1,
                SCORE: lists.score[rows, places],
            }
        )
        if names is not None:
            table.insert(0, USER_ID, pd.Series(np.asarray(names, dtype=object)[rows], dtype="str"))
        return table


def load_model(path: str | Path) -> PortableModel:
    """Return the trained model of a file that *Download model* wrote; nothing stored in it is executed.

    Raises:
        DataError: It is not such a file, is damaged, or needs another version; the message says which.
        StoreError: A disk error.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(_("There is no file '{path}'.").format(path=path))
    with TemporaryDirectory(prefix="recscope-model-") as temporary:
        folder = Path(temporary)
        with disk_errors_in_words(folder):
            facts = _unpacked(path, folder)
        try:
            return _assembled(path, facts, folder)
        except (KeyError, ValueError, TypeError, RuntimeError, OSError, pa.ArrowException) as error:
            raise _refused(path, f"its members do not belong together ({error})") from error


def _unpacked(path: Path, folder: Path) -> ModelFacts:
    """Write the verified members of a file into a folder, and return its facts."""
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            if FACTS not in sizes:
                raise _foreign(path, f"it has no '{FACTS}'")
            if sizes[FACTS] > FACTS_BYTES:
                raise _foreign(path, f"its '{FACTS}' is too large")
            _extract(archive, FACTS, folder, FACTS_BYTES)
            facts, sums = _facts_of(path, folder)
            total = sum(sums[name].bytes for name in (*MEMBERS, SEEN) if name in sums)
            if total > max(RATIO_FREE_BYTES, RATIO * path.stat().st_size):
                raise _foreign(path, f"it would unpack to {total:,} bytes, like a bomb")
            for name in (*MEMBERS, SEEN):
                if name in sums:
                    _extract(archive, name, folder, sums[name].bytes)
                    verify(folder / name, sums[name])
    except _UNREADABLE as error:
        if path.read_bytes()[:2] != b"PK":
            raise _foreign(path, "it is not a zip file") from error
        raise _refused(path, f"it cannot be unpacked ({error})") from error
    except Damaged as error:
        raise _refused(path, str(error).rstrip(".")) from error
    return facts


def _facts_of(path: Path, folder: Path) -> tuple[ModelFacts, Mapping[str, FileSum]]:
    values = read_record(folder / FACTS)
    if values.get("format") != FORMAT:
        version = values.get("recscope", "unknown")
        raise DataError(
            _(
                "'{path_name}' has another format than this version of Recscope reads (it was "
                "written by version {version}). Download the model again from the version that you "
                "use here."
            ).format(path_name=path.name, version=version)
        )
    try:
        facts = ModelFacts.model_validate(values)
        sums = sums_from_json(values[FILES]) or {}
    except (ValidationError, KeyError, TypeError, AttributeError) as error:
        raise _foreign(path, f"its '{FACTS}' does not describe a model") from error
    if missing := [name for name in MEMBERS if name not in sums]:
        raise _foreign(path, f"it lists no '{missing[0]}'")
    return facts, sums


def _extract(archive: zipfile.ZipFile, name: str, folder: Path, most: int) -> None:
    """Write one member; bytes beyond `most` are not unpacked, so that the check of its size fails."""
    try:
        source = archive.open(name)
    except KeyError as error:
        raise Damaged(_("'{name}' is missing").format(name=name)) from error
    left = most + 1
    with source, (folder / name).open("wb") as target:
        while left > 0 and (block := source.read(min(BLOCK, left))):
            target.write(block)
            left -= len(block)


def _assembled(path: Path, facts: ModelFacts, folder: Path) -> PortableModel:
    from safetensors.numpy import load_file

    try:
        model = make_model(facts.key, facts.config)
    except ConfigError as error:
        raise DataError(
            _("'{path_name}' was written by Recscope {recscope} and cannot be used with this version: {error}").format(
                path_name=path.name, recscope=facts.recscope, error=error
            )
        ) from error
    try:
        model.load_state(load_file(folder / ARRAYS))
        users = pd.read_parquet(folder / USERS)
        names, items = Vocabulary(users[USER_ID]), Vocabulary(pd.read_parquet(folder / ITEMS)[ITEM_ID])
    except (StoreError, DataError) as error:
        raise _refused(path, str(error).rstrip(".")) from error
    sizes = {(len(names), len(items)), (facts.n_users, facts.n_items), (model.n_users, model.n_items)}
    if len(sizes) > 1:
        raise _refused(path, "its model was trained with other users or items than it lists")
    known = users[KNOWN].to_numpy(np.bool_)
    seen = pd.read_parquet(folder / SEEN) if (folder / SEEN).exists() else None
    return PortableModel(
        facts, model, names, items, _queries(pd.read_parquet(folder / HISTORIES), seen, known, len(items))
    )


def _queries(frame: pd.DataFrame, seen: pd.DataFrame | None, known: BoolArray, n_items: int) -> QueryBatch:
    """Return the queries of all users from histories in the order of users, oldest first.

    Raises:
        ValueError: The rows are of unknown users or items, or in another order.
    """
    n_users = len(known)

    def grouped(table: pd.DataFrame) -> Ragged:
        for name, size in ((USER, n_users), (ITEM, n_items)):
            if not table[name].between(0, size - 1).all():
                raise ValueError(f"a history has a position outside the {size:,} listed ones")
        return Ragged.from_keys(table[USER].to_numpy(np.int64), table[ITEM].to_numpy(np.int64), n_users)

    query = QueryBatch(
        np.where(known, np.arange(n_users), PAD),
        grouped(frame),
        frame[VALUE].to_numpy(np.float32),
        timestamps=frame[TIMESTAMP].to_numpy(np.int64) if TIMESTAMP in frame else None,
        weights=frame[WEIGHT].to_numpy(np.float32) if WEIGHT in frame else None,
    )
    if (np.diff(frame[USER].to_numpy(np.int64)) < 0).any():
        raise ValueError("the histories are not in the order of the users")
    return query if seen is None else replace(query, known=grouped(seen))


def _positions(vocabulary: Vocabulary, names: Sequence[str], kind: str) -> IntArray:
    found = vocabulary.positions([str(name) for name in names])
    unknown = [str(name) for name, position in zip(names, found, strict=True) if position == PAD]
    if unknown:
        more = len(unknown) - 1
        others = f" and {more:,} other{'s' if more > 1 else ''}" if more else ""
        way = "; give their history instead" if kind == "user" else ""
        raise DataError(
            _("The model does not know the {kind} '{unknown}'{others}: not in its training data{way}.").format(
                kind=kind, unknown=unknown[0], others=others, way=way
            )
        )
    return found


def _number(rating: Any) -> float:
    """Return a rating as a number, NaN for a missing one."""
    try:
        return np.nan if rating is None else float(rating)
    except (TypeError, ValueError) as error:
        raise DataError(_("The rating '{rating}' is not a number.").format(rating=rating)) from error


def _refuse_text(history: Iterable[str]) -> None:
    if isinstance(history, str):
        raise DataError(_("A history is a list of item identifiers, oldest first; one text was given."))


def _foreign(path: Path, why: str) -> DataError:
    return DataError(
        _("'{name}' is not a model file of Recscope: {why}. Use a file of 'Download model'.").format(
            name=path.name, why=why
        )
    )


def _refused(path: Path, why: str) -> DataError:
    return DataError(
        _("The model file '{name}' is damaged: {why}. Download the model again.").format(name=path.name, why=why)
    )


def described(facts: ModelFacts) -> dict[str, Any]:
    """Return the facts as the values of `model.json`."""
    return json.loads(facts.model_dump_json())  # type: ignore[no-any-return]
