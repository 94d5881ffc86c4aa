"""The formulas of the kNN models as LaTeX, for given settings."""

from typing import NamedTuple

from recsys_core.models.knn_config import KnnConfig


class Pair(NamedTuple):
    """Notation for two rows that are compared: two users by their items, or two items by their users.

    Args:
        similarity: Symbol of the similarity.
        one: Indices of the first row's value in a shared column.
        other: Indices of the second row's value in that column.
        column: Letter of a column.
        rows: Columns of the first row, and of the second.
        column_mean: Mean that adjusted cosine subtracts.
        row_means: Means over the shared columns that Pearson subtracts.
        columns: Rows that have an entry in a column.
    """

    similarity: str
    one: str
    other: str
    column: str
    rows: tuple[str, str]
    column_mean: str
    row_means: tuple[str, str]
    columns: str


USERS = Pair(
    "s_{uv}", "{uj}", "{vj}", "j", ("P(u)", "P(v)"), r"\bar{r}_j", (r"\bar{r}_{u|v}", r"\bar{r}_{v|u}"), "R(j)"
)
ITEMS = Pair(
    "s_{ij}", "{vi}", "{vj}", "v", ("R(i)", "R(j)"), r"\bar{r}_v", (r"\bar{r}_{i|j}", r"\bar{r}_{j|i}"), "P(v)"
)


def vote(config: KnnConfig, cell: str, row: str, *, rated: bool, weighted: bool) -> str:
    """Return the vote of a neighbor, such as (r_vi - mean_v).

    Args:
        config: Settings.
        cell: Indices of the rating.
        row: Index of the row whose mean and standard deviation normalize it.
        rated: Whether the data have ratings.
        weighted: Whether the data have weights.
    """
    if not rated:
        return f"c_{cell}" if weighted else "1"
    if config.centering == "none":
        return f"r_{cell}"
    centered = rf"(r_{cell} - \bar{{r}}_{row})"
    return centered if config.centering == "mean" else rf"\frac{{r_{cell} - \bar{{r}}_{row}}}{{\sigma_{row}}}"


def prediction(
    config: KnnConfig, target: str, neighbors: tuple[str, str], similarity: str, voted: str, level: str
) -> str:
    """Return the score: the sum of weighted votes, or their weighted mean plus the baseline of the predicted row.

    Args:
        config: Settings.
        target: Indices of the score.
        neighbors: Neighbors in a sum, and in a mean.
        similarity: Weight of a vote.
        voted: The vote.
        level: Index of the row whose mean and standard deviation rescale the weighted mean.
    """
    product = similarity if voted == "1" else rf"{similarity} \, {voted}"
    if config.aggregation == "sum":
        return rf"\hat{{x}}_{{{target}}} = \sum_{{{neighbors[0]}}} {product}"
    mean = rf"\frac{{\sum_{{{neighbors[1]}}} {product}}}{{\sum_{{{neighbors[1]}}} {similarity}}}"
    if config.centering == "none":
        return rf"\hat{{r}}_{{{target}}} = {mean}"
    spread = rf"\sigma_{level} " if config.centering == "zscore" else ""
    return rf"\hat{{r}}_{{{target}}} = \bar{{r}}_{level} + {spread}{mean}"


def similarity(config: KnnConfig, pair: Pair, *, rated: bool, weighted: bool) -> str:
    """Return the definition of the similarity, its shrinkage, and the minimum overlap."""
    shared = rf"{pair.rows[0]} \cap {pair.rows[1]}"
    shrunk = config.shrinkage > 0
    added = r" + \beta" if shrunk and config.shrinkage_form == "denominator" else ""
    factor = ""
    if shrunk and config.shrinkage_form == "linear":
        factor = r" \cdot \frac{\min(n, \beta)}{\beta}"
    if shrunk and config.shrinkage_form == "hyperbolic":
        factor = r" \cdot \frac{n}{n + \beta}"
    parts = [f"{pair.similarity} = {_pure(config, pair, shared, added, rated=rated, weighted=weighted)}{factor}"]
    if config.weighting != "none":
        parts.append(_weighting(config, pair, rated=rated))
    if factor or config.min_overlap > 1:
        parts.append(f"n = |{shared}|")
    if config.min_overlap > 1:
        parts.append(rf"{pair.similarity} = 0 \text{{ if }} n < {config.min_overlap}")
    if config.iterations > 1:
        parts.append(rf"r \text{{ imputed with }} \hat{{r}} \text{{ in up to {config.iterations} rounds}}")
    return r", \quad ".join(parts)


def _weighting(config: KnnConfig, pair: Pair, *, rated: bool) -> str:
    """Return the weighted entry of the first row: `w_{vi}` from `r_{vi}` or, without ratings, `c_{vi}`."""
    value, others = f"{'r' if rated else 'c'}_{pair.one}", pair.columns
    rarity = rf"\log \frac{{N}}{{1 + |{others}|}}"
    if config.weighting == "tfidf":
        return rf"w_{pair.one} = \sqrt{{{value}}} \, {rarity}"
    length = rf"k_1 \left(1 - b + b \frac{{\sum_{{{pair.column} \in {pair.rows[0]}}} {value}}}{{\bar{{L}}}}\right)"
    return rf"w_{pair.one} = \frac{{{value} (k_1 + 1)}}{{{length} + {value}}} \, {rarity}"


def _of_counts(config: KnnConfig, pair: Pair, shared: str, added: str) -> str:
    """Return the similarity by Jaccard or Tversky before shrinkage."""
    one, other = pair.rows
    if config.similarity == "jaccard":
        return rf"\frac{{|{shared}|}}{{|{one} \cup {other}|{added}}}"
    alone = rf"a \, |{one} \setminus {other}| + b \, |{other} \setminus {one}|"
    return rf"\frac{{|{shared}|}}{{|{shared}| + {alone}{added}}}"


def _pure(config: KnnConfig, pair: Pair, shared: str, added: str, *, rated: bool, weighted: bool) -> str:
    """Return the similarity before shrinkage, with `added` in its denominator."""
    if config.similarity in ("jaccard", "tversky"):
        return _of_counts(config, pair, shared, added)
    letter = "w" if config.weighting != "none" else "r" if rated else "c"
    one, other = f"{letter}_{pair.one}", f"{letter}_{pair.other}"
    over = rf"{pair.column} \in {shared}"
    if config.similarity == "dot":
        total = rf"\sum_{{{over}}} {one} {other}"
        return rf"\frac{{{total}}}{{1{added}}}" if added else total
    if config.similarity == "cosine" and letter == "c" and not weighted:
        return rf"\frac{{|{shared}|}}{{\sqrt{{|{pair.rows[0]}| \, |{pair.rows[1]}|}}{added}}}"
    if config.similarity == "cosine":
        lengths = "".join(
            rf"\sqrt{{\sum_{{{pair.column} \in {row}}} {value}^2}}"
            for row, value in zip(pair.rows, (one, other), strict=True)
        )
        return rf"\frac{{\sum_{{{over}}} {one} {other}}}{{{lengths}{added}}}"
    if config.similarity == "msd":
        return rf"\frac{{1}}{{1 + \frac{{1}}{{n}} \left(\sum_{{{over}}} ({one} - {other})^2{added}\right)}}"
    taken = (pair.column_mean, pair.column_mean) if config.similarity == "adjusted_cosine" else pair.row_means
    x, y = f"({one} - {taken[0]})", f"({other} - {taken[1]})"
    lengths = rf"\sqrt{{\sum_{{{over}}} {x}^2 \sum_{{{over}}} {y}^2}}"
    return rf"\frac{{\sum_{{{over}}} {x}{y}}}{{{lengths}{added}}}"
