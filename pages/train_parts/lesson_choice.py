"""What Train opens with if a lesson or the document's text leads to it: models, their settings, and the split."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.train_parts import question
from pages.train_parts.evaluation_settings import SPLITS
from pages.ui import forms, picked, services, state
from pages.ui.text import _, safe

if TYPE_CHECKING:
    from recsys_core.data.dataset import Dataset
    from recsys_core.models.choice import ModelChoice

FORM = "algorithm"
"""Prefix of the forms of models."""


def fill_in(dataset: "Dataset") -> None:
    """Select the models and the split in the URL, once, and state what was selected."""
    choices = picked.requested()
    possible = [one for one in choices if not _lacks(one, dataset)]
    split = state.get("split") if _can_split(dataset) else None
    if picked.is_fresh():
        _select(possible)
        if split is not None:
            question.choose_split(split, dataset.fingerprint)
    lines = [_("Selected below: {models}.").format(models=_titles(possible))] if possible else []
    if split is not None:
        lines.append(_("Train/test split: {split}.").format(split=_(SPLITS[split][0])))
    lacking = [one for one in choices if one not in possible]
    if lacking:
        lines.append(_("This data set does not have what {models} needs.").format(models=_titles(lacking)))
    if lines:
        st.info(" ".join(lines), icon=":material/school:")


def _can_split(dataset: "Dataset") -> bool:
    split = state.get("split")
    return split in SPLITS and (split != "global_time" or dataset.has_timestamps)


def _lacks(choice: "ModelChoice", dataset: "Dataset") -> bool:
    from recsys_core.models.registry import make_model

    return bool(dataset.lacks(make_model(choice.key, dict(choice.settings)).needs()))


def _select(choices: "list[ModelChoice]") -> None:
    """Select the models, each with one configuration per choice."""
    from recsys_core.models.registry import model_class

    seen: set[str] = set()
    for choice in choices:
        key, config_type = f"{FORM}_{choice.key}", model_class(choice.key).config_type
        st.session_state[f"{key}_use"] = True
        if choice.key not in seen:
            for prefix in forms.prefixes(key)[1:]:
                forms.remove(key, prefix)
        prefix = key if choice.key not in seen else forms.add(key)
        forms.fill(config_type, prefix, dict(choice.settings))
        seen.add(choice.key)


def _titles(choices: "list[ModelChoice]") -> str:
    """Return the titles with the settings that are not the defaults."""
    named = []
    for one in choices:
        settings = ", ".join(f"`{name}={value}`" for name, value in one.settings.items())
        named.append(f"**{safe(services.model_title(one.key))}**" + (f" ({settings})" if settings else ""))
    return ", ".join(named)
