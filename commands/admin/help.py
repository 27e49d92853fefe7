"""``help``: lists the commands that the caller may run, by group, or explains a group or a command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from bot.domain.core import words
from bot.domain.core.reply import Fact, Line, Reply
from bot.domain.rbac.roles import NONE, Capability, Role
from bot.errors import AccessDenied
from bot.runbook.arguments import flag_of
from bot.runbook.command import GROUPS, Command, Params
from bot.runbook.command_list import CommandList
from bot.runbook.context import Context
from bot.runbook.grammar import usage
from commands.shared import shape

FEW = 12
"""So many commands fit on a phone's screen with a line each; of more the groups and names are listed."""


class HelpParams(Params):
    """A group, or the words of a command; empty for the list."""

    command: tuple[str, ...] = Field(default=(), json_schema_extra={"positional": True})


async def run(ctx: Context, params: HelpParams) -> Reply:
    """Reply with the commands that the caller may run, those of a group, or one command in full."""
    if not params.command:
        return _overview(ctx)
    group = _group_called(" ".join(params.command))
    if group and not CommandList.of(ctx.commands).get(group.lower()):
        return _group(ctx, group)
    return _one(ctx, shape.command_called(ctx, params.command))


def _overview(ctx: Context) -> Reply:
    mine = shape.mine(ctx)
    groups = sorted({c.group for c in mine}, key=GROUPS.index)
    few = len(mine) <= FEW
    facts = (
        [fact for g in groups for fact in _listed(ctx, mine, g, under=g)]
        if few
        else [
            Fact(g, ", ".join(f"{c.name}{' (off)' if c.off(ctx) else ''}" for c in mine if c.group == g))
            for g in groups
        ]
    )
    body: list[Line] = [_more(ctx, "" if few else f"{ctx.prefix} help GROUP says what its commands do. ")]
    if all(c.needs in NONE.may for c in mine):
        body += ["You have no role here.", ctx.access.ask(" for one")]
    return Reply(
        f"You may run {len(mine)} commands",
        body=tuple(body),
        facts=tuple(facts),
        buttons=() if few else shape.buttons(ctx, [(g, f"help {g.lower()}") for g in groups], most=len(groups)),
        data={"commands": [c.name for c in mine]},
    )


def _more(ctx: Context, before: str = "") -> str:
    return f"{before}{ctx.prefix} help COMMAND says how to use one."


def _group_called(name: str) -> str:
    return next((group for group in GROUPS if group.lower() == name.lower()), "")


def _group(ctx: Context, group: str) -> Reply:
    mine = [c for c in shape.mine(ctx) if c.group == group]
    return Reply(
        f"{group}: {words.plural(len(mine), 'command')} that you may run",
        body=(_more(ctx),) if mine else (),
        facts=tuple(_listed(ctx, mine, group, under="")),
        data={"commands": [c.name for c in mine]},
        command=f"help {group.lower()}",
    )


def _listed(ctx: Context, commands: Sequence[Command], group: str, under: str) -> Iterator[Fact]:
    """Yield the commands of a group, each with its summary: lines, not a table, since they wrap on a phone."""
    for one in commands:
        if one.group == group:
            yield Fact(one.name, f"{one.summary}{_off(ctx, one)}", under=under)


def _beside(ctx: Context, command: Command) -> Iterator[Fact]:
    """Yield the other commands of the group that has the command's name: ``help logs`` is about both."""
    if group := _group_called(command.name):
        yield from _listed(ctx, [c for c in shape.mine(ctx) if c is not command], group, under=group)


def _off(ctx: Context, command: Command) -> str:
    """What follows the summary of a command that the settings don't switch on."""
    setting = command.off(ctx)
    return f" (off: set {setting})" if setting else ""


def _one(ctx: Context, command: Command) -> Reply:
    decision = shape.somewhere(ctx, command)
    if not decision.allowed:
        raise AccessDenied(
            f"You may not run {command.name or ctx.prefix}: {decision.reason}.",
            rule=decision.reason,
            remedy=ctx.access.asking(f" for the role {_role(ctx, command)}"),
        )
    facts = [Fact("Usage", usage(command, ctx.prefix), code=True)]
    facts += [Fact(label, text) for label, text in _flags(command)]
    facts += [Fact("Example", f"{ctx.prefix} {e}", code=True) for e in command.examples]
    facts.append(Fact("Requires", _requires(ctx, command)))
    facts += shape.off(ctx, command)
    if command.aliases:
        facts.append(Fact("Also called", ", ".join(command.aliases)))
    facts += _beside(ctx, command)
    return Reply(
        f"{command.name or ctx.prefix}: {command.summary}",
        body=(command.details,) if command.details else (),
        facts=tuple(facts),
        data={"command": command.name, "usage": usage(command, ctx.prefix), "role": _role(ctx, command).name},
        command=f"help {command.name}",
    )


def _role(ctx: Context, command: Command) -> Role:
    """Return the first role that may run the command, which is the one to ask for."""
    return ctx.access.holders(command.needs)[0]


def _requires(ctx: Context, command: Command) -> str:
    if command.needs in NONE.may:
        return "no role"
    first, *others = ctx.access.holders(command.needs)
    return ", ".join([f"{first} or higher", *(f"or {other}" for other in others)])


def _flags(command: Command) -> list[tuple[str, str]]:
    """Return the command's arguments with their descriptions, named as in the usage."""
    rows = []
    for name, info in command.params.model_fields.items():
        extra = info.json_schema_extra
        positional = isinstance(extra, dict) and bool(extra.get("positional"))
        if info.description:
            rows.append((name.upper() if positional else flag_of(name), info.description))
    return rows


COMMAND = Command(
    name="help",
    summary="What you may run, and how",
    needs=Capability.HELP,
    run=run,
    params=HelpParams,
    group="General",
    quick=True,
    sensitive_args=True,
    examples=("help", "help observe", "help logs"),
    details="Without a word it lists what you may run, by group. With a group it says what its commands do, "
    "with a command how to use it.",
)
