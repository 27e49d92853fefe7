"""Carries out `ssh keys copy`: copies the mounted Secret's file over the pod's own one, and reads that back.

The file is first copied beside the pod's own, compared with what was approved, and then renamed over it. So the
pod's file is at any time the old one or the approved one, and making the same calls again does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bot.domain.approvals.actions.ssh_keys_copy import SSH_KEYS_COPY, snapshot
from bot.domain.approvals.approval import RequestState, Snapshot
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.core import words
from bot.domain.core.target import Target
from bot.domain.core.workload import Pod, SecretFacts
from bot.domain.health import judge_pod
from bot.domain.rbac.exec_forms import ExecForm, Matching, Word
from bot.errors import AgentpodError, NotFound, Permanent, Transient
from bot.ports.cluster import Cluster
from bot.services.approvals.actions.execution import Stepwise, inner, read
from bot.services.approvals.lease_holder import LeaseHolder
from bot.services.container_exec import digests

SECONDS = 10.0
"""Deadline of each command."""
REFRESHED = timedelta(minutes=2)
"""How long to wait for the kubelet, which refreshes mounted Secrets about every 90 s."""
READ_BACK = timedelta(minutes=1)
"""How long to try to read the pod's file after it was copied."""
RESTART = "Restart the pod instead: it copies the keys when it starts."


def exec_forms(target: Target) -> list[ExecForm]:
    """Declare the commands of a copy, and how the files are compared before and after it.

    Where the settings don't say where the Secret's file is mounted, it is any file of that name.
    """
    container = target.container()
    file = target.ssh.path(container.home) if target.ssh is not None else None
    if target.ssh is None or file is None:
        return []
    mount: Word = target.ssh.mount or Matching((rf"(?:/[^/\x00-\x1f]+)+/{re.escape(target.ssh.key)}",))
    beside = f"{file}.agentpod"
    commands: tuple[tuple[Word, ...], ...] = (
        ("sha256sum", file, mount),
        ("sha256sum", file),
        ("sha256sum", mount),
        ("sha256sum", beside),
        ("install", "-m", "600", mount, beside),
        ("mv", "-f", beside, file),
        ("rm", "-f", beside),
    )
    return [ExecForm(container.name, words_) for words_ in commands]


@dataclass(frozen=True)
class Seen:
    """The Secret, the pod, and the SHA-256 of both files in it; empty for a file that isn't there."""

    secret: SecretFacts
    pod: Pod | None
    file: str = ""
    mount: str = ""


class SshKeysCopy(Stepwise[Seen]):
    """See the module."""

    action = SSH_KEYS_COPY
    check = "Look before you ask again: `/agentpod ssh keys` compares the pod's file with the Secret."

    async def look(self, repair: RepairRequest, holder: LeaseHolder) -> Seen:
        """See `Stepwise`."""
        cluster, details = holder.cluster_of(repair.target), repair.details
        secret, pods = await asyncio.gather(
            cluster.secret(details["secret"]), cluster.pods(holder.targets[repair.target].selector)
        )
        pod = judge_pod.current(pods)
        if pod is None:
            return Seen(secret, None)
        file, mount = await digests(cluster, pod.name, details["container"], details["file"], details["mount"])
        return Seen(secret, pod, file, mount)

    def snapshot(self, seen: Seen) -> Snapshot:
        """See `Stepwise`."""
        return snapshot(seen.secret, seen.pod)

    def is_made(self, repair: RepairRequest, seen: Seen, *, tried: bool) -> bool:  # noqa: ARG002 - the file tells
        """See `Stepwise`."""
        return seen.file == repair.details["sha256"] and not self.action.changes(
            repair.request.snapshot, self.snapshot(seen)
        )

    async def call(self, repair: RepairRequest, seen: Seen, holder: LeaseHolder) -> Seen:
        """See `Stepwise`."""
        if seen.pod is None:
            raise NotFound("No pod is running.")
        copy = _Copy(holder.cluster_of(repair.target), seen.pod.name, repair, holder)
        if seen.mount != repair.details["sha256"]:
            await read(copy.refreshed())  # nothing is sent before it returns
        await copy.made()
        return replace(seen, file=repair.details["sha256"])

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`."""
        seen, cluster = await self.look(repair, holder), holder.cluster_of(repair.target)
        pod, container = seen.pod.name if seen.pod else "", repair.details["container"]
        for argv in _commands(repair):
            await cluster.run_once(pod, container, argv, seconds=SECONDS)
        await digests(cluster, pod, container, repair.details["file"])

    async def preview(
        self,
        repair: RepairRequest,  # noqa: ARG002 - see there
        holder: LeaseHolder,  # noqa: ARG002
        seen: Any = None,  # noqa: ARG002
    ) -> bool:
        """See `Execution`: it changes no API object, and must run nothing before it is approved."""
        return False

    async def follow(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Stepwise`: reads the pod's file back."""
        until = (repair.sent_at or holder.clock.now()) + READ_BACK
        while True:
            try:
                seen = await self.look(repair, holder)
            except AgentpodError as error:
                if holder.clock.now() > until:
                    text = f"the keys were copied, and could not be read back: {inner(error)}"
                    await holder.end(repair, RequestState.FAILED, text, self.check)
                    return
                repair = await holder.sleep(repair, holder.tick)
                continue
            if seen.file == repair.details["sha256"]:
                text = f"{repair.details['file']} is the same as in the Secret"
                await holder.conclude(repair, RequestState.SUCCEEDED, ExecutionResult(text, holder.clock.now()))
                return
            changed = self.action.changes(repair.request.snapshot, self.snapshot(seen))
            why = "; ".join(changed) or f"{repair.details['file']} is not as the Secret any more"
            await holder.end(repair, RequestState.FAILED, f"the keys were copied, and then {why}", self.check)
            return


def _commands(repair: RepairRequest) -> tuple[tuple[str, ...], ...]:
    """The commands of a copy: beside the file, and then over it."""
    file, mount = repair.details["file"], repair.details["mount"]
    beside = f"{file}.agentpod"
    return ("install", "-m", "600", mount, beside), ("mv", "-f", beside, file)


@dataclass(frozen=True)
class _Copy:
    """One copy in one pod."""

    cluster: Cluster
    pod: str
    repair: RepairRequest
    holder: LeaseHolder

    @property
    def _container(self) -> str:
        return self.repair.details["container"]

    async def refreshed(self) -> None:
        """Wait until the kubelet has refreshed the mounted file. Raises `Permanent` where it does not in time."""
        mount, until = self.repair.details["mount"], self.holder.clock.now() + REFRESHED
        while True:
            [now] = await digests(self.cluster, self.pod, self._container, mount)
            if now == self.repair.details["sha256"]:
                return
            if self.holder.clock.now() >= until:
                raise Permanent(
                    f"{mount} in {self._container} is not as the Secret after {words.age(REFRESHED)}.",
                    remedy=f"The kubelet refreshes it within about 90 s, and never by subPath. {RESTART}",
                )
            await asyncio.sleep(self.holder.tick)

    async def made(self) -> None:
        """Copy the file beside the pod's own, compare it with what was approved, and rename it."""
        install, rename = _commands(self.repair)
        await self._run(install)
        [now] = await digests(self.cluster, self.pod, self._container, install[-1])
        if now != self.repair.details["sha256"]:
            await self._clean()
            raise Transient(f"{install[-2]} in {self._container} is not what was approved any more.")
        await self._run(rename)

    async def _run(self, argv: Sequence[str]) -> None:
        """Run a command. Raises `Permanent` where it ends with an error, and as `Cluster.run_once` does."""
        result = await self.cluster.run_once(self.pod, self._container, argv, seconds=SECONDS)
        if result.exit_code == 0:
            return
        await self._clean()
        if result.exit_code in (126, 127):
            raise Permanent(f"There is no {argv[0]} in {self._container}.", remedy=RESTART)
        said = words.cut(" ".join((result.stderr or result.stdout).split()), 200)
        raise Permanent(f"{argv[0]} ended with exit code {result.exit_code}: {said}.", remedy=RESTART)

    async def _clean(self) -> None:
        """Remove the copy beside the pod's file, as far as that can be done."""
        beside = _commands(self.repair)[0][-1]
        with contextlib.suppress(AgentpodError):
            await self.cluster.run_once(self.pod, self._container, ("rm", "-f", beside), seconds=SECONDS)


EXECUTION = SshKeysCopy()
