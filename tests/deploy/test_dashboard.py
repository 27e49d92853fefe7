"""The Grafana dashboard: it queries existing metrics of the bot, and the sidecar can load it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations

import pytest

from bot import __version__
from bot.adapters.metrics import Metrics
from tests.deploy.rendered import Object, pick

SCRAPED = {"job", "instance"}
"""Labels that every scrape adds."""


def _shipped() -> Object:
    return pick("options/grafana", "ConfigMap")


def _dashboard() -> Object:
    return dict(json.loads(_shipped()["data"]["agentpod.json"]))


def _panels() -> list[Object]:
    return list(_dashboard()["panels"])


def _queries() -> Iterator[str]:
    for panel in _panels():
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in _dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def _metrics() -> dict[str, set[str]]:
    """The name of every series that the bot exposes, and its labels."""
    labels: dict[str, set[str]] = {}
    for name, collector in Metrics(__version__).registry._names_to_collectors.items():
        own = set(collector._labelnames)  # type: ignore[attr-defined]
        labels[name] = own | ({"le"} if name.endswith("_bucket") else set())
    return labels


def _used(query: str) -> list[tuple[str, set[str]]]:
    """Each metric of a query with the labels that it uses, in braces or in an aggregation."""
    found = []
    grouped = {label.strip() for by in re.findall(r"\bby \(([^)]*)\)", query) for label in by.split(",")}
    for name, matchers in re.findall(r"\b(agentpod_\w+)(?:\{([^}]*)\})?", query):
        found.append((name, grouped | set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))))
    return found


@pytest.mark.parametrize("query", sorted(set(_queries())))
def test_every_query_asks_for_metrics_and_labels_that_exist(query: str) -> None:
    metrics = _metrics()
    assert _used(query), "no metric of the bot"
    for name, labels in _used(query):
        assert name in metrics
        assert labels <= metrics[name] | SCRAPED, name
        assert (name.endswith(("_total", "_bucket", "_count", "_sum"))) == bool(
            re.search(r"(rate|increase)\(", query)
        )


def test_legends_use_labels_that_the_query_keeps() -> None:
    for panel in _panels():
        for target in panel.get("targets", ()):
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert all(label in labels | SCRAPED | _metrics()[name] for name, labels in _used(target["expr"]))


def test_every_metric_of_the_bot_is_shown() -> None:
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for query in _queries() for name, _ in _used(query)}
    exposed = {c._name + ("_total" if c._type == "counter" else "") for c in _collectors()}  # type: ignore[attr-defined]
    assert exposed <= shown


def _collectors() -> set[object]:
    return set(Metrics(__version__).registry._names_to_collectors.values())


def test_every_panel_uses_the_chosen_data_source_and_has_a_description() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    kinds = {variable["name"]: variable["type"] for variable in _dashboard()["templating"]["list"]}
    assert kinds["datasource"] == "datasource"
    for panel in _panels():
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["datasource"] == chosen
            assert all(t["datasource"] == chosen for t in panel["targets"])


def test_panels_have_unique_ids_and_do_not_overlap() -> None:
    numbers = [panel["id"] for panel in _panels()]
    assert len(numbers) == len(set(numbers))
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in _panels())
    for one, other in combinations([p["gridPos"] for p in _panels()], 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart or above


def test_the_rows_go_from_summary_to_details() -> None:
    assert [p["title"] for p in _panels() if p["type"] == "row"] == [
        "Now",
        "Commands",
        "Slack",
        "Repairs",
        "Process",
    ]


def test_the_sidecar_finds_the_dashboard_and_the_api_server_accepts_it() -> None:
    shipped = _shipped()
    assert shipped["metadata"]["name"] == "agentpod-dashboard"  # fixed, so that old ones don't pile up
    assert shipped["metadata"]["labels"]["grafana_dashboard"] == "1"
    # `kubectl apply` keeps a copy in an annotation, and annotations are limited to 256 KiB.
    assert len(json.dumps(shipped)) < 200_000


def test_the_memory_line_is_the_deployments_limit() -> None:
    (panel,) = [p for p in _panels() if p["title"].startswith("Memory")]
    line = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"]
    (limit,) = [c["resources"]["limits"]["memory"] for c in _bot()["containers"]]
    assert limit == f"{line // 2**20}Mi"


def _bot() -> Object:
    return dict(pick("base", "Deployment")["spec"]["template"]["spec"])
