"""The pictures of attention, one below the other: who looked at what, step by step, and all looks at once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.attention_parts import faithfulness
from pages.ui import lazy_sections, show
from pages.ui.queries import comparison_queries
from pages.ui.text import _, safe

if TYPE_CHECKING:
    from pages.attention_parts.trace import Seen
    from recsys_core.explain.attention import Head

    Heads = list[Head] | None

WIDTHS = [2, 5]


@st.fragment
def all_of(seen: "Seen") -> None:
    """Show everything about one trace; what is further down when somebody comes near it."""
    from recsys_core.viz.attention_interest import has_points

    parts = lazy_sections.Parts()
    st.header(_("Who looked at what?"), anchor="lines")
    heads = _lines(seen)
    if has_points(seen.found):
        st.header(_("Its points of interest"), anchor="points")
        if parts.draws("attention_points", height=520):
            _points(seen)
    st.header(_("Step by step"), anchor="steps")
    if parts.draws("attention_steps", height=520):
        _steps(seen, heads)
    st.header(_("All looks at once"), anchor="map")
    if parts.draws("attention_map", height=600):
        _map(seen, heads)
    faithfulness.show(seen, parts)
    parts.watch()


# --------------------------------------------------------------------------------- lines


def _lines(seen: "Seen") -> "Heads":
    """Show steps and items with a line for each look; return the heads that are switched on."""
    from recsys_core.explain.attention import links
    from recsys_core.viz.attention import links_data, spread
    from recsys_core.viz.attention_components import LINKS

    found, widget = seen.found, f"attention_lines_{seen.key}"
    heads = _chosen_heads(seen, widget)
    st.markdown(safe(comparison_queries.said(spread(found, heads))))
    if seen.reads is not None:
        st.markdown(safe(comparison_queries.said(seen.reads)))
    st.markdown(_lines_explained(seen))
    data = links_data(
        found, _line_words(seen), show.file_name(f"attention {seen.model}"), comparison_queries.said, heads
    )
    component = st.components.v2.component("recscope_attention_lines", html=LINKS.html, css=LINKS.css, js=LINKS.js)
    component(key=widget, data=data, on_heads_change=lambda: None)
    title = _("{model}: who looked at what").format(model=seen.model)
    with st.container(horizontal=True, gap="small", key="attention_lines_downloads"):
        show.download(
            _("Picture (HTML)"), lambda: LINKS.page(data, title), f"{data['file']}.html", "text/html", "lines_html"
        )
        show.download(
            _("Data (CSV)"), lambda: show.csv(links(found, heads)), f"{data['file']}.csv", "text/csv", "lines_csv"
        )
        as_table = st.toggle(_("Show as a table"), key="attention_as_table")
    if as_table:
        _table(seen, heads)
    return heads


def _chosen_heads(seen: "Seen", widget: str) -> "Heads":
    """Return the heads that are switched on in the picture, None as long as nobody has switched one."""
    state = st.session_state.get(widget)
    chosen = state.get("heads") if state else None
    known = seen.found.heads
    picked = [known[int(number)] for number in chosen or () if 0 <= int(number) < len(known)]
    return picked if picked and len(picked) < len(known) else None


def _lines_explained(seen: "Seen") -> str:
    if not seen.found.trace.causal:
        return _(
            "On the left the sequence that the model says, step by step; on the right what it has read. "
            "The thicker a line, the more the model looked at that item when it said the one on the left."
        )
    words = _(
        "On the left each item as it is read, on the right what the model looks back at. "
        "The thicker a line, the more of the attention of that step goes there; no step sees what comes later."
    )
    if len(seen.found.heads) > 1:
        words += " " + _(
            "The small pictures are the model's parts that look (heads), layer by layer: press one to switch it off "
            "or on; the large picture is the mean of those that are on."
        )
    return words


def _line_words(seen: "Seen") -> dict[str, str]:
    """Return what the picture itself says; places in braces are filled in there."""
    causal = seen.found.trace.causal
    return {
        "title": _("Who looked at what"),
        "steps": _("Just read") if causal else _("Said"),
        "items": _("Looked at"),
        "head": _("Layer {layer}, head {head}"),
        "heads": _("Heads"),
        "only": _("only this"),
        "all": _("All on"),
        "looks": _("{name} looks most at: {list}."),
        "looked": _("{name} is looked at most from: {list}."),
        "how": _("Point at an item to see its lines alone; press it to keep them. Keys: arrows, Enter, Escape."),
        "svg": _("Picture (SVG)"),
        "png": _("Picture (PNG)"),
    }


def _table(seen: "Seen", heads: "Heads") -> None:
    from recsys_core.explain.attention import links

    table = links(seen.found, heads)
    names = {
        "step": st.column_config.NumberColumn(_("Step"), width=60),
        "after": st.column_config.TextColumn(_("Just read") if seen.found.trace.causal else _("Said")),
        "title": st.column_config.TextColumn(_("Looked at")),
        "weight": st.column_config.ProgressColumn(_("Weight"), format="percent", min_value=0.0, max_value=1.0),
    }
    show.table(
        table[list(names)], "attention_table", name=_("Who looked at what"), offer_file=False, column_config=names
    )


# --------------------------------------------------------------------------------- steps


def _steps(seen: "Seen", heads: "Heads") -> None:
    from recsys_core.viz import attention_stages

    if seen.found.trace.causal:
        words = _(
            "What the model reads, what it looks at then, and what it expects next at that moment. All items compete "
            "here, those that the person has had already, too; a recommendation leaves these out, so it may begin with "
            "another item than the last step."
        )
    else:
        words = _("How the sequence is said: what is looked at (α), the candidates, and the item that is said.")
    st.markdown(" ".join([words, *_lists_explained(seen)]))
    stages = attention_stages.of_trace(seen.found, heads)
    stepper(stages, f"attention_steps_{seen.key}", name=f"steps {seen.model}", table=lambda: _numbers(seen))


def _lists_explained(seen: "Seen") -> list[str]:
    """Return how the sequence and the list on the page Recommend belong together, if the model says a sequence."""
    if seen.decoding == "one_step":
        words = _(
            "The list on the page Recommend is the ranking of step 1: it begins with the same item and goes on with "
            "the other candidates of that step, while here each step follows from the item said before it (greedily)."
        )
    elif seen.decoding == "greedy":
        words = _("The list on the page Recommend is this sequence.")
    elif seen.decoding == "beam":
        return [
            _(
                "The list on the page Recommend is found in the same way, as the most probable sequence of its length "
                "that beam search meets."
            )
        ]
    else:
        return []
    return [words, _("What beam search would keep instead stands below each step.")]


def _points(seen: "Seen") -> None:
    from recsys_core.explain.attention_tables import moved
    from recsys_core.viz.attention_interest import explained, interest_stages

    st.markdown(safe(comparison_queries.said(explained(seen.found))))
    stepper(
        interest_stages(seen.found),
        f"attention_points_{seen.key}",
        name=f"points of interest {seen.model}",
        table=lambda: moved(seen.found),
    )


def stepper(stages: Sequence[Any], key: str, *, name: str, table: Any) -> None:
    """Show stages one after the other, with play, back and forward, and their downloads.

    Args:
        stages: Of `recsys_core.viz.attention_stages`.
        key: Of the widget.
        name: Of the files.
        table: Makes the table of numbers behind it.
    """
    from recsys_core.viz.attention_components import STAGES
    from recsys_core.viz.attention_stages import payload

    words = {
        "back": _("Back"),
        "forward": _("Forward"),
        "play": _("Play"),
        "pause": _("Pause"),
        "again": _("Play again"),
        "place": _("{at} of {of}"),
        "slider": _("Go to a step"),
    }
    data = payload(stages, words, comparison_queries.said)
    component = st.components.v2.component("recscope_attention_steps", html=STAGES.html, css=STAGES.css, js=STAGES.js)
    component(key=key, data=data)
    file = show.file_name(name)
    with st.container(horizontal=True, gap="small", key=f"{key}_downloads"):
        show.download(
            _("Picture (HTML)"),
            lambda: STAGES.page(data, name),
            f"{file}.html",
            "text/html",
            f"{key}_html",
            help=_("All steps, to be played without a network. A picture (PNG, SVG) would hold a single one."),
        )
        show.download(_("Data (CSV)"), lambda: show.csv(table()), f"{file}.csv", "text/csv", f"{key}_csv")


def _numbers(seen: "Seen") -> Any:
    """Return the table behind the steps: candidates, of a decoder all that it computed."""
    from recsys_core.explain.attention import candidates
    from recsys_core.explain.attention_tables import decoded

    return candidates(seen.found) if seen.found.trace.causal else decoded(seen.found)


# ------------------------------------------------------------------------------ heat map


def _map(seen: "Seen", heads: "Heads") -> None:
    from recsys_core.explain.attention import links
    from recsys_core.viz.attention import heat_map
    from recsys_core.viz.attention_svg import heat_map_svg

    words, place = st.columns(WIDTHS, gap="large")
    with words:
        st.markdown(
            _(
                "**How to read it.** Each row is a step, each column an item; brighter is more. A bright diagonal says "
                "that a step looks at the item just read, a bright column that one item draws all attention. "
                "Drag over a part to look closer, double-click to go back."
            )
            if seen.found.trace.causal
            else _(
                "**How to read it.** Each row is a step of the sequence that is said, each column an item of the "
                "history; brighter is more. A bright diagonal says that the sequence follows the history, a bright "
                "column that one item draws all attention. Drag over a part to look closer, double-click to go back."
            )
        )
        if heads is not None:
            st.markdown(_("Only the heads that are switched on above count here."))
    with place:
        show.figure(
            heat_map(seen.found, heads),
            "figure_attention_map",
            name=f"{seen.model} attention map",
            table=links(seen.found, heads),
        )
        title, legend = (
            _("{model}: all looks at once").format(model=seen.model),
            _("Brightest: {most} of a step, or more."),
        )
        file = show.file_name(f"{seen.model} attention map")
        show.download(
            _("Picture (SVG)"),
            lambda: heat_map_svg(seen.found, heads, title, legend),
            f"{file}.svg",
            "image/svg+xml",
            "map_svg",
        )
