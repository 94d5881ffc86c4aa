"""Display names of the metrics of price tags."""

from recsys_core.evaluation.list_metrics import EXPOSURE, VALUE
from recsys_core.evaluation.metric_info import MetricName
from recsys_core.text import _


def metric_title(metric: str) -> str:
    """Return the display name of a metric, such as NDCG@10, Exposure@10: brand=Acme, or Value@10."""
    key, _sign, rest = metric.partition("@")
    if key == EXPOSURE:
        cutoff, _sign, name = rest.partition(":")
        return _("Exposure@{k}: {group}").format(k=cutoff, group=name)
    if key == VALUE:
        return _("Value@{k}").format(k=rest)
    return MetricName.parse(metric).title
