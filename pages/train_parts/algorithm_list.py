"""Algorithms as a list, by family: what they do, what they need, their formula and their settings.

An algorithm is trained once with each of its configurations.
"""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.train_parts import algorithm_settings, model_filter
from pages.ui import forms, lazy_sections, model_titles, on_the_way, pending, services
from pages.ui.text import _, later, paragraph, safe, seconds

if TYPE_CHECKING:
    from recsys_core.contracts import ModelInfo, Need
    from recsys_core.data.dataset import Dataset

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
    "ensembles": later("Ensembles"),
    "external": later("External"),
}
OTHERS = "external"
"""Family of all algorithms with a family that is not listed."""
CHOSEN_AT_FIRST = ("item_knn", "ease", "biased_mf")
COLUMNS = [4, 11, 3]
"""Relative widths of name, description and settings."""
PRESET = "algorithm_preset"
"""Session key of the checkboxes that the preset chosen last changed."""
ROW_PIXELS = 76
"""Approximate height of the row of an algorithm."""


def choose(dataset: "Dataset", key: str = "algorithm") -> list[dict[str, Any]]:
    """Show all algorithms; return the selected ones as `key` and `config`, one entry per configuration.

    Algorithms whose requirements the data set does not meet cannot be selected, and their rows say why. The baselines
    are always included. The rows of a family are drawn when scrolled into view; selected algorithms count whether or
    not they are drawn, also if the filter hides them.
    """
    infos = _infos()
    for box, state in on_the_way.overwritten(PRESET, st.session_state.get).items():
        st.session_state[box] = state
    forms.fill_again()
    times = model_filter.estimated_seconds(dataset.fingerprint, str(services.root()))
    model_filter.presets(infos, dataset, times, lambda keys: _select(keys, dataset, key))
    shown = model_filter.shown(infos, times)
    parts = lazy_sections.Parts()
    said = False
    for number, family in enumerate(FAMILIES):
        members = [info for info in infos.values() if _family(info) == family and info.key in shown]
        if not members:
            continue
        if family in model_filter.IN_ORDER and not said:
            _does_order_matter(dataset.fingerprint)
            said = True
        st.subheader(_(FAMILIES[family]))
        if drawn := parts.draws(f"family_{number}", height=ROW_PIXELS * len(members)):
            with drawn:
                for info in members:
                    _row(info, dataset, f"{key}_{info.key}", times.get(info.key))
    parts.watch()
    for problem in _problems():
        st.warning(safe(problem), icon=":material/extension_off:")
    if not shown:
        paragraph("No model matches. Clear the search or a filter.")
    configs = {info.key: _chosen(info, dataset, f"{key}_{info.key}") for info in infos.values()}
    _name_hidden([infos[name] for name, found in configs.items() if found and name not in shown])
    return [{"key": name, "config": config} for name, found in configs.items() for config in found]


def _select(keys: set[str], dataset: "Dataset", key: str) -> None:
    """Select exactly these algorithms, besides the baselines."""
    changed: dict[str, tuple[bool, bool]] = {}
    for info in _infos().values():
        if not (_always(info) or dataset.lacks(info.needs)):
            box, picked = f"{key}_{info.key}_use", _is_picked(info, dataset, f"{key}_{info.key}")
            st.session_state[box] = info.key in keys
            if picked != (info.key in keys):
                changed[box] = picked, info.key in keys
    on_the_way.remember(PRESET, changed)


def _name_hidden(infos: "list[ModelInfo]") -> None:
    """Show which selected algorithms the filter hides."""
    if infos:
        names = ", ".join(safe(_(info.title)) for info in infos)
        paragraph("Selected, but hidden by the filter: {names}.", names=names)


def _does_order_matter(fingerprint: str) -> None:
    """Show whether the order of interactions predicts the next one, as soon as the background computation is done."""
    answer = pending.outcome(services.answer("order", fingerprint), _("Computing whether order matters"), patience=0.0)
    if answer is not None:
        st.info(f"**{_('Does order matter in your data?')}** {safe(answer.sentence)}", icon=":material/timeline:")


def _problems() -> list[str]:
    """Return why algorithms of installed packages and programs cannot be used."""
    from recsys_core.models.registry import model_problems

    return model_problems()


def _infos() -> "dict[str, ModelInfo]":
    """Return all algorithms by key, in the order of their families."""
    from recsys_core.models.registry import model_infos

    order = list(FAMILIES)
    return dict(sorted(model_infos().items(), key=lambda entry: order.index(_family(entry[1]))))


def _family(info: "ModelInfo") -> str:
    return info.family if info.family in FAMILIES else OTHERS


def _row(info: "ModelInfo", dataset: "Dataset", key: str, expected: float | None) -> None:
    """Show one algorithm."""
    lacking = dataset.lacks(info.needs)
    always = _always(info)
    if not lacking:  # not as `value`: Streamlit warns of one where a preset has set the state
        st.session_state.setdefault(f"{key}_use", _is_at_first(info, dataset))
    with st.container(key=f"{key}_card"):
        name, words, form = st.columns(COLUMNS, vertical_alignment="center", gap="small")
        name.checkbox(
            f"**{safe(_(info.title))}**", disabled=always or bool(lacking), key=f"{key}_use", persist_state=forms.KEPT
        )
        if lacking:
            words.markdown(_words(info, dataset, _reason(info, lacking, always), None))
            return
        settings = algorithm_settings.configurations(info, dataset, key)
        is_picked = _is_picked(info, dataset, key)
        refused = [one.refusal for one in settings if one.refusal]
        reason = "\n\n".join(refused or [_reason(info, lacking, always)])
        if len(settings) > 1 and not is_picked:
            reason += "\n\n" + _("Select the model to include its configurations.")
        with words:
            st.markdown(_words(info, dataset, reason + _competing(info, _chosen(info, dataset, key)), expected))
            if info.key in algorithm_settings.VARIANTS and is_picked and len(refused) < len(settings):
                label = _(algorithm_settings.VARIANTS[info.key].words)
                st.checkbox(label, value=True, key=f"{key}_beside", persist_state=forms.KEPT)
        with form:
            algorithm_settings.popover(info, dataset, settings, key)


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
    chosen = [one.values for one in algorithm_settings.configurations(info, dataset, key) if one.refusal is None]
    if info.key in algorithm_settings.VARIANTS and st.session_state.get(f"{key}_beside", True):
        chosen += algorithm_settings.variants(info, chosen)
    return chosen


def _words(info: "ModelInfo", dataset: "Dataset", reason: str, expected: float | None) -> str:
    """Return what an algorithm does, needs and costs, and how it uses event weights if the data have any.

    This is one element, since page time grows with the number of elements.
    """
    cost = "" if expected is None else " " + _("About {time}.").format(time=seconds(expected))
    weights = f"  \n{forms.weights_sentence(info)}" if dataset.has_weights else ""
    return f"{_(info.idea)}  \n{reason}{cost}{weights}"


def _competing(info: "ModelInfo", chosen: list[dict[str, Any]]) -> str:
    """Return the titles under which an algorithm is trained if there are several."""
    if len(chosen) < 2:
        return ""
    from recsys_core.experiments.spec import ModelSpec

    named = model_titles.titles(ModelSpec(key=info.key, config=config) for config in chosen)
    return "\n\n" + _("Trained as:") + "".join(f"\n- {safe(title)}" for title in named.values())


def _reason(info: "ModelInfo", lacking: "list[Need]", always: bool) -> str:
    """Return what the algorithm needs, or why it cannot be selected."""
    if lacking:
        return _(":material/block: Needs {needs}, which this data set does not have.").format(
            needs=algorithm_settings.needs_text(lacking)
        )
    if always:
        return _("Needs interactions. Baseline: always included.")
    return _("Needs {needs}.").format(
        needs=", ".join([_("interactions"), *map(algorithm_settings.need_text, sorted(info.needs))])
    )
