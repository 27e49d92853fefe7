"""Judge whether the pod can be reached: addresses are assigned, endpoints ready, and servers answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.core import addresses, words
from bot.domain.core.bounds import number
from bot.domain.core.code import DIAGNOSIS
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import ServiceTarget, Target
from bot.domain.core.workload import Endpoint, Service, ServicePort


def carrier(spec: ServiceTarget, services: Sequence[Service]) -> Service | None:
    """The Service with the expected address; of several, preferably one that also has the port."""
    holders = [s for s in services if any(addresses.same(spec.ip, one) for one in s.addresses)]
    return next((s for s in holders if expected_port(spec, s)), holders[0] if holders else None)


def expected_port(spec: ServiceTarget, service: Service) -> ServicePort | None:
    """The Service's port with the expected number and protocol: UDP may use the same number, as for HTTP/3."""
    return next((p for p in service.ports if p.port == spec.port and p.protocol == spec.protocol), None)


_UNASSIGNED = " is not assigned to any Service"


def judge_addresses(services: Sequence[Service], target: Target) -> Finding:
    """Judge whether each expected address is assigned to a Service with the expected port."""
    problems = [p for spec in target.services if (p := _address_problem(spec, services))]
    balancers = [s for s in services if s.type == "LoadBalancer"]
    if not problems:
        carried = tuple(f"{s.name}: {place(s)}" for s in target.services)
        count = words.plural(len(target.services), "address", "addresses")
        return Finding("services", "Services", Verdict.OK, f"{count} assigned", carried)
    return Finding(
        "services",
        "Services",
        Verdict.FAIL,
        problems[0],
        (*problems[1:], *(_balancer(s) for s in balancers[:5])),
        "Check the Service's type and address, and the load balancer's address pool.",
        f"kubectl -n {target.namespace} get svc",
        about=_unassigned(problems, balancers),
    )


def _unassigned(problems: Sequence[str], balancers: Sequence[Service]) -> tuple[str, ...]:
    """The Services that wait for an address, where they may be all that is wrong; else the problems themselves."""
    waiting = tuple(s.name for s in balancers if not s.ingress)
    lost = [problem for problem in problems if problem.endswith(_UNASSIGNED)]
    return waiting if len(waiting) >= len(lost) == len(problems) else tuple(problems)


def _balancer(service: Service) -> str:
    ports = ", ".join(f"{p.port}" if p.protocol == "TCP" else f"{p.port}/{p.protocol}" for p in service.ports)
    at = ", ".join((*service.ingress, *service.external_ips)) or "no address yet"
    return f"{service.name}: {at}, port {ports or 'none'}"


def _address_problem(spec: ServiceTarget, services: Sequence[Service]) -> str | None:
    service = carrier(spec, services)
    if service is None:
        return f"{spec.ip} ({spec.name}){_UNASSIGNED}"
    if spec.port is None:
        return None
    port = expected_port(spec, service)
    if port is None:
        udp = "/UDP" if spec.protocol == "UDP" else ""
        return f"{service.name} has {spec.ip} but not port {spec.port}{udp} ({spec.name})"
    found = port.target_port
    if spec.target_port and number(found or "") not in (None, spec.target_port):
        return f"{service.name} sends port {spec.port} to {found}, not to {spec.target_port} ({spec.name})"
    return None


def judge_address(spec: ServiceTarget, services: Sequence[Service] | None) -> Finding:
    """The finding for an entry that nothing is connected to; ``services`` is None where they could not be read."""
    if services is None:
        return Finding(slug(spec.name), title(spec), Verdict.UNKNOWN, "unknown")
    if carrier(spec, services) is None:
        return Finding(slug(spec.name), title(spec), Verdict.FAIL, "has no address")
    if (problem := _address_problem(spec, services)) is not None:
        return Finding(slug(spec.name), title(spec), Verdict.FAIL, problem.removesuffix(f" ({spec.name})"))
    return Finding(slug(spec.name), title(spec), Verdict.OK, "address assigned")


def judge_endpoints(services: Sequence[Service], endpoints: Sequence[Endpoint], target: Target) -> Finding:
    """Judge whether each expected Service has a ready endpoint; unknown where there is no such Service."""
    carriers = {s.name: spec for spec in target.services if (s := carrier(spec, services))}
    if not carriers:
        return Finding("endpoints", "Endpoints", Verdict.UNKNOWN, "no Service carries an expected address")
    lines: list[str] = []
    empty: dict[str, str] = {}
    for name, spec in carriers.items():
        behind = [e for e in endpoints if e.service == name]
        ready = sum(e.ready for e in behind)
        lines.append(f"{name}: {ready} of {words.plural(len(behind), 'endpoint')} ready")
        if not ready:
            empty[name] = spec.name
    if not empty:
        return Finding("endpoints", "Endpoints", Verdict.OK, "ready behind every Service", tuple(lines))
    return Finding(
        "endpoints",
        "Endpoints",
        Verdict.FAIL,
        f"no ready endpoint behind {words.listed(list(empty.values()))}",
        tuple(lines),
        "Compare the Service's selector with the pod's labels. Its endpoint is a ready pod that has them.",
        f"kubectl -n {target.namespace} get endpointslices",
        about=tuple(empty),
    )


def slug(name: str) -> str:
    """A service's probe id: ``vibekanban`` for "VibeKanban", ``my-api`` for "My API"."""
    return "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-") or "service"


def title(spec: ServiceTarget) -> str:
    """The finding's title: ``SSH``, ``VibeKanban``."""
    return spec.name


def address(spec: ServiceTarget) -> tuple[str, int]:
    """Host and port to check: those of ``connect`` where it is set. Only for entries that are connected to."""
    if spec.connect is None:
        return spec.ip, spec.port or 0
    return addresses.split_port(spec.connect)


def place(spec: ServiceTarget) -> str:
    """The address that users connect to, even where it is checked through another one."""
    if spec.port is None:
        return spec.ip
    return f"{addresses.in_url(spec.ip)}:{spec.port}" + ("/UDP" if spec.protocol == "UDP" else "")


def url(spec: ServiceTarget) -> str:
    """The URL to check."""
    host, port = address(spec)
    return f"http://{addresses.in_url(host)}:{port}{spec.path}"


def judge_banner(spec: ServiceTarget, banner: str, target: Target) -> Finding:
    """Judge whether an SSH 2 server answers (RFC 4253, 4.2: ``SSH-2.0-``, or ``SSH-1.99-`` for both versions)."""
    shown = words.cut(banner, 80)
    if banner.startswith(("SSH-2.0-", "SSH-1.99-")):
        return Finding(slug(spec.name), title(spec), Verdict.OK, f"answers with {shown}")
    said = f"it said {shown!r}" if shown else "it said nothing"
    return _unreachable(spec, target, f"{spec.name} is not answered by an SSH server", said)


def judge_status(spec: ServiceTarget, status: int, target: Target) -> Finding:
    """Judge whether the HTTP status is the expected one."""
    if status == spec.expect_status:
        return Finding(slug(spec.name), title(spec), Verdict.OK, f"answers with HTTP {status}")
    expected = f"expected HTTP {spec.expect_status} from {place(spec)}{spec.path}"
    return _unreachable(spec, target, f"{spec.name} answers with HTTP {status}", expected)


def judge_open(spec: ServiceTarget) -> Finding:
    """The finding for a port that accepted a connection."""
    return Finding(slug(spec.name), title(spec), Verdict.OK, f"port {spec.port} takes connections")


def judge_refused(spec: ServiceTarget, message: str, target: Target) -> Finding:
    """The finding for a refused or broken connection; ``message`` says how it failed.

    An sshd that rejects the bot's address or any new connection is running, so that is only a warning.
    """
    for words_of_sshd, summary, remedy in _BUSY if spec.check == "ssh" else ():
        if words_of_sshd in message:
            finding = _unreachable(spec, target, f"{spec.name} {summary}", message)
            return replace(finding, verdict=Verdict.WARN, remedy=remedy, run=_LOG)
    why = f": {message}" if message else ""
    return _unreachable(spec, target, f"{spec.name} can't be reached at {place(spec)}{why}")


_LOG = "/agentpod logs --grep sshd"
_BUSY = (
    (
        "Not allowed at this time",
        "runs, and turns the bot's address away for now",
        "OpenSSH 9.8 penalises addresses that connect without signing in: name the bot's in "
        "PerSourcePenaltyExemptList. This does not show whether people can sign in.",
    ),
    (
        "Exceeded MaxStartups",
        "runs, and has too many connections that have not signed in",
        "See who connects, in its log; MaxStartups in sshd's configuration is the limit.",
    ),
)
"""Messages that sshd sends instead of its identification, with their meaning and remedy."""


def _unreachable(spec: ServiceTarget, target: Target, summary: str, *evidence: str) -> Finding:
    known = {"ssh": target.remedies.ssh, "http": target.remedies.http}
    remedy = known.get(spec.check, "Check the process, then the Service.")
    run = {"ssh": _LOG, "http": "/agentpod processes"}.get(spec.check, f"/agentpod logs --grep {slug(spec.name)}")
    named = DIAGNOSIS.search(remedy)  # the next step then
    return Finding(
        slug(spec.name),
        title(spec),
        Verdict.FAIL,
        summary,
        (*evidence, *((f"checked through {spec.connect}",) if spec.connect else ())),
        remedy,
        f"/agentpod {named[1]}" if named else run,
    )
