"""What a command is: its words, its parameters, who may run it, and what it needs of Kubernetes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from bot.domain.core.reply import Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.roles import Capability
from bot.runbook.context import Context


class Params(BaseModel):
    """A command's arguments. A field with ``json_schema_extra={"positional": True}`` is given by place."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoParams(Params):
    """For commands without arguments."""


CommandFunction = Callable[[Context, Any], Awaitable[Reply]]


@dataclass(frozen=True)
class Command:
    """One runbook entry."""

    name: str
    summary: str
    """One line for `help`, without a full stop."""
    needs: Capability
    run: CommandFunction
    params: type[Params] = NoParams
    group: str = "Observe"
    examples: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    details: str = ""
    """A paragraph for `help COMMAND`."""
    sensitive_args: bool = False
    """What is typed here by mistake may be secret: nothing of it is repeated. One of a first word, all of it."""
    quick: bool = False
    """Whether it asks nothing of another server, or next to nothing: then it waits for nobody's slow command."""
    anew: bool = False
    """Whether who may run it is asked of Slack anew, as it is for everything private."""
    offered: Callable[[Context], bool] = lambda _: True
    """Whether it can do something for this caller with these settings: else `help` and `whoami` don't name it."""
    unoffered: str = "can do nothing for you here"
    """Why it is not offered, after the command's name."""
    rights: Callable[[Target], Sequence[Right]] = field(default=lambda _: ())
    """What it needs of Kubernetes for a target, for `agentpod check` and the shipped Role."""

    @property
    def private(self) -> bool:
        """Whether its answer is for whoever asked alone, also where the question was public: they may share it."""
        return self.needs.private

    @property
    def asks_anew(self) -> bool:
        """Whether a role that was taken away a moment ago must not do: it shows logs, or changes something."""
        return self.anew or self.needs.private


@dataclass(frozen=True)
class Invocation:
    """A parsed command line."""

    command: Command
    params: Params
    target: str | None
    line: str
    """The words after the bot's name, normalised, for "run again"."""
