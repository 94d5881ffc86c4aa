"""What each view of a trained model shows, in one sentence with its numbers."""

import math

from recsys_core.evaluation.sentences import Sentence, Template, percent
from recsys_core.explain.view import ViewData

MEASURES = {
    "cosine": "cosine",
    "adjusted_cosine": "adjusted cosine",
    "pearson": "Pearson correlation",
    "msd": "mean squared difference",
    "jaccard": "Jaccard",
}

NEAREST = Template(
    "{count} person has a say, of at most {k}; the nearest, '{first}', has a similarity ({measure}) of {highest} and "
    "{shared} of {history} items in common.",
    "{count} people have a say, of at most {k}; the nearest, '{first}', has a similarity ({measure}) of {highest} and "
    "{shared} of {history} items in common.",
)
SHARED = Template(
    "This person and '{other}' have {count} item in common; their similarity ({measure}) is {similarity}.",
    "This person and '{other}' have {count} items in common; their similarity ({measure}) is {similarity}.",
)
SHARED_SUM = Template(
    "This person and '{other}' have {count} item in common, which makes a similarity ({measure}) of {similarity}. "
    "'{item}' does most: {share}.",
    "This person and '{other}' have {count} items in common, which make a similarity ({measure}) of {similarity}. "
    "'{item}' does most: {share}.",
)
SHRUNK = Template(
    "This person and '{other}' have {count} item in common, which makes a similarity ({measure}) of {shares}; the "
    "settings of this model turn it into {similarity}. '{item}' does most: {share}.",
    "This person and '{other}' have {count} items in common, which make a similarity ({measure}) of {shares}; the "
    "settings of this model turn it into {similarity}. '{item}' does most: {share}.",
)
ALIKE = Template(
    "Of {size}, '{first}' and '{second}' are most alike ({highest}); on average two have {mean}. "
    "{empty} of the pairs have nothing in common."
)
WEIGHTS = Template(
    "{count} item speaks for '{item}', {against} against it; '{first}' does most for it: {weight}.",
    "{count} items speak for '{item}', {against} against it; '{first}' does most for it: {weight}.",
)
SPACE = Template(
    "This person's tastes add {history} on average to the score of what they have, and {rest} to that of other items; "
    "what the model recommends gets {recommended}."
)
TASTE = Template(
    "Taste {number} of the model moves scores by {strength}, the strongest by {strongest} (root mean square). "
    "This person stands at {person}, nearer to the {end}."
)
CATEGORIES = Template("More than chance at the upper end: {high}; at the lower end: {low}.")
ARITHMETIC = Template(
    "'{item}' gets {score}: the sum of {count} term{rest}. The largest, '{first}', adds {weight}.",
    "'{item}' gets {score}: the sum of {count} terms{rest}. The largest, '{first}', adds {weight}.",
)
NO_TERMS = Template("'{item}' gets {score}, all of it from what belongs to no part.")
TOPIC = Template(
    "Topic {number} makes up {size} of an item on average; {of} topics of one size would have {even} each. In what "
    "this person has it makes up {person}."
)
ATTRIBUTES = Template("What speaks for it: {speaks_for}; against it: {against}.")
TERMS = Template(
    "{count} of {terms} terms of '{item}' matches what this person has; the largest, '{first}', adds {weight}. "
    "Together they add {total} to a score of {score}.",
    "{count} of {terms} terms of '{item}' match what this person has; the largest, '{first}', adds {weight}. "
    "Together they add {total} to a score of {score}.",
)
RULES_TO_ITEM = Template(
    "{count} of {of} rules leads to '{item}'; {fired} fire for this person.",
    "{count} of {of} rules lead to '{item}'; {fired} fire for this person.",
)
RULES_FIRED = Template(
    "{count} of {of} rules fires for this person and leads to what they do not have.",
    "{count} of {of} rules fire for this person and lead to what they do not have.",
)
RULES_ALL = Template(
    "The model holds {count} rule; {fired} fire for this person.",
    "The model holds {count} rules; {fired} fire for this person.",
)
SUREST = Template("The surest, '{first}', has a confidence of {confidence} and a lift of {lift}.")
GRAPH = Template(
    "This person has {links} links. {count} person drawn here has a share in the score of '{item}', most '{most}': "
    "{weight}.",
    "This person has {links} links. {count} people drawn here have a share in the score of '{item}', most '{most}': "
    "{weight}.",
)
GRAPH_PULL = Template(
    "This person has {links} links. This model pulls people towards their friends: '{most}' pulls most where '{item}' "
    "is concerned ({weight}). These pulls are no parts of the score."
)
GRAPH_SILENT = Template("This person has {links} links; nobody of them has a share in the score of '{item}'.")
IMPLICIT = Template("Nobody made these links: the model reads them from who rates alike.")
EFFECTS = Template(
    "'{item}' gets {score}. For an unknown person with this history it is {folded}; {count} item was left out of it. "
    "Without '{first}' the score changes most: by {weight}.",
    "'{item}' gets {score}. For an unknown person with this history it is {folded}; {count} items were left out of it, "
    "one by one. Without '{first}' the score changes most: by {weight}.",
)
EFFECTS_NONE = Template("'{item}' gets {score}; the history is empty, so nothing can be left out.")
LOSS = Template(
    "Over {count} step ({stage}) {name} went from {first} to {last}.",
    "Over {count} steps ({stage}) {name} went from {first} to {last}.",
)


def nearest(view: ViewData) -> Sentence:
    """Say who is nearest, and how many have a say."""
    first, facts = view.table.iloc[0], view.facts
    return NEAREST.fill(
        facts["found"],
        k=str(facts["k"]),
        first=str(first["user_id"]),
        measure=MEASURES[facts["measure"]] + (" and trust" if facts["trust"] else ""),
        highest=f"{first['similarity']:.3f}",
        shared=str(first["shared"]),
        history=str(facts["history"]),
    )


def shared(view: ViewData) -> Sentence:
    """Say how many items two people share, and which of them does most."""
    first, facts = view.table.iloc[0], view.facts
    values = {
        "other": str(facts["neighbour"]),
        "measure": MEASURES[facts["measure"]],
        "similarity": f"{facts['similarity']:.3f}",
    }
    if math.isnan(facts["shares"]):
        return SHARED.fill(len(view.table), **values)
    values |= {"item": str(first["title"]), "share": f"{first['share']:+.3f}"}
    if abs(facts["shares"] - facts["similarity"]) > 1e-4:
        return SHRUNK.fill(len(view.table), shares=f"{facts['shares']:.3f}", **values)
    return SHARED_SUM.fill(len(view.table), **values)


def alike(view: ViewData) -> Sentence:
    """Say which two of a group are most alike."""
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


def weights(view: ViewData) -> Sentence:
    """Say how many items speak for one, and which does most."""
    first, facts = view.table.iloc[0], view.facts
    return WEIGHTS.fill(
        facts["positive"],
        item=facts["item"],
        against=f"{facts['negative']:,}",
        first=str(first["title"]),
        weight=f"{first['weight']:+.3g}",
    )


def space(view: ViewData) -> Sentence:
    """Say what a person's tastes add to what they have, to other items, and to what is recommended."""
    return SPACE.fill(**{role: _signed(view.facts.get(f"{role}_mean")) for role in ("history", "rest", "recommended")})


def taste(view: ViewData) -> Sentence:
    """Say how much a taste moves scores, and where the person stands."""
    facts = view.facts
    return TASTE.fill(
        number=str(facts["number"]),
        strength=f"{facts['strengths'][facts['number'] - 1]:.3g}",
        strongest=f"{facts['strengths'][0]:.3g}",
        person=f"{facts['person']:+.3g}",
        end="upper end" if facts["person"] >= 0 else "lower end",
    )


def categories(view: ViewData) -> Sentence | None:
    """Say which categories stand at the ends of a taste; None where none do."""
    high, low = view.facts["high"], view.facts["low"]
    if not high and not low:
        return None
    return CATEGORIES.fill(high="; ".join(high) or "none", low="; ".join(low) or "none")


def topic(view: ViewData) -> Sentence:
    """Say how large a topic is, and how much of it is in what the person has."""
    facts = view.facts
    return TOPIC.fill(
        number=str(facts["number"]),
        size=percent(facts["size"]),
        of=str(facts["of"]),
        even=percent(facts["even"]),
        person="-" if math.isnan(facts["person"]) else percent(facts["person"]),
    )


def attributes(view: ViewData) -> Sentence | None:
    """Say which attributes speak for and against a topic; None where the model has none."""
    speaks_for, against = view.facts["for"], view.facts["against"]
    if not speaks_for and not against:
        return None
    return ATTRIBUTES.fill(speaks_for="; ".join(speaks_for) or "-", against="; ".join(against) or "-")


def terms(view: ViewData) -> Sentence:
    """Say how many terms of an item matched, and which adds most."""
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
    """Say how many rules there are of the kind asked for."""
    facts = view.facts
    template = {"item": RULES_TO_ITEM, "person": RULES_FIRED, "all": RULES_ALL}[facts["which"]]
    return template.fill(facts["found"], of=f"{facts['of']:,}", item=facts["item"], fired=f"{facts['fired']:,}")


def surest_rule(view: ViewData) -> Sentence:
    """Say which of the rules is the surest."""
    first = view.table.iloc[0]
    confidence = percent(first["confidence"])
    return SUREST.fill(first=str(first["title"]), confidence=confidence, lift=f"{first['lift']:.2f}")


def graph(view: ViewData) -> Sentence:
    """Say how many links there are, and who moved the score most."""
    facts = view.facts
    values = {"links": f"{facts['links']:,}", "item": facts["item"]}
    if not facts["moved"]:
        return GRAPH_SILENT.fill(**values)
    values |= {"most": facts["most"], "weight": f"{facts['most_weight']:+.3g}"}
    return GRAPH.fill(facts["moved"], **values) if facts["adds_up"] else GRAPH_PULL.fill(**values)


def implicit(view: ViewData) -> Sentence | None:
    """Say that links were made from ratings, where they were."""
    return IMPLICIT.fill() if view.facts["implicit"] else None


def arithmetic(view: ViewData) -> Sentence:
    """Say what a score is the sum of."""
    facts, score = view.facts, f"{view.facts['score']:.4g}"
    if view.table.empty:
        return NO_TERMS.fill(item=facts["item"], score=score)
    first = view.table.iloc[0]
    rest = f" and {facts['remainder']:.4g} that belongs to none" if facts["remainder"] else ""
    return ARITHMETIC.fill(
        facts["sources"],
        item=facts["item"],
        score=score,
        rest=rest,
        first=str(first["title"]),
        weight=f"{first['weight']:+.4g}",
    )


def effects(view: ViewData) -> Sentence:
    """Say which item of the history a score hangs on most."""
    facts, score = view.facts, f"{view.facts['score']:.4g}"
    if view.table.empty:
        return EFFECTS_NONE.fill(item=facts["item"], score=score)
    first = view.table.iloc[0]
    return EFFECTS.fill(
        len(view.table),
        item=facts["item"],
        score=score,
        folded=f"{facts['folded']:.4g}",
        first=str(first["title"]),
        weight=f"{-first['weight']:+.3g}",
    )


def loss(view: ViewData) -> Sentence:
    """Say from where to where the first reported number went."""
    facts = view.facts
    return LOSS.fill(
        facts["steps"],
        stage=facts["stage"],
        name=facts["name"],
        first=f"{facts['first']:.4g}",
        last=f"{facts['last']:.4g}",
    )


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"
