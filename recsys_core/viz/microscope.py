"""The figure and the sentences of the metric microscope."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from recsys_core.evaluation.sentences import metric_text
from recsys_core.experiments.microscope import Microscope
from recsys_core.text import Sentence, Template, _, percent, whole
from recsys_core.viz.theme import BLUE, ORANGE, dressed, plain

BINS = 20
MEAN = Template(
    "{metric} of {model} is {value}, the value of {count} user; {zeros} have the value 0.",
    "{metric} of {model} is {value}, the mean over {count} users; {zeros} of them have the value 0.",
)
POOLED = Template(
    "{metric} of {model} is {value}, computed over the test ratings of {count} user.",
    "{metric} of {model} is {value}, computed over all test ratings of {count} users.",
)
OF_MODEL = Template("{metric} of {model} is {value}. It has one value per model, none per user.")
NO_VALUE = Template("{metric} of {model} is undefined: no user has a value.")
UNDEFINED = Template(
    "{count} test user is not counted, since the metric is undefined for this user.",
    "{count} test users are not counted, since the metric is undefined for them.",
)
COMMON_USERS = Template(
    "The leaderboard shows {value}, for the {count} user for whom every model has a value.",
    "The leaderboard shows {value}, for the {count} users for whom every model has a value.",
)
FIRST_TRAINING = Template(
    "Values of users are means over {count} training.",
    "Values of users are means over {count} trainings; the lists are those of the first training.",
)
ALIKE = Template("There is only one model.")
OVERLAP = Template(
    "Of the items in a list of {k}, {first} and {second} share the most: {share}."
    " {third} and {fourth} share the least: {least}."
)

OVERLAP_OF_ALL = Template("Of the items in a list of {k}, any two models share the same part: {share}.")


def sentences(
    shown: Microscope, *, metric: str, model: str, compared: tuple[float, int] | None = None
) -> list[Sentence]:
    """State the number, the users that it is the mean of, and the users left out.

    Args:
        shown: The metric of the model.
        metric: Display name of the metric.
        model: Title of the model.
        compared: If the models are compared by this metric: the mean on the leaderboard, and its number of users, who
            are fewer where another model has no value for some.
    """
    if shown.value is None:
        return [NO_VALUE.fill(metric=metric, model=model)]
    values = {"metric": metric, "model": model, "value": metric_text(shown.value)}
    if not shown.info.per_user:
        return [OF_MODEL.fill(**values)]
    number = len(shown.users)
    if shown.info.kind == "rating":
        stated = [POOLED.fill(number, **values)]
    else:
        zeros = int((shown.users["value"] == 0).sum())
        share = f"{whole(zeros)} ({percent(zeros / max(number, 1))})"
        stated = [MEAN.fill(number, zeros=share, **values)]
    if compared is not None and compared[1] != number:
        stated.append(COMMON_USERS.fill(compared[1], value=metric_text(compared[0])))
    if shown.undefined:
        stated.append(UNDEFINED.fill(shown.undefined))
    if shown.trainings > 1:
        stated.append(FIRST_TRAINING.fill(shown.trainings))
    return stated


def histogram(shown: Microscope) -> pd.DataFrame:
    """Return `low`, `high` and `users` of equally wide bins: from 0 to 1 for a share, else over the range of values."""
    values = shown.users["value"].to_numpy(np.float64)
    limits = (0.0, 1.0) if shown.info.is_share else (float(values.min()), float(values.max()))
    counts, edges = np.histogram(values, bins=BINS, range=limits)
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "users": counts})


def value_histogram(bins: pd.DataFrame, *, metric: str, value: float) -> go.Figure:
    """Return the histogram of the values of the users, with the number on the leaderboard as a line.

    Args:
        bins: Result of `histogram`.
        metric: Display name of the metric, with its unit if it has one.
        value: The number on the leaderboard.
    """
    figure = go.Figure().add_bar(
        x=(bins["low"] + bins["high"]) / 2,
        y=bins["users"],
        width=bins["high"] - bins["low"],
        marker={"color": BLUE, "line": {"width": 1, "color": "white"}},
        customdata=bins[["low", "high"]],
        hovertemplate=_("%{customdata[0]:.3f} to %{customdata[1]:.3f}: %{y:,} users<extra></extra>"),
    )
    figure.add_vline(
        x=value,
        line={"color": ORANGE, "width": 3},
        annotation={"text": _("all users: {value}").format(value=metric_text(value)), "yanchor": "bottom"},
        annotation_position="top",
    )
    dressed(figure, x=_("{metric} of a user").format(metric=plain(metric)), y=_("Users"), height=340)
    figure.update_layout(margin={"t": 40})
    return figure


def overlap(table: pd.DataFrame, *, k: int) -> Sentence:
    """State which two models recommend the most, and which the fewest, items in common.

    Args:
        table: Shares with the titles of the models as rows and columns.
        k: Length of the lists.
    """
    shares = table.to_numpy(np.float64)
    pairs = [
        (shares[one, other], str(table.index[one]), str(table.index[other]))
        for one in range(len(table))
        for other in range(len(table))
        if one != other and not np.isnan(shares[one, other])
    ]
    if not pairs:
        return ALIKE.fill()
    most, least = max(pairs), min(pairs)
    if most[0] == least[0]:
        return OVERLAP_OF_ALL.fill(k=str(k), share=percent(most[0]))
    return OVERLAP.fill(
        k=str(k),
        first=most[1],
        second=most[2],
        share=percent(most[0]),
        third=least[1],
        fourth=least[2],
        least=percent(least[0]),
    )
