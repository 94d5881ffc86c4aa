"""Tokenization, TF-IDF weights and topics of titles and texts."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from recsys_core.contracts import FloatArray

MOST_TERMS = 2000
"""Maximum vocabulary size, the most frequent words."""
SMALL = 50
"""Below this number of texts, words that occur in only one text are kept, too."""
YEAR_IN_TITLE = re.compile(r"\s*\((\d{4})\)\s*$")
_WORD = re.compile(r"[^\W\d_]+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
"""Scripts without spaces between words: Chinese, Japanese, Korean."""


def words(text: str) -> list[str]:
    """Return the lower-case words of a text with at least two letters, without English stop words.

    Text in scripts without spaces is split into character bigrams.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        for run in _UNSPACED.findall(word):
            found += [run[place : place + 2] for place in range(max(1, len(run) - 1))]
        for rest in _UNSPACED.split(word):
            if len(rest) > 1 and rest not in ENGLISH_STOP_WORDS:
                found.append(rest)
    return found


def weighted_terms(texts: Sequence[str], most: int = MOST_TERMS) -> tuple[csr_array, tuple[str, ...]]:
    """Return (N, F) TF-IDF weights of the words of texts, unit rows, and the words.

    weight(t, d)  ~  (1 + log count(t, d)) * (log((1 + N) / (1 + texts with t)) + 1)

    A word must occur in at least two texts (one, for fewer than 50 texts) and in at most half of them. The `most`
    frequent such words are kept, in alphabetical order.

    Source: scikit-learn's TfidfVectorizer with `sublinear_tf` and its smoothed idf.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    tokens = [words(text) for text in texts]
    counts = Counter(word for text in tokens for word in set(text))
    least, highest = (2 if len(texts) >= SMALL else 1), max(1.0, 0.5 * len(texts))
    ranked = sorted((-count, word) for word, count in counts.items() if least <= count <= highest)
    kept = sorted(word for _, word in ranked[:most])
    if not kept:
        return csr_array((len(texts), 0), dtype=np.float64), ()
    weights = TfidfVectorizer(analyzer=_unchanged, vocabulary=kept, sublinear_tf=True).fit_transform(tokens)
    return csr_array(weights, dtype=np.float64), tuple(kept)


def topics(
    weights: csr_array, terms: Sequence[str], components: int, seed: int = 0
) -> tuple[FloatArray, tuple[str, ...]]:
    """Return (N, T) coordinates of texts on latent topics (truncated SVD), each named by its three strongest words; T
    is
    `components`, or less for few terms or texts.

    Runs on one core, so that results do not depend on the number of cores.
    """
    from sklearn.decomposition import TruncatedSVD
    from threadpoolctl import threadpool_limits

    size = min(components, weights.shape[1] - 1, weights.shape[0] - 1)
    if size < 1:
        return np.zeros((weights.shape[0], 0)), ()
    svd = TruncatedSVD(size, random_state=seed, n_iter=7)
    with threadpool_limits(1):
        places: FloatArray = svd.fit_transform(weights)
    strongest = np.argsort(-np.abs(svd.components_), axis=1, kind="stable")[:, :3]
    names = tuple(
        f"topic {number}: {', '.join(terms[term] for term in row)}" for number, row in enumerate(strongest, start=1)
    )
    return places, names


def _unchanged(tokens: list[str]) -> list[str]:
    return tokens
