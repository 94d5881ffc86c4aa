"""The figures of the page Inside: the question, figure and reading aid of each view of a model."""

from collections.abc import Callable
from dataclasses import dataclass

import plotly.graph_objects as go

from recsys_core.explain.view import ViewData
from recsys_core.text import Sentence
from recsys_core.viz import inside, inside_sequence, inside_sessions
from recsys_core.viz import inside_sentences as sentences
from recsys_core.viz.recommend import contributions, effect_bars


@dataclass(frozen=True)
class Picture:
    """How a view is shown.

    Args:
        question: The question that the figure answers.
        reading: How to read the figure.
        draw: Returns the figure.
        sentence: Returns the finding with its numbers.
        height: Approximate height in pixels, reserved until the figure is drawn.
        shows_table: Whether the numbers are also shown as a table.
        more: Returns a second finding, or None.
    """

    question: str
    reading: str
    draw: Callable[[ViewData], go.Figure]
    sentence: Callable[[ViewData], Sentence]
    height: int = 500
    shows_table: bool = False
    more: Callable[[ViewData], Sentence | None] = lambda _: None


def _shared(view: ViewData) -> go.Figure:
    facts = view.facts
    neighbor = str(facts["neighbour"])
    if facts["scale"] is not None:
        return inside.shared_dumbbells(view.table, neighbor=neighbor, scale=facts["scale"])
    return inside.shared_overlap(view.table, neighbor=neighbor, own=facts["own_items"], theirs=facts["their_items"])


PICTURES = {
    "nearest": Picture(
        "Which users are this user's nearest neighbors?",
        "The longer the bar, the larger the weight of that neighbor's ratings; at most 20 neighbors are shown. A "
        "ranking by the sum of votes uses the k nearest neighbors, a predicted rating the k nearest of the users who "
        "rated the item.",
        lambda view: inside.nearest_bars(view.table),
        sentences.nearest,
        more=sentences.as_near,
    ),
    "shared": Picture(
        "Why are the two users similar?",
        "With ratings, each row is an item in both histories and the two marks are its ratings: the closer the marks, "
        "the better the agreement. Without ratings, the upper bar shows how many items the two users have in common; "
        "the rows below are these items. The items at the top contribute most to the similarity; for a correlation "
        "these are the items that both users rate far from their own means.",
        _shared,
        sentences.shared,
        more=sentences.overlap,
    ),
    "users": Picture(
        "How similar are users to each other?",
        "Each cell is the similarity of two users; brighter is more similar. Rows are ordered by hierarchical "
        "clustering, so a bright block along the diagonal is a group of similar users. If the similarity of one user "
        "to another differs from that in the other direction, the cell is the mean of the two. The arrow marks this "
        "user.",
        lambda view: inside.similarity_map(view.table, size=view.facts["size"], marked=view.facts["person"]),
        sentences.alike,
        height=660,
        more=sentences.as_alike,
    ),
    "items": Picture(
        "Which items does this model treat as similar?",
        "Each cell is the similarity or weight between two items; brighter is more. Rows are ordered by hierarchical "
        "clustering, so a bright block along the diagonal is a group of similar items. If the model has one weight "
        "per direction, the cell is the mean of the two.",
        lambda view: inside.similarity_map(view.table, size=view.facts["size"]),
        sentences.alike,
        height=660,
        more=sentences.as_alike,
    ),
    "around": Picture(
        "Which items raise or lower the score of this item?",
        "A bar is the weight that an item in a user's history adds to the score of the selected item; a bar to the "
        "left is negative. Orange items are in this user's history: their weights make up the score.",
        lambda view: inside.weight_bars(view.table),
        sentences.weights,
    ),
    "space": Picture(
        "Where is this user in the latent space?",
        "Each dot is an item. The further to the right, the larger the dot product of user and item factors, which is "
        "the personal part of the score. The vertical position does not affect this user's scores. Item popularity "
        "and other biases are added to it.",
        lambda view: inside.taste_space(view.table),
        sentences.space,
    ),
    "tastes": Picture(
        "What do the latent factors represent?",
        "A latent factor has no name; the items at its two ends indicate its meaning. For a user with a positive "
        "coordinate, items at the upper end score higher and items at the lower end score lower.",
        lambda view: inside.taste_ends(view.table),
        sentences.taste,
        more=sentences.categories,
    ),
    "topics": Picture(
        "What are the topics?",
        "Each item is a mixture of topics whose shares sum to 100%. A topic has no name; the items with the largest "
        "shares and the attributes with the largest weights indicate its meaning.",
        lambda view: inside.topic_bars(view.table),
        sentences.topic,
        more=sentences.attributes,
    ),
    "terms": Picture(
        "Which terms match?",
        "Each bar is a term that the item shares with this user's history or attributes. It raises the score if the "
        "user rated items with this term above their own mean, and lowers it otherwise.",
        lambda view: inside.term_bars(view.table),
        sentences.terms,
    ),
    "rules": Picture(
        "Which association rules does the model have?",
        "Confidence is the share of users with the items on the left of the arrow (antecedent) who also have the item "
        "on the right (consequent). Lift is confidence divided by the share among all users; a lift of 1 means that "
        "the two sides are independent.",
        lambda view: inside.rule_bars(view.table),
        sentences.rules,
        more=sentences.surest_rule,
        shows_table=True,
    ),
    "transitions": Picture(
        "Which items come before and after this item?",
        "A bar is the estimated probability of the transition, with smoothing; hover over it for the number of "
        "transitions. Transitions without any count are not listed. Orange items are in this user's history.",
        lambda view: inside_sessions.transition_bars(view.table),
        inside_sessions.transitions,
        more=inside_sessions.smoothing,
    ),
    "sessions": Picture(
        "Which neighboring sessions determine this score?",
        "A bar is the weight of a neighboring session: its similarity times the decays of the settings. Blue sessions "
        "contain the item and add to its score; gray ones do not. Each row of the table is the arithmetic of one "
        "session, whose contributions sum to the score.",
        lambda view: inside_sessions.session_bars(view.table),
        inside_sessions.sessions,
        shows_table=True,
    ),
    "graph": Picture(
        "Which linked users affect this score?",
        "The selected user is in the center, directly linked users are on the inner circle, and users two links away "
        "who contribute to the score are on the outer one. Blue raises the score, orange-red lowers it, a larger dot "
        "has a larger effect; gray dots have none.",
        lambda view: inside.link_graph(view.table, user=view.facts["person"]),
        sentences.graph,
        height=560,
        more=sentences.implicit,
    ),
    "memory": Picture(
        "How does the hidden state change along the history?",
        "The network processes the history from left to right. The line is the norm of the hidden state after each "
        "item, a gray bar the norm of its change at that item. Below are the mean gate activations: 0% is closed, "
        "100% is open.",
        lambda view: inside_sequence.hidden_state_curves(view.table, gates=view.facts["gates"]),
        inside_sequence.hidden_state,
        height=560,
        more=inside_sequence.gates,
    ),
    "filters": Picture(
        "Which convolutional filters respond to which items?",
        "Each row is a filter, ordered by its effect on the score; the colored cells are the items in its window. "
        "Blue items raise the score through this filter, orange items lower it. A horizontal filter covers several "
        "consecutive items and is shown at its strongest response (max pooling); a vertical filter is a weighted sum "
        "of all of the last items.",
        lambda view: inside_sequence.filter_map(view.table, titles=view.facts["titles"]),
        inside_sequence.filters,
        height=560,
    ),
    "tree": Picture(
        "How is the history composed into a tree?",
        "One learned composition function combines items into sessions and sessions into the user state. The size of "
        "a dot is the norm of its state relative to its column. Blue raises the score, orange-red lowers it: the "
        "influence of a node is the score change when all items below it are left out. Influences do not sum to the "
        "score.",
        lambda view: inside_sequence.session_tree(view.table),
        inside_sequence.tree,
        height=660,
    ),
    "arithmetic": Picture(
        "How is one score calculated?",
        "Waterfall chart: each bar starts where the previous one ends, and the last one ends at the score; blue adds, "
        "orange-red subtracts. The table lists every term with its factors.",
        lambda view: contributions(view.facts["parts"], score=view.facts["score"]),
        sentences.arithmetic,
        shows_table=True,
    ),
    "effects": Picture(
        "Which history items influence the score?",
        "The scores of this model do not decompose exactly, so this is an approximation by leave-one-out: the "
        "influence of an item is the score change when the item is left out of the history. A bar to the right means "
        "that the score falls without the item. Influences do not sum to the score, since similar items can replace "
        "each other.",
        lambda view: effect_bars(view.table.head(16)),
        sentences.effects,
    ),
    "loss": Picture(
        "How did training converge?",
        "A loss that is flat at the end has converged; one that still falls may profit from more epochs, unless a "
        "validation metric no longer improves. A falling training loss alone says nothing about performance on "
        "held-out data.",
        lambda view: inside.training_curves(view.table),
        sentences.loss,
        height=320,
    ),
}
"""View -> how it is shown."""
