"""One chosen experiment: its facts, annotations and actions."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.experiments_parts import deleted, rerun_difference, run_cards, train_again, update_replay
from pages.ui import frame, model_download, model_titles, services, state
from pages.ui.show import errors
from pages.ui.text import _, paragraph, safe, safe_paragraphs
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.experiments.annotations import Annotations
    from recsys_core.experiments.experiment import Run
    from recsys_core.experiments.experiment_cards import RunCard

FAILED = "experiments_edit_failed"


def _facts(run: "Run", card: "RunCard", noted: "Annotations") -> None:
    """Show what was trained, with which version, and what users noted."""
    from recsys_core.experiments.titles import split_text, states_text

    star = "★ " if noted.favorite else ""
    st.header(star + safe(run.name))
    tags = " ".join(f":blue-badge[{safe(tag)}]" for tag in noted.tags)
    archived = f":gray-badge[{_('archived')}]" if noted.archived else ""
    st.markdown(
        " · ".join(
            [
                safe(run.data_name),
                split_text(run.spec.split),
                _("seed {seed}").format(seed=run.spec.seed),
                states_text(card.states.values()),
                f"{run.created:%Y-%m-%d %H:%M}",
            ]
        )
        + f" {tags} {archived}"
    )
    st.markdown(_("Models: {names}").format(names=safe(", ".join(model_titles.titles(run.spec.models).values()))))
    if run.imported:
        words = _("Opened from a run card on {date}. It has results, but no trained models; re-run it to get them.")
        st.info(words.format(date=f"{run.imported:%Y-%m-%d %H:%M}"), icon=":material/archive:")
    _version(card)
    if noted.note:
        st.markdown(safe_paragraphs(noted.note))


def _version(card: "RunCard") -> None:
    """Say if the results are from another version of Recscope."""
    from recsys_core.version import VERSION

    if not card.done or card.versions == (VERSION,):
        return
    then = ", ".join(card.versions) or _("a version that did not store its number")
    words = _(
        "Trained with another version of Recscope ({then}; this is {now}). Re-run it to see whether results differ."
    )
    st.warning(words.format(then=safe(then), now=VERSION), icon=":material/update:")


def show(run: "Run") -> None:
    """Show an experiment with its actions and re-runs."""
    from recsys_core.experiments.annotations import read_annotations
    from recsys_core.experiments.experiment_cards import read_card

    with errors():
        noted, card = read_annotations(run.path), read_card(run.path)
        with st.container(border=True, key="chosen_run"):
            _facts(run, card, noted)
            if words := st.session_state.pop(FAILED, None):
                st.error(safe(words))
            if not state.is_demo():
                _actions(run, noted)
            rerun_difference.section(run)
            update_replay.section(run)


def _actions(run: "Run", noted: "Annotations") -> None:
    with st.container(horizontal=True, key="chosen_run_actions"):
        done = bool(run.finished())
        opens = _("Open the comparison") if done else _("Open the Train page")
        if st.button(opens, key=f"chosen_open_{run.id}", type="primary", icon=":material/open_in_new:"):
            state.choose("data", run.spec.data)
            state.choose("run", run.id)
            frame.go("compare" if done else "train")
        train_again.popover(run)
        rerun_difference.button(run)
        run_cards.download(run)
        titles = model_titles.titles(run.spec.models)
        model_download.popover(run, {one: titles[one] for one in run.with_scores()}, f"chosen_model_{run.id}")
        _edit(run, noted)
        _mark(run, "favorite", noted.favorite, _("Remove from favorites") if noted.favorite else _("Favorite"))
        _mark(run, "archived", noted.archived, _("Unarchive") if noted.archived else _("Archive"))
        st.button(
            _("Delete"), key=f"chosen_delete_{run.id}", icon=":material/delete:", on_click=deleted.delete, args=([run],)
        )


def _mark(run: "Run", name: str, value: bool, label: str) -> None:
    from recsys_core.experiments.annotations import annotate

    def mark() -> None:
        try:
            annotate(run.path, favorite=not value) if name == "favorite" else annotate(run.path, archived=not value)
        except RecscopeError as error:
            st.session_state[FAILED] = str(error)

    icon = {"favorite": ":material/star:", "archived": ":material/inventory_2:"}[name]
    st.button(label, key=f"chosen_{name}_{run.id}", icon=icon, on_click=mark)


def _edit(run: "Run", noted: "Annotations") -> None:
    """Show the form of name, tags and note."""
    from recsys_core.experiments.annotations import LONGEST_NAME, LONGEST_NOTE

    with st.popover(_("Edit"), icon=":material/edit:", key=f"chosen_edit_{run.id}"):
        seen = st.session_state.setdefault(_seen(run), (run.name, noted))
        st.text_input(_("Name"), run.name, key=f"chosen_name_{run.id}", max_chars=LONGEST_NAME)
        options = sorted({tag for card in services.run_cards() for tag in card.tags})
        st.multiselect(
            _("Tags"),
            options,
            default=list(noted.tags),
            key=f"chosen_tags_{run.id}",
            accept_new_options=True,
            help=_("Choose tags or type new ones."),
        )
        st.text_area(_("Note"), noted.note, key=f"chosen_note_{run.id}", max_chars=LONGEST_NOTE)
        st.button(_("Save"), key=f"chosen_save_{run.id}", type="primary", on_click=_save, args=(run, *seen))
        paragraph("Others who use this workspace see name, tags and note.")


def _seen(run: "Run") -> str:
    """Return the session key of the name and annotations that the form was opened with."""
    return f"chosen_seen_{run.id}"


def _save(run: "Run", before: str, noted: "Annotations") -> None:
    """Save what differs from `before` and `noted`; callback, so it reads what the form holds by now.

    What another user changed meanwhile is not overwritten: the error shows it, and the next Save replaces it.
    """
    from recsys_core.experiments.annotations import annotate, write_note

    name, note = (str(st.session_state[f"chosen_{field}_{run.id}"]) for field in ("name", "note"))
    tags = set(st.session_state[f"chosen_tags_{run.id}"])
    st.session_state.pop(_seen(run))
    try:
        annotate(run.path, add_tags=tags - set(noted.tags), remove_tags=set(noted.tags) - tags)
        if note != noted.note:
            write_note(run.path, note, before=noted.note)
        if name.strip() != before:
            services.store().rename(run.id, name, before=before)
    except RecscopeError as error:
        st.session_state[FAILED] = str(error)
