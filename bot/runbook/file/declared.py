"""Checks the commands that a runbook declares: their names, and their parameters' names and slots.

Repairs are commands as well; what only they have is checked in `bot.runbook.file.declared_repairs`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.model import CommandEntry, Runbook
from bot.domain.runbook.param import Param, slots
from bot.domain.runbook.scripts import SHELLS, Code, code_words, first_data, program_of
from bot.runbook.file.loaded import Loaded
from bot.runbook.file.problem import Problem, nearest_word

RESERVED = ("target", "id", "output", "help", "reason", "dry-run")
"""Names that no parameter can have: flags of commands and repairs, and the id of a repair request."""

SHELL_WORDS = ("run", "check", "sandbox", "ledger", "runbook")
"""Names that no entry can have: what they mean after ``agentpod`` in a shell is no command of the bot."""


@dataclass(frozen=True)
class Wrong:
    """What is wrong at a place of the file; ``excerpt`` and ``column`` show where in a text."""

    place: str
    message: str
    excerpt: str = ""
    column: int = 0

    def problem(self, loaded: Loaded) -> Problem:
        """The problem with its file and line."""
        return Problem(*loaded.line(self.place), self.place, self.message, self.excerpt, self.column)


def command_facts(entry: CommandEntry) -> tuple[FactUse, ...]:
    """Return what a command reads: its fact, and the facts that list its parameters' values."""
    return (entry.fact, *(param.listed for param in entry.params.values() if param.listed is not None))


def command_problems(loaded: Loaded, runbook: Runbook, taken: Collection[str]) -> list[Problem]:
    """Return what is wrong with a runbook's commands. ``taken`` are names of the bot's own."""
    return [
        wrong.problem(loaded)
        for name, entry in runbook.commands.items()
        for wrong in (
            *name_problems("commands", name, entry.params, taken),
            *_slots(name, entry),
        )
    ]


def name_problems(section: str, name: str, params: Mapping[str, Param], taken: Collection[str]) -> Iterator[Wrong]:
    """Yield what is wrong with the names of an entry and its parameters."""
    if name in {word for one in taken for word in (one, one.partition(" ")[0])}:
        yield Wrong(f"{section}.{name}", f"the bot has a command {name!r} of its own: take another name")
    if name in SHELL_WORDS:
        yield Wrong(f"{section}.{name}", f"`agentpod {name}` means something else in a shell: take another name")
    for param in params:
        if param in RESERVED or param.startswith("model-"):
            message = f"a parameter can't be called {param!r}: commands have such a name already"
            yield Wrong(f"{section}.{name}.params.{param}", message)


def _slots(name: str, entry: CommandEntry) -> Iterator[Wrong]:
    """Every parameter needs its slot; other words in braces are literal text."""
    settings = entry.fact.settings
    if not isinstance(settings, Exec):
        if entry.params:
            kind = entry.fact.kind.name
            message = f"parameters fill words of exec's command, and this reads {kind}"
            yield Wrong(f"commands.{name}.params", message)
        return
    yield from slot_problems(f"commands.{name}", entry.params, [settings.command])
    yield from code_problems(f"commands.{name}.exec.command", entry.params, settings.command)


def slot_problems(place: str, params: Mapping[str, Param], commands: Sequence[tuple[str, ...]]) -> Iterator[Wrong]:
    """Yield the parameters of an entry that have no slot in its ``commands``."""
    found = list(dict.fromkeys(slot for words in commands for slot in slots(words)))
    where = "the command" if len(commands) == 1 else "the commands"
    for param in params:
        if param not in found:
            others = [one for one in found if one not in params]
            hint = f"; {nearest_word(param, others)}" if others else ""
            yield Wrong(f"{place}.params.{param}", f"no word of {where} has a slot {{{param}}}{hint}")


def code_problems(place: str, params: Mapping[str, Param], command: Sequence[str]) -> Iterator[Wrong]:
    """Yield the slots of a command whose values would be run as code, say what is run, or may be either."""
    written = _with_dashes(params, command)
    codes = {code.word: code for code in code_words(written)}
    data = first_data(written)
    for number, word in enumerate(command):
        for name in dict.fromkeys(slot for slot in slots((word,)) if slot in params):
            param, code = params[name], codes.get(number)
            if code is not None and (code.is_program or not param.is_plain):
                message = _as_code(name, param, code)
            elif param.is_free and not param.data and (data is None or number < data):
                message = _MAYBE_CODE.format(name=name, program=program_of(command))
            else:
                continue
            yield Wrong(f"{place}.{number}", message, word, word.index(f"{{{name}}}") + 1)


def _with_dashes(params: Mapping[str, Param], command: Sequence[str]) -> list[str]:
    """The words, with a dash before those that may begin with one: a program reads them as options."""
    dashing = tuple(f"{{{name}}}" for name, param in params.items() if param.leading_dash)
    return [f"-{word}" if word.startswith(dashing) else word for word in command]


def _as_code(name: str, param: Param, code: Code) -> str:
    if code.is_program:
        return "a parameter can't be the program that runs"
    start = f"what is typed as {name} would become part of what {code.program} runs"
    if param.one_of:
        return f"{start}: there its values may have {_PLAIN} only"
    return f"{start}: {_ADVICE.get(code.program, f'there its values may have {_PLAIN} only')}"


_MAYBE_CODE = (
    "{program} is not known to take what is typed as {name} as data: it may be a program, an option or code "
    "there. If {program} runs no part of it, add `data: true` to the parameter; or list its values with one_of"
)
_PLAIN = "letters, digits and @%+=:,./_-"
_TO_SHELL = "give it to the script as an argument, such as [sh, -c, 'ls -- \"$1\"', sh, '{where}']"
_ADVICE = {
    **dict.fromkeys(SHELLS, _TO_SHELL),
    "python": "give it to the script as an argument, which is sys.argv[1] there",
    "awk": "give it as a variable, such as [-v, 'where={where}']",
    "jq": "give it as a variable, such as [--arg, where, '{where}']",
}
