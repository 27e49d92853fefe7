"""``agentpod runbook …``: the tools for authors of a runbook."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

from bot.domain.core.outside import Outside
from bot.errors import AgentpodError, SettingsError
from bot.runbook.file.page import runbook_page
from bot.runbook.file.problem import nearest_word
from bot.runbook.file.schema import runbook_schema
from bot.settings.model import Settings
from bot.wiring import runbook_role, runbook_tools

USAGE = (
    "Usage: agentpod runbook lint|test|show|docs FILE | rights [FILE] [--target TARGET] | "
    "rights --policies [--target TARGET] [--account USER] | "
    "record NAME [--target TARGET] | schema; FILE is a path, or the name of a shipped runbook; "
    "NAME is a check or a diagnosis of the target's runbook"
)
Printed = tuple[list[str], int]
"""Lines to print, and the exit code."""


def run(given: Sequence[str], settings: Callable[[], Settings], outside: Callable[[Settings], Outside]) -> Printed:
    """Run one of the tools. Raises AgentpodError for wrong usage and for a wrong runbook.

    ``settings`` loads the settings, for the tools that need them; ``outside`` redacts their secrets.
    """
    words, target = _option(given, "--target")
    if (words[:1] == ["rights"] and len(words) != 2) or "--policies" in words:
        return _all_rights(words, target, settings())
    if words == ["schema"] and target is None:
        return [json.dumps(runbook_schema(), indent=2, ensure_ascii=False)], 0
    if len(words) == 2 and words[0] == "record":
        return _record(words[1], target, settings(), outside)
    if len(words) == 2 and words[0] == "rights":
        return _rights(words[1], target, settings())
    if len(words) != 2 or words[0] not in TOOLS or target is not None:
        raise AgentpodError(_wrong_usage(words, target), remedy=USAGE)
    return _reading(words[1], lambda: TOOLS[words[0]](words[1]))


def _wrong_usage(words: Sequence[str], target: str | None) -> str:
    if not words:
        return "What shall be done with which runbook?"
    name = words[0]
    if name not in (*TOOLS, *_OTHER_TOOLS):
        hint = nearest_word(name, (*TOOLS, *_OTHER_TOOLS))
        return f"There is no tool {name!r} for runbooks; {hint}" + ("" if hint.endswith("?") else ".")
    if target is not None and name not in ("rights", "record"):
        return f"{name} takes no --target."
    if len(words) == 1:
        return f"{name} needs a {'NAME' if name == 'record' else 'FILE'}."
    taken = {"schema": 0}.get(name, 1)
    return f"{name} takes no {' '.join(words[1 + taken :])!r}."


def _option(given: Sequence[str], name: str) -> tuple[list[str], str | None]:
    """Return the other words, and the value of an option such as ``--target``."""
    words = list(given)
    if name not in words:
        return words, None
    place = words.index(name)
    return words[:place] + words[place + 2 :], words[place + 1] if place + 1 < len(words) else ""


def _reading(place: str, work: Callable[[], Printed]) -> Printed:
    """Do what needs a runbook that is right. Raises AgentpodError with all of its problems."""
    try:
        return work()
    except SettingsError as error:
        raise AgentpodError("\n".join([f"The runbook {place} is wrong:", *error.problems])) from None


def _docs(place: str) -> Printed:
    return runbook_page(runbook_tools.compiled(place).runbook), 0


def _rights(place: str, target: str | None, settings: Settings) -> Printed:
    _known(target, settings)
    chosen = settings.target(target)
    return _reading(place, lambda: (runbook_role.manifest(runbook_tools.compiled(place).runbook, chosen), 0))


def _all_rights(words: Sequence[str], target: str | None, settings: Settings) -> Printed:
    """Print the Roles and the admission policies that the settings need, for one target's cluster."""
    from bot.wiring.admission import HEADER, as_yaml, manifests
    from bot.wiring.books import Books

    words, account = _option(words, "--account")
    if words not in (["rights"], ["rights", "--policies"]) or account == "":
        raise AgentpodError("Whose rights?", remedy=USAGE)
    _known(target, settings)
    chosen = settings.target(target)
    here = [one for one in settings.targets if one.cluster == chosen.cluster]
    books = Books(settings.targets, runbook_tools.TAKEN)
    roles = [runbook_role.manifest(books[one.name].runbook, one) for one in here if one.runbook]
    printed = dict.fromkeys("\n".join(lines) for lines in roles) if len(words) == 1 else {}
    before = [line for text in printed for line in (*text.split("\n"), "---")]
    return [*before, *HEADER, *as_yaml(manifests(here, books, account))], 0


def _record(name: str, target: str | None, settings: Settings, outside: Callable[[Settings], Outside]) -> Printed:
    from bot import logs
    from bot.wiring.runbook_record import record

    _known(target, settings)
    shown = outside(settings)
    logs.configure("error", "console", shown)
    return asyncio.run(record(settings, shown, name, target))


def _known(target: str | None, settings: Settings) -> None:
    names = [one.name for one in settings.targets]
    if target is not None and target not in names:
        raise AgentpodError(f"There is no target {target!r}.", remedy=f"Known: {', '.join(names)}.")


_OTHER_TOOLS = ("rights", "record", "schema")
TOOLS: dict[str, Callable[[str], Printed]] = {
    "lint": runbook_tools.lint,
    "test": runbook_tools.test,
    "show": runbook_tools.show,
    "docs": _docs,
}
"""Tools that need a runbook and nothing else."""
