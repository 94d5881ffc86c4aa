"""Questions of a lesson: a prediction that is locked before the answer is revealed, and the self-check at the end."""

import streamlit as st

from pages.learn_parts import place
from pages.ui.text import _
from recsys_core.lessons.lesson import Lesson, SelfCheck, Step
from recsys_core.lessons.picture import Scene, colored


def predict(of: Lesson, step: Step) -> None:
    """Show the question of a step, and the button that locks the prediction."""
    assert step.predict is not None
    options = step.predict.options
    key = f"learn_predict_{of.key}_{step.key}"
    with st.container(border=True, key="learn_predict"):
        picked = st.radio(
            _(step.predict.question), list(options), index=None, key=key, format_func=lambda one: _(options[one])
        )
        st.button(
            _("Lock my prediction"), key="learn_lock", type="primary", icon=":material/lock:", disabled=picked is None,
            on_click=place.lock, args=(of, step.key, picked),
        )  # fmt: skip


def reveal(of: Lesson, step: Step, guess: str, scene: Scene) -> None:
    """Show the locked prediction beside the answer for the current values."""
    assert step.predict is not None
    options = step.predict.options
    names = {"guess": _(options.get(guess, guess)), "answer": _(options.get(scene.answer, scene.answer))}
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
            st.markdown(scene.finding)
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
        _(check.question), range(len(check.options)), index=None, key=f"learn_check_{of.key}_{number}",
        format_func=lambda one: _(check.options[one]),
    )  # fmt: skip
    if picked is None:
        return False
    right = bool(picked == check.right)
    st.markdown(("**" + _("Right.") + "** " if right else "**" + _("Not this one.") + "** ") + _(check.why))
    return right
