"""Search in the list of experiments, and the table of them."""

from collections.abc import Collection, Iterable, Sequence

import pandas as pd

from recsys_core.errors import ConfigError
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.sentences import interval_text
from recsys_core.experiments.experiment_cards import RunCard
from recsys_core.experiments.spec import BASELINES
from recsys_core.experiments.titles import split_title, states_text
from recsys_core.models.registry import model_class
from recsys_core.text import _


def matching(
    cards: Iterable[RunCard],
    text: str = "",
    *,
    tags: Collection[str] = (),
    data: Collection[str] = (),
    archived: bool = False,
) -> list[RunCard]:
    """Return the experiments that match, favorites first, then the latest.

    Args:
        cards: All experiments.
        text: Words that must all occur in the name, data set, split, models, tags, note, version or id; capitals do
            not matter.
        tags: Tags that it must all have.
        data: Fingerprints of data sets, one of which it must have; empty: any.
        archived: Whether archived experiments are included.
    """
    words = text.casefold().split()
    found = [
        card
        for card in cards
        if (archived or not card.archived)
        and set(tags) <= set(card.tags)
        and (not data or card.data in data)
        and all(word in _text_of(card) for word in words)
    ]
    return sorted(found, key=lambda card: (not card.favorite, -card.created.timestamp()))


def all_tags(cards: Iterable[RunCard]) -> list[str]:
    """Return the tags of experiments in alphabetical order."""
    return sorted({tag for card in cards for tag in card.tags}, key=str.casefold)


def table_of(cards: Sequence[RunCard]) -> pd.DataFrame:
    """Return one row per experiment.

    Returns:
        Columns `name` (with a star for favorites, and whether it is a re-run or from a run card), `data`, `split`,
        `models` (without the baselines), `metric` (title), `value`, `interval` (as text), `state`, `created`,
        `versions`, `best` (title of the best model), `tags`.
    """
    titles = {key: _title(key) for key in {key for card in cards for key in card.models}}
    splits = {kind: split_title(kind) for kind in {card.split for card in cards}}
    metrics = {name: MetricName.parse(name).title for name in {card.metric for card in cards}}
    rows = [
        {
            "name": _shown_name(card),
            "data": card.data_name,
            "split": splits[card.split],
            "models": ", ".join(titles[key] for key in dict.fromkeys(card.models) if key not in BASELINES),
            "metric": metrics[card.metric],
            "value": card.best_value,
            "interval": interval_text(card.interval[0], card.interval[1]) if card.interval else "",
            "state": states_text(card.states.values()),
            "created": card.created,
            "versions": ", ".join(card.versions),
            "best": titles.get(card.best.rpartition("-")[0], "") if card.best else "",
            "tags": list(card.tags),
        }
        for card in cards
    ]
    return pd.DataFrame(rows).astype({"value": "float64"}) if rows else pd.DataFrame()


def _shown_name(card: RunCard) -> str:
    parts = ["★"] if card.favorite else []
    parts.append(card.name)
    if card.repetition:
        parts.append(_("(re-run {n})").format(n=card.repetition))
    if card.imported:
        parts.append(_("(run card)"))
    return " ".join(parts)


def _title(key: str) -> str:
    try:
        return _(model_class(key).info.title)
    except ConfigError:  # a model of another version
        return key


def _text_of(card: RunCard) -> str:
    parts = (card.name, card.data_name, card.split, card.note, card.id, card.metric, *card.models, *card.tags)
    return " ".join((*parts, *card.versions)).casefold()
