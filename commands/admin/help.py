"""``help``: lists the commands that the caller may run, or explains one of them."""

from __future__ import annotations

from pydantic import Field

from bot.domain.core.reply import Fact, Line, Reply
from bot.domain.rbac.roles import NONE, Capability, Role
from bot.errors import AccessDenied
from bot.runbook.arguments import flag_of
from bot.runbook.command import GROUPS, Command, Params
from bot.runbook.context import Context
from bot.runbook.grammar import usage
from commands.shared import shape


class HelpParams(Params):
    """The words of a command; empty for the list."""

    command: tuple[str, ...] = Field(default=(), json_schema_extra={"positional": True})


async def run(ctx: Context, params: HelpParams) -> Reply:
    """Reply with the commands that the caller may run, or with one command in full."""
    if not params.command:
        return _overview(ctx)
    return _one(ctx, shape.command_called(ctx, params.command))


def _overview(ctx: Context) -> Reply:
    mine = shape.mine(ctx)
    groups = sorted({c.group for c in mine}, key=GROUPS.index)
    # Lines, not a table: they wrap on a phone.
    facts = tuple(
        Fact(c.name, f"{c.summary}{_off(ctx, c)}", under=g) for g in groups for c in mine if c.group == g
    )
    body: list[Line] = [f"{ctx.prefix} help COMMAND says more about one of them."]
    if all(c.needs in NONE.may for c in mine):
        body += ["You have no role here.", ctx.access.ask(" for one")]
    return Reply(
        f"You may run {len(mine)} commands",
        body=tuple(body),
        facts=facts,
        data={"commands": [c.name for c in mine]},
    )


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
    examples=("help", "help logs"),
    details="Without a command it lists what you may run; with one it says how to use it.",
)
