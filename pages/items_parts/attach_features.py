"""Upload of item images or embeddings, stored as a new data set."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import pending, services, state
from pages.ui.text import _, n_, paragraph, safe

if TYPE_CHECKING:
    from recsys_core.data.meta import DatasetCard
    from recsys_core.profiles.attach import Attached
    from recsys_core.serving.background import Ticket

UPLOAD, UNDER_WAY, NOTICE = "items_attach", "items_attach_file", "items_attach_notice"
"""Session keys: the uploader, the file being read, and the resulting data set with a notice."""
READING_THREADS = 8
"""These threads wait for the reading processes, apart from those that compute."""


def offer(card: "DatasetCard") -> None:
    """Show the upload of images or embeddings, and its result."""
    data, notice = st.session_state.get(NOTICE, ("", ""))
    if data == card.fingerprint:
        st.success(notice)
    if state.is_demo():
        return
    with st.expander(_("Add item images or embeddings"), key="items_attach_open"):
        paragraph(
            "A zip file of images, named in a column of the item table or by item ID; or a `.npy` file "
            "with one row of numbers per item. The result is stored as a new data set; this one does not "
            "change."
        )
        upload = st.file_uploader(
            _("Zip or .npy file"), type=["zip", "npy"], key=state.versioned(UPLOAD), label_visibility="visible"
        )
        if st.button(_("Upload"), key="items_attach_go", disabled=upload is None):
            st.session_state[UNDER_WAY] = str(_kept(upload))
            state.bump(UPLOAD)
        if st.session_state.get(UNDER_WAY):
            _finish(card, Path(st.session_state[UNDER_WAY]))


def _kept(upload: Any) -> Path:
    """Copy the file into a separate folder under a fixed name; the uploader's bytes are freed."""
    folder = Path(tempfile.mkdtemp(dir=services.root() / "staging", prefix="attach-"))
    path = folder / ("pictures.zip" if upload.name.lower().endswith(".zip") else "vectors.npy")
    with path.open("wb") as target:
        shutil.copyfileobj(upload, target)
    return path


def _finish(card: "DatasetCard", path: Path) -> None:
    """Open the resulting data set as soon as it is stored."""
    ticket = _attach(card.fingerprint, path)
    attached = pending.outcome(ticket, _("Reading the upload"))
    if not ticket.is_done:
        return
    del st.session_state[UNDER_WAY]
    if attached is None:
        return
    said = [n_("{n} item matched", "{n} items matched", attached.found)]
    if attached.missing:
        said.append(n_("{n} item without a match", "{n} items without a match", attached.missing))
    if attached.broken:
        said.append(n_("{n} unreadable image", "{n} unreadable images", attached.broken))
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

    waiting = services.background("reading uploads", READING_THREADS)
    return waiting.ask(("attach", str(path)), "", work)
