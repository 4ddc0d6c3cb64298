"""The kinds of panels that the dashboard is made of, as Grafana's builders make them."""

from collections.abc import Mapping

from grafana_foundation_sdk.builders import common, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import QueryVariable, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    SortOrder,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

Panel = timeseries.Panel | stat.Panel | table.Panel
SOURCE = DataSourceRef(type_val="prometheus", uid="convscope-prometheus")


def choice(name: str, query: str) -> QueryVariable:
    """Return a variable of which everything is chosen at first."""
    return (
        QueryVariable(name)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
        .multi(True)
    )


def figure(
    title: str, query: str, unit: str, warn: float | None = None, alarm: float | None = None
) -> stat.Panel:
    """Return one number with its recent past behind it."""
    colors = [("green", None), ("orange", warn), ("red", alarm)]
    steps = [
        Threshold(color=color, value=value)
        for color, value in colors
        if value is not None or color == "green"
    ]
    return (
        stat.Panel()
        .title(title)
        .unit(unit)
        .height(4)
        .span(3)
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(target(query).instant() if unit == "none" else target(query))
    )


def lines(
    title: str, queries: Mapping[str, str], unit: str, what: str = "", width: int = 8
) -> timeseries.Panel:
    """Return lines over time. queries: by legend."""
    panel = timeseries.Panel().title(title).unit(unit).height(8).span(width).min(0)
    if what:
        panel.description(what)
    panel.tooltip(
        common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    )
    for letter, (legend, query) in zip("ABCDEF", queries.items(), strict=False):
        panel.with_target(target(query, letter).legend_format(legend))
    return panel


def rows(title: str, query: str, width: int, what: str = "") -> table.Panel:
    """Return a table whose columns are the labels of the query."""
    hidden = {"Time": True, "Value": True}
    panel = table.Panel().title(title).height(8).span(width)
    if what:
        panel.description(what)
    return panel.with_target(
        target(query).instant().format(PromQueryFormat.TABLE)
    ).with_transformation(
        DataTransformerConfig(id_val="organize", options={"excludeByName": hidden})
    )


def target(query: str, letter: str = "A") -> Dataquery:
    """Return the query as Grafana asks it."""
    return Dataquery().expr(query).ref_id(letter).datasource(SOURCE)
