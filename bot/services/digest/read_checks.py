"""Makes the checks of all targets for a digest, and says which are not ok."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from bot.domain.core.outside import Outside
from bot.domain.core.probes import Finding, Verdict
from bot.domain.digest.checks import ChecksRead, checks_read
from bot.services.health.reads import CheckContext
from bot.services.runbook.status import StatusChecks

logger = logging.getLogger("agentpod.digest")

LONGEST = 10.0
"""Most seconds for a check, whatever its own deadline: the digest waits for the slowest."""


async def read_checks(
    contexts: Sequence[CheckContext], outside: Outside, now: datetime, longest: float = LONGEST
) -> ChecksRead:
    """What the checks of `status` say of each target, redacted. Never raises: what can't be made is unknown."""
    found = await asyncio.gather(*(_of_target(ctx, longest) for ctx in contexts))
    named = zip(contexts, found, strict=True)
    return checks_read(now, {ctx.target.name: [outside.of(f) for f in each] for ctx, each in named})


async def _of_target(ctx: CheckContext, longest: float) -> Sequence[Finding]:
    try:
        checks = await asyncio.to_thread(StatusChecks, ctx)  # the runbook may have to be read
        for check in checks.every:
            check.seconds = min(check.seconds or ctx.probe_timeout, longest)
        return (await checks.run()).findings
    except Exception as error:  # a digest without its checks is better than none
        logger.exception("the checks of a target could not be made", extra={"target": ctx.target.name})
        said = f"not made ({type(error).__name__}); the bot's log has more"
        return [Finding("checks", "Checks", Verdict.UNKNOWN, said)]
