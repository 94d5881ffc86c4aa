"""One sentence per view of a trained model that states the finding with its numbers."""

import math

import numpy as np
import pandas as pd

from recsys_core.explain.view import ViewData
from recsys_core.text import Sentence, Template, _, later, percent
from recsys_core.viz.progress import quantity_text

MEASURES = {
    "cosine": later("cosine"),
    "adjusted_cosine": later("adjusted cosine"),
    "pearson": later("Pearson correlation"),
    "msd": later("mean squared difference"),
    "jaccard": "Jaccard",
    "tversky": "Tversky",
    "dot": later("dot product"),
}

NEAREST = Template(
    "{count} neighbor has a positive similarity, of at most k = {k}; the nearest, user '{first}', has a similarity "
    "({measure}) of {highest} and shares {shared} of {history}.",
    "{count} neighbors have a positive similarity, of at most k = {k}; the nearest, user '{first}', has a similarity "
    "({measure}) of {highest} and shares {shared} of {history}.",
)
HISTORY = Template("{count} item", "{count} items")
AS_NEAR = Template("{count} other neighbor shown is as near.", "{count} other neighbors shown are as near.")
SHARED = Template(
    "This user and user '{other}' have {count} item in common; their similarity ({measure}) is {similarity}.",
    "This user and user '{other}' have {count} items in common; their similarity ({measure}) is {similarity}.",
)
SHARED_SUM = Template(
    "This user and user '{other}' have {count} item in common, which gives a similarity ({measure}) of {similarity}. "
    "{largest}",
    "This user and user '{other}' have {count} items in common, which give a similarity ({measure}) of {similarity}. "
    "{largest}",
)
SHRUNK = Template(
    "This user and user '{other}' have {count} item in common, which gives a raw similarity ({measure}) of {shares}; "
    "shrinkage and the other settings change it to {similarity}. {largest}",
    "This user and user '{other}' have {count} items in common, which give a raw similarity ({measure}) of {shares}; "
    "shrinkage and the other settings change it to {similarity}. {largest}",
)
CONTRIBUTES_MOST = Template("'{item}' contributes most: {share}.")
CONTRIBUTE_MOST = Template(
    "'{item}' and {count} other item contribute most: {share} each.",
    "'{item}' and {count} other items contribute most: {share} each.",
)
ALL_EQUAL = Template("Each of them contributes {share}.")
OVERLAP = Template(
    "That is {share} of the {union} items that either of them has: {own} of this user, {theirs} of user '{other}'."
)
ALIKE = Template(
    "Among the {size} shown, '{first}' and '{second}' are the most similar ({highest}); the mean over all pairs is "
    "{mean}. {empty} of the pairs have a similarity of 0."
)
AS_ALIKE = Template("{count} other pair is as similar.", "{count} other pairs are as similar.")
WEIGHTS = Template(
    "{count} item has a positive weight for '{item}', {against} a negative one; the largest is that of '{first}': "
    "{weight}.",
    "{count} items have a positive weight for '{item}', {against} a negative one; the largest is that of '{first}': "
    "{weight}.",
)
SPACE = Template(
    "The factor term of the score (user factors times item factors) is {history} on average for items in this user's "
    "history, {rest} for other items, and {recommended} for the recommended items."
)
TASTE = Template(
    "Factor {number} changes scores by {strength}, the strongest factor by {strongest} (root mean square). This "
    "user's coordinate is {person}, towards the {end}."
)
CATEGORIES = Template("Categories that are overrepresented at the upper end: {high}; at the lower end: {low}.")
ARITHMETIC = Template(
    "The score of '{item}' is {score}: the sum of {count} term{rest}. {largest}",
    "The score of '{item}' is {score}: the sum of {count} terms{rest}. {largest}",
)
LARGEST_TERM = Template("The largest term, '{first}', adds {weight}.")
LARGEST_TERMS = Template("The {count} largest terms, such as '{first}', add {weight} each.")
NO_TERMS = Template("The score of '{item}' is {score}; no part of it can be attributed to a source.")
TOPIC = Template(
    "Topic {number} has a mean share of {size} per item; with {of} topics of equal size it would be {even}. Its mean "
    "share in this user's history is {person}."
)
ATTRIBUTES = Template("Attributes that raise its share: {speaks_for}; that lower it: {against}.")
TERMS = Template(
    "{count} of {terms} terms of '{item}' occurs in this user's profile; the largest, '{first}', adds {weight}. "
    "Matching terms contribute {total} to a score of {score}.",
    "{count} of {terms} terms of '{item}' occur in this user's profile; the largest, '{first}', adds {weight}. "
    "Matching terms contribute {total} to a score of {score}.",
)
RULES_TO_ITEM = Template(
    "{count} of {of} rules has '{item}' as its consequent; {fired} match this user's history.",
    "{count} of {of} rules have '{item}' as their consequent; {fired} match this user's history.",
)
RULES_FIRED = Template(
    "{count} of {of} rules matches this user's history and leads to an item outside it.",
    "{count} of {of} rules match this user's history and lead to an item outside it.",
)
RULES_ALL = Template(
    "The model has {count} rule; {fired} match this user's history.",
    "The model has {count} rules; {fired} match this user's history.",
)
SUREST = Template(
    "The rule with the highest confidence, '{first}', has a confidence of {confidence} and a lift of {lift}."
)
GRAPH = Template(
    "This user has {links} links. {count} linked user shown here contributes to the score of '{item}'; the largest "
    "contribution is from '{most}': {weight}.",
    "This user has {links} links. {count} linked users shown here contribute to the score of '{item}'; the largest "
    "contribution is from '{most}': {weight}.",
)
GRAPH_PULL = Template(
    "This user has {links} links. Social regularization draws the factors of linked users together: for '{item}' the "
    "strongest effect is that of '{most}' ({weight}). These effects do not sum to the score."
)
GRAPH_SILENT = Template("This user has {links} links; no linked user contributes to the score of '{item}'.")
IMPLICIT = Template("These links are implicit: they come from similar ratings, not from the users themselves.")
EFFECTS = Template(
    "The score of '{item}' is {score}. For an unknown user with this history it is {folded}; {count} item was left "
    "out. The largest influence is that of '{first}': without it the score changes by {weight}.",
    "The score of '{item}' is {score}. For an unknown user with this history it is {folded}; {count} items were left "
    "out, one at a time. The largest influence is that of '{first}': without it the score changes by {weight}.",
)
EFFECTS_ZERO = Template(
    "The score of '{item}' is {score}. For an unknown user with this history it is {folded}; without '{first}' it "
    "stays the same.",
    "The score of '{item}' is {score}. For an unknown user with this history it is {folded}; {count} items were left "
    "out, one at a time, and the score stays the same.",
)
EFFECTS_UNKNOWN = Template(
    "The score of '{item}' is {score}. For an unknown user with this history it is {folded}; without '{first}', the "
    "only item that it uses, the model has no score, so the influence is unknown.",
)
EFFECTS_NONE = Template("The score of '{item}' is {score}; the history is empty, so there is no item to leave out.")
LOSS = Template(
    "Over {count} step ({stage}), {name} changed from {first} to {last}.",
    "Over {count} steps ({stage}), {name} changed from {first} to {last}.",
)


def nearest(view: ViewData) -> Sentence:
    """State the nearest neighbor and how many neighbors there are."""
    first, facts = view.table.iloc[0], view.facts
    return NEAREST.fill(
        facts["found"],
        k=str(facts["k"]),
        first=str(first["user_id"]),
        measure=(_("{measure} and trust") if facts["trust"] else "{measure}").format(
            measure=_(MEASURES[facts["measure"]])
        ),
        highest=f"{first['similarity']:.3f}",
        shared=str(first["shared"]),
        history=HISTORY.fill(facts["history"]),
    )


def shared(view: ViewData) -> Sentence:
    """State how many items two users share and which one contributes most to their similarity."""
    facts = view.facts
    values: dict[str, str | Sentence] = {
        "other": str(facts["neighbour"]),
        "measure": MEASURES[facts["measure"]],
        "similarity": f"{facts['similarity']:.3f}",
    }
    if math.isnan(facts["shares"]):
        return SHARED.fill(len(view.table), **values)
    values["largest"] = _contribute_most(view.table)
    if abs(facts["shares"] - facts["similarity"]) > 1e-4:
        return SHRUNK.fill(len(view.table), shares=f"{facts['shares']:.3f}", **values)
    return SHARED_SUM.fill(len(view.table), **values)


def as_near(view: ViewData) -> Sentence | None:
    """State how many of the neighbors shown are as near as the first; None if none are."""
    others = equal_to(view.table["similarity"], view.table["similarity"].iloc[0]) - 1
    return AS_NEAR.fill(others) if others else None


def equal_to(values: pd.Series, value: float) -> int:
    """Return how many values equal one of them up to the rounding of sums."""
    return int(np.isclose(values, value, rtol=1e-6, atol=0.0).sum())


def _contribute_most(items: pd.DataFrame) -> Sentence:
    """State the largest contribution of an item to a similarity, and how many items share it."""
    first = items.iloc[0]
    equal, share = equal_to(items["share"], first["share"]), f"{first['share']:+.3f}"
    if equal == 1:
        return CONTRIBUTES_MOST.fill(item=str(first["title"]), share=share)
    if equal == len(items):
        return ALL_EQUAL.fill(share=share)
    return CONTRIBUTE_MOST.fill(equal - 1, item=str(first["title"]), share=share)


def overlap(view: ViewData) -> Sentence | None:
    """State the overlap of two histories; None with ratings, whose agreement is shown instead."""
    facts, both = view.facts, len(view.table)
    if facts["scale"] is not None:
        return None
    own, theirs = facts["own_items"], facts["their_items"]
    union = own + theirs - both
    return OVERLAP.fill(
        share=percent(both / union), union=f"{union:,}", own=f"{own:,}", theirs=f"{theirs:,}",
        other=str(facts["neighbour"]),
    )  # fmt: skip


def alike(view: ViewData) -> Sentence:
    """State the most similar pair of a group."""
    facts = view.facts
    first, second = facts["strongest"]
    return ALIKE.fill(
        size=str(facts["size"]),
        first=first,
        second=second,
        highest=f"{facts['highest']:.3g}",
        mean=f"{facts['mean']:.3g}",
        empty=percent(facts["empty"]),
    )


def as_alike(view: ViewData) -> Sentence | None:
    """State how many other pairs of a group are as similar as the first; None if none are."""
    pairs = equal_to(view.table["similarity"].dropna(), view.facts["highest"]) // 2  # each pair is in both orders
    return AS_ALIKE.fill(pairs - 1) if pairs > 1 else None


def weights(view: ViewData) -> Sentence:
    """State how many items have positive and negative weights for one item, and the largest weight."""
    first, facts = view.table.iloc[0], view.facts
    return WEIGHTS.fill(
        facts["positive"],
        item=facts["item"],
        against=f"{facts['negative']:,}",
        first=str(first["title"]),
        weight=f"{first['weight']:+.3g}",
    )


def space(view: ViewData) -> Sentence:
    """State the mean factor term of the score for history items, other items and recommended items."""
    return SPACE.fill(**{role: _signed(view.facts.get(f"{role}_mean")) for role in ("history", "rest", "recommended")})


def taste(view: ViewData) -> Sentence:
    """State the strength of a latent factor and the user's coordinate on it."""
    facts = view.facts
    return TASTE.fill(
        number=str(facts["number"]),
        strength=f"{facts['strengths'][facts['number'] - 1]:.3g}",
        strongest=f"{facts['strengths'][0]:.3g}",
        person=f"{facts['person']:+.3g}",
        end=_("upper end") if facts["person"] >= 0 else _("lower end"),
    )


def categories(view: ViewData) -> Sentence | None:
    """State the categories overrepresented at the ends of a factor; None without any."""
    high, low = view.facts["high"], view.facts["low"]
    if not high and not low:
        return None
    return CATEGORIES.fill(high="; ".join(high) or "none", low="; ".join(low) or "none")


def topic(view: ViewData) -> Sentence:
    """State the size of a topic and its share in the user's history."""
    facts = view.facts
    return TOPIC.fill(
        number=str(facts["number"]),
        size=percent(facts["size"]),
        of=str(facts["of"]),
        even=percent(facts["even"]),
        person="-" if math.isnan(facts["person"]) else percent(facts["person"]),
    )


def attributes(view: ViewData) -> Sentence | None:
    """State the attributes with the highest and lowest weights for a topic; None without attributes."""
    speaks_for, against = view.facts["for"], view.facts["against"]
    if not speaks_for and not against:
        return None
    return ATTRIBUTES.fill(speaks_for="; ".join(speaks_for) or "-", against="; ".join(against) or "-")


def terms(view: ViewData) -> Sentence:
    """State how many terms of an item match, and the largest contribution."""
    first, facts = view.table.iloc[0], view.facts
    return TERMS.fill(
        len(view.table),
        terms=str(facts["terms"]),
        item=facts["item"],
        first=str(first["title"]),
        weight=f"{first['weight']:+.3g}",
        total=f"{facts['total']:+.3g}",
        score=f"{facts['score']:.4g}",
    )


def rules(view: ViewData) -> Sentence:
    """State the number of rules of the selected kind."""
    facts = view.facts
    template = {"item": RULES_TO_ITEM, "person": RULES_FIRED, "all": RULES_ALL}[facts["which"]]
    return template.fill(facts["found"], of=f"{facts['of']:,}", item=facts["item"], fired=f"{facts['fired']:,}")


def surest_rule(view: ViewData) -> Sentence:
    """State the rule with the highest confidence."""
    first = view.table.iloc[0]
    confidence = percent(first["confidence"])
    return SUREST.fill(first=str(first["title"]), confidence=confidence, lift=f"{first['lift']:.2f}")


def graph(view: ViewData) -> Sentence:
    """State the number of links and the linked user with the largest contribution to the score."""
    facts = view.facts
    values = {"links": f"{facts['links']:,}", "item": facts["item"]}
    if not facts["moved"]:
        return GRAPH_SILENT.fill(**values)
    values |= {"most": facts["most"], "weight": f"{facts['most_weight']:+.3g}"}
    return GRAPH.fill(facts["moved"], **values) if facts["adds_up"] else GRAPH_PULL.fill(**values)


def implicit(view: ViewData) -> Sentence | None:
    """State that links were inferred from ratings; None for explicit links."""
    return IMPLICIT.fill() if view.facts["implicit"] else None


def arithmetic(view: ViewData) -> Sentence:
    """State the terms that sum to a score."""
    facts, score = view.facts, f"{view.facts['score']:.4g}"
    if view.table.empty:
        return NO_TERMS.fill(item=facts["item"], score=score)
    first = view.table.iloc[0]
    equal = equal_to(view.table["weight"], first["weight"])
    rest = _(" and a remainder of {remainder:.4g}").format(remainder=facts["remainder"]) if facts["remainder"] else ""
    return ARITHMETIC.fill(
        facts["sources"],
        item=facts["item"],
        score=score,
        rest=rest,
        largest=(LARGEST_TERMS if equal > 1 else LARGEST_TERM).fill(
            equal, first=str(first["title"]), weight=f"{first['weight']:+.4g}"
        ),
    )


def effects(view: ViewData) -> Sentence:
    """State the history item with the largest influence on a score."""
    facts, score = view.facts, f"{view.facts['score']:.4g}"
    if view.table.empty:
        return EFFECTS_NONE.fill(item=facts["item"], score=score)
    first = view.table.iloc[0]
    template = EFFECTS if first["weight"] else EFFECTS_ZERO
    return (EFFECTS_UNKNOWN if math.isnan(first["weight"]) else template).fill(
        len(view.table),
        item=facts["item"],
        score=score,
        folded=f"{facts['folded']:.4g}",
        first=str(first["title"]),
        weight=f"{-first['weight']:+.3g}",
    )


def loss(view: ViewData) -> Sentence:
    """State the first and last value of the first reported quantity."""
    facts = view.facts
    return LOSS.fill(
        facts["steps"],
        stage=_(facts["stage"]),
        name=quantity_text(facts["name"]),
        first=f"{facts['first']:.4g}",
        last=f"{facts['last']:.4g}",
    )


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3g}"
