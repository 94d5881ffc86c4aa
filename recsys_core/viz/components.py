"""Interactive parts in HTML, CSS and JavaScript, for a page; figures also for a self-contained file.

The scripts insert all text as text nodes: no title or identifier becomes markup.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from recsys_core.viz.export import policy_tag

FOLDER = Path(__file__).resolve().parent
EXPORT = "export default "


@dataclass(frozen=True)
class Component:
    """A part of a page drawn by a script.

    Args:
        name: Name of its files in this folder, without extension.
        html: Markup that the script fills.
    """

    name: str
    html: str

    @cached_property
    def js(self) -> str:
        """The script: a module whose default export takes `parentElement` and `data`."""
        return (FOLDER / f"{self.name}.js").read_text(encoding="utf-8")

    @cached_property
    def css(self) -> str:
        """The style sheet; colors follow the surrounding theme, else dark on white."""
        return (FOLDER / f"{self.name}.css").read_text(encoding="utf-8")

    def page(self, data: Mapping[str, Any], title: str) -> str:
        """Return a self-contained page with the figure.

        Args:
            data: Plain values that the script draws.
            title: Title of the page and text of its heading.
        """
        plain = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
        script = (
            f"<script type='module'>\nconst draw = {self.js[self.js.index(EXPORT) + len(EXPORT) :]}\n"
            f"draw({{ parentElement: document, data: {plain} }});\n</script>"
        )
        return (
            f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>{policy_tag([script])}"
            "<meta name='viewport' content='width=device-width, initial-scale=1'>"
            f"<title>{escape(title)}</title><style>body {{ font-family: sans-serif; margin: 2rem; max-width: 70rem }}\n"
            f"{self.css}</style></head><body><h1>{escape(title)}</h1>{self.html}{script}</body></html>\n"
        )


LINKS = Component(
    "attention_links",
    '<div class="attention"><div class="heads" role="group"></div><div class="picture"></div>'
    '<p class="said" aria-live="polite"></p><div class="tools"></div></div>',
)
"""Line view of attention; see `attention.links_data`."""
STAGES = Component(
    "attention_stages",
    '<div class="stages"><div class="bar"><button type="button" class="back"></button>'
    '<button type="button" class="play"></button><button type="button" class="forward"></button>'
    '<input type="range" class="slider" min="0" step="1"><span class="place"></span></div>'
    '<div aria-live="polite"><h3 class="title"></h3><p class="words"></p></div>'
    '<div class="columns"><div class="left"></div><div class="right"></div></div>'
    '<div class="extra"></div><div class="formula"></div></div>',
)
"""Stepper through the stages; see `attention_stages`."""
BOARD = Component("leaderboard", '<div class="scroll"><table class="board"></table></div>')
"""Leaderboard of plain rows; see `leaderboard_rows`."""
