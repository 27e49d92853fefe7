"""``services``: addresses, ports, endpoints, and whether SSH and HTTP answer from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Reply, Table
from bot.domain.core.summary import ProbeResult
from bot.domain.core.target import ServiceTarget
from bot.domain.core.workload import Endpoint, Right, Service
from bot.domain.health import judge_services
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from commands.shared import part_answer
from commands.shared.checks import CheckFacts, Checks
from commands.shared.probes import Probe, run_probes
from commands.shared.reads import Reads


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Check each expected address from the Service to the server's answer, all side by side."""
    began = ctx.clock.monotonic()
    async with Reads(ctx) as reads:
        checks = Checks(ctx, reads)
        outcomes = await run_probes(_probes(checks), ctx.probe_timeout)
    answers = {o.finding.probe: o.finding for o in outcomes}
    expected = [_row(spec, checks.seen, answers) for spec in ctx.target.services]
    verdicts = tuple(answers[judge_services.slug(s.name)].verdict for s in ctx.target.services)
    seen = checks.seen
    return part_answer.reply(
        ctx,
        _without_endpoints(outcomes),
        began,
        own="services",
        said=_said([s.name for s in ctx.target.services]),
        body=[] if expected else ["The settings expect no address (target.services)."],
        tables=[
            Table(("Service", "Answer", "Address", "Endpoints"), tuple(expected), "", verdicts),
            _others(ctx.target.services, seen.services or (), seen.endpoints),
        ],
        more=(("Pods", "pods"), ("Processes", "processes")),
        data={"services": [s.name for s in seen.services or ()]},
    )


def _without_endpoints(outcomes: Sequence[ProbeResult]) -> list[ProbeResult]:
    """The outcomes without the counts of endpoints, which are in the table."""
    return [o if o.finding.probe != "endpoints" or o.cause else part_answer.bare(o) for o in outcomes]


def _said(names: Sequence[str]) -> str:
    """The headline when all is well."""
    return f"{words.listed(names)} {'answers' if len(names) == 1 else 'answer'}" if names else ""


def _probes(checks: Checks) -> list[Probe]:
    """Endpoints are only judged for addresses that somebody expects."""
    if not checks.ctx.target.services:
        return [checks.addresses()]
    return [checks.addresses(), checks.endpoints(), *checks.network()]


def _row(spec: ServiceTarget, seen: CheckFacts, answers: Mapping[str, Finding]) -> tuple[str, ...]:
    service = judge_services.carrier(spec, seen.services or ())
    port = next((p for p in service.ports if p.port == spec.port), None) if service else None
    target = f" → {port.target_port}" if port and port.target_port else ""
    unassigned = "" if service or seen.services is None else " (not assigned)"
    answer = answers[judge_services.slug(spec.name)].summary
    return (
        spec.name,
        answer.removeprefix("answers with ")
        .removeprefix(f"{spec.name} ")
        .replace(f" at {judge_services.place(spec)}", ""),
        f"{judge_services.place(spec)}{target}{unassigned}",
        _ready(service.name, seen.endpoints) if service else "-",
    )


def _ready(service: str, endpoints: Sequence[Endpoint] | None) -> str:
    if endpoints is None:
        return "unknown"
    behind = [e for e in endpoints if e.service == service]
    return f"{sum(e.ready for e in behind)}/{len(behind)} ready"


def _others(
    specs: Sequence[ServiceTarget], all_: Sequence[Service], endpoints: Sequence[Endpoint] | None
) -> Table:
    """The Services that carry no expected address."""
    expected = [judge_services.carrier(spec, all_) for spec in specs]
    services = [s for s in all_ if s not in expected]
    rows = tuple(
        (
            s.name,
            ", ".join((*s.ingress, *s.external_ips))
            or ("pending" if s.type == "LoadBalancer" else s.cluster_ip or "-"),
            ", ".join(f"{p.port}" + (f" → {p.target_port}" if p.target_port else "") for p in s.ports) or "-",
            _ready(s.name, endpoints),
            s.type,
        )
        for s in services
    )
    verdicts = tuple(
        Verdict.FAIL if s.type == "LoadBalancer" and not s.ingress and not s.external_ips else None
        for s in services
    )
    return Table(("Service", "Address", "Ports", "Endpoints", "Type"), rows, "Other Services", verdicts)


COMMAND = Command(
    name="services",
    summary="Addresses, endpoints, SSH and HTTP from outside",
    needs=Capability.VIEW,
    run=run,
    examples=("services",),
    details=f"{judge_services.SSH_REMEDY} For HTTP: {judge_services.HTTP_REMEDY}",
    rights=lambda _: (Right("list", "services"), Right("list", "endpointslices", "discovery.k8s.io")),
)
