"""Contenders that are known by their lists alone: they have a title and settings, but nothing here trains or scores."""

from typing import Any, ClassVar

from recsys_core.configs import ModelConfig
from recsys_core.contracts import FloatArray, FoldIn, ModelInfo, QueryBatch, RunContext
from recsys_core.data import Dataset
from recsys_core.errors import CannotScore, ConfigError
from recsys_core.models.base import Recommender
from recsys_core.text import _, later

LIST = "list"
EXTERNAL = later("External")
FAMILY = "external"


class ListConfig(ModelConfig):
    """What identifies an uploaded list."""

    name: str = ""
    """Name given by the user who uploaded it."""
    file: str = ""
    """Name of the uploaded file."""
    sha256: str = ""
    """Checksum of the uploaded file."""


class ListsOnly(Recommender[Any]):
    """A contender without scores; a subclass says in `_why` what to do instead."""

    def _why(self) -> str:
        return _("Only its lists are known.")

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        raise ConfigError(
            _("{info_title} is not trained here. {why}").format(info_title=self.info.title, why=self._why())
        )

    def _score(self, query: QueryBatch) -> FloatArray:
        raise CannotScore(_("{info_title} has no scores. {why}").format(info_title=self.info.title, why=self._why()))


class UploadedList(ListsOnly):
    """Lists that a user uploaded for the test users of an experiment."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key=LIST,
        title="Uploaded list",
        family=FAMILY,
        idea="Recommended lists from a file, judged on the test users of an experiment like those of a model.",
        formula="",
        source="the user who uploaded it",
        fold_in=FoldIn.NONE,
        lists_only=True,
    )
    config_type = ListConfig

    def _why(self) -> str:
        return _("A list is added to a finished experiment on the Compare page.")

    @classmethod
    def title_of(cls, config: ListConfig) -> str:
        """Return the name that the user gave it."""
        return config.name or cls.info.title
