"""Step one: the source of the data. Files, a sample, a public data set, or a folder on the server."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.data_parts import upload_session
from pages.data_parts.steps import CHOOSE, header
from pages.ui import services, state, stored_datasets
from pages.ui.show import errors, select
from pages.ui.text import _, count, n_, paragraph, safe, safe_paragraphs, size

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from recsys_core.data.catalogue import CatalogueEntry

FORMATS = (
    "CSV, TSV, `;`, `::`, spaces · UTF-8, UTF-16, Latin-1, GB18030 · Parquet · JSON lines · Excel · "
    "packed as zip, tar, gzip, bzip2 or xz"
)
SAMPLES_IN_A_ROW = 3


def show() -> None:
    """Show the data sources; the selection goes into the URL, and the next step takes over."""
    header(CHOOSE)
    upload_session.readers().warm()
    stored_datasets.show_notice()
    ways = [_("My files"), _("Sample data"), _("Public data sets")]
    opened = upload_session.server_files()
    if opened:
        ways.append(_("Files on the server"))
    tabs = st.tabs(ways, key="data_ways")
    for tab, fill in zip(tabs, (_files, _samples, _public, _server), strict=False):
        with tab:
            fill()


def _files() -> None:
    st.markdown(
        _("One row per interaction (a rating, click or purchase), with at least a user column and an item column. ")
        + _("Tables of users, items and social links can be uploaded together with it.")
    )
    uploads = st.file_uploader(
        _("Files, up to {size} each").format(size=size(upload_session.upload_limit())),
        accept_multiple_files=True,
        key=state.versioned("upload"),
        help=FORMATS,
    )
    st.markdown(FORMATS)
    if st.button(
        _("Check these files"), type="primary", key="upload_check", disabled=not uploads, icon=":material/rule:"
    ):
        _begin(Path(uploads[0].name).stem, uploads=uploads)


def _begin(
    name: str, *, uploads: "Sequence[UploadedFile]" = (), paths: tuple[str, ...] = (), catalogue: str = ""
) -> None:
    """Copy the files into an upload session, free the bytes of the uploader, and go on to Check."""
    with errors():
        taking = upload_session.begin(name, uploads=uploads, paths=paths, catalogue=catalogue)
        state.bump("upload")
        state.put("intake", taking)
        st.rerun()


def _samples() -> None:
    from recsys_core.data.synthetic.samples import SAMPLES

    paragraph("Synthetic data sets with known ground truth, so that metrics can be checked against it.")
    columns = st.columns(SAMPLES_IN_A_ROW, gap="small")
    for place, info in enumerate(SAMPLES.values()):
        with columns[place % SAMPLES_IN_A_ROW].container(
            border=True, height="stretch", vertical_alignment="distribute", key=f"sample_{info.key}"
        ):
            st.markdown(f"**{safe(info.title)}**  \n{safe(info.idea)}")
            if st.button(_("Open this sample"), key=f"take_{info.key}", width="stretch"):
                _take(info.key)


def _take(key: str) -> None:
    with errors():
        fingerprint = services.sample(key)
        state.put("intake", None)
        state.choose("data", fingerprint)
        st.rerun()


def _public() -> None:
    entries = upload_session.catalogue()
    titles = {key: entry.title for key, entry in entries.items()}
    chosen = select(_("Public data set"), titles, "catalogue_entry")
    entry = entries[chosen]
    st.markdown(safe(entry.about))
    paragraph(
        "{rows} interactions of {users} users with {items} items · {size} to download · [publisher's page]({page})",
        rows=count(entry.rows),
        users=count(entry.users),
        items=count(entry.items),
        size=size(entry.size_bytes),
        page=entry.page,
    )
    _terms(entry)
    agreed = st.checkbox(_("I have read and accept the terms"), key=f"agree_{chosen}")
    if st.button(
        _("Download and check"), type="primary", key="catalogue_fetch", disabled=not agreed, icon=":material/download:"
    ):
        _begin(entry.title, catalogue=chosen)


def _terms(entry: "CatalogueEntry") -> None:
    with st.container(border=True, key="catalogue_terms"):
        paragraph("**Terms: {name}**", name=safe(entry.licence_name))
        st.markdown(safe_paragraphs(entry.licence))
        paragraph("Cite: {citation}", citation=safe(entry.citation))
        st.markdown(
            _("The file is checked against the publisher's checksum.")
            if entry.has_checksum
            else _("The publisher gives no checksum: only the size of the file can be checked.")
        )


def _server() -> None:
    files = upload_session.server_files()
    st.markdown(
        n_(
            "{n} file in the server's data folder.",
            "{n} files in the server's data folder.",
            len(files),
        )
    )
    chosen = st.multiselect(_("Files"), files, key="server_files")
    if st.button(
        _("Check these files"), type="primary", key="server_check", disabled=not chosen, icon=":material/rule:"
    ):
        _begin(Path(chosen[0]).stem, paths=tuple(chosen))
