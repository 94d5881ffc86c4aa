"""Algorithms as cards, by family: what they do, what they need, their formula and their settings.

An algorithm is trained once with each configuration of its card.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import forms, lazy_sections, pending, services, show, state
from pages.ui.text import _, later, safe
from recsys_core.errors import ConfigError

if TYPE_CHECKING:
    from recsys_core.configs import ModelConfig
    from recsys_core.contracts import ModelInfo, Need
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.spec import ModelSpec

NEEDS = {
    "ratings": later("ratings"),
    "timestamps": later("timestamps"),
    "item_features": later("item features (a table of items)"),
    "user_features": later("user features (a table of users)"),
    "social": later("social links between users"),
}
FAMILIES = {
    "baselines": later("Baselines"),
    "nearest neighbors": later("Nearest neighbors"),
    "matrix factorization": later("Matrix factorization"),
    "linear": later("Linear"),
    "content-based": later("Content-based"),
    "association rules": later("Association rules"),
    "social": later("Social"),
    "neural": later("Neural"),
    "sequential": later("Sequential"),
    "attention": later("Attention"),
}
INSTEAD = {
    "graph": later(
        "With *Social graph* set to *co rating*, an implicit graph of users with similar ratings is used instead."
    ),
    "form": later("With *Formula* set to *literal* they are not needed."),
    "baskets": later("With *Baskets* set to *history* they are not needed."),
}
"""Settings that determine what an algorithm needs, and the value with the fewest needs."""
IN_ORDER = ("sequential", "attention")
"""Families of models that read the history in chronological order."""
CHOSEN_AT_FIRST = ("item_knn", "ease", "biased_mf")
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
CARDS_IN_A_ROW = 3
ROW_PIXELS = 260
"""Approximate height of a row of cards."""


@dataclass(frozen=True)
class _Variant:
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
    "mlp": _Variant("score", "dot", {"hidden", "n_layers"}, later("Also train a dot-product model of the same size"))
}


@dataclass(frozen=True)
class _Setting:
    """One configuration of a card.

    Args:
        prefix: Prefix of the widget keys.
        values: Settings that differ from the defaults.
        refusal: Why it cannot be trained, None if it can.
    """

    prefix: str
    values: dict[str, Any]
    refusal: str | None


def titles(models: "Iterable[ModelSpec]") -> dict[str, str]:
    """Return the title of each model by its id; several models of one algorithm are distinguished by their settings."""
    models = tuple(models)
    if len({model.key for model in models}) == len(models):
        return {model.id: services.model_title(model.key) for model in models}
    from recsys_core.experiments.leaderboard import model_titles

    return model_titles(models)


def choose(dataset: "Dataset", key: str = "algorithm") -> list[dict[str, Any]]:
    """Show all algorithms; return the selected ones as `key` and `config`, one entry per configuration.

    Algorithms whose requirements the data set does not meet cannot be selected, and their cards say why. The baselines
    are always included. The cards of a family are drawn when scrolled into view; their settings apply before that, too.
    """
    infos = _infos()
    families = [family for family in FAMILIES if any(info.family == family for info in infos.values())]
    chosen: list[dict[str, Any]] = []
    parts = lazy_sections.Parts()
    first_in_order = next((family for family in families if family in IN_ORDER), None)
    for number, family in enumerate(families):
        if family == first_in_order:
            _does_order_matter(dataset.fingerprint)
        st.subheader(_(FAMILIES[family]))
        members = [info for info in infos.values() if info.family == family]
        if parts.draws(f"family_{number}", height=ROW_PIXELS * math.ceil(len(members) / CARDS_IN_A_ROW)):
            _cards(members, dataset, key)
        for info in members:
            configs = _chosen(info, dataset, f"{key}_{info.key}")
            chosen += [{"key": info.key, "config": config} for config in configs]
    parts.watch()
    return chosen


def _cards(members: "list[ModelInfo]", dataset: "Dataset", key: str) -> None:
    for first in range(0, len(members), CARDS_IN_A_ROW):
        row = members[first : first + CARDS_IN_A_ROW]
        for column, info in zip(st.columns(CARDS_IN_A_ROW, gap="small"), row, strict=False):
            with column:
                _card(info, dataset, f"{key}_{info.key}")


def _does_order_matter(fingerprint: str) -> None:
    """Show whether the order of interactions predicts the next one, as soon as the background computation is done."""
    answer = pending.outcome(services.answer("order", fingerprint), _("Computing whether order matters"), patience=0.0)
    if answer is not None:
        st.info(f"**{_('Does order matter in your data?')}** {safe(answer.sentence)}", icon=":material/timeline:")


@st.cache_resource(show_spinner=False)
def _infos() -> "dict[str, ModelInfo]":
    from recsys_core.models.registry import model_infos

    return model_infos()


def _card(info: "ModelInfo", dataset: "Dataset", key: str) -> None:
    """Show one card."""
    lacking = dataset.lacks(info.needs)
    always = _always(info)
    with st.container(border=True, key=f"{key}_card", height="stretch", vertical_alignment="distribute"):
        st.checkbox(
            f"**{safe(_(info.title))}**",
            value=_is_at_first(info, dataset),
            disabled=always or bool(lacking),
            key=f"{key}_use",
            persist_state=forms.KEPT,
        )
        if lacking:
            _words(info, dataset, _reason(info, lacking, always))
            return
        settings = _all_settings(info, dataset, key)
        is_picked = _is_picked(info, dataset, key)
        refused = [one.refusal for one in settings if one.refusal]
        if info.key in VARIANTS and is_picked and len(refused) < len(settings):
            st.checkbox(_(VARIANTS[info.key].words), value=True, key=f"{key}_beside", persist_state=forms.KEPT)
        reason = "\n\n".join(refused or [_reason(info, lacking, always)])
        if len(settings) > 1 and not is_picked:
            reason += "\n\n" + _("Select the model to include its configurations.")
        _words(info, dataset, reason + _competing(info, _chosen(info, dataset, key)))
        _settings(info, dataset, settings, key)


def _always(info: "ModelInfo") -> bool:
    from recsys_core.experiments.spec import BASELINES

    return info.key in BASELINES


def _is_at_first(info: "ModelInfo", dataset: "Dataset") -> bool:
    """Return whether a model is selected by default."""
    return _always(info) or (info.key in CHOSEN_AT_FIRST and not dataset.lacks(info.needs))


def _is_picked(info: "ModelInfo", dataset: "Dataset", key: str) -> bool:
    """Return whether a model is selected, whether or not its card is drawn."""
    if _always(info) or dataset.lacks(info.needs):
        return _always(info)
    return bool(st.session_state.get(f"{key}_use", _is_at_first(info, dataset)))


def _chosen(info: "ModelInfo", dataset: "Dataset", key: str) -> list[dict[str, Any]]:
    """Return the non-default settings of each valid configuration, whether or not the card is drawn."""
    if not _is_picked(info, dataset, key):
        return []
    chosen = [one.values for one in _all_settings(info, dataset, key) if one.refusal is None]
    if info.key in VARIANTS and st.session_state.get(f"{key}_beside", True):
        chosen += _variants(info, chosen)
    return chosen


def _words(info: "ModelInfo", dataset: "Dataset", reason: str) -> None:
    """Show what an algorithm does and needs, and how it uses event weights if the data have any.

    This is one element, since page time grows with the number of elements.
    """
    weights = f"\n\n{forms.weights_sentence(info)}" if dataset.has_weights else ""
    st.markdown(f"{_(info.idea)}\n\n{reason}{weights}")


def training_notes(info: "ModelInfo") -> list[str]:
    """Return notes on the training of a model: early stopping, number of cores."""
    notes = []
    if "patience" in _config_type(info).model_fields:
        notes.append(_(EARLY_STOPPING))
    if not info.same_on_any_cores:
        notes.append(_(CORES))
    return notes


def _competing(info: "ModelInfo", chosen: list[dict[str, Any]]) -> str:
    """Return the titles under which an algorithm is trained if there are several."""
    if len(chosen) < 2:
        return ""
    from recsys_core.experiments.spec import ModelSpec

    named = titles(ModelSpec(key=info.key, config=config) for config in chosen)
    return "\n\n" + _("Trained as:") + "".join(f"\n- {safe(title)}" for title in named.values())


def _variants(info: "ModelInfo", chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the configurations of the simpler variant, one per size, without those already selected."""
    offer, config_type = VARIANTS[info.key], _config_type(info)

    def size(values: dict[str, Any]) -> dict[str, Any]:
        return config_type.parse(values).model_dump(exclude=offer.unused)

    added: list[dict[str, Any]] = []
    for values in chosen:
        variant = values | {offer.setting: offer.value}
        if size(variant) not in [size(other) for other in [*chosen, *added]]:
            added.append(variant)
    return added


def _config_type(info: "ModelInfo") -> "type[ModelConfig]":
    from recsys_core.models.registry import model_class

    return model_class(info.key).config_type


def _all_settings(info: "ModelInfo", dataset: "Dataset", key: str) -> list[_Setting]:
    """Return the configurations of a card; the forms need not be drawn."""
    config_type = _config_type(info)
    found: list[_Setting] = []
    for prefix in forms.prefixes(key):
        values = forms.changed(config_type, prefix)
        refusal = _refusal(info, dataset, values, list(config_type.model_fields))
        twin = next((number for number, one in enumerate(found, start=1) if one.values == values), None)
        if twin is not None:
            words = _(
                ":material/content_copy: Configuration {n} is identical to configuration {twin}: change "
                "one of its settings."
            )
            refusal = words.format(n=len(found) + 1, twin=twin)
        found.append(_Setting(prefix, values, refusal))
    return found


def _settings(info: "ModelInfo", dataset: "Dataset", settings: list[_Setting], key: str) -> None:
    """Show the button that opens formula and form; they are drawn only while open, to keep the page fast.

    The formula reflects the configuration shown and the data set. Of several configurations one is shown; in the print
    view, all.
    """
    with st.popover(_("Formula and settings"), key=f"{key}_open", width="stretch", on_change="rerun") as place:
        if not place.open and not state.is_whole():
            return
        config_type = _config_type(info)
        if notes := training_notes(info):
            st.markdown("\n\n".join(notes))
        shown = settings
        if config_type.model_fields:
            with st.container(horizontal=True, vertical_alignment="center", key=f"{key}_several"):
                if len(settings) > 1 and not state.is_whole():
                    shown = [_pick(settings, key)]
                _offer_another(key)
        for one in shown:
            if len(settings) > 1:
                _head(settings.index(one) + 1, one, key)
            forms.formula(info.key, one.values, dataset)
            forms.settings(config_type, one.prefix)


def _pick(settings: list[_Setting], key: str) -> _Setting:
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


def _head(number: int, one: _Setting, key: str) -> None:
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


def _refusal(info: "ModelInfo", dataset: "Dataset", values: dict[str, Any], settings: list[str]) -> str | None:
    """Return why these settings cannot be trained on this data set, None if they can."""
    from recsys_core.models.registry import make_model

    try:
        lacking = dataset.lacks(make_model(info.key, values).needs())
    except ConfigError as error:
        return _(":material/block: Not trained with these settings: {reason}").format(reason=safe(error))
    return _unmet(lacking, settings) if lacking else None


def _reason(info: "ModelInfo", lacking: "list[Need]", always: bool) -> str:
    """Return what the algorithm needs, or why it cannot be selected."""
    if lacking:
        return _(":material/block: Needs {needs}, which this data set does not have.").format(needs=_needs(lacking))
    if always:
        return _("Baseline: always included.")
    if not info.needs:
        return _("Needs interactions only.")
    return _("Needs {needs}.").format(needs=_needs(sorted(info.needs)))


def _unmet(lacking: "list[Need]", settings: list[str]) -> str:
    """Return what these settings need that the data set lacks, and which settings would work."""
    refused = _(
        ":material/block: Not trained with these settings: they need {needs}, which this data set does not have."
    )
    return " ".join(
        [refused.format(needs=_needs(lacking)), *(_(INSTEAD[name]) for name in settings if name in INSTEAD)]
    )


def _needs(needs: "list[Need]") -> str:
    return ", ".join(_(NEEDS.get(need, need)) for need in needs)
