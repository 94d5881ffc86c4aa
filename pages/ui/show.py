"""Display of results: figures and tables with findings and downloads; and choices between named values."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui.text import _, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

IMAGES = """export default function ({ parentElement, data }) {
  const make = format => {
    const plot = document.querySelector(`.st-key-${CSS.escape(data.chart)} .js-plotly-plot`);
    const camera = plot?.querySelector(".modebar-btn");  // the first button of the toolbar
    if (!camera) return;
    const options = plot._context.toImageButtonOptions, usual = options.format;
    options.format = format;  // read when the button is clicked
    camera.click();
    options.format = usual;
  };
  const buttons = Object.entries(data.formats).map(([format, words]) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: words, onclick: () => make(format) });
    return button;
  });
  const old = parentElement.querySelectorAll("button");
  old.forEach(button => button.remove());
  parentElement.append(...buttons);
}"""
"""Buttons that have plotly write the image files, as the button in its toolbar does."""
IMAGES_STYLE = """button { display: block; font: inherit; color: inherit; cursor: pointer; background: none; border: 0;
  padding: 6px 4px; border-radius: 6px; }
button:hover { color: var(--st-primary-color, #0b5cad); }
button:focus-visible { outline: 2px solid var(--st-primary-color, #0b5cad); }"""


def figure(
    chart: "go.Figure",
    key: str,
    *,
    name: str,
    sentence: str = "",
    alt: str = "",
    table: "pd.DataFrame | None" = None,
    **options: Any,
) -> None:
    """Show a figure with its finding, and a menu of its files: PNG, SVG, HTML, and data.

    Args:
        chart: Made by `recsys_core.viz`.
        key: Key of the widget.
        name: Name of the downloaded files.
        sentence: The finding with its numbers, plain text.
        alt: Alternative text if it is not the finding; by default the name.
        table: The numbers behind the figure.
        options: Passed to `st.plotly_chart`, such as `on_select`.
    """
    if sentence:
        st.markdown(safe(sentence))
    toolbar = {
        "displaylogo": False,
        "displayModeBar": True,
        "modeBarButtons": [["toImage", "zoom2d", "resetScale2d"]],
        "toImageButtonOptions": {"format": "png", "filename": file_name(name), "scale": 2},
    }
    st.plotly_chart(chart, key=key, config=toolbar, alt=sentence or alt or name, **options)

    def page() -> str:
        from recsys_core.viz.export import figure_html

        return figure_html(chart, name)

    with file_menu(key):
        _image_buttons(key)
        download(_("Chart (HTML)"), page, f"{file_name(name)}.html", "text/html", f"{key}_html")
        if table is not None:
            csv_download(_("Data (CSV)"), lambda: table, file_name(name), f"{key}_csv")


def file_menu(key: str) -> Any:
    """Return the menu below a figure, for the buttons of its files; `key` is that of the figure."""
    return st.popover(_("Download"), icon=":material/download:", type="tertiary", key=f"{key}_downloads")


def _image_buttons(key: str) -> None:
    """Show the buttons of the image files, which the browser makes from the chart with this key."""
    data = {"chart": key, "formats": {"png": _("Chart (PNG)"), "svg": _("Chart (SVG)")}}
    component = st.components.v2.component("recscope_images", js=IMAGES, css=IMAGES_STYLE)
    component(key=f"{key}_images", data=data)


def table(frame: "pd.DataFrame", key: str, *, name: str, offer_file: bool = True, **options: Any) -> Any:
    """Show a table with its download as CSV; `options` go to `st.dataframe`."""
    chosen = st.dataframe(frame, key=key, hide_index=True, alt=name, **options)
    if offer_file:
        csv_download(_("Table (CSV)"), lambda: frame, file_name(name), f"{key}_csv")
    return chosen


def metrics(numbers: Iterable[tuple[str, str]], key: str, *, width: int = 165) -> None:
    """Show labeled numbers in a box, as many side by side as fit."""
    with st.container(border=True, horizontal=True, key=key):
        for label, value in numbers:
            st.metric(label, value, width=width)


@contextmanager
def errors() -> Iterator[None]:
    """Show an error of the library instead of what the rest of the block would have shown."""
    try:
        yield
    except RecscopeError as error:
        st.error(safe(error))


def select(label: str, names: Mapping[Any, str], key: str, **options: Any) -> Any:
    """Show a select box of named values and return the selected value; `options` go to `st.selectbox`."""
    return st.selectbox(label, list(names), format_func=lambda one: names.get(one, ""), key=key, **options)


def radio(label: str, names: Mapping[Any, str], key: str, **options: Any) -> Any:
    """Show named values side by side and return the selected one; `options` go to `st.radio`."""
    return st.radio(label, list(names), horizontal=True, format_func=lambda one: names[one], key=key, **options)


def download(label: str, make: Callable[[], Any], name: str, mime: str, key: str, **options: Any) -> None:
    """Show a download button whose file is created on click; `options` go to `st.download_button`."""
    st.download_button(
        label,
        make,
        name,
        mime,
        key=key,
        on_click="ignore",
        icon=":material/download:",
        **{"type": "tertiary"} | options,
    )


def csv_download(label: str, make: "Callable[[], pd.DataFrame]", name: str, key: str) -> None:
    """Show a download button for a table as CSV, with cells escaped that a spreadsheet would evaluate as formulas."""

    def content() -> bytes:
        from recsys_core.viz.export import csv_bytes

        return csv_bytes(make())

    download(label, content, f"{name}.csv", "text/csv", key)


def file_name(name: str) -> str:
    """Return a file name from the letters and digits of a title."""
    words = "".join(letter if letter.isalnum() else " " for letter in name).split()
    return "-".join(words).lower()[:80] or "recscope"
