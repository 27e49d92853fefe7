"""The bot process: starts its parts, runs the named tasks, and stops them in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from bot import __version__
from bot.adapters.ledger.file import FileLock, examine, sqlite_file
from bot.adapters.sinks import dead_mans_switch
from bot.domain.core.outside import Outside
from bot.domain.core.target import Target
from bot.domain.rbac.access import Identity
from bot.domain.rbac.options import option_of
from bot.errors import AgentpodError, Transient
from bot.services.follow.follow_service import FollowService
from bot.services.follow.reading_rights import may_still_read
from bot.services.health.secret_values import KnownSecrets
from bot.settings.model import Settings
from bot.wiring import config_files
from bot.wiring.approvals import Approvals
from bot.wiring.channels import NAME_A_CHANNEL, missing_channel
from bot.wiring.clusters import ClusterLink
from bot.wiring.incidents import Watching
from bot.wiring.parts import Parts, SystemClock
from bot.wiring.welcome import LazyWelcomes

if TYPE_CHECKING:
    from bot.wiring.watchers import Watchers

logger = logging.getLogger("agentpod.app")

DRAIN_SECONDS = 10.0
"""Seconds that running commands get at SIGTERM; Kubernetes kills the process after 30."""
FIRST_SECONDS = 1.0
"""Seconds that ledger and cluster wait for Slack at the start: loading their clients would delay it."""
SETTLE_SECONDS = 2.0
"""Seconds after the start until the watchers begin."""
STOP_SECONDS = 5.0
"""Seconds to wait for in-flight changes, then for the outbox."""


async def guarded(
    name: str, work: Callable[[], Coroutine[Any, Any, None]], on_crash: Callable[[str, Exception], None]
) -> None:
    """Run a background task until it returns; log and count its crashes, and restart it with backoff."""
    pause = 1.0
    while True:
        started = time.monotonic()
        try:
            await work()
            return
        except AgentpodError as error:  # its message says what is wrong: a traceback adds nothing
            on_crash(name, error)
            logger.error("background task failed and is restarted: %s", error, extra={"task": name})
        except Exception as error:
            on_crash(name, error)
            logger.exception("background task crashed and is restarted", extra={"task": name})
        if time.monotonic() - started > 60:
            pause = 1.0
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
        pause = min(pause * 2, 60.0)


async def _settled(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run ``work`` after `SETTLE_SECONDS`, so that the first answers aren't delayed by the first polls."""
    await asyncio.sleep(SETTLE_SECONDS)
    await work()


class Bot:
    """The bot process: answers Slack, runs the background tasks, and serves health and metrics."""

    def __init__(
        self, settings: Settings, clock: SystemClock | None = None, outside: Outside | None = None
    ) -> None:
        """Build everything that needs no connection. ``clock`` replaces the machine's clock.

        ``outside`` redacts everything shown; pass the one that redacts the log.
        """
        from bot.adapters.metrics import Metrics, OpsServer
        from bot.adapters.slack import SlackAdapter

        self.settings = settings
        self.parts = Parts.build(settings, exclusive=True, clock=clock, outside=outside)
        self.metrics = Metrics(__version__)
        parts = self.parts
        changed = parts.outbox.wake
        self.repairs = Approvals(
            settings, parts.ledger, parts.clock, parts.cluster_of, self.metrics, changed, parts.check_context
        )
        parts.approval_service = self.repairs.approval_service
        self.watching = Watching(
            settings,
            parts.ledger,
            parts.clock,
            parts.cluster_of,
            parts.heartbeats,
            dead_mans_switch.SINK.make(settings, parts.outside) if settings.heartbeat.dead_man_url else None,
            changed,
            parts.outside,
            parts.check_context,
            parts.change_log,
        )
        parts.alerts = self.watching.incidents
        shared = parts.ledger if sqlite_file(settings.ledger.url) is None else None
        self.follows = FollowService(parts.clock, parts.cluster_of, parts.outside, shared)
        parts.follows = self.follows
        dispatcher = self.parts.dispatcher(settings.slack.command, self.metrics)
        dispatcher.recorder, dispatcher.reads, dispatcher.find = (
            self.repairs.approval_service.refused,
            self.repairs.approval_service.read,
            self.repairs.approval_service.find,
        )
        dispatcher.opened = self.repairs.approval_service.opened
        dispatcher.find_incident = parts.ledger.incident
        self.slack = SlackAdapter(
            settings.slack,
            dispatcher,
            settings.access,
            self.metrics,
            __version__,
            groups=settings.approvals.groups(),
            secret_sink=self.repairs.approval_service.values.take,
            follow=self.repairs.follow,
            outside=parts.outside,
            welcome=LazyWelcomes(settings, parts.ledger, changed) if settings.slack.welcome else None,
        )
        parts.people = parts.outbox.people = self.watching.people = self.slack
        self.ops = OpsServer(self.metrics, self._unready)
        self._tasks: list[asyncio.Task[None]] = []
        self._crashed_at: dict[str, float] = {}
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT. Raises AgentpodError when Slack refuses the tokens at start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        try:
            await self._unless_stopped(self._begin())
            await self._stop.wait()
        finally:
            await self._shut_down()

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work``, but cancel it when the bot is to stop: it may wait for a server that doesn't answer."""
        tasks = [asyncio.create_task(work), asyncio.create_task(self._stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                await tasks[0]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin(self) -> None:
        """Start everything. Raises `AgentpodError` where something that the bot can't run without fails."""
        conf = self.settings.ops
        file = sqlite_file(self.settings.ledger.url)
        if file is not None:
            examine(file)
            self.parts.ledger.held(FileLock(file))
        port = await self._listen(conf.host, conf.port)
        logger.info("health and metrics", extra={"port": port})
        if file is None:  # whether a database server can be used shows only when it is opened
            await self._open_ledger()
        await self.slack.start()
        self.follows.chat, self.follows.may_read = self.slack.answers, self._may_read_logs
        self._spawn("slack", self.slack.run)
        await self.slack.connected(FIRST_SECONDS)
        for link in self.parts.clusters.links:
            self._spawn(f"cluster {link.name}".strip(), partial(self._connect, link))
        self._spawn("channels", self._report_channels)
        if self.parts.decryption is not None:
            self._spawn("config files", self._report_config_files)
        known = KnownSecrets(self.settings.targets, self.parts.clusters.once_connected, self.parts.outside)
        self._spawn("known secrets", known.run)
        if file is not None:
            await self._open_ledger()  # after Slack: waiting for a locked file takes seconds
        self._spawn("ledger changes", self.parts.ledger.watch)
        outbox = self.parts.outbox
        self._spawn("outbox", outbox.worker(self.slack.chat, self.metrics.delivery).run)
        for name, work in self.repairs.tasks(self.slack.fresh, self.slack).items():
            self._spawn(name, work)
        self._spawn("reroute pending", partial(_settled, outbox.rerouter().run))
        watchers = self._watchers()
        for name, work in watchers.tasks(self._can_hear, lambda: self.slack.gaps).items():
            self._spawn(name, partial(_settled, work))

    def _watchers(self) -> Watchers:
        from bot.wiring.watchers import Watchers  # a twentieth of the time until Slack is connected

        return Watchers(self.watching)

    async def _may_read_logs(self, identity: Identity, target: str) -> bool:
        """Whether somebody may read a target's logs by their groups now; Transient where these can't be read."""
        return may_still_read(self.settings.access, await self.slack.fresh(identity), target)

    def _can_hear(self) -> bool:
        return self.slack.status().connected

    async def _open_ledger(self) -> None:
        """Open the ledger. Raises `Permanent` for one that can't be used.

        One that can't be reached is opened later, when it is used: meanwhile the bot answers what needs no ledger.
        """
        try:
            await self.parts.ledger.open()
        except Transient as error:
            logger.warning("no ledger yet: %s", error.message, extra={"remedy": error.remedy})

    async def _listen(self, host: str, port: int) -> int:
        try:
            return await self.ops.start(host, port)
        except OSError as error:
            raise AgentpodError(
                f"The port for health and metrics, {host}:{port}, can't be opened: {error.strerror}.",
                remedy="Set AGENTPOD_OPS__PORT to a free one.",
            ) from error

    def _spawn(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks.append(asyncio.create_task(guarded(name, work, self._crashed), name=name))

    def _crashed(self, name: str, error: Exception) -> None:
        self._crashed_at[name] = time.monotonic()
        self.watching.crashes.note(name, error, self.parts.clock.now())
        self.metrics.task_restarted(name)

    def _unready(self) -> list[str]:
        status = self.slack.status()
        reasons = [] if status.connected else [f"Slack: {status.reason}"]
        recent = [name for name, when in self._crashed_at.items() if time.monotonic() - when < 60]
        failing = self.watching.crashes.failing(self.parts.clock.now())
        reasons += [f"background task {name} keeps failing" for name in failing]
        return reasons + [f"background task {n} died less than a minute ago" for n in recent if n not in failing]

    async def _connect(self, link: ClusterLink) -> None:
        pause = 2.0
        while (error := await link.connect()) is not None:
            logger.warning("no cluster: %s", error.message, extra={"remedy": error.remedy})
            await asyncio.sleep(pause)
            pause = min(pause * 2, 60.0)
        await self._report_rights(link.targets)

    async def _report_channels(self) -> None:
        """Log once at start the channels that can't be posted in; `incidents` lists what is pending there."""
        if unset := missing_channel(self.settings):
            logger.warning("%s", unset, extra={"remedy": NAME_A_CHANNEL})
        for found in await self.slack.may_post(self.settings.channels()):
            if not found.ok:
                logger.warning("%s: %s", found.title, found.detail, extra={"remedy": found.remedy})

    async def _report_config_files(self) -> None:
        """Log once at start what keeps config files from being rotated."""
        found = await asyncio.to_thread(
            lambda: list(config_files.problems(self.settings.targets, self.parts.decryption))
        )
        for target, problems in found:
            for said, remedy in problems:
                logger.warning("configs rotate: %s", said, extra={"target": target.name, "remedy": remedy})

    async def _report_rights(self, targets: Sequence[Target]) -> None:
        """Log once at start which rights are missing, and which the account has beyond the commands' needs."""
        await asyncio.to_thread(self.parts.books.prepare)  # their facts need rights
        await asyncio.gather(*(self._report_rights_of(target, targets) for target in targets))

    async def _report_rights_of(self, target: Target, targets: Sequence[Target]) -> None:
        from bot.wiring.rights import review

        where = {"target": target.name}
        try:
            missing, beyond = await review(
                self.parts.cluster_of(target.name), target, targets, self.parts.commands, self.parts.books
            )
        except AgentpodError as error:
            logger.warning("permissions not checked: %s", error.message, extra=where)
            return
        for right in missing:
            option = option_of(right)
            if option is not None and not option.wanted:
                logger.info("option not applied: %s", option.folder, extra=where)
            else:
                remedy = {"remedy": f"Apply {option.folder}."} if option is not None else {}
                logger.warning("missing right: %s", right, extra={**where, **remedy})
        if beyond.found:
            logger.warning("the account can do more than agentpod needs: %s", beyond, extra=where)
        for reason in beyond.unknown:
            logger.warning("not known what else the account can do: %s", reason, extra=where)
        excess = "unknown" if beyond.unknown else len(beyond.found)
        counts = {"missing": len(missing), "excess": excess}
        incomplete = {"incomplete": beyond.incomplete} if beyond.incomplete else {}
        logger.info("permissions checked", extra={**where, **counts, **incomplete})

    async def _shut_down(self) -> None:
        logger.info("stopping")
        with contextlib.suppress(AgentpodError):
            await self.follows.finish()
            await self.slack.drain(DRAIN_SECONDS)
            await self.repairs.stop(STOP_SECONDS)
            await self.parts.outbox.finish(STOP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.slack.stop()
        await self.parts.close()
        await self.ops.stop()
        logger.info("stopped")
