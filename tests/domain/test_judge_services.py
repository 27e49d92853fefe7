"""Reachability: addresses assigned, endpoints ready, servers answering."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.target import Remedies, ServiceTarget, Target
from bot.domain.core.workload import Endpoint, Service, ServicePort
from bot.domain.health import judge_services
from tests import handbook

SSH = ServiceTarget(name="SSH", ip="192.0.2.1", port=22, target_port=2222, check="ssh")
WEB = ServiceTarget(name="My API", ip="192.0.2.2", port=8081, check="http", path="/health", expect_status=204)
TCP = ServiceTarget(name="Other", ip="192.0.2.3", port=9)
TARGET = handbook.target(services=(SSH, WEB))


def service(name: str, ip: str | None, port: int, target: str | None = None) -> Service:
    return Service(name, "LoadBalancer", "10.0.0.1", (ip,) if ip else (), (ServicePort(port, target),))


SSH_SERVICE = service("ssh", "192.0.2.1", 22, "2222")
WEB_SERVICE = service("web", "192.0.2.2", 8081, "http")


def test_all_addresses_assigned_is_ok() -> None:
    finding = judge_services.judge_addresses([SSH_SERVICE, WEB_SERVICE], TARGET)
    assert (finding.verdict, finding.summary) == (Verdict.OK, "2 addresses assigned")


@pytest.mark.parametrize(
    ("ssh", "summary"),
    [
        (service("ssh", None, 22), "192.0.2.1 (SSH) is not assigned to any Service"),
        (service("ssh", "192.0.2.9", 22), "192.0.2.1 (SSH) is not assigned to any Service"),
        (service("ssh", "192.0.2.1", 2022), "ssh has 192.0.2.1 but not port 22 (SSH)"),
        (service("ssh", "192.0.2.1", 22, "22"), "ssh sends port 22 to 22, not to 2222 (SSH)"),
    ],
)
def test_each_problem_with_an_address_is_named(ssh: Service, summary: str) -> None:
    finding = judge_services.judge_addresses([ssh, WEB_SERVICE], TARGET)
    assert (finding.verdict, finding.summary) == (Verdict.FAIL, summary)


UDP = ServiceTarget(name="VPN", ip="192.0.2.4", port=51820, protocol="UDP")
BARE = ServiceTarget(name="Spare", ip="192.0.2.5", check="address")
VPN_SERVICE = replace(service("vpn", "192.0.2.4", 51820), ports=(ServicePort(51820, "51820", None, "UDP"),))


@pytest.mark.parametrize(
    ("services", "verdict", "summary"),
    [
        ([VPN_SERVICE, service("spare", "192.0.2.5", 1)], Verdict.OK, "2 addresses assigned"),
        ([VPN_SERVICE], Verdict.FAIL, "192.0.2.5 (Spare) is not assigned to any Service"),
        (
            [service("vpn", "192.0.2.4", 51820), service("spare", "192.0.2.5", 1)],
            Verdict.FAIL,
            "vpn has 192.0.2.4 but not port 51820/UDP (VPN)",
        ),
    ],
)
def test_udp_counts_by_its_port_and_an_address_alone_by_itself(
    services: list[Service], verdict: Verdict, summary: str
) -> None:
    finding = judge_services.judge_addresses(services, Target(services=(UDP, BARE)))
    assert (finding.verdict, finding.summary) == (verdict, summary)


def test_what_is_not_connected_to_is_shown_by_its_address() -> None:
    assert judge_services.place(UDP) == "192.0.2.4:51820/UDP"
    assert judge_services.place(BARE) == "192.0.2.5"
    tcp = service("vpn", "192.0.2.4", 51820)
    shown = [judge_services.judge_address(UDP, found) for found in ([VPN_SERVICE], [tcp], [], None)]
    assert [(f.verdict, f.summary) for f in shown] == [
        (Verdict.OK, "address assigned"),
        (Verdict.FAIL, "vpn has 192.0.2.4 but not port 51820/UDP"),
        (Verdict.FAIL, "has no address"),
        (Verdict.UNKNOWN, "unknown"),
    ]


def test_the_same_number_over_tcp_and_udp_is_two_entries() -> None:
    both = replace(VPN_SERVICE, ports=(*VPN_SERVICE.ports, ServicePort(51820, "8443", None, "TCP")))
    web = ServiceTarget(name="Web", ip="192.0.2.4", port=51820, target_port=8443)
    assert judge_services.judge_addresses([both], Target(services=(UDP, web))).verdict is Verdict.OK


def test_a_named_target_port_is_not_judged() -> None:
    named = service("ssh", "192.0.2.1", 22, "ssh-port")
    assert judge_services.judge_addresses([named, WEB_SERVICE], TARGET).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("ssh", "verdict"),
    [
        (replace(service("ssh", None, 22, "2222"), external_ips=("192.0.2.1",)), Verdict.OK),
        (replace(service("ssh", None, 22, "2222"), type="ClusterIP", cluster_ip="192.0.2.1"), Verdict.OK),
        (replace(service("ssh", "192.0.2.1", 22), ports=(ServicePort(22, "2222", None, "UDP"),)), Verdict.FAIL),
        (
            replace(
                service("ssh", "192.0.2.1", 22),
                ports=(ServicePort(22, "53", None, "UDP"), ServicePort(22, "2222")),
            ),
            Verdict.OK,
        ),
    ],
)
def test_an_address_of_any_kind_counts_and_the_port_must_be_tcp(ssh: Service, verdict: Verdict) -> None:
    assert judge_services.judge_addresses([ssh, WEB_SERVICE], TARGET).verdict is verdict


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        ("Not allowed at this time", "SSH runs, and turns the bot's address away for now"),
        ("Exceeded MaxStartups", "SSH runs, and has too many connections that have not signed in"),
    ],
)
def test_an_sshd_that_rejects_the_bot_is_running(said: str, summary: str) -> None:
    finding = judge_services.judge_refused(SSH, f"answered “{said}” instead of an SSH banner", TARGET)
    assert (finding.verdict, finding.summary) == (Verdict.WARN, summary)
    assert finding.run == "/agentpod logs --grep sshd"
    assert judge_services.judge_refused(WEB, said, TARGET).verdict is Verdict.FAIL


def test_of_two_services_with_an_address_the_one_with_the_port_counts() -> None:
    other = service("other", "192.0.2.1", 443)
    assert judge_services.carrier(SSH, [other, SSH_SERVICE]) == SSH_SERVICE
    assert judge_services.carrier(SSH, [other]) == other
    assert judge_services.carrier(SSH, []) is None


@pytest.mark.parametrize(
    ("settings", "assigned"),
    [
        ("2001:DB8::15", "2001:db8::15"),
        ("2001:db8::15", "2001:0db8:0000:0000:0000:0000:0000:0015"),
        ("[2001:db8::15]", "2001:db8::15"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "::FFFF:c000:201"),
        ("fe80::1%eth0", "fe80::1"),
        ("Agent.Example.COM", "agent.example.com."),
        ("agent.example.com.", "agent.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        (" 192.0.2.1 ", "192.0.2.1"),
    ],
)
def test_addresses_are_compared_as_addresses_and_names_without_case(settings: str, assigned: str) -> None:
    target = Target(services=(ServiceTarget(name="SSH", ip=settings, port=22),))
    found = [service("ssh", assigned, 22)]
    assert judge_services.judge_addresses(found, target).verdict is Verdict.OK
    assert judge_services.judge_endpoints(found, [Endpoint("ssh", "10.1.1.1", True)], target).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("settings", "assigned"),
    [
        ("2001:db8::15", "2001:db8::1:5"),
        ("192.0.2.1", "192.0.2.10"),
        ("agent.example.com", "agent.example.org"),
        ("::ffff:192.0.2.1", "::192.0.2.1"),
    ],
)
def test_different_addresses_are_not_equal(settings: str, assigned: str) -> None:
    target = Target(services=(ServiceTarget(name="SSH", ip=settings, port=22),))
    assert judge_services.judge_addresses([service("ssh", assigned, 22)], target).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("ip", "192.0.2.1:22", "a port has a setting of its own"),
        ("ip", "[2001:db8::15]:22", "a port has a setting of its own"),
        ("ip", "http://192.0.2.1", "no IP address or host name"),
        ("ip", " ", "no IP address or host name"),
        ("ip", "2001:db8::zz", "no IP address or host name"),
        ("connect", "2001:db8::15:22", r"\[2001:db8::15\]:22"),
        ("connect", "agent.example.com:70000", "1 to 65535"),
        ("connect", "agent.example.com:0", "1 to 65535"),
        ("connect", "[]:22", "no host"),
    ],
)
def test_an_invalid_address_is_refused_with_a_valid_form(field: str, value: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ServiceTarget(**{"name": "SSH", "ip": "192.0.2.1", "port": 22, field: value})


@pytest.mark.parametrize(
    ("connect", "host", "url"),
    [
        ("[2001:DB8::15]:2222", ("2001:db8::15", 2222), "http://[2001:db8::15]:2222/"),
        ("[::ffff:127.0.0.1]:80", ("127.0.0.1", 80), "http://127.0.0.1:80/"),
        ("Agent.example.com.:80", ("agent.example.com", 80), "http://agent.example.com:80/"),
    ],
)
def test_connect_accepts_ipv6_in_brackets(connect: str, host: tuple[str, int], url: str) -> None:
    spec = ServiceTarget(name="SSH", ip="2001:DB8::15", port=22, connect=connect)
    assert judge_services.address(spec) == host
    assert judge_services.url(spec) == url
    assert judge_services.place(spec) == "[2001:db8::15]:22"


def test_endpoints_need_a_ready_one_behind_every_service() -> None:
    ready = [Endpoint("ssh", "10.1.1.1", True), Endpoint("web", "10.1.1.1", True)]
    assert judge_services.judge_endpoints([SSH_SERVICE, WEB_SERVICE], ready, TARGET).verdict is Verdict.OK
    unready = [Endpoint("ssh", "10.1.1.1", False), Endpoint("web", "10.1.1.1", True)]
    finding = judge_services.judge_endpoints([SSH_SERVICE, WEB_SERVICE], unready, TARGET)
    assert (finding.verdict, finding.summary) == (Verdict.FAIL, "no ready endpoint behind SSH")
    assert finding.evidence == ("ssh: 0 of 1 endpoint ready", "web: 1 of 1 endpoint ready")


def test_endpoints_without_services_are_unknown() -> None:
    assert judge_services.judge_endpoints([], [], TARGET).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("banner", "verdict"),
    [
        ("SSH-2.0-OpenSSH_9.6p1\r\n", Verdict.OK),
        ("SSH-1.99-Cisco", Verdict.OK),
        ("SSH-1.5-old", Verdict.FAIL),
        ("HTTP/1.1 400 Bad Request", Verdict.FAIL),
        ("", Verdict.FAIL),
    ],
)
def test_an_ssh_server_of_protocol_2_answers(banner: str, verdict: Verdict) -> None:
    assert judge_services.judge_banner(SSH, banner, TARGET).verdict is verdict


@pytest.mark.parametrize(("status", "verdict"), [(204, Verdict.OK), (200, Verdict.FAIL), (503, Verdict.FAIL)])
def test_only_the_expected_status_is_ok(status: int, verdict: Verdict) -> None:
    assert judge_services.judge_status(WEB, status, TARGET).verdict is verdict


@pytest.mark.parametrize(
    ("remedy", "run"),
    [
        ("`diagnose ssh` looks for the cause.", "diagnose ssh"),
        ("See `netstat`, then the log.", "logs --grep sshd"),
    ],
)
def test_a_refused_server_names_the_address_and_the_next_step_of_the_remedy(remedy: str, run: str) -> None:
    target = TARGET.model_copy(update={"remedies": Remedies(ssh=remedy)})
    finding = judge_services.judge_refused(SSH, "connection refused", target)
    assert (finding.probe, finding.verdict) == ("ssh", Verdict.FAIL)
    assert finding.summary == "SSH can't be reached at 192.0.2.1:22: connection refused"
    assert finding.run == f"/agentpod {run}"
    assert judge_services.judge_open(TCP).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("connect", "address", "url"),
    [
        (None, ("192.0.2.2", 8081), "http://192.0.2.2:8081/health"),
        ("localhost:18081", ("localhost", 18081), "http://localhost:18081/health"),
        ("[::1]:80", ("::1", 80), "http://[::1]:80/health"),
    ],
)
def test_the_address_to_check(connect: str | None, address: tuple[str, int], url: str) -> None:
    spec = WEB.model_copy(update={"connect": connect})
    assert judge_services.address(spec) == address
    assert judge_services.url(spec) == url


@pytest.mark.parametrize(("name", "slug"), [("VibeKanban", "vibekanban"), ("My API", "my-api"), ("!", "service")])
def test_a_services_probe_id(name: str, slug: str) -> None:
    assert judge_services.slug(name) == slug


def test_a_service_with_connect_is_named_by_its_own_address() -> None:
    spec = WEB.model_copy(update={"connect": "127.0.0.1:8000"})
    refused = judge_services.judge_refused(spec, "connection refused", TARGET)
    assert refused.summary == f"{WEB.name} can't be reached at {WEB.ip}:{WEB.port}: connection refused"
    assert refused.evidence == ("checked through 127.0.0.1:8000",)
    wrong = judge_services.judge_status(spec, 500, TARGET)
    assert wrong.evidence[0] == f"expected HTTP {WEB.expect_status} from {WEB.ip}:{WEB.port}{WEB.path}"
