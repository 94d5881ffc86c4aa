"""Pictures and vectors that a person adds to the items of a data set: a new data set comes of it."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import pending, services, state
from pages.ui.text import _, n_, safe

if TYPE_CHECKING:
    from recsys_core.data.workspace import DatasetCard
    from recsys_core.profiles.attach import Attached
    from recsys_core.serving.background import Background, Ticket

UPLOAD, UNDER_WAY, NOTICE = "items_attach", "items_attach_file", "items_attach_notice"
"""Keys: of the uploader, of the file being read, and of the data set that came of it with a sentence about it."""


def offer(card: "DatasetCard") -> None:
    """Offer to add pictures or vectors, and show what came of it."""
    data, notice = st.session_state.get(NOTICE, ("", ""))
    if data == card.fingerprint:
        st.success(notice)
    if state.is_demo():
        return
    with st.expander(_("Add pictures or vectors of the items"), key="items_attach_open"):
        st.markdown(
            _(
                "A zip with pictures, named in a column of the item table or after the items' identifiers; or a `.npy` "
                "file with a row of numbers for each item. A new data set comes of it; this one stays as it is."
            )
        )
        upload = st.file_uploader(
            _("Zip or .npy file"), type=["zip", "npy"], key=state.versioned(UPLOAD), label_visibility="visible"
        )
        if st.button(_("Add to the items"), key="items_attach_go", disabled=upload is None):
            st.session_state[UNDER_WAY] = str(_kept(upload))
            state.bump(UPLOAD)
        if st.session_state.get(UNDER_WAY):
            _finish(card, Path(st.session_state[UNDER_WAY]))


def _kept(upload: Any) -> Path:
    """Keep the file in a folder of its own, under a name of ours; the uploader's bytes are freed."""
    folder = Path(tempfile.mkdtemp(dir=services.root() / "staging", prefix="attach-"))
    path = folder / ("pictures.zip" if upload.name.lower().endswith(".zip") else "vectors.npy")
    with path.open("wb") as target:
        shutil.copyfileobj(upload, target)
    return path


def _finish(card: "DatasetCard", path: Path) -> None:
    """Go over to the data set that came of it as soon as it is there."""
    ticket = _attach(card.fingerprint, path)
    attached = pending.outcome(ticket, _("Reading what you brought"))
    if not ticket.is_done:
        return
    del st.session_state[UNDER_WAY]
    if attached is None:
        return
    said = [n_("{n} item has one now", "{n} items have one now", attached.found)]
    if attached.missing:
        said.append(n_("{n} item has none", "{n} items have none", attached.missing))
    if attached.broken:
        said.append(n_("{n} picture cannot be read", "{n} pictures cannot be read", attached.broken))
    item, data = state.get("item"), attached.dataset.fingerprint
    words = _("Stored as '{name}': {said}.").format(name=safe(attached.dataset.name), said=", ".join(said))
    st.session_state[NOTICE] = (data, words)
    state.choose("data", data)
    state.put("item", item)
    st.rerun()


def _attach(fingerprint: str, path: Path) -> "Ticket[Attached]":
    from recsys_core.serving.attachments import attach

    def work(ctx: Any) -> "Attached":
        try:
            return attach(services.root(), fingerprint, path, ctx)
        finally:
            shutil.rmtree(path.parent, ignore_errors=True)

    return _waiting().ask(("attach", str(path)), "", work)


@st.cache_resource(show_spinner=False)
def _waiting() -> "Background":
    """Return threads that wait for the processes which open what was brought, apart from those that compute."""
    from recsys_core.serving.background import Background

    return Background(threads=8)
