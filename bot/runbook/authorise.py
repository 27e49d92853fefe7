"""Whether a person may run a command line: the rules are asked about the targets that it concerns. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.rbac.access import AccessDecision, AccessPolicy, Identity, decide_about
from bot.domain.rbac.scope import ANY, Targets
from bot.runbook.command import Command, Concerns, Invocation

BY_ID = (Concerns.REQUEST, Concerns.INCIDENT)
"""Of commands whose argument ``id`` says what they are about."""


def subject(invocation: Invocation) -> str:
    """The id of the request or incident that a line is about; empty where it is about none."""
    id_ = getattr(invocation.params, "id", None)
    return id_ if invocation.command.concerns in BY_ID and isinstance(id_, str) else ""


def concerned(command: Command, named: str | None, every: Sequence[str]) -> Targets:
    """The targets that a line without an id is about.

    ``named`` is that of --target: an unknown one needs no right, since it is refused as such. ``every`` are all
    targets, the default one first.
    """
    if command.concerns is Concerns.ALL:
        return tuple(every)
    unknown = named is not None and bool(every) and named not in every
    if command.concerns is Concerns.NOTHING or unknown:
        return ANY
    if named is None and command.concerns is not Concerns.TARGET:
        return ANY
    return (named,) if named is not None else tuple(every[:1])


def declared_for(command: Command, names: Sequence[str]) -> str:
    """The target that a declared command is run for; empty where its runbook has none, or several may be meant.

    ``names`` is the target of --target alone; without it all targets, the default one first. A command that reads
    prefers the default one; a repair takes none of several.
    """
    having = [name for name in names if name in command.declared]
    reads = not any(one.approvals for one in command.declared.values())
    if len(having) == 1 or (reads and having[:1] == list(names[:1])):
        return having[0] if having else ""
    return ""


def elsewhere(
    access: AccessPolicy, who: Identity, command: Command, every: Sequence[str], places: Sequence[str]
) -> tuple[str, ...]:
    """The targets for which somebody may run a command that is about one."""
    if command.concerns is not Concerns.TARGET:
        return ()
    return tuple(t for t in every if authorised(access, who, command, (t,), places).allowed)


def authorised(
    access: AccessPolicy, who: Identity, command: Command, targets: Targets, places: Sequence[str]
) -> AccessDecision:
    """Whether somebody may run a command about these targets.

    ``places`` are the channels whose rules count in Home and in direct messages.
    """
    return decide_about(access, who, command.needs, targets, places)
