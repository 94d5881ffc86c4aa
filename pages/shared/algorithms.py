"""Algorithms as cards, by family: what they do, what they need, their formula and their settings."""

import math
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared import forms, near, state
from pages.shared.text import _, later, safe

if TYPE_CHECKING:
    from recsys_core.configs import ModelConfig
    from recsys_core.contracts import ModelInfo
    from recsys_core.data.dataset import Dataset

NEEDS = {
    "ratings": later("ratings"),
    "timestamps": later("the time of each interaction"),
    "item_features": later("a table of items"),
    "user_features": later("a table of users"),
    "social": later("links between users"),
}
FAMILIES = {
    "floor": later("Floor: what every model must beat"),
    "neighbours": later("Neighbours: people and items like these"),
    "latent factors": later("Latent factors: hidden tastes"),
    "linear": later("Linear: one weight for each pair of items"),
    "content": later("Content: what items are about"),
    "rules": later("Rules: if this, then that"),
    "social": later("Social: what friends like"),
    "deep": later("Deep: layers of neurons"),
    "attention": later("Attention: what to look at"),
    "sequence to sequence": later("Sequence to sequence: what comes next"),
    "neural": later("Neural baselines"),
}
INSTEAD = {
    "graph": later("With graph = co_rating an implicit graph will do, which links people who rated alike."),
    "form": later("With form = literal they will do."),
    "baskets": later("With baskets = history they will do."),
}
"""Settings that decide what an algorithm needs, and the value that needs least."""
CHOSEN_AT_FIRST = ("item_knn", "ease", "biased_mf")
CARDS_IN_A_ROW = 3
CARD_HEIGHT = 230


def choose(dataset: "Dataset", key: str = "algorithm") -> list[dict[str, Any]]:
    """Show all algorithms and return those chosen, each as `key` and `config`.

    Those that the data lack something for cannot be chosen, and say what. The baselines always compete.
    """
    from recsys_core.experiments.spec import BASELINES

    infos = _infos()
    order = list(FAMILIES)
    families = sorted(
        {info.family for info in infos.values()}, key=lambda one: order.index(one) if one in order else 99
    )
    parts, configs = near.Parts(), {}
    for family in families:
        st.subheader(_(FAMILIES.get(family, family)))
        members = [info for info in infos.values() if info.family == family]
        rows = math.ceil(len(members) / CARDS_IN_A_ROW)
        drawn = parts.draws(f"{key}_{''.join(filter(str.isalpha, family))}", height=rows * CARD_HEIGHT)
        columns = st.columns(CARDS_IN_A_ROW, gap="small") if drawn else []
        for place, info in enumerate(members):
            card = f"{key}_{info.key}"
            if not drawn:
                configs[info.key] = _remembered(info, dataset, card, always=info.key in BASELINES)
                continue
            with columns[place % CARDS_IN_A_ROW]:
                configs[info.key] = _card(info, dataset, card, always=info.key in BASELINES)
    parts.watch()
    return [{"key": name, "config": config} for name, config in configs.items() if config is not None]


def _at_first(info: "ModelInfo", lacking: list[str]) -> bool:
    return not lacking and info.key in CHOSEN_AT_FIRST


def _remembered(info: "ModelInfo", dataset: "Dataset", key: str, *, always: bool) -> dict[str, Any] | None:
    """Return what the card would if it were drawn: what was chosen and set before, else what is chosen at first."""
    from recsys_core.models.registry import make_model, model_class

    lacking = dataset.lacks(info.needs)
    if lacking or not (always or st.session_state.get(f"{key}_use", _at_first(info, lacking))):
        return None
    config_type = model_class(info.key).config_type
    values = forms.changed(config_type, forms.remembered(config_type, key))
    return None if dataset.lacks(make_model(info.key, values).needs()) else values


@st.cache_resource(show_spinner=False)
def _infos() -> "dict[str, ModelInfo]":
    from recsys_core.models.registry import model_infos

    return model_infos()


def _card(info: "ModelInfo", dataset: "Dataset", key: str, *, always: bool) -> dict[str, Any] | None:
    """Show one card; return the settings that differ from the defaults, None if the algorithm is not chosen."""
    from recsys_core.models.registry import make_model, model_class

    lacking = dataset.lacks(info.needs)
    with st.container(border=True, key=f"{key}_card", height="stretch", vertical_alignment="distribute"):
        picked = st.checkbox(
            f"**{safe(info.title)}**",
            value=always or _at_first(info, lacking),
            disabled=always or bool(lacking),
            key=f"{key}_use",
            persist_state=forms.KEPT,
        )
        st.markdown(_(info.idea))
        reason = st.empty()
        reason.markdown(_reason(info, lacking, always))
        values: dict[str, Any] = {}
        if not lacking:
            config_type = model_class(info.key).config_type
            with st.popover(_("Formula and settings"), key=f"{key}_open", width="stretch", on_change="rerun") as place:
                asked = _settings(info, config_type, key) if place.open or state.is_whole() else None
            values = forms.changed(config_type, asked or forms.remembered(config_type, key))
            lacking = dataset.lacks(make_model(info.key, values).needs())
            if lacking:
                reason.markdown(_unmet(lacking, list(config_type.model_fields)))
    return values if (picked or always) and not lacking else None


def _settings(info: "ModelInfo", config_type: "type[ModelConfig]", key: str) -> dict[str, Any]:
    """Show the formula and the form of an algorithm, and return what is set; only a card that is open has them."""
    st.latex(info.formula)
    st.markdown(_("Source: {source}").format(source=safe(info.source)))
    return forms.settings(config_type, key)


def _reason(info: "ModelInfo", lacking: list[str], always: bool) -> str:
    """Return what the algorithm needs, or why it cannot be chosen here."""
    if lacking:
        return _(":material/block: Needs {needs}, which these data do not have.").format(needs=_needs(lacking))
    if always:
        return _("Always in the comparison.")
    if not info.needs:
        return _("Needs interactions only.")
    return _("Needs {needs}.").format(needs=_needs(sorted(info.needs)))


def _unmet(lacking: list[str], settings: list[str]) -> str:
    """Return what these settings need and the data lack, and which settings would do."""
    refused = _(":material/block: Not trained with these settings: they need {needs}, which these data do not have.")
    return " ".join(
        [refused.format(needs=_needs(lacking)), *(_(INSTEAD[name]) for name in settings if name in INSTEAD)]
    )


def _needs(needs: list[str]) -> str:
    return ", ".join(_(NEEDS.get(need, need)) for need in needs)
