"""Algorithms as cards, by family: what they do, what they need, their formula and their settings."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared import forms, services, state, waiting
from pages.shared.text import _, later, safe
from recsys_core.errors import ConfigError

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
    "sequence": later("Sequences: what comes next"),
    "attention": later("Attention: what to look at"),
    "neural": later("Neural baselines"),
}
INSTEAD = {
    "graph": later("With graph = co_rating an implicit graph will do, which links people who rated alike."),
    "form": later("With form = literal they will do."),
    "baskets": later("With baskets = history they will do."),
}
"""Settings that decide what an algorithm needs, and the value that needs least."""
IN_ORDER = ("deep", "sequence", "attention")
"""Families of models that read what people did in its order."""
CHOSEN_AT_FIRST = ("item_knn", "ease", "biased_mf")
CARDS_IN_A_ROW = 3


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
    chosen: list[dict[str, Any]] = []
    first_in_order = next((family for family in families if family in IN_ORDER), None)
    for family in families:
        if family == first_in_order:
            _does_order_matter(dataset.fingerprint)
        st.subheader(_(FAMILIES.get(family, family)))
        members = [info for info in infos.values() if info.family == family]
        columns = st.columns(CARDS_IN_A_ROW, gap="small")
        for place, info in enumerate(members):
            with columns[place % CARDS_IN_A_ROW]:
                config = _card(info, dataset, f"{key}_{info.key}", always=info.key in BASELINES)
            if config is not None:
                chosen.append({"key": info.key, "config": config})
    return chosen


def _does_order_matter(fingerprint: str) -> None:
    """Say whether the order of what people did tells what they do next, as soon as that is found beside the page."""
    answer = waiting.outcome(services.answer("order", fingerprint), _("Looking whether order matters"), patience=0.0)
    if answer is not None:
        st.info(f"**{_('Does order matter in your data?')}** {safe(answer.sentence)}", icon=":material/timeline:")


@st.cache_resource(show_spinner=False)
def _infos() -> "dict[str, ModelInfo]":
    from recsys_core.models.registry import model_infos

    return model_infos()


def _card(info: "ModelInfo", dataset: "Dataset", key: str, *, always: bool) -> dict[str, Any] | None:
    """Show one card; return the settings that differ from the defaults, None if the algorithm is not chosen."""
    from recsys_core.models.registry import model_class

    lacking = dataset.lacks(info.needs)
    with st.container(border=True, key=f"{key}_card", height="stretch", vertical_alignment="distribute"):
        picked = st.checkbox(
            f"**{safe(info.title)}**",
            value=always or (not lacking and info.key in CHOSEN_AT_FIRST),
            disabled=always or bool(lacking),
            key=f"{key}_use",
            persist_state=forms.KEPT,
        )
        if lacking:
            _words(info, _reason(info, lacking, always))
            return None
        config_type = model_class(info.key).config_type
        values = forms.changed(config_type, key)
        refusal = _refusal(info, dataset, values, list(config_type.model_fields))
        _words(info, refusal or _reason(info, lacking, always))
        _settings(info, config_type, key)
    return values if (picked or always) and refusal is None else None


def _words(info: "ModelInfo", reason: str) -> None:
    """Show what an algorithm does and needs, as one element: the time of the page goes by the number of elements."""
    st.markdown(f"{_(info.idea)}\n\n{reason}")


def _settings(info: "ModelInfo", config_type: "type[ModelConfig]", key: str) -> None:
    """Show the button that opens formula and form; they are drawn while they are open, for the sake of a fast page."""
    with st.popover(_("Formula and settings"), key=f"{key}_open", width="stretch", on_change="rerun") as place:
        if place.open or state.is_whole():
            st.latex(info.formula)
            st.markdown(_("Source: {source}").format(source=safe(info.source)))
            forms.settings(config_type, key)


def _refusal(info: "ModelInfo", dataset: "Dataset", values: dict[str, Any], settings: list[str]) -> str | None:
    """Return why these settings cannot be trained with these data, None if they can."""
    from recsys_core.models.registry import make_model

    try:
        lacking = dataset.lacks(make_model(info.key, values).needs())
    except ConfigError as error:
        return _(":material/block: Not trained with these settings: {reason}").format(reason=safe(error))
    return _unmet(lacking, settings) if lacking else None


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
