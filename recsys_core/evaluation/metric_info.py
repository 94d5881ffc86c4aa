"""What metrics there are: names, formulas, what they say, which values are better."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from recsys_core.errors import ConfigError

Direction = Literal["higher", "lower", "neither"]
Kind = Literal["accuracy", "rating", "beyond"]
Part = Literal["", "head", "tail"]
PARTS: tuple[Part, ...] = ("", "head", "tail")
"""All items, the popular ones, the others."""


@dataclass(frozen=True)
class MetricInfo:
    """What a person should know about a metric.

    Args:
        key: Name without cut-off and part, such as `ndcg`.
        title: Name in the field.
        formula: LaTeX; h_r is 1 where place r holds a relevant item, R the relevant items of the user.
        idea: What it says, what it is divided by, and when it is undefined, in plain words.
        direction: Which values are better.
        kind: By relevant items, by ratings, or by the recommended items alone.
        at_cutoff: Whether it is taken at a length of list.
        per_user: Whether there is one value a user; else one a model.
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
            "Relevant items near the top count most; 1 is the best list that there could be. The ideal list is cut "
            "at k. Undefined for a user without relevant items.",
        ),
        MetricInfo(
            "precision",
            "Precision",
            r"\frac{1}{k}\sum_{r=1}^{k} h_r",
            "Share of the list that the user liked. Divided by k, also where the list is shorter. Undefined for a "
            "user without relevant items.",
        ),
        MetricInfo(
            "recall",
            "Recall",
            r"\frac{1}{|R|}\sum_{r=1}^{k} h_r",
            "Share of what the user liked that the list found. Divided by the number of relevant items (others "
            "divide by min(k, |R|)). Undefined for a user without relevant items.",
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
            "Share of users whose list holds at least one item that they liked. Undefined for a user without "
            "relevant items.",
        ),
        MetricInfo(
            "map",
            "MAP",
            r"\frac{1}{|R|}\sum_{r=1}^{k} h_r \frac{1}{r}\sum_{s=1}^{r} h_s",
            "Mean, over the relevant items, of the precision at the place where each was found. Divided by the "
            "number of relevant items (others divide by min(k, |R|)). Undefined for a user without relevant items.",
        ),
        MetricInfo(
            "mrr",
            "MRR",
            r"\max_{r \le k} \frac{h_r}{r}",
            "One divided by the place of the first item that the user liked; 0 if none is in the list. Undefined "
            "for a user without relevant items.",
        ),
        MetricInfo(
            "auc",
            "AUC",
            r"\frac{1}{|R|\,|N|}\sum_{i \in R}\sum_{j \in N} [s_i > s_j] + \tfrac12 [s_i = s_j]",
            "How often an item that the user liked is scored above another one; 0.5 is chance. N are the items "
            "neither relevant nor seen in training; an item that the model cannot score stands below all others. "
            "Undefined where one of the two groups is empty.",
            at_cutoff=False,
        ),
        MetricInfo(
            "rmse",
            "RMSE",
            r"\sqrt{\frac{1}{|T|}\sum_{(u,i) \in T} (\hat r_{ui} - r_{ui})^2}",
            "Typical error of a predicted rating, large errors weighing more, over all ratings of the test part T "
            "(others take the mean of each user's RMSE). A user's own value is over the user's ratings; undefined "
            "without any.",
            direction="lower",
            kind="rating",
            at_cutoff=False,
            unit="points of the rating scale",
        ),
        MetricInfo(
            "mae",
            "MAE",
            r"\frac{1}{|T|}\sum_{(u,i) \in T} |\hat r_{ui} - r_{ui}|",
            "Mean error of a predicted rating over all ratings of the test part T. A user's own value is over the "
            "user's ratings; undefined without any.",
            direction="lower",
            kind="rating",
            at_cutoff=False,
            unit="points of the rating scale",
        ),
        MetricInfo(
            "novelty",
            "Novelty",
            r"\frac{1}{|L|}\sum_{i \in L} \log_2 \frac{|U|}{\max(1, n_i)}",
            "How rarely the recommended items L are chosen: one bit more is half as popular. U are the users of the "
            "training part, n_i those of them who had item i. Undefined for an empty list.",
            direction="neither",
            kind="beyond",
            unit="bits",
        ),
        MetricInfo(
            "popularity",
            "Popularity",
            r"\frac{1}{|L|}\sum_{i \in L} \frac{n_i}{|U|}",
            "Share of the training users who had a recommended item, on average over the list L. Undefined for an "
            "empty list.",
            direction="neither",
            kind="beyond",
        ),
        MetricInfo(
            "diversity",
            "Diversity",
            r"1 - \frac{2}{|L|(|L|-1)}\sum_{i < j \in L} \cos(v_i, v_j)",
            "How different the items of one list are: 1 minus the mean cosine similarity of its pairs, by the users "
            "who chose them or by their categories. Undefined for lists of fewer than two items.",
            direction="neither",
            kind="beyond",
        ),
        MetricInfo(
            "coverage",
            "Coverage",
            r"\frac{1}{|I|}\Big|\bigcup_u L_u\Big|",
            "Share of the catalogue that is recommended to at least one user.",
            direction="neither",
            kind="beyond",
            per_user=False,
        ),
        MetricInfo(
            "gini",
            "Gini of exposure",
            r"\frac{\sum_{j=1}^{|I|} (2j - |I| - 1)\, e_{(j)}}{|I| \sum_j e_{(j)}}",
            "How unequally recommendations are spread over the catalogue: 0 if each item is shown equally often, "
            "near 1 if few items get everything. e are the numbers of lists that an item stands in, sorted. "
            "Undefined if all are empty.",
            direction="neither",
            kind="beyond",
            per_user=False,
        ),
    )
}
"""Key -> what it is, in the order in which a leaderboard shows them."""


@dataclass(frozen=True)
class MetricName:
    """The parts of a column name such as `ndcg@10:tail`."""

    key: str
    k: int | None = None
    part: Part = ""

    @classmethod
    def parse(cls, name: str) -> "MetricName":
        """Read a column name.

        Raises:
            ConfigError: There is no such metric, cut-off or part.
        """
        rest, _, part = name.partition(":")
        key, _, cutoff = rest.partition("@")
        info = METRICS.get(key)
        if info is None:
            raise ConfigError(f"There is no metric '{key}'. Known: {', '.join(METRICS)}.")
        well_cut = cutoff.isdecimal() and int(cutoff) > 0 if info.at_cutoff else "@" not in rest
        if not well_cut or part not in PARTS:
            example = f"{key}@10" if info.at_cutoff else key
            raise ConfigError(f"'{name}' is no metric; write {example}, {example}:head or {example}:tail.")
        return cls(key, int(cutoff) if info.at_cutoff else None, part)

    def __str__(self) -> str:
        cutoff = f"@{self.k}" if self.k is not None else ""
        return f"{self.key}{cutoff}{':' if self.part else ''}{self.part}"

    @property
    def info(self) -> MetricInfo:
        """What the metric is."""
        return METRICS[self.key]

    @property
    def title(self) -> str:
        """The name in the field with its cut-off, such as NDCG@10."""
        return f"{self.info.title}@{self.k}" if self.k is not None else self.info.title
