"""Style of a lesson: small margins so that it fits on one screen, colors of the symbols, large type for a projector.

The heading of a lesson lies in front of Streamlit's header, which would take the clicks on its buttons.
"""

from recsys_core.lessons.picture import MOST_SYMBOLS

COLORS = (
    ("#0b5cad", "#7db8f5"), ("#b34700", "#ffb066"), ("#00704f", "#4fd1a5"), ("#a3317d", "#f29ad3"),
    ("#5b4bc4", "#b8adff"), ("#7d5800", "#e3c04d"), ("#b3261e", "#ff9d9d"), ("#4d4d4d", "#c8d0da"),
)  # fmt: skip
"""Color of symbol 1, 2, ... in the light and in the dark scheme, as in `lesson_picture.css`."""


def _symbols() -> str:
    rules = []
    for number in range(1, MOST_SYMBOLS + 1):
        light, dark = COLORS[number - 1]
        named = f'.st-key-learn_formula .katex [style*="color: rgb({number}, 0, {number})"]'
        rules.append(f"{named} {{ color: light-dark({light}, {dark}) !important; cursor: default; }}")
    return "\n".join(rules)


STYLE = (
    """<style>
.st-key-learn_lesson { gap: 0.4rem; }
.st-key-learn_lesson h1 { font-size: 1.35rem; padding: 0; }
.st-key-learn_heading { column-gap: 0.5rem; }
.st-key-learn_lesson h2 { font-size: 1.15rem; padding: 0 0 0.3rem; }
.st-key-learn_lesson [data-testid=stColumn] > div { gap: 0.5rem; }
.st-key-learn_lesson [data-testid=stMarkdownContainer] p { margin-bottom: 0.4rem; line-height: 1.4; }
.st-key-learn_lesson [data-testid=stMarkdownContainer] { margin-bottom: -0.4rem; }
:is(.st-key-learn_lesson :is(button, a, label), .st-key-learn_heading)
  :is([data-testid=stMarkdownContainer], [data-testid=stMarkdownContainer] p) { margin: 0; }
@media (min-width: 800px) { .st-key-learn_heading {
  padding-right: 9rem; position: relative; z-index: 1000000; } }
.st-key-learn_predict, .st-key-learn_revealed { padding: 0.4rem 0.8rem; gap: 0.3rem; }
.st-key-learn_controls { row-gap: 0.4rem; }
.st-key-learn_finding p { font-weight: 600; }
.st-key-learn_formula { gap: 0.5rem; padding-bottom: 0.3rem; }
.st-key-learn_formula .katex-display { margin: 0 0 1rem; text-align: left; }
.st-key-learn_formula .katex-display > .katex { text-align: left; font-size: 1em; }
.st-key-learn_lesson [data-testid=stSliderThumbValue] p { color: light-dark(#0b5cad, #7db8f5); }
.st-key-learn_way kbd { color: inherit !important; opacity: 1 !important; }
.st-key-learn_formula :is(div, span):not(.katex *) { overflow: visible !important; }
@media (max-width: 500px) { .st-key-learn_formula .katex-display > .katex { font-size: 0.85em; } }
[data-testid=stMainBlockContainer] { padding-bottom: 1rem; }
"""
    + _symbols()
    + "\n</style>"
)
PROJECTOR = """<style>
[data-testid=stSidebar], [data-testid=stHeader], [data-testid=stSidebarCollapsedControl] { display: none; }
[data-testid=stMainBlockContainer] { padding-top: 1rem !important; max-width: 100rem; }
.st-key-learn_lesson :is(p, li, label) { font-size: clamp(1.1rem, 1.05vw, 1.25rem); line-height: 1.4; }
.st-key-learn_lesson h1 { font-size: clamp(1.6rem, 1.67vw, 2rem); }
.st-key-learn_heading { padding-right: 0 !important; }
.st-key-learn_lesson h2 { font-size: clamp(1.3rem, 1.33vw, 1.6rem); }
.st-key-learn_formula .katex-display > .katex { font-size: clamp(1.1em, 1.2vw, 1.3em); }
</style>"""
