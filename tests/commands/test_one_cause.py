"""Reads that fail for one reason are one block in each answer: one sentence, one remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from bot.adapters.kubernetes.errors import from_status, no_answer
from bot.domain.core.probes import Verdict
from bot.domain.core.proxies import Route
from bot.domain.core.reply import Button
from bot.domain.core.workload import Right
from bot.errors import AgentpodError
from bot.services.health.sources import API, SourceUnavailable, unread_finding
from tests import handbook
from tests.commands.fakes import World, text_of
from tests.messages.worlds import not_allowed

READS = {
    "pods": Right("list", "pods", namespace="agents"),
    "events": Right("list", "events", namespace="agents"),
    "services": Right("list", "services", namespace="agents"),
    "endpoints": Right("list", "endpointslices", "discovery.k8s.io", namespace="agents"),
    "claims": Right("list", "persistentvolumeclaims", namespace="agents"),
    "deployment": Right("get", "deployments", "apps", name="secure-agent-pod", namespace="agents"),
    "application": Right("get", "applications", "argoproj.io", name="secure-agent-pod", namespace="argocd"),
    "external": Right("list", "externalsecrets", "external-secrets.io", namespace="agents"),
    "policies": Right("list", "ciliumnetworkpolicies", "cilium.io", namespace="agents"),
    "secret": Right("get", "secrets", namespace="agents"),
    "objects": Right("list", "pods", namespace="agents"),
}
"""Everything that is read of the API server, and the right to read it."""


def http(code: int, said: str) -> Callable[[Right], AgentpodError]:
    body = json.dumps({"kind": "Status", "message": said}).encode()
    return lambda right: from_status(code, body, right, {})


CAUSES = {
    "500": (http(500, "Internal error occurred: etcd is away"), "the API server answered HTTP 500: etcd is away"),
    "503": (http(503, ""), "the API server answered HTTP 503"),
    "410": (http(410, "too old"), "the list expired while it was read: too old"),
    "404": (http(404, "404 page not found"), "the API server answered HTTP 404: 404 page not found"),
    "418": (http(418, "no tea"), "the API server answered HTTP 418: no tea"),
}
"""What keeps all reads from being made, and how that is said."""
CLAUSES = ("status", "storage", "kanban", "services", "events", "pods", "processes", "diagnose", "diagnose crash")


def fail(world: World, error: Callable[[Right], AgentpodError], *names: str) -> None:
    for name in names or READS:
        setattr(world.cluster, f"{name}_answer", error(READS[name]))


@pytest.mark.parametrize("line", CLAUSES)
@pytest.mark.parametrize("cause", [name for name in CAUSES if name != "404"])
async def test_one_cause_is_one_block_with_one_sentence(world: World, cause: str, line: str) -> None:
    error, said = CAUSES[cause]
    fail(world, error)
    reply = await world.run(line)
    assert (reply.verdict, reply.headline) == (Verdict.UNKNOWN, f"Could not tell: {said}")
    [block] = [one for one in reply.findings if one.verdict is Verdict.UNKNOWN]
    assert (block.title, block.summary) == ("API server", said)
    assert text_of(reply).count(said) <= 2, "in the headline, and in the block that repeats it nowhere on Slack"


async def test_the_block_lists_what_could_not_be_checked(world: World) -> None:
    fail(world, CAUSES["500"][0])
    block = (await world.run("status")).findings[0]
    assert block.evidence == (
        "Not checked because of it: Pod, Events, Identity, Processes, Services, Endpoints, Argo CD, "
        "Egress policy, External Secrets, Volume claim, Disk, Crontab",
    )
    assert block.remedy == "Check the API server itself; the pod may be fine."


@pytest.mark.parametrize("egress", [None, {}])
async def test_a_404_for_every_kind_is_one_block_of_all_that_is_read_there(
    world: World, egress: dict[str, str] | None
) -> None:
    world.target = handbook.target(egress=egress)
    fail(world, CAUSES["404"][0])
    reply = await world.run("status")
    assert reply.headline == f"Could not tell: {CAUSES['404'][1]}"
    assert [one.title for one in reply.findings if one.verdict is Verdict.UNKNOWN] == ["API server"]
    assert reply.findings[0].evidence == (
        "Not checked because of it: Pod, Events, Identity, Processes, Services, Endpoints, Argo CD, "
        "Egress policy, External Secrets, Volume claim, Disk, Crontab",
    )
    checks = {one["probe"]: one["verdict"] for one in reply.data["checks"]}
    assert checks["external-secrets"] == "unknown"


async def test_a_404_for_what_is_not_installed_is_said_of_that_alone(world: World) -> None:
    fail(world, CAUSES["404"][0], "external", "application")
    findings = {one.title: one for one in (await world.run("status")).findings}
    assert findings["External Secrets"].verdict is Verdict.OK
    assert findings["Argo CD"].summary.startswith("the API server does not know applications.argoproj.io")
    assert "API server" not in findings


async def test_a_diagnosis_says_the_cause_first_and_lists_what_it_hides_without_it(world: World) -> None:
    fail(world, not_allowed, "pods", "objects")
    kanban = await world.run("kanban")
    assert [row[1].partition(" ")[0] for row in kanban.tables[0].rows] == [
        "not",
        "not",
        "192.168.55.218",
        "not",
        "answers",
    ]
    reply = await world.run("diagnose")
    missing = Button("Missing rights", "can-i status")
    assert kanban.buttons[0] == reply.buttons[0] == missing
    assert reply.headline == "Could not tell: the bot may not list pods in agents"
    [hidden] = [fact.value for fact in reply.facts if fact.label == "Not looked at"]
    assert "the bot may not" not in str(hidden)


@pytest.mark.parametrize("missing", [("claims",), ("claims", "events")])
async def test_missing_rights_have_one_name_and_one_set_of_buttons(world: World, missing: tuple[str, ...]) -> None:
    fail(world, not_allowed, *missing)
    reply = await world.run("status")
    [block] = [one for one in reply.findings if one.verdict is Verdict.UNKNOWN]
    assert block.title == "Kubernetes rights"
    assert block.run == "kubectl apply -k deploy/overlays/mine"
    assert "can-i status" in reply.buttons[0].command


async def test_rights_that_different_roles_grant_are_blocks_of_their_own(world: World) -> None:
    fail(world, not_allowed, "claims", "application")
    blocks = [one for one in (await world.run("status")).findings if one.verdict is Verdict.UNKNOWN]
    assert [one.title for one in blocks] == ["Kubernetes rights"] * 2
    assert {one.run for one in blocks} == {
        "kubectl apply -k deploy/overlays/mine",
        "kubectl apply -k deploy/options/argocd",
    }


async def test_reasons_that_begin_alike_and_differ_later_are_two_causes(world: World) -> None:
    begin = "failed calling webhook: " + "x" * 100
    refused, expired = (
        http(500, f"{begin} {why}") for why in ("connection refused", "the certificate has expired")
    )
    fail(world, refused, "pods", "deployment", "services")
    fail(world, expired, "events", "claims")
    blocks = [one for one in (await world.run("status")).findings if one.title == "API server"]
    assert [any(why in text for text in one.evidence) for one in blocks for why in ("refused", "expired")] == [
        True,
        False,
        False,
        True,
    ]


def test_a_failed_read_says_what_it_was_for_and_what_helps() -> None:
    error = CAUSES["500"][0](READS["pods"])
    assert error.first_line == "The API server answered HTTP 500: etcd is away"
    assert (error.below, error.remedy) == (
        "The request was to list pods in agents.",
        "Check the API server itself; the pod may be fine.",
    )


async def test_what_a_source_kept_from_being_checked_says_so_once(world: World) -> None:
    fail(world, CAUSES["500"][0], "services")
    reply = await world.run("kanban")
    assert reply.headline == "Check 3 of 5, Service: the API server answered HTTP 500: etcd is away"
    fail(world, CAUSES["500"][0])
    reply = await world.run("kanban")
    assert [row[1] for row in reply.tables[0].rows] == ["not checked"] * 4 + ["answers with HTTP 200"]
    assert reply.findings[0].evidence == ("Not checked because of it: Process, Port, Service, Environment",)


async def test_a_check_without_a_pod_names_no_source_beside_its_title(world: World) -> None:
    world.cluster.pods_answer = []
    assert (await world.run("kanban")).headline == "Check 1 of 5, Process: no pod is running"


def test_a_call_without_an_answer_says_who_gave_none_and_a_check_only_that_none_came() -> None:
    error = no_answer("https://api.example/as/agentpod", 3, Route(None))
    assert error.first_line == "The API server gave no answer in 3 s."
    assert unread_finding("pod", "Pod", SourceUnavailable(API, 2.0, error)).summary == "no answer in 2 s"


async def test_a_diagnosis_counts_the_many_causes_that_one_reason_hides(world: World) -> None:
    """Their names would read like findings."""
    fail(world, http(500, "etcd is away"))
    reply = await world.run("diagnose")
    [hidden] = [str(fact.value) for fact in reply.facts if fact.label == "Not looked at"]
    assert re.fullmatch(r"\d\d causes \(hidden by what is unknown above\)", hidden)
    assert "Secret missing" not in text_of(reply)
