"""Learn: how does it work? Lessons whose numbers come from the code that trains and evaluates real models."""

from pages.learn_parts import lesson_screen, overview, own_matrix, place
from pages.ui.frame import ensure_frame
from pages.ui.text import fragment

ensure_frame()


def body() -> None:
    place.rerun_if_requested()
    own_matrix.warn_if_damaged()
    current = place.current()
    if current is None:
        overview.show()
    else:
        lesson_screen.show(*current)


fragment(body)()
