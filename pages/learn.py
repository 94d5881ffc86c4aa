"""Learn: how does it work? The source document, and lessons that run the code that trains and evaluates real models."""

from pages.learn_parts import document_text, lesson_screen, overview, own_matrix, place
from pages.ui import picked
from pages.ui.frame import ensure_frame
from pages.ui.text import fragment

ensure_frame()
picked.forget()


def body() -> None:
    place.rerun_if_requested()
    own_matrix.warn_if_damaged()
    current, part = place.current(), place.reading()
    if current is not None:
        lesson_screen.show(*current)
    elif part is not None:
        document_text.show(part)
    else:
        overview.show()


fragment(body)()
