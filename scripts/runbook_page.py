"""Generates the reference part of docs/runbook.md: kinds of facts, entries, expressions, limits."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from bot.adapters.cel import CelExpressions
from bot.domain.runbook import record
from bot.domain.runbook.bounded_values import LOOP, NESTED, TEXT, VALUES
from bot.domain.runbook.entry import MOST
from bot.domain.runbook.facts import metrics
from bot.domain.runbook.kind import FactKind
from bot.domain.runbook.kinds import KINDS
from bot.runbook.file import loader
from bot.runbook.file.compiled import ALWAYS
from bot.runbook.file.schema import runbook_schema
from bot.services.runbook.readers import http, kubernetes, log, pod
from bot.settings import yaml_file
from bot.settings.schema import SchemaGenerator, plain
from sandbox.cluster.fixture import Fixture

START = "<!-- What follows is made by scripts/reference.py from the code: change it there. -->\n"
EXAMPLES = (
    ("1 + 2 * 3 - 4 / 2 % 3", 5, "arithmetic; both sides have one type: `double(3)`, `3.0`"),
    ("1 < 2 && !(2 == 3) || false", True, "comparisons, and, not, or"),
    ("2 > 1 ? 'more' : 'less'", "more", "if … then … else"),
    ("'warn' in ['warn', 'fail']", True, "in a list, or a key in a map"),
    ("'up ' + string(3)", "up 3", "texts are joined by `+`, after `string()`"),
    ("int('42') + int(1.9)", 43, "`int()`, `double()`, `string()`, `bool()`; what is no number gives unknown"),
    ("size('abc') + ['a', 'b'].size()", 5, "length of a text, a list or a map"),
    (
        "['b', 'a'][0]",
        "b",
        "an element, from 0; one that is not there gives unknown, the first of no lines no proof",
    ),
    ("has({'a': 1}.b)", False, "whether a map has a key"),
    ("['up 1', 'down 2'].filter(l, l.startsWith('down'))", ["down 2"], "the elements for which it is true"),
    ("['a=1', 'b=2'].map(l, l.split('=')[1])", ["1", "2"], "something made of each element"),
    ("['up', 'up'].all(l, l == 'up')", True, "whether it is true for all"),
    ("['up', 'down'].exists(l, l == 'down')", True, "whether it is true for one at least"),
    ("['up', 'down'].exists_one(l, l == 'down')", True, "whether it is true for exactly one"),
    ("'abc'.contains('b') && 'abc'.endsWith('c')", True, "`contains`, `startsWith`, `endsWith`"),
    (
        "'pid 4711'.matches('^pid [0-9]+$')",
        True,
        "a pattern of RE2, found anywhere unless `^` and `$` say where; `lint` checks it",
    ),
    ("'a, b'.split(', ')", ["a", "b"], "split a text into a list"),
    ("['a', 'b'].join(', ')", "a, b", "join a list of texts"),
    ("'  a b '.trim().replace(' ', '-')", "a-b", "`trim`, `replace`, `lowerAscii`, `upperAscii`"),
    ("'abcd'.substring(1, 3)", "bc", "also `indexOf`, `lastIndexOf`, `charAt`"),
    ("'%s of %d'.format(['3', 5])", "3 of 5", "values in a text"),
    ("timestamp('2026-01-02T00:00:00Z') + duration('1h') > timestamp('2026-01-01T00:00:00Z')", True, "times"),
    ("sum([1, 2.5])", 3.5, "the total of numbers: agentpod's own function, which CEL lacks"),
)
"""Expressions with their results: each is evaluated when the page is made."""


def runbook_reference() -> str:
    """The reference part. Raises AssertionError for an example that doesn't give its result."""
    schema = runbook_schema()
    return (
        "\n".join([START, *_file(schema), *_facts(schema), *_expressions(), *_limits(), *_fixture()]).rstrip()
        + "\n"
    )


def _file(schema: dict[str, Any]) -> Iterator[str]:
    yield from ("## Reference: the file", "")
    sections = schema["properties"].items()
    yield from _table(
        "| section | meaning |", (f"| `{n}` | {shown.get('description', '')} |" for n, shown in sections)
    )
    yield from _flow(
        """
        An entry replaces the one of the same name in a runbook that this one extends; `disabled: true` removes
        that one.
        """
    )
    for name in _entries(schema):
        yield from _entry(schema, name)


def _entries(schema: dict[str, Any]) -> list[str]:
    """The definitions of entries and what is in them, each after the one that uses it."""
    found: list[str] = []
    todo = [_ref(shown) for shown in schema["properties"].values()]
    settings = {kind.settings.__name__ for kind in KINDS}
    while todo:
        name = todo.pop(0)
        if name is None or name in found or name in ("FactUse", "Offer") or name in settings:
            continue
        found.append(name)
        inside = [_ref(shown) for shown in schema["$defs"][name].get("properties", {}).values()]
        todo = [*inside, *todo]
    return found


def _ref(shown: Any) -> str | None:
    """The first definition that a schema refers to."""
    if isinstance(shown, dict):
        if "$ref" in shown:
            return str(shown["$ref"]).rpartition("/")[2]
        return next((found for inner in shown.values() if (found := _ref(inner)) is not None), None)
    if isinstance(shown, list):
        return next((found for inner in shown if (found := _ref(inner)) is not None), None)
    return None


HEADINGS = {
    "PodEntry": "The pod",
    "ContainerTarget": "A container of the pod",
    "ProcessRule": "An expected process",
    "Remedies": "`remedies` of the pod",
    "CheckEntry": "A check",
    "Failure": "`fails` of a check",
    "Alert": "`alert` of a check",
    "Diagnosis": "A diagnosis",
    "Cause": "A cause of a diagnosis",
    "CommandEntry": "A command",
    "Param": "A parameter of a command",
    "Offer": "Repair",
    "RepairEntry": "A repair",
    "Approval": "`approval` of a repair",
    "Step": "A step of a repair",
    "Verify": "`verify` of a repair",
    "Impact": "An impact",
    "Trial": "A test",
    "ContainerFixture": "A container",
    "CommandOutput": "A command's output",
    "ServiceFixture": "A service",
    "Answer": "An answer",
}


def _entry(schema: dict[str, Any], name: str) -> Iterator[str]:
    made = schema["$defs"][name]
    yield from (f"### {HEADINGS.get(name, name)}", "", made.get("description", ""), "")
    yield from _table(KEYS, _rows(made))


def _rows(made: dict[str, Any], without: tuple[str, ...] = ()) -> Iterator[str]:
    direct = {way["required"][0] for way in made.get("oneOf", ())} - {"facts"}
    for key, shown in made.get("properties", {}).items():
        if key in direct or key in without:
            continue
        default = "required" if key in made.get("required", ()) else _default(shown)
        yield f"| `{key}` | {_takes(shown)} | {default} | {_cell(shown.get('description', ''))} |"
    if direct:
        yield "| *a kind of fact* | its settings | | Instead of `facts`, where there is only one |"


def _default(shown: dict[str, Any]) -> str:
    value = shown.get("default")
    return "" if value in (None, [], "") else f"`{json.dumps(value)}`".replace('"', "")


def _takes(shown: dict[str, Any]) -> str:
    """What a key takes, in words."""
    ways = [way for way in shown.get("anyOf", [shown]) if way.get("type") != "null"]
    return " or ".join(dict.fromkeys(_one(way) for way in ways))


def _one(way: dict[str, Any]) -> str:
    if "$ref" in way:
        name = str(way["$ref"]).rpartition("/")[2]
        return "fact" if name == "FactUse" else HEADINGS.get(name, name).split(" of ")[0].lower().replace("`", "")
    if "enum" in way:
        return ", ".join(f"`{one}`" for one in way["enum"])
    if way.get("type") == "array":
        return f"list: {_takes(way['items'])}" if isinstance(way.get("items"), dict) else "list"
    if way.get("type") == "object":
        inner = way.get("additionalProperties") or next(iter(way.get("patternProperties", {}).values()), None)
        return f"by name: {_takes(inner)}" if isinstance(inner, dict) else "by name"
    if way.get("pattern", "").endswith("[dhms])+$"):
        return "duration"
    names = {"string": "text", "boolean": "`true`, `false`", "integer": "whole number", "number": "number"}
    return names.get(str(way.get("type")), "anything")


def _facts(schema: dict[str, Any]) -> Iterator[str]:
    yield from ("## Reference: facts", "")
    yield from _flow(
        """
        A fact is a kind with its settings. A named one gives its variables as `name.variable`; one that a check
        reads directly gives them plainly. Facts of one answer are read side by side, each once, within their own
        deadline, and redacted before anything sees them. All have the setting `timeout` (a duration; default:
        `probes.timeout`).
        """
    )
    for kind in KINDS:
        yield from _fact(schema, kind)


def _fact(schema: dict[str, Any], kind: FactKind) -> Iterator[str]:
    made = schema["$defs"][kind.settings.__name__]
    yield from (f"### `{kind.name}`", "", f"{_cell(plain(kind.about))}.", "")
    rows = list(_rows(made, without=("timeout",)))
    if rows:
        yield from _table("| setting | takes | default | meaning |", rows)
    else:
        yield from ("It has no settings of its own: `{}`.", "")
    names = ", ".join(f"`{name}` ({type_})" for name, type_ in kind.variables.items())
    yield from (f"Variables: {names}. {_values(kind)}", "")
    if kind.recorded:
        comes = ", ".join(f"`{name}: {value}`" for name, value in kind.recorded.items())
        yield from (f"In a test whose fact is a plain text it comes with {comes}.", "")


def _values(kind: FactKind) -> str:
    """What the variables are, and what makes them unknown: the docstring of the function that computes them."""
    about = plain(inspect.getdoc(kind.values) or "").removeprefix("Return ")
    about = re.sub(r"Raises `Unreadable` ", "Unknown ", about)
    return about[:1].upper() + about[1:]


def _expressions() -> Iterator[str]:
    yield from ("## Reference: expressions", "")
    always = ", ".join(f"`{name}` ({type_})" for name, type_ in ALWAYS.items())
    yield from _flow(
        f"""
        Expressions are in [CEL](https://github.com/google/cel-spec), Kubernetes' own expression language, with
        the extension for texts. Names and types are checked before anything runs. An expression that gives no
        value on the facts makes its check unknown, never healthy. Besides the variables of the facts there is
        {always}.
        """
    )
    yield from _table("| expression | gives | |", _examples())


def _examples() -> Iterator[str]:
    engine = CelExpressions()
    for source, result, about in EXAMPLES:
        got = engine.compile(f"[dyn({source})]", {}, "list(dyn)").evaluate({})[0]
        assert got == result, f"{source} gives {got!r}"  # noqa: S101 - a stale page must not be written
        shown = json.dumps(result, ensure_ascii=False)
        yield f"| `{_cell(source)}` | `{shown}` | {about} |"


def _limits() -> Iterator[str]:
    rows = (
        ("size of a file", f"{yaml_file.MAX_BYTES // 1024} KiB"),
        ("entries of a section", f"{MOST:,}"),
        ("runbooks that extend each other", f"{loader.MAX_EXTENDS}"),
        ("lines of a fact", f"{record.MAX_LINES:,}; what is missing then proves nothing"),
        ("characters of a line", f"{record.MAX_LINE:,}"),
        (
            "elements of a list in an expression with a loop",
            f"{LOOP.elements:,}, or {NESTED.elements:,} where loops are nested",
        ),
        ("characters of a fact's lines in it", f"{LOOP.characters:,}, or {NESTED.characters:,}"),
        ("characters of a text in it, such as `stdout`", f"{TEXT:,}"),
        ("values of a list or a map, such as `json`", f"{VALUES:,}"),
        ("answer of a web server", f"{http.LIMIT // 1_000_000} MB"),
        ("log", f"{log.LIMIT // 1_000_000} MB, of it the last `tail` lines"),
        ("samples of metrics", f"{metrics.MAX_SAMPLES:,}"),
        ("objects of a list", f"{kubernetes.MOST:,}"),
        ("events", f"{pod.MOST_EVENTS:,}"),
    )
    yield from ("## Reference: limits", "")
    yield from _table("| most | |", (f"| {what} | {most} |" for what, most in rows))


def _fixture() -> Iterator[str]:
    yield from ("## Reference: the sandbox's fixture", "", plain(inspect.getdoc(Fixture) or ""), "")
    schema = Fixture.model_json_schema(schema_generator=SchemaGenerator)
    yield from _table(KEYS, _rows(schema))
    for name in ("ContainerFixture", "CommandOutput", "ServiceFixture", "Answer"):
        yield from _entry(schema, name)


KEYS = "| key | takes | default | meaning |"


def _table(head: str, rows: Iterable[str]) -> Iterator[str]:
    """A table with its rule, and a blank line."""
    yield from (head, "|" + "---|" * (head.count("|") - 1), *rows, "")


def _flow(text: str) -> list[str]:
    return [" ".join(text.split()), ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
