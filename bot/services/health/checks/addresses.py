"""The expected addresses are assigned to Services, and something ready is behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.domain.core.probes import Finding
from bot.domain.core.target import Target
from bot.domain.core.workload import Endpoint, Right, Service
from bot.domain.health import judge_services
from bot.services.health.check import Check
from bot.services.health.reads import CheckContext, Reads
from bot.services.health.sources import Blocked


class AddressesCheck(Check):
    """Judges the Services by the addresses that the settings expect."""

    id, title, about = "services", "Services", "services"
    steps = (("Services", "services"),)

    services: Sequence[Service] | None = None

    async def run(self, reads: Reads) -> Finding:
        """Read the Services and have them judged."""
        self.services = await reads.services()
        return judge_services.judge_addresses(self.services, reads.target)

    @classmethod
    def of(cls, ctx: CheckContext) -> Sequence[Check]:
        """Where some address is expected."""
        return [cls()] if ctx.target.services else []

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:  # noqa: ARG003 - the same of every target
        """The Services."""
        return (Right("list", "services"),)


class EndpointsCheck(Check):
    """Judges what is behind the Services that carry an expected address."""

    id, title, about = "endpoints", "Endpoints", "endpoints"
    steps = (("Services", "services"), ("Pods", "pods"))

    endpoints: Sequence[Endpoint] | None = None

    async def run(self, reads: Reads) -> Finding:
        """Read Services and endpoints and have them judged."""
        services, endpoints = await asyncio.gather(reads.services(), reads.endpoints())
        self.endpoints = endpoints
        if not any(judge_services.carrier(s, services) for s in reads.target.services):
            raise Blocked("services", "no Service carries an expected address")
        return judge_services.judge_endpoints(services, endpoints, reads.target)

    @classmethod
    def of(cls, ctx: CheckContext) -> Sequence[Check]:
        """Where some address is expected."""
        return [cls()] if ctx.target.services else []

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:  # noqa: ARG003 - the same of every target
        """The Services and their endpoints."""
        return (Right("list", "services"), Right("list", "endpointslices", "discovery.k8s.io"))
