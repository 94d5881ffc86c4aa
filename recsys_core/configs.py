"""Model configurations, declared once and used for forms, search spaces, command-line options and documentation.

A setting is a typed, bounded field with a `Knob`; `field_specs` derives everything else from it.
"""

import inspect
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo

from recsys_core.errors import ConfigError
from recsys_core.text import _, later

HIDDEN: dict[str, Any] = {"hidden": True}
"""`json_schema_extra` of a field that is part of the settings, but not chosen by a user, such as a version."""
FieldKind = Literal["int", "float", "bool", "choice", "text"]


@dataclass(frozen=True)
class Knob:
    """The search range of a setting, its label, and its symbol in the formula.

    Args:
        low: Smallest value of the search range; None for choices and switches.
        high: Largest value of the search range; None for choices and switches.
        scale: Scale on which values of the range are spaced.
        symbol: LaTeX symbol in the model's formula, empty if it has none.
        advanced: Shown only after the main settings.
        synonyms: Pairs of an alternative name and the choice that it means.
        label: Label in forms; if empty, it is derived from the name of the field.
        searched: Whether tuning varies it; False for settings that do not change what is learned, such as the device.
    """

    low: float | None = None
    high: float | None = None
    scale: Literal["linear", "log"] = "linear"
    symbol: str = ""
    advanced: bool = False
    synonyms: tuple[tuple[str, str], ...] = ()
    label: str = ""
    searched: bool = True


class ModelConfig(BaseModel):
    """Base class of all model settings: frozen, rejects unknown names, and keeps field docstrings as help texts."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    former_names: ClassVar[Mapping[str, str]] = {}
    """Former name of a setting -> its name; names that are not settings of the class are ignored. Former names stay
    valid wherever settings are given: specs, stored runs, the command line. Never delete an entry: ids of stored runs
    depend on it, see `with_former_names`."""
    added: ClassVar[Mapping[str, Any]] = {}
    """Settings of this class that stored runs do not have -> the value with which a model is what it was without them.
    With this value they are not part of ids, see `without_added`. Never change an entry, not even with the default."""

    @classmethod
    def current_name(cls, name: str) -> str:
        """Return the name of the setting that has or had this name; unknown names are returned unchanged."""
        current = cls.former_names.get(name, name)
        return current if current in cls.model_fields and name not in cls.model_fields else name

    @classmethod
    def with_current_names(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values with former names of settings replaced by current ones; unknown names stay.

        Raises:
            ConfigError: A setting is given under both names.
        """
        found: dict[str, Any] = {}
        for name, value in values.items():
            current = cls.current_name(name)
            if current in found or (current != name and current in values):
                raise ConfigError(
                    _("Setting '{current}' of {cls_name} is also given under its former name; give it once.").format(
                        current=current, cls_name=cls.__name__
                    )
                )
            found[current] = value
        return found

    @classmethod
    def with_former_names(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values under the former names of the settings.

        Ids of experiments and models are hashes of settings under these names. So a renamed setting changes no id:
        stored runs keep theirs, and the same settings entered today have the id of the stored run.
        """
        former = {cls.current_name(name): name for name in cls.former_names if cls.current_name(name) != name}
        return {former.get(name, name): value for name, value in values.items()}

    @classmethod
    def without_added(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values without settings that were added later, of this class or a base, at their value in `added`.

        Ids of experiments and models are hashes of the rest. So a new setting changes no id of a model without it.
        """
        added = cls._all_added()
        return {name: value for name, value in values.items() if name not in added or value != added[name]}

    @classmethod
    def with_added(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return stored values with the settings that were added later, at their value in `added`.

        So a stored model keeps its meaning even if the default of such a setting is another value.
        """
        return cls._all_added() | dict(values)

    @classmethod
    def _all_added(cls) -> dict[str, Any]:
        """Return `added` of this class and its bases."""
        added: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            added |= vars(base).get("added", {})
        return added

    @model_validator(mode="before")
    @classmethod
    def _under_current_names(cls, values: Any) -> Any:
        return cls.with_current_names(values) if isinstance(values, Mapping) else values

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Create a config from plain values; choices are case-insensitive and may use hyphens or synonyms.

        Raises:
            ConfigError: Unknown setting, a setting given twice, or value out of bounds.
        """
        specs = {spec.name: spec for spec in field_specs(cls)}
        values = {
            name: _choice(specs[name], value) if name in specs else value
            for name, value in cls.with_current_names(values).items()
        }
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError(_sentence(cls, error)) from error


@dataclass(frozen=True)
class FieldSpec:
    """Everything that a form, a tuner or the documentation needs to know about one setting.

    `minimum` and `maximum` bound the allowed values (None: unbounded); `low` and `high` bound the search range.
    `exclusive_minimum` says that `minimum` itself is not allowed.
    """

    name: str
    kind: FieldKind
    default: Any
    help: str
    symbol: str
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    low: float | None = None
    high: float | None = None
    scale: Literal["linear", "log"] = "linear"
    choices: tuple[Any, ...] = ()
    optional: bool = False
    advanced: bool = False
    synonyms: tuple[tuple[str, str], ...] = ()
    label: str = ""
    searched: bool = True

    @property
    def is_searched(self) -> bool:
        """Whether tuning varies it: a switch, a choice, or a number with a search range."""
        return self.kind in ("bool", "choice") or (self.low is not None and self.high is not None)


CAPITALS = ("bce", "bpr", "cnn", "cpu", "cuda", "gru", "hstu", "lstm", "mlp", "msd", "rnn", "svd")
ABBREVIATIONS = {name: name.upper() for name in CAPITALS} | {
    "bpr_max": "BPR-max",
    "gbce": "gBCE",
    "jaccard": "Jaccard",
    "ligr": "LiGR",
    "pearson": "Pearson",
    "sasrec": "SASRec",
    "top1_max": "TOP1-max",
    "tfidf": "TF-IDF",
    "bm25": "BM25",
    "tversky": "Tversky",
    "zscore": "z-score",
}
SWITCHES = {"None": later("none"), "True": later("yes"), "False": later("no")}


def choice_name(choice: Any) -> str:
    """Return the name of a choice as pages and titles show it: `adjusted_cosine` as adjusted cosine, `msd` as MSD."""
    return SWITCHES.get(str(choice)) or ABBREVIATIONS.get(str(choice), str(choice).replace("_", " "))


TRUE_WORDS, FALSE_WORDS, NONE_WORDS = ("true", "yes", "on", "1"), ("false", "no", "off", "0"), ("none", "null")


def read_value(spec: FieldSpec, text: str) -> Any:
    """Parse the value of a setting from text; text that does not match the type is returned unchanged.

    The meaning depends on the setting: `none` is a choice if there is such a choice, else a missing value if the
    setting is optional; `1` may be a number, a choice, or true.
    """
    text = text.strip()
    if spec.kind == "choice" and _choice(spec, text) in spec.choices:
        return _choice(spec, text)
    if spec.optional and text.lower() in NONE_WORDS:
        return None
    if spec.kind == "bool" and text.lower() in (*TRUE_WORDS, *FALSE_WORDS):
        return text.lower() in TRUE_WORDS
    if spec.kind in {"int", "float"}:
        try:
            number = float(text)
        except ValueError:
            return text
        return int(text) if text.lstrip("+-").isdigit() else number
    return text


@lru_cache(maxsize=256)
def field_specs(config_type: type[BaseModel]) -> tuple[FieldSpec, ...]:
    """Return the settings of a config class that a user can choose, in declaration order.

    Cached, since pages and `parse` ask many times for what a class never changes.
    """
    chosen = {name: field for name, field in config_type.model_fields.items() if field.json_schema_extra != HIDDEN}
    return tuple(_field_spec(name, field) for name, field in chosen.items())


def _field_spec(name: str, field: FieldInfo) -> FieldSpec:
    annotation, inner_metadata, optional = _unwrapped(field.annotation)
    metadata = [*field.metadata, *inner_metadata]
    kind, choices = _kind(annotation)
    knob = next((part for part in metadata if isinstance(part, Knob)), Knob())
    bounds = {bound: value for part in metadata for bound, value in _bounds(part).items()}
    return FieldSpec(
        name=name,
        kind=kind,
        default=field.default,
        help=inspect.cleandoc(field.description or ""),
        minimum=bounds.get("ge", bounds.get("gt")),
        maximum=bounds.get("le", bounds.get("lt")),
        exclusive_minimum="gt" in bounds,
        choices=choices,
        optional=optional,
        **vars(knob) | {"label": knob.label or name.replace("_", " ").capitalize()},
    )


def _choice(spec: FieldSpec, value: Any) -> Any:
    """Return the choice that a text names, or the value itself if there is none."""
    if spec.kind != "choice" or not isinstance(value, str) or value in spec.choices:
        return value
    plain = value.strip().lower().replace("-", "_").replace(" ", "_")
    named = {str(choice).lower(): choice for choice in spec.choices} | dict(spec.synonyms)
    return named.get(plain, value)


def _bounds(part: object) -> dict[str, float]:
    return {name: float(getattr(part, name)) for name in ("ge", "gt", "le", "lt") if hasattr(part, name)}


def _unwrapped(annotation: Any) -> tuple[Any, list[Any], bool]:
    """Return the plain type inside `Annotated[X, ...] | None`, its metadata, and whether it may be None."""
    if get_origin(annotation) in (Union, types.UnionType):
        inner = next(part for part in get_args(annotation) if part is not type(None))
        plain, metadata, _ = _unwrapped(inner)
        return plain, metadata, True
    if get_origin(annotation) is Annotated:
        parts = [part for given in annotation.__metadata__ for part in getattr(given, "metadata", [given])]
        return annotation.__origin__, parts, False
    return annotation, [], False


def _kind(annotation: Any) -> tuple[FieldKind, tuple[Any, ...]]:
    """Return the kind of a plain type and its choices."""
    if get_origin(annotation) is Literal:
        return "choice", get_args(annotation)
    if annotation is bool:
        return "bool", (True, False)
    numbers: dict[Any, FieldKind] = {int: "int", float: "float"}
    return numbers.get(annotation, "text"), ()


def problems(error: ValidationError) -> str:
    """Return what is wrong with some values, each with its name: `'seeds': Input should be at least 1; ...`."""
    said = []
    for one in error.errors():
        name, words = ".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")
        said.append(f"'{name}': {words}" if name else words)  # values that do not go together have no single name
    return "; ".join(said)


def _sentence(config_type: type[ModelConfig], error: ValidationError) -> str:
    """Return a message with the invalid setting, the given value, and the allowed ones."""
    first = error.errors()[0]
    if not first["loc"]:  # inconsistent settings
        return _("Settings of {model}: {error}.").format(
            model=config_type.__name__, error=first["msg"].removeprefix("Value error, ")
        )
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = ", ".join(config_type.model_fields) or "none"
        return _("There is no setting '{name}'. Settings of {model}: {known}.").format(
            name=name, model=config_type.__name__, known=known
        )
    return _("Setting '{name}' of {model}: {error}, but it was {value}.").format(
        name=name, model=config_type.__name__, error=first["msg"].lower(), value=repr(first["input"])
    )
