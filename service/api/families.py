"""Figures that are read when somebody asks, as Prometheus' library wants them."""

from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

# Of each sample the values of its labels, and its own.
Samples = Iterable[tuple[Sequence[str], float]]


def gauge(name: str, what: str, samples: Samples, labels: tuple[str, ...] = ()) -> Metric:
    """Return what goes up and down; `convscope_` is put in front of the name."""
    return _filled(GaugeMetricFamily(f"convscope_{name}", what, labels=labels), samples)


def counter(name: str, what: str, samples: Samples, labels: tuple[str, ...] = ()) -> Metric:
    """Return what only goes up; `convscope_` is put in front of the name, `_total` behind."""
    return _filled(CounterMetricFamily(f"convscope_{name}", what, labels=labels), samples)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: Samples) -> Metric:
    for of, value in samples:
        family.add_metric(of, value)
    return family
