"""Where the learner is, in the URL: lesson, step, values, predictions, progress, or a chapter of the document."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.ui import state
from pages.ui.text import _
from recsys_core.errors import ConfigError, DataError
from recsys_core.lessons.controls import ASSIGN, BETWEEN
from recsys_core.lessons.lesson import Lesson
from recsys_core.lessons.own.registry import OWN, own_lesson
from recsys_core.lessons.own.table import decode_table
from recsys_core.lessons.registry import LESSONS, lesson
from recsys_core.lessons.source.parts import part
from recsys_core.lessons.source.passage import Part
from recsys_core.lessons.worlds import RatedWorld

GUESS = "guess."
"""Prefix of locked predictions among the values: `guess.nearest:Ben`."""
DONE = "done"
"""Step of a lesson whose self-check was answered."""
HERE = frozenset({"lesson", "values", "view", "matrix", "section", "text", "pick", "split"})
"""URL parameters that links to other pages leave out."""
RERUN = "learn_rerun"
LAST = "learn_last"
"""Session key of the lesson last shown and its values."""


@dataclass(frozen=True)
class Changed:
    """What the learner changed in a lesson: values of the controls, and locked predictions by step."""

    values: dict[str, Any]
    guesses: dict[str, str]


def matrix() -> RatedWorld | None:
    """Return the teacher's matrix in the URL; None without one, or with a damaged one."""
    code = state.get("matrix")
    try:
        return decode_table(code) if code else None
    except DataError:
        return None


def use_matrix(code: str | None) -> None:
    """Run the lessons that it fits on a matrix, or with None on their built-in examples."""
    state.put("matrix", code)
    state.put("values", None)


def opened(key: str) -> Lesson:
    """Return a lesson, on the teacher's matrix if it fits."""
    world = matrix()
    return own_lesson(key, world) if world is not None and key in OWN else lesson(key)


def current() -> tuple[Lesson, str] | None:
    """Return lesson and step in the URL; None for the overview, with a warning if the URL names none that exists."""
    address = state.get("lesson")
    if address is None:
        return None
    key, _dot, step = address.partition(".")
    _forget_values_of_another(key)
    if key not in LESSONS:
        st.warning(_("There is no such lesson; here are all of them."))
        return None
    found = opened(key)
    return found, step if step in found.step_keys else found.step_keys[0]


def reading() -> Part | None:
    """Return the chapter of the source document in the URL; None for none, with a warning if there is none such."""
    key = state.get("section")
    if key is None:
        return None
    try:
        return part(key)
    except ConfigError:
        st.warning(_("The source document has no such section; here is the map of all of them."))
        return None


def read(section: str | None) -> None:
    """Open the text of the source document at a section, or close it."""
    state.put("lesson", None)
    state.put("values", None)
    state.put("section", section)


def elsewhere(**more: str) -> dict[str, str]:
    """Return the URL parameters for another page: the current ones without those of Learn, and more.

    A page that is asked for a model selects it; it is not asked for another one at the same time.
    """
    left_out = HERE | {"run", "model", "models"} if "pick" in more else HERE
    return {name: value for name, value in state.current().items() if name not in left_out} | more


def _forget_values_of_another(key: str) -> None:
    """Clear the values if a link opened another lesson: Streamlit's session kept them."""
    before, now = st.session_state.get(LAST), state.get("values")
    if before is not None and before[0] != key and before[1] == now:
        state.put("values", None)
    st.session_state[LAST] = (key, state.get("values"))


def go(lesson_key: str | None, step: str = "") -> None:
    """Open a step of a lesson, or the overview; what was changed is kept within a lesson."""
    before = (state.get("lesson") or "").partition(".")[0]
    if lesson_key != before:
        state.put("values", None)
    state.put("section", None)
    if lesson_key is None:
        state.put("lesson", None)
        return
    of = opened(lesson_key)
    step = step or of.step_keys[0]
    state.put("lesson", f"{lesson_key}.{step}")
    reach(of, step)


def changed(of: Lesson) -> Changed:
    """Return what was changed; first values, with a warning, if the URL has values that the lesson does not take."""
    parts = [part for part in (state.get("values") or "").split(BETWEEN) if part]
    guesses = dict(part.removeprefix(GUESS).split(ASSIGN, 1) for part in parts if _is_guess(part))
    known = {step.key for step in of.steps if step.predict}
    try:
        values = of.decode(BETWEEN.join(part for part in parts if not part.startswith(GUESS)))
    except ConfigError:
        st.warning(_("The link has values that this lesson does not take; the first values are used."))
        values = of.starts()
    return Changed(values, {step: option for step, option in guesses.items() if step in known})


def _is_guess(part: str) -> bool:
    return part.startswith(GUESS) and ASSIGN in part


def keep(of: Lesson, now: Changed) -> None:
    """Store what was changed in the URL."""
    guesses = [f"{GUESS}{step}{ASSIGN}{option}" for step, option in now.guesses.items()]
    state.put("values", BETWEEN.join(filter(None, [of.encode(now.values), *guesses])))


def set_value(of: Lesson, key: str, value: Any) -> None:
    """Change the value of one control."""
    now = changed(of)
    keep(of, Changed(now.values | {key: value}, now.guesses))


def lock(of: Lesson, step: str, option: str | None) -> None:
    """Lock the prediction of a step; None to predict again."""
    now = changed(of)
    guesses = {key: guess for key, guess in now.guesses.items() if key != step}
    keep(of, Changed(now.values, guesses if option is None else guesses | {step: option}))


def progress() -> dict[str, str]:
    """Return lesson -> the furthest step that was opened, or `DONE`."""
    parts = [part.partition(".") for part in (state.get("learned") or "").split(BETWEEN)]
    return {key: step for key, _dot, step in parts if key in LESSONS and step}


def reach(of: Lesson, step: str) -> None:
    """Note that a step was opened, or with `DONE` that the self-check was answered."""
    steps = (*of.step_keys, DONE)
    reached = progress()
    if step in steps and steps.index(step) > steps.index(_known(reached.get(of.key), steps)):
        reached[of.key] = step
        state.put("learned", BETWEEN.join(f"{key}.{one}" for key, one in reached.items()))


def _known(step: str | None, steps: tuple[str, ...]) -> str:
    return step if step in steps else steps[0]


def steps_done(of: Lesson) -> int:
    """Return the number of finished steps of a lesson, the self-check included."""
    reached = progress().get(of.key)
    if reached == DONE:
        return len(of.step_keys)
    return of.step_keys.index(reached) if reached in of.step_keys else 0


def project(on: bool) -> None:
    """Switch the projector mode, which hides the sidebar, on or off; the frame is drawn again."""
    state.put("view", state.DEMO if on else None)
    st.session_state[RERUN] = True


def rerun_if_requested() -> None:
    """Draw the frame again after `project`, which a fragment cannot do itself."""
    if st.session_state.pop(RERUN, False):
        st.rerun()


def turn(by: int) -> None:
    """Go to the step before (-1) or after (1) the current one; nothing at the ends."""
    now = current()
    if now is None:
        return
    of, step = now
    at = of.step_keys.index(step) + by
    if 0 <= at < len(of.step_keys):
        go(of.key, of.step_keys[at])
