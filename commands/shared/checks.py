"""The checks of the handbook's "Observing State": each reads through the ports and has a judge conclude."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import ContainerTarget, ServiceTarget, canonical_job
from bot.domain.core.workload import Application, Claim, Endpoint, Event, ExecResult, Pod, Service
from bot.domain.health import (
    coverage,
    judge_argocd,
    judge_events,
    judge_identity,
    judge_pod,
    judge_processes,
    judge_services,
    judge_storage,
    own_objects,
    pod_state,
)
from bot.domain.health.judge_deployment import Owner
from bot.domain.health.judge_processes import Match, Process
from bot.domain.health.own_objects import Own
from bot.domain.heartbeats import judge_heartbeats
from bot.domain.heartbeats.heartbeat import JobStatus
from bot.domain.incidents import job_state
from bot.domain.incidents.job_state import JobState
from bot.errors import AgentpodError, NotAllowed, NotFound, TimedOut
from bot.runbook.context import Context
from bot.services import container_exec
from commands.shared.probes import (
    API,
    EXEC,
    GATEWAY,
    Ask,
    Blocked,
    Probe,
    Source,
    SourceUnavailable,
    unread_finding,
)
from commands.shared.reads import Reads, running_container

T = TypeVar("T")


@dataclass
class CheckFacts:
    """Facts that the checks leave behind for a command to show in full."""

    pods: Sequence[Pod] | None = None
    owner: Owner = None
    events: Sequence[Event] | None = None
    own: Own | None = None
    """Which of the objects that they are about are the target's; None where that makes no difference."""
    claims: Sequence[Claim] | None = None
    application: Application | None = None
    identities: Sequence[judge_identity.ContainerIdentity] = ()
    processes: dict[str, Sequence[Process]] | None = None
    silent: Sequence[tuple[str, str]] = ()
    """Containers whose processes could not be listed, each with the reason."""
    unwatched: Sequence[str] = ()
    """A line for each container that the settings don't name."""
    matches: Sequence[Match] = ()
    services: Sequence[Service] | None = None
    endpoints: Sequence[Endpoint] | None = None
    statuses: Sequence[JobStatus] | None = None
    groups: int = 0
    disk: judge_storage.DiskUse | None = None
    inodes: judge_storage.DiskUse | None = None
    """None where nothing is known of them."""


class Checks:
    """All checks of one target for one command; what they read is shared, what they saw is in ``seen``."""

    def __init__(self, ctx: Context, reads: Reads) -> None:
        """``reads`` lives as long as the command."""
        self.ctx = ctx
        self.reads = reads
        self.seen = CheckFacts()

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
        """One pod, ready, on its node; where it is not, its Deployment says why."""

        async def run(ask: Ask) -> Finding:
            reading = asyncio.gather(self.reads.pods(ask), self.reads.owner(ask))
            self.seen.pods, self.seen.owner = await reading
            pods, now = self.seen.pods, self.ctx.clock.now()
            events = await self._explaining(ask, pods, now)
            return judge_pod.judge_pod(pods, self.ctx.target, now, self.seen.owner, events)

        return Probe(judge_pod.PROBE, judge_pod.TITLE, run)

    async def _explaining(self, ask: Ask, pods: Sequence[Pod], now: datetime) -> Sequence[Event]:
        """The events, where they alone say why a pod is not ready; none where they don't come soon."""
        if not any(pod_state.asks_events(p, now) for p in judge_pod.live(pods)):
            return ()
        return await _or_none(self.reads.events(ask.within(self.ctx.probe_timeout / 2))) or ()

    def events(self, *, all_: bool = False) -> Probe:
        """Recent warnings. ``all_``: of older events, too, it is to be known whose they are."""

        async def run(ask: Ask) -> Finding:
            self.seen.events, now = await self.reads.events(ask), self.ctx.clock.now()
            groups = judge_events.group(self.seen.events)
            recent = groups if all_ else judge_events.recent_warnings(groups, now)
            if not recent:  # whose they would be makes no difference
                return judge_events.judge_events(self.seen.events, now)
            self.seen.own = await self._own(ask, {g.object.partition("/")[0] for g in recent})
            return judge_events.judge_events(self.seen.events, now, self.seen.own)

        return Probe(judge_events.PROBE, judge_events.TITLE, run)

    async def _own(self, ask: Ask, kinds: set[str]) -> Own:
        """The target's own objects.

        Raises `SourceUnavailable` where the pods can't be listed: whose events are whose?
        """
        pods, owner, services, claims = await asyncio.gather(
            self.reads.pods(ask),
            self.reads.owner(ask),
            _or_none(self.reads.services(ask)) if own_objects.SERVICE in kinds else _nothing(),
            _or_none(self.reads.claims(ask)) if own_objects.CLAIM in kinds else _nothing(),
        )
        return own_objects.own(self.ctx.target, pods, owner, services, claims)

    def identity(self) -> Probe:
        """``id`` in each container."""

        async def run(ask: Ask) -> Finding:
            pod = await self.reads.pod(ask)
            found = await self._in_each(pod, lambda s: self.reads.exec(ask, pod, s.name, "id"))
            judged = [judge_identity.judge_id(spec, result) for spec, result in found.answers]
            unread = Verdict.UNKNOWN
            judged += [judge_identity.ContainerIdentity(n, unread, why, f"{n}: {why}") for n, why in found.silent]
            self.seen.identities = judged
            if found.missing and all(i.verdict is Verdict.OK for i in judged):
                lines = tuple(f"{i.container}: {i.said}" for i in judged)
                return judge_processes.container_missing(
                    judge_identity.PROBE, judge_identity.TITLE, found.missing, lines
                )
            absent = tuple(f"{judge_processes.NO_CONTAINER} {name}" for name, _ in found.missing)
            finding = judge_identity.judge_identity(judged)
            return replace(finding, evidence=(*finding.evidence, *absent))

        return Probe(judge_identity.PROBE, judge_identity.TITLE, run)

    def processes(self) -> Probe:
        """The expected processes in each container."""

        async def run(ask: Ask) -> Finding:
            pod = await self.reads.pod(ask)
            found = await self._in_each(pod, lambda s: self.reads.processes(ask, pod, s.name))
            # In a thread: whoever may start processes in the pod decides how long the list is.
            judging = (asyncio.to_thread(judge_processes.scan, spec, result) for spec, result in found.answers)
            looked = list(
                zip((spec.name for spec, _ in found.answers), await asyncio.gather(*judging), strict=True)
            )
            silent = [*found.silent, *((name, seen.unknown) for name, seen in looked if seen.unknown)]
            self.seen.processes = {name: seen.processes for name, seen in looked if seen.processes}
            self.seen.silent = silent
            self.seen.matches = [m for _, seen in looked for m in seen.matches]
            return _with_silent(judge_processes.judge_processes(self.seen.matches, found.missing), silent)

        return Probe(judge_processes.PROBE, judge_processes.TITLE, run)

    async def _in_each(self, pod: Pod, read: Callable[[ContainerTarget], Awaitable[ExecResult]]) -> _InContainers:
        """The same reading in every configured container of the pod at once, each on its own.

        Raises as the first does (`SourceUnavailable`, `Blocked`) when there is nothing else to say.
        """
        self.seen.unwatched = coverage.lines(pod, self.ctx.target)
        present, missing = _present(pod, self.ctx.target.containers)
        results = await asyncio.gather(*(_one(pod, spec, read) for spec in present))
        answers = [(spec, r) for spec, r in zip(present, results, strict=True) if isinstance(r, ExecResult)]
        failures = [(s, r) for s, r in zip(present, results, strict=True) if not isinstance(r, ExecResult)]
        if failures and not answers and not missing:
            raise failures[0][1]
        return _InContainers(answers, [(spec.name, _reason(error)) for spec, error in failures], missing)

    def addresses(self) -> Probe:
        """The expected addresses are assigned."""

        async def run(ask: Ask) -> Finding:
            self.seen.services = await self.reads.services(ask)
            return judge_services.judge_addresses(self.seen.services, self.ctx.target)

        return Probe("services", "Services", run)

    def endpoints(self) -> Probe:
        """Something ready is behind the Services."""

        async def run(ask: Ask) -> Finding:
            reading = asyncio.gather(self.reads.services(ask), self.reads.endpoints(ask))
            services, endpoints = await reading
            self.seen.endpoints = endpoints
            if not any(judge_services.carrier(s, services) for s in self.ctx.target.services):
                raise Blocked("services", "no Service carries an expected address")
            return judge_services.judge_endpoints(services, endpoints, self.ctx.target)

        return Probe("endpoints", "Endpoints", run)

    def network(self) -> list[Probe]:
        """One check for each configured service: SSH banner, HTTP status or TCP connect."""
        return [self._reach(spec) for spec in self.ctx.target.services]

    def _reach(self, spec: ServiceTarget) -> Probe:
        silent = f"{spec.name} does not answer at {judge_services.place(spec)}"
        base = judge_services.judge_refused(spec, "")
        source = Source(base.probe, spec.name, silent, base.remedy, base.run)

        async def run(ask: Ask) -> Finding:
            try:
                return await self._reached(ask, source, spec)
            except SourceUnavailable as unread:
                if unread.error is None or isinstance(unread.error, TimedOut):
                    raise
                return judge_services.judge_refused(spec, unread.error.message)

        return Probe(base.probe, base.title, run)

    async def _reached(self, ask: Ask, source: Source, spec: ServiceTarget) -> Finding:
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
            except SourceUnavailable as unread:
                if isinstance(unread.error, NotFound | NotAllowed):
                    return _no_application(unread.error)
                raise
            return judge_argocd.judge_application(self.seen.application, config, self.ctx.clock.now())

        return Probe(judge_argocd.PROBE, judge_argocd.TITLE, run)

    def claim(self) -> Probe:
        """The volume claim is bound."""

        async def run(ask: Ask) -> Finding:
            claims, used = await asyncio.gather(self.reads.claims(ask), self._used_claims(ask))
            self.seen.claims = [c for c in claims if used is None or c.name in used]
            return judge_storage.judge_claims(claims, self.ctx.target, used)

        return Probe("claim", "Volume claim", run)

    async def _used_claims(self, ask: Ask) -> frozenset[str] | None:
        """The names of the claims that the pod uses; None where that is not known."""
        try:
            pods = own_objects.existing(await self.reads.pods(ask))
        except SourceUnavailable:
            pods = []
        owner = None if any(p.uses for p in pods) else await self.reads.owner(ask)
        used = own_objects.uses(pods, owner)
        return used.claims if used is not None else None

    def disk(self) -> Probe:
        """The home's file system has room."""
        spec = self.ctx.target.container()

        async def run(ask: Ask) -> Finding:
            pod = await self.reads.pod(ask)
            if running_container(pod, spec) is None:
                raise Blocked("pod", f"the pod has no container {spec.name}")
            result, inodes = await ask.of(
                EXEC, container_exec.disk(self.ctx.cluster, pod.name, spec.name, spec.home)
            )
            self.seen.disk = judge_storage.parse_df(result.stdout, spec.home)
            self.seen.inodes = judge_storage.inodes_of(inodes, self.seen.disk, spec.home)
            return judge_storage.judge_disk(spec.home, result, self.ctx.target.storage, inodes)

        return Probe("disk", "Disk", run)

    def heartbeats(self) -> Probe:
        """Every job's last success is fresh enough."""

        async def run(ask: Ask) -> Finding:
            policies = self.ctx.target.heartbeats
            if self.ctx.heartbeats is None:
                return judge_heartbeats.no_data("no Pushgateway is in the settings")
            metrics = {p.metric for p in policies}
            try:
                reading = asyncio.gather(self.ctx.heartbeats.read(metrics), self._memories())
                snapshot, job_states = await ask.of(GATEWAY, reading)
            except SourceUnavailable as unread:
                silent = f"the Pushgateway gave no answer in {unread.waited:g} s"
                said = unread.error.message.removesuffix(".") if unread.error else silent
                return judge_heartbeats.no_data(words.cut(words.lower_first(said), 200))
            name, now = self.ctx.target.name, self.ctx.clock.now()
            self.seen.groups = len(snapshot.groups)
            self.seen.statuses = job_state.judge(name, policies, snapshot, job_states, now)
            return judge_heartbeats.judge_heartbeats(self.seen.statuses, self.seen.groups, now)

        return Probe(judge_heartbeats.PROBE, judge_heartbeats.TITLE, run)

    async def _memories(self) -> Mapping[str, JobState]:
        """What the watcher remembers of the target's jobs; nothing where no ledger answers."""
        if self.ctx.ledger is None:
            return {}
        mine = {f"{self.ctx.target.name}/{canonical_job(h.job)}" for h in self.ctx.target.heartbeats}
        try:
            async with asyncio.timeout(self.ctx.probe_timeout / 2):
                kept = await self.ctx.ledger.job_states()
        except (AgentpodError, TimeoutError):
            return {}
        return {key: memory for key, memory in kept.items() if key in mine}


async def _or_none(reading: Awaitable[T]) -> T | None:
    """What a read gives, None where it gives nothing."""
    try:
        return await reading
    except SourceUnavailable:
        return None


async def _nothing() -> None:
    """For a read that nobody needs."""


_OF_SERVICES = ("addresses", "endpoints")


@dataclass(frozen=True)
class _InContainers:
    """What the containers answered; who did not, and why; and who is not in the pod, with the names that are."""

    answers: Sequence[tuple[ContainerTarget, ExecResult]]
    silent: Sequence[tuple[str, str]]
    missing: Sequence[tuple[str, Sequence[str]]]


def _present(
    pod: Pod, specs: Sequence[ContainerTarget]
) -> tuple[list[ContainerTarget], list[tuple[str, list[str]]]]:
    """The configured containers that the pod has, and the others with the names it has.

    Raises `Blocked` for a pod whose containers the API server does not know yet.
    """
    names = [c.name for c in pod.lasting]
    if not names:
        raise Blocked("pod", f"the pod is {pod.status}")
    present = [s for s in specs if s.name in names]
    return present, [(s.name, names) for s in specs if s not in present]


async def _one(
    pod: Pod, spec: ContainerTarget, read: Callable[[ContainerTarget], Awaitable[ExecResult]]
) -> ExecResult | SourceUnavailable | Blocked:
    """One container's answer, or what kept it from answering."""
    try:
        running_container(pod, spec)
        return await read(spec)
    except (SourceUnavailable, Blocked) as error:
        return error


def _reason(error: SourceUnavailable | Blocked) -> str:
    if isinstance(error, Blocked):
        return error.reason
    return unread_finding("", "", error).summary


def _with_silent(finding: Finding, silent: Sequence[tuple[str, str]]) -> Finding:
    """The finding of those that answered, not healthy while there are others."""
    if not silent:
        return finding
    lines = tuple(f"{name}: {why}" for name, why in silent)
    if finding.verdict is Verdict.FAIL:
        return replace(finding, evidence=(*finding.evidence, *lines))
    evidence = (*lines[1:], *finding.evidence)
    no_ps = any(why == judge_processes.NO_LIST for _, why in silent)
    remedy = "The image needs ps, or a shell with head, tr and stat to read /proc." if no_ps else EXEC.remedy
    return Finding(finding.probe, finding.title, Verdict.UNKNOWN, lines[0], evidence, remedy, EXEC.run)


def _no_application(error: NotFound | NotAllowed) -> Finding:
    remedy = error.remedy or (
        "Give the bot the right to read the Application, or set argocd: null where Argo CD is not used."
    )
    return Finding(judge_argocd.PROBE, judge_argocd.TITLE, Verdict.UNKNOWN, error.message.rstrip("."), (), remedy)
