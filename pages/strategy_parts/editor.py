"""The cards of the strategy being edited: their order, the settings of the selected one, and new ones."""

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.strategy_parts import card_settings, draft
from pages.strategy_parts.context import Context
from pages.ui import pending, state
from pages.ui.queries import strategy_queries
from pages.ui.text import _, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.data.dataset import Dataset
    from recsys_core.strategy.cards import Card, Strategy

FOLDER = Path(__file__).resolve().parent
LIST = "strategy_cards"


def show(strategy: "Strategy", dataset: "Dataset", models: dict[str, str], fields: card_settings.Fields) -> None:
    """Show the editor; changes are kept at once.

    Args:
        strategy: The strategy being edited.
        dataset: Data set of the experiment.
        models: Id -> title of the finished models.
        fields: Fields of the data.
    """
    _add(strategy, dataset, models, fields)
    if not strategy.cards:
        paragraph("No card yet: the lists are those of the model. Add a card, or begin with a preset.")
        return
    _list(strategy)
    at = draft.selected(strategy)
    if at is None:
        return
    card = strategy.cards[at]
    with st.container(border=True, key="strategy_card"):
        from recsys_core.strategy import card_text

        st.markdown("**" + safe(card_text.title(type(card))) + "**")
        st.markdown(safe(card_text.idea(type(card))))
        key = f"{state.versioned('strategy_card')}_{at}"
        edited = card_settings.edit(card, fields, models, dataset, key)
    if edited != card:
        draft.edit(strategy, at, edited)
        st.rerun()


def findings(context: Context) -> None:
    """Show what a check of the rules finds: dead, shadowed and contradictory cards."""
    if not strategy_queries.pricing(context.basis).is_done:
        return
    found = pending.outcome(
        strategy_queries.findings(context.basis, draft.current(context.run.spec.k)), _("Checking the rules")
    )
    boxes = {"error": st.error, "warning": st.warning, "note": st.info}
    for finding in found or ():
        boxes[finding.level](safe(finding))


def _add(strategy: "Strategy", dataset: "Dataset", models: dict[str, str], fields: card_settings.Fields) -> None:
    from recsys_core.strategy import card_text

    kinds = {kind.__name__: kind for kind in card_text.TITLES}
    offered = [name for name in kinds if name != "Mix" or len(models) > 1]
    name = st.menu_button(
        _("Add a card"), offered, key="strategy_add", icon=":material/add:",
        format_func=lambda one: f"{card_text.title(kinds[one])}: {card_text.idea(kinds[one])}",
    )  # fmt: skip
    if name is not None:
        _begin(strategy, card_settings.new(kinds[name], fields, models, dataset))


def _begin(strategy: "Strategy", card: "Card") -> None:
    """Add a card: at the end, or in front where it must be first."""
    state.bump("strategy_card")
    draft.add(strategy, card)
    st.rerun()


def _list(strategy: "Strategy") -> None:
    from recsys_core.strategy import card_text

    rows = [
        {"title": card_text.title(type(card)), "summary": card_text.summary(card), "on": card.on}
        for card in strategy.cards
    ]
    texts = {
        "list": _("Cards, in the order in which they are applied"),
        "switch": _("Apply: {card}"),
        "up": _("Move up: {card}"),
        "down": _("Move down: {card}"),
        "duplicate": _("Duplicate: {card}"),
        "delete": _("Delete: {card}"),
    }

    def act() -> None:
        widget = st.session_state.get(LIST)
        action = widget.act if widget else None
        if isinstance(action, dict):
            if action.get("what") not in ("select", "switch"):
                state.bump("strategy_card")
            draft.act(strategy, action)

    component = st.components.v2.component(
        "recscope_strategy_cards",
        html='<ol class="cards"></ol>',
        css=(FOLDER / "card_list.css").read_text(encoding="utf-8"),
        js=(FOLDER / "card_list.js").read_text(encoding="utf-8"),
    )
    data = {"cards": rows, "selected": draft.selected(strategy), "texts": texts}
    component(key=LIST, data=data, on_act_change=act)
