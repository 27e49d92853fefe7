"""The real Secrets of a proof: the requests for them, the values entered, and the writes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import SINK, RepairRequest
from sandbox.slack import seed
from sandbox.slack.errors import SlackError
from sandbox.slack.views import View
from sandbox.slack.workspace import Workspace
from tests.controlplane.agent_pod import AgentPod

KEY = "GITHUB_TOKEN"
MARK = b"soak-value-"
"""The prefix of each value, so that any leak can be found."""
TRACES = (MARK, base64.b64encode(MARK[:9]))
"""The prefix in plain text, and in base64 as in the API."""
UNSURE = ("nobody knows", "at the last look")
"""Words in the outcome of a change that may have been made, or may still be made."""


@dataclass
class Stores:
    """The Secrets of one agent pod."""

    pod: AgentPod
    workspace: Workspace
    dice: random.Random
    offered: list[str] = field(default_factory=list)
    """The values, or the key, that this round may store."""

    def line(self, action: RepairAction, reason: str) -> str:
        """The command that asks for a change."""
        self.offered = []
        if action is SECRET_SET:
            return f'{action.name} {KEY} --reason "{reason}"'
        self.offered = [f"{_public(self.dice)} {reason.replace(' ', '-')}"]
        return f'{action.name} --key "{self.offered[0]}" --reason "{reason}"'

    def versions(self) -> tuple[dict[str, str], str]:
        """Each Secret's resource version, and the one of the whole list."""
        found = self.pod.plane.call("GET", f"{self.pod.path}/secrets")
        each = {s["metadata"]["name"]: s["metadata"]["resourceVersion"] for s in found["items"]}
        return each, found["metadata"]["resourceVersion"]

    def writes(self, since: str) -> list[dict[str, Any]]:
        """The Secret after each write ``since`` a resource version, from the API server's watch."""
        path = f"{self.pod.path}/secrets?watch=1&timeoutSeconds=1&resourceVersion={since}"
        lines = self.pod.kubectl("get", "--raw", path).stdout.splitlines()
        return [event["object"] for event in map(json.loads, lines) if event["type"] != "BOOKMARK"]

    async def give(self, repair: RepairRequest) -> bool:
        """Submit an approved request's one-time form; sometimes two forms at once, with different values.

        False if no form opens.
        """
        forms = [f for f in [await self._form(repair) for _ in range(self.dice.randint(1, 2))] if f is not None]
        values = [f"{MARK.decode()}{self.dice.randbytes(12).hex()}" for _ in forms]
        self.offered += values
        sent = [self.workspace.submit_view(seed.MAYA, f, {"value": v}) for f, v in zip(forms, values, strict=True)]
        await asyncio.gather(*sent, return_exceptions=True)
        return bool(forms)

    async def _form(self, repair: RepairRequest) -> View | None:
        """Open a form by the button in the direct message; None if no bot opens it."""
        mine = self.workspace.messages(seed.DMS[seed.MAYA], seed.MAYA)
        offers = [m for m in mine if repair.id in m.all_text() and "enter it by" in m.text]
        before = self.workspace.view_of(seed.MAYA)

        def opened(view: View) -> bool:
            return view is not before and f"{SINK}{repair.id}" in view.body.get("private_metadata", "")

        with contextlib.suppress(SlackError, TimeoutError):
            if offers:
                await self.workspace.click(seed.MAYA, offers[-1], "agentpod:run:0")
                return await self.workspace.wait_view(seed.MAYA, opened, timeout=2)
        return None

    def told(self, repair: RepairRequest, mark: str) -> bool:
        """Whether the requester got the outcome in a direct message."""
        mine = self.workspace.messages(seed.DMS[seed.MAYA], seed.MAYA)
        return any(repair.id in m.all_text() and mark in m.text for m in mine)

    def untrue(self, repair: RepairRequest, writes: Sequence[dict[str, Any]]) -> str:
        """How the request's outcome contradicts the Secrets; empty if it doesn't."""
        text = repair.outcome.text if repair.outcome else ""
        kept = [base64.b64decode(s["data"][repair.details["key"]]).decode() for s in writes]
        if repair.state is RequestState.SUCCEEDED and not kept:
            return "it was never stored"
        if kept and repair.state is not RequestState.SUCCEEDED and not any(words in text for words in UNSURE):
            return "it was stored"
        if any(not self._is_whole(repair, one) for one in kept):
            return "what was stored is not what was given"
        return ""

    def _is_whole(self, repair: RepairRequest, kept: str) -> bool:
        if repair.action is SECRET_SET:
            return kept in self.offered
        return kept.splitlines().count(self.offered[0]) == 1


def _public(dice: random.Random) -> str:
    """Generate a new public key."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(dice.randbytes(32)).public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
