"""The evaluation protocol of an experiment as a form: train/test split, relevance, list length, seed."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.train_parts import question, split_preview
from pages.ui import services, show, state
from pages.ui.forms import KEPT
from pages.ui.text import _, later, paragraph
from recsys_core.experiments import titles

if TYPE_CHECKING:
    from recsys_core.contracts import RatingScale
    from recsys_core.data.dataset import Dataset

SPLITS = {
    "ratio": (
        titles.SPLITS["ratio"],
        later("A random share of each user's interactions is held out for testing."),
    ),
    "leave_last_out": (
        titles.SPLITS["leave_last_out"],
        later(
            "Each user's latest interactions are held out for testing: the task is to predict what the user does next."
        ),
    ),
    "global_time": (
        titles.SPLITS["global_time"],
        later(
            "Models are trained on the interactions before one point in time and tested on those after it, "
            "as in production."
        ),
    ),
    "k_fold": (
        titles.SPLITS["k_fold"],
        later(
            "All interactions are divided into k folds; each fold is the test set once. Slower, but with less variance."
        ),
    ),
    "user_holdout": (
        titles.SPLITS["user_holdout"],
        later("Some users are held out of training entirely; at test time, models receive 80% of their history."),
    ),
    "item_holdout": (
        titles.SPLITS["item_holdout"],
        later(
            "Some items are held out of training entirely, and only these are ranked. Only models that use "
            "item features can rank them."
        ),
    ),
    "uploaded": (
        titles.SPLITS["uploaded"],
        later("All interactions of this data set are used for training; another stored data set is the test set."),
    ),
}
CUTOFFS = (1, 3, 5, 10, 20, 50, 100)
DEFAULT_SEED = 42


def form(dataset: "Dataset") -> dict[str, Any]:
    """Show the protocol with explanations and the leakage of the split; return the fields of an `ExperimentSpec`."""
    wanted = question.form(dataset)
    split, seed = _split(dataset)
    split_preview.panel(dataset, split, seed, wanted)
    evaluation = _relevance_and_k(dataset)
    return {"data": dataset.fingerprint, "split": split, "seed": seed, **wanted, **evaluation}


def _split(dataset: "Dataset") -> tuple[dict[str, Any], int]:
    names = {kind: _(name) for kind, (name, _idea) in SPLITS.items() if kind != "global_time" or dataset.has_timestamps}
    chosen, numbers = st.columns(2, gap="medium")
    with chosen:
        kind = show.select(_("Train/test split"), names, "protocol_split", persist_state=KEPT)
        st.markdown(_(SPLITS[kind][1]))
        if not dataset.has_timestamps:
            paragraph(
                "This data set has no timestamps: the global time split is not available, and a user's latest "
                "interaction is the last one in the file."
            )
    values: dict[str, Any] = {"kind": kind}
    with numbers, st.container(horizontal=True, key="protocol_split_numbers"):
        if kind in ("ratio", "global_time", "user_holdout", "item_holdout"):
            values["test_fraction"] = _share(_("Test share"), 20, "protocol_test")
            if kind == "global_time":
                values["windows"] = _number(
                    _("Time windows"),
                    1,
                    20,
                    1,
                    "protocol_windows",
                    help=_("Consecutive parts of the test period; models are trained anew before each."),
                )
        elif kind == "leave_last_out":
            values["last"] = _number(_("Held out per user"), 1, 100, 1, "protocol_last")
        elif kind == "k_fold":
            values["folds"] = _number(_("Number of folds"), 2, 20, 5, "protocol_folds")
        else:
            values["test_data"] = _test_data(dataset)
        values["validation_fraction"] = _share(
            _("Validation share"),
            10,
            "protocol_validation",
            low=0,
            tip=_("Share of the training set held out for validation; early stopping and tuning use it."),
        )
        seed = _seed()
    return values, seed


def _share(label: str, start: int, key: str, *, low: int = 1, tip: str | None = None) -> float:
    return _number(f"{label}, %", low, 90, start, key, help=tip) / 100


def _number(label: str, low: int, high: int, start: int, key: str, **options: Any) -> int:
    value: int = st.number_input(label, low, high, start, key=key, width=180, persist_state=KEPT, **options)
    return value


def _test_data(dataset: "Dataset") -> str | None:
    others = [card for card in services.cards() if card.fingerprint != dataset.fingerprint]
    if not others:
        paragraph("The workspace contains no other data set. Upload the test set on the Data page first.")
        return None
    names = {card.fingerprint: card.name for card in others}
    chosen: str = show.select(_("Test set"), names, "protocol_test_data", persist_state=KEPT)
    return chosen


def _seed() -> int:
    widget = "protocol_seed"
    requested = state.get("seed") or ""
    if widget not in st.session_state:
        st.session_state[widget] = (
            int(requested) if requested.isascii() and requested.isdigit() and len(requested) < 10 else DEFAULT_SEED
        )
    seed = st.number_input(
        _("Seed"),
        0,
        2**31 - 1,
        key=widget,
        width=180,
        persist_state=KEPT,
        help=_(
            "Seed of all random number generators: the same seed gives the same split and, on the same number of "
            "cores, the same models and the same results."
        ),
        on_change=lambda: state.put("seed", str(st.session_state[widget])),
    )
    return int(seed)


def _relevance_and_k(dataset: "Dataset") -> dict[str, Any]:
    """Show relevance, training interactions and list length; return their `ExperimentSpec` fields."""
    values: dict[str, Any] = {"relevant_from": None, "train_on": "all"}
    liked, learned, length = st.columns(3, gap="medium")
    with liked:
        if dataset.rating_scale is None:
            paragraph("This data set has no ratings: every held-out interaction is relevant.")
        else:
            values["relevant_from"] = _threshold(dataset.rating_scale, f"protocol_liked_{dataset.fingerprint}")
    with learned:
        if values["relevant_from"] is not None:
            values["train_on"] = show.select(
                _("Train ranking models on"),
                {"all": _("all interactions"), "relevant": _("relevant interactions only")},
                "protocol_train_on",
                persist_state=KEPT,
                help=_("Rating-prediction models are always trained on all ratings."),
            )
    with length:
        values["k"] = st.number_input(
            _("List length (k)"),
            1,
            1000,
            10,
            key="protocol_k",
            persist_state=KEPT,
            help=_("Recommendations per user. By default, the leaderboard is sorted by NDCG at this cutoff."),
        )
        values["cutoffs"] = st.multiselect(
            _("Additional cutoffs"), CUTOFFS, default=[1, 5, 10, 20, 50], key="protocol_cutoffs", persist_state=KEPT
        ) or [values["k"]]
    return values


def _threshold(scale: "RatingScale", rating_key: str) -> float | None:
    from recsys_core.experiments.suggestion import relevance_threshold

    low, high = float(scale.low), float(scale.high)
    start = relevance_threshold(scale)
    if start is None:
        return None
    rated = show.select(
        _("Relevant test interactions"),
        {True: _("ratings at or above a threshold"), False: _("all held-out interactions")},
        "protocol_rated",
        persist_state=KEPT,
        help=_("A recommended item is a hit only if its held-out interaction is relevant."),
    )
    if not rated:
        return None
    return st.number_input(
        _("Minimum relevant rating"),
        low,
        high,
        start,
        step=0.5,
        format="%g",
        key=rating_key,
        persist_state=KEPT,
    )
