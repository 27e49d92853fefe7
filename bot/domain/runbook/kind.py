"""Kinds of facts: what a runbook may read, and which variables an expression gets of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from bot.domain.core.target import Duration
from bot.domain.runbook.record import Record

OWN = ("text", "truncated")
"""Names that tests give to what every fact has."""


@dataclass(frozen=True)
class Doubt:
    """Why what was read does not say what was asked for, such as a command that failed."""

    reason: str
    """A sentence of its own, without its full stop."""
    unless: tuple[str, ...] = ()
    """Variables that say just that: an expression that names one of them gets all of the fact."""


@dataclass(frozen=True)
class Asked:
    """What an expression has to ask about to see a fact that says nothing to others."""

    variable: str
    """The variable that it has to use."""
    constants: tuple[str | int, ...] = ()
    """It has to compare the variable with one of these; none: using it is enough."""


class FactSettings(BaseModel):
    """What a file says of a fact: where it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    timeout: Duration | None = None
    """How long it may take to read; not set: as long as any check (``probes.timeout``)."""

    def describe(self) -> str:
        """Where the fact comes from, for people and for the record's source."""
        raise NotImplementedError

    def unsaid(self, _variable: str) -> str:
        """Return why a record may lack a variable, as a sentence; empty where nothing particular is known."""
        return ""

    def lacking(self, _record: Record, _key: str) -> str:
        """Return why a record has no value of the name ``key``, as a sentence; empty where nobody knows."""
        return ""

    def doubt(self, _record: Record) -> Doubt | None:
        """Return why a record does not say what was asked for; None where it does."""
        return None


class Unreadable(Exception):
    """A record that doesn't hold what its kind should; the text completes "… can't be judged: "."""

    def __init__(
        self,
        reason: str,
        *,
        whole: bool = False,
        known: Mapping[str, Any] | None = None,
        asked: Mapping[str, Any] | None = None,
        asked_by: tuple[Asked, ...] = (),
    ) -> None:
        """``whole``: the text is a sentence of its own. ``known`` are variables that it gives all the same.

        ``asked`` are those that only expressions get which ask about one of ``asked_by``.
        """
        super().__init__(reason)
        self.whole = whole
        self.known, self.asked, self.asked_by = known or {}, asked or {}, asked_by


@dataclass(frozen=True)
class FactKind:
    """A kind of fact. ``variables`` maps names to CEL types; ``values`` computes them from a record.

    ``values`` leaves a variable out where the record doesn't say it: an expression that uses it is then unknown.
    It raises `Unreadable`.
    """

    name: str
    about: str
    """What it reads, as the documentation says it."""
    settings: type[FactSettings]
    variables: Mapping[str, str]
    values: Callable[[Record], dict[str, Any]]
    recorded: Mapping[str, str] = field(default_factory=dict)
    """What comes with a recorded text in a test that says only the text: ``{"exit_code": "0"}``."""
    outcome: tuple[str, ...] = ()
    """Names of all that may come with the text."""
    rows: tuple[str, ...] = ()
    """Its variables of dynamic type whose elements are each made of one line, like those of text are anyway: more
    lines give more elements, and change none."""

    def only_grows(self, variable: str) -> bool:
        """Whether more lines only make a variable longer."""
        return variable in self.rows or self.variables.get(variable) in ("string", "list(string)")


@dataclass(frozen=True)
class FactUse:
    """A fact that an entry of the file reads."""

    kind: FactKind
    settings: FactSettings

    @property
    def source(self) -> str:
        """Where it comes from, for people."""
        return self.settings.describe()


def key_of(name: str, use: FactUse) -> str:
    """What a test calls a fact: its name, or its kind where it has none."""
    return name or use.kind.name
