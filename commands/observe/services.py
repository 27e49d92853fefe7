"""``services``: addresses, ports and endpoints, and whether SSH and HTTP answer from outside the pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Reply, Table
from bot.domain.core.summary import ProbeResult
from bot.domain.core.target import ServiceTarget
from bot.domain.core.workload import Endpoint, Service, ServicePort
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
    shown = [_answer(s, services, answers) for s in ctx.target.services]
    expected = [_row(s, services, behind, one) for s, one in zip(ctx.target.services, shown, strict=True)]
    reply = part_answer.reply(
        ctx,
        _without_endpoints(outcomes),
        began,
        own="services",
        said=_all_well(ctx.target.services),
        tables=[
            Table(
                ("Service", "Answer", "Address", "Endpoints"), tuple(expected), "", tuple(f.verdict for f in shown)
            ),
            _others(ctx.target.services, services or (), behind),
        ],
        more=(("Pods", "pods"), ("Processes", "processes")),
        data={"services": [s.name for s in services or ()]},
    )
    return reply if expected or reply.verdict is not Verdict.OK else _not_judged(reply)


def _not_judged(reply: Reply) -> Reply:
    """Return the reply where no address is expected: there is nothing that could be ok."""
    said = "The settings expect no address (targets[].services), so none is judged"
    return replace(reply, headline=said, verdict=None, findings=())


def _without_endpoints(outcomes: Sequence[ProbeResult]) -> list[ProbeResult]:
    """Return the outcomes without the endpoints' counts, which the table shows."""
    return [o if o.finding.probe != "endpoints" or o.cause else part_answer.bare(o) for o in outcomes]


def _answer(spec: ServiceTarget, services: Sequence[Service] | None, answers: Mapping[str, Finding]) -> Finding:
    """Return what the server answered; for an entry that is not connected to, whether the address is assigned."""
    if spec.connects:
        return answers[judge_services.slug(spec.name)]
    return judge_services.judge_address(spec, services)


def _all_well(specs: Sequence[ServiceTarget]) -> str:
    """Return the headline for when all is well."""
    answering, assigned = ([s.name for s in specs if s.connects is connects] for connects in (True, False))
    said = [f"{words.listed(answering)} {'answers' if len(answering) == 1 else 'answer'}"] if answering else []
    said += (
        [f"{words.listed(assigned)} {'has its address' if len(assigned) == 1 else 'have their addresses'}"]
        if assigned
        else []
    )
    return "; ".join(said)


def _row(
    spec: ServiceTarget,
    services: Sequence[Service] | None,
    endpoints: Sequence[Endpoint] | None,
    answer: Finding,
) -> tuple[str, ...]:
    service = judge_services.carrier(spec, services or ())
    port = judge_services.expected_port(spec, service) if service else None
    target = f" → {port.target_port}" if port and port.target_port else ""
    unassigned = "" if service or services is None else " (not assigned)"
    return (
        spec.name,
        answer.summary.removeprefix(f"{spec.name} ")
        .removeprefix("answers with ")
        .replace(f" at {judge_services.place(spec)}", ""),
        f"{judge_services.place(spec)}{target}{unassigned}",
        _ready(service.name, endpoints) if service else "-",
    )


def _ready(service: str, endpoints: Sequence[Endpoint] | None) -> str:
    if endpoints is None:
        return "unknown"
    behind = [e for e in endpoints if e.service == service]
    return f"{sum(e.ready for e in behind)}/{len(behind)} ready"


def _shown_port(port: ServicePort) -> str:
    udp = "" if port.protocol == "TCP" else f"/{port.protocol}"
    return f"{port.port}{udp}" + (f" → {port.target_port}" if port.target_port else "")


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
            ", ".join(map(_shown_port, s.ports)) or "-",
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
    "with its banner, an HTTP server with the expected status. Nothing is connected to over UDP and with check: "
    "address.",
    rights=EndpointsCheck.rights,
)
