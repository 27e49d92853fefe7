"""Generates docs/map.md: a diagram of which package imports which."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOTS = ("bot", "commands")
DOTTED = tuple(f"{root}." for root in ROOTS)
SPLIT = ("bot/domain", "bot/services", "bot/adapters", "commands")
"""Packages whose parts are shown one by one."""
GROUPS = {"bot/domain": "domain", "bot/services": "services", "bot/adapters": "adapters", "commands": "commands"}
LEFT_OUT = ("bot", "bot/errors", "bot/logs", "bot/domain", "bot/services", "bot/adapters", "commands")
"""Imported nearly everywhere, so an arrow to them would say nothing."""

Graph = Mapping[str, set[str]]


def map_page(made: str) -> str:
    """The page; ``made`` is the sentence that says how it was generated."""
    graph = reduced(imports())
    lines = [
        "# Map",
        made,
        "An arrow is an import; what follows from two others is left out, and so are `errors` and `logs`. "
        "import-linter holds the order (`pyproject.toml`). [architecture.md](architecture.md) walks through it.",
        "",
        "```mermaid",
        "flowchart TD",
        *_boxes(graph),
        *(f"    {_id(one)} --> {_id(other)}" for one in sorted(graph) for other in sorted(graph[one])),
        "```",
    ]
    return "\n".join(lines) + "\n"


def imports() -> dict[str, set[str]]:
    """The packages that each package imports."""
    graph: dict[str, set[str]] = {}
    for path in (p for root in ROOTS for p in sorted((ROOT / root).rglob("*.py"))):
        one = package(path.relative_to(ROOT))
        graph.setdefault(one, set())
        graph[one] |= {other for other in _imported(path) if other != one}
    return {one: others - set(LEFT_OUT) for one, others in graph.items() if one not in LEFT_OUT}


def package(path: Path) -> str:
    """The box in the diagram that a module or package belongs to."""
    parts = path.with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    for whole in SPLIT:
        depth = whole.count("/") + 1
        if "/".join(parts[:depth]) == whole:
            return "/".join(parts[: depth + 1])
    return "/".join(parts[:2])


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ROOTS:
            for alias in node.names:
                found = Path(*node.module.split("."), alias.name)
                there = (ROOT / found).is_dir() or (ROOT / found).with_suffix(".py").exists()
                yield package(found if there else found.parent)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(DOTTED):
            named = Path(*node.value.split("."))  # imported by name
            if (ROOT / named).is_dir():
                yield package(named)


def reduced(graph: Graph) -> dict[str, set[str]]:
    """The transitive reduction of ``graph``."""
    return {
        one: {other for other in others if not any(_reaches(graph, by, other) for by in others - {other})}
        for one, others in graph.items()
    }


def _reaches(graph: Graph, one: str, other: str) -> bool:
    seen, todo = set(), [one]
    while todo:
        here = todo.pop()
        if here == other:
            return True
        if here not in seen:
            seen.add(here)
            todo += graph.get(here, ())
    return False


def _boxes(graph: Graph) -> Iterator[str]:
    for whole, title in GROUPS.items():
        yield f"    subgraph {title}"
        yield from (
            f"        {_id(one)}[{one.removeprefix(whole + '/')}]" for one in sorted(graph) if _in(one, whole)
        )
        yield "    end"
    alone = [one for one in sorted(graph) if not any(_in(one, whole) for whole in GROUPS)]
    yield from (f"    {_id(one)}[{one.removeprefix('bot/')}]" for one in alone)


def _in(one: str, whole: str) -> bool:
    return one.startswith(whole + "/")


def _id(one: str) -> str:
    return one.replace("/", "_").strip("_") + "_"
