"""Strategies of a workspace: immutable versions, their states, and a log of what happened to each.

`strategies/<id>/versions/<hash>.json` holds a version, which never changes: the hash is that of its cards and settings,
without the name. `strategies/<id>/record.json` holds name, current version, the states of the versions and the log.
Every file carries a checksum and is written aside and renamed. A damaged file is moved to `set_aside/` and named; it
takes down only itself: without a version, the others stay; without a record, name and log are lost, the versions stay.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from pydantic import ValidationError

from recsys_core.data.dataset_folders import STRATEGY_PREFIX
from recsys_core.errors import ConfigError, Damaged, StoreError
from recsys_core.storage.checksums import read_record, write_record
from recsys_core.storage.damaged import DamagedFolder, move_file_aside, note_of, remove, set_aside
from recsys_core.storage.files import children, folder_written_aside
from recsys_core.storage.locks import locked
from recsys_core.strategy.cards import Strategy
from recsys_core.text import _

State = Literal["draft", "trusted", "retired"]
STATES: tuple[State, ...] = ("draft", "trusted", "retired")
Action = Literal["saved", "renamed", "state", "rollback", "recovered"]
FOLDER, VERSIONS, RECORD, LOCK = "strategies", "versions", "record.json", ".lock"
LONGEST_NAME, LONGEST_NOTE = 200, 2_000
NAMELESS = "Unnamed"
KEPT = 2_000
"""Verified versions that are kept in memory."""
SETTLED_NS = 2_000_000_000
"""Age of a file from which a later change alters its time, even where clocks of file systems are coarse."""


@dataclass(frozen=True)
class LogEntry:
    """Something that happened to a strategy.

    Args:
        at: Unix seconds.
        action: What happened: a version was saved; the strategy was renamed; a version got another state; an earlier
            version became the current one; the record was damaged and made again from the versions.
        version: The version concerned, the current one for `renamed`.
        state: The state of that version afterwards.
        note: What the user gave as the reason, or the evidence of a decision.
    """

    at: float
    action: Action
    version: str
    state: State
    note: str = ""


@dataclass(frozen=True)
class Stored:
    """A strategy of the workspace.

    Args:
        id: Its folder.
        name: Display name.
        created: Unix seconds.
        current: Hash of the current version.
        states: State of each version, oldest version first.
        log: What happened, oldest first.
    """

    id: str
    name: str
    created: float
    current: str
    states: Mapping[str, State]
    log: tuple[LogEntry, ...] = field(default=())

    @property
    def state(self) -> State:
        """State of the current version."""
        return self.states[self.current]

    @property
    def versions(self) -> tuple[str, ...]:
        """Hashes of the versions, oldest first."""
        return tuple(self.states)


def version_of(strategy: Strategy) -> str:
    """Return the hash of what a strategy does: 16 digits of the SHA-256 of its JSON without the name."""
    return _hash(strategy.model_dump(mode="json"))


def _hash(values: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in values.items() if name != "name"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


class StrategyStore:
    """The strategies of a workspace. Safe for use by several processes.

    Args:
        root: The folder of the workspace.
    """

    def __init__(self, root: Path | str) -> None:
        self._root = Path(root)
        self._folder = self._root / FOLDER

    def save(self, strategy: Strategy, *, name: str = "", key: str | None = None, note: str = "") -> Stored:
        """Store a strategy as a new one, or as the current version of a stored one.

        A version that exists already becomes the current one and keeps its state.

        Args:
            strategy: The strategy.
            name: Display name of a new strategy; by default that of the strategy.
            key: The stored strategy.
            note: What changed.

        Raises:
            ConfigError: The name or the note is not valid.
            StoreError: There is no such strategy, or a disk error.
        """
        note = _valid_note(note)
        if key is None:
            return self._create(strategy, _valid_name(name or strategy.name or NAMELESS), note)
        with self._changing(key) as stored:
            version = _write_version(self._folder / key, strategy)
            state = stored.states.get(version, "draft")
            entry = LogEntry(time.time(), "saved", version, state, note)
            return self._write(
                replace(stored, current=version, states={**stored.states, version: state}, log=(*stored.log, entry))
            )

    def all(self) -> list[Stored]:
        """Return the readable strategies by name; damaged files are set aside, see `damaged`."""
        found = []
        for folder in children(self._folder):
            stored = self._read(folder.name)
            if stored is not None:
                found.append(stored)
        return sorted(found, key=lambda one: (one.name.casefold(), one.id))

    def open(self, key: str) -> Stored:
        """Return a strategy.

        Raises:
            StoreError: There is no such strategy, or nothing of it is readable.
        """
        stored = self._read(key) if key and key == Path(key).name else None
        if stored is None:
            names = ", ".join(one.id for one in self.all()) or "none"
            raise StoreError(_("There is no stored strategy '{key}'. Stored: {names}.").format(key=key, names=names))
        return stored

    def strategy(self, key: str, version: str | None = None) -> Strategy:
        """Return a version, by default the current one, under the name of the stored strategy.

        Raises:
            StoreError: There is no such strategy or version.
        """
        stored = self.open(key)
        version = version or stored.current
        if version not in stored.states:
            raise StoreError(
                _("'{stored_name}' has no version '{version}'. It has: {versions}.").format(
                    stored_name=stored.name, version=version, versions=", ".join(stored.versions)
                )
            )
        return self._version(self._path(key, version)).model_copy(update={"name": stored.name})

    def rename(self, key: str, name: str) -> Stored:
        """Rename a strategy.

        Raises:
            ConfigError: The name is not valid.
            StoreError: There is no such strategy, or a disk error.
        """
        name = _valid_name(name)
        with self._changing(key) as stored:
            entry = LogEntry(time.time(), "renamed", stored.current, stored.state, f"{stored.name} → {name}")
            return self._write(replace(stored, name=name, log=(*stored.log, entry)))

    def set_state(self, key: str, state: State, *, version: str | None = None, note: str = "") -> Stored:
        """Change the state of a version, by default the current one.

        Args:
            key: The strategy.
            state: Draft, trusted or retired.
            version: The version.
            note: The reason, such as the evidence of a decision.

        Raises:
            ConfigError: There is no such state, or the note is not valid.
            StoreError: There is no such strategy or version, or a disk error.
        """
        if state not in STATES:
            raise ConfigError(
                _("'{state}' is not a state of strategies: {states}.").format(state=state, states=", ".join(STATES))
            )
        note = _valid_note(note)
        with self._changing(key) as stored:
            version = self._known(stored, version or stored.current)
            entry = LogEntry(time.time(), "state", version, state, note)
            return self._write(replace(stored, states={**stored.states, version: state}, log=(*stored.log, entry)))

    def rollback(self, key: str, version: str, *, note: str = "") -> Stored:
        """Make an earlier version the current one; later versions are kept.

        Raises:
            ConfigError: The note is not valid.
            StoreError: There is no such strategy or version, or a disk error.
        """
        note = _valid_note(note)
        with self._changing(key) as stored:
            version = self._known(stored, version)
            entry = LogEntry(time.time(), "rollback", version, stored.states[version], note)
            return self._write(replace(stored, current=version, log=(*stored.log, entry)))

    def damaged(self) -> list[DamagedFolder]:
        """Return the files of strategies that were set aside, latest first."""
        for folder in children(self._folder):
            self._read(folder.name)
        places = [path for path in set_aside(self._root) if path.name.startswith(STRATEGY_PREFIX)]
        return [DamagedFolder(path, "strategy", path.name, note_of(path)) for path in places]

    def remove_damaged(self, key: str) -> None:
        """Delete what was set aside.

        Raises:
            StoreError: It is not damaged, or cannot be removed.
        """
        remove(key, self.damaged())

    def _create(self, strategy: Strategy, name: str, note: str) -> Stored:
        key, now, version = uuid4().hex[:12], time.time(), version_of(strategy)
        log = (LogEntry(now, "saved", version, "draft", note),)
        stored = Stored(key, name, now, version, {version: "draft"}, log)
        with folder_written_aside(self._folder / key, self._root / "staging") as aside:
            (aside / VERSIONS).mkdir()
            _write_version(aside, strategy)
            write_record(aside / RECORD, asdict(stored))
        return stored

    @contextmanager
    def _changing(self, key: str) -> Iterator[Stored]:
        """Hold the lock of a strategy and yield its present content."""
        self.open(key)  # refuses an unknown strategy before its lock is created
        with locked(self._folder / key / LOCK):
            yield self.open(key)

    def _known(self, stored: Stored, version: str) -> str:
        if version not in stored.states:
            raise StoreError(
                _("'{stored_name}' has no version '{version}'. It has: {versions}.").format(
                    stored_name=stored.name, version=version, versions=", ".join(stored.versions)
                )
            )
        return version

    def _path(self, key: str, version: str) -> Path:
        return self._folder / key / VERSIONS / f"{version}.json"

    def _write(self, stored: Stored) -> Stored:
        write_record(self._folder / stored.id / RECORD, asdict(stored))
        return stored

    def _version(self, path: Path) -> Strategy:
        """Return a stored version.

        Raises:
            Damaged: It is not what was written.
        """
        try:
            status = path.stat()
        except OSError:
            return _verified(path)  # says what is wrong
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < SETTLED_NS:
            return _verified(path)
        return _kept(path.absolute(), _Mark.of(status))

    def _read(self, key: str) -> Stored | None:
        """Return a strategy after setting aside its damaged files; None if no version is left."""
        folder = self._folder / key
        if not folder.is_dir():
            return None
        intact = [path.stem for path in sorted((folder / VERSIONS).glob("*.json")) if self._is_intact(path)]
        if not intact:
            return None
        try:
            stored = _from_record(key, read_record(folder / RECORD))
        except (Damaged, KeyError, TypeError, ValueError) as error:
            if (folder / RECORD).exists():
                self._set_aside(folder / RECORD, str(error))
            return self._recovered(key, intact)
        states: dict[str, State] = {version: state for version, state in stored.states.items() if version in intact}
        states |= {version: "draft" for version in intact if version not in states}
        current = stored.current if stored.current in states else list(states)[-1]
        return replace(stored, states=states, current=current)

    def _recovered(self, key: str, versions: Sequence[str]) -> Stored:
        """Return a strategy whose record was lost, and write a new one: all versions are drafts, the latest current."""
        times = {version: float(read_record(self._path(key, version)).get("created", 0.0)) for version in versions}
        ordered = sorted(versions, key=lambda version: (times[version], version))
        name = self._version(self._path(key, ordered[-1])).name or NAMELESS
        entry = LogEntry(time.time(), "recovered", ordered[-1], "draft")
        return self._write(Stored(key, name, times[ordered[0]], ordered[-1], dict.fromkeys(ordered, "draft"), (entry,)))

    def _is_intact(self, path: Path) -> bool:
        try:
            self._version(path)
        except Damaged as error:
            self._set_aside(path, str(error))
            return False
        return True

    def _set_aside(self, path: Path, reason: str) -> None:
        owner = path.parent.name if path.name == RECORD else path.parent.parent.name
        with suppress(FileNotFoundError):  # another process has moved it
            move_file_aside(self._root, path, reason, f"{STRATEGY_PREFIX}{owner}-{path.stem}")


@dataclass(frozen=True)
class _Mark:
    """What tells whether a file has changed: size, identity, and times of content and status in nanoseconds."""

    size: int
    inode: int
    modified: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> "_Mark":
        return cls(status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)


@lru_cache(maxsize=KEPT)
def _kept(path: Path, mark: _Mark) -> Strategy:
    """Return a version that is read and verified once; strategies are immutable, and errors are not kept."""
    return _verified(path)


def _verified(path: Path) -> Strategy:
    """Read and verify a version; see `StrategyStore`.

    Raises:
        Damaged: It is not what was written.
    """
    try:
        values = read_record(path)["strategy"]
        if _hash(values) != path.stem:  # as it was stored: a later version of the program may add settings
            raise Damaged(
                _("'{path_name}' in {parent} holds another strategy than its name says.").format(
                    path_name=path.name, parent=path.parent
                )
            )
        return Strategy.model_validate(values)
    except (ValidationError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(
            _("'{path_name}' in {parent} is not a strategy of this version ({error}).").format(
                path_name=path.name, parent=path.parent, error=error
            )
        ) from error


def _write_version(folder: Path, strategy: Strategy) -> str:
    """Write a version unless it exists, and return its hash."""
    version = version_of(strategy)
    path = folder / VERSIONS / f"{version}.json"
    if not path.exists():
        write_record(path, {"strategy": strategy.model_dump(mode="json"), "created": time.time()})
    return version


def _from_record(key: str, values: Mapping[str, Any]) -> Stored:
    """Return a strategy from its record; KeyError, TypeError or ValueError if it is not one."""
    states = {str(version): _valid_state(state) for version, state in values["states"].items()}
    log = tuple(LogEntry(**entry) for entry in values["log"])
    if not states or not isinstance(values["name"], str):
        raise ValueError("it has no name or no version")
    return Stored(key, values["name"], float(values["created"]), str(values["current"]), states, log)


def _valid_state(state: Any) -> State:
    if state not in STATES:
        raise ValueError(f"'{state}' is not a state")
    return state  # type: ignore[no-any-return]


def _valid_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise ConfigError(
            _("The name of a strategy must have 1 to {longest_name} printable characters.").format(
                longest_name=LONGEST_NAME
            )
        )
    return name


def _valid_note(note: str) -> str:
    if len(note) > LONGEST_NOTE:
        raise ConfigError(
            _("A note can have {longest_note:,} characters; this one has {n_note:,}.").format(
                longest_note=LONGEST_NOTE, n_note=len(note)
            )
        )
    return note.strip()
