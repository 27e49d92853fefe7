"""``ssh info``: the command that connects, the host keys' fingerprints, and whether they changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Fact, Reply
from bot.domain.core.target import ServiceTarget, SshSpec, Target
from bot.domain.core.workload import Claim, Pod, Right
from bot.domain.health import host_keys
from bot.domain.health.host_keys import SeenKeys
from bot.domain.health.ssh_keys import Key
from bot.domain.rbac.exec_forms import ExecForm, file_in
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health.check import Check, run_checks
from bot.services.health.checks.network import NetworkCheck
from bot.services.health.in_container import in_first_container
from bot.services.health.reads import Reads
from bot.services.health.rights import EXEC, POD_READ
from bot.services.health.sources import Source
from commands.shared import part_answer, shape

LEDGER = Source(
    "ledger",
    "Ledger",
    "the ledger does not answer",
    "Without it nobody knows whether the host keys changed.",
)


class HostKeysCheck(Check):
    """Reads the public host keys in the pod, and compares them with those that were seen before."""

    id, title = host_keys.PROBE, host_keys.TITLE

    keys: Sequence[Key] = ()
    claims: Sequence[Claim] = ()
    memory: SeenKeys | None = None

    def __init__(self, ctx: Context, spec: SshSpec, service: ServiceTarget | None) -> None:
        """``spec`` says where the keys are, and ``service`` where a client connects."""
        self.ctx, self.spec, self.service = ctx, spec, service

    async def run(self, reads: Reads) -> Finding:
        """Read keys and claims, and judge them by the ledger's memory."""
        folder = self.spec.host_key_folder(reads.target.containers[0].home)
        text, said = await self._read(reads, folder)
        pod, claims = await asyncio.gather(reads.pod(), reads.claims())
        self.claims = _of_pod(pod, claims)
        self.keys = host_keys.read_keys(text)
        if not self.keys:
            return host_keys.without_keys(folder, said)
        now = reads.ctx.clock.now()
        self.memory = await reads.of(LEDGER, self._remembered(now))
        return host_keys.judge(self.memory, self.claims, self.service, now)

    async def _read(self, reads: Reads, folder: str) -> tuple[str, str]:
        """Return the text of all public keys, and what the commands said on stderr."""
        listed = await in_first_container(reads, "ls", "-1", folder)
        names = [name for name in listed.stdout.split("\n") if name.endswith(".pub")][: host_keys.MOST_KEYS]
        if not names:
            return "", listed.stderr
        found = await in_first_container(reads, "cat", *(f"{folder}/{name}" for name in names))
        return found.stdout, found.stderr

    async def _remembered(self, now: datetime) -> SeenKeys:
        """Return the updated memory. It is stored for those who ask in Slack; a terminal only compares."""
        seen, ledger, key = host_keys.by_type(self.keys), self.ctx.ledger, host_keys.mark(self.ctx.target.name)
        if ledger is None:
            return host_keys.noted(None, seen, now)
        if self.ctx.caller.is_terminal:
            return host_keys.noted(host_keys.from_json(await ledger.mark(key) or ""), seen, now)
        async with ledger.writing() as tx:
            memory = host_keys.noted(host_keys.from_json(await tx.mark(key) or ""), seen, now)
            await tx.set_mark(key, host_keys.to_json(memory))
        return memory

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The pod, commands in it, and its claims."""
        return (*POD_READ, *EXEC, Right("list", "persistentvolumeclaims")) if target.ssh else ()


def _of_pod(pod: Pod, claims: Sequence[Claim]) -> list[Claim]:
    used = pod.uses.claims if pod.uses is not None else frozenset()
    return [claim for claim in claims if claim.name in used]


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Show how to connect, and what the client should see."""
    began = ctx.clock.monotonic()
    if ctx.target.ssh is None:
        said = "The settings say that SSH is not looked after here (ssh: null)."
        return Reply("SSH is switched off in the settings", body=(said,), notes=shape.notes(ctx, began))
    service = next((s for s in ctx.target.services if s.check == "ssh"), None)
    check = HostKeysCheck(ctx, ctx.target.ssh, service)
    answers = [one for one in NetworkCheck.of(ctx) if isinstance(one, NetworkCheck) and one.spec is service]
    keys, *reached = await run_checks(ctx, [check, *answers])
    connect = host_keys.command(service, ctx.target.ssh.user) if service else ""
    return part_answer.reply(
        ctx,
        [keys, *(one for one in reached if one.finding.verdict is not Verdict.OK)],
        began,
        own="ssh info",
        facts=[
            Fact("Connect", connect or "no SSH service in the settings", code=bool(connect)),
            *(Fact(f"{host_keys.short_type(k.type)} host key", k.fingerprint, code=True) for k in check.keys),
            *(_claim(claim, ctx) for claim in check.claims),
        ],
        more=(("Services", "services"), ("SSH keys", "ssh keys")),
        data={
            "connect": connect or None,
            "host_keys": host_keys.by_type(check.keys),
            "since": words.iso(check.memory.since) if check.memory else None,
        },
    )


def _claim(claim: Claim, ctx: Context) -> Fact:
    at = claim.created_at
    when = f"created {words.moment(at)} ({words.ago(at, ctx.clock.now())})" if at else "age unknown"
    return Fact(f"Claim {claim.name}", when)


def exec_forms(target: Target) -> list[ExecForm]:
    """Declare how the host keys are listed, and how the public ones are read."""
    if target.ssh is None:
        return []
    spec = target.container()
    folder = target.ssh.host_key_folder(spec.home)
    key = file_in(folder, after=".pub")
    return [
        ExecForm(spec.name, ("ls", "-1", folder)),
        ExecForm(spec.name, ("cat", key), key, host_keys.MOST_KEYS - 1),
    ]


COMMAND = Command(
    name="ssh info",
    summary="How to connect by SSH; host keys, and whether they changed",
    needs=Capability.VIEW,
    run=run,
    group="SSH",
    examples=("ssh info",),
    details="The host keys are on the volume and change when it is created again. Clients then refuse to connect "
    "until they forget the old ones.",
    audited=True,
    sensitive_args=True,  # as all commands that begin with ssh: what is typed after them may be a key
    rights=HostKeysCheck.rights,
)
