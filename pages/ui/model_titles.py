"""Titles of the models of an experiment."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pages.ui import services

if TYPE_CHECKING:
    from recsys_core.experiments.spec import ModelSpec


def titles(models: "Iterable[ModelSpec]") -> dict[str, str]:
    """Return the title of each model by its id; several models of one algorithm are distinguished by their settings."""
    models = tuple(models)
    if len({model.key for model in models}) == len(models):
        return {model.id: services.model_title(model.key) for model in models}
    from recsys_core.experiments.leaderboard import model_titles

    return model_titles(models)
