"""The volume claim is bound."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.domain.core.probes import Finding
from bot.domain.core.target import Target
from bot.domain.core.workload import Claim, Right
from bot.domain.health import judge_storage, own_objects
from bot.services.health.check import Check
from bot.services.health.reads import Reads, or_none
from bot.services.health.rights import POD_READ, deployment_right


class ClaimCheck(Check):
    """Judges the claims that the pod uses."""

    id, title, about = "claim", "Volume claim", "the volume"
    steps = (("Storage", "storage"),)

    claims: Sequence[Claim] | None = None

    async def run(self, reads: Reads) -> Finding:
        """Read the claims, and which the pod uses, and have them judged."""
        claims, used = await asyncio.gather(reads.claims(), _used(reads))
        self.claims = [c for c in claims if used is None or c.name in used]
        return judge_storage.judge_claims(claims, reads.target, used)

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The claims, and who uses them."""
        return (Right("list", "persistentvolumeclaims"), *POD_READ, deployment_right(target))


async def _used(reads: Reads) -> frozenset[str] | None:
    """The names of the claims that the pod uses; None where that is not known."""
    pods = own_objects.existing(await or_none(reads.pods()) or ())
    owner = None if any(p.uses for p in pods) else await reads.owner()
    used = own_objects.uses(pods, owner)
    return used.claims if used is not None else None
