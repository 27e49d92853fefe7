"""From a command line to a reply: parse, authorise, run; every failure becomes a reply that says what to do."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bot.domain.approvals import card
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.repair import RepairRequest, is_id
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Button, Line, Mention, Reply
from bot.domain.rbac.access import AccessPolicy, allowed_in, decide_about
from bot.errors import AccessDenied, AgentpodError, Refused, UsageError
from bot.runbook.command import Command, Invocation
from bot.runbook.context import Caller, Context
from bot.runbook.grammar import called, parse

logger = logging.getLogger("agentpod.commands")

ShowProgress = Callable[[Reply], Awaitable[None]]
Recorder = Callable[[str, str, str], Awaitable[None]]
"""Takes who was refused, which command or request, and by which rule."""
RequestFinder = Callable[[str], Awaitable[RepairRequest | None]]
_DECISIONS = frozenset(choice.value for choice in Choice)
_FLAG = re.compile(r"^--[a-z-]+: ")
RECORDING = 3.0
"""Seconds that the audit trail may take for a refusal, and the ledger to say how its request stands."""


class Observer(Protocol):
    """Who counts commands."""

    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        """``outcome`` is ok, refused, usage, error or crash."""


class MakeContext(Protocol):
    """Builds a command's context for a target."""

    def __call__(self, target: str | None, caller: Caller, request_id: str, progress: ShowProgress) -> Context:
        """Raises UsageError for an unknown target."""


@dataclass
class Dispatcher:
    """Runs command lines for anybody who may."""

    commands: Sequence[Command]
    access: AccessPolicy
    make_context: MakeContext
    observer: Observer
    prefix: str = "/agentpod"
    recorder: Recorder | None = None
    """Writes refusals down."""
    find: RequestFinder | None = None
    """Finds requests, as they stand now."""

    def problem(self, line: str, answers: Mapping[str, str]) -> str:
        """What is wrong with a form as it was filled in; empty when it can be taken. Decides nothing else."""
        try:
            parse(line, self.commands, prefix=self.prefix, answers=answers)
        except UsageError as error:
            return _FLAG.sub("", error.message)  # the form says which field it is
        return ""

    async def run(
        self,
        line: str,
        caller: Caller,
        *,
        request_id: str,
        progress: ShowProgress,
        answers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Answer a command line. Never raises (but is cancelled as any coroutine is)."""
        started = time.monotonic()
        name, about, outcome, shown = "unknown", "", "crash", ""
        try:
            invocation = parse(line, self.commands, prefix=self.prefix, answers=answers)
            name, about = invocation.command.name or "home", _about(invocation)
            shown = "" if invocation.command.sensitive_args else " ".join(line.split())[:200]
            await self._authorise(invocation, caller)
            context = self.make_context(invocation.target, caller, request_id, progress)
            reply = await invocation.command.run(context, invocation.params)
            outcome = "ok"
            return reply if reply.command else reply.with_command(invocation.line)
        except AgentpodError as error:
            outcome = _outcome(error)
            if isinstance(error, AccessDenied):
                return await self._denied(error, name, about, caller, shown)
            return self._explain(error, shown)
        except Exception:
            logger.exception("command failed", extra={"command": name})
            return crashed(request_id)
        finally:
            seconds = time.monotonic() - started
            self.observer.command_done(name, outcome, seconds)
            logger.info(
                "command",
                extra={
                    "command": name,
                    "outcome": outcome,
                    "seconds": round(seconds, 3),
                    "user": caller.identity.user,
                    "channel": caller.identity.channel,
                    "surface": caller.surface,
                },
            )

    def command(self, line: str | None) -> Command | None:
        """The command that a line is about; None where it is about none."""
        return None if line is None else called(line, self.commands)

    async def refusal(self, line: str, caller: Caller) -> Reply | None:
        """Why the caller may not run a line now, which is recorded; None where they may. Never raises."""
        try:
            invocation = parse(line, self.commands, prefix=self.prefix)
            await self._authorise(invocation, caller)
        except AccessDenied as error:
            name = invocation.command.name or "home"
            return await self._denied(error, name, _about(invocation), caller, "")
        except AgentpodError as error:
            return self._explain(error, "")
        return None

    async def _denied(self, error: AccessDenied, name: str, about: str, caller: Caller, shown: str) -> Reply:
        """Record a refusal, and say it."""
        if caller.surface != "home":  # to look at a tab is no request
            await self._record(name, about, caller, error.rule)
        there = f"type {self.prefix} {shown}" if caller.surface == "home" else "type it"
        return await self._late(name, about, caller, self._explain(error, shown, there))

    async def _record(self, name: str, about: str, caller: Caller, rule: str) -> None:
        """Put a refusal into the audit trail. One that can't be is no reason to let the caller wait or in."""
        if self.recorder is None:
            return
        try:
            async with asyncio.timeout(RECORDING):
                await self.recorder(caller.who, about or name, f"{name}: {rule}" if about else rule)
        except (AgentpodError, TimeoutError) as error:
            logger.warning("a refusal is not in the audit trail: %s", error, extra={"command": name})

    async def _late(self, name: str, about: str, caller: Caller, refusal: Reply) -> Reply:
        """A refusal to decide; where that came too late as well, it begins with how the request stands."""
        case = await self._case(about) if name in _DECISIONS else None
        if case is None or case.state is RequestState.OPEN or not _sees(caller, case):
            return refusal
        late = card.late(case)
        return replace(late, body=(*late.body, refusal.headline, *refusal.body), data=refusal.data)

    async def _case(self, id_: str) -> RepairRequest | None:
        """A request as it stands; None too where that can't be known at once."""
        if self.find is None or not id_:
            return None
        try:
            async with asyncio.timeout(RECORDING):
                return await self.find(id_)
        except (AgentpodError, TimeoutError):
            return None

    async def _authorise(self, invocation: Invocation, caller: Caller) -> None:
        """Raise AccessDenied unless the caller may. A terminal has the bot's own credentials already."""
        if caller.is_terminal:
            return
        places = await self._places(invocation, caller)
        decision = decide_about(self.access, caller.identity, invocation.command.needs, places)
        if not decision.allowed:
            what = "see this" if caller.surface == "home" else f"run {invocation.command.name or 'this'}"
            raise AccessDenied(
                f"You may not {what}: {decision.reason}.",
                rule=decision.reason,
                remedy=f"{self.access.asking()} {self.prefix} whoami shows what they need to know.",
                channels=self._elsewhere(invocation, caller),
            )

    async def _places(self, invocation: Invocation, caller: Caller) -> Sequence[str]:
        """The channels that it is about. Home is about all of them: it shows what its user may see anywhere."""
        if caller.surface == "home":
            return self.access.channels()
        case = await self._case(_about(invocation)) if caller.identity.direct else None
        return case.places if case is not None else ()

    def _elsewhere(self, invocation: Invocation, caller: Caller) -> tuple[str, ...]:
        """The channels where they may: roles of channels hold in no direct message, where buttons end up too."""
        if not caller.identity.direct:
            return ()
        return allowed_in(self.access, caller.identity, invocation.command.needs)

    def _explain(self, error: AgentpodError, shown: str, there: str = "") -> Reply:
        body: list[Line] = [self.access.mentioned(error.remedy)] if error.remedy else []
        if isinstance(error, AccessDenied) and error.channels:
            body.insert(0, ("You may in ", Mention(error.channels[0]), f": {there} there."))
        if isinstance(error, UsageError) and error.usage:
            body.insert(0, f"Usage: {error.usage}")
        buttons: tuple[Button, ...] = ()
        if isinstance(error, UsageError) and error.suggestion:
            buttons = (Button(f"Run {error.suggestion}", error.suggestion, style="primary"),)
        return Reply(
            headline=error.message,
            verdict=None if isinstance(error, Refused) else Verdict.UNKNOWN,
            body=tuple(body),
            buttons=buttons,
            command="" if isinstance(error, UsageError) else shown,
            shareable=False,
            data={"error": type(error).__name__},
        )


def _sees(caller: Caller, case: RepairRequest) -> bool:
    """Whether somebody has the request before them anyway: they clicked on it, or are where its card is."""
    return caller.surface == "button" or caller.identity.channel == case.channel


def _about(invocation: Invocation) -> str:
    """The request that a command is about; empty where it is about none."""
    id_ = getattr(invocation.params, "id", None)
    return id_ if isinstance(id_, str) and is_id(id_) else ""


def _outcome(error: AgentpodError) -> str:
    if isinstance(error, AccessDenied):
        return "refused"
    return "usage" if isinstance(error, UsageError) else "error"


def crashed(request_id: str) -> Reply:
    """The reply to a defect of our own: no traceback, but the id that finds it in the log."""
    return Reply(
        headline="Something went wrong inside agentpod; nothing was changed.",
        verdict=Verdict.UNKNOWN,
        body=(f"The log has the details under request {request_id}.",),
        shareable=False,
        data={"error": "internal", "request_id": request_id},
    )
