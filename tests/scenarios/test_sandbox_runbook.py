"""A runbook in the sandbox: the pretend pod shows what a fixture says, and the real bot judges it."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from sandbox.cluster.fixture import FixtureFile
from sandbox.environment import Sandbox
from tests.scenarios.talk import shell
from tests.scenarios.test_sandbox_cli import _used, started

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
pytestmark = pytest.mark.xdist_group("scenarios-sandbox-runbook")


@asynccontextmanager
async def sandbox(runbook: Path, fixture: Path) -> AsyncIterator[dict[str, str]]:
    """The environment of a bot in a sandbox with this runbook and fixture."""
    target = {"runbook": [str(runbook)]}
    async with Sandbox(target=target, fixture=FixtureFile(fixture), pod_seconds=0.0) as made:
        yield made.env()


async def test_the_postgresql_example_finds_its_cause_and_records_it(tmp_path: Path) -> None:
    fixture = tmp_path / "fixture.yaml"
    fixture.write_text((EXAMPLES / "fixtures/postgresql.yaml").read_text())
    async with sandbox(EXAMPLES / "postgresql.yaml", fixture) as env:
        code, said = await shell(env, "status")
        assert (code, said.splitlines()[0]) == (0, "! Healthy, with 1 warning: 97 of 100 connections are in use")
        assert "Replication: replica-1 2 s behind" in said
        code, said = await shell(env, "diagnose", "database")
        assert (code, said.splitlines()[0]) == (1, "✗ All connections are in use")
        assert "remaining connection slots are reserved" in said
        code, said = await shell(env, "runbook", "record", "connections")
        assert code == 0
        assert yaml.safe_load(said)["tests"] == [
            {
                "check": "connections",
                "given": {"exec": "97|100\n"},
                "then": {"verdict": "warn", "says": "97 of 100 connections are in use"},
            }
        ]
        fixture.write_text(fixture.read_text().replace("97|100", "12|100"))
        code, said = await shell(env, "status")
        assert (code, said.splitlines()[0][:9]) == (0, "✓ Healthy")


async def test_a_command_that_the_fixture_lacks_is_named(tmp_path: Path) -> None:
    fixture, runbook = tmp_path / "fixture.yaml", tmp_path / "queue.yaml"
    run = "{run: [redis-cli, LLEN, jobs], stdout: '3', when: {redis: up}}"
    fixture.write_text(f"containers: {{kali: {{state: {{redis: down}}, commands: [{run}]}}}}\n")
    queues = "".join(
        f"  {name}:\n    summary: Jobs\n    exec: {{command: [redis-cli, LLEN, {name}]}}\n"
        for name in ("jobs", "reports")
    )
    runbook.write_text(f"runbook: queue\ncommands:\n{queues}")
    async with sandbox(runbook, fixture) as env:
        _, said = await shell(env, "reports")
        assert "the fixture has no redis-cli LLEN reports" in said
        assert "there is no redis-cli" not in said
        _, said = await shell(env, "jobs")
        assert "the fixture has no redis-cli LLEN jobs in the state redis: down" in said


async def test_the_web_example_reads_its_sidecar_its_services_and_its_metrics() -> None:
    async with sandbox(EXAMPLES / "web-sidecar.yaml", EXAMPLES / "fixtures/web-sidecar.yaml") as env:
        code, said = await shell(env, "status")
        assert (code, said.splitlines()[0]) == (1, "✗ Not healthy: the page answers with 503")
        for line in ("Pod: 2/2 ready", "Sidecar: envoy runs", "web server: 12 pending", "log: 1 in 10 minutes"):
            assert line in said
        code, said = await shell(env, "diagnose", "web")
        assert (code, said.splitlines()[0]) == (1, "✗ The sidecar can not reach the web server")
        code, said = await shell(env, "clusters")
        assert "web::10.244.3.17:8080::health_flags::healthy" in said


async def test_the_guide_s_runbook_works_with_the_guide_s_fixture(tmp_path: Path) -> None:
    page = (ROOT / "docs/runbook.md").read_text()
    for name, fence in (("my-pod.yaml", "yaml"), ("fixture.yaml", "yaml fixture")):
        parts = re.findall(rf"^```{fence}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        (tmp_path / name).write_text("".join(parts))
    async with sandbox(tmp_path / "my-pod.yaml", tmp_path / "fixture.yaml") as env:
        code, said = await shell(env, "status")
        assert (code, "23960 of 24576 MiB are used" in said) == (1, True), said
        code, said = await shell(env, "diagnose", "gpu")
        assert said.splitlines()[0] == "✗ A Claude session holds GPU memory: pid 114"
        assert "114, claude, 22890 MiB" in said


async def test_the_options_start_the_bot_with_that_runbook(tmp_path: Path) -> None:
    example, fixture = EXAMPLES / "postgresql.yaml", EXAMPLES / "fixtures/postgresql.yaml"
    async with started(tmp_path, "--runbook", str(example), "--fixture", str(fixture)):
        [target] = _used(tmp_path)["targets"]
    assert target["runbook"] == [str(example)]
    assert [container["name"] for container in target["containers"]] == ["postgres"]


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        (
            "--runbook",
            "runbook: x\nchekcs: {}\n",
            "line 2, chekcs: there is no section 'chekcs'; did you mean 'checks'?",
        ),
        ("--fixture", "containers:\n  kali:\n    comands: []\n", "line 3, containers.kali.comands"),
        ("--fixture", "containers: [", "is not valid YAML"),
    ],
)
async def test_a_wrong_file_is_refused_at_once(tmp_path: Path, option: str, text: str, said: str) -> None:
    assert said in await refused(tmp_path, option, text)


async def refused(tmp_path: Path, option: str, text: str) -> str:
    """What the sandbox says when it doesn't start with a file of this text."""
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    env = {k: v for k, v in os.environ.items() if not k.startswith("AGENTPOD_")}
    code, said = await shell(env | {"PYTHONPATH": str(ROOT)}, "sandbox", "--no-browser", option, str(path))
    assert code == 2
    assert "Traceback" not in said
    return said


async def test_a_port_that_is_taken_is_named_with_its_service(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = await refused(tmp_path, "--fixture", f"services: {{web: {{port: {port}}}}}\n")
    assert f"Port {port} of the fixture's service web can't be opened" in said
