"""Metrics in the text formats of Prometheus and OpenMetrics.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

from bot.domain.runbook.facts.address import Served
from bot.domain.runbook.kind import FactKind, Unreadable
from bot.domain.runbook.record import BINARY, Record

MAX_SAMPLES = 20_000
"""Most samples that are parsed."""
_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_TEXT = r'"(?>[^"\\]++|\\.)*+"'
_LABELS = rf'\{{(?>[^"{{}}]++|{_TEXT})*+\}}'
_NUMBER = r"(?i:[-+]?(?>[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:e[-+]?[0-9]++)?|[-+]?inf(?:inity)?|nan)"
_TIME = r"(?:[ \t]++-?[0-9]++(?:\.[0-9]*+)?)?"
_EXEMPLAR = rf"(?:[ \t]++#[ \t]*+{_LABELS}[ \t]*+{_NUMBER}{_TIME})?"
_SAMPLE = re.compile(rf"({_NAME})(?:[ \t]*+({_LABELS})[ \t]*+|[ \t]++)({_NUMBER}){_TIME}{_EXEMPLAR}")
_LABEL = re.compile(rf"([a-zA-Z_][a-zA-Z0-9_]*+)[ \t]*+=[ \t]*+({_TEXT})")
_BEGINS = re.compile(_NAME)


class Metrics(Served):
    """An address that answers with metrics."""

    path: str = "/metrics"
    """The path at the Service."""

    def lacking(self, record: Record, key: str) -> str:
        """Say why a metric has no single value, or a sample none at all."""
        if key == "value":
            wrong = (line for line in record.lines if "value" not in (_sample(line) or {"value": 0}))
            return next((f"this sample is no finite number: {line.strip()[:200]}" for line in wrong), "")
        lines = [line for line in record.lines if (found := _BEGINS.match(line)) and found[0] == key]
        if len(lines) > 1:
            return f"{key} has {len(lines):,} samples, not one"
        return f"this sample is no finite number: {lines[0].strip()[:200]}" if lines else ""


def values(record: Record) -> dict[str, Any]:
    """Return all samples, by name the samples of each metric, and the value of each that has a single one.

    ``metric`` lacks all others; whether there are any samples of a name, ``series`` says.
    A sample that is no finite number, or is not understood, has no ``value``: an expression that looks at it, such
    as the sum of its metric, is unknown. Raises `Unreadable` for text that is no metrics.
    """
    lines = [line for line in map(str.strip, record.lines) if line and not line.startswith("#")]
    samples = []
    for line in lines:
        if (found := _sample(line)) is None:
            raise Unreadable(f"this is not a metric: {line[:200]}")
        samples.append(found)
    if len(samples) > MAX_SAMPLES:
        raise Unreadable(f"it has {len(samples):,} samples, more than {MAX_SAMPLES:,}: give it a path with fewer")
    if not any(_SAMPLE.fullmatch(line) for line in lines):
        raise Unreadable("it holds no metrics")
    if record.truncated:  # the last number may go on
        samples[-1].pop("value", None)
    counts = Counter(sample["name"] for sample in samples)
    single = {s["name"]: s["value"] for s in samples if counts[s["name"]] == 1 and "value" in s}
    series: dict[str, list[dict[str, Any]]] = {}
    for sample in samples:
        series.setdefault(sample["name"], []).append(sample)
    return {"metric": single, "series": series, "samples": samples, "lines": list(record.lines)}


def _sample(line: str) -> dict[str, Any] | None:
    """Parse a sample; without ``value`` where it is no finite number. None for a line without a metric's name."""
    match = _SAMPLE.fullmatch(line.strip())
    if match is None:
        begin = _BEGINS.match(line.strip())
        return None if begin is None else {"name": begin[0], "labels": {}}
    labels = {name: _unescaped(text[1:-1]) for name, text in _LABEL.findall(match[2] or "")}
    found = {"name": match[1], "labels": labels}
    value = float(match[3])
    return found | {"value": value} if math.isfinite(value) else found


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
    rows=("samples",),
    outcome=("status", BINARY),
)
