"""The pictures of the page Inside: for each view of a model its question, its figure, and how to read it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsys_core.evaluation.sentences import Sentence
from recsys_core.explain.view import ViewData
from recsys_core.viz import inside, inside_sequence, inside_tree
from recsys_core.viz import inside_sentences as said
from recsys_core.viz.recommend import contributions, effect_bars

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Picture:
    """How a view is shown.

    Args:
        question: What it answers, as people ask it.
        reading: How to read it.
        draw: Makes the figure.
        sentence: What it shows, with its numbers.
        height: Pixels that it takes, roughly, kept free until it is drawn.
        shows_table: Whether the numbers stand below, too.
        more: What else it shows, None if nothing.
    """

    question: str
    reading: str
    draw: Callable[[ViewData], "go.Figure"]
    sentence: Callable[[ViewData], Sentence]
    height: int = 500
    shows_table: bool = False
    more: Callable[[ViewData], Sentence | None] = lambda _: None


PICTURES = {
    "nearest": Picture(
        "Who is most like this person?",
        "The longer the bar, the more that person's vote counts. Nobody else has a say in what is recommended.",
        lambda view: inside.nearest_bars(view.table),
        said.nearest,
    ),
    "shared": Picture(
        "What makes the two alike?",
        "Each row is an item that both have. Where people rated, the two marks say how; the closer they lie, the more "
        "they agree. The items on top weigh most: for a correlation, those that both rate far from their own mean.",
        lambda view: inside.shared_dumbbells(
            view.table, neighbour=str(view.facts["neighbour"]), scale=view.facts["scale"]
        ),
        said.shared,
    ),
    "users": Picture(
        "How alike are people to each other?",
        "Each cell is the similarity of two people, brighter is more. People who are alike stand side by side, so a "
        "bright block along the diagonal is a group of one taste. The arrow marks this person.",
        lambda view: inside.alike_map(view.table, size=view.facts["size"], person=view.facts["person"]),
        said.alike,
        height=660,
    ),
    "items": Picture(
        "Which items go together for this model?",
        "Each cell is what two items have to do with each other, brighter is more. Items that are alike stand side by "
        "side, so a bright block along the diagonal is a group. Where the model has a weight for each direction, it is "
        "the mean of the two.",
        lambda view: inside.alike_map(view.table, size=view.facts["size"]),
        said.alike,
        height=660,
    ),
    "around": Picture(
        "What speaks for this item?",
        "Whoever has an item on the left gets so much added to the score of this one; a bar to the left takes away. "
        "Orange items are those that this person has: they make the score.",
        lambda view: inside.weight_bars(view.table),
        said.weights,
    ),
    "space": Picture(
        "Where do this person's tastes point?",
        "Each dot is an item. The further to the right, the more this person's tastes add to its score; how far up or "
        "down makes no difference to them. Popularity and other biases come on top of it.",
        lambda view: inside.taste_space(view.table),
        said.space,
    ),
    "tastes": Picture(
        "What are the hidden tastes?",
        "A taste has no name: it is what the items at its two ends have in common. A person on the side of the upper "
        "end gets more of those items, and less of the others.",
        lambda view: inside.taste_ends(view.table),
        said.taste,
        more=said.categories,
    ),
    "topics": Picture(
        "What are the topics?",
        "An item is a mixture of topics, and its shares sum to 100 %. A topic has no name: it is what the items on top "
        "have in common, and the attributes that speak for it.",
        lambda view: inside.topic_bars(view.table),
        said.topic,
        more=said.attributes,
    ),
    "terms": Picture(
        "Which terms matched?",
        "Each bar is a term that the item shares with what this person has, or with the person. It adds if they liked "
        "what has it, more than their own mean, and takes away if they did not.",
        lambda view: inside.term_bars(view.table),
        said.terms,
    ),
    "rules": Picture(
        "Which rules does it hold?",
        "A rule says: of those who have what stands on the left of the arrow, such a share (confidence) has what "
        "stands on the right. Lift says how many times as often that is as among everybody; 1 would mean that the "
        "left side tells nothing.",
        lambda view: inside.rule_bars(view.table),
        said.rules,
        more=said.surest_rule,
        shows_table=True,
    ),
    "graph": Picture(
        "Who moved this score?",
        "The person stands in the middle, around them those whom they are linked with, and further out people one link "
        "away who had a share in the score. Blue raised it, orange-red lowered it, the larger the more; grey ones had "
        "no say.",
        lambda view: inside.link_graph(view.table, person=view.facts["person"]),
        said.graph,
        height=560,
        more=said.implicit,
    ),
    "memory": Picture(
        "What does it remember while it reads?",
        "From left to right the network reads the history. A high grey bar is an item that turned the memory; where "
        "the line is high, the memory says much about what comes next. Gates are learned: an open one lets through.",
        lambda view: inside_sequence.memory_curves(view.table, gates=view.facts["gates"]),
        inside_sequence.memory,
        height=560,
        more=inside_sequence.gates,
    ),
    "filters": Picture(
        "Which filter fired where?",
        "Each row is a filter, the one that moves the score most on top; the coloured cells are the items that it "
        "looked at. Blue items add to the score through it, orange ones take away. A pattern looks for some items in a "
        "row and stands where it found them best; a weighted sum always looks at all of the last items.",
        lambda view: inside_sequence.filter_map(view.table, titles=view.facts["titles"]),
        inside_sequence.filters,
        height=560,
    ),
    "tree": Picture(
        "How does it read a history?",
        "Items were joined to sessions, and sessions to the person, always by the same rule that was learned. A dot is "
        "larger the more its state says, compared with others of its column. Blue raised the score, orange-red lowered "
        "it: what is below a dot was left out and the model asked again. These effects do not add up.",
        lambda view: inside_tree.session_tree(view.table),
        inside_tree.tree,
        height=660,
    ),
    "arithmetic": Picture(
        "How is one score made?",
        "Each bar starts where the one before ended, and the last one ends at the score: blue adds, orange-red takes "
        "away. The table has every term with the numbers it is made of.",
        lambda view: contributions(view.facts["parts"], score=view.facts["score"]),
        said.arithmetic,
        shows_table=True,
    ),
    "effects": Picture(
        "What does the score hang on?",
        "An approximation: this model cannot say what its scores are made of. So each item was left out of the history "
        "once, and the model asked again; a bar is what the score loses without the item. The bars do not add up to "
        "the score, since items that say the same thing stand in for each other.",
        lambda view: effect_bars(view.table.head(16)),
        said.effects,
    ),
    "loss": Picture(
        "How did it learn?",
        "A curve that is flat at the end has learned what it can; one that still falls would gain from more epochs. "
        "One that falls on the training data alone says nothing about people it has not seen.",
        lambda view: inside.training_curves(view.table),
        said.loss,
        height=320,
    ),
}
"""View -> how it is shown."""
