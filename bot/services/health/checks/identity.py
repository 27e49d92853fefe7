"""Which user each container runs as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.health import coverage, judge_identity, judge_processes
from bot.domain.health.judge_identity import ContainerIdentity
from bot.domain.rbac.exec_forms import ExecForm
from bot.services.health.check import Check
from bot.services.health.reads import Reads
from bot.services.health.rights import EXEC, POD_READ


class IdentityCheck(Check):
    """Judges what ``id`` says in each container."""

    id, title, about = judge_identity.PROBE, judge_identity.TITLE, "identity"
    steps = (("Identity", "identity"),)

    identities: Sequence[ContainerIdentity] = ()
    unwatched: Sequence[str] = ()
    """A line for each container that the settings don't name."""

    async def run(self, reads: Reads) -> Finding:
        """Run ``id`` in each container and have the answers judged."""
        pod = await reads.pod()
        self.unwatched = coverage.lines(pod, reads.target)
        found = await reads.in_each(pod, "id")
        silent = [ContainerIdentity(n, Verdict.UNKNOWN, why, f"{n}: {why}") for n, why in found.silent]
        self.identities = [*(judge_identity.judge_id(spec, result) for spec, result in found.answers), *silent]
        if found.missing and all(i.verdict is Verdict.OK for i in self.identities):
            lines = tuple(f"{i.container}: {i.said}" for i in self.identities)
            return judge_processes.container_missing(self.id, self.title, found.missing, lines)
        absent = tuple(f"{judge_processes.NO_CONTAINER} {name}" for name, _ in found.missing)
        finding = judge_identity.judge_identity(self.identities, reads.target)
        return replace(finding, evidence=(*finding.evidence, *absent))

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:  # noqa: ARG003 - the same of every target
        """The pod, and commands in it."""
        return (*POD_READ, *EXEC)


def exec_forms(target: Target) -> list[ExecForm]:
    """Declare ``id`` in each container."""
    return [ExecForm(spec.name, ("id",)) for spec in target.containers]
