"""What the commands' answers have in common: notes, buttons the caller may click, and the bot's address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.domain.core import words
from bot.domain.core.probes import Finding
from bot.domain.core.reply import Button, Line
from bot.domain.outbox.message import OutboxMessage
from bot.domain.rbac.access import AccessDecision, RoleGrant, decide_about, grants_of
from bot.domain.rbac.roles import APPROVER, Capability
from bot.runbook.command import Command
from bot.runbook.context import Context
from bot.runbook.grammar import unknown_command

_TERMINAL = RoleGrant(APPROVER, "the terminal, with the bot's own credentials")


def held(ctx: Context) -> Sequence[RoleGrant]:
    """The roles that the caller has here, and where they come from; at least one, if only the role none."""
    return (_TERMINAL,) if ctx.caller.is_terminal else grants_of(ctx.access, ctx.caller.identity)


def allowed(ctx: Context, needed: Capability, places: Sequence[str] = ()) -> AccessDecision:
    """Whether the caller has the capability ``needed``; a terminal's user has the bot's own credentials.

    ``places`` are the channels of the request that it is about.
    """
    if ctx.caller.is_terminal:
        return AccessDecision(True, _TERMINAL, needed, "you run it from a terminal with the bot's own credentials")
    return decide_about(ctx.access, ctx.caller.identity, needed, places)


def mine(ctx: Context) -> list[Command]:
    """The commands that are of use to the caller: those they may run, and that can do something for them here."""
    return [c for c in ctx.commands if c.name and allowed(ctx, c.needs).allowed and c.offered(ctx)]


def buttons(
    ctx: Context, wanted: Iterable[tuple[str, str]], most: int = 5, places: Sequence[str] = ()
) -> tuple[Button, ...]:
    """Buttons (label, command line) for commands that exist and that the caller may run, without doubles.

    ``places`` are the channels of the request that they are about.
    """
    known = {name: c for c in ctx.commands for name in (c.name, *c.aliases)}
    made: dict[str, Button] = {}
    for label, wish in wanted:
        # What changes something says what: the usual target may be another one.
        line = f'{wish} --target "{ctx.target.name}"' if wish.split()[0] == "restart" else wish
        command = known.get(line.split()[0])
        if command is not None and line not in made and allowed(ctx, command.needs, places).allowed:
            made[line] = Button(label, line)
    return tuple(made.values())[:most]


def notes(ctx: Context, began: float, *more: str, of: str = "") -> tuple[str, ...]:
    """The small print: what else there is to say, the target (or ``of`` what), the time, and how long it took."""
    took = words.took(ctx.clock.monotonic() - began)
    return (*more, f"{of or ctx.target.name} · {words.clock(ctx.clock.now())} · {took}")


def addressed(ctx: Context, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings whose command lines begin as the caller addresses the bot."""
    return tuple(_addressed(ctx, f) for f in findings)


def _addressed(ctx: Context, finding: Finding) -> Finding:
    if finding.run is None or not finding.run.startswith("/agentpod"):
        return finding
    return replace(finding, run=ctx.prefix + finding.run.removeprefix("/agentpod"))


def as_data(findings: Sequence[Finding]) -> list[object]:
    """Findings for ``--output json``."""
    return [
        {
            "probe": f.probe,
            "title": f.title,
            "verdict": f.verdict.value,
            "summary": f.summary,
            "seconds": f.seconds,
        }
        for f in findings
    ]


def command_called(ctx: Context, typed: Sequence[str]) -> Command:
    """The command of the longest name that the words begin with, so that ``help logs sshd`` is about logs.

    Raises UsageError with the first word alone: what follows a command's name may be a secret's value.
    """
    names = {n: c for c in ctx.commands for n in (c.name, *c.aliases)}
    parts = " ".join(typed).lower().split()
    for length in range(len(parts), 0, -1):
        if (name := " ".join(parts[:length])) in names:
            return names[name]
    raise unknown_command(parts[0] if parts else "", names, ctx.prefix)


async def undelivered(ctx: Context, messages: Sequence[OutboxMessage]) -> Sequence[Line]:
    """What people read of messages that could not be delivered. Raises as the ledger does."""
    return await ctx.undelivered(messages) if ctx.undelivered is not None else ()
