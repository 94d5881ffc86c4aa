"""The formula of a model with its settings, its source, and its use of event weights."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui.text import _, safe
from recsys_core.errors import ConfigError

if TYPE_CHECKING:
    from recsys_core.contracts import ModelInfo
    from recsys_core.data import Dataset


def show(key: str, values: dict[str, Any], dataset: "Dataset") -> None:
    """Show the formula of a model with these settings and data; nothing for inconsistent settings.

    Args:
        key: Name in the registry.
        values: Settings; missing ones have their defaults.
        dataset: Training data.
    """
    from recsys_core.models.registry import model_class

    found = model_class(key)
    try:
        config = found.config_type.parse(values)
    except ConfigError:  # the card shows the error
        return
    formula = found.formula_of(config, rated=dataset.has_ratings, weighted=dataset.has_weights)
    source = _("Source: {source}").format(source=safe(found.source_of(config)))
    st.markdown(  # breaks lines where st.latex would scroll sideways
        f"$\\displaystyle {formula}$\n\n{source}\n\n{weights_sentence(found.info)}"
    )


def weights_sentence(info: "ModelInfo") -> str:
    """Return a sentence on how a model uses event weights."""
    if not info.uses_weights:
        return _("Event weights: ignored by this model.")
    return _("Event weights: {use}").format(use=_(info.weights))
