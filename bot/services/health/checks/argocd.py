"""Whether Argo CD calls the Application synced and healthy."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core.probes import Finding
from bot.domain.core.target import ArgoCD, Target
from bot.domain.core.workload import Application, Right
from bot.domain.health import judge_argocd
from bot.errors import NotFound
from bot.services.health.check import Check
from bot.services.health.reads import CheckContext, Reads
from bot.services.health.sources import API, SourceUnavailable
from bot.services.health.unserved import lacks_kind


class ArgocdCheck(Check):
    """Judges the Argo CD Application."""

    id, title, about = judge_argocd.PROBE, judge_argocd.TITLE, "Argo CD"
    steps = (("Argo CD", "argocd"),)

    application: Application | None = None

    def __init__(self, config: ArgoCD) -> None:
        """``config`` says which Application."""
        self.config = config

    async def run(self, reads: Reads) -> Finding:
        """Read the Application and have it judged."""
        config = self.config
        try:
            reading = reads.ctx.cluster.application(config.namespace, config.application)
            self.application = await reads.of(API, reading)
        except SourceUnavailable as unread:
            if isinstance(unread.error, NotFound):
                self.lacks_kind = lacks_kind(unread)
                return judge_argocd.no_application(unread.error.message, unread.error.remedy)
            raise
        return judge_argocd.judge_application(self.application, config, reads.ctx.clock.now())

    @classmethod
    def of(cls, ctx: CheckContext) -> Sequence[Check]:
        """Where the settings name an Application."""
        return [cls(ctx.target.argocd)] if ctx.target.argocd is not None else []

    @classmethod
    def left_out(cls, ctx: CheckContext) -> str:  # noqa: ARG003 - there is one reason
        """``argocd: null``."""
        return "Argo CD (switched off in the settings)"

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The Application, where one is configured."""
        config = target.argocd
        if config is None:
            return ()
        return (Right("get", "applications", "argoproj.io", name=config.application, namespace=config.namespace),)
