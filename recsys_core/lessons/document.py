"""The sections of the source document: what each says, and which pages show it. Lessons name the sections they teach.

A table for the page Learn; its texts are messages. The document itself is in `recsys_core.lessons.source`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from recsys_core.text import later


@dataclass(frozen=True)
class Section:
    """A section of the source document.

    Args:
        key: Its name, as in `Lesson.sections`.
        number: Its number in the document.
        title: Its subject.
        says: What it says, in one or two sentences.
        here: Where it is in Recscope.
        pages: Keys of the pages that show it.
    """

    key: str
    number: str
    title: str
    says: str
    here: str
    pages: Sequence[str]


SECTIONS = (
    Section(
        "1",
        "1",
        later("Background"),
        later("From manual selection and rules to collaborative filtering and deep learning."),
        later("All of these kinds, trained and compared on the same split."),
        ("train", "compare"),
    ),
    Section(
        "2",
        "2",
        later("Concepts and the nine steps"),
        later(
            "Collect behavior, clean and join it, build profiles and item features, train, recommend, evaluate, "
            "update, and operate."
        ),
        later("One page per step, from an upload to an operating strategy."),
        ("data", "explore"),
    ),
    Section(
        "2.6",
        "2 (6)",
        later("Evaluation"),
        later(
            "Recall and precision compare the list with real behavior; popular and cold items are seen apart. The "
            "wording is loose."
        ),
        later("Standard definitions per user, other libraries' definitions beside them, intervals and tests."),
        ("compare", "experiments"),
    ),
    Section(
        "1.1",
        "1.1",
        later("User profiles"),
        later("Profiles from attributes and from keywords of the history describe a user for recommendation."),
        later("Profiles and feature vectors of users and items."),
        ("users", "items"),
    ),
    Section(
        "1.2",
        "1.2",
        later("Content-based recommendation"),
        later("A score from sums of ratings and means, divided by the number of ratings; it misses real interest."),
        later("The formula taken literally and a content-weighted form; vectors of terms with cosine."),
        ("train", "inside"),
    ),
    Section(
        "1.3",
        "1.3",
        later("Latent factors (LFM)"),
        later("Items are mixtures of hidden topics; the prediction is a product of factors, learned from the error."),
        later("Topic LFM, and matrix factorization with biases by stochastic gradient descent."),
        ("train", "inside"),
    ),
    Section(
        "3.social",
        "3 (3)",
        later("Social networks"),
        later(
            "Chains of relations reveal users with similar interests, who are recommended together with their taste."
        ),
        later("Neighbors by trust and taste, factors near those of friends, recommended users."),
        ("users", "inside"),
    ),
    Section(
        "2.1",
        "2.1",
        later("The rating matrix"),
        later("Ratings as a user-item matrix, or as its transpose, the item-user matrix."),
        later("Every upload becomes one data set with both views."),
        ("data", "explore"),
    ),
    Section(
        "2.2",
        "2.2",
        later("Collaborative filtering"),
        later(
            "Similarity of users (Pearson, cosine, adjusted cosine), the k nearest, a weighted mean of their ratings, "
            "repeated until it converges."
        ),
        later("User kNN and Item kNN with all measures, shrinkage, and rounds of imputation."),
        ("train", "inside"),
    ),
    Section(
        "3.1",
        "3.1",
        later("Deep learning on sequences"),
        later("Histories as sequences through feed-forward, recurrent or recursive networks."),
        later("NeuMF, GRU / LSTM / RNN, a Caser-style CNN, and a recursive network over sessions."),
        ("train", "inside"),
    ),
    Section(
        "3.2",
        "3.2",
        later("Attention"),
        later(
            "Points of interest, attention between history and points by tanh, a local update by random walk or "
            "reinforcement, a global weighted sum."
        ),
        later("Interest attention with every stage in its trace, and a test whether attention explains scores."),
        ("attention",),
    ),
    Section(
        "3.3",
        "3.3",
        later("Sequence to sequence"),
        later("An encoder reads the history; a decoder with attention generates the next items one at a time."),
        later("Seq2seq with attention, greedy and beam decoding."),
        ("attention", "recommend"),
    ),
    Section(
        "2.9",
        "2 [9]",
        later("Operating strategy"),
        later("The strategy is adapted to the effect of the recommendations and to the market."),
        later("Cards over a list, each with its price and an interval; trail, frontier, and decision."),
        ("strategy",),
    ),
)
"""In the order of the page: concepts and evaluation, then the algorithms, then operation."""
