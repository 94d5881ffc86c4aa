"""Questions of a lesson: a prediction that is locked before the answer is revealed, and the self-check at the end."""

import streamlit as st

from pages.learn_parts import place
from pages.ui.text import _, safe
from recsys_core.lessons.lesson import Lesson, SelfCheck, Step
from recsys_core.lessons.picture import Scene, colored
from recsys_core.lessons.wording import named, told


def predict(of: Lesson, step: Step) -> None:
    """Show the question of a step, and the button that locks the prediction."""
    assert step.predict is not None
    options = step.predict.options
    key = f"learn_predict_{of.key}_{step.key}"
    with st.container(border=True, key="learn_predict"):
        picked = st.radio(
            told(step.predict.question, safe), list(options), index=None, key=key,
            format_func=lambda one: told(options[one], safe),
        )  # fmt: skip
        st.button(
            _("Lock my prediction"), key="learn_lock", type="primary", icon=":material/lock:", disabled=picked is None,
            on_click=lambda: place.lock(of, step.key, st.session_state[key]),  # what is picked by then
        )  # fmt: skip


def reveal(of: Lesson, step: Step, guess: str, scene: Scene) -> None:
    """Show the locked prediction beside the answer for the current values."""
    assert step.predict is not None
    options = step.predict.options
    keys = {"guess": guess, "answer": scene.answer}
    names = {part: told(options.get(key, named(key)), safe) for part, key in keys.items()}
    with st.container(border=True, key="learn_revealed"):
        if guess == scene.answer:
            st.markdown(":material/check_circle: " + _("You predicted **{guess}**, and so it is.").format(**names))
        else:
            st.markdown(_("You predicted **{guess}**. The answer is **{answer}**.").format(**names))
        st.button(
            _("Predict again"), key="learn_again", type="tertiary", icon=":material/replay:", on_click=place.lock,
            args=(of, step.key, None),
        )  # fmt: skip


def arithmetic(scene: Scene) -> None:
    """Show the finding, and the formula: in general, and with the numbers of this step."""
    if scene.finding:
        with st.container(key="learn_finding"):
            st.markdown(safe(scene.finding))
    if scene.formula:
        with st.container(key="learn_formula"):
            st.latex(colored(scene.formula.general))
            st.latex(colored(scene.formula.numbers))


def self_check(of: Lesson) -> None:
    """Show the two questions; each answer is explained, and the lesson is done once both are right."""
    right = [_check(of, number, check) for number, check in enumerate(of.checks)]
    if all(right):
        place.reach(of, place.DONE)
        st.success(_("Both are right: this lesson is done."), icon=":material/check_circle:")


def _check(of: Lesson, number: int, check: SelfCheck) -> bool:
    picked = st.radio(
        told(check.question, safe), range(len(check.options)), index=None, key=f"learn_check_{of.key}_{number}",
        format_func=lambda one: told(check.options[one], safe),
    )  # fmt: skip
    if picked is None:
        return False
    right = bool(picked == check.right)
    st.markdown(("**" + _("Right.") + "** " if right else "**" + _("Not this one.") + "** ") + told(check.why, safe))
    return right
