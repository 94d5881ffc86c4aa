"""The rules of an experiment as a form: how data are parted, what counts as liked, length of lists, seed."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.ui import services, state
from pages.ui.forms import KEPT
from pages.ui.text import _, count, later, n_, percent, safe
from recsys_core.errors import RecscopeError

if TYPE_CHECKING:
    from recsys_core.data.dataset import Dataset
    from recsys_core.data.leaks import LeakReport

SPLITS = {
    "ratio": (
        later("Random part of each user"),
        later("Some of each user's interactions, chosen at random, are hidden; models must find them."),
    ),
    "leave_last_out": (
        later("Each user's latest"),
        later("The latest interactions of each user are hidden: what did this person do next?"),
    ),
    "global_time": (
        later("Everything after a moment"),
        later("Models learn from before one moment and are judged by what came after it, as in real life."),
    ),
    "k_fold": (
        later("Folds"),
        later("All interactions are dealt into folds; each fold is hidden once. Slower, and steadier."),
    ),
    "user_holdout": (
        later("Unknown people"),
        later("Some users are hidden whole; models meet them with a part of their history only."),
    ),
    "item_holdout": (
        later("New items"),
        later(
            "Some items are hidden whole, and only these are ranked: which of the new items would this person choose? "
            "Only models that read what is known about items can tell."
        ),
    ),
    "uploaded": (
        later("A test set of my own"),
        later("All of this data set trains; another stored data set holds the test cases."),
    ),
}
CUTOFFS = (1, 3, 5, 10, 20, 50, 100)
PREVIEW_ROWS = 2_000_000
"""Leaks of larger data are counted by the job, since counting would hold up the page."""
DEFAULT_SEED = 42
LIKED_SHARE = 0.75
"""Where 'liked' begins on a rating scale unless the person says otherwise: 4 on a scale from 1 to 5."""


def form(dataset: "Dataset", key: str = "protocol") -> dict[str, Any]:
    """Show the rules with their sentences and the leaks of the split; return the fields of an `ExperimentSpec`."""
    rules, preview = st.columns([3, 2], gap="large")
    with rules:
        split, seed = _split(dataset, key)
    with preview:
        _leaks(dataset, split, seed)
    judged = _judged(dataset, key)
    return {"data": dataset.fingerprint, "split": split, "seed": seed, **judged}


def _split(dataset: "Dataset", key: str) -> tuple[dict[str, Any], int]:
    kinds = [kind for kind in SPLITS if kind != "global_time" or dataset.has_timestamps]
    kind = st.selectbox(
        _("How data are parted (split)"),
        kinds,
        format_func=lambda one: _(SPLITS[one][0]),
        key=f"{key}_split",
        persist_state=KEPT,
    )
    st.markdown(_(SPLITS[kind][1]))
    if not dataset.has_timestamps:
        st.markdown(
            _("These data know no time: a split by time is not offered, and the latest is the last of the file.")
        )
    values: dict[str, Any] = {"kind": kind}
    with st.container(horizontal=True, key=f"{key}_split_numbers"):
        if kind in ("ratio", "global_time", "user_holdout", "item_holdout"):
            values["test_fraction"] = _share(_("Hidden for the test"), 20, f"{key}_test")
        elif kind == "leave_last_out":
            values["last"] = st.number_input(
                _("Hidden of each user"), 1, 100, 1, key=f"{key}_last", width=180, persist_state=KEPT
            )
        elif kind == "k_fold":
            values["folds"] = st.number_input(
                _("Number of folds"), 2, 20, 5, key=f"{key}_folds", width=180, persist_state=KEPT
            )
        else:
            values["test_data"] = _test_data(dataset, key)
        values["validation_fraction"] = _share(
            _("Set aside for choosing"),
            10,
            f"{key}_validation",
            low=0,
            tip=_("Share of the training part (validation) that early stopping and tuning may look at."),
        )
        seed = _seed(key)
    return values, seed


def _share(label: str, start: int, key: str, *, low: int = 1, tip: str | None = None) -> float:
    return st.number_input(f"{label}, %", low, 90, start, key=key, width=180, help=tip, persist_state=KEPT) / 100


def _test_data(dataset: "Dataset", key: str) -> str | None:
    others = [card for card in services.cards() if card.fingerprint != dataset.fingerprint]
    if not others:
        st.markdown(_("There is no other data set in the workspace; bring the test cases in on the Data page first."))
        return None
    names = {card.fingerprint: card.name for card in others}
    return st.selectbox(
        _("Data set with the test cases"),
        list(names),
        format_func=names.get,
        key=f"{key}_test_data",
        persist_state=KEPT,
    )


def _seed(key: str) -> int:
    widget = f"{key}_seed"
    asked = state.get("seed") or ""
    if widget not in st.session_state:
        st.session_state[widget] = (
            int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else DEFAULT_SEED
        )
    seed = st.number_input(
        _("Seed"),
        0,
        2**31 - 1,
        key=widget,
        width=180,
        persist_state=KEPT,
        help=_("Start of all random numbers: the same seed gives the same split, the same models and the same result."),
        on_change=lambda: state.put("seed", str(st.session_state[widget])),
    )
    return int(seed)


def _judged(dataset: "Dataset", key: str) -> dict[str, Any]:
    """Show what counts as liked, what models learn from, and the length of lists."""
    values: dict[str, Any] = {"relevant_from": None, "train_on": "all"}
    liked, learned, length = st.columns(3, gap="medium")
    with liked:
        if dataset.rating_scale is None:
            st.markdown(_("These data have no ratings: every hidden interaction counts as liked."))
        else:
            values["relevant_from"] = _threshold(dataset, key)
    with learned:
        if values["relevant_from"] is not None:
            values["train_on"] = st.selectbox(
                _("Ranking models learn from"),
                ["all", "relevant"],
                format_func=lambda one: _("every interaction") if one == "all" else _("liked ones only"),
                key=f"{key}_train_on",
                persist_state=KEPT,
                help=_("Models that predict ratings always see every rating."),
            )
    with length:
        values["k"] = st.number_input(
            _("Length of the list (k)"),
            1,
            1000,
            10,
            key=f"{key}_k",
            persist_state=KEPT,
            help=_("The leaderboard is sorted by the quality of the first k places."),
        )
        values["cutoffs"] = st.multiselect(
            _("Also measured at"), CUTOFFS, default=[1, 5, 10, 20, 50], key=f"{key}_cutoffs", persist_state=KEPT
        ) or [values["k"]]
    return values


def _threshold(dataset: "Dataset", key: str) -> float | None:
    scale = dataset.rating_scale
    low, high = float(scale.low), float(scale.high)
    start = min(high, max(low, round(2 * (low + LIKED_SHARE * (high - low))) / 2))
    if low == high:
        return None
    rated = st.selectbox(
        _("Counts as liked (relevant)"),
        [True, False],
        format_func=lambda one: _("what is rated high enough") if one else _("everything hidden"),
        key=f"{key}_rated",
        persist_state=KEPT,
        help=_("Only hidden interactions that count as liked are hits."),
    )
    if not rated:
        return None
    return st.number_input(
        _("Rated at least"),
        low,
        high,
        start,
        step=0.5,
        format="%g",
        key=f"{key}_liked_{dataset.fingerprint}",
        persist_state=KEPT,
    )


def _leaks(dataset: "Dataset", split: dict[str, Any], seed: int) -> None:
    """Show in words what models would know of the future under this split."""
    with st.container(border=True, key="leaks"):
        st.markdown("**" + _("What this split gives, and what it leaks") + "**")
        if split["kind"] == "uploaded" and not split.get("test_data"):
            st.markdown(_("Choose the test cases first."))
            return
        card = services.card(dataset.fingerprint)
        if card is not None and card.n_interactions > PREVIEW_ROWS:
            st.markdown(_("The data are large: leaks are counted when the training starts and shown with the result."))
            return
        try:
            report = leaks(dataset.fingerprint, tuple(sorted(split.items())), seed)
        except RecscopeError as error:
            st.error(safe(error))
            return
        for sentence in leak_sentences(report):
            st.markdown("- " + sentence)


def leaks(fingerprint: str, split: tuple[tuple[str, Any], ...], seed: int) -> "LeakReport":
    """Return the leaks of a split (its first fold), counted once for each split and seed."""
    return _counted(str(services.root()), fingerprint, split, seed)


@st.cache_data(max_entries=64, show_spinner=False)
def _counted(folder: str, fingerprint: str, split: tuple[tuple[str, Any], ...], seed: int) -> "LeakReport":
    from recsys_core.data.leaks import count_leaks
    from recsys_core.data.splits import SplitSpec, make_splits

    spec = SplitSpec.model_validate(dict(split))
    test_data = services.dataset(spec.test_data) if spec.test_data else None
    return count_leaks(make_splits(services.dataset(fingerprint), spec, seed, test_data)[0])


def leak_sentences(report: "LeakReport") -> list[str]:
    """Return what a leak report says in plain words, its numbers in it."""
    total = max(1, report.test_rows)
    sentences = [
        _("{train} interactions to learn from, {test} to be found.").format(
            train=count(report.train_rows), test=count(report.test_rows)
        )
    ]
    if report.tests_with_later_training is None:
        sentences.append(_("No time is known, so leaks from the future cannot be counted."))
    elif report.tests_with_later_training == 0:
        sentences.append(_("No model learns from anything later than a test case."))
    else:
        sentences.append(
            _("**{share} of the test cases ({n}) lie before something that models learn from**: they know the future.")
            .format(share=percent(report.tests_with_later_training / total), n=count(report.tests_with_later_training))
        )  # fmt: skip
    if report.tests_of_unborn_items:
        sentences.append(
            n_(
                "{n} test case is of an item that nobody in the training part had touched by then.",
                "{n} test cases are of items that nobody in the training part had touched by then.",
                report.tests_of_unborn_items,
            )
        )
    if report.tests_of_unseen_items:
        sentences.append(
            n_(
                "{n} test case is of an item without any training: hardly any model can find it.",
                "{n} test cases are of items without any training: hardly any model can find them.",
                report.tests_of_unseen_items,
            )
        )
    return sentences
