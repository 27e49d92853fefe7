"""Whether a service answers from outside: SSH banner, HTTP status or TCP connect."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core.probes import Finding
from bot.domain.core.target import ServiceTarget, Target
from bot.domain.health import judge_services
from bot.services.health.check import Check
from bot.services.health.reads import CheckContext, Reads
from bot.services.health.sources import Source, SourceUnavailable


class NetworkCheck(Check):
    """Judges the answer of one configured service."""

    id, title, about = "network", "Network", "SSH, HTTP"

    def __init__(self, spec: ServiceTarget, target: Target) -> None:
        """The check of ``spec`` has its name."""
        base = judge_services.judge_refused(spec, "", target)
        self.spec = spec
        self.id, self.title = base.probe, base.title
        silent = f"{spec.name} does not answer at {judge_services.place(spec)}"
        self.source = Source(base.probe, spec.name, silent, base.remedy, base.run)

    async def run(self, reads: Reads) -> Finding:
        """Connect and have the answer judged; a refusal is one."""
        try:
            return await self._reached(reads)
        except SourceUnavailable as unread:
            if unread.error is None or unread.is_silence:
                raise
            return judge_services.judge_refused(self.spec, unread.error.message, reads.target)

    async def _reached(self, reads: Reads) -> Finding:
        spec, network = self.spec, reads.ctx.network
        host, port = judge_services.address(spec)
        if spec.check == "ssh":
            banner = await reads.of(self.source, network.banner(host, port))
            return judge_services.judge_banner(spec, banner, reads.target)
        if spec.check == "http":
            status = await reads.of(self.source, network.http_status(judge_services.url(spec)))
            return judge_services.judge_status(spec, status, reads.target)
        await reads.of(self.source, network.connect(host, port))
        return judge_services.judge_open(spec)

    @classmethod
    def of(cls, ctx: CheckContext) -> Sequence[Check]:
        """One for each service of the settings that is connected to."""
        return [cls(spec, ctx.target) for spec in ctx.target.services if spec.connects]
