"""``--dry-run`` with the real bot: the exact calls, while the API server refuses all connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from commands.registry import BUILTIN
from sandbox.cluster.fixture import FixtureFile
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-dry-run")]
EXAMPLES = Path(__file__).parents[2] / "examples"
PODS = "/api/v1/namespaces/secure-agent-pod/pods"
WORDS = {
    "ack": "INC-1",
    "snooze": "i-7k2m9xw 1h",
    "can-i": "status",
    "help": "status",
    "approve": "r-22222222",
    "deny": "r-22222222 --reason x",
    "withdraw": "r-22222222",
    "break-glass": "r-22222222 --reason x",
    "secrets enter": "r-22222222",
    "heartbeats push": "a",
    "restart": "--reason x",
    "cron run": "session-manager.sh --reason x",
    "egress repair": "--reason x",
    "image pull": "--reason x",
    "image set": "1.1.0 --reason x",
    "report": "INC-1",
    "report logs": "INC-1",
    "secrets set": "KEY --reason x",
    "configs rotate": "--reason x",
    "ssh keys remove": "SHA256:abcdef --reason x",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    """A bot whose API server went away after the start."""
    fixture = FixtureFile(EXAMPLES / "fixtures/web-sidecar.yaml")
    runbook = ["secure-agent-pod", str(EXAMPLES / "web-sidecar.yaml")]
    extra = {
        "runbook": runbook,
        "secrets": ["agent-secrets"],
        "ssh": {"secret": "agent-ssh-keys"},
        "egress": {"restart_cilium": True},
        "image_set": ["web"],
    }
    async with Sandbox(rate_limits=False, target=extra, fixture=fixture, pod_seconds=0.0, configs=True) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await world.break_("kube-refuse")
        yield world


async def planned(world: World, line: str, user: str = seed.MAYA) -> str:
    told = await world.ask(f"{line} --dry-run", user)
    assert told.first_line.startswith("Dry run: "), told.text
    assert "nothing was sent" in told.first_line
    return told.text


async def test_an_egress_repair_shows_its_calls_in_the_handbooks_order(module_world: World) -> None:
    text = await planned(module_world, "egress repair --reason why")
    policies = "/apis/cilium.io/v2/namespaces/secure-agent-pod/ciliumnetworkpolicies"
    calls = (
        "DELETE /api/v1/namespaces/kube-system/pods/<the Cilium agent on its node>",
        f"DELETE {policies}/agent-egress",
        f"POST {policies}?fieldManager=agentpod",
        f"DELETE {PODS}/",
    )
    places = [text.index(call) for call in calls]
    assert places == sorted(places)


async def test_an_image_pull_asks_the_registry_again_before_the_change(module_world: World) -> None:
    text = await planned(module_world, "image pull --reason why")
    asks = "GET https://<its registry>/v2/<its image>"
    after = text.partition("Once it is approved")[2]
    patch = "PATCH /apis/apps/v1/namespaces/secure-agent-pod/deployments/secure-agent-pod?fieldManager=agentpod"
    assert 0 < after.index(asks) < after.index(patch)
    assert "points to" not in text  # not known, since nothing was read


async def test_a_rotation_shows_how_sops_is_run_and_no_value(module_world: World) -> None:
    text = await planned(module_world, "configs rotate --reason why")
    secret = "/api/v1/namespaces/secure-agent-pod/secrets/agent-configs"
    calls = (
        '"--decrypt", "--input-type", "yaml", "--output-type", "json", "/dev/stdin"] beside the bot',
        f"GET {secret}",
        f"PATCH {secret}?fieldManager=agentpod&dryRun=All",
        "Once it is approved",
        f"PATCH {secret}?fieldManager=agentpod\n",
    )
    places = [text.index(call) for call in calls]
    assert places == sorted(places)
    assert '"data": {"FILE": "<its value in the file>"}' in text
    assert "not a credential" not in text


async def test_an_image_set_shows_the_patch_of_one_container(module_world: World) -> None:
    after = (await planned(module_world, "image set 1.1.0 --reason why")).partition("Once it is approved")[2]
    for part in (
        "application/strategic-merge-patch+json: ",
        '"containers": [{"name": "web", "image": "<its image>:1.1.0@<its digest>"}]',
        '"resourceVersion": "<its resource version>"',
    ):
        assert part in after


async def test_a_restart_shows_its_card_and_its_calls(module_world: World) -> None:
    text = await planned(module_world, "restart --reason why")
    for part in (
        "GET /apis/apps/v1/namespaces/secure-agent-pod/deployments/secure-agent-pod",
        f"post the card in {seed.OPS}",
        "PATCH /apis/apps/v1/namespaces/secure-agent-pod/deployments/secure-agent-pod?fieldManager=agentpod",
        '"agentpod.dev/approval": "<the request\'s id>"',
        '"resourceVersion": "<its resource version>"',
    ):
        assert part in text
    assert "Recreate" not in text  # not known, since nothing was read


async def test_a_forced_restart_shows_the_deletion(module_world: World) -> None:
    text = await planned(module_world, "restart --force --reason why")
    assert f"DELETE {PODS}/<the pod>" in text
    assert '"preconditions": {"uid": "<its uid>"}' in text


async def test_secrets_and_keys_show_their_change(module_world: World) -> None:
    text = await planned(module_world, "secrets set TOKEN --reason why")
    assert "PATCH /api/v1/namespaces/secure-agent-pod/secrets/agent-secrets?fieldManager=agentpod" in text
    assert '"<the key>": "<the value from the form>"' in text
    assert "TOKEN" not in text.replace("secrets set TOKEN", "")
    assert "Now: not read" in text
    text = await planned(module_world, "ssh keys remove SHA256:abcdefgh --reason why")
    assert "PATCH /api/v1/namespaces/secure-agent-pod/secrets/agent-ssh-keys" in text


async def test_a_declared_repair_shows_each_step_in_order(module_world: World) -> None:
    text = await planned(module_world, "start-service renderer --reason why")
    first = text.index('argv in web: ["rm", "-f", "/run/service/renderer/down"]')
    second = text.index('argv in web: ["s6-svc", "-u", "/run/service/renderer"]')
    assert first < second < text.rindex('argv in web: ["s6-svstat", "/run/service/renderer"]')
    assert module_world.sandbox.cluster.simulation.fixture_states.ran == []


async def test_declared_reads_show_their_facts(module_world: World) -> None:
    text = await planned(module_world, "diagnose web")
    assert f"GET {PODS}/<the pod>/log?container=envoy" in text
    assert "GET http://<the address of web>" in text
    assert "GET http://<the address of web-admin>" in await planned(module_world, "clusters")


async def test_reads_that_run_side_by_side_are_not_called_a_sequence(module_world: World) -> None:
    assert "In this order, reads side by side" in await planned(module_world, "status")
    assert "reads side by side" not in await planned(module_world, "clusters")


async def test_a_followed_log_shows_its_stream_and_ends(module_world: World) -> None:
    text = await planned(module_world, "logs --follow")
    assert f"GET {PODS}/<the pod>/log?" in text
    assert "follow=true" in text


async def test_what_is_typed_is_no_placeholder_and_is_shown_as_it_is_sent(module_world: World) -> None:
    text = await planned(module_world, 'heartbeats push job "context=a<b>" "desk=<d e>"', seed.PRIYA)
    assert "/metrics/job/job/context/a%3Cb%3E/desk/%3Cd%20e%3E" in text
    assert "What stands in <…>" not in text


async def test_the_role_is_needed_all_the_same(module_world: World) -> None:
    told = await module_world.ask("restart --reason why --dry-run", user=seed.SAM)
    assert told.first_line.startswith("You may not run restart")


async def test_wrong_usage_is_answered_as_ever(module_world: World) -> None:
    told = await module_world.ask("start-service nobody --reason why --dry-run")
    assert "it takes one of nginx, renderer" in told.text


async def test_without_a_reason_it_says_that_a_form_opens(module_world: World) -> None:
    told = await module_world.ask("restart --dry-run")
    assert "it opens a form that asks: Why?" in told.text


async def test_nothing_was_asked_posted_or_recorded(module_world: World) -> None:
    await module_world.break_("kube-refuse", False)
    assert "Nothing waits for a decision" in (await module_world.ask("approvals")).text
    assert not [m for m in module_world.workspace.messages(seed.OPS) if "needs approval" in m.text]
    assert "asked for" not in (await module_world.ask("audit --tail 50")).text
    await module_world.break_("kube-refuse")


@pytest.mark.parametrize("name", [one.name for one in BUILTIN if one.name])
async def test_every_command_has_a_dry_run(module_world: World, name: str) -> None:
    told = await module_world.ask(f"{name} {WORDS.get(name, '')} --dry-run", seed.JONAS)
    assert "went wrong" not in told.text
    assert told.first_line.startswith(("Dry run: ", "There is no ", "No request with that id ", "You "))


async def test_an_approval_shows_what_it_would_start_and_decides_nothing(module_world: World) -> None:
    await module_world.break_("kube-refuse", False)
    repair = await asked(module_world, "restart --reason why")
    text = await planned(module_world, f"approve {repair.id}", seed.JONAS)
    assert f"decides approve on {repair.id}" in text
    assert "PATCH /apis/apps/v1/namespaces/secure-agent-pod/deployments/secure-agent-pod" in text
    assert repair.id in (await module_world.ask("approvals")).text
    assert "needs approval" in repair.card.text


async def test_a_terminal_shows_the_same_without_a_connection(module_world: World) -> None:
    code, said = await shell(module_world.sandbox.env(), "restart", "--reason", "why", "--dry-run")
    assert code == 0
    assert said.startswith("Dry run: ")
    assert "PATCH /apis/apps/v1/namespaces/secure-agent-pod/deployments/secure-agent-pod" in said
