"""The glossary: each term in two sentences, with the lesson that teaches it.

A table for the sidebar and the page Learn; its texts are messages.
"""

from dataclasses import dataclass

from recsys_core.text import later


@dataclass(frozen=True)
class Term:
    """A term of the field.

    Args:
        name: As pages write it, a message.
        meaning: Two sentences, a message.
        lesson: Key of the lesson that teaches it; empty without one.
    """

    name: str
    meaning: str
    lesson: str = ""


TERMS = (
    Term(
        later("A/B test"),
        later(
            "Users are assigned to variants at random, and an outcome is compared. It measures what the variant "
            "causes, which no offline metric does."
        ),
    ),
    Term(
        later("Adjusted cosine"),
        later(
            "The cosine of two rows after the mean of each item (or user) is subtracted. It compares what is "
            "above or below the usual rating."
        ),
        "neighbors",
    ),
    Term(
        later("Association rule"),
        later(
            "A statement A → B about items in one basket, with support, confidence and lift. Confidence alone "
            "misleads if B is frequent everywhere."
        ),
        "baskets",
    ),
    Term(
        later("Attention weight"),
        later(
            "The share with which a network mixes one item of the history into the prediction. A large weight "
            "does not prove that the prediction depends on the item; the influence measures that."
        ),
        "attention",
    ),
    Term(
        later("Average precision (AP, MAP)"),
        later(
            "The mean of the precision at the rank of each relevant item; MAP is its mean over users. Libraries "
            "divide by different numbers, so compare only values of one definition."
        ),
        "metrics",
    ),
    Term(
        later("Baseline"),
        later(
            "A simple model that the others are compared with, such as popularity. A model that does not beat it "
            "has learned little about the single user."
        ),
        "long_tail",
    ),
    Term(
        later("Beam search"),
        later(
            "Decoding that keeps the w best beginnings of a sequence at each step. With w = 1 it is greedy and "
            "may miss the best sequence."
        ),
        "decoding",
    ),
    Term(
        later("Calibration (of a list)"),
        later(
            "A list is calibrated if its categories have the proportions of the user's history. The divergence KL"
            " measures the difference."
        ),
        "whole_list",
    ),
    Term(
        later("Cold start"),
        later(
            "A user or an item without interactions in training. Content, attributes or a fallback have to serve it."
        ),
        "content",
    ),
    Term(
        later("Confidence interval"),
        later(
            "A range that contains the true value in a stated share of repetitions, such as 95%. It is wide with "
            "few users, and it says nothing about other data sets."
        ),
        "luck",
    ),
    Term(
        later("Content-based model"),
        later(
            "Recommends items whose features resemble those of the history. It can recommend new items, but "
            "rarely surprising ones."
        ),
        "content",
    ),
    Term(
        later("Cosine"),
        later(
            "The product of two rows divided by their lengths, from −1 to 1. It ignores how long the rows are, "
            "and counts empty cells as 0."
        ),
        "neighbors",
    ),
    Term(
        later("Coverage"),
        later(
            "The share of the catalog that appears in the lists of at least one user. Accurate models can have a "
            "low coverage."
        ),
    ),
    Term(
        later("Density"),
        later(
            "The share of all user-item pairs with an interaction. It is often below 1 %, so most cells of the "
            "matrix are empty."
        ),
        "matrix",
    ),
    Term(
        later("Duplicate timestamps"),
        later(
            "Several interactions of one user at the same time. Their order is unknown, so results of sequential "
            "models are unreliable."
        ),
    ),
    Term(
        later("Early stopping"),
        later(
            "Training ends when the validation score no longer improves. The best state is kept, and the patience"
            " is the number of checks without improvement."
        ),
    ),
    Term(
        later("Embedding"),
        later(
            "A vector that represents a user or an item, learned from data. Similar vectors mean similar behavior"
            " of the model, not necessarily similar content."
        ),
        "gradient",
    ),
    Term(
        later("Ensemble"),
        later(
            "A model that combines the lists or scores of several others. Reciprocal rank fusion needs ranks "
            "alone, stacking learns the weights on validation data."
        ),
    ),
    Term(
        later("Epoch"),
        later(
            "One pass over all training data. More epochs fit the training data better, and at some point only those."
        ),
        "gradient",
    ),
    Term(
        later("Event weight"),
        later(
            "How much an event counts in training, such as 1 for a view and 5 for a purchase. The target event "
            "decides what is tested, not the weights."
        ),
        "matrix",
    ),
    Term(
        later("Fold-in"),
        later(
            "Computing the representation of a user who was not in training, from the history alone. It is exact "
            "for some models and approximate for others; the card of a model says which."
        ),
    ),
    Term(
        later("Gate"),
        later(
            "A number from 0 to 1 with which a recurrent network keeps or overwrites its state. A GRU has an "
            "update gate and a reset gate, an LSTM also a forget gate."
        ),
        "gates",
    ),
    Term(
        later("Hit rate"),
        later(
            "The share of users with at least one relevant item in the list. With a single test item per user it "
            "equals recall."
        ),
        "metrics",
    ),
    Term(
        later("Holm correction"),
        later(
            "Makes the tests of several differences jointly valid, by stricter levels for the smaller p-values. "
            "Without it, comparing many models finds differences by chance."
        ),
        "luck",
    ),
    Term(
        later("Implicit feedback"),
        later(
            "Behavior such as clicks, without a rating. A missing interaction is not a dislike: it may be an item"
            " that was never seen."
        ),
        "matrix",
    ),
    Term(
        later("Influence"),
        later(
            "The change of a score when one item of the history is left out. It is measured on the model itself, "
            "unlike an attention weight."
        ),
        "attention",
    ),
    Term(
        later("Learning rate"),
        later(
            "The length of a step of gradient descent. Too large and the error grows; too small and training "
            "takes long."
        ),
        "gradient",
    ),
    Term(
        later("Lift"),
        later(
            "The confidence of a rule divided by the support of its right side. Below 1, the right side is less "
            "frequent with the left one than overall."
        ),
        "baskets",
    ),
    Term(
        later("Long tail"),
        later(
            "The many items with few interactions each. Metrics on all items are dominated by the few popular "
            "ones, the head."
        ),
        "long_tail",
    ),
    Term(
        later("Matrix factorization"),
        later(
            "Users and items get vectors whose product predicts the cell. The vectors are learned by gradient "
            "descent or alternating least squares."
        ),
        "gradient",
    ),
    Term(
        later("MMR"),
        later(
            "Re-ranking that picks the next item by relevance minus its similarity to what is listed already. The"
            " weight decides how much accuracy is given for diversity."
        ),
        "whole_list",
    ),
    Term(
        later("MRR"),
        later("The mean of 1 / rank of the first relevant item. Only the first hit counts."),
        "metrics",
    ),
    Term(
        later("NDCG"),
        later(
            "Hits discounted by the logarithm of their rank, divided by the best possible value. A hit at the top"
            " counts more than one below."
        ),
        "metrics",
    ),
    Term(
        later("Nearest neighbors (k)"),
        later("The k most similar users or items. A small k is noisy, a large one approaches popularity."),
        "prediction",
    ),
    Term(
        later("Negative sampling"),
        later(
            "Drawing items without an interaction as counterexamples in training. By popularity the examples are "
            "harder than uniformly."
        ),
    ),
    Term(
        later("Off-policy evaluation"),
        later(
            "An estimate of what another policy would have earned, from the log of the current one. It needs the "
            "probability of everything that was shown."
        ),
    ),
    Term(
        later("Pearson correlation"),
        later(
            "The cosine of two rows after each user's mean over the shared items is subtracted. With two shared "
            "items it can only be −1, 0 or 1."
        ),
        "neighbors",
    ),
    Term(
        later("Power"),
        later(
            "The probability that a test finds a true difference of a given size. The number of users needed "
            "follows from it."
        ),
        "luck",
    ),
    Term(
        later("Precision"),
        later(
            "The share of the list that is relevant: hits divided by k. A user with few relevant items cannot reach 1."
        ),
        "metrics",
    ),
    Term(
        later("Propensity"),
        later(
            "The probability with which the logging policy showed an item. Without it, a log cannot tell what "
            "another policy would earn."
        ),
    ),
    Term(
        later("Recall"),
        later(
            "The share of a user's relevant items that are in the list. Some libraries divide by at most k, which"
            " gives larger values."
        ),
        "metrics",
    ),
    Term(
        later("Regularization"),
        later(
            "A penalty for large parameters, so that a model does not reproduce chance. Too much of it makes all "
            "predictions alike."
        ),
        "closed_form",
    ),
    Term(
        later("Relevant"),
        later(
            "What counts as a hit: a test rating from a threshold on, or an interaction of the target event. "
            "Everything else counts as not relevant, known or not."
        ),
        "metrics",
    ),
    Term(
        later("Seed"),
        later(
            "The number from which all random draws follow. The same seed gives the same result; other seeds show"
            " how much is chance."
        ),
        "luck",
    ),
    Term(
        later("Shrinkage"),
        later("A factor that lowers similarities computed from few shared items. It grows with their number, up to 1."),
        "neighbors",
    ),
    Term(
        later("Significant difference"),
        later(
            "A difference that would be unlikely if both models were equally good. It may still be too small to matter:"
            " look at the interval."
        ),
        "luck",
    ),
    Term(
        later("Temporal leakage"),
        later(
            "Training data contain interactions later than the test. Results can then look better than they would "
            "be in operation; a global time split avoids it."
        ),
        "time_split",
    ),
    Term(
        later("Train/test split"),
        later(
            "The interactions that are withheld from training to evaluate on them. How they are chosen decides "
            "what the result means."
        ),
        "time_split",
    ),
    Term(
        later("Trust"),
        later("The weight of a social link, handed on along paths. It gives weight to neighbors without common items."),
        "friends",
    ),
    Term(
        later("Tuning"),
        later(
            "Searching the settings of a model on validation data. A fair comparison gives every model the same budget."
        ),
    ),
    Term(
        later("Validation share"),
        later(
            "Training data that are withheld to choose settings and to stop early. The test part stays unread "
            "until the end."
        ),
        "time_split",
    ),
)
"""In alphabetical order of the English names."""
