"""Terms of the field where they stand: each opens its two sentences and the lesson that teaches it.

A row is a fragment of closed popovers; what a popover holds is sent only once it is open.
"""

from collections.abc import Iterable, Mapping, Sequence

import streamlit as st

from pages.ui import state
from pages.ui.navigation import has_page
from pages.ui.text import _, fragment
from recsys_core.lessons.glossary import TERMS, Term
from recsys_core.lessons.registry import lesson

PLACES: Mapping[str, Sequence[str]] = {
    "home": ("NDCG", "Confidence interval"),
    "data": ("Density", "Long tail", "Duplicate timestamps"),
    "explore": ("Long tail", "Density", "Lift"),
    "users": ("Long tail",),
    "items": ("Long tail", "Lift"),
    "protocol": (
        "Train/test split", "Cold start", "Temporal leakage", "Validation share", "Relevant", "NDCG", "Seed",
    ),
    "events": ("Event weight", "Implicit feedback"),
    "models": (
        "Baseline", "Nearest neighbors (k)", "Matrix factorization", "Content-based model", "Association rule", "Trust",
        "Ensemble", "Implicit feedback",
    ),
    "settings": (
        "Cosine", "Pearson correlation", "Adjusted cosine", "Shrinkage", "Regularization", "Learning rate", "Epoch",
        "Early stopping", "Embedding", "Negative sampling", "Beam search",
    ),
    "tuning": ("Tuning", "Validation share"),
    "verdict": ("Confidence interval", "Significant difference", "Holm correction", "Power", "Temporal leakage"),
    "experiments": ("NDCG", "Confidence interval", "Train/test split", "Baseline"),
    "cards": ("MMR", "Calibration (of a list)", "Coverage", "Hit rate", "NDCG", "Recall", "Confidence interval"),
    "off_policy": ("Off-policy evaluation", "Propensity"),
    "ab_test": ("A/B test", "Power"),
    "recommend": ("Fold-in", "Cold start"),
    "attention": ("Attention weight", "Influence", "Confidence interval"),
    "learn": (
        "Recall", "Precision", "Confidence interval", "Content-based model", "Matrix factorization", "Trust",
        "Pearson correlation", "Cosine", "Adjusted cosine", "Nearest neighbors (k)",
    ),
}  # fmt: skip
"""Place -> names of the terms that stand there."""
METRICS: Mapping[str, str] = {
    "ndcg": "NDCG",
    "ndcg_graded": "NDCG",
    "precision": "Precision",
    "recall": "Recall",
    "hit_rate": "Hit rate",
    "map": "Average precision (AP, MAP)",
    "mrr": "MRR",
    "coverage": "Coverage",
    "calibration": "Calibration (of a list)",
}
"""Key of a metric -> name of its term."""
VIEWS: Mapping[str, Sequence[str]] = {
    "nearest": ("Nearest neighbors (k)",),
    "rules": ("Association rule", "Lift"),
    "memory": ("Gate",),
    "tree": ("Influence",),
    "effects": ("Influence",),
    "loss": ("Epoch",),
}
"""Key of a view on Inside -> names of terms that stand there."""


def row(place: str, label: str | None = None) -> None:
    """Show the terms that stand at a place, after `label` or 'Terms:'; nothing on a projector."""
    show(place, PLACES[place], label)


def of_metrics(place: str, metrics: Iterable[str], more: Sequence[str] = ()) -> None:
    """Show the terms of the shown metrics, such as `ndcg@10`, and `more`."""
    keys = [metric.partition("@")[0].partition(":")[0] for metric in metrics]
    show(place, [*dict.fromkeys(METRICS[key] for key in keys if key in METRICS), *more])


def of_views(place: str, views: Iterable[str]) -> None:
    """Show the terms of views on Inside, by their keys."""
    show(place, tuple(dict.fromkeys(name for view in views for name in VIEWS.get(view, ()))))


def show(place: str, names: Sequence[str], label: str | None = None) -> None:
    """Show terms as popovers side by side.

    Args:
        place: Distinct on the page.
        names: Names of the terms.
        label: What stands before them, 'Terms:' by default.
    """
    if names and not state.is_demo():
        fragment(_row)(place, tuple(names), label or _("Terms:"))


def _row(place: str, names: Sequence[str], label: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"terms_{place}"):
        st.markdown(label, width="content")
        for name in names:
            box = st.popover(_(name), type="tertiary", key=key_of(place, name), on_change="rerun")
            if box.open:
                with box:
                    meaning(term(name))


def key_of(place: str, name: str) -> str:
    """Return the key of the popover of a term."""
    plain = "".join(letter if letter.isalnum() else "_" for letter in name.lower())
    return f"term_{place}_{plain}"


def term(name: str) -> Term:
    """Return a term of the glossary by its English name."""
    return next(term for term in TERMS if term.name == name)


def meaning(term: Term) -> None:
    """Show what a term means, and the lesson that teaches it."""
    st.markdown(_(term.meaning))
    if term.lesson and has_page("learn"):
        st.page_link(
            "pages/learn.py", label=_("Lesson: {title}").format(title=_(lesson(term.lesson).title)),
            icon=":material/school:", query_params=state.current() | {"lesson": term.lesson},
        )  # fmt: skip
