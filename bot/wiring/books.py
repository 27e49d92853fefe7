"""The targets' runbooks, compiled at their first use."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING

from bot.domain.core.target import Target
from bot.errors import SettingsError
from bot.settings.runbook_pod import is_path

if TYPE_CHECKING:
    from bot.runbook.command import Command
    from bot.runbook.file.compiled import CompiledRunbook


class Books(Mapping[str, "CompiledRunbook"]):
    """Target name → its runbook. Those that ship with the bot are read at their first use: the tests prove them.

    To read one takes as long as a tenth of the start, most of it for modules that nothing else needs.
    """

    def __init__(self, targets: Sequence[Target], taken: Collection[str] = ()) -> None:
        """Read and check files of the user's own now. Raises SettingsError with all problems of all.

        ``taken`` are the names that their commands can't have.
        """
        self._taken = taken
        self._places = {target.name: target.runbook for target in targets if target.runbook}
        self._compiled: dict[tuple[str, ...], CompiledRunbook] = {}
        own = [places for places in self._places.values() if any(map(is_path, places))]
        if own:
            self._compile(own)
            self._require_containers(targets)

    def __getitem__(self, target: str) -> CompiledRunbook:
        places = self._places[target]
        if places not in self._compiled:
            self._compile([places])
        return self._compiled[places]

    def _compile(self, every: Collection[tuple[str, ...]]) -> None:
        from bot.wiring.runbook_tools import compiled_all

        self._compiled |= compiled_all(every, self._taken)

    def _require_containers(self, targets: Sequence[Target]) -> None:
        """Raise SettingsError for repairs in containers that the settings don't name."""
        from bot.wiring.runbook_tools import container_problems

        books = ((target, self._compiled.get(target.runbook)) for target in targets)
        problems = [
            said for target, book in books if book is not None for said in container_problems(target, book)
        ]
        if problems:
            raise SettingsError(problems)

    def declaring(self) -> dict[str, CompiledRunbook]:
        """Target name → its runbook, of those that may declare commands."""
        return {
            target: self[target]
            for target, places in self._places.items()
            if any(is_path(place) or _declares(place) for place in places)
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def prepare(self) -> None:
        """Read those that were not used yet. Call it in a thread."""
        for target in self:
            self[target]


def _declares(shipped: str) -> bool:
    """Whether a shipped runbook declares commands or repairs, or extends another; does not load the engine."""
    text = resources.files("bot.runbook.shipped").joinpath(f"{shipped}.yaml")
    return (
        text.is_file()
        and re.search("^(commands|repairs|extends):", text.read_text("utf-8"), re.MULTILINE) is not None
    )


def declared_commands(books: Books) -> Sequence[Command]:
    """Return the commands that runbooks declare. Raises SettingsError where two of one name differ."""
    declaring = books.declaring()
    if not declaring:
        return ()
    from bot.runbook.file.several_targets import clashes
    from commands.shared import declared, declared_repairs

    if problems := clashes(declaring):
        raise SettingsError([str(problem) for problem in problems])
    return [*declared.commands(declaring), *declared_repairs.commands(declaring)]
