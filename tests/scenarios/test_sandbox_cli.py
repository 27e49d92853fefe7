"""`agentpod sandbox` as a person starts it: it prints its address, runs beside others, leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from sandbox.cluster import PretendCluster
from sandbox.slack import seed
from tests.scenarios.talk import shell

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("scenarios-sandbox-cli")


@contextlib.asynccontextmanager
async def started(tmp_path: Path, *words: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The process and what it printed up to "Ctrl-C". Its state goes below ``tmp_path``."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("AGENTPOD_")} | {"TMPDIR": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "sandbox",
        "--no-browser",
        *words,
        cwd=ROOT,
        env=env,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            printed = (await process.stdout.readuntil(b"Ctrl-C")).decode()
        yield process, printed
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            await process.wait()
            await process.stdout.read()


def _url(printed: str, label: str = "open") -> str:
    found = re.search(rf"{label}\s+(http://127\.0\.0\.1:\d+)", printed)
    assert found, printed
    return found[1]


async def _status(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status


async def test_two_run_at_once_and_leave_nothing_behind(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    async with started(one) as (first, printed), started(two) as (_, other):
        assert _url(printed) != _url(other)
        assert await _status(_url(printed)) == await _status(_url(other)) == 200
        assert await _status(_url(printed, "metrics") + "/readyz") == 200
    assert first.returncode == 0
    assert list(one.iterdir()) == list(two.iterdir()) == []
    with pytest.raises(aiohttp.ClientConnectorError):
        await _status(_url(printed))


async def test_the_printed_kubeconfig_works_with_kubectl(tmp_path: Path) -> None:
    async with started(tmp_path) as (_, printed):
        found = re.search(r"KUBECONFIG=(\S+)", printed)
        assert found
        kubectl = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "kubectl"),
            *("-n", "secure-agent-pod", "exec", "deploy/secure-agent-pod", "-c", "kali", "--", "id"),
            env=os.environ | {"KUBECONFIG": found[1]},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await kubectl.communicate()
    assert out.startswith(b"uid=1000(claude)")


async def test_the_printed_program_for_a_terminal_goes_by_the_sandbox_s_settings_and_time(tmp_path: Path) -> None:
    async with started(tmp_path) as (_, printed):
        found = re.search(r"terminal +(\S+) status", printed)
        assert found
        status = await _in_terminal(found[1], "status")
        async with aiohttp.ClientSession() as session:
            await session.post(_url(printed) + "/ui/api/breaks/time-6h", json={"value": None})
        heartbeats = await _in_terminal(found[1], "heartbeats")
    assert "Healthy" in status
    assert "4 jobs on time" in heartbeats
    assert "skew" not in heartbeats


async def _in_terminal(program: str, word: str) -> str:
    """What a command prints in a terminal that has no agentpod on its path."""
    process = await asyncio.create_subprocess_exec(
        program, word, env={"PATH": os.defpath}, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return out.decode()


async def test_another_cluster_by_kubeconfig(tmp_path: Path) -> None:
    async with PretendCluster(speed=0.0) as cluster:
        config = cluster.kubeconfig(tmp_path / "kubeconfig", user="agentpod")
        async with started(tmp_path, "--kubeconfig", str(config), "--context", "sandbox") as (_, printed):
            assert await _status(_url(printed)) == 200
            await _until_asked(cluster)


async def test_a_settings_file_is_used_except_for_slack_and_its_users(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        """
slack: {channel: C0NOWHERE99}
access: {rules: [{role: viewer, users: [U0NOBODY999]}]}
bridge: {url: "http://127.0.0.1:9/webhook"}
digest: {channel: C0NOWHERE99, timezone: Europe/Berlin}
targets:
  - name: my-pod
    namespace: my-space
    heartbeats: [{job: my-job, schedule: "0 4 L * *", timezone: Europe/Berlin}]
"""
    )
    async with PretendCluster(speed=0.0) as cluster:
        config = cluster.kubeconfig(tmp_path / "kubeconfig", user="agentpod")
        words = ("--kubeconfig", str(config), "--context", "sandbox", "--config", str(mine))
        async with started(tmp_path, *words) as (_, printed):
            assert "-n my-space get pods" in printed
            assert "settings  yours: targets, digest; the sandbox's own: all else" in printed
            used = _used(tmp_path)
            await _until_asked(cluster)
    assert used["targets"] == yaml.safe_load(mine.read_text())["targets"]
    assert used["digest"] == {"timezone": "Europe/Berlin"}
    assert used["slack"]["channel"] == seed.OPS
    assert [rule["role"] for rule in used["access"]["rules"]] == ["viewer", "operator", "approver"]
    assert "bridge" not in used


async def test_targets_without_services_have_the_sandbox_s_own_doors(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("targets: [{egress: {policy: agent-egress, restart_cilium: true}}]\n")
    async with started(tmp_path, "--config", str(mine)):
        [target] = _used(tmp_path)["targets"]
    assert target["egress"] == {"policy": "agent-egress", "restart_cilium": True}
    assert [one["connect"].partition(":")[0] for one in target["services"]] == ["127.0.0.1", "127.0.0.1"]


def _used(folder: Path) -> dict[str, Any]:
    """The settings file that the bot was started with."""
    [made] = folder.glob("agentpod-sandbox-*/agentpod.yaml")
    used: dict[str, Any] = yaml.safe_load(made.read_text(encoding="utf-8"))
    return used


async def _until_asked(cluster: PretendCluster) -> None:
    """Wait until the bot asks this cluster (not the sandbox's own) for its rights, as it does at start."""
    async with asyncio.timeout(15):
        while not cluster.server.requests:  # noqa: ASYNC110 - a counter, not an event
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--kubeconfig", "/nowhere/config"], "/nowhere/config (named by --kubeconfig) is not a file"),
        (["--prot", "1"], "--prot"),
        (["--port", "99999999"], "--port: '99999999' is no port: give a number from 0 (a free one) to 65535"),
        (["--port=-1"], "'-1' is no port"),
        (["--port", "http"], "'http' is no port"),
        (["--config", "/nowhere/settings"], "/nowhere/settings (named by --config) can't be read"),
        (["--config", "deploy/secret.example.yaml"], "apiVersion is not a setting (secret.example.yaml line"),
        (["--context", "nowhere", "--kubeconfig", "/nowhere/config"], "/nowhere/config (named by --kubeconfig)"),
    ],
)
async def test_wrong_flags_are_refused_with_an_explanation(words: list[str], says: str) -> None:
    code, said = await shell(os.environ, "sandbox", *words)
    assert code == 2
    assert says in said
    assert "Traceback" not in said


async def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, said = await shell(os.environ, "sandbox", "--no-browser", "--port", port)
    assert code == 2
    assert said == f"agentpod: port {port} is in use. Try --port 0, which takes a free one.\n"


async def test_ctrl_c_while_the_bot_starts_ends_both_without_a_traceback(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith("AGENTPOD_")} | {"TMPDIR": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "sandbox", "--no-browser"),
        cwd=ROOT,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    async with asyncio.timeout(60):
        while not _below(tmp_path, "agentpod-sandbox-*/bot-1.log"):  # noqa: ASYNC110 - a file, not an event
            await asyncio.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        said, _ = await process.communicate()
    assert (process.returncode, said) == (0, b"")
    assert _below(tmp_path, "*") == []


def _below(folder: Path, pattern: str) -> list[Path]:
    """The files that match."""
    return list(folder.glob(pattern))
