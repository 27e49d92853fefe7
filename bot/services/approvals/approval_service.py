"""Takes requests and decisions, and records each with its consequences in one transaction.

The last missing approval, the claim to carry the repair out, and the messages about it are committed together. So
an approved restart can't be claimed twice, nor be left without a claim.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from bot.domain.approvals import approvable, message_keys
from bot.domain.approvals.approval import (
    ApprovalPolicy,
    Choice,
    Click,
    Request,
    RequestState,
    Rule,
    Ruling,
    Standing,
    decided,
    overdue,
    rule,
)
from bot.domain.approvals.kept_form import not_kept
from bot.domain.approvals.repair import Asked, ExecutionResult, Lease, Proposal, RepairRequest, is_id
from bot.domain.approvals.standing import card_channel, standing
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.object_diff import FieldChange
from bot.domain.core.refusals import Refusals
from bot.domain.core.words import clock, listed
from bot.domain.rbac.access import AccessPolicy, Identity
from bot.errors import AgentpodError, Refused, UsageError
from bot.ports.clock import Clock
from bot.ports.cluster import TrialRead
from bot.ports.ledger import Ledger, Writing
from bot.runbook.context import Caller
from bot.services.approvals import request_alerts, request_log
from bot.services.approvals.changes import BOT, claimed, enqueue_card, enqueue_messages, is_person
from bot.services.approvals.repair_executor import Ahead, RepairExecutor
from bot.services.approvals.value_intake import ValueIntake

logger = logging.getLogger("agentpod.repairs")

NO_REQUEST = "There is no request with that id."
"""Never echoes the id as typed: it may be a secret's value in the wrong place."""
_TURNS = 4
"""Turns of the event loop in which a read's task, and those that it starts, send their requests."""
_GOING_AHEAD = (Choice.APPROVE, Choice.BREAK_GLASS)
Freshen = Callable[[Identity], Awaitable[Identity]]


async def _as_is(identity: Identity) -> Identity:
    return identity


@dataclass
class ApprovalService:
    """Takes repair requests and decisions. Methods raise as the ledger does; then nothing was recorded."""

    ledger: Ledger
    clock: Clock
    policy: ApprovalPolicy
    access: AccessPolicy
    channels: Mapping[str, str]
    """Target name → channel of its cards; other targets have their cards in the channel of the request."""
    executor: RepairExecutor
    changed: Callable[[], None]
    """Called after each transaction that enqueues messages."""
    freshen: Freshen = _as_is
    """Looks up the caller's user groups and membership anew."""
    refusals: Refusals = field(default_factory=Refusals)
    """Recent refusals: repeated ones are recorded as a sum."""

    def __post_init__(self) -> None:
        """Create the intake for secret values."""
        self.values = ValueIntake(self)

    async def ask(self, proposal: Proposal, target: str, caller: Caller) -> Asked:
        """Open a request, or join an open one for the same. Raises `Refused` where a different one blocks it."""
        repair = replace(
            self.proposed(proposal, target, caller), beside=await self._beside(caller, proposal, target)
        )
        async with self.ledger.writing() as tx:
            known = await tx.from_origin(caller.origin) if caller.origin else None
            if known is not None:
                return Asked(known, joined=False)
            over: list[RepairRequest] = []
            for other in await tx.open_requests(target):
                if ended := await self._expire(tx, other):
                    over.append(ended)
                elif other.exclusive == repair.exclusive:
                    if not (void := await self._outdated(tx, other, repair)):
                        return Asked(await self._join(tx, other, repair), joined=True)
                    over.append(void)
            await self._limit(tx, repair)
            await tx.add(repair)
            await tx.record(
                repair.request.created_at, "request", repair.request.requester, repair.id, _asked(repair)
            )
            await tx.enqueue(message_keys.card(repair.id), repair.channel)
        self._over(*over)
        return Asked(repair, joined=False)

    async def _beside(self, caller: Caller, proposal: Proposal, target: str) -> str:
        """The key of the message at which somebody asks, if it is one of the bot's that others may see.

        A restart that is asked for elsewhere belongs to the target's alert, where exactly one is open.
        """
        at = caller.beside
        key = await self.ledger.posted_at(at) if at is not None and at.channel.startswith(("C", "G")) else None
        if key is not None and key.kind not in message_keys.BELOW_OR_PRIVATE:
            return key
        return await request_alerts.only_open(self.ledger, target) if proposal.action.restarts else ""

    def _over(self, *repairs: RepairRequest) -> None:
        """Log requests that have ended; call it after the commit."""
        for repair in repairs:
            request_log.over(repair)
        self.changed()

    def proposed(self, proposal: Proposal, target: str, caller: Caller) -> RepairRequest:
        """The request that would be made.

        Raises `Refused` where no approver would see it, or the ledger would not keep it as it is.
        """
        now, channel = self.clock.now(), card_channel(self.channels.get(target, ""), caller.identity.channel)
        if not channel:
            raise Refused(
                "There is no channel where approvers would see it.",
                remedy="Set slack.channel (AGENTPOD_SLACK__CHANNEL) to the operations channel's id, "
                "or ask in a channel.",
            )
        request = Request(
            proposal.id,
            caller.who,
            now,
            now + self.policy.expires_after,
            proposal.snapshot,
            self.policy.needed_for(shell=caller.is_terminal, at_least=proposal.needed),
        )
        repair = RepairRequest(
            request,
            target,
            proposal.action,
            reason=proposal.reason,
            subject=proposal.subject,
            details=proposal.details,
            facts=proposal.facts,
            effect=proposal.effect,
            forecast=proposal.forecast,
            channel=channel,
            asked_in=caller.identity.channel,
            origin=caller.origin,
        )
        _require_kept(repair)
        return repair

    async def tried(
        self, proposal: Proposal, target: str, caller: Caller, read: TrialRead | None = None
    ) -> Sequence[FieldChange] | None:
        """What the change would make of its objects, by a dry run of the API server; None where it changes none.

        Raises what the change would raise: it may be refused there.
        """
        made = self.proposed(proposal, target, caller)
        repair = replace(made, held=Lease("", made.request.created_at, made.request.created_at))
        read = read or TrialRead(await self.executor.cluster_of(target).trial(), None)
        trial = read.trial
        changed = await self.executor.on(lambda _: trial.cluster).preview(repair, read.seen)
        return trial.changes if changed else None

    async def _limit(self, tx: Writing, repair: RepairRequest) -> None:
        """Raise `Refused` where the requester has too many open requests: each takes an approver's time."""
        targets = sorted({repair.target, *self.executor.targets})
        found = [
            one for target in targets for one in await tx.open_requests(target) if one.state is RequestState.OPEN
        ]
        mine = sorted(one.id for one in found if _same(one.request.requester, repair.request.requester))
        if len(mine) >= self.policy.open_at_once:
            own = [one for one in found if one.id in mine and one.request.requester == repair.request.requester]
            back = f"take one back: {_take_back(min(own, key=lambda one: one.id))}" if own else "have one denied"
            raise Refused(
                f"{len(mine)} of your requests are open, and approvals.open_at_once allows no more: "
                f"{listed(mine[:10])}.",
                remedy=f"Wait for a decision on one, or {back}.",
            )

    async def _outdated(self, tx: Writing, other: RepairRequest, repair: RepairRequest) -> RepairRequest | None:
        """End ``other`` as void where the target's state read for the newer ``repair`` differs from its snapshot.

        Returns the ended request; None where ``other`` is still valid or already being carried out.
        """
        if other.state not in (RequestState.OPEN, RequestState.APPROVED):
            return None
        if other.request.snapshot.kind != repair.request.snapshot.kind:  # of a pod, say, and of a container
            return None
        text = "; ".join(other.action.changes(other.request.snapshot, repair.request.snapshot))
        if not text:
            return None
        now = self.clock.now()
        await tx.record(now, "outcome", BOT, other.id, {"state": RequestState.VOID.value, "text": text})
        void = await tx.save(other.ended(RequestState.VOID, ExecutionResult(text, now)))
        await enqueue_messages(tx, void)
        return void

    async def _join(self, tx: Writing, other: RepairRequest, repair: RepairRequest) -> RepairRequest:
        if (other.action, other.subject) != (repair.action, repair.subject):
            called = f"{other.id} ({other.action.called(other)})"
            if other.under_way_since is not None:
                raise Refused(
                    f"{called} has been under way since {clock(other.under_way_since)}.",
                    remedy=f"Ask again when it has ended: `/agentpod approvals {other.id}` shows it.",
                )
            raise Refused(
                f"{called} is already open for the same pod.",
                remedy="It has to end first. An approver can decide on it: `/agentpod approvals` shows it. "
                f"Whoever asked for it can withdraw it: {_take_back(other)}.",
            )
        who = repair.request.requester
        if joins(other, who) and not approvable.would_block(other, who, self.access, self.policy):
            other = await tx.save(replace(other, joined=(*other.joined, who)))
            await tx.record(self.clock.now(), "request", who, other.id, {"joined": True, "reason": repair.reason})
            await enqueue_card(tx, other)
            self.changed()
        return other

    async def find(self, id_: str) -> RepairRequest | None:
        """The request of that id; an overdue one is shown as expired even if that isn't recorded yet."""
        repair, now = await self.ledger.request(id_) if is_id(id_) else None, self.clock.now()
        return self._expired(repair, now) if repair is not None and overdue(repair.request, now) else repair

    async def decide(
        self, id_: str, choice: Choice, caller: Caller, reason: str = ""
    ) -> tuple[Ruling, RepairRequest]:
        """Rule on a decision, record it (also a refused one), and start what is approved.

        Raises `UsageError` for an unknown id.
        """
        identity = await self._looked_up(caller)
        ahead: Ahead | None = None
        try:
            async with self.ledger.writing() as tx:
                repair = await tx.request(id_) if is_id(id_) else None
                if repair is None:
                    raise UsageError(NO_REQUEST, remedy="/agentpod approvals lists those that wait.")
                ahead = await self._look(repair, choice)
                click = Click(choice, self._standing(caller, identity, repair), self.clock.now(), reason)
                ruling, before = self._ruled(repair, click), repair.state
                repair = await self._write(tx, repair, click, ruling)
        except BaseException:
            self.refusals.unrecorded(caller.who, f"{choice.value} {id_}")
            if ahead is not None:
                ahead.cancel()
            raise
        if repair.state.final and repair.state is not before:
            request_log.over(repair)
        if repair.state is RequestState.EXECUTING and ruling.accepted:
            request_log.claimed(repair, self.executor.name)
            self.executor.start(repair, ahead)
            ruling = replace(ruling, begun=await self.executor.ahead(repair))
            repair = await self._as_it_is(repair)
        elif ahead is not None:
            ahead.cancel()
        self.changed()
        return ruling, repair

    async def _as_it_is(self, repair: RepairRequest) -> RepairRequest:
        """Re-read the request for the answer; return ``repair`` unchanged if the ledger can't be read."""
        try:
            return await self.ledger.request(repair.id) or repair
        except AgentpodError:
            return repair

    async def _look(self, repair: RepairRequest, choice: Choice) -> Ahead | None:
        """Start to read the target while the decision is recorded, since carrying it out needs both.

        The API server works on the first reads when this returns: their tasks have had the turns to send them.
        """
        if choice not in _GOING_AHEAD or not self.executor.knows(repair):
            return None
        ahead = self.executor.look_ahead(repair)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        return ahead

    def _ruled(self, repair: RepairRequest, click: Click) -> Ruling:
        """The ruling on a decision. A request whose target left the settings can't be approved, only ended."""
        ruling = rule(repair.request, click, self.policy)
        if ruling.accepted and click.choice in _GOING_AHEAD and not self.executor.knows(repair):
            return Ruling(Rule.NO_TARGET, repair.state)
        return ruling

    async def _looked_up(self, caller: Caller) -> Identity:
        """The caller's identity with fresh groups; a terminal's caller has no groups to look up."""
        return caller.identity if caller.is_terminal else await self.freshen(caller.identity)

    def _standing(self, caller: Caller, identity: Identity, repair: RepairRequest) -> Standing:
        """What the caller may decide about this request; in a shell nothing but to withdraw what it asked for."""
        if caller.is_terminal:
            return Standing(caller.who, shell=True)  # noqa: S604 - no process
        return standing(self.access, self.policy, identity, repair.target, repair.places, joined=repair.joined)

    async def _write(self, tx: Writing, repair: RepairRequest, click: Click, ruling: Ruling) -> RepairRequest:
        at, who = click.at, click.who.user
        data = {
            "choice": click.choice.value,
            "rule": ruling.rule.name.lower().replace("_", "-"),
            "reason": click.reason,
        }
        if ruling.accepted:
            await tx.record(at, "decision", who, repair.id, data)
        elif self.refusals.first(
            who, f"{click.choice.value} {repair.id} {data['rule']}", repair.id, data["rule"], at
        ):
            await tx.record(at, "refusal", who, repair.id, data)
        if ruling.accepted:
            repair = replace(repair, request=decided(repair.request, click, ruling))
        elif ruling.state is not repair.state:  # it has expired
            repair = self._expired(repair, at)
            await tx.record(at, "outcome", BOT, repair.id, {"state": repair.state.value})
        else:
            return repair
        if ruling.accepted and repair.state.final:
            repair = repair.ended(repair.state, ExecutionResult(click.reason.strip(), at))
        if repair.state is RequestState.APPROVED:
            repair = await self._approved(tx, repair, at)
        repair = await tx.save(repair)
        await enqueue_messages(tx, repair)
        return repair

    async def _approved(self, tx: Writing, repair: RepairRequest, at: datetime) -> RepairRequest:
        """Claim an approved request; one that needs a value is claimed when the value arrives."""
        if repair.action.needs_value:
            return repair
        await tx.record(at, "execution", BOT, repair.id, {"by": self.executor.name, "action": repair.action.name})
        return claimed(repair, self.executor.name, at, await tx.now(at))

    async def _expire(self, tx: Writing, repair: RepairRequest) -> RepairRequest | None:
        """Expire an overdue request and return it; None where it isn't overdue."""
        now = self.clock.now()
        if not overdue(repair.request, now):
            return None
        await tx.record(now, "outcome", BOT, repair.id, {"state": RequestState.EXPIRED.value})
        expired = await tx.save(self._expired(repair, now))
        await enqueue_messages(tx, expired)
        return expired

    def _expired(self, repair: RepairRequest, now: datetime) -> RepairRequest:
        return repair.ended(RequestState.EXPIRED, ExecutionResult("nobody decided in time", now))

    async def expire(self) -> int:
        """End requests without a decision or a value in time; returns how many. Also records sums of refusals."""
        await self.sum_up()
        now = self.clock.now()
        found = [*await self.ledger.overdue(now), *await self.ledger.without_lease(now)]
        over = []
        for one in found:
            async with self.ledger.writing() as tx:
                repair = await tx.request(one.id)
                ended = repair and (await self._expire(tx, repair) or await self.values.expire(tx, repair))
            over += [ended] if ended else []
        if over:
            self._over(*over)
        return len(over)

    async def may_give_value(self, id_: str, caller: Caller) -> RepairRequest:
        """The approved request that waits for this caller's value. Raises `Refused` with the reason."""
        return await self.values.wanted(id_, caller)

    async def refused(self, who: str, what: str, rule_: str) -> None:
        """Record a refused command; repeats within the next minutes are recorded as a sum."""
        now, kind = self.clock.now(), rule_.partition(":")[0] if is_id(what) else what
        if not self.refusals.first(who, kind, what, rule_, now):
            return
        try:
            async with self.ledger.writing() as tx:
                await tx.record(now, "refusal", who, what, {"rule": rule_})
        except BaseException:
            self.refusals.unrecorded(who, kind)
            raise

    async def read(self, who: str, command: str, line: str, target: str) -> None:
        """Record that somebody ran a command which reads the pod's inside; not what it answered."""
        await self._ran(who, command, {"line": line, "target": target})

    async def opened(self, who: str, command: str, line: str, target: str) -> None:
        """Record that such a command opened a form."""
        await self._ran(who, command, {"line": line, "target": target, "form": True})

    async def _ran(self, who: str, command: str, data: dict[str, object]) -> None:
        async with self.ledger.writing() as tx:
            await tx.record(self.clock.now(), "read", who, command, data)

    async def sum_up(self, *, all_: bool = False) -> None:
        """Record the sums of refusals whose window has ended, or of all of them."""
        now = self.clock.now()
        sums = list(self.refusals.over(now, all_=all_))
        if not sums:
            return
        try:
            async with self.ledger.writing() as tx:
                for found in sums:
                    await tx.record(now, "refusal", found.who, found.subject, found.data)
        except BaseException:
            self.refusals.keep(sums)
            raise


def _require_kept(repair: RepairRequest) -> None:
    """Raise `Refused` where the ledger would change what the request is carried out with or bound to."""
    if found := not_kept(repair):
        raise Refused(
            f"{repair.action.name} is refused: {found}, so what is approved could not be carried out.",
            remedy="Leave it out if you typed it; otherwise do this by hand, with kubectl.",
        )


def _take_back(repair: RepairRequest) -> str:
    """The line with which whoever asked withdraws a request, where they asked for it."""
    return f"{'/' if is_person(repair.request.requester) else ''}agentpod withdraw {repair.id}"


def _same(one: str, other: str) -> bool:
    """Whether two requesters may be one person; any two shell users may, since they have no Slack identity."""
    return one == other or not (is_person(one) or is_person(other))


def joins(repair: RepairRequest, who: str) -> bool:
    """Whether somebody who asks for the same is added to the request's requesters.

    A shell user isn't, since no message reaches them; nor is anybody who has decided on it, since a requester
    can't be an approver of the same request.
    """
    inside = {repair.request.requester, *repair.joined, *(d.by for d in repair.request.decisions)}
    return is_person(who) and who not in inside


def _asked(repair: RepairRequest) -> dict[str, object]:
    return {
        "action": repair.action.name,
        "target": repair.target,
        "subject": repair.subject,
        "reason": repair.reason,
        "images": dict(repair.request.snapshot.images),
        "pods": [name for name, _ in repair.request.snapshot.pods],
        "generation": repair.request.snapshot.generation,
        "expires_at": repair.request.expires_at.isoformat(timespec="seconds"),
        "dry_run": [f"{one.object} {one}" for one in repair.forecast.changes],
        "ends": {loss.name: loss.text for loss in repair.forecast.losses},
        **repair.action.audited(repair),
    }
