"""Search in the list of experiments, and the table of them."""

from collections.abc import Collection, Iterable, Sequence

import pandas as pd

from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.sentences import interval_text, rounded
from recsys_core.experiments.experiment_cards import RunCard


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
        Columns `favorite`, `name`, `data`, `split`, `models` (keys), `metric` (title), `best` (key of the best model),
        `value` and `interval` (as text, with the decimals that the interval supports), `created`, `versions`, `tags`.
    """
    rows = [
        {
            "favorite": card.favorite,
            "name": card.name,
            "data": card.data_name,
            "split": card.split,
            "models": list(card.models),
            "metric": MetricName.parse(card.metric).title,
            "best": card.best.rpartition("-")[0] if card.best else "",
            "value": _value(card),
            "interval": interval_text(*card.interval) if card.interval else "",
            "created": card.created,
            "versions": ", ".join(card.versions),
            "tags": list(card.tags),
        }
        for card in cards
    ]
    return pd.DataFrame(rows)


def _value(card: RunCard) -> str:
    if card.best_value is None:
        return ""
    return rounded(card.best_value, *card.interval) if card.interval else f"{card.best_value:.3f}"


def _text_of(card: RunCard) -> str:
    parts = (card.name, card.data_name, card.split, card.note, card.id, card.metric, *card.models, *card.tags)
    return " ".join((*parts, *card.versions)).casefold()
