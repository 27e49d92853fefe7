"""Builds the adapters that commands and services work with, and connects them."""

from __future__ import annotations

import platform
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from bot import __version__
from bot.adapters.network import OutsideNetwork
from bot.adapters.sinks import anchor_file
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.look import Fingerprints
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Reply
from bot.domain.core.target import Target
from bot.errors import UsageError
from bot.ports.cluster import Cluster
from bot.ports.decryption import Decryption
from bot.ports.heartbeats import HeartbeatSource
from bot.ports.people import People
from bot.ports.registry import ImageRegistry
from bot.ports.sinks import Sink
from bot.runbook.command import Command, Invocation
from bot.runbook.command_list import CommandList
from bot.runbook.context import About, Caller, Context, Follows
from bot.runbook.dispatch import Dispatcher, MakeContext, Observer, ShowProgress
from bot.runbook.turns import Turns
from bot.services.approvals.approval_service import ApprovalService
from bot.services.change_log import ChangeLog
from bot.services.incidents.incident_service import IncidentService
from bot.services.outbox.kind import MessageKind
from bot.settings.model import Settings
from bot.wiring.books import Books, declared_commands
from bot.wiring.clusters import Clusters, fingerprint_key
from bot.wiring.lazy import LazyLedger, LazyRegistry
from bot.wiring.outbox import Outbox
from commands import registry

if TYPE_CHECKING:
    from bot.services.health.reads import CheckContext


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()


@dataclass
class Parts:
    """The adapters that commands work with."""

    settings: Settings
    about: About
    network: OutsideNetwork
    ledger: LazyLedger
    clock: SystemClock
    commands: CommandList
    outside: Outside
    """Redacts everything that is shown."""
    outbox: Outbox
    clusters: Clusters
    books: Books
    """Target name → its runbook."""
    heartbeats: HeartbeatSource | None = None
    registry: ImageRegistry | None = None
    decryption: Decryption | None = None
    approval_service: ApprovalService | None = None
    """Where commands ask for repairs and decide on them."""
    alerts: IncidentService | None = None
    """Where commands acknowledge and snooze incidents."""
    people: People | None = None
    """Where commands look up people; None where there is no Slack."""
    follows: Follows | None = None
    """Where commands follow logs."""
    change_log: ChangeLog | None = None
    """Where the bot records what changes; None where only a command runs."""
    heavy: Turns = field(default_factory=Turns)
    _close: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @classmethod
    def build(
        cls,
        settings: Settings,
        *,
        exclusive: bool = False,
        clock: SystemClock | None = None,
        outside: Outside | None = None,
        more: Iterable[Command] = (),
        kinds: Iterable[MessageKind] = (),
        sinks: Iterable[Sink] = (),
    ) -> Parts:
        """Build what needs no connection; :meth:`Clusters.connect` does the rest.

        ``exclusive``: this process is the bot, which must be the only user of a ledger in a file. ``more``,
        ``kinds`` and ``sinks``: commands, message kinds and sinks in addition to the built-in ones.
        """
        timeout = settings.probes.timeout.total_seconds()
        about = About(__version__, datetime.now(UTC), platform.python_version())
        network = OutsideNetwork(timeout=timeout)
        shown = outside or Outside(settings.secret_values())
        ledger = LazyLedger(settings.ledger.url, exclusive=exclusive, outside=shown)
        time_ = clock or SystemClock()
        clusters = Clusters(settings, shown)
        commands, runbooks = commands_of(settings, more)
        outbox = Outbox(settings, ledger, time_, shown, kinds, sinks, runbooks)
        parts = cls(settings, about, network, ledger, time_, commands, shown, outbox, clusters, runbooks)
        if exclusive:
            key = fingerprint_key(settings)
            prints = Fingerprints(key) if key is not None else None
            parts.change_log = ChangeLog(ledger, prints, shown, time_)
        parts._close += [network.close, ledger.close, outbox.close, clusters.close]
        if settings.pushgateway.url:
            parts._use_pushgateway(timeout)
        if settings.registry.enabled:
            parts.registry = LazyRegistry(parts._open_registry)
        if any(target.configs_rotate is not None for target in settings.targets):
            from bot.adapters.sops import Sops  # not wanted by most

            parts.decryption = Sops()
        return parts

    def cluster_of(self, target: str) -> Cluster:
        """The cluster of the target of that name."""
        return self.clusters.of(target)

    def check_context(self, target: Target) -> CheckContext:
        """What background tasks make a target's checks of."""
        from bot.wiring.check_context import TargetContext

        return TargetContext(
            target,
            self.cluster_of(target.name),
            self.network,
            self.heartbeats,
            self.clock,
            self.ledger,
            self.outside,
            self.settings.probes.timeout.total_seconds(),
            self.books,
            self.change_log,
            self.registry,
            self.decryption,
        )

    def _use_pushgateway(self, timeout: float) -> None:
        from bot.adapters.pushgateway import Pushgateway

        conf = self.settings.pushgateway
        auth = (conf.username, conf.password.get_secret_value()) if conf.password else None
        source = Pushgateway(conf.url, auth=auth, timeout=timeout, setting=self.settings.named("pushgateway.url"))
        self.heartbeats = source
        self._close.append(source.close)

    def _open_registry(self) -> ImageRegistry:
        from bot.adapters.registry import OciRegistry

        conf = self.settings.registry
        timeout = self.settings.probes.timeout.total_seconds()
        return OciRegistry(conf.addresses, conf.credentials, timeout=timeout)

    async def close(self) -> None:
        """Close every connection."""
        for close in reversed(self._close):
            await close()

    def context(self, prefix: str) -> MakeContext:
        """A factory for contexts of commands, for callers that address the bot as ``prefix``."""

        def make(target: str | None, caller: Caller, request_id: str, progress: ShowProgress) -> Context:
            chosen = self._target(target)
            others = [t for t in self.settings.targets if target is None and t is not chosen]
            made, *more = (one(t, caller, request_id, progress) for t in (chosen, *others))
            return replace(made, others=tuple(more))

        def one(chosen: Target, caller: Caller, request_id: str, progress: ShowProgress) -> Context:
            return Context(
                target=chosen,
                cluster=self.cluster_of(chosen.name),
                network=self.network,
                heartbeats=self.heartbeats,
                clock=self.clock,
                caller=caller,
                access=self.settings.access,
                about=self.about,
                commands=self.commands,
                probe_timeout=self.settings.probes.timeout.total_seconds(),
                prefix=prefix,
                request_id=request_id,
                repairs=self.approval_service,
                ledger=self.ledger,
                change_log=self.change_log,
                anchor_store=anchor_file.SINK.make(self.settings, self.outside)
                if self.settings.ledger.anchor.file
                else None,
                alerts=self.alerts,
                timezone=self.settings.digest.timezone,
                follows=self.follows,
                digests=self.outbox.digests,
                undelivered=self.outbox.undelivered,
                people=self.people,
                links=self.outbox.links,
                message_links=self.outbox.message_links,
                book=self.books.get(chosen.name),
                registry=self.registry,
                decryption=self.decryption,
                outside=self.outside,
                heavy=self.heavy,
                targets=self.settings.target_names,
                several=len(self.settings.targets) > 1,
                progress=progress,
            )

        return make

    def _target(self, name: str | None) -> Target:
        try:
            return self.settings.target(name)
        except KeyError:
            known = ", ".join(t.name for t in self.settings.targets)
            raise UsageError(f"There is no target of that name. Known: {known}.") from None

    def dispatcher(self, prefix: str, observer: Observer) -> Dispatcher:
        """The dispatcher for callers that address the bot as ``prefix``."""
        return Dispatcher(
            self.commands,
            self.settings.access,
            self.context(prefix),
            observer,
            prefix,
            plan=self._plan,
            targets=self.settings.target_names,
            outside=self.outside,
        )

    async def _plan(self, invocation: Invocation, context: Context) -> Reply:
        from bot.wiring.dry_run import dry_run  # seldom wanted

        return await dry_run(invocation, context, self.settings.pushgateway.url or "")


def commands_of(settings: Settings, more: Iterable[Command] = ()) -> tuple[CommandList, Books]:
    """All commands, built-in and declared, as these settings have them; and the targets' runbooks.

    Raises SettingsError for a wrong runbook.
    """
    built = registry.build(tuple(more)).changed(partial(_with_needs, settings))
    books = Books(settings.targets, list(filter(None, built.names)))
    return built.with_(declared_commands(books)), books


def _with_needs(settings: Settings, command: Command) -> Command:
    """The command with the capability and the approvals that it needs by the settings."""
    if command.name != "heartbeats push":
        return command
    from commands.observe import push

    asks = settings.approvals.heartbeats_push == "approval"
    return replace(command, needs=push.needs(settings.approvals), approvals=int(asks))
