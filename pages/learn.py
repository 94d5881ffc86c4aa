"""Learn: how does it work? Lessons whose numbers come from the code that trains and evaluates real models."""

from pages.learn_parts import lesson_screen, overview, place
from pages.ui.frame import ensure_frame
from pages.ui.text import fragment

ensure_frame()


def body() -> None:
    place.rerun_if_requested()
    current = place.current()
    if current is None:
        overview.show()
    else:
        lesson_screen.show(*current)


fragment(body)()
