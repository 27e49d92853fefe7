"""Runs a command line: parse, authorise, run. Every failure becomes a reply that says what to do."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from bot.domain.approvals import approvable, card
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.approvals.repair import RepairRequest, is_id
from bot.domain.core import labels, words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.outside import Outside
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Button, Line, Mention, Reply
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.concerned import concerned as concerned_by
from bot.domain.rbac.access import AccessDecision, AccessPolicy, allowed_in, decide_about
from bot.domain.rbac.roles import Capability
from bot.domain.rbac.scope import ANY, Targets
from bot.errors import AccessDenied, AgentpodError, Refused, SwitchedOff, Transient, Unfit, UsageError
from bot.runbook.authorise import authorised, concerned, declared_for, elsewhere, subject
from bot.runbook.command import Command, Concerns, Invocation
from bot.runbook.context import Caller, Context
from bot.runbook.drafts import begun, drafted
from bot.runbook.grammar import called, parse

logger = logging.getLogger("agentpod.commands")

ShowProgress = Callable[[Reply], Awaitable[None]]
Recorder = Callable[[str, str, str], Awaitable[None]]
"""(who was refused, command or request id, rule) → records the refusal."""
ReadRecorder = Callable[[str, str, str, str], Awaitable[None]]
"""(who, command, its line, target) → records that a command was run which only reads."""
Plan = Callable[[Invocation, Context], Awaitable[Reply]]
RequestFinder = Callable[[str], Awaitable[RepairRequest | None]]
IncidentFinder = Callable[[str], Awaitable[Incident | None]]
_DECISIONS = frozenset(choice.value for choice in Choice)
_FLAG = re.compile(r"^--[a-z-]+: ")
QUOTED = 600
"""Most characters of another side's words below an error's first line."""
RECORDING = 3.0
"""Seconds that recording a refusal may take, and reading the request that it was about."""


class Observer(Protocol):
    """Counts commands, for the metrics."""

    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        """``outcome`` is ok, refused, usage, error or crash."""


class MakeContext(Protocol):
    """Builds a command's context for a target."""

    def __call__(self, target: str | None, caller: Caller, request_id: str, progress: ShowProgress) -> Context:
        """Raise `UsageError` for an unknown target."""


@dataclass
class Dispatcher:
    """Runs command lines for callers with the required role."""

    commands: Sequence[Command]
    access: AccessPolicy
    make_context: MakeContext
    observer: Observer
    prefix: str = "/agentpod"
    recorder: Recorder | None = None
    """Records refusals in the audit trail."""
    reads: ReadRecorder | None = None
    """Records the runs of commands that are `audited`, in the audit trail."""
    opened: ReadRecorder | None = None
    """Records that such a command opened a form, likewise."""
    find: RequestFinder | None = None
    """Finds repair requests by id."""
    find_incident: IncidentFinder | None = None
    """Finds incidents by id."""
    targets: tuple[str, ...] = ()
    """The names of all targets, the default one first."""
    plan: Plan | None = None
    """Shows the calls of a command, for ``--dry-run``."""
    outside: Outside | None = None
    """Knows the values that reasons may not contain, since they are kept."""

    def problem(self, line: str, answers: Mapping[str, str]) -> str:
        """What is wrong with a form's answers; empty where they are valid. Checks no role and runs nothing."""
        try:
            parse(line, self.commands, prefix=self.prefix, answers=answers, outside=self.outside)
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
        """Answer a command line. Never raises, except `CancelledError`."""
        started = time.monotonic()
        name, about, outcome, shown, asks = "unknown", "", "crash", "", False
        try:
            invocation = parse(line, self.commands, prefix=self.prefix, answers=answers, outside=self.outside)
            name, about = invocation.command.name or "home", _about(invocation)
            shown = "" if invocation.command.sensitive_args else " ".join(line.split())[:200]
            if not self._is_own(invocation, caller, request_id, progress):
                await self._authorise(invocation, caller)
            context = self.make_context(invocation.target, caller, request_id, progress)
            invocation, reason = drafted(invocation, caller)
            asks = bool(invocation.command.approvals_at_least) and not invocation.dry_run
            if invocation.dry_run:
                reply = await self._planned(invocation, context)
            else:
                reply = await self._run(invocation, caller, shown or name, context, asks=asks)
                await self._record_log(invocation, caller, shown or name, context, reply)
            outcome, reply = "ok", begun(reply, reason)
            return reply if reply.command else reply.with_command(invocation.line)
        except AgentpodError as error:
            outcome = _outcome(error)
            if isinstance(error, AccessDenied):
                return await self._denied(error, name, about, caller, shown)
            return _not_asked(self._explain(error, shown), error) if asks else self._explain(error, shown)
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

    async def _planned(self, invocation: Invocation, context: Context) -> Reply:
        """The calls that a command would make. Raises as the command does."""
        if self.plan is None:
            raise UsageError("Nothing can be planned here: leave out --dry-run.")
        return await self.plan(invocation, context)

    def command(self, line: str | None) -> Command | None:
        """The command that a line names; None where it names none."""
        return None if line is None else called(line, self.commands)

    async def refusal(self, line: str, caller: Caller) -> Reply | None:
        """The refusal if the caller may not run a line now, which is recorded; else None. Never raises."""
        try:
            invocation = parse(line, self.commands, prefix=self.prefix, outside=self.outside)
            await self._authorise(invocation, caller)
        except AccessDenied as error:
            name = invocation.command.name or "home"
            return await self._denied(error, name, _about(invocation), caller, "")
        except AgentpodError as error:
            return self._explain(error, "")
        return None

    async def _denied(self, error: AccessDenied, name: str, about: str, caller: Caller, shown: str) -> Reply:
        """Record a refusal, and render it."""
        if caller.surface != "home":  # opening the Home tab is no attempt to run something
            await self.record(name, about, caller.who, error.rule)
        there = f"type {self.prefix} {shown}" if caller.surface == "home" else "type it"
        return await self._late(name, about, caller, self._explain(error, shown, there))

    async def record(self, name: str, about: str, who: str, rule: str) -> None:
        """Record a refusal in the audit trail; log where that fails, since the caller is refused all the same."""
        if self.recorder is None:
            return
        try:
            async with asyncio.timeout(RECORDING):
                await self.recorder(who, about or name, f"{name}: {rule}" if about else rule)
        except (AgentpodError, TimeoutError) as error:
            logger.warning("refusal not recorded in the audit trail: %s", error, extra={"command": name})

    async def _run(
        self, invocation: Invocation, caller: Caller, line: str, context: Context, *, asks: bool
    ) -> Reply:
        """Run a command, and record that; one that asks for a repair afterwards, as it may only open a form."""
        running = invocation.command.run(context, invocation.params)
        if not asks:
            reply, _ = await asyncio.gather(running, self._record_read(invocation, caller, line, context))
            return reply
        form = False
        try:
            reply = await running
            form = reply.form is not None
        finally:
            await self._record_read(invocation, caller, line, context, form=form)
        return reply

    async def _record_read(
        self, invocation: Invocation, caller: Caller, line: str, context: Context, *, form: bool = False
    ) -> None:
        """Record that a command was run; log where that fails, since what it reads may be needed all the more."""
        if target := _recorded_for(invocation.command, context):
            await self._record_run(invocation.command, caller, line, target, form=form)

    async def _record_log(
        self, invocation: Invocation, caller: Caller, line: str, context: Context, reply: Reply
    ) -> None:
        """Record that an answer shows a log, where the command's runs are not recorded anyway."""
        if self.reads is not None and reply.shows_log and not _recorded_for(invocation.command, context):
            await self._record_run(invocation.command, caller, line, context.target.name)

    async def _record_run(
        self, command: Command, caller: Caller, line: str, target: str, *, form: bool = False
    ) -> None:
        record = self.opened if form else self.reads
        if record is None:
            return
        try:
            async with asyncio.timeout(RECORDING):
                await record(caller.who, command.name, line, target)
        except (AgentpodError, TimeoutError) as error:
            logger.warning("run not recorded in the audit trail: %s", error, extra={"command": command.name})

    async def _late(self, name: str, about: str, caller: Caller, refusal: Reply) -> Reply:
        """The refusal of a decision; if the request has been decided anyway, the reply begins with its outcome."""
        repair = await self._case(about) if name in _DECISIONS else None
        if repair is None or repair.state is RequestState.OPEN or not _sees(caller, repair):
            return refusal
        late = card.late(repair)
        return replace(late, body=(*late.body, refusal.headline, *refusal.body), data=refusal.data)

    async def _case(self, id_: str) -> RepairRequest | None:
        """A repair request; None also where it can't be read within `RECORDING` seconds."""
        if self.find is None or not id_:
            return None
        try:
            async with asyncio.timeout(RECORDING):
                return await self.find(id_)
        except (AgentpodError, TimeoutError):
            return None

    def _is_own(self, invocation: Invocation, caller: Caller, request_id: str, progress: ShowProgress) -> bool:
        """Whether it is about something of the caller's own, which needs no role."""
        own = invocation.command.own
        if own is None:
            return False
        return own(self.make_context(None, caller, request_id, progress), invocation.params)

    async def _authorise(self, invocation: Invocation, caller: Caller) -> None:
        """Raise `AccessDenied` unless the caller has the role. A shell has the bot's own credentials anyway."""
        if caller.is_terminal:
            return
        places = await self._places(invocation, caller)
        decision, targets = await self._decided(invocation, caller, places)
        if decision.allowed:
            return
        command = invocation.command
        what = "see this" if caller.surface == "home" else f"run {command.name or 'this'}"
        others = elsewhere(self.access, caller.identity, command, self.targets, places)
        instead = f"You may with --target {words.either(list(map(words.quoted, others)))}. " if others else ""
        deciders = await self._deciders(invocation, caller)
        ask = self.access.asking(f" for access, and send what {self.prefix} whoami shows")
        raise AccessDenied(
            f"You may not {what}: {decision.reason}.",
            rule=decision.reason,
            remedy=None if deciders else f"{instead}{ask}",
            channels=self._elsewhere(invocation, caller, targets),
            others=deciders,
        )

    async def _deciders(self, invocation: Invocation, caller: Caller) -> tuple[str, ...]:
        """Who can decide on the request that a refused decision is about; none for whom it is none of theirs."""
        decides = invocation.command.name in _DECISIONS and invocation.command.needs is Capability.DECIDE
        repair = await self._case(_about(invocation)) if decides else None
        if repair is None or repair.state is not RequestState.OPEN:
            return ()
        about = (repair.target,), repair.places
        asks = decide_about(self.access, caller.identity, Capability.REQUEST, *about).allowed
        return approvable.mentioned(self.access, ApprovalPolicy(), repair) if asks or _sees(caller, repair) else ()

    async def _decided(
        self, invocation: Invocation, caller: Caller, places: Sequence[str]
    ) -> tuple[AccessDecision, Targets]:
        """Whether the rules allow it, and for which targets. Raises `Transient` where these can't be read."""

        def judged(targets: Targets) -> tuple[AccessDecision, Targets]:
            return authorised(self.access, caller.identity, invocation.command, targets, places), targets

        overall = judged(())
        if overall[0].allowed or not self.access.narrowed:
            return overall
        id_ = subject(invocation)
        if not id_:
            return judged(concerned(invocation.command, invocation.target, self.targets))
        anywhere = judged(ANY)
        return judged(await self._targets_of(id_, invocation.command)) if anywhere[0].allowed else anywhere

    async def _targets_of(self, id_: str, command: Command) -> Targets:
        """The targets of a request or an incident; `ANY` where there is none of that id, which the command says.

        Raises `Transient` where it can't be read: nobody knows then whether the caller may.
        """
        try:
            async with asyncio.timeout(RECORDING):
                if command.concerns is Concerns.REQUEST and self.find is not None:
                    repair = await self.find(id_)
                    return (repair.target,) if repair is not None else ANY
                if command.concerns is Concerns.INCIDENT and self.find_incident is not None:
                    incident = await self.find_incident(id_)
                    return concerned_by(incident, self.targets) if incident is not None else ANY
                return ()
        except (AgentpodError, TimeoutError) as error:
            raise Transient(
                "It can't be read which target this is about, so it isn't known whether you may.",
                remedy="Try again in a moment.",
            ) from error

    async def _places(self, invocation: Invocation, caller: Caller) -> Sequence[str]:
        """The channels whose roles count besides the caller's: all for the Home tab, a request's own in a DM."""
        if caller.surface == "home":
            return self.access.channels()
        repair = await self._case(_about(invocation)) if caller.identity.direct else None
        return repair.places if repair is not None else ()

    def _elsewhere(self, invocation: Invocation, caller: Caller, targets: Targets) -> tuple[str, ...]:
        """For a direct message, the channels where the caller may run it: channel roles don't hold in DMs."""
        if not caller.identity.direct:
            return ()
        return allowed_in(self.access, caller.identity, invocation.command.needs, targets)

    def _explain(self, error: AgentpodError, shown: str, there: str = "") -> Reply:
        remedy = _ANY_PREFIX.sub(f"{self.prefix} ", error.remedy or "")
        body: list[Line] = [self.access.mentioned(remedy)] if remedy else []
        if isinstance(error, AccessDenied) and error.channels:
            body.insert(0, ("You may run it in ", Mention(error.channels[0]), f": {there} there."))
        if isinstance(error, AccessDenied) and error.others:
            body.insert(0, approvable.decide(error.others))
        if isinstance(error, UsageError) and error.usage:
            body.insert(0, f"Usage: {error.usage}")
        if error.below:
            body.insert(0, words.cut(error.below, QUOTED))
        buttons: tuple[Button, ...] = ()
        if isinstance(error, UsageError) and error.suggestion:
            buttons = (Button(_named(error.suggestion), error.suggestion, style="primary"),)
        return Reply(
            headline=error.first_line,
            verdict=None if isinstance(error, Refused) else Verdict.UNKNOWN,
            body=tuple(body),
            buttons=buttons,
            command="" if isinstance(error, _LASTING) else shown,
            shareable=False,
            data={"error": type(error).__name__},
        )


def _not_asked(reply: Reply, error: AgentpodError) -> Reply:
    """The answer to an error at which nothing was asked for: it says so. A refusal says it anyway."""
    if isinstance(error, Refused) or error.perhaps_asked:
        return reply
    then = (
        ()
        if "again" in (error.remedy or "")
        else ("Then ask again." if error.remedy else "Ask again in a moment.",)
    )
    return replace(
        reply, headline=f"Nothing was asked for: {words.lower_first(reply.headline)}", body=(*reply.body, *then)
    )


_LASTING = (UsageError, AccessDenied, SwitchedOff, Unfit)
"""Errors after which the same line would fail again, so that "run again" is not offered."""


def _named(line: str) -> str:
    """The label of a command line that is suggested: its action's, as everywhere."""
    return labels.of(line) or f"Run {line}"


_ANY_PREFIX = re.compile(r"(?<!In Slack: )(?<![\w/])/agentpod ")
"""How services, which don't know the command's own name, begin a command line."""


def _sees(caller: Caller, repair: RepairRequest) -> bool:
    """Whether the caller can see the request anyway: they clicked its card, or are in the card's channel."""
    return caller.surface == "button" or caller.identity.channel == repair.channel


def _recorded_for(command: Command, context: Context) -> str:
    """The target whose run is recorded; empty where none is."""
    if not command.declared:
        return context.target.name if command.audited else ""
    target = declared_for(command, (context.target.name, *(one.target.name for one in context.others)))
    return target if target and command.declared[target].audited else ""


def _about(invocation: Invocation) -> str:
    """The id of the repair request in a command's arguments; empty where there is none."""
    id_ = getattr(invocation.params, "id", None)
    return id_ if isinstance(id_, str) and is_id(id_) else ""


def _outcome(error: AgentpodError) -> str:
    if isinstance(error, AccessDenied):
        return "refused"
    return "usage" if isinstance(error, UsageError) else "error"


def crashed(request_id: str) -> Reply:
    """The reply to a defect of the bot: no traceback, but the id under which the log has it."""
    return Reply(
        headline="Something went wrong inside agentpod; nothing was changed.",
        verdict=Verdict.UNKNOWN,
        body=(f"The log has the details under request {request_id}.",),
        shareable=False,
        data={"error": "internal", "request_id": request_id},
    )
