"""Network policies: the traffic that the bot needs is allowed, and nothing else."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import pytest

from bot.settings.model import Settings
from tests.deploy.rendered import DEPLOY, WITH_THE_BOT, Object, pick, pod

PODS = "app=secure-agent-pod"
PUBLIC = "0.0.0.0/0 ::/0"
OUT = {
    ("kube-system: k8s-app=kube-dns", "UDP", 53),
    ("kube-system: k8s-app=kube-dns", "TCP", 53),
    ("anywhere", "TCP", 6443),
    (PUBLIC, "TCP", 443),
    ("monitoring", "TCP", 9091),
    ("monitoring: app=health-bridge", "TCP", 8080),
    (PODS, "TCP", 2222),
    (PODS, "TCP", 8081),
    ("192.168.55.215/32", "TCP", 22),
    ("192.168.55.218/32", "TCP", 8081),
}


def _peer(peer: Object) -> str:
    if "ipBlock" in peer:
        return str(peer["ipBlock"]["cidr"])
    parts = []
    if "namespaceSelector" in peer:
        labels = peer["namespaceSelector"]["matchLabels"]
        assert set(labels) == {"kubernetes.io/metadata.name"}
        parts.append(labels["kubernetes.io/metadata.name"])
    if "podSelector" in peer:
        assert peer["podSelector"]["matchLabels"], "an empty selector is every pod"
        parts.append(",".join(f"{k}={v}" for k, v in peer["podSelector"]["matchLabels"].items()))
    return ": ".join(parts)


def _flat(rules: list[Object], way: str) -> set[tuple[str, str, int]]:
    return {
        (" ".join(_peer(p) for p in rule.get(way, ())) or "anywhere", port["protocol"], port["port"])
        for rule in rules
        for port in rule["ports"]
    }


def _blocks(folder: str) -> list[Object]:
    rules = pick(folder, "NetworkPolicy")["spec"]["egress"]
    return [peer["ipBlock"] for rule in rules for peer in rule.get("to", ()) if "ipBlock" in peer]


@pytest.mark.parametrize("folder", WITH_THE_BOT)
def test_egress_allows_exactly_what_is_needed(folder: str) -> None:
    spec = pick(folder, "NetworkPolicy")["spec"]
    database = {("anywhere", "TCP", 5432)} if folder == "overlays/replicas" else set()
    assert _flat(spec["egress"], "to") == OUT | database
    assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"]


@pytest.mark.parametrize("folder", WITH_THE_BOT)
def test_ingress_allows_only_prometheus_to_the_ops_port(folder: str) -> None:
    ops = Settings().ops.port
    assert _flat(pick(folder, "NetworkPolicy")["spec"]["ingress"], "from") == {("monitoring", "TCP", ops)}


@pytest.mark.parametrize("folder", WITH_THE_BOT)
def test_the_policy_selects_the_bot_but_not_the_agent_pod(folder: str) -> None:
    labels = pick(folder, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    assert labels.items() <= pod(folder)["metadata"]["labels"].items()
    assert labels == {"app": "agentpod"}


def test_the_default_settings_addresses_are_allowed() -> None:
    target = Settings().targets[0]
    for service in target.services:
        assert (PODS, "TCP", service.target_port or service.port) in OUT
        assert (f"{service.ip}/32", "TCP", service.port) in OUT
    assert target.selector == PODS
    gateway = urlsplit(Settings().pushgateway.url)
    assert (str(gateway.hostname).split(".")[1], "TCP", gateway.port) in OUT
    slack = urlsplit(Settings().slack.api_url)
    assert (PUBLIC, "TCP", slack.port or 443) in OUT


def test_the_bridge_is_allowed_at_its_documented_address() -> None:
    docs = (DEPLOY.parent / "docs" / "alerts.md").read_text(encoding="utf-8")
    [address] = set(re.findall(r"http://health-bridge[^\s\"`]+", docs))
    url = urlsplit(address)
    service, namespace, *_ = str(url.hostname).split(".")
    assert (f"{namespace}: app={service}", "TCP", url.port) in OUT
    assert url.path == "/webhook"


PRIVATE = "10.0.0.1 100.64.0.1 127.0.0.1 169.254.169.254 172.31.255.255 192.168.0.1 ::1 fd00::1 fe80::1"


@pytest.mark.parametrize("address", PRIVATE.split())
def test_slacks_rule_opens_no_private_address(address: str) -> None:
    public = [block for block in _blocks("base") if block["cidr"].endswith("/0")]
    assert len(public) == 2
    for block in public:
        if ip_network(block["cidr"]).version == ip_address(address).version:
            assert any(ip_address(address) in ip_network(hole) for hole in block["except"])


def test_the_pushgateways_policy_admits_the_bot_and_selects_the_gateway_alone() -> None:
    spec = pick("options/pushgateway", "NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    assert _flat(spec["ingress"], "from") == {("secure-agent-pod: app=agentpod", "TCP", 9091)}
    (expression,) = spec["podSelector"]["matchExpressions"]
    assert expression["operator"] == "In"
    assert expression["values"] == ["prometheus-pushgateway", "pushgateway"]


def test_http_mode_allows_ingress_to_its_port_only() -> None:
    port = Settings().slack.http.port
    spec = pick("options/http-mode", "NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    assert _flat(spec["ingress"], "from") == {("ingress-nginx", "TCP", port)}
    assert spec["podSelector"] == pick("base", "NetworkPolicy")["spec"]["podSelector"]
    service = pick("options/http-mode", "Service")["spec"]
    assert [p["targetPort"] for p in service["ports"]] == [port]
    assert service["selector"] == pick("base", "Service")["spec"]["selector"]
