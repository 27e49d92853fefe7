"""The checks of the handbook's "Observing State": each reads through the ports and has a judge conclude."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.domain import (
    heartbeat,
    judge_argocd,
    judge_events,
    judge_heartbeats,
    judge_identity,
    judge_pod,
    judge_processes,
    judge_services,
    judge_storage,
)
from bot.domain.heartbeat import JobStatus
from bot.domain.judge_processes import Match, Process
from bot.domain.probes import Finding, Verdict
from bot.domain.target import ContainerSpec, ServiceSpec
from bot.domain.workload import Application, Claim, Event, ExecResult, Pod
from bot.errors import NotAllowed, NotFound, TimedOut
from bot.runbook import Context
from commands._probes import API, EXEC, GATEWAY, Ask, Blocked, Probe, Source, Unread
from commands._reads import PS_COMMANDS, Reads, first_that_works, running_container


@dataclass
class Seen:
    """Facts that the checks leave behind for a command to show in full."""

    pods: Sequence[Pod] | None = None
    events: Sequence[Event] | None = None
    claims: Sequence[Claim] | None = None
    application: Application | None = None
    identities: Sequence[judge_identity.ContainerIdentity] = ()
    processes: dict[str, Sequence[Process]] | None = None
    matches: Sequence[Match] = ()
    statuses: Sequence[JobStatus] | None = None
    groups: int = 0
    disk: judge_storage.DiskUse | None = None


class Checks:
    """All checks of one target for one command; what they read is shared, what they saw is in ``seen``."""

    def __init__(self, ctx: Context, reads: Reads) -> None:
        """``reads`` lives as long as the command."""
        self.ctx = ctx
        self.reads = reads
        self.seen = Seen()

    def all(self) -> list[Probe]:
        """Everything that `status` checks, in the order of the handbook."""
        made = [self.pod, self.events, self.identity, self.processes, self.addresses, self.endpoints]
        probes = [check() for check in made if self.ctx.target.services or check.__name__ not in _OF_SERVICES]
        probes += self.network()
        if self.ctx.target.argocd is not None:
            probes.append(self.argocd())
        probes += [self.claim(), self.disk()]
        if self.ctx.heartbeats is not None and self.ctx.target.heartbeats:
            probes.append(self.heartbeats())
        return probes

    def left_out(self) -> list[str]:
        """What is not checked because the settings say so, a phrase each."""
        out = [] if self.ctx.target.argocd else ["Argo CD (switched off in the settings)"]
        if self.ctx.heartbeats is None:
            out.append("heartbeats (no Pushgateway in the settings)")
        elif not self.ctx.target.heartbeats:
            out.append("heartbeats (none in the settings)")
        return out

    def pod(self) -> Probe:
        """One pod, ready, on its node."""

        async def run(ask: Ask) -> Finding:
            self.seen.pods = await self.reads.pods(ask)
            return judge_pod.judge_pod(self.seen.pods, self.ctx.target, self.ctx.clock.now())

        return Probe(judge_pod.PROBE, judge_pod.TITLE, run)

    def events(self) -> Probe:
        """Recent warnings."""

        async def run(ask: Ask) -> Finding:
            self.seen.events = await ask.of(API, self.ctx.cluster.events())
            return judge_events.judge_events(self.seen.events, self.ctx.clock.now())

        return Probe(judge_events.PROBE, judge_events.TITLE, run)

    def identity(self) -> Probe:
        """``id`` in each container."""

        async def run(ask: Ask) -> Finding:
            pod = await self.reads.pod(ask)
            specs, missing = _present(pod, self.ctx.target.containers)
            if missing:
                return judge_processes.container_missing(judge_identity.PROBE, judge_identity.TITLE, missing)
            results = await _each(specs, lambda s: self.reads.exec(ask, pod, s.name, "id"))
            self.seen.identities = [judge_identity.judge_id(s, r) for s, r in zip(specs, results, strict=True)]
            return judge_identity.judge_identity(self.seen.identities)

        return Probe(judge_identity.PROBE, judge_identity.TITLE, run)

    def processes(self) -> Probe:
        """The expected processes in each container."""

        async def run(ask: Ask) -> Finding:
            pod = await self.reads.pod(ask)
            specs, missing = _present(pod, self.ctx.target.containers)
            results = await _each(specs, lambda s: self._process_list(ask, pod, s))
            lists = {s.name: judge_processes.parse_ps(r.stdout) for s, r in zip(specs, results, strict=True)}
            empty = [s.name for s in specs if not lists[s.name]]
            if empty:
                summary = f"no process list could be read in {', '.join(empty)}"
                remedy = "The image needs ps, or a shell with tr and stat to read /proc."
                return Finding(judge_processes.PROBE, judge_processes.TITLE, Verdict.UNKNOWN, summary, (), remedy)
            self.seen.processes = dict(lists)
            self.seen.matches = [m for s in specs for m in judge_processes.find_expected(s, lists[s.name])]
            return judge_processes.judge_processes(self.seen.matches, missing)

        return Probe(judge_processes.PROBE, judge_processes.TITLE, run)

    async def _process_list(self, ask: Ask, pod: Pod, spec: ContainerSpec) -> ExecResult:
        def attempt(argv: tuple[str, ...]) -> Callable[[], Awaitable[ExecResult]]:
            return lambda: self.reads.exec(ask, pod, spec.name, *argv)

        return await first_that_works(
            [attempt(argv) for argv in PS_COMMANDS], lambda r: bool(judge_processes.parse_ps(r.stdout))
        )

    def addresses(self) -> Probe:
        """The expected addresses are assigned."""

        async def run(ask: Ask) -> Finding:
            return judge_services.judge_addresses(await self.reads.services(ask), self.ctx.target)

        return Probe("services", "Services", run)

    def endpoints(self) -> Probe:
        """Something ready is behind the Services."""

        async def run(ask: Ask) -> Finding:
            reading = asyncio.gather(self.reads.services(ask), self.reads.endpoints(ask))
            services, endpoints = await reading
            if not any(judge_services.carrier(s, services) for s in self.ctx.target.services):
                raise Blocked("services", "no Service carries an expected address")
            return judge_services.judge_endpoints(services, endpoints, self.ctx.target)

        return Probe("endpoints", "Endpoints", run)

    def network(self) -> list[Probe]:
        """One check for each configured service: SSH banner, HTTP status or TCP connect."""
        return [self._reach(spec) for spec in self.ctx.target.services]

    def _reach(self, spec: ServiceSpec) -> Probe:
        host, port = judge_services.address(spec)
        silent = f"{spec.name} does not answer at {host}:{port}"
        base = judge_services.judge_refused(spec, "")
        source = Source(base.probe, spec.name, silent, base.remedy, base.run)

        async def run(ask: Ask) -> Finding:
            try:
                return await self._reached(ask, source, spec)
            except Unread as unread:
                if unread.error is None or isinstance(unread.error, TimedOut):
                    raise
                return judge_services.judge_refused(spec, unread.error.message)

        return Probe(base.probe, base.title, run)

    async def _reached(self, ask: Ask, source: Source, spec: ServiceSpec) -> Finding:
        network = self.ctx.network
        host, port = judge_services.address(spec)
        if spec.check == "ssh":
            return judge_services.judge_banner(spec, await ask.of(source, network.banner(host, port)))
        if spec.check == "http":
            status = await ask.of(source, network.http_status(judge_services.url(spec)))
            return judge_services.judge_status(spec, status)
        await ask.of(source, network.connect(host, port))
        return judge_services.judge_open(spec)

    def argocd(self) -> Probe:
        """The Argo CD Application."""
        config = self.ctx.target.argocd

        async def run(ask: Ask) -> Finding:
            if config is None:
                return Finding("argocd", "Argo CD", Verdict.OK, "switched off in the settings")
            try:
                reading = self.ctx.cluster.application(config.namespace, config.application)
                self.seen.application = await ask.of(API, reading)
            except Unread as unread:
                if isinstance(unread.error, NotFound | NotAllowed):
                    return _no_application(unread.error)
                raise
            return judge_argocd.judge_application(self.seen.application, config, self.ctx.clock.now())

        return Probe(judge_argocd.PROBE, judge_argocd.TITLE, run)

    def claim(self) -> Probe:
        """The volume claim is bound."""

        async def run(ask: Ask) -> Finding:
            self.seen.claims = await ask.of(API, self.ctx.cluster.claims())
            return judge_storage.judge_claims(self.seen.claims, self.ctx.target)

        return Probe("claim", "Volume claim", run)

    def disk(self) -> Probe:
        """The home's file system has room."""
        spec = self.ctx.target.container()

        async def run(ask: Ask) -> Finding:
            pod = await self.reads.pod(ask)
            _, missing = _present(pod, (spec,))
            if missing:
                raise Blocked("processes", f"the pod has no container {spec.name}")
            result = await self.reads.exec(ask, pod, spec.name, "df", "-Pk", spec.home)
            self.seen.disk = judge_storage.parse_df(result.stdout)
            return judge_storage.judge_disk(spec.home, result, self.ctx.target.storage)

        return Probe("disk", "Disk", run)

    def heartbeats(self) -> Probe:
        """Every job's last success is fresh enough."""

        async def run(ask: Ask) -> Finding:
            policies = self.ctx.target.heartbeats
            if self.ctx.heartbeats is None:
                return judge_heartbeats.blind("no Pushgateway is in the settings")
            metrics = {p.metric for p in policies}
            try:
                snapshot = await ask.of(GATEWAY, self.ctx.heartbeats.read(metrics))
            except Unread as unread:
                said = unread.error.message if unread.error else f"no answer in {unread.waited:g} s"
                return judge_heartbeats.blind("the heartbeats can't be read", said)
            self.seen.groups = len(snapshot.groups)
            self.seen.statuses = heartbeat.judge(policies, snapshot, self.ctx.clock.now())
            return judge_heartbeats.judge_heartbeats(self.seen.statuses, self.seen.groups, self.ctx.clock.now())

        return Probe(judge_heartbeats.PROBE, judge_heartbeats.TITLE, run)


_OF_SERVICES = ("addresses", "endpoints")


def _present(pod: Pod, specs: Sequence[ContainerSpec]) -> tuple[list[ContainerSpec], list[tuple[str, list[str]]]]:
    """The configured containers that run, and those the pod doesn't have with the names it has."""
    names = [c.name for c in pod.containers]
    present = [s for s in specs if running_container(pod, s)]
    return present, [(s.name, names) for s in specs if s not in present]


async def _each(
    specs: Sequence[ContainerSpec], read: Callable[[ContainerSpec], Awaitable[ExecResult]]
) -> list[ExecResult]:
    """The same reading in several containers at once; the first that fails fails all."""
    return list(await asyncio.gather(*(read(s) for s in specs)))


def _no_application(error: NotFound | NotAllowed) -> Finding:
    remedy = error.remedy or (
        "Give the bot the right to read the Application, or set argocd: null where Argo CD is not used."
    )
    return Finding(judge_argocd.PROBE, judge_argocd.TITLE, Verdict.UNKNOWN, error.message.rstrip("."), (), remedy)


EXEC_SOURCE = EXEC
