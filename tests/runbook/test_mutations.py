"""Whatever stands in a runbook file, problems come out, each with file and line: never a traceback."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.ports.expressions import EvaluationFailed, Expression
from bot.runbook.file import trial
from bot.runbook.file.compiled import compile_runbook
from bot.runbook.file.loader import read
from tests.runbook.test_declared_repairs import written

ROUNDS = 40
ROOT = Path(__file__).parents[2]
MORE = """
checks:
  tcp: {title: T, tcp: {host: a.b, port: 22, banner: true}, expect: "connected"}
  secret: {title: T, secret: {name: x}, expect: "exists"}
  policies:
    title: T
    kubernetes: {resource: pods, group: apps, version: v1, selector: a=b, namespace: x}
    expect: exists
  two:
    title: T
    facts: {a: {check: {name: tcp}}, b: {metrics: {url: "http://x/", timeout: 1s}}}
    expect: a.verdict == 'ok'
    needs: [tcp]
    alert: {every: 1m, for: 0s, severity: warning, issue: "a/b#12"}
commands:
  show:
    summary: S
    exec: {command: [x, "{a}", "{b}", "{c}", "{d}", "{e}"], ok: [0, 1]}
    capability: operate
    answer: table
    params:
      a: {one_of: [a, b], default: a, about: A}
      b: {pattern: "[a-z]+", leading_dash: false}
      c: {integer: [1, 5]}
      d: {duration: [1s, 1h]}
      e: {listed: {exec: {command: [ls]}}}
tests:
  - {check: secret, given: {secret: "changed: 2026-01-01T00:00:00Z"}, then: {verdict: ok}}
  - {check: tcp, given: {tcp: {text: "", connected: true}}, then: {verdict: ok}}
  - {check: policies, given: {kubernetes: {text: "", exists: false, found: none}}, then: {verdict: ok}}
  - {check: two, given: {a: {text: x, verdict: ok}, b: "m 1"}, then: {verdict: ok}}
"""
VALUES: tuple[Any, ...] = (
    *(None, True, False, 12, -1, 0, 1.5, 10**17, "", "a b", "x" * 5_000, "-x", "}{", "'", "\x7f", "a\nb", "{p}"),
    *("(", "a)|(?:b", "unreadable", "127", "1e9", [], [1], ["a"], [[]], {}, {"a": 1}, {"a b": {}}, {"exec": {}}),
)
KEYS = ("a b", "x" * 100, "A", "1", "", "facts", "exec", "disabled", "listed", "ok", "-", "a.b")
PYTHONS_WORDS = ("tuple", "input should", "should have", "validation", "dictionary", "instance of", "valid list")


class Unevaluated:
    """Expressions are taken as they are: what compiles them has tests of its own."""

    def __init__(self, source: str = "") -> None:
        self.source = source
        self.variables: frozenset[str] = frozenset()
        self.compared: Mapping[str, frozenset[Any]] = {}

    def lasts(self, value: Any, cut: Mapping[str, bool]) -> bool:
        return True

    def compile(self, source: str, variables: Mapping[str, str], result: str) -> Expression:
        return Unevaluated(source)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        raise EvaluationFailed("it is not evaluated")

    def holds(self, values: Mapping[str, Any]) -> bool:
        raise EvaluationFailed("it is not evaluated")


def documents() -> dict[str, Any]:
    files = [ROOT / "bot/runbook/shipped/secure-agent-pod.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]
    found = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in files}
    more, one_of_each = yaml.safe_load(MORE), yaml.safe_load(written())
    every = {name: {**one_of_each.get(name, {}), **more.get(name, {})} for name in ("checks", "commands")}
    found["one-of-each"] = {**one_of_each, **every, "tests": more["tests"]}
    return {name: json.loads(json.dumps(one)) for name, one in found.items()}  # aliases become copies


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """All places of a document."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def mutated(document: Any, chance: random.Random) -> tuple[Any, list[str]]:
    """A copy in which some places have another value or another name."""
    made, said = copy.deepcopy(document), []
    every = list(places(document))
    for path in sorted(chance.sample(every, chance.choice([1, 1, 1, 2, 5])), key=len, reverse=True):
        inner = made
        for key in path[:-1]:
            inner = inner[key]
        if isinstance(inner, dict) and chance.random() < 0.2:
            key = chance.choice(KEYS)
            inner[key] = inner.pop(path[-1])
            said.append(f"{path} is called {key[:20]!r}")
        else:
            inner[path[-1]] = chance.choice(VALUES)
            said.append(f"{path} = {str(inner[path[-1]])[:20]!r}")
    return made, said


@pytest.mark.parametrize("name", list(documents()))
def test_a_changed_file_has_problems_with_a_line_or_none(name: str) -> None:
    document = documents()[name]
    for seed in range(ROUNDS if len(str(document)) < 20_000 else ROUNDS // 5):
        changed, said = mutated(document, random.Random(seed))  # noqa: S311 - nothing secret
        text = yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)
        try:
            book, problems = compile_runbook(read(text, "f.yaml"), Unevaluated())
            if book is not None:
                trial.run(book)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {said}") from error
        for problem in problems:
            assert problem.file == "f.yaml", said
            assert problem.line > 0 or "(line " in problem.message, (said, str(problem))
            assert len(problem.message) < 1_500, (said, str(problem)[:300])
            assert not [word for word in PYTHONS_WORDS if word in problem.message.lower()], (said, str(problem))
