"""The metrics: pure functions of arrays, one a file, each with its :class:`MetricSpec`."""

from evaluators.metrics import diversity, fid, fve, lve, matching_score, multimodality, r_precision
from evaluators.metrics.spec import MetricRefusedError, MetricSpec

METRICS: dict[str, MetricSpec] = {
    spec.key: spec
    for spec in (
        *r_precision.SPECS,
        *matching_score.SPECS,
        fid.SPEC,
        diversity.SPEC,
        multimodality.SPEC,
        lve.SPEC,
        fve.SPEC,
    )
}
"""Every metric by key, in the order of the board."""

__all__ = ["METRICS", "MetricRefusedError", "MetricSpec"]
