"""The configurations of one algorithm: their settings, formulas and forms, and the simpler variant beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.train_parts import preset_choice
from pages.ui import forms, show, state
from pages.ui.text import _, later, safe
from recsys_core.errors import ConfigError

if TYPE_CHECKING:
    from recsys_core.configs import ModelConfig
    from recsys_core.contracts import ModelInfo, Need
    from recsys_core.data.dataset import Dataset


INSTEAD = {
    "graph": later(
        "With *Social graph* set to *co rating*, an implicit graph of users with similar ratings is used instead."
    ),
    "form": later("With *Formula* set to *literal* they are not needed."),
    "baskets": later("With *Baskets* set to *history* they are not needed."),
}
"""Settings that determine what an algorithm needs, and the value with the fewest needs."""
NEEDS = {
    "ratings": later("ratings"),
    "timestamps": later("timestamps"),
    "item_features": later("item features (a table of items)"),
    "user_features": later("user features (a table of users)"),
    "social": later("social links between users"),
    "events": later("event types, such as views and purchases"),
}
EARLY_STOPPING = later(
    "**Early stopping.** After each epoch the model is evaluated on the validation users: those of the "
    "validation set (all of them, or a fixed sample of at least 1,000), or, without one, up to 1,000 users "
    "with one interaction held out of the training set. The score is the log-rank score of their relevant items, "
    "1 - log(rank) / log(number of items): 1 for the first rank, 0 for the last. Its mean is smoothed exponentially "
    "over the epochs (factor 0.6). Training ends when it has not increased for the number of epochs set as "
    "*Patience*. The weights of the best epoch are kept, averaged over the epochs in the same way."
)
CORES = later(
    "**Number of cores.** With the same seed, results on different numbers of cores differ slightly, because "
    "floating-point sums are evaluated in a different order. On one core, training is reproducible bit by bit."
)


@dataclass(frozen=True)
class Variant:
    """A simpler variant that is trained for comparison, made by changing one setting.

    Args:
        setting: The setting that changes.
        value: Its value in the variant.
        unused: Settings without effect in the variant.
        words: Label of the checkbox.
    """

    setting: str
    value: str
    unused: set[str]
    words: str


VARIANTS = {
    "mlp": Variant("score", "dot", {"hidden", "n_layers"}, later("Also train a dot-product model of the same size"))
}


@dataclass(frozen=True)
class Configuration:
    """One configuration of an algorithm.

    Args:
        prefix: Prefix of the widget keys.
        values: Settings that differ from the defaults.
        refusal: Why it cannot be trained, None if it can.
    """

    prefix: str
    values: dict[str, Any]
    refusal: str | None


def configurations(info: "ModelInfo", dataset: "Dataset", key: str) -> list[Configuration]:
    """Return the configurations of an algorithm; the forms need not be drawn."""
    config_class = _config_class(info)
    found: list[Configuration] = []
    for prefix in forms.prefixes(key):
        values = forms.changed(config_class, prefix)
        refusal = _refusal(info, dataset, values, list(config_class.model_fields))
        twin = next((number for number, one in enumerate(found, start=1) if one.values == values), None)
        if twin is not None:
            words = _(
                ":material/content_copy: Configuration {n} is identical to configuration {twin}: change "
                "one of its settings."
            )
            refusal = words.format(n=len(found) + 1, twin=twin)
        found.append(Configuration(prefix, values, refusal))
    return found


def variants(info: "ModelInfo", chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the configurations of the simpler variant, one per size, without those already selected."""
    offer, config_class = VARIANTS[info.key], _config_class(info)

    def size(values: dict[str, Any]) -> dict[str, Any]:
        return config_class.parse(values).model_dump(exclude=offer.unused)

    added: list[dict[str, Any]] = []
    for values in chosen:
        variant = values | {offer.setting: offer.value}
        if size(variant) not in [size(other) for other in [*chosen, *added]]:
            added.append(variant)
    return added


def _config_class(info: "ModelInfo") -> "type[ModelConfig]":
    from recsys_core.models.registry import model_class

    return model_class(info.key).config_type


def _refusal(info: "ModelInfo", dataset: "Dataset", values: dict[str, Any], settings: list[str]) -> str | None:
    """Return why these settings cannot be trained on this data set, None if they can."""
    from recsys_core.models.registry import make_model

    try:
        lacking = dataset.lacks(make_model(info.key, values).needs())
    except ConfigError as error:
        return _(":material/block: Not trained with these settings: {reason}").format(reason=safe(error))
    return _unmet(lacking, settings) if lacking else None


def _unmet(lacking: "list[Need]", settings: list[str]) -> str:
    """Return what these settings need that the data set lacks, and which settings would work."""
    refused = _(
        ":material/block: Not trained with these settings: they need {needs}, which this data set does not have."
    )
    return " ".join(
        [refused.format(needs=needs_text(lacking)), *(_(INSTEAD[name]) for name in settings if name in INSTEAD)]
    )


def needs_text(needs: "Iterable[Need]") -> str:
    """Return what an algorithm needs as a list in words."""
    return ", ".join(map(need_text, needs))


def need_text(need: "Need") -> str:
    """Return what an algorithm needs in words."""
    return _(NEEDS.get(need, need))


def training_notes(info: "ModelInfo") -> list[str]:
    """Return notes on the training of a model: early stopping, number of cores."""
    notes = []
    if "patience" in _config_class(info).model_fields:
        notes.append(_(EARLY_STOPPING))
    if not info.same_on_any_cores:
        notes.append(_(CORES))
    return notes


def popover(info: "ModelInfo", dataset: "Dataset", settings: list[Configuration], key: str) -> None:
    """Show the button that opens formula and form; they are drawn only while open, to keep the page fast.

    Streamlit copies the whole session state for each field, so that all forms at once would take time in the square of
    their fields. The formula reflects the configuration shown and the data set. Of several configurations one is shown;
    in the print view, all.
    """
    with st.popover(
        _("Settings"),
        key=f"{key}_open",
        width="stretch",
        on_change="rerun",
        icon=":material/tune:",
        help=_("Formula and settings of {model}").format(model=_(info.title)),
    ) as place:
        if not place.open:
            return
        config_class = _config_class(info)
        if notes := training_notes(info):
            st.markdown("\n\n".join(notes))
        shown = settings
        if config_class.model_fields:
            with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_several"):
                if len(settings) > 1 and not state.is_whole():
                    shown = [_pick(settings, key)]
                _offer_another(key)
        for one in shown:
            if len(settings) > 1:
                _head(settings.index(one) + 1, one, key)
            preset_choice.choose(info.key, config_class, one.prefix)
            forms.formula(info.key, one.values, dataset)
            forms.settings(config_class, one.prefix)


def _pick(settings: list[Configuration], key: str) -> Configuration:
    """Show the choice of a configuration and return it."""
    names = {one.prefix: _("Configuration {n}").format(n=number) for number, one in enumerate(settings, start=1)}
    st.session_state.setdefault(_shown(key), key)
    shown = show.radio(_("Configuration"), names, _shown(key), label_visibility="collapsed")
    return next((one for one in settings if one.prefix == shown), settings[0])


def _shown(key: str) -> str:
    return f"{key}_shown"


def _offer_another(key: str) -> None:
    """Show the button that adds a configuration and opens its form; it stays in place and keeps the keyboard focus."""

    def add() -> None:
        st.session_state[_shown(key)] = forms.add(key)

    st.button(
        _("Add another configuration of this model"),
        key=f"{key}_add",
        icon=":material/add:",
        on_click=add,
        help=_("The model is then trained once with each configuration, and the comparison reports the difference."),
    )


def _head(number: int, one: Configuration, key: str) -> None:
    """Show the number of a configuration or why it cannot be trained, and the button that deletes an added one."""

    def remove() -> None:
        forms.remove(key, one.prefix)
        st.session_state[_shown(key)] = key
        st.session_state[f"{key}_open"] = False  # close the form: its button disappears, and the keyboard focus with it

    with st.container(horizontal=True, vertical_alignment="center", key=f"{one.prefix}_head"):
        st.markdown(one.refusal or f"**{_('Configuration {n}').format(n=number)}**", width="stretch")
        if one.prefix != key:
            st.button(
                _("Delete this configuration"),
                key=f"{one.prefix}_remove",
                icon=":material/delete:",
                type="tertiary",
                on_click=remove,
            )
