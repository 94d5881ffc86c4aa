"""What each metric does at its edges: denominator, logarithm, empty lists, users without relevant items, ties."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from recsys_core.text import later


@dataclass(frozen=True)
class EdgeCases:
    """The conventions of a metric; each field is a message.

    Args:
        denominator: What the metric is divided by.
        empty_list: The value of a user for whom the model recommends nothing.
        no_relevant: The value of a user without relevant items.
        short_list: What happens to a list that is shorter than k.
        ties: How items with equal scores are ordered.
        logarithm: Base of the logarithm; empty if there is none.
    """

    denominator: str
    empty_list: str = later("0: it has no hit.")
    no_relevant: str = later("Undefined: the user is not counted.")
    short_list: str = later("The missing items count as misses.")
    ties: str = later("Items with equal scores are ordered by a hash of their identifiers and the seed.")
    logarithm: str = ""

    def rows(self) -> list[tuple[str, str]]:
        """Return the labels and the messages, without empty ones."""
        return [(LABELS[name], getattr(self, name)) for name in LABELS if getattr(self, name)]


LABELS: Mapping[str, str] = {
    "denominator": later("Denominator"),
    "logarithm": later("Logarithm"),
    "empty_list": later("Empty list"),
    "no_relevant": later("User without relevant items"),
    "short_list": later("List shorter than k"),
    "ties": later("Tied scores"),
}
"""Field -> label, in the order in which they are shown."""

LOG2 = later("Base 2; the base cancels, since the ideal list has the same discount.")
ANY_USER = later("Counted like any other: relevance plays no role.")
ONLY_LISTED = later("Only the items in the list count.")
_LISTED = EdgeCases(
    later("The number of items in the list, at most k."),
    empty_list=later("Undefined: the user is not counted."),
    no_relevant=ANY_USER,
    short_list=ONLY_LISTED,
)
_CATALOG = replace(
    _LISTED, denominator=later("The number of items in the catalog."), empty_list=later("It adds nothing.")
)
_RATED = EdgeCases(
    later("The number of test ratings: of all users, or of one user for the value of a user."),
    empty_list=later("No lists are used: every test rating is predicted."),
    no_relevant=later("Counted like any other: all test ratings count, relevant or not."),
    short_list="",
    ties="",
)
EDGE_CASES: Mapping[str, EdgeCases] = {
    "ndcg": EdgeCases(later("The DCG of an ideal list of min(k, |R|) hits."), logarithm=LOG2),
    "ndcg_graded": EdgeCases(
        later("The DCG of the relevant items in order of their ratings, cut at k."), logarithm=LOG2
    ),
    "precision": EdgeCases(later("k, even if the list is shorter.")),
    "recall": EdgeCases(later("|R|, the number of relevant items, even if it is greater than k.")),
    "f1": EdgeCases(later("k + |R|.")),
    "hit_rate": EdgeCases(later("None: the value of a user is 0 or 1.")),
    "map": EdgeCases(later("|R|, the number of relevant items, even if it is greater than k.")),
    "mrr": EdgeCases(later("The rank of the first hit.")),
    "r_precision": EdgeCases(later("|R|, the number of relevant items, even if it is greater than k.")),
    "ips_recall": EdgeCases(later("The sum of 1 / n over all relevant items of the user, n being at least 1.")),
    "serendipity": EdgeCases(later("k times the number of items in the catalog, even if the list is shorter.")),
    "auc": EdgeCases(
        later("The number of pairs of a relevant item and another candidate."),
        empty_list=later("0.5 if no candidate has a score, since all are tied."),
        short_list="",
        ties=later("A pair with equal scores counts one half."),
    ),
    "rmse": _RATED,
    "mae": _RATED,
    "novelty": replace(_LISTED, logarithm=later("Base 2: the unit is bits.")),
    "popularity": _LISTED,
    "diversity": replace(
        _LISTED,
        denominator=later("The number of pairs of items in the list."),
        empty_list=later("Undefined, as for a list of one item: the user is not counted."),
    ),
    "calibration": replace(
        _LISTED,
        denominator=later("None: both distributions sum to 1."),
        logarithm=later("Natural: the unit is nats."),
    ),
    "coverage": _CATALOG,
    "covered_users": replace(
        _CATALOG,
        denominator=later("The number of test users."),
        empty_list=later("The user counts as not covered."),
        short_list=later("One item is enough."),
    ),
    "personalization": replace(
        _CATALOG,
        denominator=later("The number of pairs of users with a list."),
        empty_list=later("The user is left out."),
    ),
    "gini": _CATALOG,
    "exposure_gini": replace(_CATALOG, logarithm=later("Base 2; the base cancels in the ratio.")),
}
"""Metric -> its edge cases."""
