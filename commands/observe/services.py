"""``services``: addresses, ports and endpoints, and whether SSH and HTTP answer from outside the pod."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Reply, Table
from bot.domain.core.summary import ProbeResult
from bot.domain.core.target import ServiceTarget
from bot.domain.core.workload import Endpoint, Service
from bot.domain.health import judge_services
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health.check import run_checks
from bot.services.health.checks.addresses import AddressesCheck, EndpointsCheck
from bot.services.health.checks.network import NetworkCheck
from commands.shared import part_answer


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Check each expected address from the Service to the server's response, concurrently."""
    began = ctx.clock.monotonic()
    addresses, endpoints = AddressesCheck(), EndpointsCheck()
    # Endpoints are judged only for expected addresses.
    more = [endpoints, *NetworkCheck.of(ctx)] if ctx.target.services else []
    outcomes = await run_checks(ctx, [addresses, *more])
    answers = {o.finding.probe: o.finding for o in outcomes}
    services, behind = addresses.services, endpoints.endpoints
    expected = [_row(s, services, behind, answers[judge_services.slug(s.name)]) for s in ctx.target.services]
    verdicts = tuple(answers[judge_services.slug(s.name)].verdict for s in ctx.target.services)
    return part_answer.reply(
        ctx,
        _without_endpoints(outcomes),
        began,
        own="services",
        said=_all_well([s.name for s in ctx.target.services]),
        body=[] if expected else ["The settings expect no address (target.services)."],
        tables=[
            Table(("Service", "Answer", "Address", "Endpoints"), tuple(expected), "", verdicts),
            _others(ctx.target.services, services or (), behind),
        ],
        more=(("Pods", "pods"), ("Processes", "processes")),
        data={"services": [s.name for s in services or ()]},
    )


def _without_endpoints(outcomes: Sequence[ProbeResult]) -> list[ProbeResult]:
    """Return the outcomes without the endpoints' counts, which the table shows."""
    return [o if o.finding.probe != "endpoints" or o.cause else part_answer.bare(o) for o in outcomes]


def _all_well(names: Sequence[str]) -> str:
    """Return the headline for when all is well."""
    return f"{words.listed(names)} {'answers' if len(names) == 1 else 'answer'}" if names else ""


def _row(
    spec: ServiceTarget,
    services: Sequence[Service] | None,
    endpoints: Sequence[Endpoint] | None,
    answer: Finding,
) -> tuple[str, ...]:
    service = judge_services.carrier(spec, services or ())
    port = next((p for p in service.ports if p.port == spec.port), None) if service else None
    target = f" → {port.target_port}" if port and port.target_port else ""
    unassigned = "" if service or services is None else " (not assigned)"
    return (
        spec.name,
        answer.summary.removeprefix("answers with ")
        .removeprefix(f"{spec.name} ")
        .replace(f" at {judge_services.place(spec)}", ""),
        f"{judge_services.place(spec)}{target}{unassigned}",
        _ready(service.name, endpoints) if service else "-",
    )


def _ready(service: str, endpoints: Sequence[Endpoint] | None) -> str:
    if endpoints is None:
        return "unknown"
    behind = [e for e in endpoints if e.service == service]
    return f"{sum(e.ready for e in behind)}/{len(behind)} ready"


def _others(
    specs: Sequence[ServiceTarget], all_: Sequence[Service], endpoints: Sequence[Endpoint] | None
) -> Table:
    """Return the Services without an expected address."""
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
    details="Each expected address must be assigned, with a ready endpoint behind it. An SSH server must answer "
    "with its banner, an HTTP server with the expected status.",
    rights=EndpointsCheck.rights,
)
