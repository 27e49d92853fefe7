"""Checks the commands and containers that a file names: words for a shell, and containers that its pod lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.model import Runbook
from bot.runbook.file.declared import Wrong
from bot.runbook.file.problem import nearest_word

_OPERATORS = frozenset({"&&", "||", ">>", "2>", "2>>", "&>", "2>&1", "1>&2", ">/dev/null", "2>/dev/null"})
"""Words that mean something to a shell only."""
_MAYBE = frozenset({"|", ">", "<", ";", "&"})
"""Words that may also be a pattern, a separator or an operand."""
_MATCHING = frozenset(
    {"find", "grep", "egrep", "fgrep", "awk", "gawk", "mawk", "sed", "jq", "yq", "[", "test", "expr"}
)
_SEPARATING = frozenset({"tr", "cut", "sort", "column", "paste", "join", "echo", "printf"})
_TAKING = _MATCHING | _SEPARATING
"""Programs that take such words."""


def fact_problems(runbook: Runbook) -> Iterator[Wrong]:
    """Yield what is wrong with the facts and steps of one file: ``runbook`` is what it holds itself."""
    pod = [one.name for one in runbook.pod.containers or ()]
    for place, settings in _settings(runbook):
        container = getattr(settings, "container", "")
        if pod and container and container not in pod:
            message = f"pod.containers of this file has no {container!r}; {nearest_word(container, pod)}"
            yield Wrong(f"{place}.container", message)
        if isinstance(settings, Exec):
            yield from _shell_words(f"{place}.command", settings.command)


def _settings(runbook: Runbook) -> Iterator[tuple[str, object]]:
    """The settings of all facts and steps, with their places."""
    for place, use in _facts(runbook):
        yield f"{place}.{use.kind.name}".replace(".facts..", "."), use.settings
    for name, repair in runbook.repairs.items():
        yield from ((f"repairs.{name}.steps.{n}.exec", step.exec) for n, step in enumerate(repair.steps))


def _facts(runbook: Runbook) -> Iterator[tuple[str, FactUse]]:
    for section in ("checks", "diagnoses", "repairs", "impact"):
        for name, entry in getattr(runbook, section).items():
            yield from ((f"{section}.{name}.facts.{fact}", use) for fact, use in entry.facts.items())
    for name, diagnosis in runbook.diagnoses.items():
        for number, cause in enumerate(diagnosis.causes):
            place = f"diagnoses.{name}.causes.{number}.facts"
            yield from ((f"{place}.{fact}", use) for fact, use in cause.facts.items())
    for name, command in runbook.commands.items():
        yield f"commands.{name}", command.fact
    for section, entries in (("commands", runbook.commands), ("repairs", runbook.repairs)):
        for name, entry in entries.items():
            for param, one in entry.params.items():
                if one.listed is not None:
                    yield f"{section}.{name}.params.{param}.listed", one.listed


def _shell_words(place: str, command: Sequence[str]) -> Iterator[Wrong]:
    """The first word of a command that only a shell would understand."""
    takes = command[0].rpartition("/")[2] in _TAKING
    for number, word in enumerate(command[1:], 1):
        is_value = command[number - 1].startswith("-")
        if word in _OPERATORS or (word in _MAYBE and not takes and not is_value):
            message = f"no shell reads {word!r}, so the program gets it as an argument: use [sh, -c, '… {word} …']"
            yield Wrong(f"{place}.{number}", message)
            return
