"""What can be seen of a trained model on the page Inside.

A model names its own views in `ModelInfo.views`; those that every model may have, such as the parts of a score, follow
from its abilities and its training.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module

import pandas as pd

from recsys_core.contracts import Ability, ModelInfo
from recsys_core.explain.deletion import reads_histories
from recsys_core.explain.groups import ITEM_GROUPS, USER_GROUPS
from recsys_core.explain.rules import WHICH
from recsys_core.explain.training import has_curves
from recsys_core.explain.view import ViewData, ViewRequest


class About(StrEnum):
    """What a view depends on beside the model."""

    MODEL = "model"
    PERSON = "person"
    ITEM = "item"
    BOTH = "both"


@dataclass(frozen=True)
class View:
    """One way to look into a model.

    Args:
        key: Names it; `viz.inside_views` has its picture and its words.
        about: What it depends on.
        where: Module and function that read it from the model.
        choice: What else a person may choose for it, a name in `ViewRequest.choices`; empty if nothing.
        offered: The values of that; where they depend on what is seen, the fact `offered` has them.
    """

    key: str
    about: About
    where: str
    choice: str = ""
    offered: tuple[str, ...] = ()

    @property
    def look(self) -> Callable[[ViewRequest], ViewData]:
        """The function that reads the view from a fitted model."""
        module, name = self.where.split(":")
        found: Callable[[ViewRequest], ViewData] = getattr(import_module(f"recsys_core.explain.{module}"), name)
        return found


VIEWS: dict[str, View] = {
    "nearest": View("nearest", About.PERSON, "neighbors:nearest"),
    "shared": View("shared", About.PERSON, "neighbors:shared_items", choice="neighbour"),
    "users": View("users", About.PERSON, "groups:alike_users", choice="group", offered=USER_GROUPS),
    "items": View("items", About.BOTH, "groups:alike_items", choice="group", offered=ITEM_GROUPS),
    "around": View("around", About.BOTH, "linear:around"),
    "tastes": View("tastes", About.PERSON, "factors:tastes", choice="taste"),
    "space": View("space", About.PERSON, "factors:space"),
    "topics": View("topics", About.PERSON, "topics:topics", choice="topic"),
    "matched_terms": View("terms", About.BOTH, "content:matched_terms"),
    "profile_terms": View("terms", About.BOTH, "content:profile_terms"),
    "rules": View("rules", About.BOTH, "rules:rules", choice="rules", offered=WHICH),
    "memory": View("memory", About.PERSON, "gates:memory"),
    "filters": View("filters", About.BOTH, "filters:filters"),
    "tree": View("tree", About.BOTH, "tree:tree"),
    "graph": View("graph", About.BOTH, "social:graph"),
}
"""Views that a model names in `ModelInfo.views`: each reads attributes and methods that only some models have."""
ARITHMETIC = View("arithmetic", About.BOTH, "score_parts:arithmetic")
EFFECTS = View("effects", About.BOTH, "deletion:effects")
LOSS = View("loss", About.MODEL, "training:loss")


def views_of(info: ModelInfo, curves: pd.DataFrame | None) -> tuple[View, ...]:
    """Return what can be seen of a model; empty if there is nothing but its lists.

    Args:
        info: The algorithm.
        curves: What its training reported, None if nothing was kept.
    """
    offered = tuple(VIEWS[name] for name in info.views)
    if Ability.EXPLAINS_ITEMS in info.abilities:
        offered += (ARITHMETIC,)
    elif reads_histories(info):
        offered += (EFFECTS,)
    if has_curves(curves):
        offered += (LOSS,)
    return offered
