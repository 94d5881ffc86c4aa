"""What the comparison must say about uploaded lists: what is not known about them, and which rows were not judged."""

from collections.abc import Iterator, Mapping

from recsys_core.evaluation.metric_info import MetricName
from recsys_core.evaluation.protocol import MANY, Finding, Severity
from recsys_core.experiments.experiment import Run
from recsys_core.experiments.list_accounts import ListAccount
from recsys_core.experiments.uploaded_lists import accounts
from recsys_core.models.external import LIST
from recsys_core.text import Sentence, Template, whole

UNKNOWN_ORIGIN = Template(
    "{model} is an uploaded list: which data it was made from is not known, nor whether the test data were among them. "
    "If they were, its metrics are too high. How it was tuned, its training time and memory are not known, either."
)
ORDER_OF_FILE = Template("{model} has neither ranks nor scores: its lists are read in the order of the file.")
INVALID = Template(
    "{model}: {count} of {total} rows of the file has no user, no item, or no number as rank or score.",
    "{model}: {count} of {total} rows of the file have no user, no item, or no number as rank or score.",
)
UNKNOWN_USERS = Template(
    "{model}: {count} of {total} rows names a user that is not in the data (distinct users: {distinct}).",
    "{model}: {count} of {total} rows name users that are not in the data (distinct users: {distinct}).",
)
UNKNOWN_ITEMS = Template(
    "{model}: {count} of {total} rows names an item that is not in the data (distinct items: {distinct}); the list "
    "moves up.",
    "{model}: {count} of {total} rows name items that are not in the data (distinct items: {distinct}); the lists "
    "move up.",
)
NO_TEST_USER = Template(
    "{model}: {count} of {total} rows is about a user without a test case.",
    "{model}: {count} of {total} rows are about users without a test case.",
)
REPEATED = Template(
    "{model}: {count} of {total} rows repeats an item of the same list; its best rank counts.",
    "{model}: {count} of {total} rows repeat an item of the same list; its best rank counts.",
)
SEEN = Template(
    "{model}: {count} of {total} rows recommends an item that the user has seen in training. It is removed, since no "
    "model recommends such items; the list moves up.",
    "{model}: {count} of {total} rows recommend items that the user has seen in training. They are removed, since no "
    "model recommends such items; the lists move up.",
)
NO_CANDIDATE = Template(
    "{model}: {count} of {total} rows recommends an item that is not a candidate of this experiment; it is removed.",
    "{model}: {count} of {total} rows recommend items that are not candidates of this experiment; they are removed.",
)
TIED = Template(
    "{model}: {count} of {total} rows have the same rank or score as another row of the same list; they keep the order "
    "of the file."
)
NO_LIST = Template("{model} has no list for {count} of {total} test users. {effect}")
NO_LIST_IN_SETS = Template(
    "{model} has no list for {count} of {total} test users, where a user counts once per test set. {effect}"
)
COUNTS_AS_0 = Template("A missing list counts as 0.")
REPLACED = Template("A missing list is replaced by that of the fallback.")
UNCOUNTED = Template("Without a list, {metric} is undefined for a user.")


def list_findings(run: Run, titles: Mapping[str, str], metric: str) -> list[Finding]:
    """Return the findings about the uploaded lists and the programs of an experiment.

    Args:
        run: The experiment.
        titles: Title of each contender by id.
        metric: The column compared.
    """
    found = []
    for one, account in accounts(run).items():
        if run.model_spec(one).key == LIST:
            found.append(Finding("warning", "uploaded_list", 1, UNKNOWN_ORIGIN.fill(model=titles[one])))
        found += _of_list(titles[one], account)
        if missing := account.users - account.listed:
            several = len((run.split_report() or {}).get("folds", ())) > 1
            words = NO_LIST_IN_SETS if several else NO_LIST
            total, effect = whole(account.users), _effect(run, metric)
            sentence = words.fill(missing, model=titles[one], total=total, effect=effect)
            found.append(Finding("warning", "uploaded_missing", missing, sentence))
    return found


def _effect(run: Run, metric: str) -> Sentence:
    """State what a missing list does to a metric."""
    if run.spec.fallback != "none":
        return REPLACED.fill()
    name = MetricName.parse(metric)
    if name.info.kind == "accuracy":
        return COUNTS_AS_0.fill()
    return UNCOUNTED.fill(metric=name.title)


def _of_list(model: str, account: ListAccount) -> Iterator[Finding]:
    if account.order == "file":
        yield Finding("info", "uploaded_order", 1, ORDER_OF_FILE.fill(model=model))
    invalid = account.unsplit + account.without_id + account.unreadable
    checks: tuple[tuple[Severity, str, Template, int, int], ...] = (
        ("warning", "uploaded_invalid", INVALID, invalid, 0),
        ("warning", "uploaded_unknown_users", UNKNOWN_USERS, account.unknown_user_rows, account.unknown_users),
        ("warning", "uploaded_unknown_items", UNKNOWN_ITEMS, account.unknown_item_rows, account.unknown_items),
        ("info", "uploaded_no_test_user", NO_TEST_USER, account.no_test_user, 0),
        ("warning", "uploaded_repeated", REPEATED, account.repeated, 0),
        ("warning", "uploaded_seen", SEEN, account.seen, 0),
        ("warning", "uploaded_no_candidate", NO_CANDIDATE, account.no_candidate, 0),
    )
    for severity, rule, template, count, distinct in checks:
        if count:
            sentence = template.fill(count, model=model, total=whole(account.rows), distinct=whole(distinct))
            yield Finding(severity, rule, count, sentence)
    if account.tied:
        severity = "warning" if account.tied > MANY * account.rows else "info"
        sentence = TIED.fill(account.tied, model=model, total=whole(account.rows))
        yield Finding(severity, "uploaded_tied", account.tied, sentence)
