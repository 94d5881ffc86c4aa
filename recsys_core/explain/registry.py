"""The views of trained models on the page Inside.

A model lists its own views in `ModelInfo.views`; views that any model may have, such as the parts of a score, follow
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
from recsys_core.explain.transitions import DIRECTIONS
from recsys_core.explain.view import ViewData, ViewRequest


class About(StrEnum):
    """What a view depends on in addition to the model."""

    MODEL = "model"
    USER = "user"
    ITEM = "item"
    BOTH = "both"


@dataclass(frozen=True)
class View:
    """One view of a model.

    Args:
        key: Identifies the view; `viz.inside_views` has its figure and texts.
        about: What it depends on.
        where: Module and function that compute its data from the model.
        choice: Name of a further choice in `ViewRequest.choices`; empty for none.
        offered: Its options; empty if they depend on the data, then they are in the fact `offered`.
    """

    key: str
    about: About
    where: str
    choice: str = ""
    offered: tuple[str, ...] = ()

    @property
    def look(self) -> Callable[[ViewRequest], ViewData]:
        """The function that computes the view from a fitted model."""
        module, name = self.where.split(":")
        found: Callable[[ViewRequest], ViewData] = getattr(import_module(f"recsys_core.explain.{module}"), name)
        return found


VIEWS: dict[str, View] = {
    "nearest": View("nearest", About.USER, "neighbors:nearest"),
    "shared": View("shared", About.USER, "neighbors:shared_items", choice="neighbour"),
    "users": View("users", About.USER, "groups:alike_users", choice="group", offered=USER_GROUPS),
    "items": View("items", About.BOTH, "groups:alike_items", choice="group", offered=ITEM_GROUPS),
    "around": View("around", About.BOTH, "neighbors:around"),
    "tastes": View("tastes", About.USER, "factors:tastes", choice="taste"),
    "space": View("space", About.USER, "factors:space"),
    "topics": View("topics", About.USER, "factors:topics", choice="topic"),
    "matched_terms": View("terms", About.BOTH, "content:matched_terms"),
    "profile_terms": View("terms", About.BOTH, "content:profile_terms"),
    "rules": View("rules", About.BOTH, "rules:rules", choice="rules", offered=WHICH),
    "transitions": View("transitions", About.BOTH, "transitions:transitions", choice="direction", offered=DIRECTIONS),
    "sessions": View("sessions", About.BOTH, "sessions:sessions"),
    "memory": View("memory", About.USER, "gates:hidden_states"),
    "filters": View("filters", About.BOTH, "filters:filters"),
    "tree": View("tree", About.BOTH, "tree:tree"),
    "graph": View("graph", About.BOTH, "social:graph"),
}
"""Views that models list in `ModelInfo.views`: each requires attributes and methods that only some models have."""
ARITHMETIC = View("arithmetic", About.BOTH, "score_parts:arithmetic")
EFFECTS = View("effects", About.BOTH, "deletion:effects")
LOSS = View("loss", About.MODEL, "training:loss")


def views_of(info: ModelInfo, curves: pd.DataFrame | None) -> tuple[View, ...]:
    """Return the views of a model; empty if it offers only recommendations.

    Args:
        info: The algorithm.
        curves: Reported training progress, None if not stored.
    """
    offered = tuple(VIEWS[name] for name in info.views)
    if Ability.EXPLAINS_ITEMS in info.abilities:
        offered += (ARITHMETIC,)
    elif reads_histories(info):
        offered += (EFFECTS,)
    if has_curves(curves):
        offered += (LOSS,)
    return offered
