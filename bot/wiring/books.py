"""The targets' runbooks, compiled at their first use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from bot.domain.core.target import Target
from bot.settings.loader import is_path

if TYPE_CHECKING:
    from bot.runbook.file.compiled import CompiledRunbook


class Books(Mapping[str, "CompiledRunbook"]):
    """Target name → its runbook. Those that ship with the bot are read at their first use: the tests prove them.

    To read one takes as long as a tenth of the start, most of it for modules that nothing else needs.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        """Read and check files of the user's own now. Raises SettingsError with all problems of all."""
        self._places = {target.name: target.runbook for target in targets if target.runbook}
        self._compiled: dict[tuple[str, ...], CompiledRunbook] = {}
        own = [places for places in self._places.values() if any(map(is_path, places))]
        if own:
            from bot.wiring.runbook_tools import compiled_all

            self._compiled |= compiled_all(own)

    def __getitem__(self, target: str) -> CompiledRunbook:
        places = self._places[target]
        if places not in self._compiled:
            from bot.wiring.runbook_tools import compiled_all

            self._compiled |= compiled_all([places])
        return self._compiled[places]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def prepare(self) -> None:
        """Read those that were not used yet. Call it in a thread."""
        for target in self:
            self[target]
