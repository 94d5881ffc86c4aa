"""Programs that compete through files: a folder with `recscope.toml`, which the operator put on the server.

The folders are those in `RECSCOPE_PLUGINS` (several roots are separated as in PATH); without this setting there are no
programs, and nothing that a user uploads can become one. A program is named `program_<folder>`; its settings, version
and the checksum of its folder are part of the spec of an experiment. `docs/plugins.md` is the contract.
"""

import hashlib
import logging
import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from recsys_core.configs import HIDDEN, Knob, ModelConfig
from recsys_core.contracts import FoldIn, ModelInfo, Need
from recsys_core.errors import ConfigError
from recsys_core.models.external import FAMILY, ListsOnly
from recsys_core.text import _

logger = logging.getLogger(__name__)
ROOTS = "RECSCOPE_PLUGINS"
PREFIX = "program_"
MANIFEST = "recscope.toml"
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST_FILES = 1_000
MOST_BYTES = 100 * 2**20
IGNORED = ("__pycache__", "venv")
"""Folders that are not part of a program; nor is anything whose name begins with a dot."""
MANIFEST_BYTES = 2**20


class Setting(BaseModel):
    """A setting of a program."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["int", "float", "bool", "choice"]
    default: int | float | bool | str
    minimum: float | None = None
    maximum: float | None = None
    low: float | None = None
    high: float | None = None
    scale: Literal["linear", "log"] = "linear"
    choices: tuple[str, ...] = ()
    help: str = ""
    label: str = ""
    advanced: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Refuse what could not be set or tuned as written."""
        given = [one for one in (self.minimum, self.maximum, self.low, self.high) if one is not None]
        if self.type == "bool" and not isinstance(self.default, bool):
            raise ValueError(_("the default of a switch is true or false"))
        if self.type == "choice" and not self.choices:
            raise ValueError(_("its choices are missing"))
        if self.type in ("bool", "choice"):
            if given:
                raise ValueError(_("only numbers have minimum, maximum, low and high"))
            return self
        if not all(math.isfinite(one) for one in [*given, self.default] if isinstance(one, float)):
            raise ValueError(_("its numbers must be finite"))
        if (self.low is None) != (self.high is None):
            raise ValueError(_("low and high go together"))
        if self.low is not None and self.high is not None:
            self._check_range(self.low, self.high)
        return self

    def _check_range(self, low: float, high: float) -> None:
        if low >= high:
            raise ValueError(_("low is not below high"))
        if self.type == "int" and math.ceil(low) >= math.floor(high):
            raise ValueError(_("there are no two whole numbers from low to high"))
        if (self.minimum is not None and low < self.minimum) or (self.maximum is not None and high > self.maximum):
            raise ValueError(_("low or high is outside minimum and maximum"))
        if self.scale == "log" and low <= 0:
            raise ValueError(_("a logarithmic scale needs a low above 0"))


class About(BaseModel):
    """What a program is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=60)]
    version: Annotated[str, Field(min_length=1, max_length=40)]
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    idea: str = ""
    source: str = ""
    needs: tuple[Need, ...] = ()
    stochastic: bool = True


class Environment(BaseModel):
    """The Python environment of a program."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requirements: str


class Limits(BaseModel):
    """What a program may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory_gib: Annotated[float, Field(gt=0)] = 4.0
    seconds: Annotated[float, Field(gt=0)] = 3600.0
    disk_gib: Annotated[float, Field(gt=0)] = 10.0


class Manifest(BaseModel):
    """The content of `recscope.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    program: About
    environment: Environment | None = None
    limits: Limits = Limits()
    settings: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Setting] = Field(default_factory=dict)


class StoredConfig(ModelConfig):
    """Settings of a program that is no longer on the server, or was changed since."""

    model_config = ConfigDict(extra="allow")

    version: str = ""
    checksum: str = ""


class ProgramConfig(ModelConfig):
    """Settings of a program, with its version and the checksum of its folder."""

    current: ClassVar[str] = ""
    """Checksum of the folder now; empty if there is none."""
    problem: ClassVar[str] = ""
    """Why new experiments cannot use it."""

    version: Annotated[str, Field(json_schema_extra=HIDDEN)] = ""
    checksum: Annotated[str, Field(json_schema_extra=HIDDEN)] = ""

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Return the settings; those of a stored experiment are kept even if the program has changed since.

        Raises:
            ConfigError: A setting is unknown or out of bounds, or the program cannot be used.
        """
        if values.get("checksum") not in (None, "", cls.current):
            return cast(Self, StoredConfig.parse(values))
        if cls.problem:
            raise ConfigError(cls.problem)
        return super().parse(values)


@dataclass(frozen=True, eq=False)
class Folder:
    """A folder with a usable program.

    Args:
        name: Name of the folder.
        path: The folder.
        manifest: Content of its `recscope.toml`.
        checksum: SHA-256 of the names and contents of its files.
    """

    name: str
    path: Path
    manifest: Manifest
    checksum: str


class Program(ListsOnly):
    """A program of another system, which trains on files and answers with lists."""

    config_type: ClassVar[type[ProgramConfig]]
    folder: ClassVar[Folder | None] = None

    def _why(self) -> str:
        return _("It runs as a job of an experiment and answers with lists for its test users.")


def program_keys() -> list[str]:
    """Return the keys of all programs that can be used."""
    return [PREFIX + name for name in _folders()[0]]


def program_problems() -> list[str]:
    """Return a sentence about each folder that cannot be used."""
    return list(_folders()[1].values())


def program_class(key: str) -> type[Program]:
    """Return the class of a program; one that cannot be used now still describes stored experiments."""
    name = key.removeprefix(PREFIX)
    folders, problems = _folders()
    if name in folders:
        return _class_of(folders[name])
    problem = problems.get(name) or (
        f"There is no program '{name}' on this server: it needs a folder of this name with a '{MANIFEST}' below one of "
        f"the folders in {ROOTS}."
    )
    return _missing(key, problem)


def folder_of(key: str, checksum: str) -> Folder:
    """Return the folder of a program that is to run.

    Raises:
        ConfigError: It is not on this machine, or was changed since the experiment was started.
    """
    found = program_class(key)
    if found.folder is None:
        raise ConfigError(found.config_type.problem)
    if found.folder.checksum != checksum:
        raise ConfigError(
            _(
                "The program '{folder_name}' has changed since this experiment was started, so its "
                "result would not be the one of the spec. Train it again in a new experiment."
            ).format(folder_name=found.folder.name)
        )
    return found.folder


def _roots() -> list[Path]:
    return [Path(part) for part in os.environ.get(ROOTS, "").split(os.pathsep) if part.strip()]


def _folders() -> tuple[dict[str, Folder], dict[str, str]]:
    """Return the usable folders by name, and why others cannot be used."""
    folders: dict[str, Folder] = {}
    problems: dict[str, str] = {}
    for root in _roots():
        if why := _no_root(root):
            problems[str(root)] = why
            continue
        for path in sorted(root.iterdir()):
            if not (path / MANIFEST).is_file() or path.name in folders:
                continue
            try:
                folders[path.name] = _folder(path.resolve(), _stamp(path))
                problems.pop(path.name, None)
            except (ConfigError, OSError) as error:
                problems[path.name] = f"The program in '{path}' cannot be used: {error}"
    return folders, problems


def _no_root(root: Path) -> str:
    """Return a sentence about why no programs are looked for in a folder, empty if they are."""
    if (root / MANIFEST).is_file():
        words = _("{roots} names '{root}', which is itself a program; name the folder that holds it.")
    elif not root.is_dir() or not os.access(root, os.R_OK | os.X_OK):
        words = _("{roots}: '{root}' is no folder that can be read, so it offers no programs.")
    else:
        return ""
    return words.format(roots=ROOTS, root=root)


def _files(path: Path) -> list[Path]:
    """Return the files of a program, sorted by name.

    Raises:
        ConfigError: There are too many.
    """
    found: list[Path] = []
    for folder, folders, names in os.walk(path):
        folders[:] = [one for one in folders if one not in IGNORED and not one.startswith(".")]
        found += [Path(folder) / one for one in names if not one.startswith(".") and not one.endswith(".pyc")]
        if len(found) > MOST_FILES:
            raise ConfigError(
                _("it has more than {most_files:,} files; keep environments and data elsewhere.").format(
                    most_files=MOST_FILES
                )
            )
    return sorted(found, key=lambda one: one.relative_to(path).as_posix())


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    return tuple((str(one), (found := one.stat()).st_mtime_ns, found.st_size) for one in _files(path))


@lru_cache(maxsize=64)
def _folder(path: Path, stamp: tuple[tuple[str, int, int], ...]) -> Folder:
    """Return the program in a folder; `stamp` changes when a file does.

    Raises:
        ConfigError: It is no valid program.
    """
    if not NAME.fullmatch(path.name):
        raise ConfigError(_("the name of its folder must consist of lower-case letters, digits and _."))
    if sum(size for _, _, size in stamp) > MOST_BYTES:
        raise ConfigError(
            _("its files have more than {most_bytes} MiB; keep environments and data elsewhere.").format(
                most_bytes=MOST_BYTES >> 20
            )
        )
    return Folder(path.name, path, _manifest(path), _checksum(path))


def _manifest(path: Path) -> Manifest:
    with (path / MANIFEST).open("rb") as file:
        content = file.read(MANIFEST_BYTES)
    try:
        manifest = Manifest.model_validate(tomllib.loads(content.decode()))
        _refuse_reserved(manifest.settings)
        _config_of(path.name, manifest, "")()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            _("its '{manifest}' is not valid TOML ({error}).").format(manifest=MANIFEST, error=error)
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            _("its '{manifest}' is wrong at '{where}': {first}.").format(
                manifest=MANIFEST, where=where, first=first["msg"].removeprefix("Value error, ")
            )
        ) from error
    if manifest.environment is not None and not (path / manifest.environment.requirements).is_file():
        raise ConfigError(
            _("it has no file '{requirements}', which '{manifest}' names.").format(
                requirements=manifest.environment.requirements, manifest=MANIFEST
            )
        )
    return manifest


def _refuse_reserved(names: Iterable[str]) -> None:
    """Refuse names of settings that the class of the settings needs for itself.

    Raises:
        ConfigError: There is one.
    """
    for name in names:
        if name in ProgramConfig.model_fields or hasattr(ProgramConfig, name):
            raise ConfigError(_("the name of its setting '{name}' is reserved; choose another name.").format(name=name))


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    for one in _files(path):
        content = one.read_bytes()
        digest.update(f"{one.relative_to(path).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _config_of(name: str, manifest: Manifest, checksum: str) -> type[ProgramConfig]:
    """Return the class of the settings of a program, with their bounds, ranges and help."""
    fields: dict[str, Any] = {
        "version": (Annotated[str, Field(json_schema_extra=HIDDEN)], manifest.program.version),
        "checksum": (Annotated[str, Field(json_schema_extra=HIDDEN)], checksum),
    }
    for key, setting in manifest.settings.items():
        kinds: dict[str, Any] = {"int": int, "float": float, "bool": bool, "choice": Literal[setting.choices or ("",)]}
        knob = Knob(setting.low, setting.high, setting.scale, advanced=setting.advanced, label=setting.label)
        about = Field(ge=setting.minimum, le=setting.maximum, description=setting.help or None, validate_default=True)
        fields[key] = (Annotated[kinds[setting.type], about, knob], setting.default)
    made = create_model(f"{name.title()}Config", __base__=ProgramConfig, __doc__=ProgramConfig.__doc__, **fields)
    made.current = checksum
    return made


@lru_cache(maxsize=64)
def _class_of(folder: Folder) -> type[Program]:
    about = folder.manifest.program
    info = ModelInfo(
        key=PREFIX + folder.name,
        title=about.title,
        family=FAMILY,
        idea=about.idea or f"A program on this server, version {about.version}.",
        formula="",
        source=about.source or f"{about.title} {about.version}",
        needs=frozenset(about.needs),
        fold_in=FoldIn.NONE,
        stochastic=about.stochastic,
        lists_only=True,
    )
    config = _config_of(folder.name, folder.manifest, folder.checksum)
    return type("Program", (Program,), {"info": info, "config_type": config, "folder": folder})


@lru_cache(maxsize=64)
def _missing(key: str, problem: str) -> type[Program]:
    title = f"{key.removeprefix(PREFIX)} (program)"
    info = ModelInfo(key, title, FAMILY, problem, "", problem, fold_in=FoldIn.NONE, stochastic=True, lists_only=True)
    config = type("MissingConfig", (ProgramConfig,), {"problem": problem})
    return type("Program", (Program,), {"info": info, "config_type": config, "folder": None})
