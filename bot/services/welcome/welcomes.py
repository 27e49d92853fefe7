"""Welcomes people at their first message or first Home tab, and channels that the bot joins: each of them once.

That somebody was welcomed is a mark in the ledger, set with the message in one transaction. Its value is what they
could do then: a message is rendered when it is sent, and user groups are known only where somebody asks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bot.domain.core import labels
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Button, Line, Reply
from bot.domain.core.words import listed
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.domain.rbac.access import AccessPolicy, Identity, grants_of
from bot.domain.rbac.membership import Membership
from bot.domain.rbac.roles import Capability
from bot.ports.ledger import Ledger
from bot.services.outbox.kind import MessageKind

KIND = "welcome"
_MAY = (
    (Capability.VIEW, "see the pod's state"),
    (Capability.HANDLE_INCIDENTS, "acknowledge alerts"),
    (Capability.REQUEST, "ask for repairs"),
    (Capability.DECIDE, "decide on requests"),
)
"""What the welcome tells people of, in this order."""


@dataclass
class Welcomes:
    """Enqueues welcomes, and renders them. Methods raise as the ledger does."""

    ledger: Ledger
    access: AccessPolicy
    prefix: str

    async def person(self, who: Identity) -> bool:
        """Enqueue the welcome of a person by direct message, unless they had it; returns whether."""
        here = Identity(who.user, who.user, who.groups, who.unread_groups, who.membership, who.claims)
        return await self._once(who.user, _may(self.access, here))

    async def channel(self, id_: str) -> bool:
        """Enqueue the welcome of a channel, unless it had it; returns whether."""
        return await self._once(id_, _may(self.access, Identity("", id_, membership=Membership.MEMBER)))

    async def _once(self, id_: str, may: Collection[Capability]) -> bool:
        async with self.ledger.writing() as tx:
            if await tx.mark(f"{KIND}:{id_}") is not None:
                return False
            await tx.set_mark(f"{KIND}:{id_}", " ".join(sorted(one.value for one in may)))
            await tx.enqueue(MessageKey.of(KIND, id_), id_)
        return True

    async def render(self, message: OutboxMessage) -> Reply | None:
        """The welcome; None for one without a mark."""
        kept = await self.ledger.mark(f"{KIND}:{message.key.id}")
        if kept is None:
            return None
        may = {one for one in Capability if one.value in kept.split()}
        return self.to_channel(may) if message.key.id.startswith(("C", "G")) else self.to_person(may)

    def to_person(self, may: Collection[Capability]) -> Reply:
        """The welcome of somebody with these capabilities."""
        body: list[Line] = []
        if found := _things(may):
            body.append(f"You may {listed(found)}; {self.prefix} help lists all that you may run.")
        else:
            body.append("No rule for direct messages gives you a role. In a channel you may have one.")
            body.append(self.access.ask(" for one"))
        lines = ("status", "incidents", "help") if Capability.VIEW in may else ("whoami", "help")
        body.append(f"{'Three' if len(lines) == 3 else 'Two'} things to try:")
        return _reply("👋 I'm agentpod. I watch the agent pod, and repair it once an approver agrees", body, lines)

    def to_channel(self, may: Collection[Capability]) -> Reply:
        """The welcome of a channel in which everybody has these capabilities."""
        found = _things(may)
        all_ = (
            f"Here, members of this workspace may {listed(found)}."
            if found
            else "Being in this channel gives nobody a role."
        )
        body = (f"{all_} {self.prefix} whoami says what you may do.", "Three things to try:")
        lines = ("status", "whoami", "help")
        return _reply("👋 agentpod is in this channel now: it watches the agent pod", body, lines)

    def kinds(self) -> tuple[MessageKind, ...]:
        """The kind of these messages."""

        async def describe(key: MessageKey) -> str:
            return f"the welcome of {'a channel' if key.id.startswith(('C', 'G')) else 'a person'}"

        return (MessageKind(KIND, self.render, describe, retry_refused=False),)


def _may(access: AccessPolicy, who: Identity) -> frozenset[Capability]:
    return frozenset().union(*(grant.role.may for grant in grants_of(access, who)))


def _things(may: Collection[Capability]) -> Sequence[str]:
    return [said for capability, said in _MAY if capability in may]


def _reply(headline: str, body: Sequence[Line], lines: Sequence[str]) -> Reply:
    buttons = tuple(Button(labels.of(line), line) for line in lines)
    return Reply(headline, body=tuple(body), buttons=buttons, shareable=False, repeatable=False)
