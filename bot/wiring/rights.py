"""Asks the API server for the account's rights: which are missing, and which it has beyond its needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac import rights
from bot.domain.rbac.admission import reading_rights
from bot.domain.rbac.forbidden import OTHER_NAMESPACES, to_ask
from bot.domain.rbac.rights import EVERYWHERE, Excess, Permission, Places
from bot.errors import AgentpodError
from bot.ports.cluster import Cluster
from bot.runbook.command import Command
from bot.services.health.secret_fingerprints import SecretWatch
from bot.services.health.secret_values import KnownSecrets
from bot.services.incidents.evidence_keeper import EvidenceKeeper
from bot.wiring.watchers import TARGET_WATCHERS

if TYPE_CHECKING:
    from bot.runbook.file.compiled import CompiledRunbook

T = TypeVar("T")
Books: TypeAlias = "Mapping[str, CompiledRunbook]"
"""Target name → its runbook."""
NO_BOOKS: Books = {}
_CONFIRMED = 300
"""Most findings that are asked for cluster-wide: about as many rules as the ClusterRole ``edit`` has."""


class Reader(Protocol):
    """A background task that reads the cluster by itself."""

    def rights(self, target: Target) -> Sequence[Right]:
        """The Kubernetes rights that it needs for a target."""


READERS: Mapping[str, Reader] = {
    **TARGET_WATCHERS,
    "secrets": SecretWatch,
    "known secrets": KnownSecrets,
    "evidence": EvidenceKeeper,
}
"""Background task name → what declares its rights. Repairs need those of the commands that ask for them."""


def rights_needed(
    target: Target,
    commands: Sequence[Command],
    readers: Mapping[str, Reader] = READERS,
    book: CompiledRunbook | None = None,
) -> list[Right]:
    """All rights that the commands and ``readers`` need for a target, without duplicates, in a stable order.

    ``book`` is the target's runbook.
    """
    needed = [right for one in (*commands, *readers.values()) for right in one.rights(target)]
    if book is not None:
        from bot.services.runbook.declared_check import alert_rights

        needed += [right for command in commands for right in command.runbook_rights(book, target)]
        needed += [right for command in commands for right in command.rights_beside(book, target)]
        needed += alert_rights(book, target)
    return list(dict.fromkeys(needed))


async def missing_rights(
    cluster: Cluster, target: Target, commands: Sequence[Command], books: Books = NO_BOOKS
) -> list[Right]:
    """The needed rights that the API server's authoriser does not grant."""
    needed = rights_needed(target, commands, book=books.get(target.name))
    granted = await asyncio.gather(*(cluster.can_i(right) for right in needed))
    return [right for right, yes in zip(needed, granted, strict=True) if not yes]


@dataclass(frozen=True)
class Beyond:
    """The account's rights that nothing in the bot needs, as far as the API server tells them."""

    own: str
    """The target's namespace."""
    found: tuple[Excess, ...] = ()
    unknown: tuple[str, ...] = ()
    """Why something could not be asked, each reason once."""
    incomplete: str | None = None
    """Why the API server's list of rules is incomplete, if it says so."""

    @property
    def nothing(self) -> bool:
        """Whether there is certainly no excess right: False if something could not be asked."""
        return not (self.found or self.unknown or self.incomplete)

    @property
    def administrator(self) -> bool:
        """Whether the account may do everything in the whole cluster."""
        return any(entry.everything and entry.where == (EVERYWHERE,) for entry in self.found)

    def __str__(self) -> str:
        """The worst findings in one line; empty when there are none."""
        return "everything: cluster admin" if self.administrator else rights.summary(self.found, self.own)


async def review(
    cluster: Cluster,
    target: Target,
    targets: Collection[Target],
    commands: Sequence[Command],
    books: Books = NO_BOOKS,
) -> tuple[list[Right], Beyond]:
    """Ask for missing and excess rights concurrently. Raises `AgentpodError` where the missing can't be asked."""
    missing, beyond = await asyncio.gather(
        missing_rights(cluster, target, commands, books),
        beyond_needs(cluster, target, targets, commands, books),
        return_exceptions=True,
    )
    if isinstance(missing, BaseException):
        raise missing
    if isinstance(beyond, BaseException):
        raise beyond
    return missing, beyond


async def beyond_needs(
    cluster: Cluster,
    target: Target,
    targets: Collection[Target],
    commands: Sequence[Command],
    books: Books = NO_BOOKS,
) -> Beyond:
    """Compare the account's rights with the needs of all ``targets``, in and around one target's namespace.

    Asks for the target's own namespace, for those that its rights name, and for :data:`OTHER_NAMESPACES` as
    examples of all others. Never raises: what can't be asked goes into ``unknown``.
    """
    inquiry = _Inquiry(cluster, _named(targets, commands, books))
    own = target.namespace
    others = [name for name in OTHER_NAMESPACES if name not in {t.namespace for t in targets}]
    needed = rights_needed(target, commands, book=books.get(target.name))
    named = [right.namespace for right in needed if right.namespace]
    await asyncio.gather(
        *(inquiry.rules(namespace) for namespace in dict.fromkeys((own, *named, *others))),
        *(inquiry.try_out(right) for right in to_ask(inquiry.needed, own, others)),
    )
    await inquiry.confirm([name for name in others if name not in named])
    found = rights.combined(inquiry.places, inquiry.needed)
    return Beyond(own, tuple(found), tuple(dict.fromkeys(inquiry.unknown)), inquiry.incomplete)


def _named(targets: Collection[Target], commands: Sequence[Command], books: Books) -> list[Right]:
    """The rights that all targets need, each with its namespace filled in; and those to read the policies.

    `agentpod check` reads the admission policies where it may: the option that lets it is no excess.
    """
    needed = [
        right if right.namespace is not None else replace(right, namespace=target.namespace)
        for target in targets
        for right in rights_needed(target, commands, book=books.get(target.name))
    ]
    homes = dict.fromkeys(target.namespace for target in targets)
    return [*needed, *(right for home in homes for right in reading_rights(home))]


@dataclass
class _Inquiry:
    """The queries about one account, and their results so far."""

    cluster: Cluster
    needed: Collection[Right]
    places: Places = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    incomplete: str | None = None

    async def rules(self, namespace: str) -> None:
        """Collect excess rights from the rules that the server lists for a namespace."""
        answer = await self._ask(self.cluster.rules(namespace))
        if answer is None:
            return
        if answer.incomplete:
            self.incomplete = answer.reason or "it does not say why"
        for grant in rights.beyond(rights.grants(answer.rules), rights.needed_in(self.needed, namespace)):
            self.places.setdefault(grant, set()).add(namespace)

    async def try_out(self, right: Right) -> None:
        """Ask for a single right, since the listed rules may be incomplete, and collect it if it is granted."""
        if await self._ask(self.cluster.can_i(right)):
            self.places.setdefault(Permission.of(right), set()).add(right.namespace or EVERYWHERE)

    async def confirm(self, others: Collection[str]) -> None:
        """For rights found in each of the example namespaces ``others``, ask whether they hold cluster-wide."""
        likely = [g for g, where in self.places.items() if where.issuperset(others)]
        worst = sorted(likely, key=lambda grant: ("*" not in grant, grant.resource != "secrets", grant))
        await asyncio.gather(*(self.try_out(grant.right(EVERYWHERE)) for grant in worst[:_CONFIRMED]))

    async def _ask(self, question: Awaitable[T]) -> T | None:
        try:
            return await question
        except AgentpodError as error:
            self.unknown.append(error.message)
            return None
