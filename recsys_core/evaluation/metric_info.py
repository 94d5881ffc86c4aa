"""The metrics: names, formulas, explanations, and which values are better."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from recsys_core.errors import ConfigError
from recsys_core.text import _

Direction = Literal["higher", "lower", "neither"]
Kind = Literal["accuracy", "rating", "beyond"]
Part = Literal["", "head", "tail"]
PARTS: tuple[Part, ...] = ("", "head", "tail")
"""All items, the popular items (head), all others (tail)."""


@dataclass(frozen=True)
class MetricInfo:
    """Description of a metric.

    Args:
        key: Name without cut-off and part, such as `ndcg`.
        title: Name in the literature.
        formula: LaTeX; h_r is 1 if the item at rank r is relevant, R the relevant items of the user.
        idea: What it measures, its denominator, and when it is undefined.
        direction: Which values are better.
        kind: Whether it is computed from relevant items, from ratings, or from the recommended items alone.
        at_cutoff: Whether it is computed at a cut-off k.
        per_user: Whether there is one value per user; else one per model.
        unit: Empty for shares.
    """

    key: str
    title: str
    formula: str
    idea: str
    direction: Direction = "higher"
    kind: Kind = "accuracy"
    at_cutoff: bool = True
    per_user: bool = True
    unit: str = ""

    @property
    def is_share(self) -> bool:
        """Whether every value lies between 0 and 1."""
        return not self.unit


METRICS: Mapping[str, MetricInfo] = {
    info.key: info
    for info in (
        MetricInfo(
            "ndcg",
            "NDCG",
            r"\frac{\sum_{r=1}^{k} h_r / \log_2(r+1)}{\sum_{r=1}^{\min(k,|R|)} 1 / \log_2(r+1)}",
            "Relevant items near the top count most; 1 is the ideal order. The ideal list is cut at k. Undefined for a "
            "user without relevant items.",
        ),
        MetricInfo(
            "ndcg_graded",
            "NDCG (graded)",
            r"\frac{\sum_{r=1}^{k} h_r g_r / \log_2(r+1)}{\sum_{r=1}^{\min(k,|R|)} g_{(r)} / \log_2(r+1)}",
            "NDCG with the rating g of a relevant item as its gain, so the highest rated items should come first; "
            "g_(r) are the gains in descending order. Only in data with ratings. Undefined for a user without relevant "
            "items.",
        ),
        MetricInfo(
            "precision",
            "Precision",
            r"\frac{1}{k}\sum_{r=1}^{k} h_r",
            "Share of the recommended items that are relevant. Divided by k, even if the list is shorter. Undefined "
            "for a user without relevant items.",
        ),
        MetricInfo(
            "recall",
            "Recall",
            r"\frac{1}{|R|}\sum_{r=1}^{k} h_r",
            "Share of the relevant items that are recommended. Divided by the number of relevant items (some "
            "libraries divide by min(k, |R|)). Undefined for a user without relevant items.",
        ),
        MetricInfo(
            "f1",
            "F1",
            r"\frac{2\sum_{r=1}^{k} h_r}{k+|R|}",
            "Harmonic mean of precision and recall. Undefined for a user without relevant items.",
        ),
        MetricInfo(
            "hit_rate",
            "Hit rate",
            r"\max_{r \le k} h_r",
            "Share of users with at least one relevant item in their list. Undefined for a user without relevant "
            "items.",
        ),
        MetricInfo(
            "map",
            "MAP",
            r"\frac{1}{|R|}\sum_{r=1}^{k} h_r \frac{1}{r}\sum_{s=1}^{r} h_s",
            "Mean, over the relevant items, of the precision at the rank of each. Divided by the number of relevant "
            "items (some libraries divide by min(k, |R|)). Undefined for a user without relevant items.",
        ),
        MetricInfo(
            "mrr",
            "MRR",
            r"\max_{r \le k} \frac{h_r}{r}",
            "Reciprocal rank of the first relevant item; 0 if none is in the list. Undefined for a user without "
            "relevant items.",
        ),
        MetricInfo(
            "r_precision",
            "R-precision",
            r"\frac{1}{|R|}\sum_{r=1}^{\min(k,|R|)} h_r",
            "Precision of the first |R| items of the list, as many as the user has relevant items; 1 is a list that "
            "starts with all of them. The list is cut at k. Undefined for a user without relevant items.",
        ),
        MetricInfo(
            "ips_recall",
            "IPS recall",
            r"\frac{\sum_{r=1}^{k} h_r / n_{i_r}}{\sum_{i \in R} 1 / n_i}",
            "Popularity-debiased recall (inverse propensity scoring, self-normalized): a relevant item counts the "
            "more, the fewer training interactions n (at least 1) it has. Undefined for a user without relevant items.",
        ),
        MetricInfo(
            "serendipity",
            "Serendipity",
            r"\frac{1}{k}\sum_{r=1}^{k} h_r \max\Big(0, \frac{q_{i_r} - r}{|I|}\Big)",
            "How far relevant items are ranked above their rank q by popularity, as a share of the catalog I; popular "
            "items and irrelevant ones add nothing. Divided by k. Undefined for a user without relevant items.",
        ),
        MetricInfo(
            "auc",
            "AUC",
            r"\frac{1}{|R|\,|N|}\sum_{i \in R}\sum_{j \in N} [s_i > s_j] + \tfrac12 [s_i = s_j]",
            "Probability that a relevant item is scored above another candidate; 0.5 is chance. N are the items "
            "neither relevant nor seen in training; items that the model cannot score rank below all others. "
            "Undefined if R or N is empty.",
            at_cutoff=False,
        ),
        MetricInfo(
            "rmse",
            "RMSE",
            r"\sqrt{\frac{1}{|T|}\sum_{(u,i) \in T} (\hat r_{ui} - r_{ui})^2}",
            "Root mean squared error of the predicted ratings over the whole test set T; large errors weigh more "
            "(some libraries average each user's RMSE). A user's own value is computed over the user's ratings; "
            "undefined without any.",
            direction="lower",
            kind="rating",
            at_cutoff=False,
            unit="points of the rating scale",
        ),
        MetricInfo(
            "mae",
            "MAE",
            r"\frac{1}{|T|}\sum_{(u,i) \in T} |\hat r_{ui} - r_{ui}|",
            "Mean absolute error of the predicted ratings over the whole test set T. A user's own value is computed "
            "over the user's ratings; undefined without any.",
            direction="lower",
            kind="rating",
            at_cutoff=False,
            unit="points of the rating scale",
        ),
        MetricInfo(
            "novelty",
            "Novelty",
            r"\frac{1}{|L|}\sum_{i \in L} \log_2 \frac{|U|}{\max(1, n_i)}",
            "Mean self-information of the recommended items L: one bit more means half as popular. U are the training "
            "users, n_i the number of them who interacted with item i. Undefined for an empty list.",
            direction="neither",
            kind="beyond",
            unit="bits",
        ),
        MetricInfo(
            "popularity",
            "Mean popularity",
            r"\frac{1}{|L|}\sum_{i \in L} \frac{n_i}{|U|}",
            "Share of the training users who interacted with a recommended item, averaged over the list L. Undefined "
            "for an empty list.",
            direction="neither",
            kind="beyond",
        ),
        MetricInfo(
            "diversity",
            "Diversity",
            r"1 - \frac{2}{|L|(|L|-1)}\sum_{i < j \in L} \cos(v_i, v_j)",
            "Intra-list diversity: 1 minus the mean cosine similarity of the item pairs in a list, by co-occurrence "
            "or by categories. Undefined for lists of fewer than two items.",
            direction="neither",
            kind="beyond",
        ),
        MetricInfo(
            "calibration",
            "Calibration (KL)",
            r"\sum_g p_g \ln \frac{p_g}{0.99\, q_g + 0.01\, p_g}",
            "Kullback-Leibler divergence of the categories in the list (q) from those in the user's history (p): 0 if "
            "both have the same proportions, 4.6 if they share none. Only for items with categories. Undefined if "
            "history or list have none.",
            direction="neither",
            kind="beyond",
            unit="nats",
        ),
        MetricInfo(
            "coverage",
            "Catalog coverage",
            r"\frac{1}{|I|}\Big|\bigcup_u L_u\Big|",
            "Share of the catalog that is recommended to at least one user.",
            direction="neither",
            kind="beyond",
            per_user=False,
        ),
        MetricInfo(
            "covered_users",
            "Covered users",
            r"\frac{1}{|U|}\sum_u [L_u \ne \emptyset]",
            "Share of the test users U with at least one recommendation.",
            kind="beyond",
            per_user=False,
        ),
        MetricInfo(
            "personalization",
            "Personalization",
            r"1 - \frac{1}{|U|(|U|-1)}\sum_{u \ne v} \frac{|L_u \cap L_v|}{\sqrt{|L_u|\,|L_v|}}",
            "1 minus the mean cosine similarity of the lists of two users: 0 if all users get the same items, 1 if no "
            "two lists share an item. U are the users with a list. Undefined for fewer than two of them.",
            direction="neither",
            kind="beyond",
            per_user=False,
        ),
        MetricInfo(
            "gini",
            "Gini index (exposure)",
            r"\frac{\sum_{j=1}^{|I|} (2j - |I| - 1)\, e_{(j)}}{|I| \sum_j e_{(j)}}",
            "Inequality of exposure over the catalog: 0 if all items are recommended equally often, near 1 if a few "
            "items get all recommendations. e are the sorted numbers of lists that contain each item. Undefined if "
            "all lists are empty.",
            direction="neither",
            kind="beyond",
            per_user=False,
        ),
        MetricInfo(
            "exposure_gini",
            "Gini index (rank-weighted exposure)",
            r"\frac{\sum_{j=1}^{|I|} (2j - |I| - 1)\, e_{(j)}}{|I| \sum_j e_{(j)}},\quad e_i = "
            r"\sum_{u:\, i \in L_u} \frac{1}{\log_2(r_{ui}+1)}",
            "Inequality of exposure over the catalog, where an item near the top of a list is exposed more than one at "
            "its end: e are the sorted sums of the discounts of NDCG. Undefined if all lists are empty.",
            direction="neither",
            kind="beyond",
            per_user=False,
        ),
    )
}
"""Metrics by key, in the order of the leaderboard."""


@dataclass(frozen=True)
class MetricName:
    """The parts of a column name such as `ndcg@10:tail`."""

    key: str
    k: int | None = None
    part: Part = ""

    @classmethod
    def parse(cls, name: str) -> "MetricName":
        """Parse a column name.

        Raises:
            ConfigError: The metric, cut-off or part does not exist.
        """
        rest, _unused, part = name.partition(":")
        key, _unused, cutoff = rest.partition("@")
        info = METRICS.get(key)
        if info is None:
            raise ConfigError(
                _("There is no metric '{key}'. Known: {metrics}.").format(key=key, metrics=", ".join(METRICS))
            )
        well_cut = cutoff.isdecimal() and int(cutoff) > 0 if info.at_cutoff else "@" not in rest
        if not well_cut or part not in PARTS:
            example = f"{key}@10" if info.at_cutoff else key
            raise ConfigError(
                _("'{name}' is not a metric; write {example}, {example}:head or {example}:tail.").format(
                    name=name, example=example
                )
            )
        return cls(key, int(cutoff) if info.at_cutoff else None, part)

    def __str__(self) -> str:
        cutoff = f"@{self.k}" if self.k is not None else ""
        return f"{self.key}{cutoff}{':' if self.part else ''}{self.part}"

    @property
    def info(self) -> MetricInfo:
        """Description of the metric."""
        return METRICS[self.key]

    @property
    def title(self) -> str:
        """Display name with cut-off and part, such as NDCG@10 (tail)."""
        title = _(self.info.title)
        title = f"{title}@{self.k}" if self.k is not None else title
        return f"{title} ({_(self.part)})" if self.part else title
