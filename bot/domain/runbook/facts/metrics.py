"""Metrics in Prometheus' text format."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

from bot.domain.runbook.facts.address import Served
from bot.domain.runbook.kind import FactKind, Unreadable
from bot.domain.runbook.record import Record

MAX_SAMPLES = 20_000
"""Most samples that are parsed."""
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?[ \t]+(\S+)(?:[ \t]+-?[0-9]+)?")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')


class Metrics(Served):
    """An address that answers with metrics."""

    path: str = "/metrics"
    """The path at the Service."""


def values(record: Record) -> dict[str, Any]:
    """Return all samples, by name the samples of each metric, and the value of each that has a single one.

    A sample that is not a finite number is left out, so that an expression which needs it is unknown. Raises
    `Unreadable` for text that holds no metrics.
    """
    samples = [found for line in record.lines if (found := _sample(line)) is not None]
    if len(samples) > MAX_SAMPLES:
        raise Unreadable(f"it has {len(samples):,} samples, more than {MAX_SAMPLES:,}: give it a path with fewer")
    if not samples:
        raise Unreadable("it holds no metrics")
    counts = Counter(sample["name"] for sample in samples)
    single = {s["name"]: s["value"] for s in samples if counts[s["name"]] == 1 and math.isfinite(s["value"])}
    finite = [sample for sample in samples if math.isfinite(sample["value"])]
    series: dict[str, list[dict[str, Any]]] = {}
    for sample in finite:
        series.setdefault(sample["name"], []).append(sample)
    return {"metric": single, "series": series, "samples": finite, "lines": list(record.lines)}


def _sample(line: str) -> dict[str, Any] | None:
    match = _SAMPLE.fullmatch(line.strip())
    if match is None:
        return None
    try:
        value = float(match[3])
    except ValueError:
        return None
    labels = {name: _unescaped(text) for name, text in _LABEL.findall(match[2] or "")}
    return {"name": match[1], "labels": labels, "value": value}


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)


KIND = FactKind(
    "metrics",
    "Metrics that a service serves in Prometheus' text format",
    Metrics,
    {
        "metric": "map(string, double)",
        "series": "map(string, dyn)",
        "samples": "list(dyn)",
        "lines": "list(string)",
    },
    values,
)
