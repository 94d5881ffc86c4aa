"""The attention charts: weights by step, step-by-step view, and attention map."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.attention_parts import faithfulness
from pages.ui import lazy_sections, show
from pages.ui.text import _, fragment, paragraph, safe

if TYPE_CHECKING:
    from pages.attention_parts.selection import Seen
    from recsys_core.explain.attention import Head

    Heads = list[Head] | None

WIDTHS = [2, 5]


@fragment
def all_of(seen: "Seen") -> None:
    """Show all charts of one trace; lower ones are drawn when scrolled near."""
    from recsys_core.viz.attention_interest import has_points

    parts = lazy_sections.Parts()
    st.header(_("Attention by step"), anchor="lines")
    heads = _lines(seen)
    if has_points(seen.attended):
        st.header(_("Interest points"), anchor="points")
        if drawn := parts.draws("attention_points", height=520):
            with drawn:
                _points(seen)
    st.header(_("Step by step"), anchor="steps")
    if drawn := parts.draws("attention_steps", height=520):
        with drawn:
            _steps(seen, heads)
    st.header(_("Attention map"), anchor="map")
    if drawn := parts.draws("attention_map", height=600):
        with drawn:
            _map(seen, heads)
    faithfulness.show(seen, parts)
    parts.watch()


# --------------------------------------------------------------------------------- lines


def _lines(seen: "Seen") -> "Heads":
    """Show steps and items with a line for each weight; return the heads that are switched on."""
    from recsys_core.explain.attention import links
    from recsys_core.viz.attention import kind_of_weights, links_data, spread
    from recsys_core.viz.components import LINKS

    found, widget = seen.attended, f"attention_lines_{seen.key}"
    heads = _chosen_heads(seen, widget)
    st.markdown(safe(spread(found, heads)))
    for words in kind_of_weights(found, heads):
        st.markdown(safe(words))
    if seen.reads is not None:
        st.markdown(safe(seen.reads))
    st.markdown(_lines_explained(seen))
    data = links_data(found, _line_words(seen), show.file_name(f"attention {seen.model}"), heads)
    component = st.components.v2.component("recscope_attention_lines", html=LINKS.html, css=LINKS.css, js=LINKS.js)
    component(key=widget, data=data, on_heads_change=lambda: None)
    title = _("{model}: attention by step").format(model=seen.model)
    with st.container(horizontal=True, gap="small", key="attention_lines_tools"):
        with show.file_menu("attention_lines"):
            show.download(
                _("Chart (HTML)"), lambda: LINKS.page(data, title), f"{data['file']}.html", "text/html", "lines_html"
            )
            show.csv_download(_("Data (CSV)"), lambda: links(found, heads), data["file"], "lines_csv")
        as_table = st.toggle(_("Display as a table"), key="attention_as_table")
    if as_table:
        _table(seen, heads)
    return heads


def _chosen_heads(seen: "Seen", widget: str) -> "Heads":
    """Return the heads that are switched on, None while all are."""
    state = st.session_state.get(widget)
    chosen = state.get("heads") if state else None
    known = seen.attended.heads
    picked = [known[int(number)] for number in chosen or () if 0 <= int(number) < len(known)]
    return picked if picked and len(picked) < len(known) else None


def _lines_explained(seen: "Seen") -> str:
    if not seen.attended.trace.causal:
        return _(
            "On the left is the generated sequence, step by step; on the right is the history. A thicker line "
            "means more attention to an item when the item on the left was generated."
        )
    words = _(
        "On the left is each item of the history as a step; on the right are the items it attends to. A "
        "thicker line means more of that step's attention; no step can attend to later items."
    )
    if len(seen.attended.heads) > 1:
        words += " " + _(
            "The small charts are the attention heads, layer by layer: click one to switch it off or on. The "
            "large chart is the mean of the heads that are on."
        )
    return words


def _line_words(seen: "Seen") -> dict[str, str]:
    """Return the texts inside the chart; placeholders in braces are filled in there."""
    causal = seen.attended.trace.causal
    return {
        "title": _("Attention by step"),
        "steps": _("Current item") if causal else _("Generated"),
        "items": _("Attended item"),
        "head": _("Layer {layer}, head {head}"),
        "heads": _("Heads"),
        "only": _("only this"),
        "all": _("All on"),
        "looks": _("{name} attends most to: {list}."),
        "looked": _("{name} is attended to most from: {list}."),
        "how": _("Hover over an item to see only its lines; click it to keep them. Keys: arrows, Enter, Escape."),
        "fold": _("▸ marks a group of earlier items: click it to open or close it."),
        "svg": _("Chart (SVG)"),
        "png": _("Chart (PNG)"),
    }


def _table(seen: "Seen", heads: "Heads") -> None:
    from recsys_core.explain.attention import links

    table = links(seen.attended, heads)
    names = {
        "step": st.column_config.NumberColumn(_("Step"), width=60),
        "after": st.column_config.TextColumn(_("Current item") if seen.attended.trace.causal else _("Generated")),
        "title": st.column_config.TextColumn(_("Attended item")),
        "weight": st.column_config.ProgressColumn(
            _("Weight") if seen.attended.trace.softmax else _("Share"), format="percent", min_value=0.0, max_value=1.0
        ),
    }
    if not seen.attended.trace.softmax:
        names["raw_weight"] = st.column_config.NumberColumn(_("Weight"), format="%.2g")
    show.table(
        table[list(names)], "attention_table", name=_("Attention by step"), offer_file=False, column_config=names
    )


# --------------------------------------------------------------------------------- steps


def _steps(seen: "Seen", heads: "Heads") -> None:
    from recsys_core.viz import attention_stages

    if seen.attended.trace.causal:
        words = _(
            "At each step: the input item, the attention weights, and the predicted next item. All items are "
            "ranked here, including those of the history; recommendations exclude these, so they may start "
            "with another item than the last step."
        )
    else:
        words = _(
            "How the sequence is generated: the attention weights (α), the candidates, and the generated "
            "item at each step."
        )
    st.markdown(" ".join([words, *_lists_explained(seen)]))
    stages = attention_stages.of_trace(seen.attended, heads)
    stepper(
        stages,
        f"attention_steps_{seen.key}",
        name=_("steps {model}").format(model=seen.model),
        table=lambda: _numbers(seen),
    )


def _lists_explained(seen: "Seen") -> list[str]:
    """Return how the sequence and the list on the Recommend page are related, for a sequence decoder."""
    if seen.decoding == "one_step":
        words = _(
            "The list on the Recommend page is the ranking of step 1: it starts with the same item and "
            "continues with the other candidates of that step, while here each step is conditioned on the item "
            "generated before it (greedy decoding)."
        )
    elif seen.decoding == "greedy":
        words = _("The list on the Recommend page is this sequence.")
    elif seen.decoding == "beam":
        return [
            _(
                "The list on the Recommend page is decoded in the same way, as the most probable sequence of "
                "its length found by beam search."
            )
        ]
    else:
        return []
    return [words, _("Below each step are the candidates that beam search would keep instead.")]


def _points(seen: "Seen") -> None:
    from recsys_core.explain.attention import moved
    from recsys_core.viz.attention_interest import explained, interest_stages

    st.markdown(safe(explained(seen.attended)))
    stepper(
        interest_stages(seen.attended),
        f"attention_points_{seen.key}",
        name=_("interest points {model}").format(model=seen.model),
        table=lambda: moved(seen.attended),
    )


def stepper(stages: Sequence[Any], key: str, *, name: str, table: Any) -> None:
    """Show stages one after the other, with play, back and forward, and their downloads.

    Args:
        stages: From `recsys_core.viz.attention_stages`.
        key: Key of the widget.
        name: Name of the files.
        table: Returns the underlying table.
    """
    from recsys_core.viz.attention_stages import payload
    from recsys_core.viz.components import STAGES

    words = {
        "back": _("Back"),
        "forward": _("Forward"),
        "play": _("Play"),
        "pause": _("Pause"),
        "again": _("Play again"),
        "place": _("{at} of {of}"),
        "slider": _("Step"),
    }
    data = payload(stages, words)
    component = st.components.v2.component("recscope_attention_steps", html=STAGES.html, css=STAGES.css, js=STAGES.js)
    component(key=key, data=data)
    file = show.file_name(name)
    with show.file_menu(key):
        show.download(
            _("Chart (HTML)"),
            lambda: STAGES.page(data, name),
            f"{file}.html",
            "text/html",
            f"{key}_html",
            help=_("All steps as an animation that works offline. An image (PNG, SVG) would show only one step."),
        )
        show.csv_download(_("Data (CSV)"), table, file, f"{key}_csv")


def _numbers(seen: "Seen") -> Any:
    """Return the table behind the steps: candidates, or all values of a decoder."""
    from recsys_core.explain.attention import candidates, decoded

    return candidates(seen.attended) if seen.attended.trace.causal else decoded(seen.attended)


# ------------------------------------------------------------------------------ heat map


def _map(seen: "Seen", heads: "Heads") -> None:
    from recsys_core.explain.attention import links
    from recsys_core.viz.attention import heat_map

    words, place = st.columns(WIDTHS, gap="large")
    with words:
        st.markdown(
            _(
                "**How to read it.** Each row is a step, each column an item; brighter means more attention. A "
                "bright diagonal means that each step attends to its current item; a bright column means that "
                "one item receives most of the attention. Drag to zoom in, double-click to reset."
            )
            if seen.attended.trace.causal
            else _(
                "**How to read it.** Each row is a step of the generated sequence, each column an item of the "
                "history; brighter means more attention. A bright diagonal means that the sequence follows the "
                "history; a bright column means that one item receives most of the attention. Drag to zoom in, "
                "double-click to reset."
            )
        )
        if heads is not None:
            paragraph("Only the heads that are switched on above are included.")
    with place:
        show.figure(
            heat_map(seen.attended, heads),
            "figure_attention_map",
            name=_("{model} attention map").format(model=seen.model),
            table=links(seen.attended, heads),
        )
