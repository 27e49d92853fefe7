"""Common parts of replies: notes, buttons that the caller may use, command lines as the caller types them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bot.domain.approvals.actions.registry import is_set_up
from bot.domain.core import labels, words
from bot.domain.core.code import COMMAND, PROGRAM
from bot.domain.core.links import Place
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Button, Fact, Line, Link
from bot.domain.heartbeats import judge_heartbeats
from bot.domain.outbox.message import OutboxMessage
from bot.domain.rbac.access import AccessDecision, RoleGrant, decide_about, grants_of
from bot.domain.rbac.roles import APPROVER, Capability
from bot.domain.rbac.scope import ANY, Targets
from bot.errors import AccessDenied
from bot.runbook.authorise import concerned
from bot.runbook.command import Command, Concerns
from bot.runbook.command_list import CommandList
from bot.runbook.context import Context
from bot.runbook.grammar import called, target_of, unknown_command
from bot.services.health import check
from bot.services.health.check import Check
from bot.services.health.checks.heartbeats import HeartbeatsCheck

_TERMINAL = RoleGrant(APPROVER, "the terminal, with the bot's own credentials")


def held(ctx: Context) -> Sequence[RoleGrant]:
    """Return the caller's roles here, and where they come from; at least one, which may be the role none."""
    return (_TERMINAL,) if ctx.caller.is_terminal else grants_of(ctx.access, ctx.caller.identity)


def allowed(ctx: Context, needed: Capability, targets: Targets, places: Sequence[str] = ()) -> AccessDecision:
    """Decide whether the caller has the capability ``needed`` for all ``targets``.

    In a terminal always, with the bot's credentials. ``places`` are the channels of the request that it is about.
    """
    if ctx.caller.is_terminal:
        return AccessDecision(True, _TERMINAL, needed, "you run it from a terminal with the bot's own credentials")
    return decide_about(ctx.access, ctx.caller.identity, needed, targets, places)


def sees(ctx: Context, targets: Targets) -> bool:
    """Whether the caller may see how ``targets`` are; on the Home tab by rules for whatever channel."""
    places = ctx.access.channels() if ctx.caller.surface == "home" else ()
    return allowed(ctx, Capability.VIEW, targets, places).allowed


def hidden(ctx: Context) -> list[str]:
    """Return the targets that the caller may not see, which lists leave out."""
    return [name for name in ctx.targets if not sees(ctx, (name,))]


def seen_targets(ctx: Context) -> list[str] | None:
    """Return the targets that the caller may see; None for whoever may see all, those that are gone as well."""
    return None if sees(ctx, ()) else [name for name in ctx.targets if sees(ctx, (name,))]


def not_shown(ctx: Context) -> Iterator[Line]:
    """Yield the sentence on the targets that a list leaves out."""
    if left_out := hidden(ctx):
        yield f"Not shown: {words.listed(left_out)}, for which you have no role here."


def require(ctx: Context, needed: Capability) -> None:
    """Raise AccessDenied where the caller has not the capability ``needed`` for this target."""
    decision = allowed(ctx, needed, (ctx.target.name,))
    if not decision.allowed:
        raise AccessDenied(
            f"You may not do this for {ctx.target.name}: {decision.reason}.",
            rule=decision.reason,
            remedy=ctx.access.asking(),
        )


def somewhere(ctx: Context, command: Command) -> AccessDecision:
    """Decide whether the caller may run a command for whatever target, or for all where it concerns all."""
    return allowed(ctx, command.needs, ctx.targets if command.concerns is Concerns.ALL else ANY)


def in_slack(ctx: Context) -> bool:
    """Whether somebody in Slack asks: in a shell nobody knows who it is."""
    return not ctx.caller.is_terminal


IN_SLACK = "is done in Slack, where it is known who does it"
"""Why such a command is not offered in a shell; see `Command.unoffered`."""


def mine(ctx: Context) -> list[Command]:
    """Return the commands that the caller may run and that work for them here (`Command.offered`)."""
    return [c for c in ctx.commands if c.name and somewhere(ctx, c).allowed and c.offered(ctx)]


def off(ctx: Context, command: Command) -> tuple[Fact, ...]:
    """Return the fact that the settings don't switch the command on for the target, and what would."""
    setting = command.off(ctx)
    return (Fact("Off", f"for {ctx.target.name}; set {setting}"),) if setting else ()


def buttons(
    ctx: Context,
    wanted: Iterable[tuple[str, str]],
    most: int = 5,
    places: Sequence[str] = (),
    targets: Targets | None = None,
) -> tuple[Button, ...]:
    """Return buttons for (label, command line), without duplicates and what the caller may not run.

    Nor are there any for repairs that the target's settings don't have.

    ``places`` are the channels of the repair request that they are about, ``targets`` its target; without these,
    each line's own. Lines with an incident's or a request's id need them, or have been judged before.
    """
    made: dict[str, Button] = {}
    for label, wish in wanted:
        command = called(wish, ctx.commands)
        line = f'{wish} --target "{ctx.target.name}"' if command and _names_target(ctx, command, wish) else wish
        if command is None or line in made or not is_set_up(wish, ctx.target):
            continue
        about = _concerned(ctx, command, line) if targets is None else targets
        if allowed(ctx, command.needs, about, places).allowed:
            made[line] = Button(label, line)
    return tuple(made.values())[:most]


def _concerned(ctx: Context, command: Command, line: str) -> Targets:
    """The targets that a line of an answer is about: the one it names, or the default one."""
    return concerned(command, target_of(line, ctx.commands), ctx.targets or (ctx.target.name,))


def _names_target(ctx: Context, command: Command, wish: str) -> bool:
    """Whether a button names its target: at the click the default one may be another, or one for other people."""
    if "--target " in wish:
        return False
    other = ctx.access.narrowed and ctx.target.name not in ctx.targets[:1] and command.concerns is Concerns.TARGET
    return command.name in _OF_A_TARGET or other


_OF_A_TARGET = ("restart", "diagnose", "ssh keys copy", "image pull", "image set")
"""Commands whose buttons name their target."""


def offered(ctx: Context, line: str, reason: str) -> tuple[str, str]:
    """Return label and command line of a repair that a runbook offers, asked for with ``reason``."""
    label = labels.of(line) or f"Ask for: {line}"
    return (
        label,
        f"{line} --reason {words.quoted(words.cut(reason, 300))} --target {words.quoted(ctx.target.name)}",
    )


def links(ctx: Context, place: Place) -> tuple[Link, ...]:
    """Return the links of the target that are shown at ``place``."""
    return ctx.links.of_target(ctx.target.name, place) if ctx.links is not None else ()


def runbooks(ctx: Context, findings: Iterable[Finding], checks: Iterable[Check]) -> tuple[Link, ...]:
    """Return the runbooks of what is wrong, as ``checks`` found it."""
    if ctx.links is None:
        return ()
    statuses = [s for check in checks if isinstance(check, HeartbeatsCheck) for s in check.statuses]
    jobs = [s.job for s in statuses if judge_heartbeats.verdict_of(s) is not Verdict.OK]
    return ctx.links.of_findings(ctx.target.name, findings, jobs)


def notes(ctx: Context, began: float, *more: str, of: str = "") -> tuple[str, ...]:
    """Return a reply's notes: ``more``, then the target (or ``of``), the time, and how long it took."""
    took = words.took(ctx.clock.monotonic() - began)
    return (*more, f"{of or ctx.target.name} · {words.clock(ctx.clock.now())} · {took}")


def addressed(ctx: Context, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings as the caller needs them: the prefix of command lines, and the roles that they lack."""
    return tuple(_addressed(ctx, f) for f in findings)


def for_reader(ctx: Context, remedy: str) -> str:
    """Add to a remedy the role that commands in it need, where the caller may not run these."""
    found = (called(line, ctx.commands) for line in COMMAND.findall(remedy))
    named = {one.name: one for one in found if one is not None}
    lacking = [one for one in named.values() if not allowed(ctx, one.needs, (ctx.target.name,)).allowed]
    holders = [(one.name, ctx.access.holders(one.needs)) for one in lacking]
    needs = [f"`{PROGRAM} {name}` needs the role {roles[0]}." for name, roles in holders if roles]
    return " ".join([remedy, *needs])


def _addressed(ctx: Context, finding: Finding) -> Finding:
    if finding.remedy:
        finding = replace(finding, remedy=for_reader(ctx, finding.remedy))
    if finding.run is None or not finding.run.startswith("/agentpod"):
        return finding
    return replace(finding, run=ctx.prefix + finding.run.removeprefix("/agentpod"))


def figures(verdict: Verdict, checks: Iterable[Check]) -> tuple[str, ...]:
    """Return the checks' figures as a paragraph where all is well; else the problems are what matters."""
    found = check.figures(checks) if verdict is Verdict.OK else ""
    return (found,) if found else ()


def as_data(findings: Sequence[Finding]) -> list[object]:
    """Return findings for ``--output json``."""
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
    """Return the command with the longest name that the words begin with: ``help logs sshd`` is about logs.

    Raises UsageError that quotes the first word only: what follows may be a secret's value.
    """
    known = CommandList.of(ctx.commands)
    parts = " ".join(typed).lower().split()
    for length in range(len(parts), 0, -1):
        if (found := known.get(" ".join(parts[:length]))) is not None:
            return found
    raise unknown_command(parts[0] if parts else "", known.names, ctx.prefix)


async def undelivered(ctx: Context, messages: Sequence[OutboxMessage]) -> Sequence[Line]:
    """Return lines that describe undeliverable messages. Raises what the ledger raises."""
    return await ctx.undelivered(messages) if ctx.undelivered is not None else ()
