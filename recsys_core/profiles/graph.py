"""Social graphs: explicit links, implicit links from similar ratings, and trust propagation.

Links are directed: the row follows, or trusts, the column. They come from the social table of the data set
(`social_graph`) or, without one, from the ratings (`co_rating_graph`): an implicit graph, which pages and models label
as such.

Trust is propagated with decay along paths. The trust of u in v is that of the best path from u to v with at most `hops`
links,

    t_uv = max over paths u = a_0, ..., a_n = v with n <= hops of decay^(n - 1) * product of its links' weights

Source: the source document, section 3, point 3 ('the chain of relations'); paths of bounded length as in Massa and
Avesani 2007, "Trust-aware Recommender Systems" (MoleTrust). Departure: MoleTrust takes the trust-weighted mean over the
predecessors of v; here the best path counts, so that an additional friend never lowers trust.
"""

import numpy as np
from scipy.sparse import csr_array

from recsys_core.columns import SOURCE, TARGET, WEIGHT
from recsys_core.contracts import FloatArray, IntArray
from recsys_core.data import Dataset
from recsys_core.errors import ConfigError, DataError
from recsys_core.text import _

CO_RATING_NEIGHBORS = 10
"""Links per user in the implicit graph; the median user of filmtrust and lastfm-2k has fewer explicit links."""
MOST_HOPS = 3
PATHS_AT_A_TIME = 1_000_000
CELLS_AT_A_TIME = 500_000
"""Maximum number of extended paths, or of similarity cells, held in memory."""


def social_graph(dataset: Dataset) -> csr_array:
    """Return the (U, U) links of the social table, row follows column, columns sorted, original weights.

    Duplicate links get the larger weight. Self-links and links with a weight of 0 or below (distrust) are dropped.

    Raises:
        DataError: The data set has no social table.
    """
    links = dataset.social
    if links is None:
        raise DataError(
            _(
                "'{dataset_name}' has no links between users; upload a table with source and target "
                "columns, or use the co-rating graph, which is inferred from the interactions."
            ).format(dataset_name=dataset.name)
        )
    source, target = links[SOURCE].to_numpy(np.int64), links[TARGET].to_numpy(np.int64)
    weight = links[WEIGHT].to_numpy(np.float64) if WEIGHT in links else np.ones(len(links))
    kept = (source != target) & (weight > 0)
    return _strongest_of_equal(source[kept], target[kept], weight[kept], (dataset.n_users, dataset.n_users))


def co_rating_graph(dataset: Dataset, neighbors: int = CO_RATING_NEIGHBORS) -> csr_array:
    """Return a (U, U) graph inferred from the interactions: links from each user to the users with the most similar
    ratings.

    The weight is the cosine of mean-centered ratings (of binary interactions, without ratings), in (0, 1]. Only
    positive
    similarities are links; ties go to smaller positions. Rows have at most `neighbors` links. These links are implicit
    and should be labeled as such.

    Args:
        dataset: With or without ratings.
        neighbors: Maximum number of links per user, at least 1.

    Raises:
        ConfigError: `neighbors` is below 1.
    """
    if neighbors < 1:
        raise ConfigError(
            _("The co-rating graph needs at least 1 neighbor per user, but the setting is {neighbors}.").format(
                neighbors=neighbors
            )
        )
    rows = _unit_rows(dataset)
    columns = rows.T.tocsr()
    block = max(1, CELLS_AT_A_TIME // max(1, dataset.n_users))
    parts = [
        _strongest_links(np.asarray((rows[start : start + block] @ columns).toarray()), start, neighbors)
        for start in range(0, dataset.n_users, block)
    ]
    sources, targets, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _strongest_of_equal(sources, targets, weights, (dataset.n_users, dataset.n_users))


def propagated_trust(
    graph: csr_array, hops: int = MOST_HOPS, decay: float = 0.5, top_k: int | None = None
) -> csr_array:
    """Return the (U, U) trust of each user (row) in others: the best path of at most `hops` links; see the module.

    Worked example, decay 0.5, largest weight 1: 0 -> 1 (0.8), 1 -> 2 (0.5), 2 -> 3 (1.0), 0 -> 2 (0.1).
    t_01 = 0.8. t_02 = max(0.1, 0.5 * 0.8 * 0.5 = 0.2) = 0.2. t_03 = max(0.5 * 0.1 * 1 = 0.05 over 2 links,
    0.25 * 0.8 * 0.5 * 1 = 0.1 over 3) = 0.1.

    Args:
        graph: (U, U) links with positive weights; they are divided by the largest, so that trust lies in (0, 1].
        hops: Maximum path length, 1 to 3 links.
        decay: Factor for each link after the first, in (0, 1].
        top_k: Number of most trusted users kept in each row (ties by smaller position); None keeps all. Bounds the
            size of the result, not which paths are followed within a hop.

    Raises:
        ConfigError: `hops` or `decay` is out of range.
    """
    if not 1 <= hops <= MOST_HOPS:
        raise ConfigError(
            _("Trust is propagated over 1 to {most_hops} hops, but the setting is {hops}.").format(
                most_hops=MOST_HOPS, hops=hops
            )
        )
    if not 0.0 < decay <= 1.0:
        raise ConfigError(
            _("The decay of trust must be above 0 and at most 1, but the setting is {decay}.").format(decay=decay)
        )
    users = graph.shape[0]
    links = csr_array(graph, dtype=np.float64, copy=True)
    if links.nnz == 0:
        return links
    links.data /= links.data.max()
    lengths = np.diff(links.indptr)
    paths = lengths.astype(np.float64)  # (U,) number of paths that start at each user
    for _unused in range(hops - 1):
        paths = np.asarray(links.astype(np.bool_).astype(np.float64) @ paths) + lengths
    parts: list[tuple[IntArray, IntArray, FloatArray]] = []
    for first, end in _blocks(paths, PATHS_AT_A_TIME):
        trust = links[first:end]
        for _unused in range(hops - 1):
            trust = _one_link_further(trust, links, decay, first)
        parts.append(_most_trusted(trust, first, top_k))
    sources, targets, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    return csr_array((weights, (sources, targets)), shape=(users, users))


def both_ways(graph: csr_array) -> csr_array:
    """Return the undirected (U, U) graph: 1 where either user follows the other."""
    united = csr_array(graph + graph.T)
    united.data[:] = 1.0
    united.sort_indices()
    return united


def _strongest_of_equal(sources: IntArray, targets: IntArray, weights: FloatArray, shape: tuple[int, int]) -> csr_array:
    """Return links as a matrix with sorted columns; duplicate links get the largest weight."""
    order = np.argsort(-weights, kind="stable")
    order = order[np.argsort((sources * shape[1] + targets)[order], kind="stable")]
    sources, targets, weights = sources[order], targets[order], weights[order]
    first = np.ones(len(sources), dtype=np.bool_)
    first[1:] = (sources[1:] != sources[:-1]) | (targets[1:] != targets[:-1])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(sources[first], minlength=shape[0]))])
    return csr_array((weights[first], targets[first].astype(np.int32), offsets.astype(np.int64)), shape=shape)


def _unit_rows(dataset: Dataset) -> csr_array:
    """Return (U, I) unit rows: mean-centered ratings, or binary interactions without ratings."""
    matrix = csr_array(dataset.matrix("rating" if dataset.has_ratings else "binary"), dtype=np.float64)
    user, number = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), np.diff(matrix.indptr)
    if dataset.has_ratings:
        mean = np.bincount(user, matrix.data, minlength=len(number)) / np.maximum(number, 1)
        matrix.data = matrix.data - mean[user]
    length = np.sqrt(np.bincount(user, matrix.data**2, minlength=len(number)))
    matrix.data = np.divide(matrix.data, length[user], out=np.zeros(matrix.nnz), where=length[user] > 1e-9)
    return matrix


def _strongest_links(similarity: FloatArray, first: int, neighbors: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Return sources, targets and weights of the strongest positive cells in each row of (B, U); row 0 is `first`."""
    rows, users = similarity.shape
    similarity[np.arange(rows), first + np.arange(rows)] = 0.0
    similarity = np.round(similarity, 12)  # ties up to rounding errors become exact ties
    best = np.argsort(-similarity, axis=1, kind="stable")[:, : min(neighbors, users)]
    weights = np.minimum(np.take_along_axis(similarity, best, axis=1), 1.0)
    linked = weights > 0
    sources = np.broadcast_to(first + np.arange(rows)[:, None], best.shape)
    return sources[linked], best[linked], weights[linked]


def _blocks(sizes: FloatArray, limit: int) -> list[tuple[int, int]]:
    """Return first and end of consecutive blocks whose sizes sum to at most `limit`, or that have one row."""
    borders, total = [0], 0.0
    for row, size in enumerate(sizes):
        if total + size > limit and row > borders[-1]:
            borders.append(row)
            total = 0.0
        total += size
    return list(zip(borders, [*borders[1:], len(sizes)], strict=True))


def _one_link_further(trust: csr_array, links: csr_array, decay: float, first: int) -> csr_array:
    """Return (B, U) trust including paths one link longer; row 0 is the user at position `first`."""
    own = np.repeat(np.arange(trust.shape[0]), np.diff(trust.indptr))
    lengths = np.diff(links.indptr)[trust.indices]
    ends = np.cumsum(lengths)
    entries = np.arange(ends[-1] if len(ends) else 0) + np.repeat(links.indptr[trust.indices] - ends + lengths, lengths)
    sources = np.concatenate([own, np.repeat(own, lengths)])
    targets = np.concatenate([trust.indices, links.indices[entries]])
    weights = np.concatenate([trust.data, np.repeat(trust.data, lengths) * decay * links.data[entries]])
    kept = targets != sources + first
    return _strongest_of_equal(sources[kept], targets[kept], weights[kept], trust.shape)


def _most_trusted(trust: csr_array, first: int, top_k: int | None) -> tuple[IntArray, IntArray, FloatArray]:
    """Return sources, targets and weights of (B, U) trust, in each row the `top_k` largest."""
    rows = np.repeat(np.arange(trust.shape[0]), np.diff(trust.indptr))
    if top_k is None:
        return rows + first, trust.indices, trust.data
    order = np.lexsort((trust.indices, -trust.data, rows))
    place = np.arange(len(order)) - trust.indptr[rows[order]]
    kept = np.sort(order[place < top_k])
    return rows[kept] + first, trust.indices[kept], trust.data[kept]
