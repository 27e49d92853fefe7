"""Text from the cluster, Argo CD, the pod and heartbeats is shown without secrets or escape codes."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from datetime import UTC, datetime

import pytest

from sandbox.cluster import kinds, objects
from sandbox.cluster.rbac import NAMESPACE
from sandbox.cluster.store import stamp
from sandbox.slack import seed
from tests.scenarios.talk import World, shell, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("outside")]

KNOWN = objects.TIER2_VALUES["TELEGRAM_BOT_TOKEN"]
"""A value that is recognisable as secret only because the Secret has it."""
SHAPED = "glsa" + "_Qm3vXk29LpWz7RtYb4NcHd8sJf6GaUe1_0a1b2c3d"
INSIDE = base64.b64encode(f"bot:{KNOWN}".encode()).decode()
HOSTILE = (
    f"\x1b]52;c;ZXZpbA==\x07\x1b]0;pwned\x07\x1b[2J\u202ekcab\u202c t\u200bag\U000e0041 <!channel> {SHAPED} "
    f"as {KNOWN} or {KNOWN[:12]}\u200d{KNOWN[12:]} or {INSIDE} or {json.dumps(KNOWN.replace('-', '&'))[1:-1]}"
)
SECRETS = (KNOWN, KNOWN[12:], SHAPED, INSIDE)
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2060-\u206f\U000e0000-\U000e0fff]")


def plant(world: World) -> None:
    """Put the value wherever outside text can be."""
    store = world.sandbox.cluster.store
    pod = next(p for p in store.list(kinds.POD, NAMESPACE) if p["metadata"]["labels"].get("app"))
    draft = store.draft(kinds.POD, NAMESPACE, pod["metadata"]["name"])
    now = stamp(datetime.now(UTC))
    ended = {"exitCode": 1, "reason": "Error", "message": HOSTILE, "startedAt": now, "finishedAt": now}
    draft["status"]["containerStatuses"][0] |= {
        "ready": False,
        "restartCount": 3,
        "lastState": {"terminated": ended},
        "state": {"waiting": {"reason": "CreateContainerError", "message": HOSTILE}},
    }
    store.put(kinds.POD, draft)
    world.sandbox.cluster.simulation.events.record(pod, "Warning", "Failed", HOSTILE)
    app = store.draft(kinds.APPLICATION, "argocd", objects.APP)
    app["status"]["health"] = {"status": "Degraded", "message": HOSTILE}
    app["status"]["conditions"] = [{"type": "SyncError", "message": HOSTILE}]
    store.put(kinds.APPLICATION, app)
    world.sandbox.pushgateway.push({"job": f"job-{SHAPED}"}, datetime.now(UTC), 1.0)


def log(world: World) -> str:
    """The bot's log."""
    return "\n".join(file.read_text("utf-8", "replace") for file in world.sandbox.folder.glob("*.log"))


LINES = ("status", "pods", "events", "argocd", "heartbeats", "identity", "processes --all", "logs --previous")


async def test_no_secret_or_escape_code_reaches_slack(world: World) -> None:
    await until(lambda: "Secrets are known" in log(world), lambda: log(world)[-2000:])
    plant(world)
    for line in LINES:
        await world.ask(line, seed.MAYA)
    calls = [json.dumps([c.method, c.args], ensure_ascii=False) for c in world.workspace.record.calls]
    said = "\n".join(calls).replace("\\n", "\n")
    assert "[redacted]" in said
    assert [secret for secret in SECRETS if secret in said] == []
    assert CONTROLS.findall(said.replace("\n", "")) == []
    assert "<!channel>" not in [c.args.get("text", "") for c in world.workspace.record.calls]


@pytest.mark.parametrize("more", [(), ("--output", "json")], ids=["text", "json"])
async def test_no_secret_or_escape_code_reaches_a_terminal(world: World, more: tuple[str, ...]) -> None:
    plant(world)
    env = {**world.bot.env, "AGENTPOD_PROBES__TIMEOUT": "30s"}  # values that can't be read in time are not known
    said = await asyncio.gather(*(shell(env, *more, line) for line in ("status", "events", "argocd")))
    for _, text in said:
        assert "[redacted]" in text, text
        assert [secret for secret in SECRETS if secret in text] == []
        assert CONTROLS.findall(text.replace("\n", "")) == []
