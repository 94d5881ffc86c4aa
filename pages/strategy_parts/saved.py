"""Saved strategies: open one, save the one being edited, begin with a preset."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.strategy_parts import criteria, draft
from pages.ui import pending, services, show, state
from pages.ui.queries import comparison_queries, strategy_queries
from pages.ui.text import _, safe
from recsys_core.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from recsys_core.data.dataset import Dataset
    from recsys_core.experiments.experiment import Run
    from recsys_core.strategy.cards import Strategy
    from recsys_core.strategy.store import Stored

NEW = ""
WIDTH = 230


def open_linked(k: int) -> "Strategy":
    """Return the strategy being edited; at first, the saved one that the URL names, with the changes that it holds.

    Args:
        k: Length of the lists of a new strategy.
    """
    from recsys_core.strategy.link import read, written

    key, cards, begun = state.get("strategy"), state.get("cards"), draft.is_begun()
    if begun:
        state.put("strategy", draft.opened())
    elif key:
        try:
            draft.keep(services.strategies().strategy(key))
            draft.open_as(key)
        except StoreError as error:
            st.warning(safe(error))
            draft.open_as(None)
    if cards and not begun:
        try:
            draft.keep(read(cards))
        except ConfigError as error:
            st.warning(safe(error))
    strategy = draft.current(k)
    code = None if _is_saved(strategy, current()) else written(strategy)
    if code != cards:
        state.put("cards", code)
    return strategy


def _is_saved(strategy: "Strategy", stored: "Stored | None") -> bool:
    """Return whether there is nothing to lose: no card, or a version of the saved strategy."""
    from recsys_core.strategy.store import version_of

    return not strategy.cards if stored is None else version_of(strategy) in stored.versions


def current() -> "Stored | None":
    """Return the saved strategy that is open, None for a new one."""
    key = draft.opened()
    return next((one for one in services.strategies().all() if one.id == key), None)


def bar(strategy: "Strategy", dataset: "Dataset") -> None:
    """Show which strategy is open and whether it is saved, and the controls to change that."""
    stored = current()
    with st.container(horizontal=True, vertical_alignment="bottom", key="strategy_saved"):
        _open(stored)
        with st.popover(_("Save"), icon=":material/save:", key=state.versioned("strategy_save")):
            _save(strategy, stored)
            _file(strategy, stored)
        with st.popover(_("Presets"), icon=":material/auto_awesome:", key=state.versioned("strategy_presets")):
            _presets(strategy, dataset)
    st.markdown(_status(strategy, stored))


def _open(stored: "Stored | None") -> None:
    names = {NEW: _("New strategy")} | {one.id: state_name(one) for one in services.strategies().all()}
    widget = "strategy_open"
    st.session_state[widget] = stored.id if stored else NEW

    def take() -> None:
        key = st.session_state[widget]
        draft.open_as(key or None)
        state.bump("strategy_card")
        draft.select(None)
        if key:
            draft.keep(services.strategies().strategy(key))
        else:
            draft.forget()

    show.select(_("Strategy"), names, widget, on_change=take, width=WIDTH)


def state_name(stored: "Stored") -> str:
    """Return the name of a saved strategy with its state."""
    states = {"draft": _("draft"), "trusted": _("trusted"), "retired": _("retired")}
    return f"{stored.name} ({states[stored.state]})"


def _save(strategy: "Strategy", stored: "Stored | None") -> None:
    name = st.text_input(_("Name"), stored.name if stored else "", key=f"strategy_name_{stored.id if stored else NEW}")
    note = st.text_input(_("What changed"), key="strategy_note")
    with show.errors():
        if stored is not None and st.button(_("Save as the next version"), type="primary", key="strategy_next_version"):
            _opened(services.strategies().save(strategy, key=stored.id, note=note))
        if stored is not None and st.button(
            _("Rename"), key="strategy_rename", disabled=name.strip() in ("", stored.name)
        ):
            _opened(services.strategies().rename(stored.id, name))
        if st.button(_("Save as a new strategy"), key="strategy_new", disabled=not name.strip()):
            _opened(services.strategies().save(strategy, name=name, note=note))


def _file(strategy: "Strategy", stored: "Stored | None") -> None:
    """Show the download of the strategy as a file for the command line, and the upload of one."""
    from recsys_core.strategy.files import strategy_of

    name = show.file_name(stored.name if stored else _("strategy"))
    show.download(
        _("Download (JSON)"), lambda: strategy.model_dump_json(indent=1), f"{name}.json", "application/json",
        "strategy_json", help=_("For `recommend --strategy FILE` and `compare --strategy FILE`."),
    )  # fmt: skip
    uploaded = st.file_uploader(
        _("Upload a strategy (JSON)"), "json", key=state.versioned("strategy_upload"), max_upload_size=1
    )
    if uploaded is not None:
        with show.errors():
            draft.keep(strategy_of(uploaded.getvalue(), uploaded.name))
            draft.open_as(None)
            draft.select(None)
            for key in ("strategy_upload", "strategy_card", "strategy_save"):
                state.bump(key)
            st.rerun()


def _opened(stored: "Stored") -> None:
    draft.open_as(stored.id)
    state.bump("strategy_save")  # closes the form
    st.rerun()


def reopen(key: str) -> None:
    """Edit the current version of a saved strategy; the page reruns."""
    draft.keep(services.strategies().strategy(key))
    state.bump("strategy_card")
    draft.select(None)
    st.rerun()


def _status(strategy: "Strategy", stored: "Stored | None") -> str:
    from recsys_core.strategy.store import version_of

    if stored is None:
        return _("Not saved.")
    version = version_of(strategy)
    if version not in stored.versions:
        return _("Changed since the last version of {name}; not saved.").format(name=safe(stored.name))
    number = stored.versions.index(version) + 1
    return _("{name}, version {n} of {all}.").format(name=safe(stored.name), n=number, all=len(stored.versions))


def _presets(strategy: "Strategy", dataset: "Dataset") -> None:
    presets = pending.outcome(strategy_queries.presets(dataset.fingerprint), _("Reading the fields of the data"))
    for preset in presets or ():
        able = preset.strategy is not None
        pressed = st.button(_(preset.title), key=f"preset_{preset.key}", disabled=not able)
        missing = _("Missing: {fields}.").format(fields="; ".join(preset.missing))
        st.markdown(safe(str(preset.idea) if able else missing))
        if pressed and preset.strategy is not None:
            state.bump("strategy_card")
            state.bump("strategy_presets")
            draft.select(None)
            draft.keep(preset.strategy.model_copy(update={"k": strategy.k, "pool": max(strategy.pool, strategy.k)}))
            st.rerun()


@dataclass(frozen=True, eq=False)
class FinalLists:
    """Final lists of saved strategies.

    Args:
        by_name: Name -> users (B,) and items (B, k), positions.
        key: Identifies the content.
    """

    by_name: "dict[str, tuple[Any, Any]]"
    key: tuple[str, ...] = ()


def lists_for(run: "Run | None") -> FinalLists:
    """Show the choice of saved strategies to evaluate; return their final lists on the first model."""
    strategies = strategy_queries.priced_strategies()
    if run is None or not strategies or not run.finished():
        return FinalLists({})
    chosen = st.multiselect(_("Saved strategies, on the first model"), list(strategies), key="strategy_evaluated")
    contenders = criteria.personal_first(comparison_queries.results_key(run))
    titles = {one.title for one in contenders}
    lists, versions = {}, [run.id, contenders[0].id]
    for name in chosen:
        basis = strategy_queries.basis(run, contenders[0], contenders, strategies[name])
        pricing = pending.outcome(strategy_queries.pricing(basis), _("Ranking candidates"))
        if pricing is None:
            continue
        ticket = strategy_queries.outcome(basis, strategies[name])
        outcome = pending.outcome(ticket, _("Applying {name}").format(name=safe(name)))
        if outcome is not None:
            shown = name if name not in titles else _("{name} (strategy)").format(name=name)
            lists[shown] = (pricing.candidates.users, outcome.lists.item)
            versions += [name, strategies[name].model_dump_json()]
    return FinalLists(lists, tuple(versions))
