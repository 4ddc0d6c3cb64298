"""The queries of the dashboard and of the alerts, and what they are made of."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import promql_parser as promql
import yaml

from tests.docker.programs import DOCKER

# As Grafana puts them in, for a page on which everything is chosen.
CHOSEN = {"$instance": ".*", "$model": ".*", "$__rate_interval": "10s", "$__range": "1m"}
Inventory = dict[str, set[str]]  # labels by metric


class Query(NamedTuple):
    """A query, and the panel or alert that asks it."""

    asked_by: str
    text: str

    @property
    def parsed(self) -> promql.Expr:
        """Its syntax tree; what is no PromQL raises ValueError."""
        return promql.parse(self.text)


@cache
def dashboard() -> dict[str, Any]:
    return json.loads((DOCKER / "grafana/dashboards/convscope.json").read_text())


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def panel_queries() -> list[Query]:
    return [
        Query(f"{panel['title']}: {target['refId']}", filled(target["expr"]))
        for panel in panels()
        for target in panel["targets"]
    ]


def filled(text: str) -> str:
    """Return the query with what was chosen; a variable that nobody knows stays."""
    for variable, value in CHOSEN.items():
        text = text.replace(variable, value)
    return text


def alerts() -> list[dict[str, Any]]:
    read = yaml.safe_load((DOCKER / "prometheus/alerts.yaml").read_text())
    return [rule for group in read["groups"] for rule in group["rules"]]


def alert_queries() -> list[Query]:
    return [Query(rule["alert"], rule["expr"]) for rule in alerts()]


def variable_queries() -> list[tuple[str, str]]:
    """Return metric and label of every variable of the dashboard."""
    found = []
    for variable in dashboard()["templating"]["list"]:
        match = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"])
        assert match, variable["query"]
        found.append((match[1], match[2]))
    return found


def selectors(expr: Any) -> Iterator[promql.VectorSelector]:
    """Yield every choice of series in the query."""
    if isinstance(expr, promql.VectorSelector):
        yield expr
    elif isinstance(expr, promql.MatrixSelector):
        yield expr.vector_selector
    for inner in _inside(expr):
        yield from selectors(inner)


def unknown(expr: Any, known: Inventory) -> set[str]:
    """Return the metrics and labels of the query that nobody has."""
    missing = set()
    for selector in selectors(expr):
        labels = known.get(selector.name, set())
        missing |= set() if selector.name in known else {selector.name}
        missing |= {match.name for match in selector.matchers.matchers} - labels
    there = {label for chosen in selectors(expr) for label in known.get(chosen.name, set())}
    missing |= set(_grouped_by(expr)) - there
    for inner in _inside(expr):
        missing |= unknown(inner, known)
    return missing


def _inside(expr: Any) -> list[Any]:
    if isinstance(expr, promql.BinaryExpr):
        return [expr.lhs, expr.rhs]
    if isinstance(expr, promql.Call):
        return list(expr.args)
    return [expr.expr] if hasattr(expr, "expr") else []


def _grouped_by(expr: Any) -> list[str]:
    if isinstance(expr, promql.AggregateExpr) and expr.modifier:
        return list(expr.modifier.labels)
    if isinstance(expr, promql.BinaryExpr) and expr.modifier and expr.modifier.matching:
        return list(expr.modifier.matching.labels)
    return []
